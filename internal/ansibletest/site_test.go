package ansibletest

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"twokey/internal/pamtest"
)

// top is the project's folder.
const top = "../.."

// site is a host that lies in a machine of its own: /etc, /var/lib, /var/log and what the package installs are there alone.
type site struct {
	t       *testing.T
	machine *pamtest.Machine
	dir     string // of the test; files of the machine's /etc are in etc
	work    string // where commands are run
	output  strings.Builder
}

// The mounts over what a machine shares with the host.
const siteScript = `
set -e
for folder in "/usr/lib/$2/security" /usr/libexec; do
	mkdir -p "$1/over$folder"
	cp -a "$folder/." "$1/over$folder"
done
touch "$1/over/usr/lib/$2/security/pam_twokey.so"
mkdir -p "$1/over/usr/libexec/twokey"
cp /bin/true "$1/over/usr/libexec/twokey/twokey-verify"
cp "$3" "$1/over/usr/libexec/twokey/twokey-notify"
mount --bind "$1/over/usr/lib/$2/security" "/usr/lib/$2/security"
mount --bind "$1/over/usr/libexec" /usr/libexec
mount -t tmpfs -o mode=0755 tmpfs /var/lib
`

// The programs that the documents' commands name: everybody is root here, and there is one host.
var shims = map[string]string{
	"sudo": "#!/bin/sh\nexec \"$@\"\n",
	"ssh":  "#!/bin/sh\nshift\nexec sh -c \"$*\"\n",
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, dir: scratch(t)}
	s.work = filepath.Join(s.dir, "work")
	s.machine = pamtest.NewMachine(t, s.dir, pamtest.User{Name: "alice", UID: 11001}, pamtest.User{Name: "bob", UID: 11002},
		pamtest.User{Name: "carol", UID: 11003}, pamtest.User{Name: "deploy", UID: 11004})
	s.must(os.Mkdir(s.work, 0o700))
	// What these are links to is the real host's.
	for _, name := range []string{"ssh", "systemd", "twokey"} {
		s.must(os.RemoveAll(s.path("etc", name)))
	}
	s.must(os.MkdirAll(s.path("etc/ssh/sshd_config.d"), 0o755))
	writeHost(t, s.dir)
	units := exec.Command("make", "--no-print-directory", "install-units", "DESTDIR="+s.dir, "UNITDIR=/etc/systemd/system")
	units.Dir = top
	s.must(units.Run())
	group, err := os.ReadFile(s.path("etc/group"))
	s.must(err)
	lines := regexp.MustCompile(`(?m)^staff:.*\n`).ReplaceAllString(string(group), "") + "staff:x:50:alice,bob\n"
	s.must(os.WriteFile(s.path("etc/group"), []byte(lines), 0o644))
	for name, script := range shims {
		s.must(os.WriteFile(s.path(name), []byte(script), 0o755))
	}
	s.must(os.Symlink(product(t), s.path("twokey")))
	s.do(0, siteScript, s.dir, triplet(t), filepath.Join(filepath.Dir(product(t)), "twokey-notify"))
	return s
}

// scratch is a folder that other accounts can look into.
func scratch(t *testing.T) string {
	t.Helper()
	dir, remove, err := pamtest.ScratchDir("ansible-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := remove(); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// writeHost writes the files of a Debian that has not heard of twokey.
func writeHost(t *testing.T, root string) {
	t.Helper()
	const service = "# a comment\n@include common-auth\naccount required pam_nologin.so\n@include common-account\n@include common-session\n@include common-password\n"
	const sudo = "session required pam_limits.so\n@include common-auth\n@include common-account\n@include common-session-noninteractive\n"
	for name, content := range map[string]string{
		"etc/pam.d/sshd": service, "etc/pam.d/sudo": sudo, "etc/pam.d/login": service,
		"etc/pam.d/sudo-i": strings.Replace(sudo, "-noninteractive", "", 1),
		"etc/pam.d/su":     "auth sufficient pam_rootok.so\nsession required pam_env.so readenv=1\n@include common-auth\n@include common-account\n@include common-session\n",
		"etc/pam.d/su-l":   "auth include su\naccount include su\nsession include su\n",
		"etc/pam.d/common-session-noninteractive": "session\trequired\tpam_unix.so\n",
		"etc/pam.d/common-auth":                   "auth\t[success=1 default=ignore]\tpam_unix.so nullok\nauth\trequisite\tpam_deny.so\nauth\trequired\tpam_permit.so\nauth\toptional\tpam_cap.so \n",
		"etc/pam.d/common-account":                "account\trequired\tpam_unix.so\n",
		"etc/pam.d/common-session":                "session\trequired\tpam_unix.so\n",
		"etc/pam.d/common-password":               "password\trequired\tpam_unix.so\n",
		"etc/ssh/sshd_config":                     "Include /etc/ssh/sshd_config.d/*.conf\nKbdInteractiveAuthentication no\nUsePAM yes\nHostKey /etc/ssh/ssh_host_ed25519_key\n",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(root, "etc/ssh/ssh_host_ed25519_key")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// product is the program as it is built for the package.
func product(t *testing.T) string {
	t.Helper()
	built, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(built, "twokey")
}

// collections is a folder for ansible's search path, to which the collection was installed as make does it.
func collections(t *testing.T) string {
	t.Helper()
	built, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(built, "collections")
}

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "twokey-ansible-")
	if err != nil {
		return "", err
	}
	built = dir
	for _, cmd := range []*exec.Cmd{
		exec.Command("go", "build", "-tags", "urfave_cli_no_docs", "-ldflags", "-s -w", "-o", dir+"/twokey", "./cmd/twokey"),
		exec.Command("env", "CGO_ENABLED=0", "go", "build", "-ldflags", "-s -w", "-o", dir+"/twokey-notify", "./cmd/twokey-notify"),
		exec.Command("make", "--no-print-directory", "install-ansible", "DESTDIR="+dir, "ANSIBLEDIR=/collections/ansible_collections/twokey/twokey"),
	} {
		cmd.Dir = top
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%v: %w: %s", cmd, err, out)
		}
	}
	return dir, os.Chmod(dir, 0o755)
})

// built is removed by TestMain.
var built string

func TestMain(m *testing.M) {
	status := m.Run()
	if built != "" {
		if err := os.RemoveAll(built); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
}

func triplet(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("gcc", "-dumpmachine").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func (s *site) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// write writes a file where the commands are run.
func (s *site) write(name, content string) {
	s.t.Helper()
	s.must(os.WriteFile(filepath.Join(s.work, name), []byte(content), 0o600))
}

// do runs a script in the machine, with arguments, and demands its exit status. Its output is kept for leaks.
func (s *site) do(status int, script string, arguments ...string) string {
	s.t.Helper()
	cmd := s.machine.Command(append([]string{"env", "-C", s.work, "bash", "-c", script, "bash"}, arguments...)...)
	cmd.Env = ansibleEnvironment(s.t, s.dir)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != status {
		s.t.Fatalf("%s: %v, want exit status %d:\n%s", script, err, status, out)
	}
	s.output.Write(out)
	return string(out)
}

// ansibleEnvironment has the program and its collection where they are looked for; dir is the home.
func ansibleEnvironment(t *testing.T, dir string) []string {
	return []string{"PATH=" + dir + ":/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + dir, "LC_ALL=C.UTF-8", "TERM=dumb", "PYTHONDONTWRITEBYTECODE=1",
		"ANSIBLE_COLLECTIONS_PATH=" + collections(t), "ANSIBLE_PIPELINING=True", "ANSIBLE_RETRY_FILES_ENABLED=False"}
}

// inventory is one host, which is this machine.
const inventory = "web1 ansible_connection=local ansible_become=false ansible_python_interpreter=/usr/bin/python3\n"

var recap = regexp.MustCompile(`(?m)^web1 .* changed=(\d+) .* failed=(\d+)`)

// changes are how many tasks of a playbook have changed something. It fails when one has failed.
func changes(t *testing.T, output string) string {
	t.Helper()
	found := recap.FindStringSubmatch(output)
	if found == nil || found[2] != "0" {
		t.Fatalf("the playbook has failed:\n%s", output)
	}
	return found[1]
}

// tree is what all files below some folders are like.
func tree(t *testing.T, folders ...string) string {
	t.Helper()
	var all strings.Builder
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			fmt.Fprintf(&all, "%s %v %v", path, info.Mode(), info.ModTime())
			if info.Mode().IsRegular() {
				content, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				fmt.Fprintf(&all, " %x", sha256.Sum256(content))
			}
			all.WriteString("\n")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

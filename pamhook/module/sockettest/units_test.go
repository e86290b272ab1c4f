package sockettest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"twokey/internal/pamtest"
)

const project = "../../.."

// units copies the units into a folder, with programs that are there.
func units(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	files, err := filepath.Glob(project + "/packaging/systemd/*")
	must(t, err)
	if len(files) != 6 {
		t.Fatalf("%d units, want 6: %q", len(files), files)
	}
	start := regexp.MustCompile(`(?m)^ExecStart=/usr/(bin/twokey serve-self|libexec/twokey/twokey-verify)$`)
	for _, file := range files {
		content, err := os.ReadFile(file)
		must(t, err)
		if want := strings.HasSuffix(file, "@.service"); len(start.FindAll(content, -1)) == 1 != want {
			t.Errorf("%s does not start one of our programs", file)
		}
		content = start.ReplaceAll(content, []byte("ExecStart=/bin/true"))
		must(t, os.WriteFile(filepath.Join(dir, filepath.Base(file)), content, 0o644))
	}
	return dir
}

func TestUnitsAreAsSystemdWantsThem(t *testing.T) {
	t.Parallel()
	dir := units(t)
	for _, name := range []string{"twokey-self", "twokey-verify", "twokey-root"} {
		out, err := exec.Command("systemd-analyze", "verify", "--man=no", filepath.Join(dir, name+".socket"), filepath.Join(dir, name+"@.service")).CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// TestUnitsAreHardenedAsFarAsTheProgramsBear pins the exposure that systemd 252 finds, in tenths of ten. What is left is what the programs are
// for: they are root, read the keys, start twokey-notify as another user with the network, and, for twokey-self, run the host's PAM modules.
func TestUnitsAreHardenedAsFarAsTheProgramsBear(t *testing.T) {
	t.Parallel()
	dir := units(t)
	for name, most := range map[string]string{"twokey-self": "31", "twokey-verify": "10", "twokey-root": "24"} {
		out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+most, filepath.Join(dir, name+"@.service")).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Overall exposure level") {
			t.Errorf("%s: more than %s: %v\n%s", name, most, err, out)
		}
	}
}

// values are those of a setting of a unit, in order.
func values(t *testing.T, unit, setting string) (all []string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(project, "packaging/systemd", unit))
	must(t, err)
	for line := range strings.Lines(string(content)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), setting+"="); ok {
			all = append(all, value)
		}
	}
	return all
}

// TestNoUserCanWearTheUnitsOut: a limit of triggers closes a socket for all, a failed instance stays for ever, and there are more connections
// than one user can have.
func TestNoUserCanWearTheUnitsOut(t *testing.T) {
	for _, name := range []string{"twokey-self", "twokey-verify", "twokey-root"} {
		for setting, want := range map[string]string{"Accept": "yes", "TriggerLimitIntervalSec": "0", "DirectoryMode": "0755",
			"ListenStream": "/run/twokey/" + strings.TrimPrefix(name, "twokey-") + ".sock", "WantedBy": "sockets.target"} {
			if got := values(t, name+".socket", setting); !slices.Equal(got, []string{want}) {
				t.Errorf("%s.socket: %s=%q, want %s", name, setting, got, want)
			}
		}
		for setting, want := range map[string]string{"CollectMode": "inactive-or-failed", "RuntimeDirectoryPreserve": "yes",
			"RuntimeDirectory": strings.ReplaceAll(name, "-", "/"), "RuntimeDirectoryMode": "0700", "LimitCORE": "0"} {
			if got := values(t, name+"@.service", setting); !slices.Equal(got, []string{want}) {
				t.Errorf("%s@.service: %s=%q, want %s", name, setting, got, want)
			}
		}
	}
	for socket, mode := range map[string]string{"twokey-self": "0666", "twokey-verify": "0666", "twokey-root": "0600"} {
		if got := values(t, socket+".socket", "SocketMode"); !slices.Equal(got, []string{mode}) {
			t.Errorf("%s.socket: SocketMode=%q, want %s", socket, got, mode)
		}
	}
	if got := values(t, "twokey-root.socket", "MaxConnectionsPerSource"); len(got) > 0 {
		t.Errorf("twokey-root.socket: MaxConnectionsPerSource=%q, and all are root there", got)
	}
}

func TestInstallPutsTheUnitsWhereSystemdFindsThem(t *testing.T) {
	t.Parallel()
	dest := t.TempDir()
	source := filepath.Dir(filepath.Dir(pamtest.ModuleDir(t)))
	run := func(target string) {
		t.Helper()
		// The programs need not be built for this.
		cmd := exec.Command("make", "-s", "-C", source, "DESTDIR="+dest, "PREFIX=/opt/twokey", "PAMDIR=/lib/security", target)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("make %s: %v\n%s", target, err, out)
		}
	}
	run("install-units")
	unit := func(name string) string { return filepath.Join(dest, "opt/twokey/lib/systemd/system", name) }
	for name, want := range map[string]string{"twokey-self@.service": "ExecStart=/opt/twokey/bin/twokey serve-self\n",
		"twokey-verify@.service": "ExecStart=/opt/twokey/libexec/twokey/twokey-verify\n", "twokey-root@.service": "ExecStart=/opt/twokey/libexec/twokey/twokey-verify\n"} {
		content, err := os.ReadFile(unit(name))
		if err != nil || strings.Count(string(content), want) != 1 || strings.Count(string(content), "ExecStart=") != 1 {
			t.Errorf("%s: %v\n%s", name, err, content)
		}
	}
	for _, name := range []string{"twokey-self.socket", "twokey-verify.socket", "twokey-root.socket"} {
		if st, err := os.Stat(unit(name)); err != nil || st.Mode() != 0o644 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	run("uninstall")
	if left, err := filepath.Glob(unit("*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

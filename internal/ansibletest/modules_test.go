package ansibletest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// givenSecret is that of RFC 4226 and RFC 6238, fileSecret another one.
const (
	givenSecret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	fileSecret  = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"
)

// play is the command for a playbook of testdata.
func play(t *testing.T, name string, flags ...string) string {
	t.Helper()
	path, err := filepath.Abs("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return "ansible-playbook -i hosts " + path + " " + strings.Join(flags, " ")
}

func TestTheModules(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write("hosts", inventory)
	s.write("secret", fileSecret+"\n")
	s.write("given.yml", "given: "+givenSecret+"\n")
	s.write("wrong.csv", "user\nbob\nnosuchuser\ndeploy\n")
	s.write("fails", "#!/bin/sh\ncase \"$*\" in *--yes*help_url*) echo 'twokey: error: no space left' >&2; exit 1;; esac\nexec twokey \"$@\"\n")
	s.must(os.Chmod(filepath.Join(s.work, "fails"), 0o700))
	s.do(0, "twokey init && mkdir mirror && mount --bind /var/lib/twokey mirror")
	flags := []string{"-e", "@given.yml", "-e", "folder=" + s.work, "-vvv", "--diff"}

	before := s.files()
	checked := s.do(0, play(t, "users.yml", append(flags, "--check")...))
	if changes(t, checked) != "6" {
		t.Errorf("in check mode %s tasks would change something", changes(t, checked))
	}
	if after := s.files(); after != before {
		t.Errorf("check mode has written something:\n%s\n%s", before, after)
	}
	first := s.do(0, play(t, "users.yml", flags...))
	if changes(t, first) != "7" {
		t.Errorf("the first run has changed something in %s tasks", changes(t, first))
	}
	for name, output := range map[string]string{"check mode": checked, "the first run": first} {
		for _, want := range []string{`\+ device: token \(hotp, 8 digits, SHA1\)`, `\+ device: texts \(sms\)`, `\+ device: asked \(push\)`, `\+ phone: \+442079460958`, `\+  - \{users: \[alice\], by: 2099-12-31\}`,
			`\+  - \{groups: \[staff\], services: \[sshd, login\], starts: 2020-01-01\}`, `\+methods: \[totp, recovery\]`} {
			if !regexp.MustCompile(want).MatchString(output) {
				t.Errorf("%s does not show %s", name, want)
			}
		}
	}
	if list := s.do(0, "twokey export carol"); !strings.Contains(list, "provider: ntfy") {
		t.Errorf("carol's phone has no provider:\n%s", list)
	}
	secrets := s.secrets()
	before = s.files()
	if second := s.do(0, play(t, "users.yml", flags...)); changes(t, second) != "0" {
		t.Errorf("the second run has changed something:\n%s", second)
	}
	if after := s.files(); after != before {
		t.Errorf("the second run has written something:\n%s\n%s", before, after)
	}
	s.do(0, play(t, "wrong.yml", flags...))
	s.leaks(secrets)
}

// files are what the host consists of. The locks of states have other holders after each look.
func (s *site) files() string {
	s.t.Helper()
	return s.do(0, `find mirror /etc/twokey /var/log/twokey -printf '%p %y %m %u %s %T@\n' | grep -v '^mirror/state/' | sort
		find mirror /etc/twokey /var/log/twokey . -type f ! -path '*/state/*' -exec sha256sum {} + | sort -u
		for file in mirror/state/*; do echo "$file $(head -c 8192 "$file" | sha256sum)"; done; ls`)
}

// secrets are all that have come to be, but for those of devices that were given.
func (s *site) secrets() []string {
	s.t.Helper()
	content, err := os.ReadFile(filepath.Join(s.work, "made.json"))
	s.must(err)
	var made []struct {
		Devices []struct{ Secret string }
		Codes   []string `json:"recovery_codes"`
	}
	s.must(json.Unmarshal(content, &made))
	if len(made) != 1 || len(made[0].Devices) != 1 || len(made[0].Devices[0].Secret) != 32 || len(made[0].Codes) != 4 {
		s.t.Fatalf("return_secrets has returned %s", content)
	}
	page, err := os.ReadFile(filepath.Join(s.work, "sheets/bob~phone.html"))
	s.must(err)
	key := regexp.MustCompile(`(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}`).FindString(string(page))
	if key == "" {
		s.t.Fatal("there is no key on bob's page")
	}
	return append(made[0].Codes, made[0].Devices[0].Secret, key, strings.ReplaceAll(key, " ", ""), givenSecret, fileSecret)
}

func (s *site) leaks(secrets []string) {
	s.t.Helper()
	for _, secret := range secrets {
		if strings.Contains(s.output.String(), secret) {
			s.t.Errorf("%s is in the output", secret)
		}
	}
}

// Where doctor finds an error nobody must be locked out: here the module is missing, and libpam would refuse everybody.
func TestTheRolePutsEverythingBackWhenDoctorFindsAnError(t *testing.T) {
	t.Parallel()
	root := scratch(t)
	for _, folder := range []string{"etc/pam.d", "etc/ssh/sshd_config.d", "usr/lib/" + triplet(t) + "/security"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeHost(t, root)
	for name, content := range map[string]string{"usr/lib/" + triplet(t) + "/security/pam_permit.so": "", "hosts": inventory,
		"vars.yml": `{"configuration": {"contact": "the IT desk"}}`, "wrong.yml": `{"configuration": {"nonsense": 1}}`} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	before := tree(t, filepath.Join(root, "etc/ssh/sshd_config.d"), filepath.Join(root, "etc/pam.d/sshd"))
	run := func(vars string) string {
		cmd := exec.Command("bash", "-c", play(t, "role.yml", "-e", "@"+vars, "-e", "folder="+root, "-e", "twokey_executable="+product(t)))
		cmd.Dir, cmd.Env = root, ansibleEnvironment(t, root)
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("it did not fail:\n%s", out)
		}
		return string(out)
	}
	if out := run("wrong.yml"); !strings.Contains(out, "unknown key") {
		t.Errorf("a wrong configuration is not refused:\n%s", out)
	}
	if _, err := os.Stat(filepath.Join(root, "etc/twokey/twokey.yaml")); err == nil {
		t.Error("a wrong configuration was written")
	}
	if out := run("vars.yml"); !strings.Contains(out, "the files are as they were: ") || !strings.Contains(out, "pam_twokey.so cannot be used") {
		t.Errorf("it does not say what doctor has found:\n%s", out)
	}
	after := tree(t, filepath.Join(root, "etc/ssh/sshd_config.d"), filepath.Join(root, "etc/pam.d/sshd"))
	stamp := regexp.MustCompile(` \d{4}-\d\d-\d\d \S+ \S+ \S+`)
	if stamp.ReplaceAllString(before, "") != stamp.ReplaceAllString(after, "") {
		t.Errorf("before:\n%safter:\n%s", before, after)
	}
	if left, err := filepath.Glob(filepath.Join(root, "etc/pam.d/*~")); err != nil || len(left) > 0 {
		t.Errorf("%q are left behind, %v", left, err)
	}
}

func TestTheCollectionIsReadable(t *testing.T) {
	t.Parallel()
	own, err := os.ReadFile(top + "/packaging/ansible/roles/host/files/twokey-self")
	if err != nil {
		t.Fatal(err)
	}
	if packaged, err := os.ReadFile(top + "/packaging/pam.d/twokey-self"); err != nil || string(own) != string(packaged) {
		t.Errorf("twokey-self of the role is not that of the package, %v", err)
	}
	home := scratch(t)
	for want, command := range map[string]string{
		"(?s)OPTIONS.*return_secrets.*no_log": "ansible-doc twokey.twokey.twokey_user",
		"(?i)allow_missing":                   "ansible-doc twokey.twokey.twokey_policy",
		"(?i)twokey_audit_keys":               "ansible-doc -t role twokey.twokey.host",
		"^$":                                  "python3 -c 'import ast, sys; [ast.parse(open(name).read(), feature_version=(3, 9)) for name in sys.argv[1:]]' \"$COLLECTION\"/plugins/*/*.py",
	} {
		cmd := exec.Command("bash", "-c", command)
		cmd.Env = append(ansibleEnvironment(t, home), "COLLECTION="+collections(t)+"/ansible_collections/twokey/twokey")
		if out, err := cmd.CombinedOutput(); err != nil || !regexp.MustCompile(want).Match(out) {
			t.Errorf("%s: %v:\n%s", command, err, out)
		}
	}
}

package doctor

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// asShipped is a host with the PAM files of this distribution.
func asShipped(t *testing.T) *scratch {
	t.Helper()
	files := goodFiles()
	for name := range files {
		if strings.HasPrefix(name, "etc/pam.d/") && name != selfPAM {
			delete(files, name)
		}
	}
	for _, name := range []string{"sshd", "login", "su", "su-l", "sudo", "sudo-i", "cron", "runuser", "passwd", "other",
		"common-auth", "common-account", "common-session", "common-session-noninteractive", "common-password"} {
		content, err := os.ReadFile("/etc/pam.d/" + name)
		if err != nil && name != "cron" {
			t.Fatal(err)
		}
		if err == nil {
			files["etc/pam.d/"+name] = string(content)
		}
	}
	return newScratch(t, files)
}

// What the README has one type is all that is to be done.
func TestTheReadmeWiresEveryServiceOfThisDistribution(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	wire := regexp.MustCompile(`(?m)^\$ sudo (sed -i\.before-twokey .*)$`).FindStringSubmatch(string(text))
	undo := regexp.MustCompile(`(?m)^\$ (for service in .*)$`).FindStringSubmatch(string(text))
	if wire == nil || undo == nil {
		t.Fatal("no such lines in the README")
	}
	s := asShipped(t)
	before := s.read("etc/pam.d/sudo-i")
	s.typed(wire[1])
	aboutKeys := func(f Finding) bool { return f.ID == "sshd-keys-alone" && f.Severity == Info } // sshd's configuration, and what the policy says
	if found := slices.DeleteFunc(s.examine().Findings, aboutKeys); len(found) > 0 {
		t.Errorf("the README's line was typed, and there is:%s", show(found))
	}
	s.typed(undo[1])
	left, err := filepath.Glob(s.path("etc/pam.d/*before*"))
	if s.read("etc/pam.d/sudo-i") != before || len(left) > 0 || err != nil {
		t.Errorf("undone, and there is %v, %v", left, err)
	}
}

// typed carries out a line of the README on this host.
func (s *scratch) typed(line string) {
	s.t.Helper()
	line = strings.ReplaceAll(strings.ReplaceAll(line, "sudo mv", "mv"), "/etc/pam.d/", s.path("etc/pam.d")+"/")
	if out, err := exec.Command("sh", "-ec", line).CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v, %s", line, err, out)
	}
}

// The stacks that the distribution ships are where doctor's fixes have to work first.
func TestTheStacksOfThisDistributionCanBeMended(t *testing.T) {
	s := asShipped(t)
	found := bad(s.examine())
	var services []string
	for _, f := range found {
		if f.ID != "not-wired" || !f.NotAsked {
			t.Errorf("found:%s", show([]Finding{f}))
			continue
		}
		services = append(services, f.About)
		s.carryOut(f.Fix)
	}
	if got := strings.Join(services, " "); got != "login sshd su sudo sudo-i" {
		t.Errorf("not wired: %s", got)
	}
	if found := bad(s.examine()); len(found) > 0 {
		t.Errorf("the fixes were carried out, and there is:%s", show(found))
	}
}

func TestWhatIsNarrowedToIsAllThatIsLookedAt(t *testing.T) {
	s := newScratch(t, goodFiles())
	swap("etc/pam.d/login", realAuth, "")(s)
	swap(sudoPAM, realAuth, "")(s)
	if found := bad(s.examine()); len(found) != 2 {
		t.Errorf("everything:%s", show(found))
	}
	s.host.Service = "sudo"
	if found := bad(s.examine()); len(found) != 1 || found[0].About != "sudo" {
		t.Errorf("sudo:%s", show(found))
	}
	s.host.User = "carol"
	if found := s.examine().Findings; len(found) != 1 || found[0].NotAsked || found[0].Severity != Info {
		t.Errorf("for somebody who is not asked:%s", show(found))
	}
	s.host.User = "bob"
	if found := bad(s.examine()); len(found) != 1 || found[0].NotAsked || found[0].Severity != Warning {
		t.Errorf("for somebody who is optional:%s", show(found))
	}
	s.host.User = "alice"
	if r := s.examine(); !r.NotAsked() || r.OK() || r.Errors() != 1 || r.Warnings() != 0 {
		t.Errorf("for somebody who is required:%s", show(r.Findings))
	}
}

func TestWhatThePolicyDoesNotAskIsNotMissed(t *testing.T) {
	for what, yaml := range map[string]string{
		"switched off":         "enabled: false\n",
		"nobody is required":   "default: exempt\n",
		"the service is not":   "services:\n  gdm-password: {ask: exempt}\n",
		"exempt by an entry":   "exempt:\n  - {services: [gdm-password]}\n",
		"exempt for the users": "exempt:\n  - {users: [alice, bob], services: [gdm-password]}\n",
	} {
		s := newScratch(t, goodFiles())
		s.write("etc/pam.d/gdm-password", "@include common-auth\n")
		if found := bad(s.examine()); len(found) != 1 {
			t.Fatalf("before:%s", show(found))
		}
		old := s.read("etc/twokey/twokey.yaml")
		if what == "nobody is required" {
			old = "version: 1\n"
		}
		s.write("etc/twokey/twokey.yaml", old+yaml)
		if found := bad(s.examine()); len(found) != 0 {
			t.Errorf("%s:%s", what, show(found))
		}
	}
}

func TestAFileThatOthersIncludeIsNoServiceOfItsOwn(t *testing.T) {
	s := newScratch(t, goodFiles())
	s.write("etc/pam.d/common-auth", unixOne+decoyOne+realAuth+"auth required pam_permit.so\n")
	s.write("etc/pam.d/common-account", "account required pam_twokey.so\naccount required pam_unix.so\n")
	s.write("etc/pam.d/common-session", "session required pam_twokey.so\nsession required pam_unix.so\n")
	for _, service := range []string{"sshd", "sudo", "login"} {
		s.write("etc/pam.d/"+service, "@include common-auth\n@include common-account\n@include common-session\n")
	}
	s.write("etc/pam.d/chsh", "auth sufficient pam_rootok.so\n@include common-auth\n")   // not a login
	s.write("etc/pam.d/xscreensaver", "@include common-auth\n@include common-account\n") // opens no session
	s.write("etc/pam.d/sshd.dpkg-old", "auth optional pam_twokey.so\n")
	s.write("etc/pam.d/su", "auth sufficient pam_rootok.so\n@include common-auth\n@include common-account\n@include common-session\n")
	if found := bad(s.examine()); len(found) > 0 {
		t.Errorf("found:%s", show(found))
	}
	swap("etc/pam.d/common-auth", "auth required pam_permit.so\n", "")(s)
	if found := bad(s.examine()); !slices.ContainsFunc(found, func(f Finding) bool { return f.About == "chsh" && f.ID == "permit-missing" }) {
		t.Errorf("nobody changes his shell any more, and there is:%s", show(found))
	}
}

// What is unusual and right must not be called wrong: nobody reads a doctor who cries wolf.
func TestWhatIsRightIsNotCalledWrong(t *testing.T) {
	for what, plant := range map[string]func(*scratch){
		"our line is requisite": swap(sshdPAM, realAuth, "auth requisite pam_twokey.so after=password\n"),
		"a requisite password":  swap(sshdPAM, unixOne+decoyOne, "auth requisite pam_unix.so\n"),
		"our line has every action": swap(sshdPAM, realAuth,
			"auth [success=ok new_authtok_reqd=ok ignore=ignore default=die] pam_twokey.so after=password\n"),
		"our line says sufficient, and nothing before it has said success": swap(sshdPAM, unixOne+decoyOne+realAuth+"auth required pam_permit.so\n",
			unixOne+decoyOne+"auth [success=done ignore=ignore default=die] pam_twokey.so after=password\nauth required pam_permit.so\n"),
		"something is sufficient behind ours":     swap(sshdPAM, "auth required pam_permit.so\n", "auth sufficient pam_localuser.so\nauth required pam_permit.so\n"),
		"something is sufficient in a substack":   all(swap(sshdPAM, unixOne+decoyOne+realAuth, "auth substack inner\nauth required pam_twokey.so\n"), withFile("etc/pam.d/inner", "auth sufficient pam_unix.so\nauth required pam_deny.so\n")),
		"two ways to a password jump to the same": swap(sshdPAM, unixOne, "auth [success=2 default=ignore] pam_sss.so\n"+unixOne),
		"LoginGraceTime without end":              swap(sshdConf, "UsePAM yes\n", "UsePAM yes\nLoginGraceTime 0\n"),
		"LOGIN_TIMEOUT without end":               withFile("etc/login.defs", "LOGIN_TIMEOUT 0\n"),
		"key and code":                            swap(sshdConf, "UsePAM yes\n", "UsePAM yes\nAuthenticationMethods publickey,keyboard-interactive:pam keyboard-interactive:pam\n"),
		"keys alone, which the policy denies":     swap("etc/twokey/twokey.yaml", "version: 1\n", "version: 1\nssh_keys_alone: deny\n"),
		"names of clients, and no networks": all(swap(sshdConf, "UsePAM yes\n", "UsePAM yes\nUseDNS yes\n"),
			swap("etc/twokey/twokey.yaml", "version: 1\n", "version: 1\nexempt:\n  - {users: [bob], from: [bastion.example]}\n")),
		"logins by key only":             swap(sshdConf, "KbdInteractiveAuthentication yes", "KbdInteractiveAuthentication no"),
		"a comment about NOPASSWD":       swap("etc/sudoers", "Defaults env_reset", "# %wheel ALL = NOPASSWD: ALL\nDefaults env_reset"),
		"a file that sudo does not read": withFile("etc/sudoers.d/wheel.disabled", "%wheel ALL = NOPASSWD: ALL\n"),
		"no service of this name":        withFile("etc/pam.d/sudo.bak", "auth sufficient pam_unix.so\nauth required /nowhere/pam_twokey.so\n"),
		"a module of another path":       all(swap(sshdPAM, realAuth, "auth required /usr/lib/x86_64-linux-gnu/security/pam_twokey.so after=password\n")),
	} {
		s := newScratch(t, goodFiles())
		plant(s)
		if found := bad(s.examine()); len(found) > 0 {
			t.Errorf("%s:%s", what, show(found))
		}
	}
}

func TestWhatAStackGivesAwayIsNamed(t *testing.T) {
	for stack, want := range map[string]string{
		unixOne + decoyOne + realAuth:                                     "permit-without-deny",
		strings.TrimSuffix(readme, permit):                                "",
		"auth requisite pam_unix.so\nauth required pam_twokey.so\n":       "prompt-tells-password",
		"@include common-auth\nauth required pam_twokey.so\n":             "prompt-tells-password",
		"auth required pam_unix.so\nauth required pam_twokey.so\n":        "asked-without-password",
		"auth required pam_twokey.so\nauth required pam_unix.so nullok\n": "asked-without-password",
	} {
		s := newScratch(t, goodFiles())
		swap(sudoPAM, unixOne+decoyOne+realAuth, stack)(s)
		s.host.Service = "sudo"
		r := s.examine()
		var ids []string
		for _, f := range r.Findings {
			ids = append(ids, f.ID)
		}
		if got := strings.Join(ids, " "); got != want || !r.OK() {
			t.Errorf("%q: %q, want %q", stack, got, want)
		}
	}
}

func TestAServiceThatIsClosedToTheEnrolledHasToCallTheModuleToo(t *testing.T) {
	s := newScratch(t, goodFiles())
	s.write("etc/pam.d/cockpit", "@include common-auth\n@include common-account\n@include common-session\n")
	s.write("etc/twokey/twokey.yaml", "version: 1\nservices:\n  cockpit: {ask: never}\n")
	if found := bad(s.examine()); len(found) != 1 || found[0].About != "cockpit" || found[0].Severity != Warning {
		t.Errorf("found:%s", show(found))
	}
}

package apps

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"twokey/internal/pamtest"
)

// mustHaveNothing fails the test if a person has a device, or a state.
func (s *site) mustHaveNothing(t *testing.T, p *person, when string) {
	t.Helper()
	if enrolled, err := s.Users.Secrets.Enrolled(p.Name); err != nil || enrolled {
		t.Errorf("%s: enrolled %v, %v", when, enrolled, err)
	}
	if _, err := s.Users.State.Read(p.Name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: there is a state: %v", when, err)
	}
}

// Attack: where "auth required pam_unix" stands above us, with no decoy and nothing that ends the stack, a wrong password and any code, so
// that we link a phone before the stack has failed. With the right password the account phase asks.
func TestAWrongPasswordLinksNothingWhereNothingStopsTheStack(t *testing.T) {
	t.Parallel()
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s, people := newSite(t, "default: required\nenroll: {at_login: \"yes\"}", 2)
			anna, bert := people[0], people[1]
			s.Sudoers(anna.Name + " ALL=(ALL) ALL")
			line := module + " config=" + s.Config
			s.Service(p.name, "auth required pam_unix.so", "auth required "+line, "account required "+line, "account required pam_unix.so",
				"session required "+line)
			x := p.start(t, s, anna, bert)
			x.Type("wrong\n")
			x.Expect("Verification code: ")
			x.Type("123456\n")
			if got := x.Expect(p.refused, "Number (or q to stop): "); got != 0 {
				t.Fatalf("a wrong password comes to the enrolment:\n%s", x.Screen())
			}
			s.mustHaveNothing(t, anna, "after a wrong password")
			_ = x.Kill() // su ends by itself

			x = p.start(t, s, anna, bert)
			x.Type(s.Password + "\n")
			x.Expect("Verification code: ")
			x.Type("123456\n")
			x.Expect("Number (or q to stop): ")
			x.Type("1\n")
			x.Expect("Press Enter when it is installed (or q to stop): ")
			x.Type("\n")
			x.Expect("q: stop): ")
			s.mustHaveNothing(t, anna, "before the app's code")
			link(t, x)
			if got := p.outcome(x); got != inside {
				t.Errorf("not let in after the enrolment:\n%s", x.Screen())
			}
		})
	}
}

// A file of /etc/pam.d without our account line: nobody gets in by the announcement, the log says what is missing, and the next login is
// refused before it is announced.
func TestAMissingAccountLineLetsNobodyIn(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "default: required\nenroll: {at_login: \"yes\"}", 1)
	anna := people[0]
	lines := s.stack()
	s.Service("sshd", slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "account required "+module) })...)
	sshd := s.Sshd()
	for i := range 2 {
		v := s.visitor(anna, "123456").visit(t, sshd)
		if v.in() {
			if text, _ := v.run(t, "echo inside"); strings.Contains(text, "inside") {
				t.Errorf("login %d: let in", i)
			}
		}
		s.mustHaveNothing(t, anna, "without an account line")
	}
	const missing = "the account line of pam_twokey.so is missing"
	if got := s.reasons(anna, "session-opened"); len(got) != 1 || !strings.Contains(got[0], missing) {
		t.Errorf("the session is recorded as %q", got)
	}
	if got := s.reasons(anna, "login"); len(got) != 1 || !strings.Contains(got[0], missing) {
		t.Errorf("the second login is recorded as %q", got)
	}
}

// Logins that have not announced anything: nothing of ours is due in their account phase, whoever waits to be enrolled elsewhere.
func TestLoginsWithoutAQuestionAreNotAskedToEnrol(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, requiredWithCode, 1)
	anna := people[0]
	s.enrolmentCode(anna)
	ring := newKeyring(t, people...)
	sshd := s.Sshd(ring.settings...)
	out, err := s.Command("su", anna.Name, "-c", enters).CombinedOutput()
	if err != nil || string(out) != "inside-42\n" {
		t.Errorf("su by root: %v: %s", err, out)
	}
	out, err = ring.byFile(sshd, "ssh", anna.Name+"@127.0.0.1", enters).CombinedOutput()
	if err != nil || string(out) != "inside-42\n" {
		t.Errorf("a key alone: %v: %s", err, out)
	}
	s.mustHaveNothing(t, anna, "after logins that ask nothing")
}

// The password method of sshd can put no question: it links nothing, and says so to who has given the right password, once. Who has not sees
// what anybody sees.
func TestThePasswordMethodOfSSHLinksNothing(t *testing.T) {
	t.Parallel()
	const instead = `take "keyboard-interactive" instead of "password"`
	for _, settings := range []string{"default: required\nenroll: {at_login: \"yes\"}", requiredWithCode} {
		s, people := newSite(t, settings, 2)
		anna, bert := people[0], s.enrol(people[1])
		s.enrolmentCode(anna)
		sshd := s.Sshd("PasswordAuthentication yes", "KbdInteractiveAuthentication no")
		screen := func(program string, p *person, password string) string {
			x := pamtest.OpenTerminal(t, sshd.Client(program, "-o", "NumberOfPasswordPrompts=1", p.Name+"@127.0.0.1"))
			x.Expect("assword: ")
			x.Type(password + "\n")
			if status := x.Wait(); status != 255 {
				t.Errorf("%s ended with %d:\n%s", program, status, x.Screen())
			}
			return strings.ReplaceAll(x.Screen(), p.Name, "NAME")
		}
		for _, program := range []string{"ssh", "sftp"} {
			if got := screen(program, anna, s.Password); strings.Count(got, instead) != 1 {
				t.Errorf("%s shows %q", program, got)
			}
			if got, other := screen(program, anna, "wrong"), screen(program, bert, "wrong"); got != other || strings.Contains(got, instead) {
				t.Errorf("%s: a wrong password shows %q, and of somebody who has a device %q", program, got, other)
			}
		}
		s.mustHaveNothing(t, anna, "after a password alone")
	}
}

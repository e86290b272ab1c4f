package apps

import (
	"strings"
	"testing"
	"time"
)

// Switched off, twokey asks nobody and turns nobody away: every rule is silent, also one that denies. By key and keyboard-interactive, so
// that sshd itself asks PAM.
func TestTheSwitchOverSSH(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) string { return "off_until: " + time.Now().Add(d).UTC().Format(time.RFC3339) }
	for name, c := range map[string]struct {
		settings string
		off      bool
	}{
		"enabled: false lets everybody in by key and password":          {"enabled: false", true},
		"off_until lets everybody in by key and password until then":    {at(time.Hour), true},
		"off_until means nothing when its time is over":                 {at(-time.Minute), false},
		"enabled: false goes before an off_until whose time is over":    {"enabled: false\n" + at(-time.Minute), true},
		"observe asks as ever, and the denying rule lets through":       {"observe: true", false},
		"switched on, it asks after the key, and the denying rule acts": {"enabled: true", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, people := newSite(t, "", 3)
			asked, denied := s.enrol(people[0]), s.enrol(people[1]) // the third has no device
			s.Configure(c.settings + "\ndefault: required\nrules: [{name: closed, users: [" + denied.Name + "], then: deny}]")
			ring := newKeyring(t, people...)
			sshd := s.Sshd(append(ring.settings, "AuthenticationMethods publickey,keyboard-interactive")...)
			observed := strings.Contains(c.settings, "observe")
			for _, p := range people {
				code := "123456"
				if p.phone != nil {
					code = p.code(t, 0)
				}
				v := s.visitor(p, code)
				v.key = ring.keys["a key"]
				seen := v.visit(t, sshd)
				switch {
				case c.off:
					seen.mustShow(t, asksPassword)
				case observed && p != asked:
					seen.mustShow(t, asksPassword) // no answer would be right
				case p == asked:
					seen.mustShow(t, asksPassword, asksCode)
				default:
					seen.mustShow(t, asksPassword, asksCode, refuses)
				}
				if want := c.off || observed || p == asked; seen.in() != want {
					t.Errorf("%s was let in: %v, want %v: %v", p.Name, seen.in(), want, seen.err)
				}
				if c.off {
					seen.mustWork(t, p)
					s.mustHaveOpened(t, p, "none", "switched off")
				}
			}
			if got := s.reasons(denied, "login"); !c.off && !observed && (len(got) != 1 || !strings.Contains(got[0], "about user")) {
				t.Errorf("the denied user's login is recorded as %q", got)
			}
		})
	}
}

// Who types a wrong password is turned away by the other modules, switched off or not, and hears nothing of a code.
func TestSwitchedOffAWrongPasswordIsStillWrong(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "enabled: false\ndefault: required", 1)
	anna, sshd := s.enrol(people[0]), s.Sshd()
	v := visitor{user: anna.Name, password: "wrong", code: anna.code(t, 0)}.visit(t, sshd)
	v.mustShow(t, asksPassword)
	if v.in() {
		t.Error("a wrong password was accepted")
	}
}

package apps

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"twokey/internal/pamtest"
)

// comes is one login: by which key, from where, to which server.
type comes struct {
	key  ssh.Signer
	from string
	to   *pamtest.Sshd
}

// rememberCase is a login with a right code and the next one.
type rememberCase struct {
	name         string
	first, again comes
	shown        []round
	forgotten    bool // between the two
}

// rememberSettings belong to the addresses of rememberCases.
const rememberSettings = "remember: 12h\nshared: [127.0.8.0/24]\ndefault: required\n"

func rememberCases(ring *keyring, sshd, gateway *pamtest.Sshd) []rememberCase {
	key, other := ring.keys["a key"], ring.keys["a certificate"]
	home, away := comes{key, "127.0.0.1", sshd}, comes{key, "127.0.0.2", sshd}
	sixth, shared := comes{key, "::1", sshd}, comes{key, "127.0.8.8", sshd}
	asked, notAsked := []round{asksPassword, asksCode}, []round{asksPassword}
	return []rememberCase{
		{"whose rule remembers nothing is asked again", home, home, asked, false},
		{"who comes again is not asked", home, home, notAsked, false},
		{"who comes again over IPv6 is not asked", sixth, sixth, notAsked, false},
		{"who comes from another source is asked", home, away, asked, false},
		{"who comes over IPv6 after IPv4 is asked", home, sixth, asked, false},
		{"who comes to another service is asked", home, comes{key, home.from, gateway}, asked, false},
		{"who comes with another key is asked", home, comes{other, home.from, sshd}, asked, false},
		{"who comes from where many people are is asked again", shared, shared, asked, false},
		{"whose sources were forgotten is asked again", home, home, asked, true},
	}
}

// After a right code the same user is not asked again from the same source, at the same service, with the same key.
func TestARememberedLogin(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 9)
	ring := newKeyring(t, people...)
	settings := append(ring.settings, "AuthenticationMethods publickey,keyboard-interactive")
	cases := rememberCases(ring, s.Sshd(settings...), s.served("gateway", settings...))
	s.Configure(rememberSettings + "rules: [{users: [" + people[0].Name + "], remember: 0s, then: required}]")
	for i, c := range cases {
		p := s.enrol(people[i])
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			visit := func(l comes, code string) visit {
				v := s.visitorFrom(p, l.from, code)
				v.key = l.key
				return v.visit(t, l.to)
			}
			first := visit(c.first, p.code(t, 0))
			first.mustShow(t, asksPassword, asksCode)
			first.mustWork(t, p)
			if c.forgotten {
				if _, remembered, err := s.Users.Forget(p.Name); err != nil || remembered != 1 {
					t.Errorf("%d logins were forgotten: %v", remembered, err)
				}
			}
			again := visit(c.again, p.code(t, 1))
			again.mustShow(t, c.shown...)
			again.mustWork(t, p)
			if len(c.shown) == 1 {
				s.mustHaveOpened(t, p, "remembered", "second factor given before")
			} else {
				s.mustHaveOpened(t, p, "totp", "second factor given")
			}
		})
	}
}

// Who is remembered has shown his password and key; who has neither stays out, and sees what everybody sees.
func TestARememberedLoginStillNeedsThePassword(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "remember: 1h", 1)
	anna, sshd := s.enrol(people[0]), s.Sshd()
	s.visitor(anna, anna.code(t, 0)).visit(t, sshd).mustWork(t, anna)
	again := s.visitor(anna, "").visit(t, sshd)
	again.mustShow(t, asksPassword)
	again.mustWork(t, anna)
	visitor{user: anna.Name, password: "wrong"}.visit(t, sshd).mustShow(t, asksPassword, asksCode, refuses)
	s.Configure("remember: 1h\nrules: [{users: [" + anna.Name + "], then: deny}]")
	s.visitor(anna, "").visit(t, sshd).mustShow(t, asksPassword, asksCode, refuses)
	s.Configure("")
	s.visitor(anna, "").visit(t, sshd).mustShow(t, asksPassword, asksCode, refuses)
}

// sudo has a memory of its own, and in su the caller is not the one who is asked.
func TestSudoAndSuRememberNothing(t *testing.T) {
	t.Parallel()
	for _, p := range programs[:2] {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s, people := newSite(t, "remember: 12h", 2)
			anna, bert := s.enrol(people[0]), people[1]
			s.Sudoers(anna.Name + " ALL=(ALL) ALL")
			for n := range 2 {
				x := p.start(t, s, anna, bert)
				x.Type(s.Password + "\n")
				x.Expect("Verification code: ")
				x.Type(anna.code(t, int64(n)) + "\n")
				if got := p.outcome(x); got != inside {
					t.Fatalf("login %d was refused:\n%s", n+1, x.Screen())
				}
			}
			if _, remembered := s.state(anna).Kept(); remembered != 0 {
				t.Errorf("%d logins are remembered", remembered)
			}
		})
	}
}

// login(1) at a console remembers, since a console is one place; a pseudo-terminal is anybody's.
func TestTheConsoleIsRemembered(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "remember: 12h", 1)
	anna := s.enrol(people[0])
	for i, c := range []struct {
		console string
		want    int
	}{{"/dev/tty11", askedForCode}, {"/dev/tty11", inside}, {"/dev/tty12", askedForCode}, {"", askedForCode}} {
		x := s.loginAt(c.console, anna)
		which := x.Expect("$ ", "Verification code: ")
		if got := []int{inside, askedForCode}[which]; got != c.want {
			t.Fatalf("login %d at %q: outcome %d, want %d:\n%s", i, c.console, got, c.want, x.Screen())
		}
		if which == 1 && i == 0 {
			x.Type(anna.code(t, 0) + "\n")
			x.Expect("$ ")
		}
	}
	if got := s.reasons(anna, "login"); len(got) < 2 || !strings.HasPrefix(got[1], "remembered since ") {
		t.Errorf("recorded as %s", fmt.Sprint(got))
	}
}

package apps

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"twokey/internal/pamtest"
)

// After a right code the same user is not asked again from the same source, at the same service, with the same key.
func TestARememberedLogin(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 9)
	ring := newKeyring(t, people...)
	methods := "AuthenticationMethods publickey,keyboard-interactive"
	key, cert := ring.keys["a key"], ring.keys["a certificate"]
	sshd, other := s.Sshd(append(ring.settings, methods)...), s.served("gateway", append(ring.settings, methods)...)
	asked, notAsked := []round{asksPassword, asksCode}, []round{asksPassword}
	type login struct {
		key  ssh.Signer
		from string
		sshd *pamtest.Sshd
	}
	const home, away, sixth, shared = "127.0.0.1", "127.0.0.2", "::1", "127.0.8.8"
	first := login{key, home, sshd}
	cases := []struct {
		name  string
		first login
		then  func(t *testing.T, p *person) // between the two logins; nil: nothing
		again login
		shown []round
	}{
		{"who comes again is not asked", first, nil, first, notAsked},
		{"who comes again over IPv6 is not asked", login{key, sixth, sshd}, nil, login{key, sixth, sshd}, notAsked},
		{"from another source he is asked", first, nil, login{key, away, sshd}, asked},
		{"over IPv6 after IPv4 he is asked", first, nil, login{key, sixth, sshd}, asked},
		{"at another service he is asked", first, nil, login{key, home, other}, asked},
		{"with another key he is asked", first, nil, login{cert, home, sshd}, asked},
		{"from a source that many share he is asked again", login{key, shared, sshd}, nil, login{key, shared, sshd}, asked},
		{"whose sources were forgotten is asked again", first, func(t *testing.T, p *person) {
			if _, remembered, err := s.Users.Forget(p.Name); err != nil || remembered != 1 {
				t.Errorf("%d logins were forgotten: %v", remembered, err)
			}
		}, first, asked},
		{"whose rule remembers nothing is asked again", first, nil, first, asked},
	}
	s.Configure("remember: 12h\nshared: [127.0.8.0/24]\ndefault: required\nrules: [{users: [" + people[8].Name + "], remember: 0s, then: required}]")
	for i, c := range cases {
		p := s.enrol(people[i])
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for n, l := range []login{c.first, c.again} {
				v := s.visitor(p, p.code(t, int64(n)))
				v.key, v.from = l.key, l.from
				seen := v.visit(t, l.sshd)
				if n == 0 {
					seen.mustShow(t, asked...)
				} else {
					seen.mustShow(t, c.shown...)
				}
				seen.mustWork(t, p)
				if n == 0 && c.then != nil {
					c.then(t, p)
				}
			}
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

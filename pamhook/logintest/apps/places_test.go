package apps

import (
	"fmt"
	"strings"
	"testing"

	"twokey/internal/pamtest"
)

// Where a login comes from, by IPv4 and IPv6, single and as a network, in an exemption and in a rule. A wrong password is followed by a
// question only where somebody would be asked after a right one.
func TestWhereALoginComesFrom(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 2)
	anna, exempt := s.enrol(people[0]), s.enrol(people[1])
	s.Configure("default: required\n" +
		"exempt: [{from: [127.0.0.2]}, {users: [" + exempt.Name + "], from: [127.0.6.0/24]}]\n" +
		"rules:\n  - {name: office, from: [127.0.3.0/24, '::ffff:127.0.5.1'], then: exempt}\n" +
		"  - {name: sixth, from: ['::/64'], then: exempt}\n")
	sshd := s.Sshd()
	for _, c := range []struct {
		name, from string
		asked      bool
		decoyAsks  bool
	}{
		{"an exempt IPv4 address is not asked", "127.0.0.2", false, false},
		{"the address beside it is asked", "127.0.0.3", true, true},
		{"an address of an exempt network is not asked", "127.0.3.77", false, false},
		{"the first address of the network is not asked", "127.0.3.0", false, false},
		{"the address behind the network is asked", "127.0.4.0", true, true},
		{"an IPv4 address written as IPv6 is the IPv4 address", "127.0.5.1", false, false},
		{"an IPv6 address of an exempt network is not asked", "::1", false, false},
		{"where only somebody is exempt, the others are asked", "127.0.6.1", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := s.visitor(anna, anna.wrong(t))
			v.from = c.from
			seen := v.visit(t, sshd)
			if c.asked {
				seen.mustShow(t, asksPassword, asksCode, refuses)
			} else {
				seen.mustShow(t, asksPassword)
				seen.mustWork(t, anna)
			}
			v.password = "wrong"
			if c.decoyAsks {
				v.visit(t, sshd).mustShow(t, asksPassword, asksCode, refuses)
			} else {
				v.visit(t, sshd).mustShow(t, asksPassword)
			}
		})
	}
	t.Run("where only somebody is exempt, he is not asked", func(t *testing.T) {
		t.Parallel()
		v := s.visitor(exempt, "")
		v.from = "127.0.6.1"
		v.visit(t, sshd).mustShow(t, asksPassword)
		// Else a stranger would learn who is exempt.
		v.password, v.code = "wrong", "123456"
		v.visit(t, sshd).mustShow(t, asksPassword, asksCode, refuses)
	})
}

// Where nobody else is asked, one source can be.
func TestOneSourceIsAsked(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "default: exempt\nrules: [{from: ['::1', 127.0.7.0/24], then: required}]", 1)
	anna, sshd := s.enrol(people[0]), s.Sshd()
	for i, c := range []struct {
		from  string
		shown []round
	}{
		{"127.0.0.1", []round{asksPassword}}, {"::1", []round{asksPassword, asksCode}}, {"127.0.7.9", []round{asksPassword, asksCode}},
	} {
		v := s.visitor(anna, anna.code(t, int64(i-1)))
		v.from = c.from
		seen := v.visit(t, sshd)
		seen.mustShow(t, c.shown...)
		if !seen.in() {
			t.Errorf("from %s: refused: %v", c.from, seen.err)
		}
	}
	s.visitorFrom(anna, "::1", anna.wrong(t)).visit(t, sshd).mustShow(t, asksPassword, asksCode, refuses)
}

func (s *site) visitorFrom(p *person, from, code string) visitor {
	v := s.visitor(p, code)
	v.from = from
	return v
}

// consoleScript makes the terminal on which it runs the console $1 of the machine, in whose /dev alone it is that, and starts login.
const consoleScript = `mount --bind "$(tty)" "$1" && exec login <"$1" >"$1" 2>&1`

// loginAt goes with login(1) as far as the answer to the password, at a console of the machine or, for "", at a pseudo-terminal.
func (s *site) loginAt(console string, p *person) *pamtest.Terminal {
	s.t.Helper()
	cmd := s.Command("login")
	if console != "" {
		cmd = s.Command("sh", "-c", consoleScript, "sh", console)
	}
	x := pamtest.OpenTerminal(s.t, cmd)
	x.Expect("login: ")
	x.Type(p.Name + "\n")
	x.Expect("Password: ")
	x.Type(s.Password + "\n")
	return x
}

func TestRulesTellTheConsoleFromTheRest(t *testing.T) {
	t.Parallel()
	login := programs[len(programs)-1]
	asked, notAsked := []round{asksPassword, asksCode}, []round{asksPassword}
	for name, c := range map[string]struct {
		rule            string
		console, remote int // what becomes of a login at login(1)
		overSSH         []round
	}{
		"at the console nobody is asked":    {"{tty: [console], then: exempt}", inside, askedForCode, asked},
		"only at the console one is asked":  {"{tty: [remote], then: exempt}", askedForCode, inside, notAsked},
		"a rule about the other service":    {"{tty: [console], services: [sshd], then: exempt}", askedForCode, askedForCode, asked},
		"the console of one of the two":     {"{tty: [console], users: [USER], then: exempt}", inside, askedForCode, asked},
		"the console of one who is not him": {"{tty: [console], users: [nobody], then: exempt}", askedForCode, askedForCode, asked},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, people := newSite(t, "", 1)
			anna := s.enrol(people[0])
			s.Configure("default: required\nrules: [" + strings.ReplaceAll(c.rule, "USER", anna.Name) + "]")
			for console, want := range map[string]int{"/dev/tty11": c.console, "/dev/ttyS0": c.console, "": c.remote} {
				x := s.loginAt(console, anna)
				if got := login.outcome(x); got != want {
					t.Errorf("login at %q: outcome %d, want %d:\n%s", console, got, want, x.Screen())
				}
				if want != inside {
					continue
				}
				s.mustHaveOpened(t, anna, "none", "exempt by rules[0]")
				if r := s.session(anna); r.TTY != console && console != "" {
					t.Errorf("login at %q: the session is recorded as %+v", console, r)
				}
			}
			seen := s.visitor(anna, anna.code(t, 0)).visit(t, s.Sshd())
			seen.mustShow(t, c.overSSH...)
			if !seen.in() {
				t.Errorf("refused over ssh: %v", seen.err)
			}
		})
	}
}

// A code that is right opens the console too, and its session.
func TestACodeAtTheConsole(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "default: required", 1)
	anna := s.enrol(people[0])
	x := s.loginAt("/dev/tty11", anna)
	x.Expect("Verification code: ")
	x.Type(anna.code(t, 0) + "\n")
	x.Expect("$ ")
	if r := s.session(anna); r.SecondFactor != "totp" || r.TTY != "/dev/tty11" || r.Source != "tty:/dev/tty11" {
		t.Errorf("the session is recorded as %+v", r)
	}
}

// group makes a group of the machine with these members.
func (s *site) group(name string, id uint32, members ...*person) {
	s.t.Helper()
	var names []string
	for _, p := range members {
		names = append(names, p.Name)
	}
	line := fmt.Sprintf("%s:x:%d:%s\n", name, id, strings.Join(names, ","))
	cmd := s.Command("tee", "-a", "/etc/group")
	cmd.Stdin = strings.NewReader(line)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
}

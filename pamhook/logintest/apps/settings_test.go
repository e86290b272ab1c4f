package apps

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"twokey/internal/pamtest"
)

// A name is compared with what sshd says of the client, and not looked up: sshd has done so.
func TestALoginThatComesFromANamedHost(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "default: required\nexempt: [{from: [Desk.Example.org]}]", 1)
	anna := s.enrol(people[0])
	hosts := s.Command("sh", "-c", "rm /etc/hosts && cat >/etc/hosts")
	hosts.Stdin = strings.NewReader("127.0.0.1 localhost\n127.0.9.1 desk.example.org\n127.0.9.2 deck.example.org\n")
	if out, err := hosts.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	byName, byAddress := s.Sshd("UseDNS yes"), s.Sshd("UseDNS no")
	for _, c := range []struct {
		name, from string
		sshd       *pamtest.Sshd
		asked      bool
	}{
		{"of the name", "127.0.9.1", byName, false},
		{"of another name", "127.0.9.2", byName, true},
		{"of the name, at a server that says the address", "127.0.9.1", byAddress, true},
	} {
		seen := s.visitorFrom(anna, c.from, "").visit(t, c.sshd)
		if c.asked {
			seen.mustShow(t, asksPassword, asksCode, refuses)
			continue
		}
		seen.mustShow(t, asksPassword)
		seen.mustWork(t, anna)
		if r := s.session(anna); r.Source != "desk.example.org" {
			t.Errorf("%s: recorded as from %q", c.name, r.Source)
		}
	}
}

// discrepancy is how many codes before and after the present one are right.
func TestTheDiscrepancyOfClocks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		steps  int
		offset int64 // far enough from the limit for the time to go on meanwhile
		in     bool
	}{
		{"4 takes the code of three periods ago", 4, -3, true},
		{"4 takes the code of three periods ahead", 4, 3, true},
		{"1 refuses the code of three periods ago", 1, -3, false},
		{"0 refuses the code of the period before", 0, -1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, people := newSite(t, fmt.Sprint("discrepancy: ", c.steps), 1)
			anna := s.enrol(people[0])
			v := s.visitor(anna, anna.code(t, c.offset)).visit(t, s.Sshd())
			if v.in() != c.in {
				t.Errorf("let in: %v; %q", v.in(), s.reasons(anna, "login"))
			}
			if got := s.reasons(anna, "login"); !c.in && (len(got) != 1 || !strings.HasPrefix(got[0], "wrong code: it would have been right ")) {
				t.Errorf("recorded as %q", got)
			}
		})
	}
}

// methods is what counts for everybody whom no rule is about.
func TestTheMethodsThatCount(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "methods: [totp]", 2)
	anna, bert, sshd := s.enrol(people[0]), s.enrol(people[1]), s.Sshd()
	s.visitor(anna, anna.phone.RecoveryCodes[0]).visit(t, sshd).mustShow(t, asksPassword, asksCode, refuses)
	s.visitor(anna, anna.code(t, 0)).visit(t, sshd).mustWork(t, anna)
	s.Configure("methods: [recovery]")
	s.visitor(bert, bert.code(t, 0)).visit(t, sshd).mustShow(t, asksPassword, asksCode, refuses)
	s.visitor(bert, bert.phone.RecoveryCodes[0]).visit(t, sshd).mustWork(t, bert)
	s.mustHaveOpened(t, bert, "recovery", "second factor given")
}

// An entry can be narrowed to programs of the machine: then the others let by.
func TestOnlySudoAndSuAsk(t *testing.T) {
	t.Parallel()
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s, people := newSite(t, "", 2)
			anna, bert := s.enrol(people[0]), people[1]
			s.Configure("default: exempt\nrequire: [{users: [" + anna.Name + ", " + bert.Name + "], services: [sudo, su]}]")
			s.Sudoers(anna.Name + " ALL=(ALL) ALL")
			x := p.start(t, s, anna, bert)
			x.Type(s.Password + "\n")
			got := p.outcome(x)
			if want := map[string]int{"sudo": askedForCode, "su": askedForCode, "login": inside}[p.name]; got != want {
				t.Fatalf("outcome %d, want %d:\n%s", got, want, x.Screen())
			}
			if got == askedForCode {
				x.Type(anna.code(t, 0) + "\n")
				x.Expect("inside-42")
			}
		})
	}
}

// lowUID is a user id of a system account that no account of this host has.
func lowUID(t *testing.T) uint32 {
	t.Helper()
	f, err := os.Open("/etc/passwd")
	must(t, err)
	defer f.Close()
	var taken []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		taken = append(taken, strings.Split(lines.Text(), ":")[2])
	}
	for id := uint32(999); id > 100; id-- {
		if !slices.Contains(taken, fmt.Sprint(id)) {
			return id
		}
	}
	t.Fatal("every system account is taken")
	return 0
}

// A system account has a low user id and no login shell. One without the other is a person's.
func TestSystemAccountsAreExempt(t *testing.T) {
	t.Parallel()
	users := newUsers(t, 3)
	users[0].UID = lowUID(t)
	users[1].UID = users[0].UID // a second name for the same number, with a shell
	s, people := newSiteOf(t, "default: required\nexempt: [{system_accounts: true}]", users)
	system, withShell, normal := people[0], people[1], people[2]
	for _, p := range []*person{system, normal} {
		edit := fmt.Sprintf(`/^%s:/s|/bin/sh$|/usr/sbin/nologin|`, p.Name)
		if out, err := s.Command("sed", "-i", edit, "/etc/passwd").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	sshd := s.Sshd()
	v := s.visitor(system, "123456").visit(t, sshd)
	v.mustShow(t, asksPassword)
	if !v.in() {
		t.Errorf("a system account was refused: %v", v.err)
	}
	for _, p := range []*person{withShell, normal} {
		s.visitor(p, "123456").visit(t, sshd).mustShow(t, asksPassword, asksCode, refuses)
		s.mustHaveReason(t, p, "no device is enrolled")
	}
}

// on_fault: allow-console lets in with a code at the console when nothing can be written any more, and nowhere else.
func TestADiskThatCannotBeWrittenAtTheConsole(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ setting, console string }{{"allow-console", "let in"}, {"deny", "refused"}} {
		t.Run("on_fault: "+c.setting+", at the console "+c.console, func(t *testing.T) {
			t.Parallel()
			s, people := newSite(t, "on_fault: "+c.setting, 2)
			anna, sshd := s.enrol(people[0]), s.Sshd()
			s.visitor(people[1], "").visit(t, sshd).mustWork(t, people[1]) // keeps the policy
			readOnly := `mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"`
			if out, err := s.Command("sh", "-c", readOnly, "sh", s.Dir).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			s.visitor(anna, anna.code(t, 0)).visit(t, sshd).mustShow(t, asksPassword, asksCode, refuses)
			x := s.loginAt("/dev/tty11", anna)
			x.Expect("Verification code: ")
			x.Type(anna.code(t, 0) + "\n")
			login := programs[len(programs)-1]
			if got, want := login.outcome(x), map[string]int{"let in": inside, "refused": refused}[c.console]; got != want {
				t.Errorf("outcome %d, want %d:\n%s", got, want, x.Screen())
			}
		})
	}
}

package apps

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"twokey/internal/pamtest"
)

// program is one of those that people log in with at the machine itself. The person who is asked is the caller in sudo, the
// target in su, and in login there is only one.
type program struct {
	name string
	// start goes as far as the question for the password of the person who is asked. Another one is at the other end.
	start func(t *testing.T, s *site, asked, other *person) *pamtest.Terminal
	// refused is what it shows then.
	refused string
}

// enters shows whoever got in, and nobody else: what is typed shows "$((6*7))".
const enters = "echo inside-$((6*7))"

var programs = []program{
	{"sudo", func(t *testing.T, s *site, asked, other *person) *pamtest.Terminal {
		x := pamtest.OpenTerminal(t, s.CommandAs(asked.User, "sudo", "-u", other.Name, "sh", "-c", enters))
		x.Expect("[sudo] password for " + asked.Name + ": ")
		return x
	}, "Sorry, try again."},
	{"su", func(t *testing.T, s *site, asked, other *person) *pamtest.Terminal {
		x := pamtest.OpenTerminal(t, s.CommandAs(other.User, "su", asked.Name, "-c", enters))
		x.Expect("Password: ")
		return x
	}, "su: Authentication failure"},
	{"login", func(t *testing.T, s *site, asked, _ *person) *pamtest.Terminal {
		x := pamtest.OpenTerminal(t, s.Command("login"))
		x.Expect("login: ")
		x.Type(asked.Name + "\n")
		x.Expect("Password: ")
		return x
	}, "Login incorrect"},
}

// What became of a question.
const (
	refused = iota
	inside
	askedForCode
)

// outcome waits for what comes after the last answer.
func (p program) outcome(x *pamtest.Terminal) int {
	which := x.Expect(p.refused, "inside-42", "Verification code: ", "$ ")
	if which == 3 { // login's shell
		x.Type(enters + "\n")
		which = x.Expect(p.refused, "inside-42")
	}
	return which
}

func TestTheProgramsOfTheMachineAskForACode(t *testing.T) {
	t.Parallel()
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s, people := newSite(t, "", 2)
			anna, bert := s.enrol(people[0]), s.enrol(people[1])
			s.Sudoers(anna.Name + " ALL=(ALL) ALL")
			right := anna.code(t, 0)
			for _, c := range []struct {
				name, code string
				in         bool
				reason     string
			}{
				{"a right code", right, true, "right code"},
				{"the same code again", right, false, "code used before"},
				{"a wrong code", anna.wrong(t), false, "wrong code"},
				{"an expired code", anna.code(t, -3), false, "wrong code: it would have been right "},
				{"the code of the person at the other end", bert.code(t, 0), false, "wrong code"},
				{"nothing", "", false, "empty answer"},
				{"bytes that are not UTF-8", "\xff\xfe", false, "wrong code"},
				{"a recovery code", anna.phone.RecoveryCodes[0], true, "recovery code; 3 left"},
				{"the same recovery code again", anna.phone.RecoveryCodes[0], false, "code used before"},
			} {
				x := p.start(t, s, anna, bert)
				x.Type(s.Password + "\n")
				x.Expect("Verification code: ")
				x.Type(c.code + "\n")
				if in := p.outcome(x) == inside; in != c.in {
					t.Errorf("%s: let in %v, want %v:\n%s", c.name, in, c.in, x.Screen())
				}
				reasons := s.reasons(anna, "login")
				last := append([]string{""}, reasons...)[len(reasons)]
				if last != c.reason && !(strings.HasSuffix(c.reason, " ") && strings.HasPrefix(last, c.reason)) {
					t.Errorf("%s: recorded as %q, want %q last", c.name, reasons, c.reason)
				}
			}
			s.checkRecords(p, anna, bert)
		})
	}
}

// checkRecords checks whose logins were recorded, and from where.
func (s *site) checkRecords(p program, asked, other *person) {
	s.t.Helper()
	from := map[string]string{"sudo": fmt.Sprint("local:", asked.UID), "su": fmt.Sprint("local:", other.UID)}
	for _, r := range s.records(asked) {
		source := cmp.Or(from[p.name], "tty:"+r.TTY)
		if r.Service != p.name || r.Source != source || !strings.HasPrefix(r.TTY, "/dev/pts/") || r.UserID != fmt.Sprint(asked.UID) {
			s.t.Errorf("recorded as %+v, want source %s", r, source)
		}
		if r.Action == "session-opened" && (p.name != "login" || r.SecondFactor == "none") {
			s.t.Errorf("a session was recorded as %+v", r)
		}
	}
	if got := s.records(other); len(got) != 0 {
		s.t.Errorf("of the person at the other end %+v was recorded", got)
	}
	s.Verified()
}

func TestWhoIsNotEnrolledAtTheMachine(t *testing.T) {
	t.Parallel()
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s, people := newSite(t, "", 3)
			anna, bert, cora := people[0], people[1], s.enrol(people[2])
			s.Configure("require: [{users: [" + bert.Name + "]}]")
			s.Sudoers(anna.Name+" ALL=(ALL) ALL", bert.Name+" ALL=(ALL) ALL")

			x := p.start(t, s, anna, cora)
			x.Type(s.Password + "\n")
			if got := p.outcome(x); got != inside {
				t.Errorf("an optional user without a device did not get in by his password:\n%s", x.Screen())
			}
			x = p.start(t, s, bert, cora)
			x.Type(s.Password + "\n")
			if got := p.outcome(x); got != askedForCode {
				t.Fatalf("a required user without a device was not asked for a code:\n%s", x.Screen())
			}
			x.Type("123456\n")
			if got := p.outcome(x); got != refused {
				t.Errorf("a required user without a device was not refused:\n%s", x.Screen())
			}
			if got := s.reasons(bert, "login"); len(got) != 1 || !strings.Contains(got[0], "no device is enrolled") {
				t.Errorf("recorded as %q", got)
			}
		})
	}
}

// A wrong password is asked on like a right one, in sudo, su and login too.
func TestAWrongPasswordIsAskedForACode(t *testing.T) {
	t.Parallel()
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s, people := newSite(t, "", 2)
			anna, bert := s.enrol(people[0]), people[1]
			s.Sudoers(anna.Name + " ALL=(ALL) ALL")
			var screens []string
			for _, c := range []struct{ password, code string }{
				{s.Password, anna.wrong(t)}, {"wrong", anna.code(t, 0)}, {"wrong", anna.wrong(t)}, {"", ""},
			} {
				x := p.start(t, s, anna, bert)
				x.Type(c.password + "\n")
				x.Expect("Verification code: ")
				x.Type(c.code + "\n")
				if got := p.outcome(x); got != refused {
					t.Errorf("password %q, code %q: it was not refused:\n%s", c.password, c.code, x.Screen())
				}
				// What comes after it has not come on every screen yet.
				before, _, _ := strings.Cut(x.Screen(), p.refused)
				screens = append(screens, before)
			}
			for _, screen := range screens[1:] {
				if screen != screens[0] {
					t.Errorf("one screen shows %q, another %q", screens[0], screen)
				}
			}
			s.mustHaveCharged(t, anna, 1, 0) // wrong passwords cost nothing
		})
	}
}

// sudo asks three times in one process and on one PAM handle: what the first try leaves there must not help the second.
func TestSudoAsksThreeTimes(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 2)
	anna, bert := s.enrol(people[0]), people[1]
	s.Sudoers(anna.Name + " ALL=(ALL) ALL")
	used := anna.code(t, 0)
	for _, c := range []struct {
		codes   []string
		in      bool
		charged int // a right code gives back what its own process has paid
	}{
		{[]string{anna.wrong(t), anna.wrong(t), used}, true, 0},
		{[]string{used, anna.wrong(t), "", anna.code(t, 1)}, false, 2},
	} {
		before := len(s.reasons(anna, "login"))
		x := pamtest.OpenTerminal(t, s.CommandAs(anna.User, "sudo", "-u", bert.Name, "sh", "-c", enters))
		for _, code := range c.codes[:3] {
			x.Expect("[sudo] password for " + anna.Name + ": ")
			x.Type(s.Password + "\n")
			x.Expect("Verification code: ")
			x.Type(code + "\n")
		}
		if got := x.Expect("3 incorrect password attempts", "inside-42") == 1; got != c.in {
			t.Errorf("let in %v, want %v:\n%s", got, c.in, x.Screen())
		}
		x.Wait()
		records := s.records(anna)
		records = records[len(records)-3:]
		if n := len(s.reasons(anna, "login")) - before; n != 3 || records[0].PID != records[1].PID || records[1].PID != records[2].PID {
			t.Errorf("%d tries were recorded: %+v", n, records)
		}
		s.mustHaveCharged(t, anna, 0, c.charged)
	}
}

// sudo -S, as automation uses it, takes both answers from standard input.
func TestSudoReadsBothAnswersFromStandardInput(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 2)
	anna, bert := s.enrol(people[0]), people[1]
	s.Sudoers(anna.Name + " ALL=(ALL) ALL")
	for _, c := range []struct {
		name, code string
		in         bool
	}{{"a wrong code", anna.wrong(t), false}, {"no code", "", false}, {"a right code", anna.code(t, 0), true}} {
		cmd := s.CommandAs(anna.User, "sudo", "-S", "-u", bert.Name, "id", "-un")
		cmd.Stdin = strings.NewReader(s.Password + "\n" + c.code + "\n")
		out, err := cmd.CombinedOutput()
		if in := err == nil && strings.HasSuffix(string(out), bert.Name+"\n"); in != c.in {
			t.Errorf("%s: let in %v, want %v: %v\n%s", c.name, in, c.in, err, out)
		}
	}
}

// root becomes anybody without a question: pam_rootok stands before us.
func TestRootIsNotAskedBySu(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "default: required", 1)
	anna := s.enrol(people[0])
	out, err := s.Command("su", anna.Name, "-c", enters).CombinedOutput()
	if err != nil || string(out) != "inside-42\n" {
		t.Errorf("%v: %s", err, out)
	}
	if got := s.records(anna); len(got) != 0 {
		t.Errorf("recorded as %+v", got)
	}
}

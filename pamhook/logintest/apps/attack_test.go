package apps

import (
	"fmt"
	"strings"
	"testing"

	"twokey/internal/pamtest"
	"twokey/internal/proc"
)

// mustOpenFor fails the test unless the owner, another person, gets in at once.
func (s *site) mustOpenFor(t *testing.T, caller, target *person, code string) {
	t.Helper()
	x, _ := s.asked(t, caller, target, "exec")
	x.Type(code + "\n")
	x.Expect("inside")
}

// The caller of su prepares limits that he takes away for good. Whatever comes of it: where a right code gets in, a wrong one has
// been counted, and the owner gets in afterwards.
func TestLimitsOfTheCallerMakeNoTryFree(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, limit string }{
		{"no file may grow", "ulimit -f 0"},
		{"no file may grow beyond the first slot", "ulimit -f 8"},
		{"little memory", "ulimit -v 200000"},
		{"hardly any memory", "ulimit -v 30000"},
		{"little data", "ulimit -d 3000"},
		{"a second of CPU time", "ulimit -t 1"},
		{"four descriptors", "ulimit -n 4"},
		{"six descriptors", "ulimit -n 6"},
		{"twelve descriptors", "ulimit -n 12"},
		{"no processes", "prlimit --nproc=0 --pid $$"},
		{"a small stack", "ulimit -s 128"},
	}
	s, people := newSite(t, "", 2*len(cases))
	// The policy is compiled with the first login. That needs to write too, and is not what this is about.
	if !s.tryUnder(t, people[1], people[0], "true", "") {
		t.Fatal("a login without a device was refused")
	}
	for i, c := range cases {
		caller, target := people[2*i], s.enrol(people[2*i+1])
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if s.tryUnder(t, caller, target, c.limit, target.wrong(t)) {
				t.Fatal("a wrong code got in")
			}
			counted := s.in(t).chargedOnce(target)
			if s.tryUnder(t, caller, target, c.limit, target.code(t, 0)) && !counted {
				t.Error("a right code is told from a wrong one, for which nothing was charged")
			}
			s.mustOpenFor(t, caller, target, target.code(t, 1))
		})
	}
}

// tryUnder is su under a limit, as far as it goes.
func (s *site) tryUnder(t *testing.T, caller, target *person, limit, code string) (in bool) {
	t.Helper()
	su := "sh -c '" + limit + "; exec su " + target.Name + " -c \"echo inside\"'"
	x := pamtest.OpenTerminal(t, s.CommandAs(caller.User, "sh", "-c", su+"; echo over"))
	for {
		switch x.Expect("assword: ", "Verification code: ", "inside", "over") {
		case 0:
			x.Type(s.Password + "\n")
		case 1:
			x.Type(code + "\n")
		case 2:
			return true
		case 3:
			return false
		}
	}
}

// deeds are what a caller of su does to the processes that work for him while a try of his is looked at.
var deeds = []struct {
	name  string
	does  func(t *testing.T, s *site, caller *person, x *pamtest.Terminal, su, helper proc.ID)
	stays bool // su is still there afterwards
}{
	{"stops su", func(t *testing.T, s *site, caller *person, _ *pamtest.Terminal, su, _ proc.ID) {
		s.kill(t, caller, "STOP", su, true)
	}, true},
	{"stops su at the terminal", func(t *testing.T, _ *site, _ *person, x *pamtest.Terminal, _, _ proc.ID) {
		x.Type("\x1a")
		x.Expect("Stopped")
	}, true},
	{"interrupts su at the terminal", func(_ *testing.T, _ *site, _ *person, x *pamtest.Terminal, _, _ proc.ID) {
		x.Type("\x03")
	}, false},
	{"hangs up", func(_ *testing.T, _ *site, _ *person, x *pamtest.Terminal, _, _ proc.ID) {
		x.HangUp()
	}, false},
	{"kills su", func(t *testing.T, s *site, caller *person, _ *pamtest.Terminal, su, _ proc.ID) {
		s.kill(t, caller, "KILL", su, true)
	}, false},
	{"tries to stop the helper", func(t *testing.T, s *site, caller *person, _ *pamtest.Terminal, _, helper proc.ID) {
		s.kill(t, caller, "STOP", helper, false)
	}, false},
	{"tries to kill the helper", func(t *testing.T, s *site, caller *person, _ *pamtest.Terminal, _, helper proc.ID) {
		s.kill(t, caller, "KILL", helper, false)
	}, false},
}

func TestATryIsCountedWhateverItsCallerDoesMeanwhile(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 2*len(deeds))
	for i, deed := range deeds {
		caller, target := people[2*i], s.enrol(people[2*i+1])
		t.Run(deed.name, func(t *testing.T) {
			t.Parallel()
			// A shell with job control, which goes on when su is stopped.
			x := pamtest.OpenTerminal(t, s.CommandAs(caller.User, "env", "PS1=shell: ", "sh", "-i"))
			x.Expect("shell: ")
			x.Type("su " + target.Name + " -c 'echo inside'\n")
			x.Expect("assword: ")
			x.Type(s.Password + "\n")
			x.Expect("Verification code: ")
			id := helperBelow(t, x.PID())
			su, err := proc.Parent(int(id.PID))
			must(t, err)

			wait, release := s.in(t).atLock(t, target)
			x.Type(target.wrong(t) + "\n")
			wait(id)
			deed.does(t, s, caller, x, su, id)
			release()

			eventually(t, "the try is counted", func() bool { return s.in(t).chargedOnce(target) })
			s.mustOpenFor(t, caller, target, target.code(t, 0))
			eventually(t, "the helper has ended", func() bool { return !has(id) })
			if deed.stays && !has(su) {
				t.Error("su is gone: this was no test")
			}
		})
	}
}

// kill sends a signal from the caller, and fails the test unless he may or may not.
func (s *site) kill(t *testing.T, caller *person, signal string, to proc.ID, may bool) {
	t.Helper()
	out, err := s.CommandAs(caller.User, "sh", "-c", fmt.Sprintf("kill -%s %d", signal, to.PID)).CombinedOutput()
	if (err == nil) != may || !may && !strings.Contains(string(out), "not permitted") {
		t.Errorf("kill -%s: %v, %s", signal, err, out)
	}
}

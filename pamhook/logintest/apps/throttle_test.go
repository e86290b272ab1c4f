package apps

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"twokey/internal/pamtest"
	"twokey/state"
)

// Thirty wrong codes from strangers, and what they take from the owner: nothing at a source that knows him, and elsewhere one code.
func TestStrangersDoNotLockTheOwnerOut(t *testing.T) {
	t.Parallel()
	for _, home := range []string{"127.0.0.1", "::1"} {
		t.Run("whose home is "+home, func(t *testing.T) {
			t.Parallel()
			s, people := newSite(t, "", 1)
			anna, sshd := s.enrol(people[0]), s.Sshd()
			from := func(address, code string) visit {
				v := s.visitor(anna, code)
				v.from = address
				return v.visit(t, sshd)
			}
			if v := from(home, anna.code(t, -1)); !v.in() {
				t.Fatalf("the owner's first login was refused: %v", v.err)
			}
			s.attack(t, sshd, anna, 10, 3)

			if strangers, known := s.state(anna).Throttled(state.One, time.Now()); !strangers || known {
				t.Errorf("after the attack strangers are throttled: %v, known sources: %v", strangers, known)
			}
			if v := from("127.0.0.9", anna.code(t, 0)); v.in() {
				t.Error("a stranger with one right code got in past the empty bucket")
			}
			if v := from(home, anna.code(t, 0)); !v.in() {
				t.Errorf("the owner was refused at home: %v", v.err)
			}
			// The code of this moment is used up: the pair is the next two.
			if v := from("127.0.0.8", anna.code(t, 1)+anna.code(t, 2)); !v.in() {
				t.Errorf("the owner was refused elsewhere with two codes in a row: %v", s.reasons(anna, "login"))
			}
			s.mustHaveHeldTheStrangers(anna)
		})
	}
}

// attack types so many wrong codes on each of so many connections, each from an address of its own.
func (s *site) attack(t *testing.T, sshd *pamtest.Sshd, p *person, connections, tries int) {
	t.Helper()
	var all sync.WaitGroup
	for i := range connections {
		all.Go(func() {
			v := s.visitor(p, p.wrong(t))
			v.from, v.tries = fmt.Sprintf("127.0.1.%d", i+1), tries
			if v.visit(t, sshd).in() {
				t.Error("a wrong code was accepted")
			}
		})
	}
	all.Wait()
}

// mustHaveHeldTheStrangers checks that of thirty wrong codes ten were looked at, and of the right one none.
func (s *site) mustHaveHeldTheStrangers(p *person) {
	s.t.Helper()
	count := map[string]int{}
	for _, reason := range s.reasons(p, "login") {
		count[reason]++
	}
	throttled := 0
	for reason, n := range count {
		if strings.HasPrefix(reason, "throttled") {
			throttled += n
		}
	}
	if count["wrong code"] != 10 || throttled != 21 || count["right code"] != 3 {
		s.t.Errorf("recorded reasons: %v", count)
	}
	s.Verified()
}

package sockettest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/msteinert/pam/v2"

	"twokey/internal/pamtest"
	"twokey/internal/proc"
	"twokey/pamhook/wire"
	"twokey/state"
)

// ownService is what twokey calls every login in a process of the user's own.
const ownService = "twokey-verify-sock"

// hello is what an honest module would say for a person.
func (p *person) hello() *wire.Hello {
	return &wire.Hello{Phase: wire.PhaseAuthenticate, User: p.Name, Name: p.Name, UID: p.UID, GIDs: []uint32{p.UID}, Home: "/", Shell: "/bin/sh",
		Service: service, CallerUID: p.UID}
}

func (s *site) results(r pamtest.Result) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(r.Codes), "pam error ", ""), "[]")
}

// TestAProgramThatIsNotRootHasItsUserAsked is a screen locker, from libpam to the audit log.
func TestAProgramThatIsNotRootHasItsUserAsked(t *testing.T) {
	t.Parallel()
	s, alice, bob := newSite(t, "default: required")
	if r := s.unlock(alice, alice.Name, alice.code(t, 0)); r.OK() || len(r.Messages) > 0 {
		t.Fatalf("without the socket: %+v", r)
	}
	s.verify()
	for _, c := range []struct {
		why, user, answer string
		asked             bool
		codes             []pam.Error
	}{
		{"a wrong code", alice.Name, "000000", true, []pam.Error{pam.ErrAuth}},
		{"the right code", alice.Name, alice.code(t, 0), true, []pam.Error{0, 0}},
		{"the same code again", alice.Name, alice.code(t, 0), true, []pam.Error{pam.ErrAuth}},
		{"another's name and his code", bob.Name, bob.code(t, 0), true, []pam.Error{pam.ErrAuth}},
		{"root's name", "root", "000000", true, []pam.Error{pam.ErrAuth}},
		{"nobody's name", "mallory", "000000", true, []pam.Error{pam.ErrAuth}},
		{"the next code", alice.Name, alice.code(t, 1), true, []pam.Error{0, 0}},
	} {
		r := s.unlock(alice, c.user, c.answer)
		asked := len(r.Messages) > 0 && r.Messages[0] == pamtest.Message{Style: pam.PromptEchoOff, Text: "Verification code: "}
		if fmt.Sprint(r.Codes) != fmt.Sprint(c.codes) || asked != c.asked {
			t.Errorf("%s: %s %+v", c.why, s.results(r), r.Messages)
		}
		e := s.last()
		if e.Service != ownService || e.Source != fmt.Sprint("local:", alice.UID) || (e.User != "") != (c.user == alice.Name) {
			t.Errorf("%s is recorded as %+v", c.why, e)
		}
	}
	if r := s.unlock(bob, bob.Name, bob.code(t, 0)); !r.OK() {
		t.Errorf("bob's code, which alice has tried, is not good for bob any more: %s", s.results(r))
	}
	s.leavesNothing(alice)
	s.Verified()
}

// leavesNothing checks that what a person has given to programs of his own opens nothing.
func (s *site) leavesNothing(p *person) {
	s.t.Helper()
	st, err := s.Users.State.Read(p.Name)
	must(s.t, err)
	if sources, remembered := st.Kept(); sources+remembered != 0 {
		s.t.Errorf("%d sources are known, %d remembered", sources, remembered)
	}
	for _, e := range s.Last(50) {
		for _, name := range []string{service, ownService, "sshd"} {
			if success, found := st.TakeSuccess(proc.ID{PID: int32(e.Record.PID)}, name); found {
				s.t.Errorf("a success is left: %+v", success)
			}
		}
	}
}

// TestAProgramOfAUsersIsBelievedNothing: whatever it says of the login, the right code is asked for, and it is recorded whose program it was.
func TestAProgramOfAUsersIsBelievedNothing(t *testing.T) {
	t.Parallel()
	s, alice, bob := newSite(t, `default: required
remember: 1h
exempt:
  - {users: [ALICE], services: [exempted]}
  - {groups: [BOB]}
  - {system_accounts: true}
rules:
  - {name: keys, ssh_auth: [publickey], then: exempt}
  - {name: office, from: [192.0.2.0/24], then: exempt}
  - {name: console, tty: [console], then: exempt}
services: {unasked: {ask: exempt}}`)
	s.verify()
	evil := filepath.Join(s.Home(alice.Name), "evil.yaml")
	must(t, os.WriteFile(evil, []byte("version: 1\nenabled: false\n"), 0o644))
	lies := map[string]func(*wire.Hello){
		"none":                       func(*wire.Hello) {},
		"another service":            func(h *wire.Hello) { h.Service = "exempted" },
		"a service that is no login": func(h *wire.Hello) { h.Service = "unasked" },
		"sshd, with a key, from the office": func(h *wire.Hello) {
			h.Service, h.RHost, h.SSHAuthInfo = "sshd", "192.0.2.7", "publickey ssh-ed25519 AAAA"
		},
		"the console":                           func(h *wire.Hello) { h.Service, h.TTY, h.CallerUID = "login", "tty1", 0 },
		"root called it":                        func(h *wire.Hello) { h.CallerUID = 0 },
		"a system account":                      func(h *wire.Hello) { h.UID, h.Shell = 7, "/usr/sbin/nologin" },
		"a group of other people":               func(h *wire.Hello) { h.GIDs = []uint32{bob.UID} },
		"a configuration of its own":            func(h *wire.Hello) { h.Config = evil },
		"a password was right":                  func(h *wire.Hello) { h.Flags = wire.FlagAfterPassword },
		"another user id":                       func(h *wire.Hello) { h.UID = bob.UID },
		"root's user id":                        func(h *wire.Hello) { h.UID = 0 },
		"a user behind the name (PAM_USER)":     func(h *wire.Hello) { h.User = bob.Name },
		"a client somewhere, and a remote user": func(h *wire.Hello) { h.Client, h.RUser = "192.0.2.7:22", "root" },
		"version 1":                             func(h *wire.Hello) { h.Version = wire.OldVersion },
	}
	for name, change := range lies {
		h := alice.hello()
		change(h)
		got := s.tell(alice, lie{Hello: h, Answer: "000000", Member: true})
		if got.words() != "PROMPT INFO DENY" || len(got.Groups) > 0 {
			t.Errorf("%s: %s, asked about %q", name, got.words(), got.Groups)
		}
		if e := s.last(); e.Service != ownService || e.Source != fmt.Sprint("local:", alice.UID) || e.User != alice.Name || e.UserID != fmt.Sprint(alice.UID) || e.TTY != "" {
			t.Errorf("%s is recorded as %+v", name, e)
		}
		must(t, s.Users.State.Update(alice.Name, func(tx *state.Tx) error { tx.Unlock(); return nil }))
	}
	h := alice.hello()
	lies["sshd, with a key, from the office"](h)
	h.Flags = wire.FlagAfterPassword
	if got := s.tell(alice, lie{Hello: h, Answer: alice.code(t, 0)}); got.words() != "PROMPT ALLOW" {
		t.Errorf("the right code: %s", got.words())
	}
	s.leavesNothing(alice)
	if got := s.tell(bob, lie{Hello: bob.hello()}); got.words() != "IGNORE" {
		t.Errorf("who really is in the group that is exempt, though his program says he is not: %s", got.words())
	}
	s.Verified()
}

// TestAProgramOfAUsersActsForHimAlone: for every other name it is told what a stranger is told.
func TestAProgramOfAUsersActsForHimAlone(t *testing.T) {
	t.Parallel()
	s, alice, bob := newSite(t, "default: optional")
	s.verify()
	for _, uid := range []uint32{alice.UID, bob.UID, 0} {
		h := bob.hello()
		h.UID = uid
		if got := s.tell(alice, lie{Hello: h, Answer: bob.code(t, 0)}); got.words() != "PROMPT INFO DENY" {
			t.Errorf("bob's name with the user id %d and his code: %s", uid, got.words())
		}
		if e := s.last(); e.User != "" || e.UserLength != uint64(len(bob.Name)) {
			t.Errorf("recorded as %+v", e)
		}
	}
	h := alice.hello()
	h.Name, h.GIDs, h.Home, h.Shell, h.Flags = "", nil, "", "", wire.FlagLookupFailed
	if got := s.tell(alice, lie{Hello: h, Answer: alice.code(t, 0)}); got.words() != "PROMPT INFO DENY" {
		t.Errorf("no name: %s", got.words())
	}
	if got := s.tell(bob, lie{Hello: bob.hello(), Answer: bob.code(t, 0)}); got.words() != "PROMPT ALLOW" {
		t.Errorf("bob's code is used up: %s", got.words())
	}
	for _, phase := range []wire.Phase{wire.PhaseAccount, wire.PhaseOpenSession} {
		h := alice.hello()
		h.Phase = phase
		if got := s.tell(alice, lie{Hello: h}); got.words() != "" {
			t.Errorf("phase %d: %s", phase, got.words())
		}
	}
}

// TestAccountsOfADirectoryAreKnownByTheirDevice: they are not in /etc/passwd. The index of user ids knows who is enrolled.
func TestAccountsOfADirectoryAreKnownByTheirDevice(t *testing.T) {
	t.Parallel()
	s, alice, _ := newSite(t, "default: optional")
	s.verify()
	carol := &person{User: pamtest.User{Name: "carol-" + pamtest.Suffix(), UID: alice.UID + 7}}
	if got := s.tell(carol, lie{Hello: carol.hello(), Answer: "000000"}); got.words() != "PROMPT INFO DENY" {
		t.Errorf("not enrolled: %s", got.words())
	}
	s.enrol(carol)
	for _, c := range []struct{ why, answer, want string }{
		{"a wrong code", "000000", "PROMPT INFO DENY"}, {"the right code", carol.code(t, 0), "PROMPT ALLOW"},
	} {
		if got := s.tell(carol, lie{Hello: carol.hello(), Answer: c.answer}); got.words() != c.want {
			t.Errorf("enrolled, %s: %s", c.why, got.words())
		}
	}
	other := carol.hello()
	other.Name, other.User = alice.Name, alice.Name
	if got := s.tell(carol, lie{Hello: other, Answer: alice.code(t, 0)}); got.words() != "PROMPT INFO DENY" {
		t.Errorf("another's name: %s", got.words())
	}
}

// TestGroupsOfADirectoryAreNotKnown: where the policy goes by a group, nobody is taken at his program's word.
func TestGroupsOfADirectoryAreNotKnown(t *testing.T) {
	t.Parallel()
	s, alice, bob := newSite(t, "default: optional\nexempt: [{groups: [BOB]}]\nrequire: [{groups: [elsewhere]}]")
	s.verify()
	carol := &person{User: pamtest.User{Name: "carol-" + pamtest.Suffix(), UID: alice.UID + 7}}
	s.enrol(carol)
	got := s.tell(carol, lie{Hello: carol.hello(), Answer: carol.code(t, 0), Member: true})
	if got.words() != "PROMPT INFO DENY" || len(got.Groups) > 0 || !strings.HasPrefix(s.last().Reason, "group lookup failed") {
		t.Errorf("who is of a directory: %s, asked about %q, recorded as %+v", got.words(), got.Groups, s.last())
	}
	if got := s.tell(alice, lie{Hello: alice.hello(), Answer: alice.code(t, 0)}); got.words() != "PROMPT ALLOW" || len(got.Groups) > 0 {
		t.Errorf("who may be in a group of a directory that is required: %s, asked about %q", got.words(), got.Groups)
	}
	if got := s.tell(bob, lie{Hello: bob.hello()}); got.words() != "IGNORE" {
		t.Errorf("who is in a group of this host that is exempt: %s", got.words())
	}
}

// TestAUserHasFourConnectionsAndTheNextUserHasHisOwn: who opens as many as he can shuts out himself alone.
func TestAUserHasFourConnectionsAndTheNextUserHasHisOwn(t *testing.T) {
	t.Parallel()
	s, alice, bob := newSite(t, "default: required")
	s.verify()
	var held []*liar
	for range 4 {
		x := s.start(alice, lie{Hello: alice.hello()})
		x.asked()
		held = append(held, x)
	}
	if got := s.tell(alice, lie{Hello: alice.hello(), Answer: alice.code(t, 0)}); len(got.Frames) > 0 {
		t.Errorf("the fifth: %s", got.words())
	}
	if r := s.unlock(alice, alice.Name, alice.code(t, 0)); r.OK() {
		t.Error("the fifth, through the module, is let in")
	}
	if got := s.tell(bob, lie{Hello: bob.hello(), Answer: bob.code(t, 0)}); got.words() != "PROMPT ALLOW" {
		t.Errorf("another user: %s", got.words())
	}
	for _, x := range held {
		x.end()
	}
	// A slot is given back when the helper's process has ended.
	for got := (heard{}); got.words() != "PROMPT ALLOW"; {
		got = s.tell(alice, lie{Hello: alice.hello(), Answer: alice.code(t, 0)})
		if len(got.Frames) > 0 && got.words() != "PROMPT ALLOW" {
			t.Fatalf("when they have ended: %s", got.words())
		}
	}
}

// TestAConnectionOnWhichNothingIsSaidIsEnded: it would hold a slot, and a process, for ever.
func TestAConnectionOnWhichNothingIsSaidIsEnded(t *testing.T) {
	t.Parallel()
	s, alice, _ := newSite(t, "default: required")
	s.verify()
	if got := s.tell(alice, lie{}); got.words() != "" {
		t.Errorf("told %s", got.words())
	}
}

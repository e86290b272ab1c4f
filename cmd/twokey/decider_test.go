package main

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"twokey/internal/sysuser"
	"twokey/policy"
	"twokey/state"
)

// everyKind are users of whom each differs from each other in something that a policy can look at.
func everyKind() (all []person) {
	for _, name := range []string{"alice", "bob", "carol"} {
		for gid := range uint32(3) { // root, daemon and bin
			for bits := range 16 {
				enrolled, reset, system, gone := bits&1 != 0, bits&2 != 0, bits&4 != 0, bits&8 != 0
				p := person{name: name, system: system, enrolled: enrolled, state: &state.State{MustEnroll: reset}}
				if account := (sysuser.Account{Name: name, UID: 70000 + uint32(len(all)), GID: gid}); !gone {
					p.account, p.directory = &account, sysuser.DirectoryOf([]sysuser.Account{account})
				}
				all = append(all, p)
			}
		}
	}
	return all
}

func TestManyAreToldWhatEachIsToldAlone(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.Local)
	for _, source := range []string{
		"default: required",
		"require: [{groups: [root], by: 2026-12-31}, {users: [bob]}, {groups: [bin, twokey-no-such-group], services: [sshd]}]",
		"exempt: [{system_accounts: true}, {users: [alice], services: [su]}]\ndefault: required",
		"rules: [{groups: [daemon], then: deny}, {users: [carol], services: [su], then: exempt}, {groups: [bin], then: required}]",
		"rules: [{services: [su], users: [bob], then: deny}]\nservices: {vsftpd: {ask: never}, dovecot: {ask: exempt}}",
		"enabled: false\nobserve: true\nrequire: [{groups: [daemon]}]",
	} {
		c, err := policy.Parse([]byte("version: 1\n" + source))
		if err != nil {
			t.Fatal(err)
		}
		d, different := newDecider(c, now), map[string]bool{}
		for i, p := range everyKind() {
			alone := p
			alone.decide(c, now)
			d.decide(&p)
			if !reflect.DeepEqual(p.outcome, alone.outcome) || !reflect.DeepEqual(p.services, alone.services) {
				t.Errorf("%s: user %d, %s: %+v %+v, alone %+v %+v", source, i, p.name, p.outcome, p.services, alone.outcome, alone.services)
			}
			different[fmt.Sprint(alone.outcome, alone.services)] = true
		}
		if len(different) < 4 || len(d.known) == 0 || len(d.known) >= len(everyKind()) {
			t.Errorf("%s: %d different answers, %d kept", source, len(different), len(d.known))
		}
	}
}

func TestNoAnswerIsSharedWhenAGroupCannotBeLookedUp(t *testing.T) {
	c, err := policy.Parse([]byte("version: 1\nrequire: [{groups: [staff, wheel]}]"))
	if err != nil {
		t.Fatal(err)
	}
	p := person{name: "alice", account: &sysuser.Account{Name: "alice"}}
	for broken, want := range map[string]bool{"": true, "staff": false, "wheel": false} {
		_, ok := newDecider(c, time.Now()).kindOf(&p, func(group string) (bool, error) {
			if group == broken {
				return false, errors.New("the name service did not answer")
			}
			return false, nil
		})
		if ok != want {
			t.Errorf("%q cannot be looked up: %v", broken, ok)
		}
	}
}

package main

import (
	"strings"
	"testing"
	"time"

	"twokey/internal/sysuser"
	"twokey/policy"
	"twokey/state"
)

// saidOf is what the policy says of alice, who has no device, on 21 November 2026.
func saidOf(t *testing.T, source string) person {
	t.Helper()
	c, err := policy.Parse([]byte("version: 1\n" + source))
	if err != nil {
		t.Fatal(err)
	}
	p := person{name: "alice", account: &sysuser.Account{Name: "alice", UID: 1000, Shell: "/bin/sh"}}
	p.decide(c, time.Date(2026, 11, 21, 12, 0, 0, 0, time.Local))
	return p
}

func TestRulesAndServicesCountInWhatIsSaidOfAUser(t *testing.T) {
	for source, want := range map[string]struct {
		policy   string
		lastDay  string
		required bool
	}{
		"default: required": {"required", "", true},
		"default: optional": {"optional", "", false},
		"rules: [{services: [vsftpd, su], then: required}]":                                                          {"optional, su: required, vsftpd: required", "", true},
		"rules: [{services: [vsftpd], users: [bob], then: required}]":                                                {"optional", "", false},
		"rules: [{from: [192.0.2.0/24], then: exempt}]\ndefault: required":                                           {"required", "", true},
		"rules: [{ssh_auth: [security-key], then: exempt}]\ndefault: required":                                       {"required", "", true},
		"rules: [{tty: [console], then: exempt}]\ndefault: required":                                                 {"required", "", true},
		"rules: [{weekdays: [sat], services: [su], then: deny}]":                                                     {"optional, su: deny", "", false},
		"rules: [{weekdays: [sun], services: [su], then: deny}]":                                                     {"optional", "", false},
		"services: {webmin: {ask: exempt}}\ndefault: required":                                                       {"required", "", true}, // no login: nothing to say of a user
		"services: {vnc: {ask: never}}":                                                                              {"optional", "", false},
		"enabled: false\ndefault: required":                                                                          {"required", "", true}, // who is missing has to be seen before it is switched on
		"off_until: 2026-11-22T00:00:00Z\ndefault: required":                                                         {"required", "", true},
		"require: [{users: [alice], by: 2026-12-31}]":                                                                {"required by 2026-12-31", "2026-12-31", true},
		"require: [{users: [alice], by: 2026-11-21}]":                                                                {"required by 2026-11-21", "2026-11-21", true},
		"require: [{users: [alice], by: 2026-11-20}]":                                                                {"required", "", true},
		"require: [{users: [alice], starts: 2026-11-22}]":                                                            {"optional", "", false},
		"require: [{users: [alice], until: 2026-11-20}]":                                                             {"optional", "", false},
		"require: [{users: [alice], services: [su], by: 2026-12-01}, {users: [alice], by: 2026-12-31}]":              {"required by 2026-12-31, su: required by 2026-12-01", "2026-12-01", true},
		"require: [{users: [alice], services: [su]}, {users: [alice], by: 2026-12-31}]":                              {"required by 2026-12-31, su: required", "", true}, // su is closed to her already
		"require: [{users: [alice], by: 2026-12-31}]\nexempt: [{users: [alice], services: [su], until: 2026-11-21}]": {"required by 2026-12-31, su: exempt", "2026-12-31", true},
	} {
		p := saidOf(t, source)
		if got := p.policy(); got != want.policy || p.lastDay() != want.lastDay || p.required() != want.required {
			t.Errorf("%s: %q, last day %q, required %v", source, got, p.lastDay(), p.required())
		}
	}
}

func TestASystemAccountHasALowNumberAndNoLoginShell(t *testing.T) {
	var errOut strings.Builder
	h := &host{ui: &ui{err: &errOut}}
	for what, c := range map[string]struct {
		account sysuser.Account
		want    bool
	}{
		"a service":                    {sysuser.Account{UID: 33, Shell: "/usr/sbin/nologin"}, true},
		"root":                         {sysuser.Account{UID: 0, Shell: "/bin/bash"}, false},
		"root without a shell":         {sysuser.Account{UID: 0, Shell: "/usr/sbin/nologin"}, false},
		"a service with a shell":       {sysuser.Account{UID: 33, Shell: "/bin/sh"}, false},
		"no shell is /bin/sh":          {sysuser.Account{UID: 33}, false},
		"a person who has left":        {sysuser.Account{UID: 1000, Shell: "/usr/sbin/nologin"}, false},
		"nobody, whose number is high": {sysuser.Account{UID: 65534, Shell: "/usr/sbin/nologin"}, false},
	} {
		if got := h.isSystem(c.account); got != c.want || errOut.Len() > 0 {
			t.Errorf("%s: %v, %s", what, got, errOut.String())
		}
	}
}

func TestWhoIsLetInForSomeDaysIsMissing(t *testing.T) {
	p := saidOf(t, "require: [{users: [alice], by: 2026-12-31}]")
	if !(filter{missing: true}).keeps(&p, time.Now()) {
		t.Error("not among those who are missing")
	}
	s := &hostState{}
	s.count(&p, time.Now())
	if got := strings.Join(s.Users.missing(), ""); got != "alice (let in until 2026-12-31)" {
		t.Error(got)
	}
	p.state = &state.State{MustEnroll: true} // reset: there are no such days any more
	p.services = nil
	c, err := policy.Parse([]byte("version: 1\nrequire: [{users: [alice], by: 2026-12-31}]"))
	if err != nil {
		t.Fatal(err)
	}
	p.decide(c, time.Date(2026, 11, 21, 12, 0, 0, 0, time.Local))
	if p.lastDay() != "" || p.policy() != "required" {
		t.Errorf("%q, %q", p.lastDay(), p.policy())
	}
}

package policy

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// The precedence in one sentence: switch, deny rules, exempt, the first other rule, require, default; then the service's way of
// asking. Everything matches this login; taking away what has decided leaves the next to decide.
func TestSwitchDenyRulesExemptTheFirstOtherRuleRequireDefaultThenTheWayOfAsking(t *testing.T) {
	src := `version: 1
enabled: false
rules:
  - {name: other, users: [dave], then: optional}
  - {name: denying, users: [dave], then: deny}
  - {name: another, users: [dave], then: required}
exempt:
  - {users: [dave], services: [sshd]}
require:
  - {users: [dave]}
default: exempt
services:
  sshd: {ask: never}
`
	facts := known("dave").with()
	for _, stage := range []struct {
		rule     string
		decision Decision
		action   Action
		goes     string // to come to the next
	}{
		{"switched off", Exempt, Ignore, "enabled: false\n"},
		{"rule denying", Deny, AskThenDeny, "  - {name: denying, users: [dave], then: deny}\n"},
		{"exempt[0]", Exempt, Ignore, "exempt:\n  - {users: [dave], services: [sshd]}\n"},
		{"rule other", Optional, AskThenDeny, "  - {name: other, users: [dave], then: optional}\n"},
		{"rule another", Required, AskThenDeny, "rules:\n  - {name: another, users: [dave], then: required}\n"},
		{"require[0]", Required, AskThenDeny, "services:\n  sshd: {ask: never}\n"},
		{"require[0]", Required, Ask, "require:\n  - {users: [dave]}\n"},
		{"default", Exempt, Ignore, ""},
	} {
		got := mustParse(t, src).Decide(facts)
		if got.Rule != stage.rule || got.Decision != stage.decision || got.Action != stage.action {
			t.Errorf("got %v, %v by %q, want %+v", got.Decision, got.Action, got.Rule, stage)
		}
		if !strings.Contains(src, stage.goes) {
			t.Fatalf("%q is not there", stage.goes)
		}
		src = strings.Replace(src, stage.goes, "", 1)
	}
}

func TestMethodsRememberAndEnrolAreThoseOfTheRuleOrOfTheHost(t *testing.T) {
	src := `version: 1
methods: [recovery, totp]
remember: 8h
rules:
  - {users: [alice], methods: [hotp], remember: 0s, then: required}
  - {users: [bob], remember: 48h, enroll: by-admin, then: optional}
  - {users: [carol], then: exempt}
  - {users: [eve], then: deny}
`
	for user, want := range map[string]struct {
		methods  string
		remember time.Duration
		byAdmin  bool
	}{
		"alice": {"hotp", 0, false},
		"bob":   {"recovery totp", 48 * time.Hour, true},
		"dave":  {"recovery totp", 8 * time.Hour, false},
		"carol": {"", 0, false},
		"eve":   {"", 0, false},
	} {
		got := mustParse(t, src).Decide(known(user).with())
		if strings.Join(got.Methods, " ") != want.methods || got.Remember != want.remember || got.EnrollByAdmin != want.byAdmin {
			t.Errorf("%s: %+v, want %+v", user, got, want)
		}
	}
	c := mustParse(t, src)
	c.Decide(known("dave").with()).Methods[0] = "bypass"
	if c.Methods[0] != "recovery" {
		t.Error("an outcome shares its methods with the policy")
	}
}

func TestLookupsThatFailLeaveTheMethodsThatCountEitherWay(t *testing.T) {
	src := "version: 1\nremember: 8h\nmethods: [totp, recovery]\nrules: [{groups: [broken], methods: [hotp, recovery], remember: 1h, enroll: by-admin, then: required}]\n"
	got := mustParse(t, src).Decide(known("dave").with())
	if got.Action != Ask || !slices.Equal(got.Methods, []string{"recovery"}) || got.Remember != time.Hour || !got.EnrollByAdmin {
		t.Errorf("%+v", got)
	}
	got = mustParse(t, strings.Replace(src, "[hotp, recovery]", "[hotp]", 1)).Decide(known("dave").with())
	if got.Action != AskThenDeny || got.Decision != Deny || !strings.HasPrefix(got.Reason, "group lookup failed: ") {
		t.Errorf("no method counts either way: %+v", got)
	}
}

func TestGraceEndsWithTheDayBy(t *testing.T) {
	for when, want := range map[string]string{
		"2026-11-20 17:05:00": "2026-11-21T00:00:00+01:00",
		"2026-10-24 12:00:00": "2026-11-21T00:00:00+01:00", // clocks go back between
	} {
		got := mustParse(t, requires("{users: [alice], by: 2026-11-20}")).Decide(known("alice").at(when))
		if got.Action != Ignore || got.Grace.Format(time.RFC3339) != want || got.NeedsDevice {
			t.Errorf("%s: %+v, want grace until %s", when, got, want)
		}
		if want := `about user "alice"; no device is enrolled, which is let pass until 24:00 of 2026-11-20`; got.Reason != want {
			t.Errorf("got  %s\nwant %s", got.Reason, want)
		}
	}
	// Two entries, and it is not known which: the one that ends first.
	c := mustParse(t, requires("{groups: [broken], by: 2026-11-25}", "{users: [alice], by: 2026-11-30}"))
	if got := c.Decide(known("alice").at(friday)); got.Action != Ignore || DateOf(got.Grace) != (Date{2026, 11, 26}) {
		t.Errorf("%+v", got)
	}
}

func TestAsksNobody(t *testing.T) {
	for why, test := range map[string]struct {
		config string
		facts  Facts
		want   bool
	}{
		"usually somebody is asked":             {"version: 1\n", known("x"), false},
		"switched off":                          {"version: 1\nenabled: false\n", known("x"), true},
		"switched off for a while":              {"version: 1\noff_until: 2026-11-20T17:00:00Z\n", known("x").at(friday), true},
		"that while is over":                    {"version: 1\noff_until: 2026-11-20T16:00:00Z\n", known("x").at(friday), false},
		"cron":                                  {"version: 1\ndefault: required\n", known("x").on("cron"), true},
		"a service that services exempts":       {asking("exempt"), known("x").on("door"), true},
		"a service that everybody is exempt on": {exempts("{services: [sshd]}"), known("x"), true},
		"and unknown accounts":                  {exempts("{services: [sshd]}"), known("x").unknown(), true},
		"the bastion":                           {exempts("{from: [192.0.2.9]}"), known("x").from("192.0.2.9"), true},
		"not the bastion":                       {exempts("{from: [192.0.2.9]}"), known("x"), false},
		"everybody but on another service":      {exempts("{services: [greeter]}"), known("x"), false},
		"some are exempt":                       {exempts("{users: [bob], services: [sshd]}"), known("bob"), false},
		"an exemption that is over":             {exempts("{services: [sshd], until: 2026-11-19}"), known("x").at(friday), false},
		"somebody is denied there":              {exempts("{services: [sshd]}") + "rules: [{users: [eve], then: deny}]\n", known("x"), false},
		"somebody is denied elsewhere":          {exempts("{services: [sshd]}") + "rules: [{users: [eve], services: [su], then: deny}]\n", known("x"), true},
		"a rule for everybody":                  {rules("{tty: [console], then: exempt}"), known("x").console(), true},
		"a rule for some before it":             {rules("{groups: [staff], then: required}", "{tty: [console], then: exempt}"), known("x").console(), false},
		"everybody by default":                  {"version: 1\ndefault: exempt\n", known("x"), true},
		"everybody by default but some":         {"version: 1\ndefault: exempt\nrequire: [{groups: [wheel]}]\n", known("x"), false},
		"a service that cannot ask":             {asking("never"), known("x").on("door"), false},
	} {
		if got := mustParse(t, test.config).AsksNobody(test.facts); got != test.want {
			t.Errorf("%s: %v", why, got)
		}
	}
	var none *Config
	if none.AsksNobody(known("x").on("cron")) || none.SwitchedOff(time.Now()) || new(Config).AsksNobody(known("x")) {
		t.Error("no policy asks nobody")
	}
}

func TestExplainSaysWhyARuleDoesNotMatch(t *testing.T) {
	src := rules(
		"{name: a, services: [su], then: required}",
		"{name: b, from: [10.0.0.0/8], then: required}",
		"{name: c, tty: [console], then: required}",
		"{name: d, ssh_auth: [certificate], then: required}",
		"{name: e, weekdays: [sun], zone: Asia/Tokyo, then: required}",
		"{name: f, users: [eve], then: deny}",
		"{name: g, users: [dave], services: [sshd], from: [192.0.2.0/24], tty: [remote], ssh_auth: [publickey], hours: [17:00-18:00], then: exempt}",
	)
	var got []string
	for _, s := range mustParse(t, src).Explain(known("dave").at(friday).by("publickey", "password")) {
		got = append(got, string(s.Rule)+": "+string(s.Match)+": "+s.Why)
	}
	want := []string{
		`switched off: no: twokey is switched on`,
		`rule f: no: not about user "dave" or a group of his`,
		`service exempt: no: service "sshd" asks: prompt`,
		`unknown account: no: the account exists`,
		`rule a: no: not about service "sshd"`,
		`rule b: no: not about "192.0.2.1"`,
		`rule c: no: not about tty remote`,
		`rule d: no: not about ssh_auth publickey, password`,
		`rule e: no: not about sat 01:05 Asia/Tokyo`,
		`rule g: yes: about user "dave" on service "sshd" from 192.0.2.0/24 with tty remote with ssh_auth publickey at fri 17:05`,
		`default: not reached: a rule before it has decided`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestDate(t *testing.T) {
	for _, text := range []string{"", "2026-13-01", "2026-02-30", "2026-1-1", "26-01-01", "1999-12-31", "2026-12-31 ", "2026-12-31T00:00:00Z", "10000-01-01"} {
		if d, ok := ParseDate(text); ok || !d.IsZero() {
			t.Errorf("%q is %v", text, d)
		}
	}
	zone, err := time.LoadLocation(berlin)
	if err != nil {
		t.Fatal(err)
	}
	for text, end := range map[string]string{
		"2026-12-31": "2027-01-01T00:00:00+01:00",
		"2026-03-29": "2026-03-30T00:00:00+02:00", // a day of 23 hours
		"2026-10-25": "2026-10-26T00:00:00+01:00", // and one of 25
		"2028-02-29": "2028-03-01T00:00:00+01:00",
	} {
		d, ok := ParseDate(text)
		if !ok || d.String() != text || d.End(zone).Format(time.RFC3339) != end || DateOf(d.End(zone).Add(-time.Second)) != d {
			t.Errorf("%s: %v, ends %v", text, d, d.End(zone))
		}
	}
	order := []Date{{2025, 12, 31}, {2026, 1, 31}, {2026, 2, 1}, {2026, 2, 2}}
	for i, a := range order {
		for j, b := range order {
			if a.Before(b) != (i < j) {
				t.Errorf("%v before %v: %v", a, b, a.Before(b))
			}
		}
	}
	if (Date{}).String() != "" || (Date{}).Before(Date{}) {
		t.Error("no date")
	}
}

package main

import (
	"testing"
	"time"

	"twokey/policy"
)

func TestExplainSaysHowWhoWouldBeRefusedCanEnrol(t *testing.T) {
	until := time.Date(2099, 12, 31, 12, 0, 0, 0, time.Local)
	facts := policy.Facts{User: "bob", Known: true, Service: "sshd"}
	for sentence, test := range map[string]struct {
		source  string
		login   attempt
		enroll  string
		letsIn  string
		inShort string
		text    string
	}{
		"with a code": {"default: required", attempt{facts: facts, codeUntil: until}, "with-code", "an enrolment", "enrols, then in",
			"at this login, with his enrolment code, which is good until 2099-12-31 12:00"},
		"without one": {"default: required", attempt{facts: facts}, "with-code", "nobody", "refused",
			"at this login, once he has an enrolment code: twokey enroll --code bob"},
		"with his password alone": {"default: required\nenroll: {at_login: 'yes'}", attempt{facts: facts}, "yes", "an enrolment", "enrols, then in",
			"at this login, with his password alone (at_login)"},
		"never at a login": {"default: required\nenroll: {at_login: 'no'}", attempt{facts: facts, codeUntil: until}, "", "nobody", "refused", ""},
		"not where one cannot": {"default: required\nservices: {sshd: {enroll: false}}", attempt{facts: facts, codeUntil: until}, "", "nobody",
			"refused", ""},
		"by an administrator": {"rules: [{users: [bob], then: required, enroll: by-admin}]", attempt{facts: facts, codeUntil: until}, "", "nobody",
			"refused", "by an administrator only"},
		"not with a problem": {"default: required", attempt{facts: facts, codeUntil: until, problem: errFileGone}, "", "nobody", "refused", ""},
		"who is not refused": {"default: optional", attempt{facts: facts, codeUntil: until}, "", "everybody", "not asked", ""},
	} {
		c, err := policy.Parse([]byte("version: 1\n" + test.source + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		x := explain(c, test.login)
		if x.Enroll != test.enroll || x.LetsIn != test.letsIn || x.inShort() != test.inShort || x.enrollText() != test.text {
			t.Errorf("%s: %q, %q, %q, %q", sentence, x.Enroll, x.LetsIn, x.inShort(), x.enrollText())
		}
	}
}

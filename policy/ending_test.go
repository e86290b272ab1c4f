package policy

import (
	"fmt"
	"testing"
)

func TestWhatEndsWithinThreeDaysIsTold(t *testing.T) {
	for sentence, test := range map[string]struct {
		config string
		facts  Facts
		want   string
	}{
		"nothing ends":                                 {"require: [{users: [alice]}]", known("alice"), ""},
		"a requirement, today":                         {"require: [{users: [alice], until: 2026-11-20}]", known("alice"), "require[0] {users: [alice]} 2026-11-20"},
		"the day after tomorrow":                       {"require: [{users: [alice], until: 2026-11-22}]", known("alice"), "require[0] {users: [alice]} 2026-11-22"},
		"on the day that is not over in 72 hours":      {"require: [{users: [alice], until: 2026-11-23}]", known("alice"), ""},
		"in three days, to the second":                 {"require: [{users: [alice], until: 2026-11-23}]", known("alice").at("2026-11-21 00:00:00"), "require[0] {users: [alice]} 2026-11-23"},
		"a second before":                              {"require: [{users: [alice], until: 2026-11-23}]", known("alice").at("2026-11-20 23:59:59"), ""},
		"one that has ended":                           {"require: [{users: [alice], until: 2026-11-19}]", known("alice"), ""},
		"one that has not begun":                       {"require: [{users: [alice], starts: 2026-11-21, until: 2026-11-22}]", known("alice"), ""},
		"an exemption":                                 {"default: required\nexempt: [{users: [alice], until: 2026-11-21}]", known("alice"), "exempt[0] {users: [alice]} 2026-11-21"},
		"another user's":                               {"require: [{users: [bob], until: 2026-11-21}]", known("alice"), ""},
		"that of a group":                              {"require: [{groups: [staff], until: 2026-11-21}]", known("alice", "staff"), "require[0] {groups: [staff]} 2026-11-21"},
		"of a group that cannot be looked up":          {"require: [{groups: [broken], until: 2026-11-21}]", known("alice"), ""},
		"on another service":                           {"require: [{users: [alice], services: [su], until: 2026-11-21}]", known("alice"), ""},
		"here, with its day by":                        {"require: [{users: [alice], services: [sshd], by: 2026-11-19, until: 2026-11-21}]", known("alice"), "require[0] {users: [alice], services: [sshd]} 2026-11-21"},
		"what the default says too":                    {"default: required\nrequire: [{users: [alice], until: 2026-11-21}]", known("alice"), ""},
		"what another entry says too":                  {"require: [{users: [alice], until: 2026-11-21}, {groups: [staff]}]", known("alice", "staff"), ""},
		"what another entry says that ends too":        {"require: [{users: [alice], until: 2026-11-21}, {groups: [staff], until: 2026-11-22}]", known("alice", "staff"), "require[0] {users: [alice]} 2026-11-21; require[1] {groups: [staff]} 2026-11-22"},
		"what a rule before it decides":                {"rules: [{users: [alice], then: exempt}]\nrequire: [{users: [alice], until: 2026-11-21}]", known("alice"), ""},
		"what the name of a rule looks like":           {"rules: [{name: 'x[0]', users: [alice], then: exempt}]\nrequire: [{users: [alice], until: 2026-11-21}]", known("alice"), ""},
		"an exemption where one's devices are changed": {"exempt: [{users: [alice], until: 2026-11-21}]", known("alice").on(SelfService), ""},
		"while it is switched off":                     {"enabled: false\nrequire: [{users: [alice], until: 2026-11-21}]", known("alice"), ""},
	} {
		if test.facts.Time.IsZero() {
			test.facts = test.facts.at(friday)
		}
		for _, f := range []Facts{test.facts, test.facts.with()} {
			if got := expiryTexts(mustParse(t, "version: 1\n"+test.config).Ending(f)); got != test.want {
				t.Errorf("%s: %q, want %q", sentence, got, test.want)
			}
		}
	}
	c := mustParse(t, "version: 1\nrequire: [{users: [alice], until: 2026-11-21}]")
	before := string(c.Compile(zeros))
	if c.Ending(known("alice").at(friday)); string(c.Compile(zeros)) != before {
		t.Error("asking changes the policy")
	}
	var none *Config
	if c.Ending(known("alice")) != nil || none.Ending(known("alice").at(friday)) != nil {
		t.Error("without a time, or a policy")
	}
}

func expiryTexts(all []Expiry) string {
	text := ""
	for _, e := range all {
		if text != "" {
			text += "; "
		}
		text += fmt.Sprintf("%s %s %s", e.Entry, e.Who, e.Until)
	}
	return text
}

func TestWhatHasEndedSinceADay(t *testing.T) {
	c := mustParse(t, "version: 1\nrequire: [{users: [a], until: 2026-11-20}, {groups: [g]}, {users: [b], by: 2026-11-01, until: 2026-11-22}]\n"+
		"exempt: [{users: [c], services: [su], from: [192.0.2.1], until: 2026-11-21}]\n")
	day := func(d int) Date { return Date{2026, 11, d} }
	for what, test := range map[string]struct {
		since, now int
		want       string
	}{
		"the same day":                   {20, 20, ""},
		"the day before":                 {19, 20, ""},
		"the day after":                  {20, 21, "require[0] {users: [a]} 2026-11-20"},
		"once":                           {21, 21, ""},
		"the next":                       {21, 22, "exempt[0] {users: [c], services: [su], from: [192.0.2.1]} 2026-11-21"},
		"nobody was there for some days": {1, 30, "require[0] {users: [a]} 2026-11-20; require[2] {users: [b]} 2026-11-22; exempt[0] {users: [c], services: [su], from: [192.0.2.1]} 2026-11-21"},
		"a clock that went back":         {30, 1, ""},
		"long ago":                       {23, 30, ""},
	} {
		if got := expiryTexts(c.Ended(day(test.since), day(test.now))); got != test.want {
			t.Errorf("%s: %q, want %q", what, got, test.want)
		}
	}
	if !c.HasUntil() || mustParse(t, "version: 1\nrequire: [{users: [a], by: 2026-11-20}]\n").HasUntil() || !mustParse(t, "version: 1\nexempt: [{users: [a], until: 2026-11-20}]\n").HasUntil() {
		t.Error("which policies have an entry that ends")
	}
}

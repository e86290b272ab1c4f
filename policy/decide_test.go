package policy

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// house is the policy of most sentences below.
const house = `version: 1
default: optional
require:
  - {groups: [wheel]}
  - {users: [alice]}
  - {users: [carol], groups: [staff], services: [sshd, sudo]}
exempt:
  - {users: [robot]}
  - {groups: [daemons], services: [sshd]}
  - {services: [greeter]}
  - {users: [alice], services: [xrdp-sesman]}
`

// groupsOf answers lookups; a group named "broken" cannot be looked up.
func groupsOf(member ...string) func(string) (bool, error) {
	return func(group string) (bool, error) {
		if strings.HasPrefix(group, "broken") {
			return false, errors.New("directory not reachable")
		}
		return slices.Contains(member, group), nil
	}
}

// known is an account on sshd without a device, in these groups.
func known(user string, groups ...string) Facts {
	return Facts{User: user, UID: 1000, Known: true, Service: "sshd", RHost: "192.0.2.1", InGroup: groupsOf(groups...)}
}

func (f Facts) with() Facts                { f.Enrolled = true; return f }
func (f Facts) reset() Facts               { f.MustEnroll = true; return f }
func (f Facts) unknown() Facts             { f.Known = false; return f }
func (f Facts) on(service string) Facts    { f.Service = service; return f }
func replaced(src, old, new string) string { return strings.Replace(src, old, new, 1) }

func TestDecide(t *testing.T) {
	deny, optional := replaced(house, "default: optional", "default: deny"), house
	required, exempt := replaced(house, "default: optional", "default: required"), replaced(house, "default: optional", "default: exempt")
	off := replaced(house, "version: 1", "version: 1\nenabled: false")
	tests := []struct {
		sentence string
		config   string
		facts    Facts
		decision Decision
		action   Action
		rule     string
	}{
		{"switched off, nobody is asked", off, known("dave").with(), Exempt, Ignore, "switched off"},
		{"switched off, a required user without a device gets in", off, known("alice"), Exempt, Ignore, "switched off"},
		{"switched off, an unknown account is left to the other modules", off, known("nobody").unknown(), Exempt, Ignore, "switched off"},
		{"switched off, a user who was reset gets in", off, known("alice").reset(), Exempt, Ignore, "switched off"},
		{"switched off, deny is silent too", replaced(off, "default: optional", "default: deny"), known("dave"), Exempt, Ignore, "switched off"},
		{"switched off, a lookup that would fail is not made", replaced(off, "wheel", "broken"), known("dave"), Exempt, Ignore, "switched off"},

		{"by default an enrolled user is asked", optional, known("dave").with(), Optional, Ask, "default"},
		{"by default a user without a device is not asked", optional, known("dave"), Optional, Ignore, "default"},
		{"default required: an enrolled user is asked", required, known("dave").with(), Required, Ask, "default"},
		{"default required: a user without a device is asked and refused", required, known("dave"), Required, AskThenDeny, "default"},
		{"default exempt: an enrolled user is not asked", exempt, known("dave").with(), Exempt, Ignore, "default"},
		{"default exempt: a user without a device is not asked", exempt, known("dave"), Exempt, Ignore, "default"},
		{"default deny: a right code does not let in", deny, known("dave").with(), Deny, AskThenDeny, "default"},
		{"default deny: a user without a device is asked the same", deny, known("dave"), Deny, AskThenDeny, "default"},

		{"a required user with a device is asked", optional, known("alice").with(), Required, Ask, "require[1]"},
		{"a required user without a device is asked and refused", optional, known("alice"), Required, AskThenDeny, "require[1]"},
		{"a member of a required group is asked", optional, known("dave", "wheel").with(), Required, Ask, "require[0]"},
		{"a member of a required group without a device is refused", optional, known("dave", "wheel"), Required, AskThenDeny, "require[0]"},
		{"the first entry that matches is named", optional, known("alice", "wheel").with(), Required, Ask, "require[0]"},
		{"require goes before default exempt", exempt, known("alice").with(), Required, Ask, "require[1]"},
		{"require goes before default deny", deny, known("alice").with(), Required, Ask, "require[1]"},
		{"users and groups of one entry: the user matches", optional, known("carol").with(), Required, Ask, "require[2]"},
		{"users and groups of one entry: the group matches", optional, known("dave", "staff").with(), Required, Ask, "require[2]"},
		{"users and groups of one entry: nobody else matches", optional, known("dave", "guests").with(), Optional, Ask, "default"},
		{"an entry is narrowed to its services", optional, known("carol").on("login"), Optional, Ignore, "default"},
		{"an entry counts on each of its services", optional, known("carol").on("sudo"), Required, AskThenDeny, "require[2]"},
		{"a name is compared byte by byte", optional, known("Alice"), Optional, Ignore, "default"},
		{"a part of a name is not the name", optional, known("alic"), Optional, Ignore, "default"},
		{"a user does not match a group of his name", optional, known("wheel"), Optional, Ignore, "default"},
		{"a group does not match a user of its name", optional, known("dave", "alice"), Optional, Ignore, "default"},

		{"an exempt user with a device is not asked", optional, known("robot").with(), Exempt, Ignore, "exempt[0]"},
		{"an exempt user without a device is not asked", optional, known("robot"), Exempt, Ignore, "exempt[0]"},
		{"exempt goes before require", optional, known("robot", "wheel"), Exempt, Ignore, "exempt[0]"},
		{"exempt goes before default deny", deny, known("robot"), Exempt, Ignore, "exempt[0]"},
		{"exempt goes before default required", required, known("robot"), Exempt, Ignore, "exempt[0]"},
		{"an exempt group on its service", required, known("dave", "daemons"), Exempt, Ignore, "exempt[1]"},
		{"an exempt group on another service", required, known("dave", "daemons").on("sudo"), Required, AskThenDeny, "default"},
		{"a required user is exempt on one service", optional, known("alice").on("xrdp-sesman"), Exempt, Ignore, "exempt[3]"},
		{"and required on the others", optional, known("alice"), Required, AskThenDeny, "require[1]"},
		{"a service that is exempt for everybody", required, known("dave").on("greeter"), Exempt, Ignore, "exempt[2]"},
		{"is it for required users too", required, known("alice", "wheel").on("greeter"), Exempt, Ignore, "exempt[2]"},
		{"a service that everybody is required on", "version: 1\nrequire: [{services: [sshd]}]", known("dave"), Required, AskThenDeny, "require[0]"},
		{"leaves the other services alone", "version: 1\nrequire: [{services: [sshd]}]", known("dave").on("su"), Optional, Ignore, "default"},

		{"an unknown account is asked and refused", optional, known("nobody").unknown(), Deny, AskThenDeny, "unknown account"},
		{"an unknown account is not let in by default exempt", exempt, known("nobody").unknown(), Deny, AskThenDeny, "unknown account"},
		{"an unknown account is not exempt by its name", optional, known("robot").unknown(), Deny, AskThenDeny, "unknown account"},
		{"an unknown account is not exempt by a group", optional, known("x", "daemons").unknown(), Deny, AskThenDeny, "unknown account"},
		{"an unknown account is not asked where nobody is", optional, known("x").unknown().on("greeter"), Exempt, Ignore, "exempt[2]"},
		{"an unknown account with a device left behind is refused", optional, known("alice").unknown().with(), Deny, AskThenDeny, "unknown account"},
		{"for an unknown account no lookup is made", replaced(optional, "daemons", "broken"), known("x").unknown(), Deny, AskThenDeny, "unknown account"},

		{"after a reset an optional user without a device is refused", optional, known("dave").reset(), Required, AskThenDeny, "default"},
		{"after a reset and a new device he is asked", optional, known("dave").reset().with(), Optional, Ask, "default"},
		{"after a reset a required user without a device is refused", optional, known("alice").reset(), Required, AskThenDeny, "require[1]"},
		{"after a reset an exempt user is not asked", optional, known("robot").reset(), Exempt, Ignore, "exempt[0]"},
		{"after a reset default exempt still exempts", exempt, known("dave").reset(), Exempt, Ignore, "default"},
		{"after a reset default deny still denies", deny, known("dave").reset(), Deny, AskThenDeny, "default"},

		{"a required group that cannot be looked up refuses who has no device", replaced(optional, "wheel", "broken"), known("dave"), Deny, AskThenDeny, "require[0]"},
		{"who has a device is asked either way", replaced(optional, "wheel", "broken"), known("dave").with(), Required, Ask, "require[0]"},
		{"who is required by name is asked either way", replaced(optional, "wheel", "broken"), known("alice").with(), Required, Ask, "require[1]"},
		{"under default exempt the lookup decides, so he is refused", replaced(exempt, "wheel", "broken"), known("dave").with(), Deny, AskThenDeny, "require[0]"},
		{"an exempt group that cannot be looked up refuses who else is asked", replaced(optional, "daemons", "broken"), known("dave").with(), Deny, AskThenDeny, "exempt[1]"},
		{"an exempt group that cannot be looked up refuses who is required", replaced(required, "daemons", "broken"), known("dave"), Deny, AskThenDeny, "exempt[1]"},
		{"who is not asked either way gets in", replaced(optional, "daemons", "broken"), known("dave"), Optional, Ignore, "default"},
		{"who is exempt by name needs no lookup", replaced(optional, "daemons", "broken"), known("robot"), Exempt, Ignore, "exempt[0]"},
		{"who is exempt by a later entry gets in", replaced(optional, "robot", "x], groups: [broken"), known("dave").on("greeter"), Exempt, Ignore, "exempt[2]"},
		{"another service needs no lookup", replaced(required, "daemons", "broken"), known("dave").on("su").with(), Required, Ask, "default"},
		{"one group of an entry fails, another matches", replaced(optional, "wheel", "broken, wheel"), known("dave", "wheel"), Required, AskThenDeny, "require[0]"},
		{"two lookups fail and lead to different ends", replaced(replaced(optional, "wheel", "broken1"), "daemons", "broken2"), known("dave"), Deny, AskThenDeny, "require[0]"},
	}
	for _, test := range tests {
		t.Run(test.sentence, func(t *testing.T) {
			got := mustParse(t, test.config).Decide(test.facts)
			if got.Decision != test.decision || got.Action != test.action || got.Rule != test.rule {
				t.Errorf("got %v, %v by %q (%s)\nwant %v, %v by %q", got.Decision, got.Action, got.Rule, got.Reason, test.decision, test.action, test.rule)
			}
			if needs := got.Decision == Required && !test.facts.Enrolled; got.NeedsDevice != needs {
				t.Errorf("NeedsDevice is %v, want %v", got.NeedsDevice, needs)
			}
			if got.Observe {
				t.Error("observe is not set")
			}
		})
	}
}

func TestTheReasonSaysWhyInOneClause(t *testing.T) {
	broken := replaced(house, "wheel", "broken")
	tests := []struct {
		config string
		facts  Facts
		want   string
	}{
		{house, known("alice"), `about user "alice"; no device is enrolled`},
		{house, known("dave", "wheel").with(), `about group "wheel"; a device is enrolled`},
		{house, known("x").on("greeter"), `about everybody on service "greeter"`},
		{house, known("x"), `the default is optional; no device is enrolled`},
		{house, known("x").reset(), `the default is optional; no device is enrolled since the reset`},
		{house, known("x").unknown(), `the account does not exist`},
		{broken, known("x"), `group lookup failed: group "broken": directory not reachable; no device is enrolled`},
		{house, Facts{User: "x", Known: true}, `group lookup failed: group "wheel": groups cannot be looked up; no device is enrolled`},
	}
	for _, test := range tests {
		if got := mustParse(t, test.config).Decide(test.facts).Reason; got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func TestAGroupIsLookedUpOnceAndOnlyIfItMatters(t *testing.T) {
	src := "version: 1\nexempt: [{users: [robot]}, {groups: [a, b]}]\nrequire: [{groups: [b, c], services: [sshd]}, {groups: [d], services: [su]}]\n"
	for user, want := range map[string]string{"robot": "", "dave": "a b c"} {
		var asked []string
		f := known(user)
		f.InGroup = func(g string) (bool, error) { asked = append(asked, g); return false, nil }
		mustParse(t, src).Decide(f)
		if got := strings.Join(asked, " "); got != want {
			t.Errorf("%s: asked for %q, want %q", user, got, want)
		}
	}
}

func TestExplainNamesEveryRule(t *testing.T) {
	var got []string
	for _, s := range mustParse(t, house).Explain(known("alice")) {
		got = append(got, fmt.Sprintf("%s: %s: %s", s.Rule, s.Match, s.Why))
	}
	want := []string{
		`switched off: no: twokey is switched on`,
		`service exempt: no: service "sshd" asks: prompt`,
		`exempt[0]: no: not about user "alice" or a group of his`,
		`exempt[1]: no: not about user "alice" or a group of his`,
		`exempt[2]: no: not about service "sshd"`,
		`exempt[3]: no: not about service "sshd"`,
		`unknown account: no: the account exists`,
		`require[0]: no: not about user "alice" or a group of his`,
		`require[1]: yes: about user "alice"`,
		`require[2]: not reached: a rule before it has decided`,
		`default: not reached: a rule before it has decided`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestObserveIsCarriedAndChangesNoDecision(t *testing.T) {
	c := mustParse(t, house)
	want := c.Decide(known("alice"))
	c.Observe, want.Observe, want.Enroll = true, true, false // who is let in anyway is not stopped to enrol
	if got := c.Decide(known("alice")); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

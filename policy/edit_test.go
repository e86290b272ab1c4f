package policy

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// site is a file as administrators write it.
const site = `---
# Example Ltd, second factor.   Owner: IT security
#   see ticket 4711

version:   1      # do not touch
enabled: true                  # the switch
default: optional


# who must
require:   # reviewed in May
  # the administrators
  - {groups: [wheel, sudo]}    # both kinds

  - users:
      - alice      # head of IT
      # his deputy
      - "bob"
    services: [ sshd,sudo ]
  - { users: ['EXAMPLE\dörte', erika],   groups: [staff] }

# who need not
exempt: [ {users: [backup]}, {services: [cron, atd]} ]   # machines

paths: {data: /srv/twokey}
# the end
`

func TestEdit(t *testing.T) {
	tests := []struct {
		sentence string
		src      string
		change   Change
		old, new string // what is different; "" and "": nothing
	}{
		{"switch off", site, SetEnabled(false), "enabled: true  ", "enabled: false  "},
		{"switch on what is on", site, SetEnabled(true), "", ""},
		{"switch off where nothing is said", "version: 1 # x\n# y\n", SetEnabled(false), "version: 1 # x\n", "version: 1 # x\nenabled: false\n"},
		{"switch on where nothing is said", "version: 1\n", SetEnabled(true), "", ""},
		{"switch off without a last line feed", "version: 1", SetEnabled(false), "version: 1", "version: 1\nenabled: false"},
		{"switch off in JSON", `{"version":1,"enabled":true}`, SetEnabled(false), "true", "false"},
		{"switch off in JSON where nothing is said", `{"version":1}`, SetEnabled(false), `1}`, `1, enabled: false}`},
		{"switch off in an indented file", "  version: 1\n  issuer: x\n", SetEnabled(false), "1\n", "1\n  enabled: false\n"},
		{"another default", site, SetDefault(Required), "default: optional", "default: required"},
		{"another default in quotes", "version: 1\ndefault: \"deny\" # x\n", SetDefault(Exempt), `"deny"`, "exempt"},
		{"the default that is set", site, SetDefault(Optional), "", ""},
		{"a default where nothing is said", "version: 1\nissuer: x\n", SetDefault(Deny), "1\n", "1\ndefault: deny\n"},

		{"require a user", site, AddRequire{Users: []string{"carol"}}, "groups: [staff] }\n", "groups: [staff] }\n  - {users: [carol]}\n"},
		{"require a user and a group on a service", site, AddRequire{Users: []string{"carol"}, Groups: []string{"dev"}, Services: []string{"su"}},
			"groups: [staff] }\n", "groups: [staff] }\n  - {users: [carol], groups: [dev], services: [su]}\n"},
		{"require everybody on a service", site, AddRequire{Services: []string{"su"}}, "groups: [staff] }\n", "groups: [staff] }\n  - {services: [su]}\n"},
		{"require names that need quotes", site, AddRequire{Users: []string{`DOM\x`, "o'neill", "user@example.org", "yes", "123", "müller", "a b"}},
			"groups: [staff] }\n", "groups: [staff] }\n  - {users: ['DOM\\x', 'o''neill', user@example.org, 'yes', '123', 'müller', 'a b']}\n"},
		{"require who is required", site, AddRequire{Users: []string{`EXAMPLE\dörte`}, Groups: []string{"wheel"}}, "", ""},
		{"require on a service who is required everywhere", site, AddRequire{Groups: []string{"sudo"}, Services: []string{"sshd"}}, "", ""},
		{"require everywhere who is required on a service", site, AddRequire{Users: []string{"bob"}}, "groups: [staff] }\n", "groups: [staff] }\n  - {users: [bob]}\n"},
		{"require only the ones that are missing", site, AddRequire{Users: []string{"erika", "carol", "carol"}, Groups: []string{"wheel"}},
			"groups: [staff] }\n", "groups: [staff] }\n  - {users: [carol]}\n"},
		{"require the first", "version: 1\n# end\n", AddRequire{Groups: []string{"g"}}, "# end\n", "# end\nrequire:\n  - {groups: [g]}\n"},
		{"require the first without a last line feed", "version: 1", AddRequire{Groups: []string{"g"}}, "version: 1", "version: 1\nrequire:\n  - {groups: [g]}\n"},
		{"require in a list without indentation", "version: 1\nrequire:\n- {users: [a]}\n# end\n", AddRequire{Users: []string{"b"}}, "[a]}\n", "[a]}\n- {users: [b]}\n"},
		{"require in a list at the end", "version: 1\nrequire:\n    - users: [a]", AddRequire{Users: []string{"b"}}, "[a]", "[a]\n    - {users: [b]}"},
		{"require in a list of one line", "version: 1\nrequire: [{users: [a]}]\n", AddRequire{Users: []string{"b"}}, "]}]", "]}, {users: [b]}]"},
		{"require in brackets over lines", "version: 1\nrequire: [\n  {users: [a]}, # x\n]\n", AddRequire{Users: []string{"b"}}, "}, #", "}, {users: [b]}, #"},
		{"require the first in JSON", `{"version":1}`, AddRequire{Users: []string{"b"}}, "1}", "1, require: [{users: [b]}]}"},

		{"exempt a user", site, AddExempt{Users: []string{"carol"}}, "atd]} ]", "atd]}, {users: [carol]} ]"},
		{"exempt a service for everybody", site, AddExempt{Services: []string{"systemd-user", "cron"}}, "atd]} ]", "atd]}, {services: [systemd-user]} ]"},
		{"exempt who is exempt", site, AddExempt{Users: []string{"backup"}, Services: []string{"sshd"}}, "", ""},
		{"exempt the first", "version: 1\n", AddExempt{Users: []string{"a"}}, "1\n", "1\nexempt:\n  - {users: [a]}\n"},

		{"unset a group in brackets", site, Unset{Groups: []string{"sudo"}}, "[wheel, sudo]", "[wheel]"},
		{"unset the first group in brackets", site, Unset{Groups: []string{"wheel"}}, "[wheel, sudo]", "[sudo]"},
		{"unset all groups of an entry", site, Unset{Groups: []string{"wheel", "sudo"}}, "  - {groups: [wheel, sudo]}    # both kinds\n", ""},
		{"unset a user on a line of his own", site, Unset{Users: []string{"bob"}}, "      - \"bob\"\n", ""},
		{"unset a user with a comment of his own", site, Unset{Users: []string{"alice"}}, "      - alice      # head of IT\n", ""},
		{"unset users in quotes and umlauts", site, Unset{Users: []string{`EXAMPLE\dörte`}}, `'EXAMPLE\dörte', erika`, "erika"},
		{"unset the users of an entry with a group", site, Unset{Users: []string{`EXAMPLE\dörte`, "erika"}}, `users: ['EXAMPLE\dörte', erika],   groups`, "groups"},
		{"unset the group of an entry with users", site, Unset{Groups: []string{"staff"}}, ",   groups: [staff] }", " }"},
		{"unset who is on no list", site, Unset{Users: []string{"nobody"}}, "", ""},
		{"unset an exempt user", site, Unset{Users: []string{"backup"}}, "{users: [backup]}, ", ""},
		{"unset a service of everybody", site, Unset{Services: []string{"cron"}}, "[cron, atd]", "[atd]"},
		{"a service that narrows an entry is not whom it is about", site, Unset{Services: []string{"sshd"}}, "", ""},
		{"unset all that is exempt", site, Unset{Users: []string{"backup"}, Services: []string{"cron", "atd"}},
			"exempt: [ {users: [backup]}, {services: [cron, atd]} ]   # machines\n", ""},
		{"unset the only entry keeps comments on lines of their own", "version: 1\nrequire: # a\n  # b\n  - {users: [x]} # c\n  # d\n# e\n",
			Unset{Users: []string{"x"}}, "require: # a\n  # b\n  - {users: [x]} # c\n", "  # b\n"},
		{"unset the only entry in the middle", "version: 1\nrequire:\n  - users: [x]\n    services: [sshd]\nissuer: y\n",
			Unset{Users: []string{"x"}}, "require:\n  - users: [x]\n    services: [sshd]\n", ""},
		{"unset the only entry at the end", "version: 1\nrequire:\n- users:\n  - x", Unset{Users: []string{"x"}}, "require:\n- users:\n  - x", ""},
		{"unset the first key of an entry", "version: 1\nrequire:\n  - users: [x] # c\n    groups: [g] # d\n", Unset{Users: []string{"x"}}, "users: [x] # c\n    groups", "groups"},
		{"unset a later key of an entry", "version: 1\nrequire:\n  - users: [x] # c\n    # d\n    groups:\n      - g\n", Unset{Groups: []string{"g"}}, "    groups:\n      - g\n", ""},
		{"unset in brackets over lines", "version: 1\nrequire: [{users: [\n  a, # x\n  # y\n  b,\n  c\n]}]\n", Unset{Users: []string{"b"}}, "  b,\n", ""},
		{"unset the last in brackets over lines", "version: 1\nrequire: [{users: [\n  a,\n  c\n]}]\n", Unset{Users: []string{"c"}}, "  c\n", ""},
		{"unset a name that stands several times", "version: 1\nrequire: [{users: [a, b, a]}, {users: [a], services: [su]}]\nexempt: [{users: [a, c], services: [cron]}]\n",
			Unset{Users: []string{"a"}}, "[{users: [a, b, a]}, {users: [a], services: [su]}]\nexempt: [{users: [a, c]", "[{users: [b]}]\nexempt: [{users: [c]"},
		{"unset in JSON", `{"version":1,"require":[{"users":["a","b"]}],"exempt":[{"users":["c"]}]}`, Unset{Users: []string{"a", "c"}},
			`["a","b"]}],"exempt":[{"users":["c"]}]`, `["b"]}]`},

		{"require who is exempt moves him", "version: 1\nexempt: [{users: [a, b]}]\n", AddRequire{Users: []string{"a"}},
			"[a, b]}]\n", "[b]}]\nrequire:\n  - {users: [a]}\n"},
		{"require on a service who is exempt everywhere moves him", "version: 1\nexempt: [{users: [a]}]\n", AddRequire{Users: []string{"a"}, Services: []string{"su"}},
			"exempt: [{users: [a]}]\n", "require:\n  - {users: [a], services: [su]}\n"},
		{"require who is exempt on one service leaves that", "version: 1\nexempt: [{users: [a], services: [su]}]\n", AddRequire{Users: []string{"a"}},
			"]}]\n", "]}]\nrequire:\n  - {users: [a]}\n"},
		{"require everybody on a service that is exempt moves it", "version: 1\nexempt: [{services: [cron, su]}]\n", AddRequire{Services: []string{"su"}},
			"[cron, su]}]\n", "[cron]}]\nrequire:\n  - {services: [su]}\n"},
		{"exempt who is required moves him", "version: 1\nrequire: [{users: [a, b]}, {users: [a], services: [su]}]\n", AddExempt{Users: []string{"a"}},
			"[a, b]}, {users: [a], services: [su]}]\n", "[b]}]\nexempt:\n  - {users: [a]}\n"},
		{"exempt on one service who is required leaves that", "version: 1\nrequire: [{users: [a]}]\n", AddExempt{Users: []string{"a"}, Services: []string{"su"}},
			"]}]\n", "]}]\nexempt:\n  - {users: [a], services: [su]}\n"},
	}
	for _, test := range tests {
		t.Run(test.sentence, func(t *testing.T) {
			editsTo(t, test.src, test.change, test.old, test.new)
		})
	}
}

func TestEditOfDatesAndSources(t *testing.T) {
	day := func(text string) Date {
		d, ok := ParseDate(text)
		if !ok {
			t.Fatal(text)
		}
		return d
	}
	const dated = "version: 1\nrequire:\n  - {users: [a, b], by: 2026-12-31} # x\n  - {users: [c], services: [sshd]}\n"
	const open = "version: 1\nexempt:\n  - {users: [a, b], until: 2026-12-31}\n  - {services: [sshd], from: [192.0.2.0/24, gate]}\n  - system_accounts: true\n    users: [c]\n  - {from: ['::1', 10.0.0.0/8]}\n"
	a := []string{"a"}
	tests := []struct {
		sentence string
		src      string
		change   Change
		old, new string // what is different; "" and "": nothing
	}{
		{"require with all days", "version: 1\n", AddRequire{Users: a, Starts: day("2027-01-10"), By: day("2027-02-01"), Until: day("2027-06-30")},
			"1\n", "1\nrequire:\n  - {users: [a], starts: 2027-01-10, by: 2027-02-01, until: 2027-06-30}\n"},
		{"require who is required with the same day", dated, AddRequire{Users: a, By: day("2026-12-31")}, "", ""},
		{"require with another day replaces", dated, AddRequire{Users: a, By: day("2027-01-31")},
			"[a, b], by: 2026-12-31} # x\n  - {users: [c], services: [sshd]}\n", "[b], by: 2026-12-31} # x\n  - {users: [c], services: [sshd]}\n  - {users: [a], by: 2027-01-31}\n"},
		{"require without a day replaces", dated, AddRequire{Users: a}, "[a, b], by: 2026-12-31} # x\n  - {users: [c], services: [sshd]}\n",
			"[b], by: 2026-12-31} # x\n  - {users: [c], services: [sshd]}\n  - {users: [a]}\n"},
		{"require more widely with a day", dated, AddRequire{Users: []string{"c"}, By: day("2027-01-31")},
			"[sshd]}\n", "[sshd]}\n  - {users: [c], by: 2027-01-31}\n"},
		{"require who is exempt until a day moves him", open, AddRequire{Users: a}, "[a, b], until: 2026-12-31}\n  - {services: [sshd], from: [192.0.2.0/24, gate]}\n  - system_accounts: true\n    users: [c]\n  - {from: ['::1', 10.0.0.0/8]}\n",
			"[b], until: 2026-12-31}\n  - {services: [sshd], from: [192.0.2.0/24, gate]}\n  - system_accounts: true\n    users: [c]\n  - {from: ['::1', 10.0.0.0/8]}\nrequire:\n  - {users: [a]}\n"},
		{"require everybody on a service that is exempt from a source leaves that", open, AddRequire{Services: []string{"sshd"}}, "10.0.0.0/8]}\n", "10.0.0.0/8]}\nrequire:\n  - {services: [sshd]}\n"},

		{"exempt from a source", "version: 1\n", AddExempt{Users: a, From: []string{"192.0.2.0/24", "2001:db8::/32", "gate.example.org"}},
			"1\n", "1\nexempt:\n  - {users: [a], from: [192.0.2.0/24, '2001:db8::/32', gate.example.org]}\n"},
		{"exempt everybody from a source", "version: 1\n", AddExempt{From: []string{"192.0.2.7"}}, "1\n", "1\nexempt:\n  - {from: [192.0.2.7]}\n"},
		{"exempt everybody from a source and one that is exempt", open, AddExempt{From: []string{"192.0.2.7", "10.0.0.0/8"}}, "10.0.0.0/8]}\n", "10.0.0.0/8]}\n  - {from: [192.0.2.7]}\n"},
		{"exempt system accounts", "version: 1\n", AddExempt{SystemAccounts: true}, "1\n", "1\nexempt:\n  - {system_accounts: true}\n"},
		{"exempt system accounts twice", open, AddExempt{SystemAccounts: true}, "", ""},
		{"exempt until another day replaces", open, AddExempt{Users: []string{"a", "b"}, Until: day("2027-12-31")},
			"  - {users: [a, b], until: 2026-12-31}\n  - {services: [sshd], from: [192.0.2.0/24, gate]}\n  - system_accounts: true\n    users: [c]\n  - {from: ['::1', 10.0.0.0/8]}\n",
			"  - {services: [sshd], from: [192.0.2.0/24, gate]}\n  - system_accounts: true\n    users: [c]\n  - {from: ['::1', 10.0.0.0/8]}\n  - {users: [a, b], until: 2027-12-31}\n"},
		{"exempt for less than what is there", open, AddExempt{Users: a, Services: []string{"sshd"}, Until: day("2026-12-01")}, "", ""},
		{"exempt until an earlier day replaces", open, AddExempt{Users: a, Until: day("2026-12-01")},
			"  - {users: [a, b], until: 2026-12-31}\n  - {services: [sshd], from: [192.0.2.0/24, gate]}\n  - system_accounts: true\n    users: [c]\n  - {from: ['::1', 10.0.0.0/8]}\n",
			"  - {users: [b], until: 2026-12-31}\n  - {services: [sshd], from: [192.0.2.0/24, gate]}\n  - system_accounts: true\n    users: [c]\n  - {from: ['::1', 10.0.0.0/8]}\n  - {users: [a], until: 2026-12-01}\n"},
		{"exempt until a day what is exempt for ever", "version: 1\nexempt: [{groups: [g]}]\n", AddExempt{Groups: []string{"g"}, Until: day("2026-12-01")},
			"exempt: [{groups: [g]}]\n", "exempt:\n  - {groups: [g], until: 2026-12-01}\n"},
		{"exempt until a day who is exempt from sources till later", "version: 1\nexempt: [{users: [a], from: [gate, 10.0.0.0/8]}]\n",
			AddExempt{Users: a, From: []string{"10.0.0.0/8", "gate"}, Until: day("2026-12-01")},
			"exempt: [{users: [a], from: [gate, 10.0.0.0/8]}]\n", "exempt:\n  - {users: [a], from: [10.0.0.0/8, gate], until: 2026-12-01}\n"},
		{"require until an earlier day replaces", "version: 1\nrequire: [{users: [a], until: 2026-12-31}]\n", AddRequire{Users: a, Until: day("2026-12-01")},
			"require: [{users: [a], until: 2026-12-31}]\n", "require:\n  - {users: [a], until: 2026-12-01}\n"},
		{"require until a day what is required for ever", "version: 1\nrequire: [{groups: [g]}]\n", AddRequire{Groups: []string{"g"}, Until: day("2026-12-01")},
			"require: [{groups: [g]}]\n", "require:\n  - {groups: [g], until: 2026-12-01}\n"},
		{"require from a later day replaces", "version: 1\nrequire: [{users: [a]}]\n", AddRequire{Users: a, Starts: day("2026-12-01")},
			"require: [{users: [a]}]\n", "require:\n  - {users: [a], starts: 2026-12-01}\n"},
		{"exempt from a source who is required leaves that", "version: 1\nrequire: [{users: [a]}]\n", AddExempt{Users: a, From: []string{"192.0.2.7"}},
			"]}]\n", "]}]\nexempt:\n  - {users: [a], from: [192.0.2.7]}\n"},
		{"exempt until a day who is required leaves that", "version: 1\nrequire: [{users: [a]}]\n", AddExempt{Users: a, Until: day("2026-12-31")},
			"]}]\n", "]}]\nexempt:\n  - {users: [a], until: 2026-12-31}\n"},

		{"unset a source of everybody", open, Unset{From: []string{"::1"}}, "'::1', ", ""},
		{"unset a source that only narrows", open, Unset{From: []string{"gate"}}, "", ""},
		{"unset a service with sources", open, Unset{Services: []string{"sshd"}}, "  - {services: [sshd], from: [192.0.2.0/24, gate]}\n", ""},
		{"unset system accounts", open, Unset{SystemAccounts: true}, "system_accounts: true\n    users", "users"},
		{"unset a user beside system accounts", open, Unset{Users: []string{"c"}}, "    users: [c]\n", ""},
		{"unset a dated user", dated, Unset{Users: []string{"a", "b"}}, "  - {users: [a, b], by: 2026-12-31} # x\n", ""},
	}
	for _, test := range tests {
		t.Run(test.sentence, func(t *testing.T) { editsTo(t, test.src, test.change, test.old, test.new) })
	}
}

// An entry before the new one would decide in its place: the day that was asked for would look right and do nothing.
func TestADateThatWouldDoNothingIsRefused(t *testing.T) {
	by := Date{2026, 12, 31}
	for _, src := range []string{"version: 1\nrequire: [{users: [a]}]\n", "version: 1\nrequire: [{users: [a], by: 2027-12-31}]\n"} {
		got, err := Edit([]byte(src), AddRequire{Users: []string{"a"}, Services: []string{"sshd"}, By: by})
		if got != nil || !errors.Is(err, ErrGoesBefore) || !strings.HasSuffix(err.Error(), `: require[0] is about user "a" more widely, with another date`) {
			t.Errorf("%s: %q, %v", src, got, err)
		}
	}
}

// Who is told that nothing had to be changed is told by which entry, since that may count for longer than was meant.
func TestWhatCoversAnEntryMoreWidely(t *testing.T) {
	c := mustParse(t, "version: 1\nexempt: [{users: [a]}, {users: [a, b], until: 2026-12-31}, {users: [a], services: [sshd]}, {groups: [a]}]\n")
	for what, test := range map[string]struct {
		added Entry
		want  []Entry
	}{
		"narrower and shorter than two":  {Entry{Users: []string{"a"}, Services: []string{"su"}, Until: Date{2026, 12, 1}}, c.Exempt[:2]},
		"one of two users":               {Entry{Users: []string{"b", "d"}, Services: []string{"su"}, Until: Date{2026, 12, 1}}, c.Exempt[1:2]},
		"longer than what is wider":      {Entry{Users: []string{"b"}, Services: []string{"su"}}, nil},
		"in the same place":              {Entry{Users: []string{"b"}, Until: Date{2026, 12, 1}}, nil},
		"nobody whom an entry is about":  {Entry{Users: []string{"d"}, Services: []string{"su"}}, nil},
		"the same name, which is a kind": {Entry{Groups: []string{"b"}, Services: []string{"su"}}, nil},
	} {
		if got := Covering(c.Exempt, test.added); !slices.EqualFunc(got, test.want, sameEntry) {
			t.Errorf("%s: %v, want %v", what, got, test.want)
		}
	}
}

// An entry that loses its last user must go: what is left would be about
// everybody.
func TestUnsetNeverWidensAnEntry(t *testing.T) {
	for _, src := range []string{
		"version: 1\nexempt: [{users: [bob], services: [sshd]}, {users: [x]}]\n",
		"version: 1\nexempt:\n  - users: [bob]\n    services: [sshd]\n  - {users: [x]}\n",
		"version: 1\nexempt:\n  - {users: [bob], services: [sshd]}\n",
	} {
		got, err := Edit([]byte(src), Unset{Users: []string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
		if c := mustParse(t, string(got)); c.AsksNobody(Facts{Service: "sshd"}) || strings.Contains(string(got), "sshd") {
			t.Errorf("now everybody is exempt on sshd:\n%s", got)
		}
	}
}

func TestAnEditedInitialConfigurationStaysInOrder(t *testing.T) {
	src := Default()
	for _, change := range []Change{
		AddRequire{Groups: []string{"sudo"}}, AddExempt{Users: []string{"backup"}}, AddRequire{Users: []string{"alice"}},
		SetEnabled(false), SetDefault(Required),
	} {
		var err error
		if src, err = Edit(src, change); err != nil {
			t.Fatal(err)
		}
	}
	want := strings.Replace(string(Default()), "\nenabled: true\n", "\nenabled: false\n", 1)
	want = strings.Replace(want, "\ndefault: optional\n", "\ndefault: required\n", 1)
	want += "require:\n  - {groups: [sudo]}\n  - {users: [alice]}\nexempt:\n  - {users: [backup]}\n"
	if string(src) != want {
		t.Errorf("got\n%s", src)
	}
	for _, change := range []Change{Unset{Users: []string{"alice", "backup"}, Groups: []string{"sudo"}}, SetEnabled(true), SetDefault(Optional)} {
		var err error
		if src, err = Edit(src, change); err != nil {
			t.Fatal(err)
		}
	}
	if string(src) != string(Default()) {
		t.Errorf("taken back, got\n%s", src)
	}
}

func TestEditRefuses(t *testing.T) {
	tests := []struct {
		sentence, src string
		change        Change
		says          string
	}{
		{"a file that does not parse", "version: 1\nfoo: 1\n", SetEnabled(false), `line 2, column 1: unknown key "foo"`},
		{"nobody", site, AddRequire{}, "no user, group or service is named"},
		{"nobody to unset", site, Unset{}, "no user, group or service is named"},
		{"an empty name", site, AddRequire{Users: []string{""}}, "a user without a name"},
		{"a name with a line feed", site, AddRequire{Users: []string{"a\n  - {users: [b]}"}}, "the character U+000A is not allowed"},
		{"a name that is not UTF-8", site, AddExempt{Users: []string{"\xff"}}, "not UTF-8"},
		{"a negation", site, AddExempt{Groups: []string{"!wheel"}}, "there are no negations"},
		{"a service in capitals", site, AddExempt{Services: []string{"SSHD"}}, "lower case"},
		{"a day that is over before the entry starts", site, AddRequire{Users: []string{"a"}, Starts: Date{2027, 2, 1}, By: Date{2027, 1, 1}}, "is over before this starts"},
		{"an end before the start", site, AddRequire{Users: []string{"a"}, Starts: Date{2027, 2, 1}, Until: Date{2027, 1, 1}}, "before it starts"},
		{"a day to have a device by of an exemption", site, AddExempt{Users: []string{"a"}, By: Date{2027, 1, 1}}, "unknown key \"by\""},
		{"a source of a requirement", site, AddRequire{Users: []string{"a"}, From: []string{"10.0.0.0/8"}}, "unknown key \"from\""},
		{"system accounts that are required", site, AddRequire{SystemAccounts: true}, "unknown key \"system_accounts\""},
		{"a source with bits behind the prefix", site, AddExempt{From: []string{"10.0.0.1/8"}}, "10.0.0.0/8"},
		{"a source that is no address", site, AddExempt{From: []string{"10.0.0"}}, "is no address"},
		{"a source with a line feed", site, AddExempt{From: []string{"a\n- b"}}, "U+000A"},
		{"a decision that does not exist", site, SetDefault(7), "7 is no decision"},
		{"a file that would pass the cap", "version: 1\n" + strings.Repeat("#", MaxSource-20), AddRequire{Users: []string{"carol"}}, "the limit is 1048576"},
	}
	for _, test := range tests {
		t.Run(test.sentence, func(t *testing.T) {
			got, err := Edit([]byte(test.src), test.change)
			if got != nil || err == nil || !strings.Contains(err.Error(), test.says) || errors.Is(err, ErrByHand) {
				t.Errorf("got %q and %v, want an error with %q", got, err, test.says)
			}
		})
	}
}

// A fakeStep writes one thing and means another, as wrong surgery would.
type fakeStep struct{ written string }

func (s fakeStep) inText(*srcText, *Config) ([]byte, error) { return []byte(s.written), nil }
func (s fakeStep) inPolicy(c *Config) error                 { c.Off = true; return nil }

func TestATextThatDoesNotMeanTheChangeIsRefused(t *testing.T) {
	for written, want := range map[string]error{
		"version: 1\nenabled: false\n":                           nil,
		"version: 1\n":                                           ErrByHand,
		"version: 1\nenabled: false\ndefault: exempt\n":          ErrByHand,
		"version: 1\nenabled: false\nexempt: [{users: [x]}]\n":   ErrByHand,
		"version: 1\nenabled: false\nenabled: false\n":           ErrByHand,
		"version: 1\nenabled: false\npaths: {data: /srv}\n":      ErrByHand,
		"version: 1\nenabled: false\nexempt: [{services: []}]\n": ErrByHand,
	} {
		src := []byte("version: 1\n")
		text, err := openText(src)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := apply(text, mustParse(t, string(src)), fakeStep{written}); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", written, err, want)
		}
	}
}

// What the surgery does not understand it leaves alone.
func TestEditLeavesOddSpellingsToAPerson(t *testing.T) {
	tests := []struct {
		sentence, src string
		change        Change
	}{
		{"a word in a block", "version: 1\ndefault: |-\n  deny\n", SetDefault(Optional)},
		{"a word with escapes", "version: 1\ndefault: >-\n  deny\n", SetDefault(Optional)},
		{"an end of the document", "version: 1\n...\n", AddRequire{Users: []string{"a"}}},
		{"a dash on a line of its own", "version: 1\nrequire:\n  -\n    users: [a]\n", AddRequire{Users: []string{"b"}}},
		{"a dash on a line of its own, unset", "version: 1\nrequire:\n  -\n    users: [a]\n  - {users: [b]}\n", Unset{Users: []string{"a"}}},
		{"a comment between two keys", "version: 1\nrequire:\n  - users: [a]\n    # the rest\n    groups: [g]\n", Unset{Users: []string{"a"}}},
		{"a key with a question mark", "version: 1\n? require\n: - {users: [a]}\n", Unset{Users: []string{"a"}}},
		{"a comma on the next line", "version: 1\nrequire: [{users: [a # x\n  , b # y\n ]}]\n", Unset{Users: []string{"a"}}},
	}
	for _, test := range tests {
		t.Run(test.sentence, func(t *testing.T) {
			mustParse(t, test.src)
			if got, err := Edit([]byte(test.src), test.change); got != nil || !errors.Is(err, ErrByHand) {
				t.Errorf("got %q and %v, want ErrByHand", got, err)
			}
		})
	}
}

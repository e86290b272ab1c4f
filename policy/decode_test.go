package policy

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

type refusal struct {
	sentence, src string
	line, column  int
	says          string
}

// refusals are configurations that are wrong, each with where and what is said.
var refusals = []refusal{
	{"an empty file", "", 1, 1, "the configuration is empty"},
	{"comments alone", "# twokey\n", 1, 1, "the configuration is empty"},
	{"a document without anything", "---\n", 2, 1, "want settings such as version: 1, found none"},
	{"a list", "- version: 1\n", 1, 1, "found a list"},
	{"a word", "enabled\n", 1, 1, `want settings such as version: 1, found none`},
	{"a key in a file of its own", "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n", 1, 1, `want settings such as version: 1, found none`},
	{"a second document", "version: 1\n---\nversion: 1\n", 2, 1, "a second document begins here"},
	{"a second document after an end", "version: 1\n...\nenabled: false\n", 3, 1, "did not find expected <document start>"},
	{"a second document without anything", "version: 1\n---\n", 2, 1, "a second document begins here"},
	{"a second document that is no YAML", "version: 1\n--- [\n", 3, 1, "this is not YAML"},

	{"no version", "enabled: true\n", 1, 1, "version is missing"},
	{"no version, but an unknown key", "foo: 1\n", 1, 1, "version is missing"},
	{"another version", "version: 2\n", 1, 10, "a configuration of version 2, which this twokey does not know: it knows version 1"},
	{"another version goes before keys that are not known", "rulez: []\nversion: 2\n", 2, 10, "version 2"},
	{"version 0", "version: 0\n", 1, 10, "version 0"},
	{"version in another spelling", "version: 0x1\n", 1, 10, "version 0x1"},
	{"version as text", "version: '1'\n", 1, 10, `want version: 1, found the text "1"`},
	{"version with a fraction", "version: 1.0\n", 1, 10, "want version: 1, found the number 1.0"},
	{"version left empty", "version:\n", 1, 9, "want version: 1, found nothing"},

	{"an unknown key", "version: 1\nfoo: 1\n", 2, 1, `unknown key "foo"`},
	{"a misspelt key", "version: 1\n\nenable: true\n", 3, 1, `unknown key "enable" (did you mean "enabled"?)`},
	{"a key in capitals", "version: 1\nEnabled: true\n", 2, 1, `unknown key "Enabled" (did you mean "enabled"?)`},
	{"a key with two letters swapped", "version: 1\nreqiure: []\n", 2, 1, `(did you mean "require"?)`},
	{"a key far from all", "version: 1\nfail_open: true\n", 2, 1, `unknown key "fail_open"`},
	{"a key of a number", "version: 1\n2: true\n", 2, 1, "want a key, found the number 2"},
	{"a key that is a list", "version: 1\n[a]: true\n", 2, 1, "want a key, found a list"},
	{"a key twice", "version: 1\nenabled: true\nenabled: false\n", 3, 1, `the key "enabled" stands here again, first on line 2`},
	{"version twice", "version: 1\nversion: 1\n", 2, 1, `the key "version" stands here again, first on line 1`},
	{"a key twice in an entry", "version: 1\nrequire:\n  - users: [a]\n    users: [b]\n", 4, 5, `the key "users" stands here again, first on line 3`},
	{"an unknown key in an entry", "version: 1\nrequire:\n  - {user: [a]}\n", 3, 6, `unknown key "user" (did you mean "users"?)`},
	{"an unknown key in new_devices", "version: 1\nnew_devices: {digit: 6}\n", 2, 15, `unknown key "digit" (did you mean "digits"?)`},
	{"an unknown key in paths", "version: 1\npaths:\n  log: /x\n", 3, 3, `unknown key "log"`},

	{"an anchor", "version: 1\nissuer: &a x\n", 2, 9, "anchors (&a) are not allowed"},
	{"an alias", "version: 1\nrequire: [{users: [*a]}]\n", 0, 0, "this is not YAML: an alias (*) of no anchor"},
	{"an anchor on a key", "version: 1\n&a issuer: x\n", 2, 1, "anchors (&a) are not allowed"},
	{"a merge key", "version: 1\nrequire: [{<<: {users: [a]}}]\n", 2, 12, "merge keys (<<) are not allowed"},
	{"a tag", "version: 1\nissuer: !!str 1\n", 2, 9, `tags ("!!str") are not allowed`},
	{"a tag on a list", "version: 1\nrequire: !!set {a, b}\n", 2, 10, `tags ("!!set") are not allowed`},
	{"a tag with a line feed", "version: 1\nissuer: !a%0Ab x\n", 2, 9, `tags ("!a\nb") are not allowed`},
	{"deep nesting", "version: 1\nrequire: " + strings.Repeat("[", 20) + strings.Repeat("]", 20) + "\n", 2, 20, "this is nested too deeply"},
	{"very deep nesting", "version: 1\nrequire: " + strings.Repeat("[", 500000) + "\n", 0, 0, "exceeded max depth"},

	{"a byte order mark", "\ufeffversion: 1\n", 1, 1, "the character U+FEFF is not allowed"},
	{"Windows line ends", "version: 1\r\n", 1, 11, "a carriage return"},
	{"bytes that are not UTF-8", "version: 1\nissuer: caf\xe9\n", 2, 12, "this is not UTF-8"},
	{"UTF-16", "\xff\xfev\x00", 1, 1, "this is not UTF-8"},
	{"a NUL", "version: 1\n# \x00\n", 2, 3, "the character U+0000 is not allowed"},
	{"a line separator that hides a rule in a comment", "version: 1\n# é\u2028enabled: false\n", 2, 4, "the character U+2028 is not allowed"},
	{"a next line character", "version: 1\n# \u0085enabled: false\n", 2, 3, "the character U+0085 is not allowed"},
	{"a file above the cap", "version: 1\n" + strings.Repeat("#", MaxSource), 1, 1, "the limit is 1048576"},

	{"a bracket that is not closed", "version: 1\nrequire: [{users: [a]}\nenabled: true\n", 2, 1, "this is not YAML: did not find expected ',' or ']'"},
	{"a brace that is not closed", "version: 1\npaths: {data: /x\n", 2, 1, "this is not YAML: did not find expected ',' or '}'"},
	{"a quote that is not closed", "version: 1\nissuer: \"x\n", 2, 1, "found unexpected end of stream"},
	{"a tab as indentation", "version: 1\nrequire:\n\t- {users: [a]}\n", 3, 1, "a tab: indent with blanks"},
	{"a tab between", "version: 1\npaths:\n  data: /a\n\taudit: /b\n", 4, 1, "a tab: indent with blanks"},
	{"a key without a colon", "version: 1\nenabled\n", 2, 1, "this is not YAML: could not find expected ':'"},
	{"a colon too many", "version: 1\ncontact: call: Bob\n", 2, 1, "this is not YAML: mapping values are not allowed"},
	{"a reserved sign on the first line", "@: 1\n", 1, 1, "this is not YAML: found character that cannot start any token"},
	{"a list in the place of a key", "version: 1\n- {users: [a]}\n", 2, 1, "this is not YAML: did not find expected key"},
	{"a key that is indented too far", "version: 1\n  enabled: true\n", 2, 3, "this is not YAML: mapping values are not allowed"},
	{"an escape that does not exist", "version: 1\nissuer: \"\\q\"\n", 2, 1, "found unknown escape character"},

	{"yes for true", "version: 1\nenabled: yes\n", 2, 10, `want true or false, found the text "yes"`},
	{"on for true", "version: 1\nobserve: on\n", 2, 10, `want true or false, found the text "on"`},
	{"true in quotes", "version: 1\nenabled: 'true'\n", 2, 10, `want true or false, found the text "true"`},
	{"1 for true", "version: 1\nenabled: 1\n", 2, 10, "want true or false, found the number 1"},
	{"a switch left empty", "version: 1\nenabled:\n", 2, 9, "want true or false, found nothing"},
	{"a switch that is a list", "version: 1\nenabled: [true]\n", 2, 10, "want true or false, found a list"},

	{"an unknown decision", "version: 1\ndefault: require\n", 2, 10, `want required, optional, exempt or deny, found the text "require"`},
	{"a decision in capitals", "version: 1\ndefault: Deny\n", 2, 10, `found the text "Deny"`},
	{"a decision left empty", "version: 1\ndefault:\n", 2, 9, "found nothing"},
	{"a decision that is a list", "version: 1\ndefault: [deny]\n", 2, 10, "found a list"},

	{"a number as issuer", "version: 1\nissuer: 42\n", 2, 9, "want text, found the number 42: put it in quotes"},
	{"nothing as issuer", "version: 1\nissuer:\n", 2, 8, "want text, found nothing"},
	{"an issuer with a colon", "version: 1\nissuer: 'a:b'\n", 2, 9, "the issuer must not have a colon"},
	{"an issuer with a line feed", "version: 1\nissuer: \"a\\nb\"\n", 2, 9, "the character U+000A is not allowed"},
	{"an issuer with blanks around", "version: 1\nissuer: ' a'\n", 2, 9, "blanks around"},
	{"an issuer of 257 bytes", "version: 1\nissuer: " + strings.Repeat("a", 257) + "\n", 2, 9, "this text has 257 bytes, the limit is 256"},
	{"a contact with an escape sequence", "version: 1\ncontact: \"\\e[2J\"\n", 2, 10, "the character U+001B is not allowed"},
	{"a contact that is written from right to left", "version: 1\ncontact: \"a\\u202eb\"\n", 2, 10, "the character U+202E is not allowed"},
	{"a contact of nothing", "version: 1\ncontact: ''\n", 2, 10, "contact is empty"},
	{"a help_url without a scheme", "version: 1\nhelp_url: intranet\n", 2, 11, `want an address that begins with https:// or http://, found "intranet"`},
	{"a help_url of another scheme", "version: 1\nhelp_url: 'javascript:x'\n", 2, 11, "want an address"},
	{"a help_url with a blank", "version: 1\nhelp_url: https://a b\n", 2, 11, "want an address"},
	{"a help_url of a scheme alone", "version: 1\nhelp_url: https://\n", 2, 11, "want an address"},

	{"digits with a fraction", "version: 1\nnew_devices: {digits: 6.5}\n", 2, 23, "want a whole number from 4 to 12, found the number 6.5"},
	{"digits that are whole with a fraction", "version: 1\nnew_devices: {digits: 6.0}\n", 2, 23, "found the number 6.0"},
	{"3 digits", "version: 1\nnew_devices: {digits: 3}\n", 2, 23, "want a whole number from 4 to 12"},
	{"13 digits", "version: 1\nnew_devices: {digits: 13}\n", 2, 23, "want a whole number from 4 to 12"},
	{"digits as text", "version: 1\nnew_devices: {digits: six}\n", 2, 23, `found the text "six"`},
	{"digits in octal", "version: 1\nnew_devices: {digits: 010}\n", 2, 23, "found the number 010"},
	{"digits with a sign", "version: 1\nnew_devices: {digits: +6}\n", 2, 23, "found the number +6"},
	{"a period without a unit", "version: 1\nnew_devices: {period: 30}\n", 2, 23, "want a time with its unit, whole seconds from 10s to 5m, found the number 30"},
	{"a period of 9 seconds", "version: 1\nnew_devices: {period: 9s}\n", 2, 23, `found the text "9s"`},
	{"a period of 301 seconds", "version: 1\nnew_devices: {period: 301s}\n", 2, 23, `found the text "301s"`},
	{"a period that is not whole", "version: 1\nnew_devices: {period: 30.5s}\n", 2, 23, `found the text "30.5s"`},
	{"a period below zero", "version: 1\nnew_devices: {period: -30s}\n", 2, 23, `found the text "-30s"`},
	{"an unknown algorithm", "version: 1\nnew_devices: {algorithm: MD5}\n", 2, 26, `want SHA1, SHA256 or SHA512, found "MD5"`},
	{"an algorithm in small letters", "version: 1\nnew_devices: {algorithm: sha1}\n", 2, 26, `found "sha1"`},
	{"new_devices that is empty", "version: 1\nnew_devices: {}\n", 2, 14, "this is empty: leave it out"},
	{"new_devices that is a word", "version: 1\nnew_devices: default\n", 2, 14, "want keys and values"},
	{"a discrepancy with a fraction", "version: 1\ndiscrepancy: 1.5\n", 2, 14, "want a whole number from 0 to 480, found the number 1.5"},
	{"a discrepancy of 481", "version: 1\ndiscrepancy: 481\n", 2, 14, "want a whole number from 0 to 480, found the number 481"},
	{"a discrepancy below zero", "version: 1\ndiscrepancy: -1\n", 2, 14, "found the number -1"},
	{"a discrepancy that overflows", "version: 1\ndiscrepancy: 99999999999999999999\n", 2, 14, "want a whole number"},
	{"a discrepancy with underscores", "version: 1\ndiscrepancy: 1_0\n", 2, 14, "found the number 1_0"},

	{"a relative path", "version: 1\npaths: {data: var/lib}\n", 2, 15, `want an absolute path without . or .. or a slash at its end, found "var/lib"`},
	{"a path with ..", "version: 1\npaths: {data: /var/../etc}\n", 2, 15, "want an absolute path"},
	{"a path with a slash at its end", "version: 1\npaths: {data: /var/}\n", 2, 15, "want an absolute path"},
	{"the root as a path", "version: 1\npaths: {data: /}\n", 2, 15, "want an absolute path"},
	{"a path of nothing", "version: 1\npaths: {key: ''}\n", 2, 14, "want an absolute path"},
	{"a path with a line feed", "version: 1\npaths: {key: \"/a\\nb\"}\n", 2, 14, "the character U+000A is not allowed"},
	{"one path for two things", "version: 1\npaths: {audit: /etc/twokey/host.key}\n", 2, 8, "stands for two different things"},

	{"require that is empty", "version: 1\nrequire: []\n", 2, 10, "found an empty list: leave the key out"},
	{"require that is nothing", "version: 1\nrequire:\n", 2, 9, "found nothing"},
	{"require that is no list", "version: 1\nrequire: {users: [a]}\n", 2, 10, "want a list of entries such as - {groups: [wheel]}, found keys and values"},
	{"exempt that is a name", "version: 1\nexempt: root\n", 2, 9, `found the text "root"`},
	{"an entry that is a name", "version: 1\nrequire: [alice]\n", 2, 11, `want keys and values, found the text "alice"`},
	{"an entry without anything", "version: 1\nrequire:\n  - {}\n", 3, 5, "this is empty: leave it out"},
	{"an entry that is nothing", "version: 1\nrequire:\n  -\n", 3, 4, "found nothing"},
	{"an empty list of users is not everybody", "version: 1\nexempt:\n  - {users: [], services: [sshd]}\n", 3, 13, "want a list of names such as [alice], found an empty list: leave the key out"},
	{"an empty list of services", "version: 1\nexempt: [{users: [a], services: []}]\n", 2, 33, "such as [sshd], found an empty list"},
	{"users that are nothing", "version: 1\nexempt:\n  - users:\n    services: [sshd]\n", 3, 11, "found nothing"},
	{"a name in the place of a list", "version: 1\nrequire: [{groups: wheel}]\n", 2, 20, `want a list of names such as [wheel], found the text "wheel"`},

	{"a number as a user", "version: 1\nrequire: [{users: [123]}]\n", 2, 20, "want text, found the number 123: put it in quotes"},
	{"null as a user", "version: 1\nrequire: [{users: [null]}]\n", 2, 20, "want text, found nothing"},
	{"a tilde as a user", "version: 1\nrequire: [{users: [~]}]\n", 2, 20, "want text, found nothing"},
	{"true as a user", "version: 1\nrequire: [{users: [true]}]\n", 2, 20, "want text, found the truth value true: put it in quotes"},
	{"a date as a user", "version: 1\nrequire: [{users: [2026-12-31]}]\n", 2, 20, `want text, found the date "2026-12-31": put it in quotes`},
	{"a list as a user", "version: 1\nrequire: [{users: [[a]]}]\n", 2, 20, "want text, found a list"},
	{"a user without a name", "version: 1\nrequire: [{users: ['']}]\n", 2, 20, "a user without a name"},
	{"the third user is wrong", "version: 1\nrequire:\n  - users:\n      - alice\n      - bob\n      - 7\n", 6, 9, "found the number 7"},
	{"a negation", "version: 1\nrequire: [{groups: ['!wheel']}]\n", 2, 21, `"!wheel": there are no negations: list the groups that are meant`},
	{"a negation with a dash", "version: 1\nrequire: [{users: ['-bob']}]\n", 2, 20, "there are no negations"},
	{"a negation with a tilde", "version: 1\nexempt: [{users: [~bob]}]\n", 2, 19, "there are no negations"},
	{"a group in the manner of sudoers", "version: 1\nrequire: [{users: ['%wheel']}]\n", 2, 20, "write a group's name under groups"},
	{"a pattern", "version: 1\nrequire: [{users: ['*']}]\n", 2, 20, "there are no patterns"},
	{"two names in one", "version: 1\nrequire: [{users: ['a,b']}]\n", 2, 20, "has no colon or comma"},
	{"a user with a colon", "version: 1\nrequire: [{users: ['a:b']}]\n", 2, 20, "has no colon or comma"},
	{"a user with a blank before", "version: 1\nrequire: [{users: [' a']}]\n", 2, 20, "blanks around"},
	{"a user with a line feed", "version: 1\nrequire: [{users: [\"a\\nb\"]}]\n", 2, 20, "the character U+000A is not allowed"},
	{"a user with a NUL", "version: 1\nrequire: [{users: [\"a\\0\"]}]\n", 2, 20, "the character U+0000 is not allowed"},
	{"a user with an invisible character", "version: 1\nrequire: [{users: [\"a\\u200b\"]}]\n", 2, 20, "the character U+200B is not allowed"},
	{"a user of 257 bytes", "version: 1\nrequire: [{users: [" + strings.Repeat("a", 257) + "]}]\n", 2, 20, "the limit is 256"},
	{"a service in capitals", "version: 1\nrequire: [{services: [SSHD]}]\n", 2, 23, `PAM turns service names to lower case: write "sshd"`},
	{"a service with its folder", "version: 1\nrequire: [{services: [/etc/pam.d/sshd]}]\n", 2, 23, "a service is the name of a file"},

	{"a user both required and exempt", "version: 1\nrequire:\n  - {users: [a, bob]}\nexempt:\n  - {users: [bob]}\n", 5, 14, `the user "bob" is in exempt here and in require on line 3`},
	{"the same in the other order", "version: 1\nexempt: [{users: [bob]}]\nrequire: [{users: [bob]}]\n", 3, 20, `the user "bob" is in require here and in exempt on line 2`},
	{"a group both required and exempt", "version: 1\nrequire: [{groups: [g]}]\nexempt: [{users: [g], groups: [h, g]}]\n", 3, 35, `the group "g" is in exempt here`},
	{"a service both required and exempt for everybody", "version: 1\nrequire: [{services: [sshd]}]\nexempt: [{services: [cron, sshd]}]\n", 3, 28, `the service "sshd" is in exempt here`},
}

func TestParseRefuses(t *testing.T) {
	for _, test := range allRefusals() {
		t.Run(test.sentence, func(t *testing.T) {
			c, err := Parse([]byte(test.src))
			var e *Error
			if c != nil || !errors.As(err, &e) {
				t.Fatalf("got %+v and %v, want an *Error alone", c, err)
			}
			if test.line != 0 && (e.Line != test.line || e.Column != test.column) || !strings.Contains(e.Msg, test.says) {
				t.Errorf("got  %v\nwant line %d, column %d: … %s …", e, test.line, test.column, test.says)
			}
			if want := fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Msg); err.Error() != want || strings.ContainsAny(e.Msg, "\n\r\x1b\x00") {
				t.Errorf("not one safe line: %q", err)
			}
		})
	}
}

func TestParseReadsEveryKey(t *testing.T) {
	c := mustParse(t, everyKey)
	entry := Entry{Users: []string{"alice", `DOM\bob`, "user@example.org", "o'neill"}, Groups: []string{"wheel", "domain admins"}}
	never, place := time.Duration(0), []string{"192.0.2.0/24", "2001:DB8::1", "Bastion.example.org"}
	want := Config{
		Off: true, OffUntil: time.Date(2026, 11, 21, 23, 30, 0, 0, time.UTC), Observe: true, Language: "de",
		Messages: map[Message]string{MsgRefused: "Nein. %CONTACT% <hilft>."},
		Issuer:   "R&D <Ltd> Ünïcode 🔑", Contact: `the IT desk, "Bob's"`, HelpURL: "https://intranet.example.org/2fa?a=1&b=2", Default: Deny,
		Require: []Entry{entry, {Services: []string{"sshd", "systemd-user"}, Starts: Date{2026, 11, 1}, By: Date{2026, 12, 31}, Until: Date{2027, 1, 31}}},
		Exempt: []Entry{{Users: []string{"123", "true"}, Services: []string{"xrdp-sesman"}, Until: Date{2026, 12, 31}},
			{SystemAccounts: true, From: place}},
		Rules: []Rule{{Name: "nights", Users: []string{"eve"}, Groups: []string{"guests"}, Services: []string{"sshd"}, From: []string{"::/0"},
			SSHAuth: []string{"certificate", "publickey"}, TTY: []string{"remote"}, Weekdays: []time.Weekday{time.Sunday, time.Monday},
			Hours: []Hours{{22 * 60, 6 * 60}, {12 * 60, 24 * 60}}, Zone: berlin, Then: Required, Methods: []string{"recovery", "totp"}, Remember: &never,
			EnrollByAdmin: true}, {TTY: []string{"console"}, Then: Exempt}},
		Services: map[string]Way{"vsftpd": Appended, "cockpit": Earlier, "xrdp-sesman": Never, "nagios": NotALogin, "dovecot": Prompt},
		EnrollOn: map[string]bool{"dovecot": false, "kiosk": true}, AtLogin: AtLoginYes,
		NewDevices: NewDevices{Digits: 8, Period: 90 * time.Second, Algorithm: "SHA512"}, Discrepancy: 480, Remember: 90 * time.Minute,
		Shared: []string{"198.51.100.7", "2001:db8::/32"}, SSHKeysAlone: KeysDeny, OpenWithin: 5 * time.Minute, Methods: []string{"recovery", "totp", "sms", "push"},
		MethodsDefault: DefaultLast,
		SMS: &SMS{Provider: "twilio", AccountSID: "AC0123456789abcdef0123456789abcdef", APIKeySID: "SK0123456789abcdef0123456789abcdef",
			APIKeySecretFile: "twilio.key", MessagingServiceSID: "MG0123456789abcdef0123456789abcdef", URL: "http://127.0.0.1:8080",
			Message: "%CODE% for %ISSUER% on %HOST%, %MINUTES% min", Digits: 8, ValidFor: 10 * time.Minute, PerHour: 20,
			Connect: 2 * time.Second, Timeout: 20 * time.Second},
		Push: &Push{Provider: "ntfy", URL: "https://ntfy.example.org:8443", TokenFile: "ntfy.token", AnswerTokenFile: "ntfy-answer.token",
			Wait: 85 * time.Second, Connect: time.Second, Timeout: 30 * time.Second},
		Bypass: Bypass{Who{Users: []string{"lena"}, Groups: []string{"team-leads"}}, 48 * time.Hour},
		Roles: Roles{Helpdesk: Who{Groups: []string{"helpdesk"}}, Auditor: Who{Users: []string{"oscar", "1"}},
			Protected: Who{Users: []string{"lena"}, Groups: []string{"sysops", "domain admins"}}},
		Provisioners: []string{"twokey-signer1k7vPYNBxlL0sKWA1v8J7dzUK35I_ZwGdZkOslN1x7E4", aSigner},
		OnFault:      FaultConsole, ManagedBy: "ansible",
		Mail:  Mail{"mail.example.org:587", "2fa@example.org", "%USER%@example.org", "twokey", "mail.password"},
		Paths: Paths{Data: "/srv/2fa", Audit: "/srv/log/a.jsonl", Key: "/srv/k", Credentials: "/srv/c"},
	}
	if !reflect.DeepEqual(*c, want) {
		t.Errorf("got\n%+v\nwant\n%+v", *c, want)
	}
}

func TestParseAccepts(t *testing.T) {
	tests := map[string]string{
		"the least":                              "version: 1",
		"a document start and end":               "---\nversion: 1\n...\n",
		"a YAML directive":                       "%YAML 1.1\n---\nversion: 1\n",
		"JSON":                                   `{"version": 1, "require": [{"users": ["a"]}]}`,
		"True as some templates write it":        "version: 1\nenabled: True\n",
		"the bounds below":                       "version: 1\ndiscrepancy: 0\nnew_devices: {digits: 4, period: 10s, algorithm: SHA1}\n",
		"the bounds above":                       "version: 1\ndiscrepancy: 480\nnew_devices: {digits: 12, period: 300s, algorithm: SHA512}\n",
		"a period in minutes":                    "version: 1\nnew_devices: {period: 5m}\n",
		"a text over two lines":                  "version: 1\ncontact: >-\n  the IT desk,\n  first floor\n",
		"an empty issuer and help_url":           "version: 1\nissuer: ''\nhelp_url: ''\n",
		"a path given, the others by default":    "version: 1\npaths: {data: /srv/twokey}\n",
		"users named like words of YAML 1.1":     "version: 1\nrequire: [{users: [yes, no, on, off, y, n]}]\n",
		"a number and a word as names, quoted":   "version: 1\nrequire: [{users: ['1000', 'null', \"true\"]}]\n",
		"a user and a group of one name":         "version: 1\nrequire: [{users: [x]}]\nexempt: [{groups: [x]}]\n",
		"required and exempt on one service":     "version: 1\nrequire: [{users: [x]}]\nexempt: [{users: [x], services: [cron]}]\n",
		"exempt and required on one service":     "version: 1\nrequire: [{users: [x], services: [sshd]}]\nexempt: [{users: [x]}]\n",
		"a name twice in one list":               "version: 1\nrequire: [{users: [x, x]}, {users: [x]}]\n",
		"a name of 256 bytes":                    "version: 1\nrequire: [{users: [" + strings.Repeat("é", 128) + "]}]\n",
		"no message is replaced":                 "version: 1\nmessages: {}\n",
		"managed by nobody":                      "version: 1\nmanaged_by: ''\n",
		"required from a day on, and exempt":     "version: 1\nrequire: [{users: [x], starts: 2026-12-31}]\nexempt: [{users: [x]}]\n",
		"required, and exempt until a day":       "version: 1\nrequire: [{users: [x]}]\nexempt: [{users: [x], until: 2026-12-31}]\n",
		"required, and exempt from somewhere":    "version: 1\nrequire: [{services: [sshd]}]\nexempt: [{services: [sshd], from: [192.0.2.9]}]\n",
		"one day for everything":                 "version: 1\nrequire: [{users: [x], starts: 2026-12-31, by: 2026-12-31}]\n",
		"hours without quotes in a list":         "version: 1\nrules:\n- hours:\n  - 08:00-12:00\n  - 13:00-24:00\n  then: deny\n",
		"a day of 29 February":                   "version: 1\nexempt: [{users: [x], until: 2028-02-29}]\n",
		"the longest and the shortest times":     "version: 1\nremember: 720h\nopen_within: 10s\n",
		"the whole of IPv4 and IPv6":             "version: 1\nexempt: [{from: [0.0.0.0/0, '::/0', '::ffff:0:0/96']}]\n",
		"a name of a host with an underscore":    "version: 1\nexempt: [{from: [my_host-1.example.org, localhost]}]\n",
		"mail to an address in brackets":         "version: 1\nmail: {server: '[2001:db8::1]:25', from: a@b, to: '%USER%@b'}\n",
		"a built-in service asked after all":     "version: 1\nservices: {cron: {ask: prompt}}\n",
		"a group with a blank, a host's account": "version: 1\nrequire: [{users: [host$], groups: [domain admins]}]\n",
	}
	for sentence, src := range tests {
		t.Run(sentence, func(t *testing.T) {
			compiled := mustParse(t, src).Compile(zeros)
			if _, _, err := Load(compiled); err != nil {
				t.Errorf("%v\n%s", err, compiled)
			}
		})
	}
}

// A login has to ask for each group, and the module counts what the helper asks: more groups than that would deny everybody.
func TestAConfigurationNamesNoMoreGroupsThanALoginCanAskFor(t *testing.T) {
	list := func(n int) []byte {
		var b strings.Builder
		b.WriteString("version: 1\nexempt: [{groups: [g0, g1]}]\nrequire:\n")
		for i := range n {
			fmt.Fprintf(&b, "  - {groups: [g%d], services: [sshd]}\n", i)
		}
		return []byte(b.String())
	}
	c, err := Parse(list(MaxGroups))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Groups(); len(got) != MaxGroups || got[0] != "g0" || got[MaxGroups-1] != fmt.Sprint("g", MaxGroups-1) {
		t.Errorf("%d groups", len(got))
	}
	if _, err := Parse(list(MaxGroups + 1)); err == nil || !strings.Contains(err.Error(), "501 different groups are named, at most 500 can be") {
		t.Errorf("one more: %v", err)
	}
}

package policy

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

func TestSetKey(t *testing.T) {
	const commandLine, pushLines = "version: 1\n" + commandSMS + "\n", "version: 1\npush:\n  provider: ntfy\n  url: https://ntfy.example.org\n  token_file: ntfy.token\n"
	const nested = "version: 1\nnew_devices:   # phones\n  digits: 6 # six\n  period: 30s\npaths: {data: /srv/twokey} # big disk\nmethods:\n  - totp\n  - recovery\n# end\n"
	set := func(key, value string) Change { return SetKey{Key: key, Value: value} }
	unset := func(key string) Change { return SetKey{Key: key, Unset: true} }
	tests := []struct {
		sentence string
		src      string
		change   Change
		old, new string // what is different; "" and "": nothing
	}{
		{"a number that stands there", "version: 1\ndiscrepancy: 1 # narrow\n", set("discrepancy", "2"), ": 1 #", ": 2 #"},
		{"the number that stands there", "version: 1\ndiscrepancy: 1 # narrow\n", set("discrepancy", "1"), "", ""},
		{"the default, where nothing is said", "version: 1\n", set("discrepancy", "1"), "1\n", "1\ndiscrepancy: 1\n"},
		{"a truth value", site, set("enabled", "false"), "true  ", "false  "},
		{"a text", "version: 1\n", set("issuer", "Example Ltd"), "1\n", "1\nissuer: Example Ltd\n"},
		{"a text with a sign of YAML", "version: 1\n", set("contact", "the desk: #4711, room [3]"), "1\n", "1\ncontact: 'the desk: #4711, room [3]'\n"},
		{"a text that is a number", "version: 1\n", set("issuer", "4711"), "1\n", "1\nissuer: '4711'\n"},
		{"a text that is a truth value", "version: 1\n", set("issuer", "true"), "1\n", "1\nissuer: 'true'\n"},
		{"a text in quotes", "version: 1\n", set("issuer", `"Example Ltd"`), "1\n", "1\nissuer: 'Example Ltd'\n"},
		{"a text with an apostrophe", "version: 1\n", set("issuer", "O'Neill"), "1\n", "1\nissuer: 'O''Neill'\n"},
		{"no text", "version: 1\nhelp_url: https://example.org\n", set("help_url", ""), "https://example.org", "''"},
		{"an address", "version: 1\n", set("help_url", "https://example.org/2fa"), "1\n", "1\nhelp_url: https://example.org/2fa\n"},
		{"a time", "version: 1\n", set("remember", "12h"), "1\n", "1\nremember: 12h\n"},
		{"a moment", "version: 1\n", set("off_until", "2026-11-21T23:30:00Z"), "1\n", "1\noff_until: 2026-11-21T23:30:00Z\n"},
		{"below the comment that shows it", string(Default()), set("discrepancy", "2"), "# discrepancy: 1\n", "# discrepancy: 1\ndiscrepancy: 2\n"},
		{"a key below another", nested, set("new_devices.digits", "8"), "digits: 6 #", "digits: 8 #"},
		{"a key that is missing below another", nested, set("new_devices.algorithm", "SHA256"), "period: 30s\n", "period: 30s\n  algorithm: SHA256\n"},
		{"a key that is missing in braces", nested, set("paths.key", "/srv/key"), "/srv/twokey}", "/srv/twokey, key: /srv/key}"},
		{"a key whose mapping is missing", "version: 1\n", set("new_devices.digits", "8"), "1\n", "1\nnew_devices: {digits: 8}\n"},
		{"a whole mapping", nested, set("paths", "{data: /a, audit: /b}"), "{data: /srv/twokey}", "{data: /a, audit: /b}"},
		{"a list in the place of lines", nested, set("methods", "[recovery,totp,]"), "methods:\n  - totp\n  - recovery", "methods: [recovery, totp]"},
		{"a list in brackets", "version: 1\nshared: [ 10.0.0.0/8 ] # nat\n", set("shared", "['192.0.2.0/24', 2001:db8::/32]"), "[ 10.0.0.0/8 ]", "[192.0.2.0/24, '2001:db8::/32']"},
		{"how a service asks", "version: 1\n", set("services.vsftpd.ask", "appended"), "1\n", "1\nservices: {vsftpd: {ask: appended}}\n"},
		{"how another service asks", "version: 1\nservices:\n  a: {ask: never}\n", set("services.gdm-password.ask", "never"), "never}\n", "never}\n  gdm-password: {ask: never}\n"},
		{"a service with a dot in its name", "version: 1\nservices: {a.b: {ask: never}}\n", set("services.a.b.ask", "earlier"), "never", "earlier"},
		{"a service with its braces", "version: 1\n", set("services.vsftpd", "{ask: appended}"), "1\n", "1\nservices: {vsftpd: {ask: appended}}\n"},
		{"a replaced text", "version: 1\n", set("messages.prompt", "Code, please: "), "1\n", "1\nmessages: {prompt: 'Code, please: '}\n"},
		{"who enrols at a login", "version: 1\n", set("enroll.at_login", "yes"), "1\n", "1\nenroll: {at_login: 'yes'}\n"},
		{"who enrols at a login, beside notice", "version: 1\nenroll: {notice: true}\n", set("enroll.at_login", "no"), "notice: true}", "notice: true, at_login: 'no'}"},
		{"that one can enrol at a service", "version: 1\n", set("services.kiosk.enroll", "true"), "1\n", "1\nservices: {kiosk: {enroll: true}}\n"},
		{"that one cannot at another", "version: 1\nservices: {su: {ask: prompt}}\n", set("services.su.enroll", "false"), "prompt}", "prompt, enroll: false}"},
		{"a helpdesk", "version: 1\n", set("roles.helpdesk", "{groups: [helpdesk]}"), "1\n", "1\nroles: {helpdesk: {groups: [helpdesk]}}\n"},
		{"a larger helpdesk", "version: 1\nroles:\n  helpdesk: {groups: [helpdesk]} # first floor\n", set("roles.helpdesk", "{users: [carol], groups: [helpdesk]}"), "{groups: [h", "{users: [carol], groups: [h"},
		{"how long a bypass code works", "version: 1\nbypass: {longest: 1h}\n", set("bypass.longest", "2h"), "1h", "2h"},
		{"who may ask for one", "version: 1\nbypass: {longest: 1h}\n", set("bypass.requesters", "{users: [lena]}"), "1h}", "1h, requesters: {users: [lena]}}"},
		{"whose files are accepted", "version: 1\n", set("provisioners", "["+aSigner+"]"), "1\n", "1\nprovisioners: [" + aSigner + "]\n"},
		{"that one can enrol taken out", "version: 1\nservices: {a: {ask: never}, kiosk: {enroll: true}}\n", unset("services.kiosk.enroll"), ", kiosk: {enroll: true}", ""},
		{"ask taken out beside enroll", "version: 1\nservices: {kiosk: {ask: prompt, enroll: true}}\n", unset("services.kiosk.ask"), "ask: prompt, ", ""},
		{"a role taken out", "version: 1\nroles: {helpdesk: {users: [a]}, auditor: {users: [b]}}\n", unset("roles.auditor"), ", auditor: {users: [b]}", ""},
		{"the last role taken out", "version: 1\nroles: {helpdesk: {users: [a]}}\nissuer: x\n", unset("roles.helpdesk"), "roles: {helpdesk: {users: [a]}}\n", ""},
		{"rules", "version: 1\n", set("rules", "[{groups: [staff], from: [192.0.2.0/24], then: optional}]"), "1\n",
			"1\nrules: [{groups: [staff], from: [192.0.2.0/24], then: optional}]\n"},
		{"in JSON", `{"version":1,"discrepancy":1}`, set("discrepancy", "3"), `y":1}`, `y":3}`},
		{"in JSON where nothing is said", `{"version":1}`, set("new_devices.digits", "8"), `1}`, `1, new_devices: {digits: 8}}`},
		{"managed by", "version: 1\n", set("managed_by", "ansible"), "1\n", "1\nmanaged_by: ansible\n"},
		{"what an empty answer takes", "version: 1\n", set("methods_default", "last"), "1\n", "1\nmethods_default: last\n"},
		{"the text of an SMS", commandLine, set("sms.message", "Code: %CODE%, from %HOST%"), "send-sms]}", "send-sms], message: 'Code: %CODE%, from %HOST%'}"},
		{"how long its code is good", commandLine, set("sms.valid_for", "2m"), "send-sms]}", "send-sms], valid_for: 2m}"},
		{"how long, as it is already", commandLine, set("sms.valid_for", "300s"), "send-sms]}", "send-sms], valid_for: 300s}"},
		{"a number that messages come from", twilio + "  sender: Example # for now\n", set("sms.sender", "+15005550006"), "Example #", "'+15005550006' #"},
		{"another account", twilio + "  sender: Example\n", set("sms.account_sid", "ACffffffffffffffffffffffffffffffff"), "AC" + hex32, "ACffffffffffffffffffffffffffffffff"},
		{"a program", commandLine, set("sms.command", "[/bin/send, -q]"), "[/usr/local/bin/send-sms]", "[/bin/send, '-q']"},
		{"all of SMS", "version: 1\n", set("sms", "{provider: command, command: [/bin/send]}"), "1\n", "1\nsms: {provider: command, command: [/bin/send]}\n"},
		{"all of push in the place of another", pushLines, set("push", "{provider: duo, api_host: api-1.duosecurity.com, integration_key: DIABCDEFGHIJ12345678, secret_key_file: s}"),
			"push:\n  provider: ntfy\n  url: https://ntfy.example.org\n  token_file: ntfy.token\n", "push: {provider: duo, api_host: api-1.duosecurity.com, integration_key: DIABCDEFGHIJ12345678, secret_key_file: s}\n"},
		{"a number to match no longer", pushLines, set("push.match_number", "false"), "ntfy.token\n", "ntfy.token\n  match_number: false\n"},
		{"how long push waits", pushLines, set("push.wait", "30s"), "ntfy.token\n", "ntfy.token\n  wait: 30s\n"},
		{"where ntfy is", pushLines, set("push.url", "https://ntfy.example.net:8443"), "https://ntfy.example.org", "https://ntfy.example.net:8443"},
		{"Duo's host, of which the address is made", "version: 1\npush: {provider: duo, api_host: api-1.duosecurity.com, integration_key: DIABCDEFGHIJ12345678, secret_key_file: s}\n",
			set("push.api_host", "api-2.duosecurity.com"), "api-1", "api-2"},

		{"push taken out", pushLines, unset("push"), "push:\n  provider: ntfy\n  url: https://ntfy.example.org\n  token_file: ntfy.token\n", ""},
		{"a text of an SMS taken out", strings.Replace(commandLine, "]}", "], message: '%CODE%'}", 1), unset("sms.message"), ", message: '%CODE%'", ""},
		{"taken out", "version: 1\ndiscrepancy: 1 # narrow\nissuer: x\n", unset("discrepancy"), "discrepancy: 1 # narrow\n", ""},
		{"taken out where it does not stand", site, unset("discrepancy"), "", ""},
		{"taken out of a mapping", nested, unset("new_devices.digits"), "  digits: 6 # six\n", ""},
		{"the last of a mapping taken out", nested, unset("paths.data"), "paths: {data: /srv/twokey} # big disk\n", ""},
		{"a list taken out", nested, unset("methods"), "methods:\n  - totp\n  - recovery\n", ""},
		{"a service taken out", "version: 1\nservices: {a: {ask: never}, b: {ask: never}}\n", unset("services.a.ask"), "a: {ask: never}, ", ""},
		{"the only service taken out", "version: 1\nservices: {a: {ask: never}}\nissuer: x\n", unset("services.a"), "services: {a: {ask: never}}\n", ""},
		{"taken out of JSON", `{"version":1,"discrepancy":2}`, unset("discrepancy"), `,"discrepancy":2`, ``},
	}
	for _, test := range tests {
		t.Run(test.sentence, func(t *testing.T) { editsTo(t, test.src, test.change, test.old, test.new) })
	}
}

// editsTo demands that a change replaces old, which stands there once, by new.
func editsTo(t *testing.T, src string, change Change, old, new string) {
	t.Helper()
	want := src
	if old != "" {
		if strings.Count(want, old) != 1 {
			t.Fatalf("%q is not there once", old)
		}
		want = strings.Replace(want, old, new, 1)
	}
	got, err := Edit([]byte(src), change)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if again, err := Edit(got, change); err != nil || string(again) != string(got) {
		t.Errorf("the same change again: error %v\n%s", err, again)
	}
}

func TestSetKeyRefuses(t *testing.T) {
	at := func(line, column int, msg string) *Error { return &Error{line, column, msg} }
	tests := []struct {
		sentence, src, key, value string
		want                      error // nil: any other
		says                      string
	}{
		{"a number that is too large", "version: 1\n# x\ndiscrepancy: 1\n", "discrepancy", "481", at(3, 14, ""), "from 0 to 480"},
		{"a number that is not whole", "version: 1\n", "discrepancy", "1.5", at(2, 14, ""), "want a whole number"},
		{"a number below another key", "version: 1\nnew_devices: {digits: 6}\n", "new_devices.digits", "13", at(2, 23, ""), "from 4 to 12"},
		{"nothing", "version: 1\n", "discrepancy", "", at(2, 13, ""), "want a whole number"},
		{"a method that does not exist", "version: 1\n", "methods", "[totp, carrier-pigeon]", at(2, 17, ""), "carrier-pigeon"},
		{"a text where a list belongs", "version: 1\n", "methods", "totp", at(2, 10, ""), "want a list"},
		{"an empty list", "version: 1\n", "shared", "[]", at(2, 9, ""), "empty list"},
		{"a network with bits behind the prefix", "version: 1\n", "shared", "[192.0.2.1/24]", at(2, 10, ""), "192.0.2.0/24"},
		{"a way that does not exist", "version: 1\n", "services.vsftpd.ask", "sometimes", at(2, 26, ""), "sometimes"},
		{"a message that does not exist", "version: 1\n", "messages.prompf", "x", nil, `unknown message "prompf" (did you mean "prompt"?)`},
		{"one path for two things", "version: 1\n", "paths.data", "/etc/twokey/host.key", at(2, 8, ""), "two different things"},
		{"a mail setting that needs others", "version: 1\n", "mail.user", "x", at(2, 7, ""), "mail needs from and to"},
		{"who is required and exempt", "version: 1\nexempt: [{users: [a]}]\n", "require", "[{users: [a]}]", at(3, 19, ""), "it can be in one of them"},
		{"an unknown key inside", "version: 1\n", "new_devices", "{digts: 6}", at(2, 15, ""), `did you mean "digits"`},
		{"an anchor", "version: 1\n", "methods", "&a [totp]", at(2, 10, ""), "want a list"},

		{"a list with a comment", "version: 1\n", "methods", "[totp] # only", at(2, 10, ""), "want a list"},
		{"a number with blanks", "version: 1\n", "discrepancy", "2 ", at(2, 14, ""), "want a whole number"},
		{"a text with blanks", "version: 1\n", "issuer", "x ", at(2, 9, ""), "blanks around the text"},
		{"the sign of a text on the next lines", "version: 1\n", "help_url", ">", at(2, 11, ""), "https://"},

		{"a key of SMS without a provider", "version: 1\n", "sms.digits", "8", at(2, 6, ""), "provider is missing: it is one of twilio, command, smtp"},
		{"a provider without its keys", "version: 1\n", "sms.provider", "twilio", at(2, 6, ""), "provider twilio needs account_sid"},
		{"a message without the code", "version: 1\nsms: {provider: command, command: [/bin/send]}\n", "sms.message", "hello", at(2, 57, ""), "the message has no %CODE%"},
		{"a key of another provider", "version: 1\nsms: {provider: command, command: [/bin/send]}\n", "sms.sender", "Example", at(2, 48, ""), "sender belongs to provider twilio"},
		{"another provider for what is there", "version: 1\nsms: {provider: command, command: [/bin/send]}\n", "sms.provider", "smtp", at(2, 23, ""), "command belongs to provider command, and provider is smtp here"},
		{"a misspelt key of SMS", "version: 1\n", "sms.mesage", "x", nil, `did you mean "sms.message"?`},
		{"a misspelt key of push", "version: 1\n", "push.match_numbr", "x", nil, `did you mean "push.match_number"?`},
		{"a key of push without push", "version: 1\n", "match_number", "false", nil, `did you mean "push.match_number"?`},
		{"the token itself", "version: 1\npush: {provider: ntfy, url: 'https://ntfy.example.org', token_file: a}\n", "push.token_file", "tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2", at(2, 69, ""), "looks like the secret itself"},

		{"an unknown key", "version: 1\n", "discrepanci", "1", nil, `unknown key "discrepanci" (did you mean "discrepancy"?)`},
		{"at_login as a truth value", "version: 1\n", "enroll.at_login", "true", at(2, 20, ""), "put the word in quotes"},
		{"one field where one can enrol", "version: 1\nservices: {kiosk: {enroll: true}}\n", "services.kiosk.ask", "appended", at(2, 28, ""), "enroll goes with ask: prompt alone"},
		{"enrolment where there is one field", "version: 1\nservices: {ftp: {ask: appended}}\n", "services.ftp.enroll", "true", at(2, 41, ""), "enroll goes with ask: prompt alone"},
		{"how one proves who one is", "version: 1\n", "services.twokey-self.ask", "exempt", at(2, 12, ""), "how twokey-self asks is fixed"},
		{"a role as a name", "version: 1\n", "roles.helpdesk", "carol", at(2, 19, ""), "want users or groups such as {groups: [helpdesk]}"},
		{"a role that does not exist", "version: 1\n", "roles.admin", "{users: [a]}", nil, `unknown key "roles.admin"`},
		{"a role without the key above it", "version: 1\n", "helpdesk", "{users: [a]}", nil, `did you mean "roles.helpdesk"?`},
		{"a bypass code for a year", "version: 1\n", "bypass.longest", "8760h", at(2, 19, ""), "from 5m to 720h"},
		{"a key that is cut off", "version: 1\n", "provisioners", "[twokey-signer1abc]", at(2, 16, ""), "43 characters"},
		{"enroll of a service without a name", "version: 1\n", "services..enroll", "true", nil, `unknown key "services..enroll"`},
		{"an unknown key below another", "version: 1\n", "new_devices.digts", "1", nil, `did you mean "new_devices.digits"?`},
		{"a key without the one above it", "version: 1\n", "digits", "1", nil, `did you mean "new_devices.digits"?`},
		{"a key below one that has none", "version: 1\n", "issuer.x", "1", nil, `unknown key "issuer.x"`},
		{"a service without a name", "version: 1\n", "services.", "never", nil, `unknown key "services."`},
		{"a service without a name that asks", "version: 1\n", "services..ask", "never", nil, `unknown key "services..ask"`},
		{"the placeholder", "version: 1\n", "services.NAME", "{ask: never}", nil, `unknown key "services.NAME"`},
		{"the version", "version: 1\n", "version", "2", nil, `unknown key "version"`},
		{"no key", "version: 1\n", "", "2", nil, `unknown key ""`},
		{"two lines", "version: 1\n", "issuer", "x\nenabled: false", nil, "more than one line"},
		{"a carriage return", "version: 1\n", "issuer", "x\renabled: false", nil, "carriage return"},
		{"what is not UTF-8", "version: 1\n", "issuer", "\xff", nil, "not UTF-8"},
		{"a value that is too long", "version: 1\n", "shared", "[" + strings.Repeat("192.0.2.0/24, ", 5000) + "]", nil, "the limit is 65536"},
		{"a file that is wrong already", "version: 1\nfoo: 1\n", "issuer", "x", at(2, 1, ""), `unknown key "foo"`},
	}
	for _, test := range tests {
		t.Run(test.sentence, func(t *testing.T) {
			got, err := Edit([]byte(test.src), SetKey{Key: test.key, Value: test.value})
			if got != nil || err == nil || !strings.Contains(err.Error(), test.says) || errors.Is(err, ErrByHand) {
				t.Fatalf("got %q and %v, want an error with %q", got, err, test.says)
			}
			var where, want *Error
			if errors.As(test.want, &want) != errors.As(err, &where) || want != nil && (want.Line != where.Line || want.Column != where.Column) {
				t.Errorf("%v, want line and column of %v", err, test.want)
			}
		})
	}
}

func TestSetKeyLeavesOddSpellingsToAPerson(t *testing.T) {
	for what, c := range map[string]struct{ src, key, value string }{
		"a comment in a list of lines": {"version: 1\nmethods:\n  - totp # app\n  - recovery\n", "methods", "[totp]"},
		"a comment between the items":  {"version: 1\nmethods:\n  # app\n  - totp\n  - recovery\n", "methods", "[totp]"},
		"a comment in brackets":        {"version: 1\nmethods: [totp, # app\n recovery]\n", "methods", "[totp]"},
		"a text in a block":            {"version: 1\nissuer: >-\n  Example\n", "issuer", "x"},
		"a text over two lines":        {"version: 1\nissuer: Example\n  Ltd\n", "issuer", "x"},
		"a key with a question mark":   {"version: 1\n? issuer\n: x\n", "methods", "[totp]"},
	} {
		got, err := Edit([]byte(c.src), SetKey{Key: c.key, Value: c.value})
		if what == "a key with a question mark" {
			if err != nil || len(mustParse(t, string(got)).Methods) != 1 {
				t.Errorf("%s: %q, %v", what, got, err)
			}
			continue
		}
		if got != nil || !errors.Is(err, ErrByHand) {
			t.Errorf("%s: got %q and %v, want ErrByHand", what, got, err)
		}
	}
	got, err := Edit([]byte("version: 1\nmethods:\n  - totp # app\n  - recovery\nissuer: x\n"), SetKey{Key: "methods", Unset: true})
	if got != nil || !errors.Is(err, ErrByHand) {
		t.Errorf("a list with a comment taken out: %q, %v", got, err)
	}
}

// Every key that the decoder knows can be set, and every key that can be set the decoder knows.
func TestTheKeysAreThoseOfTheDecoder(t *testing.T) {
	d := decoder{cfg: defaults()}
	known := map[string]bool{"version": true}
	for _, key := range settingKeys() {
		above, _, _ := strings.Cut(key, ".")
		known[above] = true
	}
	listed, err := Settings([]byte("version: 1\n"))
	if err != nil || len(listed) < 25 {
		t.Fatalf("%d settings, %v", len(listed), err)
	}
	for _, f := range d.settings(&d.cfg) {
		if !known[f.key] {
			t.Errorf("%s cannot be set", f.key)
		}
	}
	for key := range known {
		_, err := Parse([]byte("version: 1\n" + key + ": {x: {y: z}}\n"))
		if err == nil || strings.Contains(err.Error(), "unknown key \""+key+"\"") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestSettings(t *testing.T) {
	src := "version: 1\nissuer: Example Ltd\nservices: {a.b: {ask: never}, kiosk: {enroll: true}}\nroles: {helpdesk: {groups: [desk]}}\nnew_devices: {digits: 8}\nmethods: [totp, recovery]\nrequire: [{users: ['4711']}]\n"
	found, err := Settings([]byte(src))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range found {
		got[s.Key] = s.Text
		if s.InFile {
			got[s.Key] += " (file)"
		}
	}
	for key, want := range map[string]string{
		"issuer": "Example Ltd (file)", "services.a.b": "{ask: never} (file)", "new_devices.digits": "8 (file)", "new_devices.period": "30s",
		"methods": "[totp, recovery] (file)", "require": "[{users: ['4711']}] (file)", "exempt": "", "off_until": "", "enabled": "true", "help_url": "''",
		"paths.data": "/var/lib/twokey", "contact": "your administrator",
		"services.kiosk": "{enroll: true} (file)", "enroll.at_login": "with-code", "bypass.longest": "24h", "bypass.requesters": "",
		"roles.helpdesk": "{groups: [desk]} (file)", "roles.auditor": "", "provisioners": "",
	} {
		if got[key] != want {
			t.Errorf("%s: %q, want %q", key, got[key], want)
		}
	}
	one, err := SettingOf([]byte(src), "new_devices")
	if err != nil || one.Text != "{digits: 8, period: 30s, algorithm: SHA1}" || one.Value.(map[string]any)["digits"] != 8 {
		t.Errorf("%+v, %v", one, err)
	}
	for _, s := range found { // what is shown can be given back
		if s.Value == nil {
			continue
		}
		if edited, err := Edit([]byte(src), SetKey{Key: s.Key, Value: s.Text}); err != nil || !mustParse(t, string(edited)).same(mustParse(t, src)) {
			t.Errorf("%s: %s: %v\n%s", s.Key, s.Text, err, edited)
		}
	}
}

func TestTheSwitchInItsTwoForms(t *testing.T) {
	until := time.Date(2026, 11, 22, 1, 30, 0, 0, time.FixedZone("", 2*3600))
	for what, c := range map[string]struct {
		src    string
		change Change
		want   string
	}{
		"off until":                   {"version: 1\n", SetOffUntil(until), "version: 1\noff_until: 2026-11-21T23:30:00Z\n"},
		"off until another time":      {"version: 1\noff_until: 2026-11-20T23:30:00Z # x\n", SetOffUntil(until), "version: 1\noff_until: 2026-11-21T23:30:00Z # x\n"},
		"off, then off until":         {"version: 1\nenabled: false\n", SetOffUntil(until), "version: 1\noff_until: 2026-11-21T23:30:00Z\nenabled: true\n"},
		"off until, then off":         {"version: 1\noff_until: 2026-11-20T23:30:00Z\nenabled: true\n", SetEnabled(false), "version: 1\nenabled: false\n"},
		"off until, then on":          {"version: 1\noff_until: 2026-11-20T23:30:00Z\n", SetEnabled(true), "version: 1\n"},
		"off until, then on, in JSON": {`{"version":1,"off_until":"2026-11-20T23:30:00Z"}`, SetEnabled(true), `{"version":1}`},
	} {
		got, err := Edit([]byte(c.src), c.change)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v, want %q", what, got, err, c.want)
		}
	}
	for _, wrong := range []SetOffUntil{{}, SetOffUntil(until.Add(time.Millisecond))} {
		if got, err := Edit([]byte("version: 1\n"), wrong); got != nil || err == nil {
			t.Errorf("%v: %q, %v", time.Time(wrong), got, err)
		}
	}
}

// FuzzSetKey demands that a change is whole, is made once, and leaves every other
// setting as it was.
func FuzzSetKey(f *testing.F) {
	seeds := []struct{ key, value string }{
		{"discrepancy", "3"}, {"issuer", "a: b # c"}, {"methods", "[totp, recovery]"}, {"new_devices.digits", "8"}, {"services.sshd.ask", "never"},
		{"messages.prompt", "'Code: '"}, {"off_until", "2026-11-21T23:30:00Z"}, {"paths", "{data: /a}"}, {"enroll.notice", "false"}, {"exempt", "[{users: [a]}]"},
		{"sms.message", "%CODE%"}, {"sms", "{provider: command, command: [/bin/send]}"}, {"push.match_number", "false"}, {"push.wait", "30s"},
	}
	for i, src := range sources() {
		seed := seeds[i%len(seeds)]
		f.Add([]byte(src), seed.key, seed.value, i%4 == 0)
	}
	f.Fuzz(func(t *testing.T, src []byte, key, value string, unset bool) {
		change := SetKey{Key: key, Value: value, Unset: unset}
		edited, err := Edit(src, change)
		if err != nil {
			if edited != nil {
				t.Fatal("a result beside an error")
			}
			return
		}
		before, after := mustSettings(t, src), mustSettings(t, edited)
		above, _, _ := strings.Cut(key, ".")
		for k, text := range before {
			if kAbove, _, _ := strings.Cut(k, "."); kAbove != above && after[k] != text {
				t.Fatalf("%s: %s became %s\n%s", k, text, after[k], edited)
			}
		}
		if again, err := Edit(edited, change); err != nil || string(again) != string(edited) {
			t.Fatalf("the same again: %v\n%s\n%s", err, edited, again)
		}
		if path, _ := keyPath(key); unset && nodeAt(mustTree(t, edited), path) != nil {
			t.Fatalf("still there:\n%s", edited)
		}
	})
}

func mustSettings(t *testing.T, src []byte) map[string]string {
	t.Helper()
	found, err := Settings(src)
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	texts := map[string]string{}
	for _, s := range found {
		texts[s.Key] = s.Text
	}
	return texts
}

func mustTree(t *testing.T, src []byte) *yaml.Node {
	t.Helper()
	top, err := readTree(src)
	if err != nil {
		t.Fatal(err)
	}
	return top
}

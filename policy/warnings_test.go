package policy

import (
	"strings"
	"testing"
)

func TestWarningsNameWhatIsDangerous(t *testing.T) {
	now := known("x").at(friday).Time
	tests := []struct{ src, want string }{
		{"", ""},
		{"discrepancy: 10", ""},
		{"discrepancy: 11", "discrepancy is 11: at any moment 23 codes of one device are right"},
		{"enabled: false", "enabled is false: nobody is asked"},
		{"observe: true", "observe is true: nobody is refused"},
		{"default: exempt", "default is exempt"},
		{"enabled: false\noff_until: 2026-11-21T00:00:00Z", "enabled is false"},
		{"off_until: 2026-11-20T16:05:01Z", "off_until: nobody is asked for a second factor until 2026-11-20T16:05:01Z"},
		{"off_until: 2026-12-20T16:10:00Z", "off_until: nobody is asked for a second factor until 2026-12-20T16:10:00Z"},
		{"off_until: 2026-12-20T16:10:01Z", "off_until 2026-12-20T16:10:01Z is more than 720h away and does not count"},
		{"off_until: 2026-11-20T16:05:00Z", "off_until 2026-11-20T16:05:00Z is over: it can be taken out (twokey enable)"},
		{"enabled: false\noff_until: 2026-11-20T16:05:00Z", "enabled is false"},

		{"exempt: [{users: [bob]}, {users: [root], services: [sshd]}]", "exempt[1] lets root in over the network"},
		{"exempt: [{users: [root]}]", "exempt[0] lets root in over the network"},
		{"exempt: [{groups: [root]}]", "exempt[0] lets root in"},
		{"exempt: [{services: [sshd, su]}]", "exempt[0] lets root in"},
		{"exempt: [{from: [192.0.2.9]}]", "exempt[0] lets root in"},
		{"exempt: [{users: [root], services: [su, sudo, login]}]", ""},
		{"exempt: [{services: [cron, dovecot]}]", ""},
		{"exempt: [{users: [bob]}]", ""},
		{"exempt: [{system_accounts: true}]", ""},
		{"rules: [{services: [sshd], then: exempt}]", "rules[0] lets root in over the network"},
		{"rules: [{name: keys, ssh_auth: [publickey, security-key], then: exempt}]", "rule keys lets root in"},
		{"rules: [{ssh_auth: [security-key], then: exempt}]", ""},
		{"rules: [{tty: [console], then: exempt}]", "rules[0] is about the console and names no service"},
		{"rules: [{name: desk, tty: [console], services: [login, su], then: exempt}]", "rule desk is about the console and names su, which never counts"},
		{"rules: [{tty: [console], services: [sudo], then: exempt}]", "rules[0] is about the console and names sudo"},
		{"rules: [{tty: [console], services: [login], then: exempt}]", ""},
		{"rules: [{tty: [console], then: required}]", ""},
		{"rules: [{users: [a], tty: [remote], then: exempt}]", ""},
		{"rules: [{users: [a], tty: [remote], then: deny}]", "rules[0] denies what is remote, and su and sudo always are"},
		{"rules: [{name: far, users: [a], tty: [remote], services: [su, sshd], then: deny}]", "rule far denies what is remote"},
		{"rules: [{users: [a], tty: [remote], services: [sshd, login], then: deny}]", ""},
		{"on_fault: allow-console", "on_fault is allow-console: while the disk cannot be written"},
		{"exempt: [{users: [a], from: [0.0.0.0/0]}]", "exempt[0] is about whoever comes from 0.0.0.0/0"},
		{"exempt: [{users: [a], from: [10.0.0.0/8, '2001:db8::/32']}]", ""},
		{"exempt: [{users: [a], from: [192.0.2.1, 128.0.0.0/7]}]", "exempt[0] is about whoever comes from 128.0.0.0/7"},
		{"exempt: [{users: [a], from: ['::ffff:0:0/96']}]", "exempt[0] is about whoever comes from ::ffff:0:0/96"},
		{"rules: [{name: all, users: [a], from: ['::/0'], then: exempt}]", "rule all is about whoever comes from ::/0"},
		{"rules: [{users: [a], from: ['2001:d00::/31'], then: exempt}]", "rules[0] is about whoever comes from 2001:d00::/31"},
		{"rules: [{users: [a], from: ['::/0'], then: deny}]", ""},
		{"rules: [{name: night, users: [a], weekdays: [fri], hours: [08:00-10:00, 22:00-06:00], then: deny}]", "rule night: weekdays are those of the moment: the part of 22:00-06:00 after midnight"},
		{"rules: [{users: [a], weekdays: [fri], hours: [22:00-24:00], then: deny}]", ""},
		{"rules: [{users: [a], weekdays: [mon, tue, wed, thu, fri, sat, sun], hours: [22:00-06:00], then: deny}]", ""},
		{"rules: [{users: [a], hours: [22:00-06:00], then: deny}]", ""},
		{"rules: [{groups: [staff], then: exempt}]", ""},
		{"rules: [{users: [root], then: optional}]", ""},
		{"services: {vsftpd: {ask: exempt}}", "services: vsftpd is exempt, and so is root"},
		{"services: {cron: {ask: exempt}}", ""},
		{"services: {cron: {ask: never}}", "services: cron is no login, and with ask: never"},

		{"rules: [{users: [a, b], then: required}, {users: [a], services: [su], then: optional}]", "rules[1] can never match: rules[0] goes before it"},
		{"rules: [{users: [a], then: required}, {users: [a], then: required}]", "rules[1] can never match"},
		{"rules: [{users: [a], then: required}, {users: [a], then: deny}]", "rules[0] can never match: rules[1] goes before it"},
		{"rules: [{users: [a], then: required}, {users: [a, b], then: optional}]", ""},
		{"rules: [{users: [a], then: required}, {users: [a], groups: [g], then: optional}]", ""},
		{"rules: [{from: [10.0.0.0/8], then: required}, {from: [10.1.0.0/16, 10.2.3.4], then: optional}]", "rules[1] can never match"},
		{"rules: [{from: [10.1.0.0/16], then: required}, {from: [10.0.0.0/8], then: optional}]", ""},
		{"rules: [{from: [10.0.0.0/8], then: required}, {users: [a], then: optional}]", ""},
		{"rules: [{users: [a], hours: [08:00-18:00], then: required}, {users: [a], then: optional}]", ""},
		{"rules: [{users: [a], hours: [08:00-18:00], then: required}, {users: [a], hours: [08:00-18:00], then: optional}]", "rules[1] can never match"},
		{"rules: [{users: [a], hours: [08:00-18:00], then: required}, {users: [a], hours: [08:00-18:00], zone: UTC, then: optional}]", ""},
		{"rules: [{users: [a], then: deny}, {users: [a], services: [su], then: deny}]", "rules[1] can never match"},
		{"rules: [{users: [a], then: deny}, {users: [a], services: [cron], then: deny}]", ""},
		{"exempt: [{users: [a]}]\nrequire: [{users: [a], services: [su]}]", "require[0] can never match: exempt[0] goes before it"},
		{"exempt: [{users: [a], services: [su]}]\nrequire: [{users: [a]}]", ""},
		{"exempt: [{users: [a], until: 2026-12-31}]\nrequire: [{users: [a]}]", ""},
		{"require: [{groups: [g], by: 2026-12-31}, {groups: [g]}]", "require[1] can never match: require[0] goes before it"},
		{"rules: [{services: [cron, atd], then: required}]", "rules[0] can never match: nobody is asked on cron, atd"},
		{"rules: [{services: [cron, sshd], then: required}]", ""},
		{"rules: [{services: [cron], then: deny}]", ""},
		{"require: [{services: [cron]}]", "require[0] can never match: nobody is asked on cron"},
		{"require: [{services: [cron]}]\nservices: {cron: {ask: prompt}}", "cron is no login, and with ask: prompt"},
		{"rules: [{tty: [console], from: [192.0.2.1], then: required}]", "rules[0] can never match: who is at the console"},
		{"rules: [{services: [su], ssh_auth: [publickey], then: required}]", "rules[0] can never match: ssh_auth is not known on su"},
		{"require: [{users: [a], until: 2026-11-19}]", "require[0] ended with 2026-11-19"},
		{"exempt: [{users: [a], until: 2026-11-19}]", "exempt[0] ended with 2026-11-19"},
		{"require: [{users: [a], until: 2026-11-20}]", ""},
		{"require: [{users: [a], by: 2026-11-19}]", ""},

		{"shared: [127.0.0.0/8, '::1']\nservices: {sshd: {ask: earlier}}", "services: sshd can ask, and with ask: earlier it does not: a success from the same source lets in for 1h"},
		{"shared: [127.0.0.0/8, '::1']\nservices: {cockpit: {ask: earlier}, sshd: {ask: appended}}", ""},
		{"shared: [127.0.0.0/8, '::1']\nservices: {su-l: {ask: earlier}}", "services: su-l can ask, and with ask: earlier it is closed to whoever is required or enrolled"},
		{"services: {cockpit: {ask: earlier}}", "remember or ask: earlier is in use, and shared lists not both"},
		{"remember: 1h", "remember or ask: earlier is in use"},
		{"shared: [127.0.0.0/8]\nremember: 1h", "remember or ask: earlier is in use"},
		{"shared: [127.0.0.1, '::1']\nremember: 1h", "remember or ask: earlier is in use"},
		{"rules: [{users: [a], then: optional, remember: 1h}]", "remember or ask: earlier is in use"},
		{"shared: ['::/64', 127.0.0.0/8]\nremember: 24h", ""},
		{"shared: [127.0.0.0/8, '::1']\nremember: 24h1s", "remember is 86401s: a computer that is left alone"},
		{"shared: [127.0.0.0/8, '::1']\nrules: [{users: [a], then: optional, remember: 48h}]", "rules[0]: remember is 48h"},
		{"rules: [{users: [a], then: optional, remember: 0s}]", ""},
		{"methods: [totp, hotp, push, sms, recovery]", ""},
		{"methods: [totp, recovery]", ""},
		{"methods: [sms, totp]", "methods names sms, for which no provider is configured: twokey sms setup"},
		{"rules: [{name: x, users: [a], then: required, methods: [push]}]", "rule x: methods has nothing but push, for which no provider is configured"},
		{"methods: [sms, push]", "methods has nothing but sms, push, for which"},
		{"rules: [{name: x, users: [a], then: required, methods: [push, hotp]}]", "rule x: methods names push"},
		{"methods: [totp, push]\n" + numberedNtfy, ""},
		{numberedNtfy, ""},
		{"methods: [totp]\n" + numberedNtfy, "push has a provider, and methods does not name push: nothing is sent"},
		{"methods: [totp]\n" + commandSMS, "sms has a provider, and methods does not name sms: nothing is sent"},
		{commandSMS, "sms is the weakest second factor: who gets the number onto a card of his own (SIM swap)"},
		{"methods: [totp, sms]\n" + commandSMS, "sms is the weakest second factor"},
		{"methods: [totp]\nsms: {provider: command, command: [/bin/send], per_hour: 500, valid_for: 10m}", "nothing is sent"},
		{"push: {provider: ntfy, url: 'https://n.example.org', token_file: t, answer_token_file: a, match_number: false}", "push.match_number is false: who is asked often enough"},
		{"push: {provider: ntfy, url: 'https://n.example.org', token_file: t}", "push.answer_token_file is missing: phones can answer only where everyone may write"},
		{"push: {provider: duo, api_host: api-1a2b3c4d.duosecurity.com, integration_key: DIABCDEFGHIJ12345678, secret_key_file: s}", ""},
		{"methods_default: last", "methods_default is last, and neither push nor sms is offered"},
		{"methods_default: last\n" + numberedNtfy, ""},
		{"methods: [totp]\nrules: [{name: x, users: [a], then: required, methods: [sms, totp]}]", "rule x: methods names sms, for which no provider"},
		{"rules: [{from: [gate.example.org], users: [a], then: optional}]", `rules[0]: from names "gate.example.org"`},
		{"exempt: [{from: [192.0.2.1, gate.example.org], users: [a]}]", `exempt[0]: from names "gate.example.org"`},
		{"enroll: {at_login: 'yes'}", "enroll.at_login is yes: who has the password of a required user without a device, or of one who was reset, can enrol his own phone for him over the network (remote, sshd)"},
		{"enroll: {at_login: 'yes'}\nservices: {sshd: {enroll: false}}", "(auth sufficient), not even that is needed: see twokey doctor"},
		{"enroll: {at_login: 'yes'}\nservices: {sshd: {enroll: false}, remote: {ask: appended}}", ""},
		{"enroll: {at_login: 'yes'}\nservices: {sshd: {enroll: false}, remote: {enroll: false}, kiosk: {enroll: true}}", "over the network (kiosk)"},
		{"enroll: {at_login: 'yes'}\nservices: {sshd: {enroll: false}, remote: {enroll: false}, runuser: {enroll: true}, x: {enroll: false}}", ""},
		{"enroll: {at_login: with-code}", ""},
		{"enroll: {at_login: 'no'}", ""},
		{"roles: {helpdesk: {users: [a]}}", "roles: protected names nobody: the helpdesk may reset everybody but root"},
		{"roles: {protected: {users: [a]}}", "roles: protected does nothing, since helpdesk names nobody"},
		{"roles: {helpdesk: {users: [a]}, protected: {users: [a]}}", ""},
		{"roles: {auditor: {users: [a]}}", ""},
		{"bypass: {longest: 168h}", ""},
		{"bypass: {longest: 168h1s}", "bypass.longest is 604801s: a code that works for more than a week is a second password"},
		{"exempt: [{users: [a], services: [twokey-self]}]", "exempt[0] can never match: at twokey-self only rules that deny or have methods count"},
		{"exempt: [{services: [twokey-self]}]", "exempt[0] can never match"},
		{"rules: [{services: [twokey-self], then: required}]", "rules[0] can never match: at twokey-self"},
		{"rules: [{services: [twokey-self], then: deny}]", ""},
		{"exempt: [{users: [a], services: [twokey-self, su]}]", ""},
		{"require: [{services: [twokey-self]}]", "require[0] can never match"},
		{"new_devices: {digits: 8}", "new_devices: digits is 8: Google Authenticator and Microsoft Authenticator"},
		{"new_devices: {digits: 5}", "a code of 5 digits is easily guessed"},
		{"new_devices: {digits: 12}", "of 12 digits the first 2 are always zero"},
		{"new_devices: {period: 60s}", "new_devices: period is 1m: Google Authenticator"},
		{"new_devices: {algorithm: SHA256}", "new_devices: algorithm is SHA256: Google Authenticator"},
	}
	for _, test := range tests {
		got := strings.Join(mustParse(t, "version: 1\n"+test.src).Warnings(now), "\n")
		if test.want == "" && got != "" || !strings.Contains(got, test.want) || strings.Count(got, "\n") > 0 && !strings.Contains(test.src, "digits") {
			t.Errorf("%s: got %q, want %q", test.src, got, test.want)
		}
	}
}

// Sections that nothing is to be said about, but that SMS is weak.
const (
	commandSMS   = "sms: {provider: command, command: [/usr/local/bin/send-sms]}"
	numberedNtfy = "push: {provider: ntfy, url: 'https://ntfy.example.org', token_file: ntfy.token, answer_token_file: answer.token}"
)

func TestWarningsNameEachThingThatIsWrongWithWhatIsSent(t *testing.T) {
	src := "version: 1\nmethods: [totp]\nmethods_default: last\n" +
		"sms: {provider: command, command: [/bin/send], per_hour: 501, valid_for: 601s}\n" +
		"push: {provider: ntfy, url: 'https://n.example.org', token_file: t, match_number: false}\n" +
		"rules: [{name: x, users: [a], then: required, methods: [sms, totp]}]\n"
	got := mustParse(t, src).Warnings(known("x").at(friday).Time)
	for _, want := range []string{
		"sms has a provider, and methods does not name sms", "sms.per_hour is 501", "sms.valid_for is 601s: after more than 10m",
		"push has a provider, and methods does not name push", "push.match_number is false", "push.answer_token_file is missing",
		"methods_default is last", "rule x: methods names sms, and methods of the host does not: nobody is offered it",
	} {
		if !strings.Contains(strings.Join(got, "\n"), want) {
			t.Errorf("nothing says: %s", want)
		}
	}
	if len(got) != 8 {
		t.Errorf("%d warnings: %q", len(got), got)
	}
}

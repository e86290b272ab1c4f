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
		{"rules: [{tty: [console], then: exempt}]", ""},
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

		{"remember: 24h", ""},
		{"remember: 24h1s", "remember is 24h0m1s: a computer that is left alone"},
		{"rules: [{users: [a], then: optional, remember: 48h}]", "rules[0]: remember is 48h0m0s"},
		{"rules: [{users: [a], then: optional, remember: 0s}]", ""},
		{"methods: [totp, hotp, push, sms, recovery]", ""},
		{"methods: [totp, recovery]", ""},
		{"methods: [sms, totp]", "methods names sms, which this version of twokey cannot send"},
		{"rules: [{name: x, users: [a], then: required, methods: [push]}]", "rule x: methods names push"},
		{"rules: [{from: [gate.example.org], users: [a], then: optional}]", `rules[0]: from names "gate.example.org"`},
		{"exempt: [{from: [192.0.2.1, gate.example.org], users: [a]}]", `exempt[0]: from names "gate.example.org"`},
		{"new_devices: {digits: 8}", "new_devices: digits is 8: Google Authenticator and Microsoft Authenticator"},
		{"new_devices: {digits: 5}", "a code of 5 digits is easily guessed"},
		{"new_devices: {digits: 12}", "of 12 digits the first 2 are always zero"},
		{"new_devices: {period: 60s}", "new_devices: period is 60 s: Google Authenticator"},
		{"new_devices: {algorithm: SHA256}", "new_devices: algorithm is SHA256: Google Authenticator"},
	}
	for _, test := range tests {
		got := strings.Join(mustParse(t, "version: 1\n"+test.src).Warnings(now), "\n")
		if test.want == "" && got != "" || !strings.Contains(got, test.want) || strings.Count(got, "\n") > 0 && !strings.Contains(test.src, "digits") {
			t.Errorf("%s: got %q, want %q", test.src, got, test.want)
		}
	}
}

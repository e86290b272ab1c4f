package policy

import (
	"strings"
	"testing"
)

func TestOnlyWhatMayLetInWithLessIsLoosening(t *testing.T) {
	const lists = "require: [{users: [alice, bob]}, {groups: [wheel], services: [sshd]}, {users: [dora], by: 2027-06-30}]\nexempt: [{users: [carol], until: 2027-06-30}, {users: [alice], services: [cron]}, {from: [192.0.2.7]}]\n"
	const smsBy = "sms: {provider: command, command: [/bin/send]}\n"
	const smsTwilio = "sms: {provider: twilio, " + anAccount + ", auth_token_file: token, sender: Example}\n"
	const pushBy = "push: {provider: ntfy, url: 'https://ntfy.example.org', token_file: t}\n"
	for what, c := range map[string]struct{ was, is, says string }{
		"nothing":                      {lists, lists, ""},
		"another text":                 {"", "issuer: x\ncontact: y\nhelp_url: https://example.org\nlanguage: de\nmessages: {prompt: 'Code: '}\nenroll: {notice: false}\n", ""},
		"who edits the file":           {"managed_by: ansible\n", "", ""},
		"where mail goes":              {"", "mail: {from: a@example.org, to: '%USER%@example.org'}\n", ""},
		"off":                          {"", "enabled: false\n", "enabled: true → false"},
		"on":                           {"enabled: false\n", "", ""},
		"off until a moment":           {"", "off_until: 2027-01-01T00:00:00Z\n", "off_until: 2027-01-01T00:00:00Z"},
		"off for longer":               {"off_until: 2027-01-01T00:00:00Z\n", "off_until: 2027-01-02T00:00:00Z\n", "2027-01-01T00:00:00Z → 2027-01-02T00:00:00Z"},
		"off for less":                 {"off_until: 2027-01-02T00:00:00Z\n", "off_until: 2027-01-01T00:00:00Z\n", ""},
		"on again":                     {"off_until: 2027-01-02T00:00:00Z\n", "", ""},
		"observed only":                {"", "observe: true\n", "observe: false → true"},
		"observed no longer":           {"observe: true\n", "", ""},
		"a laxer default":              {"default: required\n", "", "default: required → optional"},
		"a stricter default":           {"", "default: required\n", ""},
		"more codes at a time":         {"", "discrepancy: 2\n", "discrepancy: 1 → 2"},
		"fewer codes at a time":        {"", "discrepancy: 0\n", ""},
		"remembered for longer":        {"", "remember: 1h\n", "remember: 0s → 1h"},
		"remembered for less":          {"remember: 1h\n", "", ""},
		"open for longer":              {"", "open_within: 2h\n", "open_within"},
		"open for less":                {"", "open_within: 1m\n", ""},
		"keys alone accepted":          {"ssh_keys_alone: deny\n", "", "ssh_keys_alone: deny → accept"},
		"keys alone denied":            {"", "ssh_keys_alone: deny\n", ""},
		"the console on a fault":       {"", "on_fault: allow-console\n", "on_fault"},
		"nobody on a fault":            {"on_fault: allow-console\n", "", ""},
		"fewer digits":                 {"", "new_devices: {digits: 5}\n", "new_devices.digits: 6 → 5"},
		"more digits":                  {"", "new_devices: {digits: 8}\n", ""},
		"another period":               {"", "new_devices: {period: 60s}\n", "new_devices.period: 30s → 1m"},
		"another method":               {"methods: [totp]\n", "methods: [totp, recovery]\n", "methods: [totp] → [totp, recovery]"},
		"a source less that is shared": {"shared: [192.0.2.0/24]\n", "", "shared: no longer [192.0.2.0/24]"},
		"a service that is no login":   {"", "services: {vsftpd: {ask: exempt}}\n", "services.vsftpd: {ask: exempt}"},
		"a service as all others":      {"services: {vsftpd: {ask: never}}\n", "", "services.vsftpd: no longer {ask: never}"},
		"a rule":                       {"", "rules: [{users: [alice], then: required}]\n", "rules: [{users: [alice], then: required}]"},
		"rules in another order":       {"rules: [{users: [a], then: deny}, {users: [b], then: optional}]\n", "rules: [{users: [b], then: optional}, {users: [a], then: deny}]\n", "rules: "},
		"other paths":                  {"", "paths: {data: /srv}\n", "paths.data"},

		"enrolment with the password alone":     {"", "enroll: {at_login: 'yes'}\n", "enroll.at_login: with-code → 'yes'"},
		"enrolment at a login":                  {"enroll: {at_login: 'no'}\n", "", "enroll.at_login: 'no' → with-code"},
		"enrolment from no to yes":              {"enroll: {at_login: 'no'}\n", "enroll: {at_login: 'yes'}\n", "enroll.at_login: 'no' → 'yes'"},
		"enrolment with a code from now on":     {"enroll: {at_login: 'yes'}\n", "", ""},
		"no enrolment at a login":               {"enroll: {at_login: 'yes'}\n", "enroll: {at_login: 'no'}\n", ""},
		"enrolment at another service":          {"", "services: {kiosk: {enroll: true}}\n", "services.kiosk: {enroll: true}"},
		"another who may ask for bypass codes":  {"bypass: {requesters: {users: [lena]}}\n", "bypass: {requesters: {users: [lena, tom]}}\n", "bypass.requesters: {users: [lena]} → {users: [lena, tom]}"},
		"the first who may":                     {"", "bypass: {requesters: {groups: [leads]}}\n", "bypass.requesters: {groups: [leads]}"},
		"one in the place of another":           {"bypass: {requesters: {users: [lena]}}\n", "bypass: {requesters: {groups: [lena]}}\n", "bypass.requesters: "},
		"one less":                              {"bypass: {requesters: {users: [lena, tom]}}\n", "bypass: {requesters: {users: [tom]}}\n", ""},
		"nobody":                                {"bypass: {requesters: {users: [lena, tom]}}\n", "", ""},
		"in another order":                      {"bypass: {requesters: {users: [lena, tom]}}\n", "bypass: {requesters: {users: [tom, lena]}}\n", ""},
		"bypass codes for longer":               {"", "bypass: {longest: 48h}\n", "bypass.longest: 24h → 48h"},
		"bypass codes for less":                 {"", "bypass: {longest: 1h}\n", ""},
		"a helpdesk":                            {"", "roles: {helpdesk: {groups: [desk]}}\n", "roles.helpdesk: {groups: [desk]}"},
		"a larger helpdesk":                     {"roles: {helpdesk: {groups: [desk]}}\n", "roles: {helpdesk: {users: [carol], groups: [desk]}}\n", "roles.helpdesk: {groups: [desk]} → {users: [carol], groups: [desk]}"},
		"no helpdesk":                           {"roles: {helpdesk: {groups: [desk]}}\n", "", ""},
		"another auditor":                       {"roles: {auditor: {users: [a]}}\n", "roles: {auditor: {users: [b]}}\n", "roles.auditor: {users: [a]} → {users: [b]}"},
		"an auditor less":                       {"roles: {auditor: {users: [a, b]}}\n", "roles: {auditor: {users: [b]}}\n", ""},
		"one who is protected no longer":        {"roles: {protected: {groups: [wheel, ops]}}\n", "roles: {protected: {groups: [ops]}}\n", "roles.protected: {groups: [wheel, ops]} → {groups: [ops]}"},
		"nobody is protected any more":          {"roles: {protected: {groups: [wheel]}}\n", "", "roles.protected: no longer {groups: [wheel]}"},
		"another who is protected":              {"roles: {protected: {groups: [wheel]}}\n", "roles: {protected: {users: [a], groups: [wheel]}}\n", ""},
		"whose files are accepted":              {"", "provisioners: [twokey-signer1Ahj-4QKmah9yS6JVo1lzky6hsKqdNLiMrCbpYMzy3uY]\n", "provisioners: [twokey-signer1"},
		"whose files are accepted, another":     {"provisioners: [twokey-signer1Ahj-4QKmah9yS6JVo1lzky6hsKqdNLiMrCbpYMzy3uY]\n", "provisioners: [twokey-signer1Ahj-4QKmah9yS6JVo1lzky6hsKqdNLiMrCbpYMzy3uY, twokey-signer1k7vPYNBxlL0sKWA1v8J7dzUK35I_ZwGdZkOslN1x7E4]\n", "provisioners: "},
		"whose files are not accepted any more": {"provisioners: [twokey-signer1Ahj-4QKmah9yS6JVo1lzky6hsKqdNLiMrCbpYMzy3uY, twokey-signer1k7vPYNBxlL0sKWA1v8J7dzUK35I_ZwGdZkOslN1x7E4]\n", "provisioners: [twokey-signer1Ahj-4QKmah9yS6JVo1lzky6hsKqdNLiMrCbpYMzy3uY]\n", ""},

		"SMS":                                {"", smsBy, "sms.provider: command"},
		"SMS no longer":                      {smsBy, "", ""},
		"SMS by others":                      {smsBy, "sms: {provider: smtp, from: a@example.org, to: '%USER%@example.org'}\n", "sms.provider: command → smtp"},
		"SMS by another program":             {smsBy, "sms: {provider: command, command: [/bin/other]}\n", "sms.command: [/bin/send] → [/bin/other]"},
		"shorter codes by SMS":               {"sms: {provider: command, command: [/bin/send], digits: 8}\n", smsBy, "sms.digits: 8 → 6"},
		"longer codes by SMS":                {smsBy, "sms: {provider: command, command: [/bin/send], digits: 8}\n", ""},
		"codes by SMS that live longer":      {smsBy, "sms: {provider: command, command: [/bin/send], valid_for: 10m}\n", "sms.valid_for: 5m → 10m"},
		"codes by SMS that die earlier":      {smsBy, "sms: {provider: command, command: [/bin/send], valid_for: 1m}\n", ""},
		"another text, and more time":        {smsBy, "sms: {provider: command, command: [/bin/send], message: '%CODE%', per_hour: 7, connect: 1s, timeout: 9s}\n", ""},
		"another account of Twilio":          {smsTwilio, strings.Replace(smsTwilio, "AC0", "AC1", 1), "sms.account_sid: AC0"},
		"another sender and another token":   {smsTwilio, strings.Replace(strings.Replace(smsTwilio, "Example", "Sample", 1), ": token,", ": token2,", 1), ""},
		"Twilio somewhere else":              {smsTwilio, strings.Replace(smsTwilio, "{", "{url: 'https://example.org', ", 1), "sms.url: https://api.twilio.com → https://example.org"},
		"push":                               {"", pushBy, "push.provider: ntfy"},
		"push no longer":                     {pushBy, "", ""},
		"push without a number to match":     {pushBy, strings.Replace(pushBy, "{", "{match_number: false, ", 1), "push.match_number: true → false"},
		"push with a number to match":        {strings.Replace(pushBy, "{", "{match_number: false, ", 1), pushBy, ""},
		"push by another server":             {pushBy, strings.Replace(pushBy, "ntfy.example", "push.example", 1), "push.url: https://ntfy.example.org → https://push.example.org"},
		"push by others":                     {pushBy, "push: {provider: duo, api_host: api-1.duosecurity.com, integration_key: DIABCDEFGHIJ12345678, secret_key_file: s}\n", "push.match_number: no longer true; push.provider: ntfy → duo"},
		"push by other others":               {"push: {provider: duo, api_host: api-1.duosecurity.com, integration_key: DIABCDEFGHIJ12345678, secret_key_file: s}\n", pushBy, "push.provider: duo → ntfy"},
		"another token and another deadline": {pushBy, strings.Replace(pushBy, "{", "{wait: 85s, timeout: 9s, connect: 1s, answer_token_file: x, ", 1), ""},
		"what an empty answer takes":         {"", "methods_default: last\n", ""},

		"another is required":                    {lists, lists + "", ""},
		"one is required no longer":              {lists, strings.Replace(lists, "alice, bob", "bob", 1), "not required as before: {users: [alice]}"},
		"a group on a service no longer":         {lists, strings.Replace(lists, "{groups: [wheel], services: [sshd]}, ", "", 1), "{groups: [wheel], services: [sshd]}"},
		"a group everywhere":                     {lists, strings.Replace(lists, ", services: [sshd]", "", 1), ""},
		"required until a day":                   {lists, strings.Replace(lists, "bob]", "bob], until: 2027-01-01", 1), "not required as before: {users: [alice]}"},
		"required from a day on":                 {lists, strings.Replace(lists, "bob]", "bob], starts: 2027-01-01", 1), "not required as before"},
		"let in without a device":                {lists, strings.Replace(lists, "bob]", "bob], by: 2027-01-01", 1), "not required as before"},
		"let in for longer":                      {lists, strings.Replace(lists, "by: 2027-06-30", "by: 2027-07-30", 1), "not required as before: {users: [dora], by: 2027-06-30}"},
		"let in for less":                        {lists, strings.Replace(lists, "by: 2027-06-30", "by: 2027-01-30", 1), ""},
		"let in no longer":                       {lists, strings.Replace(lists, ", by: 2027-06-30", "", 1), ""},
		"let in by an entry that goes before":    {lists, strings.Replace(lists, "[{users: [alice", "[{users: [wilma], by: 2027-01-01}, {users: [alice", 1), "let in without a device: {users: [wilma], by: 2027-01-01}"},
		"another who has time":                   {lists, strings.Replace(lists, "06-30}]", "06-30}, {users: [erin], by: 2027-01-01}]", 1), ""},
		"time for one whom the default requires": {"default: required\n", "default: required\nrequire: [{users: [erin], by: 2027-01-01}]\n", "let in without a device"},
		"in for one whom the default denies":     {"default: deny\n", "default: deny\nrequire: [{users: [erin]}]\n", "let in without a device"},

		"another is exempt":               {lists, strings.Replace(lists, "[carol]", "[carol, erin]", 1), "exempt: {users: [erin], until: 2027-06-30}"},
		"exempt for longer":               {lists, strings.Replace(lists, "until: 2027-06-30", "until: 2027-12-31", 1), "exempt: {users: [carol], until: 2027-12-31}"},
		"exempt for ever":                 {lists, strings.Replace(lists, ", until: 2027-06-30", "", 1), "exempt: {users: [carol]}"},
		"exempt for less":                 {lists, strings.Replace(lists, "until: 2027-06-30", "until: 2027-01-31", 1), ""},
		"exempt on another service":       {lists, strings.Replace(lists, "[cron]", "[cron, at]", 1), "exempt: {users: [alice], services: [cron, at]}"},
		"exempt everywhere":               {strings.Replace(lists, "[alice], services", "[erin], services", 1), strings.Replace(lists, "[alice], services: [cron]", "[erin]", 1), "exempt: {users: [erin]}"},
		"exempt from another source":      {lists, strings.Replace(lists, "[192.0.2.7]", "[192.0.2.7, 192.0.2.8]", 1), "exempt: {from: [192.0.2.8]}"},
		"exempt from one source only":     {lists, strings.Replace(lists, "services: [cron]", "services: [cron], from: [192.0.2.9]", 1), ""},
		"system accounts are exempt":      {lists, strings.Replace(lists, "exempt: [", "exempt: [{system_accounts: true}, ", 1), "exempt: {system_accounts: true}"},
		"an exemption that is taken back": {lists, strings.Replace(lists, ", {from: [192.0.2.7]}", "", 1), ""},
	} {
		got := strings.Join(Loosened(mustParse(t, "version: 1\n"+c.was), mustParse(t, "version: 1\n"+c.is)), "; ")
		if c.says == "" && got != "" || !strings.Contains(got, c.says) {
			t.Errorf("%s: %q, want %q", what, got, c.says)
		}
	}
}

// A key that this file does not know by its direction counts: whoever adds one has to think of it.
func TestASettingThatIsNotKnownToBeHarmlessIsLoosening(t *testing.T) {
	if !lets("a_key_of_a_later_version", &Config{}, &Config{}) {
		t.Error("it is not asked about")
	}
}

// A section that is new is one thing, whatever stands in it.
func TestANewSectionIsNamedOnce(t *testing.T) {
	got := Loosened(mustParse(t, "version: 1\n"), mustParse(t, twilio+"  sender: Example\n  digits: 7\n  valid_for: 15m\n"))
	if len(got) != 1 || got[0] != "sms.provider: twilio" {
		t.Errorf("%q", got)
	}
}

package policy

import (
	"slices"
	"testing"
	"time"
)

func TestWhereOneCanEnrol(t *testing.T) {
	c := mustParse(t, "version: 1\nservices: {kiosk: {enroll: true}, su: {enroll: false}, sudo: {ask: prompt, enroll: false}, login: {ask: prompt},\n"+
		" remote: {ask: appended}, vsftpd: {ask: appended}, doas: {ask: earlier}, sshd: {ask: prompt, enroll: true}, gdm-password: {ask: prompt}}\n")
	for service, want := range map[string]bool{
		"sshd": true, "login": true, "su-l": true, "sudo-i": true, "kiosk": true,
		"su": false, "sudo": false, "remote": false, "doas": false, "vsftpd": false,
		"gdm-password": false, "cron": false, "xscreensaver": false, "": false, SelfService: false,
	} {
		if c.CanEnroll(service) != want {
			t.Errorf("%q: %v", service, !want)
		}
	}
	usual := mustParse(t, "version: 1\n")
	if want := []string{"doas", "login", "remote", "sshd", "su", "su-l", "sudo", "sudo-i"}; !slices.Equal(BuiltinEnroll(), want) {
		t.Errorf("%q", BuiltinEnroll())
	}
	for _, service := range BuiltinEnroll() {
		if !usual.CanEnroll(service) {
			t.Errorf("not at %s", service)
		}
	}
	var none *Config
	if none.CanEnroll("sshd") || (&Config{EnrollOn: map[string]bool{SelfService: true}}).CanEnroll(SelfService) {
		t.Error("without a policy, or where one proves who one is")
	}
}

func TestWhereOnesDevicesAreChangedOnlyDenyRulesCount(t *testing.T) {
	for sentence, test := range map[string]struct {
		config string
		facts  Facts
		action Action
		rule   string
	}{
		"who has no device passes":             {"default: required\n", known("dave"), Ignore, "service twokey-self"},
		"a listed one without a device too":    {"require: [{users: [dave]}]\n", known("dave"), Ignore, "service twokey-self"},
		"and who was reset":                    {"", known("dave").reset(), Ignore, "service twokey-self"},
		"where the default denies as well":     {"default: deny\n", known("dave"), Ignore, "service twokey-self"},
		"an unknown account is refused":        {"default: exempt\n", known("dave").unknown(), AskThenDeny, "unknown account"},
		"though everybody is exempt there":     {"exempt: [{services: [twokey-self]}]\n", known("dave").unknown(), AskThenDeny, "unknown account"},
		"a deny rule refuses":                  {"rules: [{users: [dave], then: deny}]\n", known("dave").with(), AskThenDeny, "rules[0]"},
		"also who has no device":               {"rules: [{users: [dave], then: deny}]\n", known("dave"), AskThenDeny, "rules[0]"},
		"and that of the service":              {"rules: [{name: shut, services: [twokey-self], then: deny}]\n", known("dave").with(), AskThenDeny, "rule shut"},
		"one that cannot be told refuses":      {"rules: [{groups: [broken], then: deny}]\n", known("dave").with(), AskThenDeny, "rules[0]"},
		"switched off too":                     {"enabled: false\nrules: [{users: [dave], then: deny}]\n", known("dave").with(), AskThenDeny, "rules[0]"},
		"switched off, no device":              {"enabled: false\n", known("dave"), Ignore, "service twokey-self"},
		"switched off, unknown":                {"enabled: false\n", known("dave").unknown(), AskThenDeny, "unknown account"},
		"a rule that requires asks nobody new": {"rules: [{users: [dave], then: required}]\n", known("dave"), Ignore, "service twokey-self"},
	} {
		got := mustParse(t, "version: 1\n"+test.config).Decide(test.facts.on(SelfService))
		if got.Action != test.action || got.Rule != test.rule && got.Decision != Deny || got.Enroll || !got.Grace.Equal(time.Time{}) {
			t.Errorf("%s: %+v", sentence, got)
		}
	}
}

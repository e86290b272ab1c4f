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

func TestMust11WhoMayEnrolAtThisLogin(t *testing.T) {
	const required = "default: required\n"
	for sentence, test := range map[string]struct {
		config string
		facts  Facts
		want   bool
	}{
		"who is required and has no device":          {required, known("dave"), true},
		"by an entry":                                {"require: [{users: [dave]}]\n", known("dave"), true},
		"by a rule":                                  {"rules: [{users: [dave], then: required}]\n", known("dave"), true},
		"on the console":                             {required, known("dave").console().on("login"), true},
		"where at_login is yes":                      {required + "enroll: {at_login: 'yes'}\n", known("dave"), true},
		"who was reset and is required":              {required, known("dave").reset(), true},
		"who was reset and is optional":              {"", known("dave").reset(), true},
		"who was reset before the day by":            {"require: [{users: [dave], by: 2026-11-30}]\n", known("dave").reset().at(friday), true},
		"after the day by":                           {"require: [{users: [dave], by: 2026-11-19}]\n", known("dave").at(friday), true},
		"required by an entry or by the default":     {required + "require: [{groups: [broken]}]\n", known("dave"), true},
		"not where at_login is no":                   {required + "enroll: {at_login: 'no'}\n", known("dave"), false},
		"not with a device":                          {required, known("dave").with(), false},
		"not who has a device and was reset":         {required, known("dave").with().reset(), false},
		"not who is optional":                        {"", known("dave"), false},
		"not who is exempt":                          {"exempt: [{users: [dave]}]\n" + required, known("dave"), false},
		"not who was reset and is exempt":            {"exempt: [{users: [dave]}]\n" + required, known("dave").reset(), false},
		"not who is denied":                          {"rules: [{users: [dave], then: deny}]\n" + required, known("dave"), false},
		"not where the default denies":               {"default: deny\n", known("dave"), false},
		"not who was reset and is denied":            {"default: deny\n", known("dave").reset(), false},
		"not while the day by is not over":           {"require: [{users: [dave], by: 2026-11-30}]\n", known("dave").at(friday), false},
		"not where an administrator must":            {"rules: [{users: [dave], then: required, enroll: by-admin}]\n", known("dave"), false},
		"not where one cannot":                       {required, known("dave").on("gdm-password"), false},
		"not where services says so":                 {required + "services: {sshd: {enroll: false}}\n", known("dave"), false},
		"not with one field":                         {required + "services: {sshd: {ask: appended}}\n", known("dave"), false},
		"not where it cannot ask":                    {required + "services: {sshd: {ask: never}}\n", known("dave"), false},
		"not with an earlier success":                {required + "services: {sshd: {ask: earlier}}\n", known("dave"), false},
		"not an account that does not exist":         {required, known("dave").unknown(), false},
		"not when it is switched off":                {required + "enabled: false\n", known("dave"), false},
		"not while nobody is refused anyway":         {required + "observe: true\n", known("dave"), false},
		"not where it cannot be told who is denied":  {required + "rules: [{groups: [broken], then: deny}]\n", known("dave"), false},
		"not where it cannot be told who must":       {"require: [{groups: [broken]}]\n", known("dave"), false},
		"not if an administrator perhaps must do it": {required + "rules: [{groups: [broken], then: required, enroll: by-admin}]\n", known("dave"), false},
		"not where one proves who one is":            {required, known("dave").on(SelfService), false},
	} {
		got := mustParse(t, "version: 1\n"+test.config).Decide(test.facts)
		if got.Enroll != test.want || got.Enroll && (got.Action != AskThenDeny || !got.NeedsDevice || got.Decision != Required) {
			t.Errorf("%s: %+v", sentence, got)
		}
	}
	for _, word := range []string{"", "Yes", "true"} {
		if got := (&Config{Default: Required, AtLogin: word}).Decide(known("dave")); got.Enroll {
			t.Errorf("at_login %q: %+v", word, got)
		}
	}
}

// Everything that lets somebody by elsewhere stands in the policy, for a user with a device.
func TestMust10WhoIsEnrolledIsAskedWhereHisDevicesAreChanged(t *testing.T) {
	for sentence, config := range map[string]string{
		"nothing is said":                  "",
		"he is exempt":                     "exempt: [{users: [dave]}]\n",
		"he is exempt by his group":        "exempt: [{groups: [staff]}]\n",
		"he is exempt there":               "exempt: [{users: [dave], services: [twokey-self]}]\n",
		"everybody is exempt there":        "exempt: [{services: [twokey-self]}]\n",
		"system accounts are exempt":       "exempt: [{system_accounts: true}]\n",
		"a rule exempts him":               "rules: [{users: [dave], then: exempt}]\n",
		"a rule exempts everybody there":   "rules: [{services: [twokey-self], then: exempt}]\n",
		"the default exempts":              "default: exempt\n",
		"the default denies":               "default: deny\n",
		"he is required":                   "require: [{users: [dave]}]\n",
		"nobody is refused elsewhere":      "observe: true\n",
		"successes are remembered":         "remember: 12h\n",
		"a lookup fails that nobody needs": "exempt: [{groups: [broken]}]\n",
	} {
		c := mustParse(t, "version: 1\n"+config)
		f := known("dave", "staff").with().on(SelfService)
		f.System = true
		got := c.Decide(f)
		if got.Action != Ask || got.Decision != Optional || got.Way != Prompt || got.Observe || got.Remember != 0 || got.Rule != "service twokey-self" || !slices.Equal(got.Methods, Methods()) {
			t.Errorf("%s: %+v", sentence, got)
		}
		if c.AsksNobody(f) {
			t.Errorf("%s: nobody is asked", sentence)
		}
	}
	// A policy that no file can have.
	c := &Config{Services: map[string]Way{SelfService: NotALogin}, Methods: []string{"totp"}}
	if got := c.Decide(known("dave").with().on(SelfService)); got.Action != Ask || got.Way != Prompt {
		t.Errorf("%+v", got)
	}
}

func TestWhereOnesDevicesAreChangedTheSwitchAndDenyRulesCount(t *testing.T) {
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
		"switched off nobody is asked":         {"enabled: false\n", known("dave").with(), Ignore, "switched off"},
		"a rule that requires asks nobody new": {"rules: [{users: [dave], then: required}]\n", known("dave"), Ignore, "service twokey-self"},
	} {
		got := mustParse(t, "version: 1\n"+test.config).Decide(test.facts.on(SelfService))
		if got.Action != test.action || got.Rule != test.rule && got.Decision != Deny || got.Enroll || !got.Grace.Equal(time.Time{}) {
			t.Errorf("%s: %+v", sentence, got)
		}
	}
}

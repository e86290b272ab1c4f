package moduletest

import (
	"strings"
	"testing"
)

// requiredStack is the service of most applications: the module's line is required in every phase.
func requiredStack(line string) []string {
	return []string{"auth required " + line, "account required " + line, "session required " + line}
}

// withoutAccountLine is a service that somebody has wired by halves.
func withoutAccountLine(line string) []string {
	return []string{"auth required " + line, "account required pam_permit.so", "session required " + line}
}

// recommendedStack is what docs/policy.md and README.md have, with pam_permit in pam_unix's place.
func recommendedStack(line string) []string {
	return []string{
		"auth [success=1 default=ignore] pam_permit.so", "auth requisite " + line + " decoy", "auth required " + line + " after=password",
		"auth required pam_permit.so", "account required " + line, "session required " + line,
	}
}

// sufficientStack lets a success of the module end the stack of authenticate and account.
func sufficientStack(line string) []string {
	return []string{"auth sufficient " + line, "auth required pam_deny.so", "account sufficient " + line, "session required " + line}
}

// TestNothingOpensWhileTheAccountPhaseIsDue: authenticate has let in on the condition that the account phase enrols. An application
// that leaves the account phase out, ignores its result or has no line for it must not get a login out of authenticate alone.
func TestNothingOpensWhileTheAccountPhaseIsDue(t *testing.T) {
	t.Parallel()
	stacks := map[string]func(string) []string{"required": requiredStack, "recommended": recommendedStack, "sufficient": sufficientStack}
	for name, c := range map[string]struct {
		helper, phases string
		answers        []string
		want           string // the results in order; 17 is PAM_CRED_ERR
		starts         int
	}{
		"account left out": {"account", "auth,cred,refresh,open", nil, "auth 0 cred 17 refresh 17 open 14", 1},
		"account denied":   {"account", "auth,acct,cred,open", []string{"1"}, "auth 0 acct 6 cred 17 open 14", 2},
		"account denied, its result ignored, and answered later": {"account", "auth,acct,open,acct,cred", []string{"1", "123456"},
			"auth 0 acct 6 open 14 acct 0 cred 0", 3},
		"account answered":               {"account", "auth,acct,cred,open", []string{"123456", "123456"}, "auth 0 acct 0 cred 0 open 0", 3},
		"too early and then in order":    {"account", "auth,cred,acct,cred", []string{"123456"}, "auth 0 cred 17 acct 0 cred 0", 2},
		"nothing to ask in account":      {"allow", "auth,cred,refresh,open", nil, "auth 0 cred 0 refresh 0 open 0", 2},
		"a second try with nothing due":  {"account-first", "auth,auth,cred,open", nil, "auth 0 auth 0 cred 0 open 0", 3},
		"credentials are always ended":   {"account", "auth,delete,close", nil, "auth 0 delete 0 close 0", 1},
		"setcred before authenticate":    {"account", "cred,auth,cred", nil, "cred 0 auth 0 cred 17", 1},
		"the helper dies in account":     {"account-dies", "auth,acct,cred,open", nil, "auth 0 acct 6 cred 17 open 14", 2},
		"IGNORE in account ends nothing": {"account-ignore", "auth,acct,cred,open", nil, "auth 0 acct 6 cred 17 open 14", 2},
	} {
		for kind, stack := range stacks {
			t.Run(name+"/"+kind, func(t *testing.T) {
				for _, k := range []kit{plain(t), sanitized(t)} {
					o := try{kit: k, helper: c.helper, phases: c.phases, answers: c.answers, stack: stack}.run(t)
					o.expectPhases(c.phases, c.want)
					if starts := len(linesOf(o.seen, "pid")); starts != c.starts {
						t.Errorf("the helper was started %d times, want %d", starts, c.starts)
					}
					if strings.Contains(c.want, " 17") {
						o.expectLog("the account phase, which has still to ask, was left out or denied")
					}
				}
			})
		}
	}
}

func TestMissingAccountLineOpensNothing(t *testing.T) {
	o := try{kit: plain(t), helper: "allow-account", phases: "auth,acct,cred,open", stack: withoutAccountLine}.run(t)
	o.expectPhases("auth,acct,cred,open", "auth 0 acct 0 cred 17 open 14")
	o.expectLog("is its line missing?")
}

// TestAnsweredAccountPhaseThatCannotBeForgottenDenies: else the next open_session would be refused, or the question asked again.
func TestAnsweredAccountPhaseThatCannotBeForgottenDenies(t *testing.T) {
	o := try{kit: plain(t), helper: "allow-account", phases: "auth,acct", options: []string{"-f", "pam_clear_due"}}.run(t)
	o.expectPhases("auth,acct", "auth 0 acct 6")
}

// TestTheAccountPhaseHasTenMinutes: somebody has to find an app, install it and scan a picture. Authenticate has not.
func TestTheAccountPhaseHasTenMinutes(t *testing.T) {
	for name, c := range map[string]struct {
		helper, phases, want string
		answers              []string
	}{
		"ten minutes":          {"account", "auth,acct", "auth 0 acct 0", []string{"@late:600"}},
		"eleven":               {"account", "auth,acct", "auth 0 acct 6", []string{"@late:660"}},
		"two in authenticate":  {"prompt", "auth", "auth 7", []string{"@late:120"}},
		"less in authenticate": {"prompt", "auth", "auth 0", []string{"@late:100"}},
	} {
		t.Run(name, func(t *testing.T) {
			try{kit: plain(t), helper: c.helper, phases: c.phases, answers: c.answers}.run(t).expectPhases(c.phases, c.want)
		})
	}
}

// expectPhases checks the results of the phases, in order.
func (o outcome) expectPhases(phases, want string) {
	o.t.Helper()
	var got []string
	for line := range strings.Lines(o.out) {
		if kind, _, _ := strings.Cut(line, " "); strings.Contains(","+phases+",", ","+kind+",") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if strings.Join(got, " ") != want {
		o.t.Errorf("got %q, want %q\n%s", got, want, o.out)
	}
}

package moduletest

import (
	"slices"
	"strings"
	"testing"
)

// TestWhatIsToldOfARefusal: the account phase is an enrolment's, behind a whole authentication, and whoever was asked in it is told what came
// of it. In authenticate nothing is told where nothing was before, or a stranger would see another refusal than before.
func TestWhatIsToldOfARefusal(t *testing.T) {
	t.Parallel()
	silent := []string{"-x", "silent"}
	over := []string{"It is over."}
	for name, c := range map[string]struct {
		helper  string
		answer  string
		options []string
		told    []string
	}{
		"an answer":                                {"told", "1", nil, over},
		"no answer":                                {"told", "@fail", nil, nil},
		"an answer without text":                   {"told", "@null", nil, nil},
		"an answer after the end of all":           {"told", "@late:120", nil, nil},
		"with PAM_SILENT":                          {"told", "1", silent, nil},
		"the helper has gone":                      {"late", "@slow", nil, nil},
		"account: an answer":                       {"account-told", "1", nil, over},
		"account: no answer":                       {"account-told", "@fail", nil, over},
		"account: an answer without text":          {"account-told", "@null", nil, over},
		"account: with PAM_SILENT":                 {"account-told", "1", silent, over},
		"account: no answer, with PAM_SILENT":      {"account-told", "@fail", silent, over},
		"account: the helper has gone":             {"account-late", "@slow", nil, over},
		"account: it has gone, with PAM_SILENT":    {"account-late", "@slow", silent, over},
		"account: an answer after the end of all":  {"account-late", "@late:660", nil, over},
		"account: an answer an hour after the end": {"account-late", "@late:3600", nil, over},
	} {
		t.Run(name, func(t *testing.T) {
			for _, k := range []kit{plain(t), sanitized(t)} {
				phases, want := "auth", "auth 7"
				if strings.HasPrefix(c.helper, "account") {
					phases, want = "auth,acct", "auth 0 acct 6"
				}
				o := try{kit: k, helper: c.helper, phases: phases, answers: []string{c.answer}, options: c.options}.run(t)
				o.expectPhases(phases, want)
				if got := o.all("error"); !slices.Equal(got, c.told) {
					t.Errorf("told %q, want %q", got, c.told)
				}
				if asked := o.all("hidden"); len(asked) != 1 {
					t.Errorf("asked %q", asked)
				}
			}
		})
	}
}

// TestAnAnswerThatNobodyHasReadLetsNobodyIn: the module reads on behind it, for what is to be told.
func TestAnAnswerThatNobodyHasReadLetsNobodyIn(t *testing.T) {
	for _, k := range []kit{plain(t), sanitized(t)} {
		try{kit: k, helper: "late-allow", answers: []string{"@slow"}}.run(t).expect(authErr)
		o := try{kit: k, helper: "account-late-allow", phases: "auth,acct", answers: []string{"@slow"}}.run(t)
		o.expectPhases("auth,acct", "auth 0 acct 6")
	}
}

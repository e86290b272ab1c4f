package doctor

import (
	"fmt"
	"slices"
	"strings"

	"twokey/internal/pamconf"
)

// byUsAlone reports whether our module let in and nothing else of the stack did: no password, and nothing of the kind.
func byUsAlone(o pamconf.Outcome) bool { return letIn(o) && o.Marks&(byPassword|byOther) == 0 }

// unproven: our module says success for whoever has to enrol, so that the account phase comes. That must not be the end of authenticate
// before something else was right. At sshd that can be a key, of which its own configuration says more.
//
// Attack: type the name of somebody who has no device yet into "auth sufficient pam_twokey.so", and link a phone without his password.
func (c *check) unproven(stack pamconf.Stack, found walked) {
	if !c.canEnrol(c.s.Name) || !found.any(byUsAlone) {
		return
	}
	fix := c.mendUnproven(stack)
	if c.s.Name == sshdService {
		c.row.unproven = fix
		return
	}
	c.report(Error, "enrol-without-password", unprovenMessage(stack), fix)
}

func unprovenMessage(stack pamconf.Stack) string {
	ours := stack[slices.IndexFunc(stack, isReal)]
	return fmt.Sprintf("%s can let in before a password was right, so that who does not have it enrols in another's name", at(ours.Place))
}

// mendUnproven lets our line not end the stack, if there is a password behind it; else it asks for one before.
func (c *check) mendUnproven(stack pamconf.Stack) string {
	required := slices.Clone(stack)
	for i, line := range required {
		if isReal(line) {
			required[i].Control = realLine().Control
		}
	}
	if found := walk(required, subject); found.complete && found.any(letIn) && !found.any(byUsAlone) {
		return c.asRequired(stack)
	}
	return before(stack[slices.IndexFunc(stack, isReal)].Place, "auth requisite pam_unix.so")
}

// unproven: where questions alone let in, the stack behind them has to ask for the password.
func (s *sshdCheck) unproven() {
	row := s.rowOf(sshdService)
	if row == nil || row.unproven == "" || !s.yes("kbdinteractiveauthentication") {
		return
	}
	lists := strings.Fields(s.value("authenticationmethods"))
	questionsAlone := func(list string) bool {
		return list == "any" || strings.Trim(strings.ReplaceAll(strings.ReplaceAll(list, "keyboard-interactive:pam", ""), "keyboard-interactive", ""), ",") == ""
	}
	if len(lists) > 0 && !slices.ContainsFunc(lists, questionsAlone) {
		return
	}
	s.report(Error, "enrol-without-password", "its PAM stack can let in before a password was right, so that who does not have it enrols in another's name", row.unproven)
}

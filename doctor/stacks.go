package doctor

import (
	"fmt"
	"slices"
	"strings"

	"twokey/internal/pamconf"
	"twokey/policy"
)

// walked is what can become of a stack.
type walked struct {
	outcomes []pamconf.Outcome
	complete bool
}

// walk finds out, without what root may do and without results that are left out.
func walk(stack pamconf.Stack, w world, without ...pamconf.Step) walked {
	options := func(line pamconf.Line, marks pamconf.Marks) []pamconf.Option {
		return slices.DeleteFunc(w.options(line, marks), func(o pamconf.Option) bool {
			return o.Mark&byRoot != 0 || slices.ContainsFunc(without, func(s pamconf.Step) bool {
				return s.Result == o.Result && samePlace(stack[s.Line], line)
			})
		})
	}
	found, complete := stack.Outcomes(options)
	return walked{found, complete}
}

func samePlace(a, b pamconf.Line) bool {
	return a.Place == b.Place && a.Phase == b.Phase && slices.Equal(a.Via, b.Via)
}

func (w walked) any(is func(pamconf.Outcome) bool) bool { return slices.ContainsFunc(w.outcomes, is) }

// What an outcome shows.
func passesBy(o pamconf.Outcome) bool { return o.Result.In() && o.Marks&reached == 0 }

func failureIgnored(o pamconf.Outcome) bool { return o.Result.In() && o.Marks&refused != 0 }

func letIn(o pamconf.Outcome) bool { return o.Result.In() && o.Marks&passed != 0 }

func withoutPassword(o pamconf.Outcome) bool { return o.Marks&unguarded != 0 }

// PassedBy reports whether somebody can get in through a service that calls our module without having been let through by it, whatever
// the policy is. Root becoming somebody else does not count.
func PassedBy(s *pamconf.Service) bool {
	stack := s.Stacks[pamconf.Auth]
	if s.Broken != "" || !slices.ContainsFunc(stack, isOurs) {
		return false
	}
	return walk(stack, subject).any(func(o pamconf.Outcome) bool { return passesBy(o) || failureIgnored(o) })
}

// auth examines the auth stack.
func (c *check) auth() {
	stack := c.s.Stacks[pamconf.Auth]
	ours := slices.IndexFunc(stack, isReal)
	decoy := slices.IndexFunc(stack, isDecoy)
	switch {
	case ours < 0 && decoy >= 0:
		c.decoyAlone(stack[decoy])
		return
	case ours < 0:
		c.row.becomes(NotWired)
		c.notAsked("auth-missing", "nobody is asked for a code, since no auth line calls "+moduleName, c.addAuth())
		return
	}
	found := walk(stack, subject)
	if !found.complete {
		c.row.becomes(AskedUnknown)
		c.report(Warning, "stack-too-large", "the auth stack is too large to be examined", "take lines out of "+c.s.File)
		return
	}
	c.after(stack, found)
	c.passedBy(stack, found)
	if found.any(failureIgnored) {
		c.row.becomes(AskedInVain)
		c.notAsked("failure-ignored", "a wrong code is let through: what "+moduleName+" refuses is ignored ("+at(stack[ours].Place)+")",
			c.asRequired(stack))
	} else if !found.any(letIn) && !found.any(passesBy) {
		c.row.becomes(NobodyGetsIn)
		c.report(Error, "nobody-gets-in", "nobody who is asked gets in, whatever he answers", "compare "+c.s.File+" with the recommended stack in the README")
		return
	}
	c.unproven(stack, found)
	c.codesOnly(stack, found)
	if found.any(letIn) {
		c.notSubject(stack)
		c.ifDeleted(stack, found)
	}
	if c.way == policy.Appended {
		c.appended(stack)
		return
	}
	c.password(stack, found)
}

func saysAfterPassword(line pamconf.Line) bool {
	return isReal(line) && slices.Contains(line.Args, "after=password")
}

// appended: where password and code come in one field, our line has to cut the code off before anything looks at the password, and what
// looks at it must not ask again.
func (c *check) appended(stack pamconf.Stack) {
	ours := slices.IndexFunc(stack, isReal)
	for i, line := range stack {
		switch takes := slices.Contains(line.Args, "try_first_pass") || slices.Contains(line.Args, "use_first_pass"); {
		case !slices.Contains(passwordModules(), line.Name()):
		case i < ours:
			c.report(Error, "appended-too-late", fmt.Sprintf("%s checks the password before the code is cut off it (ask: appended)", at(line.Place)),
				both(before(line.Place, withArgs(stack[ours], stack[ours].Args)), takeOut(stack[ours].Place)))
			return
		case !takes && asksAgain(line):
			c.report(Error, "appended-asks-again", fmt.Sprintf("%s asks for the password again, which the service cannot (ask: appended)", at(line.Place)),
				write(line.Place, withArgs(line, append(slices.Clone(line.Args), "try_first_pass"))))
		}
	}
}

// asRequired writes our lines with a control by which their failure counts.
func (c *check) asRequired(stack pamconf.Stack) string {
	var fixes []string
	for _, line := range stack {
		if isReal(line) && strings.ToLower(line.Word) != "required" {
			line.Word = "required"
			fixes = append(fixes, write(line.Place, withArgs(line, line.Args)))
		}
	}
	return both(fixes...)
}

// decoyAlone: the decoy only denies. Whoever it is not called for gets in unasked, all others never.
func (c *check) decoyAlone(decoy pamconf.Line) {
	args := append([]string{"after=password"}, slices.DeleteFunc(slices.Clone(decoy.Args), func(arg string) bool { return arg == "decoy" })...)
	line := decoy
	line.Word = "required"
	fix := behind(decoy.Place, withArgs(line, args))
	found := walk(c.s.Stacks[pamconf.Auth], subject)
	c.after(c.s.Stacks[pamconf.Auth], found)
	c.row.becomes(DecoyOnly)
	if found.any(func(o pamconf.Outcome) bool { return o.Result.In() }) {
		c.notAsked("decoy-alone", "a right password is enough, since behind the decoy the line is missing that checks the code", fix)
		return
	}
	c.report(Error, "decoy-alone", "nobody gets in, since the decoy only denies, and the line is missing that checks the code", fix)
}

// notSubject: our module stays out of it where the policy asks nobody, and libpam denies a stack in which every module does.
func (c *check) notSubject(stack pamconf.Stack) {
	if walk(stack, notSubject).any(func(o pamconf.Outcome) bool { return o.Result.In() && o.Marks&reached != 0 }) {
		return
	}
	last := stack[0]
	for _, line := range stack {
		if isReal(line) {
			last = line
		}
	}
	c.report(Error, "permit-missing", "whoever is not asked does not get in, since no line behind "+moduleName+" says success",
		behind(last.Place, "auth required pam_permit.so"))
}

// password: what the password has to do with the question.
func (c *check) password(stack pamconf.Stack, found walked) {
	unguardedWay := found.any(withoutPassword)
	for _, line := range stack {
		if unguardedWay && saysAfterPassword(line) {
			rest := slices.DeleteFunc(slices.Clone(line.Args), func(arg string) bool { return arg == "after=password" })
			c.report(Error, "password-not-sure", fmt.Sprintf("%s says after=password, and can be reached without a right one", at(line.Place)),
				write(line.Place, withArgs(line, rest)))
			return
		}
	}
	switch {
	case c.way != policy.Prompt || c.s.Name == policy.SelfService || slices.ContainsFunc(stack, isDecoy): // there is nothing to give away
	case unguardedWay:
		c.report(Info, "asked-without-password", "a stranger without the password is asked too, and can use up a user's tries",
			"the recommended stack in the README asks him by the decoy, which counts nothing")
	default:
		c.report(Info, "prompt-tells-password", "the question comes only after a right password, so it tells that the password was right",
			"the recommended stack in the README has the decoy, which asks after a wrong one too")
	}
}

// passedBy names every line by which a login gets past ours.
func (c *check) passedBy(stack pamconf.Stack, found walked) {
	const most = 8
	var culprits []pamconf.Step
	for len(culprits) < most {
		at := slices.IndexFunc(found.outcomes, passesBy)
		if at < 0 {
			return
		}
		step := culprit(stack, found.outcomes[at].Steps)
		culprits = append(culprits, step)
		c.bypass(stack, step)
		if found = walk(stack, subject, culprits...); !found.complete {
			return
		}
	}
}

// culprit is the step that led over our lines.
func culprit(stack pamconf.Stack, steps []pamconf.Step) pamconf.Step {
	for i, step := range steps {
		next := len(stack)
		if i+1 < len(steps) {
			next = steps[i+1].Line
		}
		if slices.ContainsFunc(stack[step.Line+1:next], isReal) {
			return step
		}
	}
	return steps[len(steps)-1]
}

func (c *check) bypass(stack pamconf.Stack, step pamconf.Step) {
	c.row.becomes(AskedPassedBy)
	line := stack[step.Line]
	how := "ends the stack before " + moduleName
	if line.Control[step.Result].Jumps() {
		how = "jumps over " + moduleName
	}
	c.notAsked("passed-by", fmt.Sprintf("%s (%s %s) %s when %s says %s", at(line.Place), line.Phase, line.Word, how, line.Name(), step.Result),
		c.mendBypass(stack, step))
}

// mendBypass makes a substack of the file that the line is in, since what is sufficient there ends only that; or lets the line jump to
// ours instead: the first distance by which somebody gets in with a code.
func (c *check) mendBypass(stack pamconf.Stack, step pamconf.Step) string {
	if line := stack[step.Line]; c.ownInclude(line) && !slices.ContainsFunc(stack, saysAfterPassword) { // a substack that fails does not end the stack
		return write(line.Via[0], asSubstack(line))
	}
	for over := 1; over < len(stack); over++ {
		line := stack[step.Line]
		line.Control[pamconf.Success], line.Control[pamconf.NewAuthtok] = pamconf.Action(over), pamconf.Action(over)
		line.Word = jumpWord(line, over)
		changed := slices.Clone(stack)
		changed[step.Line] = line
		if !c.leadsIn(changed, step) {
			continue
		}
		if len(line.Via) == 0 {
			return write(line.Place, withArgs(line, line.Args))
		}
		if fix, ok := c.inline(changed, line); ok {
			return fix
		}
	}
	return fmt.Sprintf("put the auth lines of %s before %s", moduleName, at(stack[step.Line].Place))
}

// leadsIn reports whether somebody gets in with a code when the step is taken.
func (c *check) leadsIn(stack pamconf.Stack, step pamconf.Step) bool {
	var others []pamconf.Step
	for _, o := range subject.options(stack[step.Line], 0) {
		if o.Result != step.Result {
			others = append(others, pamconf.Step{Line: step.Line, Result: o.Result})
		}
	}
	return walk(stack, subject, others...).any(letIn)
}

// jumpWord is a control as it is, but with a jump on success.
func jumpWord(line pamconf.Line, over int) string {
	jump := fmt.Sprintf("success=%d", over)
	inside, bracketed := strings.CutPrefix(line.Word, "[")
	if !bracketed {
		return "[" + jump + " default=ignore]"
	}
	var kept []string
	for _, pair := range strings.Fields(strings.TrimSuffix(inside, "]")) {
		if !strings.HasPrefix(pair, "success=") && !strings.HasPrefix(pair, "new_authtok_reqd=") {
			kept = append(kept, pair)
		}
	}
	return "[" + strings.Join(append([]string{jump}, kept...), " ") + "]"
}

// inline writes the lines of an included file in the place of the line that includes it: the file is other services' too.
func (c *check) inline(stack pamconf.Stack, changed pamconf.Line) (string, bool) {
	var lines []string
	for _, line := range stack {
		if len(line.Via) == 0 || line.Via[0] != changed.Via[0] {
			continue
		}
		if len(line.Via) > 1 || line.Level > 0 || line.Kind != pamconf.Module {
			return "", false
		}
		lines = append(lines, withArgs(line, line.Args))
	}
	return write(changed.Via[0], lines...), changed.Via[0].File == c.s.File
}

// phase examines the account or the session stack.
func (c *check) phase(phase pamconf.Phase) {
	stack := c.s.Stacks[phase]
	ours := slices.IndexFunc(stack, isOurs)
	if ours < 0 {
		c.phaseMissing(phase)
		return
	}
	found := walk(stack, subject)
	c.wired(phase, WiredYes)
	switch {
	case !found.complete:
		c.wired(phase, WiredUnknown)
		c.report(Warning, "stack-too-large", fmt.Sprintf("the %s stack is too large to be examined", phase), "take lines out of "+c.s.File)
	case found.any(passesBy):
		c.wired(phase, WiredPassedBy)
		line := stack[ours]
		c.phaseFault(phase, string(phase)+"-passed-by", fmt.Sprintf("%s is not always reached, since a line before it can end the stack", at(line.Place)),
			both(c.addPhase(phase), takeOut(line.Place)))
	case found.any(failureIgnored):
		c.wired(phase, WiredIgnored)
		c.phaseFault(phase, string(phase)+"-failure-ignored", fmt.Sprintf("what %s refuses in the %s phase is ignored (%s)", moduleName, phase, at(stack[ours].Place)),
			c.asRequired(stack))
	}
}

func (c *check) phaseMissing(phase pamconf.Phase) {
	if _, own := c.firstPlace(phase); phase == pamconf.Session && !own && c.s.Name != sshdService {
		c.wired(phase, WiredNotNeeded)
		return // a service that opens no sessions, such as a lock of the screen
	}
	c.wired(phase, WiredNo)
	what := "users who have to enrol, and what waits for a right password, are refused or left out"
	if c.learnt() {
		what = "a login has found so, and nobody enrols there until it is mended"
	}
	if phase == pamconf.Session {
		what = "sessions are not recorded, and logins by key alone are not seen"
	}
	c.phaseFault(phase, string(phase)+"-missing", fmt.Sprintf("no %s line calls %s: %s", phase, moduleName, what), c.addPhase(phase))
}

// phaseFault: without the account line users who have to enrol stay out, and nobody is harmed before there is one. The session line
// refuses logins by key alone, where those are not accepted: then it is what asks.
func (c *check) phaseFault(phase pamconf.Phase, id, message, fix string) {
	switch {
	case phase == pamconf.Account && (c.learnt() || slices.ContainsFunc(c.required, c.enrolsHere)):
		c.report(Error, id, message, fix)
	case phase == pamconf.Account:
		c.report(Warning, id, message, fix)
	case c.keysDenied():
		c.notAsked(id, message+", so ssh_keys_alone: deny has no effect", fix)
	default:
		c.report(Warning, id, message, fix)
	}
}

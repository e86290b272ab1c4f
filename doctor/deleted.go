package doctor

import (
	"slices"

	"twokey/internal/pamconf"
)

// noPassword: somebody gets in and no password was right.
func noPassword(o pamconf.Outcome) bool {
	return o.Result.In() && o.Marks&byPassword == 0
}

// ifDeleted looks at what is left when our lines are taken out one day. Where another means than a password leads in as it is, such as a
// finger, nothing is said.
//
// Attack: in the stack of pam_unix that jumps over the decoy, our lines and pam_permit, only the decoy refuses a wrong password. Whoever
// deletes our lines leaves pam_permit, which lets everybody in.
func (c *check) ifDeleted(stack pamconf.Stack, found walked) {
	if found.any(noPassword) || !walk(withoutOurs(stack), subject).any(noPassword) {
		return
	}
	c.report(Info, "permit-without-deny",
		"if the lines of "+moduleName+" are ever deleted, everybody gets in with any password, since then nothing stands before pam_permit.so that refuses",
		c.guard(stack))
}

func withoutOurs(stack pamconf.Stack) pamconf.Stack {
	return slices.DeleteFunc(slices.Clone(stack), isOurs)
}

// guard puts pam_deny behind the decoy, and lets the jumps over the decoy go over that too.
func (c *check) guard(stack pamconf.Stack) string {
	compared := "compare " + c.s.File + " with the recommended stack in the README"
	decoy := slices.IndexFunc(stack, isDecoy)
	if decoy < 0 {
		return compared
	}
	var fixes []string
	guarded := slices.Clone(stack)
	for i, line := range stack[:decoy] {
		over := int(line.Control[pamconf.Success])
		if line.Kind != pamconf.Module || i+over < decoy {
			continue
		}
		line.Word = jumpWord(line, over+1)
		line.Control[pamconf.Success]++
		guarded[i] = line
		fixes = append(fixes, write(line.Place, withArgs(line, line.Args)))
	}
	deny := denyLine(stack[decoy])
	guarded = slices.Insert(guarded, decoy+1, deny)
	if !walk(guarded, subject).any(letIn) || walk(withoutOurs(guarded), subject).any(noPassword) {
		return compared
	}
	return both(append(fixes, behind(stack[decoy].Place, withArgs(deny, nil)))...)
}

// denyLine is a requisite pam_deny where another line stands.
func denyLine(line pamconf.Line) pamconf.Line {
	for i := range line.Control {
		line.Control[i] = pamconf.Die
	}
	line.Word, line.Module, line.Args = "requisite", "pam_deny.so", nil
	return line
}

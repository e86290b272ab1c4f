package doctor

import (
	"slices"
	"strings"

	"twokey/internal/pamconf"
	"twokey/policy"
)

// moduleName is ours, as stacks name it.
const moduleName = "pam_twokey.so"

// What has happened on a way through a stack.
const (
	byPassword  pamconf.Marks = 1 << iota // a password was right
	reached                               // our line was called, not the decoy
	refused                               // and refused, or was not there
	passed                                // and let through
	decoyCalled                           // the decoy was called
	unguarded                             // our line was called before a password was right
	byRoot                                // pam_rootok let root through
	byOther                               // something else than a password was right
)

// world is what our module does in a stack.
type world int

const (
	subject    world = iota // somebody who has to show a code: right or wrong
	notSubject              // somebody who does not: the module stays out of it
)

func isOurs(line pamconf.Line) bool { return line.Kind == pamconf.Module && line.Name() == moduleName }

func isDecoy(line pamconf.Line) bool { return isOurs(line) && slices.Contains(line.Args, "decoy") }

func isReal(line pamconf.Line) bool { return isOurs(line) && !isDecoy(line) }

// refusal is what our module returns when it refuses.
func refusal(phase pamconf.Phase) pamconf.Result {
	switch phase {
	case pamconf.Account:
		return pamconf.PermDenied
	case pamconf.Session:
		return pamconf.SessionErr
	}
	return pamconf.AuthErr
}

// options are what a line may return in a world.
func (w world) options(line pamconf.Line, marks pamconf.Marks) []pamconf.Option {
	switch {
	case isDecoy(line):
		return []pamconf.Option{{Result: refusal(line.Phase), Mark: decoyCalled}}
	case isOurs(line):
		return w.ours(line, marks)
	}
	return others(line)
}

func (w world) ours(line pamconf.Line, marks pamconf.Marks) []pamconf.Option {
	mark := reached
	if marks&byPassword == 0 {
		mark |= unguarded
	}
	if w == notSubject {
		if line.Phase == pamconf.Auth {
			return []pamconf.Option{{Result: pamconf.Ignore, Mark: mark}}
		}
		return []pamconf.Option{{Result: pamconf.Success, Mark: mark | passed}}
	}
	return []pamconf.Option{
		{Result: pamconf.Success, Mark: mark | passed},
		{Result: refusal(line.Phase), Mark: mark | refused},
		{Result: pamconf.ModuleUnknown, Mark: mark | refused}, // the package was removed, or is being upgraded
	}
}

// others are the modules that are not ours. One that we do not know may return anything that makes a difference to its line.
func others(line pamconf.Line) []pamconf.Option {
	switch name := line.Name(); {
	case name == "pam_permit.so":
		return []pamconf.Option{{Result: pamconf.Success}}
	case name == "pam_deny.so":
		return []pamconf.Option{{Result: refusal(line.Phase)}}
	case name == "pam_faildelay.so", name == "pam_warn.so", name == "pam_echo.so":
		return []pamconf.Option{{Result: pamconf.Ignore}}
	case name == "pam_rootok.so":
		return []pamconf.Option{{Result: pamconf.Success, Mark: byRoot}, {Result: pamconf.AuthErr}}
	case line.Phase == pamconf.Auth && slices.Contains(passwordModules(), name):
		return possible(line, byPassword)
	case line.Phase == pamconf.Auth && slices.Contains(otherProofs(), name):
		return possible(line, byOther)
	}
	return possible(line, 0)
}

// passwordModules check a password.
func passwordModules() []string {
	return []string{"pam_unix.so", "pam_sss.so", "pam_ldap.so", "pam_krb5.so", "pam_winbind.so", "pam_userdb.so", "pam_tcb.so",
		"pam_systemd_home.so", "pam_pwdfile.so", "pam_mysql.so", "pam_radius_auth.so", "pam_authd.so"}
}

// otherProofs look at something else that only the user has.
func otherProofs() []string {
	return []string{"pam_fprintd.so", "pam_howdy.so", "pam_oath.so", "pam_p11.so", "pam_pkcs11.so", "pam_rssh.so",
		"pam_ssh_agent_auth.so", "pam_u2f.so", "pam_yubico.so"}
}

// asksAgain reports whether a module asks for a password though there is one, unless an argument says that it must not. Those that come
// with libpam take what is there (pam_get_authtok(3)).
func asksAgain(line pamconf.Line) bool {
	return !slices.Contains([]string{"pam_unix.so", "pam_userdb.so"}, line.Name())
}

// possible has one result for each action that the line's control knows, success apart from failures.
func possible(line pamconf.Line, onSuccess pamconf.Marks) []pamconf.Option {
	options := []pamconf.Option{{Result: pamconf.Success, Mark: onSuccess}}
	if line.Phase == pamconf.Account {
		options = append(options, pamconf.Option{Result: pamconf.NewAuthtok})
	}
	ignores := func(arg string) bool { return strings.HasPrefix(arg, "ignore") || arg == "nouserok" } // pam_sss has ignore_unknown_user
	if onSuccess == 0 || slices.ContainsFunc(line.Args, ignores) {
		options = append(options, pamconf.Option{Result: pamconf.Ignore}) // a password is right or wrong, and so is a finger
	}
	var seen []pamconf.Action
	for result := pamconf.Success + 1; result < pamconf.Incomplete; result++ {
		action := line.Control[result]
		if result == pamconf.Ignore || result == pamconf.NewAuthtok || slices.Contains(seen, action) {
			continue
		}
		seen = append(seen, action)
		options = append(options, pamconf.Option{Result: result})
	}
	return options
}

// argumentProblem is why our module would refuse everybody on a line, and the line as it should be; "" when it would not.
func argumentProblem(line pamconf.Line) (why, better string) {
	var kept []string
	for _, arg := range line.Args {
		name, value, _ := strings.Cut(arg, "=")
		switch {
		case slices.ContainsFunc(kept, func(k string) bool { return name == strings.SplitN(k, "=", 2)[0] }):
			why = "the argument " + arg + " is repeated"
		case arg == "decoy" && line.Phase != pamconf.Auth:
			why = "decoy belongs into an auth line"
		case slices.Contains(plainArguments(), arg), slices.Contains([]string{"config", "helper", "socket"}, name) && strings.HasPrefix(value, "/"):
			kept = append(kept, arg)
		default:
			why = "there is no argument " + arg
			if meant := policy.Nearest(arg, plainArguments()); meant != "" {
				kept = append(kept, meant)
			}
		}
	}
	return why, withArgs(line, kept)
}

func plainArguments() []string { return []string{"decoy", "after=password", "debug"} }

// withArgs is a line with other arguments.
func withArgs(line pamconf.Line, args []string) string {
	words := []string{string(line.Phase), line.Word, line.Module}
	for _, arg := range args {
		if strings.ContainsAny(arg, " \t") || strings.HasPrefix(arg, "[") {
			arg = "[" + strings.ReplaceAll(arg, "]", `\]`) + "]"
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}

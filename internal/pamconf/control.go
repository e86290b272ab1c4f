package pamconf

import "strings"

// Result is what a module returns, numbered as in _pam_types.h.
type Result uint8

// The results that a caller has to name. There are 32 in all.
const (
	Success       Result = 0
	PermDenied    Result = 6
	AuthErr       Result = 7
	NewAuthtok    Result = 12 // PAM_NEW_AUTHTOK_REQD: in, once the password has been changed
	SessionErr    Result = 14
	Ignore        Result = 25
	Abort         Result = 26
	ModuleUnknown Result = 28 // the module is not there
	Incomplete    Result = 31 // no stack of this world returns it: only applications with an event loop see it
	results              = 32
)

// mustFail is what libpam returns where a stack has not come to a result (PAM_MUST_FAIL_CODE).
const mustFail = PermDenied

// resultNames are the words of pam.conf(5), by their numbers; the last stands for those that are not named.
func resultNames() [results + 1]string {
	return [...]string{"success", "open_err", "symbol_err", "service_err", "system_err", "buf_err", "perm_denied", "auth_err",
		"cred_insufficient", "authinfo_unavail", "user_unknown", "maxtries", "new_authtok_reqd", "acct_expired", "session_err",
		"cred_unavail", "cred_expired", "cred_err", "no_module_data", "conv_err", "authtok_err", "authtok_recover_err",
		"authtok_lock_busy", "authtok_disable_aging", "try_again", "ignore", "abort", "authtok_expired", "module_unknown", "bad_item",
		"conv_again", "incomplete", "default"}
}

// String is the result's word in pam.conf(5).
func (r Result) String() string {
	if r >= results {
		return "unknown"
	}
	return resultNames()[r]
}

// In reports whether an application lets somebody in with that.
func (r Result) In() bool { return r == Success || r == NewAuthtok }

// Action is what a line makes of a result: how many lines to jump over, or one of the six below.
type Action int

// The actions that are words in pam.conf(5).
const (
	DoNothing Action = 0 // "ignore"
	OK        Action = -1
	Done      Action = -2
	Bad       Action = -3
	Die       Action = -4
	Reset     Action = -5
	undefined Action = -6
)

// Jumps reports whether lines are jumped over.
func (a Action) Jumps() bool { return a > 0 }

// Control has the action for each result.
type Control [results]Action

func allActions(a Action) (c Control) {
	for i := range c {
		c[i] = a
	}
	return c
}

// setDefault gives this action to every result that has none yet.
func (c *Control) setDefault(a Action) {
	for i := range c {
		if c[i] == undefined {
			c[i] = a
		}
	}
}

// parseControl understands a control that is neither include nor substack: a word, or the inside of brackets. What cannot be
// understood is bad for every result, as in libpam.
func parseControl(text string) Control {
	c := allActions(undefined)
	otherwise := Bad
	switch strings.ToLower(text) {
	case "required":
		c[Success], c[NewAuthtok], c[Ignore] = OK, OK, DoNothing
	case "requisite":
		c[Success], c[NewAuthtok], c[Ignore] = OK, OK, DoNothing
		otherwise = Die
	case "optional":
		c[Success], c[NewAuthtok] = OK, OK
		otherwise = DoNothing
	case "sufficient":
		c[Success], c[NewAuthtok] = Done, Done
		otherwise = DoNothing
	default:
		if !c.parsePairs(text) {
			return allActions(Bad)
		}
	}
	c.setDefault(otherwise)
	return c
}

// cSpace are the characters of isspace(3).
const cSpace = " \t\n\v\f\r"

// parsePairs reads "result=action result=action". A result stands for all that begins with it: libpam compares prefixes.
func (c *Control) parsePairs(text string) bool {
	names := resultNames()
	for {
		if text = strings.TrimLeft(text, cSpace); text == "" {
			return true
		}
		result, rest, ok := cutPrefix(text, names[:])
		if !ok {
			return false
		}
		if rest, ok = strings.CutPrefix(strings.TrimLeft(rest, cSpace), "="); !ok {
			return false
		}
		action, rest, ok := cutAction(strings.TrimLeft(rest, cSpace))
		if !ok {
			return false
		}
		if text = rest; result == results {
			c.setDefault(action)
		} else {
			c[result] = action
		}
	}
}

func cutPrefix(text string, words []string) (which int, rest string, ok bool) {
	for i, word := range words {
		if rest, ok := strings.CutPrefix(text, word); ok {
			return i, rest, true
		}
	}
	return 0, text, false
}

// cutAction reads a word or a number above zero that fits into an int of C.
func cutAction(text string) (a Action, rest string, ok bool) {
	if which, rest, ok := cutPrefix(text, []string{"ignore", "ok", "done", "bad", "die", "reset"}); ok {
		return Action(-which), rest, true
	}
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		if a = 10*a + Action(text[n]-'0'); a > 1<<31-1 {
			return 0, text, false
		}
		n++
	}
	return a, text[n:], a > 0
}

package pamhook

import (
	"errors"

	"twokey/policy"
)

// errNotDivided refuses a field in which no code was found, or one in two places.
var errNotDivided = errors.New("no code behind the password, or more than one way to find one")

// appended is a login at a service with one field, into which the code is typed behind the password. The field is fetched in any case,
// so that the modules behind ours find it; when the code was right they find the password alone, else what was typed.
//
// Attack: a module that takes the end of a password for a code, and a string that it cut wrongly for the password.
func (r *run) appended(s subject, action policy.Action) Verdict {
	given := r.field()
	defer clear(given.field)
	if verdict, done := r.without(s, action); done {
		return verdict
	}
	return r.judge(s, action, given)
}

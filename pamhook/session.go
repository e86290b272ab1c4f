package pamhook

import (
	"errors"
	"io/fs"
	"slices"

	"twokey/audit"
	"twokey/policy"
	"twokey/state"
)

// notTheirOwn are the services whose session belongs to another account than the one that was asked: sudo asks for the caller's
// factor and opens a session for the target.
var notTheirOwn = []string{"sudo", "sudo-i", "su", "su-l", "doas", "runuser", "runuser-l"}

// errNothingWaits refuses an account phase that no authenticate has announced.
var errNothingWaits = errors.New("nothing waits for the account phase")

// account is reached only when authenticate announced that it has something to ask, which this version never does.
func (r *run) account() Verdict {
	if err := r.begin(); err != nil {
		return Verdict{}
	}
	r.append(r.record(actionAccount, audit.Failure, errNothingWaits.Error()))
	return Verdict{}
}

// openSession records by which factor, or why without one, a session opens. It also sees logins that never were in authenticate:
// sshd does not ask PAM when a key was enough.
func (r *run) openSession() Verdict {
	if slices.Contains(notTheirOwn, r.hello.Service) {
		return ignore()
	}
	if err := r.begin(); err != nil {
		return Verdict{}
	}
	if r.policy.Off {
		return ignore()
	}
	success, found, err := r.takeSuccess()
	if err != nil {
		return r.refuseSession(err)
	}
	subject := r.subject()
	outcome := r.policy.Decide(subject.facts(r))
	if !found && outcome.Decision == policy.Deny && !outcome.Observe {
		return r.refuseSession(errors.New(outcome.Reason))
	}
	if !found {
		success = state.Success{Method: none}
	}
	return allow(nil, r.recordSession(success, outcome))
}

// takeSuccess uses up what authenticate left in the user's state.
func (r *run) takeSuccess() (success state.Success, found bool, err error) {
	if r.hello.Name == "" {
		return success, false, errUnknown
	}
	states, err := r.host.State(r.policy)
	if err != nil {
		return success, false, err
	}
	err = states.Update(r.hello.Name, func(tx *state.Tx) error {
		success, found = tx.TakeSuccess(r.host.Application, r.hello.Service)
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return success, false, nil
	}
	return success, found, err
}

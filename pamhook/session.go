package pamhook

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"twokey/audit"
	"twokey/policy"
	"twokey/state"
)

// The reasons for which a session is refused.
var (
	errLate      = errors.New("the session opens later than open_within after its success")
	errEnded     = errors.New("what the user succeeded with was taken away before the session opened")
	errKeysAlone = errors.New("ssh key only, and ssh_keys_alone is deny")
)

// clockSlack is how far in the future a success may lie: the clock may be set right between a login and its session.
const clockSlack = 5 * time.Minute

// openSession records by which factor, or why without one, a session opens. It also sees logins that never were in authenticate:
// sshd does not ask PAM when a key was enough.
func (r *run) openSession() Verdict {
	if policy.ActsForAnother(r.hello.Service) {
		return ignore()
	}
	if err := r.begin(); err != nil {
		return r.refuseSession(err)
	}
	subject := r.subject()
	r.decide(subject)
	if r.outcome.Decision == policy.Exempt || r.outcome.Action == policy.Ignore && subject.problem == nil {
		r.append(r.sessionWithout(subject))
		r.notices(subject)
		return ignore()
	}
	if err := errors.Join(r.closedTo(subject), r.accountMissed(subject)); err != nil {
		return r.refuseSession(err)
	}
	success, found, err := r.takeSuccess(subject)
	if err == errLate || err == errEnded {
		return r.refuseSession(err)
	}
	if err = r.forgive(err); err != nil {
		return r.refuseSession(fmt.Errorf("the success of this login cannot be used up: %w", err))
	}
	if found {
		return r.openRecorded(subject, r.sessionWith(success))
	}
	if r.needsSuccess() {
		return r.refuseSession(errors.Join(errKeysAlone, r.reason(subject, nil)))
	}
	return r.openRecorded(subject, r.sessionWithout(subject))
}

// closedTo is why a session does not open whatever was given before; nil: it may. A success from before the policy said so is of no use.
func (r *run) closedTo(s subject) error {
	if r.outcome.Decision == policy.Deny || r.way == policy.Never {
		return r.reason(s, nil)
	}
	return nil
}

// needsSuccess reports whether a session does not open without a success of authenticate.
func (r *run) needsSuccess() bool {
	return r.outcome.Decision == policy.Required && r.policy.SSHKeysAlone == policy.KeysDeny && r.untyped()
}

// untyped reports whether nobody has typed anything to get here, as far as that is known. sshd always says by what it was satisfied.
//
// Attack: a method that we do not know, such as gssapi-keyex, or one that sshd does not tell of, in place of a key.
func (r *run) untyped() bool {
	return r.ssh.KeyAlone() || r.hello.Service == sshService && !r.ssh.Typed()
}

// openRecorded opens a session that is in the audit log.
func (r *run) openRecorded(s subject, rec audit.Record) Verdict {
	r.append(rec)
	if r.unwritten != nil {
		return r.refuseSession(r.unwritten)
	}
	r.notices(s)
	return allow(nil, r.unwritten)
}

// linkedBy is the name of the device that the login of this success has linked; "": it has linked none. Whatever else is a success has used
// its device, in the same write.
func linkedBy(success state.Success, st *state.State) string {
	for _, d := range st.Devices {
		if d.Name == success.Device && d.Method == success.Method && d.Used.IsZero() {
			return d.Name
		}
	}
	return ""
}

// takeSuccess uses up what authenticate left in the user's state; errLate when it is too old, and errEnded when it was taken back. What was used stays as a mark, without a
// method: when open_within is over no session may open as if nobody had ever been asked, neither at a second try nor for a process that
// lives on.
func (r *run) takeSuccess(s subject) (success state.Success, found bool, err error) {
	if !s.known {
		return success, false, nil
	}
	states, err := r.host.State(r.policy)
	if err != nil {
		return success, false, err
	}
	var age time.Duration
	err = states.Update(r.hello.Name, func(tx *state.Tx) error {
		now := r.host.Now()
		success, found = tx.TakeSuccess(r.host.Application, r.hello.Service)
		age = now.Sub(success.Time)
		// A number and a start time can come again when the machine has started anew: then the time may lie in the future.
		if found = found && age >= -clockSlack; found {
			r.linkedNow = linkedBy(success, tx.State)
			mark := success
			if mark.Device = ""; mark.Method != state.Ended {
				mark.Method = ""
			}
			tx.AddSuccess(mark, now)
		}
		return nil
	})
	switch {
	case found && age > r.policy.OpenWithin:
		return state.Success{}, false, errLate
	case found && success.Method == state.Ended:
		return state.Success{}, false, errEnded
	case errors.Is(err, fs.ErrNotExist):
		return state.Success{}, false, nil
	}
	return success, found && success.Method != "", err
}

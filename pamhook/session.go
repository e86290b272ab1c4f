package pamhook

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"twokey/audit"
	"twokey/policy"
	"twokey/state"
)

// notTheirOwn are the services whose session belongs to another account than the one that was asked: sudo asks for the caller's
// factor and opens a session for the target.
var notTheirOwn = []string{"sudo", "sudo-i", "su", "su-l", "doas", "runuser", "runuser-l"}

// errNothingWaits refuses an account phase that no authenticate has announced.
var errNothingWaits = errors.New("nothing waits for the account phase")

// openWithin is how long after a success the session may still open. It is not for ever: after a restart of the machine a stranger's
// process can have the number and the start time of one of before.
const openWithin = time.Hour

// clockSlack is how far in the future a success may lie: the clock may be set right between a login and its session.
const clockSlack = 5 * time.Minute

// account is reached only when authenticate announced that it has something to ask, which this version never does.
func (r *run) account() Verdict {
	reason := errNothingWaits
	if err := r.begin(); err != nil {
		reason = err
	}
	r.append(r.record(actionAccount, audit.Failure, reason.Error()))
	return Verdict{}
}

// openSession records by which factor, or why without one, a session opens. It also sees logins that never were in authenticate:
// sshd does not ask PAM when a key was enough.
func (r *run) openSession() Verdict {
	if slices.Contains(notTheirOwn, r.hello.Service) {
		return ignore()
	}
	if err := r.begin(); err != nil {
		return r.refuseSession(err)
	}
	if r.policy.Off {
		return ignore()
	}
	subject := r.subject()
	outcome := r.policy.Decide(subject.facts(r))
	without := r.sessionWithout(subject, outcome)
	if outcome.Decision == policy.Exempt || outcome.Action == policy.Ignore && subject.problem == nil {
		r.append(without)
		return ignore()
	}
	success, found, err := r.takeSuccess(subject)
	switch {
	case err != nil:
		return r.refuseSession(fmt.Errorf("the success of this login cannot be used up: %w", err))
	case found:
		return r.openRecorded(r.sessionWith(success))
	case outcome.Decision == policy.Deny:
		return r.refuseSession(errors.Join(subject.problem, errors.New(outcome.Reason)))
	}
	return r.openRecorded(without)
}

// openRecorded opens a session that is in the audit log.
func (r *run) openRecorded(rec audit.Record) Verdict {
	r.append(rec)
	if r.unwritten != nil {
		return r.refuseSession(r.unwritten)
	}
	return allow(nil, r.unwritten)
}

func (r *run) sessionWith(s state.Success) audit.Record {
	rec := r.record(audit.ActionSession, audit.Success, "second factor given")
	rec.SecondFactor, rec.Device = s.Method, s.Device
	return rec
}

// sessionWithout records a session for which no second factor was given, and why that was not needed.
func (r *run) sessionWithout(s subject, o policy.Outcome) audit.Record {
	reason := fmt.Sprintf("%s (%s)", o.Reason, o.Rule)
	if s.problem != nil {
		reason += "; " + s.problem.Error()
	}
	rec := r.record(audit.ActionSession, audit.Success, reason)
	rec.SecondFactor = "none"
	return rec
}

// takeSuccess uses up what authenticate left in the user's state.
func (r *run) takeSuccess(s subject) (success state.Success, found bool, err error) {
	if !s.known {
		return success, false, nil
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
	age := r.host.Now().Sub(success.Time)
	return success, found && -clockSlack <= age && age <= openWithin, err
}

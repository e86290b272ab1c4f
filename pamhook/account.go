package pamhook

import (
	"errors"
	"fmt"

	"twokey/audit"
	"twokey/policy"
)

// The reasons for which the account phase refuses.
var (
	errNothingWaits = errors.New("nothing waits for the account phase")
	errStopped      = errors.New("the user has stopped the enrolment")
	errCannotAsk    = fmt.Errorf("%w: this way of logging in cannot ask", errNoAnswer)
	errTries        = errors.New("too many wrong answers in an enrolment")
	errTime         = errors.New("the time for an enrolment is over")
	errNoEnrolment  = errors.New("the policy does not let the user enrol here any more")
)

// account enrols whom authenticate has announced, and nobody else: the module asks us only then, but what it says is not enough.
//
// Attack (57): a device pending from a thief's try would be made active by the owner's next login; so nothing is kept of a try but what
// its own process can take.
func (r *run) account() Verdict {
	r.enrolling = true
	if err := r.begin(); err != nil {
		return r.refuseAccount(err)
	}
	if r.hello.Name == "" || r.host.Own { // what a program of the user's own says about its service is worth nothing
		return r.refuseAccount(errNothingWaits)
	}
	enrolment, err := r.enrolment()
	if err != nil {
		return r.refuseAccount(err)
	}
	found, err := enrolment.TakeAnnouncement(r.whoEnrols(), r.announcement())
	switch {
	case err != nil:
		return r.refuseAccount(err)
	case found == nil:
		return r.refuseAccount(errNothingWaits)
	}
	return r.announced(&linking{run: r, enrolment: enrolment, phones: found.AfterPassword})
}

// announced is the account phase of a login that was let on to it. The policy, and the user's devices, may be others by now.
func (r *run) announced(l *linking) Verdict {
	s := r.subject()
	r.decide(s)
	action := r.actionFor(s)
	switch {
	case action == policy.Ignore || r.outcome.Observe:
		return r.passAccount(r.record(actionAccount, audit.Success, "no device is needed any more: "+r.reason(s, nil).Error()))
	case s.problem != nil:
		return r.notLinked(s.problem)
	case action == policy.Ask:
		return r.notLinked(ErrMeanwhile)
	case !r.outcome.Enroll || r.policy.AtLogin == policy.AtLoginNo:
		return r.notLinked(errNoEnrolment)
	}
	if err := l.link(); err != nil {
		return r.notLinked(err)
	}
	return r.linked(l)
}

// linked is the end of an enrolment whose device is in force, also when nobody can be let on: then he hears that he has it.
func (r *run) linked(l *linking) Verdict {
	shown := l.draft.Shown()
	rec := l.ofDevice(r.record(actionEnroll, audit.Success, "enrolled at login"))
	rec.Target, rec.TargetID = rec.User, rec.UserID
	rec.Changes = []audit.Change{{Field: "device", New: fmt.Sprintf("%s (%s)", shown.Device.Name, shown.Device.Method)},
		{Field: "recovery_codes", New: fmt.Sprint(len(shown.Recovery))}}
	left := l.leaveSuccess()
	verdict, text := r.passAccount(rec), doneWith(shown.Device.Name)
	if left != nil {
		verdict = r.refuseAccount(left)
	}
	switch {
	case left != nil || r.unwritten != nil:
		text = policy.MsgEnrollAgain
	case r.toldInSession():
		return verdict
	}
	if r.conv.Info("\n"+l.text(text), text == policy.MsgEnrollAgain) != nil {
		return verdict // it is true whether or not the person could be told
	}
	return verdict
}

// toldInSession reports whether the end of an enrolment is told when the session opens. Behind its last question sshd shows a text of the
// account phase twice, before the session and in it (measured, OpenSSH 9.2).
func (r *run) toldInSession() bool { return r.hello.Service == sshService }

// passAccount lets on from the account phase, if that is in the audit log.
func (r *run) passAccount(rec audit.Record) Verdict {
	r.append(rec)
	return allow(nil, r.unwritten)
}

// refuseAccount denies without a word: there is nobody who expects to be asked.
func (r *run) refuseAccount(reason error) Verdict {
	r.append(r.record(actionAccount, audit.Failure, reason.Error()))
	return Verdict{}
}

// notLinked denies, and tells the person how it goes on. He has given his password: what he is told is about his own account.
func (r *run) notLinked(reason error) Verdict {
	verdict := r.refuseAccount(reason)
	if errors.Is(reason, errGone) {
		return verdict
	}
	if r.conv.Info("\n"+r.policy.Text(afterFailure(reason)), true) != nil {
		return verdict // it stands whether or not the person could be told
	}
	return verdict
}

// afterFailure is what is told of an enrolment that has come to nothing.
func afterFailure(reason error) policy.Message {
	for _, of := range []struct {
		reason error
		text   policy.Message
	}{
		{errCannotAsk, policy.MsgEnrollCannotAsk}, // before errNoAnswer, which it is too
		{errTime, policy.MsgEnrollLate},
		{errStopped, policy.MsgEnrollStopped}, {errTries, policy.MsgEnrollStopped}, {errNoAnswer, policy.MsgEnrollStopped},
		{errIsPassword, policy.MsgEnrollStopped}, {errTooLong, policy.MsgEnrollStopped},
		{errDenied, policy.MsgEnrollPushDenied}, {errWrong, policy.MsgEnrollPushWrong},
		{ErrCodeEnded, policy.MsgEnrollCodeEnded}, {ErrMeanwhile, policy.MsgEnrollMeanwhile},
	} {
		if errors.Is(reason, of.reason) {
			return of.text
		}
	}
	return policy.MsgEnrollFailed
}

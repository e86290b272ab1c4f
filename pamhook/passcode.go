package pamhook

import (
	"errors"
	"slices"
	"time"

	"twokey/device"
	"twokey/policy"
	"twokey/state"
)

// A passcode of Duo, of a token or an app of its own, is looked at by Duo. It
//
//   - MUST be charged like a code of a device of ours, before Duo is asked;
//   - MUST be looked at only for who has a device of push, behind a right password, when it is none of his own codes;
//   - MUST NOT tell by its time that the password was right: for everybody the refusal of digits is rounded up to passcodeStep.

// maxPasscode is the longest passcode that Duo has, in digits: those of its tokens have six to eight, and a text has seven.
const maxPasscode = 10

// passcodeStep is what the time of a refusal is rounded up to where Duo is asked for some, in place of refusalStep: longer than its answers
// take on a usual day. It is not waited for an answer that takes longer.
const passcodeStep = 5 * time.Second

// passcodeMargin is what is left of it for the records.
const passcodeMargin = 500 * time.Millisecond

// takesPasscodes reports whether the provider of push has codes of its own.
func (r *run) takesPasscodes() bool { return slices.Contains(r.offered(), policy.WordPhone) }

// orPasscode lets digits be looked at by the provider that are no code of the user's own devices. It returns the reason for which they are
// refused, or errChosen.
func (r *run) orPasscode(t *trial, reason error) error {
	wrong := errors.Is(reason, device.ErrWrong) || errors.Is(reason, state.ErrWrongText)
	if !wrong || !r.passcode || len(t.answer.Text) > maxPasscode || !slices.Contains(t.set.OutOfBand(), device.Push) {
		return reason
	}
	if one, two := t.set.Fits(t.answer); !one && !two { // else it was charged
		t.attempt.Cost = state.One
		if !t.ledger.Charge(t.attempt) {
			return errThrottled
		}
		if err := t.ledger.write(); err != nil {
			return err
		}
	}
	m := r.newMessage(t.ledger, t.set, policy.WordPush)
	m.factor, m.typed = FactorPasscode, t.answer.Text
	r.message = m
	return errChosen
}

// tryPasscode asks the provider.
//
// Attack: when Duo is slow, type any digits behind a password, and see by a refusal that takes longer that it was right.
func (r *run) tryPasscode(m *message) Verdict {
	until := r.answered.Add(passcodeStep - passcodeMargin)
	delivery, report, err := r.start(until.Sub(r.host.Now())-slack, func(by Messenger) (Delivery, error) { return by.Push(r.pushQuestion(m)) })
	defer r.end(delivery)
	if err == nil && report.State == ReportSent {
		report, err = r.await(delivery, until)
	}
	switch {
	case err == nil && report.State == ReportAllowed:
		return r.rightPasscode(m)
	case err == nil && report.State == ReportDenied:
		return r.refuse(device.ErrWrong)
	}
	r.noteSent(m, report, err)
	if err == nil {
		err = errors.New("the passcode could not be looked at: " + report.Problem)
	}
	return r.refuse(err)
}

// rightPasscode lets in. The user must still have the device.
func (r *run) rightPasscode(m *message) Verdict {
	r.how = "right passcode of the provider"
	return r.letInBy(func(then ending) error { return r.withPhones(then) })
}

package pamhook

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"twokey/device"
	"twokey/factor"
	"twokey/policy"
	"twokey/state"
)

// ledger is the state of whoever an answer is looked at for, the way by which a charge is written into it, and his bypass codes.
type ledger struct {
	*state.State
	write    func() error
	bypasses device.BypassUser
	phones   phones
}

// phones is what was sent to a user's phones, and what else he may be let in by; *state.Tx is.
type phones interface {
	Messages(now time.Time) (*state.Messages, error)
	SaveMessages(*state.Messages) error
	UseText(now time.Time, connection state.ID, source string, mark [8]byte, match func(state.TextCode) bool) error
	Bypasses(now time.Time) ([]state.Bypass, error)
}

// ledgerOf is that of a user whose lock is had.
func ledgerOf(tx *state.Tx) ledger { return ledger{tx.State, tx.Flush, tx, tx} }

// trial is one answer being looked at under the lock.
type trial struct {
	ledger  ledger
	set     *device.Set
	answer  factor.Answer
	cut     int   // bytes that the answer takes of the field into which it was typed
	unread  error // the reason for an answer that nothing can be made of
	now     time.Time
	attempt state.Attempt
	texts   bool // a code by SMS can have been sent
	warn    func(message string)
	number  string // to this number; "": the user has none
}

func (r *run) newTrial(l ledger, set *device.Set, given reply, now time.Time) *trial {
	t := &trial{ledger: l, set: set, now: now, unread: set.Refusal(), attempt: r.attempt(now),
		texts: given.field == nil && !r.texted && slices.Contains(r.offered(), policy.WordSMS), warn: r.host.Warn}
	t.answer, t.cut = given.understood(set)
	if given.field != nil && t.cut == 0 {
		t.unread = errNotDivided
	}
	return t
}

// run charges, writes, and only then compares.
func (t *trial) run() (device.Used, error) {
	switch t.answer.Kind {
	case factor.Digits:
		return t.digits()
	case factor.Recovery:
		// 60 bits need no throttle. What a right code changes must be writable before it is looked at.
		if err := t.ledger.write(); err != nil {
			return device.Used{}, err
		}
		return t.recovery()
	case factor.Empty:
		return t.nothing(errEmpty)
	}
	return t.nothing(t.unread)
}

// recovery looks at what can be a recovery code or a bypass code: they look alike. For whom it is none of the first, the second is looked
// for, whatever he has: that takes as long for everybody.
func (t *trial) recovery() (device.Used, error) {
	used, err := t.set.RecoveryCode(t.answer)
	if err == nil {
		return used, nil
	}
	bypass, bypassErr := t.set.BypassCode(t.answer, t.now, t.ledger.bypasses)
	switch {
	case bypassErr == nil:
		return bypass, nil
	case isRefusal(bypassErr):
		return device.Used{}, err
	}
	return device.Used{}, fmt.Errorf("bypass codes: %w", bypassErr)
}

// nothing refuses what is no guess or may not be looked at: there is nothing to charge, and as much to write as for any other
// answer, so that it takes as long.
func (t *trial) nothing(reason error) (device.Used, error) {
	if err := t.ledger.write(); err != nil {
		return device.Used{}, err
	}
	return device.Used{}, reason
}

// digits tries the answer as a pair, whose turn it has to be, and as one code, which has to be paid for. Twelve digits can be both;
// the pair comes first, because one that has to wait is looked at again, and a code would be paid for twice.
func (t *trial) digits() (device.Used, error) {
	if used, err := t.text(); err == nil || !isRefusal(err) {
		return used, err
	}
	one, two := t.set.Fits(t.answer)
	if two {
		used, err := t.pair()
		if !one || !isRefusal(err) {
			return used, err
		}
	}
	if one {
		return t.single()
	}
	return t.nothing(t.unread)
}

// isRefusal tells an answer that was looked at and refused from a fault, and from one whose turn it is not.
func isRefusal(err error) bool {
	refusals := []error{device.ErrWrong, device.ErrReplayed, device.ErrRestored, device.ErrEnded, device.ErrMethod, device.ErrExpired, errThrottled,
		errEmpty, errNotDivided, state.ErrNoText, state.ErrWrongText}
	return slices.ContainsFunc(refusals, func(refusal error) bool { return errors.Is(err, refusal) })
}

func (t *trial) single() (device.Used, error) {
	t.attempt.Cost, _ = t.set.Cost()
	if !t.ledger.Charge(t.attempt) {
		return t.nothing(errThrottled)
	}
	if err := t.ledger.write(); err != nil {
		return device.Used{}, err
	}
	return t.set.Code(t.answer, t.now, t.attempt.Source)
}

func (t *trial) pair() (device.Used, error) {
	_, t.attempt.Cost = t.set.Cost()
	wait := t.ledger.ChargePair(t.attempt)
	if wait > longestWait {
		return t.nothing(errThrottled)
	}
	if wait > 0 {
		return device.Used{}, turnError{wait}
	}
	if err := t.ledger.write(); err != nil {
		return device.Used{}, err
	}
	return t.set.Pair(t.answer, t.now, t.attempt.Source)
}

// diagnosed adds to the reason of a wrong code by how much a clock must be wrong for it to be right. It is for the log and not for the
// prompt, where it would help to guess, and only an answer that was paid for and looked at has that reason. The search takes some
// milliseconds: it is made for every refusal, and when the lock has been given back.
func (t *trial) diagnosed(reason error) error {
	off, found := t.set.Offset(t.answer, t.now)
	seconds := int64(off.Round(time.Second) / time.Second)
	switch {
	case !found || !errors.Is(reason, device.ErrWrong):
		return reason
	case seconds < 0:
		return fmt.Errorf("%w: it would have been right %d s ago", reason, -seconds)
	}
	return fmt.Errorf("%w: it would have been right in %d s", reason, seconds)
}

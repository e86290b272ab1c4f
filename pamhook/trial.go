package pamhook

import (
	"errors"
	"slices"
	"time"

	"twokey/device"
	"twokey/factor"
	"twokey/state"
)

// trial is one answer being looked at under the lock.
type trial struct {
	tx      *state.Tx
	set     *device.Set
	answer  factor.Answer
	now     time.Time
	attempt state.Attempt
}

func (r *run) newTrial(tx *state.Tx, set *device.Set, answer factor.Answer, now time.Time) *trial {
	connection := connectionOf(r.hello, r.host.Application)
	return &trial{tx, set, answer, now, state.Attempt{Source: r.source, Connection: connection, Now: now}}
}

// run charges, writes, and only then compares.
func (t *trial) run() (device.Used, error) {
	switch t.answer.Kind {
	case factor.Digits:
		return t.digits()
	case factor.Recovery:
		// 60 bits need no throttle. What a right code changes must be writable before it is looked at.
		if err := t.tx.Flush(); err != nil {
			return device.Used{}, err
		}
		return t.set.RecoveryCode(t.answer)
	case factor.Empty:
		return t.nothing(errEmpty)
	}
	return t.nothing(t.set.Refusal())
}

// nothing refuses what is no guess or may not be looked at: there is nothing to charge, and as much to write as for any other
// answer, so that it takes as long.
func (t *trial) nothing(reason error) (device.Used, error) {
	if err := t.tx.Flush(); err != nil {
		return device.Used{}, err
	}
	return device.Used{}, reason
}

// digits tries the answer as a pair, whose turn it has to be, and as one code, which has to be paid for. Twelve digits can be both;
// the pair comes first, because one that has to wait is looked at again, and a code would be paid for twice.
func (t *trial) digits() (device.Used, error) {
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
	return t.nothing(t.set.Refusal())
}

// isRefusal tells an answer that was looked at and refused from a fault, and from one whose turn it is not.
func isRefusal(err error) bool {
	refusals := []error{device.ErrWrong, device.ErrReplayed, device.ErrRestored, device.ErrEnded, errThrottled, errEmpty}
	return slices.ContainsFunc(refusals, func(refusal error) bool { return errors.Is(err, refusal) })
}

func (t *trial) single() (device.Used, error) {
	t.attempt.Cost, _ = t.set.Cost()
	if !t.tx.Charge(t.attempt) {
		return t.nothing(errThrottled)
	}
	if err := t.tx.Flush(); err != nil {
		return device.Used{}, err
	}
	return t.set.Code(t.answer, t.now, t.attempt.Source)
}

func (t *trial) pair() (device.Used, error) {
	_, t.attempt.Cost = t.set.Cost()
	wait := t.tx.ChargePair(t.attempt)
	if wait > longestWait {
		return t.nothing(errThrottled)
	}
	if wait > 0 {
		return device.Used{}, turnError{wait}
	}
	if err := t.tx.Flush(); err != nil {
		return device.Used{}, err
	}
	return t.set.Pair(t.answer, t.now, t.attempt.Source)
}

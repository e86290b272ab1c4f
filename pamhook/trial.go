package pamhook

import (
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
	return t.nothing(device.ErrWrong)
}

// nothing refuses what is no guess or may not be looked at: there is nothing to charge, and as much to write as for any other
// answer, so that it takes as long.
func (t *trial) nothing(reason error) (device.Used, error) {
	if err := t.tx.Flush(); err != nil {
		return device.Used{}, err
	}
	return device.Used{}, reason
}

// digits tries the answer as one code, which has to be paid for, and as a pair, whose turn it has to be. Twelve digits can be both.
func (t *trial) digits() (device.Used, error) {
	one, two := t.set.Fits(t.answer)
	if !one && !two {
		return t.nothing(device.ErrWrong)
	}
	if one {
		used, err := t.single()
		if err == nil || !two || !isRefusal(err) {
			return used, err
		}
	}
	return t.pair()
}

// isRefusal tells a wrong answer from a fault.
func isRefusal(err error) bool {
	return err == device.ErrWrong || err == device.ErrReplayed || err == errThrottled
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

package pamhook

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"twokey/audit"
	"twokey/device"
	"twokey/factor"
	"twokey/secrets"
	"twokey/state"
)

// longestWait is how long a pair waits for its turn at most, all in all: less than the module waits for a word from us.
const longestWait = 5 * time.Second

// The reasons for which an answer is refused.
var (
	errEmpty      = errors.New("empty answer")
	errThrottled  = errors.New("throttled: only two codes in a row are looked at")
	errForeignUID = errors.New("the user id is not the one that was enrolled: twokey adopt")
	errClockBack  = errors.New("the clock has been set back: times in the user's state lie in the future")
)

// turnError says that a pair has to wait.
type turnError struct{ wait time.Duration }

func (e turnError) Error() string { return errThrottled.Error() }

// try looks at an answer, and lets in if it is right.
func (r *run) try(answer factor.Answer) Verdict {
	used, stateErr := r.consume(answer)
	if r.clockBack {
		r.host.Warn(errClockBack.Error() + ": " + r.hello.Name)
		r.append(r.record(actionClock, audit.Failure, errClockBack.Error()))
	}
	if stateErr != nil {
		if !r.looked {
			r.tryDecoy(answer)
		}
		return r.refuse(stateErr)
	}
	r.recordSuccess(used)
	if r.unwritten != nil {
		return r.refuse(fmt.Errorf("a right code was refused: %w", r.unwritten))
	}
	return allow(stateErr, r.unwritten)
}

// consume looks at the answer and uses its code up, in one step under the user's lock. Nil means that the answer was right and
// that this is on the disk.
func (r *run) consume(answer factor.Answer) (device.Used, error) {
	store, err := r.host.Secrets(r.policy)
	if err != nil {
		return device.Used{}, err
	}
	record, err := store.Load(r.hello.Name)
	if err != nil {
		return device.Used{}, err
	}
	states, err := r.host.State(r.policy)
	if err != nil {
		return device.Used{}, err
	}
	var found device.Used
	look := func(tx *state.Tx) (err error) {
		found, err = r.look(tx, record, answer)
		return err
	}
	err = r.updateInTurn(states, r.hello.Name, look)
	if errors.Is(err, fs.ErrNotExist) {
		if err = r.restore(states, record); err == nil {
			err = r.updateInTurn(states, r.hello.Name, look)
		}
	}
	return found, err
}

// updateInTurn repeats an update whose pair has to wait for its turn; the lock is not held while it waits.
func (r *run) updateInTurn(states States, user string, look func(*state.Tx) error) error {
	left := longestWait
	for {
		err := states.Update(user, look)
		var turn turnError
		if !errors.As(err, &turn) || turn.wait > left {
			return err
		}
		r.host.Sleep(turn.wait)
		left -= turn.wait
	}
}

// look is what happens under the lock. Whatever it returns, what it charged has been written before a code was compared.
func (r *run) look(tx *state.Tx, record *secrets.Record, answer factor.Answer) (device.Used, error) {
	now := r.host.Now()
	if tx.UID != r.hello.UID {
		return device.Used{}, errForeignUID
	}
	if tx.ClockBack(now) {
		r.clockBack = true
		if err := tx.Flush(); err != nil { // a pair that now has to wait must find its turn as it is left here
			return device.Used{}, err
		}
	}
	set, err := device.Join(tx.State, record, r.policy.Discrepancy)
	if err != nil {
		return device.Used{}, err
	}
	t := r.newTrial(tx, set, answer, now)
	r.looked = true
	found, err := t.run()
	if err != nil {
		return device.Used{}, err
	}
	tx.Succeeded(t.attempt)
	tx.AddSuccess(state.Success{Process: r.host.Application, Parent: r.host.Parent, Service: r.hello.Service,
		Method: found.Method, Device: found.Device, Source: r.source, Time: now}, now)
	return found, nil
}

// restore makes the state of a user who has secrets but no state.
func (r *run) restore(states States, record *secrets.Record) error {
	if err := r.checkOwner(states); err != nil {
		return err
	}
	// The user id first: once there is a state, this is not done again.
	err := states.Bind(r.hello.UID, r.hello.Name)
	if err == nil {
		err = states.New(device.Restore(record, r.hello.UID, r.host.Now()))
	}
	if errors.Is(err, fs.ErrExist) {
		return nil // another login has just made it
	}
	if err != nil {
		return fmt.Errorf("the state was lost and cannot be made anew: %w", err)
	}
	r.append(r.record(actionRestored, audit.Success, device.ErrRestored.Error()))
	return nil
}

// tryDecoy does for somebody who cannot get in what would be done for somebody who can: the same files are opened, written and
// synchronised. Nothing comes of it, whatever it returns.
func (r *run) tryDecoy(answer factor.Answer) {
	record, err := r.decoyRecord()
	if err != nil {
		r.host.Warn("the decoy is missing, so that refusals take less time: twokey init: " + err.Error())
		return
	}
	states, err := r.host.State(r.policy)
	if err != nil {
		return // the reason of the refusal says so
	}
	err = states.Update(state.Decoy(r.hello.User), func(tx *state.Tx) error {
		tx.Unlock() // a decoy is never throttled: nobody is to be told from it
		set, err := device.Join(tx.State, record, r.policy.Discrepancy)
		if err != nil {
			return err
		}
		_, err = r.newTrial(tx, set, answer, r.host.Now()).run()
		return err
	})
	if err != nil && !isRefusal(err) {
		r.host.Warn("the decoy's state cannot be used, so that refusals take less time: twokey init: " + err.Error())
	}
}

func (r *run) decoyRecord() (*secrets.Record, error) {
	store, err := r.host.Secrets(r.policy)
	if err != nil {
		return nil, err
	}
	return store.LoadDecoy()
}

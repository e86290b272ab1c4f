package pamhook

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"twokey/audit"
	"twokey/device"
	"twokey/policy"
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

// Error gives the words of a user who is throttled: that is what a pair that waits too long is.
func (e turnError) Error() string { return errThrottled.Error() }

// try looks at an answer, and lets in if it is right.
func (r *run) try(given reply) Verdict {
	r.texted = false
	used, stateErr := r.consume(given)
	switch {
	case isOnly(stateErr, errChosen):
		return r.follow()
	case errors.Is(stateErr, errAskFirst):
		return r.goOn(r.prompt())
	case stateErr != nil:
		used, stateErr = r.despiteFault(given, used, stateErr)
	}
	r.noteClockBack()
	if stateErr != nil {
		if r.trial == nil {
			r.tryDecoy(given)
			return r.refuse(stateErr)
		}
		return r.refuse(r.trial.diagnosed(stateErr))
	}
	if r.trial.cut > 0 {
		if err := r.conv.CutAuthtok(r.trial.cut); err != nil {
			return r.refuse(fmt.Errorf("a right code was refused: %w", err))
		}
	}
	return r.letIn(stateErr, r.recordOf(used))
}

// isOnly reports whether an error is this one, and no other came with it, as when a disk has failed after it.
func isOnly(err, one error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return !slices.ContainsFunc(joined.Unwrap(), func(err error) bool { return !isOnly(err, one) })
	}
	return err == one
}

// letIn is the end of a login that has succeeded: it is recorded, and only then let in.
func (r *run) letIn(stateErr error, rec audit.Record) Verdict {
	r.noteEnded()
	r.append(rec)
	if r.unwritten != nil {
		return r.refuse(fmt.Errorf("a success was refused: %w", r.unwritten))
	}
	return allow(stateErr, r.unwritten)
}

// noteClockBack records that the state has times in it that lie in the future.
func (r *run) noteClockBack() {
	if r.clockBack {
		r.host.Warn(errClockBack.Error() + ": " + r.hello.Name)
		r.append(r.record(actionClock, audit.Failure, errClockBack.Error()))
	}
}

// consume looks at the answer and uses its code up, in one step under the user's lock. Nil means that the answer was right and
// that this is on the disk.
func (r *run) consume(given reply) (used device.Used, err error) {
	err = r.withUser(func(tx *state.Tx, record *secrets.Record) (err error) {
		used, err = r.look(ledgerOf(tx), record, given)
		return err
	})
	return used, err
}

// withUser runs change under the user's lock, with his secrets. They are read before the lock is had, and may be replaced in between:
// what is then found to be old is read once more.
func (r *run) withUser(change func(*state.Tx, *secrets.Record) error) error {
	store, err := r.host.Secrets(r.policy)
	if err != nil {
		return err
	}
	err = r.withRecord(store, change)
	if errors.Is(err, device.ErrRolledBack) {
		err = r.withRecord(store, change)
	}
	return err
}

func (r *run) withRecord(store Secrets, change func(*state.Tx, *secrets.Record) error) error {
	record, err := store.Load(r.hello.Name)
	if err != nil {
		return err
	}
	states, err := r.host.State(r.policy)
	if err != nil {
		return err
	}
	update := func(tx *state.Tx) error { return change(tx, record) }
	err = r.updateInTurn(states, update)
	if errors.Is(err, fs.ErrNotExist) {
		if err = r.restore(states, record); err == nil {
			err = r.updateInTurn(states, update)
		}
	}
	return err
}

// updateInTurn repeats an update whose pair has to wait for its turn; the lock is not held while it waits.
func (r *run) updateInTurn(states States, update func(*state.Tx) error) error {
	left := longestWait
	for {
		err := states.Update(r.hello.Name, update)
		var turn turnError
		if !errors.As(err, &turn) || turn.wait > left {
			return err
		}
		r.host.Sleep(turn.wait)
		left -= turn.wait
	}
}

// look is what happens under the lock. Whatever it returns, what it charged has been written before a code was compared.
func (r *run) look(l ledger, record *secrets.Record, given reply) (device.Used, error) {
	set, now, err := r.join(l.State, l.write, record)
	if err != nil {
		return device.Used{}, err
	}
	if word := r.chosen(given, set); word != "" {
		return device.Used{}, r.prepare(l, record, set, word, given, now)
	}
	if given.unasked {
		return device.Used{}, errAskFirst
	}
	r.trial = r.newTrial(l, set, given, now)
	r.trial.number = record.Phone
	used, err := r.trial.run()
	r.texted = true
	if err != nil {
		return device.Used{}, r.orPasscode(r.trial, err)
	}
	r.settle(l.State, r.trial.attempt, used, now)
	if used.Method == device.SMS {
		err = r.keepAnswered(l, used.Method, now)
	}
	return used, err
}

// attempt is what this login takes of the user's tries.
func (r *run) attempt(now time.Time) state.Attempt {
	return state.Attempt{Source: r.source, Connection: connectionOf(r.hello, r.host.Application), Now: now}
}

// settle is what every right answer leaves in the user's state.
//
// Attack: be let in once while a provider lets the user in unasked, and go on by what is remembered of it when that was taken back.
func (r *run) settle(st *state.State, attempt state.Attempt, used device.Used, now time.Time) {
	if r.unasked {
		r.leaveSuccess(st, used, now)
		return
	}
	r.succeeded(st, attempt)
	r.remember(st, used.Method, now)
	r.leaveSuccess(st, used, now)
}

// succeeded settles what the attempt took. In one field the code stands before the password, which is still to be looked at; and in a
// process of the user's own nobody has asked for one.
//
// Attack: send a code that one has seen, with any password, from an address of one's own, so that it becomes known and has a bucket of its
// own, or so that what the same connection has tried before costs nothing. Or do it with a program of the user's that one controls.
func (r *run) succeeded(st *state.State, attempt state.Attempt) {
	if r.way == policy.Appended || r.host.Own {
		st.GiveBack(attempt)
		return
	}
	st.Succeeded(attempt)
}

// join checks that the state and the secrets are this user's and belong together, and says what he can answer with.
func (r *run) join(st *state.State, write func() error, record *secrets.Record) (*device.Set, time.Time, error) {
	now := r.host.Now()
	if st.UID != r.hello.UID {
		return nil, now, errForeignUID
	}
	if st.ClockBack(now) {
		r.clockBack = true
		if err := write(); err != nil { // a pair that now has to wait must find its turn as it is left here
			return nil, now, err
		}
	}
	set, err := device.Join(st, record, r.policy.Discrepancy, now)
	if err != nil {
		return nil, now, err
	}
	r.ended = st.Ended(now) // before an answer is right
	set.Only(r.outcome.Methods, r.policy.PushProvider())
	return set, now, nil
}

// leaveSuccess leaves the success for the session phase, which another process may run. At sudo and su there is none to leave: their
// sessions are not looked at; nor where nothing is opened.
//
// Attack: ask sudo again and again, so that the successes of other logins have to make room, and what was used of them is forgotten.
// Or give a code to a program of one's own, which claims to be sshd, and have a session opened for it.
func (r *run) leaveSuccess(st *state.State, used device.Used, now time.Time) {
	if r.host.Own || policy.ActsForAnother(r.hello.Service) || r.hello.Service == policy.SelfService {
		return
	}
	st.AddSuccess(state.Success{Process: r.host.Application, Parent: r.host.Parent, Service: r.hello.Service,
		Method: used.Method, Device: used.Device, Source: r.source, Time: now}, now)
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
	if err == nil && slices.ContainsFunc(record.Devices, func(d secrets.Device) bool { return device.IsOutOfBand(d.Method) }) {
		err = states.Update(r.hello.Name, (*state.Tx).PrepareMessages)
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

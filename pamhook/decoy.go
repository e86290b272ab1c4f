package pamhook

import (
	"twokey/device"
	"twokey/secrets"
	"twokey/state"
)

// tryDecoy does for somebody who cannot get in what would be done for somebody who can: the same files are opened, written and
// synchronised, and the same codes computed. Nothing comes of it, whatever it returns.
func (r *run) tryDecoy(given reply) {
	var t *trial
	err := r.withDecoy(func(tx *state.Tx, set *device.Set) error {
		tx.Unlock() // a decoy is never throttled: nobody is to be told from it
		t = r.newTrial(ledgerOf(tx), set, given, r.host.Now())
		_, err := t.run()
		return err
	})
	if t != nil {
		err = t.diagnosed(err)
	}
	r.warnOfDecoy(err)
}

// withDecoy runs change under the lock of the decoy's state.
func (r *run) withDecoy(change func(*state.Tx, *device.Set) error) error {
	store, err := r.host.Secrets(r.policy)
	if err != nil {
		return err
	}
	record, err := store.LoadDecoy()
	if err != nil {
		return err
	}
	states, err := r.host.State(r.policy)
	if err != nil {
		return err
	}
	return states.Update(state.Decoy(r.hello.User), func(tx *state.Tx) error {
		set, err := r.joinDecoy(tx.State, record)
		if err != nil {
			return err
		}
		return change(tx, set)
	})
}

func (r *run) joinDecoy(st *state.State, record *secrets.Record) (*device.Set, error) {
	set, err := device.Join(st, record, r.policy.Discrepancy, r.host.Now())
	if err != nil {
		return nil, err
	}
	set.Only(r.outcome.Methods, r.policy.PushProvider())
	return set, nil
}

// warnOfDecoy says when the work for who cannot get in was not done.
func (r *run) warnOfDecoy(err error) {
	if err != nil && !isRefusal(err) && err != errNotBefore {
		r.host.Warn("the decoy cannot be used, so that refusals take less time: twokey init: " + err.Error())
	}
}

// lookAtDecoy does for who cannot be let in without a question what remembered does before one.
func (r *run) lookAtDecoy() {
	if r.mayRemember() {
		r.peek(state.Decoy(r.hello.User))
	}
}

// earlierDecoy does for who cannot get in what earlier does.
func (r *run) earlierDecoy() {
	err := r.withDecoy(func(tx *state.Tx, _ *device.Set) error {
		_, err := r.earlierSuccess(tx.State, r.host.Now())
		return err
	})
	r.warnOfDecoy(err)
}

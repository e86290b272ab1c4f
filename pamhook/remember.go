package pamhook

import (
	"errors"
	"slices"
	"time"

	"twokey/audit"
	"twokey/device"
	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/secrets"
	"twokey/state"
)

// byMemory is the method of a success for which no code was given now.
const byMemory = "remembered"

// The reasons for which somebody is not let in without a code.
var (
	errNotBefore  = errors.New("no success from the same source within open_within")
	errManyPeople = errors.New("the login comes from no place that could be told from others")
	errMustEnroll = errors.New("the user was reset and has not enrolled again")
)

// mayRemember reports whether a right code at this login is remembered, and asked about before the question. It never is where rights are
// raised, and never where the source may be many people: whoever has the password there would be let in by another's code.
func (r *run) mayRemember() bool {
	return r.outcome.Remember > 0 && r.way == policy.Prompt && !policy.ActsForAnother(r.hello.Service) && r.onePlace()
}

func (r *run) rememberKey() [16]byte {
	return state.RememberKey(placeOf(r.hello), r.hello.Service, r.ssh.Fingerprint, r.outcome.Methods)
}

// remember keeps that a right code was given by a method, if it was given behind another factor.
//
// Attack: where the stack asks for the code first, give one that was seen, and use what is remembered of it when the password is had too.
// Or have a bypass code for one login, and go on by what is remembered of it.
func (r *run) remember(st *state.State, method string, now time.Time) {
	if r.hello.Flags&wire.FlagAfterPassword == 0 && len(r.ssh.Methods) == 0 {
		return
	}
	if method == device.Bypass || r.hello.Service == policy.SelfService || r.host.Own {
		return
	}
	if r.mayRemember() {
		st.Remember(r.rememberKey(), now)
	}
	if r.policy.HasEarlier() && r.way == policy.Prompt && r.onePlace() {
		st.Remember(state.EarlierKey(placeOf(r.hello), method), now)
	}
}

// onePlace reports whether the login comes from one place or one person, so that an earlier success from there says something.
func (r *run) onePlace() bool { return isOnePlace(r.hello) && !r.policy.IsShared(r.hello.RHost) }

// remembered lets in without a question who has given a code not long ago, from the same source, at the same service and with the same
// SSH key. Whatever would refuse a right code makes it ask.
func (r *run) remembered(action policy.Action) (v Verdict, in bool) {
	if action != policy.Ask {
		r.lookAtDecoy()
		return Verdict{}, false
	}
	if !r.mayRemember() || !r.peek(r.hello.Name) {
		return Verdict{}, false
	}
	var since time.Time
	err := r.withoutCode(func(st *state.State, now time.Time) error {
		var found bool
		if since, found = st.Remembered(r.rememberKey(), r.outcome.Remember, now); !found {
			return errNotBefore
		}
		return nil
	})
	if err != nil {
		return Verdict{}, false
	}
	return r.letIn(err, r.recordWithoutCode("remembered since "+clockTime(since))), true
}

// peek looks without a lock whether it is worth taking it: for most logins it is not.
func (r *run) peek(user string) bool {
	states, err := r.host.State(r.policy)
	if err != nil {
		return false // what then looks at the answer says so
	}
	st, err := states.Read(user)
	if err != nil {
		return false
	}
	_, found := st.Remembered(r.rememberKey(), r.outcome.Remember, r.host.Now())
	return found
}

// withoutCode leaves a success for the session of somebody who need not give a code, if before says so, in one step under the user's
// lock. He must be able to give one: what refuses a right code refuses him.
func (r *run) withoutCode(before func(*state.State, time.Time) error) error {
	return r.withUser(func(tx *state.Tx, record *secrets.Record) error {
		set, now, err := r.join(tx.State, tx.Flush, record)
		switch {
		case err != nil:
			return err
		case tx.MustEnroll:
			return errMustEnroll
		case len(set.Lengths()) == 0 && !r.reachable(set):
			return set.Refusal()
		}
		if err := before(tx.State, now); err != nil {
			return err
		}
		r.leaveSuccess(tx.State, device.Used{Method: byMemory}, now)
		return nil
	})
}

// reachable reports whether something can be sent to the user that would let him in.
func (r *run) reachable(set *device.Set) bool {
	return slices.ContainsFunc(set.OutOfBand(), r.policy.Sends)
}

// recordWithoutCode records a login that was let in for the sake of an earlier one.
func (r *run) recordWithoutCode(reason string) audit.Record {
	rec := r.record(audit.ActionLogin, audit.Success, reason)
	rec.SecondFactor = byMemory
	return rec
}

func clockTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

package pamhook

import (
	"time"

	"twokey/policy"
	"twokey/state"
)

// earlier is a login at a service that cannot ask: in only with a right code given from the same source within open_within, anywhere.
func (r *run) earlier(s subject, action policy.Action) Verdict {
	if verdict, done := r.without(s, action); done {
		return verdict
	}
	if action != policy.Ask {
		r.earlierDecoy()
		return r.refuse(r.reason(s, nil))
	}
	if !onePlace(r.hello) {
		r.earlierDecoy()
		return r.refuse(errManyPeople)
	}
	var since time.Time
	err := r.withoutCode(func(st *state.State, now time.Time) (err error) {
		since, err = r.earlierSuccess(st, now)
		return err
	})
	r.noteClockBack()
	if err != nil {
		return r.refuse(err)
	}
	return r.letIn(err, r.recordWithoutCode("a code was given from the same source at "+clockTime(since)))
}

// earlierSuccess is the last right code that was given from the source of this login, if that is not too long ago.
func (r *run) earlierSuccess(st *state.State, now time.Time) (time.Time, error) {
	since, found := st.LastSuccess(r.source)
	age := now.Sub(since)
	if !found || age > r.policy.OpenWithin || age < -clockSlack {
		return time.Time{}, errNotBefore
	}
	return since, nil
}

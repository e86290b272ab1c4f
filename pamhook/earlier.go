package pamhook

import (
	"time"

	"twokey/policy"
	"twokey/state"
)

// earlier is a login at a service that cannot ask: in only with a right code given from the same place within open_within, at any service
// with a question, by a method that counts here.
func (r *run) earlier(s subject, action policy.Action) Verdict {
	if verdict, done := r.without(s, action); done {
		return verdict
	}
	if action != policy.Ask {
		r.earlierDecoy()
		return r.refuse(r.reason(s, nil))
	}
	if policy.ActsForAnother(r.hello.Service) || !r.onePlace() {
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

// earlierSuccess is the last right code by a method that counts here that was given from the place of this login, if that is not too long
// ago.
func (r *run) earlierSuccess(st *state.State, now time.Time) (last time.Time, err error) {
	err = errNotBefore
	for _, method := range r.outcome.Methods {
		since, found := st.Remembered(state.EarlierKey(placeOf(r.hello), method), r.policy.OpenWithin, now)
		if found && !since.Before(last) {
			last, err = since, nil
		}
	}
	return last, err
}

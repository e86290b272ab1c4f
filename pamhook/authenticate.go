package pamhook

import (
	"errors"
	"fmt"

	"twokey/pamhook/wire"
	"twokey/policy"
)

// errPassword is the reason of a refusal on a decoy line. Like all reasons it is for the audit log; the person sees none of them.
var errPassword = errors.New("no right password before it")

// authenticate is the order of the package comment.
func (r *run) authenticate() Verdict {
	if err := r.begin(); err != nil {
		r.prompt() // the same question; the answer is of no use
		return r.refuse(err)
	}
	// A decoy line looks up as much: a name service that takes its time would tell that the password was wrong.
	subject := r.subject()
	r.decide(subject)
	if r.hello.Flags&wire.FlagDecoy != 0 {
		return r.decoyLine(subject)
	}
	action := r.actionFor(subject)
	r.elsewhere = r.enrolsElsewhere(subject, action)
	switch r.way {
	case policy.Appended:
		return r.appended(subject, action)
	case policy.Earlier:
		return r.earlier(subject, action)
	case policy.Prompt:
		return r.prompted(subject, action)
	}
	return r.closed(subject, action)
}

// actionFor is what the policy wants of this login, but for what must not be let in whatever it wants.
func (r *run) actionFor(s subject) policy.Action {
	if s.problem != nil && r.outcome.Decision != policy.Exempt {
		return policy.AskThenDeny
	}
	return r.outcome.Action
}

// prompted is a login at a service that can put a question of its own.
func (r *run) prompted(s subject, action policy.Action) Verdict {
	if verdict, done := r.without(s, action); done {
		return verdict
	}
	if r.enrolsHere(s, action) {
		return r.announce(s)
	}
	if verdict, in := r.remembered(action); in {
		return verdict
	}
	answered, onlyPhones := r.lookAhead(action)
	if answered {
		if verdict, in := r.secondRun(); in {
			return verdict
		}
	}
	return r.judge(s, action, r.first(onlyPhones))
}

// closed is a login at a service that cannot ask, and lets in whom nothing would be asked of.
func (r *run) closed(s subject, action policy.Action) Verdict {
	if action == policy.Ignore {
		return ignore()
	}
	return r.refuse(r.reason(s, nil))
}

// without is the end of a login of whom nothing is asked. Who would be refused whatever he answers is not asked while the policy is only
// observed: he could not even know what for.
func (r *run) without(s subject, action policy.Action) (v Verdict, done bool) {
	switch {
	case action == policy.Ignore:
		return ignore(), true
	case action == policy.AskThenDeny && r.outcome.Observe && s.known:
		return r.refuse(r.reason(s, nil)), true
	}
	return Verdict{}, false
}

// judge looks at what the person gave. For somebody who cannot get in the same work is done on the decoy.
func (r *run) judge(s subject, action policy.Action, given reply) Verdict {
	if given.err == nil && action == policy.Ask {
		return r.try(given)
	}
	r.tryDecoy(given)
	if s.problem == nil && given.err != nil {
		return r.refuse(given.err)
	}
	return r.refuse(r.reason(s, given.err))
}

// reason is why somebody is refused whatever he answers.
func (r *run) reason(s subject, more error) error {
	if s.problem != nil {
		return errors.Join(s.problem, more)
	}
	return errors.Join(fmt.Errorf("%s (%s)", r.outcome.Reason, r.outcome.Rule), more)
}

// decoyLine asks after a wrong password, so that nobody learns that it was wrong, and denies. Where nobody would be asked after a right
// one either, it does not ask.
func (r *run) decoyLine(s subject) Verdict {
	if r.policy.AsksNobody(s.facts(r)) {
		return Verdict{}
	}
	switch r.way {
	case policy.Prompt:
		r.lookAtDecoy()
		r.lookAhead(policy.AskThenDeny)
		given := r.prompt()
		r.tryDecoy(given)
		return r.deny(errors.Join(errPassword, given.err))
	case policy.Appended:
		given := r.field()
		r.tryDecoy(given)
		return r.deny(errors.Join(errPassword, given.err))
	case policy.Earlier:
		r.earlierDecoy()
	}
	return r.deny(errPassword)
}

package pamhook

import (
	"errors"
	"fmt"
	"io/fs"

	"twokey/factor"
	"twokey/pamhook/wire"
	"twokey/policy"
)

// prompt is the one question, the same for everybody.
const prompt = "Verification code: "

// The reasons of a refusal that are not an error's text. They go into the audit log; the person sees none of them.
var (
	errPassword   = errors.New("no right password before it")
	errUnknown    = errors.New("unknown user")
	errNames      = errors.New("the name service did not answer")
	errNoAnswer   = errors.New("no answer")
	errGone       = errors.New("the client has gone")
	errIsPassword = errors.New("the application answered with the password")
	errTooLong    = errors.New("answer too long")
	errFileGone   = errors.New("the secret file of an enrolled user is gone: put it back, or twokey enroll")
)

// authenticate is the order of the package comment.
func (r *run) authenticate() Verdict {
	if err := r.begin(); err != nil {
		r.ask() // the same question; the answer is of no use
		return r.refuse(err)
	}
	// A decoy line looks up as much: a name service that takes its time would tell that the password was wrong.
	subject := r.subject()
	outcome := r.policy.Decide(subject.facts(r))
	if !subject.known {
		r.asIfKnown(subject)
	}
	if r.hello.Flags&wire.FlagDecoy != 0 {
		return r.decoyLine()
	}
	action := outcome.Action
	if subject.problem != nil && outcome.Decision != policy.Exempt {
		action = policy.AskThenDeny
	}
	if action == policy.Ignore {
		return ignore()
	}
	if action == policy.AskThenDeny && outcome.Observe && subject.known {
		return r.refuse(errors.Join(subject.problem, errors.New(outcome.Reason))) // which only observes
	}
	answer, err := r.ask()
	if err == nil && action == policy.Ask {
		return r.try(answer)
	}
	r.tryDecoy(answer)
	if subject.problem != nil {
		err = errors.Join(subject.problem, err)
	} else if err == nil {
		err = errors.New(outcome.Reason)
	}
	return r.refuse(err)
}

// decoyLine asks after a wrong password, so that nobody learns that it was wrong, and denies. Where nobody would be asked
// after a right one either, it does not ask.
func (r *run) decoyLine() Verdict {
	if r.policy.Off || r.policy.ServiceExempt(r.hello.Service) {
		return Verdict{}
	}
	answer, err := r.ask()
	r.tryDecoy(answer)
	return r.deny(errors.Join(errPassword, err))
}

// ask puts the question and understands the answer.
func (r *run) ask() (factor.Answer, error) {
	typed, reason, err := r.conv.Prompt(prompt, false)
	defer clear(typed)
	switch {
	case err != nil:
		return factor.Answer{}, fmt.Errorf("%w: %w", errNoAnswer, err)
	case reason == 0:
		return factor.ParseAnswer(string(typed)), nil
	case reason == wire.AnswerIsPassword, reason == wire.AnswerIsJunk:
		return factor.Answer{}, errIsPassword
	case reason == wire.ClientGone:
		return factor.Answer{}, errGone
	case reason == wire.AnswerTooLong:
		return factor.Answer{}, errTooLong
	}
	return factor.Answer{}, errNoAnswer
}

// subject is the account that wants to log in, as far as we know it.
type subject struct {
	known      bool
	enrolled   bool
	mustEnroll bool
	problem    error // why it cannot be let in whatever it answers
}

// subject looks up what the policy decides by. What cannot be found out counts as enrolled and is a problem: never as "not
// enrolled", which would not be asked.
func (r *run) subject() subject {
	switch {
	case r.hello.Flags&wire.FlagLookupFailed != 0:
		return subject{problem: errNames}
	case r.hello.Name == "":
		return subject{problem: errUnknown}
	}
	s := subject{known: true, enrolled: true}
	store, err := r.host.Secrets(r.policy)
	if err != nil {
		s.problem = err
		return s
	}
	if s.enrolled, err = store.Enrolled(r.hello.Name); err != nil {
		return subject{known: true, enrolled: true, problem: err}
	}
	if !s.enrolled {
		s.mustEnroll, s.problem = r.withoutDevice()
	}
	return s
}

// withoutDevice asks the state of an account that has no secrets: was it reset, or is it somebody whose device is under another
// name? A second name for a user id, a renamed account, or one whose file was lost, must not be taken for a user who never enrolled.
func (r *run) withoutDevice() (mustEnroll bool, problem error) {
	states, err := r.host.State(r.policy)
	if err != nil {
		return false, err
	}
	if err := r.checkOwner(states); err != nil {
		return false, err
	}
	st, err := states.Read(r.hello.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case len(st.Devices) > 0:
		return false, errFileGone
	}
	return st.MustEnroll, nil
}

// checkOwner refuses an account whose user id was enrolled under another name.
func (r *run) checkOwner(states States) error {
	owner, err := states.NameOf(r.hello.UID)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case owner != r.hello.Name:
		return fmt.Errorf("user id %d was enrolled as %q: twokey adopt", r.hello.UID, owner)
	}
	return nil
}

func (s subject) facts(r *run) policy.Facts {
	return policy.Facts{
		User: r.hello.Name, UID: r.hello.UID, Known: s.known, Service: r.hello.Service, RHost: r.hello.RHost,
		Enrolled: s.enrolled, MustEnroll: s.mustEnroll, InGroup: r.inGroup,
	}
}

// asIfKnown asks the name service for an account that does not exist what it would be asked for one that does: the time that it
// takes, over a network, would tell which accounts exist.
func (r *run) asIfKnown(s subject) {
	facts := s.facts(r)
	facts.Known, facts.User = true, r.hello.User
	r.policy.Decide(facts)
}

// inGroup asks the name service through the module. An answer that did not come is an error, never "not a member".
func (r *run) inGroup(name string) (bool, error) {
	m, err := r.conv.LookupGroup(name)
	switch {
	case err != nil:
		return false, err
	case m == wire.Member:
		return true, nil
	case m == wire.NotMember, m == wire.NoSuchGroup:
		return false, nil
	}
	return false, errNames
}

package pamhook

import (
	"errors"
	"fmt"
	"io/fs"

	"twokey/pamhook/wire"
	"twokey/policy"
)

var (
	errUnknown  = errors.New("unknown user")
	errNames    = errors.New("the name service did not answer")
	errFileGone = errors.New("the secret file of an enrolled user is gone: put it back, or twokey enroll")
)

// subject is the account that wants to log in, as far as we know it.
type subject struct {
	known      bool
	system     bool
	enrolled   bool
	mustEnroll bool
	problem    error // why it cannot be let in whatever it answers
}

// subject looks up what the policy decides by. What cannot be found out counts as enrolled and is a problem: never as "not
// enrolled", which would not be asked.
func (r *run) subject() subject {
	system := r.systemAccount()
	switch {
	case r.hello.Flags&wire.FlagLookupFailed != 0:
		return subject{problem: errNames}
	case r.hello.Name == "":
		return subject{problem: errUnknown}
	}
	s := subject{known: true, enrolled: true, system: system}
	store, err := r.host.Secrets(r.policy)
	if err != nil {
		s.problem = err
		return s
	}
	if s.enrolled, err = store.Enrolled(r.hello.Name); err != nil {
		s.enrolled, s.problem = true, err
		return s
	}
	if !s.enrolled {
		s.mustEnroll, s.problem = r.withoutDevice()
	}
	return s
}

// systemAccount asks the host. An account of which that cannot be found out is taken for a person's, who is asked.
func (r *run) systemAccount() bool {
	system, err := r.host.System(r.hello.UID, r.hello.Shell)
	if err != nil {
		r.host.Warn("no account is taken for a system account: " + err.Error())
		return false
	}
	return system
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

// decide asks the policy. For an account that does not exist the name service is asked what it would be asked for one that does, and
// the decoy's work is that for an enrolled one: the time that it takes would tell which accounts exist.
func (r *run) decide(s subject) {
	facts := s.facts(r)
	r.way = r.policy.WayOf(r.hello.Service)
	r.outcome = r.policy.Decide(facts)
	like := r.outcome
	if !s.known {
		facts.Known, facts.Enrolled, facts.User = true, true, r.hello.User
		like = r.policy.Decide(facts)
	}
	if like.Decision == policy.Deny {
		like.Methods, like.Remember = r.policy.Methods, r.policy.Remember
	}
	r.outcome.Methods, r.outcome.Remember = like.Methods, like.Remember
}

func (s subject) facts(r *run) policy.Facts {
	return policy.Facts{
		User: r.hello.Name, UID: r.hello.UID, Known: s.known, System: s.system, Service: r.hello.Service, RHost: r.hello.RHost,
		Console: sitsAtConsole(r.hello), SSHAuth: r.ssh.Methods, Time: r.host.Now(),
		Enrolled: s.enrolled, MustEnroll: s.mustEnroll, InGroup: r.inGroup,
	}
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

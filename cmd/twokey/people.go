package main

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"time"

	"twokey/enroll"
	"twokey/internal/sysuser"
	"twokey/policy"
	"twokey/state"
)

// person is a user as list, show and status see him: without a look at his secrets.
type person struct {
	name     string
	account  *sysuser.Account // nil: there is no such account, or not any more
	enrolled bool             // has a secret file
	state    *state.State     // nil: none
	problem  error            // the state is there and cannot be used
	outcome  policy.Outcome   // on a service that no entry names
	services []service        // where the decision is another
}

// service is one on which a user's decision is not that of the others.
type service struct {
	name    string
	outcome policy.Outcome
}

// person looks one user up. It is an error when the name service does not answer, not when it does not know him.
func (h *host) person(u *enroll.Users, name string) (person, error) {
	p := person{name: name}
	found, err := sysuser.Lookup(name)
	if err == nil {
		p.name, p.account = found.Name, &found
	} else if !errors.Is(err, sysuser.ErrUnknown) {
		return person{}, err
	}
	if p.enrolled, err = u.Secrets.Enrolled(p.name); err != nil {
		return person{}, err
	}
	p.state, p.problem = u.State.Read(p.name)
	if errors.Is(p.problem, fs.ErrNotExist) {
		p.problem = nil
	}
	p.decide(h.policy)
	return p, nil
}

// decide asks the policy, for a service that no entry names and for each that one does, as if it was switched on.
func (p *person) decide(c *policy.Config) {
	facts := policy.Facts{User: p.name, Known: p.account != nil, Enrolled: p.enrolled, MustEnroll: p.mustEnroll()}
	if p.account != nil {
		facts.UID, facts.InGroup = p.account.UID, p.inGroup
	}
	on := *c
	on.Off = false // who is missing has to be seen before twokey is switched on
	p.outcome = on.Decide(facts)
	for _, name := range namedServices(c) {
		facts.Service = name
		if outcome := on.Decide(facts); outcome.Decision != p.outcome.Decision {
			p.services = append(p.services, service{name, outcome})
		}
	}
}

func namedServices(c *policy.Config) []string {
	names := map[string]bool{}
	for _, e := range slices.Concat(c.Require, c.Exempt) {
		for _, name := range e.Services {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// inGroup is what the policy asks. A group that does not exist has no members.
func (p *person) inGroup(group string) (bool, error) {
	in, err := p.account.InGroup(group)
	if errors.Is(err, sysuser.ErrUnknown) {
		return false, nil
	}
	return in, err
}

func (p *person) mustEnroll() bool { return p.state != nil && p.state.MustEnroll && !p.enrolled }

// required reports whether the user must have a device, on any service.
func (p *person) required() bool {
	return p.outcome.Decision == policy.Required ||
		slices.ContainsFunc(p.services, func(s service) bool { return s.outcome.Decision == policy.Required })
}

// policy is the decision in words: "optional, sshd: required".
func (p *person) policy() string {
	if p.account == nil {
		return "no account"
	}
	text := p.outcome.Decision.String()
	for _, s := range p.services {
		text += ", " + s.name + ": " + s.outcome.Decision.String()
	}
	return text
}

// devices are those of somebody who is enrolled, as the state knows them.
func (p *person) devices() []state.Device {
	if !p.enrolled || p.state == nil {
		return nil
	}
	return p.state.Devices
}

// lastUsed is the device that was used last; false when none ever was.
func (p *person) lastUsed() (last state.Device, used bool) {
	for _, d := range p.devices() {
		if d.Used.After(last.Used) {
			last, used = d, true
		}
	}
	return last, used
}

func (p *person) throttled(now time.Time) bool {
	if p.state == nil {
		return false
	}
	strangers, known := p.state.Throttled(state.One, now)
	return strangers || known
}

// people are all users of whom list has something to say, sorted: accounts with a login shell, whoever is enrolled or has to, and
// whoever a requirement names.
func (h *host) people(u *enroll.Users) ([]person, error) {
	names, err := h.names(u)
	if err != nil {
		return nil, err
	}
	var all []person
	seen := map[string]bool{}
	for _, name := range names {
		p, err := h.person(u, name)
		if err != nil {
			return nil, err
		}
		if !seen[p.name] {
			all = append(all, p)
		}
		seen[p.name] = true
	}
	return all, nil
}

func (h *host) names(u *enroll.Users) ([]string, error) {
	names := map[string]bool{}
	lists := []func() ([]string, error){loginNames, u.Secrets.Users, func() ([]string, error) { return pending(u) }}
	for _, e := range h.policy.Require {
		lists = append(lists, func() ([]string, error) { return e.Users, nil })
		for _, group := range e.Groups {
			lists = append(lists, func() ([]string, error) { return groupNames(group) })
		}
	}
	for _, list := range lists {
		found, err := list()
		if err != nil {
			return nil, err
		}
		for _, name := range found {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// pending are the users who were reset and have to enrol, and those whose state cannot be read: they must not drop out of sight.
func pending(u *enroll.Users) ([]string, error) {
	names, err := u.State.Users()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(name string) bool {
		st, err := u.State.Read(name)
		return errors.Is(err, fs.ErrNotExist) || err == nil && !st.MustEnroll
	}), nil
}

// addMembers adds those of a group of whom there is something to end, to unlock or to adopt, and who are not among the people yet.
func (h *host) addMembers(u *enroll.Users, group string, people []person) ([]person, error) {
	if exists, err := sysuser.GroupExists(group); err != nil || !exists {
		return nil, errors.Join(err, failed("there is no group %q on this host", group).hint("getent group lists the groups"))
	}
	enrolled, err := u.Secrets.Users()
	if err != nil {
		return nil, err
	}
	waiting, err := pending(u)
	if err != nil {
		return nil, err
	}
	names := append(enrolled, waiting...)
	slices.Sort(names)
	before := len(people)
	for _, name := range slices.Compact(names) {
		p, err := h.person(u, name)
		if err != nil {
			return nil, err
		}
		if p.account == nil || slices.ContainsFunc(people, func(other person) bool { return other.name == p.name }) {
			continue
		}
		if in, err := p.inGroup(group); err != nil {
			return nil, err
		} else if in {
			people = append(people, p)
		}
	}
	if len(people) == before {
		return nil, failed("nobody else in group %q is enrolled", group).hint("twokey list")
	}
	return people, nil
}

// known gives the names under which users are kept, and refuses one of whom neither the name service nor we know anything.
func (h *host) known(u *enroll.Users, names []string) ([]person, error) {
	var found []person
	for _, name := range names {
		p, err := h.person(u, name)
		if err != nil {
			return nil, err
		}
		if p.account == nil && !p.enrolled && p.state == nil && p.problem == nil {
			return nil, unknownUser(name)
		}
		found = append(found, p)
	}
	return found, nil
}

package main

import (
	"maps"
	"slices"
	"sync"
	"time"

	"twokey/policy"
)

// decider asks the policy about many users. Those of whom nothing differs that a policy can look at get one answer together. It may be
// used by several goroutines at once.
type decider struct {
	policy   policy.Config
	now      time.Time
	services []string        // that it names
	groups   []string        // likewise
	named    map[string]bool // users, likewise: each of them is asked about for himself

	lock  sync.Mutex
	known map[alike]*answer
}

// alike is what a policy can look at in users whom it does not name; see [policy.Facts].
type alike struct {
	known, system, enrolled, mustEnroll bool
	groups                              string // for each of the decider's groups a byte
}

// answer is what the policy says of a user on a service that nothing names, and on each that it names.
type answer struct {
	outcome  policy.Outcome
	services []service
}

// newDecider asks about logins at this moment, as if twokey was switched on: who is missing has to be seen before.
func newDecider(c *policy.Config, now time.Time) *decider {
	d := &decider{policy: *c, now: now, services: namedServices(c), named: map[string]bool{}, known: map[alike]*answer{}}
	d.policy.Off, d.policy.OffUntil = false, time.Time{}
	add := func(users, groups []string) {
		d.groups = append(d.groups, groups...)
		for _, name := range users {
			d.named[name] = true
		}
	}
	for _, e := range slices.Concat(c.Require, c.Exempt) {
		add(e.Users, e.Groups)
	}
	for _, r := range c.Rules {
		add(r.Users, r.Groups)
	}
	slices.Sort(d.groups)
	d.groups = slices.Compact(d.groups)
	return d
}

// decide fills in what the policy says of a user.
func (d *decider) decide(p *person) {
	found := d.find(p)
	p.outcome, p.services = found.outcome, found.services
}

func (d *decider) find(p *person) *answer {
	kind, ok := d.kindOf(p, p.inGroup)
	if !ok {
		return d.ask(p)
	}
	d.lock.Lock()
	defer d.lock.Unlock()
	if d.known[kind] == nil {
		d.known[kind] = d.ask(p)
	}
	return d.known[kind]
}

// kindOf is false for a user who is named, or of whom something could not be found out: his name may stand in the answer.
func (d *decider) kindOf(p *person, inGroup func(string) (bool, error)) (alike, bool) {
	kind := alike{known: p.account != nil, system: p.system, enrolled: p.enrolled, mustEnroll: p.mustEnroll()}
	if p.account == nil || len(d.groups) == 0 {
		return kind, !d.named[p.name]
	}
	if d.named[p.name] {
		return alike{}, false
	}
	member := make([]byte, len(d.groups))
	for i, group := range d.groups {
		in, err := inGroup(group)
		if err != nil {
			return alike{}, false
		}
		if in {
			member[i] = 1
		}
	}
	kind.groups = string(member)
	return kind, true
}

func (d *decider) ask(p *person) *answer {
	found := &answer{outcome: d.policy.Decide(p.facts(visit{at: d.now}))}
	for _, name := range d.services {
		found.services = append(found.services, service{name, d.policy.Decide(p.facts(visit{service: name, at: d.now}))})
	}
	return found
}

// namedServices are those that an entry, a rule or the table of services names.
func namedServices(c *policy.Config) []string {
	names := maps.Clone(c.Services)
	if names == nil {
		names = map[string]policy.Way{}
	}
	add := func(services []string) {
		for _, name := range services {
			names[name] = c.WayOf(name)
		}
	}
	for _, e := range slices.Concat(c.Require, c.Exempt) {
		add(e.Services)
	}
	for _, r := range c.Rules {
		add(r.Services)
	}
	return slices.Sorted(maps.Keys(names))
}

package main

import (
	"errors"
	"slices"

	"twokey/enroll/batch"
	"twokey/internal/sysuser"
	"twokey/policy"
)

// demand is an entry of the policy that the file asks for, and the row that asks for it first.
type demand struct {
	line   int
	name   string
	change policy.Change
}

// planPolicy finds out what the policy becomes by the file. A demand that cannot be met stops no other, and of a user whose row is wrong
// nothing is demanded. Where rows have become wrong in the meantime it is called again, with the policy that it was asked about first.
func (a *application) planPolicy(source []byte) (err error) {
	a.unmet, a.waiting = nil, nil
	var met []policy.Change
	after := source
	for _, d := range a.demands() {
		edited, err := policy.Edit(after, d.change)
		if err != nil {
			a.unmet = append(a.unmet, a.row(d.line, d.name, err))
			continue
		}
		after, met = edited, append(met, d.change)
	}
	if a.lists, err = planIn(a.config, source, met); err != nil || a.lists.empty() {
		return err
	}
	if err := a.lists.allowed(); err != nil {
		a.unmet = append(a.unmet, err)
		a.lists, err = planIn(a.config, source, nil)
		return err
	}
	return nil
}

// demands are those of the groups, each by itself, and those of the users, all with the same dates together.
func (a *application) demands() []demand {
	var all []demand
	for _, g := range a.file.Groups {
		if a.group != "" && a.group != g.Name {
			continue
		}
		entry := policy.Entry{Groups: []string{g.Name}}
		if g.Absent {
			all = append(all, demand{g.Line, g.Name, policy.Unset(entry)})
			continue
		}
		exists, err := sysuser.GroupExists(g.Name)
		if err == nil && !exists {
			err = errors.New("there is no such group on this host")
		}
		if err != nil {
			a.unmet = append(a.unmet, a.row(g.Line, g.Name, err))
			continue
		}
		if g.Require != nil && a.waitsFor(g) {
			a.waiting = append(a.waiting, g.Name)
			continue
		}
		all = append(all, demandsOf(g.Line, entry, g.Require, g.Exempt)...)
	}
	return append(all, a.userDemands()...)
}

// waitsFor reports whether one of the members of a group is still to get what the list gives him, or may be, since nobody knows who they are:
// he would be locked out.
func (a *application) waitsFor(g batch.Group) bool {
	members, known := a.members[g.Line]
	return !known || slices.ContainsFunc(members, func(name string) bool { return a.undone[name] })
}

func (a *application) userDemands() []demand {
	type key struct {
		exempt bool
		dates  batch.Dates
	}
	together, order := map[key]*batch.User{}, []key{}
	names := map[key][]string{}
	add := func(u *batch.User, k key) {
		if together[k] == nil {
			together[k], order = u, append(order, k)
		}
		names[k] = append(names[k], u.Name)
	}
	var gone []string
	for _, p := range a.plans {
		switch u := p.User; {
		case p.Err != nil:
		case u.Absent && a.isNamed(u.Name):
			gone = append(gone, u.Name)
		case u.Require != nil:
			add(u, key{false, *u.Require})
		case u.Exempt != nil:
			add(u, key{true, *u.Exempt})
		}
	}
	var all []demand
	if len(gone) > 0 {
		all = append(all, demand{0, "", policy.Unset{Users: gone}})
	}
	for _, k := range order {
		entry := policy.Entry{Users: names[k]}
		require, exempt := &k.dates, (*batch.Dates)(nil)
		if k.exempt {
			require, exempt = exempt, require
		}
		all = append(all, demandsOf(together[k].Line, entry, require, exempt)...)
	}
	return all
}

// demandsOf is at most one.
func demandsOf(line int, entry policy.Entry, require, exempt *batch.Dates) []demand {
	name := firstFew(slices.Concat(entry.Users, entry.Groups), ", ", 3)
	switch {
	case require != nil:
		entry.By, entry.Starts, entry.Until = dateOf(require.By), dateOf(require.Starts), dateOf(require.Until)
		return []demand{{line, name, policy.AddRequire(entry)}}
	case exempt != nil:
		entry.Until = dateOf(exempt.Until)
		return []demand{{line, name, policy.AddExempt(entry)}}
	}
	return nil
}

// dateOf is a day that batch has checked; "" gives none.
func dateOf(text string) policy.Date {
	day, _ := policy.ParseDate(text)
	return day
}

// withoutDevice counts those whom the file requires, who have no device, and who can get one by a code; 0 where no login takes codes. Of other
// hosts, for which files are made here, neither the users nor the policy are known.
func (a *application) withoutDevice() (int, error) {
	if a.lists.is == nil {
		return 0, nil
	}
	a.host.policy = a.lists.is
	if !a.asksForCodes() {
		return 0, nil
	}
	names, err := union(a.requiredNames)
	if err != nil {
		return 0, err
	}
	enrolled, err := a.job.Users.Secrets.Users()
	if err != nil {
		return 0, err
	}
	people, err := a.lookUp(a.job.Users, missing(names, enrolled))
	return len(slices.DeleteFunc(people, func(p person) bool { return p.account == nil || p.enrolled || !p.required() })), err
}

// requiredNames are the users and the members of the groups whom the file requires.
func (a *application) requiredNames() ([]string, error) {
	var names []string
	for _, p := range a.plans {
		if p.User.Require != nil {
			names = append(names, p.User.Name)
		}
	}
	for _, g := range a.file.Groups {
		if g.Require == nil || a.group != "" && a.group != g.Name {
			continue
		}
		members, err := sysuser.Everybody(g.Name)
		if err != nil && !errors.Is(err, sysuser.ErrUnknown) { // that there is none is told of its row
			return nil, err
		}
		names = append(names, members...)
	}
	return names, nil
}

// isNamed reports whether an entry of the policy names a user.
func (a *application) isNamed(user string) bool {
	return slices.ContainsFunc(slices.Concat(a.policy.Require, a.policy.Exempt), func(e policy.Entry) bool { return slices.Contains(e.Users, user) })
}

// applyPolicy puts the new policy in force, without what was demanded of users whose rows were not done.
func (a *application) applyPolicy() (*edited, error) {
	if slices.ContainsFunc(a.plans, func(p *batch.Plan) bool { return p.Err != nil }) {
		if err := a.planPolicy(a.lists.before); err != nil {
			return nil, err
		}
	}
	if a.lists.empty() {
		return nil, nil
	}
	if err := a.host.apply(a.lists, "apply", ""); err != nil || a.lists.empty() {
		return nil, err
	}
	return &edited{Changed: true, Diff: a.lists.diff()}, nil
}

// entryChanges says of a user what an edit of the policy changes of the entries that name him; nil is no edit.
func entryChanges(e *configEdit) func(user string) []fieldChange {
	if e == nil || e.empty() || e.is == nil {
		return func(string) []fieldChange { return nil }
	}
	requireWas, requireIs := namedUsers(e.was.Require), namedUsers(e.is.Require)
	exemptWas, exemptIs := namedUsers(e.was.Exempt), namedUsers(e.is.Exempt)
	return func(user string) []fieldChange {
		all := []fieldChange{{"require", requireWas[user], requireIs[user]}, {"exempt", exemptWas[user], exemptIs[user]}}
		return slices.DeleteFunc(all, func(c fieldChange) bool { return c.Old == c.New })
	}
}

// namedUsers says of each user whom entries name when and where they do.
func namedUsers(entries []policy.Entry) map[string]string {
	named := map[string]string{}
	for _, e := range entries {
		users := e.Users
		e.Users, e.Groups = nil, nil
		text := or(entryText(e), "always")
		for _, user := range users {
			if before := named[user]; before != "" {
				named[user] = before + "; " + text
			} else {
				named[user] = text
			}
		}
	}
	return named
}

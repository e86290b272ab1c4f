package main

import (
	"errors"
	"slices"

	"twokey/enroll/batch"
	"twokey/internal/safefile"
	"twokey/internal/sysuser"
	"twokey/policy"
)

// demand is an entry of the policy that the file asks for, and the row that asks for it first.
type demand struct {
	line   int
	name   string
	change policy.Change
}

// planPolicy finds out what the policy becomes by the file. A demand that cannot be met stops no other.
func (a *application) planPolicy() error {
	source, err := safefile.ReadFile(a.config, safefile.Public)
	if err != nil {
		return err
	}
	var met []policy.Change
	after := source
	for _, d := range a.demands() {
		edited, err := policy.Edit(after, d.change)
		if err != nil {
			a.wrong = append(a.wrong, a.row(d.line, d.name, err))
			continue
		}
		after, met = edited, append(met, d.change)
	}
	if a.lists, err = planIn(a.config, source, met); err != nil || a.lists.empty() {
		return err
	}
	if err := a.lists.allowed(); err != nil {
		a.wrong = append(a.wrong, err)
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
			a.wrong = append(a.wrong, a.row(g.Line, g.Name, err))
			continue
		}
		all = append(all, demandsOf(g.Line, entry, g.Require, g.Exempt)...)
	}
	return append(all, a.userDemands()...)
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

// applyPolicy puts the new policy in force. Entries of a user whose device could not be made stay as they were planned: he is required
// all the same.
func (a *application) applyPolicy() (*edited, error) {
	if a.lists.empty() {
		return nil, nil
	}
	if err := a.host.apply(a.lists, "apply", ""); err != nil || a.lists.empty() {
		return nil, err
	}
	return &edited{Changed: true, Diff: a.lists.diff()}, nil
}

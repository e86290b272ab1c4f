package main

import (
	"errors"
	"io/fs"
	"slices"
	"time"

	"twokey/enroll"
	"twokey/internal/cores"
	"twokey/internal/sysuser"
)

// people are all users of whom list has something to say, sorted: accounts with a login shell, whoever is enrolled or has to, and
// whoever a requirement names.
func (h *host) people(u *enroll.Users) ([]person, error) {
	accounts, err := sysuser.All()
	if err != nil {
		return nil, err
	}
	enrolled, err := u.Secrets.Users()
	if err != nil {
		return nil, err
	}
	names, err := h.namesAmong(u, accounts, enrolled)
	if err != nil {
		return nil, err
	}
	isEnrolled := func(name string) (bool, error) {
		_, found := slices.BinarySearch(enrolled, name)
		return found, nil
	}
	return h.readAll(u, sysuser.DirectoryOf(accounts), names, isEnrolled)
}

// lookUp finds many users, each once, whatever he is called.
func (h *host) lookUp(u *enroll.Users, names []string) ([]person, error) {
	directory, err := sysuser.NewDirectory(len(names))
	if err != nil {
		return nil, err
	}
	return h.readAll(u, directory, names, u.Secrets.Enrolled)
}

func (h *host) readAll(u *enroll.Users, directory *sysuser.Directory, names []string, enrolled func(name string) (bool, error)) ([]person, error) {
	all, failed := make([]person, len(names)), make([]error, len(names))
	cores.Each(len(names), func(i int) { all[i], failed[i] = readPerson(directory, u, names[i], enrolled) })
	for i := range all {
		if failed[i] != nil {
			return nil, failed[i]
		}
		all[i].system = h.hasSystemAccount(&all[i]) // one after the other: it may warn
	}
	d := newDecider(h.policy, time.Now())
	cores.Each(len(all), func(i int) { d.decide(&all[i]) })
	return once(all), nil
}

// once has each user once.
func once(people []person) []person {
	seen := make(map[string]bool, len(people))
	return slices.DeleteFunc(people, func(p person) bool {
		before := seen[p.name]
		seen[p.name] = true
		return before
	})
}

// names are those of people.
func (h *host) names(u *enroll.Users) ([]string, error) {
	accounts, err := sysuser.All()
	if err != nil {
		return nil, err
	}
	enrolled, err := u.Secrets.Users()
	if err != nil {
		return nil, err
	}
	return h.namesAmong(u, accounts, enrolled)
}

func (h *host) namesAmong(u *enroll.Users, accounts []sysuser.Account, enrolled []string) ([]string, error) {
	waiting, err := pending(u, enrolled)
	if err != nil {
		return nil, err
	}
	names := slices.Concat(accountNames(accounts, sysuser.Account.MayLogIn), enrolled, waiting)
	for _, e := range h.policy.Require {
		names = append(names, e.Users...)
		for _, group := range e.Groups {
			members, err := groupNames(group)
			if err != nil {
				return nil, err
			}
			names = append(names, members...)
		}
	}
	return sorted(names), nil
}

// union joins lists of names, sorted, each name once.
func union(lists ...func() ([]string, error)) ([]string, error) {
	var names []string
	for _, list := range lists {
		found, err := list()
		if err != nil {
			return nil, err
		}
		names = append(names, found...)
	}
	return sorted(names), nil
}

// sorted has each name once.
func sorted(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// pending are the users who were reset and have to enrol, and those whose state cannot be read: they must not drop out of sight. Whoever
// is one of those who are enrolled, sorted, is known by that, and his state is not read here.
func pending(u *enroll.Users, enrolled []string) ([]string, error) {
	names, err := u.State.Users()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(name string) bool {
		if _, found := slices.BinarySearch(enrolled, name); found {
			return true
		}
		st, err := u.State.Read(name)
		return errors.Is(err, fs.ErrNotExist) || err == nil && !st.MustEnroll
	}), nil
}

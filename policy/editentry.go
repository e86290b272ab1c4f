package policy

import (
	"fmt"
	"slices"
	"strings"
)

// What Edit needs to know of an entry: whom it is about, where and when it counts,
// and how it is written.

// The kinds of a [subject], which are the keys of an entry.
const (
	kindUsers    = "users"
	kindGroups   = "groups"
	kindServices = "services"
	kindFrom     = "from"
	kindSystem   = "system_accounts"
)

// String names the subject: user "alice".
func (s subject) String() string {
	switch s.kind {
	case kindSystem:
		return "system accounts"
	case kindFrom:
		return fmt.Sprintf("everybody from %q", s.name)
	case kindServices:
		return fmt.Sprintf("everybody on service %q", s.name)
	}
	return fmt.Sprintf("%s %q", singular(s.kind), s.name)
}

// items are the names of one kind, or nil for system accounts, which have none.
func (e *Entry) items(kind string) *[]string {
	switch kind {
	case kindUsers:
		return &e.Users
	case kindGroups:
		return &e.Groups
	case kindServices:
		return &e.Services
	case kindFrom:
		return &e.From
	}
	return nil
}

// parts lists everything that the entry names.
func (e Entry) parts() []subject {
	var all []subject
	for _, kind := range []string{kindUsers, kindGroups, kindServices, kindFrom} {
		for _, name := range *e.items(kind) {
			all = append(all, subject{kind, name})
		}
	}
	if e.SystemAccounts {
		all = append(all, subject{kind: kindSystem})
	}
	return all
}

// about lists whom the entry is about: users, groups and system accounts, or else
// everybody on its services, or else everybody from its sources.
func (e Entry) about() []subject {
	switch {
	case !e.everybody():
		e.Services, e.From = nil, nil
	case len(e.Services) > 0:
		e.From = nil
	}
	return e.parts()
}

// place gives the services and the sources to which the entry is narrowed, if it is.
func (e Entry) place() (services, from []string) {
	switch {
	case !e.everybody():
		return e.Services, e.From
	case len(e.Services) > 0:
		return nil, e.From
	}
	return nil, nil
}

// only is the entry for these subjects alone, each once.
func (e Entry) only(subjects []subject) Entry {
	e.Services, e.From = e.place()
	e.Users, e.Groups, e.SystemAccounts = nil, nil, false
	for _, s := range subjects {
		names := e.items(s.kind)
		if names == nil {
			e.SystemAccounts = true
		} else if !slices.Contains(*names, s.name) {
			*names = append(slices.Clone(*names), s.name)
		}
	}
	return e
}

// placeCovers reports whether a counts everywhere that b does.
func placeCovers(a, b Entry) bool {
	aServices, aFrom := a.place()
	bServices, bFrom := b.place()
	return covers(aServices, bServices) && covers(aFrom, bFrom)
}

// covers reports whether what is narrowed to a reaches everything that what is
// narrowed to b does. No names means not narrowed.
func covers(a, b []string) bool {
	outside := func(name string) bool { return !slices.Contains(a, name) }
	return len(a) == 0 || len(b) > 0 && !slices.ContainsFunc(b, outside)
}

// periodCovers reports whether a counts on every day that b does.
func periodCovers(a, b Entry) bool {
	begins := a.Starts.IsZero() || !b.Starts.IsZero() && !b.Starts.Before(a.Starts)
	ends := a.Until.IsZero() || !b.Until.IsZero() && !a.Until.Before(b.Until)
	return begins && ends
}

// sameDays reports whether the dates of two entries are the same.
func sameDays(a, b Entry) bool { return a.Starts == b.Starts && a.By == b.By && a.Until == b.Until }

// covers reports whether an entry counts wherever and whenever another does.
func (e Entry) covers(other Entry) bool {
	return placeCovers(e, other) && periodCovers(e, other) && e.By == other.By
}

// Covering are the entries of a list that cover one of the names of an entry in
// more places than it does: why [Edit] does not add it.
func Covering(list []Entry, added Entry) []Entry {
	return slices.DeleteFunc(slices.Clone(list), func(e Entry) bool {
		about := func(s subject) bool { return slices.Contains(added.about(), s) }
		return !slices.ContainsFunc(e.about(), about) || !e.covers(added) || placeCovers(added, e)
	})
}

// flowEntry writes an entry on one line.
func flowEntry(e Entry) string {
	var pairs []string
	list := func(kind string) {
		if names := *e.items(kind); len(names) > 0 {
			pairs = append(pairs, kind+": "+flowList(names))
		}
	}
	list(kindUsers)
	list(kindGroups)
	if e.SystemAccounts {
		pairs = append(pairs, kindSystem+": true")
	}
	list(kindServices)
	list(kindFrom)
	for _, day := range []struct {
		key  string
		date Date
	}{{"starts", e.Starts}, {"by", e.By}, {"until", e.Until}} {
		if !day.date.IsZero() {
			pairs = append(pairs, day.key+": "+day.date.String())
		}
	}
	return "{" + strings.Join(pairs, ", ") + "}"
}

func flowList(names []string) string {
	var quoted []string
	for _, name := range names {
		quoted = append(quoted, quote(name))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// plain are the names and IPv4 networks that every YAML reader takes for text
// without quotes, but for the words.
var (
	plain = pattern(`^(?:[A-Za-z_][A-Za-z0-9_.@-]*|(?:[0-9]+\.){3}[0-9]+(?:/[0-9]+)?)$`)
	words = pattern(`(?i)^(?:true|false|yes|no|on|off|y|n|null)$`)
)

// quote writes a name, in single quotes where YAML could take it for something
// else.
func quote(name string) string {
	if plain().MatchString(name) && !words().MatchString(name) {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", "''") + "'"
}

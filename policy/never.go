package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A reach is what a rule or an entry asks of a login, so that two can be compared.
type reach struct {
	name                                  string
	who, services, from, ssh, tty, during []string // empty: all of them
	narrows                               bool     // a rule with methods
}

// reachOf puts users and groups, which are one condition, into one list.
func reachOf(name string, users, groups, services, from []string) reach {
	r := reach{name: name, services: services, from: from}
	for _, u := range users {
		r.who = append(r.who, "user "+u)
	}
	for _, g := range groups {
		r.who = append(r.who, "group "+g)
	}
	return r
}

func (e Entry) reach(name string) reach {
	r := reachOf(name, e.Users, e.Groups, e.Services, e.From)
	if e.SystemAccounts {
		r.who = append(r.who, "system accounts")
	}
	if !e.Starts.IsZero() || !e.Until.IsZero() {
		r.during = []string{e.Starts.String() + " " + e.Until.String()}
	}
	return r
}

func (r Rule) reach(name string) reach {
	to := reachOf(name, r.Users, r.Groups, r.Services, r.From)
	to.ssh, to.tty, to.narrows = r.SSHAuth, r.TTY, r.Methods != nil
	if len(r.Weekdays)+len(r.Hours) > 0 {
		to.during = []string{fmt.Sprint(r.Weekdays, r.Hours, r.Zone)}
	}
	return to
}

// covers reports whether every login that the other one is about is one that this one is about. It may miss some.
func (r reach) covers(other reach) bool {
	for _, pair := range [][2][]string{{r.who, other.who}, {r.services, other.services}, {r.ssh, other.ssh}, {r.tty, other.tty}, {r.during, other.during}} {
		if len(pair[0]) > 0 && !allIn(pair[1], pair[0]) {
			return false
		}
	}
	return len(r.from) == 0 || placesCover(r.from, other.from)
}

// placesCover reports whether each of the others is inside one of the places.
func placesCover(places, others []string) bool {
	inside := func(other string) bool {
		o, _ := parsePlace(other)
		return slices.ContainsFunc(places, func(item string) bool {
			p, _ := parsePlace(item)
			return p.covers(o)
		})
	}
	return len(others) > 0 && !slices.ContainsFunc(others, func(o string) bool { return !inside(o) })
}

// reaches lists the rules and entries in the order of the precedence: those that deny, and the others.
func (c *Config) reaches() (denying, others []reach) {
	var rules []reach
	for i, r := range c.Rules {
		if r.Then == Deny {
			denying = append(denying, r.reach(c.RuleName(i)))
		} else {
			rules = append(rules, r.reach(c.RuleName(i)))
		}
	}
	for i, e := range c.Exempt {
		others = append(others, e.reach(fmt.Sprintf("exempt[%d]", i)))
	}
	others = append(others, rules...)
	for i, e := range c.Require {
		others = append(others, e.reach(fmt.Sprintf("require[%d]", i)))
	}
	return denying, others
}

// neverWarnings name what cannot match, now or ever, and so does not do what it seems to.
func (c *Config) neverWarnings(now time.Time) []string {
	found := c.overWarnings(now)
	denying, others := c.reaches()
	all := append(slices.Clone(denying), others...)
	for i, r := range all {
		// A deny rule that names no service leaves alone those that are no logins.
		noLogin := slices.ContainsFunc(r.services, func(s string) bool { return !c.isLogin(s) })
		earlier := slices.IndexFunc(all[:i], func(e reach) bool { return e.covers(r) && (len(e.services) > 0 || !noLogin) })
		switch {
		case earlier >= 0:
			found = append(found, fmt.Sprintf("%s can never match: %s goes before it and is about all that it is about", r.name, all[earlier].name))
		case i >= len(denying) && !r.narrows && allIn(r.services, []string{SelfService}):
			found = append(found, fmt.Sprintf("%s can never match: at %s only rules that deny or have methods count", r.name, SelfService))
		case slices.Equal(r.tty, []string{"console"}) && len(r.from) > 0:
			found = append(found, r.name+" can never match: who is at the console comes from no host")
		case len(r.ssh) > 0 && allIn(r.services, localServices):
			found = append(found, fmt.Sprintf("%s can never match: ssh_auth is not known on %s", r.name, strings.Join(r.services, ", ")))
		case i >= len(denying) && !strings.HasPrefix(r.name, "exempt[") && len(r.services) > 0 && !slices.ContainsFunc(r.services, c.isLogin):
			found = append(found, fmt.Sprintf("%s can never match: nobody is asked on %s", r.name, strings.Join(r.services, ", ")))
		}
	}
	return found
}

func (c *Config) isLogin(service string) bool { return c.WayOf(service) != NotALogin }

// overWarnings name entries whose last day is over.
func (c *Config) overWarnings(now time.Time) []string {
	var found []string
	for _, list := range []string{"exempt", "require"} {
		for i, e := range *c.entries(list) {
			if !e.Until.IsZero() && !now.IsZero() && e.Until.Before(DateOf(now)) {
				found = append(found, fmt.Sprintf("%s[%d] ended with %s and does nothing any more", list, i, e.Until))
			}
		}
	}
	return found
}

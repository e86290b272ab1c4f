package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/policy"
)

func policyListCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "the switch, the default, all entries and rules, and how services ask, as the configuration has them",
		Description: "They are tried from top to bottom, but for rules that deny, which come before exempt; the first that matches\n" +
			"decides. What counts for one user: twokey policy explain USER. Whether the file is what is in force: twokey status.\n" +
			"Needs no root.",
		Action: func(c *cli.Context) error { return policyListAction(c, ui) },
	}
}

func policyListAction(c *cli.Context, ui *ui) error {
	if err := noArguments(c); err != nil {
		return err
	}
	h, err := locate(c, ui)
	if err != nil {
		return err
	}
	if err := h.readConfig(); err != nil {
		return err
	}
	if err := ui.table(policyRows(h.policy, time.Now())); err != nil {
		return err
	}
	return ui.object(policyListed(h.policy, time.Now()))
}

// listedPolicy is what policy list --json prints.
type listedPolicy struct {
	Enabled      bool              `json:"enabled"`
	OffUntil     *time.Time        `json:"off_until"` // null: not switched off, or for good
	Observe      bool              `json:"observe"`
	Default      string            `json:"default"`
	Require      []policy.Entry    `json:"require"`
	Exempt       []policy.Entry    `json:"exempt"`
	Rules        []listedRule      `json:"rules"`
	Services     map[string]string `json:"services"`        // how each asks, built-in ones not among them
	BuiltIn      []string          `json:"services_exempt"` // no logins, by the built-in list
	AtLogin      string            `json:"enroll_at_login"` // with-code, yes or no
	CanEnroll    []string          `json:"services_enroll"` // at which one can enrol, built-in ones among them
	Methods      []string          `json:"methods"`
	Bypass       listedBypass      `json:"bypass"`
	Roles        listedRoles       `json:"roles"`
	Provisioners []string          `json:"provisioners"`
	Remember     string            `json:"remember"`
	Shared       []string          `json:"shared"`
	SSHKeysAlone string            `json:"ssh_keys_alone"`
	OpenWithin   string            `json:"open_within"`
}

// listedRule has the keys of the configuration.
type listedRule struct {
	Name     string         `json:"name,omitempty"`
	Users    []string       `json:"users,omitempty"`
	Groups   []string       `json:"groups,omitempty"`
	Services []string       `json:"services,omitempty"`
	From     []string       `json:"from,omitempty"`
	SSHAuth  []string       `json:"ssh_auth,omitempty"`
	TTY      []string       `json:"tty,omitempty"`
	Weekdays []string       `json:"weekdays,omitempty"`
	Hours    []policy.Hours `json:"hours,omitempty"`
	Zone     string         `json:"zone,omitempty"`
	Then     string         `json:"then"`
	Methods  []string       `json:"methods,omitempty"`
	Remember string         `json:"remember,omitempty"`
	Enroll   string         `json:"enroll,omitempty"`
}

func policyListed(p *policy.Config, now time.Time) listedPolicy {
	l := listedPolicy{Enabled: !p.Off, Observe: p.Observe, Default: p.Default.String(),
		Require: append([]policy.Entry{}, p.Require...), Exempt: append([]policy.Entry{}, p.Exempt...),
		Rules: []listedRule{}, Services: map[string]string{}, BuiltIn: builtIn(p), Methods: p.Methods, Remember: policy.Brief(p.Remember),
		AtLogin: p.AtLogin, CanEnroll: canEnroll(p), Bypass: listedBypass{p.Bypass.Requesters, policy.Brief(p.Bypass.Longest)},
		Roles: listedRoles(p.Roles), Provisioners: append([]string{}, p.Provisioners...),
		Shared: append([]string{}, p.Shared...), SSHKeysAlone: p.SSHKeysAlone, OpenWithin: policy.Brief(p.OpenWithin)}
	if !p.Off && p.SwitchedOff(now) {
		l.OffUntil = timeOrNull(p.OffUntil)
	}
	for _, r := range p.Rules {
		one := listedRule{Name: r.Name, Users: r.Users, Groups: r.Groups, Services: r.Services, From: r.From, SSHAuth: r.SSHAuth,
			TTY: r.TTY, Weekdays: dayNames(r.Weekdays), Hours: r.Hours, Zone: r.Zone, Then: r.Then.String(), Methods: r.Methods}
		if r.Remember != nil {
			one.Remember = policy.Brief(*r.Remember)
		}
		if r.EnrollByAdmin {
			one.Enroll = "by-admin"
		}
		l.Rules = append(l.Rules, one)
	}
	for name, way := range p.Services {
		l.Services[name] = way.String()
	}
	return l
}

// policyRows are in the order in which the policy tries them.
func policyRows(p *policy.Config, now time.Time) [][]string {
	rows := [][]string{{"switch", switchText(p, now)}, {"observe", trueFalse(p.Observe)}}
	for i, r := range p.Rules {
		if r.Then == policy.Deny {
			rows = append(rows, []string{p.RuleName(i), ruleSentence(r)})
		}
	}
	rows = append(rows, entryRows("exempt", p.Exempt)...)
	if len(p.Rules) == 0 {
		rows = append(rows, []string{"rules", "none"})
	}
	for i, r := range p.Rules {
		if r.Then != policy.Deny {
			rows = append(rows, []string{p.RuleName(i), ruleSentence(r)})
		}
	}
	rows = append(rows, entryRows("require", p.Require)...)
	rows = append(rows, []string{"default", p.Default.String()})
	for _, name := range slices.Sorted(maps.Keys(p.Services)) {
		rows = append(rows, []string{"service " + name, waySentence(p, p.Services[name])})
	}
	rows = append(rows, []string{"no logins", strings.Join(builtIn(p), ", ") + " (built in)"},
		[]string{"methods", strings.Join(p.Methods, ", ")}, []string{"remember", rememberSentence(p)})
	rows = append(rows, roleRows(p)...)
	return append(rows, []string{"key alone", p.SSHKeysAlone + " (ssh_keys_alone: who is required and logs in to sshd by a key alone)"})
}

// switchText is the switch in words: "on", "OFF", or "OFF until 2026-11-21 23:30".
func switchText(p *policy.Config, now time.Time) string {
	switch {
	case p.Off:
		return "OFF (enabled: false)"
	case p.SwitchedOff(now):
		return "OFF until " + p.OffUntil.Local().Format("2006-01-02 15:04") + " (off_until)"
	}
	return "on"
}

// builtIn are the services that are no logins, without those of which the configuration says something else.
func builtIn(p *policy.Config) []string {
	return slices.DeleteFunc(policy.BuiltinNotLogins(), func(name string) bool {
		_, configured := p.Services[name]
		return configured
	})
}

func waySentence(p *policy.Config, way policy.Way) string {
	switch way {
	case policy.Prompt:
		return "prompt: asks"
	case policy.Appended:
		return "appended: password and code in one field"
	case policy.Earlier:
		return "earlier: in with a success from the same source within " + policy.Brief(p.OpenWithin)
	case policy.Never:
		return "never: closed to whoever is enrolled or required"
	case policy.NotALogin:
		return "exempt: not a login, nobody is asked"
	}
	return way.String()
}

func rememberSentence(p *policy.Config) string {
	if p.Remember == 0 {
		return "0s: asked at every login"
	}
	text := policy.Brief(p.Remember) + ": not asked again by the same service and key from the same source"
	if len(p.Shared) > 0 {
		text += ", but from " + strings.Join(p.Shared, ", ")
	}
	return text
}

func trueFalse(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// entryRows are a list's entries under the names by which policy explain calls them.
func entryRows(list string, entries []policy.Entry) [][]string {
	if len(entries) == 0 {
		return [][]string{{list, "nobody"}}
	}
	var rows [][]string
	for i, e := range entries {
		rows = append(rows, []string{ruleName(list, i), entrySentence(e)})
	}
	return rows
}

// entrySentence says whom an entry means, and when: "groups wheel, staff and users alice, on sshd, by 2026-12-31".
func entrySentence(e policy.Entry) string {
	who := whoSentence(e.Users, e.Groups)
	if e.SystemAccounts {
		if who != "" {
			who += " and "
		}
		who += "system accounts"
	}
	text := or(who, "everybody") + whereSentence(e.Services, e.From)
	for _, date := range []struct {
		word string
		day  policy.Date
	}{{"starts", e.Starts}, {"by", e.By}, {"until", e.Until}} {
		if !date.day.IsZero() {
			text += fmt.Sprintf(", %s %s", date.word, date.day)
		}
	}
	return text
}

// whoSentence is "" for everybody.
func whoSentence(users, groups []string) string {
	var who []string
	if len(groups) > 0 {
		who = append(who, "groups "+strings.Join(groups, ", "))
	}
	if len(users) > 0 {
		who = append(who, "users "+strings.Join(users, ", "))
	}
	return strings.Join(who, " and ")
}

func whereSentence(services, from []string) string {
	text := ""
	if len(services) > 0 {
		text += ", on " + strings.Join(services, ", ")
	}
	if len(from) > 0 {
		text += ", from " + strings.Join(from, ", ")
	}
	return text
}

// ruleSentence says when a rule counts and what follows: "required: groups staff, on sshd, from 192.0.2.0/24; methods totp".
func ruleSentence(r policy.Rule) string {
	text := r.Then.String() + ": " + or(whoSentence(r.Users, r.Groups), "everybody") + whereSentence(r.Services, r.From)
	for _, condition := range []struct {
		word  string
		items []string
	}{{"ssh_auth", r.SSHAuth}, {"tty", r.TTY}, {"weekdays", dayNames(r.Weekdays)}, {"hours", hourNames(r.Hours)}} {
		if len(condition.items) > 0 {
			text += ", " + condition.word + " " + strings.Join(condition.items, ", ")
		}
	}
	if r.Zone != "" {
		text += " (" + r.Zone + ")"
	}
	if r.Methods != nil {
		text += "; methods " + strings.Join(r.Methods, ", ")
	}
	if r.Remember != nil {
		text += "; remember " + policy.Brief(*r.Remember)
	}
	if r.EnrollByAdmin {
		text += "; enroll by-admin"
	}
	return text
}

// dayNames are the days as the configuration spells them.
func dayNames(days []time.Weekday) []string {
	var names []string
	for _, day := range days {
		names = append(names, strings.ToLower(day.String()[:3]))
	}
	return names
}

func hourNames(hours []policy.Hours) []string {
	var names []string
	for _, h := range hours {
		names = append(names, h.String())
	}
	return names
}

package policy

import (
	"slices"

	"gopkg.in/yaml.v3"
)

func (d *decoder) rules(n *yaml.Node) []Rule {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		d.fail(n, "want a list of rules such as - {groups: [staff], from: [192.0.2.0/24], then: optional}, found %s", describeList(n))
		return nil
	}
	var rules []Rule
	lines := map[string]int{}
	for _, item := range n.Content {
		r := d.rule(item)
		if line := lines[r.Name]; r.Name != "" && line != 0 {
			d.fail(item, "there is another rule %q, on line %d", r.Name, line)
		}
		lines[r.Name] = item.Line
		rules = append(rules, r)
	}
	return rules
}

func (d *decoder) rule(n *yaml.Node) Rule {
	var r Rule
	decided := false
	fields := []field{
		{"name", func(n *yaml.Node) { r.Name = d.text(n, checkRuleName) }},
		{"then", func(n *yaml.Node) { r.Then, decided = d.decision(n), true }},
	}
	d.mapping(n, append(append(fields, d.conditions(&r)...), d.consequences(&r)...))
	switch {
	case !decided:
		d.fail(n, "what does this rule do? then is missing: required, optional, exempt or deny")
	case r.Zone != "" && len(r.Weekdays) == 0 && len(r.Hours) == 0:
		d.fail(n, "zone without weekdays or hours")
	case r.unconditional():
		d.fail(n, "when does this rule count? name users, groups, services, from, ssh_auth, tty, weekdays or hours; for everybody there is default")
	case len(r.TTY) > 1:
		d.fail(n, "tty: console and remote together are every login: leave it out")
	case (r.Then == Exempt || r.Then == Deny) && (r.Methods != nil || r.Remember != nil || r.EnrollByAdmin):
		d.fail(n, "methods, remember and enroll say how somebody is asked: they do nothing beside then: %s", r.Then)
	}
	return r
}

// unconditional reports whether the rule would be about every login.
func (r Rule) unconditional() bool {
	return len(r.Users)+len(r.Groups)+len(r.Services)+len(r.From)+len(r.SSHAuth)+len(r.TTY)+len(r.Weekdays)+len(r.Hours) == 0
}

func (d *decoder) conditions(r *Rule) []field {
	return []field{
		{"users", func(n *yaml.Node) { r.Users = d.names(n, "users") }},
		{"groups", func(n *yaml.Node) { r.Groups = d.names(n, "groups") }},
		{"services", func(n *yaml.Node) { r.Services = d.names(n, "services") }},
		{"from", func(n *yaml.Node) { r.From = d.places(n, checkPlace) }},
		{"ssh_auth", func(n *yaml.Node) { r.SSHAuth = d.words(n, SSHAuthMethods()) }},
		{"tty", func(n *yaml.Node) { r.TTY = d.words(n, []string{"console", "remote"}) }},
		{"weekdays", func(n *yaml.Node) {
			for _, word := range d.words(n, weekdayNames()) {
				day, _ := parseWeekday(word)
				r.Weekdays = append(r.Weekdays, day)
			}
		}},
		{"hours", func(n *yaml.Node) { r.Hours = d.hours(n) }},
		{"zone", func(n *yaml.Node) { r.Zone = d.text(n, checkZone) }},
	}
}

func (d *decoder) consequences(r *Rule) []field {
	return []field{
		{"methods", func(n *yaml.Node) { r.Methods = d.words(n, Methods()) }},
		{"remember", func(n *yaml.Node) {
			within := d.duration(n, 0, maxRemember)
			r.Remember = &within
		}},
		{"enroll", func(n *yaml.Node) {
			if n.Kind != yaml.ScalarNode || n.Value != byAdmin {
				d.fail(n, "want %s, found %s", byAdmin, describe(n))
			}
			r.EnrollByAdmin = true
		}},
	}
}

const byAdmin = "by-admin"

func (d *decoder) hours(n *yaml.Node) []Hours {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		d.fail(n, "want a list of hours such as [08:00-18:00], found %s", describeList(n))
		return nil
	}
	var list []Hours
	for _, item := range n.Content {
		h := parseHours(d.text(item, checkHours))
		if slices.Contains(list, h) && d.err == nil {
			d.fail(item, "%q stands here again", h)
		}
		list = append(list, h)
	}
	return list
}

func checkRuleName(s string) string {
	if s == "" {
		return "a rule with an empty name: leave name out"
	}
	return checkText(s)
}

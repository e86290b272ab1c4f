package policy

import "gopkg.in/yaml.v3"

func (d *decoder) entries(n *yaml.Node, list string) []Entry {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		d.fail(n, "want a list of entries such as - {groups: [wheel]}, found %s", describeList(n))
		return nil
	}
	var entries []Entry
	for _, item := range n.Content {
		entries = append(entries, d.entry(item, list))
	}
	return entries
}

func (d *decoder) entry(n *yaml.Node, list string) Entry {
	var e Entry
	nodes := map[string]*yaml.Node{}
	names := func(key string, list *[]string) field {
		return field{key, func(n *yaml.Node) {
			*list = d.names(n, key)
			nodes[key] = n
		}}
	}
	fields := []field{names("users", &e.Users), names("groups", &e.Groups), names("services", &e.Services),
		{"until", func(n *yaml.Node) { e.Until = d.date(n) }}}
	if list == "exempt" {
		fields = append(fields,
			field{"system_accounts", func(n *yaml.Node) { e.SystemAccounts = d.onlyTrue(n) }},
			field{"from", func(n *yaml.Node) { e.From = d.places(n, checkPlace) }})
	} else {
		fields = append(fields,
			field{"starts", func(n *yaml.Node) { e.Starts = d.date(n) }},
			field{"by", func(n *yaml.Node) { e.By = d.date(n) }})
	}
	d.mapping(n, fields)
	d.entryOf(n, e)
	if d.err != nil {
		return e
	}
	if !e.narrowed() {
		for _, s := range e.subjects() {
			d.claim(nodes[s.kind], list, s)
		}
	}
	return e
}

// entryOf refuses an entry that is about nobody, and days in an order in which one of them does nothing.
func (d *decoder) entryOf(n *yaml.Node, e Entry) {
	switch {
	case len(e.names()) == 0 && !e.SystemAccounts && len(e.From) == 0:
		d.fail(n, "whom is this about? name users, groups or services")
	case !e.Until.IsZero() && e.Until.Before(e.Starts):
		d.fail(n, "this ends (until %s) before it starts (%s)", e.Until, e.Starts)
	case !e.By.IsZero() && e.By.Before(e.Starts):
		d.fail(n, "by %s is over before this starts (%s)", e.By, e.Starts)
	case !e.By.IsZero() && !e.Until.IsZero() && !e.By.Before(e.Until):
		d.fail(n, "this ends (until %s) before anybody must have a device (by %s)", e.Until, e.By)
	}
}

// onlyTrue refuses false, which would be a negation.
func (d *decoder) onlyTrue(n *yaml.Node) bool {
	is := d.boolean(n)
	if !is {
		d.fail(n, "want true: leave it out where it is not meant")
	}
	return is
}

// claim refuses a subject that the other list claims too: one of the two would
// silently do nothing.
func (d *decoder) claim(n *yaml.Node, list string, s subject) {
	if other, found := d.always[s]; found && other.list != list {
		for _, name := range n.Content {
			if name.Value == s.name {
				d.fail(name, "the %s %q is in %s here and in %s on line %d: it can be in one of them",
					singular(s.kind), s.name, list, other.list, other.line)
			}
		}
	}
	d.always[s] = claim{list, n.Line}
}

func (d *decoder) names(n *yaml.Node, kind string) []string {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		d.fail(n, "want a list of names such as [%s], found %s", example(kind), describeList(n))
		return nil
	}
	var names []string
	for _, item := range n.Content {
		names = append(names, d.text(item, func(s string) string { return checkName(kind, s) }))
	}
	return names
}

// places reads the items of from or shared.
func (d *decoder) places(n *yaml.Node, check func(string) string) []string {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		d.fail(n, "want a list of addresses such as [192.0.2.0/24], found %s", describeList(n))
		return nil
	}
	var list []string
	for _, item := range n.Content {
		list = append(list, d.text(item, check))
	}
	return list
}

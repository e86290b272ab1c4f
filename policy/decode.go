package policy

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"gopkg.in/yaml.v3"
)

// Parse reads a configuration. An error is an *[Error] with line and column, the
// first in the file, but for the version, which comes before everything else: a
// file of another version is told so, and not that its keys are unknown.
func Parse(src []byte) (*Config, error) {
	if len(src) > MaxSource {
		return nil, &Error{1, 1, fmt.Sprintf("the configuration has %d bytes, the limit is %d", len(src), MaxSource)}
	}
	return parse(src)
}

// parse is Parse without the size cap.
func parse(src []byte) (*Config, error) {
	top, err := readTree(src)
	if err != nil {
		return nil, err
	}
	d := decoder{cfg: defaults(), always: map[subject]claim{}}
	d.document(top)
	if d.err != nil {
		return nil, d.err
	}
	return &d.cfg, nil
}

// A decoder fills cfg from a tree and keeps the first error.
type decoder struct {
	cfg    Config
	err    *Error
	always map[subject]claim
}

// A claim is where a subject stands without being narrowed by services.
type claim struct {
	list string
	line int
}

// A field is one key of a mapping and what reads its value.
type field struct {
	key  string
	read func(*yaml.Node)
}

func (d *decoder) fail(n *yaml.Node, format string, args ...any) {
	if d.err == nil {
		d.err = errorAt(n, format, args...)
	}
}

func (d *decoder) document(top *yaml.Node) {
	d.version(top)
	c := &d.cfg
	d.mapping(top, []field{
		{"version", func(*yaml.Node) {}},
		{"enabled", func(n *yaml.Node) { c.Off = !d.boolean(n) }},
		{"observe", func(n *yaml.Node) { c.Observe = d.boolean(n) }},
		{"issuer", func(n *yaml.Node) { c.Issuer = d.text(n, checkIssuer) }},
		{"contact", func(n *yaml.Node) { c.Contact = d.text(n, checkContact) }},
		{"help_url", func(n *yaml.Node) { c.HelpURL = d.text(n, checkHelpURL) }},
		{"default", func(n *yaml.Node) { c.Default = d.decision(n) }},
		{"require", func(n *yaml.Node) { c.Require = d.entries(n, "require") }},
		{"exempt", func(n *yaml.Node) { c.Exempt = d.entries(n, "exempt") }},
		{"new_devices", d.newDevices},
		{"discrepancy", func(n *yaml.Node) { c.Discrepancy = d.number(n, 0, 480) }},
		{"paths", func(n *yaml.Node) {
			d.mapping(n, d.pathFields(&c.Paths))
			d.distinctPaths(n)
		}},
	})
	if n := len(c.Groups()); n > MaxGroups {
		d.fail(top, "%d different groups are named, at most %d can be", n, MaxGroups)
	}
}

func (d *decoder) version(top *yaml.Node) {
	if top.Kind != yaml.MappingNode {
		d.fail(top, "want settings such as version: 1, found %s", describe(top))
		return
	}
	n := valueOf(top, "version")
	switch {
	case n == nil:
		d.fail(top, "version is missing: begin with version: 1")
	case n.Kind != yaml.ScalarNode || n.Tag != "!!int":
		d.fail(n, "want version: 1, found %s", describe(n))
	case n.Value != "1":
		d.fail(n, "this is a configuration of version %.80s, which this twokey does not know: it knows version 1", n.Value)
	}
}

// valueOf finds the value of a key in a mapping, or nil.
func valueOf(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// mapping reads the known keys of a mapping, each at most once.
func (d *decoder) mapping(n *yaml.Node, fields []field) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, "want keys and values, found %s", describe(n))
		return
	}
	if len(n.Content) == 0 {
		d.fail(n, "this is empty: leave it out")
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		at := slices.IndexFunc(fields, func(f field) bool { return f.key == key.Value })
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag != "!!str":
			d.fail(key, "want a key, found %s", describe(key))
		case at < 0:
			d.fail(key, "unknown key %.80q%s", key.Value, suggest(key.Value, fields))
		case lines[key.Value] != 0:
			d.fail(key, "the key %q stands here again, first on line %d", key.Value, lines[key.Value])
		default:
			fields[at].read(n.Content[i+1])
		}
		lines[key.Value] = key.Line
	}
}

// describe names what was found instead of what was wanted.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "keys and values"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "nothing"
	case n.Tag == "!!str":
		return fmt.Sprintf("the text %.80q", n.Value)
	case n.Tag == "!!bool":
		return "the truth value " + n.Value
	case n.Tag == "!!timestamp":
		return fmt.Sprintf("the date %.80q", n.Value)
	}
	return fmt.Sprintf("the number %.80s", n.Value)
}

func (d *decoder) boolean(n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
		d.fail(n, "want true or false, found %s", describe(n))
		return false
	}
	return n.Value == "true" || n.Value == "True" || n.Value == "TRUE"
}

// number takes one spelling only: 010 is 8 to YAML 1.1 and 10 to a person.
func (d *decoder) number(n *yaml.Node, least, most int) int {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!int" {
		i, err := strconv.Atoi(n.Value)
		if err == nil && strconv.Itoa(i) == n.Value && i >= least && i <= most {
			return i
		}
	}
	d.fail(n, "want a whole number from %d to %d, found %s", least, most, describe(n))
	return 0
}

// text reads text that check finds nothing wrong with.
func (d *decoder) text(n *yaml.Node, check func(string) string) string {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		hint := ""
		if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
			hint = ": put it in quotes"
		}
		d.fail(n, "want text, found %s%s", describe(n), hint)
		return ""
	}
	if wrong := check(n.Value); wrong != "" {
		d.fail(n, "%s", wrong)
		return ""
	}
	return n.Value
}

func (d *decoder) decision(n *yaml.Node) Decision {
	decision, ok := ParseDecision(n.Value)
	if n.Kind != yaml.ScalarNode || !ok {
		d.fail(n, "want required, optional, exempt or deny, found %s", describe(n))
	}
	return decision
}

func (d *decoder) newDevices(n *yaml.Node) {
	dev := &d.cfg.NewDevices
	d.mapping(n, []field{
		{"digits", func(n *yaml.Node) { dev.Digits = d.number(n, 4, 12) }},
		{"period", func(n *yaml.Node) { dev.Period = d.period(n) }},
		{"algorithm", func(n *yaml.Node) { dev.Algorithm = d.text(n, checkAlgorithm) }},
	})
}

func (d *decoder) period(n *yaml.Node) time.Duration {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
		p, err := time.ParseDuration(n.Value)
		if err == nil && p >= 10*time.Second && p <= 300*time.Second && p%time.Second == 0 {
			return p
		}
	}
	d.fail(n, "want a time with its unit, whole seconds from 10s to 300s, found %s", describe(n))
	return 0
}

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
	names := func(key string) field {
		return field{key, func(n *yaml.Node) {
			*e.list(key) = d.names(n, key)
			nodes[key] = n
		}}
	}
	d.mapping(n, []field{names("users"), names("groups"), names("services")})
	if d.err != nil {
		return e
	}
	if len(e.limit()) == 0 {
		for _, s := range e.subjects() {
			d.claim(nodes[s.kind], list, s)
		}
	}
	return e
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

// describeList says what an empty list is, since "nobody" and "everybody" are both
// guesses.
func describeList(n *yaml.Node) string {
	if n.Kind == yaml.SequenceNode {
		return "an empty list: leave the key out"
	}
	return describe(n)
}

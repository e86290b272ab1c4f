package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	return parseTree(top)
}

// parseTree is Parse for a tree.
func parseTree(top *yaml.Node) (*Config, error) {
	d := decoder{cfg: defaults(), always: map[subject]claim{}}
	if d.document(top); d.err != nil {
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
	d.mapping(top, append([]field{
		{"version", func(*yaml.Node) {}},
		{"enabled", func(n *yaml.Node) { c.Off = !d.boolean(n) }},
		{"off_until", func(n *yaml.Node) { c.OffUntil = d.moment(n) }},
		{"observe", func(n *yaml.Node) { c.Observe = d.boolean(n) }},
		{"language", func(n *yaml.Node) { c.Language = d.word(n, Languages()) }},
		{"messages", func(n *yaml.Node) { c.Messages = d.messages(n) }},
		{"issuer", func(n *yaml.Node) { c.Issuer = d.text(n, checkIssuer) }},
		{"contact", func(n *yaml.Node) { c.Contact = d.text(n, checkContact) }},
		{"help_url", func(n *yaml.Node) { c.HelpURL = d.text(n, checkHelpURL) }},
		{"default", func(n *yaml.Node) { c.Default = d.decision(n) }},
		{"require", func(n *yaml.Node) { c.Require = d.entries(n, "require") }},
		{"exempt", func(n *yaml.Node) { c.Exempt = d.entries(n, "exempt") }},
		{"rules", func(n *yaml.Node) { c.Rules = d.rules(n) }},
		{"services", d.services},
	}, d.settings(c)...))
	if n := len(c.Groups()); n > MaxGroups {
		d.fail(top, "%d different groups are named, at most %d can be", n, MaxGroups)
	}
}

func (d *decoder) version(top *yaml.Node) {
	switch top.Kind {
	case yaml.MappingNode:
	case yaml.ScalarNode: // any file, and what is in it is not for a log: a key, a line of passwords
		d.fail(top, "want settings such as version: 1, found none")
		return
	default:
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

// mapping reads the known keys of a mapping.
func (d *decoder) mapping(n *yaml.Node, fields []field) {
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		d.fail(n, "this is empty: leave it out")
	}
	d.table(n, func(key, value *yaml.Node) {
		at := slices.IndexFunc(fields, func(f field) bool { return f.key == key.Value })
		if at < 0 {
			d.fail(key, "unknown key %.80q%s", key.Value, aboutKey(key.Value, fields))
			return
		}
		fields[at].read(value)
	})
}

// table reads a mapping, each key at most once.
func (d *decoder) table(n *yaml.Node, read func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, "want keys and values, found %s", describe(n))
		return
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag != "!!str":
			d.fail(key, "want a key, found %s", describe(key))
		case lines[key.Value] != 0:
			d.fail(key, "the key %.80q stands here again, first on line %d", key.Value, lines[key.Value])
		default:
			read(key, n.Content[i+1])
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

// word reads one of some words.
func (d *decoder) word(n *yaml.Node, words []string) string {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" || !slices.Contains(words, n.Value) {
		last := len(words) - 1
		d.fail(n, "want %s or %s, found %s%s", strings.Join(words[:last], ", "), words[last], describe(n), suggestWord(n.Value, words))
		return ""
	}
	return n.Value
}

// words reads a list of some words, each at most once.
func (d *decoder) words(n *yaml.Node, words []string) []string {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		d.fail(n, "want a list such as [%s], found %s", words[0], describeList(n))
		return nil
	}
	var list []string
	for _, item := range n.Content {
		word := d.word(item, words)
		if word != "" && slices.Contains(list, word) {
			d.fail(item, "%q stands here again", word)
		}
		list = append(list, word)
	}
	return list
}

// duration takes whole seconds with a unit.
func (d *decoder) duration(n *yaml.Node, least, most time.Duration) time.Duration {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
		p, err := time.ParseDuration(n.Value)
		if err == nil && p >= least && p <= most && p%time.Second == 0 {
			return p
		}
	}
	d.fail(n, "want a time with its unit, whole seconds from %s to %s, found %s", Brief(least), Brief(most), describe(n))
	return 0
}

// seconds writes a time as the compiled form has it.
func seconds(p time.Duration) string { return fmt.Sprintf("%ds", int64(p/time.Second)) }

// Brief writes a time of whole seconds as a person would, and as a configuration
// takes it: 48h, 1h30m, 90s, 0s.
func Brief(d time.Duration) string {
	hours, minutes := d/time.Hour, d%time.Hour/time.Minute
	switch {
	case d == 0 || d%time.Minute != 0:
		return fmt.Sprintf("%ds", d/time.Second)
	case hours == 0:
		return fmt.Sprintf("%dm", minutes)
	case minutes == 0:
		return fmt.Sprintf("%dh", hours)
	}
	return fmt.Sprintf("%dh%dm", hours, minutes)
}

// date takes a day with quotes or without, which to YAML are a text and a time.
func (d *decoder) date(n *yaml.Node) Date {
	if n.Kind == yaml.ScalarNode && (n.Tag == "!!str" || n.Tag == "!!timestamp") {
		if date, ok := ParseDate(n.Value); ok {
			return date
		}
	}
	d.fail(n, "want a day such as 2026-12-31, found %s", describe(n))
	return Date{}
}

// moment takes one spelling of a moment: RFC 3339 in UTC, whole seconds.
func (d *decoder) moment(n *yaml.Node) time.Time {
	if n.Kind == yaml.ScalarNode && (n.Tag == "!!str" || n.Tag == "!!timestamp") {
		t, err := time.Parse(time.RFC3339, n.Value)
		if err == nil && t.Year() >= 2000 && t.UTC().Format(time.RFC3339) == n.Value {
			return t.UTC()
		}
	}
	d.fail(n, "want a moment in UTC such as 2026-11-21T23:30:00Z, found %s", describe(n))
	return time.Time{}
}

// describeList says what an empty list is, since "nobody" and "everybody" are both
// guesses.
func describeList(n *yaml.Node) string {
	if n.Kind == yaml.SequenceNode {
		return "an empty list: leave the key out"
	}
	return describe(n)
}

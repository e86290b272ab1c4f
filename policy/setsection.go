package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"gopkg.in/yaml.v3"
)

// SetSMS makes the section sms say this, and adds sms to methods where it is not named, so that "twokey sms setup" leaves a file with
// which messages are sent. It keeps the comments of a section that is there: it changes, adds and takes out single keys; what has its
// default is written only where it stands already. Begin with [NewSMS], or with a copy of what is configured, and set what the provider
// needs; what [Parse] would refuse is refused.
type SetSMS SMS

// SetPush is [SetSMS] for the section push. Begin with [NewPush].
type SetPush Push

func (s SetSMS) check() error {
	want := SMS(s)
	return checkSection("sms", want, func(c *Config) bool { return reflect.DeepEqual(*c.SMS, want) })
}

func (s SetPush) check() error {
	want := Push(s)
	return checkSection("push", want, func(c *Config) bool { return reflect.DeepEqual(*c.Push, want) })
}

// checkSection asks the parser what it thinks of the section alone.
func checkSection(key string, section json.Marshaler, same func(*Config) bool) error {
	c, err := Parse(fmt.Appendf(nil, "version: 1\n%s: %s\n", key, asJSON(section)))
	var wrong *Error
	switch {
	case errors.As(err, &wrong):
		return fmt.Errorf("%s: %s", key, wrong.Msg)
	case err != nil:
		return err
	case !same(c): // a time below a second, a text that is not UTF-8, match_number where there is none
		return fmt.Errorf("%s: this cannot be written into a configuration", key)
	}
	return nil
}

// asJSON writes what has its own way to become JSON and nothing in it that could not.
func asJSON(section json.Marshaler) []byte {
	line, err := json.Marshal(section)
	if err != nil {
		panic("policy: strings and numbers did not become JSON: " + err.Error()) // unreachable
	}
	return line
}

func sameJSON(a, b json.Marshaler) bool { return string(asJSON(a)) == string(asJSON(b)) }

func (s SetSMS) next(c *Config, _ *yaml.Node) step {
	want := SMS(s)
	if c.SMS != nil && sameJSON(c.SMS, want) {
		return addMethod(c, "sms")
	}
	return setSection{"sms", want, NewSMS(want.Provider), func(c *Config) { c.SMS = want.clone() }}
}

func (s SetPush) next(c *Config, _ *yaml.Node) step {
	want := Push(s)
	if c.Push != nil && sameJSON(c.Push, want) {
		return addMethod(c, "push")
	}
	return setSection{"push", want, NewPush(want.Provider), func(c *Config) { c.Push = want.clone() }}
}

// addMethod gives nil where methods has it already.
func addMethod(c *Config, method string) step {
	if slices.Contains(c.Methods, method) {
		return nil
	}
	return methodStep{method}
}

// methodStep adds a method behind the others. The list stands in the file: its default has all of them.
type methodStep struct{ method string }

func (s methodStep) inPolicy(c *Config) error {
	c.Methods = append(c.Methods, s.method)
	return nil
}

func (s methodStep) inText(t *srcText, _ *Config) ([]byte, error) {
	return t.appendItem(valueOf(t.top, "methods"), s.method)
}

// setSection makes a section say something else, key by key.
type setSection struct {
	key            string
	want, defaults json.Marshaler
	set            func(*Config)
}

func (s setSection) inPolicy(c *Config) error {
	s.set(c)
	return nil
}

func (s setSection) inText(t *srcText, c *Config) ([]byte, error) {
	want, err := sectionTree(asJSON(s.want))
	if err != nil {
		return nil, err
	}
	usual, err := sectionTree(asJSON(s.defaults))
	if err != nil {
		return nil, err
	}
	old := valueOf(t.top, s.key)
	if old == nil {
		return t.appendSection(s.key, withoutUsual(want, usual))
	}
	before, err := c.sectionNow(s.key)
	if err != nil {
		return nil, err
	}
	return t.editSection(s.key, keyChanges(old, before, want, usual))
}

// sectionNow is the section as it counts, with its defaults.
func (c *Config) sectionNow(key string) (*yaml.Node, error) {
	if key == "sms" {
		return sectionTree(asJSON(c.SMS))
	}
	return sectionTree(asJSON(c.Push))
}

// sectionTree reads a section in JSON with its times as people write them.
func sectionTree(line []byte) (*yaml.Node, error) {
	tree, err := readTree(line)
	if err != nil {
		return nil, err
	}
	spellTimes(tree)
	return asPlain(tree), nil
}

// withoutUsual is a section without what has its default.
func withoutUsual(want, usual *yaml.Node) *yaml.Node {
	short := &yaml.Node{Kind: yaml.MappingNode}
	for i := 0; i+1 < len(want.Content); i += 2 {
		key, value := want.Content[i], want.Content[i+1]
		if key.Value == "provider" || !sameValue(value, valueOf(usual, key.Value)) {
			short.Content = append(short.Content, key, value)
		}
	}
	return short
}

func sameValue(a, b *yaml.Node) bool { return b != nil && flowText(a) == flowText(b) }

// A keyChange gives a key of a section another value, or takes it out where it is nil.
type keyChange struct {
	key   string
	value *yaml.Node
}

// keyChanges lists what has to change in a section that stands in the file. What goes comes last, so that the section is never empty.
func keyChanges(old, before, want, usual *yaml.Node) []keyChange {
	var changes []keyChange
	for i := 0; i+1 < len(want.Content); i += 2 {
		key, value := want.Content[i].Value, want.Content[i+1]
		present := valueOf(old, key) != nil
		if present && !sameValue(value, valueOf(before, key)) || !present && !sameValue(value, valueOf(usual, key)) {
			changes = append(changes, keyChange{key, value})
		}
	}
	for i := 0; i+1 < len(old.Content); i += 2 {
		if key := old.Content[i].Value; valueOf(want, key) == nil {
			changes = append(changes, keyChange{key, nil})
		}
	}
	return changes
}

// editSection makes the changes one after another: each moves what stands behind it.
func (t *srcText) editSection(section string, changes []keyChange) ([]byte, error) {
	src := t.src
	for _, change := range changes {
		now, err := openText(src)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrByHand, err)
		}
		if src, err = (setPath{path: []string{section, change.key}, value: change.value}).inText(now, nil); err != nil {
			return nil, err
		}
	}
	return src, nil
}

// appendSection adds a top-level key with others below it, a line each: below the comment that shows it, or else at the end of the
// file.
func (t *srcText) appendSection(key string, section *yaml.Node) ([]byte, error) {
	if flow(t.top) {
		return t.insertKey(key, flowText(section))
	}
	lines := t.indent() + key + ":"
	for i := 0; i+1 < len(section.Content); i += 2 {
		lines += "\n" + t.indent() + "  " + section.Content[i].Value + ": " + flowText(section.Content[i+1])
	}
	if at := t.shownAt(key); at >= 0 {
		return t.splice(at, at, "\n"+lines), nil
	}
	at := len(t.src)
	if t.src[at-1] != '\n' {
		lines = "\n" + lines
	}
	return t.splice(at, at, lines+"\n"), nil
}

package policy

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// A Setting is one key of a configuration and what counts for it.
type Setting struct {
	Key    string // as [CheckKey] takes it
	Value  any    // bool, int, string, []any or map[string]any; nil: not set, and without a default
	Text   string // the value on one line, as [SetKey] takes it; "" where it is nil
	InFile bool   // it stands in the file; else this is the default
}

// Settings lists every setting of a configuration in the order of the package
// comment, also those that it does not have. The error is an *[Error].
func Settings(src []byte) ([]Setting, error) {
	return settings(src, settingKeys())
}

// SettingOf gives one setting, or one with all that is below it. The key is one
// that [CheckKey] accepts.
func SettingOf(src []byte, key string) (Setting, error) {
	if err := CheckKey(key); err != nil {
		return Setting{}, err
	}
	found, err := settings(src, []string{key})
	if err != nil {
		return Setting{}, err
	}
	return found[0], nil
}

func settings(src []byte, keys []string) ([]Setting, error) {
	c, err := Parse(src)
	if err != nil {
		return nil, err
	}
	_, line, _ := bytes.Cut(c.Compile([sha256.Size]byte{}), []byte("\n"))
	source, sourceErr := readTree(src)
	compiled, compiledErr := readTree(line)
	if sourceErr != nil || compiledErr != nil {
		return nil, joinWrong(sourceErr, compiledErr)
	}
	spellTimes(compiled)
	var all []Setting
	for _, key := range keys {
		for _, key := range named(compiled, key) {
			path, _ := keyPath(key)
			s := Setting{Key: key, InFile: nodeAt(source, path) != nil}
			if value := nodeAt(compiled, path); value != nil {
				s.Text = flowText(asPlain(value))
				if err := value.Decode(&s.Value); err != nil {
					return nil, err
				}
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// timeKeys are the settings, and what is below them, that are lengths of time.
func timeKeys() []string {
	return []string{"remember", "open_within", "period", "longest", "valid_for", "wait", "connect", "timeout"}
}

// spellTimes writes the lengths of time in a compiled form, which are seconds there, as
// [Brief] does.
func spellTimes(n *yaml.Node) {
	for i, child := range n.Content {
		isTime := n.Kind == yaml.MappingNode && i%2 == 1 && slices.Contains(timeKeys(), n.Content[i-1].Value)
		if d, err := time.ParseDuration(child.Value); isTime && child.Kind == yaml.ScalarNode && err == nil {
			child.Value = Brief(d)
		}
		spellTimes(child)
	}
}

// joinWrong gives the first of two errors, which are not nil as an error when they
// are nil as an *[Error].
func joinWrong(first, second *Error) error {
	if first != nil {
		return first
	}
	return second
}

// named puts the names that there are in the place of NAME.
func named(compiled *yaml.Node, key string) []string {
	above, any := strings.CutSuffix(key, ".NAME")
	if !any {
		return []string{key}
	}
	var keys []string
	if mapping := nodeAt(compiled, []string{above}); mapping != nil {
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			keys = append(keys, above+"."+mapping.Content[i].Value)
		}
	}
	return keys
}

// asPlain is the value without the quotes of JSON where it can do without them.
func asPlain(n *yaml.Node) *yaml.Node {
	copied := *n
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" && resolvesToText(n.Value) {
		copied.Style = 0
	}
	if _, err := time.Parse(time.RFC3339, n.Value); n.Kind == yaml.ScalarNode && err == nil {
		copied.Tag = "!!timestamp" // no name has a colon in it
	}
	copied.Content = nil
	for _, child := range n.Content {
		copied.Content = append(copied.Content, asPlain(child))
	}
	return &copied
}

// resolvesToText reports whether YAML takes the text for text without quotes.
func resolvesToText(text string) bool {
	var n yaml.Node
	err := yaml.Unmarshal([]byte(text), &n)
	return err == nil && len(n.Content) == 1 && n.Content[0].Kind == yaml.ScalarNode && n.Content[0].Tag == "!!str" && n.Content[0].Value == text
}

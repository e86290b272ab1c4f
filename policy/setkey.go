package policy

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// SetKey gives one setting another value. It keeps comments and order; a value in
// which there are comments is left to a person ([ErrByHand]). A value that the
// configuration cannot have is an *[Error] with the line and column that it would
// have in the changed file.
type SetKey struct {
	Key   string // one that [CheckKey] accepts, such as "new_devices.digits"
	Value string // one line of YAML; what only fits as text is taken as text, with or without quotes
	Unset bool   // take the key out instead, so that its default counts
}

// maxValue is the size cap of a value, in bytes: far above a list of every network
// of an organisation.
const maxValue = 64 << 10

// settingKeys are the settings in the order of the package comment. A name in
// capitals stands for any.
func settingKeys() []string {
	return []string{
		"enabled", "off_until", "observe", "language", "messages.NAME", "issuer", "contact", "help_url", "default",
		"require", "exempt", "rules", "services.NAME", "enroll.at_login", "enroll.notice",
		"new_devices.digits", "new_devices.period", "new_devices.algorithm",
		"discrepancy", "remember", "shared", "ssh_keys_alone", "open_within", "methods", "methods_default",
		"sms.provider", "sms.account_sid", "sms.auth_token_file", "sms.api_key_sid", "sms.api_key_secret_file", "sms.sender",
		"sms.messaging_service_sid", "sms.url", "sms.command", "sms.server", "sms.from", "sms.to", "sms.user", "sms.password_file",
		"sms.message", "sms.digits", "sms.valid_for", "sms.per_hour", "sms.connect", "sms.timeout",
		"push.provider", "push.url", "push.token_file", "push.answer_token_file", "push.api_host", "push.integration_key",
		"push.secret_key_file", "push.match_number", "push.wait", "push.connect", "push.timeout",
		"bypass.requesters", "bypass.longest", "roles.helpdesk", "roles.auditor", "roles.protected", "provisioners", "on_fault", "managed_by",
		"mail.server", "mail.from", "mail.to", "mail.user", "mail.password_file",
		"paths.data", "paths.audit", "paths.key", "paths.credentials",
	}
}

// CheckKey refuses a key that no configuration has; the error names the nearest
// one. A key below another is written with a dot: new_devices.digits,
// services.vsftpd. The keys above it can be set too, with all that is below them.
func CheckKey(key string) error {
	if name, message := strings.CutPrefix(key, "messages."); message && !slices.Contains(MessageKeys(), name) {
		return fmt.Errorf("unknown message %.80q%s", name, suggestWord(name, MessageKeys()))
	}
	if _, known := keyPath(key); known {
		return nil
	}
	var all []field
	for _, k := range settingKeys() {
		all = append(all, field{key: k})
		if above, _, dotted := strings.Cut(k, "."); dotted {
			all = append(all, field{key: above})
		}
	}
	if s := suggest(key, all); s != "" {
		return fmt.Errorf("unknown key %.80q%s", key, s)
	}
	_, last, _ := strings.Cut(key, ".")
	for _, k := range settingKeys() {
		if _, below, dotted := strings.Cut(k, "."); dotted && below != "NAME" && (below == key || below == last) {
			return fmt.Errorf("unknown key %.80q (did you mean %q?)", key, k)
		}
	}
	return fmt.Errorf("unknown key %.80q", key)
}

// keyPath splits a key into the keys of the mappings that lead to it. A service can
// have dots in its name.
func keyPath(key string) (path []string, known bool) {
	above, below, dotted := strings.Cut(key, ".")
	for _, k := range settingKeys() {
		kAbove, kBelow, kDotted := strings.Cut(k, ".")
		switch {
		case k == key:
			return strings.Split(key, "."), kBelow != "NAME"
		case kAbove != above:
		case !dotted && kDotted:
			return []string{above}, true
		case kBelow == "NAME" && below != "":
			for _, last := range []string{"ask", "enroll"} {
				if service, found := strings.CutSuffix(below, "."+last); above == "services" && found {
					return []string{above, service, last}, service != ""
				}
			}
			return []string{above, below}, true
		}
	}
	return nil, false
}

func (s SetKey) check() error {
	if err := CheckKey(s.Key); err != nil {
		return err
	}
	switch {
	case s.Unset:
		return nil
	case len(s.Value) > maxValue:
		return fmt.Errorf("the value has %d bytes, the limit is %d", len(s.Value), maxValue)
	case strings.Contains(s.Value, "\n"):
		return errors.New("the value has more than one line")
	}
	if err := checkBytes([]byte(s.Value)); err != nil {
		return errors.New(err.Msg)
	}
	return nil
}

func (s SetKey) next(c *Config, top *yaml.Node) step {
	path, _ := keyPath(s.Key)
	present := nodeAt(top, path) != nil
	if s.Unset {
		if !present {
			return nil
		}
		_, wrong := c.with(path, nil)
		return setPath{path: path, wrong: wrong}
	}
	value, wrong := s.value(c, path)
	if want, err := c.with(path, value); present && err == nil && want.same(c) {
		return nil
	}
	return setPath{path, value, wrong}
}

// value reads the value as YAML, or as text where that does not fit. If neither
// does it is as YAML, with what is wrong with it.
func (s SetKey) value(c *Config, path []string) (*yaml.Node, error) {
	text := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s.Value, Style: yaml.SingleQuotedStyle}
	_, asText := c.with(path, text)
	value, ok := parseValue(s.Value)
	if !ok {
		return text, asText
	}
	_, asYAML := c.with(path, value)
	if asYAML != nil && asText == nil {
		return text, nil
	}
	return value, asYAML
}

// parseValue reads one value without comments. A plain text must be the whole of
// it: "a # b" is text with a sign in it and not "a".
func parseValue(text string) (*yaml.Node, bool) {
	top, err := readTree([]byte("value: " + text + "\n"))
	if err != nil || top.Kind != yaml.MappingNode || len(top.Content) != 2 || hasComment(top) {
		return nil, false
	}
	value := top.Content[1]
	switch {
	case value.Kind != yaml.ScalarNode:
		return value, flow(value)
	case value.Style == 0:
		return value, value.Value == text
	}
	return value, value.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
}

func hasComment(n *yaml.Node) bool {
	return n.HeadComment+n.LineComment+n.FootComment != "" || slices.ContainsFunc(n.Content, hasComment)
}

// with is the policy with another value at a path, or with nil without the path:
// what the parser makes of the compiled form with that node in it.
func (c *Config) with(path []string, value *yaml.Node) (*Config, error) {
	_, compiled, _ := bytes.Cut(c.Compile([sha256.Size]byte{}), []byte("\n"))
	top, err := readTree(compiled)
	if err != nil {
		return nil, err
	}
	if value == nil {
		cutAt(top, path)
	} else {
		putAt(top, path, value)
	}
	return parseTree(top)
}

// same reports whether two policies say the same.
func (c *Config) same(other *Config) bool {
	return bytes.Equal(c.Compile([sha256.Size]byte{}), other.Compile([sha256.Size]byte{}))
}

// nodeAt is the value at a path, or nil.
func nodeAt(n *yaml.Node, path []string) *yaml.Node {
	for _, key := range path {
		if n == nil || n.Kind != yaml.MappingNode {
			return nil
		}
		n = valueOf(n, key)
	}
	return n
}

// putAt sets the value at a path and makes what is missing above it.
func putAt(mapping *yaml.Node, path []string, value *yaml.Node) {
	for i, key := range path {
		if i == len(path)-1 {
			cutAt(mapping, path[i:])
		}
		if next := valueOf(mapping, key); next != nil && next.Kind == yaml.MappingNode {
			mapping = next
			continue
		}
		next := value
		if i < len(path)-1 {
			next = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: yaml.FlowStyle}
		}
		mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, next)
		mapping = next
	}
}

// cutAt takes a path out, and what is empty then above it.
func cutAt(mapping *yaml.Node, path []string) {
	value := valueOf(mapping, path[0])
	if value == nil {
		return
	}
	if len(path) > 1 {
		if cutAt(value, path[1:]); len(value.Content) > 0 {
			return
		}
	}
	i := pairOf(mapping, path[0])
	mapping.Content = slices.Delete(mapping.Content, i, i+2)
}

// setPath gives a path a value, or takes it out.
type setPath struct {
	path  []string
	value *yaml.Node // nil: take it out
	wrong error      // what the parser has against it
}

func (s setPath) inPolicy(c *Config) error {
	if s.wrong != nil {
		return s.wrong
	}
	want, err := c.with(s.path, s.value)
	if err == nil {
		*c = *want
	}
	return err
}

func (s setPath) inText(t *srcText, _ *Config) ([]byte, error) {
	if s.value == nil {
		return t.cutPath(s.path)
	}
	mapping, rest := t.top, s.path
	for len(rest) > 1 {
		next := valueOf(mapping, rest[0])
		if next == nil || next.Kind != yaml.MappingNode {
			break
		}
		mapping, rest = next, rest[1:]
	}
	if valueOf(mapping, rest[0]) != nil {
		return t.replaceValue(mapping, rest[0], flowText(s.value))
	}
	value := flowText(s.value)
	for _, key := range slices.Backward(rest[1:]) {
		value = "{" + quote(key) + ": " + value + "}"
	}
	if mapping == t.top {
		return t.insertKey(rest[0], value)
	}
	return t.insertPair(mapping, quote(rest[0]), value)
}

// cutPath takes out the key at a path, and those above it that have no other below them.
func (t *srcText) cutPath(path []string) ([]byte, error) {
	mapping, last := t.top, 0
	for i, n := 0, t.top; i < len(path); i++ {
		if len(n.Content) > 2 {
			mapping, last = n, i
		}
		n = valueOf(n, path[i])
	}
	return t.cutKey(mapping, path[last])
}

// flowText writes a value on one line.
func flowText(n *yaml.Node) string {
	var parts []string
	switch {
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			parts = append(parts, flowText(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			parts = append(parts, flowText(n.Content[i])+": "+flowText(n.Content[i+1]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case n.Tag == "!!str" && (n.Style != 0 || !plainText().MatchString(n.Value) || words().MatchString(n.Value)):
		return quote(n.Value)
	}
	return n.Value
}

// plainText are texts that were written without quotes and can be again, in
// brackets too: 30s, Example Ltd, https://example.org.
var plainText = pattern(`^[A-Za-z0-9/_.][A-Za-z0-9/_.@%+-]*(?:[ :][A-Za-z0-9/_.@%+-]+)*$`)

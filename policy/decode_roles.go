package policy

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// atLogin takes yes and no with quotes or without: to YAML 1.1 they are truth values without, and to this reader never. True, which a
// template can make of yes, is refused, since with-code is no truth value and a person has to choose between the three.
func (d *decoder) atLogin(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!bool" {
		d.fail(n, `want with-code, "yes" or "no", found %s: put the word in quotes`, describe(n))
		return AtLoginNo
	}
	return d.word(n, []string{AtLoginWithCode, AtLoginYes, AtLoginNo})
}

// The times for which bypass codes may work.
const (
	minBypass = 5 * time.Minute
	maxBypass = 720 * time.Hour
)

func (d *decoder) bypass(n *yaml.Node) {
	b := &d.cfg.Bypass
	d.mapping(n, []field{
		{"requesters", func(n *yaml.Node) { b.Requesters = d.who(n, "team-leads") }},
		{"longest", func(n *yaml.Node) { b.Longest = d.duration(n, minBypass, maxBypass) }},
	})
}

func (d *decoder) roles(n *yaml.Node) {
	r := &d.cfg.Roles
	d.mapping(n, []field{
		{"helpdesk", func(n *yaml.Node) { r.Helpdesk = d.who(n, "helpdesk") }},
		{"auditor", func(n *yaml.Node) { r.Auditor = d.who(n, "audit") }},
		{"protected", func(n *yaml.Node) { r.Protected = d.who(n, "wheel") }},
	})
}

// who reads {users: [carol], groups: [helpdesk]}; group is one for the error text.
func (d *decoder) who(n *yaml.Node, group string) Who {
	var w Who
	if n.Kind != yaml.MappingNode {
		d.fail(n, "want users or groups such as {groups: [%s]}, found %s", group, describe(n))
		return w
	}
	read := func(key string, list *[]string) field {
		return field{key, func(n *yaml.Node) { *list = d.differentNames(n, key) }}
	}
	d.mapping(n, []field{read("users", &w.Users), read("groups", &w.Groups)})
	return w
}

// differentNames reads names, each at most once.
func (d *decoder) differentNames(n *yaml.Node, kind string) []string {
	names := d.names(n, kind)
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			d.fail(n.Content[i], "%q stands here again", name)
		}
	}
	return names
}

func (d *decoder) provisioners(n *yaml.Node) []string {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		d.fail(n, "want a list of public keys such as [%s...], found %s", signerPrefix, describeList(n))
		return nil
	}
	var keys []string
	for _, item := range n.Content {
		key := d.text(item, checkSigner)
		if slices.Contains(keys, key) {
			d.fail(item, "this key stands here again")
		}
		keys = append(keys, key)
	}
	return keys
}

// A provisioner is written as signerPrefix and the 32 bytes of its ed25519 key (RFC 8032, section 5.1.5) in base64url without padding (RFC
// 4648, section 5).
const (
	signerPrefix = "twokey-signer1"
	signerSize   = 32
)

// checkSigner demands the one spelling of a key. What is not a key is not shown: somebody may have put the private one here.
func checkSigner(s string) string {
	const want = "want a public key as twokey key new-signer prints it: " + signerPrefix + " and 43 characters"
	digits, ours := strings.CutPrefix(s, signerPrefix)
	if !ours {
		return want
	}
	key, err := base64.RawURLEncoding.DecodeString(digits)
	switch {
	case err != nil || len(key) != signerSize || base64.RawURLEncoding.EncodeToString(key) != digits:
		return fmt.Sprintf("%s, found %d", want, len(digits))
	case !slices.ContainsFunc(key, func(b byte) bool { return b != 0 }):
		return "this key is all zeros: it is a placeholder, which anybody can sign for"
	}
	return ""
}

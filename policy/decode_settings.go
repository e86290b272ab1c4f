package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// settings are the keys of the configuration that do not say who is asked where.
func (d *decoder) settings(c *Config) []field {
	return []field{
		{"enroll", func(n *yaml.Node) {
			d.mapping(n, []field{
				{"at_login", func(n *yaml.Node) { c.AtLogin = d.atLogin(n) }},
				{"notice", func(n *yaml.Node) { c.Notice = d.boolean(n) }},
			})
		}},
		{"new_devices", d.newDevices},
		{"discrepancy", func(n *yaml.Node) { c.Discrepancy = d.number(n, 0, 480) }},
		{"remember", func(n *yaml.Node) { c.Remember = d.duration(n, 0, maxRemember) }},
		{"shared", func(n *yaml.Node) { c.Shared = d.places(n, checkNetwork) }},
		{"ssh_keys_alone", func(n *yaml.Node) { c.SSHKeysAlone = d.word(n, []string{KeysAccept, KeysDeny}) }},
		{"open_within", func(n *yaml.Node) { c.OpenWithin = d.duration(n, 10*time.Second, 24*time.Hour) }},
		{"methods", func(n *yaml.Node) { c.Methods = d.words(n, Methods()) }},
		{"methods_default", func(n *yaml.Node) { c.MethodsDefault = d.word(n, []string{DefaultNone, DefaultLast}) }},
		{"sms", d.sms},
		{"push", d.push},
		{"bypass", d.bypass},
		{"roles", d.roles},
		{"provisioners", func(n *yaml.Node) { c.Provisioners = d.provisioners(n) }},
		{"on_fault", func(n *yaml.Node) { c.OnFault = d.word(n, []string{FaultDeny, FaultConsole}) }},
		{"managed_by", func(n *yaml.Node) { c.ManagedBy = d.text(n, checkText) }},
		{"mail", d.mail},
		{"paths", func(n *yaml.Node) {
			d.mapping(n, d.pathFields(&c.Paths))
			d.distinctPaths(n)
		}},
	}
}

// maxRemember is the longest time for which a success may be remembered: 30 days.
const maxRemember = 720 * time.Hour

func (d *decoder) newDevices(n *yaml.Node) {
	dev := &d.cfg.NewDevices
	d.mapping(n, []field{
		{"digits", func(n *yaml.Node) { dev.Digits = d.number(n, 4, 12) }},
		{"period", func(n *yaml.Node) { dev.Period = d.duration(n, 10*time.Second, 300*time.Second) }},
		{"algorithm", func(n *yaml.Node) { dev.Algorithm = d.text(n, checkAlgorithm) }},
	})
}

// messages reads the texts that are replaced; none is what there is anyway.
func (d *decoder) messages(n *yaml.Node) map[Message]string {
	var texts map[Message]string
	d.table(n, func(key, value *yaml.Node) {
		if _, known := placeholders()[Message(key.Value)]; !known {
			d.fail(key, "%s", checkMessage(key.Value, ""))
			return
		}
		if texts == nil {
			texts = map[Message]string{}
		}
		texts[Message(key.Value)] = d.text(value, func(s string) string { return checkMessage(key.Value, s) })
	})
	return texts
}

func (d *decoder) mail(n *yaml.Node) {
	m := &d.cfg.Mail
	m.Server = "localhost:25"
	d.mapping(n, []field{
		{"server", func(n *yaml.Node) { m.Server = d.text(n, checkServer) }},
		{"from", func(n *yaml.Node) { m.From = d.text(n, checkMailbox) }},
		{"to", func(n *yaml.Node) { m.To = d.text(n, checkRecipient) }},
		{"user", func(n *yaml.Node) { m.User = d.text(n, checkText) }},
		{"password_file", func(n *yaml.Node) { m.PasswordFile = d.text(n, checkCredential) }},
	})
	switch {
	case m.From == "" || m.To == "":
		d.fail(n, "mail needs from and to, such as {from: twokey@example.org, to: '%%USER%%@example.org'}")
	case (m.User == "") != (m.PasswordFile == ""):
		d.fail(n, "user and password_file belong together: one of them is missing")
	}
}

// checkServer demands a host's name or address and a port.
func checkServer(s string) string {
	colon := strings.LastIndexByte(s, ':')
	if address, err := netip.ParseAddrPort(s); err == nil && address.Port() != 0 {
		return ""
	}
	if colon > 0 && hostName(s[:colon]) {
		port, err := strconv.ParseUint(s[colon+1:], 10, 16)
		if err == nil && port != 0 {
			return ""
		}
	}
	return fmt.Sprintf("want a server and its port such as localhost:25, found %.80q", s)
}

// maxMailbox is the size cap of a mail address, in bytes: a path of 256 without its brackets (RFC 5321, section 4.5.3.1.3).
const maxMailbox = 254

// checkMailbox demands the plain ASCII address that SMTP takes, without a name, quotes or brackets: two dot-atoms (RFC 5322, section
// 3.2.3). An address that cannot be sent to would be found out by the first mail only.
func checkMailbox(s string) string {
	local, domain, _ := strings.Cut(s, "@")
	if len(s) > maxMailbox || !dotAtom(local) || !dotAtom(domain) {
		return fmt.Sprintf("want a mail address such as twokey@example.org, found %.80q", s)
	}
	return ""
}

// dotAtom reports whether a text is words of printable ASCII, without the signs that have a meaning in addresses, with a dot between
// each two.
func dotAtom(s string) bool {
	special := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"<>()[],:;@\`, r) }
	return !slices.Contains(strings.Split(s, "."), "") && !strings.ContainsFunc(s, special)
}

// checkRecipient demands the user's name in the address: else every user's mail would go to one person.
func checkRecipient(s string) string {
	if strings.Count(s, "%USER%") != 1 || strings.Contains(strings.ReplaceAll(s, "%USER%", ""), "%") {
		return fmt.Sprintf("want an address with %%USER%% in it once, such as %%USER%%@example.org, found %.80q", s)
	}
	return checkMailbox(s)
}

// checkCredential demands the name of a file in the folder of the credentials.
func checkCredential(s string) string {
	if strings.Contains(s, "/") || s == "." || s == ".." {
		return fmt.Sprintf("want the name of a file in paths.credentials, without a folder, found %.80q", s)
	}
	return checkText(s)
}

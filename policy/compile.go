package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// MaxCompiled is the size cap of a compiled policy, in bytes: above what a
// configuration of [MaxSource] bytes can become, by JSON's escapes at the most.
const MaxCompiled = 8 * MaxSource

const firstLine = "twokey-policy 4 sha256:"

// ruleLine is a Rule as it is written.
type ruleLine struct {
	Name     string   `json:"name,omitempty"`
	Users    []string `json:"users,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	Services []string `json:"services,omitempty"`
	From     []string `json:"from,omitempty"`
	SSHAuth  []string `json:"ssh_auth,omitempty"`
	TTY      []string `json:"tty,omitempty"`
	Weekdays []string `json:"weekdays,omitempty"`
	Hours    []Hours  `json:"hours,omitempty"`
	Zone     string   `json:"zone,omitempty"`
	Then     string   `json:"then"`
	Methods  []string `json:"methods,omitempty"`
	Remember string   `json:"remember,omitempty"`
	Enroll   string   `json:"enroll,omitempty"`
}

type wayLine struct {
	Ask    string `json:"ask,omitempty"`
	Enroll *bool  `json:"enroll,omitempty"`
}

func (r Rule) line() ruleLine {
	line := ruleLine{Name: r.Name, Users: r.Users, Groups: r.Groups, Services: r.Services, From: r.From, SSHAuth: r.SSHAuth, TTY: r.TTY,
		Hours: r.Hours, Zone: r.Zone, Then: r.Then.String(), Methods: r.Methods}
	for _, day := range r.Weekdays {
		line.Weekdays = append(line.Weekdays, weekdayWords[day])
	}
	if r.Remember != nil {
		line.Remember = seconds(*r.Remember)
	}
	if r.EnrollByAdmin {
		line.Enroll = byAdmin
	}
	return line
}

// MarshalJSON writes the rule with the keys of the configuration.
func (r Rule) MarshalJSON() ([]byte, error) { return json.Marshal(r.line()) }

// Compile gives the compiled form of the policy; digest is the SHA-256 of the
// source that it was parsed from.
func (c *Config) Compile(digest [sha256.Size]byte) []byte {
	o := object{b: fmt.Appendf(make([]byte, 0, 1024), "%s%x\n{", firstLine, digest)}
	c.write(&o)
	return append(o.b, "}\n"...)
}

// write writes the keys in the order of the package comment.
func (c *Config) write(o *object) {
	o.number("version", 1)
	o.truth("enabled", !c.Off)
	if !c.OffUntil.IsZero() {
		o.value("off_until", c.OffUntil)
	}
	o.truth("observe", c.Observe)
	o.text("language", c.Language)
	if len(c.Messages) > 0 {
		o.value("messages", c.Messages)
	}
	o.text("issuer", c.Issuer)
	o.text("contact", c.Contact)
	o.text("help_url", c.HelpURL)
	o.text("default", c.Default.String())
	writeEntries(o, "require", c.Require)
	writeEntries(o, "exempt", c.Exempt)
	writeRules(o, c.Rules)
	if services := c.services(); len(services) > 0 {
		o.value("services", services)
	}
	o.table("enroll", func() {
		o.text("at_login", c.AtLogin)
		o.truth("notice", c.Notice)
	})
	o.table("new_devices", func() {
		o.number("digits", c.NewDevices.Digits)
		o.text("period", seconds(c.NewDevices.Period))
		o.text("algorithm", c.NewDevices.Algorithm)
	})
	c.writeRest(o)
}

func (c *Config) writeRest(o *object) {
	o.number("discrepancy", c.Discrepancy)
	o.text("remember", seconds(c.Remember))
	o.textsIfAny("shared", c.Shared)
	o.text("ssh_keys_alone", c.SSHKeysAlone)
	o.text("open_within", seconds(c.OpenWithin))
	o.texts("methods", c.Methods)
	o.text("methods_default", c.MethodsDefault)
	if c.SMS != nil {
		o.value("sms", c.SMS)
	}
	if c.Push != nil {
		o.value("push", c.Push)
	}
	o.table("bypass", func() {
		writeWho(o, "requesters", c.Bypass.Requesters)
		o.text("longest", seconds(c.Bypass.Longest))
	})
	if r := c.Roles; r.Helpdesk.said() || r.Auditor.said() || r.Protected.said() {
		o.table("roles", func() {
			writeWho(o, "helpdesk", r.Helpdesk)
			writeWho(o, "auditor", r.Auditor)
			writeWho(o, "protected", r.Protected)
		})
	}
	o.textsIfAny("provisioners", c.Provisioners)
	o.text("on_fault", c.OnFault)
	o.text("managed_by", c.ManagedBy)
	if c.Mail != (Mail{}) {
		o.value("mail", c.Mail)
	}
	o.table("paths", func() {
		o.text("data", c.Paths.Data)
		o.text("audit", c.Paths.Audit)
		o.text("key", c.Paths.Key)
		o.text("credentials", c.Paths.Credentials)
	})
}

// services puts both that are said of a service together.
func (c *Config) services() map[string]wayLine {
	lines := map[string]wayLine{}
	for service, way := range c.Services {
		lines[service] = wayLine{Ask: way.String()}
	}
	for service, can := range c.EnrollOn {
		lines[service] = wayLine{lines[service].Ask, &can}
	}
	return lines
}

func writeEntries(o *object, key string, all []Entry) {
	if len(all) == 0 {
		return
	}
	o.list(key, len(all), func(i int) {
		e := all[i]
		o.textsIfAny("users", e.Users)
		o.textsIfAny("groups", e.Groups)
		o.textsIfAny("services", e.Services)
		if e.SystemAccounts {
			o.truth("system_accounts", true)
		}
		o.textsIfAny("from", e.From)
		for _, day := range []struct {
			key  string
			date Date
		}{{"starts", e.Starts}, {"by", e.By}, {"until", e.Until}} {
			o.textIfAny(day.key, day.date.String())
		}
	})
}

func writeRules(o *object, all []Rule) {
	if len(all) == 0 {
		return
	}
	o.list("rules", len(all), func(i int) {
		r := all[i].line()
		o.textIfAny("name", r.Name)
		o.textsIfAny("users", r.Users)
		o.textsIfAny("groups", r.Groups)
		o.textsIfAny("services", r.Services)
		o.textsIfAny("from", r.From)
		o.textsIfAny("ssh_auth", r.SSHAuth)
		o.textsIfAny("tty", r.TTY)
		o.textsIfAny("weekdays", r.Weekdays)
		var hours []string
		for _, h := range r.Hours {
			hours = append(hours, h.String())
		}
		o.textsIfAny("hours", hours)
		o.textIfAny("zone", r.Zone)
		o.text("then", r.Then)
		o.textsIfAny("methods", r.Methods)
		o.textIfAny("remember", r.Remember)
		o.textIfAny("enroll", r.Enroll)
	})
}

func writeWho(o *object, key string, w Who) {
	if !w.IsZero() {
		o.table(key, func() {
			o.textsIfAny("users", w.Users)
			o.textsIfAny("groups", w.Groups)
		})
	}
}

// said reports whether it was written, be it that it is nobody.
func (w Who) said() bool { return w.Users != nil || w.Groups != nil }

// Load reads a compiled policy and the digest of its source. It accepts what
// [Config.Compile] writes, byte by byte, and nothing else: a file that was cut off,
// merged or edited is no policy.
func Load(compiled []byte) (*Config, [sha256.Size]byte, error) {
	var digest [sha256.Size]byte
	if len(compiled) > MaxCompiled {
		return nil, digest, fmt.Errorf("compiled policy: %d bytes, the limit is %d", len(compiled), MaxCompiled)
	}
	first, rest, _ := bytes.Cut(compiled, []byte("\n"))
	digits, ok := strings.CutPrefix(string(first), firstLine)
	if !ok {
		return nil, digest, errors.New("compiled policy: the first line is of another format or version")
	}
	sum, err := hex.DecodeString(digits)
	if err != nil || len(sum) != len(digest) {
		return nil, digest, errors.New("compiled policy: the first line has no SHA-256 digest")
	}
	c, err := parse(rest)
	if err != nil {
		return nil, digest, fmt.Errorf("compiled policy: %w", err)
	}
	copy(digest[:], sum)
	if !bytes.Equal(c.Compile(digest), compiled) {
		return nil, [sha256.Size]byte{}, errors.New("compiled policy: not written by twokey, or damaged")
	}
	return c, digest, nil
}

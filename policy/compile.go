package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// MaxCompiled is the size cap of a compiled policy, in bytes: above what a
// configuration of [MaxSource] bytes can become, by JSON's escapes at the most.
const MaxCompiled = 8 * MaxSource

const firstLine = "twokey-policy 4 sha256:"

// document is the compiled form's second line: the keys in the order of the
// package comment.
type document struct {
	Version  int                `json:"version"`
	Enabled  bool               `json:"enabled"`
	OffUntil time.Time          `json:"off_until,omitzero"`
	Observe  bool               `json:"observe"`
	Language string             `json:"language"`
	Messages map[Message]string `json:"messages,omitempty"`
	Issuer   string             `json:"issuer"`
	Contact  string             `json:"contact"`
	HelpURL  string             `json:"help_url"`
	Default  string             `json:"default"`
	Require  []Entry            `json:"require,omitempty"`
	Exempt   []Entry            `json:"exempt,omitempty"`
	Rules    []Rule             `json:"rules,omitempty"`
	Services map[string]wayLine `json:"services,omitempty"`
	Enroll   enrollLine         `json:"enroll"`

	NewDevices   deviceLine `json:"new_devices"`
	Discrepancy  int        `json:"discrepancy"`
	Remember     string     `json:"remember"`
	Shared       []string   `json:"shared,omitempty"`
	SSHKeysAlone string     `json:"ssh_keys_alone"`
	OpenWithin   string     `json:"open_within"`
	Methods      []string   `json:"methods"`

	MethodsDefault string `json:"methods_default"`
	SMS            *SMS   `json:"sms,omitempty"`
	Push           *Push  `json:"push,omitempty"`

	Bypass       bypassLine `json:"bypass"`
	Roles        rolesLine  `json:"roles,omitzero"`
	Provisioners []string   `json:"provisioners,omitempty"`
	OnFault      string     `json:"on_fault"`
	ManagedBy    string     `json:"managed_by"`
	Mail         Mail       `json:"mail,omitzero"`
	Paths        Paths      `json:"paths"`
}

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

type enrollLine struct {
	AtLogin string `json:"at_login"`
	Notice  bool   `json:"notice"`
}

type bypassLine struct {
	Requesters Who    `json:"requesters,omitzero"`
	Longest    string `json:"longest"`
}

type rolesLine struct {
	Helpdesk  Who `json:"helpdesk,omitzero"`
	Auditor   Who `json:"auditor,omitzero"`
	Protected Who `json:"protected,omitzero"`
}

// deviceLine is NewDevices with the period as it is written: "30s".
type deviceLine struct {
	Digits    int    `json:"digits"`
	Period    string `json:"period"`
	Algorithm string `json:"algorithm"`
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

func (c *Config) document() document {
	doc := document{
		Version: 1, Enabled: !c.Off, OffUntil: c.OffUntil, Observe: c.Observe, Language: c.Language, Messages: c.Messages,
		Issuer: c.Issuer, Contact: c.Contact, HelpURL: c.HelpURL, Default: c.Default.String(), Require: c.Require, Exempt: c.Exempt, Rules: c.Rules,
		Services: map[string]wayLine{}, Enroll: enrollLine{c.AtLogin, c.Notice},
		NewDevices:  deviceLine{c.NewDevices.Digits, seconds(c.NewDevices.Period), c.NewDevices.Algorithm},
		Discrepancy: c.Discrepancy, Remember: seconds(c.Remember), Shared: c.Shared, SSHKeysAlone: c.SSHKeysAlone,
		OpenWithin: seconds(c.OpenWithin), Methods: c.Methods, MethodsDefault: c.MethodsDefault,
		SMS: c.SMS, Push: c.Push,
		Bypass: bypassLine{c.Bypass.Requesters, seconds(c.Bypass.Longest)}, Roles: rolesLine(c.Roles), Provisioners: c.Provisioners,
		OnFault: c.OnFault, ManagedBy: c.ManagedBy, Mail: c.Mail, Paths: c.Paths,
	}
	for service, way := range c.Services {
		doc.Services[service] = wayLine{Ask: way.String()}
	}
	for service, can := range c.EnrollOn {
		doc.Services[service] = wayLine{doc.Services[service].Ask, &can}
	}
	return doc
}

// Compile gives the compiled form of the policy; digest is the SHA-256 of the
// source that it was parsed from.
func (c *Config) Compile(digest [sha256.Size]byte) []byte {
	line, err := json.Marshal(c.document())
	if err != nil {
		panic("policy: strings and numbers did not become JSON: " + err.Error()) // unreachable
	}
	return fmt.Appendf(nil, "%s%x\n%s\n", firstLine, digest, line)
}

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

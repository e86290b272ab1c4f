package policy

import (
	"fmt"
	"slices"
	"time"
)

// A Decision says what the policy wants of a user. The zero value denies.
type Decision int

// The four decisions, from the strictest on.
const (
	Deny     Decision = iota // asked so that it looks the same, and refused
	Required                 // asked; refused without a device
	Optional                 // asked once a device is enrolled
	Exempt                   // never asked
)

// String gives the word that stands in the configuration. A value that is none of
// the four denies, so it is called deny.
func (d Decision) String() string {
	switch d {
	case Required:
		return "required"
	case Optional:
		return "optional"
	case Exempt:
		return "exempt"
	}
	return "deny"
}

// ParseDecision is the inverse of [Decision.String]. It reports whether the word
// is one of the four.
func ParseDecision(word string) (Decision, bool) {
	for _, d := range []Decision{Deny, Required, Optional, Exempt} {
		if d.String() == word {
			return d, true
		}
	}
	return Deny, false
}

// MaxGroups is how many different groups a configuration may name: each of them is a question to the name service at a login.
const MaxGroups = 500

// Groups lists the groups that the configuration names, each once, in the order of its rules.
func (c *Config) Groups() []string {
	var all []string
	for _, e := range append(cloneEntries(c.Exempt), c.Require...) {
		for _, g := range e.Groups {
			if !slices.Contains(all, g) {
				all = append(all, g)
			}
		}
	}
	return all
}

// DefaultContact stands in the refusal text where the configuration names nobody.
const DefaultContact = "your administrator"

// A Config is a policy that has been checked by [Parse] or [Load]. The zero value,
// and a nil pointer, ask everybody and let nobody in.
type Config struct {
	Off         bool     // "enabled: false": nobody is asked, nobody is turned away
	Observe     bool     // decide and record, deny nobody
	Issuer      string   // what the authenticator app shows; "": the host's name
	Contact     string   // who helps; stands in the refusal text
	HelpURL     string   // http(s) address, or ""
	Default     Decision // for everyone whom no entry matches
	Require     []Entry
	Exempt      []Entry
	NewDevices  NewDevices
	Discrepancy int // periods before and after the present one, 0 to 480
	Paths       Paths
}

// An Entry is one item of require or exempt. At least one list is not empty.
type Entry struct {
	Users    []string `json:"users,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	Services []string `json:"services,omitempty"`
}

// everybody reports whether the entry means all users of its services.
func (e Entry) everybody() bool {
	return len(e.Users) == 0 && len(e.Groups) == 0 && len(e.Services) > 0
}

// A subject is whom an entry is about: a user, a group, or everybody on a service.
type subject struct{ kind, name string }

// names lists every name in the entry.
func (e Entry) names() []subject {
	var all []subject
	for _, kind := range []string{"users", "groups", "services"} {
		for _, name := range *e.list(kind) {
			all = append(all, subject{kind, name})
		}
	}
	return all
}

// subjects lists whom the entry is about.
func (e Entry) subjects() []subject {
	if !e.everybody() {
		e.Services = nil
	}
	return e.names()
}

// limit gives the services to which the entry is narrowed, if it is.
func (e Entry) limit() []string {
	if e.everybody() {
		return nil
	}
	return e.Services
}

// list gives the names of one of the entry's lists, by its key.
func (e *Entry) list(key string) *[]string {
	switch key {
	case "users":
		return &e.Users
	case "groups":
		return &e.Groups
	}
	return &e.Services
}

// NewDevices are the parameters a device gets at enrolment.
type NewDevices struct {
	Digits    int           // 4 to 12
	Period    time.Duration // whole seconds, 10 s to 300 s
	Algorithm string        // SHA1, SHA256 or SHA512
}

// Paths are where twokey's files lie: absolute and clean.
type Paths struct {
	Data        string `json:"data"`        // folder: secrets, state, last good policy
	Audit       string `json:"audit"`       // file: the audit log
	Key         string `json:"key"`         // file: the host key
	Credentials string `json:"credentials"` // folder: provider tokens
}

func defaults() Config {
	return Config{
		Contact:     DefaultContact,
		Default:     Optional,
		NewDevices:  NewDevices{Digits: 6, Period: 30 * time.Second, Algorithm: "SHA1"},
		Discrepancy: 1,
		Paths:       defaultPaths(),
	}
}

func defaultPaths() Paths {
	return Paths{
		Data:        "/var/lib/twokey",
		Audit:       "/var/log/twokey/audit.jsonl",
		Key:         "/etc/twokey/host.key",
		Credentials: "/etc/twokey/credentials",
	}
}

// entries gives one of the two lists by its key.
func (c *Config) entries(list string) *[]Entry {
	if list == "require" {
		return &c.Require
	}
	return &c.Exempt
}

// clone copies the lists too, so that the copy can be changed alone.
func (c *Config) clone() *Config {
	copied := *c
	copied.Require = cloneEntries(c.Require)
	copied.Exempt = cloneEntries(c.Exempt)
	return &copied
}

func cloneEntries(entries []Entry) []Entry {
	copied := slices.Clone(entries)
	for i, e := range copied {
		copied[i] = Entry{slices.Clone(e.Users), slices.Clone(e.Groups), slices.Clone(e.Services)}
	}
	return copied
}

// ServiceExempt reports whether everybody is exempt on this PAM service. The
// decoy, which else asks everybody whoever he is, needs it.
func (c *Config) ServiceExempt(service string) bool {
	if c == nil {
		return false
	}
	return slices.ContainsFunc(c.Exempt, func(e Entry) bool {
		return e.everybody() && slices.Contains(e.Services, service)
	})
}

// Warnings names what is allowed and dangerous, one sentence each, or nothing.
func (c *Config) Warnings() []string {
	var found []string
	warn := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if c.Off {
		warn("enabled is false: nobody is asked for a second factor")
	}
	if c.Observe {
		warn("observe is true: nobody is refused")
	}
	if c.Default == Exempt {
		warn("default is exempt: users who have enrolled a device are not asked unless they are required")
	}
	for i, e := range c.Exempt {
		if slices.Contains(e.Users, "root") {
			warn("exempt[%d] lets root in without a second factor", i)
		}
	}
	if c.Discrepancy > 10 {
		warn("discrepancy is %d: at any moment %d codes of one device are right, which makes guessing easier",
			c.Discrepancy, 2*c.Discrepancy+1)
	}
	return append(found, c.NewDevices.warnings()...)
}

// warnings names what common apps do not follow. Google Authenticator's own
// description of the otpauth address (its wiki page Key-Uri-Format) says that
// algorithm and period, and on some systems digits, are ignored.
func (d NewDevices) warnings() []string {
	var found []string
	const ignore = "Google Authenticator and Microsoft Authenticator may ignore it and show wrong codes"
	if d.Digits != 6 {
		found = append(found, fmt.Sprintf("new_devices: digits is %d: %s", d.Digits, ignore))
	}
	if d.Digits < 6 {
		found = append(found, fmt.Sprintf("new_devices: a code of %d digits is easily guessed", d.Digits))
	}
	if d.Digits > 10 {
		// RFC 4226, section 5.3: the value before the reduction has 31 bits.
		found = append(found, fmt.Sprintf("new_devices: of %d digits the first %d are always zero", d.Digits, d.Digits-10))
	}
	if d.Period != 30*time.Second {
		found = append(found, fmt.Sprintf("new_devices: period is %d s: %s", int(d.Period.Seconds()), ignore))
	}
	if d.Algorithm != "SHA1" {
		found = append(found, fmt.Sprintf("new_devices: algorithm is %s: %s", d.Algorithm, ignore))
	}
	return found
}

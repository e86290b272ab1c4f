package policy

import (
	"fmt"
	"slices"
	"time"
)

// A Rule is one item of rules. Its conditions are joined by and; within one, each item is an or; users and groups together are one
// condition. A condition that is left out is met. At least one is there.
type Rule struct {
	Name string // "": none; else no other rule has it

	Users    []string
	Groups   []string
	Services []string
	From     []string       // addresses, CIDR, or names that are compared with PAM_RHOST and never resolved
	SSHAuth  []string       // words of [SSHAuth]'s Methods
	TTY      []string       // "console" or "remote"
	Weekdays []time.Weekday // of the moment itself, in Zone
	Hours    []Hours        // in Zone
	Zone     string         // IANA name; "": the host's

	Then          Decision
	Methods       []string       // nil: those of the host
	Remember      *time.Duration // nil: that of the host
	EnrollByAdmin bool           // "enroll: by-admin": nobody enrols by himself at a login that this rule decides
}

// Hours are a range of the clock on the wall, in minutes since 00:00: from From on and before To. To is at most 24*60. A range whose
// To is not after its From goes over midnight.
type Hours struct{ From, To int }

// String gives 08:00-18:00.
func (h Hours) String() string {
	return fmt.Sprintf("%02d:%02d-%02d:%02d", h.From/60, h.From%60, h.To/60, h.To%60)
}

// MarshalText gives [Hours.String], for JSON.
func (h Hours) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// RuleName is what [Config.Explain] and the audit log call the rule i: its name, or its place.
func (c *Config) RuleName(i int) string {
	if name := c.Rules[i].Name; name != "" {
		return "rule " + name
	}
	return fmt.Sprintf("rules[%d]", i)
}

func (r Rule) clone() Rule {
	r.Users, r.Groups, r.Services = slices.Clone(r.Users), slices.Clone(r.Groups), slices.Clone(r.Services)
	r.From, r.SSHAuth, r.TTY = slices.Clone(r.From), slices.Clone(r.SSHAuth), slices.Clone(r.TTY)
	r.Weekdays, r.Hours, r.Methods = slices.Clone(r.Weekdays), slices.Clone(r.Hours), slices.Clone(r.Methods)
	return r
}

package policy

import (
	"maps"
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
	add := func(groups []string) {
		for _, g := range groups {
			if !slices.Contains(all, g) {
				all = append(all, g)
			}
		}
	}
	for _, e := range c.Exempt {
		add(e.Groups)
	}
	for _, r := range c.Rules {
		add(r.Groups)
	}
	for _, e := range c.Require {
		add(e.Groups)
	}
	return all
}

// DefaultContact stands in the refusal text where the configuration names nobody.
const DefaultContact = "your administrator"

// A Config is a policy that has been checked by [Parse] or [Load]. The zero value,
// and a nil pointer, ask everybody and let nobody in.
type Config struct {
	Off         bool               // "enabled: false": nobody is asked, nobody is turned away
	OffUntil    time.Time          // off_until, UTC, whole seconds: the same until then, from 720 h before; zero: not
	Observe     bool               // decide and record, deny nobody
	Language    string             // of the texts that are not replaced: "en" or "de"
	Messages    map[Message]string // texts that are replaced
	Issuer      string             // what the authenticator app shows; "": the host's name
	Contact     string             // who helps; stands in the refusal text
	HelpURL     string             // http(s) address, or ""
	Default     Decision           // for everyone whom no entry matches
	Require     []Entry
	Exempt      []Entry
	Rules       []Rule
	Services    map[string]Way  // how PAM services ask, as configured; see [Config.WayOf]
	EnrollOn    map[string]bool // services that say whether one can enrol there, as configured; see [Config.CanEnroll]
	AtLogin     string          // enroll.at_login: AtLoginWithCode, AtLoginYes or AtLoginNo; "" lets nobody enrol
	Notice      bool            // enroll.notice: tell who has no device of it when a session opens
	NewDevices  NewDevices
	Discrepancy int           // periods before and after the present one, 0 to 480
	Remember    time.Duration // whole seconds, 0 to 720 h: who has shown a code is not asked again for so long
	Shared      []string      // addresses and CIDR that many people share: nothing is remembered from there

	MethodsDefault string // what an empty answer does: DefaultNone or DefaultLast
	SMS            *SMS   // nil: nothing is sent
	Push           *Push  // nil: nothing is sent

	SSHKeysAlone string        // "accept" or "deny": required users who come in by key alone
	OpenWithin   time.Duration // whole seconds, 10 s to 24 h: from a success to the opened session
	Methods      []string      // that count, in the order offered: words of [Methods]
	Bypass       Bypass        // who may ask for bypass codes, and for how long they may work
	Roles        Roles         // who besides root may administer
	Provisioners []string      // whose signed user files are accepted: "twokey-signer1" and an ed25519 key, no two the same
	OnFault      string        // "deny" or "allow-console": when state or audit cannot be written
	ManagedBy    string        // not "": the command line refuses to edit the file
	Mail         Mail          // zero: none is configured
	Paths        Paths
}

// The values of AtLogin, SSHKeysAlone and OnFault.
const (
	AtLoginWithCode = "with-code" // who is required and has no device enrols at his login with an enrolment code
	AtLoginYes      = "yes"       // with the password alone
	AtLoginNo       = "no"        // never: he is refused

	KeysAccept   = "accept"
	KeysDeny     = "deny"
	FaultDeny    = "deny"
	FaultConsole = "allow-console"
)

// Methods lists the second factors in the order in which they are offered where nothing else is said. Push and sms reach nobody without
// their provider ([Config.Push], [Config.SMS]).
func Methods() []string { return []string{"totp", "hotp", "push", "sms", "recovery"} }

// Mail is how "twokey remind" reaches people.
type Mail struct {
	Server       string `json:"server"`                  // SMTP, host:port
	From         string `json:"from"`                    // address
	To           string `json:"to"`                      // address of a user, with %USER% for his name
	User         string `json:"user,omitempty"`          // "": without a login
	PasswordFile string `json:"password_file,omitempty"` // a file in Paths.Credentials
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
		Language:    "en",
		Contact:     DefaultContact,
		Default:     Optional,
		AtLogin:     AtLoginWithCode,
		Notice:      true,
		NewDevices:  NewDevices{Digits: 6, Period: 30 * time.Second, Algorithm: "SHA1"},
		Discrepancy: 1,

		MethodsDefault: DefaultNone,

		SSHKeysAlone: KeysAccept,
		OpenWithin:   time.Hour,
		Methods:      Methods(),
		Bypass:       Bypass{Longest: 24 * time.Hour},
		OnFault:      FaultDeny,
		Paths:        defaultPaths(),
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

// clone copies the lists too, so that the copy can be changed alone.
func (c *Config) clone() *Config {
	copied := *c
	copied.Require, copied.Exempt = cloneEntries(c.Require), cloneEntries(c.Exempt)
	copied.Rules = slices.Clone(c.Rules)
	for i, r := range copied.Rules {
		copied.Rules[i] = r.clone()
	}
	copied.Messages, copied.Services, copied.EnrollOn = maps.Clone(c.Messages), maps.Clone(c.Services), maps.Clone(c.EnrollOn)
	copied.Shared, copied.Methods, copied.Provisioners = slices.Clone(c.Shared), slices.Clone(c.Methods), slices.Clone(c.Provisioners)
	copied.Bypass.Requesters = c.Bypass.Requesters.clone()
	copied.SMS, copied.Push = c.SMS.clone(), c.Push.clone()
	copied.Roles = Roles{c.Roles.Helpdesk.clone(), c.Roles.Auditor.clone(), c.Roles.Protected.clone()}
	return &copied
}

// The longest time before off_until at which it counts: "twokey disable --for" writes none that is further away, on a clock that may be
// a little off.
const (
	maxOff   = 720 * time.Hour
	offSlack = 5 * time.Minute
)

// SwitchedOff reports whether nobody is asked and nobody turned away at a moment: enabled is false, or off_until not yet over and at
// most 720 h away. An old off_until would else come back, for years, when the clock is set back by a dead battery or a forged NTP
// answer. A zero time is no moment of off_until.
func (c *Config) SwitchedOff(now time.Time) bool {
	if c == nil {
		return false
	}
	left := c.OffUntil.Sub(now)
	return c.Off || left > 0 && left <= maxOff+offSlack
}

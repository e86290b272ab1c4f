package policy

import (
	"maps"
	"slices"
)

// A Way is how a service can ask for a second factor. The zero value prompts.
type Way int

// The ways.
const (
	Prompt    Way = iota // ask a question of its own
	Appended             // one field: password and code together
	Earlier              // cannot ask: in with a success from the same source within open_within
	Never                // cannot ask: closed to everyone who is enrolled or required
	NotALogin            // "exempt": nobody is asked
)

var wayWords = [...]string{"prompt", "appended", "earlier", "never", "exempt"}

// String gives the word that stands in the configuration.
func (w Way) String() string {
	if w < 0 || int(w) >= len(wayWords) {
		return wayWords[Never]
	}
	return wayWords[w]
}

// ParseWay is the inverse of [Way.String]. It reports whether the word is one of them.
func ParseWay(word string) (Way, bool) {
	i := slices.Index(wayWords[:], word)
	return Way(max(i, 0)), i >= 0
}

// BuiltinNotLogins lists, in alphabetical order, the PAM services that are no logins: jobs that run with nobody there, programs that
// change a field of the account, and servers that ask for a password again and again. They are [NotALogin] unless services says
// otherwise.
func BuiltinNotLogins() []string {
	return []string{"atd", "chfn", "chsh", "cron", "crond", "dovecot", "samba", "systemd-user"}
}

// WayOf tells how a PAM service asks: as services says, else [NotALogin] for those of [BuiltinNotLogins], else [Prompt]; [SelfService]
// prompts whatever services says.
func (c *Config) WayOf(service string) Way {
	if c == nil || service == SelfService {
		return Prompt
	}
	if w, found := c.Services[service]; found {
		return w
	}
	if slices.Contains(BuiltinNotLogins(), service) {
		return NotALogin
	}
	return Prompt
}

// HasEarlier reports whether there is a service that lets in for the sake of a code that was given before.
func (c *Config) HasEarlier() bool {
	return slices.Contains(slices.Collect(maps.Values(c.Services)), Earlier)
}

// actsForAnother are the services that go from one account to another on one host.
var actsForAnother = []string{"sudo", "sudo-i", "su", "su-l", "doas", "runuser", "runuser-l", "polkit-1"}

// ActsForAnother reports whether a PAM service goes from one account to another on one host, as sudo does. Some remember by themselves who
// has just shown something (sudo's timestamp_timeout). What an address has shown before says nothing about who sits there now, so a
// success is never remembered there. The session that they open belongs to another account than the one that was asked.
func ActsForAnother(service string) bool { return slices.Contains(actsForAnother, service) }

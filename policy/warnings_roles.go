package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// enrollWarnings are about enrolling with nothing but a password where anybody can come from anywhere.
func (c *Config) enrollWarnings() []string {
	services := append(BuiltinEnroll(), slices.Collect(maps.Keys(c.EnrollOn))...)
	slices.Sort(services)
	remote := slices.DeleteFunc(slices.Compact(services), func(s string) bool {
		return !c.CanEnroll(s) || slices.Contains(localServices, s)
	})
	if c.AtLogin != AtLoginYes || len(remote) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("enroll.at_login is yes: who has the password of a required user without a device, or of one who was reset, "+
		"can enrol his own phone for him over the network (%s); with-code asks for an enrolment code first; "+
		"where a PAM stack ends at pam_twokey.so before the password was right (auth sufficient), not even that is needed: see twokey doctor", strings.Join(remote, ", "))}
}

// longBypass is how long a bypass code may work before it is more of a second password.
const longBypass = 7 * 24 * time.Hour

// roleWarnings are about roles that name nobody where somebody seems to be meant, and about bypass codes.
func (c *Config) roleWarnings() []string {
	var found []string
	switch r := c.Roles; {
	case !r.Helpdesk.IsZero() && r.Protected.IsZero():
		found = append(found, "roles: protected names nobody: the helpdesk may reset everybody but root, and give everybody else bypass codes")
	case r.Helpdesk.IsZero() && !r.Protected.IsZero():
		found = append(found, "roles: protected does nothing, since helpdesk names nobody")
	}
	if c.Bypass.Longest > longBypass {
		found = append(found, fmt.Sprintf("bypass.longest is %s: a code that works for more than a week is a second password", Brief(c.Bypass.Longest)))
	}
	return found
}

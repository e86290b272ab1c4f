package policy

import "slices"

// SelfService is the PAM service by which "twokey enroll", "device" and "recovery", run by the user himself, find out that it is he: by his
// password and, where he has a device, a code. It is no login. After the deny rules nothing decides there but whether he has a
// device: who has is asked, though he be exempt or twokey be switched off, since else his password alone would change his devices.
const SelfService = "twokey-self"

// enrolsAtLogin reports whether at_login is one of the two words that let somebody enrol.
func (c *Config) enrolsAtLogin() bool { return c.AtLogin == AtLoginWithCode || c.AtLogin == AtLoginYes }

// enrolsWithLess is the larger the less it takes to enrol at a login.
func (c *Config) enrolsWithLess() int {
	return slices.Index([]string{AtLoginNo, AtLoginWithCode, AtLoginYes}, c.AtLogin)
}

// builtinEnroll are the services that are known to show a picture of several lines and to run the account phase.
var builtinEnroll = []string{"doas", "login", "remote", "sshd", "su", "su-l", "sudo", "sudo-i"}

// BuiltinEnroll lists, in alphabetical order, the PAM services at whose logins one can enrol unless services says otherwise.
func BuiltinEnroll() []string { return slices.Clone(builtinEnroll) }

// CanEnroll reports whether one can enrol at the logins of a PAM service: as services says, else at those of [BuiltinEnroll]; only where
// it prompts.
func (c *Config) CanEnroll(service string) bool {
	if c == nil || service == SelfService || c.WayOf(service) != Prompt {
		return false
	}
	if can, configured := c.EnrollOn[service]; configured {
		return can
	}
	return slices.Contains(builtinEnroll, service)
}

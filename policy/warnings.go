package policy

import (
	"fmt"
	"slices"
	"time"
)

// Warnings names what is allowed and dangerous, or does nothing, at a moment in the host's zone: one sentence each, or none.
func (c *Config) Warnings(now time.Time) []string {
	found := c.switchWarnings(now)
	warn := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if c.Observe {
		warn("observe is true: nobody is refused")
	}
	if c.Default == Exempt {
		warn("default is exempt: users who have enrolled a device are not asked unless they are required")
	}
	found = append(found, c.rootWarnings()...)
	found = append(found, c.neverWarnings(now)...)
	found = append(found, c.consoleWarnings()...)
	found = append(found, c.wideWarnings()...)
	found = append(found, c.dayWarnings()...)
	found = append(found, c.serviceWarnings()...)
	found = append(found, c.earlierWarnings()...)
	found = append(found, c.sourceWarnings()...)
	if c.Discrepancy > 10 {
		warn("discrepancy is %d: at any moment %d codes of one device are right, which makes guessing easier",
			c.Discrepancy, 2*c.Discrepancy+1)
	}
	if c.OnFault == FaultConsole {
		warn("on_fault is allow-console: while the disk cannot be written, who sits at the console gets in with a code that may be used twice; " +
			"su and sudo stay closed, so that root needs a password for the console")
	}
	found = append(found, c.settingWarnings()...)
	found = append(found, c.phoneWarnings()...)
	found = append(found, c.enrollWarnings()...)
	found = append(found, c.roleWarnings()...)
	return append(found, c.NewDevices.warnings()...)
}

// switchWarnings are about the switch, and about an off_until that does nothing.
func (c *Config) switchWarnings(now time.Time) []string {
	until := c.OffUntil.Format(time.RFC3339)
	switch {
	case c.Off:
		return []string{"enabled is false: nobody is asked for a second factor"}
	case c.SwitchedOff(now):
		return []string{"off_until: nobody is asked for a second factor until " + until}
	case c.OffUntil.IsZero() || now.IsZero():
		return nil
	case now.Before(c.OffUntil):
		return []string{"off_until " + until + " is more than " + Brief(maxOff) + " away and does not count"}
	}
	return []string{"off_until " + until + " is over: it can be taken out (twokey enable)"}
}

// settingWarnings are about what the host and its rules say beside their decisions.
func (c *Config) settingWarnings() []string {
	var found []string
	about := func(name string, methods []string, remember time.Duration) {
		if remember > 24*time.Hour {
			found = append(found, fmt.Sprintf("%sremember is %s: a computer that is left alone logs in for more than a day", name, Brief(remember)))
		}
		found = append(found, c.unsentWarnings(name, methods)...)
	}
	methods := c.Methods
	if slices.Equal(methods, Methods()) {
		methods = nil // nobody asked for all of them
	}
	about("", methods, c.Remember)
	for i, r := range c.Rules {
		var remember time.Duration
		if r.Remember != nil {
			remember = *r.Remember
		}
		about(c.RuleName(i)+": ", r.Methods, remember)
	}
	return append(found, c.nameWarnings()...)
}

// nameWarnings are about names in from: sshd (UseDNS) takes them from the reverse zone of the client's address.
func (c *Config) nameWarnings() []string {
	var found []string
	about := func(name string, from []string) {
		for _, item := range from {
			if p, wrong := parsePlace(item); wrong == "" && p.name != "" {
				found = append(found, fmt.Sprintf("%s: from names %q: who has the reverse zone of his address can give himself this name; an address cannot be chosen", name, item))
			}
		}
	}
	for i, e := range c.Exempt {
		about(fmt.Sprintf("exempt[%d]", i), e.From)
	}
	for i, r := range c.Rules {
		about(c.RuleName(i), r.From)
	}
	return found
}

// localServices are those at which nobody comes over the network.
var localServices = []string{"atd", "chfn", "chsh", "cron", "crond", "doas", "login", "polkit-1", "runuser", "runuser-l", "su", "su-l", "sudo", "sudo-i", "systemd-user", SelfService}

// allIn reports whether there are some, and no others than those of all.
func allIn(some, all []string) bool {
	return len(some) > 0 && within(some, all)
}

// rootWarnings are about exemptions that let root in over the network. A key in a security key is a second factor.
func (c *Config) rootWarnings() []string {
	var found []string
	about := func(name string, everybody bool, users, groups, services []string) {
		root := everybody || slices.Contains(users, "root") || slices.Contains(groups, "root")
		asks := len(services) == 0 || slices.ContainsFunc(services, c.isLogin) // what is no login is exempt by itself
		if root && asks && !allIn(services, localServices) {
			found = append(found, name+" lets root in over the network without a second factor")
		}
	}
	for i, e := range c.Exempt {
		about(fmt.Sprintf("exempt[%d]", i), e.everybody(), e.Users, e.Groups, e.Services)
	}
	for i, r := range c.Rules {
		console := slices.Equal(r.TTY, []string{"console"})
		if r.Then == Exempt && !console && !allIn(r.SSHAuth, []string{"security-key"}) {
			about(c.RuleName(i), len(r.Users)+len(r.Groups) == 0, r.Users, r.Groups, r.Services)
		}
	}
	for service, way := range c.Services {
		if way == NotALogin && !slices.Contains(BuiltinNotLogins(), service) {
			found = append(found, "services: "+service+" is exempt, and so is root who comes in by it")
		}
	}
	slices.Sort(found)
	return found
}

// serviceWarnings are about services that run with nobody there.
func (c *Config) serviceWarnings() []string {
	var found []string
	for _, service := range BuiltinNotLogins() {
		if way := c.WayOf(service); way != NotALogin {
			found = append(found, fmt.Sprintf("services: %s is no login, and with ask: %s whoever is required or enrolled cannot use it", service, way))
		}
	}
	return found
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
		found = append(found, fmt.Sprintf("new_devices: period is %s: %s", Brief(d.Period), ignore))
	}
	if d.Algorithm != "SHA1" {
		found = append(found, fmt.Sprintf("new_devices: algorithm is %s: %s", d.Algorithm, ignore))
	}
	return found
}

package policy

import (
	"fmt"
	"net/netip"
	"slices"
)

// exemptions are the entries of exempt and the rules that exempt.
func (c *Config) exemptions() []reach {
	var all []reach
	for i, e := range c.Exempt {
		all = append(all, e.reach(fmt.Sprintf("exempt[%d]", i)))
	}
	for i, r := range c.Rules {
		if r.Then == Exempt {
			all = append(all, r.reach(c.RuleName(i)))
		}
	}
	return all
}

// consoleWarnings are about exemptions at the console that seem to reach services at which nobody counts as there: who starts su
// chooses the terminal that it names.
func (c *Config) consoleWarnings() []string {
	var found []string
	for _, r := range c.exemptions() {
		if !slices.Equal(r.tty, []string{"console"}) {
			continue
		}
		if len(r.services) == 0 {
			found = append(found, r.name+" is about the console and names no service: name the one that is meant, such as login; su and sudo never count as the console")
		}
		if i := slices.IndexFunc(r.services, ActsForAnother); i >= 0 {
			found = append(found, fmt.Sprintf("%s is about the console and names %s, which never counts as the console", r.name, r.services[i]))
		}
	}
	for i, r := range c.Rules {
		another := len(r.Services) == 0 || slices.ContainsFunc(r.Services, ActsForAnother)
		if r.Then == Deny && another && slices.Equal(r.TTY, []string{"remote"}) {
			found = append(found, c.RuleName(i)+" denies what is remote, and su and sudo always are: name the services that are meant, such as sshd and login")
		}
	}
	return found
}

// wideWarnings are about exemptions from networks that no organisation has to itself.
func (c *Config) wideWarnings() []string {
	var found []string
	for _, r := range c.exemptions() {
		for _, item := range r.from {
			if p, _ := parsePlace(item); p.network.IsValid() && wide(p.network) {
				found = append(found, fmt.Sprintf("%s is about whoever comes from %s: so wide a network nobody has to himself", r.name, item))
			}
		}
	}
	return found
}

// wide reports whether a network is larger than the largest that the registries give to one organisation.
func wide(network netip.Prefix) bool {
	if network.Addr().Is4() {
		return network.Bits() < 8
	}
	return network.Bits() < 32
}

// dayWarnings are about rules of weekdays with hours over midnight: "fri, 22:00-06:00" is not the night from Friday to Saturday.
func (c *Config) dayWarnings() []string {
	var found []string
	for i, r := range c.Rules {
		over := slices.IndexFunc(r.Hours, func(h Hours) bool { return h.To <= h.From })
		if over >= 0 && len(r.Weekdays) > 0 && len(r.Weekdays) < len(weekdayWords) {
			found = append(found, fmt.Sprintf("%s: weekdays are those of the moment: the part of %s after midnight belongs to the day that begins then, not to the one before",
				c.RuleName(i), r.Hours[over]))
		}
	}
	return found
}

// earlierWarnings are about services that can ask and do not.
func (c *Config) earlierWarnings() []string {
	var found []string
	for _, service := range []string{"login", "sshd", "su", "su-l", "sudo", "sudo-i"} {
		switch {
		case c.WayOf(service) != Earlier:
		case ActsForAnother(service):
			found = append(found, fmt.Sprintf("services: %s can ask, and with ask: earlier it is closed to whoever is required or enrolled", service))
		default:
			found = append(found, fmt.Sprintf("services: %s can ask, and with ask: earlier it does not: a success from the same source lets in for %s", service, Brief(c.OpenWithin)))
		}
	}
	return found
}

// sourceWarnings are about what one success of a source opens to others who come from there.
func (c *Config) sourceWarnings() []string {
	used := c.Remember > 0
	for _, r := range c.Rules {
		used = used || r.Remember != nil && *r.Remember > 0
	}
	if !used && !c.HasEarlier() || placesCover(c.Shared, []string{"127.0.0.0/8", "::1"}) {
		return nil
	}
	return []string{"remember or ask: earlier is in use, and shared lists not both 127.0.0.0/8 and ::1: behind these stand all local users, proxies and forwarded ports"}
}

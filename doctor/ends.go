package doctor

import (
	"fmt"
	"time"

	"twokey/policy"
)

// endsSoon is how long before its end something is told of, as at logins.
const endsSoon = 72 * time.Hour

// ends: entries of the policy and devices that count for a while.
func (e *examination) ends() {
	today := policy.DateOf(e.Now)
	for _, over := range e.Policy.Ended(policy.Date{}, today) {
		e.add(Finding{Severity: Warning, ID: "entry-ended", About: "policy",
			Message: fmt.Sprintf("%s %s ended with %s and does nothing any more", over.Entry, over.Who, over.Until),
			Fix:     fmt.Sprintf("take %s out of %s, or give it another until: twokey policy edit", over.Entry, e.Config)})
	}
	for _, soon := range e.Policy.Ended(today, policy.DateOf(e.Now.Add(endsSoon))) {
		e.add(Finding{Severity: Info, ID: "entry-ends", About: "policy",
			Message: fmt.Sprintf("%s %s counts until the end of %s", soon.Entry, soon.Who, soon.Until),
			Fix:     fmt.Sprintf("if it shall go on, give it another until in %s: twokey policy edit", e.Config)})
	}
	for _, p := range e.People {
		if e.User != "" && p.Name != e.User {
			continue
		}
		for _, d := range p.Devices {
			e.deviceEnds(p, d)
		}
	}
}

// deviceEnds: a device whose time is over opens nothing, and its owner counts as enrolled.
func (e *examination) deviceEnds(p Person, d Device) {
	if d.Until.IsZero() || d.Until.Sub(e.Now) > endsSoon {
		return
	}
	f := Finding{Severity: Warning, ID: "device-ends", About: "users", Fix: command("twokey device edit --until never %s '%s'", p.Name, d.Name),
		Message: fmt.Sprintf("%s of %s ends on %s, and opens nothing from then on", d.Name, p.Name, d.Until.In(e.Now.Location()).Format("2006-01-02 15:04"))}
	if !d.Until.After(e.Now) {
		f.ID = "device-ended"
		f.Message = fmt.Sprintf("%s of %s ended on %s and opens nothing", d.Name, p.Name, d.Until.In(e.Now.Location()).Format("2006-01-02 15:04"))
	}
	e.add(f)
}

package policy

import (
	"fmt"
	"time"
)

// An Expiry is an entry of require or exempt that ends, or has ended.
type Expiry struct {
	Entry string // "require[0]", its place in the file
	Who   string // whom it is about, and where: {groups: [staff], services: [sshd]}
	Until Date   // the last day on which it counts
}

// endingWithin is how long before its end an entry is announced to those whom it is about.
const endingWithin = 72 * time.Hour

// HasUntil reports whether an entry of require or exempt has a last day.
func (c *Config) HasUntil() bool { return len(c.expiries(func(Date) bool { return true })) > 0 }

// Ended lists the entries of require and exempt that still counted on the day since and no longer on the day now, in their order.
func (c *Config) Ended(since, now Date) []Expiry {
	return c.expiries(func(until Date) bool { return !until.Before(since) && until.Before(now) })
}

func (c *Config) expiries(chosen func(until Date) bool) []Expiry {
	var found []Expiry
	for _, list := range []string{"require", "exempt"} {
		for i, e := range *c.entries(list) {
			if !e.Until.IsZero() && chosen(e.Until) {
				found = append(found, e.expiry(list, i))
			}
		}
	}
	return found
}

func (e Entry) expiry(list string, i int) Expiry {
	until := e.Until
	e.Starts, e.By, e.Until = Date{}, Date{}, Date{}
	return Expiry{fmt.Sprintf("%s[%d]", list, i), flowEntry(e), until}
}

// Ending lists the entries of require and exempt that are about this login and end within three days, if something else is decided for
// such a login without them. An entry of which it cannot be told whether it is about the user is not listed.
func (c *Config) Ending(f Facts) []Expiry {
	if c == nil || f.Time.IsZero() {
		return nil
	}
	var found []Expiry
	without := c.clone()
	who := f.lookup()
	for _, list := range []string{"require", "exempt"} {
		entries := without.entries(list)
		for i, e := range *c.entries(list) {
			if e.Until.IsZero() || e.Until.End(f.Time.Location()).Sub(f.Time) > endingWithin {
				continue
			}
			if match, _ := e.match(f, who); match == Yes {
				found = append(found, e.expiry(list, i))
			}
			(*entries)[i] = Entry{}
		}
	}
	if c.Decide(f).Decision == without.Decide(f).Decision {
		return nil
	}
	return found
}

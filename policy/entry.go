package policy

import "slices"

// An Entry is one item of require or exempt. Users, Groups and SystemAccounts are ways to say who; Services and From narrow it, and
// stand for everybody there where they are alone; the dates say when.
type Entry struct {
	Users    []string `json:"users,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	Services []string `json:"services,omitempty"`

	SystemAccounts bool     `json:"system_accounts,omitempty"` // exempt only: whoever is [Facts.System]
	From           []string `json:"from,omitempty"`            // exempt only: addresses, CIDR and names as in a [Rule]
	Starts         Date     `json:"starts,omitzero"`           // require only: counts from 00:00 of the day
	By             Date     `json:"by,omitzero"`               // require only: who has no device is let in until 24:00 of the day
	Until          Date     `json:"until,omitzero"`            // counts until 24:00 of the day
}

// everybody reports whether the entry means all users of its services or sources.
func (e Entry) everybody() bool {
	return len(e.Users) == 0 && len(e.Groups) == 0 && !e.SystemAccounts && (len(e.Services) > 0 || len(e.From) > 0)
}

// A subject is whom an entry is about: a user, a group, or everybody on a service.
type subject struct{ kind, name string }

// names lists every name in the entry.
func (e Entry) names() []subject {
	var all []subject
	add := func(kind string, names []string) {
		for _, name := range names {
			all = append(all, subject{kind, name})
		}
	}
	add("users", e.Users)
	add("groups", e.Groups)
	add("services", e.Services)
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

// narrowed reports whether the entry does not always count for whom it is about. The day "by" narrows nothing: they are required.
func (e Entry) narrowed() bool {
	return len(e.limit()) > 0 || len(e.From) > 0 || !e.Starts.IsZero() || !e.Until.IsZero()
}

// entries gives one of the two lists by its key.
func (c *Config) entries(list string) *[]Entry {
	if list == "require" {
		return &c.Require
	}
	return &c.Exempt
}

func cloneEntries(entries []Entry) []Entry {
	copied := slices.Clone(entries)
	for i, e := range copied {
		e.Users, e.Groups, e.Services, e.From = slices.Clone(e.Users), slices.Clone(e.Groups), slices.Clone(e.Services), slices.Clone(e.From)
		copied[i] = e
	}
	return copied
}

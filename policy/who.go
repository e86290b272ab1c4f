package policy

import (
	"errors"
	"slices"
	"time"
)

// A Who names people: whoever is one of the users or in one of the groups. The zero value names nobody.
type Who struct {
	Users  []string `json:"users,omitempty"`
	Groups []string `json:"groups,omitempty"`
}

// IsZero reports whether nobody is named.
func (w Who) IsZero() bool { return len(w.Users)+len(w.Groups) == 0 }

// Has reports whether a user, by NSS's canonical name (pw_name), is one of those who are named. InGroup tells whether he is in a group,
// as [Facts.InGroup] does. The error is that of a lookup without which it cannot be told; it comes with false, so that nobody has a role
// for it. Whoever asks who is protected must take an error for yes.
func (w Who) Has(user string, inGroup func(group string) (bool, error)) (bool, error) {
	if slices.Contains(w.Users, user) {
		return true, nil
	}
	var failed error
	for _, group := range w.Groups {
		if inGroup == nil {
			return false, errors.New("groups cannot be looked up")
		}
		in, err := inGroup(group)
		if in && err == nil {
			return true, nil
		}
		failed = errors.Join(failed, err)
	}
	return false, failed
}

// lacks reports whether the other one has a name that this one has not.
func (w Who) lacks(other Who) bool {
	return !within(other.Users, w.Users) || !within(other.Groups, w.Groups)
}

// within reports whether each is one of all.
func within(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

func (w Who) clone() Who { return Who{slices.Clone(w.Users), slices.Clone(w.Groups)} }

// Roles say who besides root may administer, each with what follows from it; nobody who is not named. Root has no need of a role.
type Roles struct {
	Helpdesk  Who // may list, show, unlock, reset and give bypass codes, but not to himself
	Auditor   Who // may read the audit log
	Protected Who // whom the helpdesk may not touch, besides root and uid 0
}

// IsZero reports whether nobody has a role.
func (r Roles) IsZero() bool {
	return r.Helpdesk.IsZero() && r.Auditor.IsZero() && r.Protected.IsZero()
}

// Bypass says what bypass codes may be.
type Bypass struct {
	Requesters Who           // who may ask for one, for himself or for another; root too only if named
	Longest    time.Duration // whole seconds, 5 m to 720 h: how long a code may work
}

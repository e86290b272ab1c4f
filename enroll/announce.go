package enroll

import (
	"errors"
	"maps"
	"slices"
	"time"

	"twokey/internal/proc"
)

// A login in which somebody enrols succeeds in authenticate without a code, and enrols in the account phase of the same process.
// Authenticate announces it; account takes the announcement, and no other process can; a session before that is refused.
//
// Attack: an application whose PAM stack calls us for auth and not for account would let in without a second factor whoever was announced.

// Announcement is a login that authenticate let pass so that its account phase enrols.
type Announcement struct {
	Process proc.ID // that ran authenticate and will run account
	Parent  proc.ID
	Service string // the PAM service, 1 to 64 printable bytes
	Time    time.Time
}

// announcementLife is how long an announcement may wait. It is well above every grace time of a login, and the enrolment itself comes after
// it was taken.
const announcementLife = 15 * time.Minute

// The reasons for which nothing is announced or taken.
var (
	ErrLacking      = errors.New("the PAM stack of the service has no account line of twokey")
	ErrNotAnnounced = errors.New("no enrolment was announced by this process")
)

// Announce keeps that a login goes on to its account phase. Of more than 4 the oldest goes: it is denied. It is ErrLacking for a
// service that was found to have no account phase.
func (u *Users) Announce(a Account, w Announcement) error {
	if !serviceName(w.Service) {
		return errUnfinished
	}
	return u.change(a, func(n *unfinished) error {
		if n.lacks(w.Service) {
			return ErrLacking
		}
		others := slices.DeleteFunc(n.waiting, func(old Announcement) bool { return old.Process == w.Process || !old.fresh(u.Now()) })
		if len(others) >= maxWaiting {
			others = others[len(others)-maxWaiting+1:]
		}
		n.waiting = append(others, w)
		return nil
	})
}

func (w Announcement) fresh(now time.Time) bool {
	age := now.Sub(w.Time)
	return age < announcementLife && age > -announcementLife
}

// TakeAnnouncement is for the account phase: it uses up what this very process has announced for this service, or is ErrNotAnnounced.
//
// Attack: the account phase runs without our authenticate (a key alone over ssh, su by root, cron) and would enrol the phone of
// somebody whose login was announced elsewhere.
func (u *Users) TakeAnnouncement(a Account, process proc.ID, service string) (found Announcement, err error) {
	err = u.takeWaiting(a, func(w Announcement) bool { return w.Process == process && w.Service == service }, func(n *unfinished, w Announcement) {
		found = w
	})
	return found, err
}

// takeWaiting uses up the newest announcement that matches.
func (u *Users) takeWaiting(a Account, match func(Announcement) bool, taken func(*unfinished, Announcement)) error {
	if n, err := u.readUnfinished(a.Name); err != nil || n == nil || len(n.waiting) == 0 {
		return errors.Join(err, ErrNotAnnounced)
	}
	return u.change(a, func(n *unfinished) error {
		for i, w := range slices.Backward(n.waiting) {
			if match(w) && w.fresh(u.Now()) {
				n.waiting = slices.Delete(n.waiting, i, i+1)
				taken(n, w)
				return nil
			}
		}
		return ErrNotAnnounced
	})
}

// PendingAnnouncement is for the session phase: an announcement of the process that opens the session, or of its child, which account has
// never taken. The session is to be refused; from now on Announce refuses the service for this account. False when there is none.
func (u *Users) PendingAnnouncement(a Account, session proc.ID, service string) (found Announcement, pending bool, err error) {
	err = u.takeWaiting(a, func(w Announcement) bool {
		return w.Service == service && (w.Process == session || w.Parent == session)
	}, func(n *unfinished, w Announcement) {
		found = w
		n.addLacking(service, u.Now())
	})
	if errors.Is(err, ErrNotAnnounced) {
		return Announcement{}, false, nil
	}
	return found, err == nil, err
}

func (n *unfinished) lacks(service string) bool {
	return slices.ContainsFunc(n.lacking, func(l lacking) bool { return l.service == service })
}

func (n *unfinished) addLacking(service string, now time.Time) {
	n.forgetLacking(service)
	if len(n.lacking) >= maxLacking {
		n.lacking = n.lacking[1:]
	}
	n.lacking = append(n.lacking, lacking{service, now})
}

func (n *unfinished) forgetLacking(service string) {
	n.lacking = slices.DeleteFunc(n.lacking, func(l lacking) bool { return l.service == service })
}

// Lacks reports whether a login at the service was found to have no account phase, so that nobody is to be announced there.
func (u *Users) Lacks(user, service string) (bool, error) {
	n, err := u.readUnfinished(user)
	return err == nil && n != nil && n.lacks(service), err
}

// Lacking is a service that was found to have no account phase, so that nobody enrols there.
type Lacking struct {
	Service string
	Since   time.Time // when it was last found
}

// Lacking lists those services over all users, each once, in alphabetical order.
func (u *Users) Lacking() ([]Lacking, error) {
	found := map[string]time.Time{}
	err := u.eachUnfinished(func(n *unfinished) error {
		for _, l := range n.lacking {
			if l.since.After(found[l.service]) {
				found[l.service] = l.since
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var all []Lacking
	for _, service := range slices.Sorted(maps.Keys(found)) {
		all = append(all, Lacking{service, found[service]})
	}
	return all, nil
}

// ForgetLacking is for when the PAM stack of a service was mended: from then on logins there are announced again.
func (u *Users) ForgetLacking(service string) error {
	return u.eachUnfinished(func(n *unfinished) error {
		if !n.lacks(service) {
			return nil
		}
		return u.change(Account{n.user, n.uid}, func(n *unfinished) error {
			n.forgetLacking(service)
			return nil
		})
	})
}

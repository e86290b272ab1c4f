package enroll

import (
	"cmp"
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
	// AfterPassword says that the password was right. Without it a stranger may have got so far, whose login ended with his password.
	AfterPassword bool
}

// announcementLife is how long an announcement may wait. It is well above every grace time of a login, and the enrolment itself comes after
// it was taken.
const announcementLife = 15 * time.Minute

// accountDelay is when an account phase that has to follow a right password has not come: nobody is asked for anything before it.
const accountDelay = time.Minute

// The reasons for which nothing is announced or taken.
var (
	ErrLacking      = errors.New("the PAM stack of the service has no account line of twokey, or its program leaves the account phase out")
	ErrNotAnnounced = errors.New("no enrolment was announced by this process")

	errOnItsWay = errors.New("another login of the user is on its way to its account phase")
)

// Announce keeps that a login goes on to its account phase. Of more than 4 the oldest goes that was not after=password: it is denied. It is
// ErrLacking for a service that was found to have no account phase: by the session, or because one that was after=password has never been
// taken though its process has ended, or 60 seconds have passed. Until one of the two is sure another one at the service is refused.
//
// Attack: a program that asks PAM for no more than authenticate lets in by the password alone. So it does at most once.
func (u *Users) Announce(a Account, w Announcement) error {
	if !serviceName(w.Service) {
		return errUnfinished
	}
	var refused error
	err := u.change(a, func(n *unfinished) error {
		closed := n.closeOverdue(u.Now())
		if n.lacks(w.Service) {
			refused = ErrLacking
		} else {
			refused = n.announce(w, u.Now())
		}
		if closed { // is kept whatever becomes of this one
			return nil
		}
		return refused
	})
	return cmp.Or(err, refused)
}

// announce makes room at the cost of those that strangers can have made. What is after=password stays, since it shows what the service does.
func (n *unfinished) announce(w Announcement, now time.Time) error {
	if slices.ContainsFunc(n.waiting, func(old Announcement) bool { return old.AfterPassword && old.Service == w.Service }) {
		return errOnItsWay
	}
	n.waiting = slices.DeleteFunc(n.waiting, func(old Announcement) bool {
		return !old.AfterPassword && (old.Process == w.Process || !old.fresh(now))
	})
	if len(n.waiting) >= maxWaiting {
		oldest := slices.IndexFunc(n.waiting, func(old Announcement) bool { return !old.AfterPassword })
		if oldest < 0 {
			return errOnItsWay
		}
		n.waiting = slices.Delete(n.waiting, oldest, oldest+1)
	}
	n.waiting = append(n.waiting, w)
	return nil
}

// closeOverdue closes the services that have left out the account phase, and reports whether there were any.
func (n *unfinished) closeOverdue(now time.Time) bool {
	before := len(n.waiting)
	n.waiting = slices.DeleteFunc(n.waiting, func(w Announcement) bool {
		overdue := w.overdue(now)
		if overdue {
			n.addLacking(w.Service, w.Time)
		}
		return overdue
	})
	return len(n.waiting) < before
}

// overdue reports whether the account phase of a login will not come.
//
// Attack: what strangers have announced says nothing of a service; they could close sshd for everybody by wrong passwords.
func (w Announcement) overdue(now time.Time) bool {
	if !w.AfterPassword {
		return false
	}
	running, err := proc.Of(int(w.Process.PID))
	return err != nil || running != w.Process || now.Sub(w.Time).Abs() >= accountDelay
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
	if err != nil || n == nil {
		return false, err
	}
	n.closeOverdue(u.Now())
	return n.lacks(service), nil
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
		n.closeOverdue(u.Now())
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
		n.closeOverdue(u.Now())
		if !n.lacks(service) {
			return nil
		}
		return u.change(Account{n.user, n.uid}, func(n *unfinished) error {
			n.closeOverdue(u.Now())
			n.forgetLacking(service)
			return nil
		})
	})
}

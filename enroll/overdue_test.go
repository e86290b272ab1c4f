package enroll

import (
	"errors"
	"slices"
	"testing"
	"time"

	"twokey/internal/proc"
)

// running is this process, and gone one that has its number and started earlier.
func running(t testing.TB) (self, gone proc.ID) {
	t.Helper()
	self, err := proc.Self()
	must(t, err)
	gone = self
	gone.Start--
	return self, gone
}

// at is an announcement at sshd.
func at(u *Users, p proc.ID, password bool) Announcement {
	return Announcement{Process: p, Service: "sshd", Time: u.Now(), AfterPassword: password}
}

// Attack: an application that calls nothing but pam_authenticate, and has neither account phase nor session in which it would be found out.
func TestAProgramWithoutAnAccountPhaseAnnouncesOnce(t *testing.T) {
	self, gone := running(t)
	for sentence, c := range map[string]struct {
		process  proc.ID
		password bool
		later    time.Duration
		service  string
		want     error
	}{
		"its process has ended":             {gone, true, 0, "sshd", ErrLacking},
		"its number is nobody's":            {proc.ID{PID: 1 << 30, Start: 1}, true, 0, "sshd", ErrLacking},
		"it runs on and answers no more":    {self, true, accountDelay, "sshd", ErrLacking},
		"the clock has gone back":           {self, true, -accountDelay - time.Second, "sshd", ErrLacking},
		"it is found a day later":           {gone, true, 24 * time.Hour, "sshd", ErrLacking},
		"it is on its way":                  {self, true, accountDelay - time.Second, "sshd", errOnItsWay},
		"it is on its way elsewhere":        {self, true, 0, "su", nil},
		"another service has left it out":   {gone, true, 0, "su", nil},
		"a stranger without a password":     {gone, false, 0, "sshd", nil},
		"a stranger, and time has passed":   {self, false, accountDelay, "sshd", nil},
		"a stranger, and a day has passed":  {gone, false, 24 * time.Hour, "sshd", nil},
		"a stranger, and the clock was set": {self, false, -24 * time.Hour, "sshd", nil},
	} {
		u, _, turn := clocked(t)
		must(t, u.Announce(alice, at(u, c.process, c.password)))
		turn(c.later)
		for range 2 { // what is found is kept
			err := u.Announce(alice, Announcement{Process: process(1), Service: c.service, Time: u.Now()})
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", sentence, err, c.want)
			}
		}
		must(t, u.Announce(bob, at(u, self, true)))
		must(t, u.Announce(alice, Announcement{Process: process(1), Service: "login", Time: u.Now()}))
		overdue := c.want == ErrLacking || c.service == "su" && c.process == gone
		lacks, err := u.Lacks("alice", "sshd")
		all, allErr := u.Lacking()
		if lacks != overdue || err != nil || allErr != nil || slices.ContainsFunc(all, func(l Lacking) bool { return l.Service == "sshd" }) != overdue {
			t.Errorf("%s: lacks %v, %v; of all %v, %v", sentence, lacks, err, all, allErr)
		}
	}
}

func TestALoginWhoseAccountPhaseCameClosesNothing(t *testing.T) {
	_, gone := running(t)
	u, data := scratch(t)
	for range 3 {
		must(t, u.Announce(alice, at(u, gone, true)))
		_, err := u.TakeAnnouncement(alice, gone, "sshd")
		must(t, err)
	}
	holds(t, data)
}

// Doctor names the service before the next login does, and lets logins be announced there again when it was mended.
func TestAServiceThatLeftOutTheAccountPhaseIsToldAndForgotten(t *testing.T) {
	self, gone := running(t)
	u, data := scratch(t)
	w := at(u, gone, true)
	must(t, u.Announce(alice, w))
	all, err := u.Lacking()
	if err != nil || len(all) != 1 || all[0].Service != "sshd" || all[0].Since.UnixMilli() != w.Time.UnixMilli() {
		t.Errorf("%v, %v", all, err)
	}
	must(t, u.ForgetLacking("sshd"))
	holds(t, data)
	must(t, u.Announce(alice, at(u, self, true)))
}

// Attack: announce by wrong passwords until what shows that the account phase never came has no room.
func TestStrangersLeaveRoomForWhatShowsThatTheAccountPhaseNeverCame(t *testing.T) {
	self, _ := running(t)
	u, _, turn := clocked(t)
	must(t, u.Announce(alice, at(u, self, true)))
	for i := range 2 * maxWaiting {
		must(t, u.Announce(alice, Announcement{Process: process(i), Service: "su", Time: u.Now()}))
	}
	for _, service := range []string{"a", "b", "c"} {
		must(t, u.Announce(alice, Announcement{Process: self, Service: service, Time: u.Now(), AfterPassword: true}))
	}
	want(t, u.Announce(alice, Announcement{Process: self, Service: "d", Time: u.Now(), AfterPassword: true}), errOnItsWay)
	turn(accountDelay)
	want(t, u.Announce(alice, at(u, self, true)), ErrLacking)
}

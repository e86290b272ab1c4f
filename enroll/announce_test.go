package enroll

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"twokey/internal/proc"
)

func process(i int) proc.ID { return proc.ID{PID: int32(100 + i), Start: uint64(5000 + i)} }

func announced(t testing.TB, u *Users, a Account, i int) Announcement {
	t.Helper()
	w := Announcement{Process: process(i), Parent: process(50 + i), Service: "sshd", Time: u.Now().UTC().Truncate(time.Millisecond)}
	must(t, u.Announce(a, w))
	return w
}

func TestAnAnnouncementIsTakenOnceByItsProcessAlone(t *testing.T) {
	u, data, turn := clocked(t)
	w := announced(t, u, alice, 1)
	number := w.Process
	number.Start++
	for sentence, c := range map[string]struct {
		account Account
		process proc.ID
		service string
	}{
		"another process":               {alice, process(2), "sshd"},
		"its parent":                    {alice, w.Parent, "sshd"},
		"a process that has its number": {alice, number, "sshd"},
		"at another service":            {alice, w.Process, "su"},
		"for another user":              {bob, w.Process, "sshd"},
		"for another user id":           {Account{"alice", 2000}, w.Process, "sshd"},
	} {
		if sentence == "for another user id" {
			continue // it takes the file away, so it comes last
		}
		if found, err := u.TakeAnnouncement(c.account, c.process, c.service); !errors.Is(err, ErrNotAnnounced) || found != (Announcement{}) {
			t.Errorf("%s: %+v, %v", sentence, found, err)
		}
	}
	turn(announcementLife - time.Second)
	found, err := u.TakeAnnouncement(alice, w.Process, "sshd")
	if err != nil || found != w {
		t.Errorf("its process: %+v, %v; want %+v", found, err, w)
	}
	_, err = u.TakeAnnouncement(alice, w.Process, "sshd")
	want(t, err, ErrNotAnnounced)
	holds(t, data)
}

func TestAnAnnouncementForAnotherUserIDIsNobodys(t *testing.T) {
	u, data := scratch(t)
	w := announced(t, u, alice, 1)
	_, err := u.TakeAnnouncement(Account{"alice", 2000}, w.Process, "sshd")
	want(t, err, ErrNotAnnounced)
	holds(t, data)
}

func TestAnOldAnnouncementIsNotTaken(t *testing.T) {
	for _, by := range []time.Duration{announcementLife, -announcementLife - time.Second, 24 * time.Hour} {
		u, _, turn := clocked(t)
		w := announced(t, u, alice, 1)
		turn(by)
		_, err := u.TakeAnnouncement(alice, w.Process, "sshd")
		want(t, err, ErrNotAnnounced)
		if _, pending, err := u.PendingAnnouncement(alice, w.Process, "sshd"); pending || err != nil {
			t.Errorf("%v later: pending %v, %v", by, pending, err)
		}
	}
}

func TestFourAnnouncementsWaitAtMost(t *testing.T) {
	u, _ := scratch(t)
	for i := range 5 {
		announced(t, u, alice, i)
	}
	announced(t, u, alice, 4) // again: it takes its own place
	for i := range 5 {
		_, err := u.TakeAnnouncement(alice, process(i), "sshd")
		if i == 0 {
			want(t, err, ErrNotAnnounced)
		} else {
			must(t, err)
		}
	}
}

func TestASessionBeforeTheAccountPhaseIsPendingAndClosesTheService(t *testing.T) {
	for sentence, c := range map[string]struct {
		session func(Announcement) proc.ID
		service string
		pending bool
	}{
		"of the process itself":  {func(w Announcement) proc.ID { return w.Process }, "sshd", true},
		"of its parent":          {func(w Announcement) proc.ID { return w.Parent }, "sshd", true},
		"of another process":     {func(Announcement) proc.ID { return process(9) }, "sshd", false},
		"of another service":     {func(w Announcement) proc.ID { return w.Process }, "su", false},
		"when account has taken": {nil, "sshd", false},
	} {
		u, _ := scratch(t)
		w := announced(t, u, alice, 1)
		session := w.Process
		if c.session != nil {
			session = c.session(w)
		} else if _, err := u.TakeAnnouncement(alice, w.Process, "sshd"); err != nil {
			t.Fatal(err)
		}
		found, pending, err := u.PendingAnnouncement(alice, session, c.service)
		if err != nil || pending != c.pending || pending && found != w {
			t.Errorf("%s: %+v, %v, %v", sentence, found, pending, err)
		}
		lacks, err := u.Lacks("alice", c.service)
		if err != nil || lacks != c.pending {
			t.Errorf("%s: lacks %v, %v", sentence, lacks, err)
		}
		err = u.Announce(alice, Announcement{Process: process(2), Service: c.service, Time: u.Now()})
		if errors.Is(err, ErrLacking) != c.pending {
			t.Errorf("%s: announced again: %v", sentence, err)
		}
		must(t, u.Announce(alice, Announcement{Process: process(2), Service: "login", Time: u.Now()}))
		if _, pending, _ := u.PendingAnnouncement(alice, session, c.service); pending {
			t.Errorf("%s: pending twice", sentence)
		}
	}
}

func TestServicesThatLackTheAccountLine(t *testing.T) {
	u, _ := scratch(t)
	for i := range maxLacking + 1 {
		w := Announcement{Process: process(i), Service: fmt.Sprintf("service%d", i), Time: u.Now()}
		must(t, u.Announce(alice, w))
		if _, pending, err := u.PendingAnnouncement(alice, w.Process, w.Service); err != nil || !pending {
			t.Fatal(pending, err)
		}
	}
	must(t, u.Announce(bob, Announcement{Process: process(1), Service: "service3", Time: u.Now()}))
	_, _, err := u.PendingAnnouncement(bob, process(1), "service3")
	must(t, err)
	all, err := u.Lacking()
	if err != nil || len(all) != maxLacking || slices.ContainsFunc(all, func(l Lacking) bool { return l.Service == "service0" }) {
		t.Errorf("%d: %v, %v", len(all), all, err)
	}
	must(t, u.ForgetLacking("service3"))
	for _, user := range []string{"alice", "bob"} {
		if lacks, err := u.Lacks(user, "service3"); lacks || err != nil {
			t.Errorf("%s: forgotten, and lacks %v, %v", user, lacks, err)
		}
	}
	if all, err = u.Lacking(); err != nil || len(all) != maxLacking-1 {
		t.Errorf("then %v, %v", all, err)
	}
	newCodeFor(t, u, alice) // an administrator has looked at it
	if all, err = u.Lacking(); err != nil || len(all) != 0 {
		t.Errorf("after a new code %v, %v", all, err)
	}
}

func TestAServiceWhoseNameCannotBeKeptIsNotAnnounced(t *testing.T) {
	u, data := scratch(t)
	for _, service := range []string{"", strings.Repeat("s", maxService+1), "s\n", "\xff", "\x1b[2J"} {
		if err := u.Announce(alice, Announcement{Process: process(1), Service: service, Time: u.Now()}); err == nil {
			t.Errorf("%q was announced", service)
		}
	}
	holds(t, data)
}

func TestAnnouncementsAtOnceAreEachTakenOnce(t *testing.T) {
	u, _ := scratch(t)
	var all sync.WaitGroup
	for i := range maxWaiting {
		all.Go(func() { announced(t, u, alice, i) })
	}
	all.Wait()
	var taken [maxWaiting * 3]error
	for i := range taken {
		all.Go(func() { _, taken[i] = u.TakeAnnouncement(alice, process(i%maxWaiting), "sshd") })
	}
	all.Wait()
	n := 0
	for _, err := range taken {
		if err == nil {
			n++
		}
	}
	if n != maxWaiting {
		t.Errorf("%d were taken: %v", n, taken)
	}
}

// The code and the draft stay what they are while logins come and go.
func TestAnnouncementsLeaveTheCodeAndTheDraft(t *testing.T) {
	u, _ := scratch(t)
	text := newCodeFor(t, u, alice)
	d := begun(t, u, alice, usual())
	w := announced(t, u, alice, 1)
	_, err := u.TakeAnnouncement(alice, w.Process, "sshd")
	must(t, err)
	must(t, u.CheckCode(alice, text))
	must(t, u.Finish(d))
}

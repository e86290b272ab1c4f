package enroll

import (
	"errors"
	"os"
	"testing"
	"time"

	"twokey/device"
)

// unfinishedActs are acts of enrolment codes, unfinished enrolments, several devices and bypass codes.
func unfinishedActs() map[string]act {
	return map[string]act{
		"new code": {func(t *testing.T, u *Users) { newCodeFor(t, u, alice) }, func(u *Users) error {
			_, _, err := u.NewCode(alice, time.Hour)
			return err
		}, func(t *testing.T, u *Users) {
			must(t, u.CheckCode(alice, newCodeFor(t, u, alice))) // nothing that is left blocks it
		}},
		"begin and finish": {func(t *testing.T, u *Users) { newCodeFor(t, u, alice) }, beginAndFinish, func(t *testing.T, u *Users) {
			if !isEnrolled(t, u, "alice") {
				if !isOpen(t, u, "alice") {
					t.Error("the code is used up, and there is no device")
				}
				must(t, beginAndFinish(u))
			}
			whole(t, u, alice, false)
			want(t, beginAndFinish(u), ErrEnrolled)
		}},
		"reset what was begun": {func(t *testing.T, u *Users) {
			usedOnce(t, u)
			must(t, u.Reset("alice"))
			newCodeFor(t, u, alice)
			begun(t, u, alice, known(2, false))
		}, func(u *Users) error { return u.Reset("alice") }, func(t *testing.T, u *Users) {
			must(t, u.Reset("alice"))
			if isOpen(t, u, "alice") {
				t.Error("the code is open")
			}
			must(t, beginAndFinish(u))
			whole(t, u, alice, false)
		}},
		"announce and take": {func(t *testing.T, u *Users) { newCodeFor(t, u, alice) }, func(u *Users) error {
			w := Announcement{Process: process(1), Parent: process(2), Service: "sshd", Time: u.Now()}
			_, err := u.TakeAnnouncement(alice, process(1), "sshd")
			return errors.Join(u.Announce(alice, w), errors.Join(second4(u.TakeAnnouncement(alice, process(1), "sshd")), ignoring(err, ErrNotAnnounced)))
		}, func(t *testing.T, u *Users) {
			if !isOpen(t, u, "alice") {
				t.Error("the code is gone")
			}
			announced(t, u, alice, 1)
			must(t, second4(u.TakeAnnouncement(alice, process(1), "sshd")))
		}},
		"add a device":    {usedOnce, addSecond, twoDevices(addSecond)},
		"remove a device": {func(t *testing.T, u *Users) { usedOnce(t, u); must(t, addSecond(u)) }, removeSecond, twoDevices(removeSecond)},
		"use a bypass code": {func(t *testing.T, u *Users) {
			usedOnce(t, u)
			_, text := bypassed(t, u, "alice", 1)
			must(t, os.WriteFile(u.State.Data()+"/text", []byte(text), 0o600))
		}, useBypass, func(t *testing.T, u *Users) {
			first := useBypass(u)
			if second := useBypass(u); !errors.Is(second, device.ErrWrong) {
				t.Errorf("used twice: %v, %v", first, second)
			}
			whole(t, u, alice, true)
		}},
	}
}

func second4(_ Announcement, err error) error { return err }

func ignoring(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

func beginAndFinish(u *Users) error {
	d, err := u.Begin(alice, known(1, false))
	if err != nil {
		return err
	}
	return u.Finish(d)
}

func secondKnown() Request {
	r := known(2, false)
	r.Device, r.Add, r.Recovery = "second", true, 0
	return r
}

func addSecond(u *Users) error { return commitOf(u, alice, secondKnown()) }

func removeSecond(u *Users) error { return u.RemoveDevice("alice", "second") }

// twoDevices checks that the user has the first device, whose first code was used, and the second or not, and that what was cut short
// can be done.
func twoDevices(again func(*Users) error) func(*testing.T, *Users) {
	return func(t *testing.T, u *Users) {
		record, err := u.Secrets.Load("alice")
		must(t, err)
		want(t, login(u, alice, hotpCode(t, 1, 0)), device.ErrReplayed)
		must(t, login(u, alice, hotpCode(t, 1, 1)))
		if err := login(u, alice, hotpCode(t, 2, 0)); (err == nil) != (len(record.Devices) == 2) {
			t.Errorf("%d devices, and the second says %v", len(record.Devices), err)
		}
		must(t, ignoring(ignoring(ignoring(again(u), ErrNoDevice), ErrDeviceName), ErrSameSecret))
		must(t, login(u, alice, hotpCode(t, 1, 2)))
	}
}

func useBypass(u *Users) error {
	text, err := os.ReadFile(u.State.Data() + "/text")
	if err != nil {
		return err
	}
	_, err = bypassLogin(u, alice, string(text))
	return err
}

func TestWhatCannotBeSynchronisedWasNotDone(t *testing.T) {
	for name, c := range map[string]struct {
		before func(t *testing.T, u *Users)
		file   string
	}{
		"use a bypass code": {func(t *testing.T, u *Users) {
			usedOnce(t, u)
			_, text := bypassed(t, u, "alice", 2)
			must(t, os.WriteFile(u.State.Data()+"/text", []byte(text), 0o600))
		}, "/bypass/alice"},
		"announce and take": {func(t *testing.T, u *Users) { newCodeFor(t, u, alice) }, "/enrolling/alice"},
	} {
		u, data := scratch(t)
		c.before(t, u)
		if _, err := traced(t, name, data, "-P", data+c.file, "-e", "inject=fdatasync:error=EIO"); err == nil {
			t.Errorf("%s: done, and not on the disk", name)
		}
		if _, err := traced(t, name, data, "-P", data+c.file, "-e", "trace=fdatasync"); err != nil {
			t.Errorf("%s: then: %v", name, err)
		}
	}
}

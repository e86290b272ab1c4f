package enroll

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"twokey/device"
	"twokey/secrets"
)

func TestADeviceIsAddedBesideTheOthers(t *testing.T) {
	u, _ := scratch(t)
	phone := enrolled(t, u, alice, usual())
	must(t, login(u, alice, code2(t, u, phone)))
	tablet := enrolled(t, u, alice, adding("tablet"))
	want(t, login(u, alice, code2(t, u, phone)), device.ErrReplayed)
	must(t, login(u, alice, code2(t, u, tablet)))
	must(t, login(u, alice, phone.RecoveryCodes[0])) // they stay
	r := adding("token")
	r.Recovery = 2
	token := enrolled(t, u, alice, r)
	must(t, login(u, alice, token.RecoveryCodes[0]))
	if err := login(u, alice, phone.RecoveryCodes[1]); err == nil {
		t.Error("recovery codes are good that were replaced")
	}
	if first := enrolled(t, u, bob, adding("phone")); login(u, bob, code2(t, u, first)) != nil {
		t.Error("a first device that is added does not let in")
	}
}

func TestWhatIsNotAdded(t *testing.T) {
	same := adding("tablet")
	for sentence, c := range map[string]struct {
		before func(t *testing.T, u *Users, phone *Draft)
		r      Request
		a      Account
		want   error
	}{
		"a second one of a name":     {nil, adding("phone"), alice, ErrDeviceName},
		"a secret that he has":       {nil, same, alice, ErrSameSecret},
		"for another user id":        {nil, adding("tablet"), Account{"alice", 2000}, ErrOtherUID},
		"without leave":              {nil, usual(), alice, ErrEnrolled},
		"when the state is lost":     {func(t *testing.T, u *Users, _ *Draft) { must(t, u.State.Remove("alice")) }, adding("tablet"), alice, ErrNoState},
		"when the file is not whole": {func(t *testing.T, u *Users, _ *Draft) { garble(t, fileOf(u.State.Data(), "alice")) }, adding("tablet"), alice, secrets.ErrCorrupt},
		"when the state was lost and made anew": {func(t *testing.T, u *Users, phone *Draft) {
			must(t, u.State.Remove("alice"))
			want(t, login(u, alice, "000000"), device.ErrWrong)
		}, adding("tablet"), alice, device.ErrRestored},
		"an eleventh": {func(t *testing.T, u *Users, _ *Draft) {
			for i := range secrets.MaxDevices - 1 {
				enrolled(t, u, alice, adding(fmt.Sprintf("number %d", i)))
			}
		}, adding("tablet"), alice, ErrManyDevices},
	} {
		u, _ := scratch(t)
		phone := enrolled(t, u, alice, usual())
		if c.before != nil {
			c.before(t, u, phone)
		}
		d, err := u.Draft(c.a, c.r)
		must(t, err)
		if sentence == "a secret that he has" {
			d.Device.Secret = phone.Device.Secret
		}
		if err := u.Commit(d); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", sentence, err, c.want)
		}
		if err := login(u, alice, code2(t, u, d)); err == nil && c.want != ErrSameSecret {
			t.Errorf("%s: its code lets in", sentence)
		}
	}
}

// Attack: put back the file of before, in which a phone is that was taken away, and have a device added to it.
func TestNothingIsAddedToOrTakenFromAnOldFile(t *testing.T) {
	u, data := scratch(t)
	enrolled(t, u, alice, usual())
	old := t.TempDir() + "/old"
	copyFile(t, fileOf(data, "alice"), old)
	enrolled(t, u, alice, adding("tablet"))
	copyFile(t, old, fileOf(data, "alice"))
	d, err := u.Draft(alice, adding("token"))
	must(t, err)
	for name, err := range map[string]error{"added": u.Commit(d), "removed": u.RemoveDevice("alice", "phone"), "renamed": u.RenameDevice("alice", "phone", "other"),
		"ended": u.SetUntil("alice", "phone", time.Time{}), "numbered": u.ChangePhone("alice", "", false)} {
		if !errors.Is(err, device.ErrRolledBack) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRemoveDevice(t *testing.T) {
	u, data := scratch(t)
	want(t, u.RemoveDevice("alice", "phone"), ErrNotEnrolled)
	phone := enrolled(t, u, alice, usual())
	want(t, u.RemoveDevice("alice", "phone"), ErrLastDevice)
	tablet := enrolled(t, u, alice, adding("tablet"))
	want(t, u.RemoveDevice("alice", "watch"), ErrNoDevice)
	old := t.TempDir() + "/old"
	copyFile(t, fileOf(data, "alice"), old)
	must(t, u.RemoveDevice("alice", "phone"))
	want(t, u.RemoveDevice("alice", "phone"), ErrNoDevice)
	want(t, u.RemoveDevice("alice", "tablet"), ErrLastDevice)
	if err := login(u, alice, code2(t, u, phone)); err == nil {
		t.Error("a removed device lets in")
	}
	must(t, login(u, alice, code2(t, u, tablet)))
	must(t, login(u, alice, phone.RecoveryCodes[0]))
	copyFile(t, old, fileOf(data, "alice"))
	want(t, login(u, alice, code2(t, u, phone)), device.ErrRolledBack)
}

// Attack: two administrators, or a user twice, take one device each, and nothing is left: somebody without a device, let in without a code.
func TestDevicesRemovedAtOnceLeaveOne(t *testing.T) {
	u, _ := scratch(t)
	for range 10 {
		enrolled(t, u, alice, replacing(usual()))
		enrolled(t, u, alice, adding("tablet"))
		var all sync.WaitGroup
		var errs [2]error
		for i, name := range []string{"phone", "tablet"} {
			all.Go(func() { errs[i] = u.RemoveDevice("alice", name) })
		}
		all.Wait()
		record, err := u.Secrets.Load("alice")
		if err != nil || len(record.Devices) != 1 || (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("%v left, %v, %v", record, err, errs)
		}
	}
}

func TestRenameDevice(t *testing.T) {
	u, _ := scratch(t)
	want(t, u.RenameDevice("alice", "phone", "mobile"), ErrNotEnrolled)
	phone := enrolled(t, u, alice, usual())
	enrolled(t, u, alice, adding("tablet"))
	must(t, login(u, alice, code2(t, u, phone)))
	want(t, u.RenameDevice("alice", "watch", "mobile"), ErrNoDevice)
	want(t, u.RenameDevice("alice", "phone", "tablet"), ErrDeviceName)
	for _, name := range []string{"", "a\nb", "\xff", "a name of more than 32 bytes is not kept"} {
		if err := u.RenameDevice("alice", "phone", name); err == nil {
			t.Errorf("renamed to %q", name)
		}
	}
	must(t, u.RenameDevice("alice", "phone", "phone"))
	must(t, u.RenameDevice("alice", "phone", "mobile"))
	st, err := u.State.Read("alice")
	must(t, err)
	if st.Devices[0].Name != "mobile" || st.Devices[1].Name != "tablet" || len(st.Removed) != 0 {
		t.Errorf("the state has %+v", st.Devices)
	}
	want(t, login(u, alice, code2(t, u, phone)), device.ErrReplayed)
}

func TestADeviceExpiresAndItsUserStaysEnrolled(t *testing.T) {
	u, _, turn := clocked(t)
	want(t, u.SetUntil("alice", "phone", u.Now()), ErrNotEnrolled)
	r := usual()
	r.Until = u.Now().Add(time.Hour)
	phone := enrolled(t, u, alice, r)
	st, err := u.State.Read("alice")
	must(t, err)
	if !st.Devices[0].Until.Equal(r.Until.Truncate(time.Second)) {
		t.Errorf("the state says %v", st.Devices[0].Until)
	}
	must(t, login(u, alice, code2(t, u, phone)))
	turn(2 * time.Hour)
	want(t, login(u, alice, code2(t, u, phone)), device.ErrExpired)
	if !isEnrolled(t, u, "alice") {
		t.Error("not enrolled any more")
	}
	must(t, login(u, alice, phone.RecoveryCodes[0]))
	want(t, u.RemoveDevice("alice", "phone"), ErrLastDevice)
	want(t, u.SetUntil("alice", "tablet", u.Now()), ErrNoDevice)
	must(t, u.SetUntil("alice", "phone", u.Now().Add(time.Hour)))
	must(t, login(u, alice, code2(t, u, phone)))
	must(t, u.SetUntil("alice", "phone", time.Time{}))
	if st, err = u.State.Read("alice"); err != nil || !st.Devices[0].Until.IsZero() {
		t.Errorf("the state says %v, %v", st.Devices[0].Until, err)
	}
}

func TestChangePhone(t *testing.T) {
	u, _ := scratch(t)
	want(t, u.ChangePhone("alice", "+442079460948", false), ErrNotEnrolled)
	enrolled(t, u, alice, usual())
	for _, number := range []string{"+442079460948", ""} {
		must(t, u.ChangePhone("alice", number, false))
		record, err := u.Secrets.Load("alice")
		if err != nil || record.Phone != number || record.PhoneConfirmed {
			t.Errorf("%q: %q, %v, %v", number, record.Phone, record.PhoneConfirmed, err)
		}
	}
	for _, number := range []string{"0207", "+", "442079460948", "+44 20 7946 0948"} {
		if err := u.ChangePhone("alice", number, false); err == nil {
			t.Errorf("%q was taken", number)
		}
	}
}

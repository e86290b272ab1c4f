package enroll

import (
	"errors"
	"slices"
	"testing"
	"time"

	"twokey/device"
	"twokey/state"
)

// noticesOf takes what waits for the user's next session.
func noticesOf(t *testing.T, u *Users, user string) (all []state.Notice) {
	t.Helper()
	must(t, u.State.Update(user, func(tx *state.Tx) error {
		all = tx.TakeNotices()
		return nil
	}))
	return all
}

func byCarol(r Request) Request {
	r.By = "root (carol)"
	return r
}

func TestOfANewDeviceTheUserIsToldWhoAddedIt(t *testing.T) {
	u, _ := scratch(t)
	told := func(why string, want ...state.Notice) {
		t.Helper()
		if got := noticesOf(t, u, "alice"); !slices.Equal(got, want) {
			t.Errorf("%s: %+v, want %+v", why, got, want)
		}
	}
	d := enrolled(t, u, alice, byCarol(usual()))
	told("the first device", state.Notice{Device: state.ID(d.Device.ID), By: "root (carol)"})
	must(t, login(u, alice, code(t, u, d, 0)))
	told("a login")
	d = enrolled(t, u, alice, byCarol(replacing(usual())))
	told("a device in its place", state.Notice{Device: state.ID(d.Device.ID), By: "root (carol)"})
	_, err := u.NewRecovery("alice", 3)
	must(t, err)
	told("new recovery codes")
	d = enrolled(t, u, alice, replacing(usual()))
	told("a device that nobody has signed for", state.Notice{Device: state.ID(d.Device.ID)})

	enrolled(t, u, alice, byCarol(replacing(usual())))
	must(t, u.Reset("alice"))
	told("a device that was ended before he came")
}

// Who could put a secret file in place, or kill an enrolment before it has said by whom, would else have added a device unseen.
func TestOfADeviceThatTheStateLearnsAtALoginTheUserIsToldToo(t *testing.T) {
	u, data := scratch(t)
	enrolled(t, u, alice, byCarol(usual()))
	noticesOf(t, u, "alice")
	copyFile(t, data+"/state/alice", data+"/before")
	d := enrolled(t, u, alice, byCarol(replacing(usual())))
	copyFile(t, data+"/before", data+"/state/alice")
	must(t, login(u, alice, code(t, u, d, 0)))
	if got := noticesOf(t, u, "alice"); !slices.Equal(got, []state.Notice{{Device: state.ID(d.Device.ID), By: device.ByFile}}) {
		t.Errorf("%+v", got)
	}
}

func TestAnEnrolmentThatFailsTellsNothing(t *testing.T) {
	u, _ := scratch(t)
	enrolled(t, u, alice, byCarol(usual()))
	noticesOf(t, u, "alice")
	d, err := u.Draft(alice, byCarol(usual()))
	must(t, err)
	want(t, u.Commit(d), ErrEnrolled)
	if got := noticesOf(t, u, "alice"); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

var atHome = state.RememberKey("192.0.2.7", "sshd", "", nil)

// remember makes a source known and a login from there remembered.
func remember(t *testing.T, u *Users, user string) {
	t.Helper()
	must(t, u.State.Update(user, func(tx *state.Tx) error {
		tx.Succeeded(state.Attempt{Source: "192.0.2.7", Cost: state.One, Now: u.Now()})
		tx.Remember(atHome, u.Now())
		return nil
	}))
}

func remembered(t *testing.T, u *Users, user string) (known, remembered bool) {
	t.Helper()
	st, err := u.State.Read(user)
	must(t, err)
	_, remembered = st.Remembered(atHome, time.Hour, u.Now())
	return st.Known("192.0.2.7", u.Now()), remembered
}

func TestWhatEndsRememberedLogins(t *testing.T) {
	for sentence, c := range map[string]struct {
		do                func(u *Users) error
		known, remembered bool // afterwards
	}{
		"reset":                         {func(u *Users) error { return u.Reset("alice") }, false, false},
		"unenroll":                      {func(u *Users) error { return u.Unenroll("alice") }, false, false},
		"forget":                        {func(u *Users) error { return forget(u, "alice", 1, 1) }, false, false},
		"forget twice":                  {func(u *Users) error { return errors.Join(forget(u, "alice", 1, 1), forget(u, "alice", 0, 0)) }, false, false},
		"another device in its place":   {func(u *Users) error { return commitKnown(u, alice, true) }, true, false},
		"unlock":                        {func(u *Users) error { return u.Unlock("alice") }, true, true},
		"new recovery codes":            {func(u *Users) error { return second2(u.NewRecovery("alice", 3)) }, true, true},
		"somebody else's are forgotten": {func(u *Users) error { return forget(u, "bob", 0, 0) }, true, true},
		"adopt of the same account":     {func(u *Users) error { return second(u.Adopt(alice)) }, true, true},
	} {
		u, _ := scratch(t)
		must(t, commitKnown(u, alice, false))
		enrolled(t, u, bob, usual())
		remember(t, u, "alice")
		if known, kept := remembered(t, u, "alice"); !known || !kept {
			t.Fatalf("before: known %v, remembered %v", known, kept)
		}
		must(t, c.do(u))
		if known, kept := remembered(t, u, "alice"); known != c.known || kept != c.remembered {
			t.Errorf("%s: known %v, remembered %v", sentence, known, kept)
		}
	}
}

var errCount = errors.New("not as many as there were")

func forget(u *Users, user string, sources, remembered int) error {
	s, r, err := u.Forget(user)
	if err == nil && (s != sources || r != remembered) {
		return errCount
	}
	return err
}

func TestForgetOfSomebodyOfWhomThereIsNothing(t *testing.T) {
	u, _ := scratch(t)
	want(t, forget(u, "alice", 0, 0), ErrNotEnrolled)
	enrolled(t, u, alice, usual())
	must(t, u.State.Remove("alice"))
	want(t, forget(u, "alice", 0, 0), ErrNoState)
	enrolled(t, u, bob, usual())
	must(t, u.Reset("bob"))
	want(t, forget(u, "bob", 0, 0), ErrNotEnrolled)
}

func TestNewRecoveryCodesBeginTheirOwnNotice(t *testing.T) {
	u, _ := scratch(t)
	d := enrolled(t, u, alice, usual())
	few := func() (left int, due bool) {
		must(t, u.State.Update("alice", func(tx *state.Tx) error {
			left, due = tx.TakeLowRecovery()
			return nil
		}))
		return left, due
	}
	codes := d.RecoveryCodes // four
	for range 2 {
		must(t, login(u, alice, codes[0]))
		if left, due := few(); left != 3 || !due {
			t.Errorf("%d left, told %v", left, due)
		}
		if _, due := few(); due {
			t.Error("told twice")
		}
		var err error
		codes, err = u.NewRecovery("alice", 4)
		must(t, err)
	}
}

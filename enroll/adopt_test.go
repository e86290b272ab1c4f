package enroll

import (
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"twokey/device"
	"twokey/state"
)

func TestAdoptARenamedAccount(t *testing.T) {
	u, data := scratch(t)
	d := enrolled(t, u, alice, counter())
	must(t, login(u, alice, code(t, u, d, 0)))
	must(t, login(u, alice, d.RecoveryCodes[0]))
	renamed := Account{"alicia", 1000}
	got, err := u.Adopt(renamed)
	if err != nil || got != (Adoption{Renamed: "alice", OldUID: 1000}) {
		t.Fatalf("%+v, %v", got, err)
	}
	holds(t, data, "state/alicia", "uids/1000", "users/alicia.age")
	want(t, login(u, renamed, code(t, u, d, 0)), device.ErrReplayed)
	want(t, login(u, renamed, d.RecoveryCodes[0]), device.ErrReplayed)
	must(t, login(u, renamed, code(t, u, d, 1)))
}

func TestAdoptAnAccountWithAnotherNumber(t *testing.T) {
	u, data := scratch(t)
	d := enrolled(t, u, alice, counter())
	must(t, login(u, alice, code(t, u, d, 0)))
	again := Account{"alice", 2000}
	want(t, login(u, again, code(t, u, d, 1)), ErrOtherUID)
	got, err := u.Adopt(again)
	if err != nil || got != (Adoption{OldUID: 1000, NewUID: true}) {
		t.Fatalf("%+v, %v", got, err)
	}
	holds(t, data, "state/alice", "uids/2000", "users/alice.age")
	want(t, login(u, again, code(t, u, d, 0)), device.ErrReplayed)
	must(t, login(u, again, code(t, u, d, 1)))
}

func TestAdoptARestoredHost(t *testing.T) {
	u, data := scratch(t)
	d := enrolled(t, u, alice, counter())
	must(t, os.Remove(data+"/state/alice"))
	want(t, login(u, alice, d.RecoveryCodes[0]), device.ErrRestored)
	got, err := u.Adopt(alice)
	if err != nil || got != (Adoption{OldUID: 1000, Restored: true}) {
		t.Fatalf("%+v, %v", got, err)
	}
	must(t, login(u, alice, code(t, u, d, 0)))
	must(t, login(u, alice, d.RecoveryCodes[0]))
	if got, err = u.Adopt(alice); err != nil || got != (Adoption{OldUID: 1000}) {
		t.Errorf("the second time: %+v, %v", got, err)
	}
}

// The state was lost while the clock was a year ahead: every code of the right time is "used before", for a year.
func TestAdoptEndsWhatAClockThatWasAheadHasDone(t *testing.T) {
	u, data := scratch(t)
	d := enrolled(t, u, alice, usual())
	must(t, login(u, alice, d.RecoveryCodes[1]))
	present := u.Now
	u.Now = func() time.Time { return present().AddDate(1, 0, 0) }
	must(t, login(u, alice, code(t, u, d, 0)))
	u.Now = present
	want(t, login(u, alice, code(t, u, d, 0)), device.ErrReplayed)
	got, err := u.Adopt(alice)
	if err != nil || got != (Adoption{OldUID: 1000, Rewound: true}) {
		t.Fatalf("%+v, %v", got, err)
	}
	want(t, login(u, alice, code(t, u, d, 0)), device.ErrReplayed) // the present step stays closed: it may have been used
	want(t, login(u, alice, d.RecoveryCodes[1]), device.ErrReplayed)
	u.Now = func() time.Time { return present().Add(time.Minute) }
	must(t, login(u, alice, code(t, u, d, 0)))
	holds(t, data, "state/alice", "uids/1000", "users/alice.age")
	if got, err = u.Adopt(alice); err != nil || got.Rewound {
		t.Errorf("the second time: %+v, %v", got, err)
	}
}

func TestAdoptBeforeAnyLoginOfARestoredHost(t *testing.T) {
	u, data := scratch(t)
	d := enrolled(t, u, alice, usual())
	must(t, os.RemoveAll(data+"/state"))
	must(t, os.RemoveAll(data+"/uids"))
	u = openUsers(t, data)
	got, err := u.Adopt(alice)
	if err != nil || got != (Adoption{OldUID: 1000, Restored: true}) {
		t.Fatalf("%+v, %v", got, err)
	}
	if name, err := u.State.NameOf(1000); err != nil || name != "alice" {
		t.Errorf("user id 1000 belongs to %q, %v", name, err)
	}
	must(t, login(u, alice, d.RecoveryCodes[0]))
}

// Whoever was reset and then renamed still has to enrol.
func TestAdoptMovesTheDutyToEnrol(t *testing.T) {
	u, data := scratch(t)
	enrolled(t, u, alice, usual())
	must(t, u.Reset("alice"))
	renamed := Account{"alicia", 1000}
	draft, err := u.Draft(renamed, usual())
	must(t, err)
	want(t, u.Commit(draft), ErrOtherName)
	got, err := u.Adopt(renamed)
	if err != nil || got != (Adoption{Renamed: "alice", MustEnroll: true}) {
		t.Fatalf("%+v, %v", got, err)
	}
	holds(t, data, "state/alicia", "uids/1000")
	st, err := u.State.Read("alicia")
	must(t, err)
	if !st.MustEnroll {
		t.Error("the duty to enrol is lost")
	}
	d := enrolled(t, u, renamed, usual())
	must(t, login(u, renamed, code(t, u, d, 0)))
}

// A number can be bound to a name of which nothing is left when a run was killed at the wrong moment.
func TestABindingToNothingKeepsNobodyOut(t *testing.T) {
	u, _ := scratch(t)
	must(t, u.State.Bind(1000, "gone"))
	if got, err := u.Adopt(alice); err != nil || got != (Adoption{Renamed: "gone"}) {
		t.Errorf("%+v, %v", got, err)
	}
	want(t, second(u.Adopt(alice)), ErrNotEnrolled)
	must(t, u.State.Bind(1000, "gone"))
	d := enrolled(t, u, alice, usual())
	must(t, login(u, alice, code(t, u, d, 0)))
	must(t, u.State.Bind(1000, "gone"))
	if got, err := u.Adopt(alice); err != nil || got.Renamed != "gone" {
		t.Errorf("%+v, %v", got, err)
	}
	if name, err := u.State.NameOf(1000); err != nil || name != "alice" {
		t.Errorf("user id 1000 belongs to %q, %v", name, err)
	}
}

func second(_ Adoption, err error) error { return err }

func TestAdoptRefuses(t *testing.T) {
	for why, c := range map[string]struct {
		account Account
		spoil   func(t *testing.T, u *Users, data string)
		err     error
	}{
		"somebody who is not enrolled":                     {Account{"carol", 1002}, func(*testing.T, *Users, string) {}, ErrNotEnrolled},
		"a rename to somebody who has a device of his own": {Account{"bob", 1000}, func(*testing.T, *Users, string) {}, ErrOtherName},
		"an old secret file": {alice, func(t *testing.T, u *Users, data string) {
			copyFile(t, fileOf(data, "alice"), data+"/kept")
			enrolled(t, u, alice, replacing(usual()))
			copyFile(t, data+"/kept", fileOf(data, "alice"))
		}, device.ErrRolledBack},
	} {
		t.Run(why, func(t *testing.T) {
			u, data := scratch(t)
			enrolled(t, u, alice, usual())
			enrolled(t, u, bob, usual())
			c.spoil(t, u, data)
			want(t, second(u.Adopt(c.account)), c.err)
		})
	}
	u, data := scratch(t)
	enrolled(t, u, alice, usual())
	garble(t, data+"/state/alice")
	if err := second(u.Adopt(alice)); !state.IsDamaged(err) {
		t.Errorf("a damaged state: %v", err)
	}
}

// A restore that has no links, or that followed them, leaves files or nothing where user ids were bound.
func TestAUserIDThatIsBoundByNoLinkIsBoundAnewOrFreed(t *testing.T) {
	for _, act := range []string{"adopt", "unenroll"} {
		u, data := scratch(t)
		enrolled(t, u, alice, usual())
		must(t, os.Remove(data+"/uids/1000"))
		must(t, os.WriteFile(data+"/uids/1000", []byte("alice\n"), 0o600))
		var err error
		if act == "adopt" {
			_, err = u.Adopt(alice)
		} else {
			err = u.Unenroll("alice")
		}
		must(t, err)
		name, err := u.State.NameOf(alice.UID)
		if act == "adopt" && name != "alice" || act == "unenroll" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("after %s the number is %q's, %v", act, name, err)
		}
	}
}

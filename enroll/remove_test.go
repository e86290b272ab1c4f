package enroll

import (
	"os"
	"testing"
	"time"

	"twokey/device"
	"twokey/state"
)

func TestUnenrollTakesTheUserOutAndKnowsHisOldFile(t *testing.T) {
	u, data := scratch(t)
	d := enrolled(t, u, alice, usual())
	copyFile(t, fileOf(data, "alice"), data+"/kept")
	must(t, u.Unenroll("alice"))
	holds(t, data, "kept", "state/alice")
	want(t, u.Unenroll("alice"), ErrNotEnrolled)
	// Configuration management, or a thief of the backup, puts the old file back.
	copyFile(t, data+"/kept", fileOf(data, "alice"))
	want(t, login(u, alice, d.RecoveryCodes[0]), device.ErrRolledBack)
	if err := login(u, alice, code(t, u, d, 0)); err == nil {
		t.Error("the old device is good again")
	}
}

func TestUnenrollOfAUserWithoutStateKnowsHisOldFileToo(t *testing.T) {
	for what, spoil := range map[string]func(path string) error{
		"lost":    os.Remove,
		"damaged": func(path string) error { return os.WriteFile(path, []byte("rubbish"), 0o600) },
	} {
		t.Run(what, func(t *testing.T) {
			u, data := scratch(t)
			d := enrolled(t, u, alice, usual())
			copyFile(t, fileOf(data, "alice"), data+"/kept")
			must(t, spoil(data+"/state/alice"))
			must(t, u.Unenroll("alice"))
			copyFile(t, data+"/kept", fileOf(data, "alice"))
			if err := login(u, alice, code(t, u, d, 0)); err == nil {
				t.Error("the old device is good again")
			}
			must(t, os.Remove(fileOf(data, "alice")))
			d = enrolled(t, u, alice, usual())
			must(t, login(u, alice, code(t, u, d, 0)))
		})
	}
}

func TestUnenrollTakesAwayWhatCannotBeRead(t *testing.T) {
	u, data := scratch(t)
	enrolled(t, u, alice, usual())
	garble(t, fileOf(data, "alice"))
	must(t, u.Unenroll("alice"))
	must(t, os.WriteFile(data+"/state/bob", []byte("rubbish"), 0o600)) // without a secret file
	must(t, u.Unenroll("bob"))
	holds(t, data, "state/alice", "state/bob")
	want(t, u.Unenroll("nobody"), ErrNotEnrolled)
}

func TestResetEndsTheDevicesAndBindsToEnrol(t *testing.T) {
	u, data := scratch(t)
	d := enrolled(t, u, alice, usual())
	must(t, login(u, alice, code(t, u, d, 0)))
	copyFile(t, fileOf(data, "alice"), data+"/kept")
	must(t, u.Reset("alice"))
	must(t, u.Reset("alice")) // twice is as once
	holds(t, data, "kept", "state/alice", "uids/1000")
	st, err := u.State.Read("alice")
	must(t, err)
	if !st.MustEnroll || len(st.Devices) != 0 || st.Recovery.Total != 0 {
		t.Errorf("%+v", st)
	}
	d2 := enrolled(t, u, alice, usual())
	st, err = u.State.Read("alice")
	must(t, err)
	if st.MustEnroll {
		t.Error("enrolled, and has to enrol")
	}
	want(t, login(u, alice, code(t, u, d, 0)), device.ErrWrong)
	must(t, login(u, alice, code(t, u, d2, 0)))
	copyFile(t, data+"/kept", fileOf(data, "alice"))
	want(t, login(u, alice, d.RecoveryCodes[0]), device.ErrRolledBack)
}

func TestResetForgetsSourcesAndRefillsBuckets(t *testing.T) {
	u, _ := scratch(t)
	enrolled(t, u, alice, usual())
	known := state.Attempt{Source: "192.0.2.7", Cost: state.One, Now: time.Now()}
	must(t, u.State.Update("alice", func(tx *state.Tx) error {
		tx.Succeeded(known)
		for tx.Charge(state.Attempt{Source: "198.51.100.1", Cost: state.One, Now: known.Now}) {
		}
		return nil
	}))
	must(t, u.Reset("alice"))
	st, err := u.State.Read("alice")
	must(t, err)
	if strangers, _ := st.Throttled(state.One, known.Now); st.Known(known.Source, known.Now) || strangers {
		t.Error("a source is known, or a bucket empty")
	}
}

func TestResetOfAUserWithoutStateBindsHimToo(t *testing.T) {
	u, data := scratch(t)
	enrolled(t, u, alice, usual())
	must(t, os.Remove(data+"/state/alice"))
	must(t, u.Reset("alice"))
	st, err := u.State.Read("alice")
	must(t, err)
	if !st.MustEnroll {
		t.Error("reset, and not bound to enrol")
	}
	want(t, u.Reset("nobody"), ErrNotEnrolled)
}

func TestNewRecoveryReplacesTheCodesAndLeavesTheDevice(t *testing.T) {
	u, _ := scratch(t)
	d := enrolled(t, u, alice, counter())
	must(t, login(u, alice, code(t, u, d, 0)))
	codes, err := u.NewRecovery("alice", 7)
	must(t, err)
	if len(codes) != 7 {
		t.Errorf("%d codes", len(codes))
	}
	want(t, login(u, alice, d.RecoveryCodes[0]), device.ErrWrong)
	for _, recovery := range codes {
		must(t, login(u, alice, recovery))
		want(t, login(u, alice, recovery), device.ErrReplayed)
	}
	want(t, login(u, alice, code(t, u, d, 0)), device.ErrReplayed)
	must(t, login(u, alice, code(t, u, d, 1)))
}

func TestNewRecoveryRefuses(t *testing.T) {
	for why, c := range map[string]struct {
		spoil func(t *testing.T, u *Users, data string)
		n     int
		err   error
	}{
		"a user who is not enrolled": {func(t *testing.T, u *Users, _ string) { must(t, u.Unenroll("alice")) }, 5, ErrNotEnrolled},
		"a user who was reset":       {func(t *testing.T, u *Users, _ string) { must(t, u.Reset("alice")) }, 5, ErrNotEnrolled},
		"a user without a state":     {func(t *testing.T, u *Users, data string) { must(t, os.Remove(data+"/state/alice")) }, 5, ErrNoState},
		"a user whose state was restored": {func(t *testing.T, u *Users, data string) {
			must(t, os.Remove(data+"/state/alice"))
			want(t, login(u, alice, "0000000"), device.ErrWrong)
		}, 5, device.ErrRestored},
		"an old secret file": {func(t *testing.T, u *Users, data string) {
			copyFile(t, fileOf(data, "alice"), data+"/kept")
			enrolled(t, u, alice, replacing(usual()))
			copyFile(t, data+"/kept", fileOf(data, "alice"))
		}, 5, device.ErrRolledBack},
		"no codes":       {func(*testing.T, *Users, string) {}, 0, nil},
		"too many codes": {func(*testing.T, *Users, string) {}, 21, nil},
	} {
		t.Run(why, func(t *testing.T) {
			u, data := scratch(t)
			enrolled(t, u, alice, usual())
			c.spoil(t, u, data)
			codes, err := u.NewRecovery("alice", c.n)
			if err == nil || codes != nil {
				t.Errorf("%q, %v", codes, err)
			}
			if c.err != nil {
				want(t, err, c.err)
			}
		})
	}
}

func TestUnlockRefillsTheBuckets(t *testing.T) {
	u, _ := scratch(t)
	enrolled(t, u, alice, usual())
	attempt := state.Attempt{Source: "198.51.100.1", Cost: state.One, Now: time.Now()}
	must(t, u.State.Update("alice", func(tx *state.Tx) error {
		for tx.Charge(attempt) {
		}
		return nil
	}))
	must(t, u.Unlock("alice"))
	st, err := u.State.Read("alice")
	must(t, err)
	if strangers, known := st.Throttled(state.One, attempt.Now); strangers || known {
		t.Error("still throttled")
	}
	want(t, u.Unlock("nobody"), ErrNotEnrolled)
}

// A file that was lost while the state knows its devices: the login refuses such a user, so he must be able to be taken out.
func TestAUserWhoseFileIsGoneCanBeResetAndTakenOut(t *testing.T) {
	u, data := scratch(t)
	enrolled(t, u, alice, usual())
	must(t, os.Remove(fileOf(data, "alice")))
	must(t, u.Reset("alice"))
	must(t, u.Unenroll("alice"))
	want(t, u.Unenroll("alice"), ErrNotEnrolled)
	enrolled(t, u, alice, usual())
	must(t, os.Remove(fileOf(data, "alice")))
	must(t, u.Unenroll("alice"))
	want(t, u.Reset("alice"), ErrNotEnrolled)
}

package enroll

import (
	"errors"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/device"
	"twokey/factor"
	"twokey/internal/safefile/disktest"
	"twokey/state"
)

// hour asks for a bypass code of so many uses.
func hour(u *Users, uses int) Bypass {
	return Bypass{Until: u.Now().Add(time.Hour), Uses: uses, Reason: "phone lost", Requester: "bob", By: "root (carol)"}
}

func bypassed(t testing.TB, u *Users, user string, uses int) (Bypass, string) {
	t.Helper()
	made, text, err := u.NewBypass(user, hour(u, uses))
	must(t, err)
	return made, text
}

// bypassLogin does what a login does with a bypass code.
func bypassLogin(u *Users, a Account, text string) (used device.Used, err error) {
	record, err := u.Secrets.Load(a.Name)
	if err != nil {
		return used, err
	}
	err = u.State.Update(a.Name, func(tx *state.Tx) error {
		set, err := device.Join(tx.State, record, 1, u.Now())
		if err != nil {
			return err
		}
		set.Only([]string{"totp"}, "")
		used, err = set.BypassCode(factor.ParseAnswer(text), u.Now(), tx)
		return err
	})
	return used, err
}

func TestABypassCodeLetsInAsOftenAsItSays(t *testing.T) {
	u, _, turn := clocked(t)
	_, _, err := u.NewBypass("alice", hour(u, 1))
	want(t, err, ErrNotEnrolled)
	enrolled(t, u, alice, usual())
	enrolled(t, u, bob, usual())
	made, text := bypassed(t, u, "alice", 2)
	other, otherText := bypassed(t, u, "alice", 1)
	if _, err := bypassLogin(u, bob, text); !errors.Is(err, device.ErrWrong) {
		t.Errorf("for bob: %v", err)
	}
	for left := 1; left >= 0; left-- {
		used, err := bypassLogin(u, alice, text)
		if err != nil || used != (device.Used{Method: device.Bypass, Device: made.ID, Left: -1}) {
			t.Fatalf("%+v, %v", used, err)
		}
		open, err := u.Bypasses("alice")
		if i := slices.IndexFunc(open, func(b Bypass) bool { return b.ID == made.ID }); err != nil || left > 0 != (i >= 0) || i >= 0 && open[i].Left != left {
			t.Errorf("open %+v, %v", open, err)
		}
	}
	if _, err := bypassLogin(u, alice, text); !errors.Is(err, device.ErrWrong) {
		t.Errorf("a third time: %v", err)
	}
	if open, err := u.Bypasses("alice"); err != nil || !slices.Equal(open, []Bypass{other}) {
		t.Errorf("open %+v, %v, want %+v", open, err, other)
	}
	turn(time.Hour)
	if _, err := bypassLogin(u, alice, otherText); !errors.Is(err, device.ErrWrong) {
		t.Errorf("after its end: %v", err)
	}
}

func TestABypassOfOneUseGivenBySixteenAtOnceLetsOneIn(t *testing.T) {
	u, _ := scratch(t)
	enrolled(t, u, alice, usual())
	_, text := bypassed(t, u, "alice", 1)
	var errs [16]error
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { _, errs[i] = bypassLogin(u, alice, text) })
	}
	all.Wait()
	in := 0
	for _, err := range errs {
		if err == nil {
			in++
		} else if !errors.Is(err, device.ErrWrong) {
			t.Error(err)
		}
	}
	if in != 1 {
		t.Errorf("%d got in", in)
	}
}

func TestWhatABypassMayNotBe(t *testing.T) {
	u, data := scratch(t)
	enrolled(t, u, alice, usual())
	for sentence, change := range map[string]func(*Bypass){
		"without a reason": func(b *Bypass) { b.Reason = "" }, "without uses": func(b *Bypass) { b.Uses = 0 },
		"without one who asked": func(b *Bypass) { b.Requester = "" }, "by nobody": func(b *Bypass) { b.By = "" },
		"for ever": func(b *Bypass) { b.Until = time.Time{} }, "ended": func(b *Bypass) { b.Until = u.Now().Add(-time.Second) },
	} {
		b := hour(u, 1)
		change(&b)
		made, text, err := u.NewBypass("alice", b)
		if !errors.Is(err, ErrBypass) || text != "" || made != (Bypass{}) {
			t.Errorf("%s: %+v, %q, %v", sentence, made, text, err)
		}
	}
	holds(t, data, "state/alice", "uids/1000", "users/alice.age")
	for range state.MaxBypasses {
		bypassed(t, u, "alice", 1)
	}
	_, _, err := u.NewBypass("alice", hour(u, 1))
	want(t, err, ErrManyBypasses)
}

func TestWhatEndsABypassCode(t *testing.T) {
	var id string
	for sentence, c := range map[string]struct {
		end  func(u *Users) error
		left int
	}{
		"revoked":        {func(u *Users) error { return second3(u.RevokeBypass("alice", id)) }, 1},
		"all revoked":    {func(u *Users) error { return second3(u.RevokeBypass("alice", "")) }, 0},
		"a reset":        {func(u *Users) error { return u.Reset("alice") }, 0},
		"unenroll":       {func(u *Users) error { return u.Unenroll("alice") }, 0},
		"another name":   {func(u *Users) error { return second(u.Adopt(Account{"alicia", alice.UID})) }, 0},
		"other sources":  {func(u *Users) error { return second2f(u.Forget("alice")) }, 2},
		"another device": {func(u *Users) error { return commitOf(u, alice, adding("tablet")) }, 2},
	} {
		u, data := scratch(t)
		enrolled(t, u, alice, usual())
		made, text := bypassed(t, u, "alice", 5)
		bypassed(t, u, "alice", 5)
		id = made.ID
		must(t, c.end(u))
		if open, err := u.Bypasses("alice"); err != nil || len(open) != c.left {
			t.Errorf("%s: open %v, %v", sentence, open, err)
		}
		if !isEnrolled(t, u, "alice") {
			must(t, commitOf(u, alice2(u), replacing(usual())))
		}
		if _, err := bypassLogin(u, alice, text); (err == nil) != (c.left == 2) {
			t.Errorf("%s: used with %v", sentence, err)
		}
		if c.left == 0 {
			if _, err := os.Lstat(data + "/bypass/alice"); err == nil {
				t.Errorf("%s: the file is there", sentence)
			}
		}
	}
}

// alice2 is alice, when her user id is not alicia's.
func alice2(u *Users) Account {
	if name, err := u.State.NameOf(alice.UID); err == nil && name != "alice" {
		return Account{"alice", 4000}
	}
	return alice
}

func commitOf(u *Users, a Account, r Request) error {
	d, err := u.Draft(a, r)
	return errors.Join(err, u.Commit(d))
}

func second3(_ Bypass, err error) error      { return err }
func second2f(_ int, _ int, err error) error { return err }

// One that is asked for while the user's lock is held to reset him must not be good when he has enrolled again.
func TestNoBypassIsMadeBehindAReset(t *testing.T) {
	u, _ := scratch(t)
	enrolled(t, u, alice, usual())
	made := make(chan error, 1)
	must(t, u.State.Update("alice", func(tx *state.Tx) error {
		go func() {
			_, _, err := u.NewBypass("alice", Bypass{Until: time.Now().Add(time.Hour), Uses: 1, Reason: "phone lost", Requester: "bob", By: "root"})
			made <- err
		}()
		time.Sleep(100 * time.Millisecond) // it has found her enrolled, and waits
		return u.endDevices(tx, true)
	}))
	if err := <-made; !errors.Is(err, ErrNotEnrolled) {
		t.Errorf("made: %v", err)
	}
	if open, err := u.Bypasses("alice"); err != nil || len(open) > 0 {
		t.Errorf("%d are open, %v", len(open), err)
	}
}

func TestRevokingWhatIsNot(t *testing.T) {
	u, _ := scratch(t)
	_, err := u.RevokeBypass("nobody", "")
	want(t, err, ErrNoBypass)
	enrolled(t, u, alice, usual())
	for _, id := range []string{"", "00000000", "rubbish", "0000000000000000", "0"} {
		if _, err := u.RevokeBypass("alice", id); !errors.Is(err, ErrNoBypass) {
			t.Errorf("%q: %v", id, err)
		}
	}
	made, _ := bypassed(t, u, "alice", 3)
	if revoked, err := u.RevokeBypass("alice", made.ID); err != nil || revoked != made {
		t.Errorf("%+v, %v, want %+v", revoked, err, made)
	}
}

func TestBypassCodesOnAFullDisk(t *testing.T) {
	data := disktest.Mount(t, "ext4")
	u := openUsers(t, data)
	enrolled(t, u, alice, usual())
	_, text := bypassed(t, u, "alice", 2)
	enrolled(t, u, bob, usual())
	disktest.Fill(t, data)
	_, _, err := u.NewBypass("bob", hour(u, 1))
	want(t, err, unix.ENOSPC)
	_, err = bypassLogin(u, alice, text)
	must(t, err)
	must(t, u.Reset("alice"))
	if open, err := u.Bypasses("alice"); err != nil || len(open) != 0 {
		t.Errorf("open after a reset: %v, %v", open, err)
	}
}

// The state is copied with a backup without what was used of the bypass codes since: they are closed with all that is not bound to the time.
func TestBypassCodesAreClosedWithoutAState(t *testing.T) {
	u, _ := scratch(t)
	enrolled(t, u, alice, usual())
	_, text := bypassed(t, u, "alice", 2)
	must(t, u.State.Remove("alice"))
	want(t, login(u, alice, "000000"), device.ErrWrong)
	if _, err := bypassLogin(u, alice, text); !errors.Is(err, device.ErrRestored) {
		t.Errorf("used with %v", err)
	}
}

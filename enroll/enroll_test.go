package enroll

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"twokey/device"
	"twokey/factor"
	"twokey/secrets"
	"twokey/state"
)

func TestADraftWritesNothing(t *testing.T) {
	u, data := scratch(t)
	d, err := u.Draft(alice, usual())
	must(t, err)
	if !u.Confirm(d, code(t, u, d, 0), 1) {
		t.Error("the right code does not confirm")
	}
	holds(t, data)
}

func TestCommitPutsTheDeviceInForce(t *testing.T) {
	for method, r := range map[string]Request{"totp": usual(), "hotp": counter()} {
		t.Run(method, func(t *testing.T) {
			u, data := scratch(t)
			d := enrolled(t, u, alice, r)
			must(t, login(u, alice, code(t, u, d, 0)))
			want(t, login(u, alice, code(t, u, d, 0)), device.ErrReplayed)
			for _, recovery := range d.RecoveryCodes {
				must(t, login(u, alice, recovery))
				want(t, login(u, alice, recovery), device.ErrReplayed)
			}
			if name, err := u.State.NameOf(alice.UID); err != nil || name != "alice" {
				t.Errorf("user id 1000 belongs to %q, %v", name, err)
			}
			holds(t, data, "state/alice", "uids/1000", "users/alice.age")
		})
	}
}

func TestAConfirmedCodeIsUsedUp(t *testing.T) {
	for method, r := range map[string]Request{"totp": usual(), "hotp": counter()} {
		t.Run(method, func(t *testing.T) {
			u, _ := scratch(t)
			d, err := u.Draft(alice, r)
			must(t, err)
			for _, wrong := range []string{"", "000", "rubbish", d.RecoveryCodes[0], code(t, u, d, 0) + "0"} {
				if u.Confirm(d, wrong, 1) {
					t.Errorf("%q confirms", wrong)
				}
			}
			first := code(t, u, d, 0)
			if !u.Confirm(d, first, 1) || u.Confirm(d, first, 1) {
				t.Error("the first code does not confirm once and only once")
			}
			must(t, u.Commit(d))
			want(t, login(u, alice, first), device.ErrReplayed)
		})
	}
}

func TestDraftRefuses(t *testing.T) {
	u, _ := scratch(t)
	for why, change := range map[string]func(*Request){
		"three digits":             func(r *Request) { r.Params.Digits = 3 },
		"thirteen digits":          func(r *Request) { r.Params.Digits = 13 },
		"a period of nine seconds": func(r *Request) { r.Params.Period = 9 },
		"no method":                func(r *Request) { r.Params.Method = "" },
		"MD5":                      func(r *Request) { r.Params.Algorithm = "MD5" },
		"a short secret":           func(r *Request) { r.Params.Secret = make([]byte, 15) },
		"an empty secret":          func(r *Request) { r.Params.Secret = []byte{} },
		"a colon in the label":     func(r *Request) { r.Label = "a:b" },
		"a newline in the issuer":  func(r *Request) { r.Issuer = "a\nb" },
		"too many recovery codes":  func(r *Request) { r.Recovery = factor.MaxRecoveryCodes + 1 },
	} {
		r := usual()
		change(&r)
		if d, err := u.Draft(alice, r); err == nil || d != nil {
			t.Errorf("%s: %v, %v", why, d, err)
		}
	}
}

func TestADraftIsNeverPrinted(t *testing.T) {
	u, _ := scratch(t)
	d, err := u.Draft(alice, usual())
	must(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		text := fmt.Sprintf(verb, d)
		for _, secret := range append([]string{"otpauth", factor.EncodeSecret(d.Device.Secret), string(d.Device.Secret)}, d.RecoveryCodes...) {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %s", verb, text)
			}
		}
	}
}

func TestASecretIsRandomAndHas160Bits(t *testing.T) {
	u, _ := scratch(t)
	seen := map[string]bool{}
	for range 20 {
		d, err := u.Draft(alice, usual())
		must(t, err)
		if len(d.Device.Secret) != 20 || seen[string(d.Device.Secret)] || seen[string(d.Device.ID[:])] {
			t.Fatalf("secret %x, id %x", d.Device.Secret, d.Device.ID)
		}
		seen[string(d.Device.Secret)], seen[string(d.Device.ID[:])] = true, true
	}
}

func TestASecondEnrolmentIsRefusedAndChangesNothing(t *testing.T) {
	u, _ := scratch(t)
	d := enrolled(t, u, alice, usual())
	second, err := u.Draft(alice, usual())
	must(t, err)
	want(t, u.Commit(second), ErrEnrolled)
	must(t, login(u, alice, code(t, u, d, 0)))
	want(t, login(u, alice, code(t, u, second, 0)), device.ErrWrong)
}

func TestReplaceEndsTheOldDeviceForGood(t *testing.T) {
	u, data := scratch(t)
	old := enrolled(t, u, alice, usual())
	copyFile(t, fileOf(data, "alice"), data+"/kept")
	d := enrolled(t, u, alice, replacing(usual()))
	must(t, login(u, alice, code(t, u, d, 0)))
	want(t, login(u, alice, code(t, u, old, 0)), device.ErrWrong)
	want(t, login(u, alice, old.RecoveryCodes[0]), device.ErrWrong)
	copyFile(t, data+"/kept", fileOf(data, "alice"))
	want(t, login(u, alice, code(t, u, old, 0)), device.ErrRolledBack)
}

func TestASecretThatTheUserHasIsRefused(t *testing.T) {
	u, _ := scratch(t)
	d := enrolled(t, u, alice, counter())
	must(t, login(u, alice, code(t, u, d, 0)))
	again := replacing(counter())
	again.Params.Secret = d.Device.Secret
	draft, err := u.Draft(alice, again)
	must(t, err)
	want(t, u.Commit(draft), ErrSameSecret)
	want(t, login(u, alice, code(t, u, d, 0)), device.ErrReplayed)
	must(t, login(u, alice, code(t, u, d, 1)))
}

func TestReplaceTakesThePlaceOfWhatCannotBeRead(t *testing.T) {
	for what, spoil := range map[string]func(t *testing.T, data string){
		"random bytes in the secret file": func(t *testing.T, data string) { garble(t, fileOf(data, "alice")) },
		"another user's secret file":      func(t *testing.T, data string) { copyFile(t, fileOf(data, "bob"), fileOf(data, "alice")) },
		"a readable secret file":          func(t *testing.T, data string) { must(t, os.Chmod(fileOf(data, "alice"), 0o644)) },
		"a foreign secret file":           func(t *testing.T, data string) { must(t, os.Chown(fileOf(data, "alice"), 1000, 1000)) },
		"a symbolic link": func(t *testing.T, data string) {
			must(t, os.Remove(fileOf(data, "alice")))
			must(t, os.Symlink("bob.age", fileOf(data, "alice")))
		},
		"random bytes in the state": func(t *testing.T, data string) { garble(t, data+"/state/alice") },
		"another user's state":      func(t *testing.T, data string) { copyFile(t, data+"/state/bob", data+"/state/alice") },
		"no state":                  func(t *testing.T, data string) { must(t, os.Remove(data+"/state/alice")) },
	} {
		t.Run(what, func(t *testing.T) {
			u, data := scratch(t)
			other := enrolled(t, u, bob, usual())
			old := enrolled(t, u, alice, usual())
			spoil(t, data)
			if draft, err := u.Draft(alice, usual()); err != nil || u.Commit(draft) == nil {
				t.Errorf("enrolled without replace: %v", err)
			}
			d := enrolled(t, u, alice, replacing(usual()))
			must(t, login(u, alice, code(t, u, d, 0)))
			must(t, login(u, alice, d.RecoveryCodes[0]))
			want(t, login(u, alice, code(t, u, old, 0)), device.ErrWrong)
			must(t, login(u, bob, code(t, u, other, 0)))
		})
	}
}

// A fresh state would make used codes and recovery codes good again, if the enrolment were killed or failed behind it.
func TestAFailedReplaceDoesNotOpenUsedCodesOfALostState(t *testing.T) {
	for what, spoil := range map[string]func(path string) error{
		"the state is lost":    os.Remove,
		"the state is damaged": func(path string) error { return os.WriteFile(path, make([]byte, 12288), 0o600) },
	} {
		t.Run(what, func(t *testing.T) {
			u, data := scratch(t)
			d := enrolled(t, u, alice, usual())
			used := d.RecoveryCodes[0]
			must(t, login(u, alice, used))
			must(t, spoil(data+"/state/alice"))
			same := replacing(usual())
			same.Params.Secret = d.Device.Secret
			draft, err := u.Draft(alice, same)
			must(t, err)
			want(t, u.Commit(draft), ErrSameSecret)
			want(t, login(u, alice, used), device.ErrRestored)
			want(t, login(u, alice, d.RecoveryCodes[1]), device.ErrRestored)
		})
	}
}

func TestAFailedReplaceOfAnUnreadableFileDoesNotOpenUsedCodesEither(t *testing.T) {
	u, data := scratch(t)
	d := enrolled(t, u, alice, usual())
	must(t, login(u, alice, d.RecoveryCodes[0]))
	copyFile(t, fileOf(data, "alice"), data+"/kept")
	garble(t, fileOf(data, "alice"))
	must(t, os.Remove(data+"/state/alice"))
	draft, err := u.Draft(alice, replacing(usual()))
	must(t, err)
	draft.Device.Name = tooLong
	if err := u.Commit(draft); err == nil {
		t.Fatal("enrolled with a name that is too long")
	}
	copyFile(t, data+"/kept", fileOf(data, "alice"))
	want(t, login(u, alice, d.RecoveryCodes[0]), device.ErrRestored)
}

// tooLong is the name of a device for which the secret file has no room.
var tooLong = strings.Repeat("x", 33)

func TestAnotherAccountIsRefused(t *testing.T) {
	u, _ := scratch(t)
	enrolled(t, u, alice, usual())
	for why, c := range map[string]struct {
		account Account
		err     error
	}{
		"the same name with another number": {Account{"alice", 2000}, ErrOtherUID},
		"the same number with another name": {Account{"alicia", 1000}, ErrOtherName},
	} {
		draft, err := u.Draft(c.account, replacing(usual()))
		must(t, err)
		if err := u.Commit(draft); err == nil {
			t.Errorf("%s: enrolled", why)
		} else {
			want(t, err, c.err)
		}
	}
}

func TestAnAccountMadeAgainAfterUnenrollIsFree(t *testing.T) {
	u, data := scratch(t)
	enrolled(t, u, alice, usual())
	must(t, u.Unenroll("alice"))
	d := enrolled(t, u, Account{"alicia", 1000}, usual())
	must(t, login(u, Account{"alicia", 1000}, code(t, u, d, 0)))
	again := enrolled(t, u, Account{"alice", 2000}, usual())
	must(t, login(u, Account{"alice", 2000}, code(t, u, again, 0)))
	holds(t, data, "state/alice", "state/alicia", "uids/1000", "uids/2000", "users/alice.age", "users/alicia.age")
}

// The number of an account that was reset, deleted and made again under another one must not stay taken.
func TestEnrolmentFreesTheNumberThatTheAccountHadBefore(t *testing.T) {
	u, data := scratch(t)
	enrolled(t, u, alice, usual())
	must(t, u.Reset("alice"))
	enrolled(t, u, Account{"alice", 2000}, usual())
	holds(t, data, "state/alice", "uids/2000", "users/alice.age")
	enrolled(t, u, Account{"newcomer", 1000}, usual())
}

func TestAFailedEnrolmentLeavesNothing(t *testing.T) {
	u, data := scratch(t)
	d, err := u.Draft(alice, usual())
	must(t, err)
	d.Device.Name = tooLong
	if err := u.Commit(d); err == nil {
		t.Fatal("enrolled with a name that is too long")
	}
	holds(t, data)
}

// One enrolment that fails takes the state away which it has made; another one may be waiting for it.
func TestEnrolmentsAtOnceOfWhichOneFails(t *testing.T) {
	u, _ := scratch(t)
	for range 40 {
		bad, err := u.Draft(alice, usual())
		must(t, err)
		bad.Device.Name = tooLong
		good, err := u.Draft(alice, usual())
		must(t, err)
		var group sync.WaitGroup
		group.Go(func() {
			if u.Commit(bad) == nil {
				t.Error("enrolled with a name that is too long")
			}
		})
		err = u.Commit(good)
		group.Wait()
		must(t, err)
		must(t, login(u, alice, good.RecoveryCodes[0]))
		must(t, u.Unenroll("alice"))
		must(t, u.State.Remove("alice"))
	}
}

func TestEnrolmentsAtOnce(t *testing.T) {
	u, _ := scratch(t)
	for range 20 {
		var drafts []*Draft
		for range 4 {
			d, err := u.Draft(alice, usual())
			must(t, err)
			drafts = append(drafts, d)
		}
		results := make([]error, len(drafts))
		var group sync.WaitGroup
		for i, d := range drafts {
			group.Go(func() { results[i] = u.Commit(d) })
		}
		group.Wait()
		var winner *Draft
		for i, err := range results {
			if err == nil && winner == nil {
				winner = drafts[i]
			} else {
				want(t, err, ErrEnrolled)
			}
		}
		if winner == nil {
			t.Fatal("nobody is enrolled")
		}
		must(t, login(u, alice, code(t, u, winner, 0)))
		must(t, login(u, alice, winner.RecoveryCodes[0])) // a state that had been taken away would have closed them
		must(t, u.Unenroll("alice"))
	}
}

func TestEnrolmentWhileLoginsRun(t *testing.T) {
	u, _ := scratch(t)
	enrolled(t, u, alice, counter())
	stop := make(chan struct{})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				// Whoever has read the secret file just before it was replaced finds that it is not the newest any more.
				err := login(u, alice, "0000000")
				if !errors.Is(err, device.ErrWrong) && !errors.Is(err, device.ErrRolledBack) {
					t.Errorf("a login in between: %v", err)
				}
			}
		})
	}
	var last *Draft
	for range 30 {
		last = enrolled(t, u, alice, replacing(counter()))
	}
	close(stop)
	group.Wait()
	must(t, login(u, alice, code(t, u, last, 1)))
}

func TestCreateDecoysMakesWhatIsMissingAndLooksLikeTheUsual(t *testing.T) {
	u, data := scratch(t)
	must(t, u.CreateDecoys())
	first, err := u.Secrets.LoadDecoy()
	must(t, err)
	must(t, u.CreateDecoys())
	second, err := u.Secrets.LoadDecoy()
	must(t, err)
	if first.Serial != second.Serial || first.Devices[0].ID != second.Devices[0].ID {
		t.Error("the second run made another decoy")
	}
	if len(first.Devices) != 1 || first.Devices[0].Method != "totp" || len(first.Recovery.Hashes) != 10 {
		t.Errorf("%v", first)
	}
	for _, name := range []string{"alice", "bob", "", "\x00decoy"} {
		if _, err := u.State.Read(state.Decoy(name)); err != nil {
			t.Errorf("decoy of %q: %v", name, err)
		}
	}
	must(t, os.Remove(data+"/state/%00decoy3"))
	must(t, u.CreateDecoys())
	if entries, err := os.ReadDir(data + "/state"); err != nil || len(entries) != 8 {
		t.Errorf("%d decoys, %v", len(entries), err)
	}
}

func TestTheSerialGrowsAlsoWhenTheClockIsSetBack(t *testing.T) {
	u, _ := scratch(t)
	enrolled(t, u, alice, usual())
	before, err := u.Secrets.Load("alice")
	must(t, err)
	u.Now = func() time.Time { return time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC) }
	d := enrolled(t, u, alice, replacing(usual()))
	after, err := u.Secrets.Load("alice")
	must(t, err)
	if after.Serial <= before.Serial {
		t.Errorf("serial %d behind %d", after.Serial, before.Serial)
	}
	must(t, login(u, alice, code(t, u, d, 0)))
	if secrets.NextSerial(after.Serial, u.Now()) != after.Serial+1 {
		t.Error("the clock decided")
	}
}

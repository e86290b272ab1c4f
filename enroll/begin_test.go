package enroll

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"twokey/device"
	"twokey/factor"
)

func begun(t testing.TB, u *Users, a Account, r Request) *Draft {
	t.Helper()
	d, err := u.Begin(a, r)
	must(t, err)
	return d
}

func TestAnUnfinishedEnrolmentIsGoodForNothing(t *testing.T) {
	u, data := scratch(t)
	d := begun(t, u, alice, usual())
	holds(t, data, "enrolling/alice")
	if isEnrolled(t, u, "alice") || login(u, alice, code2(t, u, d)) == nil || login(u, alice, d.RecoveryCodes[0]) == nil {
		t.Error("it lets in")
	}
}

// code2 is what the device of the draft shows now.
func code2(t testing.TB, u *Users, d *Draft) string { return code(t, u, d, 0) }

func TestABeginningIsShownAgainForAQuarterOfAnHour(t *testing.T) {
	u, _, turn := clocked(t)
	first := begun(t, u, alice, usual())
	same := func() bool {
		again := begun(t, openAgain(t, u), alice, usual())
		return again.URI == first.URI && strings.Join(again.RecoveryCodes, " ") == strings.Join(first.RecoveryCodes, " ") && again.Device.ID == first.Device.ID
	}
	if !same() {
		t.Error("another at once")
	}
	turn(keptFor - time.Second)
	if !same() {
		t.Error("another before a quarter of an hour")
	}
	turn(2 * time.Second)
	if same() {
		t.Error("the same after a quarter of an hour")
	}
	want(t, u.Finish(first), ErrEnded)
}

// openAgain is the same users in another process, as far as that can be.
func openAgain(t testing.TB, u *Users) *Users {
	again := openUsers(t, u.State.Data())
	again.Now = u.Now
	return again
}

func TestAnotherWishIsAnotherDraft(t *testing.T) {
	for sentence, change := range map[string]func(*Request){
		"another name":           func(r *Request) { r.Device = "tablet" },
		"another method":         func(r *Request) { r.Params.Method, r.Params.Period = factor.HOTP, 0 },
		"more digits":            func(r *Request) { r.Params.Digits = 8 },
		"a longer period":        func(r *Request) { r.Params.Period = 60 },
		"another algorithm":      func(r *Request) { r.Params.Algorithm = factor.SHA256 },
		"another issuer":         func(r *Request) { r.Issuer = "Elsewhere" },
		"another label":          func(r *Request) { r.Label = "alice@elsewhere" },
		"no recovery codes":      func(r *Request) { r.Recovery = 0 },
		"more recovery codes":    func(r *Request) { r.Recovery++ },
		"an end":                 func(r *Request) { r.Until = time.Now().Add(time.Hour) },
		"a secret of the user's": func(r *Request) { r.Params.Secret = []byte("a secret of 20 bytes") },
		"a telephone number":     func(r *Request) { r.Phone = "+442079460948" },
	} {
		u, _ := scratch(t)
		first := begun(t, u, alice, usual())
		r := usual()
		change(&r)
		d := begun(t, u, alice, r)
		if d.Device.ID == first.Device.ID {
			t.Errorf("%s: the same draft", sentence)
		}
		if err := u.Finish(first); !errors.Is(err, ErrEnded) {
			t.Errorf("%s: the first finishes: %v", sentence, err)
		}
		must(t, u.Finish(d))
	}
}

// The thief has given the code, and waits at the next question until the owner has another.
func TestNothingBeginsForACodeThatWasEndedSince(t *testing.T) {
	for sentence, c := range map[string]struct {
		end    func(*Users, func(time.Duration)) error
		reason error
	}{
		"nothing":      {func(*Users, func(time.Duration)) error { return nil }, nil},
		"another code": {func(u *Users, _ func(time.Duration)) error { return third(u.NewCode(alice, time.Hour)) }, ErrEnded},
		"no code":      {func(u *Users, _ func(time.Duration)) error { return u.EndCode("alice") }, ErrEnded},
		"a reset":      {func(u *Users, _ func(time.Duration)) error { return u.Reset("alice") }, ErrEnded},
		"another number": {func(u *Users, _ func(time.Duration)) error {
			return errors.Join(u.EndCode("alice"), third(u.NewCode(Account{"alice", 2000}, time.Hour)))
		}, ErrEnded},
		"its time": {func(_ *Users, turn func(time.Duration)) error { turn(48 * time.Hour); return nil }, ErrCodeEnded},
	} {
		u, data, turn := clocked(t)
		enrolled(t, u, alice, usual())
		must(t, u.Reset("alice"))
		r := usual()
		r.Code = newCodeFor(t, u, alice)
		must(t, u.CheckCode(alice, r.Code))
		must(t, c.end(u, turn))
		d, err := u.Begin(alice, r)
		if !errors.Is(err, c.reason) || (d != nil) != (c.reason == nil) {
			t.Errorf("%s: %v, %v", sentence, d, err)
		}
		if n, err := u.readUnfinished("alice"); err != nil || c.reason != nil && n != nil && n.draft != nil {
			t.Errorf("%s: %v, %v, in %s", sentence, n, err, data)
		}
	}
}

func third(_ string, _ time.Time, err error) error { return err }

// Somebody who has password and code photographs the picture and goes. The owner, who is elsewhere, must not link the same secret.
func TestABeginningIsNotShownElsewhere(t *testing.T) {
	u, _ := scratch(t)
	thief, owner := usual(), usual()
	thief.From, owner.From = "198.51.100.9", "192.0.2.7"
	seen := begun(t, u, alice, thief)
	if again := begun(t, openAgain(t, u), alice, thief); again.URI != seen.URI {
		t.Error("from the same place it is another")
	}
	d := begun(t, openAgain(t, u), alice, owner)
	if d.URI == seen.URI || d.RecoveryCodes[0] == seen.RecoveryCodes[0] || d.Device.ID == seen.Device.ID {
		t.Error("shown elsewhere")
	}
	want(t, u.Finish(seen), ErrEnded)
	must(t, u.Finish(d))
}

func TestFinishPutsTheDraftInForceOnce(t *testing.T) {
	for method, r := range map[string]Request{"totp": usual(), "hotp": counter()} {
		t.Run(method, func(t *testing.T) {
			u, data := scratch(t)
			text := newCodeFor(t, u, alice)
			r.By = "himself"
			begun(t, u, alice, r)
			d := begun(t, openAgain(t, u), alice, r)
			first := code2(t, u, d)
			if !u.Confirm(d, first, 1) {
				t.Fatal("the right code does not confirm")
			}
			must(t, u.Finish(d))
			want(t, login(u, alice, first), device.ErrReplayed)
			must(t, login(u, alice, d.RecoveryCodes[1]))
			want(t, u.CheckCode(alice, text), ErrNoCode)
			want(t, u.Finish(d), ErrEnded)
			st, err := u.State.Read("alice")
			must(t, err)
			if notices := st.TakeNotices(); len(notices) != 1 || notices[0].By != "himself" {
				t.Errorf("notices %+v", notices)
			}
			holds(t, data, "state/alice", "uids/1000", "users/alice.age")
			if _, err := u.Begin(alice, usual()); !errors.Is(err, ErrEnrolled) {
				t.Errorf("it begins again: %v", err)
			}
			holds(t, data, "state/alice", "uids/1000", "users/alice.age")
		})
	}
}

func TestOfTwoThatFinishOneWins(t *testing.T) {
	for sentence, second := range map[string]Request{"the same draft": usual(), "another draft": counter()} {
		u, _ := scratch(t)
		newCodeFor(t, u, alice)
		drafts := []*Draft{begun(t, u, alice, usual()), begun(t, openAgain(t, u), alice, second)}
		var errs [8]error
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { errs[i] = u.Finish(drafts[i%2]) })
		}
		all.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, ErrEnded) {
				t.Errorf("%s: %v", sentence, err)
			}
		}
		if won != 1 {
			t.Errorf("%s: %d have won: %v", sentence, won, errs)
		}
	}
}

// Attack: begin with a stolen password before the reset, and finish behind it.
func TestAResetWhileOthersFinishEndsAllOrComesAfter(t *testing.T) {
	u, _ := scratch(t)
	for range 20 {
		if isEnrolled(t, u, "alice") {
			must(t, u.Reset("alice"))
		}
		enrolled(t, u, alice, usual())
		must(t, u.Reset("alice"))
		d := begun(t, u, alice, usual())
		var all sync.WaitGroup
		var finished error
		all.Go(func() { finished = u.Finish(d) })
		all.Go(func() { must(t, u.Reset("alice")) })
		all.Wait()
		if isEnrolled(t, u, "alice") {
			t.Fatalf("enrolled behind the reset (%v)", finished)
		}
		want(t, u.Finish(d), ErrEnded)
	}
}

// Attack: put the kept draft of another user, which one can open, in the place of the victim's.
func TestADraftOfAnotherUserIsNotShown(t *testing.T) {
	u, _ := scratch(t)
	mine := begun(t, u, bob, usual())
	n, err := u.readUnfinished("bob")
	must(t, err)
	must(t, u.change(alice, func(victim *unfinished) error { victim.draft = n.draft; return nil }))
	if d := begun(t, u, alice, usual()); d.Device.ID == mine.Device.ID || string(d.Device.Secret) == string(mine.Device.Secret) {
		t.Error("alice is shown bob's draft")
	}
}

// Attack: have the draft that one has seen stand for another that its owner is about to confirm.
func TestADraftUnderAnotherIDIsNotShown(t *testing.T) {
	u, _ := scratch(t)
	first := begun(t, u, alice, usual())
	must(t, u.change(alice, func(n *unfinished) error { n.draft.id[0]++; return nil }))
	if d := begun(t, u, alice, usual()); d.Device.ID == first.Device.ID {
		t.Error("it is shown")
	}
}

func TestADraftIsNotFinishedForAnotherUserID(t *testing.T) {
	u, data := scratch(t)
	d := begun(t, u, alice, usual())
	d.Account.UID = 2000
	want(t, u.Finish(d), ErrEnded)
	holds(t, data, "enrolling/alice")
}

func TestADraftOfAnotherUserIDIsNotShown(t *testing.T) {
	u, _ := scratch(t)
	d := begun(t, u, alice, usual())
	again := Account{"alice", 2000}
	if other := begun(t, u, again, usual()); other.Device.ID == d.Device.ID {
		t.Error("shown to another user id")
	}
	want(t, u.Finish(d), ErrEnded)
}

func TestTheFullestDraftIsKept(t *testing.T) {
	u, _ := scratch(t)
	long := strings.Repeat(`"`, 256)
	r := Request{Device: strings.Repeat("d", 32), From: strings.Repeat("<", 32), Issuer: "Example", Label: long, Recovery: 20, Phone: "+442079460948", Until: time.Now().Add(time.Hour),
		Params: factor.Params{Method: factor.TOTP, Digits: 8, Period: 30, Algorithm: factor.SHA512, Secret: []byte(strings.Repeat("s", 128))}}
	d := begun(t, u, alice, r)
	must(t, u.change(alice, func(n *unfinished) error {
		_, n.code, _ = newCode()
		n.code.until = u.Now()
		for i := range maxWaiting {
			n.waiting = append(n.waiting, Announcement{Process: process(i), Service: strings.Repeat("s", maxService), Time: u.Now()})
		}
		for i := range maxLacking {
			n.lacking = append(n.lacking, lacking{strings.Repeat(string(rune('a'+i)), maxService), u.Now()})
		}
		return nil
	}))
	if again := begun(t, u, alice, r); again.URI != d.URI {
		t.Error("another draft")
	}
}

func TestNothingBeginsForAUserIDThatIsAnothers(t *testing.T) {
	u, data := scratch(t)
	enrolled(t, u, Account{"mallory", alice.UID}, usual())
	before := left(t, data)
	d, err := u.Begin(alice, usual())
	want(t, err, ErrOtherName)
	if d != nil {
		t.Error("it has a draft")
	}
	holds(t, data, before...)
}

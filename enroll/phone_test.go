package enroll

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"twokey/device"
	"twokey/factor"
	"twokey/internal/proc"
	"twokey/secrets"
	"twokey/state"
)

const (
	number      = "+442079460958"
	otherNumber = "+442079460948"
)

func ofPhone(method string) Request {
	return Request{Device: method, Params: factor.Params{Method: factor.Method(method)}, Phone: number, Provider: "ntfy", By: "root (carol)"}
}

func besides(r Request) Request {
	r.Add = true
	return r
}

// setOf is what the user can answer with now.
func setOf(t testing.TB, u *Users, user string) (*device.Set, *secrets.Record) {
	t.Helper()
	record, err := u.Secrets.Load(user)
	must(t, err)
	st, err := u.State.Read(user)
	must(t, err)
	set, err := device.Join(st, record, 1, u.Now())
	must(t, err)
	return set, record
}

// opened sends a text to alice and has a push on her phone.
func opened(t testing.TB, u *Users) {
	t.Helper()
	self, err := proc.Self()
	must(t, err)
	must(t, u.State.Update("alice", func(tx *state.Tx) error {
		now := u.Now()
		m := &state.Messages{Confirmed: [8]byte{1}, Push: &state.OpenPush{ID: state.ID{1}, Process: self, Until: now.Add(time.Minute)}}
		m.AddText(state.TextCode{ID: state.ID{1}, Until: now.Add(time.Minute)}, now)
		return tx.SaveMessages(m)
	}))
}

func messagesOf(t testing.TB, u *Users, user string) *state.Messages {
	t.Helper()
	m, err := u.State.Messages(user, u.Now())
	must(t, err)
	return m
}

func TestDevicesOfSMSAndPush(t *testing.T) {
	u, data := scratch(t)
	enrolled(t, u, alice, ofPhone("sms"))
	enrolled(t, u, alice, besides(ofPhone("push")))
	set, record := setOf(t, u, "alice")
	if got := set.OutOfBand(); !slices.Equal(got, []string{"sms", "push"}) || set.Codes() || record.Phone != number || record.PhoneConfirmed {
		t.Errorf("%q, codes: %v, phone %q, confirmed: %v", got, set.Codes(), record.Phone, record.PhoneConfirmed)
	}
	if a, b := set.SecretOf("sms"), set.SecretOf("push"); len(a) != 32 || len(b) != 32 || string(a) == string(b) {
		t.Errorf("secrets of %d and %d bytes", len(a), len(b))
	}
	holds(t, data, "messages/alice", "state/alice", "texts", "uids/1000", "users/alice.age")
	for _, method := range []string{"sms", "push"} {
		r := besides(ofPhone(method))
		r.Device = "another"
		want(t, commitAs(u, r), ErrSamePhone)
	}
	must(t, u.Unenroll("alice"))
	holds(t, data, "state/alice", "texts")
}

func TestWhatADeviceOfAPhoneIsNotMadeOf(t *testing.T) {
	u, _ := scratch(t)
	for sentence, change := range map[string]func(*Request){
		"no number":        func(r *Request) { r.Phone = "" },
		"a short secret":   func(r *Request) { r.Params.Secret = make([]byte, 20) },
		"digits":           func(r *Request) { r.Params.Digits = 6 },
		"a period":         func(r *Request) { r.Params.Period = 30 },
		"an algorithm":     func(r *Request) { r.Params.Algorithm = factor.SHA1 },
		"a counter":        func(r *Request) { r.Counter = 1 },
		"a number of text": func(r *Request) { r.Phone = "the red one" },
	} {
		r := ofPhone("sms")
		change(&r)
		if err := commitAs(u, r); err == nil {
			t.Errorf("%s: taken", sentence)
		}
	}
	if enrolled, err := u.Secrets.Enrolled("alice"); enrolled || err != nil {
		t.Errorf("enrolled: %v, %v", enrolled, err)
	}
}

func TestANumberCountsWhenItsCodeHasComeBack(t *testing.T) {
	for sentence, c := range map[string]struct {
		answer    func(u *Users, d *Draft, code string) bool
		confirmed bool
	}{
		"the code":        {func(u *Users, d *Draft, code string) bool { return u.Confirm(d, " "+code+" ", 1) }, true},
		"nothing":         {func(u *Users, d *Draft, code string) bool { return u.Confirm(d, "", 1) }, false},
		"twice the code":  {func(u *Users, d *Draft, code string) bool { u.Confirm(d, code, 1); return !u.Confirm(d, code, 1) }, true},
		"the third is it": {func(u *Users, d *Draft, code string) bool { wrong(u, d, 2); return u.Confirm(d, code, 1) }, true},
		"three are wrong": {func(u *Users, d *Draft, code string) bool { wrong(u, d, 3); return u.Confirm(d, code, 1) }, false},
		"that of the one before": {func(u *Users, d *Draft, code string) bool {
			if _, err := d.Challenge(6, u.Now().Add(time.Minute)); err != nil {
				return true
			}
			return u.Confirm(d, code, 1)
		}, false},
		"too late": {func(u *Users, d *Draft, code string) bool {
			later := u.Now().Add(time.Minute)
			u.Now = func() time.Time { return later }
			return u.Confirm(d, code, 1)
		}, false},
	} {
		u, _ := scratch(t)
		d, err := u.Draft(alice, ofPhone("sms"))
		must(t, err)
		code, err := d.Challenge(10, u.Now().Add(time.Minute))
		if err != nil || len(code) != 10 || d.Phone() != number {
			t.Fatalf("%v, %d digits to %q", err, len(code), d.Phone())
		}
		if got := c.answer(u, d, code); got != c.confirmed || d.Confirmed() != c.confirmed {
			t.Errorf("%s: %v, confirmed: %v", sentence, got, d.Confirmed())
		}
		must(t, u.Commit(d))
		if _, record := setOf(t, u, "alice"); record.PhoneConfirmed != c.confirmed {
			t.Errorf("%s: in the file %v", sentence, record.PhoneConfirmed)
		}
	}
}

// wrong gives so many wrong answers.
func wrong(u *Users, d *Draft, n int) {
	for range n {
		u.Confirm(d, "0000000000000", 1)
	}
}

func TestChallengesAreOfSMSAndAnswersOfPush(t *testing.T) {
	u, _ := scratch(t)
	sms, err := u.Draft(alice, ofPhone("sms"))
	must(t, err)
	push, err := u.Draft(alice, ofPhone("push"))
	must(t, err)
	app, err := u.Draft(alice, usual())
	must(t, err)
	for _, d := range []*Draft{push, app} {
		code, err := d.Challenge(6, u.Now().Add(time.Minute))
		if want(t, err, ErrNotOfPhone); code != "" || u.Confirm(d, code, 1) {
			t.Errorf("%v has a challenge", d)
		}
	}
	want(t, sms.ConfirmPush(), ErrNotOfPhone)
	want(t, app.ConfirmPush(), ErrNotOfPhone)
	want(t, push.ConfirmPush(), nil)
	if sms.Confirmed() || app.Confirmed() || !push.Confirmed() {
		t.Error("another than that of push is confirmed")
	}
}

// Attack: enrol the phone of somebody else, or one that nobody has, over the login with a stolen password.
func TestNobodyFinishesAnEnrolmentOfAPhoneThatHasNotAnswered(t *testing.T) {
	for _, method := range []string{"sms", "push"} {
		u, _ := scratch(t)
		r := ofPhone(method)
		d, err := u.Begin(alice, r)
		must(t, err)
		want(t, u.Finish(d), ErrUnconfirmed)
		again, err := u.Begin(alice, r)
		if err != nil || again.Device.ID != d.Device.ID || again.Phone() != number || again.Confirmed() || again.Device.Method != method {
			t.Fatalf("begun again: %v, %v, to %q", err, again, again.Phone())
		}
		if method == "push" {
			must(t, again.ConfirmPush())
		} else if code, err := again.Challenge(6, u.Now().Add(time.Minute)); err != nil || !u.Confirm(again, code, 0) {
			t.Fatal(err)
		}
		must(t, u.Finish(again))
		if _, record := setOf(t, u, "alice"); record.PhoneConfirmed != (method == "sms") {
			t.Errorf("%s: confirmed: %v", method, record.PhoneConfirmed)
		}
	}
}

func TestWhatEndsWhatIsOpenOnAPhone(t *testing.T) {
	for sentence, c := range map[string]struct {
		act  func(*Users) error
		ends bool
	}{
		"a reset":                           {func(u *Users) error { return u.Reset("alice") }, true},
		"the end of all":                    {func(u *Users) error { return u.Unenroll("alice") }, true},
		"the end of the device of sms":      {func(u *Users) error { return u.RemoveDevice("alice", "sms") }, true},
		"the end of the device of push":     {func(u *Users) error { return u.RemoveDevice("alice", "push") }, true},
		"another number":                    {func(u *Users) error { return u.ChangePhone("alice", otherNumber, true) }, true},
		"another number by a list":          {func(u *Users) error { n := otherNumber; return u.Alter(alice, Alteration{Phone: &n}) }, true},
		"an end of the device by a list":    {func(u *Users) error { return u.Alter(alice, Alteration{Remove: []string{"sms"}}) }, true},
		"devices in the place of others":    {func(u *Users) error { return commitAs(u, replacing(usual())) }, true},
		"phones in the place of others":     {func(u *Users) error { return commitAs(u, replacing(ofPhone("sms"))) }, true},
		"another name":                      {func(u *Users) error { return u.RenameDevice("alice", "sms", "texts") }, false},
		"the end of another device":         {func(u *Users) error { return u.RemoveDevice("alice", "phone") }, false},
		"the same number":                   {func(u *Users) error { return u.ChangePhone("alice", number, true) }, false},
		"an empty throttle":                 {func(u *Users) error { return u.Unlock("alice") }, false},
		"sources that are not known longer": {func(u *Users) error { _, _, err := u.Forget("alice"); return err }, false},
	} {
		u, _ := scratch(t)
		enrolled(t, u, alice, usual())
		enrolled(t, u, alice, besides(ofPhone("sms")))
		enrolled(t, u, alice, besides(ofPhone("push")))
		opened(t, u)
		must(t, c.act(u))
		m := messagesOf(t, u, "alice")
		if ended := m.Code == nil && m.Push == nil && m.Confirmed == [8]byte{}; ended != c.ends {
			t.Errorf("%s: %+v is left", sentence, m)
		}
		if len(m.Texts) != 1 && sentence != "the end of all" {
			t.Errorf("%s: %d texts are counted, want the one that was sent", sentence, len(m.Texts))
		}
	}
}

func TestDevicesInThePlaceOfAFileThatCannotBeReadEndWhatIsOpen(t *testing.T) {
	u, data := scratch(t)
	enrolled(t, u, alice, ofPhone("sms"))
	opened(t, u)
	garble(t, fileOf(data, "alice"))
	enrolled(t, u, alice, replacing(usual()))
	if m := messagesOf(t, u, "alice"); m.Code != nil || m.Push != nil {
		t.Errorf("%+v is left", m)
	}
}

func TestNumbersAndTheLastPhone(t *testing.T) {
	u, _ := scratch(t)
	enrolled(t, u, alice, ofPhone("sms"))
	want(t, u.RemoveDevice("alice", "sms"), ErrLastDevice)
	want(t, u.ChangePhone("alice", "", true), ErrNoPhone)
	none := ""
	want(t, u.Alter(alice, Alteration{Phone: &none}), ErrNoPhone)
	must(t, u.ChangePhone("alice", otherNumber, true))
	if _, record := setOf(t, u, "alice"); record.Phone != otherNumber || !record.PhoneConfirmed {
		t.Errorf("%q, confirmed: %v", record.Phone, record.PhoneConfirmed)
	}
	must(t, u.ChangePhone("alice", number, false))
	if _, record := setOf(t, u, "alice"); record.PhoneConfirmed {
		t.Error("a number that the administrator gave is confirmed")
	}
	enrolled(t, u, alice, besides(ofPhone("push")))
	must(t, u.RemoveDevice("alice", "sms"))
	if _, record := setOf(t, u, "alice"); record.Phone != number {
		t.Errorf("without texts the number is %q, want it as a contact", record.Phone)
	}
	must(t, u.ChangePhone("alice", "", true))
}

// Attack: add and remove the device of sms, or be reset, to be sent more texts.
func TestNoChangeOfDevicesBuysTexts(t *testing.T) {
	u, _ := scratch(t)
	enrolled(t, u, alice, usual())
	for range 3 {
		must(t, u.TakeText(alice, 100))
	}
	var limit *state.LimitError
	for _, act := range []func(){
		func() { enrolled(t, u, alice, besides(ofPhone("sms"))) },
		func() { must(t, u.RemoveDevice("alice", "sms")) },
		func() { enrolled(t, u, alice, replacing(ofPhone("sms"))) },
		func() { must(t, u.Reset("alice")) },
	} {
		act()
		if err := u.TakeText(alice, 100); !errors.As(err, &limit) {
			t.Errorf("a fourth text: %v", err)
		}
	}
}

func TestTextsForWhoHasNothingYetAreCountedToo(t *testing.T) {
	u, _ := scratch(t)
	var taken, refused int
	var mutex sync.Mutex
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			err := u.TakeText(alice, 100)
			mutex.Lock()
			defer mutex.Unlock()
			var limit *state.LimitError
			if err == nil {
				taken++
			} else if errors.As(err, &limit) {
				refused++
			} else {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if taken != 3 || refused != 5 {
		t.Errorf("%d texts were taken and %d refused, want 3 of 8", taken, refused)
	}
	if n, err := u.State.TextsToday(u.Now()); n != 3 || err != nil {
		t.Errorf("%d of the host, %v", n, err)
	}
	want(t, u.TakeText(bob, 3), state.ErrHostLimit)
	d, err := u.Begin(alice, ofPhone("sms"))
	must(t, err)
	var limit *state.LimitError
	if err := u.TakeText(d.Account, 100); !errors.As(err, &limit) {
		t.Errorf("with a new beginning: %v", err)
	}
}

// Attack: with the password alone, let the owner's phone ring until he allows it.
func TestPushesOfAnEnrolmentAreCountedAsTexts(t *testing.T) {
	for name, enrol := range map[string]bool{"who has nothing yet": false, "who is enrolled": true} {
		u, _ := scratch(t)
		if enrol {
			enrolled(t, u, alice, usual())
		}
		must(t, u.TakePush(alice))
		must(t, u.TakeText(alice, 100))
		must(t, u.TakePush(alice))
		var limit *state.LimitError
		for _, take := range []func() error{func() error { return u.TakePush(alice) }, func() error { return u.TakeText(alice, 100) }} {
			if err := take(); !errors.As(err, &limit) {
				t.Errorf("%s: a fourth: %v", name, err)
			}
		}
		if n, err := u.State.TextsToday(u.Now()); n != 1 || err != nil {
			t.Errorf("%s: %d texts of the host, %v", name, n, err)
		}
		now := u.Now().Add(15 * time.Minute)
		u.Now = func() time.Time { return now }
		must(t, u.TakePush(alice))
	}
}

func TestTheTextsOfAnEnrolmentCountWhenItIsOver(t *testing.T) {
	for name, c := range map[string]struct {
		request Request
		begin   func(*Users, Account, Request) (*Draft, error)
		end     func(*Users, *Draft) error
	}{
		"a number":                              {ofPhone("sms"), (*Users).Begin, (*Users).Finish},
		"an app, after texts that did not come": {usual(), (*Users).Begin, (*Users).Finish},
		"a number, by the user himself":         {ofPhone("sms"), (*Users).Draft, (*Users).Commit},
		"an app, by the user himself":           {usual(), (*Users).Draft, (*Users).Commit},
	} {
		u, _ := scratch(t)
		for range 3 {
			must(t, u.TakeText(alice, 100))
		}
		d, err := c.begin(u, alice, c.request)
		must(t, err)
		if c.request.Phone != "" {
			code, err := d.Challenge(6, u.Now().Add(time.Minute))
			must(t, err)
			if !u.Confirm(d, code, 1) {
				t.Fatal("the code is not right")
			}
		}
		must(t, c.end(u, d))
		var limit *state.LimitError
		if err := u.TakeText(alice, 100); !errors.As(err, &limit) {
			t.Errorf("%s: a fourth text: %v", name, err)
		}
	}
}

func TestDamagedMessagesStopNoAppAndEndWithTheNextChange(t *testing.T) {
	u, data := scratch(t)
	app := enrolled(t, u, alice, usual())
	enrolled(t, u, alice, besides(ofPhone("sms")))
	garble(t, data+"/messages/alice")
	must(t, login(u, alice, code2(t, u, app)))
	if err := u.TakeText(alice, 100); !state.IsDamaged(err) {
		t.Errorf("a text: %v", err)
	}
	must(t, u.RenameDevice("alice", "sms", "texts"))
	must(t, u.TakeText(alice, 100))
}

func TestASecretOfAPhoneIsNotPrinted(t *testing.T) {
	u, _ := scratch(t)
	d, err := u.Draft(alice, ofPhone("sms"))
	must(t, err)
	code, err := d.Challenge(6, u.Now().Add(time.Minute))
	must(t, err)
	if text := fmt.Sprintf("%v %+v", d, d); strings.Contains(text, code) || strings.Contains(text, number) {
		t.Error("a draft is printed with its code or its number")
	}
}

// A phone counts with the provider that it was linked with, so that one is known for each.
func TestAPhoneIsLinkedWithItsProvider(t *testing.T) {
	u, _ := scratch(t)
	none := ofPhone("push")
	none.Provider = ""
	_, err := u.Draft(alice, none)
	want(t, err, ErrNoProvider)
	first, err := u.Begin(alice, ofPhone("push"))
	must(t, err)
	again, err := u.Begin(alice, ofPhone("push"))
	must(t, err)
	duo := ofPhone("push")
	duo.Provider = "duo"
	other, err := u.Begin(alice, duo)
	must(t, err)
	if first.Device.Provider != "ntfy" || again.Device.ID != first.Device.ID || other.Device.ID == first.Device.ID || other.Device.Provider != "duo" {
		t.Errorf("with %q, then %q", first.Device.Provider, other.Device.Provider)
	}
	must(t, other.ConfirmPush())
	must(t, u.Finish(other))
	if _, record := setOf(t, u, "alice"); record.Devices[0].Provider != "duo" {
		t.Errorf("%q is kept", record.Devices[0].Provider)
	}
	text, err := u.Draft(alice, ofPhone("sms"))
	must(t, err)
	if text.Device.Provider != "" {
		t.Errorf("texts are linked with %q", text.Device.Provider)
	}
}

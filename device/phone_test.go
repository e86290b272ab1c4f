package device

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"twokey/factor"
	"twokey/secrets"
	"twokey/state"
)

// sent is a device of sms or push.
func sent(number byte, method string) secrets.Device {
	d := secrets.Device{ID: secrets.ID{number}, Name: method, Method: method, Secret: bytes.Repeat([]byte{number}, 32), Created: noon.Add(-time.Hour)}
	if method == Push {
		d.Provider = "ntfy"
	}
	return d
}

func ofPhones(devices ...secrets.Device) *secrets.Record {
	r := record(7, recovery(1), devices...)
	r.Phone = "+442079460958"
	return r
}

func TestAPhoneMakesNoCodes(t *testing.T) {
	st := fresh()
	set := join(t, st, ofPhones(sent(1, SMS), sent(2, Push)))
	if set.Codes() || len(set.Lengths()) != 0 || !slices.Equal(set.OutOfBand(), []string{SMS, Push}) {
		t.Errorf("codes: %v of %v digits, by %q", set.Codes(), set.Lengths(), set.OutOfBand())
	}
	for _, typed := range []string{"000000", "0000", "000000000000"} {
		answer := factor.ParseAnswer(typed)
		if one, two := set.Fits(answer); one || two {
			t.Errorf("%s fits: %v, %v", typed, one, two)
		}
		for _, look := range []func(factor.Answer, time.Time, string) (Used, error){set.Code, set.Pair} {
			_, err := look(answer, noon, home)
			want(t, typed, err, ErrWrong)
		}
		if off, found := set.Offset(answer, noon); found {
			t.Errorf("%s is a code %v from now", typed, off)
		}
	}
	used, err := set.RecoveryCode(factor.ParseAnswer(recoveryCodes[0]))
	if err != nil || used.Left != 2 {
		t.Errorf("a recovery code: %+v, %v", used, err)
	}
}

func TestAPhoneBesideAnAppCostsNothing(t *testing.T) {
	alone, beside := join(t, fresh(), record(7, nil, phone(3))), join(t, fresh(), ofPhones(sent(1, SMS), phone(3), sent(2, Push)))
	oneAlone, twoAlone := alone.Cost()
	if one, two := beside.Cost(); one != oneAlone || two != twoAlone || !beside.Codes() || !slices.Equal(beside.Lengths(), []int{6}) {
		t.Errorf("it costs %d and %d, without phones %d and %d", one, two, oneAlone, twoAlone)
	}
	used, err := try(beside, shows(t, phone(3), 0))
	if err != nil || used.Method != "totp" {
		t.Errorf("%+v, %v", used, err)
	}
}

func TestWhatPhonesCount(t *testing.T) {
	expired := sent(1, SMS)
	expired.Until = noon
	for sentence, c := range map[string]struct {
		devices []secrets.Device
		only    []string
		left    []string
		sms     error // of a success by sms
		refusal error // of an answer that fits nothing
	}{
		"both":                      {[]secrets.Device{sent(1, SMS), sent(2, Push)}, nil, []string{SMS, Push}, nil, ErrWrong},
		"one that has expired":      {[]secrets.Device{expired, sent(2, Push)}, nil, []string{Push}, ErrExpired, ErrWrong},
		"expired and nothing else":  {[]secrets.Device{expired}, nil, nil, ErrExpired, ErrExpired},
		"none":                      {[]secrets.Device{phone(3)}, nil, nil, ErrMethod, ErrWrong},
		"the other one counts here": {[]secrets.Device{sent(1, SMS), sent(2, Push)}, []string{Push}, []string{Push}, ErrMethod, ErrWrong},
		"an app alone counts here":  {[]secrets.Device{sent(1, SMS), phone(3)}, []string{"totp"}, nil, ErrMethod, ErrWrong},
		"nothing of it counts here": {[]secrets.Device{sent(1, SMS)}, []string{"totp"}, nil, ErrMethod, ErrMethod},
	} {
		st := fresh()
		set := join(t, st, ofPhones(c.devices...))
		if c.only != nil {
			set.Only(c.only, "ntfy")
			set.Only([]string{SMS, Push, "totp"}, "ntfy") // brings nothing back
		}
		if got := set.OutOfBand(); !slices.Equal(got, c.left) {
			t.Errorf("%s: %q, want %q", sentence, got, c.left)
		}
		want(t, sentence+", an answer", set.Refusal(), c.refusal)
		used, err := set.UseOutOfBand(SMS, noon, home)
		want(t, sentence, err, c.sms)
		if there := set.SecretOf(SMS) != nil; there != (c.sms == nil) {
			t.Errorf("%s: there is a secret: %v", sentence, there)
		}
		changes := st.Device(state.ID{1})
		if c.sms == nil && (used != (Used{SMS, SMS, -1}) || changes.Used != noon || changes.From != home) {
			t.Errorf("%s: %+v, %+v", sentence, used, changes)
		}
		if c.sms != nil && (used != (Used{}) || changes != nil && !changes.Used.IsZero()) {
			t.Errorf("%s: %+v, %+v though it was refused", sentence, used, changes)
		}
	}
}

// Attack: put an old secret file back, with the phone that was lost.
func TestAPhoneThatWasRemovedStaysRemoved(t *testing.T) {
	st := fresh()
	join(t, st, ofPhones(sent(1, SMS), phone(3)))
	st.RemoveDevice(state.ID{1})
	later := ofPhones(sent(1, SMS), phone(3))
	later.Serial = 8
	set := join(t, st, later)
	if len(set.OutOfBand()) != 0 {
		t.Errorf("%q", set.OutOfBand())
	}
	_, err := set.UseOutOfBand(SMS, noon, home)
	want(t, "removed", err, ErrMethod)
}

func TestPhonesWorkWhenTheStateWasLost(t *testing.T) {
	r := ofPhones(sent(1, SMS), sent(2, Push), token(3))
	set := join(t, Restore(r, 1000, noon), r)
	if !slices.Equal(set.OutOfBand(), []string{SMS, Push}) || set.Codes() {
		t.Errorf("%q, codes: %v", set.OutOfBand(), set.Codes())
	}
	_, err := set.UseOutOfBand(Push, noon, home)
	want(t, "push", err, nil)
	_, err = set.RecoveryCode(factor.ParseAnswer(recoveryCodes[0]))
	want(t, "a recovery code", err, ErrRestored)
}

func TestTheMethodThatWorkedLast(t *testing.T) {
	st := fresh()
	r := ofPhones(sent(1, SMS), sent(2, Push), phone(3))
	set := join(t, st, r)
	if got := set.LastUsed(); got != "" {
		t.Errorf("before any has worked: %q", got)
	}
	for i, method := range []string{SMS, Push, SMS} {
		if _, err := set.UseOutOfBand(method, noon.Add(time.Duration(i)*time.Second), home); err != nil || set.LastUsed() != method {
			t.Errorf("%q when %s has worked, %v", set.LastUsed(), method, err)
		}
	}
	set.Only([]string{Push, "totp"}, "ntfy")
	if got := set.LastUsed(); got != Push {
		t.Errorf("where sms does not count: %q", got)
	}
	if _, err := set.Code(factor.ParseAnswer(shows(t, phone(3), 0)), noon.Add(3*time.Second), home); err != nil || set.LastUsed() != "totp" {
		t.Errorf("%q when the app has worked, %v", set.LastUsed(), err)
	}
}

func TestWhenANumberIsConfirmed(t *testing.T) {
	r := ofPhones(sent(1, SMS))
	right := factor.PhoneMark(r.Devices[0].Secret, r.Phone)
	for sentence, c := range map[string]struct {
		change    func(*secrets.Record)
		mark      [8]byte
		confirmed bool
	}{
		"given by the administrator":          {func(*secrets.Record) {}, [8]byte{}, false},
		"typed at the enrolment":              {func(r *secrets.Record) { r.PhoneConfirmed = true }, [8]byte{}, true},
		"typed at a login":                    {func(*secrets.Record) {}, right, true},
		"typed at a login for another number": {func(r *secrets.Record) { r.Phone = "+442079460948" }, right, false},
		"typed at a login of another device":  {func(r *secrets.Record) { r.Devices[0] = sent(4, SMS) }, right, false},
		"without a device of sms":             {func(r *secrets.Record) { r.Devices = nil }, right, false},
	} {
		r := ofPhones(sent(1, SMS))
		c.change(r)
		if got := PhoneConfirmed(r, &state.Messages{Confirmed: c.mark}); got != c.confirmed {
			t.Errorf("%s: %v", sentence, got)
		}
	}
}

func TestAnEndOfAPhoneIsSaid(t *testing.T) {
	d := sent(1, Push)
	d.Until = noon.Add(-time.Hour)
	var end ExpiredError
	_, err := join(t, fresh(), ofPhones(d)).UseOutOfBand(Push, noon, home)
	if !errors.As(err, &end) || end.Device != Push || end.Until != d.Until {
		t.Errorf("%v", err)
	}
}

// Attack: the name that alice has with one provider is somebody else's with another, who lets in whom he knows.
func TestAPhoneCountsWithItsProviderAlone(t *testing.T) {
	for sentence, c := range map[string]struct {
		linked, asks string
		counts       bool
	}{
		"the one that it was linked with": {"ntfy", "ntfy", true},
		"another one":                     {"ntfy", "duo", false},
		"the other way round":             {"duo", "ntfy", false},
		"it is not known":                 {"", "duo", false},
		"nobody asks phones":              {"ntfy", "", false},
		"neither is known":                {"", "", false},
	} {
		pushed := sent(2, Push)
		pushed.Provider = c.linked
		set := join(t, fresh(), ofPhones(sent(1, SMS), pushed))
		set.Only([]string{SMS, Push}, c.asks)
		_, err := set.UseOutOfBand(Push, noon, home)
		if counts := slices.Contains(set.OutOfBand(), Push); counts != c.counts || (err == nil) != c.counts || (set.SecretOf(Push) != nil) != c.counts {
			t.Errorf("%s: it counts: %v, %v", sentence, counts, err)
		}
		if !slices.Contains(set.OutOfBand(), SMS) {
			t.Errorf("%s: texts do not count", sentence)
		}
	}
}

package device

import (
	"errors"
	"slices"
	"testing"
	"time"

	"twokey/factor"
	"twokey/secrets"
	"twokey/state"
)

// typedNow are right answers of everything that a user with phone(1), token(2) and recovery(1) has.
func typedNow(t *testing.T) map[string]string {
	return map[string]string{"totp": shows(t, phone(1), 0), "hotp": shows(t, token(2), 0), Recovery: recoveryCodes[0]}
}

func TestOnlyWhatCountsIsLookedAt(t *testing.T) {
	for sentence, c := range map[string]struct {
		methods []string
		counts  []string
		refusal error
	}{
		"everything":             {[]string{"totp", "hotp", "push", "sms", "recovery"}, []string{"totp", "hotp", "recovery"}, ErrWrong},
		"in another order":       {[]string{"recovery", "hotp", "totp"}, []string{"totp", "hotp", "recovery"}, ErrWrong},
		"totp":                   {[]string{"totp"}, []string{"totp"}, ErrWrong},
		"hotp and recovery":      {[]string{"hotp", "recovery"}, []string{"hotp", "recovery"}, ErrWrong},
		"recovery":               {[]string{"recovery"}, []string{"recovery"}, ErrMethod},
		"what he does not have":  {[]string{"push", "sms"}, nil, ErrMethod},
		"nothing":                {nil, nil, ErrMethod},
		"words that are no such": {[]string{"", "TOTP", "totp "}, nil, ErrMethod},
	} {
		for method, typed := range typedNow(t) {
			st := fresh()
			set := join(t, st, record(1, recovery(1), phone(1), token(2)))
			before := encoded(t, st)
			set.Only(c.methods, "ntfy")
			want(t, sentence+": an answer to nothing", set.Refusal(), c.refusal)
			_, err := try(set, typed)
			if counts := slices.Contains(c.counts, method); counts != (err == nil) {
				t.Errorf("%s: %s is refused with %v", sentence, method, err)
			} else if !counts && encoded(t, st) != before {
				t.Errorf("%s: %s was used up", sentence, method)
			}
			if method == Recovery && err != nil {
				want(t, sentence+": a recovery code", err, ErrMethod)
			}
		}
	}
}

func TestOnlyTakesAway(t *testing.T) {
	set := join(t, fresh(), record(1, recovery(1), phone(1), token(2)))
	set.Only([]string{"totp", "recovery"}, "ntfy")
	set.Only([]string{"totp", "hotp", "recovery"}, "ntfy")
	for method, typed := range typedNow(t) {
		if _, err := try(set, typed); (err == nil) != (method != "hotp") {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// What does not count cannot be guessed, and is not paid for.
func TestWhatDoesNotCountCostsNothingAndHasNoLength(t *testing.T) {
	eight := token(2)
	eight.Digits = 8
	for _, c := range []struct {
		methods  []string
		one, two int64
		lengths  []int
	}{
		{[]string{"totp", "hotp"}, 2120, 2014, []int{6, 7, 8}},
		{[]string{"totp"}, 2100, 2010, []int{6, 7}},
		{[]string{"hotp"}, 1000, 1000, []int{8}},
		{[]string{"recovery"}, 1000, 1000, nil},
	} {
		seven := phone(3)
		seven.Digits = 7
		set := join(t, fresh(), record(1, nil, phone(4), seven, phone(1), eight))
		set.Only(c.methods, "ntfy")
		if one, two := set.Cost(); one != c.one || two != c.two {
			t.Errorf("only %v: cost %d and %d, want %d and %d", c.methods, one, two, c.one, c.two)
		}
		if got := set.Lengths(); !slices.Equal(got, c.lengths) {
			t.Errorf("only %v: lengths %v, want %v", c.methods, got, c.lengths)
		}
		if one, _ := set.Fits(factor.ParseAnswer("12345678")); one != slices.Contains(c.lengths, 8) {
			t.Errorf("only %v: eight digits fit: %v", c.methods, one)
		}
	}
}

func TestAReplayedCodeSaysFromWhereAndUntilWhen(t *testing.T) {
	minute := phone(3)
	minute.Period = 60
	long := "a host whose name is longer than what stands in the state: example.org"
	for sentence, c := range map[string]struct {
		d    secrets.Device
		from string
		want ReplayedError
	}{
		"of a phone":              {phone(1), home, ReplayedError{"phone1", home, 20 * time.Second}}, // noon is ten seconds into its step
		"of steps of a minute":    {minute, home, ReplayedError{"phone3", home, 50 * time.Second}},
		"of a token":              {token(2), home, ReplayedError{"token2", home, 0}},
		"from a long name":        {phone(1), long, ReplayedError{"phone1", state.SourceKey(long), 20 * time.Second}},
		"from what is no UTF-8":   {phone(1), "\xff", ReplayedError{"phone1", state.SourceKey("\xff"), 20 * time.Second}},
		"from nowhere, as a test": {phone(1), "", ReplayedError{"phone1", "", 20 * time.Second}},
	} {
		st := fresh()
		set := join(t, st, record(1, nil, c.d))
		answer := factor.ParseAnswer(shows(t, c.d, 0))
		_, err := set.Code(answer, noon, c.from)
		want(t, sentence, err, nil)
		for _, stored := range []bool{false, true} {
			if stored {
				if st, err = state.Decode([]byte(encoded(t, st))); err != nil {
					t.Fatal(err)
				}
				set = join(t, st, record(1, nil, c.d))
			}
			_, err = set.Code(answer, noon, "203.0.113.9") // whoever asks
			var replayed ReplayedError
			if !errors.As(err, &replayed) || replayed != c.want || !errors.Is(err, ErrReplayed) || err.Error() != ErrReplayed.Error() {
				t.Errorf("%s: %v: %+v, want %+v", sentence, err, replayed, c.want)
			}
		}
	}
}

// A source is only told of a code that came from there: two long names must not look alike.
func TestTheSourceOfAUsedCodeIsNotCut(t *testing.T) {
	long := "a host whose name is longer than 32 bytes"
	st := fresh()
	set := join(t, st, record(1, nil, phone(1)))
	_, err := set.Code(factor.ParseAnswer(shows(t, phone(1), 0)), noon, long+".example.org")
	want(t, "a right code", err, nil)
	if st.Devices[0].From == state.SourceKey(long+".example.com") || st.Devices[0].From != state.SourceKey(long+".example.org") {
		t.Errorf("from %q", st.Devices[0].From)
	}
}

// The wait ends when the step does, to the nanosecond and at its very beginning.
func TestTheNextCodeComesWithTheNextStep(t *testing.T) {
	set := join(t, fresh(), record(1, nil, phone(1)))
	begin := noon.Truncate(30 * time.Second)
	_, err := set.Code(factor.ParseAnswer(shows(t, phone(1), 0)), begin, home)
	want(t, "a right code", err, nil)
	for _, passed := range []time.Duration{0, 1, time.Second, 29*time.Second + 999*time.Millisecond, 30*time.Second - 1} {
		_, err := set.Code(factor.ParseAnswer(shows(t, phone(1), 0)), begin.Add(passed), home)
		var replayed ReplayedError
		if !errors.As(err, &replayed) || replayed.Next != 30*time.Second-passed {
			t.Errorf("%v into the step: %+v", passed, replayed)
		}
	}
}

func TestAUsedPairAndAUsedRecoveryCode(t *testing.T) {
	set := join(t, fresh(), record(1, recovery(1), phone(1)))
	pair := shows(t, phone(1), 0) + shows(t, phone(1), 1)
	for range 2 {
		_, err := try(set, pair)
		var replayed ReplayedError
		if err != nil && (!errors.As(err, &replayed) || replayed != ReplayedError{"phone1", home, 20 * time.Second}) {
			t.Errorf("%+v (%v)", replayed, err)
		}
	}
	_, err := try(set, pair)
	want(t, "a pair", err, ErrReplayed)
	for range 2 {
		_, err = try(set, recoveryCodes[0])
	}
	want(t, "a recovery code", err, ErrReplayed)
}

func TestTheClockOfADevice(t *testing.T) {
	eight, also := phone(3), phone(4)
	eight.Digits, also.Digits = 8, 8
	for sentence, c := range map[string]struct {
		devices []secrets.Device
		typed   string
		off     time.Duration
		device  string
	}{
		"an hour ahead":        {[]secrets.Device{eight}, shows(t, eight, 120), time.Hour + 5*time.Second, "phone3"},
		"an hour behind":       {[]secrets.Device{eight}, shows(t, eight, ^uint64(119)), -time.Hour + 5*time.Second, "phone3"},
		"a day ahead":          {[]secrets.Device{eight}, shows(t, eight, 2880), 0, ""},
		"of the second device": {[]secrets.Device{also, eight}, shows(t, eight, 120), time.Hour + 5*time.Second, "phone3"},
		"of the first device":  {[]secrets.Device{eight, also}, shows(t, eight, 120), time.Hour + 5*time.Second, "phone3"},
		"a token has none":     {[]secrets.Device{token(2)}, shows(t, token(2), 40), 0, ""},
		"beside a token":       {[]secrets.Device{token(2), eight}, shows(t, eight, 120), time.Hour + 5*time.Second, "phone3"},
		"two codes in a row":   {[]secrets.Device{phone(1)}, shows(t, phone(1), 120) + shows(t, phone(1), 121), 0, ""},
		"a recovery code":      {[]secrets.Device{eight}, recoveryCodes[0], 0, ""},
		"rubbish":              {[]secrets.Device{eight}, "let me in", 0, ""},
		"nothing":              {[]secrets.Device{eight}, "", 0, ""},
		"nobody's":             {nil, "12345678", 0, ""},
	} {
		st := fresh()
		set := join(t, st, record(1, recovery(1), c.devices...))
		before := encoded(t, st)
		answer := factor.ParseAnswer(c.typed)
		off, found := set.Offset(answer, noon)
		same, device, also := set.OffsetOf(answer, noon)
		if found != (c.device != "") || off != c.off || device != c.device || same != off || also != found {
			t.Errorf("%s: %v, %q, %v; want %v of %q", sentence, off, device, found, c.off, c.device)
		}
		if encoded(t, st) != before {
			t.Errorf("%s: the state was changed", sentence)
		}
	}
}

// Codes of four digits are often right at some time on two devices: the nearest time counts, whichever device stands first.
func TestOfTwoDevicesTheNearestClockIsMeant(t *testing.T) {
	near, far := phone(1), phone(2)
	near.Digits, far.Digits = 4, 4
	for steps := uint64(1); steps < 100; steps++ {
		code := shows(t, far, steps)
		mine, found := Params(near).Offset(code, noon)
		its, _ := Params(far).Offset(code, noon)
		if !found || mine.Abs() >= its.Abs() {
			continue
		}
		for _, devices := range [][]secrets.Device{{near, far}, {far, near}} {
			off, device, _ := join(t, fresh(), record(1, nil, devices...)).OffsetOf(factor.ParseAnswer(code), noon)
			if off != mine || device != "phone1" {
				t.Errorf("%v of %q, want %v", off, device, mine)
			}
		}
		return
	}
	t.Error("no code was right on both: this test has shown nothing")
}

func TestADeviceOfAMethodThatDoesNotCountHasNoClock(t *testing.T) {
	eight := phone(3)
	eight.Digits = 8
	set := join(t, fresh(), record(1, nil, eight, token(2)))
	set.Only([]string{"hotp"}, "ntfy")
	if off, found := set.Offset(factor.ParseAnswer(shows(t, eight, 120)), noon); found {
		t.Errorf("%v", off)
	}
}

func TestOfADeviceInANewFileTheUserIsTold(t *testing.T) {
	st := fresh()
	join(t, st, record(1, nil, phone(1), token(2)))
	if got := st.TakeNotices(); !slices.Equal(got, []state.Notice{{Device: state.ID{1}, By: ByFile}, {Device: state.ID{2}, By: ByFile}}) {
		t.Errorf("%+v", got)
	}
	join(t, st, record(1, nil, phone(1), token(2)))
	join(t, st, record(2, recovery(1), phone(1)))
	if got := st.TakeNotices(); len(got) != 0 {
		t.Errorf("of devices that he had: %+v", got)
	}
	join(t, st, record(3, nil, phone(1), token(2))) // the token was removed
	if got := st.TakeNotices(); len(got) != 0 {
		t.Errorf("of a device that stays removed: %+v", got)
	}
	if restored := Restore(record(9, nil, phone(1)), 1000, noon); len(restored.TakeNotices()) != 0 {
		t.Error("of devices that were there before the state was lost")
	}
}

func TestNewRecoveryCodesBeginTheirOwnNotice(t *testing.T) {
	st := fresh()
	set := join(t, st, record(1, recovery(1), phone(1)))
	for i, told := range []bool{true, false} {
		_, err := try(set, recoveryCodes[i])
		want(t, "a recovery code", err, nil)
		if left, due := st.TakeLowRecovery(); due != told || left != 2-i {
			t.Errorf("%d left, told %v", left, due)
		}
	}
	set = join(t, st, record(2, recovery(2), phone(1)))
	if _, due := st.TakeLowRecovery(); due {
		t.Error("told before one was used")
	}
	_, err := try(set, recoveryCodes[0])
	want(t, "a code of the new set", err, nil)
	if left, due := st.TakeLowRecovery(); !due || left != 2 {
		t.Errorf("%d left, told %v", left, due)
	}
}

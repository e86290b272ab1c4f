package device

import (
	"errors"
	"testing"
	"time"

	"twokey/factor"
	"twokey/secrets"
	"twokey/state"
)

// codes stands for a user's bypass codes in state: one use of one code.
type codes struct {
	left int
	code state.Bypass
	err  error
}

func (c *codes) UseBypass(_ time.Time, match func(state.Bypass) bool) (state.Bypass, error) {
	if c.err != nil {
		return state.Bypass{}, c.err
	}
	if c.left == 0 || !match(c.code) {
		return state.Bypass{}, state.ErrNoBypass
	}
	c.left--
	return c.code, nil
}

const bypassCode = "kkkk-mmmm-nnnn"

func oneCode(t testing.TB) *codes {
	t.Helper()
	key := [32]byte{1}
	hash, err := factor.HashRecovery(key, bypassCode)
	if err != nil {
		t.Fatal(err)
	}
	return &codes{left: 1, code: state.Bypass{ID: state.BypassID{0xab, 0xcd}, Key: key, Hash: hash}}
}

func TestABypassCodeIsUsedUpWhateverMethodsCount(t *testing.T) {
	for _, methods := range [][]string{nil, {"totp"}, {"hotp"}, {"recovery"}, {}} {
		open := oneCode(t)
		set := join(t, fresh(), record(1, recovery(1), phone(1)))
		if methods != nil {
			set.Only(methods, "ntfy")
		}
		for _, wrong := range []string{recoveryCodes[0], "kkkk-mmmm-nnnp"} {
			if _, err := set.BypassCode(factor.ParseAnswer(wrong), noon, open); err != ErrWrong {
				t.Errorf("%v: %q: %v", methods, wrong, err)
			}
		}
		used, err := set.BypassCode(factor.ParseAnswer(bypassCode), noon, open)
		if err != nil || used != (Used{Method: Bypass, Device: "abcd0000", Left: -1}) {
			t.Errorf("%v: %+v, %v", methods, used, err)
		}
		if _, err := set.BypassCode(factor.ParseAnswer(bypassCode), noon, open); err != ErrWrong {
			t.Errorf("%v: used twice: %v", methods, err)
		}
	}
}

// Attack: put back bypass codes with a backup that has no state.
func TestBypassCodesAreClosedWhenTheStateWasLost(t *testing.T) {
	r := record(1, nil, phone(1))
	open := oneCode(t)
	set := join(t, Restore(r, 1000, noon), r)
	if used, err := set.BypassCode(factor.ParseAnswer(bypassCode), noon, open); err != ErrRestored || used != (Used{}) || open.left != 1 {
		t.Errorf("%+v, %v, %d left", used, err, open.left)
	}
}

func TestABypassCodeThatCannotBeUsedUpIsNotRight(t *testing.T) {
	fault := errors.New("disk")
	open := oneCode(t)
	open.err = fault
	set := join(t, fresh(), record(1, nil, phone(1)))
	if used, err := set.BypassCode(factor.ParseAnswer(bypassCode), noon, open); !errors.Is(err, fault) || used != (Used{}) {
		t.Errorf("%+v, %v", used, err)
	}
}

// until is a phone that expires.
func until(number byte, at time.Time) secrets.Device {
	d := phone(number)
	d.Until = at
	return d
}

func TestADeviceIsGoodUntilItsEnd(t *testing.T) {
	for sentence, c := range map[string]struct {
		until time.Time
		want  error
	}{
		"never ends":            {time.Time{}, nil},
		"in an hour":            {noon.Add(time.Hour), nil},
		"in a moment":           {noon.Add(time.Nanosecond), nil},
		"at this moment":        {noon, ErrExpired},
		"a year ago":            {noon.AddDate(-1, 0, 0), ErrExpired},
		"in 1970, at 0 o'clock": {time.Unix(0, 0), ErrExpired},
	} {
		for name, d := range map[string]secrets.Device{"phone": until(1, c.until), "token": token(1)} {
			d.Until = c.until
			st := fresh()
			set := join(t, st, record(1, nil, d))
			for _, typed := range []string{shows(t, d, 0), shows(t, d, 0) + shows(t, d, 1), "000000"} {
				_, err := try(set, typed)
				wanted := c.want
				if wanted == nil && len(typed) > 6 {
					continue // the first of the two has been used
				}
				if wanted == nil && typed == "000000" {
					wanted = ErrWrong
				}
				if !errors.Is(err, wanted) {
					t.Errorf("%s, %s, %q: %v, want %v", sentence, name, typed, err, wanted)
				}
			}
			if c.want != nil && (st.Devices[0].Consumed != d.Counter || !st.Devices[0].Used.IsZero()) {
				t.Errorf("%s, %s: a code of it was used up: %+v", sentence, name, st.Devices[0])
			}
			if !st.Devices[0].Until.Equal(c.until) {
				t.Errorf("%s, %s: the state says %v", sentence, name, st.Devices[0].Until)
			}
		}
	}
}

func TestAnExpiredDeviceBesideAnother(t *testing.T) {
	old, current := until(1, noon.Add(-time.Hour)), phone(2)
	set := join(t, fresh(), record(1, nil, old, current))
	alone := join(t, fresh(), record(1, nil, current))
	one, two := set.Cost()
	if wantOne, wantTwo := alone.Cost(); one != wantOne || two != wantTwo {
		t.Errorf("cost %d and %d, want that of one device, %d and %d", one, two, wantOne, wantTwo)
	}
	var expired ExpiredError
	_, err := try(set, shows(t, old, 0))
	if !errors.As(err, &expired) || expired.Device != "phone1" || !expired.Until.Equal(old.Until) {
		t.Errorf("its right code: %v", err)
	}
	if _, err := try(set, "000000"); err != ErrWrong {
		t.Errorf("a wrong code: %v", err)
	}
	if used, err := try(set, shows(t, current, 0)); err != nil || used.Device != "phone2" {
		t.Errorf("the other's code: %+v, %v", used, err)
	}
	old.Digits = 8
	if lengths := join(t, fresh(), record(1, nil, old, current)).Lengths(); len(lengths) != 1 || lengths[0] != 6 {
		t.Errorf("lengths %v", lengths)
	}
}

func TestAnExpiredDeviceOfAMethodThatDoesNotCount(t *testing.T) {
	set := join(t, fresh(), record(1, nil, until(1, noon)))
	if err := set.Refusal(); !errors.Is(err, ErrExpired) {
		t.Errorf("before: %v", err)
	}
	set.Only([]string{"hotp"}, "ntfy")
	if _, err := try(set, shows(t, phone(1), 0)); err != ErrMethod {
		t.Errorf("then: %v", err)
	}
}

func TestAnExpiredErrorSaysWhichAndWhen(t *testing.T) {
	if text := (ExpiredError{"phone", noon}).Error(); text != `the device "phone" has expired on 2026-11-21 12:00 UTC` {
		t.Error(text)
	}
}

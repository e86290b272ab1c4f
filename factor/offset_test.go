package factor

import (
	"crypto/hmac"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"
)

// clocks are kinds of devices, whose codes all have to be found.
func clocks() map[string]Params {
	of := func(digits, period int, a Algorithm) Params {
		return Params{Method: TOTP, Secret: []byte("12345678901234567890"), Digits: digits, Period: period, Algorithm: a}
	}
	return map[string]Params{
		"the usual":          of(8, 30, SHA1),
		"the shortest steps": of(9, MinPeriod, SHA256),
		"steps of a minute":  of(8, 60, SHA512),
		"the longest steps":  of(8, MaxPeriod, SHA1),
		"the longest codes":  of(12, 30, SHA1),
	}
}

func shownAt(t *testing.T, p Params, at time.Time) string {
	t.Helper()
	code, err := p.Code(p.Step(at))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestOffsetFindsHowWrongTheClockIs(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 7, 500e6, time.UTC)
	for name, p := range clocks() {
		half := time.Duration(p.Period) * time.Second / 2
		far := min(12*time.Hour, 1440*2*half) - 10*time.Minute
		for _, off := range []time.Duration{0, time.Second, 30 * time.Second, -30 * time.Second, 10 * time.Minute, -10 * time.Minute, time.Hour,
			-time.Hour, far, -far} {
			got, found := p.Offset(shownAt(t, p, now.Add(off)), now)
			if !found || (got-off).Abs() > half {
				t.Errorf("%s: a code of %v: found %v, %v", name, off, found, got)
			}
			if shownAt(t, p, now.Add(got)) != shownAt(t, p, now.Add(off)) {
				t.Errorf("%s: at %v it would not be right", name, got)
			}
		}
	}
}

func TestOffsetFindsNothingBeyondTwelveHours(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 7, 0, time.UTC)
	for name, p := range clocks() {
		for _, off := range []time.Duration{12*time.Hour + 5*time.Minute, -12*time.Hour - 5*time.Minute, 13 * time.Hour, 24 * time.Hour, 365 * 24 * time.Hour} {
			if got, found := p.Offset(shownAt(t, p, now.Add(off)), now); found || got != 0 {
				t.Errorf("%s: a code of %v: %v, %v", name, off, found, got)
			}
		}
	}
}

// Of two times at which the answer would be right the nearest is more likely.
func TestOffsetFindsTheNearestTime(t *testing.T) {
	p := Params{Method: TOTP, Secret: []byte("12345678901234567890"), Digits: 4, Period: 30, Algorithm: SHA1}
	now := time.Unix(1_800_000_015, 0) // the middle of a step
	seen, twice := map[string]bool{}, map[string]time.Duration{}
	for k := 1440; k >= 0; k-- {
		for _, steps := range []int{-k, k} { // of two as far away the later one
			off := time.Duration(steps) * 30 * time.Second
			code := shownAt(t, p, now.Add(off))
			if seen[code] && k > 0 {
				twice[code] = off
			} else if k == 0 {
				delete(twice, code)
			}
			seen[code] = true
		}
	}
	checked := 0
	for code, want := range twice {
		if got, found := p.Offset(code, now); !found || got != want {
			t.Errorf("%s: %v, %v, want %v", code, found, got, want)
		}
		if checked++; checked == 50 {
			return
		}
	}
	t.Errorf("%d codes came twice: this test has shown nothing", checked)
}

// How long it takes must say nothing about the answer.
func TestOffsetLooksAtEveryCounterWhateverIsThere(t *testing.T) {
	const step, typed = 59_000_000, 123456
	right := map[string][]int{"nowhere": nil, "here": {0}, "at the first": {1}, "at the last": {-offsetSteps}, "at many": {7, -7, 8, 1400, -1400}, "just beyond": {offsetSteps + 1}}
	for where, steps := range right {
		looked := map[uint64]int{}
		got, found := nearest(typed, step, func(counter uint64) int32 {
			looked[counter]++
			if slices.Contains(steps, int(counter)-step) {
				return typed
			}
			return typed + 1
		})
		if len(looked) != 2*offsetSteps+1 || looked[step] != 2 {
			t.Errorf("right %s: %d counters were looked at, want %d", where, len(looked), 2*offsetSteps+1)
		}
		if want := len(steps) > 0 && where != "just beyond"; found != want || found && got != steps[0] {
			t.Errorf("right %s: %d, %v", where, got, found)
		}
	}
}

func TestOffsetFindsNothing(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 7, 0, time.UTC)
	usual := clocks()["the usual"]
	right := shownAt(t, usual, now.Add(time.Hour))
	with := func(change func(*Params)) Params {
		p := usual
		change(&p)
		return p
	}
	token := with(func(p *Params) { p.Method, p.Period = HOTP, 0 })
	first, err := token.Code(1)
	if err != nil {
		t.Fatal(err)
	}
	zero, err := token.Code(0)
	if err != nil {
		t.Fatal(err)
	}
	long := with(func(p *Params) { p.Digits = 12 })
	number, err := strconv.ParseInt(shownAt(t, long, now.Add(time.Hour)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	begins := now // when a code begins with a zero
	for shownAt(t, usual, begins)[0] != '0' {
		begins = begins.Add(30 * time.Second)
	}
	for sentence, c := range map[string]struct {
		p     Params
		typed string
		now   time.Time
	}{
		"for a device that counts, in 1970":           {token, zero, time.Unix(10, 0)},
		"for a number that is as a code's in 32 bits": {long, fmt.Sprintf("%012d", number+1<<32), now},
		"for a sign in the place of a zero":           {usual, "+" + shownAt(t, usual, begins)[1:], now},
		"for a device that counts":                    {token, first, now},
		"for nothing typed":                           {usual, "", now},
		"for a recovery code":                         {usual, "7k3f-9qxz-0m2t", now},
		"for a code with a digit less":                {usual, right[1:], now},
		"for a code with a zero more":                 {usual, "0" + right, now},
		"for a code with a sign":                      {usual, "+" + right[1:], now},
		"for more digits than a number holds":         {usual, "99999999999999999999999", now},
		"for two codes in a row":                      {usual, right + right, now},
		"for a number beyond every code's":            {with(func(p *Params) { p.Digits = 12 }), "999999999999", now},
		"for the number of no code":                   {with(func(p *Params) { p.Digits = 12 }), "004294967295", now},
		"without a secret":                            {with(func(p *Params) { p.Secret = nil }), right, now},
		"without a period":                            {with(func(p *Params) { p.Period = 0 }), right, now},
		"with an unknown algorithm":                   {with(func(p *Params) { p.Algorithm = "MD5" }), right, now},
		"with an unknown method":                      {with(func(p *Params) { p.Method = "sms" }), right, now},
		"long before 1970":                            {usual, right, time.Unix(-1<<40, 0)},
		"at the beginning of time":                    {usual, right, time.Time{}},
		"at the end of time":                          {usual, right, time.Unix(math.MaxInt64, 0)},
	} {
		if off, found := c.p.Offset(c.typed, c.now); found || off != 0 {
			t.Errorf("%s: %v, %v", sentence, found, off)
		}
	}
}

// The codes that Offset computes by itself are those of Code, for every kind of device.
func TestOffsetMakesTheCodesOfTheDevice(t *testing.T) {
	for range 2000 {
		p := Params{Method: HOTP, Secret: make([]byte, FloorOfSecret+rand.IntN(MaxSecret-FloorOfSecret+1)), Digits: MinDigits + rand.IntN(MaxDigits-MinDigits+1),
			Algorithm: []Algorithm{SHA1, SHA256, SHA512}[rand.IntN(3)]}
		for i := range p.Secret {
			p.Secret[i] = byte(rand.Uint32())
		}
		counter := rand.Uint64() >> rand.IntN(64)
		code, err := p.Code(counter)
		if err != nil {
			t.Fatal(err)
		}
		value := p.value(hmac.New(p.Algorithm.hash(), p.Secret), nil, counter)
		if number := p.number(code); number != value || number < 0 {
			t.Fatalf("%v, counter %d: %s is %d, and the value %d", p, counter, code, number, value)
		}
	}
}

package factor

import (
	"errors"
	"math"
	"strconv"
	"testing"
	"time"
)

// at is a moment in the middle of a step of p.
func at(p Params, step uint64) time.Time {
	return time.Unix(int64(step)*int64(p.Period)+int64(p.Period)/2, 0)
}

// distinct returns p with a secret for which the codes of all counters [first, last] differ, so that a window's edges can
// be told apart.
func distinct(t testing.TB, p Params, first, last uint64) Params {
	t.Helper()
	for p.Secret[0] = 0; ; p.Secret[0]++ {
		seen := map[string]bool{}
		for counter := first; counter <= last; counter++ {
			seen[code(t, p, counter)] = true
		}
		if uint64(len(seen)) == last-first+1 {
			return p
		}
		if p.Secret[0] == math.MaxUint8 {
			t.Fatal("no secret without a coincidence")
		}
	}
}

func TestMatchTOTPWindow(t *testing.T) {
	const now = 50_000_000
	p := distinct(t, standard(TOTP), now-3, now+3)
	tests := map[string]struct {
		step        uint64 // whose code is typed
		discrepancy int
		last        uint64
		want        Match
	}{
		"the present step":                           {now, 1, 0, Match{OK: true, Counter: now}},
		"the step before":                            {now - 1, 1, 0, Match{OK: true, Counter: now - 1}},
		"the step after":                             {now + 1, 1, 0, Match{OK: true, Counter: now + 1}},
		"two steps before":                           {now - 2, 1, 0, Match{}},
		"two steps after":                            {now + 2, 1, 0, Match{}},
		"discrepancy 0 takes the present step":       {now, 0, 0, Match{OK: true, Counter: now}},
		"discrepancy 0 refuses the step before":      {now - 1, 0, 0, Match{}},
		"discrepancy 0 refuses the step after":       {now + 1, 0, 0, Match{}},
		"the same again":                             {now, 1, now, Match{Replayed: true}},
		"one that was passed over":                   {now - 1, 1, now, Match{Replayed: true}},
		"the next after one is consumed":             {now + 1, 1, now, Match{OK: true, Counter: now + 1}},
		"all consumed":                               {now + 1, 1, now + 1, Match{Replayed: true}},
		"consumed far ahead: the clock was set back": {now, 1, now + 1000, Match{Replayed: true}},
		"consumed and out of the window":             {now - 2, 1, now, Match{}},
		"the highest possible last":                  {now, 1, math.MaxUint64, Match{Replayed: true}},
		"discrepancy below zero":                     {now, -1, 0, Match{}},
		"discrepancy beyond the maximum":             {now, MaxDiscrepancy + 1, 0, Match{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := p.MatchTOTP(code(t, p, test.step), at(p, now), test.discrepancy, test.last); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestTheWidestWindowsEndWhereTheySay(t *testing.T) {
	const now = 50_000_000
	p := standard(TOTP)
	p.Digits = 9
	p = distinct(t, p, now-MaxDiscrepancy-1, now+MaxDiscrepancy+1)
	for _, step := range []uint64{now - MaxDiscrepancy, now, now + MaxDiscrepancy} {
		want := Match{OK: true, Counter: step}
		if got := p.MatchTOTP(code(t, p, step), at(p, now), MaxDiscrepancy, step-1); got != want {
			t.Errorf("step now%+d: got %+v, want %+v", int64(step)-now, got, want)
		}
	}
	for _, step := range []uint64{now - MaxDiscrepancy - 1, now + MaxDiscrepancy + 1} {
		if got := p.MatchTOTP(code(t, p, step), at(p, now), MaxDiscrepancy, 0); got != (Match{}) {
			t.Errorf("step now%+d: got %+v, want no match", int64(step)-now, got)
		}
	}
	h := standard(HOTP)
	h.Digits = 9
	h = distinct(t, h, 0, MaxLookAhead+1)
	if got := h.MatchHOTP(code(t, h, MaxLookAhead), 0, MaxLookAhead); got != (Match{OK: true, Counter: MaxLookAhead}) {
		t.Errorf("the last counter of the widest look-ahead: got %+v", got)
	}
	if got := h.MatchHOTP(code(t, h, MaxLookAhead+1), 0, MaxLookAhead); got != (Match{}) {
		t.Errorf("one beyond the widest look-ahead: got %+v, want no match", got)
	}
}

func TestMatchHOTPWindow(t *testing.T) {
	const next = 1000
	p := distinct(t, standard(HOTP), next-20, next+20)
	tests := map[string]struct {
		counter   uint64
		next      uint64
		lookAhead int
		want      Match
	}{
		"the next":                        {next, next, 5, Match{OK: true, Counter: next}},
		"the last of the look-ahead":      {next + 5, next, 5, Match{OK: true, Counter: next + 5}},
		"one beyond":                      {next + 6, next, 5, Match{}},
		"look-ahead 0 takes the next":     {next, next, 0, Match{OK: true, Counter: next}},
		"look-ahead 0 refuses another":    {next + 1, next, 0, Match{}},
		"the same again":                  {next, next + 1, 5, Match{Replayed: true}},
		"one that was passed over":        {next, next + 4, 5, Match{Replayed: true}},
		"one from long ago":               {next - 7, next, 5, Match{}},
		"look-ahead below zero":           {next, next, -1, Match{}},
		"look-ahead beyond the maximum":   {next, next, MaxLookAhead + 1, Match{}},
		"the very first":                  {0, 0, 5, Match{OK: true, Counter: 0}},
		"the very first again":            {0, 1, 5, Match{Replayed: true}},
		"the very first, with look-ahead": {2, 0, 5, Match{OK: true, Counter: 2}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := p.MatchHOTP(code(t, p, test.counter), test.next, test.lookAhead); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestMatchTOTPPair(t *testing.T) {
	const now = 50_000_000
	p := distinct(t, standard(TOTP), now-5, now+5)
	pair := func(first, second uint64) string { return code(t, p, first) + code(t, p, second) }
	tests := map[string]struct {
		answer      string
		discrepancy int
		last        uint64
		want        Match
	}{
		"this one and the next":                  {pair(now, now+1), 1, 0, Match{OK: true, Counter: now + 1}},
		"the one before and this one":            {pair(now-1, now), 1, 0, Match{OK: true, Counter: now}},
		"the first of the window":                {pair(now-2, now-1), 1, 0, Match{OK: true, Counter: now - 1}},
		"the last of the window":                 {pair(now+1, now+2), 1, 0, Match{OK: true, Counter: now + 2}},
		"too early":                              {pair(now-3, now-2), 1, 0, Match{}},
		"too late":                               {pair(now+2, now+3), 1, 0, Match{}},
		"both above last":                        {pair(now, now+1), 1, now - 1, Match{OK: true, Counter: now + 1}},
		"the first is consumed":                  {pair(now, now+1), 1, now, Match{Replayed: true}},
		"both are consumed":                      {pair(now, now+1), 1, now + 1, Match{Replayed: true}},
		"both from long ago":                     {pair(now-3, now-2), 1, now, Match{}},
		"the clock was set back":                 {pair(now, now+1), 1, now + 100, Match{Replayed: true}},
		"the same code twice":                    {pair(now, now), 1, 0, Match{}},
		"the wrong way round":                    {pair(now+1, now), 1, 0, Match{}},
		"with a step left out":                   {pair(now, now+2), 1, 0, Match{}},
		"one code alone":                         {code(t, p, now), 1, 0, Match{}},
		"three codes":                            {pair(now-1, now) + code(t, p, now+1), 1, 0, Match{}},
		"discrepancy 0":                          {pair(now, now+1), 0, 0, Match{OK: true, Counter: now + 1}},
		"discrepancy 0, the one before and this": {pair(now-1, now), 0, 0, Match{OK: true, Counter: now}},
		"discrepancy 0, too late":                {pair(now+1, now+2), 0, 0, Match{}},
		"discrepancy below zero":                 {pair(now, now+1), -1, 0, Match{}},
		"discrepancy beyond the maximum":         {pair(now, now+1), MaxDiscrepancy + 1, 0, Match{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := p.MatchTOTPPair(test.answer, at(p, now), test.discrepancy, test.last); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestMatchHOTPPair(t *testing.T) {
	const next = 1000
	p := distinct(t, standard(HOTP), next-20, next+20)
	pair := func(first, second uint64) string { return code(t, p, first) + code(t, p, second) }
	tests := map[string]struct {
		answer string
		next   uint64
		width  int
		want   Match
	}{
		"the next two":             {pair(next, next+1), next, 10, Match{OK: true, Counter: next + 1}},
		"the last of the window":   {pair(next+9, next+10), next, 10, Match{OK: true, Counter: next + 10}},
		"one beyond":               {pair(next+10, next+11), next, 10, Match{}},
		"the first is consumed":    {pair(next, next+1), next + 1, 10, Match{Replayed: true}},
		"both are consumed":        {pair(next, next+1), next + 2, 10, Match{Replayed: true}},
		"both from long ago":       {pair(next-11, next-10), next, 10, Match{}},
		"the wrong way round":      {pair(next+1, next), next, 10, Match{}},
		"with a counter left out":  {pair(next, next+2), next, 10, Match{}},
		"one code alone":           {code(t, p, next), next, 10, Match{}},
		"the very first two":       {pair(0, 1), 0, 10, Match{OK: true, Counter: 1}},
		"width 0":                  {pair(next, next+1), next, 0, Match{}},
		"width below zero":         {pair(next, next+1), next, -1, Match{}},
		"width beyond the maximum": {pair(next, next+1), next, MaxLookAhead + 1, Match{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := p.MatchHOTPPair(test.answer, test.next, test.width); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestAnswersThatAreNoCodeMatchNothing(t *testing.T) {
	const now = 50_000_000
	p := standard(TOTP)
	right := code(t, p, now)
	for _, answer := range []string{"", " ", right[:5], right + "0", "0" + right, " " + right, right[:3] + " " + right[3:], "\xff\xff\xff\xff\xff\xff",
		"١٢٣", "+" + right[1:], right + "\x00", right + "\n"} {
		if got := p.MatchTOTP(answer, at(p, now), 1, 0); got != (Match{}) {
			t.Errorf("%q: got %+v, want no match", answer, got)
		}
	}
}

// coincidence returns a secret of p for which the codes of the counters a and b are equal.
func coincidence(t *testing.T, p Params, a, b uint64) Params {
	t.Helper()
	for i := range 1_000_000 {
		p.Secret = []byte("secret number " + strconv.Itoa(1_000_000+i))
		if code(t, p, a) == code(t, p, b) {
			return p
		}
	}
	t.Fatal("no secret with that coincidence")
	return Params{}
}

func TestMatchConsumesTheHighestMatchingCounter(t *testing.T) {
	const now = 50_000_000
	p := standard(TOTP)
	p.Digits = 4
	p = coincidence(t, p, now-1, now+1)
	answer := code(t, p, now)
	if code(t, p, now-1) == answer {
		t.Fatal("want two equal codes, not three")
	}
	answer = code(t, p, now-1)
	if got, want := p.MatchTOTP(answer, at(p, now), 1, 0), (Match{OK: true, Counter: now + 1}); got != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	if got, want := p.MatchTOTP(answer, at(p, now), 1, now+1), (Match{Replayed: true}); got != want {
		t.Errorf("the same answer again: got %+v, want %+v", got, want)
	}
	h := p
	h.Method, h.Period = HOTP, 0
	if got, want := h.MatchHOTP(answer, now-1, 5), (Match{OK: true, Counter: now + 1}); got.Counter < want.Counter {
		t.Errorf("HOTP: got %+v, want %+v or higher", got, want)
	}
	if got := h.MatchHOTP(answer, now, 5); !got.OK || got.Replayed {
		t.Errorf("an answer that matches a consumed and an acceptable counter: got %+v, want it accepted", got)
	}
}

func TestMatchAcceptsNoCounterWithoutANextOneAndNotStep0(t *testing.T) {
	h := distinct(t, standard(HOTP), math.MaxUint64-9, math.MaxUint64-1)
	last := uint64(math.MaxUint64)
	if got, want := h.MatchHOTP(code(t, h, last-1), last-1, 5), (Match{OK: true, Counter: last - 1}); got != want {
		t.Errorf("the last acceptable counter: got %+v, want %+v", got, want)
	}
	for _, next := range []uint64{last - 3, last - 1, last} {
		if got := h.MatchHOTP(code(t, h, last), next, 5); got.OK {
			t.Errorf("counter 2⁶⁴−1 from %d: got %+v, want no match", next, got)
		}
		if got := h.MatchHOTPPair(code(t, h, last-1)+code(t, h, last), next, 5); got.OK {
			t.Errorf("counters 2⁶⁴−2 and 2⁶⁴−1 from %d: got %+v, want no match", next, got)
		}
		if got := h.MatchHOTP(code(t, h, 0), next, 5); got.OK {
			t.Errorf("counter 0 from %d: the counter came round: %+v", next, got)
		}
	}
	if got, want := h.MatchHOTPPair(code(t, h, last-2)+code(t, h, last-1), last-2, 5), (Match{OK: true, Counter: last - 1}); got != want {
		t.Errorf("the last acceptable pair: got %+v, want %+v", got, want)
	}

	p := distinct(t, standard(TOTP), 0, 5)
	for _, now := range []time.Time{{}, time.Unix(-1, 0), time.Unix(0, 0), time.Unix(30, 0)} {
		if got := p.MatchTOTP(code(t, p, 0), now, 1, 0); got != (Match{}) {
			t.Errorf("step 0 at %v: got %+v, want no match", now, got)
		}
		if got := p.MatchTOTPPair(code(t, p, 0)+code(t, p, 1), now, 1, 0); got != (Match{}) {
			t.Errorf("steps 0 and 1 at %v: got %+v, want no match", now, got)
		}
	}
	if got, want := p.MatchTOTP(code(t, p, 1), time.Unix(0, 0), 1, 0), (Match{OK: true, Counter: 1}); got != want {
		t.Errorf("step 1: got %+v, want %+v", got, want)
	}
}

func TestHugeTimesNeitherPanicNorComeRound(t *testing.T) {
	p := standard(TOTP)
	p.Period = MinPeriod
	for _, seconds := range []int64{math.MaxInt64, math.MaxInt64 - 10, math.MaxInt32, math.MaxUint32, 1 << 53} {
		now := time.Unix(seconds, 0)
		step := p.Step(now)
		want := Match{OK: true, Counter: step}
		if got := p.MatchTOTP(code(t, p, step), now, MaxDiscrepancy, step-1); got.Counter < want.Counter || !got.OK {
			t.Errorf("at %d: got %+v, want %+v or higher", seconds, got, want)
		}
		if got := p.MatchTOTPPair(code(t, p, step)+code(t, p, step+1), now, 0, step-1); got != (Match{OK: true, Counter: step + 1}) {
			t.Errorf("at %d: pair: got %+v", seconds, got)
		}
	}
}

func TestMatchAcceptsNothingWhenAParameterIsOutOfRange(t *testing.T) {
	const now = 50_000_000
	changes := map[string]func(*Params){
		"zero value":        func(p *Params) { *p = Params{} },
		"empty secret":      func(p *Params) { p.Secret = []byte{} },
		"secret of 9 bytes": func(p *Params) { p.Secret = rfcSecret(9) },
		"0 digits":          func(p *Params) { p.Digits = 0 },
		"-1 digits":         func(p *Params) { p.Digits = -1 },
		"3 digits":          func(p *Params) { p.Digits = 3 },
		"13 digits":         func(p *Params) { p.Digits = 13 },
		"unknown algorithm": func(p *Params) { p.Algorithm = "SHA3" },
		"MD5":               func(p *Params) { p.Algorithm = "MD5" },
		"unknown method":    func(p *Params) { p.Method = "steam" },
		"period out":        func(p *Params) { p.Period = 7 },
		"period below zero": func(p *Params) { p.Period = -30 },
	}
	for name, change := range changes {
		for _, method := range []Method{TOTP, HOTP} {
			p := standard(method)
			right := code(t, p, now)
			change(&p)
			answers := []string{"", right, right + code(t, standard(method), now+1), right[:3], "000000", "0000000000000"}
			for _, answer := range answers {
				for _, got := range []Match{
					p.MatchTOTP(answer, at(standard(TOTP), now), 1, 0), p.MatchTOTPPair(answer, at(standard(TOTP), now), 1, 0),
					p.MatchHOTP(answer, now, 5), p.MatchHOTPPair(answer, now, 5),
				} {
					if got != (Match{}) {
						t.Errorf("%s, %s, answer %q: got %+v, want no match", name, method, answer, got)
					}
				}
			}
		}
	}
	totp, hotp := standard(TOTP), standard(HOTP)
	if got := totp.MatchHOTP(code(t, totp, 5), 5, 5); got != (Match{}) {
		t.Errorf("MatchHOTP of a TOTP device: got %+v", got)
	}
	if got := hotp.MatchTOTP(code(t, hotp, 1), time.Unix(0, 0), 5, 0); got != (Match{}) {
		t.Errorf("MatchTOTP of an HOTP device: got %+v", got)
	}
	if got := totp.MatchHOTPPair(code(t, totp, 5)+code(t, totp, 6), 5, 5); got != (Match{}) {
		t.Errorf("MatchHOTPPair of a TOTP device: got %+v", got)
	}
	if got := hotp.MatchTOTPPair(code(t, hotp, 1)+code(t, hotp, 2), time.Unix(0, 0), 5, 0); got != (Match{}) {
		t.Errorf("MatchTOTPPair of an HOTP device: got %+v", got)
	}
}

func TestMatchLooksAtEveryCounterOfTheWindow(t *testing.T) {
	w := window{first: 100, end: 200, fresh: 150, codes: 2}
	never := errors.New("never")
	for _, hit := range []uint64{0, 100, 149, 150, 151, 198, 199} {
		var looked []uint64
		w.search("hit!hit!", func(counter uint64) (string, error) {
			looked = append(looked, counter)
			if counter == hit || counter == hit+1 {
				return "hit!", nil
			}
			return "miss", nil
		})
		if len(looked) != 200 || looked[0] != 100 || looked[199] != 200 {
			t.Errorf("hit at %d: looked at %d codes, want 200 whatever matches", hit, len(looked))
		}
	}
	got := w.search("hit!hit!", func(counter uint64) (string, error) {
		if counter > 190 {
			return "hit!", never
		}
		return "hit!", nil
	})
	if got != (Match{}) {
		t.Errorf("a code that cannot be made: got %+v, want no match", got)
	}
}

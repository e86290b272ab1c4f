package factor

import (
	"math/rand/v2"
	"strconv"
	"testing"
)

// history plays a long life of one device with all that can go wrong: coincidences (4 digits), wide windows, a clock that
// jumps back and forth, answers typed twice, too early, too late.
type history struct {
	t        *testing.T
	r        *rand.Rand
	p        Params
	now      uint64 // TOTP: the present step
	last     uint64 // TOTP: highest consumed step; HOTP: next − 1
	accepted map[uint64]bool
	seen     []string // all answers so far
}

// answer draws a code near the present, or one typed before, or anything.
func (h *history) answer(pair bool) string {
	switch h.r.IntN(4) {
	case 0:
		if len(h.seen) > 0 {
			return h.seen[h.r.IntN(len(h.seen))]
		}
	case 1:
		return strconv.Itoa(1000 + h.r.IntN(9000))
	}
	step := h.now + h.r.Uint64N(41) - 20
	if pair {
		return code(h.t, h.p, step) + code(h.t, h.p, step+1)
	}
	return code(h.t, h.p, step)
}

// match asks the function under test.
func (h *history) match(answer string, width int, pair bool) Match {
	switch {
	case h.p.Method == TOTP && pair:
		return h.p.MatchTOTPPair(answer, at(h.p, h.now), width, h.last)
	case h.p.Method == TOTP:
		return h.p.MatchTOTP(answer, at(h.p, h.now), width, h.last)
	case pair:
		return h.p.MatchHOTPPair(answer, h.last+1, width)
	}
	return h.p.MatchHOTP(answer, h.last+1, width)
}

// acceptable says, from the definition alone, whether the answer must be accepted.
func (h *history) acceptable(answer string, width int, pair bool) bool {
	first, last := h.now-uint64(width), h.now+uint64(width)
	if pair {
		first--
	}
	if h.p.Method == HOTP {
		first, last = h.last+1, h.last+1+uint64(width)
		if pair {
			last--
		}
	}
	for c := first; c <= last; c++ {
		want := byHand(h.p, c)
		if pair {
			want += byHand(h.p, c+1)
		}
		if c > h.last && want == answer {
			return true
		}
	}
	return false
}

// step types one answer and returns whether it was accepted.
func (h *history) step() bool {
	width, pair := 1+h.r.IntN(20), h.r.IntN(3) == 0
	answer := h.answer(pair)
	h.seen = append(h.seen, answer)
	want := h.acceptable(answer, width, pair)
	got := h.match(answer, width, pair)
	if got.OK != want {
		h.t.Fatalf("now %d, last %d, width %d, pair %v: %s: got %+v, want acceptable %v", h.now, h.last, width, pair, answer, got, want)
	}
	if !got.OK {
		return false
	}
	if got.Replayed || got.Counter <= h.last || h.accepted[got.Counter] {
		h.t.Fatalf("%+v accepted, but %d was consumed before", got, h.last)
	}
	h.accepted[got.Counter] = true
	rest := width - int(got.Counter-h.last) // what is left of the window of an HOTP device
	h.last = got.Counter
	// The clock stands still or is set back, the window does not move on: the same answer must be dead.
	for range 3 {
		if h.p.Method == HOTP {
			width = rest
		}
		if again := h.match(answer, width, pair); again.OK {
			h.t.Fatalf("%s is accepted again: %+v after %+v", answer, again, got)
		}
		h.now -= h.r.Uint64N(3)
	}
	return true
}

func TestMatchNeverAcceptsACounterTwice(t *testing.T) {
	r := seeded(t)
	for _, method := range []Method{TOTP, HOTP} {
		accepted := 0
		for range 10 {
			p := randomParams(r)
			p.Method, p.Digits, p.Period = method, 4, 0
			if method == TOTP {
				p.Period = 30
			}
			h := &history{t: t, r: r, p: p, now: 1_000_000, accepted: map[uint64]bool{}}
			if method == HOTP {
				h.last = h.now
			}
			for range 150 {
				h.now += r.Uint64N(8) - 2
				if method == HOTP {
					h.now = h.last + r.Uint64N(5)
				}
				if h.step() {
					accepted++
				}
			}
		}
		if accepted < 100 {
			t.Errorf("%s: only %d answers accepted: the test plays too little", method, accepted)
		}
	}
}

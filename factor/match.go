package factor

import (
	"crypto/subtle"
	"math"
	"time"
)

// What this file must do, and the test of each:
//
//   - It MUST NOT accept a counter at or below the highest consumed one, wherever the clock stands
//     (TestMatchNeverAcceptsACounterTwice).
//   - It MUST consume the highest acceptable counter that the answer matches, so that the same answer is refused after it
//     (TestMatchConsumesTheHighestMatchingCounter).
//   - It MUST look at every counter of the window, whether or not one has matched, and compare in constant time: how long
//     an answer takes says nothing about how near it was (TestMatchLooksAtEveryCounterOfTheWindow).
//   - It MUST NOT accept anything when a parameter is out of range, and never panic
//     (TestMatchAcceptsNothingWhenAParameterIsOutOfRange).
//   - It MUST NOT accept a counter that has no next one, nor step 0 (TestMatchAcceptsNoCounterWithoutANextOneAndNotStep0).

// The widest windows. Wider ones match nothing.
const (
	MaxDiscrepancy = 480  // steps before and after the present one
	MaxLookAhead   = 1000 // counters beyond the next one, and counters of a resynchronisation
)

// Match is the outcome of comparing an answer with the acceptable codes of one device. The zero value is "no".
type Match struct {
	OK bool // the answer is acceptable
	// Replayed says that the answer is not acceptable but would have been, had it not been used already or been passed
	// over by a later one. Then the user is told to wait for the next code.
	Replayed bool
	Counter  uint64 // when OK: the highest counter that the answer uses up; otherwise 0
}

// MatchTOTP compares the answer with the codes of the steps [now−discrepancy, now+discrepancy]. Only steps above last, the
// highest consumed one (0 when there is none), are acceptable. When OK the caller must keep Counter as the new last before
// it lets anyone in. Parameters or a discrepancy (0 to MaxDiscrepancy) out of range match nothing.
func (p Params) MatchTOTP(answer string, now time.Time, discrepancy int, last uint64) Match {
	if p.Method != TOTP || discrepancy < 0 || discrepancy > MaxDiscrepancy {
		return Match{}
	}
	step, d := p.Step(now), uint64(discrepancy)
	return p.scan(answer, window{first: max(1, minus(step, d)), end: step + d + 1, fresh: plus(last, 1), codes: 1})
}

// MatchTOTPPair is MatchTOTP for two codes in a row typed together: those of the steps s and s+1, both above last, for s
// in [now−discrepancy−1, now+discrepancy]. It consumes s+1.
func (p Params) MatchTOTPPair(answer string, now time.Time, discrepancy int, last uint64) Match {
	if p.Method != TOTP || discrepancy < 0 || discrepancy > MaxDiscrepancy {
		return Match{}
	}
	step, d := p.Step(now), uint64(discrepancy)
	return p.scan(answer, window{first: max(1, minus(step, d+1)), end: step + d + 1, fresh: plus(last, 1), codes: 2})
}

// MatchHOTP compares the answer with the codes of the counters [next, next+lookAhead], RFC 4226 section 7.4. As many
// counters before next are looked at for Replayed only. When OK the caller must keep Counter+1 as the new next before it
// lets anyone in. Parameters or a lookAhead (0 to MaxLookAhead) out of range match nothing.
func (p Params) MatchHOTP(answer string, next uint64, lookAhead int) Match {
	if p.Method != HOTP || lookAhead < 0 || lookAhead > MaxLookAhead {
		return Match{}
	}
	width := uint64(lookAhead) + 1
	return p.scan(answer, window{first: minus(next, width), end: plus(next, width), fresh: next, codes: 1})
}

// MatchHOTPPair is the resynchronisation of RFC 4226 section 7.4: two codes in a row typed together, those of the counters
// c and c+1 for c in [next, next+width). It consumes c+1. The width is 0 to MaxLookAhead.
func (p Params) MatchHOTPPair(answer string, next uint64, width int) Match {
	if p.Method != HOTP || width < 0 || width > MaxLookAhead {
		return Match{}
	}
	w := uint64(width)
	return p.scan(answer, window{first: minus(next, w), end: plus(next, w), fresh: next, codes: 2})
}

// window is a range of counters [first, end). An answer is as many codes in a row, beginning with that of a counter in the
// range; it is acceptable when that counter is at least fresh.
type window struct {
	first, end, fresh uint64
	codes             int // 1 or 2
}

// scan looks for the answer in w. An answer of another length takes as long as any: the length tells nothing of the device.
func (p Params) scan(answer string, w window) Match {
	if p.usable() != nil {
		return Match{}
	}
	secret := EncodeSecret(p.Secret)
	return w.search(answer, func(counter uint64) (string, error) { return p.code(secret, counter) })
}

// search compares the answer with everything in the window. What it does next depends on the window alone, never on
// whether something has matched: hits are gathered with masks.
func (w window) search(answer string, code func(uint64) (string, error)) Match {
	var hits, stale int
	var consumed uint64
	// The last counter of a run may be at most 2⁶⁴−2, so that there is a next one.
	end := min(w.end, math.MaxUint64-uint64(w.codes-1))
	for counter := w.first; counter < end; counter++ {
		run := ""
		for i := range w.codes {
			c, err := code(counter + uint64(i))
			if err != nil {
				return Match{}
			}
			run += c
		}
		equal := subtle.ConstantTimeCompare([]byte(answer), []byte(run))
		if counter < w.fresh {
			stale |= equal
			continue
		}
		hits |= equal
		mask := -uint64(equal)
		consumed = consumed&^mask | (counter+uint64(w.codes-1))&mask
	}
	return Match{OK: hits == 1, Replayed: hits == 0 && stale == 1, Counter: consumed}
}

// minus is a−b, or 0 when b is greater.
func minus(a, b uint64) uint64 {
	return a - min(a, b)
}

// plus is a+b, or 2⁶⁴−1 when that is too much: it must not come round to a counter that was consumed long ago.
func plus(a, b uint64) uint64 {
	return a + min(b, math.MaxUint64-a)
}

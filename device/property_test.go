package device

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"twokey/factor"
	"twokey/secrets"
	"twokey/state"
)

// history is a user whose files, clock and answers change at random, and all that was ever accepted of him.
type history struct {
	t    testing.TB
	r    *rand.Rand
	now  time.Time
	st   *state.State
	file *secrets.Record
	seen *secrets.Record // the last that a login has seen
	// used[id] says which counters of a device were accepted; the highest is in top.
	used map[secrets.ID]map[uint64]bool
	top  map[secrets.ID]uint64
	// gone are the devices that were removed once.
	gone     map[secrets.ID]bool
	recovery map[secrets.ID]map[int]bool
	accepted int
}

func newHistory(t testing.TB, seed uint64) *history {
	first := record(1, recovery(1), phone(1), token(2))
	return &history{t: t, r: rand.New(rand.NewPCG(seed, 3)), now: noon, st: fresh(), file: first, seen: &secrets.Record{},
		used: map[secrets.ID]map[uint64]bool{}, top: map[secrets.ID]uint64{}, gone: map[secrets.ID]bool{}, recovery: map[secrets.ID]map[int]bool{}}
}

// replace puts a newer file in place, with some of all the devices that there ever were.
func (h *history) replace() {
	next := &secrets.Record{User: "alice", Serial: h.file.Serial + 1 + uint64(h.r.IntN(3))}
	for number := byte(1); number <= 5; number++ {
		if h.r.IntN(2) == 0 {
			continue
		}
		d := phone(number)
		if number%2 == 0 {
			d = token(number)
			d.Counter = uint64(h.r.IntN(4))
		}
		next.Devices = append(next.Devices, d)
	}
	if n := h.r.IntN(3); n > 0 {
		next.Recovery = recovery(byte(next.Serial)) // a set is never used again
	}
	h.file = next
}

// join is the beginning of a login, by which the state learns of a file; it never learns of one that was there for a moment.
func (h *history) join() *Set {
	for _, old := range h.seen.Devices {
		kept := false
		for _, d := range h.file.Devices {
			kept = kept || d.ID == old.ID
		}
		h.gone[old.ID] = h.gone[old.ID] || !kept
	}
	h.seen = h.file
	return join(h.t, h.st, h.file)
}

// step is one thing that happens.
func (h *history) step() {
	switch h.r.IntN(12) {
	case 0:
		h.now = h.now.Add(time.Duration(h.r.IntN(7200)-3600) * time.Second)
	case 1:
		h.now = h.now.Add(30 * time.Second)
	case 2:
		h.replace()
	case 3:
		h.store()
	default:
		h.answer()
	}
}

// store writes the state and reads it again, as between two logins.
func (h *history) store() {
	st, err := state.Decode([]byte(encoded(h.t, h.st)))
	if err != nil {
		h.t.Fatal(err)
	}
	h.st = st
}

// answer types a code, or two in a row, of any device that there ever was, from anywhere near its counter; or a recovery code.
func (h *history) answer() {
	set := h.join()
	if h.r.IntN(10) == 0 {
		h.answerRecovery(set)
		return
	}
	number := byte(1 + h.r.IntN(5))
	d := phone(number)
	counter := Params(d).Step(h.now) + uint64(h.r.IntN(7)) - 3
	if number%2 == 0 {
		d = token(number)
		counter = uint64(max(0, int64(h.top[d.ID])+int64(h.r.IntN(20))-8))
	}
	typed := h.code(d, counter)
	last := counter
	look := set.Code
	if h.r.IntN(3) == 0 {
		last++
		typed += h.code(d, last)
		look = set.Pair
	}
	if _, err := look(factor.ParseAnswer(typed), h.now, home); err != nil {
		if !errors.Is(err, ErrWrong) && !errors.Is(err, ErrReplayed) && !errors.Is(err, ErrEnded) {
			h.t.Fatal(err)
		}
		return
	}
	h.take(d.ID, counter, last)
}

func (h *history) code(d secrets.Device, counter uint64) string {
	text, err := Params(d).Code(counter)
	if err != nil {
		h.t.Fatal(err)
	}
	return text
}

func (h *history) take(id secrets.ID, first, last uint64) {
	h.accepted++
	if h.gone[id] {
		h.t.Fatalf("a device that was removed is good again: %x", id)
	}
	if h.used[id] == nil {
		h.used[id] = map[uint64]bool{}
	}
	for counter := first; counter <= last; counter++ {
		if h.used[id][counter] || len(h.used[id]) > 0 && counter <= h.top[id] {
			h.t.Fatalf("device %x: counter %d was accepted, and %d is the highest of before", id, counter, h.top[id])
		}
		h.used[id][counter] = true
	}
	h.top[id] = last
}

func (h *history) answerRecovery(set *Set) {
	i := h.r.IntN(len(recoveryCodes))
	if _, err := set.RecoveryCode(factor.ParseAnswer(recoveryCodes[i])); err != nil {
		return
	}
	h.accepted++
	id := h.file.Recovery.ID
	if h.recovery[id] == nil {
		h.recovery[id] = map[int]bool{}
	}
	if h.recovery[id][i] {
		h.t.Fatalf("recovery code %d of set %x was accepted twice", i, id)
	}
	h.recovery[id][i] = true
}

// Whatever sequence of answers, of jumps of the clock and of newer files: no code of a device is accepted twice, none below one that
// was accepted, and none of a device that was removed.
func TestNoCodeIsEverAcceptedTwice(t *testing.T) {
	accepted := 0
	for range 20 {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		h := newHistory(t, seed)
		for range 120 {
			h.step()
		}
		accepted += h.accepted
	}
	if accepted < 100 {
		t.Errorf("only %d answers were accepted: this test has shown nothing", accepted)
	}
}

// FuzzNoCodeIsEverAcceptedTwice is the same with sequences that the fuzzer finds.
func FuzzNoCodeIsEverAcceptedTwice(f *testing.F) {
	for _, seed := range historySeeds {
		f.Add(seed, uint8(60))
	}
	f.Fuzz(func(t *testing.T, seed uint64, steps uint8) {
		h := newHistory(t, seed)
		for range steps {
			h.step()
		}
	})
}

var historySeeds = []uint64{0, 1, 2, 3, 1 << 63}

func TestHistorySeeds(t *testing.T) {
	if len(historySeeds) != 5 {
		t.Errorf("%d seeds", len(historySeeds))
	}
	for _, seed := range historySeeds {
		h := newHistory(t, seed)
		for range 200 {
			h.step()
		}
		if h.accepted == 0 {
			t.Errorf("seed %d: nothing was accepted", seed)
		}
	}
}

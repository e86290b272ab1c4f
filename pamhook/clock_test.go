package pamhook

import (
	"slices"
	"testing"
	"time"

	"twokey/audit"
	"twokey/state"
)

// The clock is set back between two logins, by hand, by NTP or by an attacker with its battery: what was used stays used.
func TestASetBackClockMakesNoCodeGoodAgain(t *testing.T) {
	w := newWorld(t)
	for _, back := range []time.Duration{time.Minute, time.Hour, 24 * time.Hour, 400 * 24 * time.Hour} {
		w.reset()
		var typed []string
		for range 3 { // three logins at three times
			answer := w.code(0)
			if got := w.again(answer); got != allows {
				t.Fatalf("%#x: %q", got, w.reasons())
			}
			typed = append(typed, answer)
			w.now = w.now.Add(time.Minute)
		}
		end := w.now
		for now := noon.Add(-period * time.Second); now.Before(end); now = now.Add(period * time.Second) {
			w.now = now.Add(-back)
			for _, answer := range append(typed, w.code(0), w.code(-1)) {
				if got := w.again(answer); got == allows {
					t.Errorf("%v back, at %v: %s let in", back, w.now, answer)
				}
			}
		}
		w.now = end
		if got := w.again(pair(w)); got != allows { // the attempts are used up
			t.Errorf("%v back, and right again: %#x, %q", back, got, w.reasons())
		}
	}
}

func TestASetBackClockIsRecordedOnceForEachTime(t *testing.T) {
	w := newWorld(t)
	w.change(empty(w.now)) // times that the throttle keeps
	clocks := func() (n int) {
		for _, r := range w.log {
			if r.Action == "clock-set-back" && r.Outcome == audit.Failure && r.User == "alice" {
				n++
			}
		}
		return n
	}
	for i, step := range []struct {
		move time.Duration
		told int
	}{{0, 0}, {-4 * time.Minute, 0}, {-2 * time.Minute, 1}, {0, 1}, {time.Second, 1}, {-24 * time.Hour, 2}, {time.Hour, 2}} {
		w.now = w.now.Add(step.move)
		w.again(w.wrongCode())
		if got := clocks(); got != step.told {
			t.Errorf("step %d: %d records, want %d: %q", i, got, step.told, w.reasons())
		}
	}
	if !slices.Contains(w.warnings, "the clock has been set back: times in the user's state lie in the future: alice") {
		t.Errorf("warned %q", w.warnings)
	}
	if got := w.again(pair(w)); got != allows {
		t.Errorf("the owner with two codes: %#x, %q", got, w.reasons())
	}
}

// A host without a battery begins in 1970 and jumps: nobody may be locked out by times that were the future once.
func TestAClockThatComesFromTheFutureLocksNobodyOut(t *testing.T) {
	w := newWorld(t)
	w.now = noon.Add(365 * 24 * time.Hour) // wrong
	w.change(empty(w.now))
	w.again(w.wrongCode() + w.wrongCode())
	w.change(func(st *state.State) {
		st.Succeeded(state.Attempt{Source: foreigner, Cost: state.One, Now: w.now})
	})
	w.now = noon // right
	if got := w.again(pair(w)); got != allows {
		t.Fatalf("two codes: %#x, %q", got, w.reasons())
	}
	w.now = noon.Add(7 * time.Hour)
	w.hello.RHost, w.hello.Client = "203.0.113.5", ""
	if got := w.again(w.code(0)); got != allows {
		t.Errorf("a stranger seven hours later, with one attempt in the bucket: %#x, %q", got, w.reasons())
	}
}

// Without its state a host does not know what was used before the loss: codes of time steps before the first look stay closed.
func TestARestoredStateIsGoodFromThePresentStepOn(t *testing.T) {
	w := newWorld(t)
	lost(w)
	old, present, next := w.code(-1), w.code(0), w.code(1)
	for _, c := range []struct {
		answer string
		want   bool
		reason string
	}{
		{old, false, "code used before"}, {recovery[0], false, "the state was lost: hotp and recovery codes are closed until twokey adopt"},
		{present, true, "right code"}, {present, false, "code used before"}, {next, true, "right code"},
	} {
		if got := w.again(c.answer) == allows; got != c.want || w.log[len(w.log)-1].Reason != c.reason {
			t.Errorf("%s: let in %v, recorded %q", c.answer, got, w.reasons())
		}
	}
	restored := slices.IndexFunc(w.log, func(r audit.Record) bool { return r.Action == "state-restored" })
	if restored != 0 || slices.ContainsFunc(w.log[1:], func(r audit.Record) bool { return r.Action == "state-restored" }) {
		t.Errorf("recorded as %+v", w.log)
	}
	if owner, err := w.states.NameOf(aliceUID); err != nil || owner != "alice" {
		t.Errorf("the user id belongs to %q, %v", owner, err)
	}
}

// A user id that was somebody else's: making a state for the new name would give it to him.
func TestALostStateIsNotMadeForAnotherOwnerOfTheUserID(t *testing.T) {
	w := newWorld(t)
	lost(w)
	must(t, w.states.Bind(aliceUID, "mallory"))
	if got := w.frame(); got != denies || w.reasons()[0] != `user id 1000 was enrolled as "mallory": twokey adopt` {
		t.Errorf("%#x, %q", got, w.reasons())
	}
	for _, call := range []string{"NameOf", "Bind", "New"} {
		w.reset()
		lost(w)
		w.fault.call = call
		if got := w.frame(); got != denies {
			t.Errorf("%s fails: %#x", call, got)
		}
		if _, err := w.states.Read("alice"); err == nil {
			t.Errorf("%s fails: there is a state", call)
		}
	}
}

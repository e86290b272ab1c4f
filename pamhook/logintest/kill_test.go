package logintest

import (
	"math/rand/v2"
	"os/exec"
	"testing"
	"time"

	"twokey/pamhook/logintest/scratch"
)

// A helper that is killed at any moment has either let in, and then its code is used up, or has not.
func TestKilledAtAnyMomentNoCodeIsAcceptedTwiceAndNoFileIsLost(t *testing.T) {
	h := newHost(t, "")
	token := h.Enrol("alice", uid, counted())
	const kills = 200
	accepted := 0
	for next := 0; accepted < kills; {
		must(t, h.Users.Unlock("alice"))
		right := scratch.Code(t, token, int64(next))
		first := h.killed(right, time.Duration(rand.IntN(9000))*time.Microsecond)
		// Whoever is let in by the killed run has used the code up; whoever was not may still have it, or must take the next.
		second := h.answer(h.from(home, home+":1"), right)
		if first && second {
			t.Fatalf("code %d was accepted by a run that was killed, and again", next)
		}
		if !first && !second && !h.answer(h.from(home, home+":1"), scratch.Code(t, token, int64(next+1))) {
			t.Fatalf("after a kill neither code %d nor the next is accepted: %s", next, h.Last(1)[0].Record.Reason)
		}
		accepted++
		st, err := h.Users.State.Read("alice")
		must(t, err)
		next = int(st.Devices[0].Consumed)
	}
	report := h.Verified()
	t.Logf("%d kills, %d records, notes: %q", kills, report.Records, report.Notes)
}

// killed runs a login whose helper is killed so long after the answer was given, and reports whether it let in before.
func (h *host) killed(answer string, after time.Duration) bool {
	h.t.Helper()
	var command *exec.Cmd
	var timer *time.Timer
	out, err := h.start(h.from(home, home+":1"), talk{
		answers: []any{answer},
		limit:   func(c *exec.Cmd) { command = c },
		asked: func() {
			timer = time.AfterFunc(after, func() { _ = command.Process.Kill() }) // it may be done already
		},
	})
	must(h.t, err)
	timer.Stop()
	return out.allowed()
}

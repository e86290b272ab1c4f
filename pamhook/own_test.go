package pamhook

import (
	"testing"
	"time"

	"twokey/internal/proc"
	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/state"
)

// TestARightCodeInAProcessOfTheUsersOwnOpensNothingElse: neither a session, nor the next login without a question, nor a bucket of his own
// for whoever guesses from there. The code is used up, as everywhere.
func TestARightCodeInAProcessOfTheUsersOwnOpensNothingElse(t *testing.T) {
	for name, own := range map[string]bool{"root's": false, "the user's": true} {
		w := newWorld(t)
		w.policy.Remember, w.policy.Services = time.Hour, map[string]policy.Way{"cockpit": policy.Earlier}
		w.hello.RHost, w.hello.Client, w.hello.CallerUID, w.hello.Service = "", "", aliceUID, "locker"
		h := w.host()
		h.Own = own
		if v := h.Run(w); v.Frame() != wire.TypeAllow {
			t.Fatalf("%s: a right code: %v, %+v", name, v.Frame(), w.log)
		}
		st, err := w.states.Read("alice")
		must(t, err)
		sources, remembered := st.Kept()
		success, found := st.TakeSuccess(h.Application, "locker")
		if left := sources + remembered; own != (left == 0) || own == found {
			t.Errorf("%s: %d sources, %d remembered, success %+v (%v)", name, sources, remembered, success, found)
		}
		prompts := len(w.prompts)
		if v := h.Run(w); v.Frame() != wire.TypeAllow && !own {
			t.Errorf("%s: a login that is remembered: %v", name, v.Frame())
		} else if own && (v.Frame() != wire.TypeDeny || len(w.prompts) != prompts+1) {
			t.Errorf("%s: the same code a second time: %v after %d questions", name, v.Frame(), len(w.prompts)-prompts)
		}
	}
}

// TestARightCodeInAProcessOfTheUsersOwnGivesBackItsOwnChargeOnly: what was guessed before it from the same process is paid for.
func TestARightCodeInAProcessOfTheUsersOwnGivesBackItsOwnChargeOnly(t *testing.T) {
	w := newWorld(t)
	w.hello.RHost, w.hello.Client, w.hello.CallerUID, w.hello.Service = "", "", aliceUID, "locker"
	h := w.host()
	h.Own, h.Application = true, proc.ID{PID: 77, Start: 1}
	run := func(answer string) wire.Type {
		w.answer = []byte(answer)
		v := h.Run(w)
		return v.Frame()
	}
	for range 9 {
		run(w.wrongCode())
	}
	if v := run(w.code(0)); v != wire.TypeAllow {
		t.Fatalf("the tenth answer, a right one: %v, %+v", v, w.log[len(w.log)-1])
	}
	run(w.wrongCode())
	w.now = w.now.Add(period * time.Second)
	if v := run(w.code(0)); v != wire.TypeDeny {
		t.Errorf("a code after ten wrong ones: %v", v)
	}
	must(t, w.states.Update("alice", func(tx *state.Tx) error {
		if strangers, _ := tx.Throttled(state.One, w.now); !strangers {
			t.Error("the strangers' bucket was filled again")
		}
		return nil
	}))
}

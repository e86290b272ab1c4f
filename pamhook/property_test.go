package pamhook

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"twokey/pamhook/wire"
	"twokey/policy"
)

// facts are one login, in the words of the person who tells how it must end.
type facts struct {
	who      string // known, unknown, no names, another name, another id
	device   string // enrolled, none, file gone, reset, old file, state lost
	decision policy.Decision
	staff    string // what the group staff, which is required, says: yes, no, broken; "": no such rule
	off      bool
	exempt   string // "", service, user
	observe  bool
	decoy    bool
	phase    wire.Phase
	bucket   string // full, empty, empty but known
	typed    string // right, wrong, used, pair, half used pair, recovery, used recovery, empty, rubbish, nothing
	broken   string // the dependency that fails; "": none
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// usually is first in most cases, so that not everything is wrong at once.
func usually[T any](r *rand.Rand, first T, from ...T) T {
	if r.IntN(8) > 0 {
		return first
	}
	return pick(r, from...)
}

func randomFacts(r *rand.Rand) facts {
	return facts{
		who:      usually(r, "known", "unknown", "no names", "another name", "another id"),
		device:   usually(r, "enrolled", "none", "file gone", "reset", "old file", "state lost"),
		decision: pick(r, policy.Required, policy.Optional, policy.Exempt, policy.Deny),
		staff:    usually(r, "", "yes", "no", "broken"),
		off:      usually(r, false, true), exempt: usually(r, "", "service", "user"),
		observe: usually(r, false, true), decoy: usually(r, false, true),
		phase:  usually(r, wire.PhaseAuthenticate, wire.PhaseAccount),
		bucket: pick(r, "full", "empty", "empty but known"),
		typed: pick(r, "right", "right", "wrong", "used", "pair", "half used pair", "recovery", "used recovery", "empty", "rubbish",
			"nothing"),
		broken: usually(r, "", "Policy", "Secrets", "Enrolled", "Load", "LoadDecoy", "State", "NameOf", "Read", "Update", "Flush", "Sync",
			"New", "Bind", "Append", "Prompt", "LookupGroup", "Info"),
	}
}

// expected is how the login must end, if the fault does or does not come about.
func (f facts) expected(w *world) wire.Type {
	out := func(what ...string) bool { return w.hit && slices.Contains(what, f.broken) }
	if out("LookupGroup") {
		f.staff = "broken"
	}
	switch {
	case out("Policy") || f.decoy || f.phase == wire.PhaseAccount:
		return denies
	case f.off || f.exempt == "service":
		return ignores
	}
	refused := denies
	if f.observe {
		refused = ignores
	}
	if f.who == "unknown" || f.who == "no names" {
		return refused
	}
	unknowable := out("Secrets", "Enrolled", "State", "NameOf", "Read") && !f.hasFile() || out("Secrets", "Enrolled") ||
		!f.hasFile() && (f.device == "file gone" || f.who == "another name" && f.device != "none")
	actions := f.actions(unknowable)
	switch {
	case f.exempt == "user" && f.who != "another name":
		return ignores
	case len(actions) > 1:
		return refused // a group decides, and cannot be looked up
	case actions[0] == policy.Exempt:
		return ignores
	case unknowable || actions[0] == policy.Deny:
		return refused
	case !f.hasFile() && (actions[0] == policy.Required || f.device == "reset"):
		return refused
	case !f.hasFile():
		return ignores
	case f.right() && f.mayAnswer() && !out("Load", "State", "NameOf", "New", "Bind", "Update", "Flush", "Sync", "Append", "Prompt"):
		return allows
	}
	return refused
}

// hasFile tells whether there is a secret file under the name.
func (f facts) hasFile() bool {
	return f.who != "another name" && slices.Contains([]string{"enrolled", "old file", "state lost"}, f.device)
}

// actions are the decisions between which a group that cannot be looked up leaves the choice, as far as they differ in what is done.
func (f facts) actions(unknowable bool) []policy.Decision {
	switch f.staff {
	case "yes":
		return []policy.Decision{policy.Required}
	case "broken":
		same := f.decision == policy.Required || f.decision == policy.Optional && (f.hasFile() || unknowable || f.device == "reset") ||
			f.decision == policy.Deny && !f.hasFile() && !unknowable
		if !same {
			return []policy.Decision{f.decision, policy.Required}
		}
		return []policy.Decision{min(f.decision, policy.Required)}
	}
	return []policy.Decision{f.decision}
}

// mayAnswer tells whether any answer of this user can be right. Which user id was enrolled is forgotten with the state.
func (f facts) mayAnswer() bool {
	return f.device != "old file" && (f.who == "known" || f.who == "another id" && f.device == "state lost")
}

func (f facts) right() bool {
	switch f.typed {
	case "right":
		return f.bucket != "empty" || f.device == "state lost" // a new state has a full bucket
	case "pair":
		return true
	case "recovery":
		return f.device != "state lost"
	case "used", "half used pair":
		return f.device == "state lost" // with which its use is forgotten
	}
	return false
}

// play makes the world as the facts say.
func (f facts) play(w *world) {
	w.reset()
	w.policy.Default, w.policy.Off, w.policy.Observe, w.hello.Phase = f.decision, f.off, f.observe, f.phase
	w.fault.call = f.broken
	if f.staff != "" {
		w.policy.Require = []policy.Entry{{Groups: []string{"staff"}}}
		w.members = map[string]wire.Membership{"staff": map[string]wire.Membership{
			"yes": wire.Member, "no": wire.NotMember, "broken": wire.LookupFailed}[f.staff]}
	}
	switch f.exempt {
	case "service":
		w.policy.Exempt = []policy.Entry{{Services: []string{"sshd"}}}
	case "user":
		w.policy.Exempt = []policy.Entry{{Users: []string{"alice"}}}
	}
	if f.decoy {
		w.hello.Flags = wire.FlagDecoy
	}
	f.playTyped(w)
	f.playBucket(w)
	f.playDevice(w)
	f.playWho(w)
}

func (f facts) playTyped(w *world) {
	switch f.typed {
	case "wrong":
		w.answer = []byte(w.wrongCode())
	case "used":
		w.change(consume(w.step()))
	case "half used pair":
		w.answer = []byte(pair(w))
		w.change(consume(w.step()))
	case "pair":
		w.answer = []byte(pair(w))
	case "recovery":
		w.answer = []byte(recovery[1])
	case "used recovery":
		usedRecovery(w)
	case "empty":
		w.answer = nil
	case "rubbish":
		w.answer = []byte("rubbish, this")
	case "nothing":
		w.none = wire.ConversationFailed
	}
}

func (f facts) playBucket(w *world) {
	if f.bucket != "full" {
		w.change(empty(w.now))
	}
	if f.bucket == "empty but known" {
		known(atHome)(w)
	}
}

func (f facts) playDevice(w *world) {
	switch f.device {
	case "none":
		w.record = nil
		must(w.t, w.states.Remove("alice"))
		must(w.t, w.states.Unbind(aliceUID))
	case "file gone":
		w.record = nil
	case "reset":
		decision := w.policy.Default
		reset(w)
		w.policy.Default = decision
	case "old file":
		w.record.Serial--
	case "state lost":
		lost(w)
	}
}

func (f facts) playWho(w *world) {
	switch f.who {
	case "unknown":
		unknown(w)
	case "no names":
		unknown(w)
		w.hello.Flags |= wire.FlagLookupFailed
	case "another name":
		w.hello.User, w.hello.Name = "alicia", "alicia"
	case "another id":
		w.hello.UID = otherUID
	}
}

func TestRandomLoginsEndAsTheirFactsSay(t *testing.T) {
	w := newWorld(t)
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	ends := map[wire.Type]int{}
	for i := range 1500 {
		f := randomFacts(r)
		f.play(w)
		got := w.frame()
		ends[got]++
		if want := f.expected(w); got != want {
			t.Fatalf("seed %d, login %d: %#x, want %#x\n%+v\nrecorded %q, calls %q", seed, i, got, want, f, w.reasons(), w.calls)
		}
		if got == denies && len(w.log) == 0 && len(w.warnings) == 0 && !(f.decoy && (f.off || f.exempt == "service" || f.decision == policy.Exempt && f.staff == "")) {
			t.Fatalf("seed %d, login %d: neither recorded nor warned of\n%+v", seed, i, f)
		}
		w.checkWords(f.typed)
		if _, err := w.states.Read("alice"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("seed %d, login %d: the state: %v", seed, i, err)
		}
	}
	t.Logf("seed %d: %d let in, %d denied, %d ignored", seed, ends[allows], ends[denies], ends[ignores])
	for end, n := range ends {
		if n < 40 {
			t.Errorf("only %d logins ended with %#x", n, end)
		}
	}
}

// One person types whatever he likes, time goes on or back: no code is taken twice, and whoever has the app gets in in the end.
func TestNoSequenceOfAnswersUsesACodeTwice(t *testing.T) {
	w := newWorld(t)
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	for range 8 {
		w.reset()
		used := map[uint64]bool{}
		usedRecovery := map[string]bool{}
		for range 150 {
			w.now = w.now.Add(pick[time.Duration](r, 0, 0, 1, 10, 30, 60, -30, -3600, 7200) * time.Second)
			offset := int64(r.IntN(5) - 2)
			single := r.IntN(3) > 0
			answer := w.code(offset)
			if !single {
				answer += w.code(offset + 1)
			}
			w.hello.RHost = pick(r, atHome, foreigner)
			if step := uint64(int64(w.step()) + offset); w.again(answer) == allows {
				if used[step] || !single && used[step+1] {
					t.Fatalf("seed %d: the code of step %d was taken twice", seed, step)
				}
				for earlier := step - 5000; earlier <= step; earlier++ { // no earlier one may follow either
					used[earlier] = true
				}
				used[step+1] = used[step+1] || !single
			}
			code := pick(r, recovery...)
			if r.IntN(20) == 0 && w.again(code) == allows {
				if usedRecovery[code] {
					t.Fatalf("seed %d: a recovery code was taken twice", seed)
				}
				usedRecovery[code] = true
			}
		}
		st, err := w.states.Read("alice")
		must(t, err)
		w.now = time.Unix(int64(st.Devices[0].Consumed)*period, 0).Add(time.Hour)
		if got := w.again(pair(w)); got != allows {
			t.Fatalf("seed %d: the owner is locked out: %#x, %q", seed, got, w.reasons()[len(w.log)-1])
		}
	}
}

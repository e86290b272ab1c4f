package pamhook

import (
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/audit"
	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/secrets"
	"twokey/state"
)

// These tests stand beside TestMustHaveOneWayToAnAllowingVerdict, TestMustDenyWhateverFailsAndLeaveTheReason and those of the
// session in session_test.go; each is named after a MUST of the package comment.

func TestMustSayIgnoreToWhoIsNotSubjectToThePolicy(t *testing.T) {
	w := newWorld(t)
	for why, prepare := range map[string]func(*world){
		"switched off":                   func(w *world) { w.policy.Off = true },
		"switched off, required":         func(w *world) { w.policy.Off, w.policy.Default = true, policy.Required },
		"exempt":                         exempt(policy.Entry{Users: []string{"alice"}}),
		"the service is exempt":          exempt(policy.Entry{Services: []string{"sshd"}}),
		"exempt by a group":              func(w *world) { exempt(policy.Entry{Groups: []string{"staff"}})(w); w.members["staff"] = wire.Member },
		"optional without a device":      notEnrolled(policy.Optional),
		"by default exempt, no device":   notEnrolled(policy.Exempt),
		"unknown, the service is exempt": func(w *world) { unknown(w); exempt(policy.Entry{Services: []string{"sshd"}})(w) },
		"exempt, all files are broken": func(w *world) {
			exempt(policy.Entry{Users: []string{"alice"}})(w)
			w.fault.call = "Secrets"
		},
	} {
		w.reset()
		prepare(w)
		if got := w.frame(); got != ignores || len(w.prompts)+len(w.infos)+len(w.log) > 0 {
			t.Errorf("%s: %#x, asked %q, told %q, recorded %q", why, got, w.prompts, w.infos, w.reasons())
		}
	}
}

func exempt(e policy.Entry) func(*world) {
	return func(w *world) { w.policy.Exempt, w.members = []policy.Entry{e}, map[string]wire.Membership{} }
}

// A decoy line answers who has given a wrong password: it asks him like everybody, and neither his answer nor anybody else's state
// means anything. Attack: guess codes, or spend the owner's attempts, without his password.
func TestMustNotChargeOrAllowAnythingOnADecoyLine(t *testing.T) {
	w := newWorld(t)
	for name, l := range logins() {
		w.reset()
		l.prepare(w)
		if w.hello.Phase != wire.PhaseAuthenticate {
			continue
		}
		w.hello.Flags |= wire.FlagDecoy
		before, beforeErr := w.states.Read("alice")
		asks := 1
		if w.policy.AsksNobody(policy.Facts{Service: w.hello.Service}) || !slices.Contains([]policy.Way{policy.Prompt, policy.Appended}, w.policy.WayOf("sshd")) {
			asks = 0
		}
		if got := w.frame(); got != denies || len(w.prompts) != asks {
			t.Errorf("%s: %#x, asked %d times", name, got, len(w.prompts))
		}
		if slices.Contains(w.calls, "Load") || slices.Contains(w.calls, "New") || slices.Contains(w.calls, "Bind") {
			t.Errorf("%s: %v", name, w.calls)
		}
		after, afterErr := w.states.Read("alice")
		if (beforeErr == nil) != (afterErr == nil) || beforeErr == nil && encoded(t, before) != encoded(t, after) {
			t.Errorf("%s: the state has changed", name)
		}
	}
}

func encoded(t *testing.T, st *state.State) string {
	t.Helper()
	b, err := st.Encode()
	must(t, err)
	return string(b)
}

// The code that the decoy's secret makes is a code like any: whoever has read its file must not get in with it. It is looked at, also
// when strangers have typed many: a decoy that is throttled would be known by the work that is not done.
func TestTheDecoysOwnCodesLetNobodyIn(t *testing.T) {
	w := newWorld(t)
	matched := 0
	for name, l := range logins() {
		w.reset()
		l.prepare(w)
		decoy := w.emptyDecoy()
		theirs := codeOf(t, w.decoy.Devices[0], w.now, 0)
		w.field = []byte("hunter2" + theirs)
		if got := w.again(theirs); got == allows && w.hello.Phase == wire.PhaseAuthenticate && len(w.prompts) > 0 {
			t.Errorf("%s: let in", name)
		}
		st, err := w.states.Read(decoy)
		must(t, err)
		if len(st.Devices) > 0 && st.Devices[0].Consumed == w.step() {
			matched++
		}
	}
	if matched < 5 {
		t.Errorf("the code was right for the decoy %d times: this test has shown nothing", matched)
	}
}

// emptyDecoy gives the user a new decoy, from which strangers have taken all attempts.
func (w *world) emptyDecoy() (name string) {
	w.t.Helper()
	name = state.Decoy(w.hello.User)
	must(w.t, w.states.Remove(name))
	must(w.t, w.states.CreateDecoys())
	must(w.t, w.states.Update(name, func(tx *state.Tx) error { empty(w.now)(tx.State); return nil }))
	return name
}

func TestADecoyThatCannotBeUsedIsWarnedOf(t *testing.T) {
	w := newWorld(t)
	unknown(w)
	must(t, w.states.Remove(state.Decoy(w.hello.User)))
	if got := w.frame(); got != denies || len(w.warnings) != 1 || !strings.HasPrefix(w.warnings[0], "the decoy cannot be used") {
		t.Errorf("%#x, warned %q", got, w.warnings)
	}
	w.reset()
	unknown(w)
	w.fault.call = "LoadDecoy"
	if got := w.frame(); got != denies || len(w.warnings) != 1 || !strings.HasPrefix(w.warnings[0], "the decoy cannot be used") {
		t.Errorf("%#x, warned %q", got, w.warnings)
	}
	must(t, w.states.CreateDecoys())
}

// While the policy is only observed the rest of the stack decides, whatever we think and whatever is broken here.
func TestMustTurnNobodyAwayWhileObserved(t *testing.T) {
	w := newWorld(t)
	for name, l := range logins() {
		for _, call := range []string{"", "Secrets", "Enrolled", "Load", "State", "Update", "Flush", "Sync", "Append", "Prompt", "LookupGroup"} {
			w.reset()
			observed(l.prepare)(w)
			w.fault.call = call
			theirs := w.hello.Flags&wire.FlagDecoy != 0 || w.hello.Phase == wire.PhaseAccount // only after a password that is wrong
			if got := w.frame(); got == denies && !theirs || got == allows && (w.hit || l.verdict == ignores) && w.hello.Phase == wire.PhaseAuthenticate {
				t.Errorf("%s, fault in %q: %#x", name, call, got)
			}
			if theirs {
				continue
			}
			for _, r := range w.log {
				if r.Outcome == audit.Failure || r.Outcome == audit.Unknown && !strings.HasPrefix(r.Reason, "would have denied: ") {
					t.Errorf("%s, fault in %q: recorded as %+v", name, call, r)
				}
			}
		}
	}
}

// A panic is not held up: cmd/twokey-verify ends by it, without a verdict.
func TestMustEndAPanicWithoutAVerdict(t *testing.T) {
	w := newWorld(t)
	for _, call := range []string{"Policy", "Secrets", "Enrolled", "Load", "State", "Update", "Flush", "Sync", "Append", "Prompt"} {
		w.reset()
		w.fault = fault{call: call, panics: true}
		if v := w.run(); v != nil {
			t.Errorf("%s: verdict %#x", call, v.Frame())
		}
		crash := slices.Contains(w.reasons(), "the helper crashed")
		if want := call != "Policy" && call != "Append"; crash != want || !slices.Contains(w.warnings, "a login is denied: the helper crashed") {
			t.Errorf("%s: recorded %q, warned %q", call, w.reasons(), w.warnings)
		}
	}
	w.reset()
	if got := w.frame(); got != allows {
		t.Errorf("the next login: %#x; a panic has kept the lock", got)
	}
}

// Everybody is asked and told the same, and the same is done for everybody: what differs would tell a stranger who there is. In one field
// nobody is told anything: of whom nothing is asked could not be.
func TestTheSameIsDoneForEverybodyWhoIsDenied(t *testing.T) {
	w := newWorld(t)
	looks := []string{"LoadDecoy or Load", "Update", "Flush", "Sync", "Append", "Info"}
	ours := map[policy.Way][]string{
		policy.Prompt: append([]string{"Prompt"}, looks...), policy.Appended: append([]string{"Authtok"}, looks[:len(looks)-1]...),
		policy.Earlier: looks, policy.Never: {"Append", "Info"}, // nothing of a user's is looked at: it is closed to all of them
	}
	for name, l := range logins() {
		w.reset()
		l.prepare(w)
		if w.frame() != denies || w.hello.Phase != wire.PhaseAuthenticate {
			continue
		}
		var did []string
		want := ours[w.policy.WayOf("sshd")]
		for _, call := range w.calls {
			if call == "Load" || call == "LoadDecoy" {
				call = "LoadDecoy or Load"
			}
			if slices.Contains(slices.Concat(ours[policy.Prompt], ours[policy.Appended]), call) {
				did = append(did, call)
			}
		}
		switch name { // found out under the lock: then the decoy's work comes on top, where a code was asked for
		case "another user id":
			did = slices.Delete(did, 2, 6)
		case "an old secret file": // which is read once more
			did = slices.Delete(did, 2, 10)
		}
		if !slices.Equal(did, want) {
			t.Errorf("%s: %q", name, did)
		}
	}
}

// However long the steps of a login take, whoever is asked hears of his refusal at a full step after his answer.
func TestMustRoundUpTheTimeOfARefusal(t *testing.T) {
	w := newWorld(t)
	took := map[time.Duration]bool{}
	for name, l := range logins() {
		for _, slow := range []time.Duration{0, time.Microsecond, 3 * time.Millisecond, 40 * time.Millisecond, refusalStep} {
			w.reset()
			l.prepare(w)
			w.slow = slow
			if w.frame() != denies || w.answered.IsZero() || w.told.IsZero() || w.hello.Phase == wire.PhaseAccount {
				continue
			}
			after := w.told.Sub(w.answered)
			if after <= 0 || after%refusalStep != 0 {
				t.Errorf("%s, %v for each step: told after %v", name, slow, after)
			}
			took[after] = true
		}
	}
	if len(took) < 4 {
		t.Errorf("all took one of %v: this test has shown nothing", took)
	}
}

// Only who may get in has a turn to wait for. Attack: many pairs at once, which take longer when the password is right.
func TestMustNotTellByAPairThatWaitsForItsTurn(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(){
		"a decoy line":                func() { w.hello.Flags |= wire.FlagDecoy },
		"an unknown user":             func() { w.hello.Name = "" },
		"it is his turn":              func() {},
		"it is his turn in 50 ms":     func() { w.change(turnIn(w.now, 50*time.Millisecond)) },
		"it is his turn in a second":  func() { w.change(turnIn(w.now, time.Second)) },
		"it is his turn in five":      func() { w.change(turnIn(w.now, longestWait)) },
		"it is his turn in a minute":  func() { w.change(turnIn(w.now, time.Minute)) },
		"all steps take their time":   func() { w.slow = 100 * time.Millisecond; w.change(turnIn(w.now, longestWait)) },
		"a pair of eight digits each": func() { w.answer = []byte("00000000 00000000") },
		"a pair of four digits each":  func() { w.record.Devices[0].Digits, w.answer = 4, []byte("0000 0000") },
		"a pair of four, which waits": func() {
			w.record.Devices[0].Digits, w.answer = 4, []byte("0000 0000")
			w.change(turnIn(w.now, time.Second))
		},
		"the length of a pair of four, for nobody": func() { w.hello.Name, w.answer = "", []byte("00000000") },
	} {
		w.reset()
		w.hello.RHost, w.answer = foreigner, []byte("000000 000000")
		change()
		if got := w.frame(); got != denies || w.told.Sub(w.answered) != pairStep {
			t.Errorf("%s: %#x after %v, want %v", name, got, w.told.Sub(w.answered), pairStep)
		}
	}
}

// turnIn takes turns of pairs, so that the next is after this time.
func turnIn(now time.Time, wait time.Duration) func(*state.State) {
	price := int64(wait/time.Millisecond) * state.One / 50 // for the price of one a stranger waits for 50 ms
	return func(st *state.State) { st.ChargePair(state.Attempt{Source: foreigner, Cost: price, Now: now}) }
}

// A refusal whose record was written with the name of an unknown user would show passwords that were typed in the wrong place.
func TestTheNameOfAnUnknownUserIsNotRecorded(t *testing.T) {
	w := newWorld(t)
	unknown(w)
	w.hello.User = "hunter2"
	w.frame()
	r := w.log[0]
	if r.User != "" || r.UserID != "" || r.UnknownUser != "hunter2" || strings.Contains(strings.Join(w.warnings, ""), "hunter2") {
		t.Errorf("recorded as %+v, warned %q", r, w.warnings)
	}
}

// Every record of a login under a policy with a problem says so; records of their own would not be summed in a flood of refusals.
func TestAProblemOfThePolicyIsSaidLoudlyAndWithoutRecordsOfItsOwn(t *testing.T) {
	w := newWorld(t)
	for _, lastGood := range []bool{false, true} {
		for answer, outcome := range map[string]audit.Outcome{w.code(0): audit.Success, w.wrongCode(): audit.Failure} {
			w.reset()
			w.policy.Problem, w.policy.LastGood = errFault, lastGood
			w.again(answer)
			want := errFault.Error()
			if lastGood {
				want = "the last good policy is in force: " + want
			}
			if len(w.log) != 1 || w.log[0].Outcome != outcome || !slices.Equal(w.log[0].Details, []audit.Detail{{Key: problemKey, Value: want}}) {
				t.Errorf("recorded as %+v", w.log)
			}
			if !slices.Equal(w.warnings, []string{want}) {
				t.Errorf("warned %q", w.warnings)
			}
		}
	}
}

func TestAChangeOfThePolicyIsRecordedWithItsDigests(t *testing.T) {
	w := newWorld(t)
	w.policy.Changed, w.policy.Before, w.policy.Digest = true, [32]byte{1}, [32]byte{2}
	w.frame()
	zeros := strings.Repeat("00", 31)
	if r := w.log[0]; r.Action != "policy-changed" || !slices.Equal(r.Changes, []audit.Change{{Field: "sha256", Old: "01" + zeros, New: "02" + zeros}}) {
		t.Errorf("recorded as %+v", r)
	}
}

// A reason that is made of several errors stands in one line, for syslog and for eyes.
func TestAReasonIsOneLine(t *testing.T) {
	w := newWorld(t)
	w.hello.Flags, w.none = wire.FlagDecoy, wire.ClientGone
	w.frame()
	if got := w.reasons(); !slices.Equal(got, []string{"no right password before it; the client has gone"}) {
		t.Errorf("%q", got)
	}
}

// Two devices, one code each: the record names the device that was used, and the other's code is still good.
func TestTheRecordNamesTheDevice(t *testing.T) {
	w := newWorld(t)
	tablet := w.record.Devices[0]
	tablet.ID, tablet.Name, tablet.Secret = secrets.ID{3}, "tablet", []byte("the secret of a tablet")
	w.record.Devices = append(w.record.Devices, tablet)
	w.record.Serial++
	for device, answer := range map[string]string{"phone": w.code(0), "tablet": codeOf(t, tablet, w.now, 0)} {
		if got := w.again(answer); got != allows {
			t.Fatalf("%s: %#x, %q", device, got, w.reasons())
		}
		if r := w.log[len(w.log)-1]; r.Device != device || r.Method != "totp" || r.User != "alice" || r.Source != atHome {
			t.Errorf("%s: recorded as %+v", device, r)
		}
	}
}

// Who would be refused whatever he answers is not asked while the policy is only observed: he could not even know what for.
func TestNobodyIsAskedInVainWhileObserved(t *testing.T) {
	w := newWorld(t)
	for _, d := range []policy.Decision{policy.Required, policy.Deny} {
		w.reset()
		observed(notEnrolled(d))(w)
		if got := w.frame(); got != ignores || len(w.prompts)+len(w.infos) > 0 {
			t.Errorf("%v: %#x, asked %q, told %q", d, got, w.prompts, w.infos)
		}
	}
}

// The owner who mistypes pays nothing once he has the right code, and his source is known from then on; another connection pays.
func TestARightCodeGivesBackWhatItsConnectionPaid(t *testing.T) {
	w := newWorld(t)
	left := func(from string) (n int) {
		st, err := w.states.Read("alice")
		must(t, err)
		for st.Charge(state.Attempt{Source: from, Cost: state.One, Now: w.now}) {
			n++
		}
		return n
	}
	w.again(w.wrongCode())
	w.again(w.wrongCode())
	w.hello.RHost, w.hello.Client = foreigner, foreigner+":1"
	w.again(w.wrongCode())
	if n := left(foreigner); n != 7 {
		t.Errorf("after three wrong codes %d attempts are left", n)
	}
	w.hello.RHost, w.hello.Client = atHome, atHome+":50022"
	if got := w.again(w.code(0)); got != allows {
		t.Fatalf("%#x, %q", got, w.reasons())
	}
	if n := left(foreigner); n != 9 {
		t.Errorf("after the right code of the other connection %d attempts are left to strangers", n)
	}
	if st, err := w.states.Read("alice"); err != nil || !st.Known(atHome, w.now) || st.Known(foreigner, w.now) {
		t.Errorf("the wrong source is known, %v", err)
	}
}

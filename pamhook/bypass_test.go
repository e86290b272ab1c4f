package pamhook

import (
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/device"
	"twokey/factor"
	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/secrets"
	"twokey/state"
)

const bypassCode = "bbbb-cccc-dddd"

// giveBypass makes a bypass code for alice, good for an hour.
func (w *world) giveBypass(uses int) {
	w.t.Helper()
	b := state.Bypass{ID: state.BypassID{1, 2, 3, 4}, Created: w.now, Until: w.now.Add(time.Hour), Uses: uses, Left: uses, Key: [32]byte{5},
		Reason: "phone lost", Requester: "carol", By: "root"}
	hash, err := factor.HashRecovery(b.Key, bypassCode)
	must(w.t, err)
	b.Hash = hash
	must(w.t, w.states.Update("alice", func(tx *state.Tx) error { return tx.AddBypass(b, w.now) }))
}

// endBypasses takes away what a test has made.
func (w *world) endBypasses() {
	w.t.Helper()
	must(w.t, w.states.Update("alice", func(tx *state.Tx) error { return tx.EndBypasses() }))
}

func TestABypassCodeLetsInAsOftenAsItSays(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func(*world)
		want   []wire.Type
	}{
		"two uses":                  {func(*world) {}, []wire.Type{allows, allows, denies}},
		"throttled":                 {func(w *world) { w.change(empty(w.now)) }, []wire.Type{allows, allows, denies}},
		"where methods are few":     {func(w *world) { w.policy.Methods = []string{"totp"} }, []wire.Type{allows, allows, denies}},
		"its time is over":          {func(w *world) { w.now = w.now.Add(time.Hour) }, []wire.Type{denies}},
		"denied by a rule":          {func(w *world) { w.policy.Default = policy.Deny }, []wire.Type{denies}},
		"a decoy line":              {func(w *world) { w.hello.Flags = wire.FlagDecoy }, []wire.Type{denies}},
		"another user id":           {func(w *world) { w.hello.UID = otherUID }, []wire.Type{denies}},
		"an old secret file":        {func(w *world) { w.record.Serial = 4 }, []wire.Type{denies}},
		"it cannot be written":      {func(w *world) { w.fault.call = "Flush" }, []wire.Type{denies}},
		"the log cannot be written": {func(w *world) { w.fault.call = "Append" }, []wire.Type{denies}},
		"revoked":                   {(*world).endBypasses, []wire.Type{denies}},
		"never remembered":          {func(w *world) { w.policy.Remember = time.Hour }, []wire.Type{allows, allows, denies}},
		"not good for one that is empty": {func(w *world) {
			w.policy.Default, w.record = policy.Optional, nil
			w.change(func(st *state.State) { st.Devices = nil })
		}, []wire.Type{ignores}},
	} {
		w.reset()
		w.giveBypass(2)
		c.change(w)
		for i, want := range c.want {
			if got := w.again(bypassCode); got != want {
				t.Errorf("%s, login %d: %#x, want %#x, recorded %q", name, i, got, want, w.reasons())
			}
			if last := w.lastRecord(); want == allows && (last.Reason != "bypass code" || last.Method != "bypass" || last.Device != "01020304") {
				t.Errorf("%s: recorded as %+v", name, last)
			}
		}
		w.fault.call = ""
		w.endBypasses()
	}
}

// What was looked for as a bypass code keeps its own reason, and a fault in it is not "wrong code".
func TestARecoveryCodeIsNotTakenForABypassCode(t *testing.T) {
	w := newWorld(t)
	w.giveBypass(1)
	defer w.endBypasses()
	if got := w.again(recovery[0]); got != allows || w.lastRecord().Reason != "recovery code; 1 left" {
		t.Errorf("%#x, recorded %q", got, w.reasons())
	}
	if got := w.again(recovery[0]); got != denies || w.lastRecord().Reason != "code used before" {
		t.Errorf("again: %#x, recorded %q", got, w.reasons())
	}
	if got := w.again(bypassCode); got != allows {
		t.Errorf("the bypass code: %#x, recorded %q", got, w.reasons())
	}
}

// A device whose time is over lets nobody in; the log says which and since when. The person hears what everybody hears.
func TestADeviceThatHasExpiredIsNamedInTheLogOnly(t *testing.T) {
	w := newWorld(t)
	for name, answer := range map[string]string{"its code": w.code(0), "a wrong code": w.wrongCode()} {
		w.reset()
		w.record.Devices[0].Until = w.now
		w.record.Serial++
		got := w.again(answer)
		if want := `the device "phone" has expired on 2026-11-21 12:00 UTC`; got != denies || w.lastRecord().Reason != want {
			t.Errorf("%s: %#x, recorded %q", name, got, w.reasons())
		}
		w.checkWords(name)
	}
}

func TestWhatEndsWithinThreeDaysIsTold(t *testing.T) {
	w := newWorld(t)
	day := func(days int) policy.Date { return policy.DateOf(noon.AddDate(0, 0, days)) }
	require := func(days int) func(*world) {
		return func(w *world) {
			w.policy.Default, w.policy.Require = policy.Optional, []policy.Entry{{Users: []string{"alice"}, Until: day(days)}}
		}
	}
	exempted := func(days int) func(*world) {
		return func(w *world) { exempt(policy.Entry{Users: []string{"alice"}, Until: day(days)})(w) }
	}
	phone := func(left time.Duration) func(*world) {
		return func(w *world) { w.change(func(st *state.State) { st.Devices[0].Until = w.now.Add(left) }) }
	}
	for name, c := range map[string]struct {
		change func(*world)
		want   string // beginning; "": nothing
	}{
		"nothing ends":                {func(*world) {}, ""},
		"a device, in three days":     {phone(72 * time.Hour), `The codes of device "phone" end on 24 November.`},
		"a device, in more":           {phone(72*time.Hour + time.Second), ""},
		"a device that has ended":     {phone(-time.Second), ""},
		"a requirement, tomorrow":     {require(1), "A second factor is required of you until 22 November."},
		"a requirement, in ten days":  {require(10), ""},
		"an exemption, today":         {exempted(0), "You can log in without a second factor until 21 November."},
		"an exemption, in four days":  {exempted(4), ""},
		"no messages are to be shown": {then(phone(time.Hour), func(w *world) { w.hello.Flags |= wire.FlagSilent }), ""},
		"another user id":             {then(phone(time.Hour), func(w *world) { w.hello.UID = otherUID }), ""},
	} {
		for range 2 { // each session
			w.reset()
			c.change(w)
			w.hello.Phase = wire.PhaseOpenSession
			w.frame()
			if c.want == "" && len(w.infos) > 0 || c.want != "" && (len(w.infos) != 1 || !strings.HasPrefix(w.infos[0], c.want)) {
				t.Errorf("%s: told %q, want %q", name, w.infos, c.want)
			}
		}
	}
}

func TestWhatHasEndedInThePolicyIsRecorded(t *testing.T) {
	w := newWorld(t)
	until := policy.DateOf(noon.AddDate(0, 0, -1))
	w.policy.Expired = []policy.Expiry{{Entry: "require[0]", Who: "{users: [eva]}", Until: until}, {Entry: "exempt[2]", Who: "{groups: [staff]}", Until: until}}
	if got := w.frame(); got != allows {
		t.Fatalf("%#x", got)
	}
	want := []string{"require[0] {users: [eva]} counted until 2026-11-20", "exempt[2] {groups: [staff]} counted until 2026-11-20", "right code"}
	if !slices.Equal(w.reasons(), want) || w.log[0].Action != "policy-expired" {
		t.Errorf("recorded %q as %q", w.reasons(), w.log[0].Action)
	}
}

func TestADeviceThatHasEndedIsRecordedAtTheNextSuccess(t *testing.T) {
	w := newWorld(t)
	old := w.record.Devices[0]
	old.ID, old.Name, old.Secret, old.Until = secrets.ID{77}, "old phone", []byte("another secret of 20"), w.now.Add(time.Hour)
	w.record.Devices = append(w.record.Devices, old)
	w.record.Serial++
	ended := `device "old phone" counted until ` + old.Until.UTC().Format("2006-01-02 15:04 UTC")
	for _, step := range []struct {
		after time.Duration
		right bool
		want  []string
	}{
		{0, true, []string{"right code"}},
		{59 * time.Minute, true, []string{"right code"}},
		{2 * time.Minute, false, []string{device.ErrWrong.Error()}},
		{time.Minute, true, []string{ended, "right code"}},
		{24 * time.Hour, true, []string{"right code"}},
	} {
		w.now, w.log = w.now.Add(step.after), nil
		answer := w.wrongCode()
		if step.right {
			answer = w.code(0)
		}
		if got := w.again(answer); !slices.Equal(w.reasons(), step.want) || (got == allows) != step.right {
			t.Errorf("%v later: %#x, recorded %q, want %q", step.after, got, w.reasons(), step.want)
		}
		if len(w.log) == 2 && (w.log[0].Action != "device-expired" || w.log[0].Device != "old phone") {
			t.Errorf("recorded as %+v", w.log[0])
		}
	}
}

// The PAM service by which somebody proves that it is he who changes his devices lets nobody in anywhere. Attack: while twokey
// is switched off or only observes, or by what is remembered of a login, change the devices of somebody whose password one has.
func TestNothingButACodeIsEnoughToChangeOnesDevices(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*world){
		"usual": func(*world) {}, "observed": func(w *world) { w.policy.Observe = true }, "exempt": exempt(policy.Entry{Users: []string{"alice"}}),
		"remembered": func(w *world) { w.policy.Remember = time.Hour }, "no enrolment there": func(w *world) { w.policy.AtLogin = policy.AtLoginYes },
		"switched off":       func(w *world) { w.policy.Off = true },
		"switched off until": func(w *world) { w.policy.OffUntil = w.now.Add(2 * time.Hour) },
	} {
		w.reset()
		change(w)
		w.hello.Service = policy.SelfService
		if got := w.again(w.wrongCode()); got != denies {
			t.Errorf("%s, a wrong code: %#x", name, got)
		}
		if got := w.again(w.code(0)); got != allows {
			t.Errorf("%s, a right code: %#x, %q", name, got, w.reasons())
		}
		after, err := w.states.Read("alice")
		must(t, err)
		if _, found := after.TakeSuccess(w.host().Application, policy.SelfService); found {
			t.Errorf("%s: it has left a success", name)
		}
		if got := w.again(w.wrongCode()); got != denies {
			t.Errorf("%s, a wrong code after a right one: %#x", name, got)
		}
	}
}

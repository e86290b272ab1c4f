package pamhook

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/device"
	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/state"
)

const passcode = "7654321"

func duo(w *world) {
	w.reset()
	reachable(w)
	push := policy.NewPush(policy.ProviderDuo)
	w.policy.Push = &push
	w.record.Devices[len(w.record.Devices)-1].Provider = policy.ProviderDuo
	w.phone.says = []comes{report(0, ReportAllowed)}
}

// Attack: her phone was linked with ntfy, and at Duo somebody else has her name, or whoever is unknown there is let in.
func TestAPhoneThatWasLinkedWithNtfyIsNotAskedByDuo(t *testing.T) {
	w := newWorld(t)
	for _, typed := range []string{"push", "phone", passcode} {
		duo(w)
		w.record.Devices[len(w.record.Devices)-1].Provider = policy.ProviderNtfy
		w.types(typed)
		if got := w.frame(); got != denies || len(w.phone.questions) > 0 {
			t.Errorf("%s: %#x, %d questions were sent", typed, got, len(w.phone.questions))
		}
	}
}

func TestDuoDecides(t *testing.T) {
	w := newWorld(t)
	for why, c := range map[string]struct {
		says   []comes
		typed  []any
		want   PushFactor
		in     bool
		reason string
		told   string
	}{
		"a push":            {sent(report(1, ReportAllowed)), []any{"push", ""}, FactorPush, true, "allowed on the phone", ""},
		"a call":            {sent(report(1, ReportAllowed)), []any{"phone", ""}, FactorPhone, true, "allowed on the phone", ""},
		"a call, denied":    {sent(report(1, ReportDenied)), []any{"phone", ""}, FactorPhone, false, "denied by the user", refusedWords},
		"let in by policy":  {[]comes{report(0, ReportAllowed)}, []any{"push"}, FactorPush, true, "let in by the provider, which has asked no phone", ""},
		"kept out by it":    {[]comes{report(0, ReportDenied)}, []any{"push"}, FactorPush, false, errByProvider.Error(), refusedWords},
		"reported as fraud": {sent(comes{time.Second, Report{State: ReportDenied, Fraud: true}, nil}), []any{"push", ""}, FactorPush, false, errFraud.Error(), refusedWords},
		"answered by sshd":  {sent(report(1, ReportAllowed)), []any{"push", wire.AnswerIsPassword}, FactorPush, true, "allowed on the phone", ""},
	} {
		duo(w)
		w.phone.says = c.says
		w.types(c.typed...)
		if got := w.frame(); got != verdictOf(c.in) || w.lastRecord().Reason != c.reason || w.phone.questions[0].Factor != c.want || w.phone.questions[0].Right != 0 {
			t.Errorf("%s: %#x %q, sent %+v", why, got, w.reasons(), w.phone.questions)
		}
		if c.told != "" && !slices.Equal(w.infos, []string{c.told}) {
			t.Errorf("%s: told %q", why, w.infos)
		}
		if _, shut := w.messages().PushShut(atHome, w.now); shut != strings.HasPrefix(c.reason, "denied by the user") || w.messages().Push != nil {
			t.Errorf("%s: shut %v, open %v", why, shut, w.messages().Push)
		}
		if want := map[bool]string{true: "Answer the call on your phone, then press Enter here, or type a code: ",
			false: "Allow the request on your phone, then press Enter here, or type a code: "}[c.want == FactorPhone]; len(c.typed) > 1 && w.prompts[1] != want {
			t.Errorf("%s: asked %q", why, w.prompts)
		}
	}
}

// Attack: with the password of somebody whom Duo lets in unasked for a day, since his phone is lost, link a phone that stays.
func TestWhoChangesHisDevicesIsAskedByAPhone(t *testing.T) {
	w := newWorld(t)
	for in, says := range map[bool][]comes{true: sent(report(1, ReportAllowed)), false: {report(0, ReportAllowed)}} {
		duo(w)
		w.hello.Service = policy.SelfService
		w.phone.says = says
		w.types("push", "")
		want := map[bool]string{true: "allowed on the phone", false: errUnasked.Error()}[in]
		if got := w.frame(); got != verdictOf(in) || w.lastRecord().Reason != want {
			t.Errorf("%v: %#x %q", in, got, w.reasons())
		}
		if title := w.phone.questions[0].Title; title != "Change your devices on web1?" {
			t.Errorf("the phone asks %q", title)
		}
	}
}

// Attack: be let in once while Duo lets the user in unasked, and go on by what is remembered when that was taken back.
func TestWhatAProviderLetsInUnaskedIsNotRemembered(t *testing.T) {
	w := newWorld(t)
	for asked, says := range map[bool][]comes{true: sent(report(1, ReportAllowed)), false: {report(0, ReportAllowed)}} {
		duo(w)
		w.policy.Remember = time.Hour
		w.phone.says = says
		w.types("push", "")
		if got := w.frame(); got != allows {
			t.Fatalf("%v: %#x %q", asked, got, w.reasons())
		}
		st, err := w.states.Read("alice")
		must(t, err)
		if st.Known(atHome, w.now) != asked {
			t.Errorf("asked %v: the source is known", asked)
		}
		if !asked && !w.left(10) {
			t.Error("what it cost is not given back")
		}
		w.process++
		w.now = w.now.Add(2 * state.AnsweredFor) // it is another login
		w.phone.says = []comes{report(0, ReportDenied)}
		w.types("push")
		if got := w.frame(); got != verdictOf(asked) {
			t.Errorf("asked %v, again: %#x %q", asked, got, w.reasons())
		}
	}
}

// Attack: with the password of somebody who has no phone at Duo yet, open the address there and set up one's own.
func TestTheAddressOfDuoIsShownOnlyToWhomHisPasswordLetsEnrol(t *testing.T) {
	w := newWorld(t)
	const set = "Your phone is not set up yet. Set it up at https://duo.example/x and log in again."
	for atLogin, shown := range map[string]bool{policy.AtLoginYes: true, policy.AtLoginWithCode: false, policy.AtLoginNo: false, "": false} {
		duo(w)
		w.policy.AtLogin = atLogin
		w.phone.says = []comes{{report: Report{State: ReportFailed, Problem: "enroll", Enroll: "https://duo.example/x", Detail: "the user is not enrolled"}}}
		w.types("push")
		if got := w.frame(); got != denies || strings.Contains(strings.Join(w.texts, ""), "duo.example") != shown || slices.Contains(w.infos, set) != shown {
			t.Errorf("%q: %#x, told %q", atLogin, got, w.texts)
		}
		if last := w.prompts[len(w.prompts)-1]; !shown && !strings.HasPrefix(last, "\nThe message could not be sent.") {
			t.Errorf("%q: asked %q", atLogin, last)
		}
		if r := w.log[0]; r.Reason != "not sent: enroll" || !strings.Contains(fmt.Sprint(r.Details), "the user is not enrolled") {
			t.Errorf("%q: recorded as %+v", atLogin, r)
		}
	}
}

func TestDigitsOfNoDeviceAreTriedAsAPasscode(t *testing.T) {
	w := newWorld(t)
	for why, c := range map[string]struct {
		prepare func(*world)
		typed   string
		tried   bool
	}{
		"of another length":            {func(*world) {}, passcode, true},
		"of the length of an own code": {func(*world) {}, "", true},
		"an own code":                  {func(w *world) { w.phone.says = []comes{report(0, ReportDenied)} }, "own", false},
		"too long":                     {func(*world) {}, "12345678901", false},
		"words":                        {func(*world) {}, "correct horse", false},
		"no device of push":            {func(w *world) { without(device.Push)(w) }, passcode, false},
		"throttled":                    {func(w *world) { w.change(empty(w.now)) }, passcode, false},
		"a decoy line":                 {func(w *world) { w.hello.Flags = wire.FlagDecoy }, passcode, false},
		"no password before":           {func(w *world) { w.hello.Flags = 0 }, passcode, false},
		"ntfy":                         {func(w *world) { w.policy.Push.Provider = policy.ProviderNtfy }, passcode, false},
		"an unknown user":              {unknown, passcode, false},
	} {
		duo(w)
		w.learn()
		c.prepare(w)
		typed := c.typed
		switch typed {
		case "":
			typed = w.wrongCode()
		case "own":
			typed = w.code(0)
		}
		w.types(typed)
		got := w.frame()
		if tried := len(w.phone.questions) == 1; tried != c.tried || (got == allows) != (c.tried || c.typed == "own") {
			t.Errorf("%s: %#x, asked Duo %v, %q", why, got, tried, w.reasons())
		}
		if c.tried && (w.phone.questions[0].Passcode != typed || w.phone.questions[0].Factor != FactorPasscode || w.lastRecord().Method != "push") {
			t.Errorf("%s: sent %+v, recorded %+v", why, w.phone.questions, w.lastRecord())
		}
	}
}

// Attack: try passcodes without end, each at Duo and none in the bucket.
func TestAPasscodeIsChargedBeforeDuoIsAsked(t *testing.T) {
	w := newWorld(t)
	duo(w)
	w.phone.says = []comes{report(0, ReportDenied)}
	for i := range 14 {
		w.types(passcode)
		w.onCall("Push", i+1, func() {
			st, err := w.states.Read("alice")
			must(t, err)
			if strangers, _ := st.Throttled(int64(10-i)*state.One, w.now); !strangers {
				t.Errorf("%d: not charged when Duo is asked", i)
			}
		})
		if got := w.frame(); got != denies {
			t.Errorf("%#x", got)
		}
	}
	if n := len(w.phone.questions); n != 10 {
		t.Errorf("Duo was asked %d times, want 10", n)
	}
}

// Attack: when Duo is slow, see by the time of a refusal that it was asked, and so that the password was right.
func TestAPasscodeIsNotWaitedForLongerThanARefusalTakes(t *testing.T) {
	w := newWorld(t)
	for why, says := range map[string][]comes{
		"no answer": {{after: time.Hour, report: Report{State: ReportDenied}}}, "sent, and no more": sent(report(3600, ReportDenied)),
		"sent late": {{after: 4 * time.Second, report: Report{State: ReportSent}}, {after: time.Hour, report: Report{State: ReportDenied}}},
	} {
		duo(w)
		w.phone.says = says
		w.slow = 20 * time.Millisecond
		w.types(passcode)
		if got := w.frame(); got != denies || len(w.phone.questions) != 1 || w.told.Sub(w.answered) != passcodeStep {
			t.Errorf("%s: %#x after %v, asked %d", why, got, w.told.Sub(w.answered), len(w.phone.questions))
		}
	}
	duo(w)
	w.phone.says = sent(report(4, ReportAllowed))
	w.types(passcode)
	if got := w.frame(); got != allows {
		t.Errorf("a right one after four seconds: %#x %q", got, w.reasons())
	}
}

// Where Duo may be asked, the refusal of digits takes as long for everybody: else its time would tell that the password was right.
func TestARefusalOfDigitsTakesAsLongWhereDuoMayBeAsked(t *testing.T) {
	w := newWorld(t)
	for why, prepare := range map[string]func(*world){
		"asked": func(*world) {}, "not asked": func(w *world) { without(device.Push)(w) }, "a decoy line": func(w *world) { w.hello.Flags = wire.FlagDecoy },
		"unknown": unknownBehindPassword,
	} {
		duo(w)
		w.phone.says = []comes{{after: 700 * time.Millisecond, report: Report{State: ReportDenied}}}
		prepare(w)
		w.types(passcode)
		if got := w.frame(); got != denies || w.told.Sub(w.answered) != passcodeStep {
			t.Errorf("%s: %#x after %v", why, got, w.told.Sub(w.answered))
		}
	}
}

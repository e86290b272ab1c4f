package pamhook

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/audit"
	"twokey/device"
	"twokey/pamhook/wire"
	"twokey/policy"
)

// The tests of the MUST lists in linkingtext.go and linkingpush.go, and of the menu.

// canSend is bob in the account phase of a host that sends texts and push.
func canSend(w *world) {
	announced(w)
	sms, push := policy.NewSMS(policy.ProviderCommand), policy.NewPush(policy.ProviderNtfy)
	push.URL = "https://ntfy.example.org"
	w.policy.SMS, w.policy.Push = &sms, &push
	w.policy.Methods = []string{"totp", "hotp", "push", "sms", "recovery"}
	w.enrol.announced[0].AfterPassword = true
	w.phone = &phone{w: w}
	w.script = nil
}

// byText are the answers of somebody who makes no mistake.
func byText(w *world) {
	canSend(w)
	w.types(enrolCode, "6", "+44 7911 123456", "", lastCode(w), "")
}

// byPush likewise.
func byPush(w *world) {
	canSend(w)
	w.phone.says = sent(report(3, ReportAllowed))
	w.types(enrolCode, "7", "", "", "", "")
}

// lastCode is the code of the last text, if one was sent.
func lastCode(w *world) func(string) string { return codeOfText(w, -1) }

// codeOfText is that of the n-th text, from 0; -1: the last one.
func codeOfText(w *world, n int) func(string) string {
	return func(string) string {
		at := n
		if n < 0 {
			at = len(w.phone.texts) - 1
		}
		if at < 0 || at >= len(w.phone.texts) {
			return "no text"
		}
		return w.phone.texts[at].Code
	}
}

// mustHaveNothing fails the test if bob has a device or a state.
func (w *world) mustHaveNothing(when string) {
	w.t.Helper()
	if w.linkedPhone() != nil {
		w.t.Errorf("%s: a device is linked", when)
	}
	if _, err := w.states.Read("bob"); !errors.Is(err, fs.ErrNotExist) {
		w.t.Errorf("%s: there is a state: %v", when, err)
	}
}

func (w *world) saw() string { return strings.Join(w.texts, "\n") }

func TestANumberIsLinkedWhenItsCodeHasComeBack(t *testing.T) {
	w := newWorld(t)
	w.reset()
	byText(w)
	if got := w.frame(); got != allows {
		t.Fatalf("%#x, %q\n%s", got, w.reasons(), w.saw())
	}
	d := w.linkedPhone()
	if d == nil || d.device.Method != device.SMS || d.wish.Phone != number || !w.enrol.announcedNothing() {
		t.Errorf("linked %+v", d)
	}
	for _, want := range []string{
		"\n  6  text messages (SMS) to a phone number\n  7  push: allow or deny each login on the phone\n",
		"Number   +447911123456\n  Country  United Kingdom\n", "A code was sent to +44 ••• 456. It may take a minute to arrive.",
		"if the phone is lost", recovery[0] + "    " + recovery[1],
	} {
		if !strings.Contains(w.saw(), want) {
			t.Errorf("%q was not shown:\n%s", want, w.saw())
		}
	}
	if len(w.infos) > 0 { // the session tells the end
		t.Errorf("told %q", w.infos)
	}
	if len(w.phone.texts) != 1 || w.phone.texts[0].Number != number || w.phone.texts[0].User != "bob" || w.phone.closed != 1 {
		t.Errorf("sent %+v", w.phone.texts)
	}
	w.mustRecord(t, "sms-sent", "command", "456")
	st, err := w.states.Read("bob")
	must(t, err)
	if success, found := st.TakeSuccess(w.host().Application, "sshd"); !found || success.Method != device.SMS {
		t.Errorf("left %+v, %v", success, found)
	}
}

func (e *enrolments) announcedNothing() bool { return len(e.announced) == 0 }

// mustRecord wants what was sent, its confirmation and the enrolment in the log, with these details and nothing secret.
func (w *world) mustRecord(t *testing.T, action, provider, digits string) {
	t.Helper()
	var actions []string
	for _, r := range w.log {
		actions = append(actions, r.Action)
		want := []audit.Detail{{Key: providerKey, Value: provider}}
		if digits != "" {
			want = append(want, audit.Detail{Key: phoneKey, Value: digits})
		}
		if r.Outcome != audit.Success || r.Device != "phone" || r.Method != w.linkedPhone().device.Method || !slices.Equal(r.Details, want) {
			t.Errorf("recorded as %+v", r)
		}
		line := fmt.Sprintf("%+v", r)
		for _, text := range w.phone.texts {
			if strings.Contains(line, text.Code) || strings.Contains(line, text.Number[3:]) {
				t.Errorf("a secret is in the log: %s", line)
			}
		}
		if strings.Contains(line, recovery[0]) || strings.Contains(line, enrolCode) {
			t.Errorf("a secret is in the log: %s", line)
		}
	}
	if want := []string{action, "enrolment-confirmed", "enroll"}; !slices.Equal(actions, want) {
		t.Errorf("recorded %q, want %q", actions, want)
	}
}

func TestMustLinkANumberOnlyWhenItsCodeHasComeBack(t *testing.T) {
	w := newWorld(t)
	wrong := "000000x"
	for name, c := range map[string]struct {
		typed  []any // from the question for the code on
		change func(*world)
		in     bool
		texts  int
	}{
		"right":                              {[]any{lastCode(w), ""}, nil, true, 1},
		"right, after two wrong ones":        {[]any{wrong, wrong, lastCode(w), ""}, nil, true, 1},
		"right, after empty lines":           {[]any{"", "", "", "", lastCode(w), ""}, nil, true, 1},
		"right, after three wrong ones":      {[]any{wrong, wrong, wrong, lastCode(w), ""}, nil, false, 1},
		"the enrolment code":                 {[]any{enrolCode, enrolCode, enrolCode}, nil, false, 1},
		"a new one":                          {[]any{"n", "", lastCode(w), ""}, nil, true, 2},
		"the one before":                     {[]any{"N", "", codeOfText(w, 0), codeOfText(w, 0), codeOfText(w, 0), ""}, nil, false, 2},
		"the one of another number":          {[]any{"n", "+33123456789", "", codeOfText(w, 0), codeOfText(w, 0), codeOfText(w, 0), ""}, nil, false, 2},
		"it comes too late":                  {[]any{func(string) string { w.now = w.now.Add(5 * time.Minute); return lastCode(w)("") }, wrong, wrong}, nil, false, 1},
		"nothing more is typed":              {nil, nil, false, 1},
		"q":                                  {[]any{"q"}, nil, false, 1},
		"an administrator has ended it":      {[]any{lastCode(w), ""}, func(w *world) { w.onCall("Finish", 1, func() { w.enrol.meanwhile = true }) }, false, 1},
		"it is not confirmed with the draft": {[]any{lastCode(w), ""}, func(w *world) { w.onCall("Finish", 1, func() { w.enrol.draft.came = false }) }, false, 1},
		"nothing of it can be recorded": {[]any{lastCode(w), ""}, func(w *world) {
			w.fault = fault{call: "Append", number: 2}
		}, false, 1},
	} {
		w.reset()
		byText(w)
		w.types(append([]any{enrolCode, "6", number, ""}, c.typed...)...)
		if c.change != nil {
			c.change(w)
		}
		got := w.frame()
		if (got == allows) != c.in || (w.linkedPhone() != nil) != c.in || len(w.phone.texts) != c.texts {
			t.Errorf("%s: %#x, linked %v, %d texts, %q", name, got, w.linkedPhone() != nil, len(w.phone.texts), w.reasons())
		}
		if !c.in {
			w.mustHaveNothing(name)
		}
	}
}

func TestMustSendNothingToANumberThatWasNotAgreedTo(t *testing.T) {
	w := newWorld(t)
	const unassigned = "+447000000000" // which no country has
	for typed, want := range map[string]string{
		"+447911123456": number, " +44 7911-123 456 ": number, "+44.7911/123456": number,
		"07911123456": "", "00447911123456": "", "447911123456": "", "+44 (0) 7911 123456": "", "+07911123456": "", "+44": "", "+": "",
		"+4479111234567890": "", "+44٧911123456": "", "+44 7911 123456;ls": "", "\x1b[2J+447911123456": "", "++447911123456": "", "bob": "",
		unassigned: "",
	} {
		w.reset()
		byText(w)
		w.types(enrolCode, "6", typed)
		if got := w.frame(); got != denies || len(w.phone.texts) > 0 || w.enrol.draft != nil {
			t.Errorf("%q: %#x, sent %v, begun %v", typed, got, w.phone.texts, w.enrol.draft)
		}
		last := w.prompts[len(w.prompts)-1]
		if asked := strings.Contains(last, want) && want != "" && strings.HasSuffix(last, "Enter to send a code there, or the right number (q: stop): "); asked != (want != "") {
			t.Errorf("%q: shown %q", typed, last)
		}
		if want == "" && !strings.Contains(last, "This is not a phone number in the international form.") {
			t.Errorf("%q: told %q", typed, last)
		}
		if plan := want != "" || typed == unassigned; slices.Contains(w.calls, "Country") != plan { // what is no E.164 goes to no other program
			t.Errorf("%q: its country was looked for: %v", typed, !plan)
		}
		w.mustHaveNothing(typed)
	}
	w.reset()
	byText(w)
	w.types(enrolCode, "6", "", "nonsense", number, "+33 1 2345 6789", "", lastCode(w), "")
	const agreed = "+33123456789"
	if got := w.frame(); got != allows || len(w.phone.texts) != 1 || w.phone.texts[0].Number != agreed || w.linkedPhone().wish.Phone != agreed {
		t.Errorf("%#x, sent %+v", got, w.phone.texts)
	}
}

func TestHowOftenANumberMayBeTyped(t *testing.T) {
	w := newWorld(t)
	for name, again := range map[string][]any{"nonsense": {"nonsense"}, "nothing": {""}, "another one": {"+33123456789"}} {
		w.reset()
		byText(w)
		w.types(append([]any{enrolCode, "6"}, slices.Repeat(again, 50)...)...)
		if got := w.frame(); got != denies || len(w.reads) < 50-numberTries || !slices.Contains(w.reasons(), errTries.Error()) {
			t.Errorf("%s: %#x, %d answers are left, %q", name, got, len(w.reads), w.reasons())
		}
	}
}

// Attack: begin again and again, with numbers at the other end of the world.
func TestMustChargeEachTextOfAnEnrolment(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func(*world)
		sent   int
		told   string
	}{
		"of the user": {func(*world) {}, 3, "Too many codes were sent to you. The next one can be sent in 15 minutes."},
		"of the host": {func(w *world) { w.policy.SMS.PerHour = 2 }, 2, "No code can be sent at the moment."},
	} {
		w.reset()
		byText(w)
		c.change(w)
		w.types(enrolCode, "6", number, "", "n", "", "n", "", "n", "", "n", "", lastCode(w))
		if got := w.frame(); got != denies || len(w.phone.texts) != c.sent || !strings.Contains(w.saw(), c.told) {
			t.Errorf("%s: %#x, %d texts\n%s", name, got, len(w.phone.texts), w.saw())
		}
		w.mustHaveNothing(name)
		last := w.log[len(w.log)-2]
		if last.Action != actionText || last.Outcome != audit.Failure || !strings.Contains(last.Reason, "not sent: ") {
			t.Errorf("%s: recorded as %+v", name, last)
		}
		// The next login is charged with what this one has sent, and has the other ways.
		texts, before := w.enrol.texts, len(w.phone.texts)
		c.change(w)
		w.script, w.reads = nil, nil
		w.hello.Phase = wire.PhaseAccount
		w.enrol.announced = []Announcement{{Process: w.host().Application, Service: "sshd", AfterPassword: true}}
		w.types(enrolCode, "6", number, "", "2", "", codeOf(t, newRecord("bob", 1).Devices[0], w.now, 0), "")
		if got := w.frame(); got != allows || len(w.phone.texts) != before || len(w.enrol.texts) != len(texts) || w.linkedPhone().device.Method != "totp" {
			t.Errorf("%s, again: %#x, %d texts, %q", name, got, len(w.phone.texts), w.reasons())
		}
	}
}

func TestWhereNothingCanBeSentTheChoiceComesBack(t *testing.T) {
	w := newWorld(t)
	failed := []comes{{report: Report{State: ReportFailed, Problem: "unreachable", Detail: "no such host"}}}
	for name, c := range map[string]struct {
		typed  []any
		change func(*world)
		action string // action of the record that says so
	}{
		"the provider of texts is down":    {[]any{"6", number, ""}, func(w *world) { w.phone.says = failed }, actionText},
		"a credential can be read by all":  {[]any{"6", number, ""}, func(w *world) { w.phone.err = errFault }, actionText},
		"there is no messenger":            {[]any{"6", number, ""}, func(w *world) { w.fault.call = "Messenger" }, actionText},
		"a text is late":                   {[]any{"6", number, ""}, func(w *world) { w.phone.says = []comes{report(60, ReportSent)} }, actionText},
		"twokey-notify is not there":       {[]any{"6", number}, func(w *world) { w.fault.call = "Country" }, actionText},
		"the provider of push is down":     {[]any{"7", "", ""}, func(w *world) { w.phone.says = failed }, actionPush},
		"push has no credential":           {[]any{"7", "", ""}, func(w *world) { w.phone.err = errFault }, actionPush},
		"push is late":                     {[]any{"7", "", ""}, func(w *world) { w.phone.says = []comes{report(60, ReportSent)} }, actionPush},
		"the provider fails after sending": {[]any{"7", "", "", ""}, func(w *world) { w.phone.says = sent(failed...) }, actionPush},
		"twokey-notify is killed":          {[]any{"7", "", "", ""}, func(w *world) { w.phone.says = sent(comes{err: errFault}) }, actionPush},
		"the provider allows by itself":    {[]any{"7", "", ""}, func(w *world) { w.phone.says = []comes{report(1, ReportAllowed)} }, ""},
		"the provider denies by itself":    {[]any{"7", "", ""}, func(w *world) { w.phone.says = []comes{report(1, ReportDenied)} }, ""},
	} {
		w.reset()
		canSend(w)
		c.change(w)
		app := func(string) string { return codeOf(t, newRecord("bob", 1).Devices[0], w.now, 0) }
		w.types(append(append([]any{enrolCode}, c.typed...), "1", "", app, "")...)
		got := w.frame()
		if d := w.linkedPhone(); got != allows || d == nil || d.device.Method != "totp" {
			t.Errorf("%s: %#x, %q\n%s", name, got, w.reasons(), w.saw())
		}
		if n := strings.Count(w.saw(), "The message could not be sent. Please take another way"); n != 1 {
			t.Errorf("%s: told %d times", name, n)
		}
		said := slices.ContainsFunc(w.log, func(r audit.Record) bool { return r.Action == c.action && r.Outcome == audit.Failure })
		if said != (c.action != "") {
			t.Errorf("%s: recorded %q", name, w.reasons())
		}
	}
}

// What is offered is what would let the user in here, the app first.
func TestWhatAnEnrolmentOffers(t *testing.T) {
	w := newWorld(t)
	const sms, push = "text messages (SMS)", "push: allow"
	for name, c := range map[string]struct {
		change func(*world)
		want   []string // lines of the menu behind the apps
		apps   bool
	}{
		"both":              {func(*world) {}, []string{"  6  " + sms, "  7  " + push}, true},
		"SMS":               {func(w *world) { w.policy.Push = nil }, []string{"  6  " + sms}, true},
		"push":              {func(w *world) { w.policy.SMS = nil }, []string{"  6  " + push}, true},
		"neither":           {func(w *world) { w.policy.SMS, w.policy.Push = nil, nil }, nil, true},
		"not in methods":    {func(w *world) { w.policy.Methods = []string{"totp", "recovery"} }, nil, true},
		"one is in methods": {func(w *world) { w.policy.Methods = []string{"totp", "sms"} }, []string{"  6  " + sms}, true},
		"apps do not count": {func(w *world) { w.policy.Methods = []string{"push", "sms"} }, []string{"  1  " + sms, "  2  " + push}, false},
		"nothing counts":    {func(w *world) { w.policy.Methods = []string{"recovery"} }, nil, true},
		"a rule narrows it": {func(w *world) {
			w.policy.Rules = []policy.Rule{{Name: "x", Users: []string{"bob"}, Then: policy.Required, Methods: []string{"totp", "push"}}}
		}, []string{"  6  " + push}, true},
		"logins do not ask behind the password": {func(w *world) { w.enrol.announced[0].AfterPassword = false }, nil, true},
	} {
		w.reset()
		canSend(w)
		c.change(w)
		w.types(enrolCode, "0")
		w.frame()
		menu := w.prompts[1]
		for _, line := range []string{"  5  ", "  6  ", "  7  ", "  8  ", "  1  " + sms, "  2  " + push} {
			apps := line == "  5  " && c.apps
			wanted := slices.ContainsFunc(c.want, func(want string) bool { return strings.HasPrefix(want, line) })
			if strings.Contains(menu, line) != (wanted || apps) {
				t.Errorf("%s: %q: %s", name, line, menu)
			}
		}
		for _, line := range c.want {
			if !strings.Contains(menu, "\n"+line) {
				t.Errorf("%s: without %q: %s", name, line, menu)
			}
		}
		last := len(c.want)
		if c.apps {
			last += 5
		}
		if want := fmt.Sprintf("Please type a number from 1 to %d, or q.", last); !strings.Contains(w.prompts[2], want) {
			t.Errorf("%s: told %q, want %q", name, w.prompts[2], want)
		}
	}
}

// A phone without apps can have texts, where they are sent.
func TestAPhoneWithoutAppsIsSentTexts(t *testing.T) {
	w := newWorld(t)
	w.reset()
	byText(w)
	w.reads[1] = "5"
	if got := w.frame(); got != allows || w.linkedPhone() == nil || w.linkedPhone().device.Method != device.SMS || strings.Contains(w.saw(), "cannot show codes") {
		t.Errorf("%#x, %q", got, w.reasons())
	}
}

// At each question the person goes or stops: nothing is left but what was begun.
func TestMustLeaveNothingWhereALinkOfAPhoneBreaksOff(t *testing.T) {
	w := newWorld(t)
	for name, prepare := range map[string]func(*world){"SMS": byText, "push": byPush} {
		w.reset()
		prepare(w)
		questions := len(w.reads)
		for at := range questions {
			for how, end := range map[string]any{"gone": wire.ClientGone, "stopped": "q", "no answer": wire.ConversationFailed} {
				w.reset()
				prepare(w)
				w.reads[at] = end
				if got := w.frame(); got != denies {
					t.Errorf("%s, %s at question %d: %#x", name, how, at, got)
				}
				w.mustHaveNothing(fmt.Sprintf("%s, %s at question %d", name, how, at))
				again := w.enrol
				prepare(w)
				w.enrol.draft, w.enrol.drawn = again.draft, again.drawn
				if got := w.frame(); got != allows || w.enrol.drawn != 1 {
					t.Errorf("%s, %s at question %d, again: %#x, %d drawn, %q", name, how, at, got, w.enrol.drawn, w.reasons())
				}
			}
		}
	}
}

package pamhook

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/device"
	"twokey/pamhook/wire"
	"twokey/state"
)

func TestACodeByTextLetsInAndIsRecorded(t *testing.T) {
	w := newWorld(t)
	reachable(w)
	w.types("sms", theCode(w))
	if got := w.frame(); got != allows {
		t.Fatalf("%#x %q", got, w.reasons())
	}
	if want := []string{choice, "A code was sent to +44 ••• 456. Code (or 'push'): "}; !slices.Equal(w.prompts, want) {
		t.Errorf("asked %q, want %q", w.prompts, want)
	}
	if text := w.phone.texts[0]; text.Number != number || text.User != "alice" || len(text.Code) != 6 || w.phone.closed != 1 {
		t.Errorf("sent %+v, closed %d times", text, w.phone.closed)
	}
	sent, in := w.log[0], w.lastRecord()
	if sent.Action != "sms-sent" || sent.Outcome != "success" || sent.Device != "my sms" || fmt.Sprint(sent.Details) != "[{twokey.provider command} {twokey.phone 456}]" {
		t.Errorf("recorded as %+v", sent)
	}
	if in.Action != "login" || in.Outcome != "success" || in.Method != "sms" || in.Device != "my sms" || in.Reason != "right code of a text message" {
		t.Errorf("recorded as %+v", in)
	}
	st, err := w.states.Read("alice")
	must(t, err)
	success, found := st.TakeSuccess(w.host().Application, "sshd")
	if !found || success.Method != "sms" || success.Device != "my sms" || !st.Known(atHome, w.now) {
		t.Errorf("left %+v, %v, known %v", success, found, st.Known(atHome, w.now))
	}
	if m := w.messages(); m.Code != nil || !device.PhoneConfirmed(w.record, m) {
		t.Errorf("the code stays open, or the number unconfirmed: %+v", m)
	}
}

func TestACodeByTextIsGoodOnceHereAndNow(t *testing.T) {
	w := newWorld(t)
	for why, c := range map[string]struct {
		between func(*world)
		answer  func(*world) any
		want    bool
	}{
		"the code": {func(*world) {}, func(w *world) any { return theCode(w) }, true},
		"with a blank in it": {func(*world) {}, func(w *world) any {
			return func(string) string { c := theCode(w)(""); return " " + c[:3] + " " + c[3:] }
		}, true},
		"a wrong one":                   {func(*world) {}, func(w *world) any { return func(string) string { return other(theCode(w)("")) } }, false},
		"when its time is over":         {func(w *world) { w.now = w.now.Add(5 * time.Minute) }, func(w *world) any { return theCode(w) }, false},
		"just before that":              {func(w *world) { w.now = w.now.Add(5*time.Minute - time.Second) }, func(w *world) any { return theCode(w) }, true},
		"in another connection":         {func(w *world) { w.hello.Client = atHome + ":50023" }, func(w *world) any { return theCode(w) }, false},
		"from elsewhere":                {func(w *world) { w.hello.RHost = foreigner }, func(w *world) any { return theCode(w) }, false},
		"after the device was removed":  {func(w *world) { w.record.Serial++; without(device.SMS)(w); w.learn() }, func(w *world) any { return theCode(w) }, false},
		"after another":                 {func(w *world) { w.types("sms"); w.frame() }, func(w *world) any { first := w.phone.texts[0].Code; return func(string) string { return first } }, false},
		"after the number was replaced": {func(w *world) { w.record.Devices[1].Secret = slices.Repeat([]byte{9}, 32) }, func(w *world) any { return theCode(w) }, false},
		"an app's":                      {func(*world) {}, func(w *world) any { return w.code(0) }, true},
		"a recovery code":               {func(*world) {}, func(*world) any { return recovery[0] }, true},
	} {
		w.reset()
		reachable(w)
		w.types("sms")
		w.frame() // and the person has gone: the next login of his is another run of the same connection
		c.between(w)
		w.types(c.answer(w))
		if got := w.frame(); got != verdictOf(c.want) {
			t.Errorf("%s: %#x, recorded %q", why, got, w.reasons())
			continue
		}
		if !c.want {
			continue
		}
		if strings.HasPrefix(why, "an app") || strings.HasPrefix(why, "a recovery") {
			continue
		}
		w.types(theCode(w))
		if got := w.frame(); got == allows && w.lastRecord().Reason == "right code of a text message" {
			t.Errorf("%s: good twice", why)
		}
	}
}

func verdictOf(in bool) wire.Type {
	if in {
		return allows
	}
	return denies
}

// other is a code that differs in its last digit.
func other(code string) string {
	last := code[len(code)-1]
	return code[:len(code)-1] + string('0'+(last-'0'+1)%10)
}

func TestAMessageAllowsThreeTries(t *testing.T) {
	w := newWorld(t)
	for wrong := range 4 {
		w.reset()
		reachable(w)
		w.types("sms")
		w.frame()
		right := theCode(w)("")
		for range wrong {
			w.types(other(right))
			if w.frame() != denies {
				t.Fatal("a wrong code let in")
			}
		}
		w.types(right)
		if got, want := w.frame(), verdictOf(wrong < 3); got != want {
			t.Errorf("after %d wrong codes: %#x", wrong, got)
		}
	}
}

// Attack: with the password, ask for texts until the owner gets none.
func TestTextsAreLimitedAndMoreForStrangers(t *testing.T) {
	w := newWorld(t)
	reachable(w)
	for i := range 5 {
		if i == 3 {
			known(atHome)(w)
		}
		w.process++ // each in another login
		w.types("sms", w.wrongCode())
		if got, want := w.frame(), []int{1, 2, 2, 3, 3}[i]; got != denies || len(w.phone.texts) != want {
			t.Errorf("%d: %#x, sent %d", i, got, len(w.phone.texts))
		}
	}
	want := "\nToo many codes were sent to you. The next one can be sent in 15 minutes.\nCode, or 'push': "
	if got := w.prompts[len(w.prompts)-1]; got != want {
		t.Errorf("asked %q, want %q", got, want)
	}
	if r := w.log[len(w.log)-2]; r.Action != "sms-sent" || r.Outcome != "failure" || !strings.Contains(r.Reason, "too many messages") {
		t.Errorf("recorded as %+v", r)
	}
	for _, stranger := range []bool{true, false} {
		w.reset()
		reachable(w)
		if !stranger {
			known(atHome)(w)
		}
		w.policy.SMS.PerHour = 1
		must(t, w.states.TakeText(w.now, 1))
		w.types("sms", w.code(0))
		got, asked := w.frame(), strings.Join(w.prompts, "|")
		if got != verdictOf(!stranger) || len(w.phone.texts) != 0 || strings.Contains(asked, "\nNo code can be sent at the moment.") == stranger ||
			stranger && !slices.Equal(w.infos, []string{refusedWords}) {
			t.Errorf("above the host's cap, stranger %v: %#x, sent %d, asked %q, told %q", stranger, got, len(w.phone.texts), w.prompts, w.infos)
		}
	}
}

// What the limits take is taken before anything is sent, so that a login that is broken off has cost a text.
func TestATextIsCountedBeforeItIsSent(t *testing.T) {
	w := newWorld(t)
	reachable(w)
	w.onCall("Text", 1, func() {
		if m := w.messages(); len(m.Texts) != 1 || m.Code == nil {
			t.Errorf("when it is sent: %+v", m)
		}
	})
	w.types("sms")
	w.frame()
	if len(w.phone.texts) != 1 {
		t.Error("nothing was sent: this test has shown nothing")
	}
}

// Who has nothing but texts gets one, and no second one when he mistypes it and is asked again in the same connection.
func TestWhoHasOnlyTextsIsNotSentAnotherInTheSameConnection(t *testing.T) {
	w := newWorld(t)
	onlyBy(device.SMS)(w)
	w.types(func(string) string { return other(theCode(w)("")) })
	w.frame()
	w.types(theCode(w))
	if got := w.frame(); got != allows || len(w.phone.texts) != 1 || w.prompts[0] != w.prompts[1] {
		t.Errorf("%#x, sent %d, asked %q", got, len(w.phone.texts), w.prompts)
	}
	w.types("sms", theCode(w))
	w.hello.Client = atHome + ":50023"
	if got := w.frame(); got != allows || len(w.phone.texts) != 3 {
		t.Errorf("in the next connection, asking for another: %#x, sent %d, %q", got, len(w.phone.texts), w.reasons())
	}
}

const notSent = "The message could not be sent. Please take another way, or contact the IT desk."

func TestAMessageThatCannotBeSentIsToldInOneLine(t *testing.T) {
	w := newWorld(t)
	for why, c := range map[string]struct {
		says    []comes
		prepare func(*world)
		reason  string
	}{
		"the provider is down":        {[]comes{{report: Report{State: ReportFailed, Problem: "unreachable"}}}, func(*world) {}, "unreachable"},
		"it is slow":                  {[]comes{{after: time.Hour}}, func(*world) {}, errMessageLate.Error()},
		"twokey-notify was killed":    {[]comes{{err: errFault}}, func(*world) {}, errFault.Error()},
		"twokey-notify cannot start":  {nil, func(w *world) { w.phone.err = errFault }, errFault.Error()},
		"its credentials can be read": {nil, func(w *world) { w.fault.call = "Messenger" }, errFault.Error()},
		"the module takes no more":    {nil, func(w *world) { w.fault.call = "Wait" }, errFault.Error()},
	} {
		for word, left := range map[string]string{"sms": "push", "push": "sms"} {
			w.reset()
			reachable(w)
			w.phone.says = c.says
			c.prepare(w)
			w.types(word, w.code(0))
			want := []string{choice, "\n" + notSent + "\nCode, or '" + left + "': "}
			if got := w.frame(); got != allows || !slices.Equal(w.prompts, want) {
				t.Errorf("%s, %s: %#x, asked %q", why, word, got, w.prompts)
			}
			if r := w.log[0]; r.Action != word+"-sent" || r.Outcome != "failure" || r.Reason != "not sent: "+c.reason || len(w.warnings) == 0 {
				t.Errorf("%s, %s: recorded as %+v, warned %q", why, word, r, w.warnings)
			}
			if m := w.messages(); m.Push != nil {
				t.Errorf("%s, %s: a push stays open", why, word)
			}
		}
	}
}

// Who has nothing else is refused, and not asked a question to which he has no answer.
func TestWhoHasNothingLeftIsRefused(t *testing.T) {
	w := newWorld(t)
	for why, c := range map[string]struct {
		prepare func(*world)
		asks    bool
	}{
		"a recovery code":                    {func(*world) {}, true},
		"recovery codes, which do not count": {func(w *world) { w.policy.Methods = []string{"sms", "push"} }, false},
		"recovery codes, all of them used":   {func(w *world) { w.change(func(st *state.State) { st.Recovery.Used = 3 }) }, false},
		"a bypass code":                      {func(w *world) { w.policy.Methods = []string{"sms", "push"}; w.giveBypass(1) }, true},
		"a bypass code that has ended":       {func(w *world) { w.policy.Methods = []string{"sms", "push"}; w.giveBypass(1); w.endBypasses() }, false},
	} {
		for _, method := range []string{device.SMS, device.Push} {
			w.reset()
			onlyBy(method)(w)
			c.prepare(w)
			w.phone.err = errFault
			w.types("zzzz-zzzz-zzzz")
			got := w.frame()
			asked := len(w.prompts) == 1 && strings.HasPrefix(w.prompts[0], "\n"+notSent+"\nCode")
			if got != denies || asked != c.asks || len(w.prompts) > 1 {
				t.Errorf("%s, %s: %#x, asked %q", method, why, got, w.prompts)
			}
			if told := strings.Join(w.infos, "|"); !c.asks && told != notSent+" "+refusedWords {
				t.Errorf("%s, %s: told %q", method, why, told)
			}
		}
	}
}

const refusedWords = "Login failed. Please check your login details and try again. Otherwise contact the IT desk."

func TestATextsFailureIsInTheLogWithItsReason(t *testing.T) {
	w := newWorld(t)
	reachable(w)
	w.phone.says = []comes{{report: Report{State: ReportFailed, Problem: "unverified", Detail: "21608: not verified", Advice: "verify it"}}}
	w.types("sms", w.code(0))
	if got := w.frame(); got != allows {
		t.Errorf("%#x", got)
	}
	want := "[{twokey.provider command} {twokey.phone 456} {twokey.problem unverified} {twokey.detail 21608: not verified} {twokey.advice verify it}]"
	if r := w.log[0]; fmt.Sprint(r.Details) != want || r.Outcome != "failure" || r.Method != "sms" {
		t.Errorf("recorded as %+v", r)
	}
}

func TestNoWaitIsLongerThanThePhase(t *testing.T) {
	w := newWorld(t)
	for method, answer := range map[string]string{device.SMS: "sms", device.Push: "push"} {
		w.reset()
		reachable(w)
		w.end = w.now.Add(10 * time.Second)
		w.phone.says = []comes{{after: time.Second, report: Report{State: ReportSent}}, {after: time.Hour}}
		if method == device.SMS {
			w.policy.SMS.Timeout = 30 * time.Second
			w.phone.says = []comes{{after: time.Hour}}
		}
		w.types(answer, "")
		w.frame()
		if w.answered.After(w.end) || w.now.After(w.end) {
			t.Errorf("%s: it is %v after the end", method, w.now.Sub(w.end))
		}
	}
}

func TestAClientThatGoesAwayEndsTheWait(t *testing.T) {
	w := newWorld(t)
	reachable(w)
	w.phone.says = []comes{{after: time.Hour}}
	w.waits = func() { w.gone = true }
	w.types("sms", w.code(0))
	begin := w.now
	if got := w.frame(); got != denies || w.phone.closed != 1 || len(w.prompts) != 1 || w.now.Sub(begin) > 2*time.Second {
		t.Errorf("%#x, closed %d, asked %q, took %v", got, w.phone.closed, w.prompts, w.now.Sub(begin))
	}
	if got := w.lastRecord(); got.Reason != errGone.Error() {
		t.Errorf("recorded %q", w.reasons())
	}
}

// Neither the code nor the number may be left in what others read.
func TestNoRecordHasTheCodeOrTheNumber(t *testing.T) {
	w := newWorld(t)
	for _, says := range [][]comes{nil, {{report: Report{State: ReportFailed, Problem: "refused"}}}, {{err: errors.New("x")}}} {
		w.reset()
		reachable(w)
		w.phone.says = says
		w.types("sms", theCode(w), "sms")
		w.frame()
		for _, found := range []string{w.phone.texts[0].Code, number[1:], number[3:]} {
			if all := fmt.Sprintf("%+v %q %q", w.log, w.warnings, w.infos); strings.Contains(all, found) {
				t.Errorf("%q is in %s", found, all)
			}
		}
	}
}

func TestNumbersAreMasked(t *testing.T) {
	for number, want := range map[string]string{
		"+447911123456": "+44 ••• 456", "+12025550123": "+1 ••• 123", "+79161234567": "+7 ••• 567", "+4915123456789": "+49 ••• 789",
		"+353861234567": "+353 ••• 567", "+420601123456": "+420 ••• 456", "+2348012345678": "+234 ••• 678", "+988123": "+98 ••• 123",
	} {
		if got := maskedNumber(number); got != want {
			t.Errorf("%s: %q, want %q", number, got, want)
		}
	}
}

// A disk that has lost a little must not lock out whose app has nothing to do with it.
func TestDamagedMessagesShutNoApp(t *testing.T) {
	w := newWorld(t)
	for why, typed := range map[string]func() string{"a code": func() string { return w.code(0) }, "a pair": func() string { return w.code(0) + " " + w.code(1) }} {
		w.reset()
		reachable(w)
		w.learn()
		w.sends(func(*state.Messages) {})
		names, err := filepath.Glob(filepath.Join(w.states.Data(), "messages", "*"))
		if err != nil || len(names) != 1 {
			t.Fatal(names, err)
		}
		must(t, os.WriteFile(names[0], slices.Repeat([]byte{0xff}, 8192), 0o600))
		w.types(typed())
		if got := w.frame(); got != allows || w.lastRecord().Method != "totp" || len(w.warnings) != 1 {
			t.Errorf("%s: %#x %q, warned %q", why, got, w.reasons(), w.warnings)
		}
		w.types("sms", "")
		if got := w.frame(); got != denies || len(w.phone.texts) != 0 {
			t.Errorf("%s, a text: %#x, sent %d", why, got, len(w.phone.texts))
		}
	}
}

// A pair that has to wait for its turn is looked at again, and is one try of the text all the same.
func TestOneAnswerIsOneTryOfAText(t *testing.T) {
	w := newWorld(t)
	w.reset()
	reachable(w)
	w.learn()
	w.hello.RHost, w.hello.Client = foreigner, foreigner+":50022"
	w.types("sms", func(string) string {
		w.change(turnIn(w.now, time.Second))
		return "000000 000000"
	})
	if got := w.frame(); got != denies || w.slept < time.Second {
		t.Fatalf("%#x %q, slept %v", got, w.reasons(), w.slept)
	}
	if code := w.messages().Code; code == nil || code.Left != state.TextTries-1 {
		t.Errorf("left: %+v", code)
	}
}

// Who comes back from a backup with his secrets alone has the file that is written in place on a full disk.
func TestARestoredStateHasItsMessages(t *testing.T) {
	w := newWorld(t)
	for only, want := range map[string]int{device.SMS: 1, "totp": 0} {
		w.reset()
		onlyBy(only)(w)
		must(t, w.states.Remove("alice"))
		w.fault.call = "Messenger"
		w.types("")
		w.frame()
		names, err := filepath.Glob(filepath.Join(w.states.Data(), "messages", "*"))
		if err != nil || len(names) != want {
			t.Errorf("%s: %q, %v, %q", only, names, err, w.reasons())
		}
	}
}

// Attack: with the password, ask for a text, so that the code that the owner is typing is over.
func TestAStrangersTextEndsNoCodeOfTheOwners(t *testing.T) {
	w := newWorld(t)
	reachable(w)
	known(atHome)(w)
	mine := w.hello
	w.types("sms")
	w.frame()
	w.hello.RHost, w.hello.Client = foreigner, foreigner+":4711"
	w.process++
	w.types("sms")
	w.infos = nil
	if w.frame() != denies || len(w.phone.texts) != 1 || !slices.Equal(w.infos, []string{refusedWords}) {
		t.Fatalf("%d texts, %q", len(w.phone.texts), w.reasons())
	}
	w.hello = mine
	w.process--
	w.types(w.phone.texts[0].Code)
	if got := w.frame(); got != allows {
		t.Errorf("%#x, %q", got, w.reasons())
	}
}

package pamhook

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/pamhook/wire"
	"twokey/policy"
)

func TestAPhoneIsLinkedWhenItsPushWasAllowed(t *testing.T) {
	w := newWorld(t)
	w.reset()
	byPush(w)
	asked := ""
	w.types(enrolCode, "7", "", "w", "i", "", func(question string) string { asked = question; return "" }, "")
	if got := w.frame(); got != allows {
		t.Fatalf("%#x, %q\n%s", got, w.reasons(), w.saw())
	}
	q := w.phone.questions[0]
	if want := fmt.Sprintf("Press %d on your phone (not any other number), then Enter here: ", q.Right); asked != "\n"+want || q.Right == q.Wrong {
		t.Errorf("asked %q, want %q", asked, want)
	}
	if q.Title != "Link this phone to bob on web1?" || q.Factor != FactorPush || q.Wait != time.Minute || q.ID == [8]byte{} ||
		!slices.Equal(q.Secret, w.linkedPhone().device.Secret) || q.User != "bob" || q.Facts[0] != (Fact{"User", "bob"}) {
		t.Errorf("sent %+v", q)
	}
	for _, want := range []string{"Google Play, F-Droid  ntfy", "App Store             ntfy", "Topic   tk-topic\n", "Server  https://ntfy.example.org\n",
		"ntfy://ntfy.example.org/tk-topic", "▀▀▄▄\n▄▄▀▀\n", "4 columns wide and 4 lines high", "######  \n##  ####\n", "8 columns wide"} {
		if !strings.Contains(w.saw(), want) {
			t.Errorf("%q was not shown:\n%s", want, w.saw())
		}
	}
	if w.phone.closed != 1 || len(w.phone.questions) != 1 {
		t.Errorf("sent %d, closed %d", len(w.phone.questions), w.phone.closed)
	}
	w.mustRecord(t, "push-sent", "ntfy", "")
}

func TestMustLinkAPhoneOnlyWhenItsPushWasAllowed(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		says   []comes
		typed  []any // from the question for the number on
		change func(*world)
		in     bool
		reason string
		told   string // the end
		pushes int
	}{
		"allowed before Enter":          {sent(report(0, ReportAllowed)), []any{"", ""}, nil, true, "enrolled at login", "", 1},
		"allowed long after Enter":      {sent(report(55, ReportAllowed)), []any{"", ""}, nil, true, "enrolled at login", "", 1},
		"Enter long after it":           {sent(report(5, ReportAllowed)), []any{func(string) string { w.now = w.now.Add(3 * time.Minute); return "" }, ""}, nil, true, "enrolled at login", "", 1},
		"something typed":               {sent(report(0, ReportAllowed)), []any{"123456", ""}, nil, true, "enrolled at login", "", 1},
		"forged, and then allowed":      {sent(report(1, ReportForged), report(5, ReportAllowed)), []any{"", ""}, nil, true, "an answer to a push came from somebody who does not have it", "", 1},
		"forged":                        {sent(report(1, ReportForged)), []any{"", wire.ClientGone}, nil, false, "an answer to a push came from somebody who does not have it", "", 1},
		"denied":                        {sent(report(3, ReportDenied)), []any{"", ""}, nil, false, errDenied.Error(), "The request was denied on the phone. Nothing was linked.", 1},
		"another number":                {sent(report(3, ReportWrong)), []any{"", ""}, nil, false, errWrong.Error(), "Another number was pressed on the phone. Nothing was linked. You can log in\nagain and go on.", 1},
		"nobody answers":                {sent(report(60, ReportLate)), slices.Repeat([]any{"", ""}, 20), nil, false, errTries.Error(), "Nothing was linked. You can log in again and go on.", pushRounds},
		"no word of it":                 {sent(), slices.Repeat([]any{"", ""}, 20), nil, false, errTries.Error(), "Nothing was linked. You can log in again and go on.", pushRounds},
		"allowed, and q":                {sent(report(0, ReportAllowed)), []any{"q"}, nil, false, errStopped.Error(), "Nothing was linked. You can log in again and go on.", 1},
		"allowed, and the client gone":  {sent(report(0, ReportAllowed)), []any{wire.ClientGone}, nil, false, errGone.Error(), "", 1},
		"allowed, and the password":     {sent(report(0, ReportAllowed)), []any{wire.AnswerIsPassword}, nil, false, errIsPassword.Error(), "Nothing was linked. You can log in again and go on.", 1},
		"gone while it is waited":       {sent(report(50, ReportAllowed)), []any{""}, func(w *world) { w.waits = func() { w.gone = true } }, false, errGone.Error(), "", 1},
		"gone while it is sent":         {[]comes{report(5, ReportSent)}, []any{""}, func(w *world) { w.waits = func() { w.gone = true } }, false, errGone.Error(), "", 1},
		"allowed, then gone":            {sent(report(0, ReportAllowed)), []any{"", wire.ClientGone}, nil, false, errGone.Error(), "", 1},
		"an administrator has ended it": {sent(report(0, ReportAllowed)), []any{"", ""}, func(w *world) { w.onCall("Finish", 1, func() { w.enrol.meanwhile = true }) }, false, ErrMeanwhile.Error(), "This account has changed meanwhile;", 1},
		"it cannot be noted":            {sent(report(0, ReportAllowed)), []any{"", ""}, func(w *world) { w.fault.call = "ConfirmPush" }, false, errFault.Error(), "Something went wrong. Nothing was linked. Please tell the IT desk.", 1},
		"it was not noted":              {sent(report(0, ReportAllowed)), []any{"", ""}, func(w *world) { w.onCall("Finish", 1, func() { w.enrol.draft.came = false }) }, false, "not confirmed", "Something went wrong.", 1},
	} {
		w.reset()
		byPush(w)
		w.phone.says = c.says
		w.types(append([]any{enrolCode, "7", "", ""}, c.typed...)...)
		if c.change != nil {
			c.change(w)
		}
		got := w.frame()
		if (got == allows) != c.in || (w.linkedPhone() != nil) != c.in || len(w.phone.questions) != c.pushes || w.phone.closed != c.pushes {
			t.Errorf("%s: %#x, linked %v, %d pushes, %d closed", name, got, w.linkedPhone() != nil, len(w.phone.questions), w.phone.closed)
		}
		if told := strings.Join(w.infos, "|"); c.told == "" && told != "" || !strings.HasPrefix(told, strings.TrimSuffix("\n"+c.told, "\n")) {
			t.Errorf("%s: told %q", name, told)
		}
		if !slices.Contains(w.reasons(), c.reason) {
			t.Errorf("%s: recorded %q", name, w.reasons())
		}
		if !c.in {
			w.mustHaveNothing(name)
		}
	}
}

// What belongs to a phase of a minute waits no longer than that, and says so.
func TestTheTimeOfAPhaseEndsAPushOfAnEnrolment(t *testing.T) {
	w := newWorld(t)
	w.reset()
	byPush(w)
	w.phone.says = sent(report(50, ReportAllowed))
	w.end = w.now.Add(30 * time.Second)
	if got := w.frame(); got != denies || !w.now.Before(w.end.Add(time.Second)) || !strings.Contains(w.saw(), "No answer came from your phone in time.") {
		t.Errorf("%#x, %v after the end, %q", got, w.now.Sub(w.end), w.saw())
	}
	w.mustHaveNothing("late")
}

// With Duo there is no number, nothing to subscribe to, and perhaps no phone yet.
func TestAPhoneIsLinkedWithDuo(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		says  func(push int) []comes
		typed []any
		in    bool
		told  string
	}{
		"it has a phone": {func(int) []comes { return sent(report(2, ReportAllowed)) }, []any{"", "", ""}, true, "Allow the request on your phone, then press Enter here: "},
		"it has none yet": {func(push int) []comes {
			if push == 0 {
				return []comes{{report: Report{State: ReportFailed, Problem: "enroll", Enroll: "https://api-1234.duosecurity.com/portal?code=x"}}}
			}
			return sent(report(2, ReportAllowed))
		}, []any{"", "", "", ""}, true, "Set it up at this address:\n  https://api-1234.duosecurity.com/portal?code=x"},
		"it lets in unasked": {func(int) []comes { return []comes{report(0, ReportAllowed)} }, []any{"", ""}, false, "The message could not be sent."},
		"it never has one": {func(int) []comes {
			return []comes{{report: Report{State: ReportFailed, Problem: "enroll", Enroll: "https://x.duosecurity.com/"}}}
		}, slices.Repeat([]any{""}, 20), false, "Press Enter to send a request to the phone (or q to stop): "},
		"nobody answers": {func(int) []comes { return sent(report(60, ReportLate)) }, slices.Repeat([]any{"", ""}, 20), false, "No request is sent to your phone now"},
	} {
		w.reset()
		canSend(w)
		duo := policy.NewPush(policy.ProviderDuo)
		w.policy.Push = &duo
		w.phone.says = c.says(0)
		w.types(append([]any{enrolCode, "7"}, c.typed...)...)
		w.onCall("Push", 2, func() { w.phone.says = c.says(1) })
		got := w.frame()
		if (got == allows) != c.in || (w.linkedPhone() != nil) != c.in || !strings.Contains(w.saw(), c.told) || !strings.Contains(w.saw(), "Duo Mobile") ||
			strings.Contains(w.saw(), "ntfy") || len(w.phone.questions) > 3 {
			t.Errorf("%s: %#x, linked %v, %q\n%s", name, got, w.linkedPhone() != nil, w.reasons(), w.saw())
		}
		if q := w.phone.questions[0]; q.Right != 0 || q.User != "bob" {
			t.Errorf("%s: sent %+v", name, q)
		}
	}
}

package pamhook

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/pamhook/wire"
	"twokey/state"
)

// waysOfPush are the pushes of all providers, with what is typed to have one sent.
func waysOfPush() map[string]func(*world) (word string) {
	return map[string]func(*world) string{
		"a number to match": func(w *world) string { pushWorld(w); return "push" },
		"allow and deny":    func(w *world) string { pushWorld(w); w.policy.Push.MatchNumber = false; return "push" },
		"Duo":               func(w *world) string { duo(w); return "push" },
		"a call by Duo":     func(w *world) string { duo(w); return "phone" },
	}
}

// Attack: with the password, send pushes from one place after the other, and answer none of their questions, until the user presses Allow to
// have peace.
func TestAPushIsPaidBeforeItIsSent(t *testing.T) {
	w := newWorld(t)
	for why, prepare := range waysOfPush() {
		word := prepare(w)
		w.learn()
		for i := range 14 {
			w.phone.says = sent(report(90, ReportLate))
			w.hello.RHost = fmt.Sprintf("198.51.100.%d", i)
			w.hello.Client = w.hello.RHost + ":50022"
			w.now = w.now.Add(time.Second)
			w.onCall("Push", i+1, func() {
				if w.left(int64(10 - i)) {
					t.Errorf("%s, %d: not paid when it is sent", why, i)
				}
			})
			w.prompts, w.infos = nil, nil
			w.types(word, "")
			if got := w.frame(); got != denies {
				t.Errorf("%s: %#x", why, got)
			}
		}
		if n := len(w.phone.questions); n != 10 {
			t.Errorf("%s: %d were sent, want 10", why, n)
		}
		if len(w.prompts) != 1 || !slices.Equal(w.infos, []string{refusedWords}) {
			t.Errorf("%s: asked %q, told %q", why, w.prompts, w.infos)
		}
		if !slices.Contains(w.reasons(), "not sent: "+errPushUnpaid.Error()) {
			t.Errorf("%s: recorded %q", why, w.reasons())
		}
		w.phone.says = nil
		w.types("sms", theCode(w))
		if got := w.frame(); got != allows || w.lastRecord().Method != "sms" {
			t.Errorf("%s, the other way: %#x %q", why, got, w.reasons())
		}
	}
}

func TestAPushIsGivenBackWhenItIsAllowed(t *testing.T) {
	w := newWorld(t)
	for why, prepare := range waysOfPush() {
		word := prepare(w)
		w.learn()
		w.hello.RHost, w.hello.Client = foreigner, foreigner+":50022"
		for _, c := range []struct {
			says ReportState
			left int64
		}{{ReportAllowed, 10}, {ReportDenied, 9}} {
			w.phone.says = sent(report(1, c.says))
			w.types(word, "")
			w.frame()
			if !w.left(c.left) || c.left < 10 && w.left(c.left+1) {
				t.Errorf("%s, report %d: not %d are left", why, c.says, c.left)
			}
			w.reset()
			word = prepare(w)
			w.hello.RHost, w.hello.Client = foreigner, foreigner+":50022"
		}
	}
}

// What cannot be written has not been paid.
func TestAPushThatCannotBePaidIsNotSent(t *testing.T) {
	w := newWorld(t)
	for _, fault := range []string{"Flush", "Sync", "Update"} {
		for _, failure := range []error{errFault, unix.EIO} {
			pushWorld(w)
			w.learn()
			w.types("push", "")
			w.fault.call, w.failure = fault, failure
			if got := w.frame(); got != denies || len(w.phone.questions) != 0 {
				t.Errorf("%s, %v: %#x, sent %d", fault, failure, got, len(w.phone.questions))
			}
		}
	}
}

// However a push ends that nobody answers.
func TestThreePushesInARowThatNobodyAnswersShutPush(t *testing.T) {
	w := newWorld(t)
	ways := map[string]func(word string){
		"waited for to the end": func(word string) { w.types(word, "") },
		"the client gone":       func(word string) { w.types(word, wire.ClientGone) },
		"gone while it is waited": func(word string) {
			w.types(word, func(string) string { w.waits = func() { w.gone = true }; return "" })
		},
		"words that are no code":     func(word string) { w.types(word, "what?") },
		"a wrong recovery code":      func(word string) { w.types(word, "zzzz-zzzz-zzzz") },
		"another way, and no code":   func(word string) { w.types(word, "sms", "") },
		"the phase over":             func(word string) { w.end = w.now.Add(20 * time.Second); w.types(word, "") },
		"twokey-notify was killed":   func(word string) { w.phone.says = sent(comes{time.Second, Report{}, errFault}); w.types(word, "") },
		"the question cannot be put": func(word string) { w.fault = fault{call: "Prompt", number: 2}; w.types(word, "") },
	}
	for kind, prepare := range waysOfPush() {
		for why, way := range ways {
			word := prepare(w)
			w.learn()
			for i := range state.PushRow {
				w.phone.says, w.gone, w.waits, w.calls, w.end = sent(report(90, ReportLate)), false, nil, nil, time.Time{}
				way(word)
				if got := w.frame(); got != denies || len(w.phone.questions) != i+1 {
					t.Fatalf("%s, %s: %#x, sent %d, %q", kind, why, got, len(w.phone.questions), w.reasons())
				}
			}
			w.mustBeShut(kind+", "+why, word)
		}
	}
}

// mustBeShut tries push where it is shut, from elsewhere, and when it is not any more.
func (w *world) mustBeShut(why, word string) {
	w.t.Helper()
	w.gone, w.waits, w.fault, w.end, w.phone.questions, w.prompts = false, nil, fault{}, time.Time{}, nil, nil
	w.phone.says = sent(report(1, ReportAllowed))
	w.types(word, "")
	if got := w.frame(); got != denies || len(w.phone.questions) != 0 || !strings.Contains(fmt.Sprint(w.prompts), noPushNow) {
		w.t.Errorf("%s: %#x, one more was sent, asked %q", why, got, w.prompts)
	}
	w.hello.RHost, w.hello.Client = foreigner, foreigner+":50022"
	w.types(word, "")
	if got := w.frame(); got != allows {
		w.t.Errorf("%s, from elsewhere: %#x %q", why, got, w.reasons())
	}
	w.hello.RHost, w.hello.Client = atHome, atHome+":50023"
	w.now = w.now.Add(state.PushShut)
	w.types(word, "")
	if got := w.frame(); got != allows {
		w.t.Errorf("%s, a quarter of an hour later: %#x %q", why, got, w.reasons())
	}
}

// What has not come to the phone has cost nothing, and bothered nobody.
func TestAPushThatIsAllowedOrNeverCameCostsNothing(t *testing.T) {
	w := newWorld(t)
	late := sent(report(90, ReportLate))
	for why, c := range map[string]struct {
		says []comes
		err  error
		sent int
		left int64
	}{
		"allowed":                  {sent(report(1, ReportAllowed)), nil, 5, 8},
		"refused by the provider":  {[]comes{report(0, ReportFailed)}, nil, 4, 7},
		"kept out by the provider": {[]comes{report(0, ReportDenied)}, nil, 4, 7},
		"no credentials":           {late, errFault, 3, 7},
		"perhaps sent":             {[]comes{{report: Report{State: ReportFailed, Problem: "timeout"}}}, nil, 3, 7},
		"not sent in time":         {[]comes{report(60, ReportLate)}, nil, 3, 7},
		"not answered":             {late, nil, 3, 7},
		"answered by a fake":       {sent(report(1, ReportForged), report(90, ReportLate)), nil, 3, 7},
		"the client gone":          {[]comes{{60 * time.Second, Report{}, errGone}}, nil, 3, 7},
	} {
		pushWorld(w)
		w.learn()
		for i := range 5 {
			w.phone.says, w.phone.err = late, nil
			if i == 2 {
				w.phone.says, w.phone.err = c.says, c.err
			}
			w.hello.Client = fmt.Sprintf("%s:%d", atHome, 50022+i) // a login of its own
			w.types("push", "")
			w.frame()
		}
		if n := len(w.phone.questions); n != c.sent {
			t.Errorf("%s: sent %d, want %d, %q", why, n, c.sent, w.reasons())
		}
		if less, more := w.left(c.left), w.left(c.left+1); !less || more {
			t.Errorf("%s: %d tries are left %v, one more %v", why, c.left, less, more)
		}
	}
}

// left reports whether so many tries are left to where nobody has logged in from.
func (w *world) left(tries int64) bool {
	w.t.Helper()
	st, err := w.states.Read("alice")
	must(w.t, err)
	strangers, _ := st.Throttled(tries*state.One, w.now)
	return !strangers
}

// Attack: have a push replaced by the owner's own, so that what he says to the first does not count.
func TestADenialOfAPushThatWasReplacedCounts(t *testing.T) {
	w := newWorld(t)
	for _, says := range []ReportState{ReportDenied, ReportWrong, ReportLate, ReportAllowed} {
		pushWorld(w)
		w.learn()
		w.phone.says = sent(report(5, says))
		w.types("push", func(string) string {
			w.sends(func(m *state.Messages) { m.Push.ID = state.ID{7} })
			return ""
		})
		if got := w.frame(); got != denies {
			t.Errorf("%d: %#x", says, got)
		}
		m := w.messages()
		_, shut := m.PushShut(atHome, w.now)
		if m.Push == nil || shut != (says == ReportDenied || says == ReportWrong) || (len(m.Unanswered) == 1) != (says == ReportLate) {
			t.Errorf("%d: %+v", says, m)
		}
	}
}

// The phone has said no while the question stood on the screen. Attack: hold the question until nobody waits for the answer any more.
func TestADenialCountsHoweverTheQuestionEnds(t *testing.T) {
	w := newWorld(t)
	ends := map[string]func() any{
		"a right code":               func() any { return w.code(0) },
		"a recovery code":            func() any { return recovery[0] },
		"Enter":                      func() any { return "" },
		"another word":               func() any { return "sms" },
		"the same word":              func() any { return "push" },
		"the client gone":            func() any { return wire.ClientGone },
		"no answer":                  func() any { return wire.NoAnswer(99) },
		"too long an answer":         func() any { return wire.AnswerTooLong },
		"the password once more":     func() any { return wire.AnswerIsPassword },
		"the module gone":            func() any { w.fault = fault{call: "Prompt", number: 2}; return "" },
		"the module goes":            func() any { w.fault.call = "Wait"; return "" },
		"a right code in the end":    func() any { w.now = w.now.Add(50 * time.Second); return w.code(0) },
		"the phase over":             func() any { w.now = w.end; return wire.ClientGone },
		"a right code, behind fakes": func() any { return w.code(0) },
	}
	for why, end := range ends {
		for _, says := range []ReportState{ReportDenied, ReportWrong} {
			pushWorld(w)
			w.learn()
			w.phone.says = sent(report(5, says))
			if strings.Contains(why, "fakes") {
				w.phone.says = sent(report(1, ReportForged), report(1, ReportForged), report(1, says))
			}
			w.end = w.now.Add(60 * time.Second)
			w.reads = []any{"push", func() any { w.now = w.now.Add(8 * time.Second); return end() }}
			if got := w.frame(); got != denies {
				t.Errorf("%s, %d: %#x", why, says, got)
			}
			if _, shut := w.messages().PushShut(atHome, w.now); !shut || w.messages().Push != nil {
				t.Errorf("%s, %d: shut %v, open %+v", why, says, shut, w.messages().Push)
			}
			want := map[ReportState]error{ReportDenied: errDenied, ReportWrong: errWrong}[says]
			if !slices.Contains(w.reasons(), want.Error()) {
				t.Errorf("%s, %d: recorded %q", why, says, w.reasons())
			}
			if w.left(10) {
				t.Errorf("%s, %d: not paid", why, says)
			}
		}
	}
}

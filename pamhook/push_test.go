package pamhook

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"twokey/device"
	"twokey/internal/proc"
	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/state"
)

const noPushNow = "No request is sent to your phone now, since earlier tries have failed. Please take another way, or contact the IT desk."

// report is one that comes after so many seconds.
func report(seconds int, s ReportState) comes {
	return comes{after: time.Duration(seconds) * time.Second, report: Report{State: s}}
}

func pushWorld(w *world) {
	w.reset()
	reachable(w)
	w.phone.says = sent(report(3, ReportAllowed))
}

func TestAPushThatIsAllowedLetsInAndIsRecorded(t *testing.T) {
	w := newWorld(t)
	pushWorld(w)
	shown := ""
	w.types("push", func(question string) string { shown = question; return "" })
	if got := w.frame(); got != allows {
		t.Fatalf("%#x %q", got, w.reasons())
	}
	q := w.phone.questions[0]
	if want := fmt.Sprintf("Press %d on your phone (not any other number), then Enter here, or type a code: ", q.Right); shown != want {
		t.Errorf("asked %q, want %q", shown, want)
	}
	if q.Right < 10 || q.Right > 99 || q.Wrong < 10 || q.Wrong > 99 || q.Right == q.Wrong || q.ID == [8]byte{} || q.Factor != FactorPush || q.Wait != time.Minute {
		t.Errorf("sent %+v", q)
	}
	facts := fmt.Sprint(q.Facts)
	if want := "[{User alice} {From 192.0.2.7} {Host web1} {Service sshd} {Time 2026-11-21 12:00:10 UTC}]"; facts != want || q.Title != "Login to web1?" || q.From != atHome {
		t.Errorf("sent %s, %q, from %q", facts, q.Title, q.From)
	}
	if r := w.log[0]; r.Action != "push-sent" || r.Outcome != "success" || r.Device != "my push" || fmt.Sprint(r.Details) != "[{twokey.provider ntfy}]" {
		t.Errorf("recorded as %+v", r)
	}
	if r := w.lastRecord(); r.Method != "push" || r.Device != "my push" || r.Reason != "allowed on the phone" || r.Outcome != "success" {
		t.Errorf("recorded as %+v", r)
	}
	st, err := w.states.Read("alice")
	must(t, err)
	success, found := st.TakeSuccess(w.host().Application, "sshd")
	if !found || success.Method != "push" || !st.Known(atHome, w.now) || w.phone.closed != 1 {
		t.Errorf("left %+v, %v; closed %d", success, found, w.phone.closed)
	}
	if m := w.messages(); m.Push != nil {
		t.Errorf("it stays open: %+v", m.Push)
	}
}

// What has come of a push, whatever was typed meanwhile.
func TestHowAPushEnds(t *testing.T) {
	w := newWorld(t)
	for why, c := range map[string]struct {
		says   []comes
		typed  any
		in     bool
		reason string
		shut   bool
		told   string
	}{
		"allowed at once":              {sent(report(0, ReportAllowed)), "", true, "allowed on the phone", false, ""},
		"allowed while it is waited":   {sent(report(50, ReportAllowed)), "", true, "allowed on the phone", false, ""},
		"allowed too late":             {sent(report(90, ReportAllowed)), "", false, errPushLate.Error(), false, "No answer came from your phone in time. Please log in again."},
		"nobody answers":               {sent(report(60, ReportLate)), "", false, errPushLate.Error(), false, "No answer came from your phone in time. Please log in again."},
		"denied":                       {sent(report(5, ReportDenied)), "", false, "denied by the user", true, refusedWords},
		"a wrong number":               {sent(report(5, ReportWrong)), "", false, errWrong.Error(), true, refusedWords},
		"denied, and a right code":     {sent(report(0, ReportDenied)), "code", false, "denied by the user", true, refusedWords},
		"denied, and the client gone":  {sent(report(0, ReportDenied)), wire.ClientGone, false, "denied by the user", true, refusedWords},
		"denied, answered by sshd":     {sent(report(0, ReportDenied)), wire.AnswerIsPassword, false, "denied by the user", true, refusedWords},
		"allowed, and the client gone": {sent(report(0, ReportAllowed)), wire.ClientGone, false, errGone.Error(), false, refusedWords},
		"allowed, and shown to nobody": {sent(report(0, ReportAllowed)), wire.AnswerIsPassword, false, errUnseen.Error(), false, refusedWords},
		"forged":                       {sent(report(1, ReportForged), report(1, ReportForged), report(90, ReportLate)), "", false, errPushLate.Error(), false, "No answer came from your phone in time. Please log in again."},
		"forged, then allowed":         {sent(report(1, ReportForged), report(1, ReportAllowed)), "", true, "allowed on the phone", false, ""},
		"a right code before":          {sent(report(90, ReportLate)), "code", true, "right code", false, ""},
		"a wrong code before":          {sent(report(90, ReportLate)), "wrong", false, "wrong code", false, refusedWords},
		"too late, and a right code":   {sent(report(0, ReportLate)), "code", true, "right code", false, ""},
		"failed, and a right code":     {sent(report(0, ReportFailed)), "code", true, "right code", false, ""},
		"the client gone":              {sent(report(5, ReportAllowed)), wire.ClientGone, false, errGone.Error(), false, refusedWords},
		"twokey-notify was killed":     {sent(comes{time.Second, Report{}, errFault}), "", false, errFault.Error(), false, refusedWords},
		"a state that nobody knows":    {sent(report(1, ReportState(99))), "", false, errPushLate.Error(), false, "No answer came from your phone in time. Please log in again."},
	} {
		pushWorld(w)
		w.phone.says = c.says
		typed := c.typed
		switch typed {
		case "code":
			typed = w.code(0)
		case "wrong":
			typed = w.wrongCode()
		}
		w.types("push", typed)
		if got := w.frame(); got != verdictOf(c.in) || w.lastRecord().Reason != c.reason {
			t.Errorf("%s: %#x, recorded %q", why, got, w.reasons())
		}
		if told := strings.Join(w.infos, "|"); told != c.told {
			t.Errorf("%s: told %q", why, told)
		}
		m := w.messages()
		if _, shut := m.PushShut(atHome, w.now.Add(14*time.Minute)); shut != c.shut || m.Push != nil || w.phone.closed != 1 {
			t.Errorf("%s: shut %v, open %v, closed %d", why, shut, m.Push, w.phone.closed)
		}
		st, err := w.states.Read("alice")
		must(t, err)
		if strangers, _ := st.Throttled(10*state.One, w.now); strangers == c.in {
			t.Errorf("%s: charged %v", why, strangers)
		}
		if forged := slices.ContainsFunc(w.reasons(), func(r string) bool { return strings.HasPrefix(r, "an answer to a push came from") }); forged != strings.HasPrefix(why, "forged") {
			t.Errorf("%s: recorded %q", why, w.reasons())
		}
	}
}

func TestWhatIsSentIsNotSentAgainWhileAPushIsOpenOrShut(t *testing.T) {
	w := newWorld(t)
	open := func(id proc.ID, left time.Duration) func(*world) {
		return func(w *world) {
			w.sends(func(m *state.Messages) {
				m.Push = &state.OpenPush{ID: state.ID{1}, Process: id, Until: w.now.Add(left)}
			})
		}
	}
	openToOwner := func(w *world) {
		w.sends(func(m *state.Messages) {
			m.Push = &state.OpenPush{ID: state.ID{1}, Process: w.self(), Until: w.now.Add(time.Minute), Known: true}
		})
	}
	shut := func(source string) func(*world) {
		return func(w *world) {
			w.sends(func(m *state.Messages) { m.ShutPush(source, w.now.Add(state.PushShut)) })
		}
	}
	for why, c := range map[string]struct {
		prepare func(*world)
		line    string
		reason  error
	}{
		"one is open, and he is known":  {func(w *world) { openToOwner(w); known(atHome)(w) }, "Another login is asking your phone. If it is not yours, press Deny there. Take another way here.", errPushOpen},
		"a stranger's, and he is known": {func(w *world) { open(w.self(), time.Minute)(w); known(atHome)(w) }, "", nil},
		"one is open":                   {open(w.self(), time.Minute), "", errPushOpen},
		"the owner's is open":           {openToOwner, "", errPushOpen},
		"one of a dead process":         {open(proc.ID{PID: 1 << 22, Start: 1}, time.Minute), "", nil},
		"one whose time is over":        {open(w.self(), 0), "", nil},
		"denied from here":              {shut(atHome), noPushNow, errDeniedThen},
		"denied from elsewhere":         {shut(foreigner), "", nil},
		"denied from here, before":      {func(w *world) { shut(atHome)(w); w.now = w.now.Add(state.PushShut) }, "", nil},
	} {
		pushWorld(w)
		w.learn()
		c.prepare(w)
		w.types("push", func(string) string { return w.code(0) })
		quiet := c.reason != nil && c.line == "" // as a wrong code
		if got := w.frame(); got != verdictOf(!quiet) || quiet && (len(w.prompts) != 1 || !slices.Equal(w.infos, []string{refusedWords})) {
			t.Errorf("%s: %#x %q, asked %q, told %q", why, got, w.reasons(), w.prompts, w.infos)
		}
		if c.reason == nil {
			if len(w.phone.questions) != 1 {
				t.Errorf("%s: sent %d, asked %q", why, len(w.phone.questions), w.prompts)
			}
			continue
		}
		if want := "\n" + c.line + "\nCode, or 'sms': "; len(w.phone.questions) != 0 || !quiet && w.prompts[1] != want {
			t.Errorf("%s: sent %d, asked %q", why, len(w.phone.questions), w.prompts)
		}
		if r := w.log[0]; r.Reason != "not sent: "+c.reason.Error() || r.Outcome != "failure" {
			t.Errorf("%s: recorded %q", why, w.reasons())
		}
	}
}

// sends changes what was sent to alice.
func (w *world) sends(change func(*state.Messages)) {
	w.t.Helper()
	must(w.t, w.states.Update("alice", func(tx *state.Tx) error {
		m, err := tx.Messages(w.now)
		if err != nil {
			return err
		}
		change(m)
		return tx.SaveMessages(m)
	}))
}

// Between the question and the answer an administrator can have ended what was open, or taken the device away.
func TestAnAnswerCountsOnlyForWhatIsStillOpen(t *testing.T) {
	w := newWorld(t)
	for why, between := range map[string]func(){
		"ended":                  func() { w.sends(func(m *state.Messages) { m.Push = nil }) },
		"another one":            func() { w.sends(func(m *state.Messages) { m.Push.ID = state.ID{7} }) },
		"the device was removed": func() { without(device.Push)(w); w.record.Serial++ },
		"the device has expired": func() { w.record.Devices[2].Until = w.now; w.record.Serial++ },
		"another user id":        func() { w.hello.UID = otherUID },
		"an older file":          func() { w.record.Serial = 1 },
		"the state is damaged":   func() { w.fault.call = "Update" },
		"it cannot be written":   func() { w.fault.call = "Flush" },
		"it cannot be kept":      func() { w.fault.call = "Sync" },
		"the log is full":        func() { w.fault.call = "Append" },
	} {
		pushWorld(w)
		w.learn()
		w.types("push", func(string) string { between(); return "" })
		if got := w.frame(); got != denies || len(w.phone.questions) != 1 {
			t.Errorf("%s: %#x, sent %d", why, got, len(w.phone.questions))
		}
	}
}

// It is written down that a push is open before it is sent: of two logins at once one sends it.
func TestAPushIsOpenBeforeItIsSent(t *testing.T) {
	w := newWorld(t)
	pushWorld(w)
	w.onCall("Push", 1, func() {
		if m := w.messages(); m.Push == nil || m.Push.Process != w.self() {
			t.Errorf("when it is sent: %+v", m)
		}
	})
	w.types("push", "")
	if got := w.frame(); got != allows || len(w.phone.questions) != 1 {
		t.Errorf("%#x, sent %d", got, len(w.phone.questions))
	}
}

func TestAClientThatGoesAwayEndsThePush(t *testing.T) {
	w := newWorld(t)
	pushWorld(w)
	w.phone.says = sent(report(50, ReportAllowed))
	w.types("push", func(string) string { w.waits = func() { w.gone = true }; return "" })
	begin := w.now
	if got := w.frame(); got != denies || w.phone.closed != 1 || w.messages().Push != nil || w.now.Sub(begin) > 2*time.Second {
		t.Errorf("%#x, closed %d, open %+v, took %v", got, w.phone.closed, w.messages().Push, w.now.Sub(begin))
	}
	if got := w.lastRecord().Reason; got != errGone.Error() {
		t.Errorf("recorded %q", w.reasons())
	}
}

// The module is told for how long nothing will be said: it ends whoever is silent for 15 s.
func TestTheModuleKnowsOfEachWait(t *testing.T) {
	w := newWorld(t)
	pushWorld(w)
	w.policy.Push.Timeout, w.policy.Push.Wait = 30*time.Second, 90*time.Second
	w.phone.says = sent(report(89, ReportAllowed))
	w.types("push", "")
	if got := w.frame(); got != allows {
		t.Fatalf("%#x %q", got, w.reasons())
	}
	if len(w.quiet) < 2 || w.quiet[0] < 32 || slices.Max(w.quiet) < 90 || slices.Max(w.quiet) > wire.MaxWait || slices.Min(w.quiet) < 1 {
		t.Errorf("told %v", w.quiet)
	}
}

// With AuthenticationMethods password,keyboard-interactive sshd answers the first run itself, by the password, and shows its question to
// nobody: that is enough where there is nothing to be seen. The second run of the login sends nothing.
func TestTwoRunsOfALoginSendOnePush(t *testing.T) {
	w := newWorld(t)
	monitor := proc.ID{PID: 500, Start: 5}
	for why, c := range map[string]struct {
		between func(*world)
		sends   int
	}{
		"the same login":                {func(*world) {}, 1},
		"two minutes later":             {func(w *world) { w.now = w.now.Add(state.AnsweredFor) }, 2},
		"another port":                  {func(w *world) { w.hello.Client = atHome + ":50999" }, 2},
		"another process of the server": {func(w *world) { w.parent = proc.ID{PID: 501, Start: 5} }, 2},
		"its number used again":         {func(w *world) { w.parent = proc.ID{PID: 500, Start: 6} }, 2},
		"another service":               {func(w *world) { w.hello.Service = "login" }, 2},
		"no address":                    {func(w *world) { w.hello.Client = "" }, 2},
		"push does not count any more":  {func(w *world) { w.policy.Methods = []string{"sms", "totp"} }, 1},
		"denied by now":                 {func(w *world) { w.policy.Default = policy.Deny }, 1},
		"behind a wrong password":       {func(w *world) { w.hello.Flags = wire.FlagDecoy }, 1},
		"after no password":             {func(w *world) { w.hello.Flags = 0 }, 1},
		"the device was removed":        {func(w *world) { w.record = newRecord("alice", w.record.Serial+1); w.record.Devices[0].ID[0] = 8 }, 1},
	} {
		w.reset()
		onlyBy(device.Push)(w)
		w.policy.Push.MatchNumber = false
		w.phone.says = sent(report(3, ReportAllowed))
		w.application, w.parent = monitor, proc.ID{PID: 1, Start: 1}
		w.types(wire.AnswerIsPassword)
		if got := w.frame(); got != allows || len(w.phone.questions) != 1 || w.lastRecord().Method != "push" {
			t.Fatalf("%s: the first run: %#x %q", why, got, w.reasons())
		}
		w.application, w.parent = proc.ID{PID: 600, Start: 6}, monitor // keyboard-interactive runs in a child
		c.between(w)
		w.types("")
		before := len(w.prompts)
		got := w.frame()
		if len(w.phone.questions) != c.sends {
			t.Errorf("%s: %#x, sent %d, recorded %q", why, got, len(w.phone.questions), w.reasons())
		}
		if passed := len(w.prompts) == before && got == allows; passed != (why == "the same login") {
			t.Errorf("%s: %#x, asked %q", why, got, w.prompts[before:])
		}
		if why != "the same login" {
			continue
		}
		if r := w.lastRecord(); r.Method != "push" || r.Reason != "answered on the phone in another run of this login" {
			t.Errorf("recorded as %+v", r)
		}
		w.types("")
		if w.frame(); len(w.phone.questions) != 2 {
			t.Error("a third run was let through as well")
		}
	}
}

// A server that serves everybody in one process would let in by another's answer, and so would one that is not sshd, of whose processes nothing
// is known.
func TestWhereTheConnectionIsNotKnownNoOtherRunLetsThrough(t *testing.T) {
	w := newWorld(t)
	for why, change := range map[string]func(){
		"no address": func() { w.hello.Client = "" }, "another server": func() { w.hello.Service = "vsftpd" }, "nobody's": func() { w.hello.Service = "" },
	} {
		w.reset()
		onlyBy(device.Push)(w)
		w.phone.says = sent(report(0, ReportAllowed))
		w.policy.Services = map[string]policy.Way{"vsftpd": policy.Prompt, "": policy.Prompt}
		change()
		for i := range 2 {
			w.types("")
			if got := w.frame(); got != allows || len(w.phone.questions) != i+1 {
				t.Errorf("%s, %d: %#x, sent %d", why, i, got, len(w.phone.questions))
			}
		}
	}
}

func TestOnADecoyLineNothingIsSentAndNobodyLetThrough(t *testing.T) {
	w := newWorld(t)
	for _, answer := range []string{"push", "sms", "", "phone"} {
		w.reset()
		onlyBy(device.Push)(w)
		w.sends(func(m *state.Messages) {
			m.Answered = &state.Answered{Connection: (&run{host: w.host(), hello: &w.hello}).loginIDs()[0], Method: "push", Time: w.now}
		})
		w.hello.Flags = wire.FlagDecoy
		w.policy.MethodsDefault = policy.DefaultLast
		w.types(answer)
		if got := w.frame(); got != denies || len(w.phone.questions)+len(w.phone.texts) > 0 || w.messages().Answered == nil {
			t.Errorf("%q: %#x, sent %v %v", answer, got, w.phone.questions, w.phone.texts)
		}
		if slices.Contains(w.calls, "Messenger") || slices.Contains(w.calls, "TakeText") {
			t.Errorf("%q: %v", answer, w.calls)
		}
	}
}

// A success by push, or by a text, is one like any other: it is remembered, and opens what cannot ask.
func TestASuccessOnThePhoneIsRemembered(t *testing.T) {
	w := newWorld(t)
	for word, answer := range map[string]func(*world) any{"push": func(*world) any { return "" }, "sms": func(w *world) any { return theCode(w) }} {
		w.reset()
		onlyBy(word)(w)
		w.phone.says = sent(report(0, ReportAllowed))
		w.policy.Remember = time.Hour
		w.types(answer(w))
		if got := w.frame(); got != allows {
			t.Fatalf("%s: %#x %q", word, got, w.reasons())
		}
		w.hello.Client = atHome + ":60000"
		w.types()
		asked := len(w.prompts)
		if got := w.frame(); got != allows || len(w.prompts) != asked || w.lastRecord().SecondFactor != "remembered" {
			t.Errorf("%s, again: %#x, asked %q, %q", word, got, w.prompts[asked:], w.reasons())
		}
		w.policy.SMS, w.policy.Push = nil, nil // now nothing of his would let him in
		w.hello.Client = atHome + ":60001"
		w.types("")
		if got := w.frame(); got != denies {
			t.Errorf("%s, when nothing can be sent any more: %#x", word, got)
		}
	}
}

func TestAWordTypedAtTheQuestionOfAPushEndsIt(t *testing.T) {
	w := newWorld(t)
	pushWorld(w)
	w.phone.says = nil
	w.types("push", "sms", theCode(w))
	if got := w.frame(); got != allows || w.lastRecord().Method != "sms" || w.phone.closed != 2 || w.messages().Push != nil {
		t.Errorf("%#x %q, closed %d", got, w.reasons(), w.phone.closed)
	}
}

func TestThePhoneIsToldWhoHasCalled(t *testing.T) {
	w := newWorld(t)
	for why, c := range map[string]struct{ host, caller, tty, want string }{
		"over the network":              {atHome, "", "ssh", atHome},
		"at the console":                {"", "", "tty1", "tty1"},
		"her own sudo":                  {"", "alice", "pts/3", "pts/3"},
		"somebody else, with su":        {"", "mallory", "pts/3", "mallory, pts/3"},
		"who says so over the network":  {atHome, "alice", "", atHome},
		"somebody else without a place": {"", "mallory", "", "mallory"},
	} {
		pushWorld(w)
		w.hello.RHost, w.hello.RUser, w.hello.TTY = c.host, c.caller, c.tty
		w.types("push", "")
		w.frame()
		if len(w.phone.questions) != 1 || w.phone.questions[0].Facts[1].Value != c.want {
			t.Errorf("%s: sent %+v, %q", why, w.phone.questions, w.reasons())
		}
	}
}

func TestTheNumberIsInNoRecord(t *testing.T) {
	w := newWorld(t)
	pushWorld(w)
	w.types("push", "")
	w.frame()
	q := w.phone.questions[0]
	for _, r := range w.log {
		if strings.Contains(r.Reason+fmt.Sprint(r.Details), strconv.Itoa(q.Right)+" ") {
			t.Errorf("%+v", r)
		}
	}
}

package pamhook

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/proc"
	"twokey/pamhook/wire"
	"twokey/policy"
)

// These tests stand beside those of faults_test.go, in whose table the enrolments are too; each is named after a MUST of the package
// comment.

// linkedPhone is the device that is in force, or nil.
func (w *world) linkedPhone() *fakeDraft {
	if w.enrol.draft == nil || !w.enrol.draft.finished {
		return nil
	}
	return w.enrol.draft
}

func TestMustEnrolOnlyWhatTheSameProcessHasAnnounced(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func(*Announcement)
		in     bool
	}{
		"the same process":                    {func(*Announcement) {}, true},
		"its parent":                          {func(n *Announcement) { n.Process = w.host().Parent }, false},
		"its child":                           {func(n *Announcement) { n.Parent, n.Process = n.Process, proc.ID{PID: 300, Start: 3} }, false},
		"an earlier one of the same number":   {func(n *Announcement) { n.Process.Start-- }, false},
		"another service of the same":         {func(n *Announcement) { n.Service = "login" }, false},
		"nobody: key alone, su by root, cron": {nil, false},
	} {
		w.reset()
		announced(w)
		if c.change == nil {
			w.enrol.announced = nil
		} else {
			c.change(&w.enrol.announced[0])
		}
		got := w.frame()
		if (got == allows) != c.in || (w.linkedPhone() != nil) != c.in || !c.in && len(w.texts) > 0 {
			t.Errorf("%s: %#x, linked %v, saw %q", name, got, w.linkedPhone() != nil, w.texts)
		}
		if c.in {
			w.script = w.goodScript()
			if again := w.frame(); again != denies {
				t.Errorf("%s: the announcement is good twice: %#x", name, again)
			}
		}
	}
}

// Attack: a wrong password under "auth required pam_unix", where nothing stops the stack before it comes to us, and no decoy stands there;
// and sudo's second try in the same process after a first that has failed.
func TestMustLinkNothingInAuthenticate(t *testing.T) {
	w := newWorld(t)
	for _, prepare := range []func(*world){mustEnrol, then(mustEnrol, withoutCode)} {
		for flags, asks := range map[wire.Flags]int{0: 1, wire.FlagAfterPassword: 0} {
			w.reset()
			prepare(w)
			w.hello.Flags, w.script = flags, []string{"any answer"}
			v := w.run()
			if v.Frame() != allows || !v.AccountAsks() || w.enrol.draft != nil || len(w.infos) > 0 {
				t.Errorf("flags %d: %#x, the account phase asks: %v, begun %v, told %q", flags, v.Frame(), v.AccountAsks(), w.enrol.draft, w.infos)
			}
			asked := slices.Repeat([]string{"Verification code: "}, asks)
			if !slices.Equal(w.prompts, asked) || slices.Contains(w.calls, "LoadDecoy") != (asks > 0) {
				t.Errorf("flags %d: asked %q, did %v", flags, w.prompts, w.calls)
			}
			if n := w.enrol.announced; len(n) != 1 || n[0].AfterPassword != (flags != 0) { // a stranger's must not close the service
				t.Errorf("flags %d: announced %+v", flags, n)
			}
			if _, err := w.states.Read("bob"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("flags %d: there is a state: %v", flags, err)
			}
		}
	}
}

// Whoever is let on without an announcement is a user like any: nothing else sets the flag.
func TestOnlyAnEnrolmentMakesTheAccountPhaseAsk(t *testing.T) {
	w := newWorld(t)
	for name, l := range logins() {
		w.reset()
		l.prepare(w)
		if v := w.run(); v.AccountAsks() != (name == "enrolment, announced") {
			t.Errorf("%s: %v", name, v.AccountAsks())
		}
	}
}

func TestMustAnnounceOnlyWhomThePolicyLetsEnrolHere(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func(*world)
		in     bool
		words  string // "": those of everybody
	}{
		"with a code":                  {func(*world) {}, true, ""},
		"without a code":               {withoutCode, true, ""},
		"no code is open":              {func(w *world) { w.enrol.open = nil }, false, ""},
		"the time of the code is over": {func(w *world) { w.enrol.ended = true }, false, ""},
		"another user's code is open":  {func(w *world) { w.enrol.open = map[string]string{"alice": enrolCode} }, false, ""},
		"at_login: no":                 {func(w *world) { w.policy.AtLogin = policy.AtLoginNo }, false, ""},
		"a configuration of nothing":   {func(w *world) { w.policy.AtLogin = "" }, false, ""},
		"denied":                       {func(w *world) { w.policy.Default = policy.Deny }, false, ""},
		"by an administrator only": {func(w *world) {
			w.policy.Rules = []policy.Rule{{Name: "x", Users: []string{"bob"}, Then: policy.Required, EnrollByAdmin: true}}
		}, false, ""},
		"another name for the user id":    {func(w *world) { w.hello.UID = aliceUID }, false, ""},
		"an unknown user":                 {unknown, false, ""},
		"a decoy line":                    {func(w *world) { w.hello.Flags = wire.FlagDecoy }, false, ""},
		"a graphical login":               {func(w *world) { w.hello.Service = "gdm-password" }, false, string(policy.MsgEnrollElsewhere)},
		"the same, and no code is open":   {func(w *world) { w.hello.Service, w.enrol.open = "gdm-password", nil }, false, ""},
		"the same, the password not sure": {func(w *world) { w.hello.Service, w.hello.Flags = "gdm-password", 0 }, false, ""},
		"the same, who has a device": {func(w *world) {
			w.hello.Service, w.hello.User, w.hello.Name, w.hello.UID = "gdm-password", "alice", "alice", aliceUID
		}, false, ""},
		"one field":                          {asking(policy.Appended), false, "none"},
		"a service that has no account line": {func(w *world) { w.enrol.lacking = []string{"sshd"} }, false, ""},
	} {
		w.reset()
		mustEnrol(w)
		w.answer, w.field = []byte(w.wrongCode()), []byte("hunter2")
		c.change(w)
		v := w.run()
		if (v.Frame() == allows) != c.in || v.AccountAsks() != c.in || w.enrol.draft != nil {
			t.Errorf("%s: %#x, the account phase asks: %v", name, v.Frame(), v.AccountAsks())
		}
		want := []string{w.policy.Text(policy.MsgRefused)}
		if c.words == "none" || c.in {
			want = nil
		} else if c.words != "" {
			want = []string{w.policy.Text(policy.Message(c.words))}
		}
		if !slices.Equal(w.infos, want) || !c.in && len(w.prompts) != 1 {
			t.Errorf("%s: asked %q, told %q, want %q", name, w.prompts, w.infos, want)
		}
	}
}

func TestMustLinkNothingWithoutTheEnrolmentCode(t *testing.T) {
	w := newWorld(t)
	rest := w.afterCode()
	for name, c := range map[string]struct {
		typed  []string
		change func(*world)
		reason string // "": he is in
	}{
		"right":                    {[]string{enrolCode}, nil, ""},
		"right at the third try":   {[]string{"aaaa-0000-bbbc", "", enrolCode}, nil, ""},
		"right at the fourth try":  {[]string{"1", "2", "3", enrolCode}, nil, errTries.Error() + "; " + ErrCode.Error()},
		"another user's":           {[]string{"cccc-0000-dddd", "cccc-0000-dddd", "cccc-0000-dddd"}, func(w *world) { w.enrol.open["eva"] = "cccc-0000-dddd" }, errTries.Error() + "; " + ErrCode.Error()},
		"ended since authenticate": {[]string{enrolCode}, func(w *world) { w.enrol.ended = true }, ErrCodeEnded.Error()},
		"used since authenticate":  {[]string{enrolCode}, func(w *world) { w.enrol.open = nil }, ErrCodeEnded.Error()},
		"replaced behind it": {[]string{enrolCode}, func(w *world) {
			w.onCall("Begin", 1, func() { w.enrol.open["bob"] = "cccc-0000-dddd" })
		}, ErrMeanwhile.Error()},
		"it cannot be looked up": {[]string{enrolCode}, func(w *world) { w.fault.call = "CheckCode" }, errFault.Error()},
	} {
		w.reset()
		announced(w)
		w.script = append(slices.Clone(c.typed), rest...)
		if c.change != nil {
			c.change(w)
		}
		got := w.frame()
		if in := c.reason == ""; (got == allows) != in || (w.linkedPhone() != nil) != in || !in && w.enrol.draft != nil {
			t.Errorf("%s: %#x, begun %v", name, got, w.enrol.draft)
		}
		if c.reason != "" && !slices.Contains(w.reasons(), c.reason) {
			t.Errorf("%s: recorded %q", name, w.reasons())
		}
	}
}

// afterCode are the answers behind the enrolment code.
func (w *world) afterCode() []string { return w.goodScript()[1:] }

// At each question the person goes, stops, or his connection breaks: nothing is left but what was begun. For 15 minutes he is shown the same
// picture then, and after that a new one.
func TestMustLeaveNothingWhereItBreaksOff(t *testing.T) {
	w := newWorld(t)
	whole := w.goodScript()
	for at := range whole {
		for how, script := range map[string][]string{"gone": whole[:at:at], "stopped": append(whole[:at:at], "q"), "stopped in capitals": append(whole[:at:at], " Q ")} {
			for _, minutes := range []time.Duration{14, 16} {
				w.reset()
				announced(w)
				w.script = slices.Clone(script)
				name := fmt.Sprintf("%s at question %d", how, at)
				if got := w.frame(); got != denies || w.linkedPhone() != nil {
					t.Errorf("%s: %#x, linked %v", name, got, w.linkedPhone() != nil)
				}
				if _, err := w.states.Read("bob"); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: there is a state: %v", name, err)
				}
				drawn := 1
				if begun := at >= 3; begun && minutes > 15 {
					drawn = 2
				}
				w.now = w.now.Add(minutes * time.Minute)
				announced(w)
				if got := w.frame(); got != allows || w.enrol.drawn != drawn {
					t.Errorf("%s, after %d minutes: %#x, %d devices drawn, want %d", name, minutes, got, w.enrol.drawn, drawn)
				}
			}
		}
	}
}

// Somebody who has password and code reads the picture, and goes: the owner must not be shown the same one.
func TestMustNotShowElsewhereWhatWasBegun(t *testing.T) {
	w := newWorld(t)
	for from, drawn := range map[string]int{"": 1, "198.51.100.9": 2} {
		w.reset()
		announced(w)
		w.script = w.goodScript()[:3]
		if got := w.frame(); got != denies || w.enrol.drawn != 1 {
			t.Fatalf("%#x, %d devices drawn", got, w.enrol.drawn)
		}
		announced(w)
		if from != "" {
			w.hello.RHost = from
		}
		w.frame()
		if w.enrol.drawn != drawn {
			t.Errorf("from %q: %d devices drawn, want %d", from, w.enrol.drawn, drawn)
		}
	}
}

// What can be answered wrongly, and how often.
func TestHowOftenSomebodyMayAnswerWrongly(t *testing.T) {
	w := newWorld(t)
	code, wrong := w.goodScript()[3], "000000"
	for name, c := range map[string]struct {
		script []string
		in     bool
	}{
		"nonsense, then a phone":                  {[]string{enrolCode, "phone", "", "6", "2", "", code, ""}, true},
		"a token and a plain phone, then a phone": {[]string{enrolCode, "4", "5", "1", "", code, ""}, true},
		"a computer":        {[]string{enrolCode, "3", "", code, ""}, true},
		"nonsense for ever": {append([]string{enrolCode}, slices.Repeat([]string{"7"}, choiceTries+1)...), false},
		"four wrong codes of the app, then a right": {[]string{enrolCode, "2", "", wrong, "", "x", wrong, code, ""}, true},
		"empty lines, which are no codes":           {append(append([]string{"", "", "", enrolCode, "2", ""}, slices.Repeat([]string{""}, emptyTries-1)...), wrong, wrong, wrong, wrong, "", code, ""), true},
		"empty lines for ever":                      {append([]string{enrolCode, "2", ""}, slices.Repeat([]string{""}, emptyTries*appRounds)...), false},
		"no enrolment code for ever":                {slices.Repeat([]string{""}, 100), false},
		"five wrong ones":                           {[]string{enrolCode, "2", "", wrong, wrong, wrong, wrong, wrong, code, ""}, false},
		"the key as text, the other pictures":       {[]string{enrolCode, "2", "", "t", "w", "T", "i", "I", code, ""}, true},
		"pictures for ever":                         {append([]string{enrolCode, "2", ""}, slices.Repeat([]string{"w"}, appRounds+1)...), false},
	} {
		w.reset()
		announced(w)
		w.script = c.script
		if got := w.frame(); (got == allows) != c.in || (w.linkedPhone() != nil) != c.in {
			t.Errorf("%s: %#x, recorded %q", name, got, w.reasons())
		}
	}
}

// Attack: a log that cannot be written, and a phone of which nobody reads.
func TestMustLinkNothingThatIsNotInTheLog(t *testing.T) {
	w := newWorld(t)
	for number, linked := range map[int]bool{1: false, 2: true} { // the second record is of what is in force by then
		for _, failure := range []error{nil, unix.ENOSPC} {
			w.reset()
			announced(w)
			enrolsAtConsole(w)
			w.fault, w.failure = fault{call: "Append", number: number}, failure
			if got := w.frame(); got != denies || !w.hit || (w.linkedPhone() != nil) != linked || len(w.warnings) == 0 {
				t.Errorf("record %d, %v: %#x, linked %v, warned %q", number, failure, got, w.linkedPhone() != nil, w.warnings)
			}
		}
	}
}

// enrolsAtConsole makes it a login at the machine itself, where a disk that cannot be written is forgiven.
func enrolsAtConsole(w *world) {
	w.policy.OnFault = policy.FaultConsole
	w.hello.RHost, w.hello.Client, w.hello.TTY, w.hello.Service = "", "", "/dev/tty1", "login"
	for i := range w.enrol.announced {
		w.enrol.announced[i].Service = "login"
	}
}

// A disk that is full at any point of an enrolment is forgiven to nobody, also not at the console.
func TestMustForgiveNothingOfAnEnrolment(t *testing.T) {
	w := newWorld(t)
	for _, prepare := range []func(*world){mustEnrol, announced} {
		for _, call := range []string{"Append", "Announce", "TakeAnnouncement", "CheckCode", "Begin", "Finish", "Update", "Flush", "Sync"} {
			w.reset()
			prepare(w)
			enrolsAtConsole(w)
			w.fault.call, w.failure = call, unix.ENOSPC
			if got := w.frame(); w.hit && got != denies {
				t.Errorf("%s: %#x", call, got)
			}
		}
	}
}

// Attack: a program of the user's own, which says that it is sshd and that a password was right.
func TestMustEnrolNobodyInAProcessOfTheUsersOwn(t *testing.T) {
	w := newWorld(t)
	for name, prepare := range map[string]func(*world){"authenticate": mustEnrol, "account": announced} {
		w.reset()
		prepare(w)
		h := w.host()
		h.Own = true
		if v := h.Run(w); v.Frame() != denies || v.AccountAsks() || w.enrol.draft != nil {
			t.Errorf("%s: %#x, the account phase asks: %v, begun %v", name, v.Frame(), v.AccountAsks(), w.enrol.draft)
		}
	}
}

// Attack: an application that calls us for auth and not for account.
func TestMustOpenNoSessionWhoseAccountPhaseNeverCame(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		session proc.ID
		denied  bool
	}{
		"of the process itself": {w.host().Application, true},
		"of its parent":         {w.host().Parent, true},
		"of another login":      {proc.ID{PID: 900, Start: 9}, false},
	} {
		w.reset()
		mustEnrol(w)
		if v := w.run(); v.Frame() != allows || !v.AccountAsks() {
			t.Fatalf("%s: authenticate: %#x", name, v.Frame())
		}
		w.hello.Phase = wire.PhaseOpenSession
		h := w.host()
		h.Application = c.session
		if got := h.Run(w).Frame(); (got == denies) != c.denied {
			t.Errorf("%s: the session: %#x, recorded %q", name, got, w.reasons())
		}
		w.hello.Phase, w.script = wire.PhaseAuthenticate, nil
		v := w.run()
		if (v.Frame() == denies) != c.denied || c.denied != strings.Contains(w.reasons()[len(w.log)-1], ErrNoAccountLine.Error()) {
			t.Errorf("%s: the next login: %#x, recorded %q", name, v.Frame(), w.reasons())
		}
		w.hello.Service = "login"
		if v := w.run(); v.Frame() != allows {
			t.Errorf("%s: at another service: %#x", name, v.Frame())
		}
	}
}

// In one connection first a wrong password, where nothing stops the stack at that, and then a key: the line is not missing.
func TestAKeyAfterAWrongPasswordDoesNotTellThatTheAccountLineIsMissing(t *testing.T) {
	w := newWorld(t)
	for auth, denied := range map[string]bool{"publickey ssh-ed25519 AAAA": false, "publickey ssh-ed25519 AAAA\nkeyboard-interactive/pam": true} {
		w.reset()
		mustEnrol(w)
		if v := w.run(); v.Frame() != allows || !v.AccountAsks() {
			t.Fatalf("authenticate: %#x", v.Frame())
		}
		w.hello.Phase, w.hello.SSHAuthInfo = wire.PhaseOpenSession, auth
		h := w.host()
		h.Application = h.Parent
		if got := h.Run(w).Frame(); (got == denies) != denied || (len(w.enrol.lacking) > 0) != denied {
			t.Errorf("by %q: the session: %#x, recorded %q", auth, got, w.reasons())
		}
	}
}

// After an enrolment the session opens by its code, and only one does.
func TestASessionOpensByAnEnrolment(t *testing.T) {
	w := newWorld(t)
	announced(w)
	if got := w.frame(); got != allows {
		t.Fatalf("%#x, %q", got, w.reasons())
	}
	w.policy.SSHKeysAlone, w.script = policy.KeysDeny, nil
	if got, factor := w.opened(); got != allows || factor != "totp" || w.log[len(w.log)-1].Device != "phone" {
		t.Errorf("%#x with %q, recorded %q", got, factor, w.reasons())
	}
}

// What is decided anew in the account phase: the policy and the user's devices may have changed since authenticate.
func TestTheAccountPhaseGoesByThePolicyOfItsOwnMoment(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func(*world)
		want   wire.Type
		linked bool
	}{
		"the same":                    {func(*world) {}, allows, true},
		"switched off":                {func(w *world) { w.policy.Off = true }, allows, false},
		"observed":                    {func(w *world) { w.policy.Observe = true }, allows, false},
		"exempt by now":               {exempt(policy.Entry{Users: []string{"bob"}}), allows, false},
		"at_login: no by now":         {func(w *world) { w.policy.AtLogin = policy.AtLoginNo }, denies, false},
		"denied by now":               {func(w *world) { w.policy.Default = policy.Deny }, denies, false},
		"a device meanwhile":          {func(w *world) { w.enrol.meanwhile = true }, denies, false},
		"the policy cannot be read":   {func(w *world) { w.fault.call = "Policy" }, denies, false},
		"the name service is down":    {func(w *world) { w.hello.Flags |= wire.FlagLookupFailed; w.hello.Name, w.hello.GIDs = "", nil }, denies, false},
		"reset meanwhile, at the end": {func(w *world) { w.slow = time.Nanosecond; w.onCall("Append", 1, func() { w.enrol.meanwhile = true }) }, denies, false},
	} {
		w.reset()
		announced(w)
		c.change(w)
		if got := w.frame(); got != c.want || (w.linkedPhone() != nil) != c.linked {
			t.Errorf("%s: %#x, linked %v, recorded %q", name, got, w.linkedPhone() != nil, w.reasons())
		}
	}
}

// resetAlice is the account phase of alice, who was reset and has a state.
func resetAlice(w *world) {
	announced(w)
	reset(w)
	w.hello.User, w.hello.Name, w.hello.UID = "alice", "alice", aliceUID
	w.enrol.open["alice"] = enrolCode
}

// Who was reset enrols like somebody new, though he be optional; but what was reset again meanwhile is not in force.
func TestWhoWasResetEnrols(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func()
		want   wire.Type
		text   policy.Message
	}{
		"in quiet":             {func() {}, allows, ""}, // the session tells it
		"reset again":          {func() { w.onCall("Append", 1, func() { w.enrol.meanwhile = true }) }, denies, policy.MsgEnrollMeanwhile},
		"enrolled meanwhile":   {func() { w.record = newRecord("alice", 6) }, denies, policy.MsgEnrollMeanwhile},
		"it cannot be written": {func() { w.fault.call = "Finish" }, denies, policy.MsgEnrollFailed},
		"it is linked, and its success cannot be left": {func() { w.fault.call = "Update" }, denies, policy.MsgEnrollAgain},
		"it is linked, and that cannot be recorded":    {func() { w.fault = fault{call: "Append", number: 2} }, denies, policy.MsgEnrollAgain},
	} {
		w.reset()
		resetAlice(w)
		c.change()
		told := []string{"\n" + w.policy.Text(c.text, "USER", "alice", "HOST", "web1")}
		if c.text == "" {
			told = nil
		}
		if got := w.frame(); got != c.want || !slices.Equal(w.infos, told) {
			t.Errorf("%s: %#x, told %q, recorded %q", name, got, w.infos, w.reasons())
		}
	}
}

// Nobody waits for ever: before each question it is looked at the time.
func TestAnEnrolmentEndsInTime(t *testing.T) {
	w := newWorld(t)
	for questions := range w.goodScript() {
		w.reset()
		announced(w)
		h := w.host()
		h.End = w.now.Add(time.Minute)
		w.onCall("Prompt", questions, func() { w.now = w.now.Add(time.Minute) })
		want := denies
		if questions == 0 {
			want = allows // it never comes
		}
		if got := h.Run(w).Frame(); got != want || want == denies && !slices.Contains(w.texts, "\n"+w.policy.Text(policy.MsgEnrollLate)) {
			t.Errorf("after question %d: %#x, saw %q", questions, got, w.texts)
		}
	}
}

// A panic ends the run without a verdict, and nothing of the enrolment is in force.
func TestAPanicInTheAccountPhaseLinksNothing(t *testing.T) {
	w := newWorld(t)
	for _, call := range []string{"TakeAnnouncement", "CheckCode", "Begin", "Finish", "Prompt", "Append"} {
		w.reset()
		announced(w)
		w.fault = fault{call: call, number: 1, panics: true}
		if v := w.run(); v != nil || w.linkedPhone() != nil {
			t.Errorf("%s: %v, linked %v", call, v, w.linkedPhone() != nil)
		}
		if st, err := w.states.Read("bob"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: there is a state: %v, %v", call, st, err)
		}
	}
}

package pamhook

import (
	"slices"
	"strings"
	"testing"

	"twokey/device"
	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/secrets"
	"twokey/state"
)

const choice = "Code, or 'push', 'sms': "

func TestTheQuestionOffersWhatTheHostSends(t *testing.T) {
	w := newWorld(t)
	for why, c := range map[string]struct {
		prepare func(*world)
		want    string
	}{
		"behind a password":                  {func(*world) {}, choice},
		"on a decoy line":                    {func(w *world) { w.hello.Flags = wire.FlagDecoy }, choice},
		"without a word about the password":  {func(w *world) { w.hello.Flags = 0 }, "Verification code: "},
		"in a program of the user's own":     {func(w *world) { w.own = true }, "Verification code: "},
		"in one of his own, on a decoy line": {func(w *world) { w.own, w.hello.Flags = true, wire.FlagDecoy }, "Verification code: "},
		"no provider":                        {func(w *world) { w.policy.SMS, w.policy.Push = nil, nil }, "Verification code: "},
		"push alone":                         {func(w *world) { w.policy.SMS = nil }, "Code, or 'push': "},
		"texts first":                        {func(w *world) { w.policy.Methods = []string{"sms", "totp", "push"} }, "Code, or 'sms', 'push': "},
		"with Duo":                           {func(w *world) { w.policy.Push.Provider = policy.ProviderDuo }, "Code, or 'push', 'phone', 'sms': "},
		"an unknown user":                    {unknown, choice},
		"who is not enrolled and required":   {notEnrolled(policy.Required), choice},
		"who has an app alone":               {func(w *world) { w.record = newRecord("alice", 9) }, choice},
	} {
		w.reset()
		reachable(w)
		c.prepare(w)
		w.answer = []byte(w.wrongCode())
		if got := w.frame(); got != denies || !slices.Equal(w.prompts, []string{c.want}) {
			t.Errorf("%s: %#x, asked %q", why, got, w.prompts)
		}
	}
}

// Who does not have the method, or cannot get in, is refused as for a wrong code: in the same words, by the same work.
//
// Attack: type "push" behind a stolen password, and learn who has it.
func TestAWordOfAMethodThatOneDoesNotHaveIsAWrongAnswer(t *testing.T) {
	w := newWorld(t)
	for why, c := range map[string]struct {
		prepare func(*world)
		word    string
	}{
		"no phone at all":             {func(w *world) { w.record = newRecord("alice", 9) }, "push"},
		"a text, and an app and push": {without(device.SMS), "sms"},
		"narrowed by a rule":          {func(w *world) { w.narrow("totp", "recovery") }, "push"},
		"a word that is not offered":  {func(*world) {}, "phone"},
		"a word that nobody has":      {func(*world) {}, "telegram"},
		"expired":                     {func(w *world) { w.record.Devices[2].Until = w.now }, "push"},
		"a decoy line":                {func(w *world) { w.hello.Flags = wire.FlagDecoy }, "push"},
		"an unknown user":             {unknown, "sms"},
		"not enrolled":                {notEnrolled(policy.Required), "sms"},
		"denied":                      {func(w *world) { w.policy.Default = policy.Deny }, "push"},
		"no password before":          {func(w *world) { w.hello.Flags = 0 }, "push"},
		"a program of one's own":      {func(w *world) { w.own = true }, "push"},
		"a word in another case":      {notEnrolled(policy.Required), " PUSH "},
	} {
		calls := map[string][]string{}
		for _, answer := range []string{c.word, "correct horse"} {
			w.reset()
			reachable(w)
			c.prepare(w)
			w.types(answer, w.code(0)) // the second is to no question
			if got := w.frame(); got != denies || len(w.phone.questions)+len(w.phone.texts) > 0 || len(w.prompts) != 1 {
				t.Errorf("%s, %q: %#x, asked %q, sent %v %v", why, answer, got, w.prompts, w.phone.questions, w.phone.texts)
			}
			if len(w.infos) != 1 || !strings.HasPrefix(w.infos[0], "Login failed.") {
				t.Errorf("%s, %q: told %q", why, answer, w.infos)
			}
			calls[answer] = w.calls
		}
		if !slices.Equal(calls[c.word], calls["correct horse"]) {
			t.Errorf("%s:\n%v, for rubbish\n%v", why, calls[c.word], calls["correct horse"])
		}
	}
}

func TestAWordInAnySpelling(t *testing.T) {
	w := newWorld(t)
	for _, word := range []string{"sms", "SMS", " Sms ", "'sms'", "\"sms\"", "sms\r"} {
		w.reset()
		reachable(w)
		w.types(word, theCode(w))
		if got := w.frame(); got != allows {
			t.Errorf("%q: %#x %q", word, got, w.reasons())
		}
	}
	for _, word := range []string{"s m s", "smss", "sms now", "sms\x00", "ｓｍｓ", "push sms"} {
		w.reset()
		reachable(w)
		w.types(word, theCode(w))
		if got := w.frame(); got != denies || len(w.phone.texts) > 0 {
			t.Errorf("%q: %#x, sent %v", word, got, w.phone.texts)
		}
	}
}

// Who has an app is asked, and whoever has nothing but his phone is not.
func TestWhoHasNothingButHisPhoneIsNotAskedFirst(t *testing.T) {
	w := newWorld(t)
	for why, c := range map[string]struct {
		prepare func(*world)
		first   string
	}{
		"push":               {onlyBy(device.Push), "Press "},
		"texts":              {onlyBy(device.SMS), "A code was sent to +44 ••• 456. Code (or 'push'): "},
		"both, push first":   {withoutApp, "Press "},
		"both, texts first":  {func(w *world) { withoutApp(w); w.policy.Methods = []string{"sms", "push"} }, "A code was sent to "},
		"an app that counts": {func(w *world) { reachable(w); w.learn() }, choice},
		"an app that does not count": {func(w *world) {
			reachable(w)
			w.learn()
			w.narrow("push", "sms")
		}, "Press "},
		"an app that has expired": {func(w *world) {
			reachable(w)
			w.record.Devices[0].Until = w.now
			w.learn()
		}, "Press "},
		"push, for which nothing is configured": {func(w *world) { onlyBy(device.Push)(w); w.policy.Push = nil }, "Code, or 'sms': "},
		"a decoy line":                          {func(w *world) { onlyBy(device.Push)(w); w.hello.Flags = wire.FlagDecoy }, choice},
		"without a password":                    {func(w *world) { onlyBy(device.Push)(w); w.hello.Flags = 0 }, "Verification code: "},
		"an app that the state does not know yet": {func(w *world) {
			onlyBy(device.Push)(w)
			w.record = newRecord("alice", w.record.Serial+1)
			w.record.Devices[0].ID = secrets.ID{7}
			w.record.Devices = append(w.record.Devices, outOfBand(3, device.Push))
		}, choice},
	} {
		w.reset()
		w.phone = &phone{w: w}
		c.prepare(w)
		w.types()
		if got := w.frame(); got != denies || len(w.prompts) != 1 || !strings.HasPrefix(w.prompts[0], c.first) {
			t.Errorf("%s: %#x, asked %q", why, got, w.prompts)
		}
	}
}

// Before the question the same is read for everybody.
func TestTheSameIsReadBeforeTheQuestion(t *testing.T) {
	w := newWorld(t)
	var like []string
	for _, prepare := range []func(*world){func(*world) {}, unknownBehindPassword, func(w *world) { w.hello.Flags = wire.FlagDecoy }, func(w *world) { w.policy.Default = policy.Deny }} {
		w.reset()
		reachable(w)
		prepare(w)
		w.types()
		w.frame()
		var before []string
		for _, call := range w.calls[:slices.Index(w.calls, "Prompt")] {
			if call == "Read" || call == "Messages" || call == "State" {
				before = append(before, call)
			}
		}
		if like == nil {
			like = before
		}
		if !slices.Equal(before, like) || !slices.Contains(before, "Messages") {
			t.Errorf("%v, want %v", before, like)
		}
	}
}

func TestAnEmptyAnswerTakesWhatWorkedLast(t *testing.T) {
	w := newWorld(t)
	const behind = wire.FlagAfterPassword
	for why, c := range map[string]struct {
		last, setting string
		sends         bool
		flags         wire.Flags
	}{
		"push":                   {device.Push, policy.DefaultLast, true, behind},
		"a text":                 {device.SMS, policy.DefaultLast, true, behind},
		"an app":                 {"totp", policy.DefaultLast, false, behind},
		"nothing yet":            {"", policy.DefaultLast, false, behind},
		"push, and no such rule": {device.Push, policy.DefaultNone, false, behind},
		"push, and no password":  {device.Push, policy.DefaultLast, false, 0},
		"push, on a decoy line":  {device.Push, policy.DefaultLast, false, wire.FlagDecoy},
	} {
		w.reset()
		reachable(w)
		w.learn()
		w.change(func(st *state.State) {
			for i, d := range st.Devices {
				if d.Method == c.last {
					st.Devices[i].Used = w.now.Add(-1)
				}
			}
		})
		w.policy.MethodsDefault, w.hello.Flags = c.setting, c.flags
		w.types("", "")
		w.frame()
		if sends := len(w.phone.texts)+len(w.phone.questions) > 0; sends != c.sends || sends && len(w.prompts) < 2 {
			t.Errorf("%s: sent %v, asked %q", why, sends, w.prompts)
		}
	}
}

// An empty answer to a later question is none: Enter behind "Code:" must not cost a text.
func TestAnEmptyAnswerToALaterQuestionTakesNothing(t *testing.T) {
	w := newWorld(t)
	reachable(w)
	w.learn()
	w.change(func(st *state.State) { st.Devices[1].Used = w.now.Add(-1) })
	w.policy.MethodsDefault = policy.DefaultLast
	w.types("", "", "", "")
	if got := w.frame(); got != denies || len(w.phone.texts) != 1 || len(w.prompts) != 2 {
		t.Errorf("%#x, sent %d, asked %q", got, len(w.phone.texts), w.prompts)
	}
}

func TestNobodyIsAskedForEver(t *testing.T) {
	w := newWorld(t)
	reachable(w)
	w.phone.err = errFault
	w.types(slices.Repeat([]any{"push"}, 100)...)
	if got := w.frame(); got != denies || len(w.prompts) > maxChoices+2 {
		t.Errorf("%#x, asked %d times", got, len(w.prompts))
	}
}

func withoutApp(w *world) {
	reachable(w)
	w.record.Devices = w.record.Devices[1:]
	w.learn()
}

func unknownBehindPassword(w *world) { unknown(w); w.hello.Flags = wire.FlagAfterPassword }

// narrow lets these methods alone count for alice.
func (w *world) narrow(methods ...string) {
	w.policy.Rules = []policy.Rule{{Name: "narrow", Users: []string{"alice"}, Then: policy.Required, Methods: methods}}
}

// without takes one device from alice.
func without(method string) func(*world) {
	return func(w *world) {
		w.record.Devices = slices.DeleteFunc(w.record.Devices, func(d secrets.Device) bool { return d.Method == method })
	}
}

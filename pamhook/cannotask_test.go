package pamhook

import (
	"slices"
	"testing"

	"twokey/pamhook/wire"
	"twokey/policy"
)

// What is told of an enrolment that comes to nothing, by where it breaks off. sshd's "password" method fails at the first question; at a
// terminal somebody has ended the conversation there.
func TestWhoCannotBeAskedHearsWhatToDoInstead(t *testing.T) {
	w := newWorld(t)
	code := codeOf(t, newRecord("bob", 1).Devices[0], w.now, 0)
	at := func(service string) func(*world) {
		return func(w *world) { w.hello.Service, w.enrol.announced[0].Service = service, service }
	}
	for name, c := range map[string]struct {
		change func(*world)
		typed  []any
		told   policy.Message // "": nothing
		reason error
	}{
		"sshd, no answer to the first question": {at("sshd"), []any{wire.ConversationFailed}, policy.MsgEnrollCannotAsk, errCannotAsk},
		"the same, at_login: yes":               {withoutCode, []any{wire.ConversationFailed}, policy.MsgEnrollCannotAsk, errCannotAsk},
		"a program that the host has named": {then(at("kiosk"), func(w *world) { w.policy.EnrollOn = map[string]bool{"kiosk": true} }),
			[]any{wire.ConversationFailed}, policy.MsgEnrollCannotAsk, errCannotAsk},
		"su, no answer to the first question": {at("su"), []any{wire.ConversationFailed}, policy.MsgEnrollStopped, errNoAnswer},
		"sshd, no answer to a later question": {at("sshd"), []any{enrolCode, wire.ConversationFailed}, policy.MsgEnrollStopped, errNoAnswer},
		"the client gone":                     {at("sshd"), []any{wire.ClientGone}, "", errGone},
		"the time over at the first question": {at("sshd"), []any{wire.ErrLate}, policy.MsgEnrollLate, errTime},
		"the time over at a later question":   {at("sudo"), []any{enrolCode, "2", wire.ErrLate}, policy.MsgEnrollLate, errTime},
		"the time over at the picture":        {at("login"), []any{enrolCode, "2", "", wire.ErrLate}, policy.MsgEnrollLate, errTime},
		"the time over at the recovery codes": {at("su"), []any{enrolCode, "2", "", code, wire.ErrLate}, policy.MsgEnrollLate, errTime},
		"the password three times":            {at("su"), slices.Repeat([]any{wire.AnswerIsPassword}, 3), policy.MsgEnrollStopped, errTries},
		"the password in the menu":            {at("su"), []any{enrolCode, wire.AnswerIsPassword}, policy.MsgEnrollStopped, errIsPassword},
	} {
		w.reset()
		announced(w)
		w.script = nil
		c.change(w)
		w.types(c.typed...)
		want := []string{"\n" + w.policy.Text(c.told)}
		if c.told == "" {
			want = nil
		}
		if got := w.frame(); got != denies || w.linkedPhone() != nil || !slices.Equal(w.infos, want) {
			t.Errorf("%s: %#x, linked %v, told %q, want %q", name, got, w.linkedPhone() != nil, w.infos, want)
		}
		if got := w.reasons(); !slices.ContainsFunc(got, func(r string) bool {
			return len(r) >= len(c.reason.Error()) && r[:len(c.reason.Error())] == c.reason.Error()
		}) {
			t.Errorf("%s: recorded %q", name, got)
		}
	}
}

// Who types his password once more, where the enrolment code is wanted, is told that it is not the code.
func TestThePasswordIsAWrongEnrolmentCode(t *testing.T) {
	w := newWorld(t)
	announced(w)
	rest := w.afterCode()
	w.script = nil
	w.types(wire.AnswerIsPassword, enrolCode, rest[0], rest[1], rest[2], rest[3])
	if got := w.frame(); got != allows || !slices.ContainsFunc(w.prompts, func(p string) bool {
		return p == "\n"+w.policy.Text(policy.MsgEnrollCodeWrong)+"\n"+w.policy.Text(policy.MsgEnrollCodePrompt)
	}) {
		t.Errorf("%#x, asked %q", got, w.prompts)
	}
}

// A service that wants an earlier success, or is not known, says to who has given the right password where he gets a device. Nobody else hears it.
func TestAServiceThatCannotShowSaysWhereToEnrol(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func(*world)
		text   policy.Message
	}{
		"earlier":                             {asking(policy.Earlier), policy.MsgEnrollElsewhere},
		"earlier, at_login: yes":              {then(asking(policy.Earlier), withoutCode), policy.MsgEnrollElsewhere},
		"earlier, no code is open":            {then(asking(policy.Earlier), func(w *world) { w.enrol.open = nil }), policy.MsgRefused},
		"earlier, the password not sure":      {then(asking(policy.Earlier), func(w *world) { w.hello.Flags = 0 }), policy.MsgRefused},
		"earlier, a wrong password":           {then(asking(policy.Earlier), func(w *world) { w.hello.Flags = wire.FlagDecoy }), policy.MsgRefused},
		"earlier, an unknown user":            {then(asking(policy.Earlier), unknown), policy.MsgRefused},
		"earlier, who has a device":           {then(asking(policy.Earlier), func(w *world) { w.hello.User, w.hello.Name, w.hello.UID = "alice", "alice", aliceUID }), policy.MsgRefused},
		"earlier, observed":                   {then(asking(policy.Earlier), func(w *world) { w.policy.Observe = true }), ""},
		"one that is closed to all with more": {asking(policy.Never), policy.MsgRefused},
	} {
		w.reset()
		mustEnrol(w)
		c.change(w)
		want := []string{w.policy.Text(c.text)}
		if c.text == "" {
			want = nil
		}
		if got := w.frame(); got == allows || !slices.Equal(w.infos, want) || len(w.prompts) > 0 {
			t.Errorf("%s: %#x, asked %q, told %q, want %q", name, got, w.prompts, w.infos, want)
		}
	}
}

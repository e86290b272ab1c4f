package logintest

import (
	"strings"
	"testing"

	"twokey/enroll"
	"twokey/factor"
	"twokey/pamhook/logintest/scratch"
	"twokey/pamhook/wire"
)

// oneField are the settings of a service into which password and code are typed together.
const oneField = "services: {vsftpd: {ask: appended}}\n"

const passwordAndCode = "Password and code: "

func TestAPasswordAndACodeInOneField(t *testing.T) {
	right := func(t *testing.T, phone *enroll.Draft) string { return scratch.Code(t, phone, 0) }
	plain := func(text string) func(*testing.T, *enroll.Draft) string {
		return func(*testing.T, *enroll.Draft) string { return text }
	}
	behind := func(password string, code func(*testing.T, *enroll.Draft) string) func(*testing.T, *enroll.Draft) string {
		return func(t *testing.T, phone *enroll.Draft) string { return password + code(t, phone) }
	}
	wrong := func(t *testing.T, phone *enroll.Draft) string { return scratch.Wrong(t, phone) }
	undivided := "no code behind the password"
	for name, c := range map[string]struct {
		settings string
		change   func(*wire.Hello)
		prepare  func(*testing.T, *host, *enroll.Draft)
		typed    func(*testing.T, *enroll.Draft) string
		verdict  wire.Type
		cut      int
		reason   string
	}{
		"a right code behind a password":         {typed: behind("hunter2", right), verdict: allow, cut: 6, reason: "right code"},
		"behind a password that ends in a digit": {typed: behind("hunter22", right), verdict: allow, cut: 6, reason: "right code"},
		"behind a password of one letter":        {typed: behind("x", right), verdict: allow, cut: 6, reason: "right code"},
		"behind a password that is not UTF-8":    {typed: behind("\xff\xfe", right), verdict: allow, cut: 6, reason: "right code"},
		"a recovery code behind a password":      {typed: func(_ *testing.T, p *enroll.Draft) string { return "hunter2" + p.RecoveryCodes[0] }, verdict: allow, cut: 14, reason: "1 left"},
		"a recovery code in capitals":            {typed: func(_ *testing.T, p *enroll.Draft) string { return "hunter2" + strings.ToUpper(p.RecoveryCodes[1]) }, verdict: allow, cut: 14, reason: "1 left"},
		"a wrong code":                           {typed: behind("hunter2", wrong), verdict: deny, reason: "wrong code"},
		"a wrong recovery code":                  {typed: plain("hunter2zzzz-zzzz-zzzz"), verdict: deny, reason: "wrong code"},
		"a code that was used":                   {prepare: usedUp, typed: func(t *testing.T, p *enroll.Draft) string { return "hunter2" + scratch.Code(t, p, -1) }, verdict: deny, reason: "used before"},
		"a password alone":                       {typed: plain("hunter2"), verdict: deny, reason: undivided},
		"a code alone":                           {typed: right, verdict: deny, reason: undivided},
		"nothing":                                {typed: plain(""), verdict: deny, reason: undivided},
		"the code before the password":           {typed: func(t *testing.T, p *enroll.Draft) string { return scratch.Code(t, p, 0) + "hunter2" }, verdict: deny, reason: undivided},
		"the code with a space in it": {typed: func(t *testing.T, p *enroll.Draft) string {
			c := scratch.Code(t, p, 0)
			return "hunter2" + c[:3] + " " + c[3:]
		}, verdict: deny, reason: undivided},
		"two codes in a row":                            {typed: func(t *testing.T, p *enroll.Draft) string { return "x" + scratch.Code(t, p, 0) + scratch.Code(t, p, 1) }, verdict: allow, cut: 6, reason: "right code"},
		"a code that fits in two ways":                  {prepare: alsoEightDigits, typed: behind("hunter22", right), verdict: deny, reason: undivided},
		"one that fits in one, where two lengths count": {prepare: alsoEightDigits, typed: behind("hunter", right), verdict: allow, cut: 6, reason: "right code"},
		"two lengths, of which one does not count here": {settings: "methods: [totp, recovery]\n", prepare: alsoEightDigits, typed: behind("hunter22", right), verdict: allow, cut: 6, reason: "right code"},
		"a method that does not count here":             {settings: "methods: [hotp, recovery]\n", typed: behind("hunter2", right), verdict: deny, reason: undivided},
		"a recovery code where they do not count":       {settings: "methods: [totp]\n", typed: func(_ *testing.T, p *enroll.Draft) string { return "hunter2" + p.RecoveryCodes[0] }, verdict: deny, reason: "method"},
		"exempt":                          {settings: "exempt: [{users: [alice]}]\n", typed: plain("hunter2"), verdict: ignore},
		"switched off":                    {settings: "enabled: false\n", typed: plain("hunter2"), verdict: ignore},
		"switched off until tomorrow":     {settings: offFor(oneDay), typed: plain("hunter2"), verdict: ignore},
		"not enrolled and optional":       {change: named("bob", uid+1), typed: plain("hunter2"), verdict: ignore},
		"not enrolled and required":       {settings: "require: [{users: [bob]}]\n", change: named("bob", uid+1), typed: behind("hunter2", wrong), verdict: deny, reason: "no device is enrolled"},
		"unknown":                         {change: unknown, typed: behind("hunter2", wrong), verdict: deny, reason: "unknown"},
		"denied":                          {settings: "default: deny\n", typed: behind("hunter2", right), verdict: deny, reason: "deny"},
		"throttled":                       {prepare: exhausted, typed: behind("hunter2", right), verdict: deny, reason: "throttled"},
		"throttled, with a recovery code": {prepare: exhausted, typed: func(_ *testing.T, p *enroll.Draft) string { return "hunter2" + p.RecoveryCodes[0] }, verdict: allow, cut: 14, reason: "1 left"},
		"observed, a password alone":      {settings: "observe: true\n", typed: plain("hunter2"), verdict: ignore, reason: "would have denied: " + undivided},
		"observed, a right code":          {settings: "observe: true\n", typed: behind("hunter2", right), verdict: allow, cut: 6, reason: "right code"},
		"a module of version 1":           {change: func(h *wire.Hello) { h.Version = wire.OldVersion }, typed: behind("hunter2", right), verdict: deny, reason: "restart it"},
		"a module of version 1, not enrolled and optional": {change: func(h *wire.Hello) { named("bob", uid+1)(h); h.Version = wire.OldVersion }, typed: plain("hunter2"), verdict: ignore},
		"a decoy line": {change: decoy, typed: behind("hunter2", right), verdict: deny, reason: "no right password"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, oneField+c.settings)
			r := scratch.Request()
			r.Recovery = 2
			phone := h.Enrol("alice", uid, r)
			if c.prepare != nil {
				c.prepare(t, h, phone)
			}
			hello := h.login("alice", uid)
			hello.Service = "vsftpd"
			if c.change != nil {
				c.change(hello)
			}
			out := h.run(hello, talk{field: c.typed(t, phone)})
			if out.verdict != c.verdict || out.cut != c.cut || len(out.prompts)+len(out.infos) > 0 || out.exit != 0 {
				t.Errorf("%+v, want verdict %#x with %d cut; recorded %q", out, c.verdict, c.cut, h.reasons())
			}
			asks := hello.Version != wire.OldVersion
			if asks && (len(out.fields) != 1 || out.fields[0] != passwordAndCode) || !asks && len(out.fields) > 0 {
				t.Errorf("the field was asked for with %q", out.fields)
			}
			if c.reason != "" && !strings.Contains(h.reason(), c.reason) || c.reason == "" && c.prepare == nil && h.reasons() != "" && strings.Contains(h.reasons(), "hunter") {
				t.Errorf("recorded %q, want something with %q", h.reasons(), c.reason)
			}
			h.Verified()
		})
	}
}

// alsoEightDigits gives alice a second device, whose codes have eight digits.
func alsoEightDigits(t *testing.T, h *host, _ *enroll.Draft) {
	record, err := h.Users.Secrets.Load("alice")
	must(t, err)
	r := counted()
	r.Device, r.Params.Digits = "token", 8
	token, err := h.Users.Draft(enroll.Account{Name: "alice", UID: uid}, r)
	must(t, err)
	record.Devices = append(record.Devices, token.Device)
	record.Serial++
	must(t, h.Users.Secrets.Save(record))
}

// Whatever the password, its last digits are not charged for as a code where a code of another length is.
func TestACodeInOneFieldIsTakenOnce(t *testing.T) {
	h := newHost(t, oneField)
	token := h.Enrol("alice", uid, counted())
	hello := func() *wire.Hello {
		l := h.login("alice", uid)
		l.Service = "vsftpd"
		return l
	}
	for i, want := range []wire.Type{allow, deny, deny} {
		if out := h.run(hello(), talk{field: "hunter2" + scratch.Code(t, token, 0)}); out.verdict != want {
			t.Errorf("try %d: %+v, recorded %q", i, out, h.reasons())
		}
	}
	if factor.Method(token.Device.Method) != factor.HOTP {
		t.Fatal("the device is not one with a counter: the test may have shown nothing")
	}
	if out := h.run(hello(), talk{field: "hunter2" + scratch.Code(t, token, 1)}); out.verdict != allow {
		t.Errorf("the next code: %+v, recorded %q", out, h.reasons())
	}
}

// Attack: with a code that one has seen, or a device of one's own choice, but a wrong password, make one's address known to the throttle
// and to services that ask nothing, or get back what was spent with guesses.
func TestARightCodeBeforeThePasswordMakesNoSourceKnown(t *testing.T) {
	for name, c := range map[string]struct {
		service   string
		throttled bool // after ten wrong codes and a right one of the same connection, the next source
	}{"in one field": {"vsftpd", true}, "to a question": {"sshd", false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, "remember: 1h\nservices: {vsftpd: {ask: appended}, cockpit: {ask: earlier}}\n")
			r := scratch.Request()
			r.Recovery = 2
			phone := h.Enrol("alice", uid, r)
			try := func(answer, rhost string) wire.Type {
				l := h.login("alice", uid)
				l.Service, l.RHost, l.Client = c.service, rhost, rhost+":50022"
				return h.run(l, talk{answers: []any{answer}, field: "x" + answer}).verdict
			}
			for range 9 {
				try(scratch.Wrong(t, phone), "192.0.2.7")
			}
			if got := try(scratch.Code(t, phone, -1), "192.0.2.7"); got != allow {
				t.Fatalf("the right code: %#x, recorded %q", got, h.reasons())
			}
			st, err := h.Users.State.Read("alice")
			must(t, err)
			if sources, kept := st.Kept(); (sources == 0) != c.throttled || (kept == 0) != c.throttled {
				t.Errorf("%d sources are known and %d logins kept", sources, kept)
			}
			try(scratch.Wrong(t, phone), "198.51.100.9")
			if got := try(scratch.Code(t, phone, 0), "198.51.100.9"); (got == deny) != c.throttled {
				t.Errorf("from elsewhere: %#x, recorded %q", got, h.reasons())
			}
		})
	}
}

// What was typed holds a password: it is nowhere in the log, whatever becomes of it.
func TestThePasswordInOneFieldIsNotRecorded(t *testing.T) {
	h := newHost(t, oneField)
	h.Enrol("alice", uid, scratch.Request())
	for _, typed := range []string{"correct horse", "correct horse 123456", "correct horse zzzz-zzzz-zzzz"} {
		hello := h.login("alice", uid)
		hello.Service = "vsftpd"
		h.run(hello, talk{field: typed})
	}
	if reasons := h.reasons(); strings.Contains(reasons, "correct") || strings.Contains(reasons, "123456") {
		t.Errorf("recorded %q", reasons)
	}
}

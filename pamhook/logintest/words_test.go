package logintest

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"twokey/enroll"
	"twokey/pamhook/logintest/scratch"
	"twokey/pamhook/wire"
)

const refusedWords = "Login failed. Please check your login details and try again. Otherwise contact your administrator."

// A code that was used is said to be used to whoever has used it; to somebody who has found it out it would say that it was right.
func TestWhoIsToldThatACodeWasUsed(t *testing.T) {
	from := func(address string) func(*wire.Hello) { return func(h *wire.Hello) { h.RHost = address } }
	unused := `^This code has already been used\. The next one comes in (\d+ seconds|1 second)\.$`
	refused := "^" + regexp.QuoteMeta(refusedWords) + "$"
	for name, c := range map[string]struct {
		settings string
		request  enroll.Request
		change   func(*wire.Hello)
		prepare  func(*testing.T, *host, *enroll.Draft)
		words    string
	}{
		"the same source":            {request: scratch.Request(), words: unused},
		"the same source, in German": {settings: "language: de", request: scratch.Request(), words: `^Dieser Code wurde bereits verwendet\. Der nächste kommt in (\d+ Sekunden|1 Sekunde)\.$`},
		"a device with a counter":    {request: counted(), words: `^This code has already been used\. Please take the next one\.$`},
		"words of the host's own":    {settings: `messages: {replayed: "Used. %SECONDS% s.", replayed_one: "Used. 1 s."}`, request: scratch.Request(), words: `^Used\. \d+ s\.$`},
		"another source":             {request: scratch.Request(), change: from("198.51.100.9"), words: refused},
		"the same source, throttled": {request: scratch.Request(), prepare: func(t *testing.T, h *host, p *enroll.Draft) {
			succeeded("192.0.2.7", 100*24*time.Hour)(t, h, p)
			exhausted(t, h, p)
		}, words: refused},
		"a wrong password":           {request: scratch.Request(), change: decoy, words: refused},
		"under another user id":      {request: scratch.Request(), change: func(h *wire.Hello) { h.UID = 77 }, words: refused},
		"the same source, as nobody": {request: scratch.Request(), change: unknown, words: refused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, c.settings)
			phone := h.Enrol("alice", uid, c.request)
			code := scratch.Code(t, phone, 0)
			if !h.answer(h.login("alice", uid), code) {
				t.Fatal("refused")
			}
			if c.prepare != nil {
				c.prepare(t, h, phone)
			}
			hello := h.login("alice", uid)
			if c.change != nil {
				c.change(hello)
			}
			out := h.run(hello, talk{answers: []any{code}})
			if out.verdict != deny || len(out.infos) != 1 || !regexp.MustCompile(c.words).MatchString(out.infos[0]) {
				t.Errorf("%+v, recorded %q", out, h.reasons())
			}
		})
	}
}

// The clock of a phone that is wrong is named in the log, in seconds, and nowhere else: at the prompt it would help to guess.
func TestByHowMuchAClockIsWrongIsInTheLogAlone(t *testing.T) {
	off := regexp.MustCompile(`: it would have been right (in (\d+) s|(\d+) s ago)$`)
	at := func(steps int64) func(*testing.T, *enroll.Draft) string {
		return func(t *testing.T, p *enroll.Draft) string { return scratch.Code(t, p, steps) }
	}
	throttled := func(t *testing.T, h *host, p *enroll.Draft) { exhausted(t, h, p) }
	for name, c := range map[string]struct {
		settings string
		change   func(*wire.Hello)
		prepare  func(*testing.T, *host, *enroll.Draft)
		typed    func(*testing.T, *enroll.Draft) string
		seconds  int64 // about; 0: it is not said
	}{
		"three steps ahead":         {typed: at(3), seconds: 90},
		"three steps behind":        {typed: at(-3), seconds: -90},
		"a wrong time zone":         {typed: at(120), seconds: 3600},
		"twelve hours behind":       {typed: at(-1439), seconds: -43170},
		"more than twelve hours":    {typed: at(1442)},
		"throttled":                 {prepare: throttled, typed: at(3)},
		"unknown":                   {change: unknown, typed: at(3)},
		"a decoy line":              {change: decoy, typed: at(3)},
		"denied":                    {settings: "default: deny", typed: at(3)},
		"another user id":           {change: func(h *wire.Hello) { h.UID = 77 }, typed: at(3)},
		"a code that counts, twice": {prepare: usedUp, typed: at(-1)},
		"one of two codes in a row": {typed: func(t *testing.T, p *enroll.Draft) string { return scratch.Code(t, p, 9) + scratch.Wrong(t, p) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, c.settings)
			phone := h.Enrol("alice", uid, scratch.Request())
			if c.prepare != nil {
				c.prepare(t, h, phone)
			}
			hello := h.login("alice", uid)
			if c.change != nil {
				c.change(hello)
			}
			out := h.run(hello, talk{answers: []any{c.typed(t, phone)}})
			told := strings.Join(out.infos, "")
			if out.verdict != deny || told != refusedWords && c.prepare == nil || strings.ContainsAny(told, "0123456789") && c.prepare == nil {
				t.Errorf("%+v", out)
			}
			var sign string
			found := off.FindStringSubmatch(h.reason())
			if (found != nil) != (c.seconds != 0) {
				t.Fatalf("recorded %q", h.reason())
			}
			if found == nil {
				return
			}
			var seconds int64
			if _, err := fmt.Sscan(found[2]+found[3], &seconds); err != nil {
				t.Fatal(err)
			}
			if found[3] != "" {
				seconds, sign = -seconds, "-"
			}
			if seconds < c.seconds-31 || seconds > c.seconds+31 {
				t.Errorf("recorded %q, want about %d (%s)", h.reason(), c.seconds, sign)
			}
		})
	}
}

func TestTheWordsAreTheHostsOwn(t *testing.T) {
	for name, c := range map[string]struct{ settings, prompt, refused string }{
		"as they are shipped": {"", "Verification code: ", refusedWords},
		"with a contact": {"contact: the IT desk, +44 20 7946 0958", "Verification code: ",
			"Login failed. Please check your login details and try again. Otherwise contact the IT desk, +44 20 7946 0958."},
		"in German": {"language: de", "Bestätigungscode: ", "Die Anmeldung ist fehlgeschlagen. Bitte prüfen Sie Ihre Anmeldedaten und " +
			"versuchen Sie es erneut. Wenden Sie sich sonst an Ihren Administrator."},
		"of the host's own": {`messages: {prompt: "Code? ", refused: "No. Ask %CONTACT%."}`, "Code? ", "No. Ask your administrator."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, "default: required\n"+c.settings)
			phone := h.Enrol("alice", uid, scratch.Request())
			for who, change := range map[string]func(*wire.Hello){
				"enrolled": func(*wire.Hello) {}, "not enrolled": named("bob", uid+1), "unknown": unknown, "a decoy line": decoy, "nameless": nameless,
			} {
				hello := h.login("alice", uid)
				change(hello)
				out := h.run(hello, talk{answers: []any{scratch.Wrong(t, phone)}})
				if fmt.Sprint(out.prompts, out.infos) != fmt.Sprint([]string{c.prompt}, []string{c.refused}) {
					t.Errorf("%s: asked %q and told %q", who, out.prompts, out.infos)
				}
			}
		})
	}
}

package logintest

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/enroll"
	"twokey/pamhook/logintest/scratch"
	"twokey/pamhook/wire"
)

// refused is somebody who is not let in, whatever he answers.
type refused struct {
	hello   func(*wire.Hello)
	prepare func(t *testing.T, h *host, phone *enroll.Draft)
	answer  func(t *testing.T, phone *enroll.Draft) any
	looks   bool // at the state before the question, in vain
}

func typed(answer any) func(*testing.T, *enroll.Draft) any {
	return func(*testing.T, *enroll.Draft) any { return answer }
}

func aWrongCode(t *testing.T, phone *enroll.Draft) any { return scratch.Wrong(t, phone) }

func named(user string, uid uint32) func(*wire.Hello) {
	return func(h *wire.Hello) { h.User, h.Name, h.UID = user, user, uid }
}

// everybodyRefused are the people between whom a stranger must not be able to tell.
func everybodyRefused() map[string]refused {
	both := func(a, b func(*wire.Hello)) func(*wire.Hello) { return func(h *wire.Hello) { a(h); b(h) } }
	same := func(*wire.Hello) {}
	nothing := func(*testing.T, *host, *enroll.Draft) {}
	return map[string]refused{
		"a wrong code":                        {same, nothing, aWrongCode, false},
		"an unknown user":                     {unknown, nothing, aWrongCode, false},
		"a name service that is down":         {nameless, nothing, aWrongCode, false},
		"not enrolled and required":           {named("bob", uid+1), nothing, aWrongCode, true},
		"a decoy line":                        {decoy, nothing, aWrongCode, false},
		"a decoy line and the right code":     {decoy, nothing, func(t *testing.T, p *enroll.Draft) any { return scratch.Code(t, p, 0) }, false},
		"a decoy line and an unknown user":    {both(unknown, decoy), nothing, aWrongCode, false},
		"a decoy line and nobody enrolled":    {both(named("bob", uid+1), decoy), nothing, aWrongCode, true},
		"throttled":                           {same, exhausted, aWrongCode, false},
		"throttled, with the right code":      {same, exhausted, func(t *testing.T, p *enroll.Draft) any { return scratch.Code(t, p, 0) }, false},
		"a code that was used":                {same, usedUp, func(t *testing.T, p *enroll.Draft) any { return scratch.Code(t, p, -1) }, false},
		"a wrong pair":                        {same, nothing, typed("000000 000000"), false},
		"a wrong recovery code":               {same, nothing, typed("zzzz-zzzz-zzzz"), false},
		"an empty answer":                     {same, nothing, typed(""), false},
		"rubbish":                             {same, nothing, typed("correct horse battery"), false},
		"the password for an answer":          {same, nothing, typed(wire.AnswerIsPassword), false},
		"no answer":                           {same, nothing, typed(wire.ConversationFailed), false},
		"an unknown user, and no answer":      {unknown, nothing, typed(wire.ConversationFailed), false},
		"an unknown user, and a recovery one": {unknown, nothing, typed("zzzz-zzzz-zzzz"), false},
		"reset":                               {same, reset, aWrongCode, true},
		"denied":                              {same, func(_ *testing.T, h *host, _ *enroll.Draft) { h.Configure("default: deny") }, aWrongCode, false},
	}
}

// exhausted takes all attempts from the strangers.
func exhausted(t *testing.T, h *host, _ *enroll.Draft) {
	for range 12 {
		if h.answer(h.login("alice", uid), "000000") {
			t.Fatal("let in")
		}
	}
}

// bypassOf gives one user a bypass code.
func bypassOf(user string, id uint32) func(*testing.T, *host, *enroll.Draft) {
	return func(t *testing.T, h *host, _ *enroll.Draft) {
		if user != "alice" {
			h.Enrol(user, id, scratch.Request())
		}
		_, _, err := h.Users.NewBypass(user, enroll.Bypass{Until: time.Now().Add(time.Hour), Uses: 1, Reason: "a test", Requester: "carol", By: "root"})
		must(t, err)
	}
}

// usedUp uses the code of the present step up, and with it that of the one before, which may be the same when it is typed.
func usedUp(t *testing.T, h *host, phone *enroll.Draft) {
	if !h.answer(h.login("alice", uid), scratch.Code(t, phone, 0)) {
		t.Fatalf("refused: %s", h.reasons())
	}
}

// work is how often a kind of system call was made on a kind of file.
type work map[string]int

var traced = regexp.MustCompile(`(?m)^\d+ +(fdatasync|fsync|pwrite64|write|openat|renameat2?|fcntl)\(([^\n]*)`)

// calls counts what the trace says was done to the files of the host. Which user's file it was does not count.
func calls(trace, dir string) work {
	done := work{}
	kinds := []string{"data/users/", "data/state/", "data/uids/", "data/bypass/", "data/messages/", "data/texts", "data/enrolling/", "data/policy", "log/audit.head", "log/audit.jsonl", "host.key", "twokey.yaml"}
	for _, m := range traced.FindAllStringSubmatch(trace, -1) {
		call, args := m[1], m[2]
		if call == "fcntl" && !strings.Contains(args, "SETLK") {
			continue
		}
		// openat(5</dir/data/users>, "alice.age", …: the folder and the name make the path.
		args = strings.Replace(args, `>, "`, "/", 1)
		for _, kind := range kinds {
			if strings.Contains(args, filepath.Join(dir, kind)) && !strings.Contains(args, "O_DIRECTORY") {
				done[call+" "+kind]++
			}
		}
	}
	return done
}

// trace runs the login under strace(1).
func (h *host) trace(t *testing.T, hello *wire.Hello, answer any) (outcome, string) {
	t.Helper()
	record := filepath.Join(t.TempDir(), "trace")
	field := answer
	if text, isText := answer.(string); isText {
		field = "hunter" + text
	}
	out := h.run(hello, talk{answers: []any{answer}, field: field, limit: func(c *exec.Cmd) {
		strace, err := exec.LookPath("strace")
		must(t, err)
		c.Path, c.Args = strace, []string{"strace", "-f", "-y", "-s", "300", "-e", "trace=desc", "-o", record, helper}
	}})
	b, err := os.ReadFile(record)
	must(t, err)
	return out, string(b)
}

// worlds are the ways of a login, each with the people between whom it must not tell. The first of them, "like", is somebody whose code is
// wrong, or who has none.
func worlds() map[string]struct {
	settings string
	like     string
	people   map[string]refused
} {
	same := func(*wire.Hello) {}
	nothing := func(*testing.T, *host, *enroll.Draft) {}
	usual := map[string]refused{ // wherever a code is looked for
		"a wrong code":               {same, nothing, aWrongCode, false},
		"an unknown user":            {unknown, nothing, aWrongCode, false},
		"not enrolled and required":  {named("bob", uid+1), nothing, aWrongCode, true},
		"a decoy line":               {decoy, nothing, aWrongCode, false},
		"throttled":                  {same, exhausted, aWrongCode, false},
		"a password alone":           {same, nothing, typed("correct horse battery"), false},
		"unknown, a password alone":  {unknown, nothing, typed("correct horse battery"), false},
		"a code of another time":     {same, nothing, func(t *testing.T, p *enroll.Draft) any { return scratch.Code(t, p, 9) }, false},
		"unknown, of another time":   {unknown, nothing, func(t *testing.T, p *enroll.Draft) any { return scratch.Code(t, p, 9) }, false},
		"denied by a rule":           {named("carol", uid+7), nothing, aWrongCode, true},
		"a decoy line, nobody there": {func(h *wire.Hello) { unknown(h); decoy(h) }, nothing, aWrongCode, false},
	}
	return map[string]struct {
		settings string
		like     string
		people   map[string]refused
	}{
		"prompted":    {"default: required\n", "a wrong code", everybodyRefused()},
		"remembering": {"default: required\nremember: 1h\nrules: [{users: [carol], then: deny}]\n", "a wrong code", usual},
		"appended":    {"default: required\nservices: {sshd: {ask: appended}}\nrules: [{users: [carol], then: deny}]\n", "a wrong code", usual},
		"earlier": {"default: required\nservices: {sshd: {ask: earlier}}\n", "no code before", map[string]refused{
			"no code before":             {same, nothing, aWrongCode, false},
			"a code from elsewhere":      {same, succeeded("198.51.100.9", 0), aWrongCode, false},
			"an unknown user":            {unknown, nothing, aWrongCode, false},
			"not enrolled and required":  {named("bob", uid+1), nothing, aWrongCode, true},
			"a decoy line":               {decoy, nothing, aWrongCode, false},
			"a decoy line after a code":  {decoy, succeeded("192.0.2.7", 0), aWrongCode, false},
			"a source that is everybody": {func(h *wire.Hello) { h.RHost = "UNKNOWN" }, nothing, aWrongCode, false},
		}},
		"with bypass codes": {"default: required\n", "a wrong recovery code", map[string]refused{
			"a wrong recovery code":     {same, bypassOf("eve", uid+5), typed("zzzz-zzzz-zzzz"), false},
			"one who has a bypass code": {same, bypassOf("alice", uid), typed("zzzz-zzzz-zzzz"), false},
			"an unknown user":           {unknown, bypassOf("eve", uid+5), typed("zzzz-zzzz-zzzz"), false},
			"not enrolled and required": {named("bob", uid+1), bypassOf("eve", uid+5), typed("zzzz-zzzz-zzzz"), true},
			"a decoy line":              {decoy, bypassOf("alice", uid), typed("zzzz-zzzz-zzzz"), false},
		}},
		"with phones, a code": {"default: required\n" + somePhones, "a wrong code", map[string]refused{
			"a wrong code":           {same, phonesOf("alice", uid), aWrongCode, false},
			"no phone":               {same, phonesOf("eve", uid+5), aWrongCode, false},
			"a code on a decoy line": {decoy, phonesOf("alice", uid), aWrongCode, false},
			"unknown":                {unknown, phonesOf("eve", uid+5), aWrongCode, false},
		}},
		"with phones, a word": {"default: required\nrules: [{users: [carol], then: deny}]\n" + somePhones, "no phone", map[string]refused{
			"no phone":                  {same, phonesOf("eve", uid+5), typed("push"), false},
			"another word, no phone":    {same, phonesOf("eve", uid+5), typed("SMS"), false},
			"one that is not offered":   {same, phonesOf("alice", uid), typed("phone"), false},
			"on a decoy line":           {decoy, phonesOf("alice", uid), typed("push"), false},
			"unknown":                   {unknown, phonesOf("eve", uid+5), typed("push"), false},
			"not enrolled and required": {named("bob", uid+1), phonesOf("eve", uid+5), typed("sms"), true},
			"denied by a rule":          {named("carol", uid+7), phonesOf("eve", uid+5), typed("push"), true},
			"a recovery code":           {same, phonesOf("alice", uid), typed("zzzz-zzzz-zzzz"), false},
			"a recovery code, unknown":  {unknown, phonesOf("eve", uid+5), typed("zzzz-zzzz-zzzz"), false},
		}},
		"with Duo": {"default: required\n" + duoPhones, "a wrong code, no phone", map[string]refused{
			"a wrong code, no phone": {same, phonesOf("eve", uid+5), aWrongCode, false},
			"on a decoy line":        {decoy, phonesOf("alice", uid), aWrongCode, false},
			"unknown":                {unknown, phonesOf("eve", uid+5), aWrongCode, false},
			"a word on a decoy line": {decoy, phonesOf("alice", uid), typed("phone"), false},
		}},
		"closed": {"default: required\nservices: {sshd: {ask: never}}\n", "enrolled", map[string]refused{
			"enrolled":                  {same, nothing, aWrongCode, false},
			"an unknown user":           {unknown, nothing, aWrongCode, false},
			"not enrolled and required": {named("bob", uid+1), nothing, aWrongCode, true},
			"a decoy line":              {decoy, nothing, aWrongCode, false},
		}},
	}
}

// The same files are opened, written and synchronised for everybody, as often: how long a refusal takes must not tell who there is,
// who has a device, that the password was right or that the bucket is empty. Time itself is not measured; it is what is done.
func TestAsMuchIsDoneForEverybodyWhoIsRefused(t *testing.T) {
	t.Parallel()
	for name, w := range worlds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := workOf(t, w.settings, w.people)
			like := all[w.like]
			t.Logf("%v", like)
			for name, done := range all {
				if !maps.Equal(done, like) {
					t.Errorf("%s: %s", name, done.difference(like))
				}
			}
			expected := []string{"write log/audit.jsonl", "fdatasync log/audit.jsonl"}
			if name != "closed" {
				expected = append(expected, "openat data/users/", "openat host.key", "fcntl data/state/")
			}
			if name != "closed" && name != "earlier" {
				expected = append(expected, "pwrite64 data/state/", "fdatasync data/state/")
			}
			if strings.HasPrefix(name, "with phones") || name == "with Duo" {
				expected = append(expected, "openat data/messages/")
			}
			if name == "with bypass codes" {
				expected = append(expected, "openat data/bypass/")
			}
			for _, call := range expected {
				if like[call] == 0 {
					t.Errorf("no %s: this test has shown nothing: %v", call, like)
				}
			}
		})
	}
}

// workOf is what a login of each of the people does.
func workOf(t *testing.T, settings string, people map[string]refused) map[string]work {
	t.Helper()
	dir := t.TempDir()
	results := make(chan struct {
		name string
		work
	}, len(people))
	t.Run("logins", func(t *testing.T) {
		for name, r := range people {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				h := newHostIn(t, filepath.Join(dir, strings.ReplaceAll(name, " ", "-")), settings)
				results <- struct {
					name string
					work
				}{name, h.workOf(t, r)}
			})
		}
	})
	close(results)
	all := map[string]work{}
	for r := range results {
		all[r.name] = r.work
	}
	return all
}

// workOf is what the login of one who is refused does on the host.
func (h *host) workOf(t *testing.T, r refused) work {
	t.Helper()
	request := scratch.Request()
	request.Recovery = 10
	phone := h.Enrol("alice", uid, request)
	h.run(h.login("dave", uid+8), talk{}) // keeps the policy
	r.prepare(t, h, phone)
	h.run(h.login("dave", uid+8), talk{}) // also the new one
	hello := h.login("alice", uid)
	r.hello(hello)
	out, trace := h.trace(t, hello, r.answer(t, phone))
	if out.verdict != deny || len(out.prompts)+len(out.fields) > 1 || len(out.infos) != 1-len(out.fields) {
		t.Errorf("%+v", out)
	}
	done := calls(trace, h.Dir)
	if r.looks {
		delete(done, "openat data/uids/") // in microseconds, and before the question
		done["openat data/state/"]--
		if done["openat data/state/"] == 0 {
			delete(done, "openat data/state/")
		}
	}
	return done
}

func (w work) difference(other work) string {
	var all []string
	for key := range w {
		all = append(all, key)
	}
	for key := range other {
		all = append(all, key)
	}
	slices.Sort(all)
	var found []string
	for _, key := range slices.Compact(all) {
		if w[key] != other[key] {
			found = append(found, fmt.Sprintf("%s: %d times, for a wrong code %d", key, w[key], other[key]))
		}
	}
	return strings.Join(found, "; ")
}

package logintest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"twokey/enroll"
	"twokey/internal/safefile/disktest"
	"twokey/pamhook/logintest/scratch"
	"twokey/pamhook/wire"
)

const forgiving = "on_fault: allow-console\n"

// console is a login at the machine itself.
func console(h *wire.Hello) { h.RHost, h.TTY = "", "/dev/tty1" }

// readOnly is a host whose disk has become read-only, with alice's app and recovery codes.
func readOnly(t *testing.T, settings string, before func(*testing.T, *host, *enroll.Draft)) (*host, *enroll.Draft) {
	t.Helper()
	disk := disktest.Mount(t, "ext4")
	h := newHostIn(t, disk, settings)
	t.Cleanup(func() { must(t, errors.Join(h.Users.Secrets.Close(), h.Users.State.Close())) }) // or the disk stays busy
	r := scratch.Request()
	r.Recovery = 2
	phone := h.Enrol("alice", uid, r)
	h.run(h.login("carol", uid+7), talk{}) // keeps the policy
	before(t, h, phone)
	must(t, unix.Mount("", filepath.Dir(disk), "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	return h, phone
}

// Whoever comes to mend the disk gets in at the console, with a code, where the policy says so; nobody else, and nothing else is forgiven.
func TestAtTheConsoleADiskThatCannotBeWrittenIsForgiven(t *testing.T) {
	t.Parallel()
	both := func(all ...func(*wire.Hello)) func(*wire.Hello) {
		return func(h *wire.Hello) {
			for _, change := range all {
				change(h)
			}
		}
	}
	right := func(t *testing.T, p *enroll.Draft) any { return scratch.Code(t, p, 0) }
	twoInARow := func(t *testing.T, p *enroll.Draft) any { return scratch.Code(t, p, 0) + " " + scratch.Code(t, p, 1) }
	tty := func(name string) func(*wire.Hello) { return func(h *wire.Hello) { h.RHost, h.TTY = "", name } }
	type try struct {
		change func(*wire.Hello)
		answer func(*testing.T, *enroll.Draft) any
		want   wire.Type
	}
	untouched := func(*testing.T, *host, *enroll.Draft) {}
	for name, c := range map[string]struct {
		settings string
		before   func(*testing.T, *host, *enroll.Draft)
		tries    map[string]try
	}{
		"forgiven": {forgiving, untouched, map[string]try{
			"a right code":                  {console, right, allow},
			"two codes in a row":            {console, twoInARow, allow},
			"a serial console":              {tty("/dev/ttyS0"), right, allow},
			"sudo, which names a console":   {both(console, func(h *wire.Hello) { h.Service = "sudo" }), right, deny},
			"su, which names a console":     {both(tty("/dev/ttyS0"), func(h *wire.Hello) { h.Service, h.CallerUID = "su", 33 }), right, deny},
			"a program that its user runs":  {both(console, func(h *wire.Hello) { h.CallerUID = uid }), right, deny},
			"a wrong code":                  {console, aWrongCode, deny},
			"an empty answer":               {console, typed(""), deny},
			"a recovery code":               {console, func(_ *testing.T, p *enroll.Draft) any { return p.RecoveryCodes[0] }, deny},
			"the password for an answer":    {console, typed(wire.AnswerIsPassword), deny},
			"over ssh":                      {func(*wire.Hello) {}, right, deny},
			"over ssh, on a console's name": {func(h *wire.Hello) { h.TTY = "/dev/tty1" }, right, deny},
			"a terminal of a window":        {tty("/dev/pts/1"), right, deny},
			"an X display":                  {tty(":0"), right, deny},
			"no terminal":                   {tty(""), right, deny},
			"under another user id":         {both(console, func(h *wire.Hello) { h.UID = 77 }), right, deny},
			"an unknown user":               {both(console, unknown), right, deny},
			"a decoy line":                  {both(console, decoy), right, deny},
			"not enrolled, optional":        {both(console, named("bob", uid+1)), right, ignore},
		}},
		"not forgiven":         {"", untouched, map[string]try{"a right code": {console, right, deny}}},
		"required":             {forgiving + "default: required\n", untouched, map[string]try{"no device": {both(console, named("bob", uid+1)), right, deny}}},
		"denied":               {forgiving + "default: deny\n", untouched, map[string]try{"a right code": {console, right, deny}}},
		"throttled before":     {forgiving, exhausted, map[string]try{"a right code": {console, right, deny}, "two codes in a row": {console, twoInARow, allow}}},
		"a code that was used": {forgiving, usedUp, map[string]try{"again": {console, func(t *testing.T, p *enroll.Draft) any { return scratch.Code(t, p, -1) }, deny}}},
		"the state is damaged": {forgiving, func(t *testing.T, h *host, _ *enroll.Draft) {
			must(t, os.Truncate(filepath.Join(h.Data(), "state", "alice"), 10))
		}, map[string]try{"a right code": {console, right, deny}}},
		"the state is gone":       {forgiving, func(t *testing.T, h *host, _ *enroll.Draft) { must(t, h.Users.State.Remove("alice")) }, map[string]try{"a right code": {console, right, deny}}},
		"one that cannot ask":     {forgiving + "services: {sshd: {ask: earlier}}\n", succeeded("tty:/dev/tty1", 0), map[string]try{"after a code": {console, right, deny}}},
		"remembered, asked again": {forgiving + "remember: 1h\n", succeeded("tty:/dev/tty1", 0), map[string]try{"a right code": {console, right, allow}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, phone := readOnly(t, c.settings, c.before)
			for what, try := range c.tries {
				hello := h.login("alice", uid)
				try.change(hello)
				if out := h.run(hello, talk{answers: []any{try.answer(t, phone)}}); out.verdict != try.want {
					t.Errorf("%s: %+v, want %#x", what, out, try.want)
				}
			}
		})
	}
}

// After a code the session has to open as well, though there is nowhere to look for the success.
func TestAtTheConsoleASessionOpensThoughNothingCanBeWritten(t *testing.T) {
	t.Parallel()
	h, _ := readOnly(t, forgiving+"rules: [{services: [night], then: deny}]\n", func(*testing.T, *host, *enroll.Draft) {})
	for name, c := range map[string]struct {
		change func(*wire.Hello)
		want   wire.Type
	}{
		"at the console":            {console, allow},
		"over ssh":                  {func(*wire.Hello) {}, deny},
		"a terminal of a window":    {func(h *wire.Hello) { h.RHost, h.TTY = "", "/dev/pts/0" }, deny},
		"at the console, denied":    {func(h *wire.Hello) { console(h); h.Service = "night" }, deny},
		"at the console, not asked": {func(h *wire.Hello) { console(h); named("bob", uid+1)(h) }, ignore},
	} {
		if _, got := h.told(c.change); got != c.want {
			t.Errorf("%s: %#x, want %#x", name, got, c.want)
		}
	}
}

// Which of the writes fails makes no difference but for one: a limit on the size of files is set by whoever starts the application.
func TestWhichFaultsAreForgivenAtTheConsole(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault   failing
		forgive bool
	}{
		"the state cannot be written":      {failing{call: "pwrite64", file: "data/state/alice", results: []string{"error=EIO"}}, true},
		"the state has no space":           {failing{call: "pwrite64", file: "data/state/alice", results: []string{"error=ENOSPC"}}, true},
		"the state cannot be synchronised": {failing{call: "fdatasync", file: "data/state/alice", results: []string{"error=EIO"}}, true},
		"the log cannot be written":        {failing{call: "write", file: "log/audit.jsonl", results: []string{"error=ENOSPC"}}, true},
		"the log cannot be synchronised":   {failing{call: "fdatasync", file: "log/audit.jsonl", results: []string{"error=EIO"}}, true},
		"the head of the log":              {failing{call: "pwrite64", file: "log/audit.head", results: []string{"error=EROFS"}}, true},
		"ulimit -f 0, for the log":         {failing{call: "write", file: "log/audit.jsonl", results: []string{"error=EFBIG"}}, false},
		"the log is not to be locked":      {failing{call: "fcntl", file: "log/audit.head", results: []string{"error=ENOLCK"}}, false},
		"ulimit -f 0":                      {failing{call: "pwrite64", file: "data/state/alice", results: []string{"error=EFBIG"}}, false},
		"the lock is not to be had":        {failing{call: "fcntl", file: "data/state/alice", results: []string{"error=ENOLCK"}}, false},
		"the state cannot be read":         {failing{call: "pread64", file: "data/state/alice", results: []string{"error=EIO"}}, false},
		"too many files are open":          {failing{call: "openat", results: []string{"error=EMFILE"}}, false},
		"the secrets cannot be read":       {failing{call: "read", file: "data/users/alice.age", results: []string{"error=EIO"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, forgiving)
			phone := h.Enrol("alice", uid, scratch.Request())
			h.run(h.login("carol", uid+7), talk{}) // keeps the policy
			for _, place := range []struct {
				change func(*wire.Hello)
				answer func(*testing.T, *enroll.Draft) any
				want   bool
			}{
				{console, aWrongCode, false},
				{func(*wire.Hello) {}, func(t *testing.T, p *enroll.Draft) any { return scratch.Code(t, p, 0) }, false},
				{console, func(t *testing.T, p *enroll.Draft) any { return scratch.Code(t, p, 1) }, c.forgive},
			} {
				hello := h.login("alice", uid)
				place.change(hello)
				allowed, failed := h.injected(hello, place.answer(t, phone).(string), c.fault, "inject="+c.fault.call+":"+c.fault.results[0])
				if allowed != place.want || !failed {
					t.Errorf("let in %v, want %v; the fault came about: %v; recorded %q", allowed, place.want, failed, h.reasons())
				}
			}
		})
	}
}

package logintest

import (
	"os/exec"
	"strings"
	"testing"

	"twokey/pamhook/logintest/scratch"
	"twokey/pamhook/wire"
)

const uid = 4242

func TestARightCodeLetsInOnceAndIsRecorded(t *testing.T) {
	h := newHost(t, "")
	phone := h.Enrol("alice", uid, scratch.Request())
	right := scratch.Code(t, phone, 0)

	if out := h.run(h.login("alice", uid), talk{answers: []any{right}}); !out.allowed() {
		t.Fatalf("a right code: %+v; log: %+v", out, h.Last(3))
	}
	if record := h.Last(1)[0].Record; record.User != "alice" || record.Method != "totp" || record.Device != "phone" {
		t.Errorf("recorded as %+v", record)
	}
	out := h.run(h.login("alice", uid), talk{answers: []any{right}})
	if out.verdict != wire.TypeDeny {
		t.Errorf("the same code again: %+v", out)
	}
	if reason := h.Last(1)[0].Record.Reason; reason != "code used before" {
		t.Errorf("the same code again is recorded as %q", reason)
	}
	if len(out.infos) != 1 || !strings.HasPrefix(out.infos[0], "This code has already been used. The next one comes in ") {
		t.Errorf("the person was told %q", out.infos)
	}
	h.Verified()
}

// A container without CAP_IPC_LOCK: memory cannot be locked, and the right code lets in all the same.
func TestWithoutLockedMemoryARightCodeLetsIn(t *testing.T) {
	h := newHost(t, "")
	phone := h.Enrol("alice", uid, scratch.Request())
	prlimit, err := exec.LookPath("prlimit")
	if err != nil {
		t.Fatal(err)
	}
	out := h.run(h.login("alice", uid), talk{answers: []any{scratch.Code(t, phone, 0)}, limit: func(c *exec.Cmd) {
		c.Args = []string{"prlimit", "--memlock=65536", "setpriv", "--bounding-set=-ipc_lock,-sys_resource", c.Path}
		c.Path = prlimit
		c.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	}})
	if !out.allowed() {
		t.Errorf("%+v; %s", out, h.reasons())
	}
}

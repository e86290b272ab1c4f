package logintest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"twokey/audit"
	"twokey/pamhook/logintest/scratch"
)

// A disk that fails at any moment: each of the helper's calls to the kernel by which something is read or kept fails in turn. Whoever is
// let in is in the log and his code is used up; a try that was not let in is never looked at without its charge.
func TestWhicheverCallFailsACodeLetsInOnceAndIsRecorded(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	must(t, err)
	for call, results := range map[string][]string{
		"pwrite64": {"error=EIO", "error=ENOSPC", "error=EFBIG", "retval=100"}, "fdatasync": {"error=EIO"}, "write": {"error=ENOSPC", "error=EIO"},
		"pread64": {"error=EIO"}, "openat": {"error=EMFILE"}, "fcntl": {"error=ENOLCK"}, "fallocate": {"error=ENOSPC"}, "fstat": {"error=EIO"},
		"mlockall": {"error=EPERM"}, "getppid": {"retval=0"},
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, "")
			token := h.Enrol("alice", uid, counted())
			next, failed := int64(0), 0
			for _, result := range results {
				for when := 1; when <= 6; when++ {
					must(t, h.Users.Unlock("alice")) // replays are charged; that is not what is tested here
					inject := fmt.Sprintf("inject=%s:%s:when=%d", call, result, when)
					trace := filepath.Join(t.TempDir(), "trace")
					hello := h.from(home, fmt.Sprintf("%s:%d", home, when))
					right := scratch.Code(t, token, next)
					first := h.run(hello, talk{answers: []any{right}, limit: func(c *exec.Cmd) {
						c.Path, c.Args = strace, []string{"strace", "-f", "-o", trace, "-e", "trace=" + call, "-e", inject, helper}
						c.Stderr = nil // it says that it ends
					}}).allowed()
					injected, err := os.ReadFile(trace)
					must(t, err)
					if strings.Contains(string(injected), "INJECTED") {
						failed++
					}
					if first && !h.recordedSuccess() {
						t.Errorf("%s: let in, and the newest record is %+v", inject, h.Last(1)[0].Record)
					}
					if second := h.answer(hello, right); first && second {
						t.Fatalf("%s: the code was good twice", inject)
					} else if !first && !second && !h.answer(hello, scratch.Code(t, token, next+1)) {
						t.Fatalf("%s: neither this code nor the next is good: %s", inject, h.reasons())
					}
					st, err := h.Users.State.Read("alice")
					must(t, err)
					next = int64(st.Devices[0].Consumed)
				}
			}
			if failed == 0 {
				t.Error("no call has failed: this test has shown nothing")
			}
			for _, p := range h.Verified().Problems {
				t.Errorf("audit log: %s", p.What)
			}
		})
	}
}

// recordedSuccess reports whether the newest record is that somebody was let in.
func (h *host) recordedSuccess() bool {
	h.t.Helper()
	r := h.Last(1)[0].Record
	return r != nil && r.Action == audit.ActionLogin && r.Outcome == audit.Success
}

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
	"twokey/pamhook/wire"
)

// failing is a kind of call to the kernel, on one file of the host or on all, and how it fails.
type failing struct {
	call, file string
	results    []string
}

var failings = []failing{
	{"pwrite64", "data/state/alice", []string{"error=EIO", "error=ENOSPC", "error=EFBIG", "retval=100"}},
	{"pwrite64", "log/audit.head", []string{"error=EIO"}},
	{"fdatasync", "data/state/alice", []string{"error=EIO"}},
	{"fdatasync", "log/audit.jsonl", []string{"error=EIO"}},
	{"fdatasync", "log/audit.head", []string{"error=EIO"}},
	{"write", "log/audit.jsonl", []string{"error=ENOSPC", "error=EIO", "retval=10"}},
	{"write", "", []string{"error=EPIPE"}},
	{"pread64", "", []string{"error=EIO"}},
	{"openat", "", []string{"error=EMFILE"}},
	{"fcntl", "", []string{"error=ENOLCK"}},
	{"fstat", "", []string{"error=EIO"}},
	{"mlockall", "", []string{"error=EPERM"}},
	{"getppid", "", []string{"retval=0"}},
}

// A disk that fails at any moment: each of the helper's calls to the kernel by which something is read or kept fails in turn. Whoever is
// let in is in the log and his code is used up; a try that was not let in is never looked at without its charge.
func TestWhicheverCallFailsACodeLetsInOnceAndIsRecorded(t *testing.T) {
	t.Parallel()
	for _, c := range failings {
		t.Run(c.call+" "+c.file, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, "")
			token := h.Enrol("alice", uid, counted())
			next, failed := int64(0), 0
			for _, result := range c.results {
				for when := 1; when <= 6; when++ {
					must(t, h.Users.Unlock("alice")) // replays are charged; that is not what is tested here
					right, hello := scratch.Code(t, token, next), h.from(home, fmt.Sprintf("%s:%d", home, when))
					inject := fmt.Sprintf("inject=%s:%s:when=%d", c.call, result, when)
					first, injected := h.injected(hello, right, c, inject)
					if injected {
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
			h.Verified()
		})
	}
}

// injected runs a login under strace(1), which makes calls fail, and reports whether it let in and whether one did fail.
func (h *host) injected(hello *wire.Hello, answer string, f failing, inject string) (allowed, failed bool) {
	h.t.Helper()
	strace, err := exec.LookPath("strace")
	must(h.t, err)
	trace := filepath.Join(h.t.TempDir(), "trace")
	arguments := []string{"strace", "-f", "-o", trace, "-e", "trace=" + f.call, "-e", inject}
	if f.file != "" {
		arguments = append(arguments, "-P", filepath.Join(h.Dir, f.file))
	}
	out := h.run(hello, talk{answers: []any{answer}, limit: func(c *exec.Cmd) {
		c.Path, c.Args = strace, append(arguments, helper)
		c.Stderr = nil // it says that it ends
	}})
	b, err := os.ReadFile(trace)
	must(h.t, err)
	return out.allowed(), strings.Contains(string(b), "INJECTED")
}

// recordedSuccess reports whether the newest record is that somebody was let in.
func (h *host) recordedSuccess() bool {
	h.t.Helper()
	r := h.Last(1)[0].Record
	return r != nil && r.Action == audit.ActionLogin && r.Outcome == audit.Success
}

package sockettest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// callsOf are the system calls of a set, such as @system-service, and of the sets in it; one call is a set of its own.
func callsOf(t *testing.T, set string) map[string]bool {
	t.Helper()
	if !strings.HasPrefix(set, "@") {
		return map[string]bool{set: true}
	}
	out, err := exec.Command("systemd-analyze", "--no-pager", "syscall-filter", set).Output()
	must(t, err)
	calls := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		name := strings.TrimSpace(line)
		switch {
		case name == set, name == "", strings.HasPrefix(name, "#"):
		case strings.HasPrefix(name, "@"):
			for call := range callsOf(t, name) {
				calls[call] = true
			}
		default:
			calls[name] = true
		}
	}
	return calls
}

// allowed are the system calls that a unit's SystemCallFilter leaves.
func allowed(t *testing.T, unit string) map[string]bool {
	t.Helper()
	calls := map[string]bool{}
	for _, value := range values(t, unit, "SystemCallFilter") {
		sets, forbid := strings.CutPrefix(value, "~")
		for _, set := range strings.Fields(sets) {
			for call := range callsOf(t, set) {
				calls[call] = !forbid
			}
		}
	}
	return calls
}

// traced is what strace has written when the helper has ended, a little after its verdict.
func traced(t *testing.T, file string) string {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		content, err := os.ReadFile(file)
		must(t, err)
		if strings.Contains(string(content), "exit_group(") {
			return string(content)
		}
		if time.Now().After(end) {
			t.Fatalf("the helper does not end:\n%s", content)
		}
	}
}

// TestTheHelperMakesNoSystemCallThatItsUnitForbids: no systemd runs here that would end it for one.
func TestTheHelperMakesNoSystemCallThatItsUnitForbids(t *testing.T) {
	t.Parallel()
	s, alice, _ := newSite(t, "default: required")
	trace := filepath.Join(s.Dir, "trace")
	must(t, os.Mkdir(trace, 0o700))
	s.activate("verify.sock", "0666", "twokey-verify@.service", "sh", "-c", `exec strace -f -qq -o "$1/$$" "$0"`, helper, trace)
	for answer, want := range map[string]string{"000000": "PROMPT INFO DENY", alice.code(t, 0): "PROMPT ALLOW"} {
		if got := s.tell(alice, lie{Hello: alice.hello(), Answer: answer}); got.words() != want {
			t.Errorf("%s: %s", answer, got.words())
		}
	}
	files, err := filepath.Glob(trace + "/*")
	must(t, err)
	may, made := allowed(t, "twokey-verify@.service"), map[string]bool{}
	for _, file := range files {
		for _, call := range regexp.MustCompile(`(?m)^\d+\s+([a-z0-9_]+)\(`).FindAllStringSubmatch(traced(t, file), -1) {
			made[call[1]] = true
		}
	}
	if len(files) != 2 || !made["mlockall"] || !made["fdatasync"] {
		t.Errorf("%d traces, with the calls %v", len(files), made)
	}
	for call := range made {
		if !may[call] {
			t.Errorf("%s is forbidden", call)
		}
	}
}

package apps

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"twokey/internal/proc"
)

// eventually waits until the condition holds, and fails the test when it never does.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came about: %s", what)
		}
	}
}

// below are the processes that descend from this one.
func below(t testing.TB, pid int) (found []proc.ID) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	must(t, err)
	parents := map[int32]int32{}
	processes := map[int32]proc.ID{}
	for _, e := range entries {
		number, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		id, err := proc.Of(number)
		parent, parentErr := proc.Parent(number)
		if err == nil && parentErr == nil { // else it has ended meanwhile
			processes[id.PID], parents[id.PID] = id, parent.PID
		}
	}
	for number := range processes {
		for at := parents[number]; at > 1; at = parents[at] {
			if at == int32(pid) {
				found = append(found, processes[number])
				break
			}
		}
	}
	return found
}

// helperBelow waits for the helper that the application, or a child of it, has started.
func helperBelow(t testing.TB, pid int) (found proc.ID) {
	t.Helper()
	eventually(t, "a helper is at work", func() bool {
		for _, id := range below(t, pid) {
			// A process that has ended has no program.
			if program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", id.PID)); err == nil && program == helper {
				found = id
			}
		}
		return found != proc.ID{}
	})
	return found
}

// has reports whether the process is still there, as anything but a zombie that waits for its parent.
func has(id proc.ID) bool {
	now, err := proc.Of(int(id.PID))
	if err != nil || now != id {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id.PID))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// status is a line of /proc/PID/status.
func status(t testing.TB, id proc.ID, name string) []string {
	t.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", id.PID))
	must(t, err)
	for line := range strings.Lines(string(content)) {
		if value, found := strings.CutPrefix(line, name+":"); found {
			return strings.Fields(value)
		}
	}
	t.Fatalf("no %s in\n%s", name, content)
	return nil
}

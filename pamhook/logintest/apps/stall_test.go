package apps

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/proc"
)

// atLock stops whoever reads the state of a person, as the helper does under its lock, until release is called (fanotify(7)).
func (s *site) atLock(t *testing.T, p *person) (wait func(helper proc.ID), release func()) {
	t.Helper()
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK, unix.O_RDONLY)
	must(t, err)
	events := os.NewFile(uintptr(fd), "fanotify")
	release = sync.OnceFunc(func() { events.Close() }) // which lets everybody go on
	t.Cleanup(release)
	must(t, unix.FanotifyMark(fd, unix.FAN_MARK_ADD, unix.FAN_ACCESS_PERM, unix.AT_FDCWD, s.stateFile(p)))
	must(t, events.SetReadDeadline(time.Now().Add(patience)))
	wait = func(helper proc.ID) {
		t.Helper()
		var event [unix.FAN_EVENT_METADATA_LEN]byte
		n, err := events.Read(event[:])
		must(t, err)
		var seen unix.FanotifyEventMetadata
		if _, err := binary.Decode(event[:n], binary.NativeEndian, &seen); err != nil || seen.Pid != helper.PID {
			t.Fatalf("process %d reads the state, and not the helper, %d: %v", seen.Pid, helper.PID, err)
		}
		must(t, unix.Close(int(seen.Fd)))
	}
	return wait, release
}

func (s *site) stateFile(p *person) string { return filepath.Join(s.Data(), "state", p.Name) }

// isLocked looks into /proc/locks (proc_locks(5)) for the lock of a person's state.
func (s *site) isLocked(t *testing.T, p *person) bool {
	t.Helper()
	var file unix.Stat_t
	must(t, unix.Stat(s.stateFile(p), &file))
	inode := fmt.Sprintf(":%d ", file.Ino)
	locks, err := os.ReadFile("/proc/locks")
	must(t, err)
	for line := range strings.Lines(string(locks)) {
		if strings.Contains(line, "OFDLCK") && strings.Contains(line, inode) {
			return true
		}
	}
	return false
}

package slotfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/proc"
	"twokey/internal/safefile"
)

const (
	lockTimeout = 10 * time.Second
	// A holder is at work for milliseconds. One that has been seen for so long is frozen, by an attacker who has a cgroup of his
	// own to freeze it in, and locks its target out: it is killed, which is safe at any point.
	frozenAfter = 3 * time.Second
	lookEvery   = 250 * time.Millisecond
	reopenLimit = 100 // a file is replaced only by adopt and enrolment; so often, something is wrong
)

// holder is the third block.
type holder struct {
	process proc.ID
	since   int64 // nanoseconds since boot
}

// acquire opens and locks. A waiter can be given the lock of a file that has meanwhile been removed or replaced under its name:
// then it opens the new one.
func acquire(dir *safefile.Dir, name string) (*os.File, error) {
	deadline := time.Now().Add(lockTimeout)
	for range reopenLimit {
		f, err := dir.Open(name, unix.O_RDWR, rules)
		if err != nil {
			return nil, err
		}
		if err := lock(f, deadline); err != nil {
			return nil, err // lock has closed or will close it
		}
		same, err := dir.Same(f, name)
		if err == nil && same {
			if err = writeHolder(f); err == nil {
				return f, nil
			}
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s/%s: replaced again and again: %w", dir.Path(), name, ErrTimeout)
}

// lock waits for the lock until the deadline. The wait blocks in the kernel, in a thread of its own: measured, 1000 waiters are
// served in 1.2 s so, and in 26 s when they poll.
func lock(f *os.File, deadline time.Time) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		done <- lockWait(f)
	}()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	var watched holder
	var since time.Time
	for {
		select {
		case err := <-done:
			if err != nil {
				return errors.Join(err, f.Close())
			}
			return nil
		case now := <-ticker.C:
			if now.After(deadline) {
				go closeWhenLocked(f, done)
				return fmt.Errorf("%s: %w", f.Name(), ErrTimeout)
			}
			h, err := readHolder(f)
			if err != nil || h != watched {
				watched, since = h, now
			} else if now.Sub(since) >= frozenAfter {
				breakLock(h)
				since = now
			}
		}
	}
}

func lockWait(f *os.File) error {
	whole := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	for {
		err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLKW, &whole)
		if err != unix.EINTR {
			return err
		}
	}
}

// closeWhenLocked keeps a lock that comes after its waiter has given up from being held by nobody.
func closeWhenLocked(f *os.File, done <-chan error) {
	<-done
	_ = f.Close()
}

func readHolder(f *os.File) (holder, error) {
	var b [20]byte
	n, err := unix.Pread(int(f.Fd()), b[:], holderOffset)
	if err != nil || n != len(b) {
		return holder{}, errors.Join(err, ErrCorrupt)
	}
	process := proc.ID{PID: int32(binary.BigEndian.Uint32(b[0:])), Start: binary.BigEndian.Uint64(b[4:])}
	return holder{process, int64(binary.BigEndian.Uint64(b[12:]))}, nil
}

func writeHolder(f *os.File) error {
	self, err := proc.Self()
	if err != nil {
		return err
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return err
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(self.PID))
	b = binary.BigEndian.AppendUint64(b, self.Start)
	b = binary.BigEndian.AppendUint64(b, uint64(now.Nano()))
	if _, err := unix.Pwrite(int(f.Fd()), b, holderOffset); err != nil {
		return &os.PathError{Op: "write", Path: f.Name(), Err: err}
	}
	return nil
}

// breakLock kills the holder, if it is still the process that it was: the descriptor of the process is opened first and the
// start time compared after that, so that the number cannot pass to somebody else in between.
func breakLock(h holder) {
	if h.process.PID <= 1 || int(h.process.PID) == os.Getpid() {
		return
	}
	fd, err := unix.PidfdOpen(int(h.process.PID), 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if now, err := proc.Of(int(h.process.PID)); err != nil || now != h.process {
		return
	}
	_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) // it may have ended by itself
}

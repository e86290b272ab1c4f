package slotfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/proc"
	"twokey/internal/safefile"
)

const (
	lockTimeout = 10 * time.Second
	lookEvery   = 250 * time.Millisecond
	reopenLimit = 100 // a file is replaced only by adopt and enrolment; so often, something is wrong
)

// holder is the third block. The zero value is that of a file which nobody holds and whose last value is synchronised.
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
			return f, nil
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s/%s: replaced again and again: %w", dir.Path(), name, ErrTimeout)
}

// lock takes the lock, which most often nobody has, or waits for it until the deadline. It closes the file on an error.
func lock(f *os.File, deadline time.Time) error {
	err := take(f, unix.F_OFD_SETLK)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return wait(f, deadline)
	}
	return closeOn(err, f)
}

func closeOn(err error, f *os.File) error {
	if err == nil {
		return nil
	}
	return errors.Join(err, f.Close())
}

// wait blocks in the kernel, in a goroutine of its own: measured, 1000 waiters are served in 1.2 s so, and in 26 s when they poll.
func wait(f *os.File, deadline time.Time) error {
	done := make(chan error, 1)
	go func() { done <- take(f, unix.F_OFD_SETLKW) }()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	w := watch{f: f, since: time.Now()}
	for {
		select {
		case err := <-done:
			return closeOn(err, f)
		case now := <-ticker.C:
			if now.After(deadline) {
				go closeWhenLocked(f, done)
				return fmt.Errorf("%s: %w", f.Name(), ErrTimeout)
			}
			w.look(now)
		}
	}
}

// take takes the lock, with F_OFD_SETLKW or, without waiting, F_OFD_SETLK (fcntl(2): EAGAIN or EACCES when somebody has it), and says
// at once in the holder block who has it, so that other waiters see it change.
func take(f *os.File, command int) error {
	whole := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	err := unix.FcntlFlock(f.Fd(), command, &whole)
	for err == unix.EINTR {
		err = unix.FcntlFlock(f.Fd(), command, &whole)
	}
	if err != nil {
		return &os.PathError{Op: "lock", Path: f.Name(), Err: err}
	}
	return begin(f)
}

// lockNew locks a file that nobody else knows yet. Its holder block stays as it is: there is nothing to synchronise.
func lockNew(fd int) error {
	whole := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &whole)
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

// begin makes the caller the holder. A holder that died, or left a value unsynchronised, has left the block filled: then what it
// wrote may not be on the disk yet, and the slot that is will be overwritten next, so it is synchronised first; but for twins, see Acquire.
func begin(f *os.File) error {
	before, err := readHolder(f)
	if err != nil {
		return err
	}
	if before != (holder{}) {
		if err := settle(f); err != nil {
			return err
		}
	}
	h, err := present()
	if err != nil {
		return err
	}
	if err := writeHolder(int(f.Fd()), h); err != nil {
		return &os.PathError{Op: "write", Path: f.Name(), Err: err}
	}
	return nil
}

// present is this process as the holder from now on.
func present() (holder, error) {
	process, err := proc.Self()
	if err != nil {
		return holder{}, err
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return holder{}, err
	}
	return holder{process, now.Nano()}, nil
}

// settle synchronises what the one before may have left unsynchronised.
func settle(f *os.File) error {
	var content [fileSize + 1]byte
	if n, err := unix.Pread(int(f.Fd()), content[:], 0); err == nil && twins(content[:n]) {
		return nil
	}
	if err := unix.Fdatasync(int(f.Fd())); err != nil {
		return &os.PathError{Op: "sync", Path: f.Name(), Err: err}
	}
	return nil
}

func writeHolder(fd int, h holder) error {
	b := binary.BigEndian.AppendUint32(nil, uint32(h.process.PID))
	b = binary.BigEndian.AppendUint64(b, h.process.Start)
	b = binary.BigEndian.AppendUint64(b, uint64(h.since))
	_, err := unix.Pwrite(fd, b, holderOffset)
	return err
}

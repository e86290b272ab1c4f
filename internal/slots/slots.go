// Package slots keeps one user from taking all of a root service: he has so many connections at a time, and the next one is refused.
// Each connection is a process of its own, so a slot is a lock on a file, UID.N in a folder that only root can write to: it is given
// back when the process ends, however it ends. The user ids that somebody takes on in user namespaces of his own (subuid(5)) have the
// slots of one user together.
package slots

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/localfiles"
	"twokey/internal/safefile"
)

// ErrFull is returned when a user has all his slots in use.
var ErrFull = errors.New("too many connections at a time")

// empty is what a slot's file is like: only its lock counts.
var empty = safefile.Rules{MaxSize: 0, Forbid: 0o077}

// Take takes one of n slots of a user in the folder dir, which is made if it is not there, and does not wait. The slot is in use until
// the file that it returns is closed, at the latest to the end of the process; a program that is started meanwhile does not hold it.
// ErrFull when there is none; any other error is one of the file system.
//
// Attack: with newuidmap(1) connect as 65536 users, each with slots of his own, until nobody else has a connection and /run no file.
func Take(dir string, uid uint32, n int) (*os.File, error) {
	d, err := safefile.MakeDir(dir, 0o700)
	if err != nil {
		return nil, err
	}
	slot, err := takeIn(d, owner(uid), n)
	if err = errors.Join(err, d.Close()); err != nil {
		return nil, err
	}
	return slot, nil
}

// owner is whose slots a user has: the first of the user ids of one owner.
func owner(uid uint32) uint32 {
	if first, found, err := localfiles.Subordinate(uid); err == nil && found { // a file that cannot be read must not shut everybody out
		return first
	}
	return uid
}

// Due reports whether something is to be said about a user now, which is so once in each interval; the folder is that of his slots. What is
// kept of it is the time of a file, UID.said.
//
// Attack: be refused a thousand times a second, and fill the log.
func Due(dir string, uid uint32, every time.Duration) (due bool, err error) {
	d, err := safefile.MakeDir(dir, 0o700)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	name := fmt.Sprintf("%d.said", owner(uid))
	f, err := d.Create(name, unix.O_RDWR, 0o600)
	if err == nil {
		return true, f.Close()
	}
	if !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	if f, err = d.Open(name, unix.O_RDWR, empty); err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	about, err := f.Stat()
	if err != nil || time.Since(about.ModTime()).Abs() < every {
		return false, err
	}
	return true, unix.Futimes(int(f.Fd()), []unix.Timeval{unix.NsecToTimeval(time.Now().UnixNano()), unix.NsecToTimeval(time.Now().UnixNano())})
}

func takeIn(d *safefile.Dir, uid uint32, n int) (*os.File, error) {
	for i := range n {
		f, err := open(d, fmt.Sprintf("%d.%d", uid, i))
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if closeErr := f.Close(); err != unix.EWOULDBLOCK || closeErr != nil {
			return nil, errors.Join(&fs.PathError{Op: "lock", Path: f.Name(), Err: err}, closeErr)
		}
	}
	return nil, fmt.Errorf("uid %d: %w", uid, ErrFull)
}

// open opens the file of a slot, and makes it if it is not there: several may do so at once.
func open(d *safefile.Dir, name string) (*os.File, error) {
	f, err := d.Open(name, unix.O_RDWR, empty)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	f, err = d.Create(name, unix.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return d.Open(name, unix.O_RDWR, empty)
	}
	return f, err
}

package slotfile

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/proc"
)

// A holder is at work for milliseconds. One that keeps the lock for so long is frozen, by an attacker who has a cgroup of his own
// to freeze it in, and locks its target out: it is killed, which is safe at any point.
const (
	suspectAfter = 2 * time.Second // without a change of the holder block
	frozenAfter  = time.Second     // more, with the lock in the same hands
	// Once a waiter has killed one, there are others: an attacker who freezes several that wait behind each other must not use up
	// the waiter's ten seconds with them.
	impatient = 5 // times sooner
)

// watch is what a waiter knows of the process that it waits for.
//
// Whom to kill, the kernel says and not the holder block. A holder that is frozen before it has written the block would let the
// process that held the lock before appear in its place, which may be a login that waits for someone to type; and somebody who can
// write to the file in another pid namespace, or bring an old block back, could name any process at all.
type watch struct {
	f       *os.File
	block   holder
	since   time.Time // when the block was first seen so
	suspect proc.ID
	looked  time.Time
	killed  bool // one by this waiter
}

// look is called every now and then. It kills the process that holds the lock when the block has not changed for suspectAfter, and
// when frozenAfter later it still has not and that process holds the lock still: whoever takes the lock writes the block, so
// that process has held it all the time.
func (w *watch) look(now time.Time) {
	block, err := readHolder(w.f)
	if err != nil || block != w.block {
		*w = watch{f: w.f, block: block, since: now, killed: w.killed}
		return
	}
	patience := time.Duration(1)
	if w.killed {
		patience = impatient
	}
	if now.Sub(w.since) < suspectAfter/patience || now.Sub(w.looked) < frozenAfter/patience {
		return
	}
	w.looked = now
	var st unix.Stat_t
	if err := unix.Fstat(int(w.f.Fd()), &st); err != nil {
		return
	}
	id, found := proc.LockHolder(st.Dev, st.Ino, int(block.process.PID))
	if found && id == w.suspect {
		kill(id, &st)
		w.killed = true
	}
	w.suspect = id
}

// kill ends a process, if it is still the one that it was and holds the lock still: a descriptor of the process is opened first
// and everything looked at after that, so that its number cannot pass to somebody else in between.
func kill(id proc.ID, file *unix.Stat_t) {
	fd, err := unix.PidfdOpen(int(id.PID), 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if now, found := proc.LockHolder(file.Dev, file.Ino, int(id.PID)); !found || now != id {
		return
	}
	_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) // it may have ended by itself
}

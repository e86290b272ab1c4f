package slotfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/proc"
	"twokey/internal/safefile/disktest"
)

func TestNoChangeIsLostAmongManyProcessesAndGoroutines(t *testing.T) {
	dir, path := scratch(t, "")
	run := func() error {
		return together(4, func() error {
			out, err := child("count", path, 20).CombinedOutput()
			if err != nil {
				err = errors.Join(err, errors.New(string(out)))
			}
			return err
		})
	}
	must(t, run())
	if n := number(t, dir); n != 4*4*20 {
		t.Errorf("%d changes of %d", n, 4*4*20)
	}
}

func TestTwoHundredWaitersAreAllServed(t *testing.T) { serveFour(t, "count-at-once", 50) }

// Together they hold the lock for longer than it takes to be thought frozen, and are so many that one of them looks at a bad moment.
func TestNobodyIsKilledWhileTheLockGoesFromHandToHand(t *testing.T) { serveFour(t, "count-slowly", 30) }

// serveFour runs four processes with so many waiters each.
func serveFour(t *testing.T, task string, waiters int) {
	t.Helper()
	dir, path := scratchIn(t, disktest.Mount(t, "tmpfs"), "")
	err := together(4, func() error {
		out, err := child(task, path, waiters).CombinedOutput()
		if err != nil {
			err = errors.Join(err, errors.New(string(out)))
		}
		return err
	})
	if n := number(t, dir); err != nil || n != uint64(4*waiters) {
		t.Errorf("%d of %d served, %v", n, 4*waiters, err)
	}
}

func TestAFrozenHolderIsKilledAndTheWaiterGoesOn(t *testing.T) {
	t.Parallel()
	dir, path := scratch(t, "")
	frozen := begun(t, "hold", path)
	must(t, frozen.cmd.Process.Signal(syscall.SIGSTOP))
	must(t, increment(dir, 0))
	if !frozen.killed() {
		t.Errorf("the holder: %v, want that SIGKILL has ended it", frozen.cmd.ProcessState)
	}
}

// This process holds the lock itself: it must not kill itself, and not wait for ever.
func TestAWaiterGivesUpAndLeavesNoLockBehind(t *testing.T) {
	t.Parallel()
	dir, _ := scratch(t, "")
	held, err := Acquire(dir, name, kind)
	must(t, err)
	want(t, increment(dir, 0), ErrTimeout)
	must(t, held.Close())
	must(t, increment(dir, 0))
}

// looks is a waiter that waits for ten seconds, in no time.
func looks(t *testing.T, f *os.File) {
	t.Helper()
	start := time.Now()
	w := watch{f: f, since: start}
	for passed := time.Duration(0); passed < lockTimeout; passed += lookEvery {
		w.look(start.Add(passed))
	}
}

// The frozen one has not written the holder block, and the one before it stands there still, or whom somebody has put there.
func TestWhoHoldsTheLockIsKilledAndNotWhomTheBlockNames(t *testing.T) {
	dir, path := scratch(t, "")
	for _, written := range []bool{false, true} {
		innocent := begun(t, "hold-once", path)
		frozen := begun(t, "hold-raw", path)
		must(t, frozen.cmd.Process.Signal(syscall.SIGSTOP))
		if id, err := proc.Of(innocent.cmd.Process.Pid); written {
			must(t, err)
			put(t, path, id)
		}
		f, err := dir.Open(name, unix.O_RDWR, rules)
		must(t, err)
		looks(t, f)
		must(t, f.Close())
		if !frozen.killed() {
			t.Errorf("the holder: %v, want that SIGKILL has ended it", frozen.cmd.ProcessState)
		}
		if !innocent.unharmed() {
			t.Errorf("the process that the block named: %v", innocent.cmd.ProcessState)
		}
	}
}

func TestNobodyIsKilledForWhatTheBlockSays(t *testing.T) {
	dir, path := scratch(t, "")
	innocent := begun(t, "hold-once", path)
	named, err := proc.Of(innocent.cmd.Process.Pid)
	must(t, err)
	self, err := proc.Self()
	must(t, err)
	held, err := Acquire(dir, name, kind)
	must(t, err)
	f, err := dir.Open(name, unix.O_RDWR, rules)
	must(t, err)
	for _, id := range []proc.ID{
		named,                                    // it is busy with other things
		{PID: named.PID, Start: named.Start - 1}, // the number was used again
		{PID: 1, Start: 1},
		{PID: 0},
		{PID: -1}, // every process, in kill(2)
		{PID: -named.PID},
		{PID: 1 << 30, Start: 1}, // none
		self,
	} {
		put(t, path, id)
		looks(t, f)
	}
	must(t, errors.Join(f.Close(), held.Close()))
	if !innocent.unharmed() {
		t.Errorf("an innocent process: %v", innocent.cmd.ProcessState)
	}
}

// A holder is given time, and time again whenever the block shows that the lock has gone from hand to hand.
func TestWhoHoldsTheLockForMomentsIsNotKilled(t *testing.T) {
	dir, path := scratch(t, "")
	holder := begun(t, "hold", path)
	f, err := dir.Open(name, unix.O_RDWR, rules)
	must(t, err)
	defer f.Close()
	start := time.Now()
	w := watch{f: f, since: start}
	for _, passed := range []time.Duration{0, time.Second, suspectAfter, suspectAfter + frozenAfter - time.Millisecond} {
		w.look(start.Add(passed))
	}
	for n := range 10 {
		start = start.Add(suspectAfter + frozenAfter - time.Millisecond)
		put(t, path, proc.ID{PID: int32(n)})
		w.look(start)
	}
	if !holder.unharmed() {
		t.Errorf("the holder: %v", holder.cmd.ProcessState)
	}
}

// put writes the holder block.
func put(t *testing.T, path string, id proc.ID) {
	t.Helper()
	f, err := os.OpenFile(path+"/"+name, os.O_RDWR, 0)
	must(t, err)
	must(t, errors.Join(writeHolder(int(f.Fd()), holder{id, 1}), f.Close()))
}

func TestAWaiterWhoseFileIsRemovedOrReplacedLooksAgain(t *testing.T) {
	dir, _ := scratch(t, "old")
	for _, value := range []string{"new", ""} {
		held, err := Acquire(dir, name, kind)
		must(t, err)
		type result struct {
			value string
			err   error
		}
		const waiters = 20
		results := make(chan result, waiters)
		for range waiters {
			go func() {
				f, err := Acquire(dir, name, kind)
				if err != nil {
					results <- result{"", err}
					return
				}
				results <- result{string(f.Value()), f.Close()}
			}()
		}
		waitUntilBlocked(t, dir.Path()+"/"+name, waiters)
		must(t, dir.Remove(name))
		if value != "" {
			must(t, Create(dir, name, kind, []byte(value)))
		}
		must(t, held.Write([]byte("nobody will see this")))
		must(t, errors.Join(held.Sync(), held.Close()))
		for range waiters {
			r := <-results
			if value == "" {
				want(t, r.err, fs.ErrNotExist)
			} else if r.err != nil || r.value != value {
				t.Errorf("%q, %v, want %q", r.value, r.err, value)
			}
		}
	}
}

// waitUntilBlocked waits until so many wait for the lock of a file, as /proc/locks says.
func waitUntilBlocked(t *testing.T, path string, waiters int) {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Stat(path, &st))
	file := fmt.Sprintf(":%d ", st.Ino)
	for blocked := 0; blocked < waiters; {
		time.Sleep(time.Millisecond)
		locks, err := os.ReadFile("/proc/locks")
		must(t, err)
		blocked = 0
		for line := range strings.Lines(string(locks)) {
			if strings.Contains(line, "-> OFDLCK") && strings.Contains(line, file) {
				blocked++
			}
		}
	}
}

// Several that are frozen one after the other, each while it holds the lock: a waiter outlasts more of them than its ten seconds
// would be enough for at the pace of the first.
func TestAWaiterOutlastsSeveralFrozenHolders(t *testing.T) {
	dir, path := scratch(t, "")
	f, err := dir.Open(name, unix.O_RDWR, rules)
	must(t, err)
	defer f.Close()
	now := time.Now()
	w, end := watch{f: f, since: now}, now.Add(lockTimeout)
	for i := range 6 {
		frozen := begun(t, "hold", path)
		must(t, frozen.cmd.Process.Signal(syscall.SIGSTOP))
		for ended := false; !ended && now.Before(end); now = now.Add(lookEvery) {
			w.look(now)
			select {
			case <-frozen.ended:
				ended = true
			case <-time.After(20 * time.Millisecond): // a kill takes a moment; the waiter's clock is its own
			}
		}
		if !frozen.killed() {
			t.Fatalf("holder %d: %v, want that SIGKILL has ended it", i+1, frozen.cmd.ProcessState)
		}
	}
}

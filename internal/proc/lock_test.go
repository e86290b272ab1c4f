package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// childVariable names what this program does when a test has started it as another process.
const childVariable = "PROC_TEST_CHILD"

func TestMain(m *testing.M) {
	if task := os.Getenv(childVariable); task != "" {
		holdLock(task, os.Args[1])
	}
	os.Exit(m.Run())
}

// holdLock opens a file, takes or awaits a lock on it, says so, and waits to be killed.
func holdLock(task, path string) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		lock := unix.Flock_t{Type: unix.F_WRLCK}
		switch task {
		case "lock":
			err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock)
		case "read-lock":
			lock.Type = unix.F_RDLCK
			err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock)
		case "process-lock":
			err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, &lock)
		case "wait":
			go unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLKW, &lock)
		}
	}
	fmt.Println("done", err)
	_, _ = os.Stdin.Read(make([]byte, 1))
	os.Exit(0)
}

// other starts a process that does a task with the file; it ends with the test.
func other(t *testing.T, task, path string) ID {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", path)
	cmd.Env = append(os.Environ(), childVariable+"="+task, "GORACE=atexit_sleep_ms=0")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(stdin.Close(), cmd.Wait()); err != nil {
			t.Error(err)
		}
	})
	said := make([]byte, 100)
	n, err := stdout.Read(said)
	if err != nil || string(said[:n]) != "done <nil>\n" {
		t.Fatalf("%s: %q, %v", task, said[:n], err)
	}
	id, err := Of(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// file makes a file and returns what names it for LockHolder.
func file(t *testing.T) (path string, dev, ino uint64) {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "file")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	return f.Name(), st.Dev, st.Ino
}

func TestLockHolderFindsWhoHoldsTheLockAndNobodyElse(t *testing.T) {
	path, dev, ino := file(t)
	another, _, _ := file(t)
	if id, found := LockHolder(dev, ino, 0); found {
		t.Errorf("nobody holds it, found %+v", id)
	}
	bystanders := []ID{other(t, "open", path), other(t, "lock", another)}
	holder := other(t, "lock", path)
	bystanders = append(bystanders, other(t, "wait", path), other(t, "open", path))
	for _, first := range []int{0, -1, 1, os.Getpid(), int(holder.PID), int(bystanders[0].PID), int(bystanders[2].PID), 1 << 30} {
		if id, found := LockHolder(dev, ino, first); !found || id != holder {
			t.Errorf("looking at %d first: %+v, %v, want %+v", first, id, found, holder)
		}
	}
	if id, found := LockHolder(dev, ino+1<<32, int(holder.PID)); found {
		t.Errorf("another file: %+v", id)
	}
	if id, found := LockHolder(dev+1, ino, int(holder.PID)); found {
		t.Errorf("the same number on another file system: %+v", id)
	}
}

func TestLockHolderIsNotTheCallerAndNotWhoHoldsAnotherKindOfLock(t *testing.T) {
	path, dev, ino := file(t)
	own, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.FcntlFlock(own.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		t.Fatal(err)
	}
	if id, found := LockHolder(dev, ino, os.Getpid()); found {
		t.Errorf("this process: %+v", id)
	}
	if err := own.Close(); err != nil {
		t.Fatal(err)
	}
	other(t, "read-lock", path)
	if id, found := LockHolder(dev, ino, 0); found {
		t.Errorf("who reads: %+v", id)
	}
	path, dev, ino = file(t)
	other(t, "process-lock", path)
	if id, found := LockHolder(dev, ino, 0); found {
		t.Errorf("a lock of the other kind: %+v", id)
	}
}

func TestShowsLock(t *testing.T) {
	const line = "lock:\t1: OFDLCK ADVISORY  WRITE -1 fe:00:9978057 0 EOF\n"
	const before = "pos:\t0\nflags:\t02100002\nmnt_id:\t27\nino:\t9978057\n"
	for text, want := range map[string]bool{
		before + line: true,
		line:          true,
		before + strings.ReplaceAll(line, "9978057", "9978058") + line: true,
		before:                            false,
		"":                                false,
		"lock:\n":                         false,
		"lock:\t1: OFDLCK":                false,
		"name:\t" + line[len("lock:\t"):]: false,
		strings.ReplaceAll(line, "WRITE", "READ"):       false,
		strings.ReplaceAll(line, "OFDLCK", "POSIX"):     false,
		strings.ReplaceAll(line, "OFDLCK", "FLOCK"):     false,
		strings.ReplaceAll(line, "fe:00:", "fe:01:"):    false,
		strings.ReplaceAll(line, "9978057", "99780571"): false,
		strings.ReplaceAll(line, "9978057", "997805"):   false,
	} {
		if got := showsLock([]byte(text), "fe:00:9978057"); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func FuzzShowsLock(f *testing.F) {
	f.Add([]byte("lock:\t1: OFDLCK ADVISORY  WRITE -1 fe:00:9978057 0 EOF\n"))
	f.Add([]byte("lock:\t1: POSIX  ADVISORY  WRITE 4711 fe:00:9978057 0 EOF\npos:\t0\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, info []byte) {
		const file = "fe:00:9978057"
		if showsLock(info, file) && !strings.Contains(string(info), file) {
			t.Errorf("%q is taken for a lock of %s", info, file)
		}
	})
}

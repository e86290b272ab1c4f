package slotfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
	"twokey/internal/stracetest"
)

const (
	name = "file"
	kind = "state"
)

// childVariable names what this program does when a test has started it as another process; its arguments are the folder and a
// number.
const childVariable = "SLOTFILE_TEST_CHILD"

func TestMain(m *testing.M) {
	task := os.Getenv(childVariable)
	if task == "" {
		os.Exit(m.Run())
	}
	runtime.LockOSThread() // strace counts system calls by thread
	dir, err := safefile.OpenDir(os.Args[1])
	n, _ := strconv.Atoi(os.Args[2])
	if err == nil {
		err = tasks[task](dir, n)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

var tasks = map[string]func(*safefile.Dir, int) error{
	"count":         count,
	"count-at-once": countAtOnce,
	"count-slowly":  countSlowly,
	"count-on":      countOn,
	"hold":          hold,
	"hold-raw":      holdRaw,
	"hold-once":     holdOnce,
	"leave":         leave,
	"leave-twins":   leaveTwins,
	"sync-again":    syncAgain,
}

// increment adds one to the number that is the value, as a login would change its state.
func increment(dir *safefile.Dir, pause time.Duration) error {
	f, err := Acquire(dir, name, kind)
	if err != nil {
		return err
	}
	time.Sleep(pause)
	n, _ := binary.Uvarint(f.Value())
	err = f.Write(binary.AppendUvarint(nil, n+1))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// count increments n times in each of four goroutines.
func count(dir *safefile.Dir, n int) error {
	return together(4, func() error {
		for range n {
			if err := increment(dir, 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// countAtOnce increments once in each of n goroutines.
func countAtOnce(dir *safefile.Dir, n int) error {
	return together(n, func() error { return increment(dir, 0) })
}

// countSlowly is countAtOnce of those who keep the lock: four times thirty for 5.4 s.
func countSlowly(dir *safefile.Dir, n int) error {
	return together(n, func() error { return increment(dir, 45*time.Millisecond) })
}

func together(n int, do func() error) error {
	failures := make([]error, n)
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() { failures[i] = do() })
	}
	running.Wait()
	return errors.Join(failures...)
}

// countOn increments until it is killed.
func countOn(dir *safefile.Dir, _ int) error {
	fmt.Println("begun")
	for {
		if err := increment(dir, 0); err != nil {
			return err
		}
	}
}

// hold takes the lock and keeps it.
func hold(dir *safefile.Dir, _ int) error {
	_, err := Acquire(dir, name, kind)
	return begunAndWait(err)
}

// holdRaw is frozen between taking the lock and writing the holder block.
func holdRaw(dir *safefile.Dir, _ int) error {
	f, err := dir.Open(name, unix.O_RDWR, rules)
	if err == nil {
		err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	}
	return begunAndWait(err)
}

// holdOnce had the lock, and is busy with other things now.
func holdOnce(dir *safefile.Dir, _ int) error {
	return begunAndWait(increment(dir, 0))
}

// leaveTwins writes a number into both slots, as the audit log does with its head.
func leaveTwins(dir *safefile.Dir, n int) error {
	f, err := Acquire(dir, name, kind)
	if err != nil {
		return err
	}
	value := binary.AppendUvarint(nil, uint64(n))
	return errors.Join(f.Write(value), f.Sync(), f.Write(value), f.Close())
}

// leave writes and does not synchronise.
func leave(dir *safefile.Dir, n int) error {
	f, err := Acquire(dir, name, kind)
	if err != nil {
		return err
	}
	return errors.Join(f.Write(binary.AppendUvarint(nil, uint64(n))), f.Close())
}

// syncAgain asks a second time after a Sync that failed.
func syncAgain(dir *safefile.Dir, n int) error {
	f, err := Acquire(dir, name, kind)
	if err != nil {
		return err
	}
	if err := f.Write([]byte("lost")); err != nil {
		return err
	}
	first, second := f.Sync(), f.Sync()
	if first == nil || second == nil {
		return fmt.Errorf("sync: %v, then %v", first, second)
	}
	if err := f.Write(binary.AppendUvarint(nil, uint64(n))); err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func begunAndWait(err error) error {
	if err != nil {
		return err
	}
	fmt.Println("begun")
	_, _ = os.Stdin.Read(make([]byte, 1)) // until the test ends
	return nil
}

// child prepares this program for a task.
func child(task, path string, n int) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", path, strconv.Itoa(n))
	cmd.Env = append(os.Environ(), childVariable+"="+task, "GORACE=atexit_sleep_ms=0")
	return cmd
}

// process is a child that goes on until the test ends or somebody kills it.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	ended chan struct{}
}

// begun starts a child and waits until it has begun.
func begun(t *testing.T, task, path string) *process {
	t.Helper()
	cmd := child(task, path, 0)
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	p := &process{cmd, stdin, make(chan struct{})}
	line, readErr := bufio.NewReader(stdout).ReadString('\n')
	go func() {
		_ = cmd.Wait() // how it ended, the test asks ProcessState
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-p.ended
	})
	if readErr != nil || line != "begun\n" {
		t.Fatalf("%s: %q, %v", task, line, readErr)
	}
	return p
}

// killed lets the process go on to its end, and reports whether SIGKILL has ended it before.
func (p *process) killed() bool {
	_ = p.cmd.Process.Signal(syscall.SIGCONT) // it may have ended
	_ = p.stdin.Close()
	<-p.ended
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return status.Signaled() && status.Signal() == syscall.SIGKILL
}

// unharmed ends the process by ending its standard input, and reports whether that is what has ended it.
func (p *process) unharmed() bool {
	_ = p.stdin.Close() // it may have been closed before
	<-p.ended
	return p.cmd.ProcessState.Success()
}

// must stops the test at an error of something that only prepares it.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// want fails the test unless err wraps the sentinel.
func want(t testing.TB, err, sentinel error) {
	t.Helper()
	if !errors.Is(err, sentinel) {
		t.Errorf("error %v, want one that is %q", err, sentinel)
	}
}

// scratch makes a folder with a file in it.
func scratch(t testing.TB, value string) (dir *safefile.Dir, path string) {
	t.Helper()
	return scratchIn(t, t.TempDir(), value)
}

func scratchIn(t testing.TB, parent, value string) (dir *safefile.Dir, path string) {
	t.Helper()
	path = filepath.Join(parent, "slots")
	dir, err := safefile.MakeDir(path, 0o700)
	must(t, err)
	t.Cleanup(func() { must(t, dir.Close()) })
	must(t, Create(dir, name, kind, []byte(value)))
	return dir, path
}

// number reads the value that increment changes.
func number(t testing.TB, dir *safefile.Dir) uint64 {
	t.Helper()
	b, err := Read(dir, name, kind)
	must(t, err)
	n, _ := binary.Uvarint(b)
	return n
}

// content returns the bytes of the file, and overwrite changes some of them.
func content(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path + "/" + name)
	must(t, err)
	return b
}

func overwrite(t testing.TB, path string, offset int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path+"/"+name, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt(b, offset)
	must(t, errors.Join(err, f.Close()))
}

// traced runs a task under strace(1) and returns the system calls of these names that it made.
func traced(t *testing.T, task, path string, n int, calls string, options ...string) []string {
	t.Helper()
	record := filepath.Join(t.TempDir(), "trace")
	cmd := child(task, path, n)
	exe, err := os.Executable()
	must(t, err)
	options = append([]string{"-f", "-o", record, "-e", "trace=" + calls}, options...)
	traced := exec.Command("strace", append(append(options, exe), cmd.Args[1:]...)...)
	traced.Env = cmd.Env
	if out, err := traced.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", task, err, out)
	}
	b, err := os.ReadFile(record)
	must(t, err)
	return stracetest.Lines(string(b))
}

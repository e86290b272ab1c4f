package pamtest

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// patience is how long a test waits for something that must happen. It is no measure of speed: a loaded machine must not fail.
const patience = 100 * time.Second

// Terminal is a program at a pseudo terminal, and the person who sits there.
type Terminal struct {
	t   testing.TB
	cmd *exec.Cmd
	pty *os.File

	hangUp sync.Once

	news  chan struct{} // something was shown
	ended chan struct{} // the program is gone and everything that it showed is on the screen

	mu     sync.Mutex
	screen []byte
	read   int // up to where Expect has looked at the screen
}

// OpenTerminal starts the program as the leader of a session whose terminal it is. It is killed when the test ends before it.
func OpenTerminal(t testing.TB, cmd *exec.Cmd) *Terminal {
	t.Helper()
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatalf("pamtest: %s: %v", strings.Join(cmd.Args, " "), err)
	}
	if f, err = pollable(f); err != nil {
		t.Fatalf("pamtest: %v", err)
	}
	x := &Terminal{t: t, cmd: cmd, pty: f, news: make(chan struct{}, 1), ended: make(chan struct{})}
	shown, gone := make(chan struct{}), make(chan struct{})
	go x.show(shown, gone)
	go x.wait(shown, gone)
	t.Cleanup(x.close)
	return x
}

// pollable returns the terminal in a mode in which it can be closed while somebody reads from it.
func pollable(blocking *os.File) (*os.File, error) {
	defer blocking.Close()
	fd, err := unix.FcntlInt(blocking.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), blocking.Name()), nil
}

// show copies what the program writes to the screen. A terminal that nobody has open reads as an error; login(1) closes and opens
// it again, so only the end of the program is the end.
func (x *Terminal) show(shown, gone chan struct{}) {
	defer close(shown)
	b := make([]byte, 4096)
	for {
		n, err := x.pty.Read(b)
		x.mu.Lock()
		x.screen = append(x.screen, b[:n]...)
		x.mu.Unlock()
		select {
		case x.news <- struct{}{}:
		default:
		}
		if err == nil {
			continue
		}
		select {
		case <-gone:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (x *Terminal) wait(shown, gone chan struct{}) {
	// How it ended is in ProcessState.
	_ = x.cmd.Wait()
	close(gone)
	<-shown
	close(x.ended)
}

func (x *Terminal) close() {
	_ = x.Kill() // it may have ended
	x.HangUp()
	<-x.ended
}

// Kill ends the program itself, and nothing that it has started.
func (x *Terminal) Kill() error { return x.cmd.Process.Kill() }

// HangUp takes the terminal away from everything that runs at it.
func (x *Terminal) HangUp() { x.hangUp.Do(func() { _ = x.pty.Close() }) }

// Expect waits until the screen shows one of the texts behind what Expect has found before, and returns which.
func (x *Terminal) Expect(texts ...string) int {
	x.t.Helper()
	deadline := time.After(patience)
	for {
		ended := isClosed(x.ended)
		if i, found := x.find(texts); found {
			return i
		}
		if ended {
			x.t.Fatalf("the program ended (%v) without showing %q:\n%s", x.cmd.ProcessState, texts, x.Screen())
		}
		select {
		case <-x.news:
		case <-x.ended:
		case <-deadline:
			x.t.Fatalf("the program does not show %q:\n%s", texts, x.Screen())
		}
	}
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// find looks for the text that comes first.
func (x *Terminal) find(texts []string) (which int, found bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	first, end := len(x.screen), 0
	for i, text := range texts {
		at := bytes.Index(x.screen[x.read:], []byte(text))
		if at >= 0 && (!found || at < first) {
			which, found, first, end = i, true, at, at+len(text)
		}
	}
	if found {
		x.read += end
	}
	return which, found
}

// Type sends what the person types, as it is: Enter is "\n".
func (x *Terminal) Type(text string) {
	x.t.Helper()
	if _, err := io.WriteString(x.pty, text); err != nil {
		x.t.Fatalf("pamtest: type: %v\n%s", err, x.Screen())
	}
}

// Wait waits for the end of the program and returns its exit status; -1 when a signal ended it.
func (x *Terminal) Wait() int {
	x.t.Helper()
	select {
	case <-x.ended:
	case <-time.After(patience):
		x.t.Fatalf("the program does not end:\n%s", x.Screen())
	}
	return x.cmd.ProcessState.ExitCode()
}

// Screen is everything that was shown until now.
func (x *Terminal) Screen() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return string(x.screen)
}

// PID is the number of the program's process.
func (x *Terminal) PID() int { return x.cmd.Process.Pid }

package site

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ownWork is the variable by which this test's program knows that it is to be one that works apart: what it does there.
const ownWork = "TWOKEY_BENCH_TEST"

func TestMain(m *testing.M) {
	how := os.Getenv(ownWork)
	if how == "" {
		os.Exit(m.Run())
	}
	if err := workApart(os.Args[1], how); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// workApart makes a place, starts a process that outlives it by far, and says so. It begins where mounts spread, as they do under systemd.
func workApart(below, how string) error {
	if os.Getenv(mark) == "" {
		runtime.LockOSThread()
		if err := spreading(); err != nil {
			return err
		}
	}
	dir, err := Apart(below)
	if err != nil {
		return err
	}
	if dir == "" {
		return noneOf(below, "/proc/thread-self/mountinfo")
	}
	if _, err := New(dir, "."); err != nil {
		return err
	}
	content, err := os.ReadFile("/etc/passwd")
	if err != nil || !strings.Contains(string(content), UserName(Accounts-1)+":") {
		return fmt.Errorf("no account in /etc/passwd, %v", err)
	}
	left := exec.Command("sleep", "1000")
	left.Stdout = os.Stdout
	if err := left.Start(); err != nil {
		return err
	}
	fmt.Println("at work")
	switch how {
	case "fails":
		return errors.New("that was it")
	case "is done":
		return nil
	}
	return left.Wait()
}

// spreading makes a mount namespace for this thread whose mounts would be seen from those that come from it, and theirs from here.
func spreading() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, "")
}

// noneOf says whether a file has nothing of a folder.
func noneOf(folder, file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if strings.Contains(string(content), folder) {
		return fmt.Errorf("it is left in %s", file)
	}
	return nil
}

// Whatever ends it, no process, no mount, no account and, but for SIGKILL, no file is left.
func TestNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	for how, c := range map[string]struct {
		signal unix.Signal
		well   bool
		files  int
	}{
		"is done": {well: true}, "fails": {}, "is interrupted": {signal: unix.SIGINT}, "is terminated": {signal: unix.SIGTERM},
		"loses its terminal": {signal: unix.SIGHUP}, "is killed": {signal: unix.SIGKILL, files: 1},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			below := t.TempDir()
			err := endedBy(t, exec.Command(os.Args[0], below), how, c.signal)
			if (err == nil) != c.well {
				t.Errorf("it ended with %v", err)
			}
			if left, err := filepath.Glob(filepath.Join(below, "*")); err != nil || len(left) != c.files {
				t.Errorf("left: %q, %v", left, err)
			}
			if err := noneOf(below, "/etc/passwd"); err != nil {
				t.Error(err)
			}
		})
	}
}

// endedBy runs it until it is at work, ends it, and waits for all that have its standard output: every process that it has started.
func endedBy(t *testing.T, program *exec.Cmd, how string, by unix.Signal) error {
	t.Helper()
	program.Env = append(os.Environ(), ownWork+"="+how)
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, len("at work\n"))
	if _, err := io.ReadFull(out, said); err != nil || string(said) != "at work\n" {
		t.Errorf("it said %q, %v", said, err)
	}
	if by != 0 {
		if err := program.Process.Signal(by); err != nil {
			t.Error(err)
		}
	}
	over := make(chan error, 1)
	go func() { _, err := io.Copy(io.Discard, out); over <- err }()
	select {
	case err := <-over:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("a process is left")
	}
	return program.Wait()
}

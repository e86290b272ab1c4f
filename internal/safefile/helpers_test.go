package safefile

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// stranger is a user id that nobody has.
const stranger = 48611

// The test program starts itself again where a test needs another process; these name what that one does.
const childVariable = "SAFEFILE_TEST_CHILD"

func TestMain(m *testing.M) {
	switch task := os.Getenv(childVariable); task {
	case "":
		os.Exit(m.Run())
	case "read":
		_, err := ReadFile(os.Args[1], Secret)
		fmt.Print(reason(err))
	case "replace":
		replaceForever(os.Args[1])
	case "batch":
		batchForever(os.Args[1])
	case "onebatch":
		once(batchOnce)
	case "onelink":
		once(linkOnce)
	case "oneset":
		once(setOnce)
	case "once":
		once(func(path string) error { return replaceOnce(path, "file", []byte("content")) })
	default:
		panic("unknown task " + task)
	}
}

func once(do func(path string) error) {
	unix.Umask(0o277) // so that the permissions have to be set
	if err := do(os.Args[1]); err != nil {
		fmt.Print(err)
		os.Exit(1)
	}
}

// child prepares this program for one task with one argument.
func child(task, arg string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", arg)
	cmd.Env = append(os.Environ(), childVariable+"="+task, "GORACE=atexit_sleep_ms=0") // else each takes a second
	return cmd
}

// reason names the sentinel error of this package that err wraps.
func reason(err error) string {
	for _, sentinel := range []error{ErrOwner, ErrMode, ErrType, ErrLinks, ErrSize, ErrName, ErrParents, os.ErrNotExist, os.ErrExist} {
		if errors.Is(err, sentinel) {
			return sentinel.Error()
		}
	}
	return fmt.Sprint(err)
}

// want fails the test unless err wraps the sentinel.
func want(t *testing.T, err, sentinel error) {
	t.Helper()
	if !errors.Is(err, sentinel) {
		t.Errorf("error %v, want one that is %q", err, sentinel)
	}
}

// must stops the test at an error of something that only prepares it.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// scratch is a new directory of root's with nothing in it.
func scratch(t testing.TB) (*Dir, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dir")
	must(t, os.Mkdir(path, 0o700))
	return open(t, path), path
}

func open(t testing.TB, path string) *Dir {
	t.Helper()
	d, err := OpenDir(path)
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	return d
}

func write(t testing.TB, path, content string, perm os.FileMode) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(content), perm))
	must(t, os.Chmod(path, perm))
}

func mkdir(t testing.TB, path string, perm os.FileMode) string {
	t.Helper()
	must(t, os.Mkdir(path, perm))
	must(t, os.Chmod(path, perm)) // whatever the umask is
	return path
}

// openDescriptors counts them, to see that nothing is left behind.
func openDescriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(names)
}

func asUser(cmd *exec.Cmd, uid uint32) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	return cmd
}

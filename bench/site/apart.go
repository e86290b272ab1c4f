package site

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// mark is the variable that tells a process that it has been started by Apart: the folder.
const mark = "TWOKEY_BENCH_FOLDER"

// Apart starts this program again, with a new folder below this one, as the first process of namespaces of its own for mounts and processes.
// In there it returns the folder. Out here it returns "" when all of that is over and gone: the kernel ends every process of such a namespace
// with its first, and its mounts with its last, so that nothing is left behind by a failure, or by SIGINT, SIGTERM or SIGHUP. SIGKILL alone
// leaves the folder, and nothing that runs.
func Apart(below string) (dir string, err error) {
	if dir = os.Getenv(mark); dir != "" {
		return dir, errors.Join(os.Unsetenv(mark), ownMounts())
	}
	if os.Geteuid() != 0 {
		return "", errors.New("it has to make accounts and PAM services of its own: it needs root")
	}
	if below, err = filepath.Abs(below); err != nil {
		return "", err
	}
	if dir, err = os.MkdirTemp(below, "twokey-bench-"); err != nil {
		return "", err
	}
	return "", errors.Join(again(dir), os.RemoveAll(dir))
}

// again runs this program in namespaces of its own.
func again(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ended, release := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer release()
	// The kernel sends Pdeathsig when the thread ends that has started the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	inner := exec.CommandContext(ended, self, os.Args[1:]...)
	inner.Env = append(os.Environ(), mark+"="+dir)
	inner.Stdin, inner.Stdout, inner.Stderr = os.Stdin, os.Stdout, os.Stderr
	inner.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID, Setpgid: true, Pdeathsig: unix.SIGKILL}
	err = inner.Run()
	if ended.Err() != nil {
		return fmt.Errorf("ended early: %w", context.Cause(ended))
	}
	return err
}

// ownMounts keeps what is mounted here to this namespace, and shows its processes in /proc.
func ownMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	return nil
}

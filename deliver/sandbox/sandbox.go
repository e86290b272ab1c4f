// Package sandbox takes from twokey-notify what it does not need, before it talks to strangers.
//
// Each with a test of the same name:
//
//   - MUST NOT run as root, with a group, a capability or an environment: then something has started it that did not mean to, and a fault in a
//     parser of network answers would be root's.
//   - MUST NOT leave a core, and MUST NOT be looked at by other processes of its user: it holds credentials.
//   - MUST NOT be able to start a program, to trace another process, to write to any file, or to speak to anything but the network,
//     once it is sealed. Attack: a service's answer that takes the process over.
package sandbox

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrStart says that the process was not started as it should be.
var ErrStart = errors.New("must be started by twokey, as an unprivileged user with an empty environment")

// Protect refuses a process that could do harm, and makes it one that can gain nothing. It comes first of all.
func Protect() error {
	if err := refuse(); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("setrlimit: %w", err)
	}
	// Of every thread: the runtime has several.
	if _, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); errno != 0 {
		return fmt.Errorf("prctl: %w", errno)
	}
	debug.SetTraceback("none") // a crash must not print what was in registers and arguments
	return nil
}

func refuse() error {
	if ids := []int{os.Getuid(), os.Geteuid(), os.Getgid(), os.Getegid()}; ids[0] == 0 || ids[1] == 0 || ids[2] == 0 || ids[3] == 0 {
		return fmt.Errorf("%w: this is root", ErrStart)
	}
	groups, err := os.Getgroups()
	if err != nil {
		return fmt.Errorf("getgroups: %w", err)
	}
	if slices.ContainsFunc(groups, func(gid int) bool { return gid != os.Getgid() }) {
		return fmt.Errorf("%w: it has groups", ErrStart)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return fmt.Errorf("capget: %w", err)
	}
	for _, s := range sets {
		if s.Effective|s.Permitted|s.Inheritable != 0 {
			return fmt.Errorf("%w: it has capabilities", ErrStart)
		}
	}
	if len(os.Environ()) != 0 {
		return fmt.Errorf("%w: there is an environment", ErrStart)
	}
	return nil
}

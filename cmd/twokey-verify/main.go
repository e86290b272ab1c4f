// Command twokey-verify takes one phase of one login through to its verdict. The PAM module starts it as root with a connected
// socket on descriptor 3 and an empty environment; it exits when it has said its verdict, with status 0. It opens no network
// connection.
//
// Nobody else starts it: without the socket it says so and exits.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/proc"
	"twokey/internal/syslog"
	"twokey/pamhook/wire"
)

const (
	socketFD = 3
	// The longest that a login may take, less than LoginGraceTime of sshd (120 s) and LOGIN_TIMEOUT of login (60 s), which end
	// it without a word.
	budget      = 115 * time.Second
	loginBudget = 55 * time.Second
	helloBudget = 10 * time.Second

	exitFault = 1
)

func main() {
	if err := protect(); err != nil {
		fault(err)
	}
	conn, socket, err := accept()
	if err != nil {
		fault(err)
	}
	// A person who walks away must not leave a process behind: at the deadline the run ends without a verdict, which denies.
	deadline := budget
	if conn.Hello().Service == "login" {
		deadline = loginBudget
	}
	if err := socket.SetDeadline(time.Now().Add(deadline)); err != nil {
		fault(err)
	}
	application, err := proc.Of(os.Getppid())
	if err != nil {
		fault(err)
	}
	parent, err := proc.Parent(int(application.PID))
	if err != nil {
		parent = proc.ID{} // a process without a parent that we can see, in a container of its own
	}
	verdict := host(application, parent).Run(conn)
	if err := conn.Finish(verdict.Frame(), verdict.AccountAsks()); err != nil {
		fault(err)
	}
}

// accept takes the socket from the module and reads who wants to log in.
func accept() (*wire.Conn, *os.File, error) {
	// Without this a run by hand would read whatever the runtime has opened under that number.
	domain, err := unix.GetsockoptInt(socketFD, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err == nil && domain != unix.AF_UNIX {
		err = unix.EPROTONOSUPPORT
	}
	if err == nil {
		err = unix.SetNonblock(socketFD, true)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("twokey-verify is started by the PAM module, with a socket: %w", err)
	}
	socket := os.NewFile(socketFD, "module")
	if err := socket.SetDeadline(time.Now().Add(helloBudget)); err != nil {
		return nil, nil, err
	}
	conn, err := wire.Accept(socket)
	return conn, socket, err
}

// protect keeps the keys that this process will hold to itself: no core dump, no ptrace or /proc/PID/mem by the user whose login it
// serves, and nothing of its memory in swap. Pages are locked when they are touched first, so that this costs no memory. Where
// memory cannot be locked, in a container without CAP_IPC_LOCK, the login goes on: a key that may be swapped out is the smaller
// evil than a host that nobody can log in to.
func protect() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("setrlimit: %w", err)
	}
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); err != nil {
		syslog.Send(syslog.Warning, "twokey", "the memory of a login cannot be locked and may be swapped out: mlockall: "+err.Error())
	}
	debug.SetTraceback("none") // a crash must not print what was in registers and arguments
	return nil
}

// fault ends the run without a verdict.
func fault(err error) {
	syslog.Send(syslog.Critical, "twokey", "a login is denied: "+err.Error())
	fmt.Fprintln(os.Stderr, "twokey-verify: error:", err)
	os.Exit(exitFault)
}

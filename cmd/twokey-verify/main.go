// Command twokey-verify takes one phase of one login through to its verdict. The PAM module starts it as root with a connected
// socket on descriptor 3 and an environment of its own, or systemd does, with a connection that the module has made (sd_listen_fds(3)). It
// exits when it has said its verdict, with status 0; for who is not root also when it has refused his connection without one. It opens no
// network connection.
//
// Nobody else starts it: without the socket it says so and exits.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/logindefs"
	"twokey/internal/slots"
	"twokey/internal/syslog"
	"twokey/pamhook/wire"
)

const (
	socketFD = 3
	// The longest that a phase may take: less than LoginGraceTime of sshd (120 s), which ends a login without a word; an enrolment, which is
	// in the account phase, is for those who have raised that. The module gives up later.
	budget        = 115 * time.Second
	accountBudget = 10 * time.Minute
	helloBudget   = 10 * time.Second
	// margin is by how much we end before login(1) does, and after what is said when the time is over.
	margin = 5 * time.Second

	exitFault = 1
)

func main() {
	growStack()
	if err := protect(); err != nil {
		fault(err)
	}
	if err := serve(); err != nil {
		fault(err)
	}
}

// growStack makes the stack as large as a login needs it, at once. By itself it would double six times, and all of it be copied each time.
//
//go:noinline
func growStack() byte {
	var stack [48 << 10]byte
	return stack[len(os.Args)]
}

// serve takes the connection that this process was started for through to its verdict.
func serve() error {
	them, err := peerOf(socketFD)
	if err != nil {
		return err
	}
	if err = serveFor(them); err != nil && !them.isRoot() {
		return them.refused(err)
	}
	return err
}

func serveFor(them peer) error {
	slot, err := them.enter()
	if err != nil {
		return err
	}
	conn, socket, err := accept()
	if err != nil {
		return errors.Join(err, slot.Close())
	}
	return errors.Join(talk(them, conn, socket), slot.Close())
}

func talk(them peer, conn *wire.Conn, socket *os.File) error {
	h, c, err := them.login(conn)
	if err != nil {
		return err
	}
	h.End = time.Now().Add(timeFor(c.Hello()))
	if err := limit(socket, c.Hello().Phase, h.End); err != nil {
		return err
	}
	turn, err := them.queue(c.Hello())
	if errors.Is(err, slots.ErrFull) {
		syslog.Send(syslog.Warning, "twokey", "a login is denied: "+err.Error())
		return conn.Finish(wire.TypeDeny, false) // said, or the module would start a helper of its own
	}
	if err != nil {
		return err
	}
	verdict := h.Run(c)
	return errors.Join(conn.Finish(verdict.Frame(), verdict.AccountAsks()), turn.Close())
}

// limit ends the conversation: a person who walks away must not leave a process behind. Without a verdict that denies. At an enrolment there
// is time to say so to who comes back.
func limit(socket *os.File, phase wire.Phase, end time.Time) error {
	write := end
	if phase == wire.PhaseAccount {
		write = end.Add(margin)
	}
	return errors.Join(socket.SetReadDeadline(end), socket.SetWriteDeadline(write))
}

// timeFor is how long a phase may take. login(1) counts from its own start, of which only it knows; shadow's has stopped counting when the
// account phase comes (measured, 4.13), and util-linux' ends by itself.
func timeFor(h *wire.Hello) time.Duration {
	switch {
	case h.Phase == wire.PhaseAccount:
		return accountBudget
	case h.Service != "login":
		return budget
	}
	timeout, err := logindefs.LoginTimeout()
	if err != nil {
		syslog.Send(syslog.Warning, "twokey", "how long login waits is not known: "+err.Error())
	}
	if timeout == 0 {
		return budget
	}
	return min(budget, max(timeout-margin, margin))
}

// accept reads who wants to log in.
func accept() (*wire.Conn, *os.File, error) {
	if err := unix.SetNonblock(socketFD, true); err != nil {
		return nil, nil, err
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

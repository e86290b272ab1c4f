package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"twokey/internal/slots"
	"twokey/internal/sysuser"
)

// serve-self is root's side of the socket. What it MUST hold to, each with a test of the same name:
//
//   - MUST know the peer from the kernel alone, and take nothing from his environment.
//   - MUST run nothing that roles.go does not list for him, with no flag that it does not list, before and behind "--".
//   - MUST do nothing before PAM has found that it is he, by his password and, where he has a device, a code of it; a stack that does not
//     ask for the code, or is not there, proves nothing.
//   - MUST tell nothing of a bypass code before a proof.
//   - MUST write no core of what was typed.
//   - MUST let nobody act on another, but the helpdesk; and the helpdesk neither on itself nor on uid 0 and who is protected.
//   - MUST let nobody whose device was taken away, or who is required to have one already, give himself one by the password alone.
//   - MUST change nothing for a bypass code, which lets its owner in and no more.
//   - MUST leave nothing half done when the client ends in the middle.
//   - MUST NOT give one user more than four connections at a time, nor more than ten seconds to begin.

const (
	selfSlots     = "/run/twokey/self"
	selfSlotsEach = 4
	systemdFD     = 3 // the first that systemd hands over, sd_listen_fds(3)
)

func serveSelfCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:   "serve-self",
		Hidden: true,
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			if os.Geteuid() != 0 {
				return needRoot(nameOf(c), ui.typed)
			}
			// A crash must not write keys and codes that were typed into a core file.
			if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
				return fmt.Errorf("prctl: %w", err)
			}
			conn, err := handedOver()
			if err != nil {
				return err
			}
			return errors.Join(serveSelf(conn), conn.Close())
		},
	}
}

// handedOver is the connection that systemd (Accept=yes) has given us: as descriptor 3, or, with StandardInput=socket, as 0.
func handedOver() (*net.UnixConn, error) {
	fd := 0
	if os.Getenv("LISTEN_FDS") == "1" && os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) {
		fd = systemdFD
	}
	os.Clearenv() // of whatever started us: nothing in it is for what we do
	if err := os.Setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"); err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "connection")
	conn, err := net.FileConn(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, badUsage("serve-self is started by systemd, with a connection: %v", err)
	}
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(badUsage("serve-self is started by systemd, with a connection to a Unix socket"), conn.Close())
	}
	return unixConn, nil
}

// serveSelf does what one client wishes.
func serveSelf(conn *net.UnixConn) error {
	uid, err := peerOf(conn)
	if err != nil {
		return err
	}
	if uid == 0 {
		return refuseConnection(conn, "root needs no socket")
	}
	slot, err := slots.Take(selfSlots, uid, selfSlotsEach)
	if errors.Is(err, slots.ErrFull) {
		return refuseConnection(conn, fmt.Sprintf("more than %d connections at a time: end another twokey first", selfSlotsEach))
	}
	if err != nil {
		return err
	}
	account, err := accountOf(uid)
	if err != nil {
		err = errors.Join(err, refuseConnection(conn, "your account is not known on this host, or has two names"))
	} else {
		err = serveAccount(conn, account)
	}
	return errors.Join(err, slot.Close())
}

// accountOf is the account of a user id, which must be the one that its name leads to.
func accountOf(uid uint32) (sysuser.Account, error) {
	account, err := sysuser.LookupID(uid)
	if err != nil {
		return account, err
	}
	byName, err := sysuser.Lookup(account.Name)
	if err == nil && byName.UID != uid {
		err = fmt.Errorf("user id %d is called %q, which is the user id %d", uid, account.Name, byName.UID)
	}
	return account, err
}

// refuseConnection tells why, without having read anything.
func refuseConnection(conn net.Conn, why string) error {
	if err := conn.SetWriteDeadline(time.Now().Add(selfFirst)); err != nil {
		return err
	}
	if err := tell(conn, selfMessage{Kind: selfErr, Text: "twokey: error: " + why + "\n"}); err != nil {
		return err
	}
	return tell(conn, selfMessage{Kind: selfExit, Status: exitFailed})
}

// serveAccount runs the command line that the client sends, as if it had been typed here, behind the gate.
func serveAccount(conn net.Conn, account sysuser.Account) error {
	r, err := newRemote(conn)
	if errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) {
		return nil // he thought better of it
	}
	if err != nil {
		return fmt.Errorf("user %d: %w", account.UID, err)
	}
	far := &ui{in: &input{remote: r}, out: r.writer(selfOut), err: r.writer(selfErr), typed: r.request.Argv,
		peer: &actor{account: account, socket: true}}
	far.gate = func(c *cli.Context) error { return passGate(c, far) }
	app := newApp(far)
	status := far.finish(app.Run(permute(app, append([]string{app.Name}, r.request.Argv...))))
	if err := r.exit(status); err != nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
		return err
	}
	return nil
}

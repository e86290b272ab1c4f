package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

// selfSocket is where systemd listens for serve-self.
const selfSocket = "/run/twokey/self.sock"

// relayed is the end of a command that the other side of the socket has done, and all of whose words have been shown.
type relayed struct{ status int }

// Error is for nobody to see.
func (r *relayed) Error() string { return fmt.Sprintf("done by socket, exit status %d", r.status) }

// relay has a command done by the root side of the socket, for somebody who is not root. It always returns an error, which ends the
// command here.
func relay(c *cli.Context, ui *ui) error {
	permission, listed := permissions()[nameOf(c)]
	if !listed {
		return needRoot(nameOf(c), ui.typed)
	}
	file, err := ownPicture(c, permission, ui)
	if err != nil {
		return err
	}
	err = relayWith(c, ui, permission, file)
	return errors.Join(err, file.end(err))
}

func relayWith(c *cli.Context, ui *ui, p permission, file *ownFile) error {
	if err := p.checkFlags(c, ui.typed); err != nil {
		return err
	}
	conn, err := dialSelf(selfSocket)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED) {
		return needRoot(nameOf(c), ui.typed).hint("%s; or let users do it themselves: systemctl enable --now twokey-self.socket", asRoot(ui.typed))
	}
	if err != nil {
		return err
	}
	status, err := ui.speak(conn, file)
	if err := errors.Join(err, conn.Close()); err != nil {
		return err
	}
	return &relayed{status}
}

// dialSelf connects to root.
//
// Attack: /run/twokey is somebody else's, who asks for the password in our place.
func dialSelf(path string) (*net.UnixConn, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	peer, err := peerOf(conn)
	if err == nil && peer != 0 {
		err = fmt.Errorf("%s is not root's, but that of the user %d", path, peer)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// peerOf is the user at the other end of a connection, as the kernel knows him; of who listens, the one who began to.
func peerOf(conn *net.UnixConn) (uid uint32, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *unix.Ucred
	controlErr := raw.Control(func(fd uintptr) { peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err := errors.Join(controlErr, err); err != nil {
		return 0, err
	}
	return peer.Uid, nil
}

// speak says what is wished, shows what comes, and answers questions, until the other side tells the exit status. File is where the QR code
// is drawn, nil for nowhere.
func (u *ui) speak(conn io.ReadWriter, file *ownFile) (status int, err error) {
	columns, _ := u.width()
	wish := selfRequest{selfVersion, file.argv(u.typed), min(columns, selfMaxColumns), u.in.terminal(), u.utf8()}
	if err := tell(conn, wish); err != nil {
		return 0, err
	}
	from := selfReader(conn)
	for {
		m, err := readSelf[selfMessage](from)
		if errors.Is(err, io.EOF) {
			return 0, failed("the root side of twokey ended in the middle").hint("root can see why: journalctl -t twokey")
		}
		if err != nil {
			return 0, err
		}
		switch m.Kind {
		case selfExit:
			return m.Status, nil
		case selfAddress:
			if err := file.draw(u, m.Text); err != nil {
				return 0, err
			}
		case pamShown, pamHidden:
			if err := tell(conn, u.replyTo(m)); err != nil {
				return 0, err
			}
		default:
			u.pass(m)
		}
	}
}

// replyTo puts a question of the other side.
func (u *ui) replyTo(m *selfMessage) selfAnswer {
	answer, err := u.ask(visibleText(m.Text), m.Kind == pamHidden)
	switch {
	case errors.Is(err, errInterrupted):
		return selfAnswer{Kind: selfInterrupted}
	case err != nil:
		return selfAnswer{Kind: selfNone}
	case !utf8.ValidString(answer):
		u.warn("what was typed is no UTF-8")
		return selfAnswer{Kind: selfNone}
	}
	return selfAnswer{selfAnswered, answer}
}

func tell[V selfValue](to io.Writer, v V) error {
	line, err := encodeSelf(v)
	if err != nil {
		return err
	}
	_, err = to.Write(line)
	return err
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/localfiles"
	"twokey/internal/proc"
	"twokey/internal/slots"
	"twokey/internal/syslog"
	"twokey/pamhook"
	"twokey/pamhook/wire"
	"twokey/policy/inforce"
)

// Who is at the other end of the socket, the kernel says and nothing else (SO_PEERCRED, unix(7)): the process that made the pair or the
// connection, as it was then. That is the application in which the module runs, whether the module has started this helper or systemd.
//
// An application that runs as root is believed what it says of the login: it could as well let in without asking. One that runs as a user,
// such as a screen locker, or whatever else he starts, MUST
//
//   - have the answers looked at for himself alone: for the account of his user id, and nobody else's name;
//   - be believed nothing else: neither service, source, terminal, SSH method, group, home folder or shell, nor a configuration of his own,
//     nor that a password was right;
//   - have the authenticate phase only, and leave nothing behind that opens anything else (pamhook, Host.Own);
//   - have four helpers at a time at the most, and ten seconds to say who he is.

// ownService is the service of every login in a process of the user's own, whatever PAM calls it there.
const ownService = "twokey-verify-sock"

// believed are the flags of HELLO that can only make an answer stricter, or less be said.
const believed = wire.FlagDecoy | wire.FlagSilent | wire.FlagDebug | wire.FlagItemTooLong

// The folders in which connections are counted, and how many a user may have at a time. Who calls many programs that are setuid root
// waits for his turn: most of them ask nothing.
const (
	ownSlots     = "/run/twokey/verify"
	ownSlotsEach = 4

	refusedEvery = time.Minute

	callerSlots     = "/run/twokey/root"
	callerSlotsEach = 32
	callerPatience  = 5 * time.Second
	callerStep      = 50 * time.Millisecond
)

var errPhase = errors.New("an application that is not root has nothing to ask but in authenticate")

// peer is the process at the other end.
type peer struct {
	pid int
	uid uint32
}

// peerOf asks the kernel. Without the check of the domain a run by hand would take whatever the runtime has opened under that number.
func peerOf(fd int) (peer, error) {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err == nil && domain != unix.AF_UNIX {
		err = unix.EPROTONOSUPPORT
	}
	if err != nil {
		return peer{}, fmt.Errorf("twokey-verify is started by the PAM module, with a socket: %w", err)
	}
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return peer{}, fmt.Errorf("who is at the other end of the socket is not known: %w", err)
	}
	return peer{int(cred.Pid), cred.Uid}, nil
}

// isRoot reports whether the application is believed.
func (p peer) isRoot() bool { return p.uid == 0 }

// startedUs reports whether the module has started this process itself.
func (p peer) startedUs() bool { return p.pid == os.Getppid() }

// enter takes one of the user's slots before anything is read. Root needs none.
func (p peer) enter() (slot, error) {
	if p.isRoot() {
		return slot{}, nil
	}
	f, err := slots.Take(ownSlots, p.uid, ownSlotsEach)
	return slot{f}, err
}

// refused says of a connection of somebody who is not root why it got no verdict, once a minute for each user. No more is said, and the end is
// a good one, of which systemd says nothing: whoever wants to can be refused as often as he likes.
func (p peer) refused(reason error) error {
	due, err := slots.Due(ownSlots, p.uid, refusedEvery)
	if due {
		syslog.Send(syslog.Warning, "twokey", fmt.Sprintf("a connection of uid %d is refused: %v", p.uid, reason))
	}
	return err
}

// queue takes one of the slots of the user who has called a program that is setuid root, and waits for one.
//
// Attack: start su a thousand times, and let nobody else have a helper.
func (p peer) queue(h *wire.Hello) (slot, error) {
	if !p.isRoot() || p.startedUs() || h.CallerUID == 0 {
		return slot{}, nil
	}
	for end := time.Now().Add(callerPatience); ; time.Sleep(callerStep) {
		f, err := slots.Take(callerSlots, h.CallerUID, callerSlotsEach)
		if !errors.Is(err, slots.ErrFull) || !time.Now().Before(end) {
			return slot{f}, err
		}
	}
}

// slot may be none.
type slot struct{ file *os.File }

// Close gives the slot back.
func (s slot) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// login is the host and the conversation of one login by this peer.
func (p peer) login(conn *wire.Conn) (*pamhook.Host, pamhook.Conversation, error) {
	application, parent, err := proc.WithParent(p.pid)
	if err != nil {
		return nil, nil, fmt.Errorf("the application has gone: %w", err)
	}
	self, err := proc.Self()
	if err != nil {
		return nil, nil, err
	}
	h := host(application, parent, self)
	if p.isRoot() {
		return h, conn, nil
	}
	if conn.Hello().Phase != wire.PhaseAuthenticate {
		return nil, nil, errPhase
	}
	policy, problem := h.Policy(inforce.DefaultConfig)
	h.Policy = func(string) (*inforce.Policy, error) { return policy, problem } // what has changed in it is told once
	h.Own = true
	who := person{}
	if problem == nil {
		if who, err = p.account(conn.Hello().Name, h, policy); err != nil {
			return nil, nil, err
		}
	}
	return h, &ownConversation{Conn: conn, person: who, hello: p.heard(conn.Hello(), who)}, nil
}

// person is an account, of which we know it from somebody else than its own process.
type person struct {
	localfiles.Account
	known bool // there is one of this name and user id
	local bool // it is in /etc/passwd
}

// account checks that a name is the peer's own: /etc/passwd says so, or, of an account in a directory, what was written down when it was
// enrolled. Any other name is nobody's.
func (p peer) account(name string, h *pamhook.Host, policy *inforce.Policy) (person, error) {
	local, found, err := localfiles.Find(name)
	if err != nil {
		return person{}, err
	}
	if found && local.UID == p.uid {
		return person{local, true, true}, nil
	}
	if found {
		return person{}, nil
	}
	states, err := h.State(policy)
	if err != nil {
		return person{}, err
	}
	owner, err := states.NameOf(p.uid)
	if errors.Is(err, fs.ErrNotExist) {
		return person{}, nil
	}
	return person{Account: localfiles.Account{Name: name, UID: p.uid}, known: err == nil && owner == name}, err
}

// heard is HELLO without what is not believed.
func (p peer) heard(said *wire.Hello, who person) *wire.Hello {
	h := &wire.Hello{Version: said.Version, Nonce: said.Nonce, Phase: said.Phase, Flags: said.Flags & believed, User: said.User,
		Service: ownService, CallerUID: p.uid}
	if who.known {
		h.Name, h.UID, h.GIDs, h.Shell = who.Name, p.uid, []uint32{who.GID}, who.Shell
	}
	return h
}

// ownConversation is one with a process of the user's own: the answers are his, all else comes from elsewhere.
type ownConversation struct {
	*wire.Conn
	person
	hello *wire.Hello
}

// Hello is the greeting without what is not believed.
func (c *ownConversation) Hello() *wire.Hello { return c.hello }

// LookupGroup looks into /etc/group. What a directory may know is not known here: then the policy takes the strictest.
func (c *ownConversation) LookupGroup(name string) (wire.Membership, error) {
	if !c.local {
		return wire.LookupFailed, nil
	}
	member, found, err := c.InGroup(name)
	switch {
	case err != nil:
		return wire.LookupFailed, err
	case !found:
		return wire.LookupFailed, nil
	case member:
		return wire.Member, nil
	}
	return wire.NotMember, nil
}

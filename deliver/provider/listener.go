package provider

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"twokey/deliver"
)

// Who listens behind http on this host must be somebody who has it in hand anyway: root, a user of the system, or one that systemd has made
// for a service (systemd.exec(5), DynamicUser).
//
// Attack: the service is down, or has not begun yet, and any user of the host listens at its port: he gets the token, and answers for the phone.
const (
	firstPerson  = 1000  // UID_MIN of login.defs(5), as it comes
	firstDynamic = 61184 // systemd's, https://systemd.io/UIDS-GIDS
	lastDynamic  = 65519
)

// The tables of the kernel, proc_net_tcp(5). Who listens stands before all else in them.
const (
	tableOfIPv4  = "/proc/self/net/tcp"
	tableOfIPv6  = "/proc/self/net/tcp6"
	stateListens = "0A"
)

// socket is one that listens, or an end of a connection.
type socket struct {
	at, with netip.AddrPort
	uid      int // 0 also where the connection was not accepted yet
}

// ofTheHost is nil when a connection to this host has come to somebody who may have it: first all who listen, then who has its other end.
//
// Attack: accept the connection and leave the port to the service, which comes back at that moment and is found there. Whoever has not
// accepted it yet still listens.
func ofTheHost(conn net.Conn) error {
	to, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return err
	}
	from, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return err
	}
	listeners, err := readTables(true)
	if err == nil {
		err = judge(to, nearest(to, listeners))
	}
	if err != nil {
		return err
	}
	connections, err := readTables(false)
	if err != nil {
		return err
	}
	return judge(to, between(to, from, connections))
}

// judge looks at those who can have got a connection.
func judge(to netip.AddrPort, those []socket) error {
	for _, s := range those {
		if s.uid >= firstPerson && (s.uid < firstDynamic || s.uid > lastDynamic) {
			return &failure{
				problem: deliver.ProblemRefused, detail: fmt.Sprintf("port %d of this host belongs to the user id %d, who is none of the system: nothing was sent", to.Port(), s.uid),
				advice: "let the service run as a system user, or use its https address",
			}
		}
	}
	if len(those) == 0 {
		return &failure{problem: deliver.ProblemUnreachable, detail: fmt.Sprintf("nobody on this host listens at port %d any more", to.Port()), advice: "see whether the service runs on this host itself, or use its https address"}
	}
	return nil
}

// between are the ends of a connection that are not ours.
func between(at, with netip.AddrPort, all []socket) []socket {
	var found []socket
	for _, s := range all {
		if same(s.at, at) && same(s.with, with) {
			found = append(found, s)
		}
	}
	return found
}

// same compares as IPv4 what a socket of IPv6 has of IPv4.
func same(a, b netip.AddrPort) bool {
	return a.Port() == b.Port() && a.Addr().Unmap() == b.Addr().Unmap()
}

// nearest are the listeners of which the kernel has taken one: those of the very address come before those of all addresses, and of these
// the ones of IPv4 for IPv4 before those for both.
func nearest(to netip.AddrPort, all []socket) []socket {
	address := to.Addr().Unmap()
	for _, is := range []func(netip.Addr) bool{
		func(a netip.Addr) bool { return a.Unmap() == address },
		func(a netip.Addr) bool { return a == netip.IPv4Unspecified() && address.Is4() },
		func(a netip.Addr) bool { return a == netip.IPv6Unspecified() },
	} {
		var found []socket
		for _, l := range all {
			if l.at.Port() == to.Port() && is(l.at.Addr()) {
				found = append(found, l)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// readTables reads who listens, or all.
func readTables(listening bool) ([]socket, error) {
	var all []socket
	for _, table := range []string{tableOfIPv4, tableOfIPv6} {
		sockets, err := readTable(table, listening)
		if err != nil {
			return nil, &failure{problem: deliver.ProblemRefused, detail: "who listens at the service's port cannot be found out: " + err.Error()}
		}
		all = append(all, sockets...)
	}
	return all, nil
}

// readTable reads a table; without IPv6 there is none of it.
func readTable(name string, listening bool) ([]socket, error) {
	file, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) && name == tableOfIPv6 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return parseTable(file, listening)
}

var errTable = errors.New("the table of sockets is not as proc_net_tcp(5) says")

// parseTable reads a table, or, for who listens, up to the first socket that does not.
func parseTable(table io.Reader, listening bool) ([]socket, error) {
	var all []socket
	lines := bufio.NewScanner(table)
	for first := true; lines.Scan(); first = false {
		fields := strings.Fields(lines.Text())
		switch {
		case first:
			continue // the heads of the columns
		case len(fields) < 8:
			return nil, errTable
		case listening && fields[3] != stateListens:
			return all, nil
		}
		at, err := parseAddress(fields[1])
		with, errWith := parseAddress(fields[2])
		uid, errUID := strconv.ParseUint(fields[7], 10, 32)
		if err != nil || errWith != nil || errUID != nil {
			return nil, errTable
		}
		all = append(all, socket{at, with, int(uid)})
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return all, nil
}

// parseAddress reads an address: words of 32 bits as this machine has them, a colon, and the port, in hexadecimal digits.
func parseAddress(text string) (netip.AddrPort, error) {
	words, number, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(words)
	port, errPort := strconv.ParseUint(number, 16, 16)
	if err != nil || errPort != nil || len(b) != 4 && len(b) != 16 {
		return netip.AddrPort{}, errTable
	}
	for word := b; len(word) > 0; word = word[4:] {
		binary.BigEndian.PutUint32(word, binary.NativeEndian.Uint32(word))
	}
	address, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(address, uint16(port)), nil
}

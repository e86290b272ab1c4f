package pamhook

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"twokey/internal/proc"
	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/state"
)

// sourceOf says where an attempt comes from, for the throttle: the client's IPv4 address, the /64 of its IPv6 address (a single
// customer has that many addresses to change between), "local:" and the user id of who started the application, and for root,
// who starts login and getty for everybody, "tty:" and the terminal. A host name is hashed: it is as long as its owner likes.
func sourceOf(h *wire.Hello) string {
	if h.RHost == "" {
		if h.CallerUID == 0 {
			return "tty:" + short(h.TTY)
		}
		return fmt.Sprintf("local:%d", h.CallerUID)
	}
	addr, err := netip.ParseAddr(h.RHost)
	if err != nil {
		return "host:" + digest(h.RHost)
	}
	addr = addr.Unmap()
	if addr.Is4() {
		return addr.String()
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return "host:" + digest(h.RHost)
	}
	return prefix.String()
}

// placeOf says where a login comes from, to know it again. It is the source, but of an address all of it: who has another address of the
// same /64 may be somebody else.
func placeOf(h *wire.Hello) string {
	addr, err := netip.ParseAddr(h.RHost)
	if err != nil {
		return sourceOf(h)
	}
	return addr.Unmap().String()
}

// isOnePlace reports whether a place can be one place or one person. A server that runs as root and names no client is everybody, and so is
// one that runs as a user and logs others in.
func isOnePlace(h *wire.Hello) bool {
	addr, err := netip.ParseAddr(h.RHost)
	switch {
	case err == nil:
		// Whoever is on the same link takes the address that he likes; 0.0.0.0 and :: are what some servers say when they know none.
		return !addr.Unmap().IsLinkLocalUnicast() && !addr.IsUnspecified()
	case h.RHost != "":
		return h.RHost != "UNKNOWN" && !strings.EqualFold(strings.TrimSuffix(h.RHost, "."), "localhost") // the first is sshd's word
	case h.CallerUID == 0:
		return sitsAtConsole(h)
	}
	return h.CallerUID == h.UID
}

// sitsAtConsole reports whether the user sits at the machine. What terminal PAM_TTY names is true only where the application's caller has no
// say in it: login and getty, which root starts.
//
// Attack: over ssh, on "su </dev/ttyS0", which members of the group dialout may open: su and sudo name the terminal of their standard
// input, and so does every other program that its own user starts.
func sitsAtConsole(h *wire.Hello) bool {
	return h.CallerUID == 0 && !policy.ActsForAnother(h.Service) && policy.IsConsole(h.RHost, h.TTY)
}

// short keeps a terminal's name as it is when it is one, and hashes what a caller made up.
func short(tty string) string {
	if len(tty) > 24 {
		return digest(tty)
	}
	for _, c := range []byte(tty) {
		if c <= ' ' || c > '~' {
			return digest(tty)
		}
	}
	return tty
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:12])
}

// connectionOf is the same for all attempts of one connection: the client's address and port where the module found its socket
// (sshd asks each time in a new child), else the application's process. The client's address always belongs to it: in a server
// that serves everybody in one process, the owner's success must not give an attacker his attempts back.
func connectionOf(h *wire.Hello, application proc.ID) (id state.ID) {
	text := fmt.Sprintf("client %q", h.Client)
	if h.Client == "" {
		text = fmt.Sprintf("process %d %d from %q", application.PID, application.Start, h.RHost)
	}
	sum := sha256.Sum256([]byte(text))
	copy(id[:], sum[:])
	return id
}

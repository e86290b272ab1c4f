package pamhook

import (
	"strings"
	"testing"

	"twokey/internal/proc"
	"twokey/pamhook/wire"
	"twokey/policy"
)

func TestSources(t *testing.T) {
	for _, c := range []struct {
		why  string
		a, b wire.Hello
		same bool
	}{
		{"one IPv4 address", wire.Hello{RHost: "192.0.2.7"}, wire.Hello{RHost: "192.0.2.7", TTY: "ssh"}, true},
		{"two IPv4 addresses", wire.Hello{RHost: "192.0.2.7"}, wire.Hello{RHost: "192.0.2.8"}, false},
		{"an IPv4 address in IPv6 spelling", wire.Hello{RHost: "192.0.2.7"}, wire.Hello{RHost: "::ffff:192.0.2.7"}, true},
		{"the same in another spelling", wire.Hello{RHost: "192.0.2.7"}, wire.Hello{RHost: "::ffff:c000:207"}, true},
		{"one /64", wire.Hello{RHost: "2001:db8::1"}, wire.Hello{RHost: "2001:db8::ffff:ffff:ffff:ffff"}, true},
		{"two /64", wire.Hello{RHost: "2001:db8::1"}, wire.Hello{RHost: "2001:db8:0:1::1"}, false},
		{"an IPv6 address with a zone", wire.Hello{RHost: "fe80::1%eth0"}, wire.Hello{RHost: "fe80::1%eth1"}, true},
		{"an IPv6 address with a zone that is long", wire.Hello{RHost: "fe80::1%" + strings.Repeat("x", 9999)}, wire.Hello{RHost: "fe80::1"}, true},
		{"an IPv4 address with a zone, which is none", wire.Hello{RHost: "192.0.2.7%eth0"}, wire.Hello{RHost: "192.0.2.7"}, false},
		{"an IPv4 address with zeros before it, which is none", wire.Hello{RHost: "192.0.2.007"}, wire.Hello{RHost: "192.0.2.7"}, false},
		{"two host names", wire.Hello{RHost: "a.example.org"}, wire.Hello{RHost: "b.example.org"}, false},
		{"a host name that is like a local user", wire.Hello{RHost: "local:1000"}, wire.Hello{CallerUID: 1000}, false},
		{"a host name that is like a terminal", wire.Hello{RHost: "tty:tty1"}, wire.Hello{TTY: "tty1"}, false},
		{"a host name that is like a hashed one", wire.Hello{RHost: "host:" + digest("a")}, wire.Hello{RHost: "a"}, false},
		{"two long host names that begin alike", wire.Hello{RHost: strings.Repeat("x", 999) + "1"}, wire.Hello{RHost: strings.Repeat("x", 999) + "2"}, false},
		{"one local user on two terminals", wire.Hello{CallerUID: 1000, TTY: "/dev/pts/1"}, wire.Hello{CallerUID: 1000, TTY: "/dev/pts/2"}, true},
		{"two local users", wire.Hello{CallerUID: 1000}, wire.Hello{CallerUID: 1001}, false},
		{"a local user is not root", wire.Hello{CallerUID: 1000, TTY: "tty1"}, wire.Hello{TTY: "tty1"}, false},
		{"two terminals of root", wire.Hello{TTY: "tty1"}, wire.Hello{TTY: "tty2"}, false},
		{"two terminals with long names", wire.Hello{TTY: strings.Repeat("t", 99) + "1"}, wire.Hello{TTY: strings.Repeat("t", 99) + "2"}, false},
		{"two terminals with unprintable names", wire.Hello{TTY: "\x01"}, wire.Hello{TTY: "\x02"}, false},
	} {
		a, b := sourceOf(&c.a), sourceOf(&c.b)
		if (a == b) != c.same {
			t.Errorf("%s: %q and %q", c.why, a, b)
		}
		for _, source := range []string{a, b} {
			if len(source) > 32 || strings.ContainsFunc(source, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("%s: %q does not fit into a state", c.why, source)
			}
		}
	}
}

// Attack: from ssh, su with /dev/ttyS0 for its input, to be exempt, remembered or forgiven as somebody in the server room.
func TestTheConsoleIsNotTheCallersChoice(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		hello wire.Hello
		at    bool
	}{
		"login on a console":                     {wire.Hello{Service: "login", TTY: "/dev/tty1"}, true},
		"login on a serial line":                 {wire.Hello{Service: "login", TTY: "ttyS0"}, true},
		"login in a window":                      {wire.Hello{Service: "login", TTY: "pts/1"}, false},
		"login for a client":                     {wire.Hello{Service: "login", TTY: "tty1", RHost: atHome}, false},
		"su, started by somebody":                {wire.Hello{Service: "su", TTY: "/dev/ttyS0", CallerUID: 33}, false},
		"su, started by root":                    {wire.Hello{Service: "su", TTY: "/dev/ttyS0"}, false},
		"sudo, started by root":                  {wire.Hello{Service: "sudo", TTY: "tty1"}, false},
		"a setuid program that nobody knows":     {wire.Hello{Service: "opie", TTY: "tty1", CallerUID: 33}, false},
		"a screen locker, which its user starts": {wire.Hello{Service: "vlock", TTY: "tty1", CallerUID: aliceUID}, false},
	} {
		w.reset()
		w.policy.Rules = []policy.Rule{{Name: "server room", TTY: []string{"console"}, Then: policy.Exempt}}
		c.hello.Phase, c.hello.User, c.hello.Name, c.hello.UID = w.hello.Phase, "alice", "alice", aliceUID
		w.hello = c.hello
		if got := w.frame(); (got == ignores) != c.at || sitsAtConsole(&c.hello) != c.at {
			t.Errorf("%s: %#x, at the console %v", name, got, sitsAtConsole(&c.hello))
		}
	}
}

func TestConnections(t *testing.T) {
	p, q := proc.ID{PID: 10, Start: 1}, proc.ID{PID: 10, Start: 2}
	for _, c := range []struct {
		why  string
		a, b wire.Hello
		p, q proc.ID
		same bool
	}{
		{"one client in two children of sshd", wire.Hello{Client: "192.0.2.7:1"}, wire.Hello{Client: "192.0.2.7:1"}, p, q, true},
		{"two ports of one client", wire.Hello{Client: "192.0.2.7:1"}, wire.Hello{Client: "192.0.2.7:2"}, p, p, false},
		{"one process without a client", wire.Hello{}, wire.Hello{}, p, p, true},
		{"two processes of one number", wire.Hello{}, wire.Hello{}, p, q, false},
		{"two clients of one process", wire.Hello{RHost: "192.0.2.7"}, wire.Hello{RHost: "192.0.2.8"}, p, p, false},
		{"a client that is named like a process", wire.Hello{Client: `process 10 1 from ""`}, wire.Hello{}, p, p, false},
		{"a remote host that continues the text", wire.Hello{RHost: `a" from "b`}, wire.Hello{RHost: "a"}, p, p, false},
	} {
		if same := connectionOf(&c.a, c.p) == connectionOf(&c.b, c.q); same != c.same {
			t.Errorf("%s: the same %v", c.why, same)
		}
	}
}

package moduletest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// connection is a client of the application: its own end, and the application's.
type connection struct {
	client *net.TCPConn
	server *os.File
	from   netip.AddrPort // the client's address as the application's socket has it
}

// connect makes a TCP connection to a listener on an address of the loopback, from the same address.
func connect(t *testing.T, network, listen string) connection {
	t.Helper()
	l, err := net.Listen(network, net.JoinHostPort(listen, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	to := listen
	if listen == "::" {
		to = "127.0.0.1" // an IPv4 client of an IPv6 socket: the peer's address is ::ffff:127.0.0.1
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(to)}}
	client, err := dialer.Dial("tcp", net.JoinHostPort(to, port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	server, err := accepted.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return connection{client.(*net.TCPConn), server, client.LocalAddr().(*net.TCPAddr).AddrPort()}
}

func TestClientIsFoundByItsAddress(t *testing.T) {
	v4, v6, mapped := connect(t, "tcp4", "127.0.0.1"), connect(t, "tcp6", "::1"), connect(t, "tcp", "::")
	other, far := connect(t, "tcp4", "127.0.0.1"), connect(t, "tcp4", "127.0.0.2")
	for name, c := range map[string]struct {
		rhost string
		files []*os.File
		want  string
	}{
		"IPv4":                             {"127.0.0.1", []*os.File{v4.server}, v4.from.String()},
		"IPv6":                             {"::1", []*os.File{v6.server}, v6.from.String()},
		"IPv4 on an IPv6 socket":           {"127.0.0.1", []*os.File{mapped.server}, mapped.from.String()},
		"a mapped address in PAM_RHOST":    {"::ffff:127.0.0.1", []*os.File{v4.server}, v4.from.String()},
		"mapped on both sides":             {"::FFFF:127.0.0.1", []*os.File{mapped.server}, mapped.from.String()},
		"several descriptors of one":       {"127.0.0.1", []*os.File{v4.server, v4.server, v4.server}, v4.from.String()},
		"among others":                     {"::1", []*os.File{v4.server, v6.server, far.server}, v6.from.String()},
		"two clients of one address":       {"127.0.0.1", []*os.File{v4.server, other.server}, ""},
		"two clients, one of them twice":   {"127.0.0.1", []*os.File{v4.server, other.server, v4.server}, ""},
		"only another client":              {"127.0.0.1", []*os.File{v6.server}, ""},
		"a host name in PAM_RHOST":         {"localhost", []*os.File{v4.server}, ""},
		"no PAM_RHOST":                     {"", []*os.File{v4.server}, ""},
		"the beginning of an address":      {"127.0.0", []*os.File{v4.server}, ""},
		"an address and more":              {"127.0.0.1 ", []*os.File{v4.server}, ""},
		"no socket at all":                 {"127.0.0.1", nil, ""},
		"a mapped prefix without anything": {"::ffff:", []*os.File{v4.server}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, k := range []kit{plain(t), sanitized(t)} {
				var options []string
				if c.rhost != "" {
					options = []string{"-i", "rhost=" + c.rhost}
				}
				o := try{kit: k, helper: "allow", files: c.files, options: options}.run(t)
				o.expect(success)
				if got := o.hello().Client; got != c.want {
					t.Errorf("client %q, want %q", got, c.want)
				}
			}
		})
	}
}

// Where fewer descriptors are allowed than are looked at, each is tried.
func TestClientIsFoundWhereFewDescriptorsAreAllowed(t *testing.T) {
	c := connect(t, "tcp4", "127.0.0.1")
	for _, k := range []kit{plain(t), sanitized(t)} {
		o := try{
			kit: k, helper: "allow", files: []*os.File{c.server}, options: []string{"-i", "rhost=127.0.0.1"}, under: []string{"prlimit", "--nofile=64:64"},
		}.run(t)
		o.expect(success)
		if got, want := o.hello().Client, c.from.String(); got != want {
			t.Errorf("client %q, want %q", got, want)
		}
	}
}

// waiting starts a login over the connection with a helper that waits for 90 s.
func waiting(t *testing.T, c connection, helper string) *running {
	t.Helper()
	r := try{
		kit: plain(t), helper: helper, files: []*os.File{c.server, c.server}, answers: []string{"@wait"},
		options: []string{"-i", "rhost=127.0.0.1"},
	}.start(t)
	r.helperPID()
	return r
}

// asks waits until the application stands in its conversation and reads its standard input (proc(5), /proc/PID/syscall).
func (r *running) asks() {
	r.t.Helper()
	reading := fmt.Sprintf("%d 0x0 ", unix.SYS_READ)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		call, err := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", r.cmd.Process.Pid))
		r.must(err)
		if strings.HasPrefix(string(call), reading) {
			return
		}
	}
	r.t.Fatal("the application asks nothing")
}

// TestClientThatLeavesEndsTheLogin: sshd does not notice while the helper waits. Without the module's own look at the socket it
// takes the 90 s for which the helper asked, and the test is over before.
func TestClientThatLeavesEndsTheLogin(t *testing.T) {
	for name, leave := range map[string]func(*net.TCPConn) error{
		"it closes its connection": (*net.TCPConn).Close,
		"it ends its half":         (*net.TCPConn).CloseWrite,
		"it resets the connection": func(c *net.TCPConn) error {
			if err := c.SetLinger(0); err != nil {
				return err
			}
			return c.Close()
		},
		"it closes with data unread by the application": func(c *net.TCPConn) error {
			if _, err := io.WriteString(c, "more"); err != nil {
				return err
			}
			return c.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := connect(t, "tcp4", "127.0.0.1")
			r := waiting(t, c, "wait-stay")
			if err := leave(c.client); err != nil {
				t.Fatal(err)
			}
			o := r.wait()
			o.expect(authErr)
			o.expectLog("the client has gone")
		})
	}
}

// TestClientThatLeavesDuringThePrompt: the helper is told, and may write that down.
func TestClientThatLeavesDuringThePrompt(t *testing.T) {
	c := connect(t, "tcp4", "127.0.0.1")
	r := waiting(t, c, "prompt-allow")
	r.asks()
	if err := c.client.Close(); err != nil {
		t.Fatal(err)
	}
	// The application gives up its conversation, as sshd does, when its own socket says that the client has gone.
	if _, err := bufio.NewReader(c.server).ReadByte(); err != io.EOF {
		t.Fatal(err)
	}
	r.closeStdin()
	o := r.wait()
	o.expect(authErr)
	if !strings.Contains(o.seen, "no answer: 5\n") {
		t.Errorf("the helper saw %q", o.seen)
	}
}

// TestClientThatStaysIsNoReasonToEnd: data from the client and the end of another client are none.
func TestClientThatStaysIsNoReasonToEnd(t *testing.T) {
	t.Parallel()
	c, other := connect(t, "tcp4", "127.0.0.1"), connect(t, "tcp4", "127.0.0.2")
	r := try{
		kit: plain(t), helper: "slow", files: []*os.File{c.server, other.server}, options: []string{"-i", "rhost=127.0.0.1"},
	}.start(t)
	r.helperPID()
	if _, err := io.WriteString(c.client, "typed ahead"); err != nil {
		t.Fatal(err)
	}
	if err := other.client.Close(); err != nil {
		t.Fatal(err)
	}
	o := r.wait()
	o.expect(success)
	if got := o.hello().Client; got != c.from.String() {
		t.Errorf("client %q, want %q", got, c.from)
	}
}

package provider

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"twokey/deliver"
)

// MUST speak http only to who listens as root or a user of the system.
func TestHTTPGoesToNoUserOfTheHost(t *testing.T) {
	asked := 0
	count := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(`{"healthy":true}`))
	})
	for uid, may := range map[int]bool{23456: false, 0: true, 998: true, 61184: true} {
		var s *httptest.Server
		asUser(t, uid, func() { s = httptest.NewServer(count) })
		asked = 0
		got := Run(ctxFor(t), accountOf(s.URL), nil)
		s.Close()
		checkClean(t, accountOf(s.URL), got)
		refused := got.Problem == deliver.ProblemRefused && strings.Contains(got.Detail, fmt.Sprintf("user id %d,", uid))
		if refused == may || may != (asked > 0) {
			t.Errorf("of %d: %+v, asked %d times", uid, got, asked)
		}
	}
}

// asUser does something with sockets as a user would: whose they are comes from this number of the thread that makes them (setfsuid(2)).
func asUser(t *testing.T, uid int, do func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := unix.SetfsuidRetUid(uid)
	if err != nil {
		t.Fatal(err)
	}
	do()
	if err := unix.Setfsuid(before); err != nil {
		t.Fatal(err)
	}
}

func TestWhoMayListen(t *testing.T) {
	for uid, may := range map[int]bool{0: true, 1: true, 999: true, 1000: false, 61183: false, 61184: true, 65519: true, 65520: false, 65534: false, 1 << 31: false} {
		to := netip.MustParseAddrPort("127.0.0.1:2586")
		if err := judge(to, []socket{{at: to, uid: uid}}); (err == nil) != may {
			t.Errorf("%d: %v", uid, err)
		}
	}
	to := netip.MustParseAddrPort("127.0.0.1:2586")
	if err := judge(to, nearest(to, []socket{{at: netip.MustParseAddrPort("127.0.0.1:2587")}})); err == nil {
		t.Error("nobody listens there")
	}
}

// Attack: listen beside the service, on an address that the kernel prefers.
func TestTheListenerIsTheOneThatTheKernelTakes(t *testing.T) {
	const person, system = 1000, 998
	for sentence, c := range map[string]struct {
		to  string
		all map[string]int
		may bool
	}{
		"the very address before all":            {"127.0.0.1:80", map[string]int{"127.0.0.1:80": person, "0.0.0.0:80": system}, false},
		"all behind the very address":            {"127.0.0.1:80", map[string]int{"127.0.0.1:80": system, "0.0.0.0:80": person}, true},
		"all of IPv4 before all":                 {"127.0.0.1:80", map[string]int{"0.0.0.0:80": person, "[::]:80": system}, false},
		"both kinds":                             {"127.0.0.1:80", map[string]int{"[::]:80": person}, false},
		"the very address as IPv6 has it":        {"127.0.0.1:80", map[string]int{"[::ffff:127.0.0.1]:80": person, "0.0.0.0:80": system}, false},
		"IPv6":                                   {"[::1]:80", map[string]int{"[::1]:80": person, "[::]:80": system}, false},
		"IPv6 does not come to IPv4":             {"[::1]:80", map[string]int{"0.0.0.0:80": person, "[::]:80": system}, true},
		"another port and another address of it": {"127.0.0.1:80", map[string]int{"127.0.0.1:81": person, "127.0.0.2:80": person, "127.0.0.1:80": system}, true},
	} {
		var all []socket
		for at, uid := range c.all {
			all = append(all, socket{at: netip.MustParseAddrPort(at), uid: uid})
		}
		to := netip.MustParseAddrPort(c.to)
		if err := judge(to, nearest(to, all)); (err == nil) != c.may {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

const (
	columns  = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	listens4 = "   0: 0100007F:0A1A 00000000:0000 0A 00000000:00000000 00:00000000 00000000   998        0 20112 1 0000000000000000 100 0 0 10 0\n"
	listens6 = "   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1\n"
	speaks   = "   1: 0100007F:0A1A 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000  1000        0 20113 1 0000000000000000 20 4 30 10 -1\n"
)

// The numbers of a table are as a machine of this kind has them, which is where such tables are from.
func TestTheTableOfSockets(t *testing.T) {
	ends := func(at, with string, uid int) socket {
		return socket{netip.MustParseAddrPort(at), netip.MustParseAddrPort(with), uid}
	}
	four, six := ends("127.0.0.1:2586", "0.0.0.0:0", 998), ends("[::1]:80", "[::]:0", 0)
	for table, want := range map[string][]socket{
		columns:                              nil,
		columns + listens4 + speaks:          {four},
		columns + listens6:                   {six},
		columns + listens4 + listens6:        {four, six},
		columns + speaks + "and so on":       nil,
		columns + listens4 + speaks + speaks: {four},
	} {
		if got, err := parseTable(strings.NewReader(table), true); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", table, got, err)
		}
	}
	if got, err := parseTable(strings.NewReader(columns+listens4+speaks), false); err != nil || !slices.Equal(got, []socket{four, ends("127.0.0.1:2586", "127.0.0.1:54000", 1000)}) {
		t.Errorf("all: %v, %v", got, err)
	}
	for _, wrong := range []string{"\n", strings.Replace(listens4, "0100007F:", "01:", 1), strings.Replace(listens4, "998", "root", 1),
		strings.Replace(listens4, ":0A1A", "", 1), strings.Replace(listens4, ":0A1A", ":10A1A", 1), strings.Replace(listens4, "0100007F", "0100007G", 1),
		strings.Replace(listens4, "00000000:0000", "00000000:", 1), strings.Replace(listens4, "998", "-1", 1), strings.Repeat("a ", 70000)} {
		if got, err := parseTable(strings.NewReader(columns+wrong), true); err == nil || got != nil {
			t.Errorf("%.80q: %v", wrong, got)
		}
	}
}

// Attack: accept the connection, and leave the port to the service, which is found there.
func TestAConnectionIsWhoseOtherEndIs(t *testing.T) {
	for network, addresses := range map[string][2]string{"tcp4": {"127.0.0.1:0", "127.0.0.1"}, "tcp6": {"[::1]:0", "::1"}, "tcp": {":0", "127.0.0.1"}} {
		for uid, may := range map[int]bool{23456: false, 998: true} {
			var conn, taken net.Conn
			var port int
			asUser(t, uid, func() {
				theirs, err := net.Listen(network, addresses[0])
				if err != nil {
					t.Fatal(err)
				}
				port = theirs.Addr().(*net.TCPAddr).Port
				if conn, err = net.Dial("tcp", net.JoinHostPort(addresses[1], strconv.Itoa(port))); err != nil {
					t.Fatal(err)
				}
				if taken, err = theirs.Accept(); err != nil {
					t.Fatal(err)
				}
				theirs.Close()
			})
			service, err := net.Listen(network, fmt.Sprintf("%s%d", strings.TrimSuffix(addresses[0], "0"), port))
			if err != nil {
				t.Fatal(err)
			}
			if err := ofTheHost(conn); (err == nil) != may {
				t.Errorf("%s of %d: %v", network, uid, err)
			}
			for _, c := range []interface{ Close() error }{conn, taken, service} {
				c.Close()
			}
		}
	}
}

// A service that is busy has not accepted a connection yet.
func TestAConnectionThatWaitsIsWhoListens(t *testing.T) {
	for uid, may := range map[int]bool{23456: false, 998: true} {
		asUser(t, uid, func() {
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			conn, err := net.Dial("tcp4", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := ofTheHost(conn); (err == nil) != may {
				t.Errorf("of %d: %v", uid, err)
			}
		})
	}
}

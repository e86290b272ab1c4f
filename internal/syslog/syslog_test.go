package syslog

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// daemon is a syslog daemon's socket.
func daemon(t *testing.T) (path string, conn *net.UnixConn) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "log")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return path, conn
}

func receive(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	b := make([]byte, 64<<10)
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestOneMessageIsOneDatagram(t *testing.T) {
	path, conn := daemon(t)
	send(path, Critical, "twokey", "the audit log cannot be written: no space left on device")
	send(path, Warning, "twokey-verify", "")
	send(path, Notice, "twokey", "für alle")
	for _, want := range []string{
		"<82>twokey: the audit log cannot be written: no space left on device", // RFC 5424 section 6.2.1: 10*8+2
		"<84>twokey-verify: ",
		"<85>twokey: für alle",
	} {
		if got := receive(t, conn); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// What is in a name or an error's text comes from outside.
func TestAMessageCannotBecomeTwoOrMoveTheCursor(t *testing.T) {
	for message, want := range map[string]string{
		"user root\nNov 21 18:00:00 host sshd[1]: Accepted password for root": "user root?Nov 21 18:00:00 host sshd[1]: Accepted password for root",
		"\r\x00\t\v\f": "?????",
		"\x1b[2Jgone":  "?[2Jgone",
		"\u009b2Jgone": "?2Jgone",
		"\u0085next":   "?next",
		"\x7f":         "?",
		"a\u2028b":     "a?b",
		"a\u2029b":     "a?b",
		"<0>kernel: a": "<0>kernel: a", // behind our own priority and tag
		"\xff\xfe":     "?",
		"\xed\xa0\x80": "?",
	} {
		if got := string(format(Notice, "twokey", message)); got != "<85>twokey: "+want {
			t.Errorf("%q becomes %q, want %q", message, got, want)
		}
	}
}

func TestALongMessageIsCutAtACharacter(t *testing.T) {
	for _, unit := range []string{"x", "ü", "€", "𝄞", "\xff", "\n"} {
		for pad := range 4 {
			message := strings.Repeat("-", pad) + strings.Repeat(unit, 10000)
			got := string(format(Critical, "twokey", message))
			if len(got) > maxMessage || len(got) < maxMessage-3 && unit != "\xff" || !utf8.ValidString(got) {
				t.Errorf("%d times %q: %d bytes, valid %v", 10000, unit, len(got), utf8.ValidString(got))
			}
		}
	}
	if got := string(format(Critical, "twokey", strings.Repeat("x", maxMessage-len("<82>twokey: ")))); len(got) != maxMessage {
		t.Errorf("the longest message: %d bytes", len(got))
	}
}

// A login must neither fail nor wait because nobody listens.
func TestADaemonThatIsNotThereOrDoesNotReadHoldsUpNobody(t *testing.T) {
	dir := t.TempDir()
	send(dir+"/none", Critical, "twokey", "nobody is there")
	if err := os.WriteFile(dir+"/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	send(dir+"/file", Critical, "twokey", "not a socket")
	send(dir+"/"+strings.Repeat("x", 200), Critical, "twokey", "a path too long for a socket")
	send("", Critical, "twokey", "no path")
	send("\x00not listening", Critical, "twokey", "an abstract one")
	if b, err := os.ReadFile(dir + "/file"); err != nil || len(b) != 0 {
		t.Errorf("the file has %q, %v", b, err)
	}

	path, conn := daemon(t)
	const sent = 5000 // more than any queue takes: /proc/sys/net/unix/max_dgram_qlen
	for range sent {
		send(path, Critical, "twokey", "too many")
	}
	if received := drain(t, conn); received == 0 || received == sent {
		t.Errorf("%d of %d received: this test has shown nothing", received, sent)
	}
}

// drain takes what waits in the queue and returns how many messages that was.
func drain(t *testing.T, conn *net.UnixConn) (received int) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var end error
	err = raw.Control(func(fd uintptr) {
		for b := make([]byte, 100); end == nil; received++ {
			_, _, end = unix.Recvfrom(int(fd), b, unix.MSG_DONTWAIT)
		}
	})
	if err != nil || end != unix.EAGAIN {
		t.Fatal(err, end)
	}
	return received - 1
}

func FuzzFormat(f *testing.F) {
	for _, message := range []string{"", "plain", "a\nb", "\x1b]0;title\a", "\u2028", "\xff", strings.Repeat("€", 1000)} {
		f.Add(message)
	}
	f.Fuzz(func(t *testing.T, message string) {
		got := string(format(Warning, "twokey", message))
		if !strings.HasPrefix(got, "<84>twokey: ") || len(got) > maxMessage || !utf8.ValidString(got) ||
			strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 }) {
			t.Errorf("%q becomes %q", message, got)
		}
	})
}

package sockettest

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"twokey/internal/pamtest"
)

// becomes has one person become another by su, and type a code.
func (s *site) becomes(who, other *person, code string) *pamtest.Terminal {
	s.t.Helper()
	x := pamtest.OpenTerminal(s.t, s.CommandAs(who.User, "su", other.Name, "-c", "echo inside-$((6*7))"))
	x.Expect("Verification code: ")
	x.Type(code + "\n")
	return x
}

// root is twokey-root.socket. The file that it returns has a line for each helper that was started there.
func (s *site) root() (starts string) {
	s.t.Helper()
	starts = filepath.Join(s.Dir, "starts")
	s.activate("root.sock", "0600", "twokey-root@.service", "sh", "-c", `grep -h ^CapEff /proc/self/status >>"$1"; exec "$0"`, helper, starts)
	return starts
}

// TestAProgramThatIsSetuidRootHasTheHelperOnItsSocket, which its caller cannot stop or starve, and its own where there is none.
func TestAProgramThatIsSetuidRootHasTheHelperOnItsSocket(t *testing.T) {
	t.Parallel()
	s, alice, bob := newSite(t, "default: required")
	s.Service("su", "auth required "+module, "account required pam_permit.so", "session required "+module)
	x := s.becomes(alice, bob, bob.code(t, 0))
	if x.Expect("inside-42"); x.Wait() != 0 {
		t.Errorf("without the socket: %s", x.Screen())
	}
	starts := s.root()
	x = s.becomes(alice, bob, bob.code(t, 1))
	if x.Expect("inside-42"); x.Wait() != 0 {
		t.Errorf("with the socket: %s", x.Screen())
	}
	if e := s.last(); e.Service != "su" || e.Source != fmt.Sprint("local:", alice.UID) || e.User != bob.Name {
		t.Errorf("recorded as %+v", e)
	}
	x = s.becomes(alice, bob, "000000")
	if x.Expect("Authentication failure"); x.Wait() == 0 {
		t.Errorf("a wrong code: %s", x.Screen())
	}
	// Authenticate and open_session of the first, authenticate of the second.
	content, err := os.ReadFile(starts)
	if lines := strings.Split(strings.TrimSpace(string(content)), "\n"); err != nil || len(lines) != 3 || lines[0] != "CapEff:\t00000000000840e0" {
		t.Errorf("the helper on the socket was started so: %q, %v; want three times, with ipc_lock, sys_ptrace, setuid, setgid and kill", lines, err)
	}
	s.Verified()
}

// TestACallerOfSuHas32HelpersOnTheSocket: who starts su again and again must not take them all, nor get a helper of his own instead.
func TestACallerOfSuHas32HelpersOnTheSocket(t *testing.T) {
	t.Parallel()
	s, alice, bob := newSite(t, "default: required")
	s.Service("su", "auth required "+module, "account required pam_permit.so", "session required "+module)
	s.root()
	holder := s.Command("bash", "-c", `umask 077; mkdir -p /run/twokey/root
for i in {0..31}; do exec {fd}>"/run/twokey/root/$1.$i"; flock "$fd"; done
echo held; exec cat`, "bash", fmt.Sprint(alice.UID))
	stdin, err := holder.StdinPipe()
	must(t, err)
	stdout, err := holder.StdoutPipe()
	must(t, err)
	must(t, holder.Start())
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "held\n" {
		t.Fatalf("%q, %v", line, err)
	}
	x := pamtest.OpenTerminal(t, s.CommandAs(alice.User, "su", bob.Name, "-c", "echo inside-$((6*7))"))
	if x.Expect("Authentication failure"); x.Wait() == 0 || strings.Contains(x.Screen(), "Verification code") {
		t.Errorf("the 33rd: %s", x.Screen())
	}
	x = s.becomes(bob, alice, alice.code(t, 0))
	if x.Expect("inside-42"); x.Wait() != 0 {
		t.Errorf("another caller: %s", x.Screen())
	}
	must(t, stdin.Close())
	must(t, holder.Wait())
	x = s.becomes(alice, bob, bob.code(t, 0))
	if x.Expect("inside-42"); x.Wait() != 0 {
		t.Errorf("when they have ended: %s", x.Screen())
	}
}

package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"twokey/internal/pamtest"
	"twokey/pamhook/logintest/scratch"
)

// What the client has in its environment, or says of itself, changes nothing of who it is.
func TestMustKnowThePeerFromTheKernelAlone(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "", "alice", "bob")
	h.enrol("alice")
	h.enrol("bob")
	cmd := h.CommandAs(h.people["alice"], h.twokey, "recovery", "show")
	bob := h.people["bob"]
	cmd.Env = append(cmd.Env, "SUDO_USER="+bob.Name, "SUDO_UID="+fmt.Sprint(bob.UID), "USER="+bob.Name, "LOGNAME="+bob.Name, "HOME=/root", "LISTEN_FDS=1")
	cmd.Stdin = strings.NewReader(h.proof("alice", 0))
	out, err := cmd.Output()
	if err != nil || !strings.HasPrefix(string(out), h.people["alice"].Name+" has 2 of 2") {
		t.Errorf("%s, %v", out, err)
	}
	if r := h.lastOf(actionSelf); r.User != h.people["alice"].Name || r.UserID != fmt.Sprint(h.people["alice"].UID) || r.SudoUser != "" || r.LoginUID != "" {
		t.Errorf("recorded: %+v", r)
	}
	if out := h.raw("root", h.request("recovery", "show", "alice~")); !strings.Contains(out, "root needs no socket") {
		t.Errorf("root over the socket: %s", out)
	}
}

// PAM runs with the path alone, whatever the client or who started the server has.
func TestMustTakeNothingFromTheEnvironment(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "", "alice")
	x := h.atTerminal("alice", "enroll")
	x.Expect("Password: ")
	found := 0
	for _, server := range h.servers() {
		children, err := exec.Command("pgrep", "-P", server).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, child := range strings.Fields(string(children)) {
			environment, err := os.ReadFile("/proc/" + child + "/environ")
			if err != nil || string(environment) != "PATH=/usr/sbin:/usr/bin:/sbin:/bin\x00" {
				t.Errorf("%q, %v", environment, err)
			}
			found++
		}
	}
	if found == 0 {
		t.Error("no PAM transaction was found")
	}
	x.Type("wrong\n")
	if status := x.Wait(); status != exitNo {
		t.Errorf("status %d\n%s", status, x.Screen())
	}
}

// servers are the processes of the machine that serve somebody.
func (h *selfHost) servers() []string {
	h.t.Helper()
	out, err := exec.Command("pgrep", "-f", "-x", h.twokey+" serve-self").Output()
	if err != nil && len(out) > 0 {
		h.t.Fatal(err)
	}
	return strings.Fields(string(out))
}

// noServers waits until nobody is served any more.
func (h *selfHost) noServers() {
	h.t.Helper()
	for deadline := time.Now().Add(time.Minute); len(h.servers()) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("served still: %v", h.servers())
		}
	}
}

func TestMustLeaveNothingHalfDoneWhenTheClientEnds(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "", "alice", "bob")
	for sentence, until := range map[string]func(x *pamtest.Terminal){
		"before the password": func(x *pamtest.Terminal) { x.Expect("Password: ") },
		"before the first code": func(x *pamtest.Terminal) {
			x.Expect("Password: ")
			x.Type(h.Password + "\n")
			x.Expect("The code that the app shows now: ")
		},
	} {
		x := h.atTerminal("alice", "enroll")
		until(x)
		if err := x.Kill(); err != nil {
			t.Fatal(err)
		}
		x.Wait()
		h.noServers()
		if _, err := h.Users.State.Read(h.people["alice"].Name); h.has("alice") || err == nil {
			t.Errorf("killed %s: something is left", sentence)
		}
	}
	x, address := h.enrolsAtTerminal("alice")
	x.Type("\x03")
	x.Expect("interrupted, nothing was changed")
	if status := x.Wait(); status != exitFailed || h.has("alice") {
		t.Errorf("interrupted: status %d\n%s", status, x.Screen())
	}
	x, again := h.enrolsAtTerminal("alice")
	if again == address {
		t.Error("a key that somebody may have seen and thrown away is shown again")
	}
	x.Type(appCode(t, again) + "\n")
	if status := x.Wait(); status != exitDone || !h.has("alice") {
		t.Errorf("the next time: status %d\n%s", status, x.Screen())
	}
	h.Verified()
}

// Whoever has stolen phone and password sits at the last question while the owner has himself reset and gets a new device.
func TestMustChangeNothingForAProofOfBefore(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "", "alice")
	alice := h.people["alice"]
	for _, argv := range [][]string{{"enroll", "--replace", "--yes"}, {"device", "add"}, {"recovery", "new"}} {
		for _, anew := range []bool{false, true} {
			stolen := h.enrol("alice")
			x := h.atTerminal("alice", argv...)
			x.Expect("Password: ")
			x.Type(h.Password + "\n")
			x.Expect("Verification code: ")
			x.Type(scratch.Code(t, stolen, 0) + "\n")
			answer := "y\n"
			if x.Expect("The code that the app shows now: ", "[y/N]") == 0 {
				answer = appCode(t, scanned(t, x.Screen())) + "\n"
			}
			if err := h.Users.Reset(alice.Name); err != nil {
				t.Fatal(err)
			}
			if anew {
				h.enrol("alice")
			}
			x.Type(answer)
			if status := x.Wait(); status != exitFailed || h.has("alice") != anew {
				t.Errorf("%v, enrolled anew %v: status %d\n%s", argv, anew, status, x.Screen())
			}
			record, err := h.Users.Secrets.Load(alice.Name)
			if anew && (err != nil || len(record.Devices) != 1 || record.Devices[0].ID != h.devices["alice"].Device.ID || len(record.Recovery.Hashes) != 2) {
				t.Errorf("%v: the new device: %v, %v", argv, record, err)
			}
		}
	}
}

func TestMustNotGiveAUserMoreThanFourConnections(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "", "alice", "bob")
	var open []*pamtest.Terminal
	for range selfSlotsEach {
		x := h.atTerminal("alice", "enroll")
		x.Expect("Password: ")
		open = append(open, x)
	}
	_, complaint, status := h.as("alice", h.Password+"\n", "enroll")
	if status != exitFailed || !strings.Contains(complaint, "more than 4 connections at a time") || strings.Contains(complaint, "Password") {
		t.Errorf("the fifth: status %d, %s", status, complaint)
	}
	other := h.atTerminal("bob", "enroll")
	other.Expect("Password: ")
	for _, x := range append(open, other) {
		if err := x.Kill(); err != nil {
			t.Fatal(err)
		}
		x.Wait()
	}
	h.noServers()
	x := h.atTerminal("alice", "enroll")
	x.Expect("Password: ")
}

// Whoever says nothing, or no message, is not waited for.
func TestMustNotWaitForWhoSaysNothing(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "", "alice")
	for sentence, sent := range map[string]string{
		"silence":                "",
		"half a message":         `{"version":1,"argv":["enroll"`,
		"no message":             "GET / HTTP/1.1\r\n\r\n",
		"another version":        strings.Replace(h.request("enroll"), `"version":1`, `"version":2`, 1),
		"more than a message":    strings.Repeat("a", 3*selfMaxMessage),
		"a uid of his own words": strings.Replace(h.request("enroll"), `"utf8"`, `"uid":0,"utf8"`, 1),
	} {
		if got := h.raw("alice", sent); got != "" {
			t.Errorf("%s: %s", sentence, got)
		}
	}
	h.noServers()
	for _, said := range []string{"i/o timeout", errSelf.Error()} {
		if !strings.Contains(h.journal.String(), said) {
			t.Errorf("the journal has no %q:\n%s", said, h.journal.String())
		}
	}
	// An answer that is none ends the conversation.
	if got := h.raw("alice", h.request("enroll")+"junk\n"); !strings.Contains(got, errSelf.Error()) || h.has("alice") {
		t.Errorf("an answer that is none: %s", got)
	}
}

func TestWithoutTheSocketItIsSaidHowToEnableIt(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "", "alice")
	if err := h.Machine.Command("rm", selfSocket).Run(); err != nil {
		t.Fatal(err)
	}
	for argv, hint := range map[string]string{
		"enroll":                   "twokey: hint: sudo twokey enroll; or let users do it themselves: systemctl enable --now twokey-self.socket\n",
		"policy require root":      "twokey: hint: sudo twokey policy require root\n",
		"enroll --secret-file=x":   "twokey: hint: sudo twokey enroll --secret-file=x\n",
		"enroll --config /tmp/x.y": "twokey: hint: sudo twokey enroll --config /tmp/x.y\n",
	} {
		_, complaint, status := h.as("alice", "", strings.Fields(argv)...)
		if status != exitNeedRoot || !strings.Contains(complaint, " needs root\n") || !strings.HasSuffix(complaint, hint) {
			t.Errorf("%s: status %d, %s", argv, status, complaint)
		}
	}
}

// It is the flag that is root's, and not the command.
func TestAFlagThatIsNotForUsersIsNamed(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "", "alice")
	for argv, what := range map[string]string{"enroll --until 2999-12-31": "--until", "enroll --sheet x.html": "--sheet", "list --root /x": "--root", "device add --digits 8": "--digits"} {
		_, complaint, status := h.as("alice", "", strings.Fields(argv)...)
		if want := "twokey: error: " + what + " needs root\ntwokey: hint: sudo twokey " + argv + "\n"; status != exitNeedRoot || complaint != want {
			t.Errorf("%s: status %d, %s", argv, status, complaint)
		}
	}
}

// The client's own rules.

// Attack: whoever owns the socket asks for the password in root's place.
func TestTheClientSaysNothingToWhoIsNotRoot(t *testing.T) {
	t.Parallel()
	dir, remove, err := pamtest.ScratchDir("twokey-fake-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := remove(); err != nil {
			t.Error(err)
		}
	}()
	if out, err := exec.Command("chown", "65534", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	path := filepath.Join(dir, "self.sock")
	fake := exec.Command("setpriv", "--reuid=65534", "--clear-groups", "perl", "-e", `
use IO::Socket::UNIX;
$| = 1;
my $l = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1) or die;
print "ready\n";
my $s = $l->accept;
print while sysread $s, $_, 1000;
`, path)
	out, err := fake.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := fake.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make([]byte, 6)
	if _, err := out.Read(ready); err != nil {
		t.Fatal(err)
	}
	if conn, err := dialSelf(path); err == nil || conn != nil || !strings.Contains(err.Error(), "is not root's, but that of the user 65534") {
		t.Errorf("%v, %v", conn, err)
	}
	rest := make([]byte, 1000)
	if n, _ := out.Read(rest); n > 0 {
		t.Errorf("it was told %q", rest[:n])
	}
	if err := fake.Wait(); err != nil {
		t.Error(err)
	}
}

// Root's words may quote anybody: no control character gets to the terminal.
func TestTheClientShowsNoControlCharacters(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		from := selfReader(theirs)
		if _, err := readSelf[selfRequest](from); err != nil {
			t.Error(err)
		}
		for _, m := range []selfMessage{{selfOut, "a\x1b[2Jb\r\n\u202ec", 0}, {selfErr, "d\x07\n", 0}, {selfPicture, "█▀▄ \x1b]0;x\n", 0}, {pamHidden, "\x1b[8mPassword: ", 0}} {
			if err := tell(theirs, m); err != nil {
				t.Error(err)
			}
		}
		if a, err := readSelf[selfAnswer](from); err != nil || *a != (selfAnswer{selfAnswered, "secret"}) {
			t.Errorf("%v, %v", a, err)
		}
		if err := tell(theirs, selfMessage{Kind: selfExit, Status: 3}); err != nil {
			t.Error(err)
		}
	}()
	var out, complaint strings.Builder
	u := &ui{in: newInput(strings.NewReader("secret\n")), out: &out, err: &complaint, typed: []string{"enroll"}}
	status, err := u.speak(ours, nil)
	if err != nil || status != 3 {
		t.Errorf("%d, %v", status, err)
	}
	if want := "a?[2Jb?\n?c█▀▄ ?]0;x\n"; out.String() != want {
		t.Errorf("shown %q, want %q", out.String(), want)
	}
	if complaint.String() != "d?\n" {
		t.Errorf("shown %q", complaint.String())
	}
}

func TestTheClientSaysSoWhenTheServerEndsInTheMiddle(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	go func() {
		if _, err := readSelf[selfRequest](selfReader(theirs)); err != nil {
			t.Error(err)
		}
		if err := theirs.Close(); err != nil {
			t.Error(err)
		}
	}()
	u := &ui{in: newInput(strings.NewReader("")), out: &strings.Builder{}, err: &strings.Builder{}, typed: []string{"enroll"}}
	if _, err := u.speak(ours, nil); err == nil || exitStatus(err) != exitFailed || !strings.Contains(err.Error(), "ended in the middle") {
		t.Error(err)
	}
}

func TestServeSelfIsForSystemd(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("twokey", "serve-self")
	cmd.Stdin = strings.NewReader(strconv.Itoa(selfVersion))
	if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != exitUsage || !strings.Contains(string(out), "serve-self is started by systemd") {
		t.Errorf("%s", out)
	}
}

// Of a process that dumps no core, and of no other, the kernel gives /proc/PID/status to the group 0 whatever the process's own is, proc(5).
func TestMustWriteNoCoreOfWhatWasTyped(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "", "alice")
	socket := "/run/twokey/other.sock"
	script := `exec setpriv --regid 4242 --clear-groups systemd-socket-activate --accept --listen="$2" "$1" serve-self`
	listener := h.Machine.Command("sh", "-c", script, "sh", h.twokey, socket)
	listener.Stderr = &h.journal
	if err := listener.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := listener.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = listener.Wait() // killed
	})
	for deadline := time.Now().Add(time.Minute); h.Machine.Command("chmod", "0666", socket).Run() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody listens")
		}
	}
	client := h.CommandAs(h.people["alice"], "perl", "-e", rawClient, socket)
	client.Stdin = strings.NewReader(h.request("enroll"))
	out, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	asked := bufio.NewReader(out)
	if line, err := asked.ReadString('\n'); err != nil || !strings.Contains(line, "Password: ") {
		t.Errorf("%q, %v", line, err)
	}
	servers := h.servers()
	for _, server := range servers {
		about, err := os.Stat("/proc/" + server + "/status")
		if err != nil || about.Sys().(*syscall.Stat_t).Gid != 0 {
			t.Errorf("a core of it could be written: %+v, %v", about, err)
		}
	}
	if len(servers) != 1 {
		t.Errorf("served by %v", servers)
	}
	if err := client.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = client.Wait() // killed
	h.noServers()
}

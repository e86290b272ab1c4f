package pamtest

import (
	"crypto/rand"
	"encoding/hex"
	"io"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// Suffix returns 8 random hexadecimal digits for the names of throw-away accounts, services and groups.
func Suffix() string {
	var b [4]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}

// TempUser makes an account with a home folder, bash as its shell and a password, and removes it when the test ends, however it
// ends: a watcher in a session of its own outlives Ctrl-C, a panic, a timeout and kill -9 of the test. The test must run as root.
func TempUser(t testing.TB) (name, password string) {
	t.Helper()
	name, password = "twokey-"+Suffix(), Suffix()+Suffix()
	removeWhenDone(t, "userdel --force --remove "+name)
	run(t, "", "useradd", "--create-home", "--shell", "/bin/bash", name)
	run(t, name+":"+password+"\n", "chpasswd")
	return name, password
}

// removeWhenDone runs a command of the shell when the test has ended or its process is gone: the watcher waits for the end of its
// standard input, which only this process holds.
func removeWhenDone(t testing.TB, command string) {
	t.Helper()
	watcher := exec.Command("sh", "-c", "cat; exec "+command)
	watcher.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stdin, err := watcher.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watcher.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { endWatcher(t, stdin, watcher) })
}

func endWatcher(t testing.TB, stdin io.Closer, watcher *exec.Cmd) {
	if err := stdin.Close(); err != nil {
		t.Errorf("pamtest: %v", err)
	}
	if err := watcher.Wait(); err != nil {
		t.Errorf("pamtest: %s: %v", strings.Join(watcher.Args, " "), err)
	}
}

func run(t testing.TB, stdin, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("pamtest: %s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// FreePort returns a TCP port of 127.0.0.1 that was free a moment ago.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}

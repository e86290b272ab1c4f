package pamtest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// Sshd is an OpenSSH server of a [Machine].
type Sshd struct {
	Port    string
	HostKey ssh.PublicKey
	PID     int // of the process that listens

	t       testing.TB
	log     string
	program string // its path
}

// sshdScript starts the server and ends it with its own standard input, so that it does not outlive the test. It is the server's
// parent: no other process can have its number meanwhile.
const sshdScript = `"$2" -D -f "$1/config" -E "$1/log" & p=$!; cat; kill $p; wait $p`

// shownLines is how much of the log a test shows that has failed.
const shownLines = 20

// Sshd starts a server on loopback, IPv4 and IPv6, whose PAM service is sshd. The settings are lines of sshd_config(5) that come
// before the usual ones, of which the first counts.
func (m *Machine) Sshd(settings ...string) *Sshd {
	m.t.Helper()
	return m.SshdAs("sshd", settings...)
}

// SshdAs is Sshd with a PAM service of this name: sshd takes it from the name under which it is started. So services that are not
// installed here are asked for by a real program too, with the address of a real client.
func (m *Machine) SshdAs(service string, settings ...string) *Sshd {
	m.t.Helper()
	for {
		s := m.newSshd(service, settings)
		if s.start(m) {
			return s
		}
	}
}

func (m *Machine) newSshd(service string, settings []string) *Sshd {
	m.t.Helper()
	dir, err := os.MkdirTemp(m.dir, "sshd-")
	m.must(err)
	port := strconv.Itoa(FreePort(m.t))
	s := &Sshd{Port: port, t: m.t, log: filepath.Join(dir, "log"), program: filepath.Join(dir, service)}
	m.must(os.Symlink("/usr/sbin/sshd", s.program))
	s.makeHostKey(filepath.Join(dir, "key"))
	lines := append(append([]string(nil), settings...),
		"Port "+port, "ListenAddress 127.0.0.1", "ListenAddress ::1", "HostKey "+dir+"/key", "PidFile "+dir+"/pid", "LogLevel VERBOSE",
		"UsePAM yes", "KbdInteractiveAuthentication yes", "PasswordAuthentication no", "PubkeyAuthentication no", "PrintMotd no",
		"PrintLastLog no", "MaxStartups 200", "Subsystem sftp internal-sftp")
	m.must(os.WriteFile(filepath.Join(dir, "config"), []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	return s
}

func (s *Sshd) makeHostKey(path string) {
	s.t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.HostKey, err = ssh.NewPublicKey(public); err != nil {
		s.t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		s.t.Fatal(err)
	}
	known := fmt.Sprintf("[127.0.0.1]:%s,[::1]:%s ", s.Port, s.Port) + string(ssh.MarshalAuthorizedKey(s.HostKey))
	err = errors.Join(os.WriteFile(path, pem.EncodeToMemory(block), 0o600),
		os.WriteFile(filepath.Join(filepath.Dir(path), "known_hosts"), []byte(known), 0o600))
	if err != nil {
		s.t.Fatal(err)
	}
}

// start is false when another process has taken the port since it was free.
func (s *Sshd) start(m *Machine) bool {
	s.t.Helper()
	cmd := m.Command("sh", "-c", sshdScript, "sh", filepath.Dir(s.log), s.program)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stdin, err := cmd.StdinPipe()
	m.must(err)
	m.must(cmd.Start())
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		log := s.Log()
		if strings.Contains(log, "in use") {
			m.must(stdin.Close())
			_ = cmd.Wait() // nothing was left to end
			return false
		}
		// It writes the number of its process when it listens on every address.
		if content, err := os.ReadFile(filepath.Join(filepath.Dir(s.log), "pid")); err == nil && strings.HasSuffix(string(content), "\n") {
			s.PID, err = strconv.Atoi(strings.TrimSpace(string(content)))
			m.must(err)
			s.t.Cleanup(func() { s.stop(stdin, cmd) })
			return true
		}
	}
	s.t.Fatalf("pamtest: sshd does not listen:\n%s", s.Log())
	return false
}

func (s *Sshd) stop(stdin io.Closer, cmd *exec.Cmd) {
	if err := stdin.Close(); err != nil {
		s.t.Errorf("pamtest: %v", err)
	}
	_ = cmd.Wait() // its status is that of a process that was ended
	if lines := strings.Split(s.Log(), "\n"); s.t.Failed() {
		s.t.Logf("sshd:\n%s", strings.Join(lines[max(0, len(lines)-shownLines):], "\n"))
	}
}

// Log is what the server has logged.
func (s *Sshd) Log() string {
	content, err := os.ReadFile(s.log)
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	return string(content)
}

// Address is where the server listens: on 127.0.0.1, or on ::1.
func (s *Sshd) Address(host string) string { return net.JoinHostPort(host, s.Port) }

// Client is the OpenSSH client, to be run by the test: `ssh`, `scp` or `sftp` with the options by which it finds and believes the
// server, and nothing of anybody's configuration.
func (s *Sshd) Client(program string, args ...string) *exec.Cmd {
	options := []string{"-F", "none", "-o", "Port=" + s.Port, "-o", "StrictHostKeyChecking=yes",
		"-o", "UserKnownHostsFile=" + filepath.Join(filepath.Dir(s.log), "known_hosts"), "-o", "GSSAPIAuthentication=no"}
	cmd := exec.Command(program, append(options, args...)...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TERM=dumb", fmt.Sprint("HOME=", filepath.Dir(s.log))}
	return cmd
}

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"twokey/bench/site"
)

// server is one sshd.
type server struct {
	address  string
	password string
	command  *exec.Cmd
}

// servers are the two of which one asks for a code.
type servers struct{ with, without server }

// Close ends them and what they have started.
func (s *servers) Close() error {
	var errs []error
	for _, one := range []server{s.with, s.without} {
		if one.command == nil {
			continue
		}
		errs = append(errs, one.command.Process.Signal(syscall.SIGTERM))
		var ended *exec.ExitError
		if err := one.command.Wait(); !errors.As(err, &ended) { // by the signal
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// startServers sets everything up and starts both.
func startServers(p *site.Place, h *site.Host) (*servers, error) {
	s := &servers{}
	password, err := setPasswords(p)
	if err != nil {
		return s, err
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=0755"); err != nil { // goes with the namespace
		return s, err
	}
	if err := os.Mkdir("/run/sshd", 0o755); err != nil {
		return s, err
	}
	module := p.Program("pam_twokey.so") + " helper=" + p.Program("twokey-verify")
	for name, lines := range map[string][]string{
		withName:    {"auth required pam_unix.so", "auth required " + module + " after=password", "account required " + module, "account required pam_unix.so", "session required " + module},
		withoutName: {"auth required pam_unix.so", "account required pam_unix.so", "session required pam_permit.so"},
	} {
		if err := os.WriteFile("/etc/pam.d/"+name, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			return s, err
		}
	}
	if s.with, err = startServer(p, withName, password, h.Mounted()); err != nil {
		return s, err
	}
	s.without, err = startServer(p, withoutName, password, nil)
	return s, err
}

// The names of the services, and of the programs, from which sshd has the name of its service.
const (
	withName    = "load-with"
	withoutName = "load-without"
)

// setPasswords gives all accounts one password, whose hash is quick to compute: nobody is to guess it.
func setPasswords(p *site.Place) (string, error) {
	password := fmt.Sprintf("%016x", time.Now().UnixNano())
	hash := exec.Command("perl", "-e", `chomp($_ = <STDIN>); print crypt($_, '$5$rounds=1000$loadload$')`)
	hash.Stdin = strings.NewReader(password + "\n")
	out, err := hash.Output()
	if err != nil {
		return "", fmt.Errorf("crypt: %w", err)
	}
	var lines strings.Builder
	for i := range site.Accounts {
		fmt.Fprintf(&lines, "%s:%s:19000:0:99999:7:::\n", site.UserName(i), out)
	}
	shadow, err := os.OpenFile("/etc/shadow", os.O_WRONLY|os.O_APPEND, 0) // the place's own
	if err != nil {
		return "", err
	}
	_, err = shadow.WriteString(lines.String())
	return password, errors.Join(err, shadow.Close())
}

const config = `ListenAddress 127.0.0.1
UsePAM yes
KbdInteractiveAuthentication yes
PasswordAuthentication no
PubkeyAuthentication no
MaxStartups 1000
PidFile none
PrintMotd no
PrintLastLog no
`

// startServer starts one, under other programs if there are any, and waits until it listens.
func startServer(p *site.Place, name, password string, under []string) (server, error) {
	port, err := freePort()
	if err != nil {
		return server{}, err
	}
	file := func(kind string) string { return filepath.Join(p.Dir, name+"."+kind) }
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file("key")).CombinedOutput(); err != nil {
		return server{}, fmt.Errorf("ssh-keygen: %w: %s", err, out)
	}
	text := fmt.Sprintf("%sPort %d\nHostKey %s\n", config, port, file("key"))
	if err := os.WriteFile(file("config"), []byte(text), 0o600); err != nil {
		return server{}, err
	}
	program := filepath.Join(p.Dir, name)
	if err := os.Symlink("/usr/sbin/sshd", program); err != nil {
		return server{}, err
	}
	argv := append(under, program, "-D", "-f", file("config"), "-E", file("log"))
	s := server{fmt.Sprintf("127.0.0.1:%d", port), password, exec.Command(argv[0], argv[1:]...)}
	if err := s.command.Start(); err != nil {
		return server{}, err
	}
	for range 100 {
		if conn, err := net.Dial("tcp", s.address); err == nil {
			return s, conn.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	log, err := os.ReadFile(file("log"))
	return s, errors.Join(fmt.Errorf("%s does not listen: %s", name, log), err)
}

// freePort is one on loopback that nobody has at the moment.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

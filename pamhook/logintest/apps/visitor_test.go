package apps

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"twokey/internal/pamtest"
)

// patience is for what must happen, on however loaded a machine.
const patience = 100 * time.Second

// visitor comes to sshd with x/crypto/ssh.
type visitor struct {
	user, password, code string
	from                 string             // the client's address; "": 127.0.0.1
	tries                int                // 0: one
	key                  ssh.Signer         // nil: none; tried before the other methods
	atCode               func(*net.TCPConn) // called when the code is asked for, before it is answered
}

// round is what the server sent at a time.
type round struct {
	name, instruction string
	questions         []string
	echos             []bool
}

func (r round) String() string {
	return fmt.Sprintf("%q %q %q %v\n", r.name, r.instruction, r.questions, r.echos)
}

// visit is how it went.
type visit struct {
	*ssh.Client // nil when the visitor was refused
	rounds      []round
	err         error
}

// in reports whether the visitor was let in.
func (v visit) in() bool { return v.Client != nil }

// visit logs in with the keyboard-interactive method.
func (v visitor) visit(t *testing.T, s *pamtest.Sshd) (seen visit) {
	t.Helper()
	conn := v.connect(t, s)
	answer := func(name, instruction string, questions []string, echos []bool) ([]string, error) {
		// sshd ends each try with an empty round, or with one that says why it failed.
		if name+instruction != "" || len(questions) > 0 {
			seen.rounds = append(seen.rounds, round{name, instruction, questions, echos})
		}
		var answers []string
		for _, question := range questions {
			if strings.Contains(question, "assword") {
				answers = append(answers, v.password)
				continue
			}
			if v.atCode != nil {
				v.atCode(conn)
			}
			answers = append(answers, v.code)
		}
		return answers, nil
	}
	seen.Client, seen.err = v.login(t, s, conn, ssh.RetryableAuthMethod(ssh.KeyboardInteractive(answer), max(1, v.tries)))
	return seen
}

// byPassword logs in with sshd's password method.
func (v visitor) byPassword(t *testing.T, s *pamtest.Sshd) (seen visit) {
	t.Helper()
	method := ssh.RetryableAuthMethod(ssh.Password(v.password), max(1, v.tries))
	seen.Client, seen.err = v.login(t, s, v.connect(t, s), method)
	return seen
}

// byKey logs in with the key alone.
func (v visitor) byKey(t *testing.T, s *pamtest.Sshd) (seen visit) {
	t.Helper()
	seen.Client, seen.err = v.login(t, s, v.connect(t, s))
	return seen
}

func (v visitor) connect(t *testing.T, s *pamtest.Sshd) *net.TCPConn {
	t.Helper()
	host := "127.0.0.1"
	if strings.Contains(v.from, ":") {
		host = "::1"
	}
	dialer := net.Dialer{Timeout: patience}
	if v.from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(v.from)}
	}
	conn, err := dialer.Dial("tcp", s.Address(host))
	must(t, err)
	must(t, conn.SetDeadline(time.Now().Add(patience)))
	return conn.(*net.TCPConn)
}

// login returns no client when the server refused, and marks the test as failed for any other fault unless the visitor can make one.
func (v visitor) login(t *testing.T, s *pamtest.Sshd, conn net.Conn, methods ...ssh.AuthMethod) (*ssh.Client, error) {
	t.Helper()
	if v.key != nil {
		methods = append([]ssh.AuthMethod{ssh.PublicKeys(v.key)}, methods...)
	}
	config := &ssh.ClientConfig{User: v.user, HostKeyCallback: ssh.FixedHostKey(s.HostKey), Auth: methods}
	c, channels, requests, err := ssh.NewClientConn(conn, conn.RemoteAddr().String(), config)
	if err != nil {
		conn.Close()
		if v.atCode == nil && !strings.Contains(err.Error(), "unable to authenticate") {
			t.Errorf("ssh as %q: %v", v.user, err)
		}
		return nil, err
	}
	client := ssh.NewClient(c, channels, requests)
	t.Cleanup(func() { client.Close() })
	return client, nil
}

// run runs a command and returns what it wrote to both channels, and its exit status.
func (v visit) run(t *testing.T, command string) (text string, status int) {
	t.Helper()
	session, err := v.NewSession()
	must(t, err)
	defer session.Close()
	out, err := session.CombinedOutput(command)
	var exit *ssh.ExitError
	if errors.As(err, &exit) {
		return string(out), exit.ExitStatus()
	}
	must(t, err)
	return string(out), 0
}

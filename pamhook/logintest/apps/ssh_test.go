package apps

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"twokey/internal/pamtest"
)

// visitor comes to sshd with the keyboard-interactive method of x/crypto/ssh.
type visitor struct {
	user, password, code string
	from                 string           // the client's address; "": 127.0.0.1
	tries                int              // 0: one
	auth                 []ssh.AuthMethod // before keyboard-interactive
}

// round is what the server sent for one question to the person.
type round struct {
	name, instruction string
	questions         []string
	echos             []bool
}

// visit is a connection: client is nil when it was refused.
type visit struct {
	client *ssh.Client
	rounds []round
	err    error
}

// in reports whether the visitor was let in.
func (v visit) in() bool { return v.client != nil }

// patience is for what must happen, on however loaded a machine.
const patience = 100 * time.Second

func (v visitor) visit(t *testing.T, s *pamtest.Sshd) (seen visit) {
	t.Helper()
	answer := func(name, instruction string, questions []string, echos []bool) ([]string, error) {
		if len(questions) == 0 && name == "" && instruction == "" {
			return nil, nil
		}
		seen.rounds = append(seen.rounds, round{name, instruction, questions, echos})
		var answers []string
		for _, q := range questions {
			if strings.Contains(q, "assword") {
				answers = append(answers, v.password)
			} else {
				answers = append(answers, v.code)
			}
		}
		return answers, nil
	}
	config := &ssh.ClientConfig{User: v.user, HostKeyCallback: ssh.FixedHostKey(s.HostKey),
		Auth: append(v.auth, ssh.RetryableAuthMethod(ssh.KeyboardInteractive(answer), max(1, v.tries)))}
	seen.client, seen.err = dial(t, s, v.from, config)
	return seen
}

// dial fails the test for anything but a login that was let in or refused.
func dial(t *testing.T, s *pamtest.Sshd, from string, config *ssh.ClientConfig) (*ssh.Client, error) {
	t.Helper()
	host := "127.0.0.1"
	if strings.Contains(from, ":") {
		host = "::1"
	}
	dialer := net.Dialer{Timeout: patience}
	if from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := dialer.Dial("tcp", s.Address(host))
	must(t, err)
	must(t, conn.SetDeadline(time.Now().Add(patience)))
	c, channels, requests, err := ssh.NewClientConn(conn, s.Address(host), config)
	if err != nil {
		conn.Close()
		if !strings.Contains(err.Error(), "unable to authenticate") {
			t.Errorf("ssh as %q: %v", config.User, err)
		}
		return nil, err
	}
	client := ssh.NewClient(c, channels, requests)
	t.Cleanup(func() { client.Close() })
	return client, nil
}

// says runs a command and returns what it printed, on both channels.
func says(t *testing.T, client *ssh.Client, command string) string {
	t.Helper()
	session, err := client.NewSession()
	must(t, err)
	defer session.Close()
	var out bytes.Buffer
	session.Stdout, session.Stderr = &out, &out
	if err := session.Run(command); err != nil {
		var exit *ssh.ExitError
		if !errors.As(err, &exit) {
			t.Errorf("%s: %v", command, err)
		}
	}
	return out.String()
}

func TestExplore(t *testing.T) {
	s, people := newSite(t, "", 3)
	anna := s.enrol(people[0])
	sshd := s.Sshd()
	v := visitor{user: anna.Name, password: s.Password, code: anna.code(t, 0)}
	got := v.visit(t, sshd)
	fmt.Printf("%+v\n", got)
	if got.in() {
		fmt.Println(says(t, got.client, "id; env"))
	}
	got = v.visit(t, sshd)
	fmt.Printf("%+v\n", got)
	v.tries = 3
	got = v.visit(t, sshd)
	fmt.Printf("%+v\n", got)
	fmt.Println(left(s.state(anna)))
	for _, r := range s.records(anna) {
		fmt.Printf("%+v\n", r)
	}
	x := pamtest.OpenTerminal(t, sshd.Client("ssh", anna.Name+"@127.0.0.1"))
	x.Expect("assword: ")
	x.Type(s.Password + "\n")
	x.Expect("code: ")
	x.Type(anna.code(t, 1) + "\n")
	x.Expect("$ ")
	x.Type("tty; exit\n")
	fmt.Println(x.Wait())
	fmt.Printf("%q\n", x.Screen())
	x = pamtest.OpenTerminal(t, sshd.Client("ssh", anna.Name+"@127.0.0.1"))
	for range 3 {
		x.Expect("assword: ")
		x.Type(s.Password + "\n")
		x.Expect("code: ")
		x.Type(anna.code(t, 1) + "\n")
	}
	fmt.Println(x.Wait())
	fmt.Printf("%q\n", x.Screen())
	x = pamtest.OpenTerminal(t, s.CommandAs(people[1].User, "su", anna.Name, "-c", "id; tty"))
	x.Expect("assword: ")
	x.Type(s.Password + "\n")
	x.Expect("code: ")
	x.Type(anna.code(t, 1) + "\n")
	fmt.Println(x.Wait())
	fmt.Printf("%q\n", x.Screen())
	s.Sudoers(anna.Name + " ALL=(ALL) ALL")
	x = pamtest.OpenTerminal(t, s.CommandAs(anna.User, "sudo", "id"))
	for range 3 {
		x.Expect("assword for " + anna.Name + ": ")
		x.Type(s.Password + "\n")
		x.Expect("code: ")
		x.Type(anna.code(t, 1) + "\n")
	}
	fmt.Println(x.Wait())
	fmt.Printf("%q\n", x.Screen())
	x = pamtest.OpenTerminal(t, s.Command("login"))
	x.Expect("login: ")
	x.Type(people[1].Name + "\n")
	x.Expect("assword: ")
	x.Type(s.Password + "\n")
	x.Expect("$ ")
	x.Type("tty; exit\n")
	fmt.Println(x.Wait())
	fmt.Printf("%q\n", x.Screen())
	x = pamtest.OpenTerminal(t, s.Command("login"))
	x.Expect("login: ")
	x.Type(anna.Name + "\n")
	x.Expect("assword: ")
	x.Type(s.Password + "\n")
	x.Expect("code: ")
	x.Type(anna.code(t, 1) + "\n")
	x.Expect("login: ")
	fmt.Printf("%q\n", x.Screen())
	for _, r := range s.records(anna) {
		fmt.Printf("%+v\n", r)
	}
	for _, r := range s.records(people[1]) {
		fmt.Printf("%+v\n", r)
	}
	fmt.Println(sshd.Log())
}

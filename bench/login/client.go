package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"twokey/bench/site"
)

// source is where all site.Logins come from.
const source = "192.0.2.7"

// outcome is what it says of one login.
type outcome struct {
	status           int // of PAM; 0: let in
	took, cpu        time.Duration
	selfKB, othersKB float64
}

// client is a running bench/client: logins at one service, so many at a time.
type client struct {
	command *exec.Cmd
	to      io.WriteCloser
	from    *bufio.Scanner
}

// startClient starts the program, under others if there are any: strace.
func startClient(program, confDir, service string, atOnce int, under ...string) (*client, error) {
	argv := append(append([]string{}, under...), program, confDir, service, fmt.Sprint(atOnce))
	c := &client{command: exec.Command(argv[0], argv[1:]...)}
	c.command.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}
	c.command.Stderr = os.Stderr
	var err error
	if c.to, err = c.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.from = bufio.NewScanner(out)
	return c, c.command.Start()
}

// batch takes logins through, and says how long all of them took.
func (c *client) batch(logins []site.Login) ([]outcome, time.Duration, error) {
	var lines strings.Builder
	for _, l := range logins {
		fmt.Fprintf(&lines, "%s %s %s\n", l.User, l.Code, source)
	}
	if _, err := io.WriteString(c.to, lines.String()+"\n"); err != nil {
		return nil, 0, err
	}
	outcomes := make([]outcome, len(logins))
	for i := range outcomes {
		o := &outcomes[i]
		var ns, us int64
		if err := c.scan("%d %d %d %f %f", &o.status, &ns, &us, &o.selfKB, &o.othersKB); err != nil {
			return nil, 0, err
		}
		o.took, o.cpu = time.Duration(ns), time.Duration(us)*time.Microsecond
	}
	var all int64
	err := c.scan("= %d", &all)
	return outcomes, time.Duration(all), err
}

func (c *client) scan(format string, into ...any) error {
	if !c.from.Scan() {
		return errors.Join(errors.New("bench/client has ended"), c.from.Err())
	}
	if _, err := fmt.Sscanf(c.from.Text(), format, into...); err != nil {
		return fmt.Errorf("bench/client said %q: %w", c.from.Text(), err)
	}
	return nil
}

// What PAM says (_pam_types.h).
const (
	pamSuccess = 0
	pamAuthErr = 7 // of a wrong code; a module that fails says something else
)

// statusError is a login that did not end as it should have.
type statusError struct {
	user      string
	got, want int // of PAM
}

// Error says which status came and which was wanted.
func (e statusError) Error() string {
	return fmt.Sprintf("PAM said %d of the login of %s, and not %d", e.got, e.user, e.want)
}

// one takes one login through, which must end with this status.
func (c *client) one(l site.Login, status int) (outcome, error) {
	outcomes, _, err := c.batch([]site.Login{l})
	if err != nil {
		return outcome{}, err
	}
	if outcomes[0].status != status {
		return outcome{}, statusError{l.User, outcomes[0].status, status}
	}
	return outcomes[0], nil
}

// prove shows that a module checks codes: a service that lets everybody in would be the fastest of all. It lets in with a code of the phone, once,
// and with no other.
func prove(c *client, d *site.Phone) error {
	right, err := d.Login()
	if err != nil {
		return err
	}
	wrong, err := d.Wrong()
	if err != nil {
		return err
	}
	for _, try := range []struct {
		what   string
		login  site.Login
		status int
	}{{"a right code", right, pamSuccess}, {"the same code again", right, pamAuthErr}, {"a wrong code", wrong, pamAuthErr}} {
		if _, err := c.one(try.login, try.status); err != nil {
			return fmt.Errorf("%s: %w", try.what, err)
		}
		if try.status != pamSuccess { // google-authenticator counts on at each refusal
			if _, err := d.Login(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close ends it.
func (c *client) Close() error { return errors.Join(c.to.Close(), c.command.Wait()) }

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"twokey/audit"
	"twokey/internal/safefile"
	"twokey/policy"
)

func testLoginCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "login",
		Usage:     "one real login through the PAM stack of a service",
		ArgsUsage: "USER",
		Description: "Goes through the service's stack as the service would, up to the point where it has decided: authentication, then\n" +
			"account. No session is opened and no credentials are set. All else is real: a right code is used up, a wrong one\n" +
			"counts, and the audit log has it. The questions come to the terminal; where standard input is none, each line of it\n" +
			"is an answer. Exit status 3 when the login is refused.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "service", Usage: "the PAM `SERVICE`", Value: "sshd"},
			&cli.StringFlag{Name: "from", Usage: "the client's `ADDRESS` (PAM_RHOST)"},
			&cli.StringFlag{Name: "conf-dir", Usage: "take the stack from this `DIR`, not from /etc/pam.d"},
		},
		Action: func(c *cli.Context) error { return testLoginAction(c, ui) },
	}
}

func testLoginAction(c *cli.Context, ui *ui) error {
	name, err := oneUser(c)
	if err != nil {
		return err
	}
	t := transaction{User: name, Service: c.String("service"), From: c.String("from"), ConfDir: c.String("conf-dir")}
	if t.Service == "" || strings.ContainsAny(t.Service, "/\x00") || visible(t.Service) != t.Service {
		return badUsage("%q cannot be the name of a PAM service", t.Service)
	}
	h, err := openInForce(c, ui)
	if err != nil {
		return err
	}
	if h.root != "" {
		return badUsage("test login works on this host only, without --root").hint("chroot '%s' twokey test login %s", h.root, name)
	}
	if err := h.checkTransaction(&t); err != nil {
		return err
	}
	begin := time.Now()
	result, pid, err := t.inAProcessOfItsOwn(ui, ui.lines)
	if err != nil {
		return err
	}
	result.Twokey = h.ownReason(pid, begin)
	return result.print(ui, t)
}

// checkTransaction refuses what libpam would take for something else: without a file of the service it goes by "other".
func (h *host) checkTransaction(t *transaction) error {
	t.Service = strings.ToLower(t.Service) // as libpam does
	if t.ConfDir == "" {
		exists, err := h.pamServiceExists(t.Service)
		if err == nil && !exists {
			err = noSuchService(t.Service)
		}
		return err
	}
	var err error
	if t.ConfDir, err = filepath.Abs(t.ConfDir); err != nil {
		return err
	}
	_, err = safefile.ReadImport(filepath.Join(t.ConfDir, t.Service), maxPAMFile)
	return err
}

// outcome is what test login --json prints.
type outcome struct {
	OK       bool     `json:"ok"`
	Reason   string   `json:"reason"`           // what PAM says
	Twokey   string   `json:"twokey,omitempty"` // what twokey has written about it into the audit log
	Prompts  []string `json:"prompts"`
	Messages []string `json:"messages"`
}

func (o outcome) print(ui *ui, t transaction) error {
	if o.OK {
		ui.say("Let in: %s on %s.", visible(t.User), visible(t.Service))
	} else {
		ui.say("Refused: %s.", visible(o.Reason))
	}
	if o.Twokey != "" {
		ui.say("twokey: %s", visible(o.Twokey))
	} else {
		ui.say("twokey was not asked, or had nothing to say: twokey policy explain %s --service %s", visible(t.User), visible(t.Service))
	}
	if err := ui.object(o); err != nil {
		return err
	}
	if !o.OK {
		return errSilent
	}
	return nil
}

// ownReason finds what the audit log has of a transaction: the person at the prompt is never told why.
func (h *host) ownReason(pid int, begin time.Time) string {
	r, err := h.loginRecord(pid, begin)
	if err != nil {
		h.ui.warn("the audit log cannot be read: %v", err)
	}
	if r == nil {
		return ""
	}
	return fmt.Sprintf("%s: %s", r.Action, why(r))
}

// loginRecord is the last record of a transaction that ran in the given process and has ended; nil when it is not among the newest.
func (h *host) loginRecord(pid int, begin time.Time) (*audit.Record, error) {
	entries, err := audit.Tail(h.path(h.policy.Paths.Audit), 200)
	if err != nil {
		return nil, err
	}
	for i := len(entries) - 1; i >= 0; i-- {
		r := entries[i].Record
		if r != nil && r.PID == uint64(pid) && !r.Time.Before(begin.Add(-time.Minute)) {
			return r, nil
		}
	}
	return nil, nil
}

// inAProcessOfItsOwn runs the transaction in a child: modules swap signal handlers under the Go runtime, and one that ends the
// process must not take the answer with it. Only a child that says that the login is let in and then ends well counts. What the stack says
// beside its questions is told by tell.
func (t transaction) inAProcessOfItsOwn(ui *ui, tell func(lines string)) (outcome, int, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return outcome{}, 0, err
	}
	defer ours.Close()
	arguments, err := json.Marshal(t)
	if err != nil {
		return outcome{}, 0, errors.Join(err, theirs.Close())
	}
	child := exec.Command("/proc/self/exe", "test", transactionName, "--", string(arguments))
	child.Args[0] = os.Args[0]
	child.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"} // a service does not have the administrator's
	child.ExtraFiles = []*os.File{theirs}
	if err := errors.Join(child.Start(), theirs.Close()); err != nil {
		return outcome{}, 0, err
	}
	result, talkErr := converse(ours, ui, tell, selfPatience)
	closeErr := ours.Close()
	waitErr := reap(child, talkErr, selfPatience)
	if errors.Is(talkErr, os.ErrDeadlineExceeded) {
		return outcome{}, 0, failed("the PAM stack has said nothing for %s", policy.Brief(selfPatience))
	}
	if over(talkErr) {
		return outcome{}, 0, talkErr
	}
	if err := errors.Join(talkErr, closeErr, waitErr); err != nil {
		return outcome{}, 0, fmt.Errorf("the PAM stack ended the process that ran it: %w", err)
	}
	return result, child.Process.Pid, nil
}

// reap waits for a child with which nobody speaks any more, and kills it when it does not end: at once when it has said nothing in time.
//
// Attack: the child has the real uid of who called it, who stops it (SIGSTOP) and so holds a process of root's for good.
func reap(child *exec.Cmd, talkErr error, patience time.Duration) error {
	if errors.Is(talkErr, os.ErrDeadlineExceeded) {
		patience = 0
	}
	killer := time.AfterFunc(patience, func() { _ = child.Process.Kill() }) // it may have ended
	defer killer.Stop()
	return child.Wait()
}

func socketPair() (ours, theirs *os.File, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	if err := unix.SetNonblock(pair[0], true); err != nil { // for deadlines
		return nil, nil, errors.Join(err, unix.Close(pair[0]), unix.Close(pair[1]))
	}
	return os.NewFile(uintptr(pair[0]), "transaction"), os.NewFile(uintptr(pair[1]), "transaction"), nil
}

// converse brings the stack's words to the person and the answers back, until the stack has decided. When it says nothing for as long as
// the patience lasts, that is os.ErrDeadlineExceeded.
func converse(conn *os.File, ui *ui, tell func(lines string), patience time.Duration) (outcome, error) {
	result := outcome{Prompts: []string{}, Messages: []string{}}
	from, to := json.NewDecoder(conn), json.NewEncoder(conn)
	for {
		var m pamMessage
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			return outcome{}, err
		}
		if err := from.Decode(&m); err != nil {
			return outcome{}, err
		}
		switch m.Kind {
		case pamDone:
			result.OK, result.Reason = m.Text == "", m.Text
			return result, nil
		case pamHidden, pamShown:
			result.Prompts = append(result.Prompts, m.Text)
			answer, err := ui.answerPAM(m, tell)
			if over(err) {
				return outcome{}, err
			}
			if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
				return outcome{}, err
			}
			if err := to.Encode(pamAnswer{OK: err == nil, Text: answer}); err != nil {
				return outcome{}, err
			}
		default:
			result.Messages = append(result.Messages, m.Text)
			tell(m.Text + "\n")
		}
	}
}

// over reports whether whoever was asked is not there any more, or does not want to go on.
func over(err error) bool {
	return errors.Is(err, errInterrupted) || errors.Is(err, errGone) || errors.Is(err, errSelf)
}

// answerPAM puts a question of the stack. Lines before the last one are shown above it.
func (u *ui) answerPAM(m pamMessage, tell func(lines string)) (string, error) {
	end := strings.LastIndexByte(m.Text, '\n') + 1
	tell(m.Text[:end])
	if !u.in.terminal() {
		tell(m.Text[end:])
	}
	return u.ask(visible(m.Text[end:]), m.Kind == pamHidden)
}

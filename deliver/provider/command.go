package provider

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"twokey/deliver"
)

// A program of the administrator's that sends text messages: number, line feed and message on its standard input, status 0 when it has sent
// it. It may do what the user may that twokey-notify runs as, which is little: it has no seal, as it has to start programs and open devices.
//
// Each with a test of the same name:
//
//   - MUST NOT hand it anything but its input: no environment, no argument of ours. Attack: whoever lists processes reads the code.
//   - MUST NOT run a program that anybody but root can have changed. Attack: whoever can write it gets every code.
//   - MUST NOT outlive its time, nor leave anything running: one program that hangs for each login fills the host.
//   - MUST NOT take its word for more than the first line of its standard error.

const (
	maxComplaint = 4 << 10                // of standard error that is looked at, in bytes
	afterwards   = 500 * time.Millisecond // for what holds standard error open when the program has ended
)

func (j *job) command(ctx context.Context) (deliver.Answer, error) {
	program := j.req.Command.Argv[0]
	if j.req.Kind != deliver.KindText {
		return commandThere(program)
	}
	file, err := onlyRoots(program)
	if err != nil {
		return deliver.Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, j.req.Timeout)
	defer cancel()
	complaint := new(firstBytes)
	cmd := exec.CommandContext(ctx, file)
	cmd.Args = j.req.Command.Argv
	cmd.Env, cmd.Dir = []string{}, "/"
	cmd.Stdin = strings.NewReader(j.req.Text.Number + "\n" + j.req.Text.Message)
	cmd.Stderr = complaint
	// A group of its own can be ended as one. It ends with us, of whatever we die; that counts for the thread that has started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return endGroup(cmd.Process.Pid) } // all at once: whoever has gone does not wait for what holds standard error
	cmd.WaitDelay = afterwards
	if err := cmd.Start(); err != nil {
		return deliver.Answer{}, notStarted(program, err)
	}
	err = cmd.Wait()
	if ended := endGroup(cmd.Process.Pid); ended != nil {
		return deliver.Answer{}, ended
	}
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return deliver.Answer{State: deliver.StateSent}, nil
	case ctx.Err() != nil:
		return deliver.Answer{}, &failure{
			problem: deliver.ProblemTimeout, detail: path.Base(program) + " has not ended in time" + complaint.after(": "),
			advice: "let it hand the message to something that sends it later, or raise sms.timeout",
		}
	}
	return deliver.Answer{}, &failure{
		problem: deliver.ProblemCommand, detail: fmt.Sprintf("%s: %v%s", path.Base(program), err, complaint.after(": ")),
		advice: "try it as the user " + deliver.User + ": number, line feed and message on its standard input",
	}
}

// endGroup ends what a program has started beside it and left behind. Its number is that of its group as long as anybody is in it; this
// user can end no other's processes.
func endGroup(pid int) error {
	err := syscall.Kill(-pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.EPERM) {
		return nil // nobody is left whom we could end
	}
	return err
}

// commandThere asks whether this user may start a program.
func commandThere(program string) (deliver.Answer, error) {
	if err := unix.Access(program, unix.X_OK); err != nil {
		return deliver.Answer{}, notStarted(program, err)
	}
	var info unix.Stat_t
	if err := unix.Stat(program, &info); err != nil {
		return deliver.Answer{}, notStarted(program, err)
	}
	if info.Mode&unix.S_IFMT != unix.S_IFREG {
		return deliver.Answer{}, notStarted(program, errors.New("not a program"))
	}
	if _, err := onlyRoots(program); err != nil {
		return deliver.Answer{}, err
	}
	return deliver.Answer{State: deliver.StateOK, Account: &deliver.Account{Name: program}}, nil
}

func notStarted(program string, err error) error {
	var cause syscall.Errno
	if errors.As(err, &cause) {
		err = cause
	}
	return &failure{
		problem: deliver.ProblemCommand, detail: fmt.Sprintf("%s cannot be started: %v", program, err),
		advice: "the user " + deliver.User + " must be able to reach and to execute it, and what its first line names",
	}
}

// firstBytes keeps the beginning of what is written and lets the rest go: a program that is not read from would wait.
type firstBytes struct{ kept bytes.Buffer }

// Write keeps what there is room for, and drops the rest.
func (f *firstBytes) Write(p []byte) (int, error) {
	f.kept.Write(p[:min(len(p), maxComplaint-f.kept.Len())])
	return len(p), nil
}

// after is the first line with anything in it behind a text; "" for none.
func (f *firstBytes) after(text string) string {
	for line := range strings.Lines(f.kept.String()) {
		if said := oneLine(line); said != "" {
			return text + said
		}
	}
	return ""
}

package provider

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"twokey/deliver"
)

const (
	textNumber  = "+442079460958"
	textMessage = "Your host verification code is: 739104\nnever tell it"
)

// text is a request for an SMS, without its provider.
func text() *deliver.Request {
	return &deliver.Request{
		Kind: deliver.KindText, Connect: 5 * time.Second, Timeout: 20 * time.Second,
		Text: &deliver.Text{Number: textNumber, Message: textMessage, User: "alice"},
	}
}

// byProgram has a shell script send a text; $D is a folder for it.
func byProgram(t *testing.T, script string, arguments ...string) (req *deliver.Request, dir string) {
	t.Helper()
	dir = t.TempDir()
	program := filepath.Join(dir, "send-text")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nD="+dir+"\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	req = text()
	req.Command = &deliver.Command{Argv: append([]string{program}, arguments...)}
	return req, dir
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// MUST NOT hand it anything but its input.
func TestAProgramGetsItsInputOnly(t *testing.T) {
	t.Setenv("TWOKEY_SECRET", "x")
	req, dir := byProgram(t, `cat >$D/input
		tr '\0' '\n' </proc/$$/environ >$D/environ
		tr '\0' '\n' </proc/$$/cmdline >$D/arguments
		places=$(readlink /proc/$$/cwd /proc/$$/fd/1)
		echo "$places" >$D/places
		echo said; echo fine >&2`, "--modem", "/dev/ttyUSB0")
	if got := Run(ctxFor(t), req, nil); got != (deliver.Answer{State: deliver.StateSent}) {
		t.Errorf("%+v", got)
	}
	for name, want := range map[string]string{
		"input": textNumber + "\n" + textMessage, "environ": "", "places": "/\n/dev/null\n",
		"arguments": "/bin/sh\n" + dir + "/send-text\n--modem\n/dev/ttyUSB0\n",
	} {
		if got := read(t, dir, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// MUST NOT take its word for more than the first line of its standard error.
func TestWhatAProgramComplainsOf(t *testing.T) {
	for name, c := range map[string]struct {
		script  string
		problem deliver.Problem
		detail  string
	}{
		"a status and a line":      {`echo "modem: no carrier" >&2; echo more >&2; exit 3`, deliver.ProblemCommand, "send-text: exit status 3: modem: no carrier"},
		"a status alone":           {`exit 1`, deliver.ProblemCommand, "send-text: exit status 1"},
		"a signal":                 {`kill -SEGV $$`, deliver.ProblemCommand, "send-text: signal: segmentation fault"},
		"empty lines first":        {`printf '\n \t\n\033[2J\033[31mred\033[0m\n' >&2; exit 1`, deliver.ProblemCommand, "send-text: exit status 1: [2J[31mred[0m"},
		"code and number":          {`cat >&2 <<X` + "\ncannot send 739104 to +44 20 7946 0958\nX\nexit 1", deliver.ProblemCommand, "send-text: exit status 1: cannot send … to …958"},
		"a gigabyte":               {`yes 0123456789 | tr -d '\n' | head -c 300000000 >&2; exit 1`, deliver.ProblemCommand, ""},
		"input that is not read":   {`exec <&-; exit 0`, "", ""},
		"a complaint, and success": {`echo "modem warms up" >&2`, "", ""},
	} {
		req, _ := byProgram(t, c.script)
		got := Run(ctxFor(t), req, nil)
		checkClean(t, req, got)
		if got.Problem != c.problem || (got.State == deliver.StateSent) != (c.problem == "") {
			t.Errorf("%s: %+v", name, got)
		}
		if c.detail != "" && (got.Detail != c.detail || !strings.Contains(got.Advice, "_twokey")) {
			t.Errorf("%s: %q, advice %q", name, got.Detail, got.Advice)
		}
	}
}

// MUST NOT outlive its time, nor leave anything running.
func TestAProgramIsEnded(t *testing.T) {
	const leaves = `trap '' TERM HUP INT; (trap '' TERM HUP INT; echo $(exec sh -c 'echo $PPID') >$D/child; while :; do sleep 0.1; done) & echo $$ >$D/self; `
	const untilWritten = `while [ ! -s $D/child ]; do sleep 0.01; done; `
	for name, c := range map[string]struct {
		script string
		want   deliver.Problem
	}{
		"one that hangs":                           {leaves + untilWritten + `echo "waiting for the modem" >&2; touch $D/ready; while :; do sleep 0.1; done`, deliver.ProblemTimeout},
		"one that leaves something behind":         {leaves + untilWritten + `exit 0`, ""},
		"one that leaves something, and complains": {leaves + untilWritten + `exit 1`, deliver.ProblemCommand},
	} {
		req, dir := byProgram(t, c.script)
		ctx, cancel := context.WithCancel(ctxFor(t))
		if c.want == deliver.ProblemTimeout {
			go func() {
				awaitFile(filepath.Join(dir, "ready"))
				cancel()
			}()
		}
		got := Run(ctx, req, nil)
		cancel()
		if got.Problem != c.want {
			t.Errorf("%s: %+v", name, got)
		}
		if c.want == deliver.ProblemTimeout && got.Detail != "send-text has not ended in time: waiting for the modem" {
			t.Errorf("%s: %+v", name, got)
		}
		for _, file := range []string{"self", "child"} {
			var pid int
			if _, err := fmt.Sscan(read(t, dir, file), &pid); err != nil || !gone(pid) {
				t.Errorf("%s: %s, process %d is still there (%v)", name, file, pid, err)
			}
		}
	}
}

func TestAProgramHasTheTimeOfTheRequest(t *testing.T) {
	req, _ := byProgram(t, `exec sleep 600`)
	req.Timeout = 100 * time.Millisecond
	if got := Run(ctxFor(t), req, nil); got.Problem != deliver.ProblemTimeout || !strings.Contains(got.Advice, "sms.timeout") {
		t.Errorf("%+v", got)
	}
}

func awaitFile(path string) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
	}
}

// gone waits for a process to be dead; one whose parent has died stays in the table until somebody looks.
func gone(pid int) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) || strings.Contains(string(stat), ") Z ") {
			return true
		}
	}
	return false
}

func TestAProgramThatCannotBeStarted(t *testing.T) {
	good, dir := byProgram(t, "exit 0")
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct {
		program string
		detail  string
		found   bool // by a check
	}{
		"one that is not there":         {dir + "/none", "no such file or directory", true},
		"one that is not executable":    {write("text", "#!/bin/sh\n", 0o600), "permission denied", true},
		"a folder":                      {dir, "permission denied", true},
		"one of no known format":        {write("data", "\x7fELF?", 0o700), "exec format error", false},
		"one whose shell is not there":  {write("shell", "#!/bin/none\n", 0o700), "no such file or directory", false},
		"one below something else":      {good.Command.Argv[0] + "/x", "not a directory", true},
		"one whose name turns the line": {dir + "/a\u202eb", "no such file or directory", true},
	} {
		for _, kind := range []deliver.Kind{deliver.KindText, deliver.KindCheck, deliver.KindAccount} {
			req := text()
			req.Command = &deliver.Command{Argv: []string{c.program}}
			if req.Kind = kind; kind != deliver.KindText {
				req.Text = nil
			}
			got := Run(ctxFor(t), req, nil)
			checkClean(t, req, got)
			if kind != deliver.KindText && !c.found {
				if got.State != deliver.StateOK {
					t.Errorf("%s, %s: %+v", name, kind, got)
				}
				continue
			}
			wanted := c.detail
			if c.program == dir && kind != deliver.KindText {
				wanted = "not a program"
			}
			if got.Problem != deliver.ProblemCommand || !strings.Contains(got.Detail, wanted) || !strings.Contains(got.Advice, "_twokey") {
				t.Errorf("%s, %s: %+v", name, kind, got)
			}
		}
	}
	good.Kind, good.Text, good.Command.Argv[0] = deliver.KindAccount, nil, "/bin/true"
	if got := Run(ctxFor(t), good, nil); got.State != deliver.StateOK || got.Account.Name != "/bin/true" {
		t.Errorf("a good one: %+v", got)
	}
}

// MUST NOT run a program that anybody but root can have changed.
func TestAProgramThatOthersCanWriteIsNotRun(t *testing.T) {
	for sentence, c := range map[string]struct {
		spoil func(folder, program string) error
		runs  bool
	}{
		"root's":                         {func(string, string) error { return nil }, true},
		"its group can write it":         {func(_, program string) error { return os.Chmod(program, 0o775) }, false},
		"everybody can write it":         {func(_, program string) error { return os.Chmod(program, 0o757) }, false},
		"another owns it":                {func(_, program string) error { return os.Chown(program, 23456, 0) }, false},
		"everybody can write its folder": {func(folder, _ string) error { return os.Chmod(folder, 0o777) }, false},
		"another owns its folder":        {func(folder, _ string) error { return os.Chown(folder, 23456, 0) }, false},
		"a link to one of another's": {func(folder, program string) error {
			return errors.Join(os.Rename(program, folder+"/other"), os.Chown(folder+"/other", 23456, 0), os.Symlink("other", program))
		}, false},
		"a link to it": {func(folder, program string) error { return linked(program, folder+"/it", folder+"/it") }, true},
		"a link with ..": {func(folder, program string) error {
			return errors.Join(os.Mkdir(folder+"/in", 0o755), linked(program, folder+"/in/it", folder+"/in/../in/./it"))
		}, true},
		"a link between, in a folder of another's": {func(folder, program string) error {
			theirs := folder + "/theirs"
			return errors.Join(os.Mkdir(theirs, 0o755), linked(program, folder+"/it", theirs+"/link"), os.Symlink("../it", theirs+"/link"), os.Chown(theirs, 23456, 0))
		}, false},
		"a folder that another has linked": {func(folder, program string) error {
			return errors.Join(os.Mkdir(folder+"/in", 0o755), linked(program, folder+"/in/it", folder+"/door/it"), os.Symlink("in", folder+"/door"), os.Lchown(folder+"/door", 23456, 0))
		}, false},
		"links in a ring": {func(folder, program string) error {
			return errors.Join(os.Remove(program), os.Symlink("ring", program), os.Symlink("send", folder+"/ring"))
		}, false},
	} {
		folder := filepath.Join(t.TempDir(), "of it")
		program, mark := filepath.Join(folder, "send"), filepath.Join(t.TempDir(), "ran")
		if err := errors.Join(os.Mkdir(folder, 0o755), os.WriteFile(program, []byte("#!/bin/sh\ncat >/dev/null\n: >"+mark+"\n"), 0o755)); err != nil {
			t.Fatal(err)
		}
		if err := c.spoil(folder, program); err != nil {
			t.Fatal(err)
		}
		req := text()
		req.Command = &deliver.Command{Argv: []string{program}}
		got := Run(ctxFor(t), req, nil)
		_, err := os.Stat(mark)
		if (err == nil) != c.runs || (got.State == deliver.StateSent) != c.runs || !c.runs && got.Problem != deliver.ProblemCommand {
			t.Errorf("%s: %+v, ran: %v", sentence, got, err == nil)
		}
	}
}

// linked moves a program and leaves a link.
func linked(program, to, link string) error {
	return errors.Join(os.Rename(program, to), os.Symlink(link, program))
}

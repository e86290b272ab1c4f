package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"

	"twokey/enroll"
	"twokey/internal/pamtest"
	"twokey/internal/sysuser"
	"twokey/pamhook/logintest/scratch"
)

// loginHost is a host with a PAM service of its own, and somebody who is enrolled there.
type loginHost struct {
	*scratch.Host
	t              *testing.T
	services       string // folder
	user, password string
	device         *enroll.Draft
}

func newLoginHost(t *testing.T) loginHost {
	t.Helper()
	dir := t.TempDir()
	h := loginHost{Host: scratch.New(t, filepath.Join(dir, "host"), "default: required"), t: t, services: filepath.Join(dir, "pam.d")}
	shipped, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(h.services, 0o755); err != nil {
		t.Fatal(err)
	}
	module := shipped.dir + "/pam_twokey.so config=" + h.Config + " helper=" + shipped.dir + "/twokey-verify"
	pamtest.Service(t, h.services, "recommended",
		"auth [success=2 default=ignore] pam_unix.so",
		"auth requisite "+module+" decoy",
		"auth requisite pam_deny.so",
		"auth required "+module+" after=password",
		"auth required pam_permit.so",
		"account required "+module,
		"account required pam_unix.so")
	h.user, h.password = pamtest.TempUser(t)
	account, err := sysuser.Lookup(h.user)
	if err != nil {
		t.Fatal(err)
	}
	h.device = h.Enrol(h.user, account.UID, scratch.Request())
	return h
}

// command is test login for a service.
func (h loginHost) command(service string, flags ...string) *exec.Cmd {
	return exec.Command("twokey", append([]string{"--config", h.Config, "test", "login", h.user, "--service", service, "--conf-dir", h.services}, flags...)...)
}

// try answers the questions of a service and returns what --json prints, and the exit status.
func (h loginHost) try(service string, answers ...string) (result outcome, status int) {
	h.t.Helper()
	cmd := h.command(service, "--json")
	cmd.Stdin = strings.NewReader(strings.Join(append(answers, ""), "\n"))
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	if len(out) > 0 {
		if err := json.Unmarshal(out, &result); err != nil {
			h.t.Fatalf("%v: %s", err, out)
		}
	} else {
		result.Reason = complaint.String()
	}
	return result, cmd.ProcessState.ExitCode()
}

func TestTestLoginIsARealLogin(t *testing.T) {
	t.Parallel()
	h := newLoginHost(t)
	code := scratch.Code(t, h.device, 0)
	questions := []string{"Password: ", "Verification code: "}
	for _, c := range []struct {
		what    string
		answers []string
		ok      bool
		twokey  string
	}{
		{"the right password and code", []string{h.password, code}, true, "login: right code (totp, phone)"},
		{"the same code again", []string{h.password, code}, false, "login: code used before"},
		{"a wrong code", []string{h.password, scratch.Wrong(t, h.device)}, false, "login: wrong code"},
		{"a wrong password", []string{"wrong", scratch.Code(t, h.device, 1)}, false, "login: no right password before it"},
		{"no answer to the second question", []string{h.password}, false, "login: no answer"},
	} {
		got, status := h.try("recommended", c.answers...)
		want := exitNo
		if c.ok {
			want = exitDone
		}
		if got.OK != c.ok || status != want || (got.Reason == "") != c.ok {
			t.Errorf("%s: %+v, status %d", c.what, got, status)
		}
		if !slices.Equal(got.Prompts, questions) || !strings.HasPrefix(got.Twokey, c.twokey) {
			t.Errorf("%s: asked %q, twokey %q, want %q", c.what, got.Prompts, got.Twokey, c.twokey)
		}
	}
	h.Verified()
	// What the log has of other logins is not the reason of this one.
	pamtest.Service(t, h.services, "unwired", "auth required pam_permit.so", "account required pam_permit.so")
	if got, status := h.try("unwired"); !got.OK || status != exitDone || got.Twokey != "" {
		t.Errorf("a service without twokey: %+v, status %d", got, status)
	}
}

// crash is a module that ends its process, with the exit status of success.
const crash = `
#include <unistd.h>
int pam_sm_authenticate(void *handle, int flags, int argc, const char **argv) { _exit(0); }
int pam_sm_setcred(void *handle, int flags, int argc, const char **argv) { return 0; }
`

func TestTestLoginLetsInOnlyWhatPAMLetsIn(t *testing.T) {
	t.Parallel()
	h := newLoginHost(t)
	build := exec.Command("cc", "-shared", "-fPIC", "-x", "c", "-o", h.services+"/crash.so", "-")
	build.Stdin = strings.NewReader(crash)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.WriteFile(h.services+"/message", []byte("one\nt\x1b[2Jwo\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	pamtest.Service(t, h.services, "crashes", "auth required "+h.services+"/crash.so", "account required pam_permit.so")
	pamtest.Service(t, h.services, "account", "auth required pam_permit.so", "account required pam_deny.so")
	pamtest.Service(t, h.services, "open", "auth required pam_echo.so file="+h.services+"/message", "auth required pam_permit.so",
		"account required pam_permit.so")
	pamtest.Service(t, h.services, "missing", "auth required "+h.services+"/none.so", "account required pam_permit.so")
	for service, want := range map[string]struct {
		status int
		reason string
	}{
		"crashes": {exitFailed, "twokey: error: the PAM stack ended the process that ran it: "},
		"account": {exitNo, "account: "},
		"missing": {exitNo, "authenticate: "},
		"none":    {exitFailed, "twokey: error: open " + h.services + "/none: no such file or directory"},
		"open":    {exitDone, ""},
	} {
		got, status := h.try(service)
		if status != want.status || !strings.HasPrefix(got.Reason, want.reason) || got.OK != (status == exitDone) || got.Twokey != "" {
			t.Errorf("%s: %+v, status %d", service, got, status)
		}
		if service == "open" && !slices.Equal(got.Messages, []string{"one\nt\x1b[2Jwo"}) {
			t.Errorf("messages: %q", got.Messages)
		}
	}
	out, err := h.command("open").Output()
	if err != nil || !strings.HasPrefix(string(out), "one\nt?[2Jwo\nLet in: "+h.user+" on open.\ntwokey was not asked, ") {
		t.Errorf("%q, %v", out, err)
	}
}

// On a terminal the questions are shown and the answers are not.
func TestTestLoginOnATerminal(t *testing.T) {
	t.Parallel()
	h := newLoginHost(t)
	code := scratch.Code(t, h.device, 0)
	cmd := h.command("recommended")
	terminal, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	seen := make(chan string)
	go func() {
		var all strings.Builder
		talk := &dialogue{on: terminal, lines: []string{"Password: ", h.password + "\n", "Verification code: ", code + "\n"}}
		if _, err := io.Copy(&all, talk); !errors.Is(err, syscall.EIO) { // which is how a terminal says that the other side has gone
			t.Error(err)
		}
		seen <- all.String()
	}()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	shown := <-seen
	if want := "Password: \r\nVerification code: \r\nLet in: " + h.user + " on recommended.\r\ntwokey: login: right code (totp, phone)\r\n"; shown != want {
		t.Errorf("on the terminal: %q, want %q", shown, want)
	}
}

// dialogue reads from a terminal, and answers each question when it has been shown.
type dialogue struct {
	on    io.ReadWriter
	lines []string // question, answer, question, answer
	shown string
}

func (d *dialogue) Read(b []byte) (int, error) {
	n, err := d.on.Read(b)
	d.shown += string(b[:n])
	if len(d.lines) > 0 && strings.HasSuffix(d.shown, d.lines[0]) {
		if _, err := io.WriteString(d.on, d.lines[1]); err != nil {
			return n, err
		}
		d.lines = d.lines[2:]
	}
	return n, err
}

func TestTestLoginRefusesWhatItCannotTry(t *testing.T) {
	t.Parallel()
	h := newLoginHost(t)
	for what, c := range map[string]struct {
		arguments []string
		status    int
		errors    string
	}{
		"no user":               {nil, exitUsage, "test login takes one user"},
		"two users":             {[]string{"root", "nobody"}, exitUsage, "test login takes one user"},
		"a user with a slash":   {[]string{"a/b"}, exitUsage, `"a/b" cannot be the name of a user`},
		"a service with a path": {[]string{"root", "--service", "../passwd"}, exitUsage, `"../passwd" cannot be the name of a PAM service`},
		"no service":            {[]string{"root", "--service="}, exitUsage, `"" cannot be the name of a PAM service`},
		"another host":          {[]string{"root", "--root", "/nonexistent"}, exitUsage, "test login works on this host only"},
		"an unknown service":    {[]string{"root", "--service", "no-such-service"}, exitFailed, `no PAM service on this host is called "no-such-service"`},
	} {
		cmd := exec.Command("twokey", append([]string{"test", "login", "--config", h.Config}, c.arguments...)...)
		var complaint strings.Builder
		cmd.Stderr = &complaint
		out, _ := cmd.Output()
		if got := cmd.ProcessState.ExitCode(); got != c.status || !strings.HasPrefix(complaint.String(), "twokey: error: "+c.errors) || len(out) > 0 {
			t.Errorf("%s: status %d, %s%s", what, got, out, complaint.String())
		}
	}
	// The child is not for people.
	for _, argument := range []string{"", "{}x", "root"} {
		cmd := exec.Command("twokey", "test", transactionName, argument)
		if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != exitUsage {
			t.Errorf("%q: %s", argument, out)
		}
	}
}

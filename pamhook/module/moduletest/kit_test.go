package moduletest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"twokey/internal/pamtest"
)

// The PAM results that the tests speak of (_pam_types.h).
const (
	success     = "0"
	permDenied  = "6"
	authErr     = "7"
	ignored     = "9" // not PAM_IGNORE itself: the result of the line to which stackOf jumps for it
	sessionErr  = "14"
	emptyUser   = "(empty)"
	hardTimeout = 60 * time.Second // above every deadline that a test waits for, and below the 90 s that a helper asks for
)

// kit is the module and what it is tested with.
type kit struct{ module, drive, fake string }

var (
	plainOnce, sanitizedOnce sync.Once
	plainKit, sanitizedKit   kit
	kitDir                   string
)

func TestMain(m *testing.M) {
	pamtest.Child()
	runWireHelper()
	code := 1
	var err error
	if kitDir, err = os.MkdirTemp("", "twokey-module-"); err == nil {
		code = m.Run()
		err = os.RemoveAll(kitDir)
	}
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	os.Exit(code)
}

// plain returns the module as it is shipped.
func plain(t *testing.T) kit {
	t.Helper()
	plainOnce.Do(func() {
		module := pamtest.BuildModule(t, kitDir)
		plainKit = kit{module, filepath.Join(kitDir, "drive"), buildFake(t)}
		// Bound at load time, as lookups while it runs leave their marks on the stack, see search in drive_faults.c.
		compile(t, plainKit.drive, "drive.c", "-rdynamic", "-Wl,-z,now", source(t, "drive_faults.c"), "-lpam")
	})
	return plainKit
}

// sanitized returns the module with AddressSanitizer and UndefinedBehaviorSanitizer.
func sanitized(t *testing.T) kit {
	t.Helper()
	sanitizedOnce.Do(func() {
		pamtest.Make(t, "OUT="+kitDir, "asan")
		dir := filepath.Join(kitDir, "asan")
		sanitizedKit = kit{filepath.Join(dir, "pam_twokey.so"), filepath.Join(dir, "drive"), buildFake(t)}
	})
	return sanitizedKit
}

func buildFake(t *testing.T) string {
	t.Helper()
	path := filepath.Join(kitDir, "fake_helper")
	if _, err := os.Stat(path); err != nil {
		compile(t, path, "fake_helper.c", source(t, "fake_authtok.c"))
	}
	return path
}

func source(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(pamtest.ModuleDir(t), "testdata", name)
}

func compile(t *testing.T, out, name string, flags ...string) {
	t.Helper()
	readSources(t)
	args := append([]string{"-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-o", out, source(t, name)}, flags...)
	if b, err := exec.Command("cc", args...).CombinedOutput(); err != nil {
		t.Fatalf("cc %s: %v\n%s", name, err, b)
	}
}

// readSources reads what a compiler may read: the go command takes a test's result from its cache unless a file changed that the
// test itself has read.
func readSources(t *testing.T) {
	t.Helper()
	for _, pattern := range []string{"*.[ch]", "testdata/*.[ch]"} {
		files, err := filepath.Glob(filepath.Join(pamtest.ModuleDir(t), pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if _, err := os.ReadFile(file); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// try is one run of the application.
type try struct {
	kit
	helper     string                     // behaviour of the fake helper, or an absolute path
	args       string                     // further arguments of the module's line
	before     []string                   // lines of the service before it
	stack      func(line string) []string // the service's lines with that of the module; default stackOf
	user       string                     // default nobody
	phases     string                     // default auth
	answers    []string
	options    []string // further options of drive
	under      []string // command to run it under
	files      []*os.File
	credential *syscall.Credential
}

// running is a try that has been started.
type running struct {
	t      *testing.T
	try    try
	dir    string
	cmd    *exec.Cmd
	stdin  *os.File // what the application reads: open until closed by the test
	out    bytes.Buffer
	cancel context.CancelFunc
}

// stackOf returns a service that tells SUCCESS and IGNORE of the module apart: libpam denies a stack in which all say IGNORE.
func stackOf(line string) []string {
	return []string{
		"auth [success=2 ignore=1 default=die] " + line,
		"auth requisite pam_deny.so",
		"auth [default=die] pam_debug.so auth=authinfo_unavail",
		"auth [success=done default=die] pam_permit.so",
		"account required " + line,
		"session required " + line,
	}
}

// start prepares a folder of its own with the helper and the service, and starts the application.
func (y try) start(t *testing.T) *running {
	t.Helper()
	r := &running{t: t, try: y, dir: t.TempDir()}
	// Also for those that run as another user.
	for _, dir := range []string{filepath.Dir(r.dir), r.dir, kitDir} {
		r.must(os.Chmod(dir, 0o755))
	}
	helper := y.helper
	if !filepath.IsAbs(helper) {
		helper = filepath.Join(r.dir, helper)
		r.must(os.Link(y.fake, helper))
	}
	line := y.module + " helper=" + helper + " " + y.args
	stack := y.stack
	if stack == nil {
		stack = stackOf
	}
	pamtest.Service(t, r.dir, "service", append(y.before, stack(line)...)...)
	r.command()
	return r
}

func (r *running) command() {
	r.t.Helper()
	y := r.try
	argv := append(append([]string(nil), y.under...), y.drive)
	argv = append(argv, y.options...)
	for _, answer := range y.answers {
		argv = append(argv, "-a", answer)
	}
	user := or(y.user, "nobody")
	if user == emptyUser {
		user = ""
	}
	argv = append(argv, "-p", or(y.phases, "auth"), r.dir, "service", user)
	ctx, cancel := context.WithTimeout(context.Background(), hardTimeout)
	r.cancel = cancel
	r.cmd = exec.CommandContext(ctx, argv[0], argv[1:]...)
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.out
	r.cmd.ExtraFiles = y.files
	r.cmd.Env = append(os.Environ(), "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1")
	if y.credential != nil {
		r.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: y.credential}
	}
	in, stdin, err := os.Pipe()
	r.must(err)
	r.cmd.Stdin, r.stdin = in, stdin
	r.must(r.cmd.Start())
	r.must(in.Close())
}

// closeStdin ends a conversation that waits (answer @wait).
func (r *running) closeStdin() {
	r.t.Helper()
	if err := r.stdin.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		r.t.Fatal(err)
	}
}

func (r *running) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// outcome is what the application and the helper said.
type outcome struct {
	t    *testing.T
	out  string
	seen string // what the helper noted; empty when it was not started
}

// wait returns the outcome of a run, and checks what holds for every run: the application comes to an end by itself and is as it
// was before, the helper is gone, and the log is clean.
func (r *running) wait() outcome {
	r.t.Helper()
	defer r.cancel()
	err := r.cmd.Wait()
	r.closeStdin()
	o := outcome{t: r.t, out: r.out.String()}
	if err != nil {
		r.t.Fatalf("the application: %v\n%s", err, o.out)
	}
	if b, err := os.ReadFile(filepath.Join(r.dir, filepath.Base(r.try.helper)+".seen")); err == nil {
		o.seen = string(b)
	}
	for line, want := range map[string]string{"sigchld": "same", "mask": "same", "descriptors": "same", "children": "none"} {
		if got := o.get(line); got != want {
			r.t.Errorf("%s: %s, want %s\n%s", line, got, want, o.out)
		}
	}
	if delays := o.all("delay"); len(o.all("auth")) != len(delays) || strings.Contains(strings.Join(delays, " "), "wrong") {
		r.t.Errorf("a delay of 2 s was not asked for: %q", delays)
	}
	if pid, err := strconv.Atoi(o.noted("pid")); o.seen != "" && (err != nil || runs(pid, r.dir)) {
		r.t.Errorf("the helper is still there, pid %d", pid)
	}
	r.checkLog(o)
	return o
}

// checkLog checks that nothing that was typed is in the module's lines of the log: neither an answer nor the user's name.
func (r *running) checkLog(o outcome) {
	r.t.Helper()
	for _, line := range o.all("log") {
		for _, typed := range append(r.try.answers, r.try.user) {
			if typed != "" && strings.Contains(line, "pam_twokey(") && strings.Contains(line, typed) {
				r.t.Errorf("%q is in the log: %s", typed, line)
			}
		}
	}
}

// runs reports whether the process is still one of this folder's programs: its number may have been given to another since.
func runs(pid int, dir string) bool {
	exe, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	return err == nil && strings.HasPrefix(exe, dir)
}

func (y try) run(t *testing.T) outcome {
	t.Helper()
	return y.start(t).wait()
}

// all returns the texts of the application's lines of a kind.
func (o outcome) all(kind string) []string { return linesOf(o.out, kind) }

// get returns the text of the only line of a kind.
func (o outcome) get(kind string) string {
	o.t.Helper()
	lines := o.all(kind)
	if len(lines) != 1 {
		o.t.Errorf("%d lines of %s, want 1:\n%s", len(lines), kind, o.out)
		return ""
	}
	return lines[0]
}

// noted returns what the helper noted last of a kind.
func (o outcome) noted(kind string) string {
	lines := linesOf(o.seen, kind)
	if len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1]
}

func linesOf(text, kind string) (found []string) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), kind+" "); ok {
			found = append(found, rest)
		}
	}
	return found
}

// expect checks the result of authenticate.
func (o outcome) expect(code string) {
	o.t.Helper()
	if got := o.get("auth"); got != code {
		o.t.Errorf("authenticate: %s, want %s\n%.1000s%.1000s", got, code, o.out, o.seen)
	}
}

// expectLog checks that the log has a line with this text.
func (o outcome) expectLog(text string) {
	o.t.Helper()
	if !strings.Contains(strings.Join(o.all("log"), "\n"), text) {
		o.t.Errorf("the log does not say %q:\n%s", text, o.out)
	}
}

package main

import (
	"context"
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

	"golang.org/x/sys/unix"

	"twokey/pamhook/wire"
)

// helper is the program under test, built once as it is shipped.
var helper string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "twokey-verify-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	helper = filepath.Join(dir, "twokey-verify")
	build := exec.Command("go", "build", "-ldflags", "-s -w", "-o", helper, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err = errors.Join(err, os.Chmod(dir, 0o755)); err != nil { // nobody, too, starts it
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

const nobody = 65534

// asNobody starts a program as the user nobody, who may lock memory or not.
func asNobody(capability string, program ...string) []string {
	return append([]string{"prlimit", "--memlock=0", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
		"--inh-caps=" + capability, "--ambient-caps=" + capability}, program...)
}

// end is how a run ended.
type end struct {
	status int
	stderr string
	told   []byte // what the module was told
}

// patience is far above every limit of the helper: who reaches it hangs.
const patience = 90 * time.Second

// run starts the arguments with a file as descriptor 3, none if it is nil.
func run(t *testing.T, third *os.File, args ...string) end {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env, cmd.Dir = []string{"PATH=" + os.Getenv("PATH")}, "/"
	if third != nil {
		cmd.ExtraFiles = []*os.File{third}
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return end{status: cmd.ProcessState.ExitCode(), stderr: stderr.String()}
}

func pair(t *testing.T, kind int) (module, theirs *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	must(t, unix.SetNonblock(fds[0], true)) // deadlines
	return os.NewFile(uintptr(fds[0]), "module"), os.NewFile(uintptr(fds[1]), "helper")
}

// send runs the helper with a module that says this, and nothing more, and ends the conversation if it is told to.
func send(t *testing.T, said []byte, hangUp bool, args ...string) end {
	t.Helper()
	module, theirs := pair(t, unix.SOCK_STREAM)
	defer module.Close()
	_, err := module.Write(said)
	must(t, err)
	if hangUp {
		must(t, unix.Shutdown(int(module.Fd()), unix.SHUT_WR))
	}
	e := run(t, theirs, args...)
	must(t, theirs.Close())
	e.told, err = io.ReadAll(module)
	if !errors.Is(err, unix.ECONNRESET) { // the helper has ended without reading all
		must(t, err)
	}
	return e
}

// hello is a HELLO of somebody for whom there is no configuration.
func hello(t *testing.T) []byte {
	t.Helper()
	h := wire.Hello{Phase: wire.PhaseAuthenticate, User: "alice", Name: "alice", UID: 1000, GIDs: []uint32{1000}, Service: "sshd",
		Config: "/nonexistent/twokey.yaml"}
	payload, err := h.Encode()
	must(t, err)
	return wire.Frame{Type: wire.TypeHello, Payload: payload}.Append(nil)
}

// faulty fails unless the run ended as one that has not begun: without a word to the module.
func (e end) faulty(t *testing.T, why string) {
	t.Helper()
	if e.status != exitFault || len(e.told) > 0 || !strings.HasPrefix(e.stderr, "twokey-verify: error: ") || strings.Count(e.stderr, "\n") != 1 {
		t.Errorf("%s: status %d, told %q, said %q", why, e.status, e.told, e.stderr)
	}
}

func TestWithoutTheModulesSocketItSaysSoAndEnds(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	must(t, err)
	defer file.Close()
	_, err = file.Write(hello(t))
	must(t, err)
	_, err = file.Seek(0, io.SeekStart)
	must(t, err)
	dir, err := os.Open("/")
	must(t, err)
	defer dir.Close()
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	must(t, err)
	defer null.Close()
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	must(t, err)
	defer full.Close()
	read, write, err := os.Pipe()
	must(t, err)
	defer read.Close()
	must(t, write.Close())
	for why, third := range map[string]*os.File{"nothing": nil, "a file with a HELLO in it": file, "a directory": dir, "/dev/null": null,
		"/dev/full": full, "a pipe that has ended": read, "a socket that listens": listening(t), "a socket of datagrams": datagram(t), "a socket of the network": network(t)} {
		run(t, third, helper).faulty(t, why)
	}
	run(t, nil, "sh", "-c", `exec "$0" 0<&- 1>&-`, helper).faulty(t, "no descriptor but 2")
	if e := run(t, nil, "sh", "-c", `exec "$0" 0<&- 1>&- 2>&-`, helper); e.status != exitFault {
		t.Errorf("no descriptor at all: %+v", e)
	}
	if e := run(t, nil, helper); !strings.Contains(e.stderr, "started by the PAM module") {
		t.Errorf("said %q", e.stderr)
	}
}

func listening(t *testing.T) *os.File {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	must(t, errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: filepath.Join(t.TempDir(), "socket")}), unix.Listen(fd, 1)))
	f := os.NewFile(uintptr(fd), "listening")
	t.Cleanup(func() { f.Close() })
	return f
}

// network is a connection with a HELLO on it: a superserver that was told to start the helper.
func network(t *testing.T) *os.File {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	must(t, err)
	t.Cleanup(func() { client.Close() })
	_, err = client.Write(hello(t))
	must(t, err)
	server, err := listener.Accept()
	must(t, err)
	defer server.Close()
	f, err := server.(*net.TCPConn).File()
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// datagram is a socket on which a HELLO lies as one message.
func datagram(t *testing.T) *os.File {
	t.Helper()
	module, theirs := pair(t, unix.SOCK_DGRAM)
	t.Cleanup(func() { module.Close(); theirs.Close() })
	for range 2 {
		_, err := module.Write(hello(t))
		must(t, err)
	}
	return theirs
}

func TestAModuleThatBreaksTheProtocolIsToldNothing(t *testing.T) {
	t.Parallel()
	good := hello(t)
	changed := func(at int, to byte) []byte {
		b := append([]byte(nil), good...)
		b[at] = to
		return b
	}
	const header = 5
	for why, said := range map[string][]byte{
		"nothing":                    {},
		"a byte":                     good[:1],
		"half a header":              good[:3],
		"a header":                   good[:header],
		"all but a byte":             good[:len(good)-1],
		"version 0":                  changed(header, 0),
		"version 3":                  changed(header, 3),
		"version 255":                changed(header, 255),
		"phase 0":                    changed(header+17, 0),
		"an unknown flag":            changed(header+18, 0x80),
		"another frame":              wire.Frame{Type: wire.TypeAnswer, Payload: []byte("123456")}.Append(nil),
		"a verdict":                  wire.Frame{Type: wire.TypeAllow, Payload: make([]byte, 17)}.Append(nil),
		"an unknown frame":           changed(0, 0x7f),
		"a frame of four gigabytes":  {byte(wire.TypeHello), 0xff, 0xff, 0xff, 0xff},
		"a HELLO of 65537 bytes":     {byte(wire.TypeHello), 0, 1, 0, 1},
		"an HTTP request":            []byte("GET / HTTP/1.1\r\n\r\n"),
		"a HELLO of zeros":           wire.Frame{Type: wire.TypeHello, Payload: make([]byte, 1000)}.Append(nil),
		"a length that is too short": changed(4, good[4]-1),
		"a length that is too long":  changed(4, good[4]+1),
	} {
		send(t, said, true, helper).faulty(t, why)
	}
}

// A module whose application was stopped before the HELLO must not leave a process behind for ever.
func TestAHelloThatNeverComesIsNotWaitedForLong(t *testing.T) {
	t.Parallel()
	for why, said := range map[string][]byte{"nothing": nil, "half a HELLO": hello(t)[:20]} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			e := send(t, said, false, helper)
			e.faulty(t, why)
			if !strings.Contains(e.stderr, "timeout") {
				t.Errorf("said %q", e.stderr)
			}
		})
	}
}

// asked starts the arguments, sends HELLO and waits for the question.
func asked(t *testing.T, args ...string) (cmd *exec.Cmd, module *os.File, prompt wire.Frame) {
	t.Helper()
	module, theirs := pair(t, unix.SOCK_STREAM)
	must(t, module.SetDeadline(time.Now().Add(patience)))
	cmd = exec.Command(args[0], args[1:]...)
	cmd.ExtraFiles, cmd.Dir = []*os.File{theirs}, "/"
	must(t, cmd.Start())
	must(t, theirs.Close())
	_, err := module.Write(hello(t))
	must(t, err)
	prompt, err = wire.ReadFrame(module)
	if err != nil || prompt.Type != wire.TypePrompt {
		module.Close()
		t.Fatalf("no question: %v; %v", err, cmd.Wait())
	}
	return cmd, module, prompt
}

func TestItDeniesWithoutAConfigurationAndExitsWithStatus0(t *testing.T) {
	t.Parallel()
	cmd, module, prompt := asked(t, helper)
	defer module.Close()
	if string(prompt.Payload) != "\x00Verification code: " {
		t.Errorf("asked %q", prompt.Payload)
	}
	_, err := module.Write(wire.Frame{Type: wire.TypeAnswer, Payload: []byte("123456")}.Append(nil))
	must(t, err)
	var types []wire.Type
	for {
		f, err := wire.ReadFrame(module)
		if err != nil {
			break
		}
		types = append(types, f.Type)
	}
	if err := cmd.Wait(); err != nil || fmt.Sprint(types) != fmt.Sprint([]wire.Type{wire.TypeInfo, wire.TypeDeny}) {
		t.Errorf("%v, told %v", err, types)
	}
}

func TestAModuleThatHangsUpAtTheQuestionGetsNoVerdictAndAnExitStatus(t *testing.T) {
	t.Parallel()
	cmd, module, _ := asked(t, helper)
	must(t, module.Close())
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != exitFault {
		t.Errorf("%v", err)
	}
}

// What the helper holds is nobody's to read: not in a core dump, not in swap, not by the user whose identity it may have.
func TestItsMemoryIsItsOwn(t *testing.T) {
	t.Parallel()
	cmd, module, _ := asked(t, asNobody("+ipc_lock", helper)...)
	defer module.Close()
	proc := "/proc/" + strconv.Itoa(cmd.Process.Pid)
	limits, err := os.ReadFile(proc + "/limits")
	must(t, err)
	if line := lineOf(string(limits), "Max core file size"); strings.Join(strings.Fields(line), " ") != "Max core file size 0 0 bytes" {
		t.Errorf("%q", line)
	}
	status, err := os.ReadFile(proc + "/status")
	must(t, err)
	if line := strings.Fields(lineOf(string(status), "VmLck:")); len(line) != 3 || line[1] == "0" {
		t.Errorf("locked memory: %q", line)
	}
	// proc(5): the files of a process that is not dumpable belong to root, whoever it runs as.
	if uid := ownerOf(t, proc+"/environ"); uid != 0 {
		t.Errorf("dumpable: its files belong to %d", uid)
	}
	must(t, module.Close())
	if err := cmd.Wait(); err == nil {
		t.Error("it ended well")
	}
	control := asNobody("+ipc_lock", "cat")
	other := exec.Command(control[0], control[1:]...)
	stdin, err := other.StdinPipe()
	must(t, err)
	must(t, other.Start())
	defer func() { must(t, errors.Join(stdin.Close(), other.Wait())) }()
	for begun := time.Now(); ownerOf(t, fmt.Sprintf("/proc/%d/environ", other.Process.Pid)) != nobody; time.Sleep(time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatal("another program of nobody's is not dumpable either: this test shows nothing")
		}
	}
}

func lineOf(text, begin string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, begin) {
			return line
		}
	}
	return ""
}

func ownerOf(t *testing.T, path string) uint32 {
	t.Helper()
	st, err := os.Stat(path)
	must(t, err)
	return st.Sys().(*syscall.Stat_t).Uid
}

// In a container without CAP_IPC_LOCK a host that is switched off, or whose users are exempt, must not be locked.
func TestWithoutLockedMemoryTheLoginGoesOn(t *testing.T) {
	t.Parallel()
	e := send(t, hello(t), true, asNobody("-all", helper)...)
	if len(e.told) == 0 || wire.Type(e.told[0]) != wire.TypePrompt {
		t.Errorf("told %q, said %q", e.told, e.stderr)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

package logintest

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"twokey/pamhook/logintest/scratch"
	"twokey/pamhook/wire"
)

// helper is the program under test, built once into scratchDir.
var helper, scratchDir string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "logintest")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	scratchDir = dir
	helper, err = scratch.BuildHelper(dir)
	if err := errors.Join(err, scratch.BuildNotify(dir), os.Chmod(dir, 0o755)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// host is a scratch host on which logins are run.
type host struct {
	*scratch.Host
	t testing.TB
}

// newHost makes a host with the given lines in its configuration besides version and paths.
func newHost(t testing.TB, settings string) *host {
	t.Helper()
	return newHostIn(t, t.TempDir(), settings)
}

func newHostIn(t testing.TB, dir, settings string) *host {
	t.Helper()
	return &host{scratch.New(t, dir, settings), t}
}

// login is what the module would say.
func (h *host) login(user string, uid uint32) *wire.Hello {
	hello := &wire.Hello{Phase: wire.PhaseAuthenticate, Flags: wire.FlagAfterPassword, User: user, Name: user, UID: uid,
		GIDs: []uint32{uid}, Home: "/", Shell: "/bin/sh", Service: "sshd", RHost: "192.0.2.7", CallerUID: 0, Config: h.Config}
	if _, err := io.ReadFull(rand.Reader, hello.Nonce[:]); err != nil {
		h.t.Fatal(err)
	}
	return hello
}

// outcome is what one run of the helper did.
type outcome struct {
	verdict wire.Type // 0: none
	exit    int
	prompts []string
	infos   []string
	groups  []string
	fields  []string // the texts with which password and code were asked for in one field
	cut     int      // how many bytes of that the modules behind ours do not get
}

// allowed is what the module demands of a run that lets in.
func (o outcome) allowed() bool { return o.verdict == wire.TypeAllow && o.exit == 0 }

// talk is the module's side of a run: it answers prompts in order, and the group lookups from members.
type talk struct {
	answers []any // string, wire.NoAnswer, or a function that makes an answer of what was shown
	field   any   // what is typed into one field, likewise
	members map[string]wire.Membership
	limit   func(*exec.Cmd)
	asked   func() // called when the first prompt has come, before it is answered
}

// run starts the helper for this HELLO and speaks with it.
func (h *host) run(hello *wire.Hello, k talk) outcome {
	out, err := h.start(hello, k)
	if err != nil {
		h.t.Error(err)
	}
	return out
}

// start is run without a word to the test, for many at a time.
func (h *host) start(hello *wire.Hello, k talk) (outcome, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return outcome{}, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "module"), os.NewFile(uintptr(pair[1]), "helper")
	defer ours.Close()
	command := exec.Command(helper)
	command.Env, command.Dir = []string{}, "/"
	command.ExtraFiles = []*os.File{theirs}
	command.Stderr = os.Stderr
	if k.limit != nil {
		k.limit(command)
	}
	if err := command.Start(); err != nil {
		theirs.Close()
		return outcome{}, err
	}
	theirs.Close()
	out, talkErr := k.speak(ours, hello)
	ours.Close()
	waitErr := command.Wait()
	out.exit = command.ProcessState.ExitCode()
	var exit *exec.ExitError
	if errors.As(waitErr, &exit) {
		waitErr = nil
	}
	return out, errors.Join(talkErr, waitErr)
}

func (k talk) speak(socket *os.File, hello *wire.Hello) (out outcome, err error) {
	payload, err := hello.Encode()
	if err != nil {
		return out, err
	}
	send := func(t wire.Type, payload []byte) {
		// A helper that has gone is seen by the read that follows.
		_, _ = socket.Write(wire.Frame{Type: t, Payload: payload}.Append(nil))
	}
	send(wire.TypeHello, payload)
	for {
		f, err := wire.ReadFrame(socket)
		if err != nil {
			return out, nil // the end, clean or not; what it means the verdict says
		}
		switch f.Type {
		case wire.TypePrompt:
			out.prompts = append(out.prompts, string(f.Payload[1:]))
			if k.asked != nil && len(out.prompts) == 1 {
				k.asked()
			}
			k.answer(out.prompts, send)
		case wire.TypeGetAuthtok:
			out.fields = append(out.fields, string(f.Payload))
			give(k.field, send)
		case wire.TypeCutAuthtok:
			out.cut = int(binary.BigEndian.Uint16(f.Payload))
		case wire.TypeInfo:
			out.infos = append(out.infos, string(f.Payload[1:]))
		case wire.TypeLookupGroup:
			out.groups = append(out.groups, string(f.Payload))
			send(wire.TypeGroup, []byte{byte(k.members[string(f.Payload)])})
		case wire.TypeAllow, wire.TypeDeny, wire.TypeIgnore:
			if out.verdict != 0 || string(f.Payload[:wire.NonceSize]) != string(hello.Nonce[:]) {
				return out, errors.New("a second verdict, or one with another nonce")
			}
			out.verdict = f.Type
		}
	}
}

func (k talk) answer(prompts []string, send func(wire.Type, []byte)) {
	i := len(prompts) - 1
	if i >= len(k.answers) {
		send(wire.TypeNoAnswer, []byte{byte(wire.ConversationFailed)})
		return
	}
	if read, ok := k.answers[i].(func(shown string) string); ok {
		give(read(prompts[i]), send)
		return
	}
	give(k.answers[i], send)
}

func give(answer any, send func(wire.Type, []byte)) {
	switch a := answer.(type) {
	case string:
		send(wire.TypeAnswer, []byte(a))
	case wire.NoAnswer:
		send(wire.TypeNoAnswer, []byte{byte(a)})
	default:
		send(wire.TypeNoAnswer, []byte{byte(wire.ConversationFailed)})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

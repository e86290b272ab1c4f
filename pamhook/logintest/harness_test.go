package logintest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/audit"
	"twokey/enroll"
	"twokey/factor"
	"twokey/pamhook/wire"
	"twokey/secrets"
	"twokey/state"
)

// helper is the program under test, built once.
var helper string

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
	helper = filepath.Join(dir, "twokey-verify")
	build := exec.Command("go", "build", "-o", helper, "twokey/cmd/twokey-verify")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the helper: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// host is a scratch host: all of twokey's files in one folder.
type host struct {
	t      testing.TB
	dir    string
	config string
	users  *enroll.Users
}

// newHost makes a host with the given lines in its configuration besides version and paths.
func newHost(t testing.TB, settings string) *host {
	t.Helper()
	return newHostIn(t, t.TempDir(), settings)
}

func newHostIn(t testing.TB, dir, settings string) *host {
	t.Helper()
	h := &host{t: t, dir: dir, config: filepath.Join(dir, "twokey.yaml")}
	must(t, os.MkdirAll(h.data(), 0o700))
	h.configure(settings)
	must(t, secrets.GenerateHostKey(filepath.Join(dir, "host.key")))
	if _, err := audit.Create(h.log()); err != nil {
		t.Fatal(err)
	}
	keep, err := secrets.Create(h.data(), filepath.Join(dir, "host.key"))
	must(t, err)
	states, err := state.Create(h.data())
	must(t, err)
	h.users = &enroll.Users{Secrets: keep, State: states, Now: time.Now}
	must(t, states.CreateDecoys())
	decoy, err := h.users.Draft(enroll.Account{Name: "decoy"}, request())
	must(t, err)
	must(t, keep.CreateDecoy(&secrets.Record{Serial: 1, Devices: []secrets.Device{decoy.Device}}))
	return h
}

func (h *host) data() string { return filepath.Join(h.dir, "data") }
func (h *host) log() string  { return filepath.Join(h.dir, "log", "audit.jsonl") }

func (h *host) configure(settings string) {
	h.t.Helper()
	text := fmt.Sprintf("version: 1\n%s\npaths: {data: %q, audit: %q, key: %q, credentials: %q}\n",
		settings, h.data(), h.log(), h.dir+"/host.key", h.dir+"/credentials")
	must(h.t, os.WriteFile(h.config, []byte(text), 0o644))
}

// request is a device as most users have it.
func request() enroll.Request {
	return enroll.Request{Device: "phone", Label: "someone@host", Issuer: "host",
		Params: factor.Params{Method: factor.TOTP, Digits: 6, Period: 30, Algorithm: factor.SHA1}}
}

// enrol gives the user one device and returns it.
func (h *host) enrol(user string, uid uint32, r enroll.Request) *enroll.Draft {
	h.t.Helper()
	draft, err := h.users.Draft(enroll.Account{Name: user, UID: uid}, r)
	must(h.t, err)
	must(h.t, h.users.Commit(draft))
	return draft
}

// login is what the module would say.
func (h *host) login(user string, uid uint32) *wire.Hello {
	hello := &wire.Hello{Phase: wire.PhaseAuthenticate, Flags: wire.FlagAfterPassword, User: user, Name: user, UID: uid,
		GIDs: []uint32{uid}, Home: "/", Shell: "/bin/sh", Service: "sshd", RHost: "192.0.2.7", CallerUID: 0, Config: h.config}
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
}

// allowed is what the module demands of a run that lets in.
func (o outcome) allowed() bool { return o.verdict == wire.TypeAllow && o.exit == 0 }

// talk is the module's side of a run: it answers prompts in order, and the group lookups from members.
type talk struct {
	answers []any // string, or wire.NoAnswer
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
			k.answer(len(out.prompts)-1, send)
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

func (k talk) answer(i int, send func(wire.Type, []byte)) {
	if i >= len(k.answers) {
		send(wire.TypeNoAnswer, []byte{byte(wire.ConversationFailed)})
		return
	}
	switch a := k.answers[i].(type) {
	case string:
		send(wire.TypeAnswer, []byte(a))
	case wire.NoAnswer:
		send(wire.TypeNoAnswer, []byte{byte(a)})
	}
}

// code is what the device shows so many steps from now; a counter for hotp.
func code(t testing.TB, d *enroll.Draft, offset int64) string {
	t.Helper()
	p := factor.Params{Method: factor.Method(d.Device.Method), Secret: d.Device.Secret, Digits: d.Device.Digits,
		Period: d.Device.Period, Algorithm: factor.Algorithm(d.Device.Algorithm)}
	counter := uint64(offset)
	if p.Method == factor.TOTP {
		counter = uint64(int64(p.Step(time.Now())) + offset)
	}
	text, err := p.Code(counter)
	must(t, err)
	return text
}

// wrong is a code of the right length that the device does not show around now.
func wrong(t testing.TB, d *enroll.Draft) string {
	t.Helper()
	for guess := 0; ; guess++ {
		text := fmt.Sprintf("%0*d", d.Device.Digits, guess)
		near := false
		for offset := int64(-3); offset <= 3; offset++ {
			near = near || text == code(t, d, offset)
		}
		if !near {
			return text
		}
	}
}

// last are the newest records of the audit log, the newest last.
func (h *host) last(n int) []audit.Entry {
	h.t.Helper()
	entries, err := audit.Tail(h.log(), n)
	must(h.t, err)
	return entries
}

// verified fails the test unless the audit log is whole.
func (h *host) verified() audit.Report {
	h.t.Helper()
	report, err := audit.Verify(h.log(), nil)
	must(h.t, err)
	for _, p := range report.Problems {
		h.t.Errorf("audit log: %s", p.What)
	}
	return report
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

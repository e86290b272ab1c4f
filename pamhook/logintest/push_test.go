package logintest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"twokey/deliver/fakes"
	"twokey/factor"
	"twokey/internal/stracetest"
	"twokey/pamhook/logintest/scratch"
)

const (
	hostToken  = "tk_hosttoken0123456789abcdefghij"
	phoneToken = "tk_phonetoken123456789abcdefghij"
	aNumber    = "+447911123456"
	patience   = 100 * time.Second
)

var toPress = regexp.MustCompile(`^Press (\d\d) on your phone`)

// phoneHost is a host with an ntfy server and a program that sends text messages.
type phoneHost struct {
	*host
	ntfy   *fakes.Ntfy
	outbox scratch.Outbox
}

func newPhoneHost(t testing.TB) *phoneHost {
	t.Helper()
	h := &phoneHost{newHost(t, ""), fakes.NewNtfy(t), scratch.NewOutbox(t, scratchDir)}
	h.ntfy.GrantUsual(hostToken, phoneToken)
	h.Configure("default: required\nmethods: [totp, push, sms, recovery]\n" + h.Ntfy(h.ntfy.URL(), hostToken, "") + "\n" + h.outbox.SMS(""))
	return h
}

// phoneOf enrols a user with nothing but a phone.
func (h *phoneHost) phoneOf(t testing.TB, user string, uid uint32) *fakes.Phone {
	t.Helper()
	draft := h.EnrolPhone(user, uid, "push", "")
	return h.ntfy.NewPhone(t, phoneToken, factor.NtfyTopic(draft.Device.Secret))
}

// presses reads the number in the question, presses it on the phone, and gives Enter for an answer.
func presses(t testing.TB, phone *fakes.Phone) func(string) string {
	return func(question string) string {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		shown := toPress.FindStringSubmatch(question)
		m, err := phone.Message(ctx)
		if err == nil && shown != nil {
			err = phone.Press(ctx, m, shown[1])
		}
		if err != nil || shown == nil {
			t.Errorf("asked %q: %v", question, err)
		}
		return ""
	}
}

// Fifty users log in at once, each is asked on his own phone, and all are let in; of who comes when the server takes no more, each is told in one
// line.
func TestFiftyPushesAtOnce(t *testing.T) {
	t.Parallel()
	h := newPhoneHost(t)
	const people = 50
	phones := make([]*fakes.Phone, people)
	for i := range phones {
		phones[i] = h.phoneOf(t, fmt.Sprint("user", i), uid+uint32(i))
	}
	h.ntfy.LimitSubscriptions(2*people + 5)
	var all sync.WaitGroup
	outcomes := make([]outcome, people)
	for i := range people {
		all.Go(func() {
			out, err := h.start(h.login(fmt.Sprint("user", i), uid+uint32(i)), talk{answers: []any{presses(t, phones[i])}})
			if err != nil {
				t.Error(err)
			}
			outcomes[i] = out
		})
	}
	all.Wait()
	for i, out := range outcomes {
		if !out.allowed() {
			t.Errorf("user%d: %+v", i, out)
		}
	}
	h.Verified()
	eventually(t, "no twokey-notify is left", func() bool { return len(running(t, notifyPath())) == 0 })
}

func notifyPath() string { return filepath.Join(scratchDir, "twokey-notify") }

func TestAServerThatTakesNoMoreIsToldOf(t *testing.T) {
	t.Parallel()
	h := newPhoneHost(t)
	h.Enrol("alice", uid, scratch.Request())
	h.EnrolPhone("alice", uid, "push", "")
	h.ntfy.LimitSubscriptions(0)
	out := h.run(h.login("alice", uid), talk{answers: []any{"push", "000000"}})
	if out.verdict != deny || len(out.prompts) != 2 || !strings.HasPrefix(out.prompts[1], "\nThe message could not be sent.") {
		t.Errorf("%+v", out)
	}
	if sent := h.Last(2)[0].Record; sent == nil || sent.Reason != "not sent: limit" {
		t.Errorf("recorded as %+v", sent)
	}
}

// The program that runs as root in every login never has a socket of the internet; what it starts has.
func TestTheHelperOpensNoInternetSocket(t *testing.T) {
	t.Parallel()
	h := newPhoneHost(t)
	phone := h.phoneOf(t, "alice", uid)
	record := filepath.Join(t.TempDir(), "trace")
	out := h.run(h.login("alice", uid), talk{answers: []any{presses(t, phone)}, limit: func(c *exec.Cmd) {
		strace, err := exec.LookPath("strace")
		must(t, err)
		c.Path, c.Args = strace, []string{"strace", "-f", "-s", "200", "-e", "trace=%network,execve,openat,clone,clone3,vfork", "-o", record, helper}
	}})
	if !out.allowed() {
		t.Fatalf("%+v", out)
	}
	content, err := os.ReadFile(record)
	must(t, err)
	theirs := threadsOf(string(content), notifyPath())
	ours, internet := 0, 0
	for _, line := range stracetest.Lines(string(content)) {
		thread, call, _ := strings.Cut(line, " ")
		inet := strings.Contains(call, "AF_INET")
		switch {
		case !theirs[thread] && inet:
			t.Errorf("twokey-verify: %s", line)
		case !theirs[thread]:
			ours++
		case inet:
			internet++
		case strings.Contains(call, h.Dir):
			t.Errorf("twokey-notify: %s", line)
		}
	}
	if ours == 0 || internet == 0 || len(theirs) == 0 {
		t.Errorf("%d calls of ours, %d of the internet: this test has shown nothing", ours, internet)
	}
}

var started = regexp.MustCompile(`^(?:clone3?|vfork)\(.*= (\d+)$`)

// threadsOf are the threads of the process that has executed a program, and of what that has started.
func threadsOf(trace, program string) map[string]bool {
	found := map[string]bool{}
	for _, line := range stracetest.Lines(trace) {
		thread, call, _ := strings.Cut(line, " ")
		call = strings.TrimSpace(call)
		if strings.HasPrefix(call, `execve("`+program+`"`) && strings.HasSuffix(call, "= 0") {
			found[thread] = true
		}
		if m := started.FindStringSubmatch(call); m != nil && found[thread] {
			found[m[1]] = true
		}
	}
	return found
}

// What a login leaves behind, and what others can see of it while it runs: log, syslog, files, command lines, environments, cores.
//
// It runs once more with a syslog of its own.
func TestALoginLeavesNoSecretBehind(t *testing.T) {
	const inside = "TWOKEY_LOGIN_LEAVES"
	if os.Getenv(inside) == "" {
		cmd := exec.Command("unshare", "--mount", "sh", "-c", `mkdir -p /dev/shm && mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 &&
			mknod -m 666 /dev/urandom c 1 9 && exec "$0" -test.run='^'$1'$'`, os.Args[0], t.Name())
		cmd.Env = append(os.Environ(), inside+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	said := listenToSyslog(t)
	h := newPhoneHost(t)
	draft := h.Enrol("alice", uid, scratch.Request())
	device := h.EnrolPhone("alice", uid, "push", "")
	h.EnrolPhone("alice", uid, "sms", aNumber)
	phone := h.ntfy.NewPhone(t, phoneToken, factor.NtfyTopic(device.Device.Secret))
	seen := watchProcesses(t)

	secrets := []string{hostToken, aNumber, aNumber[1:], aNumber[3:], string(device.Device.Secret), factor.NtfyTopic(device.Device.Secret)}
	var codes []string
	readText := func(string) string { codes = append(codes, lastCode(t, h)); return codes[len(codes)-1] }
	buttons := func(question string) string {
		shown := toPress.FindStringSubmatch(question)
		m, err := phone.Message(t.Context())
		must(t, err)
		for _, a := range m.Actions {
			secrets = append(secrets, strings.Fields(a.Body)[1])
		}
		must(t, phone.Press(t.Context(), m, shown[1]))
		return ""
	}
	for what, answers := range map[string][]any{"a text": {"sms", readText}, "a push": {"push", buttons}} {
		if out := h.run(h.login("alice", uid), talk{answers: answers}); !out.allowed() {
			t.Errorf("%s: %+v", what, out)
		}
	}
	// The server gets down, and says all that it was sent.
	h.ntfy.SetDay("", fakes.Chatty)
	h.run(h.login("alice", uid), talk{answers: []any{"push", scratch.Wrong(t, draft)}})
	must(t, os.Chmod(h.Dir+"/credentials/ntfy.token", 0o644))
	h.run(h.login("alice", uid), talk{answers: []any{"push", scratch.Wrong(t, draft)}})

	must(t, os.RemoveAll(h.Dir+"/credentials"))
	places := map[string]string{"syslog": said(), "command lines and environments": seen(), "files": everyFile(t, h.Dir)}
	for place, text := range places {
		if len(text) < 50 {
			t.Errorf("%s: %q: this test has shown nothing", place, text)
		}
		for _, secret := range append(secrets, codes...) {
			if strings.Contains(text, secret) {
				t.Errorf("%s: there is %q", place, secret)
			}
		}
	}
	if !strings.Contains(places["files"], `"456"`) || len(codes) != 1 || len(secrets) < 9 {
		t.Errorf("codes %q, %d secrets: this test has shown nothing", codes, len(secrets))
	}
}

// lastCode is the code in the last text message.
func lastCode(t *testing.T, h *phoneHost) string {
	t.Helper()
	texts := h.outbox.Texts()
	_, code, found := strings.Cut(texts[len(texts)-1], "code is: ")
	if !found {
		t.Fatalf("sent %q", texts)
	}
	return strings.TrimSpace(code)
}

// listenToSyslog returns a function that gives all that was said.
func listenToSyslog(t *testing.T) func() string {
	t.Helper()
	log, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "/dev/log", Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() { log.Close() })
	return func() string {
		var said strings.Builder
		must(t, log.SetReadDeadline(time.Now().Add(time.Second)))
		for line := make([]byte, 65536); ; {
			n, err := log.Read(line)
			if err != nil {
				return said.String()
			}
			said.Write(line[:n])
		}
	}
}

// watchProcesses looks at the command lines and environments of twokey's programs until the returned function is called, which gives them.
func watchProcesses(t *testing.T) func() string {
	t.Helper()
	var seen []string
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			for _, pid := range append(running(t, notifyPath()), running(t, helper)...) {
				for _, file := range []string{"cmdline", "environ"} {
					content, err := os.ReadFile("/proc/" + pid + "/" + file)
					if text := file + ": " + string(content); err == nil && !slices.Contains(seen, text) {
						seen = append(seen, text)
					}
				}
			}
		}
	}()
	return func() string {
		close(stop)
		<-stopped
		return strings.Join(seen, "\n")
	}
}

// running are the numbers of the processes of a program.
func running(t testing.TB, program string) (pids []string) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Error(err)
	}
	for _, e := range entries {
		if exe, err := os.Readlink("/proc/" + e.Name() + "/exe"); err == nil && exe == program {
			pids = append(pids, e.Name())
		}
	}
	return pids
}

// everyFile is the content of all files below a folder, cores among them.
func everyFile(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	must(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		all.WriteString(path + "\n")
		all.Write(content)
		return err
	}))
	return all.String()
}

// eventually waits until the condition holds, and fails the test when it never does.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came about: %s", what)
		}
	}
}

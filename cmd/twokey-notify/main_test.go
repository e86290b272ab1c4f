package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"twokey/deliver"
	"twokey/deliver/fakes"
	"twokey/internal/stracetest"
)

const (
	hostToken  = "tk_host0abcdefghijklmnopqrstuvwx"
	phoneToken = "tk_phone0abcdefghijklmnopqrstuvw"
	topic      = "tk-abcdefghijklmnopqrstuvwxyz234567"
	allowBody  = "42 00112233445566778899aabbccddeeff"
	patience   = 60 * time.Second // what a test gives up after; nothing is measured by it
	anybody    = 65534            // user and group of nobody
)

// program is twokey-notify as the Makefile builds it, where any user can start it.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "twokey-notify-")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, "twokey-notify"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("go build: %w: %s", err, out)
	}
	return dir, os.Chmod(dir, 0o755)
})

func TestMain(m *testing.M) {
	if url := os.Getenv("TWOKEY_TEST_PARENT"); url != "" {
		parent(url)
	}
	status := m.Run()
	if dir, _ := program(); dir != "" {
		os.RemoveAll(dir) // also when it was not built
	}
	os.Exit(status)
}

func built(t *testing.T) string {
	t.Helper()
	dir, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "twokey-notify")
}

func push(url string) *deliver.Request {
	return &deliver.Request{
		Kind: deliver.KindPush, Connect: 5 * time.Second, Timeout: 30 * time.Second, Wait: 60 * time.Second,
		Ntfy: &deliver.Ntfy{URL: url, Token: hostToken},
		Push: &deliver.Push{
			Title: "Log in as alice?", Topic: topic,
			Buttons: []deliver.Button{
				{Label: "42", Body: allowBody, Means: deliver.StateAllow},
				{Label: "Deny", Body: "deny 0f1e2d3c4b5a69788796a5b4c3d2e1f0", Means: deliver.StateDeny},
			},
		},
	}
}

func server(t *testing.T) *fakes.Ntfy {
	n := fakes.NewNtfy(t)
	n.GrantUsual(hostToken, phoneToken)
	return n
}

func start(t *testing.T, req *deliver.Request) *deliver.Running {
	t.Helper()
	r, err := deliver.Start(built(t), anybody, anybody, req)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func next(t *testing.T, r *deliver.Running, want deliver.State) deliver.Answer {
	t.Helper()
	a, err := r.Next(time.Now().Add(patience))
	if err != nil || a.State != want {
		t.Fatalf("%+v, %v, want %s", a, err, want)
	}
	return a
}

func TestAPushThroughTheProgram(t *testing.T) {
	n := server(t)
	phone := n.NewPhone(t, phoneToken, topic)
	r := start(t, push(n.URL()))
	next(t, r, deliver.StateSent)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	m, err := phone.Message(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := phone.Send(ctx, m.Actions[0], "42 guessed"); err != nil {
		t.Fatal(err)
	}
	next(t, r, deliver.StateForged)
	if err := phone.Press(ctx, m, "42"); err != nil {
		t.Fatal(err)
	}
	next(t, r, deliver.StateAllow)
	if _, err := r.Next(time.Now().Add(patience)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestADescription(t *testing.T) {
	r := start(t, &deliver.Request{Kind: deliver.KindDescribe, Connect: time.Second, Timeout: patience, Number: "+442079460958"})
	if a := next(t, r, deliver.StateOK); *a.Number != (deliver.Number{Valid: true, Region: "GB", Country: "United Kingdom"}) {
		t.Errorf("%+v", a.Number)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// noneOpen waits until nobody subscribes any more.
func noneOpen(t *testing.T, n *fakes.Ntfy) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		now, _ := n.Subscriptions()
		if now == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d subscriptions are still open", now)
		}
	}
}

func TestCloseEndsIt(t *testing.T) {
	n := server(t)
	r := start(t, push(n.URL()))
	next(t, r, deliver.StateSent)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	noneOpen(t, n)
}

// command is the program started by hand, as nobody.
func command(t *testing.T, line string) (*exec.Cmd, io.WriteCloser, *bytes.Buffer) {
	t.Helper()
	cmd := exec.Command(built(t))
	cmd.Env, cmd.Dir = []string{}, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: anybody, Gid: anybody, Groups: []uint32{}}}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(stdin, line); err != nil && !errors.Is(err, syscall.EPIPE) {
		t.Fatal(err)
	}
	return cmd, stdin, &out
}

// The end of its input is the end of its waiting, without anybody who kills it.
func TestTheEndOfItsInputEndsIt(t *testing.T) {
	n := server(t)
	phone := n.NewPhone(t, phoneToken, topic)
	line, err := push(n.URL()).Encode()
	if err != nil {
		t.Fatal(err)
	}
	cmd, stdin, _ := command(t, string(line))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := phone.Message(ctx); err != nil {
		t.Fatal(err)
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
	case <-ctx.Done(): // before its own time of 90 s is over
		t.Error("it goes on", cmd.Process.Kill())
	}
}

// parent is what starts the program and is killed then.
func parent(url string) {
	r, err := deliver.Start(os.Getenv("TWOKEY_TEST_PROGRAM"), anybody, anybody, push(url))
	if err != nil {
		panic(err)
	}
	if _, err := r.Next(time.Now().Add(patience)); err != nil {
		panic(err)
	}
	fmt.Println("sent")
	time.Sleep(patience)
}

func TestItsParentsDeathEndsIt(t *testing.T) {
	n := server(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "TWOKEY_TEST_PARENT="+n.URL(), "TWOKEY_TEST_PROGRAM="+built(t))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("sent\n"))); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("it was not killed")
	}
	noneOpen(t, n)
}

func TestASlowServerEndsInTime(t *testing.T) {
	n := server(t)
	n.SetDay("subscribe", fakes.Slow)
	req := push(n.URL())
	req.Timeout = 300 * time.Millisecond
	r := start(t, req)
	if a := next(t, r, deliver.StateFailed); a.Problem != deliver.ProblemTimeout {
		t.Errorf("%+v", a)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoRequest(t *testing.T) {
	good, err := push("https://ntfy.example.org").Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, line := range map[string]string{
		"nothing":          "",
		"no line feed":     strings.TrimSuffix(string(good), "\n"),
		"another kind":     strings.Replace(string(good), `"push"`, `"pull"`, 1),
		"an unknown field": strings.Replace(string(good), `{"kind"`, `{"file":"/etc/twokey/host.key","kind"`, 1),
		"64 KiB":           strings.Repeat("a", deliver.MaxLine) + "\n",
	} {
		cmd, stdin, out := command(t, line)
		if err := stdin.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
		err := cmd.Wait()
		var exit *exec.ExitError
		said := out.String()
		if !errors.As(err, &exit) || exit.ExitCode() != exitFault || !strings.HasPrefix(said, "twokey-notify: error: ") || strings.Contains(said, hostToken) {
			t.Errorf("%s: %v, %q", name, err, said)
		}
	}
}

func TestItDoesNotRunAsRoot(t *testing.T) {
	cmd := exec.Command(built(t))
	cmd.Env = []string{}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "this is root") {
		t.Errorf("%v, %s", err, out)
	}
}

// What it opens is the system's, for names and certificates; nothing of twokey. It is sealed before it connects, and it does connect.
func TestWhatItOpens(t *testing.T) {
	n := server(t)
	line, err := (&deliver.Request{
		Kind: deliver.KindCheck, Connect: 10 * time.Second, Timeout: patience,
		Ntfy: &deliver.Ntfy{URL: strings.Replace(n.URL(), "127.0.0.1", "localhost", 1), Token: hostToken},
	}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	record := filepath.Join(t.TempDir(), "strace")
	strace := exec.Command("strace", "-f", "-o", record, "-u", "nobody", built(t))
	strace.Env = []string{}
	in, request, err := os.Pipe() // a file: of another reader the test would wait for the end
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer request.Close()
	if _, err := request.Write(line); err != nil {
		t.Fatal(err)
	}
	strace.Stdin = in
	out, err := strace.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `{"state":"ok"`) {
		t.Fatalf("%v: %s", err, out)
	}
	trace, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	lines := stracetest.Lines(string(trace))
	systems := regexp.MustCompile(`^(/sys/(kernel|fs/cgroup)/|/proc/(self|sys)/|/etc/(hosts|resolv\.conf|nsswitch\.conf|mdns\.allow|ssl/|gai\.conf|localtime)|/usr/share/zoneinfo)`)
	opens := regexp.MustCompile(`\bopenat\(AT_FDCWD, "([^"]*)", (\S+?)[,)]`)
	sealed, connected, opened := -1, -1, 0
	for i, l := range lines {
		if m := opens.FindStringSubmatch(l); m != nil {
			opened++
			own := m[1] == built(t) // a library hashes the program it is in
			if !own && !systems.MatchString(m[1]) || strings.Contains(m[2], "O_WRONLY") || strings.Contains(m[2], "O_RDWR") {
				t.Errorf("opens %s", l)
			}
		}
		if strings.Contains(l, "SECCOMP_SET_MODE_FILTER") && strings.HasSuffix(l, "= 0") {
			sealed = i
		}
		if strings.Contains(l, "connect(") && strings.Contains(l, "AF_INET") && connected < 0 {
			connected = i
		}
	}
	if sealed < 0 || connected < sealed || opened == 0 || slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "--- SIGSYS") }) {
		t.Errorf("sealed at line %d, connected at %d, %d files opened", sealed, connected, opened)
	}
}

func TestFiftyProgramsAtOnce(t *testing.T) {
	n := server(t)
	n.LimitSubscriptions(50)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var phones sync.WaitGroup
	all := make([]*deliver.Running, 50)
	for i := range all {
		req := push(n.URL())
		req.Push.Topic = fmt.Sprintf("tk-user%d", i)
		phone := n.NewPhone(t, phoneToken, req.Push.Topic)
		phones.Go(func() {
			m, err := phone.Message(ctx)
			if err == nil {
				err = phone.Press(ctx, m, []string{"42", "Deny"}[i%2])
			}
			if err != nil {
				t.Errorf("phone %d: %v", i, err)
			}
		})
		all[i] = start(t, req)
	}
	for i, r := range all {
		next(t, r, deliver.StateSent)
		next(t, r, []deliver.State{deliver.StateAllow, deliver.StateDeny}[i%2])
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	phones.Wait()
}

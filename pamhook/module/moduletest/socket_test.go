package moduletest

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var anybody = &syscall.Credential{Uid: nobody, Gid: nobody}

// service is a socket on which the fake helper is found, as systemd starts it: a new process for each connection.
type service struct {
	path   string
	helper string
}

// folder is a scratch folder into which everybody can look.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// listen makes a socket that everybody may connect to and hands each connection on.
func listen(t *testing.T, path string, handle func(*os.File)) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			conn, err := l.AcceptUnix()
			if err != nil {
				return
			}
			f, err := conn.File()
			conn.Close()
			if err == nil {
				all.Go(func() { handle(f); f.Close() })
			}
		}
	})
}

// onSocket starts the fake helper with this behaviour for each connection.
func onSocket(t *testing.T, k kit, behaviour string) service {
	t.Helper()
	dir := folder(t)
	s := service{filepath.Join(dir, "sock"), filepath.Join(dir, behaviour)}
	if err := os.Link(k.fake, s.helper); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	listen(t, s.path, func(conn *os.File) {
		cmd := exec.CommandContext(ctx, s.helper)
		cmd.ExtraFiles = []*os.File{conn}
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return
		}
		conn.Close()
		_ = cmd.Wait() // many of them end badly, which is what they are for
	})
	t.Cleanup(end) // before the listener's, which waits for them
	return s
}

// seen is what the helper on the socket noted; empty when it was not started.
func (s service) seen() string {
	b, err := os.ReadFile(s.helper + ".seen")
	if err != nil {
		return ""
	}
	return string(b)
}

// TestApplicationThatIsNotRootFindsTheHelperOnTheSocket is the module in a screen locker.
func TestApplicationThatIsNotRootFindsTheHelperOnTheSocket(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		helper, args, code string
		answers            []string
	}{
		"ALLOW lets in":                       {"allow", "", success, nil},
		"IGNORE is passed on":                 {"ignore", "", ignored, nil},
		"DENY denies":                         {"deny", "", authErr, nil},
		"a question is asked":                 {"prompt", "", success, []string{"123456"}},
		"a wrong answer denies":               {"prompt", "", authErr, []string{"654321"}},
		"a decoy line denies":                 {"allow", "decoy", authErr, nil},
		"there is no exit status to look at":  {"allow-exit-1", "", success, nil},
		"nor a signal":                        {"allow-killed", "", success, nil},
		"a helper that lives on has said all": {"allow-close-stay", "", success, nil},
		"it may be slow":                      {"slow", "", success, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, k := range []kit{plain(t), sanitized(t)} {
				s := onSocket(t, k, c.helper)
				o := try{kit: k, helper: "allow", args: c.args + " socket=" + s.path, answers: c.answers, credential: anybody}.run(t)
				o.expect(c.code)
				if hello := (outcome{t: t, seen: s.seen()}).hello(); hello.CallerUID != nobody || hello.User != "nobody" {
					t.Errorf("the helper heard %+v", hello)
				}
				if o.seen != "" {
					t.Error("an application that is not root started a helper")
				}
			}
		})
	}
}

// TestApplicationThatIsNotRootAsksInAuthenticateOnly: the other phases have nothing to ask there.
func TestApplicationThatIsNotRootAsksInAuthenticateOnly(t *testing.T) {
	s := onSocket(t, plain(t), "allow")
	o := try{kit: plain(t), helper: "allow", args: "socket=" + s.path, phases: "acct,open,cred", credential: anybody}.run(t)
	o.expectPhases("acct,open,cred", "acct 0 open 14 cred 0")
	if s.seen() != "" || o.seen != "" {
		t.Error("a helper was started")
	}
}

// TestHelperOnASocketThatDoesNotAllowDenies runs every fault of a helper on a socket, but those that are in how it ends.
func TestHelperOnASocketThatDoesNotAllowDenies(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	defer all.Wait()
	quick := make(chan struct{}, 4)
	for kind, k := range map[string]kit{"shipped": plain(t), "sanitized": sanitized(t)} {
		for name, f := range faults {
			if strings.Contains(f.log, "status") || strings.Contains(f.log, "signal") || strings.Contains(f.log, "killed") {
				continue
			}
			all.Go(func() {
				t.Run(kind+"/"+name, func(t *testing.T) {
					if !f.slow {
						quick <- struct{}{}
						defer func() { <-quick }()
					}
					s := onSocket(t, k, f.helper)
					o := try{kit: k, helper: "allow", args: "socket=" + s.path, answers: f.answers, credential: anybody}.run(t)
					o.expect(authErr)
					o.expectLog(f.log)
					if s.seen() == "" || o.seen != "" {
						t.Errorf("the helper on the socket saw %q, one that was started saw %q", s.seen(), o.seen)
					}
				})
			})
		}
	}
}

// odd is something that stands where the socket should be.
type odd struct {
	make     func(t *testing.T, path string) (heard func() int) // heard is how many bytes came there
	stranger bool                                               // and not: not there
}

// listener is a socket that only listens.
func listener(t *testing.T, path string) (heard func() int) {
	t.Helper()
	var mutex sync.Mutex
	total := 0
	listen(t, path, func(conn *os.File) {
		b, _ := io.ReadAll(conn) // an end of any kind
		mutex.Lock()
		defer mutex.Unlock()
		total += len(b)
	})
	return func() int { mutex.Lock(); defer mutex.Unlock(); return total }
}

func silentAnd(change func(path string) error) func(*testing.T, string) func() int {
	return func(t *testing.T, path string) func() int {
		heard := listener(t, path)
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		return heard
	}
}

func nothingThere(make func(path string) error) func(*testing.T, string) func() int {
	return func(t *testing.T, path string) func() int {
		if err := make(path); err != nil {
			t.Fatal(err)
		}
		return func() int { return 0 }
	}
}

// nobodysListener is a socket of nobody's, given to root.
func nobodysListener(t *testing.T, path string) (heard func() int) {
	t.Helper()
	dir := folder(t)
	own, out := filepath.Join(dir, "own"), filepath.Join(dir, "heard")
	for _, err := range []error{os.Mkdir(own, 0o700), os.Chown(own, nobody, nobody), os.WriteFile(out, nil, 0o666), os.Chmod(out, 0o666)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	sock := filepath.Join(own, "sock")
	cmd := exec.Command("systemd-socket-activate", "--accept", "-l", sock, "sh", "-c", "cat <&3 >>"+out)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: anybody}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	waitFor(t, sock)
	for _, err := range []error{os.Rename(sock, path), os.Chown(path, 0, 0), os.Chmod(path, 0o666)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return func() int {
		st, err := os.Stat(out)
		if err != nil {
			t.Fatal(err)
		}
		return int(st.Size())
	}
}

func waitFor(t *testing.T, path string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
	}
	t.Fatalf("%s does not appear", path)
}

func mknod(kind int) func(string) error {
	return func(path string) error {
		fd, err := unix.Socket(unix.AF_UNIX, kind, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	}
}

var odds = map[string]odd{
	"nothing":                 {nothingThere(func(string) error { return nil }), false},
	"a file":                  {nothingThere(func(path string) error { return os.WriteFile(path, nil, 0o666) }), false},
	"a folder":                {nothingThere(func(path string) error { return os.Mkdir(path, 0o777) }), false},
	"a link to nothing":       {nothingThere(func(path string) error { return os.Symlink("/nonexistent/sock", path) }), false},
	"a socket nobody hears":   {nothingThere(mknod(unix.SOCK_STREAM)), false},
	"a socket for datagrams":  {nothingThere(mknod(unix.SOCK_DGRAM)), false},
	"another user's listener": {nobodysListener, true},
	"another user's socket":   {silentAnd(func(path string) error { return os.Chown(path, nobody, nobody) }), true},
	"a link to a socket of root's": {silentAnd(func(path string) error {
		if err := os.Rename(path, path+".real"); err != nil {
			return err
		}
		return os.Symlink(path+".real", path)
	}), true},
}

// TestNothingIsSaidToAStrangersSocket: who logs in, and what is typed, is for root's ears.
func TestNothingIsSaidToAStrangersSocket(t *testing.T) {
	t.Parallel()
	for name, odd := range odds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(folder(t), "sock")
			heard := odd.make(t, path)
			o := try{kit: plain(t), helper: "allow", args: "socket=" + path, credential: anybody}.run(t)
			o.expect(authErr)
			if odd.stranger {
				o.expectLog(path + " is not root's")
			} else {
				o.expectLog("systemctl enable --now twokey-verify.socket")
			}
			if n := heard(); n != 0 || o.seen != "" {
				t.Errorf("%d bytes were sent; a helper saw %q", n, o.seen)
			}
		})
	}
}

// TestApplicationThatIsSetuidRootFallsBackOnAHelperOfItsOwn, but not for a stranger's socket: somebody is at work then.
func TestApplicationThatIsSetuidRootFallsBackOnAHelperOfItsOwn(t *testing.T) {
	t.Parallel()
	for name, odd := range odds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(folder(t), "sock")
			heard := odd.make(t, path)
			o := try{kit: setuid(t), helper: "allow", args: "socket=" + path, credential: anybody}.run(t)
			if odd.stranger {
				o.expect(authErr)
				o.expectLog(path + " is not root's")
			} else {
				o.expect(success)
			}
			if n := heard(); n != 0 || odd.stranger == (o.seen != "") {
				t.Errorf("%d bytes were sent; a helper saw %q", n, o.seen)
			}
		})
	}
}

// TestApplicationThatIsSetuidRootFindsTheHelperOnTheSocket, out of its caller's reach.
func TestApplicationThatIsSetuidRootFindsTheHelperOnTheSocket(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		onSocket, own, phases, want string
		answers                     []string
		starts                      int // of its own
	}{
		"ALLOW lets in":              {"allow", "deny", "auth", "auth 0", nil, 0},
		"DENY denies":                {"deny", "allow", "auth", "auth 7", nil, 0},
		"every phase":                {"account", "deny", "auth,acct,open", "auth 0 acct 0 open 0", []string{"123456"}, 0},
		"a unit that does not start": {"exit-1", "allow", "auth", "auth 0", nil, 1},
		"one that does not start, and nobody to let in": {"exit-1", "deny", "auth", "auth 7", nil, 1},
		"another nonce":         {"other-nonce", "allow", "auth", "auth 7", nil, 0},
		"half a verdict":        {"allow-cut", "deny", "auth", "auth 7", nil, 1},
		"two verdicts":          {"allow-twice", "allow", "auth", "auth 7", nil, 0},
		"a verdict and no end":  {"allow-stay", "allow", "auth", "auth 7", nil, 0},
		"it asked and was gone": {"prompt-exit", "allow", "auth", "auth 7", []string{"@slow"}, 0},
		"it says nothing":       {"silent", "allow", "auth", "auth 7", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := onSocket(t, plain(t), c.onSocket)
			o := try{kit: setuid(t), helper: c.own, args: "socket=" + s.path, phases: c.phases, answers: c.answers, credential: anybody}.run(t)
			o.expectPhases(c.phases, c.want)
			if starts := len(linesOf(o.seen, "pid")); starts != c.starts || s.seen() == "" {
				t.Errorf("it started %d helpers of its own, want %d; the one on the socket saw %q", starts, c.starts, s.seen())
			}
		})
	}
}

// TestRootHasAHelperOfItsOwn: nobody can starve what root starts, and systemd is one thing less that has to work.
func TestRootHasAHelperOfItsOwn(t *testing.T) {
	s := onSocket(t, plain(t), "deny")
	o := try{kit: plain(t), helper: "allow", args: "socket=" + s.path}.run(t)
	o.expect(success)
	if s.seen() != "" {
		t.Error("the helper on the socket was asked")
	}
}

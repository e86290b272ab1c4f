package deliver_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/deliver"
)

// patience is what a test gives up after; nothing is measured by it.
const patience = 30 * time.Second

func soon() time.Time { return time.Now().Add(patience) }

// script is a helper that does something else than twokey-notify: what a login gets must not depend on it being well.
func script(t *testing.T, text string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "twokey-deliver-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "helper")
	if err := errors.Join(os.WriteFile(path, []byte("#!/bin/sh\nPATH=/usr/bin:/bin\n"+text), 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}

func push() *deliver.Request {
	return &deliver.Request{
		Kind: deliver.KindPush, Connect: time.Second, Timeout: time.Second, Wait: time.Second, Ntfy: &deliver.Ntfy{URL: "https://ntfy.example.org"},
		Push: &deliver.Push{Title: "t", Topic: "tk-a", Buttons: []deliver.Button{{Label: "Allow", Body: "allow x", Means: deliver.StateAllow}}},
	}
}

func started(t *testing.T, text string) *deliver.Running {
	t.Helper()
	r, err := deliver.Start(script(t, text), 65534, 65534, push())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestWhatAHelperMaySay(t *testing.T) {
	for name, c := range map[string]struct {
		says string
		want []any // answers' states and errors
	}{
		"sent and allowed":         {`echo '{"state":"sent"}'; echo '{"state":"allow"}'`, []any{deliver.StateSent, deliver.StateAllow, io.EOF, io.EOF}},
		"more than its last":       {`echo '{"state":"deny"}'; echo '{"state":"allow"}'`, []any{deliver.StateDeny, io.EOF}},
		"nothing":                  {`:`, []any{deliver.ErrEnded}},
		"nothing but sent":         {`echo '{"state":"sent"}'`, []any{deliver.StateSent, deliver.ErrEnded}},
		"half a line":              {`printf '{"state":"allow"}'`, []any{deliver.ErrEnded}},
		"a line in two parts":      {`printf '{"state":'; sleep 0.05; echo '"allow"}'`, []any{deliver.StateAllow}},
		"a line that never ends":   {`head -c 100000 /dev/zero`, []any{deliver.ErrAnswer}},
		"what is no answer":        {`echo allow`, []any{deliver.ErrAnswer}},
		"an answer with a blank":   {`echo '{"state": "allow"}'`, []any{deliver.ErrAnswer}},
		"a state twice":            {`echo '{"state":"deny","state":"allow"}'`, []any{deliver.ErrAnswer}},
		"a state in other letters": {`echo '{"State":"allow"}'`, []any{deliver.ErrAnswer}},
		"escape sequences":         {`printf '{"state":"failed","problem":"answer","detail":"\\u001b[2J"}\n'`, []any{deliver.ErrAnswer}},
	} {
		r := started(t, c.says)
		for i, want := range c.want {
			answer, err := r.Next(soon())
			if wanted, ok := want.(error); ok && !errors.Is(err, wanted) || !ok && (err != nil || answer.State != want) {
				t.Errorf("%s: answer %d: %v, %v, want %v", name, i, answer, err, want)
			}
		}
	}
}

func TestNextMayBeCalledAgain(t *testing.T) {
	r := started(t, `printf '{"sta'; cat >/dev/null`)
	for range 2 {
		if _, err := r.Next(time.Now().Add(20 * time.Millisecond)); !errors.Is(err, deliver.ErrNotYet) {
			t.Fatal(err)
		}
	}
}

func TestTheHelperHasNothingButItsRequest(t *testing.T) {
	dir := script(t, "") + ".d"
	if err := errors.Join(os.Mkdir(dir, 0o777), os.Chmod(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TWOKEY_SECRET", "x")
	// A descriptor that a shell has left open.
	left, err := unix.Open(dir, unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(left)
	r := started(t, fmt.Sprintf(`ls -l /proc/$$/fd | sed -n 's/.* \([0-9]*\) -> \(.*\)/fd \1 \2/p' >%[1]s/seen
		readlink /proc/$$/cwd >>%[1]s/seen
		tr '\0' '\n' </proc/$$/environ >>%[1]s/seen
		echo "id $(id -u) $(id -g) $(id -G)" >>%[1]s/seen
		cut -d' ' -f5,6 /proc/$$/stat | sed "s/$$/own/g" >>%[1]s/seen
		tr '\0' ' ' </proc/$$/cmdline >>%[1]s/seen
		head -1 >%[1]s/request; echo '{"state":"allow"}'`, dir))
	if a, err := r.Next(soon()); err != nil || a.State != deliver.StateAllow {
		t.Fatal(a, err)
	}
	seen, err1 := os.ReadFile(filepath.Join(dir, "seen"))
	request, err2 := os.ReadFile(filepath.Join(dir, "request"))
	want, err3 := push().Encode()
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	if string(request) != string(want) {
		t.Errorf("request %q", request)
	}
	for _, part := range []string{"id 65534 65534 65534\n", "fd 0 pipe:", "fd 1 pipe:", "fd 2 /dev/null\n", "own own\n", "\n/\n"} {
		if !strings.Contains(string(seen), part) {
			t.Errorf("no %q in %s", part, seen)
		}
	}
	if strings.Contains(string(seen), "TWOKEY_SECRET") || strings.Contains(string(seen), "ntfy.example.org") || strings.Contains(string(seen), " "+dir+"\n") {
		t.Errorf("%s", seen)
	}
}

func TestCloseEndsWhatHangs(t *testing.T) {
	path := script(t, `trap '' TERM HUP PIPE; sleep 300 & echo '{"state":"sent","id":"'$$' '$!'"}'; while :; do sleep 1; done`)
	r, err := deliver.Start(path, 65534, 65534, push())
	if err != nil {
		t.Fatal(err)
	}
	a, err := r.Next(soon())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, text := range strings.Fields(a.ID) {
		pid, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		if !gone(pid) {
			t.Errorf("process %d is still there", pid)
		}
	}
}

// gone waits for a process to be dead; a child of a child stays in the table until whoever has inherited it looks.
func gone(pid int) bool {
	for end := soon(); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) || strings.Contains(string(stat), ") Z ") {
			return true
		}
	}
	return false
}

func TestWhatCannotBeStarted(t *testing.T) {
	for name, c := range map[string]struct {
		helper string
		req    *deliver.Request
		want   error
	}{
		"a path that is not absolute": {"twokey-notify", push(), nil},
		"a helper that is not there":  {"/usr/libexec/twokey/none", push(), os.ErrNotExist},
		"a request that is none":      {"/bin/true", &deliver.Request{}, deliver.ErrRequest},
	} {
		r, err := deliver.Start(c.helper, 65534, 65534, c.req)
		if r != nil || err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
}

func TestAHelperThatDoesNotReadItsRequest(t *testing.T) {
	r, err := deliver.Start(script(t, `exec <&-; sleep 0.05; echo '{"state":"allow"}'`), 65534, 65534, push())
	if err != nil {
		t.Fatal(err)
	}
	a, err := r.Next(soon())
	if err := errors.Join(err, r.Close()); err != nil || a.State != deliver.StateAllow {
		t.Error(a, err)
	}
}

func TestThereIsAUser(t *testing.T) {
	uid, gid, err := deliver.FindUser()
	if err != nil || uid == 0 || gid == 0 {
		t.Errorf("%d, %d, %v: scripts/install-needs makes it", uid, gid, err)
	}
	if !strings.HasPrefix(deliver.Helper(), "/") {
		t.Error(deliver.Helper())
	}
}

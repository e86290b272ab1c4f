package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// inForce is what the users' files hold.
func inForce(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(dir + "/var/lib/twokey/users/*.age")
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, file := range files {
		text += file + content(t, file)
	}
	return text
}

// The attack: kill -9, or a reader that goes away, between secrets that count and the screen. Their owners would be locked out, and a second
// run has nothing to show. Here the reader is slow: as long as it has not read all, nothing counts.
func TestSecretsAreShownBeforeTheyCount(t *testing.T) {
	for _, flags := range [][]string{nil, {"--json"}} {
		root, dir := newRoot(t)
		for what, prepare := range map[string]func(){
			"new users":                          func() {},
			"recovery codes of who has a device": func() { succeed(t, root, "apply", "-f", listFile(t, 0), "--show-secrets") },
		} {
			prepare()
			before := inForce(t, dir)
			first, rest := shownThroughAFullPipe(t, append([]string{root, "apply", "-f", listFile(t, 20), "--show-secrets"}, flags...), func() {
				if inForce(t, dir) != before {
					t.Errorf("%s, %q: somebody's secret counts that was not shown", what, flags)
				}
			})
			if text := first + rest; strings.Count(text, "-") < 2*20*len(systemUsers) || !strings.Contains(text, systemUsers[0]) {
				t.Errorf("%s, %q: %s", what, flags, text)
			}
			if inForce(t, dir) == before {
				t.Errorf("%s, %q: nothing was changed", what, flags)
			}
			succeed(t, append([]string{root, "unenroll", "--yes"}, systemUsers...)...)
		}
	}
}

func TestWhatApplyPrintsIsOneDocument(t *testing.T) {
	root, _ := newRoot(t)
	list := listFile(t, 1)
	for _, c := range []struct {
		flags         string
		secrets, made int
	}{
		{"--show-secrets --dry-run", 0, len(systemUsers)},
		{"--show-secrets", len(systemUsers), len(systemUsers)},
		{"--show-secrets", 0, 0},
		{"--check", 0, 0},
	} {
		out := succeed(t, append([]string{root, "apply", "-f", list, "--json"}, strings.Fields(c.flags)...)...)
		var document struct {
			Secrets []newSecrets
			Users   []appliedUser
			Changed bool
		}
		if err := json.Unmarshal([]byte(out), &document); err != nil {
			t.Fatalf("%s: %v: %s", c.flags, err, out)
		}
		changed := 0
		for _, u := range document.Users {
			if u.Changed {
				changed++
			}
		}
		if len(document.Secrets) != c.secrets || len(document.Users) != len(systemUsers) || changed != c.made || document.Changed != (c.made > 0) ||
			strings.Contains(out, `"secrets"`) != strings.Contains(c.flags, "secrets") {
			t.Errorf("%s: %s", c.flags, out)
		}
	}
}

// shownThroughAFullPipe runs twokey with a pipe that is too small for what it prints, and calls look between the first byte and the others.
func shownThroughAFullPipe(t *testing.T, arguments []string, look func()) (first, rest string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	size, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, os.Getpagesize())
	if err != nil || size > 4096 {
		t.Fatalf("a pipe of %d bytes, %v", size, err)
	}
	cmd := exec.Command("twokey", arguments...)
	var complaint strings.Builder
	cmd.Stdout, cmd.Stderr = w, &complaint
	if err := errors.Join(cmd.Start(), w.Close()); err != nil {
		t.Fatal(err)
	}
	begin := make([]byte, 1)
	_, readErr := io.ReadFull(r, begin)
	look()
	all, err := io.ReadAll(r)
	if err := errors.Join(readErr, err, cmd.Wait()); err != nil {
		t.Fatalf("%v: %s", err, complaint.String())
	}
	return string(begin), string(all)
}

func TestSecretsThatCannotBeShownAreNotMade(t *testing.T) {
	root, dir := newRoot(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	before := inForce(t, dir)
	for _, flags := range [][]string{nil, {"--json"}} {
		cmd := exec.Command("twokey", append([]string{root, "apply", "-f", listFile(t, 1), "--show-secrets"}, flags...)...)
		var complaint strings.Builder
		cmd.Stdout, cmd.Stderr = full, &complaint
		err := cmd.Run()
		if cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(complaint.String(), "who is left was not changed: standard output could not be written") ||
			strings.Contains(complaint.String(), "list.csv") {
			t.Errorf("%v: %s", err, complaint.String())
		}
		if inForce(t, dir) != before {
			t.Error("somebody is enrolled")
		}
	}
}

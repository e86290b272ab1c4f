package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"twokey/factor"
)

// systemUsers are on every host, in the order of the name.
var systemUsers = []string{"bin", "daemon", "games", "lp", "mail", "man", "news", "sys"}

// listFile writes a list of them, with so many recovery codes each.
func listFile(t *testing.T, codes int) string {
	t.Helper()
	text := "user,recovery_codes\n"
	for _, user := range systemUsers {
		text += fmt.Sprintf("%s,%d\n", user, codes)
	}
	path := filepath.Join(t.TempDir(), "list.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The attack: a cron job and an administrator at the same list. The second wrote its pages over those of the first, failed, and took them away.
func TestOfApplyAtOnceIntoOneFolderEveryPageIsTheOneInForce(t *testing.T) {
	root, _ := newRoot(t)
	list, sheets := listFile(t, 1), filepath.Join(t.TempDir(), "sheets")
	for range rounds {
		applyAtOnce(t, root, "apply", "-f", list, "--sheets", sheets)
		exported := succeed(t, root, "export", "--csv", "--with-secrets")
		for _, line := range strings.Split(strings.TrimSpace(exported), "\n")[1:] {
			fields := strings.Split(line, ",")
			page := content(t, filepath.Join(sheets, fields[0]+"~phone.html"))
			if !strings.Contains(page, factor.GroupSecret(fields[6])) {
				t.Errorf("%s has another secret than stands on his page", fields[0])
			}
		}
		if n := strings.Count(exported, "totp"); n != len(systemUsers) {
			t.Errorf("%d users are enrolled: %s", n, exported)
		}
		succeed(t, append([]string{root, "unenroll", "--yes"}, systemUsers...)...)
	}
}

// applyAtOnce runs the same several times at once. One has to succeed, and the others may be told to wait.
func applyAtOnce(t *testing.T, arguments ...string) {
	t.Helper()
	var running sync.WaitGroup
	var lock sync.Mutex
	done := 0
	for range several {
		running.Go(func() {
			out, err := exec.Command("twokey", arguments...).CombinedOutput()
			lock.Lock()
			defer lock.Unlock()
			if err == nil {
				done++
			} else if !strings.Contains(string(out), "another apply is at work in ") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	running.Wait()
	if done == 0 {
		t.Error("nobody was at work")
	}
}

// Who is new has to be still new when his page is written: the folder is locked before anybody is looked at or asked.
func TestApplyLooksAtNobodyBeforeItHasTheFolder(t *testing.T) {
	root, _ := newRoot(t)
	list, sheets := listFile(t, 1), t.TempDir()
	succeed(t, root, "apply", "-f", list, "--show-secrets")
	if err := os.Chmod(sheets, 0o700); err != nil {
		t.Fatal(err)
	}
	held, err := os.Open(sheets)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := unix.Flock(int(held.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ending := filepath.Join(t.TempDir(), "ending.csv") // which would be asked about
	if err := os.WriteFile(ending, []byte("user,digits\nbin,8\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("twokey", root, "apply", "-f", ending, "--sheets", sheets).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitFailed || !strings.Contains(string(out), "another apply is at work in "+sheets+"; nothing was changed") {
		t.Errorf("%v: %s", err, out)
	}
	if err := unix.Flock(int(held.Fd()), unix.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	succeed(t, root, "apply", "-f", ending, "--sheets", sheets, "--yes")
}

// NFS has no lock for a folder: then it is the administrator who has to see to it.
func TestAFolderThatCannotBeLockedIsWarnedOf(t *testing.T) {
	root, _ := newRoot(t)
	program, err := exec.LookPath("twokey")
	if err != nil {
		t.Fatal(err)
	}
	sheets := filepath.Join(t.TempDir(), "sheets")
	cmd := exec.Command("strace", "-f", "--seccomp-bpf", "-o", os.DevNull, "-e", "inject=flock:error=EBADF",
		program, root, "apply", "-f", listFile(t, 1), "--sheets", sheets)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "twokey: warning: the file system of "+sheets+" cannot keep another apply from it") {
		t.Errorf("%v: %s", err, out)
	}
	if pages, err := os.ReadDir(sheets); err != nil || len(pages) != len(systemUsers) {
		t.Errorf("%d pages, %v", len(pages), err)
	}
}

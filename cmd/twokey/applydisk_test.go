package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// withFault runs twokey while a system call fails, and returns what it says.
func withFault(t *testing.T, fault []string, arguments ...string) (out string, status int) {
	t.Helper()
	program, err := exec.LookPath("twokey")
	if err != nil {
		t.Fatal(err)
	}
	line := append([]string{"-f", "-qq", "--seccomp-bpf", "-o", os.DevNull}, fault...)
	text, err := exec.Command("strace", append(append(line, program), arguments...)...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit != nil {
		status = exit.ExitCode()
	}
	return string(text), status
}

func fileOf(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The attack: a worn disk. Who is enrolled by then, and is told that it does not count, is locked out; and no record names his device.
// strace counts the calls of each thread, and it is for the runtime to say which thread makes the second one.
func TestApplyTellsNobodyThatWhatIsInForceDoesNotCount(t *testing.T) {
	list := listFile(t, 1)
	for range 20 {
		root, dir := newRoot(t)
		out, status := withFault(t, []string{"-e", "trace=syncfs", "-e", "inject=syncfs:error=EIO:when=2+"}, root, "apply", "-f", list, "--show-secrets")
		if status == 0 {
			continue
		}
		if n := strings.Count(succeed(t, root, "export", "--csv"), "totp"); status != exitFailed || n != len(systemUsers) {
			t.Fatalf("status %d, %d are enrolled: %s", status, n, out)
		}
		log := content(t, dir+"/var/log/twokey/audit.jsonl")
		if strings.Count(out, "it may not last a loss of power: device") != len(systemUsers) || strings.Contains(out, "does not count") ||
			strings.Count(log, "only in part: ") != len(systemUsers) {
			t.Errorf("%s\n%s", out, log)
		}
		return
	}
	t.Error("the disk never failed: this test has shown nothing")
}

func TestApplyKeepsThePageOfASecondDeviceThatIsInForce(t *testing.T) {
	root, dir := newRoot(t)
	succeed(t, root, "apply", "-f", fileOf(t, "one.csv", "user,device\ngames,app\n"), "--show-secrets")
	sheets := filepath.Join(t.TempDir(), "sheets")
	out, status := withFault(t, []string{"-P", dir + "/var/lib/twokey/state/games", "-e", "inject=fdatasync:error=EIO"},
		root, "apply", "-f", fileOf(t, "two.csv", "user,device\ngames,token\n"), "--sheets", sheets)
	if show := succeed(t, root, "show", "games"); !strings.Contains(show, "token") {
		t.Fatalf("this test has shown nothing: %s, %s", out, show)
	}
	content(t, sheets+"/games~token.html")
	if log := content(t, dir+"/var/log/twokey/audit.jsonl"); status != exitFailed || !strings.Contains(log, "only in part: ") ||
		!strings.Contains(out, `it may not last a loss of power: device "token"`) {
		t.Errorf("status %d: %s\n%s", status, out, log)
	}
}

// The attack: a name service that does not answer just now. Who was not found is required with his group, and has no device.
func TestApplyRequiresNoGroupOfWhomItDidNotFindAll(t *testing.T) {
	for _, list := range []string{"version: 1\ngroups:\n- group: games\n  require: {}\n  device: {name: phone}\n",
		"version: 1\nusers:\n- user: games\ngroups:\n- group: games\n  require: {}\n"} {
		file, failed := fileOf(t, "games.yaml", list), 0
		for source, times := range map[string][]string{"/etc/passwd": {"1", "2", "3", "4"}, "/etc/group": {"1+", "2"}} {
			for _, when := range times {
				root, dir := newRoot(t)
				out, status := withFault(t, []string{"-P", source, "-e", "trace=openat", "-e", "inject=openat:error=EIO:when=" + when},
					root, "apply", "-f", file, "--show-secrets")
				if status != 0 {
					failed++
				}
				if strings.Contains(content(t, dir+"/etc/twokey/twokey.yaml"), "[games]") && !strings.Contains(inForce(t, dir), "/games.age") {
					t.Errorf("%s, %s: games is required without a device: %s", source, when, out)
				}
			}
		}
		if failed == 0 {
			t.Error("this test has shown nothing")
		}
	}
}

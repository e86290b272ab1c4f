package main

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/urfave/cli/v2"

	"twokey/internal/safefile/disktest"
)

// tree is what lies in a folder: every link, and every file with its first 8192 bytes, which leave out who held the lock of a state last.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		var content []byte
		if entry.Type()&fs.ModeSymlink != 0 {
			var text string
			text, err = os.Readlink(path)
			content = []byte(text)
		} else {
			content, err = os.ReadFile(path)
		}
		b.WriteString(strings.TrimPrefix(path, dir) + " " + string(content[:min(len(content), 8192)]) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAFullDiskIsOneLineAndChangesNothing(t *testing.T) {
	dir := disktest.Mount(t, "ext4")
	root, data := "--root="+dir, dir+"/var/lib/twokey"
	succeed(t, root, "init")
	succeed(t, root, "enroll", "nobody", "--qr", "none")
	before := tree(t, data)
	free := disktest.Fill(t, dir)
	picture := filepath.Join(t.TempDir(), "root.png")
	want := regexp.MustCompile(`^twokey: error: [^\n]*no space left on device\ntwokey: hint: df -h shows which file system is full\n$`)
	for range 2 { // what one try leaves must not stop the next
		for _, arguments := range [][]string{
			{"enroll", "root", "--qr", "none"},
			{"enroll", "root", "--qr", picture},
			{"enroll", "nobody", "--replace", "--yes", "--qr", "none"},
			{"recovery", "new", "nobody", "--yes"},
			{"enroll", "root", "--qr", dir + "/root.png"},
		} {
			cmd := exec.Command("twokey", append([]string{root}, arguments...)...)
			var out, complaint bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &complaint
			err := cmd.Run()
			if cmd.ProcessState.ExitCode() != exitFailed || out.Len() > 0 || !want.Match(complaint.Bytes()) {
				t.Errorf("%v: %v: %s%s", arguments, err, out.String(), complaint.String())
			}
			if after := tree(t, data); after != before {
				t.Errorf("%v has changed something", arguments)
			}
			for _, path := range []string{picture, dir + "/root.png"} {
				if _, err := os.Lstat(path); err == nil {
					t.Errorf("%v has left %s", arguments, path)
				}
			}
		}
	}
	free()
	succeed(t, root, "enroll", "nobody", "--replace", "--yes", "--qr", picture)
	succeed(t, root, "enroll", "root", "--qr", "none")
}

func TestOfEnrolmentsAtOnceOneIsDone(t *testing.T) {
	root, _ := newRoot(t)
	for range 5 {
		const several = 6
		outputs, statuses := make([]string, several), make([]int, several)
		var group sync.WaitGroup
		for i := range several {
			group.Go(func() {
				cmd := exec.Command("twokey", root, "enroll", "nobody", "--qr", "none")
				out, _ := cmd.CombinedOutput() // the status says it
				outputs[i], statuses[i] = string(out), cmd.ProcessState.ExitCode()
			})
		}
		group.Wait()
		slices.Sort(statuses)
		if !slices.Equal(statuses, []int{exitDone, exitFailed, exitFailed, exitFailed, exitFailed, exitFailed}) {
			t.Fatalf("exit statuses %v: %s", statuses, strings.Join(outputs, "\n"))
		}
		for _, out := range outputs {
			done, refused := strings.Contains(out, "is enrolled with the device"), strings.Contains(out, "already enrolled")
			if done == refused {
				t.Errorf("%s", out)
			}
		}
		succeed(t, root, "unenroll", "nobody", "--yes")
	}
	succeed(t, root, "audit", "verify")
}

// Text goes through one place, which makes it safe for a terminal and knows of --json.
func TestOnlyOneFilePrints(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	prints := regexp.MustCompile(`\bfmt\.Print|\bfmt\.Fprint[a-z]*\((ui|h\.ui|u)\.|\bos\.Std(out|err)\b|\b(ui|u)\.(out|err)\b`)
	for _, name := range files {
		if name == "print.go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(source)) {
			code, _, _ := strings.Cut(line, "//")
			starts := strings.HasPrefix(line, "func main()") || strings.Contains(line, "Writer:") // hands them over
			if prints.MatchString(code) && !starts {
				t.Errorf("%s prints: %s", name, strings.TrimSpace(line))
			}
		}
	}
}

func TestEveryCommandHasJSONAndWhatWritesHasADryRun(t *testing.T) {
	writes := []string{"init", "enable", "disable", "enroll", "unenroll", "reset", "recovery new", "unlock", "forget", "adopt",
		"policy require", "policy exempt", "policy unset", "policy edit", "config set", "remind", "device add", "device edit", "device remove",
		"device rename", "bypass create", "bypass revoke", "apply", "key new-signer", "import google-authenticator", "import oath",
		"import otpauth", "import migration", "import pskc", "import csv", "sms setup", "push setup"}
	app := newApp(&ui{in: newInput(strings.NewReader(""))})
	found := 0
	for words, command := range paths(app.Commands) {
		has := func(name string) bool {
			return slices.ContainsFunc(command.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
		}
		if !has("json") || !has("config") || !has("root") || !has("yes") {
			t.Errorf("%s lacks a global flag", words)
		}
		if has(dryRun) != slices.Contains(writes, words) {
			t.Errorf("%s: dry run %v", words, has(dryRun))
		}
		if has(dryRun) {
			found++
		}
		if command.Hidden {
			continue
		}
		if command.Usage == "" || strings.HasSuffix(command.Usage, ".") {
			t.Errorf("%s: usage %q", words, command.Usage)
		}
	}
	if found != len(writes) {
		t.Errorf("%d commands write, want %d", found, len(writes))
	}
}

// Codes, passwords and secrets are never arguments: every user of the host can read those.
func TestNoFlagTakesASecret(t *testing.T) {
	publicOrFile := []string{"secret-file", "recovery-codes", "key", "pskc-key", "token-file", "answer-token-file", "secret-key-file",
		"api-key-sid", "integration-key"}
	app := newApp(&ui{in: newInput(strings.NewReader(""))})
	for words, command := range paths(app.Commands) {
		for _, flag := range command.Flags {
			name := flag.Names()[0]
			_, boolean := flag.(*cli.BoolFlag)
			secret := regexp.MustCompile(`secret|password|code|key|token|pin`).MatchString(name)
			if secret && !boolean && !slices.Contains(publicOrFile, name) {
				t.Errorf("%s --%s", words, name)
			}
		}
	}
}

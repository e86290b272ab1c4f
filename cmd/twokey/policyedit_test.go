package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"twokey/internal/safefile/disktest"
)

// script writes a program.
func script(t *testing.T, lines string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "editor")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+lines), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheEditorIsAtTheTerminal(t *testing.T) {
	root, dir := newRoot(t)
	t.Setenv("SUDO_EDITOR", "")
	t.Setenv("VISUAL", "")
	t.Setenv("EDITOR", script(t, `printf 'line: '; read line; echo "$line" >> "$1"`))
	x := atTerminal(t, "80", root, "policy", "edit")
	x.Expect("line: ")
	x.Type("nonsense: 1\n")
	x.Expect(`twokey: warning: the file would be wrong: line `)
	x.Expect("(e)dit again, or e(x)it without saving? ")
	x.Type("?\n")
	x.Expect("(e)dit again, or e(x)it without saving? ")
	x.Type("e\n")
	x.Expect("line: ")
	x.Type("issuer: x\n")
	x.Expect("(e)dit again, or e(x)it without saving? ")
	x.Type("x\n")
	x.Expect("twokey: error: not saved, nothing was changed")
	x.Expect("status 1")
	x = atTerminal(t, "80", root, "policy", "edit")
	x.Expect("line: ")
	x.Type("remember: 1h\n")
	x.Expect("+remember: 1h")
	x.Expect("Somebody may get in with less than before (remember: 0s → 1h). Go on? [y/N] ")
	x.Type("y\n")
	x.Expect("Saved: it counts from the next login on.")
	x.Expect("status 0")
	if config := content(t, dir+"/etc/twokey/twokey.yaml"); !strings.HasSuffix(config, "\nremember: 1h\n") {
		t.Errorf("%s", config)
	}
}

// An interrupt that is typed into the editor is the editor's: twokey must not end before it, and lose the lock and the copy.
func TestAnInterruptInTheEditorIsTheEditors(t *testing.T) {
	root, dir := newRoot(t)
	t.Setenv("SUDO_EDITOR", script(t, "trap 'echo \"issuer: interrupted\" >> \"$1\"; exit 0' INT\necho ready\nwhile :; do sleep 0.1; done\n"))
	x := atTerminal(t, "80", root, "policy", "edit")
	x.Expect("ready")
	x.Type("\x03")
	x.Expect("Saved: it counts from the next login on.")
	x.Expect("status 0")
	if config := content(t, dir+"/etc/twokey/twokey.yaml"); !strings.HasSuffix(config, "\nissuer: interrupted\n") {
		t.Errorf("%s", config)
	}
}

func TestAFullDiskKeepsWhatWasWritten(t *testing.T) {
	dir := disktest.Mount(t, "tmpfs")
	root := "--root=" + dir
	succeed(t, root, "init")
	config := dir + "/etc/twokey/twokey.yaml"
	before := content(t, config)
	t.Setenv("SUDO_EDITOR", script(t, "echo 'issuer: kept' >> \"$1\"\ncat /dev/zero > "+dir+"/filler 2> /dev/null\ntrue\n"))
	out, err := exec.Command("twokey", root, "policy", "edit").CombinedOutput()
	kept := dir + "/var/lib/twokey/edit/twokey.yaml"
	if err == nil || !strings.Contains(string(out), "what you have written is kept in "+kept) || !strings.Contains(string(out), "no space left on device") {
		t.Errorf("%v: %s", err, out)
	}
	if !strings.HasSuffix(content(t, kept), "\nissuer: kept\n") || content(t, config) != before {
		t.Errorf("%s\n%s", content(t, kept), content(t, config))
	}
}

func TestWhichEditor(t *testing.T) {
	for what, c := range map[string]struct {
		env, programs map[string]string
		want          string
		says          string
	}{
		"the first of three":           {map[string]string{"SUDO_EDITOR": "a -x", "VISUAL": "b", "EDITOR": "c"}, map[string]string{"a": "/bin/a"}, "/bin/a -x", ""},
		"the second":                   {map[string]string{"SUDO_EDITOR": " ", "VISUAL": "b", "EDITOR": "c"}, map[string]string{"b": "/bin/b"}, "/bin/b", ""},
		"the third":                    {map[string]string{"EDITOR": "c"}, map[string]string{"c": "/bin/c"}, "/bin/c", ""},
		"one that is not there":        {map[string]string{"EDITOR": "c"}, map[string]string{"vi": "/bin/vi"}, "", "$EDITOR: not found"},
		"none wanted":                  {nil, map[string]string{"sensible-editor": "/bin/s", "vi": "/bin/vi"}, "/bin/s", ""},
		"none wanted and not a Debian": {nil, map[string]string{"vi": "/bin/vi"}, "/bin/vi", ""},
		"none there":                   {nil, nil, "", "there is no editor on this host"},
	} {
		got, err := editorCommand(func(name string) string { return c.env[name] }, func(name string) (string, error) {
			if path, found := c.programs[name]; found {
				return path, nil
			}
			return "", errors.New("not found")
		}, true)
		if !slices.Equal(got, strings.Fields(c.want)) || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
}

func TestAnEditorThatNobodyNamedIsNotStartedWithoutATerminal(t *testing.T) {
	for env, want := range map[string]bool{"": false, "mine": true} {
		_, err := editorCommand(func(string) string { return env }, func(name string) (string, error) { return "/bin/" + name, nil }, false)
		if (err == nil) != want || !want && (exitStatus(err) != exitFailed || !strings.Contains(hintFor(err), "twokey config set")) {
			t.Errorf("EDITOR=%q: %v", env, err)
		}
	}
}

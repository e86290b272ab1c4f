package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"twokey/internal/pamtest"
)

// newRoot makes a host in a folder and returns its --root.
func newRoot(t *testing.T) (flag, dir string) {
	t.Helper()
	dir = t.TempDir()
	flag = "--root=" + dir
	succeed(t, flag, "init")
	return flag, dir
}

// succeed runs twokey and returns what it prints.
func succeed(t *testing.T, arguments ...string) string {
	t.Helper()
	out, err := exec.Command("twokey", arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("twokey %s: %v: %s", strings.Join(arguments, " "), err, out)
	}
	return string(out)
}

// atTerminal runs twokey at a terminal of so many columns, and a shell behind it that shows whether the terminal is as it was.
func atTerminal(t *testing.T, columns string, arguments ...string) *pamtest.Terminal {
	t.Helper()
	return pamtest.OpenTerminal(t, terminalOf(columns, arguments...))
}

func terminalOf(columns string, arguments ...string) *exec.Cmd {
	line := "trap : INT; stty cols " + columns + `; twokey "$@"; echo "status $?"; stty -a | grep -wo -e -echo -e echo`
	cmd := exec.Command("sh", append([]string{"-c", line, "sh"}, arguments...)...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "LC_ALL=C.UTF-8")
	return cmd
}

func TestAQRCodeOnATerminalIsWhiteOnBlackWhateverItsColours(t *testing.T) {
	root, _ := newRoot(t)
	x := atTerminal(t, "80", root, "enroll", "nobody")
	x.Expect("status 0")
	rows := 0
	for line := range strings.Lines(x.Screen()) {
		if strings.ContainsAny(line, "█▀▄") {
			rows++
			if !strings.HasPrefix(line, "\x1b[97;40m") || !strings.HasSuffix(line, "\x1b[0m\r\n") {
				t.Fatalf("a line of the code: %q", line)
			}
		}
	}
	if rows < 15 {
		t.Errorf("%d lines of a code", rows)
	}
}

func TestATerminalThatIsTooNarrowIsToldHowWideItHasToBe(t *testing.T) {
	root, dir := newRoot(t)
	x := atTerminal(t, "30", root, "enroll", "nobody")
	x.Expect("twokey: error: the QR code needs a terminal of ")
	x.Expect(" columns, this one has 30; nothing was changed")
	x.Expect("twokey: hint: make it wider, or add --qr nobody.png for a picture, or --qr none for the key alone")
	x.Expect("status 1")
	if _, err := os.Stat(filepath.Join(dir, "var/lib/twokey/users/nobody.age")); err == nil {
		t.Error("enrolled all the same")
	}
	x = atTerminal(t, "30", root, "enroll", "nobody", "--qr", "none")
	x.Expect("status 0")
}

func TestATerminalWithoutUTF8GetsTheQRCodeInNumberSigns(t *testing.T) {
	root, _ := newRoot(t)
	for columns, status := range map[string]string{"60": "status 1", "120": "status 0"} {
		x := pamtest.OpenTerminal(t, withEnv(terminalOf(columns, root, "enroll", "nobody"), "LC_ALL=C"))
		x.Expect(status)
		if strings.ContainsAny(x.Screen(), "█▀▄") || strings.Contains(x.Screen(), "############") != (columns == "120") {
			t.Errorf("%s columns:\n%s", columns, x.Screen())
		}
	}
}

func withEnv(cmd *exec.Cmd, more string) *exec.Cmd {
	cmd.Env = append(cmd.Env, more)
	return cmd
}

func TestWhatIsTypedAtTestCodeIsNotShown(t *testing.T) {
	root, _ := newRoot(t)
	succeed(t, root, "enroll", "nobody")
	x := atTerminal(t, "80", root, "test", "code", "nobody")
	x.Expect("Code: ")
	x.Type("987654\n")
	x.Expect("No: ")
	x.Expect("status 3")
	x.Expect("\necho")
	if strings.Contains(x.Screen(), "987654") {
		t.Errorf("the code was shown: %q", x.Screen())
	}
}

func TestAnInterruptAtAQuestionLeavesTheTerminalAsItWas(t *testing.T) {
	root, _ := newRoot(t)
	succeed(t, root, "enroll", "nobody")
	x := atTerminal(t, "80", root, "test", "code", "nobody")
	x.Expect("Code: ")
	x.Type("12\x03")
	x.Expect("twokey: error: nobody: interrupted, nothing was changed")
	x.Expect("status 1")
	x.Expect("\necho")
}

func TestAnInterruptOfAnEnrolmentTakesThePictureAway(t *testing.T) {
	root, dir := newRoot(t)
	picture := filepath.Join(t.TempDir(), "nobody.png")
	x := atTerminal(t, "80", root, "enroll", "nobody", "--confirm", "--qr", picture)
	x.Expect("The code that the app shows now: ")
	if _, err := os.Stat(picture); err != nil {
		t.Error(err)
	}
	x.Type("\x03")
	x.Expect("interrupted, nothing was changed")
	x.Expect("status 1")
	for _, path := range []string{picture, filepath.Join(dir, "var/lib/twokey/users/nobody.age"), filepath.Join(dir, "var/lib/twokey/state/nobody")} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is there", path)
		}
	}
}

func TestNobodyIsEnrolledUnseenWithoutAWord(t *testing.T) {
	root, _ := newRoot(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, arguments := range [][]string{{root, "enroll", "nobody"}, {root, "enroll", "root", "--json"}} {
		cmd := exec.Command("twokey", arguments...)
		var complaint strings.Builder
		cmd.Stdout, cmd.Stderr = full, &complaint
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(complaint.String(), "standard output could not be written") {
			t.Errorf("%v: %s", err, complaint.String())
		}
	}
}

// Whoever owns the directory can swap it while we work: what is written and removed must be the one file.
func TestAPictureIsWrittenAndRemovedInOneDirectory(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"his", "other"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	precious := filepath.Join(dir, "other", "code.png")
	if err := os.WriteFile(precious, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := openPicture(filepath.Join(dir, "his", "code.png"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "his"), filepath.Join(dir, "moved")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("other", filepath.Join(dir, "his")); err != nil {
		t.Fatal(err)
	}
	if err := p.write([]byte("picture")); err != nil {
		t.Fatal(err)
	}
	written := filepath.Join(dir, "moved", "code.png")
	if content, err := os.ReadFile(written); err != nil || string(content) != "picture" {
		t.Errorf("%q, %v", content, err)
	}
	if err := p.remove(); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(precious); err != nil || string(content) != "precious" {
		t.Errorf("another file: %q, %v", content, err)
	}
	if _, err := os.Stat(written); err == nil {
		t.Error("the picture is there still")
	}
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
}

package proc

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// statLine is a line as proc(5) describes it, with this command name.
func statLine(name string) string {
	return "4711 (" + name + ") S 42 4711 4711 34816 4711 4194304 95 0 0 0 0 1 0 0 20 0 1 0 987654 6291456 512 18446744073709551615 0 0 0 0\n"
}

// names are of commands, and whoever runs a command chooses its name.
var names = []string{"sshd", "", " ", ")", "(", "a b", ") S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "a) R 1 (b", "\n", "\xff", "a)\x00"}

func TestTheNameOfACommandCannotFakeItsParentOrStart(t *testing.T) {
	for _, name := range names {
		id, parent, err := parseStat(4711, []byte(statLine(name)))
		if err != nil || id != (ID{4711, 987654}) || parent != 42 {
			t.Errorf("%q: %+v, parent %d, %v", name, id, parent, err)
		}
	}
}

func TestWhatIsNotAsProcSaysIsAnError(t *testing.T) {
	good := statLine("sshd")
	for what, text := range map[string]string{
		"nothing":                   "",
		"a newline":                 "\n",
		"only what follows a name":  strings.TrimPrefix(good, "4711 (sshd)"),
		"no name":                   strings.NewReplacer("(sshd) ", "").Replace(good),
		"an open parenthesis":       strings.Replace(good, ")", "", 1),
		"ended by the name":         "4711 (sshd)",
		"ended before the start":    good[:strings.Index(good, " 987654")],
		"a start that is no number": strings.Replace(good, "987654", "soon", 1),
		"a negative start":          strings.Replace(good, "987654", "-987654", 1),
		"a start above 64 bits":     strings.Replace(good, "987654", "18446744073709551616", 1),
		"a parent that is none":     strings.Replace(good, " 42 ", " init ", 1),
		"a parent above 64 bits":    strings.Replace(good, " 42 ", " 18446744073709551616 ", 1),
	} {
		if id, parent, err := parseStat(4711, []byte(text)); err == nil || id != (ID{}) || parent != 0 {
			t.Errorf("%s: %+v, parent %d, %v", what, id, parent, err)
		}
	}
}

func TestAProcessKeepsItsIdentityUntilItEnds(t *testing.T) {
	self, err := Self()
	if err != nil || int(self.PID) != os.Getpid() || self.Start == 0 {
		t.Fatalf("self: %+v, %v", self, err)
	}
	parent, err := Of(os.Getppid())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Parent(os.Getpid()); err != nil || got != parent {
		t.Errorf("the parent of this process is %+v, %v, want %+v", got, err, parent)
	}

	if own, got, err := WithParent(os.Getpid()); err != nil || own != self || got != parent {
		t.Errorf("this process is %+v, %+v, %v, want %+v, %+v", own, got, err, self, parent)
	}

	child, end := start(t)
	first, err := Of(child)
	if err != nil || int(first.PID) != child || first == self || first.Start < self.Start {
		t.Errorf("child: %+v, %v; this process is %+v", first, err, self)
	}
	if again, err := Of(child); err != nil || again != first {
		t.Errorf("child again: %+v, %v, want %+v", again, err, first)
	}
	if got, err := Parent(child); err != nil || got != self {
		t.Errorf("the child's parent is %+v, %v, want %+v", got, err, self)
	}
	end()
	if id, err := Of(child); id != (ID{}) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the child that has ended: %+v, %v", id, err)
	}
	if id, parent, err := WithParent(child); id != (ID{}) || parent != (ID{}) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the child that has ended: %+v, %+v, %v", id, parent, err)
	}
	if id, err := Parent(child); id != (ID{}) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the parent of the child that has ended: %+v, %v", id, err)
	}
}

// start runs a process whose name looks like the rest of its line; it ends when its standard input does.
func start(t *testing.T) (pid int, end func()) {
	t.Helper()
	program := t.TempDir() + "/x) R 1 1 1 1"
	cat, err := os.ReadFile("/bin/cat")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, cat, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid, func() {
		if err := errors.Join(stdin.Close(), cmd.Wait()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAProcessThatCannotBeIsAnError(t *testing.T) {
	for _, pid := range []int{0, -1, 1 << 30} {
		if id, err := Of(pid); err == nil || id != (ID{}) {
			t.Errorf("process %d: %+v, %v", pid, id, err)
		}
	}
	// Process 1 of a name space has no parent that can be seen.
	if id, err := Parent(1); err == nil || id != (ID{}) {
		t.Errorf("the parent of process 1: %+v, %v", id, err)
	}
	if id, parent, err := WithParent(1); err != nil || id.PID != 1 || parent != (ID{}) {
		t.Errorf("process 1: %+v, its parent %+v, %v", id, parent, err)
	}
}

func TestAFileOfAnyLengthIsReadToItsEnd(t *testing.T) {
	path := t.TempDir() + "/file"
	for _, n := range []int{0, 1, 1023, 1024, 1025, 100_000} {
		if err := os.WriteFile(path, []byte(strings.Repeat("x", n)), 0o600); err != nil {
			t.Fatal(err)
		}
		if b, err := read(path); err != nil || string(b) != strings.Repeat("x", n) {
			t.Errorf("%d bytes of %d, %v", len(b), n, err)
		}
	}
	if b, err := read(t.TempDir()); err == nil || b != nil {
		t.Errorf("a folder: %q, %v", b, err)
	}
}

func FuzzParseStat(f *testing.F) {
	for _, name := range names {
		f.Add(statLine(name))
	}
	f.Add("")
	f.Add("1 (a)")
	f.Fuzz(func(t *testing.T, line string) {
		id, parent, err := parseStat(7, []byte(line))
		if err != nil && (id != ID{} || parent != 0) || err == nil && id.PID != 7 {
			t.Errorf("%q: %+v, parent %d, %v", line, id, parent, err)
		}
	})
}

func TestAProcessThatHasEndedIsNotRunning(t *testing.T) {
	child := exec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	id, err := Of(child.Process.Pid)
	if err != nil || !Running(id) || Running(ID{id.PID, id.Start + 1}) {
		t.Errorf("%v, %v: running %v", id, err, Running(id))
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); Running(id) && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	zombie, err := Of(child.Process.Pid)
	if Running(id) || err != nil || zombie != id {
		t.Errorf("a zombie is running: %v, %v", zombie, err)
	}
	_ = child.Wait() // it was killed
	if Running(id) {
		t.Error("nobody is running")
	}
}

package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// childVariable makes the test binary append to a log instead of running tests: what happens to processes needs processes.
const childVariable = "TWOKEY_AUDIT_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	if err := beChild(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func beChild(what, path string, args []string) error {
	switch what {
	case "append":
		return Append(path, event(1))
	case "append-under-limit":
		return appendUnderLimit(path, args[0])
	case "append-thousand":
		return AppendAll(path, events(atOnce))
	case "append-all":
		return appendAllForEver(path)
	case "append-many":
		return appendMany(path, args[0], args[1])
	}
	return errors.New("a child must be told what to do")
}

// appendUnderLimit appends with a limit on the size of files, and succeeds when that fails.
func appendUnderLimit(path, limit string) error {
	signal.Ignore(unix.SIGXFSZ)
	n, err := strconv.ParseUint(limit, 10, 64)
	if err != nil {
		return err
	}
	w, err := openWriter(path) // with the lock already held: its holder's block lies beyond any limit
	if err != nil {
		return err
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: n, Max: n}); err != nil {
		return err
	}
	r := event(1)
	if err = w.appendAll([]Record{r}); err == nil {
		return errors.New("appended")
	}
	fmt.Println(err)
	return w.close()
}

// appendMany appends with several goroutines, so many records each, and prints the name of each record that Append has promised.
func appendMany(path, name, each string) error {
	n, err := strconv.Atoi(each)
	if err != nil {
		return err
	}
	failed := make(chan error, 4)
	var printing sync.Mutex
	for g := range cap(failed) {
		go func() {
			for i := range n {
				r := event(i)
				r.User = fmt.Sprintf("%s-%d-%d", name, g, i)
				if err := Append(path, r); err != nil {
					failed <- err
					return
				}
				printing.Lock()
				fmt.Println(r.User)
				printing.Unlock()
			}
			failed <- nil
		}()
	}
	for range cap(failed) {
		err = errors.Join(err, <-failed)
	}
	return err
}

func child(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := command(t, self, args...)
	cmd.Env = append(os.Environ(), childVariable+"=1")
	return cmd
}

func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), name, args...)
}

func TestProcessesAppendAtTheSameTime(t *testing.T) {
	path, key := newLog(t)
	const processes, each = 4, 10
	var children []*exec.Cmd
	for p := range processes {
		c := child(t, "append-many", path, fmt.Sprint(p), fmt.Sprint(each))
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		children = append(children, c)
	}
	if report := verify(t, path, &key); report.First() != nil {
		t.Errorf("while they write: %+v", report)
	}
	for _, c := range children {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	mustBeWhole(t, path, key, processes*4*each, 0)
	seen := map[string]bool{}
	for _, r := range records(t, path) {
		seen[r.User] = true
	}
	if len(seen) != processes*4*each {
		t.Errorf("%d different records", len(seen))
	}
}

// MUST return nil only when the record is in the log: whatever was promised before a kill is there after it.
func TestKilledAtAnyMoment(t *testing.T) {
	path, key := newLog(t)
	promised := map[string]bool{}
	const kills = 80
	for i := range kills {
		for _, name := range killedChild(t, path, fmt.Sprint(i)) {
			promised[name] = true
		}
		report := verify(t, path, &key)
		if p := report.First(); p != nil {
			t.Fatalf("after kill %d: %+v", i+1, *p)
		}
	}
	if len(promised) < kills {
		t.Fatalf("only %d records in %d children", len(promised), kills)
	}
	for _, r := range records(t, path) {
		delete(promised, r.User)
	}
	if len(promised) != 0 {
		t.Errorf("%d records were promised and are not there: %v", len(promised), promised)
	}
	mustAppend(t, path, event(1))
	if report := verify(t, path, &key); report.First() != nil {
		t.Errorf("%+v", report)
	}
}

// killedChild runs a child with four writers, kills it at a random moment after its first record, and returns what it has promised.
func killedChild(t *testing.T, path, name string) (promised []string) {
	t.Helper()
	c := child(t, "append-many", path, name, "1000000")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(out)
	first, err := in.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(time.Duration(rand.IntN(20_000))*time.Microsecond, func() { c.Process.Kill() })
	defer timer.Stop()
	rest, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := c.Wait(); !errors.As(err, &exit) {
		t.Fatalf("not killed: %v", err)
	}
	all := strings.SplitAfter(first+string(rest), "\n")
	for _, line := range all[:len(all)-1] {
		promised = append(promised, strings.TrimSuffix(line, "\n"))
	}
	return promised
}

package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// events are n ordinary records.
func events(n int) []Record {
	var all []Record
	for i := range n {
		all = append(all, event(i))
	}
	return all
}

func TestAppendAllWritesWhatAppendWouldHaveWritten(t *testing.T) {
	for _, n := range []int{0, 1, 2, atOnce, atOnce + 1, 2*atOnce + 7} {
		path, key := newLog(t)
		mustAppend(t, path, event(0))
		if err := AppendAll(path, events(n)); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, path, event(0))
		mustBeWhole(t, path, key, n+2, 0)
		for i, r := range records(t, path)[1 : n+1] {
			if want := event(i); r.Source != want.Source || r.PID != want.PID || r.Sequence != uint64(i+2) {
				t.Fatalf("of %d: record %d is %+v", n, i, r)
			}
		}
	}
}

func TestAppendAllSynchronisesOnceForAThousand(t *testing.T) {
	path, _ := newLog(t)
	trace := filepath.Join(t.TempDir(), "trace")
	cmd := child(t, "append-thousand", path)
	strace := command(t, "strace", append([]string{"-f", "-e", "trace=fdatasync,fsync", "-o", trace}, cmd.Args...)...)
	strace.Env = cmd.Env
	if out, err := strace.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if n := strings.Count(string(read(t, trace)), "sync("); n != 2 { // the log, and the head
		t.Errorf("%d synchronisations for %d records", n, atOnce)
	}
}

func TestAppendAllWritesNothingWhenOneRecordIsWrong(t *testing.T) {
	for name, spoil := range map[string]func(*Record){
		"no action":             func(r *Record) { r.Action = "" },
		"the summary's action":  func(r *Record) { r.Action = ActionSummed },
		"the restart's action":  func(r *Record) { r.Action = ActionRestarted },
		"a time out of range":   func(r *Record) { r.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"an outcome of its own": func(r *Record) { r.Outcome = "perhaps" },
	} {
		path, key := newLog(t)
		all := events(3)
		spoil(&all[2])
		if err := AppendAll(path, all); err == nil {
			t.Errorf("%s: appended", name)
		}
		mustBeWhole(t, path, key, 0, 0)
	}
	if err := AppendAll(t.TempDir()+"/none.jsonl", events(1)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a log: %v", err)
	}
}

func TestAppendAllSumsRefusalsAsAppendDoes(t *testing.T) {
	path, key := newLog(t)
	var all []Record
	for range 250 {
		r := event(0)
		r.Outcome = Failure
		all = append(all, r)
	}
	next := event(0)
	next.Time = next.Time.Add(2 * time.Minute)
	if err := AppendAll(path, append(all, next)); err != nil {
		t.Fatal(err)
	}
	mustBeWhole(t, path, key, 102, 0)
	got := records(t, path)
	if r := got[100]; r.Action != ActionSummed || got[101].Outcome != Success {
		t.Errorf("behind 100 refusals: %+v", r)
	}
}

// appendAllForEver is the task of the child that is killed. It prints a number behind each batch that AppendAll has promised.
func appendAllForEver(path string) error {
	fmt.Println(0)
	for n := 1; ; n++ {
		if err := AppendAll(path, events(50)); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

func TestAKillDuringAppendAllLosesNothingThatWasPromised(t *testing.T) {
	path, key := newLog(t)
	promised, torn := 0, 0
	for range 20 {
		cmd := child(t, "append-all", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewScanner(out)
		in.Scan()
		time.AfterFunc(rand.N(30*time.Millisecond), func() { cmd.Process.Kill() })
		for in.Scan() {
			promised += 50
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
			t.Fatalf("the child ended by itself: %v", err)
		}
		report := verify(t, path, &key)
		if p := report.First(); p != nil {
			t.Fatalf("%+v", *p)
		}
		if int(report.Records) < promised {
			t.Fatalf("%d records, %d were promised", report.Records, promised)
		}
		if int(report.Records)%50 != 0 {
			torn++
		}
		promised = int(report.Records)
	}
	mustAppend(t, path, event(1))
	if report := verify(t, path, &key); report.First() != nil || int(report.Records) != promised+1 {
		t.Errorf("%+v, want %d records", report, promised+1)
	}
	if promised < 100 {
		t.Error("nothing was written before the kills: this test has shown nothing")
	}
	t.Logf("%d records, %d kills in the middle of a write", promised, torn)
}

package audit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
	"twokey/internal/slotfile"
)

// begin is the time of the first record of most tests.
var begin = time.Date(2026, 11, 21, 18, 24, 55, 123456789, time.UTC)

// newLog makes an empty log in a directory of its own.
func newLog(t testing.TB) (path string, key VerificationKey) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "audit.jsonl")
	key, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, key
}

// event is an ordinary record, different for every n.
func event(n int) Record {
	return Record{
		Time: begin.Add(time.Duration(n) * time.Second), Action: ActionLogin, Outcome: Success, Reason: "right code",
		User: "alice", UserID: "1000", Source: fmt.Sprintf("192.0.2.%d", n%250), Service: "sshd", PID: uint64(1000 + n),
		Host: "web1", TTY: "ssh", Device: "phone", Method: "totp",
	}
}

func mustAppend(t testing.TB, path string, records ...Record) {
	t.Helper()
	for _, r := range records {
		if err := Append(path, r); err != nil {
			t.Fatal(err)
		}
	}
}

// fill appends n events.
func fill(t testing.TB, path string, n int) {
	t.Helper()
	for i := range n {
		mustAppend(t, path, event(i))
	}
}

func verify(t testing.TB, path string, key *VerificationKey) Report {
	t.Helper()
	report, err := Verify(path, key)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// mustBeWhole checks with the key and without, and wants exactly these many records and notes.
func mustBeWhole(t testing.TB, path string, key VerificationKey, records, notes int) {
	t.Helper()
	for name, k := range map[string]*VerificationKey{"with the key": &key, "without the key": nil} {
		report := verify(t, path, k)
		if p := report.First(); p != nil {
			t.Fatalf("%s: %+v", name, *p)
		}
		if report.Records != uint64(records) || len(report.Notes) != notes || report.Sealed != (k != nil) {
			t.Fatalf("%s: %+v, want %d records and %d notes", name, report, records, notes)
		}
	}
}

// firstProblem is what Verify says first.
func firstProblem(t testing.TB, path string, key *VerificationKey) Problem {
	t.Helper()
	p := verifyProblem(t, path, key)
	if p == nil {
		t.Fatal("Verify found nothing")
	}
	return *p
}

func verifyProblem(t testing.TB, path string, key *VerificationKey) *Problem {
	t.Helper()
	report := verify(t, path, key)
	return report.First()
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// logLines are the lines of a log with their newlines.
func logLines(t testing.TB, path string) [][]byte {
	t.Helper()
	all := bytes.SplitAfter(read(t, path), []byte("\n"))
	return all[:len(all)-1]
}

// records are the records of a log; lines that are none are left out.
func records(t testing.TB, path string) []Record {
	t.Helper()
	var all []Record
	err := Read(path, func(e Entry) error {
		if e.Record != nil {
			all = append(all, *e.Record)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func headPath(path string) string { return strings.TrimSuffix(path, ".jsonl") + ".head" }

func currentHead(t testing.TB, path string) head {
	t.Helper()
	dir := openDir(t, path)
	h, err := readHead(dir, filepath.Base(headPath(path)))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func openDir(t testing.TB, path string) *safefile.Dir {
	t.Helper()
	dir, err := safefile.OpenDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir
}

// putHead replaces the head, as somebody who knows the format could.
func putHead(t testing.TB, path string, h head) {
	t.Helper()
	dir := openDir(t, path)
	name := filepath.Base(headPath(path))
	if err := dir.Remove(name); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if err := slotfile.Create(dir, name, headKind, h.encode()); err != nil {
		t.Fatal(err)
	}
}

func reserve(t testing.TB, path string) int64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks*512 - st.Size
}

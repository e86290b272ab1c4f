package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
	"twokey/internal/slotfile"
)

// MUST return nil only when the record is in the log and synchronised: here the writing fails.
func TestAnErrorOfTheSystemIsReturned(t *testing.T) {
	for name, limit := range map[string]int{"file too large": 0, "short write": 700} {
		t.Run(name, func(t *testing.T) {
			path, key := newLog(t)
			fill(t, path, 1)
			before := len(read(t, path))
			out, err := child(t, "append-under-limit", path, fmt.Sprint(limit)).CombinedOutput()
			if err != nil || !strings.Contains(string(out), name) {
				t.Fatalf("%v: %s", err, out)
			}
			written := len(read(t, path)) - before
			if limit == 0 && written != 0 || limit != 0 && before+written != limit {
				t.Fatalf("%d bytes were written after %d", written, before)
			}
			mustAppend(t, path, event(2))
			mustBeWhole(t, path, key, 2, min(written, 1))
		})
	}
}

// MUST write the log before the head: the log is never shorter than a head says, at any point.
func TestTheLogIsSynchronisedBeforeTheHeadIsWritten(t *testing.T) {
	path, _ := newLog(t)
	trace := filepath.Join(t.TempDir(), "trace")
	cmd := child(t, "append", path)
	args := append([]string{"-f", "-y", "-e", "trace=write,pwrite64,fdatasync", "-o", trace}, cmd.Args...)
	strace := command(t, "strace", args...)
	strace.Env = cmd.Env
	if out, err := strace.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var calls []string
	for call := range strings.Lines(string(read(t, trace))) {
		if strings.Contains(call, "/audit.") {
			_, call, _ = strings.Cut(strings.TrimLeft(call, "0123456789 "), "")
			name, _, _ := strings.Cut(call, "(")
			file := "head"
			if strings.Contains(call, "audit.jsonl>") {
				file = "log"
			}
			calls = append(calls, name+" "+file)
		}
	}
	want := "pwrite64 head, write log, fdatasync log, pwrite64 head, fdatasync head, pwrite64 head" // first the holder of the lock
	if got := strings.Join(calls, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// MUST adopt records behind the head only with the right chain and seal.
func TestAHeadThatIsBehindIsBroughtUpToDate(t *testing.T) {
	const n = 12
	for behind := range n + 1 {
		path, key := newLog(t)
		fill(t, path, n-behind)
		old := read(t, headPath(path))
		for i := n - behind; i < n; i++ {
			mustAppend(t, path, event(i))
		}
		write(t, headPath(path), old)
		mustBeWhole(t, path, key, n, 0)
		mustAppend(t, path, event(n))
		mustBeWhole(t, path, key, n+1, 0)
	}
}

func TestAForgedRecordBehindTheHeadIsNotAdopted(t *testing.T) {
	path, key := newLog(t)
	fill(t, path, 3)
	h := currentHead(t, path)
	forge := func(key sealingKey, previous Hash, sequence uint64) []byte {
		r := event(3)
		r.Sequence = sequence
		body := encode(&r)
		hash := chain(new([]byte), previous, body)
		return line(body, hash, key.seal(hash))
	}
	for name, forged := range map[string][]byte{
		"another key":       forge(sealingKey{1}, h.hash, 4),
		"another chain":     forge(h.key, Hash{1}, 4),
		"the key one later": forge(h.key.after(1), h.hash, 4),
		"another number":    forge(h.key, h.hash, 5),
		"the record before": logLines(t, path)[2],
	} {
		t.Run(name, func(t *testing.T) {
			log, head := read(t, path), read(t, headPath(path))
			defer func() { write(t, path, log); write(t, headPath(path), head) }()
			write(t, path, append(bytes.Clone(log), forged...))
			if p := firstProblem(t, path, &key); p.Sequence != 4 {
				t.Errorf("before: %+v", p)
			}
			mustAppend(t, path, event(4))
			if p := firstProblem(t, path, &key); p.Sequence != 4 || p.Offset != int64(len(log)) {
				t.Errorf("after: %+v", p)
			}
			got := records(t, path)
			if last := got[len(got)-1]; last.Sequence != 4 || last.Repair.SkippedBytes != uint64(len(forged)) {
				t.Errorf("the next record does not name the forged one: %+v", last)
			}
		})
	}
}

// MUST NOT leave the sealing key of a written record in the head, in neither slot.
func TestNoSlotKeepsAUsedSealingKey(t *testing.T) {
	path, key := newLog(t)
	used := key.first
	for i := range 5 {
		mustAppend(t, path, event(i))
		h := read(t, headPath(path))
		if bytes.Contains(h, used[:]) {
			t.Fatalf("the head still has the key of record %d", i+1)
		}
		used = used.after(1)
		if n := bytes.Count(h, used[:]); n != 2 {
			t.Fatalf("the head has the next key %d times", n)
		}
	}
}

// MUST NOT truncate the log; MUST name in the next record whatever stands between.
func TestATornTailOfAnyLengthIsSkippedAndNamed(t *testing.T) {
	path, key := newLog(t)
	fill(t, path, 2)
	log, headThen := read(t, path), read(t, headPath(path))
	mustAppend(t, path, event(2))
	torn := read(t, path)[len(log):]
	for n := 1; n < len(torn); n++ {
		write(t, headPath(path), headThen)
		write(t, path, append(bytes.Clone(log), torn[:n]...))
		mustBeWhole(t, path, key, 2, 1)
		mustAppend(t, path, event(3), event(4))
		mustBeWhole(t, path, key, 4, 1)
		if now := read(t, path); !bytes.HasPrefix(now[len(log):], append(bytes.Clone(torn[:n]), tornMark...)) {
			t.Fatalf("the torn tail of %d bytes is no longer there", n)
		}
		if got := records(t, path); got[2].Repair.SkippedBytes != uint64(n+len(tornMark)) || got[3].Repair != (Repair{}) {
			t.Fatalf("after %d bytes: %+v, %+v", n, got[2].Repair, got[3].Repair)
		}
	}
}

func TestTornTailsOfOtherKinds(t *testing.T) {
	for name, tail := range map[string]string{
		"ends in a newline":   "garbage\n",
		"only a newline":      "\n",
		"three newlines":      "\n\n\n",
		"zero bytes":          strings.Repeat("\x00", 4096),
		"longer than a line":  strings.Repeat("x", 3*maxLine),
		"several lines, torn": "a\nb\n{\"@timestamp\":\"",
		"a mark, torn":        "x~",
	} {
		path, key := newLog(t)
		mustAppend(t, path, event(0))
		appendBytes(t, path, tail)
		mustBeWhole(t, path, key, 1, 1)
		mustAppend(t, path, event(1))
		mustBeWhole(t, path, key, 2, 1)
		appendBytes(t, path, tail)
		mustAppend(t, path, event(2))
		mustBeWhole(t, path, key, 3, 2)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func appendBytes(t *testing.T, path, s string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(s); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// A writer was killed after it had repaired the log and before it wrote the head: its record is adopted, with what it names.
func TestARecordThatRepairsIsAdoptedToo(t *testing.T) {
	for name, damage := range map[string]func(b []byte) []byte{
		"torn tail":               func(b []byte) []byte { return append(b, "torn"...) },
		"lost a record":           func(b []byte) []byte { return b[:bytes.LastIndexByte(b[:len(b)-1], '\n')+1] },
		"lost a byte":             func(b []byte) []byte { return b[:len(b)-1] },
		"lost everything":         func([]byte) []byte { return nil },
		"lost records and gained": func(b []byte) []byte { return append(b[:len(b)/2], "x\n"...) },
	} {
		t.Run(name, func(t *testing.T) {
			path, key := newLog(t)
			fill(t, path, 4)
			write(t, path, damage(read(t, path)))
			headThen := read(t, headPath(path))
			mustAppend(t, path, event(4))
			once := verify(t, path, &key)
			write(t, headPath(path), headThen)
			mustAppend(t, path, event(5))
			write(t, headPath(path), headThen)
			mustAppend(t, path, event(6))
			report := verify(t, path, &key)
			if report.Last.Sequence != 7 || report.Records != once.Records+2 || len(report.Problems) != len(once.Problems) {
				t.Errorf("after one record %+v, after three %+v", once, report)
			}
		})
	}
}

// MUST name in the next record what the log has lost.
func TestAHeadThatIsAheadIsNeverSilent(t *testing.T) {
	const n = 6
	for lost := 1; lost <= n; lost++ {
		for _, half := range []bool{false, true} {
			path, key := newLog(t)
			fill(t, path, n)
			all := logLines(t, path)
			rest := bytes.Join(all[:n-lost], nil)
			if half {
				rest = append(rest, all[n-lost][:100]...)
			}
			write(t, path, rest)
			what := lastMissing(uint64(n-lost), n)
			if p := firstProblem(t, path, &key); p.What != what || p.Sequence != uint64(n-lost+1) {
				t.Fatalf("%+v, want %s", p, what)
			}
			mustAppend(t, path, event(n), event(n+1))
			got := records(t, path)
			first, next := got[n-lost], got[n-lost+1]
			if first.Sequence != n+1 || first.Repair.MissingRecords != uint64(lost) || next.Repair != (Repair{}) {
				t.Fatalf("lost %d: %+v, %+v", lost, first, next)
			}
			what = missing(uint64(n-lost+1), n) + fmt.Sprintf(", as record %d says", n+1)
			for _, k := range []*VerificationKey{&key, nil} {
				report := verify(t, path, k)
				if len(report.Problems) != 1 || report.Problems[0].What != what || report.Records != uint64(n-lost+2) {
					t.Fatalf("lost %d: %+v, want %s", lost, report, what)
				}
			}
		}
	}
}

func TestALogThatIsGoneIsMadeNewAndMissed(t *testing.T) {
	path, key := newLog(t)
	fill(t, path, 3)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if p := firstProblem(t, path, &key); p.What != "the log is gone: the head says that it has 3 records" {
		t.Errorf("%+v", p)
	}
	mustAppend(t, path, event(3))
	if p := firstProblem(t, path, &key); p.What != "records 1 to 3 are missing, as record 4 says" {
		t.Errorf("%+v", p)
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil || st.Mode&0o7777 != 0o600 {
		t.Errorf("mode %o, %v", st.Mode, err)
	}
}

func TestALogThatWasReplacedByAnotherIsNoticed(t *testing.T) {
	path, key := newLog(t)
	fill(t, path, 3)
	other, _ := newLog(t)
	for i := range 9 {
		mustAppend(t, other, event(100+i))
	}
	write(t, path, read(t, other))
	mustAppend(t, path, event(3))
	got := records(t, path)
	if last := got[len(got)-1]; last.Sequence != 4 || last.Repair.PreviousHash == (Hash{}) {
		t.Errorf("%+v", last)
	}
	if p := firstProblem(t, path, &key); p.Sequence != 1 {
		t.Errorf("%+v", p)
	}
}

func TestNothingIsAppendedWithoutAGoodHead(t *testing.T) {
	for name, damage := range map[string]func(path string){
		"missing":       func(p string) { os.Remove(p) },
		"empty":         func(p string) { write(t, p, nil) },
		"random":        func(p string) { write(t, p, bytes.Repeat([]byte("x"), 3*4096)) },
		"another value": func(p string) { replaceValue(t, p, []byte("hello")) },
		"another kind":  func(p string) { write(t, p, bytes.ReplaceAll(read(t, p), []byte("audit\x00"), []byte("state\x00"))) },
		"too far behind": func(p string) {
			if err := os.Truncate(strings.TrimSuffix(p, ".head")+".jsonl", maxBehind*2); err != nil {
				t.Fatal(err)
			}
		},
	} {
		path, key := newLog(t)
		fill(t, path, 3)
		damage(headPath(path))
		before := size(t, path)
		if err := Append(path, event(3)); !errors.Is(err, ErrHead) {
			t.Errorf("%s: %v", name, err)
		}
		if size(t, path) != before {
			t.Errorf("%s: something was written", name)
		}
		if report := verify(t, path, &key); name != "too far behind" && (len(report.Problems) != 1 || report.Records != 3) {
			t.Errorf("%s: %+v", name, report)
		}
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

func replaceValue(t *testing.T, path string, value []byte) {
	t.Helper()
	dir := openDir(t, path)
	if err := errors.Join(dir.Remove(filepath.Base(path)), slotfile.Create(dir, filepath.Base(path), headKind, value)); err != nil {
		t.Fatal(err)
	}
}

func TestOneTornSlotOfTheHeadDoesNoHarm(t *testing.T) {
	for slot := range 2 {
		path, key := newLog(t)
		fill(t, path, 3)
		h := read(t, headPath(path))
		copy(h[slot*4096+100:], "torn, torn, torn")
		write(t, headPath(path), h)
		mustAppend(t, path, event(3), event(4))
		mustBeWhole(t, path, key, 5, 0)
	}
}

func TestFilesThatAreNotWhatTheyShouldBeAreRefused(t *testing.T) {
	fifo := func(p string) error { return errors.Join(os.Remove(p), unix.Mkfifo(p, 0o600)) }
	link := func(p string) error { return errors.Join(os.Rename(p, p+".real"), os.Symlink(p+".real", p)) }
	for name, c := range map[string]struct {
		do   func(string) error
		want error
	}{
		"a symbolic link":    {link, safefile.ErrType},
		"a FIFO":             {fifo, safefile.ErrType},
		"a directory":        {func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) }, safefile.ErrType},
		"a hard link":        {func(p string) error { return os.Link(p, p+".other") }, safefile.ErrLinks},
		"readable for group": {func(p string) error { return os.Chmod(p, 0o640) }, safefile.ErrMode},
		"writable for all":   {func(p string) error { return os.Chmod(p, 0o602) }, safefile.ErrMode},
		"of another owner":   {func(p string) error { return os.Chown(p, 65534, 65534) }, safefile.ErrOwner},
	} {
		for _, which := range []func(string) string{headPath, func(p string) string { return p }} {
			path, _ := newLog(t)
			fill(t, path, 1)
			if err := c.do(which(path)); err != nil {
				t.Fatal(err)
			}
			err := Append(path, event(1))
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
			if isHead := which(path) != path; errors.Is(err, ErrHead) != isHead {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestADirectoryThatOthersCanWriteIsRefused(t *testing.T) {
	path, _ := newLog(t)
	if err := os.Chmod(filepath.Dir(path), 0o770); err != nil {
		t.Fatal(err)
	}
	if err := Append(path, event(0)); !errors.Is(err, safefile.ErrMode) {
		t.Error(err)
	}
}

func TestAppendKeepsAReserve(t *testing.T) {
	path, _ := newLog(t)
	big := hostileEverywhere(strings.Repeat("x", maxText)) // 18 kB
	for range 100 {
		mustAppend(t, path, big)
		if left := reserve(t, path); left < reserveLow {
			t.Fatalf("%d bytes are reserved", left)
		}
	}
	if size(t, path) < reserveStep {
		t.Fatalf("only %d bytes were written", size(t, path))
	}
}

func TestAppendNeedsAPathThatCanBeOne(t *testing.T) {
	for _, path := range []string{"", "audit.jsonl", "/tmp/audit.head", "/tmp/.head", "/", "/tmp/.jsonl"} {
		if err := Append(path, event(0)); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

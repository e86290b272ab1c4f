package audit

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"twokey/internal/safefile"
)

func TestTailGivesTheLastLines(t *testing.T) {
	path, _ := newLog(t)
	const n = 400 // several blocks
	fill(t, path, n)
	all := logLines(t, path)
	for _, want := range []int{0, 1, 2, 150, 151, n - 1, n, n + 1, 10 * n} {
		got, err := Tail(path, want)
		if err != nil || len(got) != min(want, n) {
			t.Fatalf("last %d: %d entries, %v", want, len(got), err)
		}
		for i, e := range got {
			line := bytes.TrimSuffix(all[n-len(got)+i], []byte("\n"))
			if e.Record == nil || !bytes.Equal(e.Line, line) || e.Size != int64(len(line)+1) ||
				e.Record.Sequence != uint64(n-len(got)+i+1) {
				t.Fatalf("last %d, entry %d: %+v", want, i, e)
			}
		}
	}
	if got, err := Tail(path, -1); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestTailOfAnEmptyLogIsEmpty(t *testing.T) {
	path, _ := newLog(t)
	if got, err := Tail(path, 10); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestWhatIsNoRecordIsReadAsSuchAndItsBytesAreNotShown(t *testing.T) {
	path, _ := newLog(t)
	fill(t, path, 1)
	hostileLine := "\x1b[2J" + strings.Repeat("x", 2*maxLine) + "\n"
	appendBytes(t, path, hostileLine+"torn")
	got, err := Tail(path, 3)
	if err != nil || len(got) != 3 {
		t.Fatalf("%d entries, %v", len(got), err)
	}
	for i, size := range map[int]int{1: len(hostileLine), 2: len("torn")} {
		if e := got[i]; e.Record != nil || e.Line != nil || e.Size != int64(size) || e.Offset == 0 {
			t.Errorf("%+v", e)
		}
	}
}

func TestReadEndsWithTheFirstErrorOfItsCaller(t *testing.T) {
	path, _ := newLog(t)
	fill(t, path, 3)
	stop, calls := errors.New("stop"), 0
	err := Read(path, func(Entry) error {
		calls++
		return stop
	})
	if err != stop || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func TestReadingChecksTheFile(t *testing.T) {
	path, _ := newLog(t)
	link := strings.TrimSuffix(path, "audit.jsonl") + "link.jsonl"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := Read(link, func(Entry) error { return nil }); !errors.Is(err, safefile.ErrType) {
		t.Errorf("Read: %v", err)
	}
	if _, err := Tail(link, 1); !errors.Is(err, safefile.ErrType) {
		t.Errorf("Tail: %v", err)
	}
}

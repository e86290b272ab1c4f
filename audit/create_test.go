package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCreateMakesBothFilesForRootAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "audit.jsonl")
	key, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]uint32{path: 0o600, headPath(path): 0o600, filepath.Dir(path): 0o700} {
		var st unix.Stat_t
		if err := unix.Stat(name, &st); err != nil || st.Mode&0o7777 != mode {
			t.Errorf("%s: mode %o, %v", name, st.Mode&0o7777, err)
		}
	}
	mustBeWhole(t, path, key, 0, 0)
	if c, err := ReadCheckpoint(path); err != nil || c != (Checkpoint{}) {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestCreateRefusesWhenThereIsALog(t *testing.T) {
	path, key := newLog(t)
	if _, err := Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("empty log: %v", err)
	}
	fill(t, path, 1)
	if _, err := Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("log with a record: %v", err)
	}
	mustBeWhole(t, path, key, 1, 0)
	if err := os.Remove(headPath(path)); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("log without its head: %v", err)
	}
}

func TestCreateLeavesALogThatIsGoneGone(t *testing.T) {
	path, key := newLog(t)
	fill(t, path, 2)
	remove(t, path)
	if _, err := Create(path); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if p := firstProblem(t, path, &key); p.What != "the log is gone: the head says that it has 2 records" {
		t.Errorf("%+v", p)
	}
}

func TestCreateFinishesWhatACrashInterrupted(t *testing.T) {
	path, _ := newLog(t)
	if err := os.Remove(headPath(path)); err != nil {
		t.Fatal(err)
	}
	key, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, path, 2)
	mustBeWhole(t, path, key, 2, 0)
}

func TestCreateRefusesALinkInThePlaceOfTheLog(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.jsonl")
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), path); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path); err == nil {
		t.Error("a symbolic link was followed")
	}
	if _, err := os.Lstat(filepath.Join(dir, "elsewhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the target of the link was made: %v", err)
	}
}

func TestEveryLogHasKeysOfItsOwn(t *testing.T) {
	one, key := newLog(t)
	two, other := newLog(t)
	if a, b := currentHead(t, one), currentHead(t, two); key == other || a.nameKey == b.nameKey || a.nameKey == a.key {
		t.Error("two logs share a key")
	}
}

func TestTheCheckpointIsTheLastRecord(t *testing.T) {
	path, key := newLog(t)
	fill(t, path, 3)
	c, err := ReadCheckpoint(path)
	if err != nil || c.Sequence != 3 || c != verify(t, path, &key).Last {
		t.Errorf("%+v, %v", c, err)
	}
	if !bytes.Contains(logLines(t, path)[2], []byte(`"twokey.hash":"`+c.Hash.String()+`"`)) {
		t.Error("the checkpoint's hash is not the one in the log")
	}
}

func TestAHeadIsReadAsWrittenAndNotOtherwise(t *testing.T) {
	h := head{position{7, 3000, Hash{1}, true, sealingKey{2}}, [32]byte{3}, refusals{4, 100, 6, 7, 8}}
	good := h.encode()
	if got, err := decodeHead(good); err != nil || !reflect.DeepEqual(got, h) {
		t.Fatalf("%+v, %v", got, err)
	}
	set := func(at int, b ...byte) func([]byte) []byte {
		return func(v []byte) []byte { copy(v[at:], b); return v }
	}
	for name, change := range map[string]func([]byte) []byte{
		"empty":                     func([]byte) []byte { return nil },
		"short":                     func(v []byte) []byte { return v[:headSize-1] },
		"long":                      func(v []byte) []byte { return append(v, 0) },
		"version 2":                 set(6, '2'),
		"sequence too large":        set(8, 0x80),
		"no sequence but a place":   set(8, make([]byte, 8)...),
		"negative place":            set(16, 0x80),
		"place before a record":     set(16, 0, 0, 0, 0, 0, 0, 0, 100),
		"a hash without a record":   func(v []byte) []byte { return set(16, make([]byte, 8)...)(set(8, make([]byte, 8)...)(v)) },
		"negative minute":           set(120, 0x80),
		"more refusals than can be": set(128, 0, 0, 0, 101),
		"negative first":            set(136, 0x80),
		"negative last":             set(144, 0x80),
	} {
		if got, err := decodeHead(change(bytes.Clone(good))); !errors.Is(err, ErrHead) || got != (head{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func restartRecord() Record {
	return Record{Time: begin, Outcome: Success, Reason: "the head was damaged", UserID: "0", SudoUser: "bob"}
}

func TestRestartSetsAsideAndBeginsAnew(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, path string){
		"whole":        func(*testing.T, string) {},
		"head corrupt": func(t *testing.T, path string) { write(t, headPath(path), []byte("x")) },
		"head gone":    func(t *testing.T, path string) { remove(t, headPath(path)) },
		"log gone":     func(t *testing.T, path string) { remove(t, path) },
		"both gone":    func(t *testing.T, path string) { remove(t, path); remove(t, headPath(path)) },
	} {
		t.Run(name, func(t *testing.T) {
			path, oldKey := newLog(t)
			fill(t, path, 3)
			damage(t, path)
			old, readErr := os.ReadFile(path)
			key, err := Restart(path, restartRecord())
			if err != nil {
				t.Fatal(err)
			}
			fill(t, path, 2)
			mustBeWhole(t, path, key, 3, 0)
			first := records(t, path)[0]
			aside := strings.TrimSuffix(path, ".jsonl") + "-20261121T182455Z.jsonl"
			want := formerDetails(filepath.Base(aside), fmt.Sprint(len(old)), fileHash(t, path, old))
			if readErr != nil {
				want = formerDetails("gone", "", "")
			}
			if first.Action != ActionRestarted || first.SudoUser != "bob" || !reflect.DeepEqual(first.Details, want) {
				t.Errorf("%+v, want %+v", first, want)
			}
			if readErr == nil && !bytes.Equal(read(t, aside), old) {
				t.Error("the old log is not as it was")
			}
			if name == "whole" {
				mustBeWhole(t, aside, oldKey, 3, 0)
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// fileHash is what hashOf gives for a file of these bytes.
func fileHash(t *testing.T, near string, b []byte) string {
	t.Helper()
	f, err := os.Create(near + ".copy")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	sum, err := hashOf(f, 0, int64(len(b)), "")
	if err != nil {
		t.Fatal(err)
	}
	return sum.String()
}

func TestRestartChangesNothingWhenItCannotFinish(t *testing.T) {
	path, key := newLog(t)
	fill(t, path, 3)
	bad := restartRecord()
	bad.Outcome = "fine"
	if _, err := Restart(path, bad); err == nil {
		t.Error("accepted")
	}
	tooMany := restartRecord()
	for i := range maxDetails - 2 {
		tooMany.Details = append(tooMany.Details, Detail{"twokey.x" + string(rune('a'+i)), ""})
	}
	if _, err := Restart(path, tooMany); err == nil {
		t.Error("accepted")
	}
	mustBeWhole(t, path, key, 3, 0)
	if _, err := Restart(path, restartRecord()); err != nil {
		t.Fatal(err)
	}
	if _, err := Restart(path, restartRecord()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a log that was set aside was replaced: %v", err)
	}
	if got := records(t, path); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestRestartWhileOthersAppend(t *testing.T) {
	path, oldKey := newLog(t)
	mustAppend(t, path, event(0))
	type result struct {
		appended int
		err      error
	}
	done := make(chan result)
	go func() {
		var got result
		for i := range 40 {
			if err := Append(path, event(i)); err == nil {
				got.appended++
			} else if !errors.Is(err, ErrHead) {
				got.err = errors.Join(got.err, err)
			}
		}
		done <- got
	}()
	key, err := Restart(path, restartRecord())
	got := <-done
	if err = errors.Join(err, got.err); err != nil {
		t.Fatal(err)
	}
	before := verify(t, strings.TrimSuffix(path, ".jsonl")+"-20261121T182455Z.jsonl", &oldKey)
	after := verify(t, path, &key)
	if before.First() != nil || after.First() != nil || before.Records+after.Records != uint64(got.appended)+2 {
		t.Errorf("%d appended, before %+v, after %+v", got.appended, before, after)
	}
}

package slotfile

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
)

// newInBatch makes a file as a batch does. If killed, the batch ended before the set was in place.
func newInBatch(t *testing.T, killed bool) (*safefile.Dir, string) {
	t.Helper()
	dir, path := scratch(t, "")
	must(t, dir.Remove(name))
	errs, err := safefile.WriteAll(1, func(_ int, set *safefile.Set) error {
		return CreateIn(set, dir, name, kind, []byte("first"), []byte("then"))
	})
	must(t, errors.Join(append(errs, err)...))
	if killed {
		must(t, unix.Chmod(path+"/"+name, inBatch))
	}
	return dir, path
}

// isAs checks both slots, "" for one that is not whole, and that the file is one as any other or that of a batch.
func isAs(t *testing.T, path, a, b string, mode uint32) {
	t.Helper()
	all := content(t, path)
	first, _ := decodeSlot(kind, all[:blockSize])
	second, _ := decodeSlot(kind, all[blockSize:holderOffset])
	var st unix.Stat_t
	must(t, unix.Stat(path+"/"+name, &st))
	if string(first.value) != a || string(second.value) != b || st.Mode != unix.S_IFREG|mode {
		t.Errorf("%q and %q, %o; want %q and %q, %o", first.value, second.value, st.Mode, a, b, mode)
	}
}

// next writes a value as the next holder of the lock does, who finds the one before.
func next(t *testing.T, dir *safefile.Dir, found, value string) {
	t.Helper()
	f, err := Acquire(dir, name, kind)
	must(t, err)
	if string(f.Value()) != found {
		t.Errorf("the value is %q, want %q", f.Value(), found)
	}
	must(t, f.Write([]byte(value)))
	must(t, f.Sync())
	must(t, f.Close())
}

func TestAFileOfABatchHasItsOtherValueWhenTheSetIsInPlace(t *testing.T) {
	dir, path := newInBatch(t, false)
	isAs(t, path, "first", "then", complete)
	next(t, dir, "then", "later")
	isAs(t, path, "later", "then", complete)
}

// Attack, or accident: a kill between the state of a user and his secret file.
func TestOfABatchThatWasKilledTheFirstValueCounts(t *testing.T) {
	dir, path := newInBatch(t, true)
	if value, err := Read(dir, name, kind); string(value) != "first" || err != nil {
		t.Errorf("%q, %v", value, err)
	}
	isAs(t, path, "first", "then", inBatch) // a look changes nothing
	next(t, dir, "first", "later")
	isAs(t, path, "first", "later", complete)
}

// A crash at any point of it must not let the second value count.
func TestTheSecondValueOfAKilledBatchGoesBeforeItsMark(t *testing.T) {
	_, path := newInBatch(t, true)
	calls := traced(t, "count-at-once", path, 1, "pwrite64,fdatasync,fchmod,fsync")
	order := regexp.MustCompile(`(?s)pwrite64\([^\n]*, 4096, 4096\).*fdatasync\(.*fchmod\([^\n]*0600\).*fsync\(.*pwrite64\(`)
	if all := strings.Join(calls, "\n"); !order.MatchString(all) {
		t.Errorf("not in this order:\n%s", all)
	}
}

func TestAFirstValueOfABatchThatIsDamagedLosesNeither(t *testing.T) {
	dir, path := newInBatch(t, true)
	overwrite(t, path, 100, []byte("damaged"))
	_, err := Read(dir, name, kind)
	want(t, err, ErrCorrupt)
	_, err = Acquire(dir, name, kind)
	want(t, err, ErrCorrupt)
	isAs(t, path, "", "then", inBatch)
}

// Attack, or accident: a batch that is killed, two logins, and a loss of power. fdatasync(2) does not write permissions: with the bit that
// says "slot A", codes that the second login has used up would be good again.
func TestTheMarkOfABatchIsOffTheDiskBeforeTheFirstWrite(t *testing.T) {
	_, path := newInBatch(t, false)
	order := regexp.MustCompile(`(?s)^[^,]*, "[^"]*"\.*, 20, 8192\).*fsync\(.*, 4096, 0\)`)
	if all := strings.Join(traced(t, "count-at-once", path, 1, "pwrite64,fsync"), "\n"); !order.MatchString(all) {
		t.Errorf("not synchronised between the lock and the value:\n%s", all)
	}
	if all := strings.Join(traced(t, "count-at-once", path, 1, "pwrite64,fsync"), "\n"); strings.Contains(all, "fsync(") {
		t.Errorf("synchronised once more:\n%s", all)
	}
}

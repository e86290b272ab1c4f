package slotfile

import (
	"bytes"
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
)

// newInBatch makes a file whose first slot is on the disk, and whose second is as a batch leaves it.
func newInBatch(t *testing.T) (*safefile.Dir, string) {
	t.Helper()
	dir, path := scratch(t, "")
	must(t, dir.Remove(name))
	errs, err := safefile.WriteAll(1, func(_ int, set *safefile.Set) error {
		return CreateIn(set, dir, name, kind, []byte("first"), []byte("then"))
	})
	must(t, errors.Join(append(errs, err)...))
	return dir, path
}

// slots are the values of both, "" for one that is not whole.
func slots(t *testing.T, path string) (a, b string) {
	t.Helper()
	all := content(t, path)
	first, _ := decodeSlot(kind, all[:blockSize])
	second, _ := decodeSlot(kind, all[blockSize:holderOffset])
	return string(first.value), string(second.value)
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

// Attack, or accident: a kill in the middle of a batch, a login that writes over the only slot on the disk, and a power cut.
func TestTheSlotOfABatchThatMayNotBeOnTheDiskIsWrittenOverFirst(t *testing.T) {
	dir, path := newInBatch(t)
	if a, b := slots(t, path); a != "first" || b != "then" {
		t.Errorf("%q and %q", a, b)
	}
	next(t, dir, "then", "second login")
	if a, b := slots(t, path); a != "first" || b != "second login" {
		t.Errorf("%q and %q: the slot that is on the disk was written over", a, b)
	}
	next(t, dir, "second login", "third")
	if a, b := slots(t, path); a != "third" || b != "second login" {
		t.Errorf("%q and %q: the slot that is on the disk was written over", a, b)
	}
}

func TestAFileOfABatchHasAllItsSpace(t *testing.T) {
	_, path := newInBatch(t)
	var st unix.Stat_t
	must(t, unix.Stat(path+"/"+name, &st))
	if st.Size != fileSize || st.Blocks*512 < fileSize {
		t.Errorf("%d bytes, %d allocated: a full disk would stop it", st.Size, st.Blocks*512)
	}
	if all := content(t, path); !zero(all[holderOffset:]) {
		t.Error("somebody holds it")
	}
}

func TestTheFirstValueOfABatchComesBackWithATornSecond(t *testing.T) {
	dir, path := newInBatch(t)
	overwrite(t, path, blockSize+100, []byte("torn"))
	next(t, dir, "first", "later")
	if a, b := slots(t, path); a != "first" || b != "later" {
		t.Errorf("%q and %q", a, b)
	}
}

func TestWhereTheFirstSlotOfABatchIsDamagedTheSecondStays(t *testing.T) {
	dir, path := newInBatch(t)
	overwrite(t, path, 100, []byte("damaged"))
	next(t, dir, "then", "later")
	if a, b := slots(t, path); a != "later" || b != "then" {
		t.Errorf("%q and %q", a, b)
	}
}

func TestOnlyTheSecondSlotCanBeThatOfABatch(t *testing.T) {
	dir, path := newInBatch(t)
	all := content(t, path)
	overwrite(t, path, 0, all[blockSize:holderOffset])
	overwrite(t, path, blockSize, bytes.Repeat([]byte{0}, blockSize))
	if _, err := Read(dir, name, kind); !errors.Is(err, ErrCorrupt) {
		t.Errorf("read: %v", err)
	}
}

package slotfile

import (
	"testing"

	"twokey/internal/safefile"
)

// Attack, or accident: a kill in the middle of a batch, a login that writes over the only slot on the disk, and a power cut.
func TestAFileOfABatchHasItsOtherValueAndTellsTheNextToSynchronise(t *testing.T) {
	d, _ := scratch(t, "of another")
	errs, err := safefile.WriteAll(1, func(_ int, set *safefile.Set) error {
		return CreateIn(set, d, "alice", "state", []byte("first"), []byte("then"))
	})
	must(t, err)
	must(t, errs[0])
	content, err := d.Read("alice", rules)
	must(t, err)
	if first, whole := decodeSlot("state", content[:blockSize]); !whole || string(first.value) != "first" {
		t.Errorf("in the slot that is on the disk: %q, %v", first.value, whole)
	}
	if zero(content[holderOffset:]) {
		t.Error("the holder block says that the value is synchronised")
	}
	f, err := Acquire(d, "alice", "state")
	must(t, err)
	if string(f.Value()) != "then" {
		t.Errorf("%q", f.Value())
	}
	must(t, f.Write([]byte("later")))
	must(t, f.Sync())
	must(t, f.Close())
	content, err = d.Read("alice", rules)
	must(t, err)
	if then, whole := decodeSlot("state", content[blockSize:holderOffset]); !whole || string(then.value) != "then" || !zero(content[holderOffset:]) {
		t.Errorf("%q was written over, %v", then.value, whole)
	}
}

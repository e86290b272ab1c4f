package state

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

	"twokey/internal/safefile"
	"twokey/internal/slotfile"
)

// newStore is a store in a folder of its own, with alice in it.
func newStore(t testing.TB) (store *Store, data string) {
	t.Helper()
	data = t.TempDir()
	store, err := Create(data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := store.New(example()); err != nil {
		t.Fatal(err)
	}
	return store, data
}

func (s *Store) mustRead(t testing.TB, user string) *State {
	t.Helper()
	st, err := s.Read(user)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestWhatUpdateWritesIsRead(t *testing.T) {
	store, _ := newStore(t)
	want := example()
	for i := range 20 {
		err := store.Update("alice", func(tx *Tx) error {
			if !reflect.DeepEqual(tx.State, want) {
				t.Errorf("update %d found %+v, want %+v", i, tx.State, want)
			}
			tx.Devices[0].Consumed++
			tx.Serial++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want.Devices[0].Consumed++
		want.Serial++
	}
	if got := store.mustRead(t, "alice"); !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, want %+v", got, want)
	}
}

func TestWhenFnFailsOnlyWhatWasFlushedIsKept(t *testing.T) {
	store, _ := newStore(t)
	wrong := errors.New("wrong code")
	err := store.Update("alice", func(tx *Tx) error {
		tx.Serial = 5
		if err := tx.Flush(); err != nil {
			return err
		}
		tx.Serial = 6
		return wrong
	})
	if !errors.Is(err, wrong) {
		t.Errorf("got %v, want what fn returned", err)
	}
	if got := store.mustRead(t, "alice").Serial; got != 5 {
		t.Errorf("kept serial %d, want 5", got)
	}
}

func TestAFlushThatFailedFailsUpdateThoughItsCallerDoesNotCare(t *testing.T) {
	store, _ := newStore(t)
	before := store.mustRead(t, "alice")
	err := store.Update("alice", func(tx *Tx) error {
		good := tx.Recovery
		tx.Recovery.Total = -1
		if err := tx.Flush(); !errors.Is(err, ErrFormat) {
			t.Errorf("flush: %v", err)
		}
		tx.Recovery = good
		tx.Serial = 7
		return nil
	})
	if !errors.Is(err, ErrFormat) {
		t.Errorf("update: %v, want what flush returned", err)
	}
	if after := store.mustRead(t, "alice"); !reflect.DeepEqual(after, before) {
		t.Errorf("written was %+v", after)
	}
}

func TestTheLockIsGivenBackHoweverFnEnds(t *testing.T) {
	store, _ := newStore(t)
	for sentence, fn := range map[string]func(*Tx) error{
		"well":                 func(*Tx) error { return nil },
		"with an error":        func(*Tx) error { return errors.New("wrong code") },
		"with a state too big": func(tx *Tx) error { tx.User = ""; return nil },
		"with a panic":         func(*Tx) error { panic("fault") },
	} {
		func() {
			defer func() { recover() }() // the panic is the test's own
			if err := store.Update("alice", fn); err == nil && sentence != "well" {
				t.Errorf("%s: update returned nil", sentence)
			}
		}()
		if err := store.Update("alice", func(*Tx) error { return nil }); err != nil {
			t.Errorf("after fn ended %s: %v", sentence, err)
		}
	}
}

func TestNewNeverReplaces(t *testing.T) {
	store, data := newStore(t)
	before, err := os.ReadFile(filepath.Join(data, "state", "alice"))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.New(&State{User: "alice"}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want fs.ErrExist", err)
	}
	after, err := os.ReadFile(filepath.Join(data, "state", "alice"))
	if err != nil || !bytes.Equal(after, before) {
		t.Errorf("the file has changed (%v)", err)
	}
	if err := store.New(&State{}); !errors.Is(err, ErrFormat) {
		t.Errorf("a user without a name: %v, want ErrFormat", err)
	}
}

func TestANewStateIsWrittenInFull(t *testing.T) {
	_, data := newStore(t)
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(data, "state", "alice"), &st); err != nil {
		t.Fatal(err)
	}
	if st.Size != 3*4096 || st.Blocks*512 < st.Size || st.Mode&0o7777 != 0o600 {
		t.Errorf("%d bytes in %d blocks of 512, mode %04o: want no hole, which a full disk could not fill", st.Size, st.Blocks, st.Mode&0o7777)
	}
}

func TestUsersWithOddNamesHaveTheirOwnState(t *testing.T) {
	store, _ := newStore(t)
	names := []string{`DOM\user`, "user@example.org", "..", "a/b", "Alice", "üser", strings.Repeat("u", maxUser), "\xff", "%41lice", " "}
	for i, name := range names {
		if err := store.New(&State{User: name, UID: uint32(i)}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for i, name := range names {
		if st := store.mustRead(t, name); st.User != name || st.UID != uint32(i) {
			t.Errorf("%q: read %+v", name, st)
		}
	}
}

func TestRemoveTakesTheStateAway(t *testing.T) {
	store, _ := newStore(t)
	if err := store.Remove("alice"); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Read("alice"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
	if err := store.Remove("alice"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("again: %v, want fs.ErrNotExist", err)
	}
}

func TestMustNotTreatAMissingStateAsAFreshUser(t *testing.T) {
	store, data := newStore(t)
	called := false
	err := store.Update("bob", func(*Tx) error { called = true; return nil })
	if !errors.Is(err, fs.ErrNotExist) || called {
		t.Errorf("got %v, fn called %v; want fs.ErrNotExist", err, called)
	}
	if _, err := os.Lstat(filepath.Join(data, "state", "bob")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a state was made: %v", err)
	}
	if IsDamaged(err) {
		t.Error("a missing state counts as damaged")
	}
}

// damage turns alice's good state into something else; it gets the path of it.
var damages = map[string]func(path string) error{
	"random bytes": func(path string) error {
		return os.WriteFile(path, bytes.Repeat([]byte("\x9e\x37\x79\xb9"), 3*1024), 0o600)
	},
	"empty":                   func(path string) error { return os.Truncate(path, 0) },
	"cut to one byte":         func(path string) error { return os.Truncate(path, 1) },
	"cut to one slot":         func(path string) error { return os.Truncate(path, 4096) },
	"cut to two slots":        func(path string) error { return os.Truncate(path, 8192) },
	"a byte short":            func(path string) error { return os.Truncate(path, 3*4096-1) },
	"a byte too long":         func(path string) error { return os.Truncate(path, 3*4096+1) },
	"one bit of it flipped":   func(path string) error { return flip(path, 100) },
	"zeros":                   func(path string) error { return os.WriteFile(path, make([]byte, 3*4096), 0o600) },
	"a directory":             func(path string) error { return replaced(path, os.Mkdir(path+"~", 0o700)) },
	"a FIFO":                  func(path string) error { return replaced(path, unix.Mkfifo(path+"~", 0o600)) },
	"a symlink to a good one": func(path string) error { return errors.Join(os.Rename(path, path+"2"), os.Symlink(path+"2", path)) },
	"a symlink to nowhere":    func(path string) error { return replaced(path, os.Symlink("/nonexistent/state", path+"~")) },
	"a device":                func(path string) error { return replaced(path, unix.Mknod(path+"~", unix.S_IFCHR|0o600, 0x0103)) },
	"of two names":            func(path string) error { return os.Link(path, path+"2") },
	"another user's file":     func(path string) error { return os.Chown(path, 65534, 0) },
	"readable by the group":   func(path string) error { return os.Chmod(path, 0o640) },
	"writable by everybody":   func(path string) error { return os.Chmod(path, 0o666) },
	"a slot file of another kind": func(path string) error {
		return inFolder(path, func(dir *safefile.Dir) error { return slotfile.Create(dir, "alice", "audit", exampleValue()) })
	},
	"a slot file with a malformed value": func(path string) error {
		return inFolder(path, func(dir *safefile.Dir) error { return slotfile.Create(dir, "alice", kind, []byte("rubbish")) })
	},
	"a slot file with no value": func(path string) error {
		return inFolder(path, func(dir *safefile.Dir) error { return slotfile.Create(dir, "alice", kind, nil) })
	},
	"the state of another user": func(path string) error {
		mallory := example()
		mallory.User = "mallory"
		value, err := mallory.Encode()
		return errors.Join(err, inFolder(path, func(dir *safefile.Dir) error { return slotfile.Create(dir, "alice", kind, value) }))
	},
}

func exampleValue() []byte {
	value, err := example().Encode()
	if err != nil {
		panic(err)
	}
	return value
}

func flip(path string, at int) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b[at] ^= 1
	return os.WriteFile(path, b, 0o600)
}

// replaced puts what was made beside it in the place of the file.
func replaced(path string, err error) error {
	return errors.Join(err, os.Remove(path), os.Rename(path+"~", path))
}

// inFolder removes the file and lets make put another one there.
func inFolder(path string, make func(*safefile.Dir) error) error {
	dir, err := safefile.OpenDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(os.Remove(path), make(dir), dir.Close())
}

func TestMustNotTreatADamagedStateAsAMissingOne(t *testing.T) {
	for sentence, damage := range damages {
		t.Run(sentence, func(t *testing.T) {
			store, data := newStore(t)
			if err := damage(filepath.Join(data, "state", "alice")); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the first look must not mend it
				err := store.Update("alice", func(*Tx) error {
					t.Error("fn was called")
					return nil
				})
				if err == nil || errors.Is(err, fs.ErrNotExist) {
					t.Errorf("update: %v", err)
				}
				if _, err := store.Read("alice"); err == nil || errors.Is(err, fs.ErrNotExist) {
					t.Errorf("read: %v", err)
				}
			}
			if err := store.New(example()); !errors.Is(err, fs.ErrExist) {
				t.Errorf("new: %v, want fs.ErrExist", err)
			}
		})
	}
}

func TestOneGoodSlotIsEnough(t *testing.T) {
	for first, at := range map[bool]int{true: 100, false: 4096 + 100} {
		store, data := newStore(t)
		if err := store.Update("alice", func(tx *Tx) error { tx.Serial = 2; return nil }); err != nil {
			t.Fatal(err)
		}
		if err := flip(filepath.Join(data, "state", "alice"), at); err != nil {
			t.Fatal(err)
		}
		want := uint64(1) // the second slot was written last
		if first {
			want = 2
		}
		if got := store.mustRead(t, "alice").Serial; got != want {
			t.Errorf("first slot broken %v: serial %d, want %d", first, got, want)
		}
		if err := store.Update("alice", func(tx *Tx) error { tx.Serial = 3; return nil }); err != nil {
			t.Error(err)
		}
		if got := store.mustRead(t, "alice").Serial; got != 3 {
			t.Errorf("after the next update: serial %d, want 3", got)
		}
	}
}

func TestDamagedIsWhatNoFurtherTryMends(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{slotfile.ErrCorrupt, true}, {ErrFormat, true}, {ErrWrongUser, true}, {fmt.Errorf("state of %q: %w", "alice", ErrFormat), true},
		{nil, false}, {fs.ErrNotExist, false}, {slotfile.ErrTimeout, false}, {unix.EIO, false}, {unix.ENOSPC, false}, {unix.EROFS, false},
	} {
		if got := IsDamaged(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}

func TestOpenNeedsBothFolders(t *testing.T) {
	for _, missing := range []string{"state", "uids"} {
		_, data := newStore(t)
		if err := os.RemoveAll(filepath.Join(data, missing)); err != nil {
			t.Fatal(err)
		}
		if store, err := Open(data); err == nil || store != nil {
			t.Errorf("without %s: %v, %v", missing, store, err)
		}
	}
	_, data := newStore(t)
	if err := os.Chmod(filepath.Join(data, "state"), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(data); !errors.Is(err, safefile.ErrMode) {
		t.Errorf("a folder that everybody may write to: %v, want safefile.ErrMode", err)
	}
}

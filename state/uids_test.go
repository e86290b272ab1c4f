package state

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAUserIDIsBoundToOneName(t *testing.T) {
	store, _ := newStore(t)
	for _, uid := range []uint32{0, 1, 1000, math.MaxUint32} {
		if name, err := store.NameOf(uid); !errors.Is(err, fs.ErrNotExist) || name != "" {
			t.Errorf("%d before: %q, %v", uid, name, err)
		}
		for _, name := range []string{"alice", `DOM\user`, strings.Repeat("u", maxUser), "bob"} {
			if err := store.Bind(uid, name); err != nil {
				t.Errorf("bind %d to %q: %v", uid, name, err)
			}
			if got, err := store.NameOf(uid); got != name || err != nil {
				t.Errorf("%d: %q, %v; want %q", uid, got, err, name)
			}
		}
	}
	if err := store.Unbind(1000); err != nil {
		t.Fatal(err)
	}
	if name, err := store.NameOf(1000); !errors.Is(err, fs.ErrNotExist) || name != "" {
		t.Errorf("after unbinding: %q, %v", name, err)
	}
	if err := store.Unbind(1000); err != nil {
		t.Errorf("unbinding again: %v", err)
	}
	if got, err := store.NameOf(1); got != "bob" || err != nil {
		t.Errorf("the other binding: %q, %v", got, err)
	}
}

func TestBindRefuses(t *testing.T) {
	store, _ := newStore(t)
	if err := store.Bind(1000, "alice"); err != nil {
		t.Fatal(err)
	}
	for sentence, name := range map[string]string{
		"no name":          "",
		"257 bytes":        strings.Repeat("u", maxUser+1),
		"a newline in it":  "alice\nroot",
		"a newline behind": "root\n",
		"a zero byte":      "alice\x00",
	} {
		if err := store.Bind(1000, name); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", sentence, err)
		}
	}
	if got, err := store.NameOf(1000); got != "alice" || err != nil {
		t.Errorf("bound is %q, %v", got, err)
	}
}

func TestNameOfRefuses(t *testing.T) {
	link := func(text string) func(string) error {
		return func(path string) error { return replaced(path, os.Symlink(text, path+"~")) }
	}
	for sentence, damage := range map[string]func(path string) error{
		"two lines":         link("alice\nroot"),
		"a newline":         link("alice\n"),
		"a name too long":   link(strings.Repeat("u", maxUser+1)),
		"as long as can be": link(strings.Repeat("u", unix.PathMax-1)),
		"a file":            func(path string) error { return replaced(path, os.WriteFile(path+"~", []byte("alice"), 0o600)) },
		"a FIFO":            func(path string) error { return replaced(path, unix.Mkfifo(path+"~", 0o600)) },
		"a directory":       func(path string) error { return replaced(path, os.Mkdir(path+"~", 0o700)) },
		"somebody's link":   func(path string) error { return os.Lchown(path, 65534, 0) },
	} {
		store, data := newStore(t)
		if err := store.Bind(1000, "alice"); err != nil {
			t.Fatal(err)
		}
		if err := damage(filepath.Join(data, "uids", "1000")); err != nil {
			t.Fatal(err)
		}
		if name, err := store.NameOf(1000); err == nil || errors.Is(err, fs.ErrNotExist) || name != "" {
			t.Errorf("%s: %q, %v; want an error, and not fs.ErrNotExist", sentence, name, err)
		}
	}
}

// What the link leads to is not looked at: it is a name, and nothing else.
func TestALinkThatLeadsSomewhereIsNotFollowed(t *testing.T) {
	store, data := newStore(t)
	if err := errors.Join(os.WriteFile(filepath.Join(data, "uids", "alice"), []byte("root\n"), 0o600), store.Bind(1000, "alice")); err != nil {
		t.Fatal(err)
	}
	if name, err := store.NameOf(1000); name != "alice" || err != nil {
		t.Errorf("%q, %v", name, err)
	}
}

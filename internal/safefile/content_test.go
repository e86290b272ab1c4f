package safefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// all lists a directory with everything in it.
func all(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(path)
	must(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// holds fails the test unless the file has this content and these permissions.
func holds(t *testing.T, path, content string, perm os.FileMode) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || string(b) != content {
		t.Errorf("%s: %.40q, %v, want %.40q", path, b, err, content)
	}
	if st, err := os.Lstat(path); err != nil || st.Mode() != perm {
		t.Errorf("%s: %v, %v, want %v", path, st.Mode(), err, perm)
	}
}

func TestReplacePutsTheNewFileInThePlaceOfWhateverIsThere(t *testing.T) {
	d, path := scratch(t)
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	must(t, d.Replace("file", []byte("first"), 0o644))
	holds(t, path+"/file", "first", 0o644)
	must(t, d.Replace("file", []byte("second"), 0o600))
	holds(t, path+"/file", "second", 0o600)
	must(t, os.Chown(path+"/file", stranger, stranger))
	must(t, os.Chmod(path+"/file", 0o666))
	must(t, d.Replace("file", []byte("third"), 0o600))
	if _, err := d.Read("file", Secret); err != nil {
		t.Errorf("what replaced another user's file: %v", err)
	}
	must(t, unix.Mkfifo(path+"/fifo", 0o666))
	must(t, d.Replace("fifo", []byte("fourth"), 0o600))
	holds(t, path+"/fifo", "fourth", 0o600)
	must(t, os.Link(path+"/file", path+"/backup"))
	must(t, d.Replace("file", []byte("fifth"), 0o600))
	holds(t, path+"/backup", "third", 0o600)
	if names := all(t, path); !slices.Equal(names, []string{"backup", "fifo", "file"}) {
		t.Errorf("left behind: %q", names)
	}
}

func TestReplaceThatFailsLeavesNothingBehind(t *testing.T) {
	d, path := scratch(t)
	mkdir(t, path+"/directory", 0o700)
	before := openDescriptors(t)
	want(t, d.Replace("directory", []byte("content"), 0o600), unix.EISDIR)
	want(t, d.WriteNew("directory", []byte("content"), 0o600), fs.ErrExist)
	if names := all(t, path); !slices.Equal(names, []string{"directory"}) {
		t.Errorf("left behind: %q", names)
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors open, before it were %d", after, before)
	}
}

func TestWriteNewNeverReplaces(t *testing.T) {
	d, path := scratch(t)
	must(t, d.WriteNew("file", []byte("first"), 0o600))
	want(t, d.WriteNew("file", []byte("second"), 0o600), fs.ErrExist)
	holds(t, path+"/file", "first", 0o600)
	must(t, unix.Mkfifo(path+"/fifo", 0o600))
	want(t, d.WriteNew("fifo", nil, 0o600), fs.ErrExist)
	if names := all(t, path); !slices.Equal(names, []string{"fifo", "file"}) {
		t.Errorf("left behind: %q", names)
	}
}

func TestWriteNewByManyAtOnceSucceedsForOne(t *testing.T) {
	d, path := scratch(t)
	const writers = 32
	results := make(chan error, writers)
	for range writers {
		go func() { results <- d.WriteNew("file", []byte("content"), 0o600) }()
	}
	succeeded := 0
	for range writers {
		if err := <-results; err == nil {
			succeeded++
		} else {
			want(t, err, fs.ErrExist)
		}
	}
	if names := all(t, path); succeeded != 1 || len(names) != 1 {
		t.Errorf("%d of %d writers succeeded; there are %q", succeeded, writers, names)
	}
}

func TestRemove(t *testing.T) {
	d, path := scratch(t)
	must(t, d.Replace("file", nil, 0o600))
	must(t, d.Remove("file"))
	want(t, d.Remove("file"), fs.ErrNotExist)
	write(t, path+"/real", "content", 0o600)
	link(t, "real", path+"/link")
	must(t, d.Remove("link"))
	holds(t, path+"/real", "content", 0o600)
}

func TestNamesLeavesOutWhatIsBeingWritten(t *testing.T) {
	d, path := scratch(t)
	for _, name := range []string{"a", ".hidden", tempPrefix + "0011223344556677", "new-a"} {
		write(t, path+"/"+name, "", 0o600)
	}
	for range 2 { // the second must not begin where the first has ended
		names, err := d.Names()
		must(t, err)
		slices.Sort(names)
		if !slices.Equal(names, []string{".hidden", "a", "new-a"}) {
			t.Errorf("names: %q", names)
		}
	}
	closed := &Dir{fd: -1, path: path}
	if names, err := closed.Names(); names != nil || err == nil {
		t.Errorf("of a closed directory: %q, %v", names, err)
	}
}

func TestRemoveStaleTakesOnlyOldLeftovers(t *testing.T) {
	d, path := scratch(t)
	now := time.Now()
	for name, age := range map[string]time.Duration{
		"old": 3 * time.Hour, tempPrefix + "old": 3 * time.Hour, tempPrefix + "young": time.Minute, tempPrefix + "future": -time.Hour,
	} {
		write(t, path+"/"+name, "", 0o600)
		must(t, os.Chtimes(path+"/"+name, now.Add(-age), now.Add(-age)))
	}
	must(t, d.RemoveStale(now, time.Hour))
	if names := all(t, path); !slices.Equal(names, []string{tempPrefix + "future", tempPrefix + "young", "old"}) {
		t.Errorf("left: %q", names)
	}
}

func TestWriteExportMustNotShowOrOverwriteAnything(t *testing.T) {
	_, path := scratch(t)
	old := unix.Umask(0)
	defer unix.Umask(old)
	must(t, WriteExport(path+"/qr.png", []byte("picture")))
	holds(t, path+"/qr.png", "picture", 0o600)
	want(t, WriteExport(path+"/qr.png", []byte("other")), fs.ErrExist)
	holds(t, path+"/qr.png", "picture", 0o600)
	link(t, "qr.png", path+"/link")
	link(t, "none", path+"/dangling")
	must(t, unix.Mkfifo(path+"/fifo", 0o600))
	for _, name := range []string{"link", "dangling", "fifo"} {
		want(t, WriteExport(path+"/"+name, []byte("other")), fs.ErrExist)
	}
	holds(t, path+"/qr.png", "picture", 0o600)
	for _, name := range []string{"", ".", "..", "qr.png/", "qr.png/x", "none/x"} {
		if err := WriteExport(path+"/"+name, []byte("other")); err == nil {
			t.Errorf("%q was written", name)
		}
	}
	if names := all(t, path); !slices.Equal(names, []string{"dangling", "fifo", "link", "qr.png"}) {
		t.Errorf("left behind: %q", names)
	}
	t.Chdir(path)
	must(t, WriteExport("relative.svg", []byte("picture")))
	holds(t, filepath.Join(path, "relative.svg"), "picture", 0o600)
}

func TestReadIntoGivesWhatReadGivesAndRefusesWhatItRefuses(t *testing.T) {
	d, path := scratch(t)
	rules := Rules{MaxSize: 8, Forbid: 0o077}
	for name, content := range map[string]string{"empty": "", "short": "abc", "full": "12345678", "one more": "123456789", "open": "abc"} {
		write(t, path+"/"+name, content, 0o600)
	}
	must(t, os.Chmod(path+"/open", 0o640))
	for _, name := range []string{"empty", "short", "full", "one more", "open", "none"} {
		content, err := d.Read(name, rules)
		buffer := make([]byte, rules.MaxSize+1)
		n, _, errInto := d.ReadInto(buffer, name, rules)
		if string(buffer[:n]) != string(content) || fmt.Sprint(errInto) != fmt.Sprint(err) {
			t.Errorf("%s: %q, %v, and Read %q, %v", name, buffer[:n], errInto, content, err)
		}
	}
	// What has no size until it is read, as what grows after it was looked at.
	proc, err := OpenDir("/proc/self")
	must(t, err)
	defer proc.Close()
	if _, _, err := proc.ReadInto(make([]byte, 9), "status", Rules{MaxSize: 8}); !errors.Is(err, ErrSize) {
		t.Errorf("more than the limit, and nobody knew: %v", err)
	}
}

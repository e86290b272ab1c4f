package safefile

import (
	"errors"
	"io/fs"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestALinkIsReadAsItWasWritten(t *testing.T) {
	d, path := scratch(t)
	for _, text := range []string{"alice", "bob", `DOM\user`, "../users/x.age", "/etc/shadow", strings.Repeat("u", 256)} {
		must(t, d.ReplaceLink("1000", text))
		if got, err := d.ReadLink("1000", 256); got != text || err != nil {
			t.Errorf("%q was read as %q, %v", text, got, err)
		}
	}
	if names := all(t, path); !slices.Equal(names, []string{"1000"}) {
		t.Errorf("left behind: %q", names)
	}
	want(t, d.ReplaceLink("1000", ""), ErrName)
	want(t, d.ReplaceLink("../1000", "alice"), ErrName)
	if _, err := d.ReadLink("1001", 256); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one that is not there: %v", err)
	}
}

func TestReadLinkRefuses(t *testing.T) {
	for sentence, c := range map[string]struct {
		make func(path string) error
		want error
	}{
		"a longer text":    {func(path string) error { return os.Symlink(strings.Repeat("u", 9), path) }, ErrSize},
		"a file":           {func(path string) error { return os.WriteFile(path, []byte("alice"), 0o600) }, ErrNoLink},
		"a directory":      {func(path string) error { return os.Mkdir(path, 0o700) }, ErrNoLink},
		"a FIFO":           {func(path string) error { return unix.Mkfifo(path, 0o600) }, ErrNoLink},
		"a stranger's one": {func(path string) error { return errors.Join(os.Symlink("alice", path), os.Lchown(path, stranger, 0)) }, ErrOwner},
	} {
		d, path := scratch(t)
		must(t, c.make(path+"/1000"))
		text, err := d.ReadLink("1000", 8)
		if want(t, err, c.want); text != "" {
			t.Errorf("%s: %q", sentence, text)
		}
	}
	d, _ := scratch(t)
	_, err := d.ReadLink("../x", 8)
	want(t, err, ErrName)
}

// linkOnce replaces a link, in one thread.
func linkOnce(path string) error {
	runtime.LockOSThread() // strace counts the calls of each
	d, err := OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(d.ReplaceLink("1000", "bob"), d.Close())
}

// A kill between two calls leaves the old one or the new one; and nobody is told before the name is on the disk.
func TestALinkIsReplacedInOneStepAndSynchronised(t *testing.T) {
	d, path := scratch(t)
	must(t, d.ReplaceLink("1000", "alice"))
	trace, err := tracedTask(t, "onelink", path, "-e", "trace=symlinkat,renameat,renameat2,fsync,unlinkat")
	must(t, err)
	order := regexp.MustCompile(`(?s)symlinkat\("bob", \d+<` + path + `>, "\.new-[0-9a-f]{16}"\) += 0.*` +
		`renameat2?\(\d+<` + path + `>, "\.new-[0-9a-f]{16}", \d+<` + path + `>, "1000".*fsync\(\d+<` + path + `>\) += 0`)
	if !order.MatchString(trace) || strings.Contains(trace, "unlinkat") {
		t.Errorf("not in this order:\n%s", trace)
	}
	for _, step := range []string{"renameat,renameat2:error=EIO", "symlinkat:error=ENOSPC"} {
		must(t, d.ReplaceLink("1000", "alice"))
		if _, err := tracedTask(t, "onelink", path, "-e", "inject="+step); err == nil {
			t.Errorf("%s: no error", step)
		}
		if text, err := d.ReadLink("1000", 8); text != "alice" || err != nil {
			t.Errorf("%s: %q, %v", step, text, err)
		}
		if names := all(t, path); !slices.Equal(names, []string{"1000"}) {
			t.Errorf("%s left behind: %q", step, names)
		}
	}
}

func TestASetWithALinkThatIsThereIsNotPutInPlace(t *testing.T) { bothWays(t, setWithALink) }

func setWithALink(t *testing.T) {
	d, path := scratch(t)
	must(t, d.ReplaceLink("link1", "alice"))
	before := openDescriptors(t)
	take := func(int) error { return nil }
	errs, err := WriteAll(3, func(i int, set *Set) error {
		n := string(rune('0' + i))
		return errors.Join(set.WriteNewLocked(d, "first"+n, nil, 0o600, take, take), set.WriteNewLink(d, "link"+n, "bob"),
			set.WriteNew(d, "last"+n, nil, 0o600))
	})
	must(t, errors.Join(err, errs[0], errs[2]))
	want(t, errs[1], fs.ErrExist)
	if names := all(t, path); !slices.Equal(names, []string{"first0", "first2", "last0", "last2", "link0", "link1", "link2"}) {
		t.Errorf("files %q", names)
	}
	for name, text := range map[string]string{"link0": "bob", "link1": "alice", "link2": "bob"} {
		if got, err := d.ReadLink(name, 8); got != text || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if open := openDescriptors(t); open != before {
		t.Errorf("%d files are open, and were %d", open, before)
	}
	errs, err = WriteAll(1, func(_ int, set *Set) error { return set.WriteNewLink(d, "link3", "") })
	must(t, err)
	want(t, errs[0], ErrName)
}

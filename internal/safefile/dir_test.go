package safefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMustOpenRelativeToADirectoryThatNobodyElseCouldHaveLedElsewhere(t *testing.T) {
	tests := map[string]struct {
		prepare func(t *testing.T, top string) (path string)
		want    error // nil: accepted
	}{
		"a directory of root's": {func(t *testing.T, top string) string { return top }, nil},
		"the directory belongs to another user": {func(t *testing.T, top string) string {
			return owned(t, mkdir(t, top+"/d", 0o700))
		}, ErrOwner},
		"its group may write": {func(t *testing.T, top string) string {
			return mkdir(t, top+"/d", 0o770)
		}, ErrMode},
		"everybody may write": {func(t *testing.T, top string) string {
			return mkdir(t, top+"/d", 0o777)
		}, ErrMode},
		"everybody may write, sticky": {func(t *testing.T, top string) string {
			return mkdir(t, top+"/d", 0o777|os.ModeSticky)
		}, ErrMode},
		"the one above belongs to another user": {func(t *testing.T, top string) string {
			mkdir(t, owned(t, mkdir(t, top+"/home", 0o755))+"/d", 0o700)
			return top + "/home/d"
		}, ErrParents},
		"the group of the one above may write": {func(t *testing.T, top string) string {
			return mkdir(t, mkdir(t, top+"/g", 0o775)+"/d", 0o700)
		}, ErrParents},
		"one far above belongs to another user": {func(t *testing.T, top string) string {
			owned(t, mkdir(t, top+"/home", 0o755))
			return mkdir(t, mkdir(t, mkdir(t, top+"/home/a", 0o755)+"/b", 0o755)+"/d", 0o700)
		}, ErrParents},
		"a sticky directory above, as /tmp": {func(t *testing.T, top string) string {
			return mkdir(t, mkdir(t, top+"/tmp", 0o777|os.ModeSticky)+"/d", 0o700)
		}, nil},
		"a sticky directory above that belongs to another user": {func(t *testing.T, top string) string {
			return mkdir(t, owned(t, mkdir(t, top+"/tmp", 0o777|os.ModeSticky))+"/d", 0o700)
		}, ErrParents},
		"through a link of root's": {func(t *testing.T, top string) string {
			mkdir(t, top+"/real", 0o700)
			return link(t, "real", top+"/link")
		}, nil},
		"through an absolute link of root's": {func(t *testing.T, top string) string {
			mkdir(t, mkdir(t, top+"/real", 0o755)+"/d", 0o700)
			return link(t, top+"/real", top+"/link") + "/d"
		}, nil},
		"a link into a directory of another user": {func(t *testing.T, top string) string {
			mkdir(t, owned(t, mkdir(t, top+"/home", 0o755))+"/d", 0o700)
			return link(t, "home/d", top+"/link")
		}, ErrParents},
		// Its owner can point it to an older copy of ours, every real ancestor of which is root's.
		"a link in a directory of another user to one of root's": {func(t *testing.T, top string) string {
			mkdir(t, top+"/real", 0o700)
			owned(t, mkdir(t, top+"/home", 0o755))
			return link(t, top+"/real", top+"/home/link")
		}, ErrParents},
		"a link of root's to a link in a directory of another user": {func(t *testing.T, top string) string {
			mkdir(t, top+"/real", 0o700)
			owned(t, mkdir(t, top+"/home", 0o755))
			return link(t, link(t, "../real", top+"/home/link"), top+"/link")
		}, ErrParents},
		"a link of another user in a sticky directory": {func(t *testing.T, top string) string {
			mkdir(t, top+"/real", 0o700)
			mkdir(t, top+"/tmp", 0o777|os.ModeSticky)
			path := link(t, top+"/real", top+"/tmp/link")
			must(t, os.Lchown(path, stranger, stranger))
			return path
		}, ErrParents},
		"back out of a directory of another user": {func(t *testing.T, top string) string {
			mkdir(t, top+"/real", 0o700)
			owned(t, mkdir(t, top+"/home", 0o755))
			return top + "/home/../real"
		}, ErrParents},
		"back the way it came, through a link": {func(t *testing.T, top string) string {
			mkdir(t, mkdir(t, top+"/a", 0o755)+"/b", 0o755)
			mkdir(t, top+"/a/d", 0o700)
			return link(t, "a/b", top+"/link") + "/../d"
		}, nil},
		"links in a circle": {func(t *testing.T, top string) string {
			link(t, "one", top+"/two")
			return link(t, "two", top+"/one")
		}, unix.ELOOP},
		"a file in the way": {func(t *testing.T, top string) string {
			write(t, top+"/file", "", 0o600)
			return top + "/file/d"
		}, unix.ENOTDIR},
		"a file at the end": {func(t *testing.T, top string) string {
			write(t, top+"/file", "", 0o600)
			return top + "/file"
		}, unix.ENOTDIR},
		"nothing there":   {func(t *testing.T, top string) string { return top + "/none" }, fs.ErrNotExist},
		"a dangling link": {func(t *testing.T, top string) string { return link(t, "none", top+"/link") }, fs.ErrNotExist},
		"no path at all":  {func(t *testing.T, top string) string { return "" }, fs.ErrNotExist},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, top := scratch(t)
			path := test.prepare(t, top)
			before := openDescriptors(t)
			d, err := OpenDir(path)
			if err == nil {
				must(t, d.Close())
			}
			if !errors.Is(err, test.want) || (err == nil) != (d != nil) {
				t.Errorf("OpenDir: %v, %v, want %v", d, err, test.want)
			}
			if after := openDescriptors(t); after != before {
				t.Errorf("%d descriptors open, before it were %d", after, before)
			}
		})
	}
}

func TestARelativePathIsCheckedAsAnAbsoluteOne(t *testing.T) {
	_, top := scratch(t)
	owned(t, mkdir(t, top+"/home", 0o755))
	t.Chdir(mkdir(t, top+"/home/d", 0o700))
	_, err := OpenDir(".")
	want(t, err, ErrParents)
	t.Chdir(mkdir(t, top+"/own", 0o700))
	must(t, open(t, ".").Replace("file", nil, 0o600))
	if _, err := os.Stat(top + "/own/file"); err != nil {
		t.Error(err)
	}
}

func TestTheRunningUserIsTrustedWithHisOwnFilesAndNobodyElseIs(t *testing.T) {
	top, err := os.MkdirTemp("", "safefile")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(top)) })
	must(t, os.Chmod(top, 0o755))
	for _, file := range []struct {
		name        string
		dir, own    int
		perm        os.FileMode
		wantMessage string
	}{
		{"his own", stranger, stranger, 0o600, "<nil>"},
		{"root's in his directory", stranger, 0, 0o644, ErrMode.Error()}, // accepted as to the owner
		{"another's in his directory", stranger, stranger + 1, 0o600, "permission denied"},
		{"his own in another's directory", stranger + 1, stranger, 0o600, ErrOwner.Error()},
	} {
		dir := mkdir(t, filepath.Join(top, file.name), 0o755)
		write(t, dir+"/file", "content", file.perm)
		must(t, os.Chown(dir+"/file", file.own, file.own))
		must(t, os.Chown(dir, file.dir, file.dir))
		out, err := asUser(child("read", dir+"/file"), stranger).CombinedOutput()
		must(t, err)
		if got := string(out); !strings.HasSuffix(got, file.wantMessage) {
			t.Errorf("%s: %q, want %q", file.name, got, file.wantMessage)
		}
	}
}

func TestMakeDirGivesThePermissionsWhateverTheUmask(t *testing.T) {
	_, top := scratch(t)
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	d, err := MakeDir(top+"/a/b/data", 0o750)
	must(t, err)
	must(t, d.Close())
	for path, perm := range map[string]os.FileMode{"/a": 0o755, "/a/b": 0o755, "/a/b/data": 0o750} {
		st, err := os.Stat(top + path)
		must(t, err)
		if st.Mode().Perm() != perm {
			t.Errorf("%s has %v, want %v", path, st.Mode(), perm)
		}
	}
	d, err = MakeDir(top+"/a/b/data", 0o700)
	must(t, err)
	must(t, d.Close())
	st, err := os.Stat(top + "/a/b/data")
	must(t, err)
	if st.Mode().Perm() != 0o750 {
		t.Errorf("a directory that was there got %v", st.Mode())
	}
}

func TestMakeDirMakesNothingWhereOthersCanLeadIt(t *testing.T) {
	_, top := scratch(t)
	mkdir(t, top+"/etc", 0o755)
	owned(t, mkdir(t, top+"/home", 0o755))
	link(t, top+"/etc", top+"/home/link")
	for _, path := range []string{"/home/data", "/home/a/data", "/home/link/data", "/home/link/a/data"} {
		d, err := MakeDir(top+path, 0o700)
		if d != nil {
			t.Errorf("%s was opened", path)
		}
		want(t, err, ErrParents)
	}
	names, err := filepath.Glob(top + "/etc/*")
	must(t, err)
	if len(names) != 0 {
		t.Errorf("made through a link of another user: %q", names)
	}
	link(t, "none", top+"/dangling")
	for _, path := range []string{"/dangling", "/dangling/data"} {
		if _, err := MakeDir(top+path, 0o700); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, want that it does not exist", path, err)
		}
	}
}

func TestCloseTwiceClosesNobodyElsesDescriptor(t *testing.T) {
	_, path := scratch(t)
	d, err := OpenDir(path)
	must(t, err)
	must(t, d.Close())
	other := open(t, path) // gets the same number
	want(t, d.Close(), unix.EBADF)
	if _, err := other.Exists("file"); err != nil {
		t.Errorf("the other directory: %v", err)
	}
	if _, err := d.Exists("file"); err == nil {
		t.Error("a closed directory can be used")
	}
}

func owned(t testing.TB, path string) string {
	t.Helper()
	must(t, os.Chown(path, stranger, stranger))
	return path
}

func link(t testing.TB, target, path string) string {
	t.Helper()
	must(t, os.Symlink(target, path))
	return path
}

// On Ubuntu /var/log is 0775 root:syslog; what lies there is not a secret and nobody can put a directory of root's in its place.
func TestOnlyALogMayLieBelowADirectoryThatAGroupCanWrite(t *testing.T) {
	top := t.TempDir()
	must(t, os.Chmod(top, 0o755))
	group := top + "/log"
	must(t, os.Mkdir(group, 0o755))
	must(t, os.Chmod(group, 0o775))
	d, err := MakeLogDir(group+"/twokey", 0o700)
	must(t, err)
	must(t, d.Close())
	d, err = OpenLogDir(group + "/twokey")
	must(t, err)
	must(t, d.Close())
	if _, err := OpenDir(group + "/twokey"); !errors.Is(err, ErrParents) {
		t.Errorf("OpenDir: %v", err)
	}
	if _, err := MakeDir(group+"/other", 0o700); !errors.Is(err, ErrParents) {
		t.Errorf("MakeDir: %v", err)
	}
	must(t, os.Chmod(group, 0o777))
	if _, err := OpenLogDir(group + "/twokey"); !errors.Is(err, ErrParents) {
		t.Errorf("OpenLogDir below a directory that everybody can write: %v", err)
	}
	must(t, os.Chmod(group, 0o755))
	must(t, os.Chmod(group+"/twokey", 0o770))
	if _, err := OpenLogDir(group + "/twokey"); !errors.Is(err, ErrMode) {
		t.Errorf("OpenLogDir of a directory that a group can write: %v", err)
	}
}

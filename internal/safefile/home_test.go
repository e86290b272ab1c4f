package safefile

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// home is a home folder of the stranger's, with a file of his.
func home(t testing.TB, content string) string {
	t.Helper()
	_, path := scratch(t)
	must(t, os.Chmod(path, 0o755))
	at := mkdir(t, path+"/home", 0o755)
	owned(t, at)
	write(t, at+"/file", content, 0o600)
	owned(t, at+"/file")
	return at
}

func TestReadHomeReadsAUsersFileAndRoots(t *testing.T) {
	at := home(t, "content")
	got, err := ReadHome(at+"/file", stranger, 7)
	if err != nil || string(got.Content) != "content" || got.Mode != 0o600 || got.Owner != stranger {
		t.Errorf("%+v, %v", got, err)
	}
	write(t, at+"/roots", "content", 0o644)
	if got, err := ReadHome(at+"/roots", stranger, 7); err != nil || got.Owner != 0 || got.Mode != 0o644 {
		t.Errorf("root's: %+v, %v", got, err)
	}
	link(t, "home", filepath.Dir(at)+"/link")
	if _, err := ReadHome(filepath.Dir(at)+"/link/file", stranger, 7); err != nil {
		t.Errorf("through root's link: %v", err)
	}
}

// What a user may do to his home must not make root read what is not his, or wait.
func TestReadHomeMustNotReadWhatIsNotTheUsers(t *testing.T) {
	at := home(t, "content")
	write(t, filepath.Dir(at)+"/roots", "content", 0o600)
	link(t, "../roots", at+"/link to root's")
	link(t, "file", at+"/link to his own")
	must(t, os.Link(filepath.Dir(at)+"/roots", at+"/hard link to root's"))
	must(t, unix.Mkfifo(at+"/fifo", 0o600))
	must(t, unix.Mknod(at+"/zero", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))))
	write(t, at+"/another's", "content", 0o600)
	must(t, os.Chown(at+"/another's", stranger+1, stranger+1))
	write(t, at+"/everybody's", "content", 0o602)
	owned(t, at+"/everybody's")
	write(t, at+"/large", "content and", 0o600)
	owned(t, at+"/large")
	mkdir(t, at+"/folder", 0o700)
	write(t, at+"/folder/file", "content", 0o600)
	link(t, "home", filepath.Dir(at)+"/link of his")
	must(t, os.Lchown(filepath.Dir(at)+"/link of his", stranger, stranger))
	before := openDescriptors(t)
	for name, sentinel := range map[string]error{
		"link to root's": ErrType, "link to his own": ErrType, "hard link to root's": ErrLinks, "fifo": ErrType, "zero": ErrType,
		"another's": ErrOwner, "everybody's": ErrMode, "large": ErrSize, "folder": ErrType, "folder/file": ErrParents, "none": fs.ErrNotExist,
		"../link of his/file": ErrParents, "../none/file": fs.ErrNotExist,
	} {
		got, err := ReadHome(at+"/"+name, stranger, 7)
		want(t, err, sentinel)
		if got != nil {
			t.Errorf("%q: %+v", name, got)
		}
	}
	write(t, at+"/roots", "content", 0o600)
	for _, name := range []string{"file", "roots"} { // another's home, whoever's the file is
		_, err := ReadHome(at+"/"+name, stranger+1, 7)
		want(t, err, ErrOwner)
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors open, before it were %d", after, before)
	}
}

func TestRemoveHomeRemovesOnlyWhatWasRead(t *testing.T) {
	at := home(t, "content")
	for _, other := range []string{"contents", "CONTENT", "cont"} {
		want(t, RemoveHome(at+"/file", stranger, []byte(other)), ErrChanged)
	}
	write(t, at+"/target", "content", 0o600)
	link(t, "target", at+"/link")
	want(t, RemoveHome(at+"/link", stranger, []byte("content")), ErrType)
	if got, err := os.ReadFile(at + "/file"); err != nil || string(got) != "content" {
		t.Fatalf("%q, %v", got, err)
	}
	before := openDescriptors(t)
	must(t, RemoveHome(at+"/file", stranger, []byte("content")))
	_, err := os.Lstat(at + "/file")
	want(t, err, fs.ErrNotExist)
	want(t, RemoveHome(at+"/file", stranger, []byte("content")), fs.ErrNotExist)
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors open, before it were %d", after, before)
	}
}

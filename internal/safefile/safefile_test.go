package safefile

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// openings are the ways in which the product opens an existing file.
var openings = map[string]int{"to read": unix.O_RDONLY, "to write": unix.O_WRONLY, "for both": unix.O_RDWR}

// refused fails the test if a file can be opened or read, in whichever way, or if the reason is another.
func refused(t *testing.T, d *Dir, name string, sentinel error) {
	t.Helper()
	for way, flags := range openings {
		f, err := d.Open(name, flags, Secret)
		if f != nil || !errors.Is(err, sentinel) {
			t.Errorf("open %s %s: %v, %v, want %v", name, way, f, err, sentinel)
		}
	}
	b, err := d.Read(name, Secret)
	if b != nil || !errors.Is(err, sentinel) {
		t.Errorf("read %s: %q, %v, want %v", name, b, err, sentinel)
	}
}

func TestMustNotFollowASymbolicLinkInTheLastComponent(t *testing.T) {
	d, path := scratch(t)
	write(t, path+"/real", "content", 0o600)
	link(t, "real", path+"/link")
	link(t, path+"/real", path+"/absolute")
	link(t, "none", path+"/dangling")
	for _, name := range []string{"link", "absolute", "dangling"} {
		refused(t, d, name, ErrType)
		if _, err := d.Create(name, unix.O_WRONLY, 0o600); !errors.Is(err, fs.ErrExist) {
			t.Errorf("create %s: %v", name, err)
		}
		want(t, d.WriteNew(name, nil, 0o600), fs.ErrExist)
	}
	// Replace puts its file in the place of the link, and leaves alone what that points to.
	must(t, d.Replace("link", []byte("new"), 0o600))
	must(t, d.Replace("dangling", []byte("new"), 0o600))
	for name, content := range map[string]string{"real": "content", "link": "new", "dangling": "new"} {
		if b, err := d.Read(name, Secret); err != nil || string(b) != content {
			t.Errorf("%s: %q, %v, want %q", name, b, err, content)
		}
	}
	if ok, err := d.Exists("none"); ok || err != nil {
		t.Errorf("something was written through the dangling link: %v, %v", ok, err)
	}
}

func TestMustNotBlockOnAFIFOOrADevice(t *testing.T) {
	d, path := scratch(t)
	must(t, unix.Mkfifo(path+"/fifo", 0o600))
	must(t, unix.Mknod(path+"/null", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))))
	must(t, unix.Mknod(path+"/block", unix.S_IFBLK|0o600, int(unix.Mkdev(7, 250))))
	l, err := net.Listen("unix", path+"/socket")
	must(t, err)
	defer l.Close()
	must(t, os.Chmod(path+"/socket", 0o600))
	mkdir(t, path+"/directory", 0o700)
	for _, name := range []string{"fifo", "null", "block", "socket", "directory"} {
		refused(t, d, name, ErrType)
	}
}

func TestMustCheckOwnerModeTypeLinkCountAndSize(t *testing.T) {
	d, path := scratch(t)
	file := func(name string, perm os.FileMode) string {
		write(t, path+"/"+name, "content", perm)
		return path + "/" + name
	}
	owned(t, file("foreign", 0o600))
	file("readable by the group", 0o640)
	file("writable by the group", 0o620)
	file("readable by all", 0o604)
	file("executable by all", 0o601)
	must(t, os.Link(file("one name", 0o600), path+"/another name"))
	must(t, os.Truncate(file("huge", 0o600), Secret.MaxSize+1))
	for name, sentinel := range map[string]error{
		"foreign": ErrOwner, "readable by the group": ErrMode, "writable by the group": ErrMode, "readable by all": ErrMode,
		"executable by all": ErrMode, "one name": ErrLinks, "another name": ErrLinks, "huge": ErrSize, "none": fs.ErrNotExist,
	} {
		refused(t, d, name, sentinel)
	}
	must(t, os.Truncate(path+"/huge", Secret.MaxSize))
	must(t, os.Remove(path+"/another name"))
	for _, name := range []string{"huge", "one name"} {
		if _, err := d.Read(name, Secret); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := d.Read("readable by the group", Public); err != nil {
		t.Errorf("a public file that others may read: %v", err)
	}
	_, err := d.Read("writable by the group", Public)
	want(t, err, ErrMode)
}

// While the name changes between a good file and one that somebody else has written, the check and the content must be of the
// same file.
func TestMustCheckTheDescriptorThatIsRead(t *testing.T) {
	d, path := scratch(t)
	write(t, path+"/name", "good", 0o600)
	write(t, path+"/other", "evil", 0o666)
	stop := make(chan struct{})
	var swapping sync.WaitGroup
	swapping.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				must(t, unix.Renameat2(d.Fd(), "name", d.Fd(), "other", unix.RENAME_EXCHANGE))
			}
		}
	})
	good, bad := 0, 0
	for !t.Failed() && (good < 5000 || bad < 5000) {
		b, err := d.Read("name", Secret)
		switch {
		case err == nil && string(b) == "good":
			good++
		case errors.Is(err, ErrMode):
			bad++
		default:
			t.Errorf("%q, %v", b, err)
		}
	}
	close(stop)
	swapping.Wait()
}

// Files in /proc have size 0 and content all the same, as a file that grows after the check.
func TestMustReadNoMoreThanTheLimitWhateverTheSizeWas(t *testing.T) {
	d := open(t, "/proc/self")
	for limit, sentinel := range map[int64]error{1 << 16: nil, 100: ErrSize, 0: ErrSize} {
		b, err := d.Read("status", Rules{MaxSize: limit})
		if !errors.Is(err, sentinel) || sentinel != nil && b != nil {
			t.Errorf("limit %d: %d bytes, %v, want %v", limit, len(b), err, sentinel)
		}
	}
	d, path := scratch(t)
	write(t, path+"/file", "12345678", 0o600)
	for limit, sentinel := range map[int64]error{9: nil, 8: nil, 7: ErrSize} {
		b, err := d.Read("file", Rules{MaxSize: limit})
		if !errors.Is(err, sentinel) || sentinel == nil && string(b) != "12345678" {
			t.Errorf("limit %d: %q, %v, want %v", limit, b, err, sentinel)
		}
	}
}

func TestMustNotAcceptANameThatLeavesTheDirectory(t *testing.T) {
	d, path := scratch(t)
	write(t, path+"/../outside", "content", 0o600)
	mkdir(t, path+"/sub", 0o700)
	write(t, path+"/sub/file", "content", 0o600)
	for _, name := range []string{
		"", ".", "..", "/", "../outside", path + "/../outside", "sub/file", "./sub", "sub/", "a\x00b", strings.Repeat("x", 256),
	} {
		refused(t, d, name, ErrName)
		_, err := d.Create(name, unix.O_WRONLY, 0o600)
		want(t, err, ErrName)
		_, err = d.Exists(name)
		want(t, err, ErrName)
		want(t, d.Replace(name, nil, 0o600), ErrName)
		want(t, d.WriteNew(name, nil, 0o600), ErrName)
		want(t, d.Remove(name), ErrName)
	}
	if b, err := os.ReadFile(path + "/../outside"); err != nil || string(b) != "content" {
		t.Errorf("the file outside: %q, %v", b, err)
	}
	for _, name := range []string{"...", " ", "a b", "a\nb", "\xff", "-", strings.Repeat("x", 255)} {
		must(t, d.WriteNew(name, []byte(name), 0o600))
		if b, err := d.Read(name, Secret); err != nil || string(b) != name {
			t.Errorf("%q: %q, %v", name, b, err)
		}
	}
}

func TestReadFileReadsWhatIsThereAndChecksTheDirectory(t *testing.T) {
	_, path := scratch(t)
	content := bytes.Repeat([]byte("content\n"), 1000)
	write(t, path+"/file", string(content), 0o600)
	b, err := ReadFile(path+"/file", Secret)
	if err != nil || !bytes.Equal(b, content) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	must(t, os.Chmod(path, 0o777))
	b, err = ReadFile(path+"/file", Secret)
	want(t, err, ErrMode)
	if b != nil {
		t.Error("content together with an error")
	}
}

func TestSameTellsAFileThatWasReplacedOrRemoved(t *testing.T) {
	d, path := scratch(t)
	write(t, path+"/file", "", 0o600)
	f, err := d.Open("file", unix.O_RDWR, Secret)
	must(t, err)
	defer f.Close()
	same := func(want bool, when string) {
		t.Helper()
		if got, err := d.Same(f, "file"); got != want || err != nil {
			t.Errorf("%s: %v, %v", when, got, err)
		}
	}
	same(true, "untouched")
	must(t, d.Replace("file", nil, 0o600))
	same(false, "replaced")
	must(t, d.Remove("file"))
	same(false, "removed")
	link(t, "elsewhere", path+"/file")
	same(false, "replaced by a link")
}

func TestCreateNeverOpensWhatIsThere(t *testing.T) {
	d, path := scratch(t)
	f, err := d.Create("new", unix.O_WRONLY, 0o600)
	must(t, err)
	must(t, f.Close())
	st, err := os.Stat(path + "/new")
	if err != nil || st.Mode() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	_, err = d.Create("new", unix.O_WRONLY, 0o600)
	want(t, err, fs.ErrExist)
}

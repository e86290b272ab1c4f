package safefile

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// staged is a file that is written and not in place yet. Where the file system can (O_TMPFILE, see open(2); NFS cannot, for one) and the
// process may have many files open, it has no name until then: that is a third less work for a large directory than to take one name
// away and give another.
type staged struct {
	dir   *Dir
	name  string
	isNew bool               // it must not exist
	text  string             // of a symbolic link, which is made when it is put in place; "": a file
	lock  func(fd int) error // nil: it need not be locked
	then  func(fd int) error // of one that is locked, when those behind it are in place
	temp  string             // its name so far; "": it has none, and is open
	fd    int                // of one without a name
}

// write writes the content, and leaves nothing behind on an error.
func (f *staged) write(content []byte, perm os.FileMode, nameless bool) (err error) {
	if !nameless || f.open(perm) != nil {
		f.temp, err = f.dir.writeTemp(content, perm, withBatch)
		return err
	}
	about, err := check(f.fd, created(perm))
	if err == nil {
		err = fillOpen(f.fd, content, perm, about)
	}
	if err != nil {
		unix.Close(f.fd)
		return &os.PathError{Op: "write", Path: f.dir.path + "/" + f.name, Err: err}
	}
	return nil
}

func (f *staged) open(perm os.FileMode) (err error) {
	f.fd, err = unix.Openat(f.dir.fd, ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, uint32(perm))
	return err
}

// place puts files in place, one and then those behind it. From the first that cannot be they are dropped; one that is locked, which
// nobody else can have used yet, is taken back.
func place(files []staged) error {
	if len(files) == 0 {
		return nil
	}
	f := files[0]
	fd, release, err := f.hold()
	defer release()
	if err == nil {
		err = f.giveName()
	}
	if err != nil {
		if f.temp != "" {
			f.dir.drop(f.temp)
		}
		drop(files[1:])
		return &os.PathError{Op: "create", Path: f.dir.path + "/" + f.name, Err: err}
	}
	err = place(files[1:])
	switch {
	case f.lock == nil:
		return err
	case err != nil:
		f.dir.drop(f.name)
		return err
	}
	return f.then(fd)
}

// drop removes files that are not in place.
func drop(files []staged) {
	for _, f := range files {
		switch {
		case f.text != "": // is nowhere yet
		case f.temp == "":
			unix.Close(f.fd)
		default:
			f.dir.drop(f.temp)
		}
	}
}

// hold locks a file that is to be locked. It is open until release.
func (f *staged) hold() (fd int, release func(), err error) {
	if f.text != "" {
		return -1, func() {}, nil
	}
	fd = f.fd
	if f.temp != "" {
		if f.lock == nil {
			return -1, func() {}, nil
		}
		if fd, err = unix.Openat(f.dir.fd, f.temp, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err != nil {
			return -1, func() {}, err
		}
	}
	if f.lock != nil {
		err = f.lock(fd)
	}
	return fd, func() { unix.Close(fd) }, err
}

// giveName puts the file under its name. One that has none gets a temporary one first where a file has to be replaced: link(2) and
// symlink(2) never do.
func (f *staged) giveName() error {
	if f.temp == "" {
		err := f.link(f.name)
		if err != unix.EEXIST || f.isNew {
			return err
		}
		temp, err := temporaryName()
		if err != nil {
			return err
		}
		if err := f.link(temp); err != nil {
			return err
		}
		f.temp = temp
	}
	flags := uint(0)
	if f.isNew {
		flags = unix.RENAME_NOREPLACE
	}
	return unix.Renameat2(f.dir.fd, f.temp, f.dir.fd, f.name, flags)
}

// link is as in open(2), "O_TMPFILE": the short way, which needs CAP_DAC_READ_SEARCH where the kernel is older than 6.10 and says ENOENT
// else, and the other.
func (f *staged) link(name string) error {
	if f.text != "" {
		return unix.Symlinkat(f.text, f.dir.fd, name)
	}
	err := unix.Linkat(f.fd, "", f.dir.fd, name, unix.AT_EMPTY_PATH)
	if err == unix.ENOENT {
		err = unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(f.fd), f.dir.fd, name, unix.AT_SYMLINK_FOLLOW)
	}
	return err
}

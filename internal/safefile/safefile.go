// Package safefile opens twokey's files; no other package of the product does. Its duty is that a file is what its name
// promised: a regular file of the right owner that nobody else could have written or, for secrets, read.
//
// What it must and must not do, each with a test of the same name:
//
//   - MUST open relative to a directory descriptor that nobody but root (or the running user) could have led elsewhere: every
//     directory and link on the way, from the root on, is checked. Attack: paths.data in or through a home directory, whose
//     owner swaps it for another one.
//   - MUST NOT follow a symbolic link in the last component (CVE-2024-47191, and the redirect of root's write in fscrypt).
//   - MUST NOT block on a FIFO or a device: O_NONBLOCK, and only regular files are accepted.
//   - MUST check owner, mode, type, link count and size on the descriptor that is then read, never on the name.
//   - MUST read no more than the limit, whatever the size was when it was checked.
//   - MUST replace a file so that a crash or a full disk leaves the old or the new one whole, and leaves nothing behind that
//     stops the next try; also when it is one of many that are written together.
//   - MUST NOT accept a name that leaves the directory.
package safefile

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Reasons for which a file or directory is refused. Errors of this package wrap one of them, or the system's error
// (fs.ErrNotExist and its like).
var (
	ErrOwner   = errors.New("wrong owner")
	ErrMode    = errors.New("permissions too wide")
	ErrType    = errors.New("not a regular file")
	ErrNoLink  = errors.New("not a symbolic link")
	ErrLinks   = errors.New("more than one name (hard link)")
	ErrSize    = errors.New("too large")
	ErrName    = errors.New("not a plain file name")
	ErrParents = errors.New("a directory above it can be changed by others")
)

// Rules say what a file must be like to be accepted.
type Rules struct {
	MaxSize int64       // bytes; larger is ErrSize
	Forbid  os.FileMode // permission bits that must not be set, such as 0o077
}

// Secret is for files that only their owner may read; Public for those that anyone may read and only their owner write.
var (
	Secret = Rules{MaxSize: 1 << 20, Forbid: 0o077}
	Public = Rules{MaxSize: 1 << 20, Forbid: 0o022}
)

// trusted reports whether files of this owner are accepted: root's, and those of an unprivileged user who runs us for himself
// (a workstation that provisions other hosts).
func trusted(uid uint32) bool { return uid == 0 || uid == uint32(os.Geteuid()) }

// plain refuses names that would leave the directory or mean it.
func plain(name string) error {
	if name == "" || name == "." || name == ".." || len(name) > 255 || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("%w: %q", ErrName, name)
	}
	return nil
}

// Open opens an existing file, with unix.O_RDWR, O_RDONLY and the like as flags, and checks it.
func (d *Dir) Open(name string, flags int, rules Rules) (*os.File, error) {
	return d.open(name, flags, 0, rules)
}

// Create makes a new file, which must not exist, with these permissions.
func (d *Dir) Create(name string, flags int, perm os.FileMode) (*os.File, error) {
	return d.open(name, flags|createNew, perm, created(perm))
}

const createNew = unix.O_CREAT | unix.O_EXCL

// created are the rules for a file that was made just now.
func created(perm os.FileMode) Rules { return Rules{MaxSize: 0, Forbid: 0o777 &^ perm} }

func (d *Dir) open(name string, flags int, perm os.FileMode, rules Rules) (*os.File, error) {
	fd, err := d.openDescriptor(name, flags, perm, rules)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), d.path+"/"+name), nil
}

func (d *Dir) openDescriptor(name string, flags int, perm os.FileMode, rules Rules) (int, error) {
	fd, _, err := d.openFile(name, flags, perm, rules)
	return fd, err
}

// openFile opens and checks a file, and says what it is like.
func (d *Dir) openFile(name string, flags int, perm os.FileMode, rules Rules) (fd int, about unix.Stat_t, err error) {
	fail := func(err error) (int, unix.Stat_t, error) {
		return -1, about, &os.PathError{Op: "open", Path: d.path + "/" + name, Err: err}
	}
	if err := plain(name); err != nil {
		return fail(err)
	}
	fd, err = unix.Openat(d.fd, name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, uint32(perm))
	if err == unix.ELOOP || err == unix.ENXIO || err == unix.EISDIR {
		return fail(ErrType) // a symbolic link; a FIFO or socket without a peer; a directory opened for writing
	}
	if err != nil {
		return fail(err)
	}
	if about, err = check(fd, rules); err != nil {
		unix.Close(fd)
		return fail(err)
	}
	return fd, about, nil
}

// check looks at the descriptor, not at the name: between a look at a name and an open the file could be another.
func check(fd int, rules Rules) (st unix.Stat_t, err error) {
	if err := unix.Fstat(fd, &st); err != nil {
		return st, err
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		err = ErrType
	case !trusted(st.Uid):
		err = fmt.Errorf("%w (uid %d)", ErrOwner, st.Uid)
	case os.FileMode(st.Mode)&rules.Forbid != 0:
		err = fmt.Errorf("%w (%04o)", ErrMode, st.Mode&0o7777)
	case st.Nlink > 1:
		err = ErrLinks
	case st.Size > rules.MaxSize:
		err = fmt.Errorf("%w (%d bytes)", ErrSize, st.Size)
	}
	return st, err
}

// Exists reports whether a file of this name is there, without opening it; what it is like is not checked.
func (d *Dir) Exists(name string) (bool, error) {
	if err := plain(name); err != nil {
		return false, err
	}
	var st unix.Stat_t
	err := unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err == unix.ENOENT {
		return false, nil
	}
	return err == nil, err
}

// Same reports whether the open file is still the one that has the name: neither replaced nor removed since it was opened.
func (d *Dir) Same(f *os.File, name string) (bool, error) {
	var open, named unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &open); err != nil {
		return false, err
	}
	err := unix.Fstatat(d.fd, name, &named, unix.AT_SYMLINK_NOFOLLOW)
	if err == unix.ENOENT {
		return false, nil
	}
	return err == nil && open.Nlink > 0 && open.Dev == named.Dev && open.Ino == named.Ino, err
}

package safefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links a path may lead through, as in path_resolution(7).
const maxLinks = 40

// Dir is an open directory that has been checked.
type Dir struct {
	fd   int
	path string
}

// OpenDir opens the directory at a path. It and every directory that leads to it must belong to root or the running user and
// be writable by nobody else; a directory with the sticky bit (/tmp) may stand above it. Symbolic links on the way are followed
// if they too belong to root or the running user.
func OpenDir(path string) (*Dir, error) { return openChecked(path, strict) }

// OpenLogDir is OpenDir for the directory of a log. The directories above it may also be writable by a group, since on some
// distributions /var/log belongs to root and the group of the syslog daemon (0775 root:syslog). Whoever is in that group can
// move the log's directory away, which stops logins and is seen; he cannot put one in its place that belongs to root.
func OpenLogDir(path string) (*Dir, error) { return openChecked(path, groupMayWrite) }

// parents says which directories may stand above ours: the bits that make them changeable by others.
type parents uint32

const (
	strict        parents = 0o022
	groupMayWrite parents = 0o002
)

func openChecked(path string, forbid parents) (*Dir, error) {
	fd, err := openDir(path, forbid)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return &Dir{fd, path}, nil
}

// Close releases the directory.
func (d *Dir) Close() error {
	fd := d.fd
	d.fd = -1 // a second Close would close whatever has the number by then
	return unix.Close(fd)
}

// Path is the name by which the directory was opened, for messages.
func (d *Dir) Path() string { return d.path }

// Fd is the directory's descriptor, for calls such as fstatfs.
func (d *Dir) Fd() int { return d.fd }

// MakeDir makes a directory with these permissions, unless it is there already, and opens it. Missing directories above it are
// made too, readable by all.
func MakeDir(path string, perm os.FileMode) (*Dir, error) { return makeChecked(path, perm, strict) }

// MakeLogDir is MakeDir for the directory of a log, as OpenLogDir is OpenDir.
func MakeLogDir(path string, perm os.FileMode) (*Dir, error) {
	return makeChecked(path, perm, groupMayWrite)
}

func makeChecked(path string, perm os.FileMode, forbid parents) (*Dir, error) {
	d, err := openChecked(path, forbid)
	if !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	if err := makeDir(filepath.Clean(path), perm, forbid); err != nil {
		return nil, &os.PathError{Op: "mkdir", Path: path, Err: err}
	}
	return openChecked(path, forbid)
}

// makeDir makes a directory that a walk has missed, so that all above it has been checked: along a name alone, a link of
// somebody else's could lead root to make directories wherever that person likes.
func makeDir(path string, perm os.FileMode, forbid parents) error {
	above := filepath.Dir(path)
	fd, err := walk(above, forbid)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeDir(above, 0o755, forbid); err == nil {
			fd, err = walk(above, forbid)
		}
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	switch err := unix.Mkdirat(fd, filepath.Base(path), uint32(perm)); err {
	case nil:
		return unix.Fchmodat(fd, filepath.Base(path), uint32(perm), 0) // whatever the umask was
	case unix.EEXIST:
		return nil // made by somebody else just now, or a dangling link: OpenDir looks at it
	default:
		return err
	}
}

func openDir(path string, forbid parents) (int, error) {
	at, err := walk(path, forbid)
	if err != nil {
		return -1, err
	}
	defer unix.Close(at)
	var st unix.Stat_t
	switch err := unix.Fstat(at, &st); {
	case err != nil:
		return -1, err
	case !trusted(st.Uid):
		return -1, fmt.Errorf("%w (uid %d)", ErrOwner, st.Uid)
	case st.Mode&0o022 != 0:
		return -1, fmt.Errorf("%w (%04o)", ErrMode, st.Mode&0o7777)
	}
	return unix.Openat(at, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// walk follows a path from the root, one name at a time, and returns an O_PATH descriptor of the directory at its end. Every
// directory that it looks into has been checked, also those that symbolic links lead through. To look at the real ancestors of
// the end alone is not enough: whoever owns a directory on the way can point a link to another directory of root's, such as an
// older copy of ours.
func walk(path string, forbid parents) (int, error) {
	if path != "" && path[0] != '/' {
		wd, err := os.Getwd()
		if err != nil {
			return -1, err
		}
		path = wd + "/" + path // not filepath.Join, which takes ".." behind a link for the way back
	}
	if path == "" {
		return -1, unix.ENOENT
	}
	fd, err := openRoot()
	links := 0
	for rest := strings.Split(path, "/"); err == nil && len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		var link string
		if fd, link, err = step(fd, name, forbid); link == "" {
			continue
		}
		if links++; links > maxLinks {
			err = unix.ELOOP
		}
		if link[0] == '/' && err == nil {
			unix.Close(fd)
			fd, err = openRoot()
		}
		rest = append(strings.Split(link, "/"), rest...)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func openRoot() (int, error) {
	return unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// step goes from a directory to one that it contains, and closes the first. If the name is a symbolic link, it stays and
// returns what is written in the link.
func step(fd int, name string, forbid parents) (next int, link string, err error) {
	if name == "" || name == "." {
		return fd, "", nil
	}
	if err := checkAbove(fd, forbid); err != nil {
		return fd, "", err
	}
	next, err = unix.Openat(fd, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == unix.ENOTDIR {
		link, err = readLink(fd, name)
		return fd, link, err
	}
	if err != nil {
		return fd, "", err
	}
	unix.Close(fd)
	return next, "", nil
}

// checkAbove looks at a directory that is not the last one.
func checkAbove(fd int, forbid parents) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if !trusted(st.Uid) || st.Mode&uint32(forbid) != 0 && st.Mode&unix.S_ISVTX == 0 {
		return ErrParents
	}
	return nil
}

// readLink returns where a symbolic link on the way points to.
func readLink(dir int, name string) (string, error) {
	target, err := linkAt(dir, name, unix.PathMax)
	switch {
	case errors.Is(err, ErrNoLink):
		return "", unix.ENOTDIR
	case errors.Is(err, ErrOwner):
		return "", ErrParents
	}
	return target, err
}

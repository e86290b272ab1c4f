package safefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrChanged is for a file that is not what it was when it was read.
var ErrChanged = errors.New("changed since it was read")

// ReadHome reads a file in somebody's home folder, or in a folder of root's, by root: the user may change what is in the folder at any
// moment. Of the folders above, everything is as OpenDir wants it. No symbolic link of the user's is followed, and the file must be a
// regular one (ErrType) with one name (ErrLinks), of at most so many bytes (ErrSize), his or root's (ErrOwner), and written by nobody
// else (ErrMode).
//
// Attack: a link, hard or symbolic, from a user's home to another's secrets, which root reads and takes for his; a FIFO that stops root;
// a file without an end.
func ReadHome(path string, owner uint32, limit int64) (*Import, error) {
	dir, content, about, err := readHome(path, owner, limit)
	if err != nil {
		return nil, &os.PathError{Op: "read", Path: path, Err: err}
	}
	return &Import{Content: content, Mode: os.FileMode(about.Mode & 0o777), Owner: about.Uid}, unix.Close(dir)
}

// RemoveHome removes a file that ReadHome has read, unless there is another one or something else in it by now (ErrChanged). Its owner
// can put another one in its place at the very last moment: then he loses that one.
func RemoveHome(path string, owner uint32, was []byte) error {
	fail := func(err error) error { return &os.PathError{Op: "remove", Path: path, Err: err} }
	dir, content, _, err := readHome(path, owner, int64(len(was)))
	if errors.Is(err, ErrSize) {
		err = ErrChanged
	}
	if err != nil {
		return fail(err)
	}
	defer unix.Close(dir)
	if !bytes.Equal(content, was) {
		return fail(ErrChanged)
	}
	if err := unix.Unlinkat(dir, filepath.Base(path), 0); err != nil {
		return fail(err)
	}
	folder, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fail(err)
	}
	return errors.Join(unix.Fsync(folder), unix.Close(folder))
}

func readHome(path string, owner uint32, limit int64) (dir int, content []byte, about *unix.Stat_t, err error) {
	dir, err = openHome(filepath.Dir(path), owner, 0)
	if err != nil {
		return -1, nil, nil, err
	}
	content, about, err = readIn(dir, filepath.Base(path), owner, limit)
	if err != nil {
		unix.Close(dir)
		return -1, nil, nil, err
	}
	return dir, content, about, nil
}

// openHome opens a folder of the owner's, or of root's, as a place only.
func openHome(path string, owner uint32, links int) (int, error) {
	above, err := walk(filepath.Dir(path), strict)
	if err != nil {
		return -1, err
	}
	defer unix.Close(above)
	if err := checkAbove(above, strict); err != nil {
		return -1, err
	}
	fd, err := unix.Openat(above, filepath.Base(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == unix.ENOTDIR && links < maxLinks {
		link, err := readLink(above, filepath.Base(path))
		if err != nil {
			return -1, err
		}
		if !filepath.IsAbs(link) {
			link = filepath.Dir(path) + "/" + link
		}
		return openHome(link, owner, links+1)
	}
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && st.Uid != owner && !trusted(st.Uid) {
		err = ErrOwner
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func readIn(dir int, name string, owner uint32, limit int64) ([]byte, *unix.Stat_t, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err == unix.ELOOP || err == unix.ENXIO {
		return nil, nil, ErrType
	}
	if err != nil {
		return nil, nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, nil, err
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, nil, ErrType
	case st.Uid != owner && st.Uid != 0:
		return nil, nil, fmt.Errorf("%w (uid %d)", ErrOwner, st.Uid)
	case st.Nlink != 1:
		return nil, nil, ErrLinks
	case st.Mode&0o022 != 0:
		return nil, nil, fmt.Errorf("%w (%04o)", ErrMode, st.Mode&0o7777)
	case st.Size > limit:
		return nil, nil, ErrSize
	}
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = ErrSize
	}
	return content, &st, err
}

package safefile

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A text of a few bytes that belongs to a name, such as the user of a user id, is kept in a symbolic link, which is read and never
// followed. It is written and replaced in one step, needs no block of the disk, and for a batch of many users it is less work than a file.

// ReadLink returns the text that the symbolic link of this name holds, of at most max bytes: ErrNoLink for anything else, ErrOwner for
// one that neither root nor the running user made, ErrSize for a longer one.
func (d *Dir) ReadLink(name string, max int) (text string, err error) {
	if err = plain(name); err == nil {
		text, err = linkAt(d.fd, name, max)
	}
	if err != nil {
		return "", &os.PathError{Op: "read", Path: d.path + "/" + name, Err: err}
	}
	return text, nil
}

// linkAt returns what is written in a symbolic link. In a directory such as /tmp anybody could have made it: its owner counts.
func linkAt(dir int, name string, max int) (string, error) {
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", err
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFLNK:
		return "", ErrNoLink
	case !trusted(st.Uid):
		return "", ErrOwner
	}
	text := make([]byte, max+1) // what is left over says that this was the end
	n, err := unix.Readlinkat(fd, "", text)
	switch {
	case err != nil:
		return "", err
	case n > max:
		return "", ErrSize
	}
	return string(text[:n]), nil // never empty: symlink(2) refuses that
}

// ReplaceLink puts a symbolic link with this text, which must not be empty, in the place of name, whether or not that exists, and
// synchronises the directory. On error the old one is untouched, except as Replace says.
func (d *Dir) ReplaceLink(name, text string) error {
	f, err := newLink(d, name, text)
	if err != nil {
		return err
	}
	if err := place([]staged{f}); err != nil {
		return err
	}
	return d.Sync()
}

// WriteNewLink is ReplaceLink for a name that must not exist yet, put off until the batch ends.
func (s *Set) WriteNewLink(d *Dir, name, text string) error {
	f, err := newLink(d, name, text)
	f.isNew = true
	if err == nil {
		s.files = append(s.files, f)
	}
	return err
}

func newLink(d *Dir, name, text string) (staged, error) {
	if text == "" {
		return staged{}, fmt.Errorf("%w: a link to nothing", ErrName)
	}
	return staged{dir: d, name: name, text: text}, plain(name)
}

package safefile

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tempPrefix begins the name of a file that is being written. User names never become such a name: see UserFileName.
const tempPrefix = ".new-"

// Read returns the whole content of a file that the rules accept.
func (d *Dir) Read(name string, rules Rules) ([]byte, error) {
	fd, about, err := d.openFile(name, unix.O_RDONLY, 0, rules)
	if err != nil {
		return nil, err
	}
	content, err := readAll(fd, about.Size, rules.MaxSize)
	if err = errors.Join(err, unix.Close(fd)); err != nil {
		return nil, &os.PathError{Op: "read", Path: d.path + "/" + name, Err: err}
	}
	return content, nil
}

// ReadInto is Read into the caller's memory, which must have more than rules.MaxSize bytes: it says how many of them the file has, and
// which mode it had before (inode(7)). It is for a walk through many files.
func (d *Dir) ReadInto(buffer []byte, name string, rules Rules) (n int, mode uint32, err error) {
	fd, about, err := d.openFile(name, unix.O_RDONLY, 0, rules)
	if err != nil {
		return 0, 0, err
	}
	for more := 0; err == nil || err == unix.EINTR; {
		if more, err = unix.Read(fd, buffer[n:]); err != nil {
			continue
		}
		if n += more; more == 0 || int64(n) == about.Size {
			break
		}
	}
	if err == nil && int64(n) > rules.MaxSize {
		err = ErrSize
	}
	if err = errors.Join(err, unix.Close(fd)); err != nil {
		return 0, 0, &os.PathError{Op: "read", Path: d.path + "/" + name, Err: err}
	}
	return n, about.Mode, nil
}

// readAll reads a file of known size in one go. It does without os.File, which costs a list of many users five system calls more for
// each. A file that grows between fstat and read must not fill the memory of a login.
func readAll(fd int, size, limit int64) ([]byte, error) {
	b := make([]byte, size+1) // what is left over says that this was the end
	for n := 0; ; {
		more, err := unix.Read(fd, b[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		n += more
		switch {
		case int64(n) > limit:
			return nil, ErrSize
		case more == 0 || int64(n) == size: // a file that was cut off since, or all that there was
			return b[:n], nil
		case n == len(b):
			b = append(b, make([]byte, min(int64(len(b)), limit+1-int64(n)))...)
		}
	}
}

// ReadFile opens the directory of an absolute path and reads the file in it.
func ReadFile(path string, rules Rules) ([]byte, error) {
	d, err := OpenDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Read(filepath.Base(path), rules)
}

// Replace puts a file with this content and these permissions in the place of name, whether or not that exists: a new file,
// synchronised, renamed, and the directory synchronised. On error the old file is untouched, except when it is the directory
// that could not be synchronised: then the new one stands there, until the power fails perhaps.
func (d *Dir) Replace(name string, content []byte, perm os.FileMode) error {
	if err := plain(name); err != nil {
		return err
	}
	temp, err := d.writeTemp(content, perm, atOnce)
	if err != nil {
		return err
	}
	if err := unix.Renameat(d.fd, temp, d.fd, name); err != nil {
		d.drop(temp)
		return &os.PathError{Op: "rename", Path: d.path + "/" + name, Err: err}
	}
	return d.Sync()
}

// WriteNew is Replace for a file that must not exist yet: it fails with fs.ErrExist when it does.
func (d *Dir) WriteNew(name string, content []byte, perm os.FileMode) error {
	if err := plain(name); err != nil {
		return err
	}
	temp, err := d.writeTemp(content, perm, atOnce)
	if err != nil {
		return err
	}
	if err := unix.Renameat2(d.fd, temp, d.fd, name, unix.RENAME_NOREPLACE); err != nil {
		d.drop(temp)
		return &os.PathError{Op: "create", Path: d.path + "/" + name, Err: err}
	}
	return d.Sync()
}

// When a file is synchronised: before its name is used, or by a batch.
type when bool

const (
	atOnce    when = true
	withBatch when = false
)

// writeTemp writes a new file of a random name.
func (d *Dir) writeTemp(content []byte, perm os.FileMode, sync when) (name string, err error) {
	if name, err = temporaryName(); err != nil {
		return "", err
	}
	fd, about, err := d.openFile(name, unix.O_WRONLY|createNew, perm, created(perm))
	if err != nil {
		return "", err
	}
	if err := fill(fd, content, perm, about, sync); err != nil {
		d.drop(name)
		return "", &os.PathError{Op: "write", Path: d.path + "/" + name, Err: err}
	}
	return name, nil
}

func temporaryName() (string, error) {
	var random [8]byte
	if _, err := io.ReadFull(rand.Reader, random[:]); err != nil {
		return "", err
	}
	return tempPrefix + hex.EncodeToString(random[:]), nil
}

// fill writes and closes a new file. It does without os.File, which costs a batch two system calls more for each.
func fill(fd int, content []byte, perm os.FileMode, about unix.Stat_t, sync when) (err error) {
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	if err := fillOpen(fd, content, perm, about); err != nil || sync == withBatch {
		return err
	}
	return unix.Fsync(fd)
}

// fillOpen writes a new file, which stays open.
func fillOpen(fd int, content []byte, perm os.FileMode, about unix.Stat_t) error {
	for rest := content; len(rest) > 0; {
		n, err := unix.Write(fd, rest)
		if err != nil && err != unix.EINTR {
			return err
		}
		rest = rest[max(n, 0):]
	}
	if about.Mode&0o7777 != uint32(perm) { // the umask has taken something
		return unix.Fchmod(fd, uint32(perm))
	}
	return nil
}

// drop removes a file of our own that is of no more use; that it stays behind harms nobody, RemoveStale takes it later.
func (d *Dir) drop(name string) { _ = unix.Unlinkat(d.fd, name, 0) }

// Remove removes a file and synchronises the directory. A file that is not there is fs.ErrNotExist.
func (d *Dir) Remove(name string) error {
	if err := plain(name); err != nil {
		return err
	}
	if err := unix.Unlinkat(d.fd, name, 0); err != nil {
		return &os.PathError{Op: "remove", Path: d.path + "/" + name, Err: err}
	}
	return d.Sync()
}

// Sync makes the names in the directory durable: without it a file that was renamed into place can be lost with the power.
func (d *Dir) Sync() error {
	if err := unix.Fsync(d.fd); err != nil {
		return &os.PathError{Op: "sync", Path: d.path, Err: err}
	}
	return nil
}

// Names lists the directory without the files that are being written, in no order.
func (d *Dir) Names() ([]string, error) {
	names, err := d.readNames()
	if err != nil {
		return nil, err
	}
	kept := names[:0]
	for _, name := range names {
		if !strings.HasPrefix(name, tempPrefix) {
			kept = append(kept, name)
		}
	}
	return kept, nil
}

func (d *Dir) readNames() ([]string, error) {
	fd, err := unix.Openat(d.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "list", Path: d.path, Err: err}
	}
	f := os.NewFile(uintptr(fd), d.path)
	defer f.Close()
	return f.Readdirnames(-1)
}

// RemoveStale removes what writers that were killed have left behind, when it is older than age.
func (d *Dir) RemoveStale(now time.Time, age time.Duration) error {
	names, err := d.readNames()
	if err != nil {
		return err
	}
	for _, name := range names {
		var st unix.Stat_t
		if !strings.HasPrefix(name, tempPrefix) || unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
			continue
		}
		if now.Sub(time.Unix(st.Mtim.Sec, st.Mtim.Nsec)) > age {
			d.drop(name)
		}
	}
	return nil
}

// WriteExport writes a file for the administrator, such as a QR image, wherever he wants it: 0600, never over an existing file
// and never through a symbolic link in the last component. The directory is his own affair.
func WriteExport(path string, content []byte) error {
	parent, name := filepath.Split(path)
	if err := plain(name); err != nil {
		return &os.PathError{Op: "create", Path: path, Err: err}
	}
	dir, err := unix.Open(parent+".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "create", Path: path, Err: err}
	}
	defer unix.Close(dir)
	fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return &os.PathError{Op: "create", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		// Not by its path: that may lead elsewhere by now, and root would remove a file there.
		return errors.Join(err, unix.Unlinkat(dir, name, 0))
	}
	return nil
}

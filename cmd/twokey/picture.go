package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
)

// picture is a file with the secret of a device that is not in force yet: a QR code, or a sheet.
type picture struct {
	path string
	dir  int // descriptor of its directory
}

// pictures are all that are written of one device.
type pictures []*picture

func (all pictures) remove() error {
	var errs []error
	for _, p := range all {
		errs = append(errs, p.remove())
	}
	return errors.Join(errs...)
}

func (all pictures) close() error {
	var errs []error
	for _, p := range all {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

// newPicture draws it and writes it.
func newPicture(path string, draw func() ([]byte, error)) (*picture, error) {
	content, err := draw()
	if err != nil {
		return nil, err
	}
	p, err := openPicture(path)
	if err != nil {
		return nil, err
	}
	if err := p.write(content); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// openPicture opens the directory in which the picture will be. It is written and removed through that descriptor, so that nothing
// but this file is ever removed: by its path, whoever can swap a directory on the way could lead root to somebody else's.
func openPicture(path string) (*picture, error) {
	parent, _ := filepath.Split(path)
	dir, err := unix.Open(parent+".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "create", Path: path, Err: err}
	}
	return &picture{path, dir}, nil
}

// write makes the file, 0600, never over another.
func (p *picture) write(content []byte) error {
	err := safefile.WriteExport(fmt.Sprintf("/proc/self/fd/%d/%s", p.dir, filepath.Base(p.path)), content)
	var where *fs.PathError
	if errors.As(err, &where) {
		where.Path = p.path
	}
	return err
}

// remove takes the file away again.
func (p *picture) remove() error {
	return unix.Unlinkat(p.dir, filepath.Base(p.path), 0)
}

// close leaves the file where it is.
func (p *picture) close() error {
	return unix.Close(p.dir)
}

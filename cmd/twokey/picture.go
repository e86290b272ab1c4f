package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
)

// picture is a file with a QR code that was written for a device which is not in force yet. A nil one is none.
type picture struct {
	dir  int // descriptor of its directory
	name string
}

// writePicture makes the file, 0600, never over another. The directory is opened first and the file written through that
// descriptor, so that remove can only ever remove this file: by its path, whoever can swap a directory on the way could lead root
// to remove somebody else's.
func writePicture(path string, content []byte) (*picture, error) {
	parent, name := filepath.Split(path)
	dir, err := unix.Open(parent+".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "create", Path: path, Err: err}
	}
	if err := safefile.WriteExport(fmt.Sprintf("/proc/self/fd/%d/%s", dir, name), content); err != nil {
		var where *fs.PathError
		if errors.As(err, &where) {
			where.Path = path
		}
		return nil, errors.Join(err, unix.Close(dir))
	}
	return &picture{dir, name}, nil
}

// remove takes the file away again.
func (p *picture) remove() error {
	if p == nil {
		return nil
	}
	return errors.Join(unix.Unlinkat(p.dir, p.name, 0), unix.Close(p.dir))
}

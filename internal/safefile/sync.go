package safefile

import (
	"os"

	"golang.org/x/sys/unix"
)

// SyncAll makes durable all that was written to the file system of the directory, with syncfs(2).
func (d *Dir) SyncAll() error {
	if err := unix.Syncfs(d.fd); err != nil {
		return &os.PathError{Op: "syncfs", Path: d.path, Err: err}
	}
	return nil
}

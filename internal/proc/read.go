package proc

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// read reads a small file of /proc. Package os would first ask whether it can be waited for, in more system calls than it takes to read it.
func read(path string) ([]byte, error) {
	fail := func(op string, err error) ([]byte, error) { return nil, &fs.PathError{Op: op, Path: path, Err: err} }
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fail("open", err)
	}
	defer unix.Close(fd)
	content := make([]byte, 0, 1024)
	for {
		if len(content) == cap(content) {
			content = append(content, 0)[:len(content)]
		}
		n, err := unix.Read(fd, content[len(content):cap(content)])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fail("read", err)
		}
		if n == 0 {
			return content, nil
		}
		content = content[:len(content)+n]
	}
}

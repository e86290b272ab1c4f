package safefile

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Import is a file that is not ours: what is in it, and who else could have read or written it.
type Import struct {
	Content []byte
	Mode    os.FileMode // permission bits
	Owner   uint32      // user id
}

// ReadImport reads a file that the administrator has named, wherever it lies, or one of another program's, through whatever links:
// whose it is and who else can write it the caller has to judge. It must be a regular file (ErrType) of at most so many bytes
// (ErrSize); a FIFO or a device does not block it.
func ReadImport(path string, limit int64) (*Import, error) {
	fail := func(err error) (*Import, error) { return nil, &os.PathError{Op: "open", Path: path, Err: err} }
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err == unix.ENXIO {
		return fail(ErrType) // a socket
	}
	if err != nil {
		return fail(err)
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fail(err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return fail(ErrType)
	}
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return fail(err)
	}
	if int64(len(content)) > limit {
		return fail(ErrSize)
	}
	return &Import{content, os.FileMode(st.Mode & 0o777), st.Uid}, nil
}

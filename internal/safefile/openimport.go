package safefile

import (
	"os"

	"golang.org/x/sys/unix"
)

// OpenImport is ReadImport for a file that is too large for the memory: it gives the open file, which the caller closes, and says
// before a byte is read that it is larger than the limit (ErrSize). One that grows afterwards the caller has to notice.
func OpenImport(path string, limit int64) (*os.File, *Import, error) {
	fail := func(err error) (*os.File, *Import, error) {
		return nil, nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err == unix.ENXIO {
		return fail(ErrType) // a socket
	}
	if err != nil {
		return fail(err)
	}
	f := os.NewFile(uintptr(fd), path)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	switch {
	case err != nil:
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		err = ErrType
	case st.Size > limit:
		err = ErrSize
	default:
		return f, &Import{Mode: os.FileMode(st.Mode & 0o777), Owner: st.Uid}, nil
	}
	_ = f.Close() // nothing was written to it
	return fail(err)
}

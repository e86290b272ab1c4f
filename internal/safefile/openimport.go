package safefile

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// LimitError is ErrSize of a file that the administrator has named: nobody has put it there for us.
type LimitError struct {
	Limit int64 // bytes
}

// Error says how large the file may be.
func (e *LimitError) Error() string {
	switch {
	case e.Limit >= 1<<20:
		return fmt.Sprintf("%v, want at most %d MiB", ErrSize, e.Limit>>20)
	case e.Limit >= 1<<10:
		return fmt.Sprintf("%v, want at most %d KiB", ErrSize, e.Limit>>10)
	}
	return fmt.Sprintf("%v, want at most %d bytes", ErrSize, e.Limit)
}

// Unwrap is ErrSize.
func (e *LimitError) Unwrap() error { return ErrSize }

// OpenImport is ReadImport for a file that is too large for the memory: it gives the open file, which the caller closes, and says
// before a byte is read that it is larger than the limit (a *LimitError). One that grows afterwards the caller has to notice.
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
		err = &LimitError{limit}
	default:
		return f, &Import{Mode: os.FileMode(st.Mode & 0o777), Owner: st.Uid}, nil
	}
	_ = f.Close() // nothing was written to it
	return fail(err)
}

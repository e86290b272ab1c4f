package safefile

import (
	"io"
	"os"
)

// Import is a file that is not ours: what is in it, and who else could have read or written it.
type Import struct {
	Content []byte
	Mode    os.FileMode // permission bits
	Owner   uint32      // user id
}

// ReadImport reads a file that the administrator has named, wherever it lies, or one of another program's, through whatever links:
// whose it is and who else can write it the caller has to judge. It must be a regular file (ErrType) of at most so many bytes
// (a *LimitError); a FIFO or a device does not block it.
func ReadImport(path string, limit int64) (*Import, error) {
	f, file, err := OpenImport(path, limit)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = &LimitError{limit}
	}
	if err != nil {
		return nil, &os.PathError{Op: "read", Path: path, Err: err}
	}
	file.Content = content
	return file, nil
}

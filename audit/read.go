package audit

import (
	"bytes"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
)

// Entry is one line of a log as it is read: nothing in the log vouches for it, only [Verify] does.
type Entry struct {
	Offset int64   // where the line begins, in bytes
	Size   int64   // of the line with its newline
	Record *Record // nil: the line is no record
	Line   []byte  // the record as it stands, without the newline: JSON, fit for a terminal; nil when it is no record
}

// Read calls fn for every line of a log, oldest first, as the log was when Read was called. It ends with the first error of fn.
func Read(path string, fn func(Entry) error) error {
	log, err := openForReading(path)
	if err != nil {
		return err
	}
	defer log.Close()
	size, err := sizeOf(log)
	if err != nil {
		return err
	}
	return readFrom(log, 0, size, fn)
}

// Tail gives the last n lines of a log, oldest first. It reads no more of the log than they take.
func Tail(path string, n int) ([]Entry, error) {
	log, err := openForReading(path)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	size, err := sizeOf(log)
	if err != nil {
		return nil, err
	}
	from, err := startOfLast(log, size, n)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	err = readFrom(log, from, size, func(e Entry) error {
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

func openForReading(path string) (*os.File, error) {
	dir, err := safefile.OpenLogDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.Open(filepath.Base(path), unix.O_RDONLY, logRules)
}

func readFrom(log *os.File, from, to int64, fn func(Entry) error) error {
	in := newLines(log, from, to)
	for {
		raw, err := in.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		e := Entry{Offset: raw.begin, Size: raw.end - raw.begin}
		if r, err := Parse(raw.text); err == nil {
			e.Record, e.Line = &r, bytes.Clone(raw.text)
		}
		if err := fn(e); err != nil {
			return err
		}
	}
}

// startOfLast finds where the last n lines begin, reading backwards.
func startOfLast(log *os.File, size int64, n int) (int64, error) {
	if n <= 0 {
		return size, nil
	}
	block := make([]byte, 64<<10)
	for end := size; end > 0; {
		b := block[:min(int64(len(block)), end)]
		begin := end - int64(len(b))
		if _, err := log.ReadAt(b, begin); err != nil {
			return 0, err
		}
		for i := len(b) - 1; i >= 0; i-- {
			if b[i] != '\n' || begin+int64(i) == size-1 { // the newline at the very end begins no line
				continue
			}
			if n--; n == 0 {
				return begin + int64(i) + 1, nil
			}
		}
		end = begin
	}
	return 0, nil
}

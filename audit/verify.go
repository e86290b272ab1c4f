package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
)

// Report is what [Verify] has found.
type Report struct {
	Records uint64 // good ones
	Last    Checkpoint
	Sealed  bool // the seals of all records were checked, not only those behind the head
	// Problems says what is wrong, in the order of the log; none: the log is whole. Behind a loss that a sealed record names, Verify
	// goes on, and there can be more problems; behind any other it ends.
	Problems []Problem
	Notes    []string // of what is as it may be, such as the traces of a power failure
}

// Problem is one place where the log is not as it was written.
type Problem struct {
	Sequence uint64 // of the record that was expected there
	Offset   int64  // in the log, in bytes
	What     string // one line, safe to print, with the number of the record
}

// First gives the first problem, or nil when there is none.
func (r *Report) First() *Problem {
	if len(r.Problems) == 0 {
		return nil
	}
	return &r.Problems[0]
}

// Verify reads a whole log and reports whether it is as it was written. With the verification key it checks every seal, and finds
// whatever was changed before the host was broken into, also by root. Without it (nil) it finds what whoever has not changed the
// head to fit could have done. An error means that the files could not be read; a log that is not whole is no error.
//
// Others may append while Verify reads; it looks at what was there when it began.
func Verify(path string, key *VerificationKey) (Report, error) {
	dirName, logName, headName, err := names(path)
	if err != nil {
		return Report{}, err
	}
	dir, err := safefile.OpenLogDir(dirName)
	if err != nil {
		return Report{}, err
	}
	defer dir.Close()
	v := &verifier{}
	if key != nil {
		v.report.Sealed, v.end.keyed, v.end.key = true, true, key.first
	}
	head, headErr := readHead(dir, headName)
	if headErr == nil {
		v.head = &head.position
	}
	v.log, err = dir.Open(logName, unix.O_RDONLY, logRules)
	if errors.Is(err, fs.ErrNotExist) && headErr == nil {
		v.problem(0, fmt.Sprintf("the log is gone: the head says that it has %d records", head.sequence))
		return v.report, nil
	}
	if err != nil {
		return Report{}, err
	}
	defer v.log.Close()
	if err := v.run(); err != nil {
		return Report{}, err
	}
	if headErr != nil {
		v.problem(v.end.offset, fmt.Sprintf("nothing tells how many records there should be: %v", headErr))
	}
	return v.report, nil
}

// verifier walks through a log.
type verifier struct {
	log    *os.File
	size   int64
	head   *position // nil: not to be had
	end    position  // of the last good record
	buf    []byte
	report Report
}

func (v *verifier) problem(offset int64, what string) {
	v.report.Problems = append(v.report.Problems, Problem{v.end.sequence + 1, offset, what})
}

func (v *verifier) note(format string, args ...any) {
	v.report.Notes = append(v.report.Notes, fmt.Sprintf(format, args...))
}

func (v *verifier) run() (err error) {
	if v.size, err = sizeOf(v.log); err != nil {
		return err
	}
	in := newLines(v.log, 0, v.size)
	for goOn := v.atHead(); goOn; {
		c, err := in.nextRecord(false)
		switch {
		case err == io.EOF:
			goOn, err = false, v.finish()
		case err == nil:
			goOn, err = v.step(c)
		}
		if err != nil {
			return err
		}
	}
	v.report.Last = Checkpoint{v.end.sequence, v.end.hash}
	return nil
}

// step judges the next line that looks like a record and says whether to go on behind it.
func (v *verifier) step(c *candidate) (goOn bool, err error) {
	good, err := v.end.accepts(v.log, c, &v.buf)
	if err != nil {
		return false, err
	}
	if !good {
		what, err := v.diagnose(c)
		v.problem(v.end.offset, what)
		return false, err
	}
	if n := c.record.Sequence; c.record.Repair.PreviousHash != (Hash{}) {
		v.problem(v.end.offset, fmt.Sprintf("%s, as record %d says", missing(v.end.sequence+1, n-1), n))
	} else if skipped := c.record.Repair.SkippedBytes; skipped != 0 {
		v.note("%d bytes before record %d are not a record; they are as record %d names them", skipped, n, n)
	}
	v.end.advance(c)
	v.report.Records++
	return v.atHead(), nil
}

// atHead compares with the head when its record has been reached, and takes its sealing key if there is no other.
func (v *verifier) atHead() (goOn bool) {
	if v.head == nil || v.end.sequence != v.head.sequence {
		return true
	}
	n := v.end.sequence
	switch {
	case v.end.hash != v.head.hash:
		v.problem(v.end.offset, fmt.Sprintf("record %d is not the one that the head names: the log was written anew", n))
		return false
	case v.end.offset != v.head.offset:
		v.problem(v.end.offset, fmt.Sprintf("record %d ends at byte %d, the head says %d", n, v.end.offset, v.head.offset))
		return false
	case v.end.keyed && v.end.key != v.head.key:
		v.problem(v.end.offset, fmt.Sprintf("the sealing key in the head is not the one for record %d, or the verification key is that "+
			"of another log", n+1))
		return false
	}
	v.end.keyed, v.end.key = true, v.head.key
	return true
}

// finish judges what is left behind the last record.
func (v *verifier) finish() error {
	rest := v.size - v.end.offset
	if v.head == nil || v.end.sequence >= v.head.sequence {
		if rest > 0 {
			v.note("%d bytes at the end are not a record; the next record will name them", rest)
		}
		return nil
	}
	what := lastMissing(v.end.sequence, v.head.sequence)
	if rest > 0 {
		raw, err := v.lineAtEnd()
		if err != nil {
			return err
		}
		if raw.text != nil || v.size >= v.head.offset { // a truncated log ends in a piece of a line
			what = v.diagnoseLine(raw)
		}
	}
	v.problem(v.end.offset, what)
	return nil
}

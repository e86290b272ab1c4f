package audit

import (
	"bufio"
	"io"
	"os"
)

// maxLine bounds a line without its newline, in bytes. The longest record, all texts full of characters that take six bytes, is
// shorter.
const maxLine = 128 << 10

// lines reads a part of a log line by line.
type lines struct {
	in   *bufio.Reader
	pos  int64
	last candidate
}

// rawLine is one line. Its text is valid until the next one is read, and nil when the line is too long for a record or has no
// newline.
type rawLine struct {
	begin, end int64 // in the log; the newline included
	text       []byte
}

// candidate is a line that has the form of a record.
type candidate struct {
	rawLine
	sealed
	record Record
}

func newLines(f *os.File, from, to int64) *lines {
	return &lines{in: bufio.NewReaderSize(io.NewSectionReader(f, from, to-from), maxLine+1), pos: from}
}

// next returns io.EOF at the end.
func (l *lines) next() (rawLine, error) {
	found := rawLine{begin: l.pos}
	text, err := l.in.ReadSlice('\n')
	l.pos += int64(len(text))
	if err == nil {
		found.text = text[:len(text)-1]
	}
	for err == bufio.ErrBufferFull {
		text, err = l.in.ReadSlice('\n')
		l.pos += int64(len(text))
	}
	if err != nil && (err != io.EOF || l.pos == found.begin) {
		return rawLine{}, err
	}
	found.end = l.pos
	return found, nil
}

// nextRecord passes over what has not the form of a record. The result is valid until the next call, and has no texts but those
// that keep asks for. It returns io.EOF at the end.
func (l *lines) nextRecord(keep bool) (*candidate, error) {
	for {
		raw, err := l.next()
		if err != nil {
			return nil, err
		}
		if s, ok := decode(raw.text, &l.last.record, keep); ok {
			l.last.rawLine, l.last.sealed = raw, s
			return &l.last, nil
		}
	}
}

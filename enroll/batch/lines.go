package batch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Reasons for which a whole file is refused. They stand behind file and line.
var (
	ErrSize = fmt.Errorf("the file is larger than %d MiB: split it", MaxFile>>20)
	ErrUTF8 = errors.New("not UTF-8")

	errLine = fmt.Errorf("a line is longer than %d KiB", maxItem>>10)
)

// lines are those of a file, one at a time: a file of a hundred thousand users is never in memory.
type lines struct {
	name   string
	in     *bufio.Reader
	number int // of the line that was read last, from 1
	size   int
}

func newLines(name string, r io.Reader) *lines {
	return &lines{name: name, in: bufio.NewReaderSize(r, maxItem)}
}

// next gives a line without its end; io.EOF when there is none left.
func (l *lines) next() (string, error) {
	b, err := l.in.ReadSlice('\n')
	if len(b) == 0 && err == io.EOF {
		return "", io.EOF
	}
	l.number++
	l.size += len(b)
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", l.wrong(errLine)
	case err != nil && err != io.EOF:
		return "", fmt.Errorf("%s: %w", l.name, err)
	case l.size > MaxFile:
		return "", l.wrong(ErrSize)
	case !utf8.Valid(b):
		return "", l.wrong(ErrUTF8)
	}
	text := string(b)
	if l.number == 1 {
		text = strings.TrimPrefix(text, "\ufeff")
	}
	return strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r"), nil
}

// wrong is an error about the line that was read last.
func (l *lines) wrong(err error) error { return l.wrongAt(l.number, err) }

func (l *lines) wrongAt(line int, err error) error {
	return fmt.Errorf("%s:%d: %w", l.name, line, err)
}

// at is an error with the line where it is.
type at struct {
	line int
	err  error
}

// Error is without the line, which the row's error has.
func (a *at) Error() string { return a.err.Error() }

// Unwrap gives the error.
func (a *at) Unwrap() error { return a.err }

// LineOf is the line that an error is about, where it is another one than that of its row.
func LineOf(err error, otherwise int) int {
	var place *at
	if errors.As(err, &place) && place.line > 0 {
		return place.line
	}
	return otherwise
}

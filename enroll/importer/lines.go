package importer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

var (
	errLine = fmt.Errorf("a line is longer than %d KiB", maxLine>>10)
	errUTF8 = errors.New("not UTF-8")
)

// atLine is an error about a line of the file that is read.
type atLine struct {
	line int
	err  error
}

// Error is without the line, which stands before it with the name of the file.
func (a *atLine) Error() string { return a.err.Error() }

// Unwrap gives the error.
func (a *atLine) Unwrap() error { return a.err }

// tooLarge is ErrSize with the limit in bytes, which is one of whole KiB.
func tooLarge(limit int) error {
	if limit >= 1<<20 {
		return fmt.Errorf("%w, want at most %d MiB", ErrSize, limit>>20)
	}
	return fmt.Errorf("%w, want at most %d KiB", ErrSize, limit>>10)
}

// eachLine calls a function for each line that is not empty, with its number. Spaces at the ends are dropped, and line ends of either kind.
func (c *collector) eachLine(r io.Reader, limit int, line func(number int, text string)) error {
	in := bufio.NewReaderSize(r, maxLine)
	size, rows := 0, 0
	for number := 1; ; number++ {
		b, err := in.ReadSlice('\n')
		size += len(b)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return c.whole(&atLine{number, errLine})
		case err != nil && err != io.EOF:
			return c.whole(err)
		case size > limit:
			return c.whole(&atLine{number, tooLarge(limit)})
		case !utf8.Valid(b):
			return c.whole(&atLine{number, errUTF8})
		}
		text := string(b)
		if number == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		if text = strings.TrimSpace(text); text != "" {
			if rows++; rows > maxRows {
				return c.whole(&atLine{number, fmt.Errorf("more than %d lines", maxRows)})
			}
			line(number, text)
		}
		if err == io.EOF {
			return nil
		}
	}
}

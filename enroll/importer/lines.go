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

// eachLine calls a function for each line that is not empty, with its number. Spaces at the ends are dropped, and line ends of either kind.
func (c *collector) eachLine(r io.Reader, limit int, line func(number int, text string)) error {
	in := bufio.NewReaderSize(r, maxLine)
	size, rows := 0, 0
	for number := 1; ; number++ {
		b, err := in.ReadSlice('\n')
		size += len(b)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return c.whole(fmt.Errorf("line %d: %w", number, errLine))
		case err != nil && err != io.EOF:
			return c.whole(err)
		case size > limit:
			return c.whole(fmt.Errorf("%w, want at most %d KiB", ErrSize, limit>>10))
		case !utf8.Valid(b):
			return c.whole(fmt.Errorf("line %d: %w", number, errUTF8))
		}
		text := string(b)
		if number == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		if text = strings.TrimSpace(text); text != "" {
			if rows++; rows > maxRows {
				return c.whole(fmt.Errorf("more than %d lines", maxRows))
			}
			line(number, text)
		}
		if err == io.EOF {
			return nil
		}
	}
}

package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// MaxSource is the size cap of a configuration, in bytes.
const MaxSource = 1 << 20

// maxDepth is deeper than any key of the table goes (document, require, list,
// entry, users, list, name), so it only keeps a hostile file from deep recursion.
const maxDepth = 10

// An Error says what is wrong with a configuration, and where. Line and Column
// count from 1, columns in characters. For a fault in the YAML itself the reader
// tells only the line, often the one on which the broken bracket or quote opens;
// the column is then where the text of that line begins.
type Error struct {
	Line, Column int
	Msg          string
}

// Error gives "line 4, column 3: what is wrong".
func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Msg)
}

// readTree reads exactly one document of plain YAML and returns its top node.
func readTree(src []byte) (*yaml.Node, *Error) {
	if err := checkBytes(src); err != nil {
		return nil, err
	}
	reader := yaml.NewDecoder(bytes.NewReader(src))
	var document yaml.Node
	switch err := reader.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, &Error{1, 1, "the configuration is empty: it begins with version: 1"}
	case err != nil:
		return nil, syntaxError(src, err)
	}
	var second yaml.Node
	switch err := reader.Decode(&second); {
	case err == nil:
		return nil, &Error{second.Line, second.Column, "a second document begins here: one file is one configuration"}
	case !errors.Is(err, io.EOF):
		return nil, syntaxError(src, err)
	}
	top := document.Content[0]
	if err := checkPlain(top, 0); err != nil {
		return nil, err
	}
	return top, nil
}

// checkBytes refuses what YAML, an editor and a person would read differently:
// characters that YAML takes for the end of a line and an editor does not would
// make every line number wrong and could hide a rule in what looks like a comment.
func checkBytes(src []byte) *Error {
	line, column := 1, 1
	indentation := true
	for len(src) > 0 {
		r, size := utf8.DecodeRune(src)
		switch {
		case r == utf8.RuneError && size == 1:
			return &Error{line, column, "this is not UTF-8"}
		case r == '\r':
			return &Error{line, column, "a carriage return: end lines with a line feed alone"}
		case r != '\n' && r != '\t' && unicode.IsControl(r), r == '\u2028', r == '\u2029', r == '\ufeff':
			return &Error{line, column, fmt.Sprintf("the character %U is not allowed", r)}
		case r == '\t' && indentation:
			return &Error{line, column, "a tab: indent with blanks"}
		case r == '\n':
			line, column = line+1, 0
		}
		indentation = r == '\n' || indentation && r == ' '
		src, column = src[size:], column+1
	}
	return nil
}

// checkPlain refuses what lets one place in a file change the meaning of another.
// It meets an anchor before the aliases that refer to it, so these need no check.
func checkPlain(n *yaml.Node, depth int) *Error {
	switch {
	case depth > maxDepth:
		return errorAt(n, "this is nested too deeply")
	case n.Anchor != "":
		return errorAt(n, "anchors (&%.20s) are not allowed", n.Anchor)
	case n.Style&yaml.TaggedStyle != 0:
		return errorAt(n, "tags (%.20q) are not allowed", n.Tag)
	case n.Tag == "!!merge":
		return errorAt(n, "merge keys (<<) are not allowed")
	}
	for _, child := range n.Content {
		if err := checkPlain(child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func errorAt(n *yaml.Node, format string, args ...any) *Error {
	return &Error{n.Line, n.Column, fmt.Sprintf(format, args...)}
}

// syntaxError gives a fault that yaml.v3 found its position. yaml.v3 says "yaml:
// line 3: what", without the line if it is the first. It counts from 0 in what its
// parser says and from 1 in what its scanner says; all that the parser says about
// a tree without tags begins with "did not find expected".
func syntaxError(src []byte, err error) *Error {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 0
	if before, after, found := strings.Cut(msg, ": "); found {
		if n, err := strconv.Atoi(strings.TrimPrefix(before, "line ")); err == nil {
			line, msg = n, after
		}
	}
	if strings.HasPrefix(msg, "unknown anchor") {
		msg = "an alias (*) of no anchor"
	}
	if strings.HasPrefix(msg, "did not find expected") {
		line++
	}
	lines := strings.Split(string(src), "\n")
	line = min(max(line, 1), len(lines))
	text := lines[line-1]
	indent := len(text) - len(strings.TrimLeft(text, " \t"))
	return &Error{line, indent + 1, "this is not YAML: " + msg}
}

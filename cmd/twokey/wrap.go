package main

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// screen is how many columns every terminal has.
const screen = 80

// wrapper wraps the help texts, which the library writes, at the width of a screen. It keeps a line until its end is written.
type wrapper struct {
	to   io.Writer
	line []byte
}

// Write passes on the lines that have ended.
func (w *wrapper) Write(text []byte) (int, error) {
	w.line = append(w.line, text...)
	for {
		end := bytes.IndexByte(w.line, '\n')
		if end < 0 {
			return len(text), nil
		}
		if _, err := io.WriteString(w.to, wrapLine(string(w.line[:end]))+"\n"); err != nil {
			return 0, err
		}
		w.line = w.line[end+1:]
	}
}

// described is a line of which the second column is explained: an option, a command.
var described = regexp.MustCompile(`^ +\S.*?  +`)

// wrapLine folds a line under where its text begins.
func wrapLine(line string) string {
	if utf8.RuneCountInString(line) <= screen {
		return line
	}
	first := described.FindString(line)
	if first == "" {
		first = line[:len(line)-len(strings.TrimLeft(line, " "))]
	}
	rest, indent := line[len(first):], strings.Repeat(" ", utf8.RuneCountInString(first))
	return first + strings.Join(fold(rest, screen-len(indent)), "\n"+indent)
}

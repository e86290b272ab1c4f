package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// maxAnswer is the longest line that is read, in bytes: no code, secret or password is longer.
const maxAnswer = 4096

var (
	errInterrupted = errors.New("interrupted, nothing was changed")
	errNoInput     = errors.New("standard input has ended, an answer was expected")
)

// input is standard input, line by line.
type input struct {
	file   *os.File // nil: not one
	lines  *bufio.Reader
	remote *remote // the person is at the other end of the socket, and nothing else counts; nil: he is not
}

func newInput(r io.Reader) *input {
	file, _ := r.(*os.File)
	return &input{file: file, lines: bufio.NewReaderSize(r, maxAnswer)}
}

// far is the other end of the socket; nil: there is none.
func (in *input) far() *remote {
	if in == nil {
		return nil
	}
	return in.remote
}

// terminal reports whether a person can be asked.
func (in *input) terminal() bool {
	if far := in.far(); far != nil {
		return far.request.Person
	}
	return in.file != nil && term.IsTerminal(int(in.file.Fd()))
}

// line asks and reads one line. An interrupt is an error and does not end the program, so that whoever asked can clean up, and a
// terminal that does not show what is typed shows it again. It is hidden before the question is put: some answer at once.
func (in *input) line(hidden bool, ask func()) (string, error) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer signal.Stop(signals)
	if hidden && in.terminal() {
		show, err := hideTyping(int(in.file.Fd()))
		if err != nil {
			return "", fmt.Errorf("the terminal would show what is typed: %w", err)
		}
		defer show()
	}
	ask()
	type result struct {
		line string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		line, err := in.read()
		done <- result{line, err}
	}()
	select {
	case <-signals:
		return "", errInterrupted
	case r := <-done:
		return r.line, r.err
	}
}

func (in *input) read() (string, error) {
	line, err := in.lines.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	case errors.Is(err, io.EOF) && len(line) == 0:
		return "", errNoInput
	case err != nil && !errors.Is(err, io.EOF):
		return "", err
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

// hideTyping stops the terminal from showing what is typed until the function that it returns is called.
func hideTyping(terminal int) (show func(), err error) {
	before, err := unix.IoctlGetTermios(terminal, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	silent := *before
	silent.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(terminal, unix.TCSETS, &silent); err != nil {
		return nil, err
	}
	return func() { _ = unix.IoctlSetTermios(terminal, unix.TCSETS, before) }, nil // a terminal that has gone needs nothing
}

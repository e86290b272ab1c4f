package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// The protocol between twokey, run by somebody who is not root, and twokey serve-self, which systemd starts as root for each
// connection to /run/twokey/self.sock.
//
// Every message is one JSON object on a line of its own, of at most 65536 bytes with the newline, in UTF-8. A line must be exactly what
// the sender's encoder makes of it: fields in this order, all of them, none twice, no blanks. Any other line ends the connection.
//
//	client, first, within 10 s:  {"version":1,"argv":["enroll","--device","phone"],"columns":80,"person":true,"utf8":true}
//	server, as often as needed:  {"kind":"out","text":"…","status":0}
//	client, after each question: {"kind":"answer","text":"…"}
//	server, last:                {"kind":"exit","text":"","status":0}
//
// argv is what stands behind the program's name, at most 64 words of no NUL: it says everything that is wished, and what the client has in its
// environment goes nowhere. columns is the width of the client's terminal, 0 when its standard output is none, at most 10000; person, whether
// somebody sits at its standard input; utf8, whether its terminal shows letters beyond ASCII.
//
// A message of the server is text for standard output ("out") or standard error ("err"); a picture in half blocks ("picture"), which the
// client colours itself; an address ("address") that the client draws into the picture which it was told to write, and which stands as "file"
// behind --qr in argv; a question whose answer is shown ("shown") or not ("hidden"); or the exit status ("exit", 0 to 255), behind which
// nothing comes. Text has at most 8192 bytes; what is longer comes in parts.
//
// An answer ("answer") has at most 4096 bytes and is one line; the other two kinds have no text: there is none ("none"), since standard
// input has ended, or the person has interrupted ("interrupted").
//
// Who the client is the server learns from the kernel (SO_PEERCRED), and from nothing that the client says. The client says nothing
// to a server that is not root's, and shows its words with every control character but the newline replaced.
const (
	selfVersion    = 1
	selfMaxMessage = 65536 // bytes, with the newline
	selfMaxWords   = 64
	selfMaxColumns = 10000
	selfMaxText    = 8192 // bytes; JSON makes at most 6 of one, and quotes and names have room beside them
	selfFirst      = 10 * time.Second
	selfPatience   = 10 * time.Minute // of the server: to type an answer, or to read what is shown
)

// The kinds of a server's message beside the questions, pamHidden and pamShown, and those of an answer.
const (
	selfOut     = "out"
	selfErr     = "err"
	selfPicture = "picture"
	selfAddress = "address"
	selfExit    = "exit"

	selfAnswered    = "answer"
	selfNone        = "none"
	selfInterrupted = "interrupted"
)

type selfRequest struct {
	Version int      `json:"version"`
	Argv    []string `json:"argv"`
	Columns int      `json:"columns"`
	Person  bool     `json:"person"`
	UTF8    bool     `json:"utf8"`
}

type selfMessage struct {
	Kind   string `json:"kind"`
	Text   string `json:"text"`
	Status int    `json:"status"`
}

type selfAnswer struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// errSelf is a line that the protocol does not have.
var errSelf = errors.New("the other side does not speak the protocol of this version of twokey")

func (r selfRequest) check() error {
	switch {
	case r.Version != selfVersion:
		return fmt.Errorf("%w: version %d", errSelf, r.Version)
	case r.Argv == nil || len(r.Argv) > selfMaxWords:
		return fmt.Errorf("%w: %d words", errSelf, len(r.Argv))
	case slices.ContainsFunc(r.Argv, func(word string) bool { return strings.Contains(word, "\x00") }):
		return fmt.Errorf("%w: a NUL in a word", errSelf)
	case r.Columns < 0 || r.Columns > selfMaxColumns:
		return fmt.Errorf("%w: %d columns", errSelf, r.Columns)
	}
	return nil
}

func (m selfMessage) check() error {
	kinds := []string{selfOut, selfErr, selfPicture, selfAddress, pamShown, pamHidden, selfExit}
	switch {
	case !slices.Contains(kinds, m.Kind), len(m.Text) > selfMaxText, m.Status < 0, m.Status > 255:
		return fmt.Errorf("%w: a message of the kind %q", errSelf, m.Kind)
	case m.Kind == selfExit && m.Text != "", m.Kind != selfExit && m.Status != 0:
		return fmt.Errorf("%w: text or status out of place", errSelf)
	}
	return nil
}

func (a selfAnswer) check() error {
	switch {
	case a.Kind == selfAnswered && len(a.Text) <= maxAnswer && !strings.ContainsAny(a.Text, "\n\x00"):
	case (a.Kind == selfNone || a.Kind == selfInterrupted) && a.Text == "":
	default:
		return fmt.Errorf("%w: an answer of the kind %q", errSelf, a.Kind)
	}
	return nil
}

// selfValue is what a line can be.
type selfValue interface {
	selfRequest | selfMessage | selfAnswer
	check() error
}

// encodeSelf makes a line, with its newline.
func encodeSelf[V selfValue](v V) ([]byte, error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	if b.Len() > selfMaxMessage {
		return nil, fmt.Errorf("a message has at most %d bytes, this one would have %d", selfMaxMessage, b.Len())
	}
	return b.Bytes(), nil
}

// parseSelf reads a line, with its newline. It is nil with an error unless the line is what [encodeSelf] makes of what it means.
func parseSelf[V selfValue](line []byte) (*V, error) {
	if len(line) > selfMaxMessage {
		return nil, fmt.Errorf("%w: %d bytes", errSelf, len(line))
	}
	var v V
	if err := json.Unmarshal(line, &v); err != nil {
		return nil, fmt.Errorf("%w: %w", errSelf, err)
	}
	if canonical, err := encodeSelf(v); err != nil || !bytes.Equal(canonical, line) {
		return nil, errors.Join(errSelf, err)
	}
	return &v, nil
}

// readSelf reads the next line. A connection that ends is io.EOF, also in the middle of one.
func readSelf[V selfValue](from *bufio.Reader) (*V, error) {
	line, err := from.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, fmt.Errorf("%w: a line of more than %d bytes", errSelf, selfMaxMessage)
	}
	if err != nil {
		return nil, err
	}
	return parseSelf[V](line)
}

// selfReader has room for one message.
func selfReader(from io.Reader) *bufio.Reader { return bufio.NewReaderSize(from, selfMaxMessage) }

// parts cuts text into pieces that a message can carry, between characters, and makes UTF-8 of what is none.
func parts(text string) []string {
	text = strings.ToValidUTF8(text, "?")
	var all []string
	for len(text) > selfMaxText {
		end := selfMaxText
		for !utf8.RuneStart(text[end]) {
			end--
		}
		all, text = append(all, text[:end]), text[end:]
	}
	return append(all, text)
}

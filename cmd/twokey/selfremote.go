package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"time"
)

// errGone is why a question has no answer when the client has ended, or says nothing any more.
var errGone = errors.New("the terminal has gone, nothing was changed")

// remote is the person at the other end of the socket: root's side of what would else be a terminal.
type remote struct {
	conn    net.Conn
	from    *bufio.Reader
	request selfRequest
}

// newRemote reads the first message, which has to come soon.
//
// Attack: connections that say nothing, until there are no more to be had.
func newRemote(conn net.Conn) (*remote, error) {
	r := &remote{conn: conn, from: selfReader(conn)}
	if err := conn.SetReadDeadline(time.Now().Add(selfFirst)); err != nil {
		return nil, err
	}
	request, err := readSelf[selfRequest](r.from)
	if err != nil {
		return nil, err
	}
	r.request = *request
	return r, nil
}

// send shows text at the other end.
func (r *remote) send(kind, text string) error {
	if err := r.conn.SetWriteDeadline(time.Now().Add(selfPatience)); err != nil {
		return err
	}
	for _, part := range parts(text) {
		if err := tell(r.conn, selfMessage{Kind: kind, Text: part}); err != nil {
			return err
		}
	}
	return nil
}

// exit is the last word.
func (r *remote) exit(status int) error {
	return tell(r.conn, selfMessage{Kind: selfExit, Status: status})
}

// ask puts a question and waits for the answer.
func (r *remote) ask(question string, hidden bool) (string, error) {
	kind := pamShown
	if hidden {
		kind = pamHidden
	}
	last := parts(question)
	if err := r.send(kind, last[0]); err != nil || len(last) > 1 {
		return "", errors.Join(errGone, err)
	}
	if err := r.conn.SetReadDeadline(time.Now().Add(selfPatience)); err != nil {
		return "", err
	}
	answer, err := readSelf[selfAnswer](r.from)
	switch {
	case errors.Is(err, errSelf):
		return "", err
	case err != nil:
		return "", errGone
	case answer.Kind == selfNone:
		return "", errNoInput
	case answer.Kind == selfInterrupted:
		return "", errInterrupted
	}
	return answer.Text, nil
}

// writer is one of the other end's two outputs.
func (r *remote) writer(kind string) io.Writer { return remoteWriter{r, kind} }

type remoteWriter struct {
	to   *remote
	kind string
}

// Write sends text.
func (w remoteWriter) Write(text []byte) (int, error) {
	if err := w.to.send(w.kind, string(text)); err != nil {
		return 0, err
	}
	return len(text), nil
}

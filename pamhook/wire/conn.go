package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Conn is the helper's end of the socket: it keeps the order of frames that the package comment demands. It is not for
// concurrent use. After an error every further call fails with the same error; but after ErrLate, which says that the stream's time for
// reading was over at a question, Info and a denying Finish still work.
type Conn struct {
	rw    io.ReadWriter
	hello *Hello
	sent  int
	asked bool // GET_AUTHTOK was sent
	typed int  // bytes of its answer; 0: there is nothing to cut
	done  bool
	late  bool // the time for reading was over at a question: INFO and DENY can still be said
	err   error
}

// Accept reads the HELLO with which every run begins.
func Accept(rw io.ReadWriter) (*Conn, error) {
	f, err := ReadFrame(rw)
	if err != nil {
		return nil, err
	}
	if f.Type != TypeHello {
		return nil, ErrOrder
	}
	h, err := ParseHello(f.Payload)
	if err != nil {
		return nil, err
	}
	return &Conn{rw: rw, hello: h}, nil
}

// Hello returns what the module said at the beginning.
func (c *Conn) Hello() *Hello { return c.hello }

// Prompt asks the person one question and returns what was typed, without NUL, 0 to 1024 bytes of any kind else; reason is not zero
// when there is no answer, and says why. It fails with ErrText for a text that may not be shown, with ErrOrder for a reply that
// is none, and with what reading or writing failed with.
func (c *Conn) Prompt(text string, echo bool) (answer []byte, reason NoAnswer, err error) {
	if !textAllowed(text) {
		return nil, 0, c.fail(ErrText)
	}
	var shown byte
	if echo {
		shown = 1
	}
	return c.answer(Frame{TypePrompt, append([]byte{shown}, text...)})
}

// Authtok asks for the password, or what is typed in its field, with the given prompt, through PAM_AUTHTOK: what a module before
// ours has got already is returned without a question. Results are as Prompt's, but never AnswerIsPassword. It may be called
// once, in PhaseAuthenticate, else it fails with ErrOrder. ErrVersion says that the module is of OldVersion and cannot do it:
// nothing was sent, and other calls still work.
func (c *Conn) Authtok(prompt string) (typed []byte, reason NoAnswer, err error) {
	if c.err == nil && c.hello.Version == OldVersion {
		return nil, 0, ErrVersion
	}
	if c.asked || c.hello.Phase != PhaseAuthenticate {
		return nil, 0, c.fail(ErrOrder)
	}
	if !textAllowed(prompt) {
		return nil, 0, c.fail(ErrText)
	}
	c.asked = true
	typed, reason, err = c.answer(Frame{TypeGetAuthtok, []byte(prompt)})
	if reason == AnswerIsPassword {
		return nil, 0, c.fail(ErrOrder)
	}
	c.typed = len(typed)
	return typed, reason, err
}

// CutAuthtok tells the module to cut the last n bytes off PAM_AUTHTOK if the verdict is ALLOW, so that the modules behind it get
// the password alone. n is at least 1 and less than Authtok returned, and it may be called once, else it fails with ErrOrder. With
// a module of OldVersion there is nothing to cut.
func (c *Conn) CutAuthtok(n int) error {
	if n < 1 || n >= c.typed {
		return c.fail(ErrOrder)
	}
	c.typed = 0
	return c.send(Frame{TypeCutAuthtok, binary.BigEndian.AppendUint16(nil, uint16(n))})
}

// answer sends a question that a person answers.
func (c *Conn) answer(question Frame) (answer []byte, reason NoAnswer, err error) {
	f, err := c.ask(question)
	if err != nil {
		return nil, 0, err
	}
	switch {
	case f.Type == TypeAnswer && bytes.IndexByte(f.Payload, 0) < 0:
		return f.Payload, 0, nil
	case f.Type == TypeNoAnswer && len(f.Payload) == 1 && f.Payload[0] >= 1 && f.Payload[0] <= byte(ClientGone):
		return nil, NoAnswer(f.Payload[0]), nil
	}
	return nil, 0, c.fail(ErrOrder)
}

// Info shows the person a text, as an error where isError is set.
func (c *Conn) Info(text string, isError bool) error {
	if !textAllowed(text) {
		return c.fail(ErrText)
	}
	var kind byte
	if isError {
		kind = 1
	}
	return c.send(Frame{TypeInfo, append([]byte{kind}, text...)})
}

// LookupGroup asks whether the user of HELLO is a member of the group with this name (1 to 256 bytes without NUL, else ErrText).
// With an error the answer is LookupFailed.
func (c *Conn) LookupGroup(name string) (Membership, error) {
	if name == "" || len(name) > MaxGroupName || strings.IndexByte(name, 0) >= 0 {
		return LookupFailed, c.fail(ErrText)
	}
	f, err := c.ask(Frame{TypeLookupGroup, []byte(name)})
	if err != nil {
		return LookupFailed, err
	}
	if f.Type != TypeGroup || len(f.Payload) != 1 || f.Payload[0] > byte(LookupFailed) {
		return LookupFailed, c.fail(ErrOrder)
	}
	return Membership(f.Payload[0]), nil
}

// Wait tells the module that nothing will be said for up to so many seconds, 1 to 90.
func (c *Conn) Wait(seconds int) error {
	if seconds < 1 || seconds > MaxWait {
		return c.fail(ErrFrame)
	}
	return c.send(Frame{TypeWait, binary.BigEndian.AppendUint16(nil, uint16(seconds))})
}

// Finish sends the verdict; nothing can be sent after it. t is TypeAllow, TypeDeny or TypeIgnore; accountAsks belongs to
// TypeAllow and announces that the account phase has something to ask. With FlagItemTooLong, and after ErrLate, everything but TypeDeny fails
// with ErrOrder.
func (c *Conn) Finish(t Type, accountAsks bool) error {
	if t != TypeDeny && (c.late || c.hello.Flags&FlagItemTooLong != 0) {
		return c.fail(ErrOrder)
	}
	payload := append([]byte(nil), c.hello.Nonce[:]...)
	switch t {
	case TypeAllow:
		var flags byte
		if accountAsks {
			flags = 1
		}
		payload = append(payload, flags)
	case TypeDeny, TypeIgnore:
	default:
		return c.fail(ErrFrame)
	}
	if err := c.send(Frame{t, payload}); err != nil {
		return err
	}
	c.done = true
	return nil
}

func (c *Conn) ask(f Frame) (Frame, error) {
	if c.late && c.err == nil {
		return Frame{}, ErrLate
	}
	if err := c.send(f); err != nil {
		return Frame{}, err
	}
	answer, err := ReadFrame(c.rw)
	var expired interface{ Timeout() bool }
	if errors.As(err, &expired) && expired.Timeout() {
		c.late = true
		return Frame{}, fmt.Errorf("%w: %w", ErrLate, err)
	}
	if err != nil {
		return Frame{}, c.fail(err)
	}
	return answer, nil
}

func (c *Conn) send(f Frame) error {
	if c.err != nil {
		return c.err
	}
	if c.done {
		return c.fail(ErrOrder)
	}
	if c.sent++; c.sent > MaxFrames {
		return c.fail(ErrFrames)
	}
	if _, err := c.rw.Write(f.Append(nil)); err != nil {
		return c.fail(err)
	}
	return nil
}

func (c *Conn) fail(err error) error {
	if c.err == nil {
		c.err = err
	}
	return c.err
}

package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

var errBroken = errors.New("broken")

// brokenWriter is a socket whose other end has gone.
type brokenWriter struct{ io.Reader }

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func frames(fs ...Frame) (b []byte) {
	for _, f := range fs {
		b = f.Append(b)
	}
	return b
}

func TestPromptTellsWhyThereIsNoAnswer(t *testing.T) {
	for reason := ConversationFailed; reason <= ClientGone; reason++ {
		c, _ := accepted(t, frames(Frame{TypeNoAnswer, []byte{byte(reason)}}))
		answer, got, err := c.Prompt("Code: ", false)
		if answer != nil || got != reason || err != nil {
			t.Errorf("%d: %q, %d, %v", reason, answer, got, err)
		}
	}
}

func TestPromptSaysWhetherTheAnswerIsShown(t *testing.T) {
	c, p := accepted(t, frames(Frame{TypeAnswer, nil}, Frame{TypeAnswer, []byte("y")}))
	hidden, _, err := c.Prompt("Code: ", false)
	if err != nil || hidden == nil || len(hidden) != 0 {
		t.Errorf("empty answer: %v, %v", hidden, err)
	}
	if _, _, err := c.Prompt("Which? ", true); err != nil {
		t.Error(err)
	}
	if want := frames(Frame{TypePrompt, []byte("\x00Code: ")}, Frame{TypePrompt, []byte("\x01Which? ")}); !bytes.Equal(p.sent.Bytes(), want) {
		t.Errorf("sent %q, want %q", p.sent.Bytes(), want)
	}
}

func TestLookupGroupReturnsEachMembership(t *testing.T) {
	for want := NoSuchGroup; want <= LookupFailed; want++ {
		c, _ := accepted(t, frames(Frame{TypeGroup, []byte{byte(want)}}))
		if got, err := c.LookupGroup("wheel"); got != want || err != nil {
			t.Errorf("%d: %d, %v", want, got, err)
		}
	}
}

func TestLookupGroupFailsAsLookupFailed(t *testing.T) {
	c, _ := accepted(t, frames(Frame{TypeGroup, []byte{9}}))
	if got, err := c.LookupGroup("wheel"); got != LookupFailed || !errors.Is(err, ErrOrder) {
		t.Errorf("%d, %v", got, err)
	}
	c, _ = accepted(t, nil)
	if got, err := c.LookupGroup("wheel"); got != LookupFailed || !errors.Is(err, io.EOF) {
		t.Errorf("%d, %v", got, err)
	}
}

func TestNothingIsSentThatTheModuleWouldRefuse(t *testing.T) {
	for name, send := range map[string]func(*Conn) error{
		"a prompt with an escape sequence": func(c *Conn) error { _, _, err := c.Prompt("\x1b[2J", false); return err },
		"a prompt with a return":           func(c *Conn) error { _, _, err := c.Prompt("a\r", false); return err },
		"a prompt with NUL":                func(c *Conn) error { _, _, err := c.Prompt("a\x00", false); return err },
		"a prompt that is not UTF-8":       func(c *Conn) error { _, _, err := c.Prompt("\xff", false); return err },
		"a prompt that is too long":        func(c *Conn) error { _, _, err := c.Prompt(strings.Repeat("a", MaxText+1), false); return err },
		"a text with DEL":                  func(c *Conn) error { return c.Info("\x7f", false) },
		"a text with U+0085":               func(c *Conn) error { return c.Info("\u0085", false) },
		"a text with U+009B":               func(c *Conn) error { return c.Info("\u009b31m", true) },
		"a group without a name":           func(c *Conn) error { _, err := c.LookupGroup(""); return err },
		"a group with NUL":                 func(c *Conn) error { _, err := c.LookupGroup("wheel\x00x"); return err },
		"a group name that is too long":    func(c *Conn) error { _, err := c.LookupGroup(strings.Repeat("g", MaxGroupName+1)); return err },
		"no wait":                          func(c *Conn) error { return c.Wait(0) },
		"too long a wait":                  func(c *Conn) error { return c.Wait(MaxWait + 1) },
		"a negative wait":                  func(c *Conn) error { return c.Wait(-1) },
		"a verdict that is none":           func(c *Conn) error { return c.Finish(TypePrompt, false) },
	} {
		t.Run(name, func(t *testing.T) {
			c, p := accepted(t, frames(Frame{TypeAnswer, nil}))
			first := send(c)
			if first == nil || p.sent.Len() != 0 {
				t.Fatalf("sent %q, %v", p.sent.Bytes(), first)
			}
			if err := c.Finish(TypeAllow, false); !errors.Is(err, first) || p.sent.Len() != 0 {
				t.Errorf("ALLOW after an error: sent %q, %v", p.sent.Bytes(), err)
			}
		})
	}
}

func TestLongestThingsAreSent(t *testing.T) {
	c, p := accepted(t, frames(Frame{TypeGroup, []byte{2}}))
	if err := c.Info("\n"+strings.Repeat("▀", MaxText/3), true); err != nil {
		t.Error(err)
	}
	if _, err := c.LookupGroup(strings.Repeat("g", MaxGroupName)); err != nil {
		t.Error(err)
	}
	if err := c.Wait(MaxWait); err != nil {
		t.Error(err)
	}
	if !bytes.HasSuffix(p.sent.Bytes(), frames(Frame{TypeWait, []byte{0, MaxWait}})) {
		t.Errorf("WAIT is not what was sent last: %x", p.sent.Bytes()[p.sent.Len()-8:])
	}
}

func TestVerdicts(t *testing.T) {
	for name, c := range map[string]struct {
		verdict Type
		asks    bool
		want    Frame
	}{
		"ALLOW":                         {TypeAllow, false, Frame{TypeAllow, make([]byte, NonceSize+1)}},
		"ALLOW, the account phase asks": {TypeAllow, true, Frame{TypeAllow, append(make([]byte, NonceSize), 1)}},
		"DENY":                          {TypeDeny, true, Frame{TypeDeny, make([]byte, NonceSize)}},
		"IGNORE":                        {TypeIgnore, true, Frame{TypeIgnore, make([]byte, NonceSize)}},
	} {
		t.Run(name, func(t *testing.T) {
			conn, p := accepted(t, nil)
			if err := conn.Finish(c.verdict, c.asks); err != nil || !bytes.Equal(p.sent.Bytes(), frames(c.want)) {
				t.Errorf("sent %x, %v", p.sent.Bytes(), err)
			}
			if err := conn.Finish(TypeAllow, false); !errors.Is(err, ErrOrder) || p.sent.Len() != len(frames(c.want)) {
				t.Errorf("a second verdict: %v, %x", err, p.sent.Bytes())
			}
			if err := conn.Info("more", false); !errors.Is(err, ErrOrder) {
				t.Errorf("a text after the verdict: %v", err)
			}
		})
	}
}

func TestVerdictCarriesTheNonceOfHello(t *testing.T) {
	h := smallHello()
	copy(h.Nonce[:], "0123456789abcdef")
	payload, err := h.Encode()
	if err != nil {
		t.Fatal(err)
	}
	p := &pipe{Reader: bytes.NewReader(frames(Frame{TypeHello, payload}))}
	c, err := Accept(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Finish(TypeDeny, false); err != nil || !bytes.Equal(p.sent.Bytes(), frames(Frame{TypeDeny, []byte("0123456789abcdef")})) {
		t.Errorf("sent %q, %v", p.sent.Bytes(), err)
	}
}

func TestNoMoreFramesAreSentThanThereMayBe(t *testing.T) {
	c, p := accepted(t, nil)
	for range MaxFrames {
		if err := c.Wait(1); err != nil {
			t.Fatal(err)
		}
	}
	sent := p.sent.Len()
	if err := c.Finish(TypeAllow, false); !errors.Is(err, ErrFrames) || p.sent.Len() != sent {
		t.Errorf("one more: %v", err)
	}
}

func TestBrokenSocketIsRemembered(t *testing.T) {
	payload, err := smallHello().Encode()
	if err != nil {
		t.Fatal(err)
	}
	c, err := Accept(brokenWriter{bytes.NewReader(frames(Frame{TypeHello, payload}))})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Info("hello", false); !errors.Is(err, errBroken) {
		t.Errorf("first: %v", err)
	}
	if err := c.Info("\x1b", false); !errors.Is(err, errBroken) {
		t.Errorf("second: %v", err)
	}
	if err := c.Finish(TypeAllow, false); !errors.Is(err, errBroken) {
		t.Errorf("verdict: %v", err)
	}
}

// late is the error of a socket whose deadline has passed.
type late struct{}

func (late) Error() string   { return "i/o timeout" }
func (late) Timeout() bool   { return true }
func (late) Temporary() bool { return true }

// afterwards is a socket whose deadline has passed at the first read.
type afterwards struct {
	io.Reader
	passed bool
}

func (a *afterwards) Read(b []byte) (int, error) {
	if !a.passed {
		a.passed = true
		return 0, late{}
	}
	return a.Reader.Read(b)
}

// When the time is over at a question, what there is to say still goes out, and nothing that lets in.
func TestAfterTheTimeForReadingItCanStillBeDenied(t *testing.T) {
	ask := func(c *Conn) error { _, _, err := c.Prompt("Code: ", false); return err }
	look := func(c *Conn) error { _, err := c.LookupGroup("wheel"); return err }
	for name, first := range map[string]func(*Conn) error{"a question": ask, "a group": look} {
		for _, verdict := range []Type{TypeDeny, TypeAllow, TypeIgnore} {
			c, p := accepted(t, nil)
			// The answer that comes too late is not that of a later question.
			p.Reader = &afterwards{Reader: bytes.NewReader(frames(Frame{TypeAnswer, []byte("123456")}, Frame{TypeGroup, []byte{byte(Member)}}))}
			for _, ask := range []func(*Conn) error{first, ask, look} {
				if err := ask(c); !errors.Is(err, ErrLate) {
					t.Errorf("%s: %v", name, err)
				}
			}
			p.sent.Reset()
			if err := c.Info("It is over.", true); err != nil {
				t.Errorf("%s: a text: %v", name, err)
			}
			want := frames(Frame{TypeInfo, []byte("\x01It is over.")})
			if verdict == TypeDeny {
				want = append(want, frames(Frame{TypeDeny, make([]byte, NonceSize)})...)
			}
			if err := c.Finish(verdict, false); (err == nil) != (verdict == TypeDeny) || !bytes.Equal(p.sent.Bytes(), want) {
				t.Errorf("%s, %#x: %v, sent %q", name, verdict, err, p.sent.Bytes())
			}
		}
	}
}

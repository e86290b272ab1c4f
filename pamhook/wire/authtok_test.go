package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// versioned returns the helper's end of a run of a module of some version in some phase.
func versioned(t *testing.T, version byte, phase Phase, then ...Frame) (*Conn, *pipe) {
	t.Helper()
	h := smallHello()
	h.Version, h.Phase = version, phase
	payload, err := h.Encode()
	if err != nil {
		t.Fatal(err)
	}
	p := &pipe{Reader: bytes.NewReader(append(frames(Frame{TypeHello, payload}), frames(then...)...))}
	c, err := Accept(p)
	if err != nil {
		t.Fatal(err)
	}
	return c, p
}

func TestAuthtokTellsWhyThereIsNone(t *testing.T) {
	for reason := ConversationFailed; reason <= ClientGone; reason++ {
		c, _ := accepted(t, frames(Frame{TypeNoAnswer, []byte{byte(reason)}}))
		typed, got, err := c.Authtok("Password: ")
		if reason == AnswerIsPassword {
			if typed != nil || got != 0 || !errors.Is(err, ErrOrder) {
				t.Errorf("it is not compared with the password, yet: %q, %d, %v", typed, got, err)
			}
		} else if typed != nil || got != reason || err != nil {
			t.Errorf("%d: %q, %d, %v", reason, typed, got, err)
		}
		if err := c.CutAuthtok(1); !errors.Is(err, ErrOrder) {
			t.Errorf("%d: cut off nothing: %v", reason, err)
		}
	}
}

func TestAuthtokIsNotAskedWhereItCannotBe(t *testing.T) {
	answer := Frame{TypeAnswer, []byte("hunter2123456")}
	for name, c := range map[string]struct {
		phase Phase
		call  func(*Conn) error
		want  error
		sent  int // frames before the one that is refused
	}{
		"in the account phase":      {PhaseAccount, askAndCut(), ErrOrder, 0},
		"when a session opens":      {PhaseOpenSession, askAndCut(), ErrOrder, 0},
		"a prompt that is no text":  {PhaseAuthenticate, func(c *Conn) error { return authtok(c, "\x1b") }, ErrText, 0},
		"a second time":             {PhaseAuthenticate, func(c *Conn) error { return errors.Join(authtok(c, ""), authtok(c, "")) }, ErrOrder, 1},
		"cut without an answer":     {PhaseAuthenticate, func(c *Conn) error { return c.CutAuthtok(1) }, ErrOrder, 0},
		"cut off a prompt's answer": {PhaseAuthenticate, promptAndCut, ErrOrder, 1},
		"cut everything":            {PhaseAuthenticate, askAndCut(13), ErrOrder, 1},
		"cut more":                  {PhaseAuthenticate, askAndCut(14), ErrOrder, 1},
		"cut nothing":               {PhaseAuthenticate, askAndCut(0), ErrOrder, 1},
		"cut less than nothing":     {PhaseAuthenticate, askAndCut(-1), ErrOrder, 1},
		"cut 65536 and one bytes":   {PhaseAuthenticate, askAndCut(65537), ErrOrder, 1},
		"cut twice":                 {PhaseAuthenticate, askAndCut(2, 2), ErrOrder, 2},
	} {
		t.Run(name, func(t *testing.T) {
			conn, p := versioned(t, Version, c.phase, answer, answer)
			if err := c.call(conn); !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			for range c.sent {
				if _, err := ReadFrame(&p.sent); err != nil {
					t.Errorf("fewer frames than %d were sent: %v", c.sent, err)
				}
			}
			if p.sent.Len() != 0 {
				t.Errorf("sent %q", p.sent.Bytes())
			}
			if err := conn.Finish(TypeAllow, false); !errors.Is(err, c.want) || p.sent.Len() != 0 {
				t.Errorf("ALLOW after an error: %v", err)
			}
		})
	}
}

func authtok(c *Conn, prompt string) error {
	_, _, err := c.Authtok(prompt)
	return err
}

// askAndCut asks for the password and cuts it, once for each length.
func askAndCut(lengths ...int) func(*Conn) error {
	return func(c *Conn) error {
		err := authtok(c, "Password: ")
		for _, n := range lengths {
			err = errors.Join(err, c.CutAuthtok(n))
		}
		return err
	}
}

func promptAndCut(c *Conn) error {
	_, _, err := c.Prompt("Code: ", false)
	return errors.Join(err, c.CutAuthtok(1))
}

func TestOneByteAndAllButOneCanBeCut(t *testing.T) {
	for _, n := range []int{1, MaxAnswer - 1} {
		c, p := accepted(t, frames(Frame{TypeAnswer, bytes.Repeat([]byte("a"), MaxAnswer)}))
		if err := errors.Join(authtok(c, "Password: "), c.CutAuthtok(n)); err != nil {
			t.Error(err)
		}
		if want := frames(Frame{TypeCutAuthtok, []byte{byte(n >> 8), byte(n)}}); !bytes.HasSuffix(p.sent.Bytes(), want) {
			t.Errorf("%d: sent %x", n, p.sent.Bytes())
		}
	}
}

// TestModuleOfVersion1: an application may have been running since before an upgrade.
func TestModuleOfVersion1(t *testing.T) {
	c, p := versioned(t, OldVersion, PhaseAuthenticate, Frame{TypeAnswer, []byte("123456")})
	if typed, reason, err := c.Authtok("Password: "); typed != nil || reason != 0 || !errors.Is(err, ErrVersion) || p.sent.Len() != 0 {
		t.Errorf("Authtok: %q, %d, %v, sent %q", typed, reason, err, p.sent.Bytes())
	}
	if answer, _, err := c.Prompt("Code: ", false); err != nil || string(answer) != "123456" {
		t.Errorf("a prompt is still possible: %q, %v", answer, err)
	}
	if err := c.Finish(TypeAllow, false); err != nil {
		t.Error(err)
	}
	if err := authtok(c, ""); !errors.Is(err, ErrVersion) {
		t.Errorf("after the verdict: %v", err)
	}
	c, p = versioned(t, OldVersion, PhaseAuthenticate)
	if err := c.CutAuthtok(1); !errors.Is(err, ErrOrder) || p.sent.Len() != 0 {
		t.Errorf("CutAuthtok: %v", err)
	}
}

// TestItemTooLongCanOnlyBeDenied: what is left out might be the source that a rule denies.
func TestItemTooLongCanOnlyBeDenied(t *testing.T) {
	for _, verdict := range []Type{TypeAllow, TypeIgnore, TypeDeny} {
		h := smallHello()
		h.Flags = FlagItemTooLong
		payload, err := h.Encode()
		if err != nil {
			t.Fatal(err)
		}
		p := &pipe{Reader: bytes.NewReader(frames(Frame{TypeHello, payload}))}
		c, err := Accept(p)
		if err != nil {
			t.Fatal(err)
		}
		err = c.Finish(verdict, false)
		if verdict == TypeDeny {
			if err != nil || p.sent.Len() == 0 {
				t.Errorf("DENY: %v", err)
			}
		} else if !errors.Is(err, ErrOrder) || p.sent.Len() != 0 {
			t.Errorf("%#x: sent %x, %v", verdict, p.sent.Bytes(), err)
		}
	}
}

// FuzzAuthtok: whatever a module answers, no more is cut than leaves something, and nothing is sent after an error.
func FuzzAuthtok(f *testing.F) {
	seeds := 0
	for _, file := range readFrameFiles(f) {
		if file.name == "answer" || strings.HasSuffix(file.name, "-for-authtok") {
			f.Add(file.bytes, 6)
			seeds++
		}
	}
	if seeds != 7 {
		f.Fatalf("%d seeds, want 7", seeds)
	}
	f.Fuzz(func(t *testing.T, said []byte, n int) {
		c, p := accepted(t, said)
		typed, reason, err := c.Authtok("Password: ")
		if len(typed) > MaxAnswer || bytes.IndexByte(typed, 0) >= 0 || (err != nil || reason != 0) && typed != nil {
			t.Fatalf("typed %q, %d, %v", typed, reason, err)
		}
		sent := p.sent.Len()
		if cut := c.CutAuthtok(n); (cut == nil) != (n >= 1 && n < len(typed)) {
			t.Errorf("%d of %d bytes are cut: %v", n, len(typed), cut)
		} else if cut != nil && (p.sent.Len() != sent || c.Finish(TypeAllow, false) == nil) {
			t.Errorf("sent %x after an error", p.sent.Bytes()[sent:])
		}
	})
}

package sockettest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"twokey/pamhook/wire"
)

// patience is far above every limit of the helper: who reaches it hangs.
const patience = 90 * time.Second

// lie is what a program of a user's says on the socket in the place of the module, which has to be believed nothing.
type lie struct {
	Hello  *wire.Hello // nil: nothing
	Answer string      // to every question; "": none, the connection is held
	Member bool        // what it says of every group
}

// heard is what it was told.
type heard struct {
	Frames []wire.Type
	Groups []string
	Error  string
}

const strangerVariable = "SOCKETTEST_STRANGER"

// stranger does nothing unless this process was started as such a program. It says "asked" when a question has come.
func stranger() {
	text := os.Getenv(strangerVariable)
	if text == "" {
		return
	}
	var l lie
	err := json.Unmarshal([]byte(text), &l)
	var h heard
	if err == nil {
		err = l.tell(&h)
	}
	if err != nil {
		h.Error = err.Error()
	}
	if json.NewEncoder(os.Stdout).Encode(h) != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

func (l lie) tell(h *heard) error {
	conn, err := net.Dial("unix", "/run/twokey/verify.sock")
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if l.Hello != nil {
		payload, err := l.Hello.Encode()
		if err != nil {
			return err
		}
		if err := say(conn, wire.TypeHello, payload); err != nil {
			return err
		}
	}
	for {
		f, err := wire.ReadFrame(conn)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		h.Frames = append(h.Frames, f.Type)
		if err := l.reply(conn, f, h); err != nil || f.Type == wire.TypePrompt && l.Answer == "" {
			return err
		}
	}
}

func (l lie) reply(conn net.Conn, f wire.Frame, h *heard) error {
	switch f.Type {
	case wire.TypeLookupGroup:
		h.Groups = append(h.Groups, string(f.Payload))
		answer := wire.NotMember
		if l.Member {
			answer = wire.Member
		}
		return say(conn, wire.TypeGroup, []byte{byte(answer)})
	case wire.TypePrompt:
		fmt.Println("asked")
		if l.Answer == "" {
			_, err := io.Copy(io.Discard, os.Stdin) // until the test lets go
			return err
		}
		return say(conn, wire.TypeAnswer, []byte(l.Answer))
	}
	return nil
}

func say(conn net.Conn, t wire.Type, payload []byte) error {
	_, err := conn.Write(wire.Frame{Type: t, Payload: payload}.Append(nil))
	return err
}

// liar is such a program while it runs.
type liar struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.Closer
	out   *bufio.Reader
}

// start starts it as a person.
func (s *site) start(p *person, l lie) *liar {
	s.t.Helper()
	text, err := json.Marshal(l)
	must(s.t, err)
	x := &liar{t: s.t, cmd: s.CommandAs(p.User, self)}
	x.cmd.Env = append(x.cmd.Env, strangerVariable+"="+string(text), "GORACE=atexit_sleep_ms=0")
	x.cmd.Stderr = os.Stderr
	x.stdin, err = x.cmd.StdinPipe()
	must(s.t, err)
	out, err := x.cmd.StdoutPipe()
	must(s.t, err)
	x.out = bufio.NewReader(out)
	must(s.t, x.cmd.Start())
	return x
}

// asked waits until it has a question.
func (x *liar) asked() {
	x.t.Helper()
	if line, err := x.out.ReadString('\n'); line != "asked\n" {
		x.t.Fatalf("no question: %q, %v", line, err)
	}
}

// end lets it go and returns what it was told.
func (x *liar) end() (h heard) {
	x.t.Helper()
	must(x.t, x.stdin.Close())
	return x.wait()
}

func (x *liar) wait() (h heard) {
	x.t.Helper()
	for {
		line, err := x.out.ReadString('\n')
		if line == "asked\n" {
			continue
		}
		must(x.t, err)
		must(x.t, json.Unmarshal([]byte(line), &h))
		must(x.t, x.cmd.Wait())
		return h
	}
}

// tell is a lie from its beginning to its end.
func (s *site) tell(p *person, l lie) heard {
	s.t.Helper()
	return s.start(p, l).wait()
}

// words are the frames, for a comparison.
func (h heard) words() string {
	names := map[wire.Type]string{wire.TypePrompt: "PROMPT", wire.TypeInfo: "INFO", wire.TypeAllow: "ALLOW", wire.TypeDeny: "DENY",
		wire.TypeIgnore: "IGNORE", wire.TypeLookupGroup: "LOOKUP_GROUP"}
	var words []string
	for _, f := range h.Frames {
		words = append(words, names[f])
	}
	if h.Error != "" {
		words = append(words, h.Error)
	}
	return strings.Join(words, " ")
}

package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// frameCount is the number of files in testdata/frames: a test that reads none would pass too.
const frameCount = 148

// frameFile is a file of testdata/frames: what it is, and the failure class for each of its two readers.
type frameFile struct {
	name, goClass, moduleClass string
	bytes                      []byte
}

func readFrameFiles(t testing.TB) []frameFile {
	t.Helper()
	paths, err := filepath.Glob("testdata/frames/*.hex")
	if err != nil || len(paths) != frameCount {
		t.Fatalf("%d frame files, want %d (%v)", len(paths), frameCount, err)
	}
	var files []frameFile
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f := frameFile{name: strings.TrimSuffix(filepath.Base(path), ".hex")}
		var digits strings.Builder
		for line := range strings.Lines(string(content)) {
			line = strings.TrimSpace(line)
			if class, ok := strings.CutPrefix(line, "# go: "); ok {
				f.goClass = class
			} else if class, ok := strings.CutPrefix(line, "# module: "); ok {
				f.moduleClass = class
			} else if !strings.HasPrefix(line, "#") {
				digits.WriteString(line)
			}
		}
		if f.bytes, err = hex.DecodeString(digits.String()); err != nil || f.goClass == "" || f.moduleClass == "" {
			t.Fatalf("%s: not a frame file (%v)", path, err)
		}
		files = append(files, f)
	}
	return files
}

// class names what became of a frame, as the frame files do.
func class(err error) string {
	for _, c := range []struct {
		err  error
		name string
	}{
		{nil, "ok"}, {io.EOF, "end"}, {io.ErrUnexpectedEOF, "cut"}, {ErrFrame, "frame"},
		{ErrHello, "hello"}, {ErrVersion, "version"}, {ErrOrder, "order"},
	} {
		if errors.Is(err, c.err) {
			return c.name
		}
	}
	return err.Error()
}

// pipe is a socket whose other end has said everything already.
type pipe struct {
	io.Reader
	sent bytes.Buffer
}

func (p *pipe) Write(b []byte) (int, error) { return p.sent.Write(b) }

func smallHello() *Hello {
	return &Hello{Phase: PhaseAuthenticate, User: "alice", Service: "sshd"}
}

// accepted returns the helper's end of a run whose module says HELLO and then the given bytes.
func accepted(t testing.TB, then []byte) (*Conn, *pipe) {
	t.Helper()
	payload, err := smallHello().Encode()
	if err != nil {
		t.Fatal(err)
	}
	p := &pipe{Reader: bytes.NewReader(append(Frame{TypeHello, payload}.Append(nil), then...))}
	c, err := Accept(p)
	if err != nil {
		t.Fatal(err)
	}
	return c, p
}

// TestFrameFiles gives each file to the part of the package that would read it: HELLO and what stands in its place to Accept,
// replies to the call that waits for them, the helper's own frames to ReadFrame. The module's reader gets the same files in
// pamhook/module/moduletest.
func TestFrameFiles(t *testing.T) {
	for _, f := range readFrameFiles(t) {
		t.Run(f.name, func(t *testing.T) {
			var err error
			kind, _, _ := strings.Cut(f.name, "-")
			switch {
			case kind == "hello" || f.name == "answer-first":
				_, err = Accept(&pipe{Reader: bytes.NewReader(f.bytes)})
			case strings.HasSuffix(f.name, "-for-authtok"):
				c, _ := accepted(t, f.bytes)
				_, _, err = c.Authtok("Password: ")
			case f.name == "answer-for-group", kind == "group" && f.name != "group-for-prompt":
				c, _ := accepted(t, f.bytes)
				_, err = c.LookupGroup("wheel")
			case kind == "answer", kind == "no", kind == "group", kind == "verdict":
				c, _ := accepted(t, f.bytes)
				_, _, err = c.Prompt("Code: ", false)
			default:
				var read Frame
				read, err = ReadFrame(bytes.NewReader(f.bytes))
				if err == nil && !bytes.Equal(read.Append(nil), f.bytes) {
					t.Error("encodes differently")
				}
			}
			if got := class(err); got != f.goClass {
				t.Errorf("got %s, want %s", got, f.goClass)
			}
		})
	}
}

// runExample plays the module's part of an example of the package comment and returns what the helper says in it.
func runExample(t *testing.T, title string, frames int) (c *Conn, p *pipe, helper []byte) {
	t.Helper()
	var module []byte
	for _, line := range exampleLines(t, title, frames) {
		who, digits, _ := strings.Cut(line, " ")
		b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if who == "module" {
			module = append(module, b...)
		} else {
			helper = append(helper, b...)
		}
	}
	p = &pipe{Reader: bytes.NewReader(module)}
	c, err := Accept(p)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := c.Hello().Encode()
	if err != nil || !bytes.Equal(Frame{TypeHello, encoded}.Append(nil), module[:len(encoded)+headerSize]) {
		t.Errorf("HELLO encodes differently: %x, %v", encoded, err)
	}
	return c, p, helper
}

// TestExample runs the example of the package comment, byte for byte.
func TestExample(t *testing.T) {
	c, p, helper := runExample(t, "# Example\n", 4)
	h := c.Hello()
	if h.User != "alice" || h.Name != "alice" || h.UID != 1000 || len(h.GIDs) != 2 || h.GIDs[1] != 27 || h.Shell != "/bin/bash" ||
		h.RHost != "192.0.2.7" || h.Flags != FlagAfterPassword || h.Nonce[15] != 15 || h.Version != Version {
		t.Errorf("HELLO says %+v", h)
	}
	answer, reason, err := c.Prompt("Code: ", false)
	if err != nil || reason != 0 || string(answer) != "123456" {
		t.Errorf("Prompt: %q, %v, %v", answer, reason, err)
	}
	if err := c.Finish(TypeAllow, false); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(p.sent.Bytes(), helper) {
		t.Errorf("the helper says\n%x, want\n%x", p.sent.Bytes(), helper)
	}
}

// TestExampleOfOneField runs the other example.
func TestExampleOfOneField(t *testing.T) {
	c, p, helper := runExample(t, "# Example of one field\n", 5)
	typed, reason, err := c.Authtok("Password: ")
	if err != nil || reason != 0 || string(typed) != "hunter2123456" {
		t.Errorf("Authtok: %q, %v, %v", typed, reason, err)
	}
	if err := errors.Join(c.CutAuthtok(6), c.Finish(TypeAllow, false)); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(p.sent.Bytes(), helper) {
		t.Errorf("the helper says\n%x, want\n%x", p.sent.Bytes(), helper)
	}
}

// exampleLines returns the frames of an example of the package comment, one a line.
func exampleLines(t *testing.T, title string, frames int) (lines []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "wire.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(f.Doc.Text(), title)
	example, _, _ = strings.Cut(example, "\n# ")
	for line := range strings.Lines(example) {
		line = strings.TrimRight(line, "\n")
		if more, ok := strings.CutPrefix(line, "\t  "); ok {
			lines[len(lines)-1] += more
		} else if first, ok := strings.CutPrefix(line, "\t"); ok {
			lines = append(lines, first)
		}
	}
	if len(lines) != frames {
		t.Fatalf("the example has %d frames, want %d", len(lines), frames)
	}
	return lines
}

// TestHelloLimits are the bounds of HELLO that are too large for a file.
func TestHelloLimits(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Hello)
		ok     bool
	}{
		"the longest value":              {func(h *Hello) { h.User = strings.Repeat("a", MaxValue) }, true},
		"a value of one byte more":       {func(h *Hello) { h.User = strings.Repeat("a", MaxValue+1) }, false},
		"4096 groups":                    {func(h *Hello) { h.Name, h.GIDs = "alice", make([]uint32, 4096) }, true},
		"4097 groups":                    {func(h *Hello) { h.Name, h.GIDs = "alice", make([]uint32, 4097) }, false},
		"a name without groups":          {func(h *Hello) { h.Name = "alice" }, false},
		"values longer than a frame":     {func(h *Hello) { fillTexts(h, MaxValue) }, false},
		"values as long as a frame":      {func(h *Hello) { fillTexts(h, 7270) }, true},
		"no user":                        {func(h *Hello) { h.User = "" }, false},
		"NUL in the remote host":         {func(h *Hello) { h.RHost = "a\x00b" }, false},
		"a phase that does not exist":    {func(h *Hello) { h.Phase = 4 }, false},
		"a flag that does not exist":     {func(h *Hello) { h.Flags = 64 }, false},
		"a version that does not exist":  {func(h *Hello) { h.Version = 3 }, false},
		"version 1":                      {func(h *Hello) { h.Version = OldVersion }, true},
		"no user, an item is too long":   {func(h *Hello) { h.User, h.Flags = "", FlagItemTooLong }, true},
		"no service, one is too long":    {func(h *Hello) { h.Service, h.Flags = "", FlagItemTooLong }, true},
		"no groups, one is too long":     {func(h *Hello) { h.Name, h.Flags = "alice", FlagItemTooLong }, true},
		"an item too long in version 1":  {func(h *Hello) { h.Version, h.Flags = OldVersion, FlagItemTooLong }, false},
		"found although lookup failed":   {func(h *Hello) { h.Name, h.GIDs, h.Flags = "a", []uint32{1}, FlagLookupFailed }, false},
		"a user that is not UTF-8":       {func(h *Hello) { h.User = "\xff\xfe" }, true},
		"the largest numbers that exist": {func(h *Hello) { h.Name, h.UID, h.GIDs = "a", 1<<32-1, []uint32{1<<32 - 1} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := smallHello()
			c.change(h)
			b, err := h.Encode()
			if (err == nil) != c.ok || err != nil && (b != nil || !errors.Is(err, ErrHello) && !errors.Is(err, ErrVersion)) {
				t.Fatalf("Encode: %d bytes, %v", len(b), err)
			}
			if c.ok && len(b) > MaxPayload {
				t.Errorf("%d bytes are more than a frame holds", len(b))
			}
		})
	}
}

func fillTexts(h *Hello, n int) {
	s := strings.Repeat("a", n)
	h.Home, h.Shell, h.RHost, h.RUser, h.TTY, h.SSHAuthInfo, h.Client, h.Config, h.User = s, s, s, s, s, s, s, s, s
}

func TestAddressOfClientIsParsedByNetip(t *testing.T) {
	for _, s := range []string{"192.0.2.7:50022", "[2001:db8::1]:50022", "[fe80::1%eth0]:22"} {
		if a, err := netip.ParseAddrPort(s); err != nil || a.String() != s {
			t.Errorf("%s: %v, %v", s, a, err)
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	for _, file := range readFrameFiles(f) {
		f.Add(file.bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := ReadFrame(bytes.NewReader(b))
		if err != nil {
			if frame.Payload != nil {
				t.Error("a payload in spite of an error")
			}
			return
		}
		if encoded := frame.Append(nil); !bytes.Equal(encoded, b[:len(encoded)]) {
			t.Errorf("accepted %x, encodes as %x", b, encoded)
		}
	})
}

func FuzzParseHello(f *testing.F) {
	seeds := 0
	for _, file := range readFrameFiles(f) {
		if strings.HasPrefix(file.name, "hello-") && len(file.bytes) > headerSize {
			f.Add(file.bytes[headerSize:])
			seeds++
		}
	}
	if seeds < 30 {
		f.Fatalf("%d seeds, want at least 30", seeds)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHello(b)
		if err != nil {
			if h != nil {
				t.Error("a HELLO in spite of an error")
			}
			return
		}
		if encoded, err := h.Encode(); err != nil || !bytes.Equal(encoded, b) {
			t.Errorf("accepted %x, encodes as %x (%v)", b, encoded, err)
		}
	})
}

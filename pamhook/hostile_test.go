package pamhook

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"twokey/factor"
	"twokey/pamhook/wire"
	"twokey/policy"
)

// script is a module that says what it likes, whatever it is asked.
type script struct {
	in  *bytes.Reader
	out bytes.Buffer
}

func (s *script) Read(b []byte) (int, error)  { return s.in.Read(b) }
func (s *script) Write(b []byte) (int, error) { return s.out.Write(b) }

// conversation runs the helper against a module that sends these bytes, and returns what it was told at the end: 0 is no verdict.
func (w *world) conversation(sent []byte) wire.Type {
	w.t.Helper()
	w.reset()
	w.policy.Exempt = []policy.Entry{{Groups: []string{"staff"}}}
	s := &script{in: bytes.NewReader(sent)}
	conn, err := wire.Accept(s)
	if err != nil {
		return 0
	}
	if err := conn.Finish(w.host().Run(conn).Frame(), false); err != nil {
		return 0
	}
	return w.lastWord(s.out.Bytes(), conn.Hello().Nonce)
}

// lastWord checks what the module was told: whole frames, one verdict, with the nonce, at the end.
func (w *world) lastWord(told []byte, nonce [wire.NonceSize]byte) (verdict wire.Type) {
	w.t.Helper()
	for r := bytes.NewReader(told); r.Len() > 0; {
		f, err := wire.ReadFrame(r)
		if err != nil || verdict != 0 {
			w.t.Fatalf("after verdict %#x: %v, %v", verdict, f, err)
		}
		if f.Type >= wire.TypeAllow {
			verdict = f.Type
			if !bytes.HasPrefix(f.Payload, nonce[:]) {
				w.t.Fatalf("a verdict of another run: %x", f.Payload)
			}
		}
	}
	return verdict
}

// mayAllow says whether the bytes hold what lets in, all of it behind a HELLO with an account and the word that it is not in the group
// that is exempt: in authenticate alice's code, in open-session nothing.
func (w *world) mayAllow(sent []byte) bool {
	r := bytes.NewReader(sent)
	first, err := wire.ReadFrame(r)
	if err != nil || first.Type != wire.TypeHello {
		return false
	}
	h, err := wire.ParseHello(first.Payload)
	if err != nil || h.Name == "" {
		return false
	}
	group, err := wire.ReadFrame(r)
	if err != nil || group.Type != wire.TypeGroup || len(group.Payload) != 1 || group.Payload[0] > byte(wire.NotMember) {
		return false
	}
	if h.Phase == wire.PhaseOpenSession {
		return !policy.ActsForAnother(h.Service)
	}
	answer, err := wire.ReadFrame(r)
	return err == nil && answer.Type == wire.TypeAnswer && w.rightAnswer(string(answer.Payload)) &&
		h.Phase == wire.PhaseAuthenticate && h.Flags&wire.FlagDecoy == 0 && h.Name == "alice" && h.UID == aliceUID
}

func (w *world) rightAnswer(typed string) bool {
	right := slices.Clone(recovery)
	for offset := int64(-2); offset <= 1; offset++ {
		if offset > -2 {
			right = append(right, w.code(offset))
		}
		right = append(right, w.code(offset)+w.code(offset+1))
	}
	return slices.Contains(right, factor.ParseAnswer(typed).Text)
}

// seed is what a module says, as one text: the HELLO and the frames behind it.
func (w *world) seed(change func(*wire.Hello), frames ...wire.Frame) []byte {
	w.t.Helper()
	w.reset()
	h := w.hello
	change(&h)
	payload, err := h.Encode()
	must(w.t, err)
	b := wire.Frame{Type: wire.TypeHello, Payload: payload}.Append(nil)
	for _, f := range frames {
		b = f.Append(b)
	}
	return b
}

func answered(text string) wire.Frame {
	return wire.Frame{Type: wire.TypeAnswer, Payload: []byte(text)}
}

// hostileSeeds are named after how they end.
func hostileSeeds(w *world) map[string][]byte {
	w.reset()
	same := func(*wire.Hello) {}
	notStaff := wire.Frame{Type: wire.TypeGroup, Payload: []byte{byte(wire.NotMember)}}
	right := answered(w.code(0))
	phase := func(p wire.Phase) func(*wire.Hello) { return func(h *wire.Hello) { h.Phase = p } }
	none := wire.Frame{Type: wire.TypeNoAnswer, Payload: []byte{byte(wire.AnswerIsPassword)}}
	return map[string][]byte{
		"allow: a right code":                 w.seed(same, notStaff, right),
		"allow: a pair":                       w.seed(same, notStaff, answered(pair(w))),
		"allow: a recovery code":              w.seed(same, notStaff, answered(recovery[0])),
		"allow: more behind the answer":       w.seed(same, notStaff, right, right, notStaff),
		"allow: a session":                    w.seed(phase(wire.PhaseOpenSession), notStaff),
		"ignore: exempt":                      w.seed(same, wire.Frame{Type: wire.TypeGroup, Payload: []byte{byte(wire.Member)}}, right),
		"ignore: a session of sudo":           w.seed(func(h *wire.Hello) { h.Phase, h.Service = wire.PhaseOpenSession, "sudo" }),
		"deny: a wrong code":                  w.seed(same, notStaff, answered(w.wrongCode())),
		"deny: no answer":                     w.seed(same, notStaff, none),
		"deny: the account phase":             w.seed(phase(wire.PhaseAccount), right),
		"deny: a decoy line":                  w.seed(func(h *wire.Hello) { h.Flags = wire.FlagDecoy }, notStaff, right),
		"deny: another user":                  w.seed(func(h *wire.Hello) { h.User, h.Name, h.UID = "bob", "bob", 1001 }, notStaff, right),
		"deny: another user id":               w.seed(func(h *wire.Hello) { h.UID = otherUID }, notStaff, right),
		"deny: no account":                    w.seed(func(h *wire.Hello) { h.Name, h.UID, h.GIDs = "", 0, nil }, notStaff, right),
		"deny: a group that nobody knows of":  w.seed(same, wire.Frame{Type: wire.TypeGroup, Payload: []byte{3}}, right),
		"none: the answer before the group":   w.seed(same, right, notStaff),
		"none: a verdict of the module's own": w.seed(same, notStaff, wire.Frame{Type: wire.TypeAllow, Payload: make([]byte, wire.NonceSize+1)}),
		"none: a second HELLO":                append(w.seed(same), w.seed(same)...),
		"none: a NUL in the answer":           w.seed(same, notStaff, answered(w.code(0)+"\x00")),
		"none: it ends at the question":       w.seed(same, notStaff),
		"none: it ends in the answer":         w.seed(same, notStaff, right)[:len(w.seed(same, notStaff, right))-1],
		"none: nothing":                       {},
	}
}

func TestHostileModuleSeeds(t *testing.T) {
	w := newWorld(t)
	seeds := hostileSeeds(w)
	if len(seeds) != 22 {
		t.Errorf("%d seeds", len(seeds))
	}
	ends := map[string]wire.Type{"allow": allows, "deny": denies, "ignore": ignores, "none": 0}
	for name, sent := range seeds {
		end, _, _ := strings.Cut(name, ":")
		if got := w.conversation(sent); got != ends[end] {
			t.Errorf("%s: %#x, recorded %q", name, got, w.reasons())
		}
		if may := w.mayAllow(sent); may != (end == "allow") {
			t.Errorf("%s: the oracle says %v", name, may)
		}
	}
}

// A module that says whatever it likes gets nobody in who has not the code: it may be asked for by a program that was broken into.
func FuzzHostileModule(f *testing.F) {
	w := newWorld(f)
	for _, sent := range hostileSeeds(w) {
		f.Add(sent)
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		w.t = t
		if got := w.conversation(sent); got == allows && !w.mayAllow(sent) {
			t.Fatalf("let in by %q", sent)
		}
	})
}

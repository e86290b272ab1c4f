package state

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"
	"time"

	"twokey/internal/proc"
	"twokey/internal/slotfile"
)

// exampleMessages is what the comment on the format describes.
func exampleMessages() *Messages {
	count := func(first byte) (id ID) {
		for i := range id {
			id[i] = first + byte(i)
		}
		return id
	}
	m := &Messages{Texts: []time.Time{noon, noon.Add(time.Minute)},
		Code:      &TextCode{ID: count(0xd1), Connection: count(0xc1), Source: "192.0.2.7", Until: noon.Add(6 * time.Minute), Left: 2},
		Push:      &OpenPush{ID: count(0xe1), Process: proc.ID{PID: 1001, Start: 5001}, Until: noon.Add(2 * time.Minute), Known: true},
		Shut:      []ShutSource{{"198.51.100.9", noon.Add(15 * time.Minute)}},
		Answered:  &Answered{count(0xc1), "push", noon},
		Confirmed: count(0xf1), Unanswered: []Unanswered{{"203.0.113.5", 2, noon.Add(-4 * time.Minute)}}}
	for i := range m.Code.Hash {
		m.Code.Hash[i] = byte(32 + i)
	}
	return m
}

// exampleIn is the bytes of the example in the comment of a file.
func exampleIn(t testing.TB, file string) []byte {
	t.Helper()
	source, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	must(t, err)
	var digits strings.Builder
	for _, group := range source.Comments {
		_, example, found := strings.Cut(group.Text(), "# Example\n")
		for line := range strings.Lines(example) {
			if found && strings.HasPrefix(line, "\t") {
				digits.WriteString(strings.ReplaceAll(strings.Split(strings.TrimSpace(line), "   ")[0], " ", ""))
			}
		}
	}
	b, err := hex.DecodeString(digits.String())
	must(t, err)
	return b
}

func TestTheExampleOfMessagesIsWhatIsWritten(t *testing.T) {
	want := exampleIn(t, "messagesformat.go")
	got, err := encodeMessages("alice", exampleMessages())
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("encoded\n%x (%v)\nthe comment says\n%x", got, err, want)
	}
	user, m, err := decodeMessages(want)
	if err != nil || user != "alice" || !reflect.DeepEqual(m, exampleMessages()) {
		t.Errorf("decoded %q, %+v, %v", user, m, err)
	}
}

func TestTheExampleOfTextsIsWhatIsWritten(t *testing.T) {
	var all []pieceCount
	for _, sent := range []time.Time{noon, noon.Add(time.Minute), noon.Add(6 * time.Minute)} {
		all = oneMore(textsAt(all, sent), sent)
	}
	if got, want := encodeTexts(all), exampleIn(t, "texts.go"); !bytes.Equal(got, want) {
		t.Errorf("encoded\n%x\nthe comment says\n%x", got, want)
	}
}

// Attack: connect from an address, or with a clock, that makes what cannot be written, and lock the user out.
func TestNothingFromALoginMakesMessagesThatCannotBeWritten(t *testing.T) {
	long, far := strings.Repeat("\xff", 500), time.Date(30000, 1, 1, 0, 0, 0, 0, time.UTC)
	m := &Messages{Code: &TextCode{Source: long, Until: far, Left: 300}, Push: &OpenPush{}, Answered: &Answered{Method: long}}
	for i := range 20 {
		m.Texts = append(m.Texts, time.Unix(-int64(i), 0))
		m.Shut = append(m.Shut, ShutSource{fmt.Sprint(i, long), far})
		m.Unanswered = append(m.Unanswered, Unanswered{fmt.Sprint(i, long), i - 5, far})
	}
	b, err := encodeMessages(strings.Repeat("u", maxUser), m)
	if err != nil || len(b) > slotfile.MaxValue {
		t.Errorf("%d bytes of %d, %v", len(b), slotfile.MaxValue, err)
	}
	m.Code.Left = -1
	b, err = encodeMessages("alice", m)
	must(t, err)
	if _, again, err := decodeMessages(b); err != nil || again.Code != nil {
		t.Errorf("a code without tries: %+v, %v", again, err)
	}
}

// row is a source from which so many pushes were not answered.
func row(pushes byte) []byte {
	return section(8, join(bytes.Repeat([]byte{1}, 6), []byte{pushes, 1, 'a'}))
}

// messagesSeeds are values with what is to become of them.
func messagesSeeds(t testing.TB) map[string][]byte {
	t.Helper()
	all := exampleIn(t, "messagesformat.go")
	user, rest := all[:8], all[8:]
	seeds := map[string][]byte{"good: all": all, "good: a user": user, "nothing": {}, "no user": rest, "no name": join(section(1, nil), rest),
		"a user of 257 bytes": section(1, make([]byte, 257)), "two users": join(user, all), "a byte too many": join(all, []byte{0}),
		"an unknown tag": join(all, section(9, nil)), "a tag of 0": join(user, section(0, nil)), "no texts": join(user, section(2, nil)),
		"half a text": join(user, section(2, make([]byte, 5))), "a text without a time": join(user, section(2, make([]byte, 6))),
		"eleven texts": join(user, section(2, bytes.Repeat([]byte{1}, 66))), "good: ten texts": join(user, section(2, bytes.Repeat([]byte{1}, 60))),
		"an empty code": join(user, section(3, nil)), "two codes": join(all[:8+15+52], all[8+15:8+15+52]),
		"a code without tries": edited(all, 8+15+3+38, 0), "a code with four tries": edited(all, 8+15+3+38, 4),
		"a source that is not text":      edited(all, 8+15+3+40, 0xff),
		"a source of 33 bytes":           join(user, section(5, join(bytes.Repeat([]byte{1}, 6), []byte{33}, bytes.Repeat([]byte{'a'}, 33)))),
		"nine sources":                   join(user, bytes.Repeat(section(5, join(bytes.Repeat([]byte{1}, 6), []byte{1, 'a'})), 9)),
		"good: eight sources":            join(user, bytes.Repeat(section(5, join(bytes.Repeat([]byte{1}, 6), []byte{1, 'a'})), 8)),
		"an empty row":                   join(user, section(8, nil)),
		"a row of none":                  join(user, row(0)),
		"good: a row of two":             join(user, row(2)),
		"a row of three":                 join(user, row(3)),
		"good: eight rows":               join(user, bytes.Repeat(row(1), 8)),
		"nine rows":                      join(user, bytes.Repeat(row(1), 9)),
		"a row before the end":           join(user, row(1), section(7, []byte("12345678"))),
		"good: a push of a stranger":     join(user, section(4, bytes.Repeat([]byte{1}, 26))),
		"a push that may be known":       join(user, section(4, append(bytes.Repeat([]byte{1}, 26), 0))),
		"a push that is very well known": join(user, section(4, append(bytes.Repeat([]byte{1}, 26), 2))),
		"a push and a byte":              join(user, section(4, bytes.Repeat([]byte{1}, 28))),
		"an empty push":                  join(user, section(4, nil)),
		"confirmed by nothing":           join(user, section(7, make([]byte, 8))),
		"out of order":                   join(user, section(7, []byte("12345678")), section(2, bytes.Repeat([]byte{1}, 6))),
		"confirmed, a byte too many":     join(user, section(7, []byte("123456789")))}
	for _, n := range []int{1, 2, 7, 9, 11, 40, len(all) - 1} {
		seeds[fmt.Sprintf("cut to %d", n)] = all[:n]
	}
	return seeds
}

func TestWhatIsNotMessagesIsRefused(t *testing.T) {
	seeds := messagesSeeds(t)
	if len(seeds) != 45 {
		t.Errorf("%d seeds", len(seeds))
	}
	for sentence, b := range seeds {
		user, m, err := decodeMessages(b)
		if strings.HasPrefix(sentence, "good") {
			if err != nil || user != "alice" {
				t.Errorf("%s: %q, %v", sentence, user, err)
			}
		} else if !errors.Is(err, ErrFormat) || m != nil || user != "" {
			t.Errorf("%s: %q, %+v, %v", sentence, user, m, err)
		}
	}
}

func FuzzDecodeMessages(f *testing.F) {
	for _, b := range messagesSeeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		user, m, err := decodeMessages(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) || m != nil || user != "" {
				t.Fatalf("%q, %v with %v", user, m, err)
			}
			return
		}
		if again, err := encodeMessages(user, m); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("accepted\n%x\nand gave back\n%x (%v)", b, again, err)
		}
	})
}

func TestACodeOfATextIsNotPrinted(t *testing.T) {
	c := *exampleMessages().Code
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s"} {
		if text := fmt.Sprintf(verb, c); text != "text d1d2d3d4d5d6d7d8" {
			t.Errorf("%s: %q", verb, text)
		}
	}
}

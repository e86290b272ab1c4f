package enroll

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

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// exampleUnfinished is what the comment on the format describes.
func exampleUnfinished() *unfinished {
	n := &unfinished{user: "alice", uid: 1000, code: &codeHash{until: noon.Add(48 * time.Hour)}}
	for i := range n.code.key {
		n.code.key[i] = byte(i)
	}
	for i := range n.code.hash {
		n.code.hash[i] = byte(32 + i)
	}
	n.waiting = []Announcement{{Process: proc.ID{PID: 1001, Start: 5001}, Parent: proc.ID{PID: 1000, Start: 5000}, Service: "sshd", Time: noon.Add(time.Minute),
		AfterPassword: true}}
	return n
}

func TestTheExampleOfUnfinishedEnrolmentsIsWhatIsWritten(t *testing.T) {
	source, err := parser.ParseFile(token.NewFileSet(), "unfinishedformat.go", nil, parser.ParseComments)
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
	want, err := hex.DecodeString(digits.String())
	must(t, err)
	got, err := exampleUnfinished().encode()
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("encoded\n%x (%v)\nthe comment says\n%x", got, err, want)
	}
	back, err := decodeUnfinished(want)
	if err != nil || !reflect.DeepEqual(back, exampleUnfinished()) {
		t.Errorf("came back as %+v, %v", back, err)
	}
}

// fullUnfinished has every limit reached.
func fullUnfinished() *unfinished {
	n := exampleUnfinished()
	n.user, n.draft = strings.Repeat("u", maxUser), &kept{id: [8]byte{1}, begun: noon, sealed: make([]byte, maxSealed)}
	n.waiting = nil
	for i := range maxWaiting {
		n.waiting = append(n.waiting, Announcement{Process: process(i), Parent: process(i), Service: strings.Repeat("s", maxService), Time: noon})
	}
	for range maxLacking {
		n.lacking = append(n.lacking, lacking{strings.Repeat("s", maxService), noon})
	}
	for range maxTexts {
		n.texts = append(n.texts, noon)
	}
	return n
}

func TestTheFullestUnfinishedEnrolmentFitsIntoItsSlot(t *testing.T) {
	b, err := fullUnfinished().encode()
	if err != nil || len(b) > slotfile.MaxValue {
		t.Errorf("%d bytes of %d, %v", len(b), slotfile.MaxValue, err)
	}
}

// sections of the example, to build bad values of.
func unfinishedSeeds(t testing.TB) map[string][]byte {
	whole, err := exampleUnfinished().encode()
	must(t, err)
	full, err := fullUnfinished().encode()
	must(t, err)
	least, err := (&unfinished{user: "alice", uid: 1000}).encode()
	must(t, err)
	code, waiting := whole[len(least):len(least)+57], whole[len(least)+57:]
	section := func(tag byte, content ...[]byte) []byte { return appendSection(nil, tag, bytes.Join(content, nil)) }
	put := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	service := func(text string) []byte {
		return section(tagAnnouncement, waiting[3:34], []byte{byte(len(text))}, []byte(text))
	}
	lacks := func(text string) []byte {
		return section(tagLacking, make([]byte, 6), []byte{byte(len(text))}, []byte(text))
	}
	seeds := map[string][]byte{
		"good: the example": whole, "good: the fullest": full, "good: the least": least, "good: a code alone": put(least, code),
		"good: four announcements": put(least, bytes.Repeat(waiting, 4)), "good: a service that lacks": put(least, lacks("su")),
		"good: a draft": put(least, section(tagDraft, make([]byte, 15))),
		"nothing":       {}, "a user alone": least[:8], "a uid alone": least[8:], "no user": least[8:], "no name": put(section(tagUser), least[8:]),
		"a user of 257 bytes": put(section(tagUser, make([]byte, 257)), least[8:]),
		"a uid of 3 bytes":    put(least[:8], section(tagUID, make([]byte, 3))),
		"two users":           put(least[:8], least),
		"two codes":           put(least, code, code), "a code that is cut off": put(least, section(tagCode, code[3:56])),
		"a code without a key": put(least, section(tagCode, make([]byte, 54))), "a code behind an announcement": put(least, waiting, code),
		"two drafts":               put(least, section(tagDraft, make([]byte, 15)), section(tagDraft, make([]byte, 15))),
		"a draft without content":  put(least, section(tagDraft, make([]byte, 14))),
		"a draft of 2561 bytes":    put(least, section(tagDraft, make([]byte, 14+maxSealed+1))),
		"five announcements":       put(least, bytes.Repeat(waiting, 5)),
		"nine services that lack":  put(least, bytes.Repeat(lacks("su"), 9)),
		"a service without a name": put(least, service("")), "a service of 65 bytes": put(least, service(strings.Repeat("s", 65))),
		"a service that is not UTF-8": put(least, service("\xff")), "a service with a line feed": put(least, service("su\n")),
		"a right password that is 2":                        put(least, section(tagAnnouncement, waiting[3:33], []byte{2}, []byte("\x04sshd"))),
		"an announcement that does not say of the password": put(least, section(tagAnnouncement, waiting[3:33], []byte("\x04sshd"))),
		"lacking without a name":                            put(least, lacks("")), "a length beyond the end": put(least, []byte{tagCode, 0, 9}),
		"good: one text": put(least, section(tagTexts, make([]byte, 6))), "no texts": put(least, section(tagTexts)),
		"half a text": put(least, section(tagTexts, make([]byte, 5))), "eleven texts": put(least, section(tagTexts, make([]byte, 66))),
		"texts twice":    put(least, section(tagTexts, make([]byte, 6)), section(tagTexts, make([]byte, 6))),
		"an unknown tag": put(least, section(tagTexts+1)), "tag 0": put(section(0), least), "a later tag": put(least, section(0x80)),
		"a byte too many": put(whole, []byte{0}), "a byte too many inside": put(least, section(tagCode, code[3:], []byte{0})),
	}
	for n := 1; n < len(whole); n += 7 {
		if n != len(least) && n != len(least)+57 {
			seeds[fmt.Sprintf("cut to %d", n)] = whole[:n]
		}
	}
	return seeds
}

func TestWhatIsNoUnfinishedEnrolmentIsRefused(t *testing.T) {
	seeds := unfinishedSeeds(t)
	if len(seeds) != 57 {
		t.Errorf("%d seeds", len(seeds))
	}
	for sentence, b := range seeds {
		n, err := decodeUnfinished(b)
		if good := strings.HasPrefix(sentence, "good"); good && err != nil || !good && (!errors.Is(err, errUnfinished) || n != nil) {
			t.Errorf("%s: %+v, %v", sentence, n, err)
		}
	}
}

func FuzzDecodeUnfinished(f *testing.F) {
	for _, b := range unfinishedSeeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := decodeUnfinished(b)
		if err != nil {
			if n != nil || !errors.Is(err, errUnfinished) {
				t.Fatalf("%+v with %v", n, err)
			}
			return
		}
		if again, err := n.encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("accepted\n%x\nand gave back\n%x (%v)", b, again, err)
		}
	})
}

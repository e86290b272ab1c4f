package enroll

import (
	"encoding/binary"
	"errors"
	"time"
	"unicode"
	"unicode/utf8"

	"twokey/internal/proc"
)

// # Unfinished enrolments
//
// enrolling/NAME is a slotfile of kind "enrol" (see internal/slotfile); NAME is safefile.UserFileName of the user's name. It is there
// while an enrolment code is open, an enrolment is not finished, or a login has still to come to its account phase. Its value are
// sections, each a tag (1 byte), a length (2 bytes) and content; tags ascend, only 0x05 and 0x06 repeat. Numbers are big endian, a
// time is milliseconds since 1970 in 6 bytes, a text is its length (1 byte) and its bytes, printable UTF-8.
//
//	0x01  user          the canonical name, 1 to 256 bytes
//	0x02  uid           4 bytes: what was kept for another user id is nobody's
//	0x03  code          may be missing: key (32 bytes, random), hash (16 bytes: factor.HashRecovery of the code with that key), its end (time)
//	0x04  draft         may be missing: id of its device (8 bytes), when it was begun (time), the draft as a note of the host key
//	                    (secrets.HostKey.SealNote with the info "enrolment of " and the user's name) of at most 2560 bytes
//	0x05  announcement  repeats, at most 4: process and its start (4 and 8 bytes), its parent and its start, time, whether the
//	                    password was right before it (1 byte: 1, or 0), service (text of at most 64 bytes)
//	0x06  lacking       repeats, at most 8: since when (time), a service whose PAM stack has no account line of ours (text of at most 64 bytes)
//	0x07  texts         may be missing: times at which texts were sent for the enrolment of a number, 1 to 10, the oldest first
//
// # Example
//
// Alice has a code of 48 hours, made at 12:00 UTC on 2026-11-21, and a login of hers was announced at 12:01.
//
//	01 0005  616c696365                          user "alice"
//	02 0004  000003e8                            uid 1000
//	03 0036  000102030405060708090a0b0c0d0e0f    code: key
//	         101112131415161718191a1b1c1d1e1f
//	         202122232425262728292a2b2c2d2e2f    hash
//	         01a20846fe00                        until 12:00 on 2026-11-23
//	05 0024  000003e9 0000000000001389           announcement: process 1001
//	         000003e8 0000000000001388           its parent, 1000
//	         01a1fdfb3060 01 0473736864          12:01, after a right password, service "sshd"
const (
	tagUser = iota + 1
	tagUID
	tagCode
	tagDraft
	tagAnnouncement
	tagLacking
	tagTexts
)

const (
	maxUser    = 256  // bytes
	maxService = 64   // bytes
	maxSealed  = 2560 // bytes
	maxWaiting = 4
	maxLacking = 8
	maxTexts   = 10
	stampSize  = 6
)

// errUnfinished is for a value that is not as the comment above says.
var errUnfinished = errors.New("malformed value")

// encode never writes what could not be read.
func (n *unfinished) encode() ([]byte, error) {
	b := appendSection(nil, tagUser, []byte(n.user))
	b = appendSection(b, tagUID, binary.BigEndian.AppendUint32(nil, n.uid))
	if n.code != nil {
		content := append(n.code.key[:], n.code.hash[:]...)
		b = appendSection(b, tagCode, appendStamp(content, n.code.until))
	}
	if n.draft != nil {
		content := appendStamp(append([]byte(nil), n.draft.id[:]...), n.draft.begun)
		b = appendSection(b, tagDraft, append(content, n.draft.sealed...))
	}
	for _, w := range n.waiting {
		content := appendStamp(appendProcess(appendProcess(nil, w.Process), w.Parent), w.Time)
		content = appendTruth(content, w.AfterPassword)
		b = appendSection(b, tagAnnouncement, appendText(content, w.Service))
	}
	for _, l := range n.lacking {
		b = appendSection(b, tagLacking, appendText(appendStamp(nil, l.since), l.service))
	}
	if len(n.texts) > 0 {
		var content []byte
		for _, sent := range n.texts {
			content = appendStamp(content, sent)
		}
		b = appendSection(b, tagTexts, content)
	}
	if _, err := decodeUnfinished(b); err != nil {
		return nil, err
	}
	return b, nil
}

func appendSection(b []byte, tag byte, content []byte) []byte {
	return append(binary.BigEndian.AppendUint16(append(b, tag), uint16(len(content))), content...)
}

func appendStamp(b []byte, at time.Time) []byte {
	whole := binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli()))
	return append(b, whole[8-stampSize:]...)
}

func appendText(b []byte, text string) []byte { return append(append(b, byte(len(text))), text...) }

func appendTruth(b []byte, is bool) []byte {
	if is {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendProcess(b []byte, p proc.ID) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, uint32(p.PID)), p.Start)
}

// decodeUnfinished accepts what encode gives and nothing else.
func decodeUnfinished(b []byte) (*unfinished, error) {
	n, last := &unfinished{}, byte(0)
	for len(b) > 0 {
		if len(b) < 3 {
			return nil, errUnfinished
		}
		tag, size := b[0], int(binary.BigEndian.Uint16(b[1:]))
		repeats := tag == last && (tag == tagAnnouncement || tag == tagLacking)
		if size > len(b)-3 || tag <= last && !repeats || tag > tagTexts || last < tagUID && tag != last+1 {
			return nil, errUnfinished
		}
		r := reader{b: b[3 : 3+size]}
		n.read(tag, &r)
		if r.bad || len(r.b) > 0 {
			return nil, errUnfinished
		}
		b, last = b[3+size:], tag
	}
	if last < tagUID {
		return nil, errUnfinished
	}
	return n, nil
}

func (n *unfinished) read(tag byte, r *reader) {
	switch tag {
	case tagUser:
		n.user = string(r.bytes(len(r.b)))
		r.must(n.user != "" && len(n.user) <= maxUser)
	case tagUID:
		n.uid = uint32(r.number(4))
	case tagCode:
		n.code = &codeHash{key: [32]byte(r.bytes(32)), hash: [16]byte(r.bytes(16)), until: r.time()}
		r.must(n.code.key != [32]byte{})
	case tagDraft:
		n.draft = &kept{id: [8]byte(r.bytes(8)), begun: r.time()}
		n.draft.sealed = append([]byte(nil), r.bytes(len(r.b))...)
		r.must(len(n.draft.sealed) > 0 && len(n.draft.sealed) <= maxSealed)
	case tagAnnouncement:
		n.waiting = append(n.waiting, Announcement{Process: r.process(), Parent: r.process(), Time: r.time(), AfterPassword: r.truth(), Service: r.text()})
		r.must(len(n.waiting) <= maxWaiting)
	case tagLacking:
		n.lacking = append(n.lacking, lacking{since: r.time(), service: r.text()})
		r.must(len(n.lacking) <= maxLacking)
	case tagTexts:
		r.must(len(r.b) > 0 && len(r.b) <= maxTexts*stampSize)
		for len(r.b) > 0 && !r.bad {
			n.texts = append(n.texts, r.time())
		}
	}
}

// reader takes values off the front of a section; after the first that is not there it is bad and gives zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) must(ok bool) { r.bad = r.bad || !ok }

func (r *reader) bytes(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return make([]byte, n)
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) number(size int) (n uint64) {
	for _, c := range r.bytes(size) {
		n = n<<8 | uint64(c)
	}
	return n
}

func (r *reader) time() time.Time { return time.UnixMilli(int64(r.number(stampSize))).UTC() }

func (r *reader) truth() bool {
	n := r.number(1)
	r.must(n <= 1)
	return n == 1
}

func (r *reader) process() proc.ID { return proc.ID{PID: int32(r.number(4)), Start: r.number(8)} }

func (r *reader) text() string {
	text := string(r.bytes(int(r.number(1))))
	r.must(serviceName(text))
	return text
}

// serviceName reports whether a service can stand in the file: it comes from whoever connects, by way of PAM.
func serviceName(text string) bool {
	if text == "" || len(text) > maxService || !utf8.ValidString(text) {
		return false
	}
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

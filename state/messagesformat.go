package state

import (
	"encoding/binary"
	"slices"
	"time"

	"twokey/internal/proc"
)

// # Messages
//
// messages/NAME is a slotfile of kind "messages" (see internal/slotfile), there for users who have a device of sms or push, and changed only
// under the lock of his state. A file that is damaged shuts sms and push; the codes of an app do not need it. Its value are sections like
// those of a state (see the package comment), each but 0x05 and 0x08 at most once:
//
//	0x01  user       the canonical name, 1 to 256 bytes
//	0x02  texts      times at which texts were sent, 1 to 10, the oldest first
//	0x03  code       of the text whose code is open: id (8 bytes), connection (8 bytes), hash (16 bytes: factor.HashChallenge), until (time),
//	                 tries left (1 byte, 1 to 3), source (text of at most 32 bytes); and 01 if it is one from which the user has succeeded
//	0x04  push       the one that is open: id (8 bytes), process that waits and its start (4 and 8 bytes), until (time); and 01 if it is for a source
//	                 from which the user has succeeded
//	0x05  shut       repeats, at most 8, the oldest first: until (time), source from which push is shut (text of at most 32 bytes)
//	0x06  answered   the last success: connection (8 bytes), time, method (text of at most 12 bytes)
//	0x07  confirmed  8 bytes, not all 0: factor.PhoneMark of the number from which a code has come back
//	0x08  row        repeats, at most 8, the oldest first: last (time), pushes in a row that nobody has answered (1 byte, 1 or 2), source from
//	                 which they were sent (text of at most 32 bytes)
//
// Names of sources that are longer, or cannot be printed, stand there as in a state. Every time is there: 0 is none.
//
// # Example
//
// Two texts were sent to Alice at 12:00 and 12:01 UTC on 2026-11-21 for a login from 192.0.2.7, and a wrong code was typed for the second. A
// push that she had not asked for was denied, two from elsewhere she has not answered, and one is on her phone. Her number is confirmed.
//
//	01 0005 616c696365                          user "alice"
//	02 000c 01a1fdfa4600 01a1fdfb3060           12:00 and 12:01
//	03 0031 d1d2d3d4d5d6d7d8                    id
//	        c1c2c3c4c5c6c7c8                    connection
//	        202122232425262728292a2b2c2d2e2f    hash
//	        01a1fdffc440 02                     good until 12:06, two tries left
//	        093139322e302e322e37                from "192.0.2.7"
//	04 001b e1e2e3e4e5e6e7e8                    id
//	        000003e9 0000000000001389           process 1001
//	        01a1fdfc1ac0 01                     until 12:02, from a source that is known
//	05 0013 01a1fe0801a0                        until 12:15
//	        0c3139382e35312e3130302e39          from "198.51.100.9"
//	06 0013 c1c2c3c4c5c6c7c8 01a1fdfa4600       connection, 12:00
//	        0470757368                          by "push"
//	07 0008 f1f2f3f4f5f6f7f8                    confirmed
//	08 0013 01a1fdf69c80 02                     two until 11:56
//	        0b3230332e302e3131332e35            from "203.0.113.5"
const (
	tagMessagesUser = iota + 1
	tagTexts
	tagTextCode
	tagPush
	tagShut
	tagAnswered
	tagConfirmed
	tagRow
)

// encodeMessages fails for a user's name alone: nothing that comes from a login makes what cannot be written.
func encodeMessages(user string, m *Messages) ([]byte, error) {
	var e encoder
	e.section(tagMessagesUser, []byte(user))
	var texts []byte
	for _, sent := range m.Texts[max(0, len(m.Texts)-maxTexts):] {
		texts = appendStamp(texts, stamp(sent))
	}
	e.optional(tagTexts, texts)
	if c := m.Code; c != nil && c.Left > 0 {
		content := slices.Concat(c.ID[:], c.Connection[:], c.Hash[:])
		content = append(appendStamp(content, stamp(c.Until)), byte(min(c.Left, TextTries)))
		content = appendText(content, cut(c.Source, maxName))
		if c.Known {
			content = append(content, 1)
		}
		e.section(tagTextCode, content)
	}
	if p := m.Push; p != nil {
		content := binary.BigEndian.AppendUint32(slices.Clone(p.ID[:]), uint32(p.Process.PID))
		content = binary.BigEndian.AppendUint64(content, p.Process.Start)
		content = appendStamp(content, stamp(p.Until))
		if p.Known {
			content = append(content, 1)
		}
		e.section(tagPush, content)
	}
	for _, s := range m.Shut[max(0, len(m.Shut)-MaxShut):] {
		e.section(tagShut, appendText(appendStamp(nil, stamp(s.Until)), cut(s.Source, maxName)))
	}
	if a := m.Answered; a != nil {
		content := appendStamp(slices.Clone(a.Connection[:]), stamp(a.Time))
		e.section(tagAnswered, appendText(content, cut(a.Method, maxMethod)))
	}
	if m.Confirmed != [8]byte{} {
		e.section(tagConfirmed, m.Confirmed[:])
	}
	for _, u := range m.Unanswered[max(0, len(m.Unanswered)-MaxShut):] {
		content := append(appendStamp(nil, stamp(u.Last)), byte(min(max(u.Pushes, 1), PushRow-1)))
		e.section(tagRow, appendText(content, cut(u.Source, maxName)))
	}
	if _, _, err := decodeMessages(e.b); err != nil {
		return nil, err // never write what could not be read
	}
	return e.b, nil
}

// decodeMessages accepts what encodeMessages gives and nothing else.
func decodeMessages(value []byte) (user string, m *Messages, err error) {
	m = &Messages{}
	for last := byte(0); len(value) > 0; {
		if len(value) < 3 {
			return "", nil, ErrFormat
		}
		tag, n := value[0], int(binary.BigEndian.Uint16(value[1:]))
		if n > len(value)-3 || tag < last || tag == last && tag != tagShut && tag != tagRow || last == 0 && tag != tagMessagesUser {
			return "", nil, ErrFormat
		}
		d := decoder{b: value[3 : 3+n]}
		if tag == tagMessagesUser {
			user = string(d.bytes(n))
			d.must(user != "" && len(user) <= maxUser)
		} else {
			m.decodeSection(tag, &d)
		}
		if d.bad || len(d.b) > 0 {
			return "", nil, ErrFormat
		}
		value, last = value[3+n:], tag
	}
	if user == "" {
		return "", nil, ErrFormat
	}
	return user, m, nil
}

func (m *Messages) decodeSection(tag byte, d *decoder) {
	switch tag {
	case tagTexts:
		d.must(len(d.b) > 0)
		for len(d.b) > 0 && !d.bad {
			m.Texts = append(m.Texts, d.when())
		}
		d.must(len(m.Texts) <= maxTexts)
	case tagTextCode:
		c := &TextCode{ID: d.id(), Connection: d.id(), Hash: [16]byte(d.bytes(16)), Until: d.when(), Left: int(d.number(1)), Source: d.source()}
		d.must(c.Left >= 1 && c.Left <= TextTries)
		c.Known = d.known()
		m.Code = c
	case tagPush:
		m.Push = &OpenPush{ID: d.id(), Process: proc.ID{PID: int32(d.number(4)), Start: d.number(8)}, Until: d.when()}
		m.Push.Known = d.known()
	case tagShut:
		m.Shut = append(m.Shut, ShutSource{Until: d.when(), Source: d.source()})
		d.must(len(m.Shut) <= MaxShut)
	case tagAnswered:
		m.Answered = &Answered{Connection: d.id(), Time: d.when(), Method: d.text(maxMethod)}
	case tagConfirmed:
		copy(m.Confirmed[:], d.bytes(len(m.Confirmed)))
		d.must(m.Confirmed != [8]byte{})
	case tagRow:
		u := Unanswered{Last: d.when(), Pushes: int(d.number(1)), Source: d.source()}
		d.must(u.Pushes >= 1 && u.Pushes < PushRow)
		m.Unanswered = append(m.Unanswered, u)
		d.must(len(m.Unanswered) <= MaxShut)
	default:
		d.bad = true
	}
}

// known is the 01 at the end, if it is there.
func (d *decoder) known() bool {
	if len(d.b) == 0 {
		return false
	}
	d.must(d.number(1) == 1)
	return true
}

// when is a time that must be there.
func (d *decoder) when() time.Time {
	at := d.time()
	d.must(!at.IsZero())
	return at
}

// source is a name as SourceKey gives it.
func (d *decoder) source() string { return d.text(maxName) }

package state

import (
	"encoding/binary"
	"slices"
)

// # Bypass codes
//
// bypass/NAME is a slotfile of kind "bypass" (see internal/slotfile), there while bypass codes of a user are open, and changed only under
// the lock of his state. Its value are sections like those of a state (see the package comment):
//
//	0x01  user    the canonical name, 1 to 256 bytes
//	0x02  bypass  repeats, 1 to 8, the oldest first: id (4 bytes), created, until (times), uses (2 bytes, 1 to 1000), left (2 bytes, 1 to
//	              uses), key (32 bytes, random), hash (16 bytes: factor.HashRecovery of the code with that key), reason, requester, by
//	              (texts of 1 to 120, 64 and 64 bytes, printable)
//
// # Example
//
// Carol has given Alice a code for an hour and two logins, because Bob asked her to, and one of them was used.
//
//	01 0005 616c696365                          user "alice"
//	02 0060 d1d2d3d4                            id
//	        01a1fdfa4600 01a1fe313480           made at 12:00 UTC on 2026-11-21, until 13:00
//	        0002 0001                           two uses, one left
//	        000102030405060708090a0b0c0d0e0f1011   key
//	        12131415161718191a1b1c1d1e1f
//	        202122232425262728292a2b2c2d2e2f    hash
//	        0a 70686f6e65206c6f7374             reason "phone lost"
//	        03 626f62                           who asked: "bob"
//	        0c 726f6f7420286361726f6c29         who made it: "root (carol)"
const (
	tagBypassUser = 1
	tagBypass     = 2
)

func encodeBypasses(user string, all []Bypass) ([]byte, error) {
	var e encoder
	e.section(tagBypassUser, []byte(user))
	for _, b := range all {
		content := appendTime(appendTime(slices.Clone(b.ID[:]), b.Created), b.Until)
		content = binary.BigEndian.AppendUint16(content, uint16(b.Uses))
		content = binary.BigEndian.AppendUint16(content, uint16(b.Left))
		content = append(append(content, b.Key[:]...), b.Hash[:]...)
		for _, text := range []string{b.Reason, b.Requester, b.By} {
			content = appendText(content, text)
		}
		e.section(tagBypass, content)
	}
	if _, _, err := decodeBypasses(e.b); err != nil {
		return nil, err // never write what could not be read
	}
	return e.b, nil
}

// decodeBypasses accepts what encodeBypasses gives and nothing else.
func decodeBypasses(value []byte) (user string, all []Bypass, err error) {
	for i := 0; len(value) > 0; i++ {
		if len(value) < 3 {
			return "", nil, ErrFormat
		}
		n := int(binary.BigEndian.Uint16(value[1:]))
		if want := min(i+1, tagBypass); int(value[0]) != want || n > len(value)-3 || i > MaxBypasses {
			return "", nil, ErrFormat
		}
		d := decoder{b: value[3 : 3+n]}
		if i == 0 {
			user = string(d.bytes(n))
			d.must(user != "" && len(user) <= maxUser)
		} else {
			all = append(all, d.bypass())
		}
		if d.bad || len(d.b) > 0 {
			return "", nil, ErrFormat
		}
		value = value[3+n:]
	}
	if len(all) == 0 {
		return "", nil, ErrFormat
	}
	return user, all, nil
}

func (d *decoder) bypass() (b Bypass) {
	copy(b.ID[:], d.bytes(len(b.ID)))
	b.Created, b.Until = d.time(), d.time()
	b.Uses, b.Left = int(d.number(2)), int(d.number(2))
	copy(b.Key[:], d.bytes(len(b.Key)))
	copy(b.Hash[:], d.bytes(len(b.Hash)))
	b.Reason, b.Requester, b.By = d.text(MaxBypassReason), d.text(MaxBypassName), d.text(MaxBypassName)
	d.must(b.check() == nil)
	return b
}

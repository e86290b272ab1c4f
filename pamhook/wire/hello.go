package wire

import (
	"bytes"
	"cmp"
	"encoding/binary"
)

// The tags of HELLO's fields.
const (
	tagUser = iota + 1
	tagName
	tagUID
	tagGIDs
	tagHome
	tagShell
	tagService
	tagRHost
	tagRUser
	tagTTY
	tagSSHAuthInfo
	tagCallerUID
	tagClient
	tagConfig
	tagEnd
)

// Encode returns the payload of a HELLO frame. It is the module's side, here for tests and for programs that drive the helper
// without libpam. It fails with ErrHello where ParseHello would refuse the result.
func (h *Hello) Encode() ([]byte, error) {
	b := []byte{cmp.Or(h.Version, Version)}
	b = append(b, h.Nonce[:]...)
	b = append(b, byte(h.Phase))
	b = binary.BigEndian.AppendUint16(b, uint16(h.Flags))
	texts := h.texts()
	for tag := 1; tag < tagEnd; tag++ {
		var value []byte
		switch {
		case tag == tagCallerUID:
			value = binary.BigEndian.AppendUint32(nil, h.CallerUID)
		case tag == tagUID && h.Name != "":
			value = binary.BigEndian.AppendUint32(nil, h.UID)
		case tag == tagGIDs && h.Name != "" && len(h.GIDs) > 0:
			for _, gid := range h.GIDs {
				value = binary.BigEndian.AppendUint32(value, gid)
			}
		case texts[tag] != nil && *texts[tag] != "":
			value = []byte(*texts[tag])
		default:
			continue
		}
		if len(value) > MaxValue {
			return nil, ErrHello
		}
		b = append(b, byte(tag))
		b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
		b = append(b, value...)
	}
	if _, err := ParseHello(b); err != nil {
		return nil, err
	}
	return b, nil
}

// texts maps the tags whose values are text to where they are kept.
func (h *Hello) texts() map[int]*string {
	return map[int]*string{
		tagUser: &h.User, tagName: &h.Name, tagHome: &h.Home, tagShell: &h.Shell, tagService: &h.Service,
		tagRHost: &h.RHost, tagRUser: &h.RUser, tagTTY: &h.TTY, tagSSHAuthInfo: &h.SSHAuthInfo,
		tagClient: &h.Client, tagConfig: &h.Config,
	}
}

// ParseHello understands the payload of a HELLO frame. Everything that the package comment does not allow is ErrHello, or
// ErrVersion when only the version is unknown. Text may be any bytes but NUL: names at a login prompt are what a stranger
// types, and whoever shows or records them makes them safe.
func ParseHello(b []byte) (*Hello, error) {
	if len(b) < helloFixed || len(b) > MaxPayload {
		return nil, ErrHello
	}
	if b[0] != Version && b[0] != OldVersion {
		return nil, ErrVersion
	}
	h := &Hello{Version: b[0]}
	copy(h.Nonce[:], b[1:])
	h.Phase = Phase(b[1+NonceSize])
	h.Flags = Flags(binary.BigEndian.Uint16(b[2+NonceSize:]))
	flags := allFlags
	if h.Version == OldVersion {
		flags = oldFlags
	}
	if h.Phase < PhaseAuthenticate || h.Phase > PhaseOpenSession || h.Flags&^flags != 0 {
		return nil, ErrHello
	}
	seen, err := h.parseFields(b[helloFixed:])
	if err != nil {
		return nil, err
	}
	if !h.complete(seen) {
		return nil, ErrHello
	}
	return h, nil
}

// complete reports whether the fields are there that must be, and none that may not be without another.
func (h *Hello) complete(seen [tagEnd]bool) bool {
	named := seen[tagName]
	if !seen[tagCallerUID] || seen[tagUID] != named || seen[tagGIDs] && !named || named && h.Flags&FlagLookupFailed != 0 {
		return false
	}
	return h.Flags&FlagItemTooLong != 0 || seen[tagUser] && seen[tagService] && seen[tagGIDs] == named
}

func (h *Hello) parseFields(b []byte) (seen [tagEnd]bool, err error) {
	texts := h.texts()
	last := 0
	for len(b) > 0 {
		if len(b) < fieldOverhead {
			return seen, ErrHello
		}
		tag, n := int(b[0]), int(binary.BigEndian.Uint16(b[1:]))
		b = b[fieldOverhead:]
		if tag <= last || tag >= tagEnd || n == 0 || n > MaxValue || n > len(b) {
			return seen, ErrHello
		}
		value := b[:n]
		b, last, seen[tag] = b[n:], tag, true
		if text, ok := texts[tag]; ok {
			if bytes.IndexByte(value, 0) >= 0 {
				return seen, ErrHello
			}
			*text = string(value)
		} else if err := h.parseNumbers(tag, value); err != nil {
			return seen, err
		}
	}
	return seen, nil
}

func (h *Hello) parseNumbers(tag int, value []byte) error {
	if len(value)%4 != 0 || tag != tagGIDs && len(value) != 4 {
		return ErrHello
	}
	for ; len(value) > 0; value = value[4:] {
		n := binary.BigEndian.Uint32(value)
		switch tag {
		case tagUID:
			h.UID = n
		case tagCallerUID:
			h.CallerUID = n
		case tagGIDs:
			h.GIDs = append(h.GIDs, n)
		}
	}
	return nil
}

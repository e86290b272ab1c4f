package wire

import (
	"encoding/binary"
	"io"
	"unicode/utf8"
)

// Frame is a type and its payload, not yet understood.
type Frame struct {
	Type    Type
	Payload []byte
}

// maxPayload is the largest payload of a type, or -1 for a type that does not exist.
func maxPayload(t Type) int {
	switch t {
	case TypeHello:
		return MaxPayload
	case TypeAnswer:
		return MaxAnswer
	case TypeNoAnswer, TypeGroup:
		return 1
	case TypePrompt, TypeInfo:
		return 1 + MaxText
	case TypeLookupGroup:
		return MaxGroupName
	case TypeWait, TypeCutAuthtok:
		return 2
	case TypeGetAuthtok:
		return MaxText
	case TypeAllow:
		return NonceSize + 1
	case TypeDeny, TypeIgnore:
		return NonceSize
	}
	return -1
}

// ReadFrame reads one frame. It returns io.EOF at a clean end, io.ErrUnexpectedEOF inside a frame and ErrFrame for a type that
// does not exist or a payload that is too long; the length is checked before anything is allocated.
func ReadFrame(r io.Reader) (Frame, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return Frame{}, err
	}
	t := Type(header[0])
	n := binary.BigEndian.Uint32(header[1:])
	if limit := maxPayload(t); limit < 0 || n > uint32(limit) {
		return Frame{}, ErrFrame
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Frame{}, err
	}
	return Frame{t, payload}, nil
}

// Append appends the frame's bytes to b.
func (f Frame) Append(b []byte) []byte {
	b = append(b, byte(f.Type))
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.Payload)))
	return append(b, f.Payload...)
}

// textAllowed reports whether a text may be shown to a person: UTF-8 without control characters other than newline, so that
// no part of a login can move the cursor or hide what was said.
func textAllowed(s string) bool {
	if len(s) > MaxText || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r != '\n' && (r < 0x20 || r >= 0x7f && r < 0xa0) {
			return false
		}
	}
	return true
}

package audit

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	maxText    = 256 // bytes of one text, before escaping
	maxKey     = 64
	maxChanges = 16
	maxDetails = 16
	maxNumber  = 1<<53 - 1 // every reader of JSON holds it exactly
)

// hidden tells the characters that are always written as an escape: those that begin a line or a terminal's escape sequence,
// turn the direction of writing or are not seen at all, so that a record could look like another one. The list is part of the
// format; it must not follow the Unicode version of a library, or older logs would stop being readable.
func hidden(r rune) bool {
	switch {
	case r < 0x20, 0x7f <= r && r <= 0x9f, r == 0xad, r == 0x61c, r == 0x180e, 0x200b <= r && r <= 0x200f,
		0x2028 <= r && r <= 0x202e, 0x2060 <= r && r <= 0x206f, r == 0xfeff, 0xfff9 <= r && r <= 0xfffb,
		0x1d173 <= r && r <= 0x1d17a, 0xe0000 <= r && r <= 0xe0fff:
		return true
	}
	return false
}

// limit makes a text valid UTF-8 of at most maxText bytes.
func limit(s string) string {
	if len(s) <= maxText && utf8.ValidString(s) {
		return s
	}
	mark := fmt.Sprintf("…[%d bytes]", len(s))
	b := make([]byte, 0, maxText)
	for _, r := range s { // an invalid byte comes as U+FFFD
		if len(b)+utf8.RuneLen(r)+len(mark) > maxText {
			return string(b) + mark
		}
		b = utf8.AppendRune(b, r)
	}
	return string(b)
}

// appendEscaped appends valid UTF-8 as it stands inside the quotes of a JSON string.
func appendEscaped(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r > 0xffff && hidden(r):
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		case hidden(r):
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

// Safe makes a text of a record, or any other, fit for a terminal: as it is, backslashes and quotes too, where all of it can be seen; else
// as it stands in the log, with nothing in it that a terminal obeys.
func Safe(s string) string {
	s = limit(s)
	if !strings.ContainsFunc(s, hidden) {
		return s
	}
	return string(appendEscaped(nil, s))
}

// scanText finds the end of a text at the beginning of b: how many bytes it has up to the closing quote and how many when
// unescaped. It accepts only what appendEscaped writes.
func scanText(b []byte) (raw, size int, ok bool) {
	for raw < len(b) {
		c := b[raw]
		if c == '"' {
			return raw, size, size <= maxText
		}
		if c != '\\' && 0x20 <= c && c < 0x7f {
			raw++
			size++
			continue
		}
		r, n := scanRune(b[raw:])
		if n == 0 {
			return 0, 0, false
		}
		raw += n
		size += utf8.RuneLen(r)
	}
	return 0, 0, false
}

// scanRune reads one character, escaped or not, and how many bytes it takes: 0 when it is not written as it must be.
func scanRune(b []byte) (r rune, n int) {
	if b[0] != '\\' {
		r, n = utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 || hidden(r) {
			return 0, 0
		}
		return r, n
	}
	if len(b) >= 2 && (b[1] == '"' || b[1] == '\\') {
		return rune(b[1]), 2
	}
	r, n = scanUnit(b)
	if n != 0 && utf16.IsSurrogate(r) {
		low, m := scanUnit(b[n:])
		r, n = utf16.DecodeRune(r, low), n+m
	}
	if n == 0 || !hidden(r) {
		return 0, 0
	}
	return r, n
}

// scanUnit reads \uXXXX in small hexadecimal digits.
func scanUnit(b []byte) (r rune, n int) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, 0
	}
	for _, c := range b[2:6] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		default:
			return 0, 0
		}
	}
	return r, 6
}

// unescape gives back what appendEscaped was given; raw has passed scanText.
func unescape(raw []byte) string {
	b := make([]byte, 0, len(raw))
	for len(raw) > 0 {
		r, n := scanRune(raw)
		b = utf8.AppendRune(b, r)
		raw = raw[n:]
	}
	return string(b)
}

// isIP reports whether a source is an address in the one spelling that goes into source.ip, an ECS field of type ip.
func isIP(s string) bool {
	a, err := netip.ParseAddr(s)
	var spelling [64]byte
	return err == nil && a.Zone() == "" && string(a.AppendTo(spelling[:0])) == s
}

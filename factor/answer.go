package factor

import (
	"fmt"
	"strings"
)

// Kind is what an answer looks like; what it is worth only the Match functions can tell.
type Kind int

// The kinds of answers. The zero value is the one that nothing accepts.
const (
	Rubbish  Kind = iota // nothing that twokey ever asks for
	Empty                // nothing but spaces
	Digits               // 4 to 24 digits: a code, or two codes in a row
	Recovery             // twelve characters of the recovery alphabet, a letter among them
)

// maxAnswer is the length in bytes, without the spaces round it, up to which an answer is looked at. The longest that can
// be right is a pair of 12-digit codes, even with a space behind every digit.
const maxAnswer = 64

// asciiSpace is what is trimmed from both ends.
const asciiSpace = " \t\n\v\f\r"

// Answer is what someone typed at the prompt, brought to one spelling.
type Answer struct {
	Kind Kind
	// Text is the digits without spaces and hyphens, or the recovery code as xxxx-xxxx-xxxx; "" for the other kinds.
	Text string
}

// ParseAnswer tells what raw looks like. Spaces at the ends are dropped, spaces and hyphens inside too: apps show codes in
// groups. Only ASCII digits are digits. Nothing is guessed: what is none of the kinds is Rubbish, so that a password typed
// at the wrong prompt is not looked at any further.
func ParseAnswer(raw string) Answer {
	trimmed := strings.Trim(raw, asciiSpace)
	if trimmed == "" {
		return Answer{Kind: Empty}
	}
	if len(trimmed) > maxAnswer {
		return Answer{}
	}
	text := withoutGaps(trimmed)
	if isDigits(text) {
		if len(text) < MinDigits || len(text) > 2*MaxDigits {
			return Answer{}
		}
		return Answer{Kind: Digits, Text: text}
	}
	if code, ok := canonicalRecovery(text); ok {
		return Answer{Kind: Recovery, Text: code}
	}
	return Answer{}
}

// Format prints what kind of answer it is and not the answer, whatever the verb: a code in a log is a code given away.
func (a Answer) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "%s (%d characters)", a.Kind, len(a.Text))
}

// String names the kind for people: "digits".
func (k Kind) String() string {
	switch k {
	case Empty:
		return "empty"
	case Digits:
		return "digits"
	case Recovery:
		return "recovery code"
	}
	return "rubbish"
}

// withoutGaps drops the spaces and hyphens by which people and apps group characters.
func withoutGaps(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, " ", ""), "-", "")
}

// isDigits tells whether s is one or more ASCII digits and nothing else.
func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// isASCII tells whether every byte of s is printable ASCII, space included.
func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

package state

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Names of sources and services come from whoever connects. None of them may make a state that cannot be written: that would lock
// its user out.

// hashMark begins the name that stands for one that does not fit.
const hashMark = "~"

// SourceKey is the form in which the name of a source stands in the state, by which two are compared.
func SourceKey(source string) string { return key(source) }

// key is the form of a name that is compared. Two names never have the same key: cut off at a length, a stranger's could become
// that of a known source.
func key(name string) string {
	if len(name) <= maxName && !strings.HasPrefix(name, hashMark) && printable(name) {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return hashMark + base64.RawURLEncoding.EncodeToString(sum[:])[:maxName-len(hashMark)]
}

func printable(text string) bool {
	for _, r := range text {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// cut is the form of a text that is only shown.
func cut(text string, limit int) string {
	text = text[:min(len(text), limit+utf8.UTFMax)] // a character that this cuts in two lies beyond the limit
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	for len(text) > limit {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}

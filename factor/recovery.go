package factor

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// recoveryAlphabet has one character for each five bits; i, l, o and u are left out.
const recoveryAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// recoveryLength is the number of characters without the hyphens: 60 bits.
const recoveryLength = 12

// MaxRecoveryCodes is how many recovery codes are drawn at most at once.
const MaxRecoveryCodes = 100

// recoveryDomain keeps these hashes apart from everything else that is made with the same key; its number is that of the
// format.
const recoveryDomain = "twokey recovery code 1\x00"

// errRecoveryShape says nothing about the code: error texts end up in logs.
var errRecoveryShape = errors.New("not a recovery code, want xxxx-xxxx-xxxx")

// NewRecoveryCodes draws n (1 to MaxRecoveryCodes) different codes from rand, which must be a cryptographic source such as
// crypto/rand.Reader. It fails when rand does, or when rand keeps giving what cannot be used, and then returns none.
func NewRecoveryCodes(rand io.Reader, n int) ([]string, error) {
	if n < 1 || n > MaxRecoveryCodes {
		return nil, fmt.Errorf("%d recovery codes, want 1 to %d", n, MaxRecoveryCodes)
	}
	codes := make([]string, 0, n)
	// One draw in a million has no letter, and hardly any comes twice. A source that needs more than a few is broken.
	for refused := 0; len(codes) < n; {
		code, err := drawRecovery(rand)
		if err != nil {
			return nil, err
		}
		if canonical, ok := canonicalRecovery(code); ok && !slices.Contains(codes, canonical) {
			codes = append(codes, canonical)
		} else if refused++; refused > 8 {
			return nil, errors.New("draw a recovery code: the random source repeats itself")
		}
	}
	return codes, nil
}

// drawRecovery draws twelve characters. They may all be digits: the caller draws again.
func drawRecovery(rand io.Reader) (string, error) {
	var random [8]byte
	if _, err := io.ReadFull(rand, random[:]); err != nil {
		return "", fmt.Errorf("draw a recovery code: %w", err)
	}
	bits := binary.BigEndian.Uint64(random[:])
	var code [recoveryLength]byte
	for i := range code {
		code[i] = recoveryAlphabet[bits%32]
		bits /= 32
	}
	return string(code[:]), nil
}

// canonicalRecovery turns twelve characters without gaps into the canonical spelling xxxx-xxxx-xxxx. It is false for
// anything that is no recovery code, also when there is no letter among the characters.
func canonicalRecovery(s string) (string, bool) {
	if len(s) != recoveryLength {
		return "", false
	}
	var code [recoveryLength + 2]byte
	spelled, letters := code[:0], 0
	for i := range recoveryLength {
		c := recoveryCharacter(s[i])
		switch {
		case c == 0:
			return "", false
		case c > '9':
			letters++
		}
		if i == 4 || i == 8 {
			spelled = append(spelled, '-')
		}
		spelled = append(spelled, c)
	}
	if letters == 0 {
		return "", false
	}
	return string(spelled), true
}

// recoveryCharacter is the one of the alphabet that is meant, 0 for none: a small letter, and for one that is left out what it is taken for.
func recoveryCharacter(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	switch c {
	case 'o':
		return '0'
	case 'i', 'l':
		return '1'
	}
	if strings.IndexByte(recoveryAlphabet, c) < 0 {
		return 0
	}
	return c
}

// HashRecovery returns what is kept of a recovery code: see the package comment. It takes every spelling that ParseAnswer
// takes and fails for what is no recovery code. The key is secret: without it 60 bits could be searched.
func HashRecovery(key [32]byte, code string) ([16]byte, error) {
	hashes, err := HashRecoveries(key, []string{code})
	if err != nil {
		return [16]byte{}, err
	}
	return hashes[0], nil
}

// HashRecoveries is HashRecovery of many codes. Half of the work for one is with the key, and done once.
func HashRecoveries(key [32]byte, codes []string) ([][16]byte, error) {
	mac := hmac.New(sha256.New, key[:])
	hashes := make([][16]byte, 0, len(codes))
	var sum [sha256.Size]byte
	for _, code := range codes {
		answer := ParseAnswer(code)
		if answer.Kind != Recovery {
			return nil, errRecoveryShape
		}
		mac.Reset()
		mac.Write([]byte(recoveryDomain + answer.Text))
		hashes = append(hashes, [16]byte(mac.Sum(sum[:0])[:16]))
	}
	return hashes, nil
}

// MatchRecovery looks for code among the hashes and returns the index of the first that is its hash; ok is false, and the
// index −1, when there is none. All hashes are compared, in constant time. Whether that code was used already is for the
// caller to know.
func MatchRecovery(key [32]byte, hashes [][16]byte, code string) (index int, ok bool) {
	hash, err := HashRecovery(key, code)
	if err != nil {
		return -1, false
	}
	index = -1
	for i := len(hashes) - 1; i >= 0; i-- {
		equal := subtle.ConstantTimeCompare(hash[:], hashes[i][:])
		index = subtle.ConstantTimeSelect(equal, i, index)
	}
	return index, index >= 0
}

package audit

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"strings"
)

// Hash is a SHA-256: of the chain up to a record, or of skipped bytes.
type Hash [sha256.Size]byte

// String gives the 43 characters that stand in the log.
func (h Hash) String() string { return hashEncoding.EncodeToString(h[:]) }

// sealingKey makes one seal and is then replaced by its own hash, so that nobody can make that seal again.
type sealingKey [sha256.Size]byte

const chainDomain = "twokey audit 1\n"

// chain gives the hash of a record with this body behind a record with the hash previous. buf is room to work in.
func chain(buf *[]byte, previous Hash, body []byte) Hash {
	b := append((*buf)[:0], chainDomain...)
	b = append(b, previous[:]...)
	b = append(b, body...)
	*buf = b
	return sha256.Sum256(b)
}

// seal is HMAC-SHA256, RFC 2104, written out for a text that is as long as the key: two hashes and nothing else, where crypto/hmac makes
// several objects for each record that is verified.
func (k sealingKey) seal(h Hash) Hash {
	const inner, outer = 0x36, 0x5c
	var b [sha256.BlockSize + sha256.Size]byte
	copy(b[:], k[:])
	for i := range sha256.BlockSize {
		b[i] ^= inner
	}
	copy(b[sha256.BlockSize:], h[:])
	sum := sha256.Sum256(b[:])
	for i := range sha256.BlockSize {
		b[i] ^= inner ^ outer
	}
	copy(b[sha256.BlockSize:], sum[:])
	return sha256.Sum256(b[:])
}

// after gives the key of the record that comes so many records later.
func (k sealingKey) after(steps uint64) sealingKey {
	for range steps {
		k = sha256.Sum256(k[:])
	}
	return k
}

// nameKeyDomain keeps the hashes of unknown names apart from whatever else the key may once be used for.
const (
	nameKeyDomain = "twokey unknown user 1\n"
	nameHashSize  = 16
)

// nameHash lets an auditor see that the same unknown name was typed again, and only who has the head can try out names.
func nameHash(key [sha256.Size]byte, name string) string {
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(nameKeyDomain))
	mac.Write([]byte(name))
	return hashEncoding.EncodeToString(mac.Sum(nil)[:nameHashSize])
}

// VerificationKey is the sealing key of the first record, from which all others follow. It is kept away from the host: with it every
// record can be checked, and whoever has it could also forge every record.
type VerificationKey struct {
	first sealingKey
}

const (
	keyPrefix    = "TWOKEY-AUDIT-KEY-1"
	keyDomain    = "twokey audit key 1\n"
	keyCheckSize = 3
	keyGroup     = 8
)

var (
	keyEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)
	errKey      = errors.New("audit: not a verification key, or mistyped")
)

// Text gives the key as it is written down: see the package comment.
func (k VerificationKey) Text() string {
	text := keyEncoding.EncodeToString(append(k.first[:], keyCheck(k.first)...))
	var b strings.Builder
	b.WriteString(keyPrefix)
	for ; text != ""; text = text[keyGroup:] {
		b.WriteString("-" + text[:keyGroup])
	}
	return b.String()
}

// String says what it is and not which, so that the key does not come into a message by mistake.
func (k VerificationKey) String() string { return "(audit verification key)" }

// ParseVerificationKey reads what Text gives, and nothing else.
func ParseVerificationKey(text string) (VerificationKey, error) {
	const size = len(keyPrefix) + 56 + 56/keyGroup
	if len(text) != size {
		return VerificationKey{}, errKey
	}
	b, err := keyEncoding.DecodeString(strings.ReplaceAll(text[len(keyPrefix):], "-", ""))
	if err != nil || len(b) != sha256.Size+keyCheckSize {
		return VerificationKey{}, errKey
	}
	k := VerificationKey{sealingKey(b[:sha256.Size])}
	if k.Text() != text {
		return VerificationKey{}, errKey // the check does not fit, or another spelling of the same key
	}
	return k, nil
}

// keyCheck finds a mistyped character.
func keyCheck(k sealingKey) []byte {
	sum := sha256.Sum256(append([]byte(keyDomain), k[:]...))
	return sum[:keyCheckSize]
}

// random fills 32 bytes; crypto/rand ends the program when the system has no randomness to give.
func random() (b [sha256.Size]byte) {
	rand.Read(b[:])
	return b
}

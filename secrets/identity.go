package secrets

import (
	"crypto/ecdh"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"strings"

	"filippo.io/age"
	"filippo.io/edwards25519"
	"golang.org/x/crypto/chacha20poly1305"
)

// identity is an age identity of X25519 (https://c2sp.org/age): the private half of a recipient. The one of the library multiplies points four
// times to open a file, where two do, and that was a tenth of what a login computes.
type identity struct {
	Recipient
	private *ecdh.PrivateKey
	scalar  *edwards25519.Scalar // the same key, for Wrap
}

// identityType is what the text of an identity begins with, in capitals as all of it. A "1" follows, and then the characters that
// recipientType says.
const identityType = "AGE-SECRET-KEY-"

// fileKeySize is that of the key that a stanza holds, in bytes.
const fileKeySize = 16

// parseIdentity reads the one spelling that an identity has. What is wrong with another is not said: it may be a key.
func parseIdentity(text string) (*identity, error) {
	digits, _ := strings.CutPrefix(text, identityType+"1")
	scalar, err := base32.NewEncoding(strings.ToUpper(bech32Alphabet)).WithPadding(base32.NoPadding).DecodeString(digits[:min(publicKeyLength, len(digits))])
	defer clear(scalar)
	if err != nil || bech32(identityType, scalar) != text {
		return nil, ErrHostKey
	}
	private, err := ecdh.X25519().NewPrivateKey(scalar)
	if err != nil {
		return nil, ErrHostKey
	}
	reduced, err := new(edwards25519.Scalar).SetBytesWithClamping(scalar)
	if err != nil {
		return nil, ErrHostKey
	}
	public := private.PublicKey()
	return &identity{Recipient{bech32(recipientType, public.Bytes()), public}, private, reduced}, nil
}

var errStanza = errors.New("malformed X25519 stanza")

// Unwrap finds the key of a file in its stanzas, for age.Decrypt: age.ErrIncorrectIdentity where none is for this identity, and another error for
// one that is not as the format says.
func (i *identity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	for _, s := range stanzas {
		fileKey, err := i.unwrap(s)
		if !errors.Is(err, age.ErrIncorrectIdentity) {
			return fileKey, err
		}
	}
	return nil, age.ErrIncorrectIdentity
}

func (i *identity) unwrap(s *age.Stanza) ([]byte, error) {
	if s.Type != stanzaType {
		return nil, age.ErrIncorrectIdentity
	}
	if len(s.Args) != 1 || strings.ContainsAny(s.Args[0], "\r\n") || len(s.Body) != fileKeySize+chacha20poly1305.Overhead {
		return nil, errStanza
	}
	point, err := base64.RawStdEncoding.Strict().DecodeString(s.Args[0])
	if err != nil {
		return nil, errStanza
	}
	share, err := ecdh.X25519().NewPublicKey(point)
	if err != nil {
		return nil, errStanza
	}
	shared, err := i.private.ECDH(share) // not all zeros: that is an error
	if err != nil {
		return nil, errStanza
	}
	aead, err := i.aead(share, shared)
	if err != nil {
		return nil, err
	}
	fileKey, err := aead.Open(nil, make([]byte, chacha20poly1305.NonceSize), s.Body, nil)
	if err != nil {
		return nil, age.ErrIncorrectIdentity
	}
	return fileKey, nil
}

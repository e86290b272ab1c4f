package secrets

import (
	"crypto/ecdh"
	"crypto/rand"
	"io"

	"filippo.io/age"
	"filippo.io/edwards25519"
)

// Wrap is Recipient.Wrap, for a host that encrypts to itself. Its public key is a multiple of the base point, and so is the product of
// that with an ephemeral key: both points are made with the table of multiples that Ed25519 has for its base point, the same point on a
// curve with other coordinates (RFC 7748, section 4.1). For a batch of new users that is half the work of multiplying the public key.
func (i *identity) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	var random [32]byte
	if _, err := io.ReadFull(rand.Reader, random[:]); err != nil {
		return nil, err
	}
	defer clear(random[:])
	ephemeral, err := new(edwards25519.Scalar).SetBytesWithClamping(random[:])
	if err != nil {
		return nil, err
	}
	share, err := ecdh.X25519().NewPublicKey(multiple(ephemeral))
	if err != nil {
		return nil, err
	}
	shared := multiple(ephemeral.Multiply(ephemeral, i.scalar))
	defer clear(shared)
	return i.stanza(fileKey, share, shared)
}

// multiple is that of the base point, as X25519 has it, in constant time. Clamped scalars are below eight times the order of the base point
// and can be divided by eight: neither one nor the product of two is ever a multiple of the order, so that the point is never zero.
func multiple(scalar *edwards25519.Scalar) []byte {
	return new(edwards25519.Point).ScalarBaseMult(scalar).BytesMontgomery()
}

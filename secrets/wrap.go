package secrets

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"math/big"
	"slices"

	"filippo.io/age"
)

// Wrap is Recipient.Wrap, for a host that encrypts to itself. The shared secret is the same from both sides (RFC 7748, section 6.1): the host has
// it by its own private key, and needs of the ephemeral key the public half alone, which is cheaper to make than the product of another
// point.
func (i *identity) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	var seed [ed25519.SeedSize]byte
	if _, err := io.ReadFull(rand.Reader, seed[:]); err != nil {
		return nil, err
	}
	defer clear(seed[:])
	share, err := publicOf(seed)
	if err != nil {
		return nil, err
	}
	shared, err := i.private.ECDH(share)
	if err != nil {
		return nil, err
	}
	return i.stanza(fileKey, share, shared)
}

// fieldPrime is 2^255-19, the field of Curve25519.
func fieldPrime() *big.Int {
	p := new(big.Int).Lsh(big.NewInt(1), 255)
	return p.Sub(p, big.NewInt(19))
}

// publicOf is the X25519 public key of the private key which Ed25519 makes of a seed, the first half of its SHA-512 (RFC 8032, section
// 5.1.5). Its public key there is the same multiple of the same point, for which Go has a table, and u = (1+y)/(1-y) is the way from one
// curve to the other (RFC 7748, section 4.1). That takes no constant time, and both numbers are public.
func publicOf(seed [ed25519.SeedSize]byte) (*ecdh.PublicKey, error) {
	private := ed25519.NewKeyFromSeed(seed[:])
	defer clear(private)
	encoded := slices.Clone(private[ed25519.SeedSize:])
	encoded[31] &= 0x7f // the sign of x
	slices.Reverse(encoded)
	p, one, y := fieldPrime(), big.NewInt(1), new(big.Int).SetBytes(encoded)
	below := new(big.Int).Sub(one, y)
	if below.ModInverse(below.Mod(below, p), p) == nil { // y is 1: the neutral point, of no seed
		return nil, errors.New("no ephemeral key")
	}
	u := y.Add(y, one)
	u.Mod(u.Mul(u, below), p).FillBytes(encoded)
	slices.Reverse(encoded)
	return ecdh.X25519().NewPublicKey(encoded)
}

package secrets

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"twokey/internal/safefile"
)

const (
	signerPrefix     = "twokey-signer1"
	signingKeyPrefix = "twokey-signing-key1"
	// signedPrefix keeps a signature of a user's file from being one of anything else that the key may sign one day.
	signedPrefix = "twokey user file signature 1\n"
)

// Errors of keys that are written as text.
var (
	ErrSignerText    = errors.New(`not the public key of a signer: want "` + signerPrefix + `" and 43 characters`)
	ErrSigningKey    = errors.New("signing key is not usable")
	ErrRecipientText = errors.New(`not the public key of a host: want "age1" and 58 characters, as twokey key recipient prints them`)
)

// Signer is the public key of those who make users' files elsewhere.
type Signer struct{ key [ed25519.PublicKeySize]byte }

// ParseSigner reads what String writes, and no other spelling; ErrSignerText for anything else, and for a key with which anybody could
// sign.
func ParseSigner(text string) (Signer, error) {
	encoded, ok := strings.CutPrefix(text, signerPrefix)
	b, err := base64.RawURLEncoding.DecodeString(encoded)
	if !ok || err != nil || len(b) != ed25519.PublicKeySize {
		return Signer{}, ErrSignerText // without the text: it may be a private key
	}
	s := Signer{[ed25519.PublicKeySize]byte(b)}
	if s.String() != text || s.smallOrder() {
		return Signer{}, ErrSignerText
	}
	return s, nil
}

// BadSigners are those of the texts that ParseSigner refuses.
func BadSigners(texts []string) []string {
	return slices.DeleteFunc(slices.Clone(texts), func(text string) bool {
		_, err := ParseSigner(text)
		return err == nil
	})
}

// smallOrder reports whether the key is one of the points of which a small multiple is nothing, in any of their spellings: RFC 8032 does
// not refuse them, and nobody has their private key.
//
// Attack: with such a key among the provisioners anybody signs, without a private key: 32 bytes, and zeros.
func (s Signer) smallOrder() bool {
	y := s.key
	y[31] &= 0x7f // the sign of x
	return slices.Contains([]string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p-1
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p, which is 0 again
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p+1, which is 1
	}, hex.EncodeToString(y[:]))
}

// String is the line for provisioners in the configuration.
func (s Signer) String() string {
	return signerPrefix + base64.RawURLEncoding.EncodeToString(s.key[:])
}

// ID is the short name of the key in the files that it signed: the first 8 bytes of its SHA-256, in hexadecimal.
func (s Signer) ID() string {
	sum := sha256.Sum256(s.key[:])
	return hex.EncodeToString(sum[:8])
}

// SigningKey makes users' files on a machine that is not their host. Whoever has it can give any user of the hosts that trust it a
// device.
type SigningKey struct {
	private ed25519.PrivateKey
	public  Signer
}

// GenerateSigningKey makes a new file with a signing key, 0600. It never replaces one: that is fs.ErrExist.
func GenerateSigningKey(path string) (Signer, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Signer{}, err
	}
	defer clear(private)
	signer := Signer{[ed25519.PublicKeySize]byte(public)}
	dir, err := safefile.OpenDir(filepath.Dir(path))
	if err != nil {
		return Signer{}, err
	}
	defer dir.Close()
	content := fmt.Appendf(nil, "# twokey signing key; whoever has it can give users of the hosts that trust it a device\n# public: %s\n%s%s\n",
		signer, signingKeyPrefix, base64.RawURLEncoding.EncodeToString(private.Seed()))
	defer clear(content)
	return signer, dir.WriteNew(filepath.Base(path), content, 0o600)
}

// OpenSigningKey reads a signing key. A file that is missing or whose content cannot be used is ErrSigningKey, what safefile refuses
// has its errors.
func OpenSigningKey(path string) (*SigningKey, error) {
	content, err := safefile.ReadFile(path, safefile.Rules{MaxSize: maxKeyFile, Forbid: 0o077})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrSigningKey, err)
	}
	if err != nil {
		return nil, err
	}
	defer clear(content)
	key, err := parseSigningKey(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

func parseSigningKey(content []byte) (*SigningKey, error) {
	line, err := onlyLine(content)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSigningKey, err)
	}
	encoded, ok := bytes.CutPrefix(line, []byte(signingKeyPrefix))
	seed, err := base64.RawURLEncoding.Strict().AppendDecode(nil, encoded)
	defer clear(seed)
	if !ok || err != nil || len(seed) != ed25519.SeedSize || len(encoded) != 43 {
		return nil, ErrSigningKey
	}
	private := ed25519.NewKeyFromSeed(seed)
	return &SigningKey{private, Signer{[ed25519.PublicKeySize]byte(private.Public().(ed25519.PublicKey))}}, nil
}

// Public is what hosts trust.
func (k *SigningKey) Public() Signer { return k.public }

// Wipe makes the key unusable.
func (k *SigningKey) Wipe() { clear(k.private) }

// Format prints whose key it is and nothing else, whatever the verb.
func (k SigningKey) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "signing key %s", k.public.ID()) }

// Seal makes a user's file for a host, which takes it if it trusts the key. The signature is for this host alone: one that can read
// its own file must not be able to pass it on to another.
func (k *SigningKey) Seal(r *Record, to Recipient) ([]byte, error) {
	content, err := encode(r)
	if err != nil {
		return nil, err
	}
	content = append(content, k.signLine(content, to.String())...)
	defer clear(content)
	return sealTo(content, to)
}

func (k *SigningKey) signLine(covered []byte, recipient string) []byte {
	signature := ed25519.Sign(k.private, signed(covered, recipient))
	line := fmt.Appendf(nil, "%s%s ", sigPrefix, k.public.ID())
	return append(base64.RawStdEncoding.AppendEncode(line, signature), '\n')
}

// signed are the bytes that a signature is over.
func signed(covered []byte, recipient string) []byte {
	return slices.Concat([]byte(signedPrefix), []byte(recipient), []byte("\n"), covered)
}

// checkSignature looks at the last line of a signed file.
func checkSignature(line, covered []byte, recipient string, trusted []Signer) error {
	id, encoded, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(string(line), sigPrefix), "\n"), " ")
	signature, err := base64.RawStdEncoding.DecodeString(encoded)
	if err != nil || base64.RawStdEncoding.EncodeToString(signature) != encoded || len(signature) != ed25519.SignatureSize {
		return ErrSignature
	}
	reason := ErrSigner
	for _, s := range trusted {
		if s.ID() != id {
			continue
		}
		if ed25519.Verify(s.key[:], signed(covered, recipient), signature) {
			return nil
		}
		reason = ErrSignature
	}
	return reason
}

// Derive makes a key for another purpose from the signing key, by HKDF-SHA256 of its 32 bytes, without salt: 32 bytes.
func (k *SigningKey) Derive(purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, k.private.Seed(), nil, purpose, sha256.Size)
}

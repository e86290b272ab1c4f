package importer

import (
	"bytes"
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
)

// Lock is what an encrypted file is opened with.
type Lock int

// The kinds of locks.
const (
	PreSharedKey Lock = iota // an AES key, in hexadecimal or base64
	Password
)

// Errors of encrypted files.
var (
	ErrLocked   = errors.New("the file is encrypted, and there is no key for it")
	ErrWrongKey = errors.New("the key is not that of the file, or the file was changed")
)

const (
	xmlenc  = "http://www.w3.org/2001/04/xmlenc#"
	xmldsig = "http://www.w3.org/2000/09/xmldsig#"
	more    = "http://www.w3.org/2001/04/xmldsig-more#"
	pkcs5   = "http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#"

	maxIterations = 10_000_000 // some seconds
)

// keys opens the secrets of a file. RFC 6030 section 6: AES in CBC mode, which does not tell what was changed, so that there is a MAC
// over initialisation vector and ciphertext, which is checked before anything is decrypted.
type keys struct {
	encrypted bool
	key       []byte
	mac       []byte
	hash      func() hash.Hash
}

func newKeys(top *node, unlock func(Lock) (string, error)) (*keys, error) {
	k := &keys{}
	how, err := top.one("EncryptionKey")
	if err != nil || how == nil {
		return k, err
	}
	k.encrypted = true
	if len(how.all("X509Data")) > 0 {
		return nil, errors.New("it is encrypted to a certificate, which cannot be opened here: have it encrypted with a key or a password")
	}
	method, err := top.one("MACMethod")
	if err != nil {
		return nil, err
	}
	if method == nil {
		return nil, errors.New("it is encrypted without a MAC, so that it could have been changed on its way")
	}
	if k.hash = macHash(method.attrs["Algorithm"]); k.hash == nil {
		return nil, fmt.Errorf("its MAC is of %.80q, which is not known here", method.attrs["Algorithm"])
	}
	if err := k.unlock(how, unlock); err != nil {
		return nil, err
	}
	sealed, err := method.one("MACKey")
	if err != nil {
		return nil, err
	}
	if sealed == nil {
		k.mac = k.key // RFC 6030 section 6.1.1
		return k, nil
	}
	if k.mac, err = k.decrypt(sealed); err != nil {
		return nil, err
	}
	if len(k.mac) < 16 {
		return nil, ErrWrongKey // of fewer than 128 bits anybody makes a MAC
	}
	return k, nil
}

// unlock makes the key from what its owner knows.
func (k *keys) unlock(how *node, unlock func(Lock) (string, error)) error {
	if unlock == nil {
		return ErrLocked
	}
	derived, err := how.one("DerivedKey", "KeyDerivationMethod")
	if err != nil {
		return err
	}
	if derived != nil {
		return k.derive(derived, unlock)
	}
	text, err := unlock(PreSharedKey)
	if err != nil {
		return err
	}
	k.key, err = parseKey(text)
	return err
}

// parseKey reads a key of AES in hexadecimal or base64. 32 hexadecimal digits are 24 bytes of base64 as well, as which nobody means them.
func parseKey(text string) ([]byte, error) {
	text = strings.Join(strings.Fields(text), "")
	fromHex, hexErr := hex.DecodeString(text)
	fromBase64, base64Err := base64.StdEncoding.Strict().DecodeString(text)
	isHex, isBase64 := hexErr == nil && isKey(fromHex), base64Err == nil && isKey(fromBase64)
	switch {
	case isHex:
		return fromHex, nil
	case isBase64:
		return fromBase64, nil
	}
	return nil, errors.New("the key is not 16, 24 or 32 bytes in hexadecimal or base64")
}

func isKey(b []byte) bool { return len(b) == 16 || len(b) == 24 || len(b) == 32 }

func (k *keys) derive(method *node, unlock func(Lock) (string, error)) error {
	if method.attrs["Algorithm"] != pkcs5+"pbkdf2" {
		return fmt.Errorf("its key is derived by %.80q, which is not known here", method.attrs["Algorithm"])
	}
	params, err := method.one("PBKDF2-params")
	if err != nil || params == nil {
		return errors.Join(err, errors.New("it does not say how its key is derived"))
	}
	salt, saltErr := params.bytesOf("Salt", "Specified")
	rounds, roundsErr := paramNumber(params, "IterationCount")
	length, lengthErr := paramNumber(params, "KeyLength")
	prf, prfErr := params.one("PRF")
	if err := errors.Join(saltErr, roundsErr, lengthErr, prfErr); err != nil {
		return err
	}
	h := sha1.New
	if name := prf.nameOfPRF(); name != "" {
		h = macHash(name)
	}
	if h == nil || rounds < 1 || rounds > maxIterations || length != 16 && length != 24 && length != 32 || len(salt) == 0 {
		return errors.New("its key is derived in a way that is not known here")
	}
	password, err := unlock(Password)
	if err != nil {
		return err
	}
	k.key, err = pbkdf2.Key(h, password, salt, int(rounds), int(length))
	return err
}

// nameOfPRF is "" for HMAC-SHA-1, which need not be said. XML Encryption 1.1 has the name as an attribute; python-pskc writes it as text.
func (n *node) nameOfPRF() string {
	if n == nil {
		return ""
	}
	return cmp.Or(n.attrs["Algorithm"], strings.TrimSpace(n.text))
}

func paramNumber(params *node, name string) (uint64, error) {
	text, err := params.textOf(name)
	if err != nil {
		return 0, err
	}
	n, err := plainNumber(text)
	if err != nil {
		return 0, fmt.Errorf("<%s>: %w", name, err)
	}
	return n, nil
}

func macHash(algorithm string) func() hash.Hash {
	switch algorithm {
	case xmldsig + "hmac-sha1":
		return sha1.New
	case more + "hmac-sha256":
		return sha256.New
	case more + "hmac-sha512":
		return sha512.New
	}
	return nil
}

// fit refuses a key of which no secret of the file has the MAC. Of what is decrypted only the last byte is known, so that one wrong key in
// sixteen gives a MAC key: that would be told of each token as if it had been changed, and not of the file.
func (k *keys) fit(packages []*node) error {
	var wrong error
	for _, p := range packages {
		secret, err := p.one("Key", "Data", "Secret")
		if err != nil || len(secret.all("EncryptedValue")) != 1 {
			continue // is told of that token
		}
		if _, err := k.authentic(secret); !errors.Is(err, ErrWrongKey) {
			return nil
		}
		wrong = ErrWrongKey
	}
	return wrong
}

// open gives what is in an element with an EncryptedValue and its ValueMAC.
func (k *keys) open(n *node) ([]byte, error) {
	if !k.encrypted {
		return nil, errors.New("it is encrypted, and the file does not say how")
	}
	sealed, err := k.authentic(n)
	if err != nil {
		return nil, err
	}
	return k.decrypt(sealed)
}

// authentic gives the EncryptedValue of an element whose ValueMAC is right.
func (k *keys) authentic(n *node) (*node, error) {
	sealed, err := n.one("EncryptedValue")
	if err != nil {
		return nil, err
	}
	given, err := n.bytesOf("ValueMAC")
	if err != nil {
		return nil, err
	}
	content, err := sealed.bytesOf("CipherData", "CipherValue")
	if err != nil {
		return nil, err
	}
	mac := hmac.New(k.hash, k.mac)
	mac.Write(content)
	if !hmac.Equal(mac.Sum(nil), given) {
		return nil, ErrWrongKey
	}
	return sealed, nil
}

// decrypt is AES-CBC as XML Encryption has it: the initialisation vector first, and the last byte says how many are filling.
func (k *keys) decrypt(sealed *node) ([]byte, error) {
	method, err := sealed.one("EncryptionMethod")
	if err != nil || method == nil {
		return nil, errors.Join(err, errors.New("it does not say how it is encrypted"))
	}
	size := map[string]int{xmlenc + "aes128-cbc": 16, xmlenc + "aes192-cbc": 24, xmlenc + "aes256-cbc": 32}[method.attrs["Algorithm"]]
	if size == 0 {
		return nil, fmt.Errorf("it is encrypted with %.80q, which is not known here", method.attrs["Algorithm"])
	}
	if size != len(k.key) {
		return nil, fmt.Errorf("%w: the key has %d bits, the file wants %d", ErrWrongKey, len(k.key)*8, size*8)
	}
	content, err := sealed.bytesOf("CipherData", "CipherValue")
	if err != nil {
		return nil, err
	}
	if len(content) < 2*aes.BlockSize || len(content)%aes.BlockSize != 0 {
		return nil, errors.New("what is encrypted in it was cut off")
	}
	block, err := aes.NewCipher(k.key)
	if err != nil {
		return nil, err
	}
	iv, body := content[:aes.BlockSize], bytes.Clone(content[aes.BlockSize:])
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(body, body)
	filling := int(body[len(body)-1])
	if filling < 1 || filling > aes.BlockSize {
		return nil, ErrWrongKey
	}
	return body[:len(body)-filling], nil
}

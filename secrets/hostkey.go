package secrets

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"filippo.io/age"
	"filippo.io/edwards25519"

	"twokey/internal/safefile"
)

const macInfo = "twokey user file 1"

// maxKeyFile is far above what age-keygen(1) writes.
const maxKeyFile = 4096

// ErrHostKey is returned for a host key file that is there and not usable.
var ErrHostKey = errors.New("host key is not usable")

// HostKey is the host's age identity, and what is derived from it.
type HostKey struct {
	identity  *identity
	recipient Recipient
	prk       []byte // HKDF's pseudorandom key, from which the keys for every purpose are expanded
	macKey    []byte // of users' files
}

// GenerateHostKey makes a new host key file, 0600. It never replaces one: that is fs.ErrExist.
func GenerateHostKey(path string) error {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	dir, err := safefile.OpenDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	content := fmt.Appendf(nil, "# twokey host key; whoever has it can read every user's secret\n# public recipient: %s\n%s\n",
		identity.Recipient(), identity)
	defer clear(content)
	return dir.WriteNew(filepath.Base(path), content, 0o600)
}

// OpenHostKey reads the host key. A file that is missing or whose content cannot be used is ErrHostKey, what safefile refuses has
// its errors. The caller keeps the process's memory out of swap and core dumps.
func OpenHostKey(path string) (*HostKey, error) {
	content, err := safefile.ReadFile(path, safefile.Rules{MaxSize: maxKeyFile, Forbid: 0o077})
	if errors.Is(err, fs.ErrNotExist) {
		// Not fs.ErrNotExist: Load gives that for users who are not enrolled, and those may be let in.
		return nil, fmt.Errorf("%w: %v", ErrHostKey, err)
	}
	if err != nil {
		return nil, err
	}
	defer clear(content)
	key, err := parseHostKey(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// parseHostKey reads an identity file with exactly one identity. What is wrong with it is not said: that may show part of
// the key.
func parseHostKey(content []byte) (*HostKey, error) {
	text, err := onlyLine(content)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHostKey, err)
	}
	identity, err := parseIdentity(string(text))
	if err != nil {
		return nil, err
	}
	prk, err := hkdf.Extract(sha256.New, text, nil)
	if err != nil {
		return nil, err
	}
	macKey, err := hkdf.Expand(sha256.New, prk, macInfo, sha256.Size)
	if err != nil {
		return nil, err
	}
	return &HostKey{identity, identity.Recipient, prk, macKey}, nil
}

// onlyLine returns the one line of a key file that is neither empty nor a comment; nothing when there is none.
func onlyLine(content []byte) ([]byte, error) {
	var text []byte
	for line := range bytes.Lines(content) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if text != nil {
			return nil, errors.New("more than one key")
		}
		text = line
	}
	return text, nil
}

// Recipient is the public half: whoever has it can encrypt files to this host.
func (k *HostKey) Recipient() string { return k.recipient.String() }

// Wipe makes the key unusable and zeroes what can be zeroed. The copy that crypto/ecdh holds cannot be; it goes with the
// process.
func (k *HostKey) Wipe() {
	clear(k.prk)
	clear(k.macKey)
	if k.identity != nil {
		k.identity.scalar.Set(edwards25519.NewScalar())
	}
	k.identity, k.prk, k.macKey = nil, nil, nil
}

// Format prints that it is a key and nothing else, whatever the verb: values end up in error texts.
func (k HostKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, "host key") }

// open decrypts a user's file, whose size is the caller's to limit, and returns what is inside, if it was written on this host or
// signed for it by one of those who are trusted.
func (k *HostKey) open(sealed []byte, trusted []Signer) (*Record, error) {
	content, err := k.decrypt(sealed)
	if err != nil {
		return nil, err
	}
	defer clear(content)
	return decode(content, checks{k.macKey, k.Recipient(), trusted})
}

// decrypt returns what is inside an age file. age notices damage only when it has given out the last byte, so nothing is looked at
// before.
func (k *HostKey) decrypt(sealed []byte) ([]byte, error) {
	plain, err := age.Decrypt(bytes.NewReader(sealed), k.identity)
	var other *age.NoIdentityMatchError
	if errors.As(err, &other) {
		return nil, ErrWrongKey
	}
	if err != nil {
		return nil, ErrCorrupt
	}
	content, err := io.ReadAll(plain)
	if err != nil {
		clear(content)
		return nil, ErrCorrupt
	}
	return content, nil
}

// seal encrypts a record to the host.
func (k *HostKey) seal(r *Record) ([]byte, error) {
	content, err := encode(r)
	if err != nil {
		return nil, err
	}
	content = append(content, macLine(content, k.macKey)...)
	defer clear(content)
	return k.sealOwn(content)
}

// sealOwn encrypts to the host itself.
func (k *HostKey) sealOwn(content []byte) ([]byte, error) {
	return sealTo(content, k.identity)
}

// sealedMore is above what age adds to a content of one chunk for one recipient.
const sealedMore = 512

func sealTo(content []byte, to age.Recipient) ([]byte, error) {
	var sealed bytes.Buffer
	sealed.Grow(len(content) + sealedMore)
	w, err := age.Encrypt(&sealed, to)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return sealed.Bytes(), nil
}

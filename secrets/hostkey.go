package secrets

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"

	"filippo.io/age"

	"twokey/internal/safefile"
)

const macInfo = "twokey user file 1"

// maxKeyFile is far above what age-keygen writes.
const maxKeyFile = 4096

// ErrHostKey is returned for a host key file that is there and not usable.
var ErrHostKey = errors.New("host key is not usable")

// HostKey is the host's age identity, and what is derived from it.
type HostKey struct {
	identity *age.X25519Identity
	macKey   []byte
}

// GenerateHostKey makes a new host key file, 0600; it is fs.ErrExist when there is one.
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

// OpenHostKey reads the host key. The caller keeps the process's memory out of swap and core dumps.
func OpenHostKey(path string) (*HostKey, error) {
	content, err := safefile.ReadFile(path, safefile.Rules{MaxSize: maxKeyFile, Forbid: 0o077})
	if err != nil {
		return nil, err
	}
	defer clear(content)
	var line []byte
	for l := range bytes.Lines(content) {
		l = bytes.TrimRight(l, "\r\n")
		if len(l) == 0 || l[0] == '#' {
			continue
		}
		if line != nil {
			return nil, fmt.Errorf("%s: %w: more than one key", path, ErrHostKey)
		}
		line = l
	}
	identity, err := age.ParseX25519Identity(string(line))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, ErrHostKey) // the library's text may show part of the key
	}
	macKey, err := hkdf.Key(sha256.New, line, nil, macInfo, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &HostKey{identity, macKey}, nil
}

// Recipient is the public half: whoever has it can encrypt files to this host.
func (k *HostKey) Recipient() string { return k.identity.Recipient().String() }

package secrets

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
)

const (
	noteHeader  = "twokey note 1\n"
	noteMACInfo = "twokey note 1 "
	// MaxNote is the most that a note can hold, in bytes.
	MaxNote = 2 << 10
	// maxSealed is far above what age makes of a note.
	maxSealed = MaxNote + 1<<10
)

// ErrNote is returned for a note that cannot be made: too long, or of no purpose.
var ErrNote = errors.New("not a note")

// SealNote encrypts and authenticates what another package keeps in a file of its own, such as an enrolment that is not finished:
// up to MaxNote bytes. The info says what the note is for, and for whom; OpenNote wants the same.
func (k *HostKey) SealNote(info string, content []byte) ([]byte, error) {
	if info == "" || len(content) > MaxNote {
		return nil, fmt.Errorf("%w: for %q, %d bytes, want 0 to %d", ErrNote, info, len(content), MaxNote)
	}
	plain := append([]byte(noteHeader), content...)
	mac, err := k.noteMAC(info, plain)
	if err != nil {
		return nil, err
	}
	plain = append(plain, mac...)
	defer clear(plain)
	return k.sealOwn(plain)
}

// OpenNote gives back what SealNote was given. A note that is damaged is ErrCorrupt, another host's ErrWrongKey; one that this host
// did not write, or wrote for something else, ErrMAC.
func (k *HostKey) OpenNote(info string, sealed []byte) ([]byte, error) {
	if len(sealed) > maxSealed {
		return nil, ErrCorrupt
	}
	plain, err := k.decrypt(sealed)
	if err != nil {
		return nil, err
	}
	end := len(plain) - sha256.Size
	if end < len(noteHeader) || end > len(noteHeader)+MaxNote || !bytes.HasPrefix(plain, []byte(noteHeader)) {
		clear(plain)
		return nil, ErrCorrupt
	}
	mac, err := k.noteMAC(info, plain[:end])
	if err != nil || !hmac.Equal(mac, plain[end:]) {
		clear(plain)
		return nil, errors.Join(ErrMAC, err)
	}
	return plain[len(noteHeader):end:end], nil
}

// noteMAC has a key of its own for each purpose, so that a note of one cannot be put in the place of another's.
func (k *HostKey) noteMAC(info string, covered []byte) ([]byte, error) {
	key, err := hkdf.Expand(sha256.New, k.prk, noteMACInfo+info, sha256.Size)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	mac := hmac.New(sha256.New, key)
	mac.Write(covered)
	return mac.Sum(nil), nil
}

package secrets

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
)

const (
	magic     = "twokey user "
	macPrefix = "mac "
	sigPrefix = "sig "
)

// The versions of the record that can be read; version2 is written.
const (
	version1 = "1"
	version2 = "2"
)

// encode returns the content of a file without its last line.
func encode(r *Record) ([]byte, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	return appendRecord([]byte(magic+version2+"\n"), r, version2), nil
}

// checks are what a file is authenticated with.
type checks struct {
	macKey    []byte
	recipient string // of the host, for whom a signature must be
	trusted   []Signer
}

// decode understands the content of a file. The last line is checked before anything that it covers is looked at.
func decode(b []byte, c checks) (*Record, error) {
	if !bytes.HasPrefix(b, []byte(magic)) || !bytes.HasSuffix(b, []byte("\n")) {
		return nil, ErrCorrupt
	}
	first, _, _ := bytes.Cut(b, []byte("\n"))
	version := string(first[len(magic):])
	if version != version1 && version != version2 {
		return nil, ErrVersion
	}
	end := bytes.LastIndexByte(b[:len(b)-1], '\n') + 1
	if err := c.authentic(b[:end], b[end:]); err != nil {
		return nil, err
	}
	return decodeRecord(b[len(first)+1:end], version)
}

func (c checks) authentic(covered, last []byte) error {
	if bytes.HasPrefix(last, []byte(sigPrefix)) {
		return checkSignature(last, covered, c.recipient, c.trusted)
	}
	if !hmac.Equal(last, macLine(covered, c.macKey)) {
		return ErrMAC
	}
	return nil
}

func macLine(covered, macKey []byte) []byte {
	mac := hmac.New(sha256.New, macKey)
	mac.Write(covered)
	line := base64.RawStdEncoding.AppendEncode([]byte(macPrefix), mac.Sum(nil))
	return append(line, '\n')
}

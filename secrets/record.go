package secrets

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	header    = "twokey user 1\n"
	macPrefix = "mac "
	sigPrefix = "sig "
)

// The record as JSON has it. The order of the fields is that of the package comment.
type jsonRecord struct {
	User     string        `json:"user"`
	Serial   uint64        `json:"serial"`
	Devices  []jsonDevice  `json:"devices"`
	Recovery *jsonRecovery `json:"recovery"`
}

type jsonDevice struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Method    string `json:"method"`
	Secret    []byte `json:"secret"`
	Digits    int    `json:"digits"`
	Period    int    `json:"period"`
	Algorithm string `json:"algorithm"`
	Counter   uint64 `json:"counter"`
	Issuer    string `json:"issuer"`
	Label     string `json:"label"`
	Created   string `json:"created"`
}

type jsonRecovery struct {
	ID     string   `json:"id"`
	Key    []byte   `json:"key"`
	Hashes [][]byte `json:"hashes"`
}

// encode returns the content of a file, authenticated with the MAC key.
func encode(r *Record, macKey []byte) ([]byte, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	body, err := json.Marshal(r.toJSON())
	if err != nil {
		return nil, err
	}
	b := append(append([]byte(header), body...), '\n')
	b = append(b, macLine(b, macKey)...)
	if len(b) > maxPlaintext {
		return nil, fmt.Errorf("the record of %q is too large", r.User)
	}
	return b, nil
}

func macLine(signed, macKey []byte) string {
	mac := hmac.New(sha256.New, macKey)
	mac.Write(signed)
	return macPrefix + base64.RawStdEncoding.EncodeToString(mac.Sum(nil)) + "\n"
}

// decode understands the content of a file. The MAC is checked before anything inside is looked at.
func decode(b, macKey []byte) (*Record, error) {
	if len(b) > maxPlaintext || !bytes.HasPrefix(b, []byte(header)) || !bytes.HasSuffix(b, []byte("\n")) {
		return nil, ErrCorrupt
	}
	end := bytes.LastIndexByte(b[:len(b)-1], '\n') + 1
	signed, last := b[:end], b[end:]
	if bytes.HasPrefix(last, []byte(sigPrefix)) {
		return nil, ErrSigned
	}
	if !hmac.Equal(last, []byte(macLine(signed, macKey))) {
		return nil, ErrMAC
	}
	body := signed[len(header):]
	var j jsonRecord
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return nil, ErrCorrupt
	}
	r, ok := j.toRecord()
	if !ok || r.Check() != nil {
		return nil, ErrCorrupt
	}
	again, err := json.Marshal(r.toJSON())
	if err != nil || string(again)+"\n" != string(body) {
		return nil, ErrCorrupt
	}
	return r, nil
}

func (r *Record) toJSON() jsonRecord {
	j := jsonRecord{User: r.User, Serial: r.Serial, Devices: []jsonDevice{}}
	for _, d := range r.Devices {
		j.Devices = append(j.Devices, jsonDevice{hex.EncodeToString(d.ID[:]), d.Name, d.Method, d.Secret, d.Digits, d.Period,
			d.Algorithm, d.Counter, d.Issuer, d.Label, d.Created.UTC().Format(time.RFC3339)})
	}
	if r.Recovery != nil {
		j.Recovery = &jsonRecovery{ID: hex.EncodeToString(r.Recovery.ID[:]), Key: r.Recovery.Key[:]}
		for _, hash := range r.Recovery.Hashes {
			j.Recovery.Hashes = append(j.Recovery.Hashes, hash[:])
		}
	}
	return j
}

func (j jsonRecord) toRecord() (*Record, bool) {
	r := &Record{User: j.User, Serial: j.Serial}
	for _, d := range j.Devices {
		id, ok := parseID(d.ID)
		created, err := time.Parse(time.RFC3339, d.Created)
		if !ok || err != nil {
			return nil, false
		}
		r.Devices = append(r.Devices, Device{id, d.Name, d.Method, d.Secret, d.Digits, d.Period, d.Algorithm, d.Counter, d.Issuer,
			d.Label, created.UTC()})
	}
	if j.Recovery == nil {
		return r, true
	}
	id, ok := parseID(j.Recovery.ID)
	if !ok || len(j.Recovery.Key) != len(Recovery{}.Key) {
		return nil, false
	}
	r.Recovery = &Recovery{ID: id, Key: [32]byte(j.Recovery.Key)}
	for _, hash := range j.Recovery.Hashes {
		if len(hash) != 16 {
			return nil, false
		}
		r.Recovery.Hashes = append(r.Recovery.Hashes, [16]byte(hash))
	}
	return r, true
}

func parseID(text string) (id ID, ok bool) {
	n, err := hex.Decode(id[:], append([]byte(nil), text[:min(len(text), 16)]...))
	return id, err == nil && n == len(id) && len(text) == 16
}

// Check returns an error that names the first field which is not as the package comment says.
func (r *Record) Check() error {
	switch {
	case !printable(r.User, 256) || r.User == "":
		return fmt.Errorf("user name %q cannot be kept", r.User)
	case r.Serial == 0:
		return fmt.Errorf("the record of %q has no serial", r.User)
	case len(r.Devices) > MaxDevices:
		return fmt.Errorf("%d devices, at most %d", len(r.Devices), MaxDevices)
	}
	for i, d := range r.Devices {
		if err := d.check(); err != nil {
			return err
		}
		for _, other := range r.Devices[:i] {
			if other.Name == d.Name || other.ID == d.ID {
				return fmt.Errorf("two devices are called %q", d.Name)
			}
		}
	}
	if r.Recovery != nil && (len(r.Recovery.Hashes) == 0 || len(r.Recovery.Hashes) > MaxRecoveryCodes) {
		return fmt.Errorf("%d recovery codes, want 1 to %d", len(r.Recovery.Hashes), MaxRecoveryCodes)
	}
	return nil
}

func (d Device) check() error {
	hotp := d.Method == "hotp"
	switch {
	case !printable(d.Name, maxName) || d.Name == "":
		return fmt.Errorf("device name %q: want 1 to %d bytes without control characters", d.Name, maxName)
	case d.Method != "totp" && !hotp:
		return fmt.Errorf("device %q: unknown method %q", d.Name, d.Method)
	case len(d.Secret) < minSecret || len(d.Secret) > maxSecret:
		return fmt.Errorf("device %q: secret of %d bytes", d.Name, len(d.Secret))
	case d.Digits < 4 || d.Digits > 12:
		return fmt.Errorf("device %q: %d digits", d.Name, d.Digits)
	case hotp && d.Period != 0 || !hotp && (d.Period < 10 || d.Period > 300 || d.Counter != 0):
		return fmt.Errorf("device %q: period of %d seconds, counter %d", d.Name, d.Period, d.Counter)
	case d.Algorithm != "SHA1" && d.Algorithm != "SHA256" && d.Algorithm != "SHA512":
		return fmt.Errorf("device %q: unknown algorithm %q", d.Name, d.Algorithm)
	case !printable(d.Issuer, maxText) || !printable(d.Label, maxText):
		return fmt.Errorf("device %q: issuer or label cannot be kept", d.Name)
	case d.Created.Nanosecond() != 0 || d.Created.Year() < 1970 || d.Created.Year() > 9999:
		return fmt.Errorf("device %q: created at %v", d.Name, d.Created)
	}
	return nil
}

// printable allows what neither a terminal nor a log line can be attacked with.
func printable(s string, limit int) bool {
	if len(s) > limit || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// Format prints whose record it is and nothing else, whatever the verb: records end up in error texts.
func (r *Record) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "record of %q with %d devices", r.User, len(r.Devices))
}

// Format prints the device without its secret.
func (d Device) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "device %q (%s)", d.Name, d.Method) }

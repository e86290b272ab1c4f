package secrets

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"
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

// The record as JSON has it. The order of the fields is that of the package comment. Those that are pointers are not in version 1.
type jsonRecord struct {
	User           string        `json:"user"`
	Serial         uint64        `json:"serial"`
	Phone          *string       `json:"phone,omitempty"`
	PhoneConfirmed *bool         `json:"phone_confirmed,omitempty"`
	Devices        []jsonDevice  `json:"devices"`
	Recovery       *jsonRecovery `json:"recovery"`
}

type jsonDevice struct {
	ID        string  `json:"id"`
	Name      string  `json:"name"`
	Method    string  `json:"method"`
	Secret    []byte  `json:"secret"`
	Digits    int     `json:"digits"`
	Period    int     `json:"period"`
	Algorithm string  `json:"algorithm"`
	Counter   uint64  `json:"counter"`
	Issuer    string  `json:"issuer"`
	Label     string  `json:"label"`
	Created   string  `json:"created"`
	Until     *string `json:"until,omitempty"`
	Provider  string  `json:"provider,omitempty"`
}

type jsonRecovery struct {
	ID     string   `json:"id"`
	Key    []byte   `json:"key"`
	Hashes [][]byte `json:"hashes"`
}

// encode returns the content of a file without its last line.
func encode(r *Record) ([]byte, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	body, err := encodeRecord(r, version2)
	if err != nil {
		return nil, err
	}
	return append([]byte(magic+version2+"\n"), body...), nil
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

// encodeRecord returns the one spelling that a record has: a line of JSON, ended by a line feed.
func encodeRecord(r *Record, version string) ([]byte, error) {
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false) // other programs that make such files would not think of it
	if err := e.Encode(r.toJSON(version)); err != nil {
		return nil, err
	}
	return line.Bytes(), nil
}

// decodeRecord takes what encodeRecord gives for a record that Check accepts, and nothing else. The comparison at the end is
// what refuses fields that are twice there, or in capitals, or unknown to this version, and every other second spelling.
func decodeRecord(line []byte, version string) (*Record, error) {
	var j jsonRecord
	if err := json.Unmarshal(line, &j); err != nil {
		return nil, ErrCorrupt
	}
	r, ok := j.toRecord()
	if !ok || r.Check() != nil || version == version1 && slices.ContainsFunc(r.Devices, Device.sent) {
		return nil, ErrCorrupt
	}
	again, err := encodeRecord(r, version)
	if err != nil || !bytes.Equal(again, line) {
		return nil, ErrCorrupt
	}
	return r, nil
}

func (r *Record) toJSON(version string) jsonRecord {
	j := jsonRecord{User: r.User, Serial: r.Serial, Devices: []jsonDevice{}}
	if version == version2 {
		j.Phone, j.PhoneConfirmed = &r.Phone, &r.PhoneConfirmed
	}
	for _, d := range r.Devices {
		device := jsonDevice{hex.EncodeToString(d.ID[:]), d.Name, d.Method, d.Secret, d.Digits, d.Period, d.Algorithm, d.Counter,
			d.Issuer, d.Label, timeText(d.Created), nil, d.Provider}
		if version == version2 {
			until := ""
			if !d.Until.IsZero() {
				until = timeText(d.Until)
			}
			device.Until = &until
		}
		j.Devices = append(j.Devices, device)
	}
	if r.Recovery != nil {
		j.Recovery = &jsonRecovery{ID: hex.EncodeToString(r.Recovery.ID[:]), Key: r.Recovery.Key[:]}
		for _, hash := range r.Recovery.Hashes {
			j.Recovery.Hashes = append(j.Recovery.Hashes, hash[:])
		}
	}
	return j
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (j jsonRecord) toRecord() (*Record, bool) {
	r := &Record{User: j.User, Serial: j.Serial}
	if j.Phone != nil {
		r.Phone = *j.Phone
	}
	if j.PhoneConfirmed != nil {
		r.PhoneConfirmed = *j.PhoneConfirmed
	}
	for _, d := range j.Devices {
		device, ok := d.toDevice()
		if !ok {
			return nil, false
		}
		r.Devices = append(r.Devices, device)
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

func (j jsonDevice) toDevice() (Device, bool) {
	id, ok := parseID(j.ID)
	created, err := time.Parse(time.RFC3339, j.Created)
	if !ok || err != nil {
		return Device{}, false
	}
	d := Device{id, j.Name, j.Method, j.Secret, j.Digits, j.Period, j.Algorithm, j.Counter, j.Issuer, j.Label, created.UTC(), time.Time{}, j.Provider}
	if j.Until == nil || *j.Until == "" {
		return d, true
	}
	until, err := time.Parse(time.RFC3339, *j.Until)
	d.Until = until.UTC()
	return d, err == nil
}

func parseID(text string) (ID, bool) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(ID{}) || strings.ToLower(text) != text {
		return ID{}, false
	}
	return ID(b), true
}

package secrets

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
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

// byLibrary is what appendRecord must give.
func byLibrary(t *testing.T, r *Record, version string) []byte {
	t.Helper()
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false) // other programs that make such files would not think of it
	must(t, e.Encode(r.toJSON(version)))
	return line.Bytes()
}

// takenByLibrary is what decodeRecord must give: nil for a line that is not the one spelling of a record.
func takenByLibrary(t *testing.T, line []byte, version string) *Record {
	t.Helper()
	var j jsonRecord
	if err := json.Unmarshal(line, &j); err != nil {
		return nil
	}
	r, ok := j.toRecord()
	if !ok || r.Check() != nil || version == version1 && slices.ContainsFunc(r.Devices, Device.sent) || !bytes.Equal(byLibrary(t, r, version), line) {
		return nil
	}
	return r
}

package secrets

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strconv"
	"time"
)

// The record is written and read here without encoding/json, which finds out what the types are made of before it touches the first value: at a
// login that took as long as to decrypt the file. The tests compare both.

// appendRecord appends the one spelling that a record has which Check accepts: a line of JSON, ended by a line feed.
func appendRecord(b []byte, r *Record, version string) []byte {
	b = appendText(append(b, `{"user":`...), r.User)
	b = strconv.AppendUint(append(b, `,"serial":`...), r.Serial, 10)
	if version == version2 {
		b = appendText(append(b, `,"phone":`...), r.Phone)
		b = strconv.AppendBool(append(b, `,"phone_confirmed":`...), r.PhoneConfirmed)
	}
	b = append(b, `,"devices":[`...)
	for i, d := range r.Devices {
		if i > 0 {
			b = append(b, ',')
		}
		b = d.append(b, version)
	}
	b = append(b, `],"recovery":`...)
	if r.Recovery == nil {
		return append(b, "null}\n"...)
	}
	b = appendText(append(b, `{"id":`...), hex.EncodeToString(r.Recovery.ID[:]))
	b = appendBytes(append(b, `,"key":`...), r.Recovery.Key[:])
	b = append(b, `,"hashes":[`...)
	for i, hash := range r.Recovery.Hashes {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendBytes(b, hash[:])
	}
	return append(b, "]}}\n"...)
}

func (d Device) append(b []byte, version string) []byte {
	b = appendText(append(b, `{"id":`...), hex.EncodeToString(d.ID[:]))
	b = appendText(append(b, `,"name":`...), d.Name)
	b = appendText(append(b, `,"method":`...), d.Method)
	b = appendBytes(append(b, `,"secret":`...), d.Secret)
	b = strconv.AppendInt(append(b, `,"digits":`...), int64(d.Digits), 10)
	b = strconv.AppendInt(append(b, `,"period":`...), int64(d.Period), 10)
	b = appendText(append(b, `,"algorithm":`...), d.Algorithm)
	b = strconv.AppendUint(append(b, `,"counter":`...), d.Counter, 10)
	b = appendText(append(b, `,"issuer":`...), d.Issuer)
	b = appendText(append(b, `,"label":`...), d.Label)
	b = appendText(append(b, `,"created":`...), timeText(d.Created))
	if version == version2 {
		until := ""
		if !d.Until.IsZero() {
			until = timeText(d.Until)
		}
		b = appendText(append(b, `,"until":`...), until)
	}
	if d.Provider != "" {
		b = appendText(append(b, `,"provider":`...), d.Provider)
	}
	return append(b, '}')
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// appendText: of what is printable nothing else is escaped.
func appendText(b []byte, text string) []byte {
	b = append(b, '"')
	for i := range len(text) {
		if text[i] == '"' || text[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, text[i])
	}
	return append(b, '"')
}

func appendBytes(b, content []byte) []byte {
	b = base64.StdEncoding.AppendEncode(append(b, '"'), content)
	return append(b, '"')
}

// decodeRecord takes what appendRecord gives for a record that Check accepts, and nothing else. The comparison at the end is what refuses every
// second spelling: of a number, of a time, of base64.
func decodeRecord(line []byte, version string) (*Record, error) {
	in := reader{rest: line}
	r := in.record(version)
	if in.failed || len(in.rest) != 0 || r.Check() != nil || version == version1 && slices.ContainsFunc(r.Devices, Device.sent) {
		return nil, ErrCorrupt
	}
	if !bytes.Equal(appendRecord(nil, r, version), line) {
		return nil, ErrCorrupt
	}
	return r, nil
}

// reader takes a record from the beginning of a line. Once something is not there that has to be, it has failed, and what it gives means
// nothing.
type reader struct {
	rest   []byte
	failed bool
}

// has takes a text if it is what follows.
func (in *reader) has(text string) bool {
	rest, found := bytes.CutPrefix(in.rest, []byte(text))
	in.rest = rest
	return found
}

// want takes a text that has to follow.
func (in *reader) want(text string) {
	if !in.has(text) {
		in.failed, in.rest = true, nil
	}
}

func (in *reader) record(version string) *Record {
	r := &Record{User: in.text(`{"user":`), Serial: in.number(`,"serial":`)}
	if version == version2 {
		r.Phone = in.text(`,"phone":`)
		in.want(`,"phone_confirmed":`)
		if r.PhoneConfirmed = in.has("true"); !r.PhoneConfirmed {
			in.want("false")
		}
	}
	in.want(`,"devices":[`)
	for !in.failed && !in.has("]") {
		if len(r.Devices) > 0 {
			in.want(",")
		}
		r.Devices = append(r.Devices, in.device(version))
	}
	in.want(`,"recovery":`)
	if !in.has("null") {
		r.Recovery = in.recovery()
	}
	in.want("}\n")
	return r
}

func (in *reader) device(version string) Device {
	d := Device{
		ID: in.id(`{"id":`), Name: in.text(`,"name":`), Method: in.text(`,"method":`), Secret: in.bytes(`,"secret":`),
		Digits: int(in.number(`,"digits":`)), Period: int(in.number(`,"period":`)), Algorithm: in.text(`,"algorithm":`),
		Counter: in.number(`,"counter":`), Issuer: in.text(`,"issuer":`), Label: in.text(`,"label":`), Created: in.time(in.text(`,"created":`)),
	}
	if version == version2 {
		if until := in.text(`,"until":`); until != "" {
			d.Until = in.time(until)
		}
	}
	if in.has(`,"provider":`) {
		d.Provider = in.text("")
	}
	in.want("}")
	return d
}

func (in *reader) recovery() *Recovery {
	r := &Recovery{ID: in.id(`{"id":`)}
	in.fill(r.Key[:], in.bytes(`,"key":`))
	in.want(`,"hashes":[`)
	for !in.failed && !in.has("]") {
		var hash [16]byte
		separator := ""
		if len(r.Hashes) > 0 {
			separator = ","
		}
		in.fill(hash[:], in.bytes(separator))
		r.Hashes = append(r.Hashes, hash)
	}
	in.want("}")
	return r
}

// text takes a string behind what has to stand before it.
func (in *reader) text(before string) string {
	in.want(before + `"`)
	var text []byte
	for i := 0; i < len(in.rest); i++ {
		c := in.rest[i]
		if c == '"' {
			in.rest = in.rest[i+1:]
			return string(text)
		}
		if c == '\\' && i+1 < len(in.rest) {
			i++
			c = in.rest[i]
		}
		text = append(text, c)
	}
	in.failed, in.rest = true, nil
	return ""
}

func (in *reader) number(before string) uint64 {
	in.want(before)
	digits := len(in.rest) - len(bytes.TrimLeft(in.rest, "0123456789"))
	n, err := strconv.ParseUint(string(in.rest[:digits]), 10, 53)
	in.rest = in.rest[digits:]
	in.failed = in.failed || err != nil
	return n
}

func (in *reader) bytes(before string) []byte {
	content, err := base64.StdEncoding.DecodeString(in.text(before))
	in.failed = in.failed || err != nil
	return content
}

// fill puts content there, which has to be as long.
func (in *reader) fill(there, content []byte) {
	in.failed = in.failed || len(content) != len(there)
	copy(there, content)
}

func (in *reader) id(before string) (id ID) {
	content, err := hex.DecodeString(in.text(before))
	in.failed = in.failed || err != nil
	in.fill(id[:], content)
	return id
}

func (in *reader) time(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	in.failed = in.failed || err != nil
	return t.UTC()
}

package audit

import (
	"encoding/base64"
	"fmt"
	"strconv"
)

const (
	timeLayout   = "2006-01-02T15:04:05.000000000Z"
	beginTime    = `{"@timestamp":"`
	beginNumber  = `","event.sequence":`
	beginAction  = `,"event.action":"`
	beginOutcome = `","event.outcome":"`
	beginHash    = `,"twokey.hash":"`
	beginSeal    = `","twokey.seal":"`
	endSeal      = `"}`
	hashText     = 43 // base64url of 32 bytes, without padding
	suffixSize   = len(beginHash) + hashText + len(beginSeal) + hashText + len(endSeal)
)

var hashEncoding = base64.RawURLEncoding.Strict()

// encoder writes a record's fields. It changes nothing in the record.
type encoder struct {
	b []byte
}

// encode gives the body of a record: its line up to twokey.hash.
func encode(r *Record) []byte {
	e := encoder{make([]byte, 0, 1024)}
	e.b = append(e.b, beginTime...)
	e.b = r.Time.UTC().AppendFormat(e.b, timeLayout)
	e.b = append(e.b, beginNumber...)
	e.b = strconv.AppendUint(e.b, r.Sequence, 10)
	e.b = append(e.b, beginAction...)
	e.b = append(e.b, r.Action...)
	e.b = append(e.b, beginOutcome...)
	e.b = append(e.b, r.Outcome...)
	e.b = append(e.b, '"')
	r.fields(&e)
	return e.b
}

func (e *encoder) key(key string) {
	e.b = append(e.b, `,"`...)
	e.b = append(e.b, key...)
	e.b = append(e.b, `":`...)
}

func (e *encoder) quoted(s string) {
	e.b = append(e.b, '"')
	e.b = appendEscaped(e.b, limit(s))
	e.b = append(e.b, '"')
}

func (e *encoder) text(key string, v *string) {
	if *v != "" {
		e.key(key)
		e.quoted(*v)
	}
}

func (e *encoder) number(key string, v *uint64) {
	if *v != 0 {
		e.key(key)
		e.b = strconv.AppendUint(e.b, min(*v, maxNumber), 10)
	}
}

func (e *encoder) hash(key string, v *Hash) {
	if *v != (Hash{}) {
		e.key(key)
		e.quoted(v.String())
	}
}

func (e *encoder) source(v *string) {
	if isIP(*v) {
		e.text("source.ip", v)
	} else {
		e.text("source.address", v)
	}
}

func (e *encoder) changes(key string, v *[]Change) {
	if len(*v) == 0 {
		return
	}
	list := *v
	if n := len(list); n > maxChanges {
		cut := Change{Field: fmt.Sprintf("…[%d changes]", n)}
		list = append(append([]Change{}, list[:maxChanges-1]...), cut)
	}
	e.key(key)
	e.b = append(e.b, '[')
	for i, c := range list {
		if i > 0 {
			e.b = append(e.b, ',')
		}
		e.b = append(e.b, `{"field":`...)
		e.quoted(c.Field)
		e.b = append(e.b, `,"old":`...)
		e.quoted(c.Old)
		e.b = append(e.b, `,"new":`...)
		e.quoted(c.New)
		e.b = append(e.b, '}')
	}
	e.b = append(e.b, ']')
}

func (e *encoder) details(v *[]Detail) {
	for _, d := range *v {
		e.key(d.Key)
		e.quoted(d.Value)
	}
}

// line puts the hash and the seal behind a body.
func line(body []byte, hash, seal Hash) []byte {
	b := append(body, beginHash...)
	b = hashEncoding.AppendEncode(b, hash[:])
	b = append(b, beginSeal...)
	b = hashEncoding.AppendEncode(b, seal[:])
	return append(b, endSeal+"\n"...)
}

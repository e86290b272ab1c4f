package audit

import (
	"bytes"
	"errors"
	"time"
)

var errSyntax = errors.New("audit: not a record")

// sealed is what stands round a record in its line.
type sealed struct {
	body       []byte
	hash, seal Hash
}

// Parse reads one line of a log, without its newline. It accepts exactly the lines that [Append] writes; it does not check
// hash and seal, since that takes the records before it: see [Verify]. The texts of the result can hold anything: [Safe].
func Parse(line []byte) (Record, error) {
	var r Record
	if _, ok := decode(line, &r, true); !ok {
		return Record{}, errSyntax
	}
	return r, nil
}

// decode reads a line into r. Without keep the texts are checked like all else but not kept, which is what makes verifying a log
// fast: nothing is allocated.
func decode(line []byte, r *Record, keep bool) (sealed, bool) {
	*r = Record{}
	if len(line) > maxLine || len(line) < suffixSize {
		return sealed{}, false
	}
	var s sealed
	suffix := line[len(line)-suffixSize:]
	s.body = line[:len(line)-suffixSize]
	if !cutLiteral(&suffix, beginHash) || !cutHash(&suffix, &s.hash) || !cutLiteral(&suffix, beginSeal) ||
		!cutHash(&suffix, &s.seal) || string(suffix) != endSeal {
		return sealed{}, false
	}
	d := decoder{rest: s.body, keep: keep}
	d.begin(r)
	r.fields(&d)
	if d.bad || len(d.rest) != 0 {
		return sealed{}, false
	}
	return s, true
}

func cutLiteral(b *[]byte, literal string) bool {
	if len(*b) < len(literal) || string((*b)[:len(literal)]) != literal {
		return false
	}
	*b = (*b)[len(literal):]
	return true
}

// cutHash is strict: of the four spellings that base64 has for the same 32 bytes it takes one.
func cutHash(b *[]byte, h *Hash) bool {
	if len(*b) < hashText {
		return false
	}
	n, err := hashEncoding.Decode(h[:], (*b)[:hashText])
	*b = (*b)[hashText:]
	return err == nil && n == len(h)
}

// decoder reads a record's fields. After the first mistake it is bad and reads no further.
type decoder struct {
	rest []byte
	keep bool
	bad  bool
}

// begin reads what every record has.
func (d *decoder) begin(r *Record) {
	var ok bool
	if !cutLiteral(&d.rest, beginTime) || len(d.rest) < len(timeLayout) {
		d.fail()
		return
	}
	if r.Time, ok = parseTime(d.rest[:len(timeLayout)]); !ok {
		d.fail()
		return
	}
	d.rest = d.rest[len(timeLayout):]
	d.literal(beginNumber)
	r.Sequence = d.integer()
	d.literal(beginAction)
	action := d.until('"')
	d.literal(beginOutcome)
	outcome := d.until('"')
	d.literal(`"`)
	if !validAction(string(action)) || !validOutcome(string(outcome)) {
		d.fail()
	} else if d.keep {
		r.Action, r.Outcome = string(action), Outcome(outcome)
	}
}

func (d *decoder) fail() { d.bad, d.rest = true, nil }

func (d *decoder) literal(s string) {
	if !cutLiteral(&d.rest, s) {
		d.fail()
	}
}

// until takes the bytes before c, at most maxKey.
func (d *decoder) until(c byte) []byte {
	n := bytes.IndexByte(d.rest[:min(len(d.rest), maxKey+1)], c)
	if n < 0 {
		d.fail()
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

// key takes the key of a field if it is this one.
func (d *decoder) key(key string) bool {
	n := len(key) + len(`,"":`)
	b := d.rest
	if len(b) < n || b[0] != ',' || b[1] != '"' || string(b[2:n-2]) != key || b[n-2] != '"' || b[n-1] != ':' {
		return false
	}
	d.rest = b[n:]
	return true
}

// raw takes a text in quotes, still escaped.
func (d *decoder) raw() []byte {
	d.literal(`"`)
	n, _, ok := scanText(d.rest)
	if !ok {
		d.fail()
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n+1:]
	return b
}

// quoted takes a text in quotes into v.
func (d *decoder) quoted(v *string) {
	if raw := d.raw(); d.keep {
		*v = unescape(raw)
	}
}

// integer takes a number in its only spelling: no sign, no leading zero, not zero.
func (d *decoder) integer() uint64 {
	var n uint64
	i := 0
	for i < len(d.rest) && i < 16 && '0' <= d.rest[i] && d.rest[i] <= '9' {
		n = n*10 + uint64(d.rest[i]-'0')
		i++
	}
	if i == 0 || d.rest[0] == '0' || n > maxNumber {
		d.fail()
		return 0
	}
	d.rest = d.rest[i:]
	return n
}

func (d *decoder) text(key string, v *string) {
	if !d.key(key) {
		return
	}
	if raw := d.raw(); len(raw) == 0 {
		d.fail()
	} else if d.keep {
		*v = unescape(raw)
	}
}

func (d *decoder) number(key string, v *uint64) {
	if d.key(key) {
		*v = d.integer()
	}
}

func (d *decoder) hash(key string, v *Hash) {
	if !d.key(key) {
		return
	}
	d.literal(`"`)
	if !cutHash(&d.rest, v) || *v == (Hash{}) {
		d.fail()
	}
	d.literal(`"`)
}

func (d *decoder) source(v *string) {
	ip := d.key("source.ip")
	if !ip && !d.key("source.address") {
		return
	}
	raw := d.raw()
	if len(raw) == 0 || isIP(string(raw)) != ip {
		d.fail()
	} else if d.keep {
		*v = unescape(raw)
	}
}

func (d *decoder) changes(key string, v *[]Change) {
	if !d.key(key) {
		return
	}
	d.literal("[")
	for n := 1; n <= maxChanges; n++ {
		var c Change
		d.literal(`{"field":`)
		d.quoted(&c.Field)
		d.literal(`,"old":`)
		d.quoted(&c.Old)
		d.literal(`,"new":`)
		d.quoted(&c.New)
		d.literal("}")
		if d.keep {
			*v = append(*v, c)
		}
		if !cutLiteral(&d.rest, ",") {
			break
		}
	}
	d.literal("]")
}

func (d *decoder) details(v *[]Detail) {
	var seen [maxDetails]Detail
	n := 0
	for ; n < maxDetails && cutLiteral(&d.rest, `,"`); n++ {
		seen[n].Key = string(d.until('"'))
		d.literal(`":`)
		if !validDetail(seen[:n], seen[n].Key) {
			d.fail()
		}
		d.quoted(&seen[n].Value)
	}
	if d.keep && !d.bad && n > 0 {
		*v = append(*v, seen[:n]...)
	}
}

// parseTime accepts only what timeLayout writes.
func parseTime(b []byte) (time.Time, bool) {
	if len(b) != len(timeLayout) || b[len(b)-1] != 'Z' || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' ||
		b[16] != ':' || b[19] != '.' {
		return time.Time{}, false
	}
	year, ok1 := digits(b[0:4])
	month, ok2 := digits(b[5:7])
	day, ok3 := digits(b[8:10])
	hour, ok4 := digits(b[11:13])
	minute, ok5 := digits(b[14:16])
	second, ok6 := digits(b[17:19])
	nanosecond, ok7 := digits(b[20:29])
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanosecond, time.UTC)
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && ok7) || year < 1970 || month < 1 || month > 12 || t.Day() != day ||
		hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	return t, true
}

func digits(b []byte) (n int, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

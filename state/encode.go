package state

import (
	"encoding/binary"
	"math"
	"time"
	"unicode/utf8"

	"twokey/internal/proc"
)

// The tags of the sections.
const (
	tagUser = iota + 1
	tagUID
	tagSerial
	tagFlags
	tagDevice
	tagRemoved
	tagRecovery
	tagBuckets
	tagSource
	tagCharge
	tagSuccess
	tagLater = 0x80 // from here on: kept, not understood
)

const (
	flagMustEnroll = 1
	flagRestored   = 2
)

// Encode returns the value that the package comment describes. It fails with ErrFormat when a limit is exceeded.
func (s *State) Encode() ([]byte, error) {
	var flags byte
	if s.MustEnroll {
		flags |= flagMustEnroll
	}
	if s.Restored {
		flags |= flagRestored
	}
	var e encoder
	e.section(tagUser, []byte(s.User))
	e.section(tagUID, binary.BigEndian.AppendUint32(nil, s.UID))
	e.section(tagSerial, binary.BigEndian.AppendUint64(nil, s.Serial))
	e.section(tagFlags, []byte{flags})
	for _, d := range s.Devices {
		e.section(tagDevice, encodeDevice(d))
	}
	var removed []byte
	for _, id := range s.Removed {
		removed = append(removed, id[:]...)
	}
	e.section(tagRemoved, removed)
	e.section(tagRecovery, binary.BigEndian.AppendUint32(append(s.Recovery.ID[:], byte(s.Recovery.Total)), s.Recovery.Used))
	e.section(tagBuckets, appendNumbers(nil, s.strangers.level, s.strangers.updated, s.known.level, s.known.updated,
		s.strangerPair.last, s.strangerPair.wait))
	for _, from := range s.sources {
		b := appendText(nil, from.name)
		e.section(tagSource, appendNumbers(b, from.bucket.level, from.bucket.updated, from.success, from.pair.last, from.pair.wait))
	}
	for _, c := range s.charges {
		known := byte(0)
		if c.known {
			known = 1
		}
		e.section(tagCharge, appendNumbers(append(c.connection[:], known), c.amount, c.time))
	}
	for _, ok := range s.successes {
		e.section(tagSuccess, encodeSuccess(ok))
	}
	e.b = append(e.b, s.later...)
	if _, err := Decode(e.b); err != nil {
		return nil, err
	}
	return e.b, nil
}

func encodeDevice(d Device) []byte {
	b := appendText(append([]byte(nil), d.ID[:]...), d.Name)
	b = appendText(b, d.Method)
	b = binary.BigEndian.AppendUint64(b, d.Consumed)
	return appendText(appendNumbers(b, milli(d.Created), milli(d.Used)), d.From)
}

func encodeSuccess(ok Success) []byte {
	var b []byte
	for _, p := range []proc.ID{ok.Process, ok.Parent} {
		b = binary.BigEndian.AppendUint32(b, uint32(p.PID))
		b = binary.BigEndian.AppendUint64(b, p.Start)
	}
	for _, text := range []string{ok.Service, ok.Method, ok.Device, ok.Source} {
		b = appendText(b, text)
	}
	return appendNumbers(b, milli(ok.Time))
}

type encoder struct{ b []byte }

func (e *encoder) section(tag byte, content []byte) {
	e.b = append(e.b, tag)
	e.b = binary.BigEndian.AppendUint16(e.b, uint16(len(content)))
	e.b = append(e.b, content...)
}

func appendText(b []byte, text string) []byte { return append(append(b, byte(len(text))), text...) }

func appendNumbers(b []byte, numbers ...int64) []byte {
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return b
}

// milli is the time in the file; the zero time is 0.
func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Decode understands a value. Anything that Encode would not have written is ErrFormat.
func Decode(b []byte) (*State, error) {
	s := &State{}
	last := byte(0)
	for len(b) > 0 {
		if len(b) < 3 {
			return nil, ErrFormat
		}
		tag, n := b[0], int(binary.BigEndian.Uint16(b[1:]))
		if n > len(b)-3 || !follows(tag, last) {
			return nil, ErrFormat
		}
		if tag >= tagLater {
			s.later = append([]byte(nil), b...)
			return s, checkLater(b)
		}
		d := decoder{b: b[3 : 3+n]}
		s.decodeSection(tag, &d)
		if d.bad || len(d.b) != 0 {
			return nil, ErrFormat
		}
		b, last = b[3+n:], tag
	}
	if last < tagBuckets {
		return nil, ErrFormat
	}
	return s, nil
}

// follows reports whether a section may stand behind the last one: the first eight are there once and in order but for the
// devices, the others may be missing or repeat.
func follows(tag, last byte) bool {
	repeats := tag == tagDevice || tag >= tagSource
	switch {
	case tag == last:
		return repeats
	case tag > tagBuckets:
		return last >= tagBuckets && tag > last
	case tag == tagRemoved:
		return last == tagFlags || last == tagDevice
	}
	return tag == last+1
}

// checkLater walks over the sections of a newer version.
func checkLater(b []byte) error {
	for len(b) > 0 {
		if len(b) < 3 || b[0] < tagLater || int(binary.BigEndian.Uint16(b[1:])) > len(b)-3 {
			return ErrFormat
		}
		b = b[3+int(binary.BigEndian.Uint16(b[1:])):]
	}
	return nil
}

func (s *State) decodeSection(tag byte, d *decoder) {
	switch tag {
	case tagUser:
		s.User = string(d.bytes(len(d.b)))
		d.must(s.User != "" && len(s.User) <= maxUser)
	case tagUID:
		s.UID = uint32(d.number(4))
	case tagSerial:
		s.Serial = d.number(8)
	case tagFlags:
		flags := d.number(1)
		s.MustEnroll, s.Restored = flags&flagMustEnroll != 0, flags&flagRestored != 0
		d.must(flags <= flagMustEnroll|flagRestored)
	case tagDevice:
		s.Devices = append(s.Devices, Device{d.id(), d.text(maxName), d.text(maxName), d.number(8), d.time(), d.time(), d.text(maxSource)})
		d.must(len(s.Devices) <= MaxDevices)
	case tagRemoved:
		for len(d.b) > 0 && !d.bad {
			s.Removed = append(s.Removed, d.id())
		}
		d.must(len(s.Removed) <= MaxRemoved)
	case tagRecovery:
		s.Recovery = Recovery{d.id(), int(d.number(1)), uint32(d.number(4))}
		d.must(s.Recovery.Total <= 32)
	case tagBuckets:
		s.strangers, s.known, s.strangerPair = d.bucket(), d.bucket(), d.turn()
	case tagSource:
		s.sources = append(s.sources, source{d.text(maxSource), d.bucket(), d.signed(), d.turn()})
		d.must(len(s.sources) <= MaxSources)
	case tagCharge:
		c := charge{connection: d.id()}
		known := d.number(1)
		c.known, c.amount, c.time = known == 1, d.signed(), d.signed()
		s.charges = append(s.charges, c)
		d.must(known <= 1 && c.amount >= 0 && len(s.charges) <= maxCharges)
	case tagSuccess:
		s.successes = append(s.successes, Success{d.process(), d.process(), d.text(maxName), d.text(maxName), d.text(maxName),
			d.text(maxSource), d.time()})
		d.must(len(s.successes) <= maxSuccesses)
	default:
		d.bad = true
	}
}

// decoder takes values off the front of a section; after the first that is not there it is bad and gives zeros.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) must(ok bool) { d.bad = d.bad || !ok }

func (d *decoder) bytes(n int) []byte {
	if d.bad || n > len(d.b) {
		d.bad = true
		return make([]byte, n)
	}
	taken := d.b[:n]
	d.b = d.b[n:]
	return taken
}

func (d *decoder) number(size int) (n uint64) {
	for _, c := range d.bytes(size) {
		n = n<<8 | uint64(c)
	}
	return n
}

// signed is a number or time that is never negative.
func (d *decoder) signed() int64 {
	n := d.number(8)
	d.must(n <= math.MaxInt64)
	return int64(n)
}

func (d *decoder) text(limit int) string {
	n := int(d.number(1))
	d.must(n <= limit)
	text := string(d.bytes(n))
	d.must(utf8.ValidString(text))
	return text
}

func (d *decoder) time() time.Time {
	ms := d.signed()
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func (d *decoder) id() (id ID) {
	copy(id[:], d.bytes(len(id)))
	return id
}

func (d *decoder) bucket() bucket { return bucket{d.signed(), d.signed()} }

func (d *decoder) turn() turn { return turn{d.signed(), d.signed()} }

func (d *decoder) process() proc.ID { return proc.ID{PID: int32(d.number(4)), Start: d.number(8)} }

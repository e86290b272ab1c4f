package state

import (
	"encoding/binary"
	"math"
	"slices"
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
	tagNamedSuccess // of before: read and not written
	tagRemembered
	tagNotice
	tagSuccess
	tagUntil
	tagLater = 0x80 // from here on: kept, not understood
)

const (
	flagMustEnroll = 1
	flagRestored   = 2
	flagFewTold    = 4

	stampSize = 6
	maxStamp  = 1<<(8*stampSize) - 1 // ms; in the year 10889
)

// Encode returns the value that the package comment describes. It is ErrFormat for a user's name, a number of devices or of removed
// ids, or a set of recovery codes out of range: what the administrator chose. Nothing that came from a login can make it fail.
func (s *State) Encode() ([]byte, error) {
	if len(s.User) > maxUser || s.Recovery.Total < 0 || s.Recovery.Total > maxRecovery {
		return nil, ErrFormat // what does not fit into its bytes would be written as something else
	}
	var e encoder
	e.section(tagUser, []byte(s.User))
	e.section(tagUID, binary.BigEndian.AppendUint32(nil, s.UID))
	e.section(tagSerial, binary.BigEndian.AppendUint64(nil, s.Serial))
	e.section(tagFlags, []byte{bit(s.MustEnroll, flagMustEnroll) | bit(s.Restored, flagRestored) | bit(s.Recovery.told, flagFewTold)})
	for _, d := range s.Devices {
		e.section(tagDevice, encodeDevice(d))
	}
	var removed []byte
	for _, id := range s.Removed {
		removed = append(removed, id[:]...)
	}
	e.section(tagRemoved, removed)
	e.section(tagRecovery, binary.BigEndian.AppendUint32(append(s.Recovery.ID[:], byte(s.Recovery.Total)), s.Recovery.Used))
	e.section(tagBuckets, appendTurn(appendBucket(appendBucket(nil, s.strangers), s.known), s.strangerPair))
	for _, from := range s.sources {
		b := appendBucket(appendText(nil, from.name), from.bucket)
		e.section(tagSource, appendTurn(appendStamp(b, from.success), from.pair))
	}
	for _, c := range s.charges {
		b := append(c.connection[:], bit(c.known, 1))
		e.section(tagCharge, appendStamp(appendAmount(b, c.amount), c.time))
	}
	e.optional(tagRemembered, encodeRemembered(s.remembered))
	for _, n := range s.notices {
		e.section(tagNotice, append(appendText(n.Device[:], n.By), byte(n.shown)))
	}
	for _, ok := range s.successes {
		e.section(tagSuccess, encodeSuccess(ok))
	}
	e.optional(tagUntil, encodeUntil(s.Devices))
	e.b = append(e.b, s.later...)
	if _, err := Decode(e.b); err != nil {
		return nil, err // never write what could not be read
	}
	return e.b, nil
}

func encodeDevice(d Device) []byte {
	b := appendText(append([]byte(nil), d.ID[:]...), cut(d.Name, maxName))
	b = appendText(b, cut(d.Method, maxMethod))
	b = binary.BigEndian.AppendUint64(b, d.Consumed)
	return appendText(appendTime(appendTime(b, d.Created), d.Used), cut(d.From, maxName))
}

// encodeUntil gives nothing when no device expires.
func encodeUntil(devices []Device) (b []byte) {
	if !slices.ContainsFunc(devices, func(d Device) bool { return !d.Until.IsZero() }) {
		return nil
	}
	for _, d := range devices {
		b = appendTime(b, d.Until)
	}
	return b
}

func encodeSuccess(ok waiting) []byte {
	var b []byte
	for _, p := range []proc.ID{ok.Process, ok.Parent} {
		b = binary.BigEndian.AppendUint32(b, uint32(p.PID))
		b = binary.BigEndian.AppendUint64(b, p.Start)
	}
	b = append(b, ok.service[:]...)
	for _, text := range []string{ok.Method, ok.Device, ok.Source} {
		b = appendText(b, text)
	}
	return appendTime(b, ok.Time)
}

type encoder struct{ b []byte }

func (e *encoder) section(tag byte, content []byte) {
	e.b = append(e.b, tag)
	e.b = binary.BigEndian.AppendUint16(e.b, uint16(len(content)))
	e.b = append(e.b, content...)
}

// optional leaves a section out that has no content.
func (e *encoder) optional(tag byte, content []byte) {
	if len(content) > 0 {
		e.section(tag, content)
	}
}

func encodeRemembered(all []remembered) (b []byte) {
	for _, r := range all {
		b = appendStamp(append(b, r.key[:]...), r.time)
	}
	return b
}

func bit(set bool, value byte) byte {
	if set {
		return value
	}
	return 0
}

func appendText(b []byte, text string) []byte { return append(append(b, byte(len(text))), text...) }

func appendAmount(b []byte, n int64) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(min(max(n, 0), math.MaxUint32)))
}

func appendStamp(b []byte, ms int64) []byte {
	whole := binary.BigEndian.AppendUint64(nil, uint64(min(max(ms, 0), maxStamp)))
	return append(b, whole[8-stampSize:]...)
}

// appendTime appends a time; the zero time is 0.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return appendStamp(b, 0)
	}
	return appendStamp(b, stamp(t))
}

func appendBucket(b []byte, from bucket) []byte {
	return appendStamp(binary.BigEndian.AppendUint32(b, uint32(int32(from.level))), from.updated)
}

func appendTurn(b []byte, t turn) []byte { return appendAmount(appendStamp(b, t.last), t.wait) }

// stamp is a time as it stands in the file, brought into the range of it: a clock before 1970 must neither make a state that cannot
// be written, nor give 0, which means that a bucket was never touched and is full.
func stamp(t time.Time) int64 {
	switch {
	case t.Before(time.UnixMilli(1)):
		return 1
	case t.After(time.UnixMilli(maxStamp)):
		return maxStamp
	}
	return t.UnixMilli()
}

// Decode understands a value. Anything that is not as the package comment says is ErrFormat; what it accepts, Encode gives back
// byte by byte, but for successes in the form of before.
func Decode(b []byte) (*State, error) {
	s := &State{}
	last, named := byte(0), false
	for len(b) > 0 {
		if len(b) < 3 {
			return nil, ErrFormat
		}
		tag, n := b[0], int(binary.BigEndian.Uint16(b[1:]))
		if n > len(b)-3 || !follows(tag, last) {
			return nil, ErrFormat
		}
		if tag >= tagLater {
			if !sections(b) {
				return nil, ErrFormat
			}
			s.later = append([]byte(nil), b...)
			return s, nil
		}
		d := decoder{b: b[3 : 3+n]}
		s.decodeSection(tag, &d)
		named = named || tag == tagNamedSuccess
		if d.bad || len(d.b) != 0 || named && tag == tagSuccess { // a file is of one time: it has not both forms
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
	repeats := tag == tagDevice || tag >= tagSource && tag != tagRemembered && tag != tagUntil
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

// sections reports whether b is whole sections of a newer version.
func sections(b []byte) bool {
	for len(b) > 0 {
		if len(b) < 3 || b[0] < tagLater || int(binary.BigEndian.Uint16(b[1:])) > len(b)-3 {
			return false
		}
		b = b[3+int(binary.BigEndian.Uint16(b[1:])):]
	}
	return true
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
		s.MustEnroll, s.Restored, s.Recovery.told = flags&flagMustEnroll != 0, flags&flagRestored != 0, flags&flagFewTold != 0
		d.must(flags <= flagMustEnroll|flagRestored|flagFewTold)
	case tagDevice:
		s.Devices = append(s.Devices, Device{d.id(), d.text(maxName), d.text(maxMethod), d.number(8), d.time(), d.time(), d.text(maxName), time.Time{}})
		d.must(len(s.Devices) <= MaxDevices)
	case tagRemoved:
		for len(d.b) > 0 && !d.bad {
			s.Removed = append(s.Removed, d.id())
		}
		d.must(len(s.Removed) <= MaxRemoved)
	case tagRecovery:
		s.Recovery = Recovery{d.id(), int(d.number(1)), uint32(d.number(4)), s.Recovery.told}
		d.must(s.Recovery.Total <= maxRecovery)
	case tagBuckets:
		s.strangers, s.known, s.strangerPair = d.bucket(), d.bucket(), d.turn()
	case tagSource:
		s.sources = append(s.sources, source{d.text(maxName), d.bucket(), d.stamp(), d.turn()})
		d.must(len(s.sources) <= MaxSources)
	case tagCharge:
		c := charge{connection: d.id()}
		known := d.number(1)
		c.known, c.amount, c.time = known == 1, d.amount(), d.stamp()
		s.charges = append(s.charges, c)
		d.must(known <= 1 && len(s.charges) <= maxCharges)
	case tagRemembered:
		d.must(len(d.b) > 0)
		for len(d.b) > 0 && !d.bad {
			s.remembered = append(s.remembered, remembered{[16]byte(d.bytes(16)), d.stamp()})
		}
		d.must(len(s.remembered) <= maxRemember)
	case tagNotice:
		n := notice{Notice{d.id(), d.text(maxBy)}, int(d.number(1))}
		s.notices = append(s.notices, n)
		d.must(n.shown < maxShown && len(s.notices) <= maxNotices)
	case tagNamedSuccess, tagSuccess:
		s.decodeSuccess(tag, d)
	case tagUntil:
		s.decodeUntil(d)
	default:
		d.bad = true
	}
}

// decodeSuccess reads a success in the form that is written, or in the one of before.
func (s *State) decodeSuccess(tag byte, d *decoder) {
	w := waiting{Success: Success{Process: d.process(), Parent: d.process()}}
	if tag == tagNamedSuccess {
		w.service = serviceHash(d.text(maxName))
	} else {
		copy(w.service[:], d.bytes(serviceSize))
	}
	w.Method, w.Device, w.Source, w.Time = d.text(maxMethod), d.text(maxName), d.text(maxName), d.time()
	s.successes = append(s.successes, w)
	d.must(len(s.successes) <= maxSuccesses)
}

// decodeUntil refuses a section that says nothing: it would be a second spelling.
func (s *State) decodeUntil(d *decoder) {
	some := false
	for i := range s.Devices {
		s.Devices[i].Until = d.time()
		some = some || !s.Devices[i].Until.IsZero()
	}
	d.must(some)
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

func (d *decoder) amount() int64 { return int64(d.number(4)) }

func (d *decoder) stamp() int64 { return int64(d.number(stampSize)) }

func (d *decoder) text(limit int) string {
	n := int(d.number(1))
	d.must(n <= limit)
	text := string(d.bytes(n))
	d.must(utf8.ValidString(text))
	return text
}

func (d *decoder) time() time.Time {
	ms := d.stamp()
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func (d *decoder) id() (id ID) {
	copy(id[:], d.bytes(len(id)))
	return id
}

// bucket reads a level with its sign.
func (d *decoder) bucket() bucket { return bucket{int64(int32(d.number(4))), d.stamp()} }

func (d *decoder) turn() turn { return turn{d.stamp(), d.amount()} }

func (d *decoder) process() proc.ID { return proc.ID{PID: int32(d.number(4)), Start: d.number(8)} }

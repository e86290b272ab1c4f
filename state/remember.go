package state

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"
)

// remembered is a success after which its user is not asked again for a while.
type remembered struct {
	key  [16]byte
	time int64 // ms
}

// rememberDomain keeps these hashes apart from all others; its number is that of the format.
const rememberDomain = "twokey remember 1\x00"

// RememberKey names from where, at which service and with which SSH key somebody was let in: the first 16 bytes of
//
//	SHA-256("twokey remember 1\x00" + source + service + fingerprint)
//
// with the length of each of the three before it (4 bytes, big endian), so that no two triples are spelled alike. The fingerprint is ""
// when no key was used.
func RememberKey(source, service, fingerprint string) [16]byte {
	text := []byte(rememberDomain)
	for _, part := range []string{source, service, fingerprint} {
		text = append(binary.BigEndian.AppendUint32(text, uint32(len(part))), part...)
	}
	sum := sha256.Sum256(text)
	return [16]byte(sum[:16])
}

// Remember keeps that a right code was given under this key now. Of more than 8 keys the one that was given a code the longest ago goes.
// It is for a right code only: one who is not asked because he is remembered is not remembered for longer by that.
func (s *State) Remember(key [16]byte, now time.Time) {
	others := slices.DeleteFunc(slices.Clone(s.remembered), func(r remembered) bool { return r.key == key })
	if len(others) >= maxRemember {
		others = others[len(others)-maxRemember+1:]
	}
	s.remembered = append(others, remembered{key, stamp(now)})
}

// Remembered reports whether a right code was given under this key less than within ago, and when. The clock is not trusted: a time in
// the future counts as now, and one that is more than five minutes ahead is good for nothing, for nobody knows how long ago it was.
func (s *State) Remembered(key [16]byte, within time.Duration, now time.Time) (since time.Time, ok bool) {
	for _, r := range s.remembered {
		age := stamp(now) - r.time // in ms: a duration does not reach from one end of the file's times to the other
		if r.key == key && age >= -clockSlack.Milliseconds() && max(0, age) < within.Milliseconds() {
			return time.UnixMilli(r.time).UTC(), true
		}
	}
	return time.Time{}, false
}

// Kept is how many sources and how many remembered logins ForgetSources would end.
func (s *State) Kept() (sources, remembered int) { return len(s.sources), len(s.remembered) }

// LastSuccess returns the time of the last right code that was given from a source, whatever the service; false when there was none, or
// none that is still kept. After the clock was set back it may lie in the future.
func (s *State) LastSuccess(source string) (time.Time, bool) {
	name := key(source)
	for _, from := range s.sources {
		if from.name == name {
			return time.UnixMilli(from.success).UTC(), true
		}
	}
	return time.Time{}, false
}

// rememberedBefore leaves out what is from a time behind the limit, in ms.
func rememberedBefore(all []remembered, limit int64) (kept []remembered) {
	for _, r := range all {
		if r.time <= limit {
			kept = append(kept, r)
		}
	}
	return kept
}

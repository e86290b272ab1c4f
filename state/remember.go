package state

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"time"
)

// remembered is a success after which its user is for a while not asked again, or let in where nothing can be asked.
type remembered struct {
	key  [16]byte
	time int64 // ms
}

// The domains keep these hashes apart from each other and from all others; their numbers are those of the formats.
const (
	rememberDomain = "twokey remember 2\x00"
	earlierDomain  = "twokey earlier 1\x00"
)

// RememberKey names from where, at which service, with which SSH key and by which methods that count there somebody was let in: the first
// 16 bytes of
//
//	SHA-256("twokey remember 2\x00" + place + service + fingerprint + methods)
//
// with the length of each of the four before it (4 bytes, big endian), so that no two are spelled alike. The methods are in alphabetical
// order, with commas between them: a rule that wants others asks again. The fingerprint is "" when no key was used.
func RememberKey(place, service, fingerprint string, methods []string) [16]byte {
	return hashed(rememberDomain, place, service, fingerprint, strings.Join(slices.Sorted(slices.Values(methods)), ","))
}

// EarlierKey names from where and by which method a right code was given, whatever the service, for those services that cannot ask: the
// first 16 bytes of
//
//	SHA-256("twokey earlier 1\x00" + place + method)
//
// with lengths as in [RememberKey].
func EarlierKey(place, method string) [16]byte { return hashed(earlierDomain, place, method) }

func hashed(domain string, parts ...string) [16]byte {
	text := []byte(domain)
	for _, part := range parts {
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

// rememberedBefore leaves out what is from a time behind the limit, in ms.
func rememberedBefore(all []remembered, limit int64) (kept []remembered) {
	for _, r := range all {
		if r.time <= limit {
			kept = append(kept, r)
		}
	}
	return kept
}

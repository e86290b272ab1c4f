package factor

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"math"
	"strconv"
	"time"
)

// FurthestOffset is how far from now Offset looks for a code: far enough for a clock in a wrong time zone.
const FurthestOffset = 12 * time.Hour

// offsetSteps is the number of steps to each side of the present one that Offset looks at: with the period that nearly all have they reach
// as far as FurthestOffset, with the shortest a third of it. Every wrong code costs that.
const offsetSteps = int(FurthestOffset/time.Second) / 30

// Offset finds the time at which the answer is, or was, the code of the device: now+off, where off is at most FurthestOffset to either
// side, and with a period below 30 s at most 1440 steps; of several times the nearest. It says by how much a clock is wrong, and must never let anybody in.
//
// It makes as many codes for every device and every answer, also for a device that has no time (HOTP) or steps so long that the
// furthest do not count: how long it takes says nothing about the device or how near the answer was. Parameters out of range find
// nothing.
func (p Params) Offset(answer string, now time.Time) (off time.Duration, found bool) {
	if p.usable() != nil {
		return 0, false
	}
	step, mac, sum := p.Step(now), hmac.New(p.Algorithm.hash(), p.Secret), make([]byte, 0, sha512.Size)
	steps, found := nearest(p.number(answer), step, func(counter uint64) int32 { return p.value(mac, sum, counter) })
	if !found || p.Method != TOTP {
		return 0, false
	}
	// The clock of the device is somewhere in that step: the middle of it is the best guess.
	period := time.Duration(p.Period) * time.Second
	off = time.Unix(int64(step)*int64(p.Period), 0).Add(time.Duration(steps)*period + period/2).Sub(now)
	if off.Abs() > FurthestOffset {
		return 0, false
	}
	return off, true
}

// nearest finds the counter round step whose value is the number that was typed, and says how many steps it is away. It looks at all of
// them, whether or not one was right, and does the same for each. Counters before 0 are those that no device ever reaches.
func nearest(typed int32, step uint64, value func(counter uint64) int32) (steps int, found bool) {
	hit := 0
	for distance := range offsetSteps + 1 {
		for _, at := range []int{distance, -distance} {
			first := subtle.ConstantTimeEq(value(step+uint64(at)), typed) &^ hit
			steps = subtle.ConstantTimeSelect(first, at, steps)
			hit |= first
		}
	}
	return steps, hit == 1
}

// number is an answer as the value that it has to be equal to; -1 is that of no code.
func (p Params) number(answer string) int32 {
	n, err := strconv.ParseInt(answer, 10, 64)
	if len(answer) != p.Digits || !isDigits(answer) || err != nil || n > math.MaxInt32 {
		return -1
	}
	return int32(n)
}

// value is the code of a counter as a number, RFC 4226 section 5.3. It is what Code gives, several times faster: the key is prepared
// once for all counters.
func (p Params) value(mac hash.Hash, sum []byte, counter uint64) int32 {
	var text [8]byte
	binary.BigEndian.PutUint64(text[:], counter)
	mac.Reset()
	mac.Write(text[:])
	sum = mac.Sum(sum[:0])
	at := sum[len(sum)-1] & 0x0f
	return int32(int64(binary.BigEndian.Uint32(sum[at:])&math.MaxInt32) % pow10(p.Digits))
}

func (a Algorithm) hash() func() hash.Hash {
	switch a {
	case SHA256:
		return sha256.New
	case SHA512:
		return sha512.New
	}
	return sha1.New
}

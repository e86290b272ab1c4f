package state

import (
	"math"
	"time"
)

// The throttle: token buckets, in thousandths of an attempt. Sources that the user has not succeeded from within 90 days share
// one bucket, so that a thousand addresses are worth no more than one; every source that he has succeeded from has its own, so
// that nobody else can spend his attempts; and all of those together have one more. docs/security.md has the arithmetic.
const (
	// One is the price of one attempt at six digits with one step of tolerance to each side.
	One = 1000

	burst      = 10 * One
	knownBurst = 20 * One

	strangerRefill = 6 * time.Hour // for one attempt
	sourceRefill   = 2 * time.Hour
	knownRefill    = time.Hour

	// The pace of pairs, for the price of one.
	strangerPairPace = 50 * time.Millisecond
	sourcePairPace   = time.Second

	knownFor   = 90 * 24 * time.Hour
	chargeLife = 10 * time.Minute
	clockSlack = 5 * time.Minute
	turnSlack  = 15 * time.Second // more than anybody waits for the lock

	// maxPrice is where a price ends, so that what it leaves in a bucket, and the wait for the next pair, fit into their 4 bytes.
	maxPrice = math.MaxInt32
)

// bucket is filled when it has never been touched (updated 0).
type bucket struct {
	level   int64 // thousandths of an attempt; below zero: owed, before anything else can be paid
	updated int64 // ms
}

// turn says when the next pair is looked at: not before wait has passed since last.
type turn struct {
	last int64 // ms
	wait int64 // ms
}

// left is how many milliseconds are left to wait. Of logins at once the clock may have been read before the last turn was taken: they
// wait for that turn too. More than that and the clock was set back: then the turn is free, else pairs would be refused until the
// old time is reached again. Whoever takes it puts the clock of the turn right.
func (t turn) left(now int64) int64 {
	if t.last-now > turnSlack.Milliseconds() {
		return 0
	}
	return max(0, t.last+t.wait-now)
}

// source is somewhere that the user has succeeded from.
type source struct {
	name    string
	bucket  bucket
	success int64 // ms
	pair    turn
}

// charge is what an attempt took, to be given back if its connection turns out to be the owner's.
type charge struct {
	connection ID
	known      bool
	amount     int64
	time       int64
}

// Attempt is one answer about to be looked at.
type Attempt struct {
	Source     string    // where it comes from; see pamhook
	Connection ID        // the same for all attempts of one connection, and for no other
	Cost       int64     // thousandths of an attempt; less than One counts as One
	Now        time.Time // read while the lock is held: an old time would take a turn before its time
}

// price is the cost, brought into its range. A negative one would fill the bucket.
func (a Attempt) price() int64 { return min(max(a.Cost, One), maxPrice) }

// filled is what the bucket holds now. The clock is not trusted to go forward: a time before the last one counts as no time.
func (b bucket) filled(limit int64, refill time.Duration, now int64) int64 {
	if b.updated == 0 {
		return limit
	}
	return min(limit, b.level+max(0, now-b.updated)*One/refill.Milliseconds())
}

// pays reports whether the bucket can pay a price. A price above the limit, such as that of a code of four digits, is paid from a
// full bucket, which owes the rest until it has refilled: a user with such a device could otherwise never log in with one code,
// and the attempts that an attacker has in a year are the same.
func (b bucket) pays(price, limit int64, refill time.Duration, now int64) bool {
	return b.filled(limit, refill, now) >= min(price, limit)
}

func (b *bucket) take(limit int64, refill time.Duration, now, amount int64) {
	*b = bucket{b.filled(limit, refill, now) - amount, max(now, b.updated)}
}

func (b *bucket) giveBack(limit int64, refill time.Duration, now, amount int64) {
	*b = bucket{min(limit, b.filled(limit, refill, now)+amount), max(now, b.updated)}
}

// Known reports whether the user has succeeded from the source within 90 days.
func (s *State) Known(name string, now time.Time) bool { return s.source(name, now) != nil }

func (s *State) source(name string, now time.Time) *source {
	name = key(name)
	for i := range s.sources {
		if s.sources[i].name == name && s.sources[i].known(stamp(now)) {
			return &s.sources[i]
		}
	}
	return nil
}

func (from *source) known(now int64) bool { return now-from.success < knownFor.Milliseconds() }

// Charge takes the price of an attempt, and reports whether it could be paid. If not, nothing is taken, and only a pair may be
// looked at.
func (s *State) Charge(a Attempt) bool {
	now, price := stamp(a.Now), a.price()
	from := s.source(a.Source, a.Now)
	if from == nil {
		if !s.strangers.pays(price, burst, strangerRefill, now) {
			return false
		}
		s.strangers.take(burst, strangerRefill, now, price)
	} else {
		if !from.bucket.pays(price, burst, sourceRefill, now) || !s.known.pays(price, knownBurst, knownRefill, now) {
			return false
		}
		from.bucket.take(burst, sourceRefill, now, price)
		s.known.take(knownBurst, knownRefill, now, price)
	}
	s.addCharge(charge{a.Connection, from != nil, price, now})
	return true
}

func (s *State) addCharge(c charge) {
	kept := s.charges[:0]
	for _, old := range s.charges {
		if c.time-old.time < chargeLife.Milliseconds() {
			kept = append(kept, old)
		}
	}
	if len(kept) >= maxCharges {
		kept = append(kept[:0], kept[len(kept)-maxCharges+1:]...)
	}
	s.charges = append(kept, c)
}

// ChargePair takes the turn of a pair of codes and returns zero; or it takes nothing and returns how long it is until the next
// turn.
func (s *State) ChargePair(a Attempt) (wait time.Duration) {
	pair, pace := &s.strangerPair, strangerPairPace
	if from := s.source(a.Source, a.Now); from != nil {
		pair, pace = &from.pair, sourcePairPace
	}
	now := stamp(a.Now)
	if left := pair.left(now); left > 0 {
		return time.Duration(left) * time.Millisecond
	}
	*pair = turn{now, a.price() * pace.Milliseconds() / One}
	return 0
}

// Succeeded gives back what the attempts of this connection took, and makes its source known. Nothing else resets a bucket. It is
// for a right code only: whoever is known has a bucket of his own.
func (s *State) Succeeded(a Attempt) {
	now := stamp(a.Now)
	from := s.source(a.Source, a.Now)
	kept := s.charges[:0]
	for _, c := range s.charges {
		if c.connection != a.Connection {
			kept = append(kept, c)
			continue
		}
		s.giveBack(c, from, now)
	}
	s.charges = kept
	if from == nil {
		from = s.newSource(a.Source)
	}
	from.success = max(from.success, now)
}

// Ended are the devices that have expired since the user last got in by any of them or by another code, or that expired at all where he
// never did.
func (s *State) Ended(now time.Time) []Device {
	var last time.Time
	for _, from := range s.sources {
		if success := time.UnixMilli(from.success); success.After(last) {
			last = success
		}
	}
	for _, d := range s.Devices {
		if d.Used.After(last) {
			last = d.Used
		}
	}
	var ended []Device
	for _, d := range s.Devices {
		if !d.Until.IsZero() && d.Until.After(last) && !now.Before(d.Until) {
			ended = append(ended, d)
		}
	}
	return ended
}

// GiveBack gives back what this attempt took, and nothing else: of a right code that stands before the password, which may be wrong.
func (s *State) GiveBack(a Attempt) {
	now, last := stamp(a.Now), len(s.charges)-1
	if last < 0 || s.charges[last].connection != a.Connection || s.charges[last].time != now {
		return
	}
	s.giveBack(s.charges[last], s.source(a.Source, a.Now), now)
	s.charges = s.charges[:last]
}

// giveBack puts a charge back where it came from. Where that is not known any more, nothing is.
func (s *State) giveBack(c charge, from *source, now int64) {
	switch {
	case !c.known:
		s.strangers.giveBack(burst, strangerRefill, now, c.amount)
	case from != nil:
		from.bucket.giveBack(burst, sourceRefill, now, c.amount)
		s.known.giveBack(knownBurst, knownRefill, now, c.amount)
	}
}

// newSource makes room for a source: for itself, if it was known long ago, else in the place of the one whose last success is
// the oldest.
func (s *State) newSource(name string) *source {
	name = key(name)
	oldest := 0
	for i := range s.sources {
		if s.sources[i].name == name {
			return &s.sources[i]
		}
		if s.sources[i].success < s.sources[oldest].success {
			oldest = i
		}
	}
	if len(s.sources) < MaxSources {
		s.sources = append(s.sources, source{name: name})
		return &s.sources[len(s.sources)-1]
	}
	s.sources[oldest] = source{name: name}
	return &s.sources[oldest]
}

// Unlock refills every bucket.
func (s *State) Unlock() {
	s.strangers, s.known, s.strangerPair, s.charges = bucket{}, bucket{}, turn{}, nil
	for i := range s.sources {
		s.sources[i].bucket, s.sources[i].pair = bucket{}, turn{}
	}
}

// Throttled reports whether strangers, and whether any known source, are in pair mode for an attempt of this price.
func (s *State) Throttled(cost int64, at time.Time) (strangers, known bool) {
	now, price := stamp(at), Attempt{Cost: cost}.price()
	strangers = !s.strangers.pays(price, burst, strangerRefill, now)
	known = !s.known.pays(price, knownBurst, knownRefill, now)
	for i := range s.sources {
		from := &s.sources[i]
		known = known || from.known(now) && !from.bucket.pays(price, burst, sourceRefill, now)
	}
	return strangers, known
}

// ClockBack brings times of the throttle that lie more than five minutes in the future back to now, and reports whether there were
// any: the clock was wrong then or is wrong now. Without this a bucket would not fill until the old time is reached again. Consumed
// steps are not touched, and neither is the time of a source's last success: a machine whose clock stands at 1970 until it has
// reached a time server would forget all known sources as soon as a stranger tries a code in that minute. Who is remembered from
// such a time is asked again: else he would be let in without a code when the clock gets there.
func (s *State) ClockBack(at time.Time) bool {
	now, found := stamp(at), false
	fix := func(stamp *int64) {
		if *stamp > now+clockSlack.Milliseconds() {
			*stamp, found = now, true
		}
	}
	fix(&s.strangers.updated)
	fix(&s.known.updated)
	fix(&s.strangerPair.last)
	for i := range s.sources {
		fix(&s.sources[i].bucket.updated)
		fix(&s.sources[i].pair.last)
	}
	for i := range s.charges {
		fix(&s.charges[i].time)
	}
	if kept := rememberedBefore(s.remembered, now+clockSlack.Milliseconds()); len(kept) < len(s.remembered) {
		s.remembered, found = kept, true
	}
	return found
}

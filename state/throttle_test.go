package state

import (
	"fmt"
	"testing"
	"time"
)

const (
	home = "192.0.2.7"
	away = "198.51.100.9"
	day  = 24 * time.Hour
)

// bench is a state and the clock on the wall, for stories. Every attempt comes over a connection of its own unless it says otherwise.
type bench struct {
	*State
	t    testing.TB
	now  time.Time
	next byte
}

func newBench(t testing.TB) *bench {
	return &bench{State: &State{User: "alice", UID: 1000}, t: t, now: noon}
}

func (b *bench) attempt(source string, cost int64) Attempt {
	b.next++
	return Attempt{source, ID{b.next}, cost, b.now}
}

// wrong makes n wrong attempts and returns how many were looked at.
func (b *bench) wrong(source string, n int) (looked int) {
	for range n {
		if b.Charge(b.attempt(source, One)) {
			looked++
		}
	}
	return looked
}

// right is a login with one code; false means that only a pair would have been looked at.
func (b *bench) right(source string) bool {
	a := b.attempt(source, One)
	if !b.Charge(a) {
		return false
	}
	b.Succeeded(a)
	return true
}

// pair is a login with a pair; false means that it is not the turn of it.
func (b *bench) pair(source string) bool {
	a := b.attempt(source, One)
	if b.ChargePair(a) > 0 {
		return false
	}
	b.Succeeded(a)
	return true
}

func (b *bench) want(what string, got, want any) {
	b.t.Helper()
	if got != want {
		b.t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func (b *bench) strangersLeft() int64 { return b.strangers.filled(burst, strangerRefill, stamp(b.now)) }

func (b *bench) knownLeft() int64 { return b.known.filled(knownBurst, knownRefill, stamp(b.now)) }

func (b *bench) left(source string) int64 {
	b.t.Helper()
	from := b.source(source, b.now)
	if from == nil {
		b.t.Fatalf("%s is not known", source)
	}
	return from.bucket.filled(burst, sourceRefill, stamp(b.now))
}

func TestTheThrottle(t *testing.T) {
	for sentence, story := range map[string]func(*bench){
		"ten wrong codes from strangers are looked at, then only pairs": func(b *bench) {
			b.want("looked at", b.wrong(away, 30), 10)
			b.want("a right single code", b.right(away), false)
			b.want("a pair", b.pair(away), true)
		},
		"strangers share one bucket, however many addresses they have": func(b *bench) {
			looked := 0
			for i := range 200 {
				looked += b.wrong(fmt.Sprintf("2001:db8:0:%x::/64", i), 1)
			}
			b.want("looked at", looked, 10)
		},
		"a known source keeps its way in while strangers try": func(b *bench) {
			b.want("first login", b.right(home), true)
			b.wrong(away, 30)
			b.want("login from home", b.right(home), true)
			b.want("login from elsewhere", b.right("203.0.113.5"), false)
		},
		"a source is a stranger until it has succeeded": func(b *bench) {
			b.wrong(home, 3)
			b.want("known", b.Known(home, b.now), false)
			b.want("left for strangers", b.strangersLeft(), int64(7*One))
		},
		"a right code before the password gives its own price back and nothing else": func(b *bench) {
			mine := b.attempt(away, One)
			for range 3 {
				b.Charge(mine)
				b.now = b.now.Add(time.Millisecond)
				mine.Now = b.now
			}
			b.Charge(mine)
			b.GiveBack(mine)
			b.want("left for strangers", b.strangersLeft(), int64(7*One))
			b.GiveBack(mine)
			b.want("left after one that took nothing", b.strangersLeft(), int64(7*One))
			b.want("known", b.Known(away, b.now), false)
			b.Succeeded(mine)
			b.want("left after a right password", b.strangersLeft(), int64(burst))
		},
		"a right code before the password gives nothing back to another connection": func(b *bench) {
			b.wrong(away, 3)
			b.GiveBack(b.attempt(away, One))
			b.want("left for strangers", b.strangersLeft(), int64(7*One))
		},
		"a right code before the password gives a known source its price back": func(b *bench) {
			b.right(home)
			b.wrong(home, 3)
			a := b.attempt(home, One)
			b.Charge(a)
			b.GiveBack(a)
			b.want("left", b.left(home), int64(7*One))
			b.want("left of all", b.knownLeft(), int64(17*One))
		},
		"a known source has ten attempts of its own": func(b *bench) {
			b.right(home)
			b.want("looked at", b.wrong(home, 30), 10)
			b.want("strangers have lost", burst-b.strangersLeft(), int64(0))
			b.want("another source", b.right(away), true)
		},
		"one known source does not spend the attempts of another": func(b *bench) {
			b.right(home)
			b.right(away)
			b.wrong(away, 30)
			b.want("login from home", b.right(home), true)
		},
		"all known sources together have twenty": func(b *bench) {
			for i := range 4 {
				b.right(fmt.Sprint("known", i))
			}
			looked := 0
			for i := range 4 {
				looked += b.wrong(fmt.Sprint("known", i), 30)
			}
			b.want("looked at", looked, 20)
		},
		"the turn of a pair comes when all known sources are spent": func(b *bench) {
			for i := range 4 {
				b.right(fmt.Sprint("known", i))
			}
			for i := range 3 {
				b.wrong(fmt.Sprint("known", i), 30)
			}
			b.want("a single code", b.right("known3"), false)
			b.want("a pair", b.pair("known3"), true)
		},
		"strangers get one attempt back in 6 hours": func(b *bench) {
			b.wrong(away, 10)
			b.now = b.now.Add(6*time.Hour - time.Millisecond)
			b.want("just before", b.wrong(away, 5), 0)
			b.now = b.now.Add(time.Millisecond)
			b.want("after 6 h", b.wrong(away, 5), 1)
			b.now = b.now.Add(12 * time.Hour)
			b.want("after 12 h more", b.wrong(away, 5), 2)
		},
		"a known source gets one attempt back in 2 hours": func(b *bench) {
			b.right(home)
			b.wrong(home, 10)
			b.now = b.now.Add(2*time.Hour - time.Millisecond)
			b.want("just before", b.wrong(home, 5), 0)
			b.now = b.now.Add(time.Millisecond)
			b.want("after 2 h", b.wrong(home, 5), 1)
		},
		"all known sources get one attempt back in an hour": func(b *bench) {
			for i := range 3 {
				b.right(fmt.Sprint("known", i))
			}
			for i := range 3 {
				b.wrong(fmt.Sprint("known", i), 10)
			}
			b.now = b.now.Add(time.Hour - time.Millisecond)
			b.want("just before", b.wrong("known2", 5), 0)
			b.now = b.now.Add(time.Millisecond)
			b.want("after 1 h", b.wrong("known2", 5), 1)
		},
		"a bucket never holds more than its burst": func(b *bench) {
			b.right(home)
			b.wrong(home, 1)
			b.wrong(away, 1)
			b.now = b.now.Add(80 * day)
			b.want("strangers", b.wrong(away, 30), 10)
			b.want("home", b.wrong(home, 30), 10)
		},
		"a right code gives back what its connection took, and nothing else": func(b *bench) {
			b.wrong(away, 4)
			mine := Attempt{home, ID{0xaa}, One, b.now}
			b.Charge(mine)
			b.Charge(mine)
			b.Charge(mine)
			b.want("left before", b.strangersLeft(), int64(3*One))
			b.Succeeded(mine)
			b.want("left after", b.strangersLeft(), int64(6*One))
			b.Succeeded(mine)
			b.want("left after a second success", b.strangersLeft(), int64(6*One))
		},
		"a right code from a known source gives back to both buckets": func(b *bench) {
			b.right(home)
			b.wrong(home, 2)
			mine := Attempt{home, ID{0xaa}, 3 * One, b.now}
			b.Charge(mine)
			b.want("own bucket before", b.left(home), int64(5*One))
			b.want("common bucket before", b.knownLeft(), int64(15*One))
			b.Succeeded(mine)
			b.want("own bucket", b.left(home), int64(8*One))
			b.want("common bucket", b.knownLeft(), int64(18*One))
		},
		"what was taken from strangers is given back to strangers, though the source has become known since": func(b *bench) {
			mine := Attempt{home, ID{0xaa}, One, b.now}
			b.Charge(mine)
			b.right(home)
			b.wrong(home, 1)
			b.Succeeded(mine)
			b.want("strangers", b.strangersLeft(), int64(burst))
			b.want("home", b.left(home), int64(9*One))
		},
		"a pair gives back the single codes that its connection spent": func(b *bench) {
			mine := Attempt{away, ID{0xaa}, One, b.now}
			for range 10 {
				b.Charge(mine)
			}
			b.want("a single code", b.Charge(mine), false)
			b.want("the pair waits", b.ChargePair(mine), time.Duration(0))
			b.Succeeded(mine)
			b.want("given back (the last eight are remembered)", b.strangersLeft(), int64(maxCharges*One))
		},
		"a charge is forgotten after ten minutes": func(b *bench) {
			mine := Attempt{away, ID{0xaa}, One, b.now}
			b.Charge(mine)
			b.now = b.now.Add(chargeLife)
			b.wrong(away, 1)
			b.want("charges remembered", len(b.charges), 1)
		},
		"an attempt of a higher price takes more": func(b *bench) {
			b.want("looked at", b.Charge(b.attempt(away, 4500)), true)
			b.want("looked at", b.Charge(b.attempt(away, 5501)), false)
			b.want("looked at", b.Charge(b.attempt(away, 5500)), true)
			b.want("left", b.strangersLeft(), int64(0))
		},
		"a price above the burst is paid by a full bucket, which then owes": func(b *bench) {
			b.right(home)
			b.want("a stranger's single code", b.Charge(b.attempt(away, 100*One)), true)
			b.want("strangers owe", b.strangersLeft(), int64(-90*One))
			b.want("a second one", b.Charge(b.attempt(away, 100*One)), false)
			b.want("a cheap one", b.Charge(b.attempt(away, One)), false)
			b.now = b.now.Add(99 * strangerRefill)
			b.want("before the bucket is full again", b.Charge(b.attempt(away, 100*One)), false)
			b.now = b.now.Add(strangerRefill)
			b.want("when it is full", b.Charge(b.attempt(away, 100*One)), true)
			b.want("a single code from home", b.Charge(b.attempt(home, 100*One)), true)
			b.want("all known sources owe", b.knownLeft(), int64(-80*One))
		},
		"a debt is given back by the right code of its connection": func(b *bench) {
			mine := b.attempt(away, 100*One)
			b.want("looked at", b.Charge(mine), true)
			b.Succeeded(mine)
			b.want("strangers", b.strangersLeft(), int64(burst))
		},
		"a refused attempt takes nothing": func(b *bench) {
			b.right(home)
			b.wrong(home, 10)
			b.wrong(home, 10)
			b.want("all known together", b.knownLeft(), int64(10*One))
			b.wrong(away, 20)
			b.now = b.now.Add(6 * time.Hour)
			b.want("strangers", b.wrong(away, 20), 1)
		},
		"a price of nothing or less is that of one attempt": func(b *bench) {
			b.wrong(away, 9)
			b.Charge(b.attempt(away, -5*One))
			b.want("left", b.strangersLeft(), int64(0))
			b.want("free", b.Charge(b.attempt(away, 0)), false)
		},
		"strangers have 20 pairs a second, for all of them": func(b *bench) {
			b.want("first", b.pairTaken(away), true)
			b.want("another source at once", b.pairTaken("203.0.113.5"), false)
			b.now = b.now.Add(49 * time.Millisecond)
			b.want("after 49 ms", b.pairTaken(away), false)
			b.want("time to wait", b.ChargePair(b.attempt(away, One)), time.Millisecond)
			b.now = b.now.Add(time.Millisecond)
			b.want("after 50 ms", b.pairTaken(away), true)
		},
		"a known source has a pair a second of its own": func(b *bench) {
			b.right(home)
			b.right(away)
			b.want("first", b.pairTaken(home), true)
			b.now = b.now.Add(999 * time.Millisecond)
			b.want("after 999 ms", b.pairTaken(home), false)
			b.want("another known source", b.pairTaken(away), true)
			b.want("a stranger", b.pairTaken("203.0.113.5"), true)
			b.now = b.now.Add(time.Millisecond)
			b.want("after 1 s", b.pairTaken(home), true)
		},
		"an expensive pair makes the next one wait longer": func(b *bench) {
			b.ChargePair(b.attempt(away, 100*One))
			b.now = b.now.Add(5*time.Second - time.Millisecond)
			b.want("before 5 s", b.pairTaken(away), false)
			b.now = b.now.Add(time.Millisecond)
			b.want("after 5 s", b.pairTaken(away), true)
		},
		"no price is so high that the wait turns over": func(b *bench) {
			for _, cost := range []int64{1 << 40, 1 << 53, 1 << 60, 1<<63 - 1} {
				b.Unlock()
				b.ChargePair(b.attempt(away, cost))
				b.now = b.now.Add(24 * time.Hour)
				b.want(fmt.Sprint("after a day, at ", cost), b.pairTaken(away), false)
			}
		},
		"no price is so low that pairs have no pace": func(b *bench) {
			b.ChargePair(b.attempt(away, -1))
			b.want("at once", b.pairTaken(away), false)
		},
		"a pair costs no single attempt": func(b *bench) {
			b.ChargePair(b.attempt(away, One))
			b.want("strangers", b.strangersLeft(), int64(burst))
			b.want("charges", len(b.charges), 0)
		},
		"the seventeenth source takes the place of the one whose success is the oldest": func(b *bench) {
			for i := range 16 {
				b.right(fmt.Sprint("known", i))
				b.now = b.now.Add(time.Minute)
			}
			b.right("known0")
			b.now = b.now.Add(time.Minute)
			b.right("newcomer")
			b.want("sources", len(b.sources), MaxSources)
			b.want("newcomer", b.Known("newcomer", b.now), true)
			b.want("the one that has succeeded again", b.Known("known0", b.now), true)
			b.want("the oldest", b.Known("known1", b.now), false)
			b.want("the next oldest", b.Known("known2", b.now), true)
		},
		"a source is known for 90 days after its last success": func(b *bench) {
			b.right(home)
			b.now = b.now.Add(90*day - time.Millisecond)
			b.want("just before", b.Known(home, b.now), true)
			b.now = b.now.Add(time.Millisecond)
			b.want("after 90 days", b.Known(home, b.now), false)
			b.want("as a stranger", b.right(home), true)
			b.want("again", b.Known(home, b.now), true)
			b.want("places taken", len(b.sources), 1)
		},
		"tries do not keep a source known": func(b *bench) {
			b.right(home)
			for range 90 {
				b.now = b.now.Add(day)
				b.wrong(home, 1)
			}
			b.want("known", b.Known(home, b.now), false)
		},
		"forgetting makes every source a stranger": func(b *bench) {
			b.right(home)
			b.ForgetSources()
			b.want("known", b.Known(home, b.now), false)
			b.wrong(away, 10)
			b.want("single code", b.right(home), false)
		},
		"forgetting gives strangers nothing back": func(b *bench) {
			b.wrong(away, 10)
			b.ForgetSources()
			b.want("looked at", b.wrong(away, 10), 0)
		},
		"unlocking refills everything and forgets nobody": func(b *bench) {
			b.right(home)
			b.wrong(home, 10)
			b.wrong(away, 10)
			b.pairTaken(home)
			b.pairTaken(away)
			b.Unlock()
			b.want("known", b.Known(home, b.now), true)
			b.want("pair from home", b.pairTaken(home), true)
			b.want("pair from elsewhere", b.pairTaken(away), true)
			b.want("home", b.wrong(home, 30), 10)
			b.want("strangers", b.wrong(away, 30), 10)
			b.want("all known together", b.knownLeft(), int64(10*One))
		},
		"after unlocking an old charge gives nothing on top": func(b *bench) {
			mine := Attempt{away, ID{0xaa}, One, b.now}
			b.Charge(mine)
			b.Unlock()
			b.wrong(away, 5)
			b.Succeeded(mine)
			b.want("strangers", b.strangersLeft(), int64(5*One))
		},
	} {
		t.Run(sentence, func(t *testing.T) { story(newBench(t)) })
	}
}

// pairTaken makes a wrong attempt with a pair and reports whether it was looked at.
func (b *bench) pairTaken(source string) bool { return b.ChargePair(b.attempt(source, One)) == 0 }

func TestThrottledSaysWhoIsInPairMode(t *testing.T) {
	for sentence, c := range map[string]struct {
		story            func(*bench)
		cost             int64
		strangers, known bool
	}{
		"nobody at first":                       {func(*bench) {}, One, false, false},
		"strangers after ten tries":             {func(b *bench) { b.wrong(away, 10) }, One, true, false},
		"not strangers after nine":              {func(b *bench) { b.wrong(away, 9) }, One, false, false},
		"strangers, when the price is too high": {func(b *bench) { b.wrong(away, 9) }, 2 * One, true, false},
		"nobody at a price above the burst":     {func(b *bench) { b.right(home) }, burst + 1, false, false},
		"strangers, when they owe":              {func(b *bench) { b.Charge(b.attempt(away, 100*One)) }, One, true, false},
		"a known source after ten tries of it":  {func(b *bench) { b.right(home); b.wrong(home, 10) }, One, false, true},
		"the price of one is the least":         {func(b *bench) { b.wrong(away, 10) }, 0, true, false},
		"all known sources, when their common bucket is empty": {func(b *bench) {
			for i := range 3 {
				b.right(fmt.Sprint("known", i))
			}
			b.wrong("known0", 10)
			b.wrong("known1", 10)
			b.now = b.now.Add(59 * time.Minute)
		}, One, false, true},
		"not a source that is known no more": {func(b *bench) {
			b.right(home)
			b.wrong(home, 10)
			b.source(home, b.now).success = stamp(b.now.Add(-91 * day))
		}, One, false, false},
		"nobody after enough time": {func(b *bench) {
			b.right(home)
			b.wrong(home, 10)
			b.wrong(away, 10)
			b.now = b.now.Add(6 * time.Hour)
		}, One, false, false},
	} {
		b := newBench(t)
		c.story(b)
		strangers, known := b.Throttled(c.cost, b.now)
		if strangers != c.strangers || known != c.known {
			t.Errorf("%s: strangers %v, known %v", sentence, strangers, known)
		}
	}
}

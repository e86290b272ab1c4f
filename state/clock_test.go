package state

import (
	"math"
	"testing"
	"time"
)

func TestTheClockOfTheThrottle(t *testing.T) {
	for sentence, story := range map[string]func(*bench){
		"set back by an hour it fills no bucket, and empties none": func(b *bench) {
			b.wrong(away, 4)
			b.now = b.now.Add(-time.Hour)
			b.want("left", b.strangersLeft(), int64(6*One))
			b.want("looked at", b.wrong(away, 30), 6)
		},
		"set back by an hour the time until then is not counted twice": func(b *bench) {
			b.wrong(away, 9)
			b.now = b.now.Add(-time.Hour)
			b.want("the tenth", b.wrong(away, 5), 1)
			b.now = b.now.Add(7*time.Hour - time.Millisecond)
			b.want("6 h after the first nine, but for a moment", b.wrong(away, 5), 0)
			b.now = b.now.Add(time.Millisecond)
			b.want("6 h after the first nine", b.wrong(away, 5), 1)
		},
		"set back by an hour a refund does not let it be counted twice": func(b *bench) {
			mine := b.attempt(home, 3*One)
			b.Charge(mine)
			b.wrong(away, 7)
			mine.Now = b.now.Add(-time.Hour)
			b.Succeeded(mine)
			b.want("what was given back", b.wrong(away, 5), 3)
			b.now = b.now.Add(6*time.Hour - time.Millisecond)
			b.want("6 h later, but for a moment", b.wrong(away, 5), 0)
		},
		"set back by a year a bucket fills from now on, once it has been noticed": func(b *bench) {
			b.right(home)
			b.wrong(home, 10)
			b.wrong(away, 10)
			b.now = b.now.Add(-365 * day)
			b.want("noticed", b.ClockBack(b.now), true)
			b.want("noticed again", b.ClockBack(b.now), false)
			b.want("at once", b.wrong(away, 5)+b.wrong(home, 5), 0)
			b.now = b.now.Add(6 * time.Hour)
			b.want("strangers after 6 h", b.wrong(away, 5), 1)
			b.want("home after 6 h", b.wrong(home, 5), 3)
		},
		"set back by a year the known sources stay known": func(b *bench) {
			b.right(home)
			b.now = b.now.Add(-365 * day)
			b.ClockBack(b.now)
			b.want("known", b.Known(home, b.now), true)
			b.want("login from home", b.right(home), true)
		},
		"set back by a year and right again, after a stranger's try, the known sources are still known": func(b *bench) {
			b.right(home)
			b.now = time.Unix(30, 0) // a machine without a clock of its own, before it has reached a time server
			b.ClockBack(b.now)
			b.wrong(away, 1)
			b.now = noon.Add(time.Hour)
			b.want("known", b.Known(home, b.now), true)
		},
		"set back and right again, after the owner's login, his source is still known": func(b *bench) {
			b.right(home)
			b.now = time.Unix(30, 0)
			b.ClockBack(b.now)
			b.want("login", b.right(home), true)
			b.now = noon.Add(time.Hour)
			b.want("known", b.Known(home, b.now), true)
		},
		"set back within five minutes it is not worth a word": func(b *bench) {
			b.wrong(away, 1)
			b.want("noticed", b.ClockBack(b.now.Add(-5*time.Minute)), false)
			b.want("noticed", b.ClockBack(b.now.Add(-5*time.Minute-time.Millisecond)), true)
		},
		"set back by a minute the owner's pair does not wait for that minute": func(b *bench) {
			b.right(home)
			b.pairTaken(home)
			b.pairTaken(away)
			b.now = b.now.Add(-time.Minute)
			b.want("a pair from home", b.pairTaken(home), true)
			b.want("a pair from elsewhere", b.pairTaken(away), true)
			b.want("and its pace holds", b.pairTaken(home) || b.pairTaken(away), false)
		},
		"read before the lock was had it gives nobody a turn out of turn": func(b *bench) {
			early := b.attempt(away, One)
			b.now = b.now.Add(10 * time.Second)
			b.pairTaken(away)
			b.want("wait", b.ChargePair(early), 10*time.Second+50*time.Millisecond)
		},
		"set forward by a year it fills the buckets, no more": func(b *bench) {
			b.right(home)
			b.wrong(home, 10)
			b.wrong(away, 10)
			b.now = b.now.Add(365 * day)
			b.want("strangers", b.strangersLeft(), int64(burst))
			b.want("home is a stranger now", b.Known(home, b.now), false)
		},
		"set forward by a year and back, known sources are known again": func(b *bench) {
			b.right(home)
			b.now = b.now.Add(365 * day)
			b.wrong(away, 1)
			b.ClockBack(b.now)
			b.now = noon
			b.ClockBack(b.now)
			b.want("known", b.Known(home, b.now), true)
		},
		"set forward and back again and again it gives nothing beyond the burst": func(b *bench) {
			looked := 0
			for range 5 {
				looked += b.wrong(away, 30)
				b.now = b.now.Add(-time.Hour)
				b.ClockBack(b.now)
				looked += b.wrong(away, 30)
				b.now = b.now.Add(time.Hour)
				b.ClockBack(b.now)
			}
			// Only the five hours that the clock showed on its way forward count.
			b.want("looked at", looked, 10)
		},
	} {
		t.Run(sentence, func(t *testing.T) { story(newBench(t)) })
	}
}

func TestAClockThatIsWrongAltogetherGivesNoAttemptAway(t *testing.T) {
	for _, now := range []time.Time{
		{}, time.Unix(0, 0), time.Unix(0, 1), time.Unix(0, 999_999), time.Unix(0, 1_000_000), time.Unix(math.MinInt64, 0),
		time.Date(1969, 7, 20, 20, 17, 0, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(1<<55, 0), time.Unix(math.MaxInt64, 0),
	} {
		b := newBench(t)
		b.now = now
		looked, pairs := 0, 0
		for range 30 {
			looked += b.wrong(away, 1)
			if b.pairTaken(away) {
				pairs++
			}
			b.State = reread(t, b.State)
			b.ClockBack(b.now)
		}
		if looked != 10 || pairs != 1 {
			t.Errorf("at %v %d attempts and %d pairs were looked at, want 10 and 1", now, looked, pairs)
		}
	}
}

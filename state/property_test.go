package state

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"twokey/internal/proc"
	"twokey/internal/slotfile"
)

// walk runs random steps on random states; a failure names the seed.
func walk(t *testing.T, runs, steps int, step func(*bench, *rand.Rand)) {
	t.Helper()
	for range runs {
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 0))
		b := newBench(t)
		for range steps {
			step(b, random)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}

// someAttempt is one of a few sources and connections, at any price, a moment or a month later, now and then earlier.
func (b *bench) someAttempt(random *rand.Rand) Attempt {
	pauses := []time.Duration{0, time.Millisecond, time.Second, time.Minute, time.Hour, day, 30 * day}
	b.now = b.now.Add(time.Duration(random.Float64() * float64(pauses[random.IntN(len(pauses))])))
	if random.IntN(20) == 0 {
		b.now = b.now.Add(-time.Duration(random.Int64N(int64(400 * day))))
		b.ClockBack(b.now)
	}
	costs := []int64{One, One, One, 1700, 3 * One, burst, burst + 1, 0, -One, math.MinInt64, math.MaxInt64, random.Int64()}
	return Attempt{fmt.Sprint("source", random.IntN(20)), ID{byte(random.IntN(12))}, costs[random.IntN(len(costs))], b.now}
}

// levels are what is left in every bucket: the strangers', the common one, and those of the sources by name.
func (b *bench) levels() map[string]int64 {
	found := map[string]int64{"strangers": b.strangersLeft(), "known": b.knownLeft()}
	for _, from := range b.sources {
		found["of "+from.name] = from.bucket.filled(burst, sourceRefill, stamp(b.now))
	}
	return found
}

func limitOf(name string) int64 {
	if name == "known" {
		return knownBurst
	}
	return burst
}

func TestABucketIsNeverAboveItsBurstNorBelowNothing(t *testing.T) {
	walk(t, 50, 300, func(b *bench, random *rand.Rand) {
		a := b.someAttempt(random)
		switch random.IntN(10) {
		case 0:
			b.Succeeded(a)
		case 1:
			b.ChargePair(a)
		default:
			b.Charge(a)
		}
		for name, level := range b.levels() {
			if level < -maxPrice || level > limitOf(name) {
				t.Errorf("%s holds %d after %+v", name, level, a)
			}
		}
		for _, from := range append(b.sources, source{bucket: b.strangers}, source{bucket: b.known}) {
			if from.bucket.level < -maxPrice || from.bucket.level > knownBurst {
				t.Errorf("a bucket is written as %+v", from.bucket)
			}
		}
	})
}

func TestMustNotLetAWrongAnswerRaiseABucketOrMakeASourceKnownOrForgotten(t *testing.T) {
	type success struct {
		name string
		time int64
	}
	successes := func(b *bench) (all []success) {
		for _, from := range b.sources {
			all = append(all, success{from.name, from.success})
		}
		return all
	}
	walk(t, 50, 300, func(b *bench, random *rand.Rand) {
		a := b.someAttempt(random)
		if random.IntN(10) == 0 {
			b.Succeeded(a)
			return
		}
		before, known := b.levels(), successes(b)
		if random.IntN(3) == 0 {
			b.ChargePair(a)
		} else {
			b.Charge(a)
		}
		b.Throttled(a.Cost, b.now)
		for name, level := range b.levels() {
			if level > before[name] {
				t.Errorf("%s rose from %d to %d by %+v", name, before[name], level, a)
			}
		}
		if now := successes(b); !reflect.DeepEqual(now, known) {
			t.Errorf("the known sources were %v and are %v after %+v", known, now, a)
		}
	})
}

func TestARefundIsNeverMoreThanItsConnectionTook(t *testing.T) {
	for range 50 {
		taken := map[ID]int64{}
		walk(t, 1, 300, func(b *bench, random *rand.Rand) {
			a := b.someAttempt(random)
			if random.IntN(10) > 0 {
				before := b.levels()
				if b.Charge(a) {
					if after := b.levels(); before["strangers"]+before["known"]-after["strangers"]-after["known"] != a.price() {
						t.Errorf("%+v took %v from %v", a, after, before)
					}
					taken[a.Connection] += a.price()
				}
				return
			}
			before := b.levels()
			b.Succeeded(a)
			after := b.levels()
			if back := after["strangers"] - before["strangers"] + after["known"] - before["known"]; back < 0 || back > taken[a.Connection] {
				t.Errorf("connection %x took %d and got back %d", a.Connection, taken[a.Connection], back)
			}
			taken[a.Connection] = 0
		})
	}
}

// hostileTexts are what somebody could put into a name that a login carries.
var hostileTexts = []string{
	"", "192.0.2.7", "~", "~192.0.2.7", "\x00", "\n", "a\nb", "\x1b[2J", "\xff\xfe", "\u202egnp", "äöü",
	strings.Repeat("a", maxName), strings.Repeat("a", maxName+1), strings.Repeat("ä", maxName/2) + "ä", "x" + strings.Repeat("ä", maxName),
	strings.Repeat("\xc3", maxName), strings.Repeat("n", 255), strings.Repeat("n", 256), strings.Repeat("n", 256+5),
	strings.Repeat("n", 1<<16), strings.Repeat("💀", 40), "\ufffd", strings.Repeat("\ufffd", 11), strings.Repeat("\xff", 11) + "x",
}

func hostileText(random *rand.Rand) string {
	if random.IntN(3) > 0 {
		return hostileTexts[random.IntN(len(hostileTexts))]
	}
	b := make([]byte, random.IntN(80))
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return string(b)
}

func hostileTime(random *rand.Rand) time.Time {
	times := []time.Time{
		{}, time.Unix(0, 0), time.Unix(0, 1), time.Unix(-1, 0), time.Unix(math.MinInt64, 0), time.Unix(math.MaxInt64, 999999999),
		time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), noon,
	}
	return times[random.IntN(len(times))]
}

func TestMustNotLetALoginMakeAStateThatCannotBeWritten(t *testing.T) {
	walk(t, 30, 200, func(b *bench, random *rand.Rand) {
		if len(b.Devices) == 0 {
			*b.State = *full() // with no room left
			b.successes, b.sources, b.charges = nil, nil, nil
		}
		text := func() string { return hostileText(random) }
		a := b.someAttempt(random)
		a.Source, a.Now = text(), hostileTime(random)
		b.Charge(a)
		b.ChargePair(a)
		b.ClockBack(hostileTime(random))
		if random.IntN(2) == 0 {
			b.Succeeded(a)
			device := &b.Devices[random.IntN(MaxDevices)]
			device.Name, device.Method, device.From, device.Used = text(), text(), text(), a.Now
			process := proc.ID{PID: int32(random.Uint32()), Start: random.Uint64()}
			b.AddSuccess(Success{process, process, text(), text(), text(), text(), hostileTime(random)}, hostileTime(random))
			b.Remember(RememberKey(text(), text(), text(), []string{text()}), hostileTime(random))
			b.AddNotice(ID{byte(random.IntN(5))}, text())
		}
		value, err := b.Encode()
		if err != nil || len(value)+maxLater > slotfile.MaxValue {
			t.Errorf("%d bytes, %v, after %+v, %+v", len(value), err, a, b.successes)
			return
		}
		back, err := Decode(value)
		if err != nil {
			t.Error(err)
			return
		}
		if again, err := back.Encode(); err != nil || !bytes.Equal(again, value) {
			t.Errorf("%x was read and written again as %x (%v)", value, again, err)
		}
	})
}

func TestAnAttackerCannotMakeHimselfAnothersSource(t *testing.T) {
	long := strings.Repeat("host.", 20) + "example.org"
	for sentence, pair := range map[string][2]string{
		"a long name that begins the same":                {long, long + ".attacker.example"},
		"a long name that ends the same":                  {long, "attacker." + long},
		"a name cut at the limit":                         {strings.Repeat("a", maxName), strings.Repeat("a", maxName+1)},
		"the name under which a long one is kept":         {long, key(long)},
		"other bytes that are not UTF-8":                  {"\xff", "\xfe"},
		"bytes that are not UTF-8, and their replacement": {"\xff", "\ufffd"},
		"a control character in it":                       {"192.0.2.7", "192.0.2.7\n"},
		"the empty name":                                  {"", "~"},
	} {
		b := newBench(t)
		b.right(pair[0])
		if !b.Known(pair[0], b.now) || b.Known(pair[1], b.now) {
			t.Errorf("%s: after a login from %q: known %v; %q: known %v", sentence, pair[0], b.Known(pair[0], b.now), pair[1], b.Known(pair[1], b.now))
		}
		value, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(value)
		if err != nil {
			t.Fatal(err)
		}
		if !back.Known(pair[0], b.now) || back.Known(pair[1], b.now) {
			t.Errorf("%s: after it was written and read: %q and %q are one", sentence, pair[0], pair[1])
		}
	}
}

func TestATextThatIsOnlyShownIsCutBetweenCharacters(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"phone", "phone"},
		{"", ""},
		{strings.Repeat("a", maxName), strings.Repeat("a", maxName)},
		{strings.Repeat("a", maxName+1), strings.Repeat("a", maxName)},
		{"x" + strings.Repeat("ä", 20), "x" + strings.Repeat("ä", 15)},
		{strings.Repeat("💀", 9), strings.Repeat("💀", 8)},
		{"a\xffb", "a\ufffdb"},
		{strings.Repeat("ab\xff", 11), strings.Repeat("ab\ufffd", 6) + "ab"},
	} {
		got := cut(c.text, maxName)
		if got != c.want || cut(got, maxName) != got {
			t.Errorf("cut(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}

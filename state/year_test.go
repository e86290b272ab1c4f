package state

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A year of an attacker who never pauses, on a clock of the test's own and with the real buckets. The step of the clock divides
// every refill time and the owner's pauses, so that no attempt is made later than it could be.
const (
	year     = 8766 * time.Hour // 365 days and a quarter
	yearStep = 12 * time.Minute
	pauses   = 12 // of the owner's, in steps: ten logins a day

	// Chances of one look at 6 digits and one step of tolerance: three single codes are acceptable; of pairs, three or four,
	// as one counts those of which only the second code lies within the tolerance.
	chanceSingle   = 3e-6
	chancePairLow  = 3e-12
	chancePairHigh = 4e-12

	// What a login does while its pair has to wait, and how often sshd asks (pamhook; NumberOfPasswordPrompts in ssh_config(5)).
	patience = 5 * time.Second
	prompts  = 3
)

// attack says from where an attacker tries.
type attack struct {
	known     []string         // known sources that are his too: a shared address, a stolen laptop, the owner's own bastion
	strangers func(int) string // the source of his i-th try as a stranger; nil: none
}

// yearOf is what came of it.
type yearOf struct {
	singles, pairs float64 // looks
	logins         int     // of the owner
	byPair         int     // of them those for which one code did not do
	refused        int     // of them those that came to nothing
	wait           time.Duration
}

// simulation is a year that is running.
type simulation struct {
	attack
	*bench
	yearOf
	tries  int
	random *rand.Rand
}

// run lets a year pass. The owner logs in ten times a day from home, always after the attacker has taken all he could get.
func (a attack) run(t *testing.T) yearOf {
	x := &simulation{attack: a, bench: newBench(t), random: rand.New(rand.NewPCG(1, 2))}
	if !x.right(home) {
		t.Fatal("the owner's first login was refused")
	}
	for i := range int(year / yearStep) {
		x.now = noon.Add(time.Duration(i) * yearStep)
		if i%int(30*day/yearStep) == 0 { // the owner comes by there now and then, else it would not stay known
			for _, source := range a.known {
				x.Succeeded(x.try(source))
			}
		}
		x.spend()
		if i%pauses == 0 {
			x.login()
		}
		if i%int(day/yearStep) == 0 {
			x.State = reread(t, x.State)
		}
	}
	x.pairs = x.pairsInASecond() * year.Seconds()
	return x.yearOf
}

// try is an attempt over a connection of its own.
func (x *simulation) try(source string) Attempt {
	x.tries++
	return Attempt{source, ID{byte(x.tries >> 24), byte(x.tries >> 16), byte(x.tries >> 8), byte(x.tries)}, One, x.now}
}

// stranger is the source of the attacker's next try as a stranger.
func (x *simulation) stranger() string { return x.strangers(x.tries) }

// spend takes all single codes that the attacker can get now.
func (x *simulation) spend() {
	for _, source := range x.known {
		for x.Charge(x.try(source)) {
			x.look()
		}
	}
	for x.strangers != nil && x.Charge(x.try(x.stranger())) {
		x.look()
	}
}

func (x *simulation) look() {
	if x.singles++; x.singles > 1e6 {
		x.t.Fatal("the buckets have no bottom")
	}
}

// login is one of the owner's: with one code, and when that is not looked at, with two in a row, for whose turn he waits. He is asked
// as often as sshd asks.
func (x *simulation) login() {
	x.logins++
	owner := x.try(home)
	if x.Charge(owner) {
		x.Succeeded(owner)
		return
	}
	x.byPair++
	began := x.now
	x.pairTaken(home) // the attacker has just been there, if it is his
	for range prompts {
		if x.turn(&owner) {
			x.Succeeded(owner)
			x.wait = max(x.wait, x.now.Sub(began))
			return
		}
	}
	x.refused++
}

// turn waits for the owner's turn. Whenever it comes, an attacker at home is there as well, and who is first is a matter of chance.
func (x *simulation) turn(owner *Attempt) bool {
	for left := patience; ; {
		if slices.Contains(x.known, home) && x.random.IntN(2) == 0 {
			x.pairTaken(home)
		}
		owner.Now = x.now
		wait := x.ChargePair(*owner)
		if wait == 0 || wait > left {
			return wait == 0
		}
		left -= wait
		x.now = x.now.Add(wait)
	}
}

// reread is the state after it was written and read.
func reread(t *testing.T, s *State) *State {
	value, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Decode(value); err != nil {
		t.Fatal(err)
	}
	return s
}

// pairsInASecond counts the pairs of a minute in which the attacker tries each millisecond from everywhere.
func (x *simulation) pairsInASecond() float64 {
	const minute = 60
	looks := 0
	for range minute * 1000 {
		x.now = x.now.Add(time.Millisecond)
		for _, source := range x.known {
			if x.pairTaken(source) {
				looks++
			}
		}
		x.tries++
		if x.strangers != nil && x.pairTaken(x.stranger()) {
			looks++
		}
	}
	return float64(looks) / minute
}

// chance is the chance in percent that one of all looks was right.
func (y yearOf) chance(pair float64) float64 {
	return -100 * math.Expm1(y.singles*math.Log1p(-chanceSingle)+y.pairs*math.Log1p(-pair))
}

func elsewhere(int) string { return away }

func freshIPv6(i int) string { return fmt.Sprintf("2001:db8:%x:%x::/64", i>>16, i&0xffff) }

// hostile are n known sources of the attacker's, none of which is the owner's home.
func hostile(n int) (sources []string) {
	for i := range n {
		sources = append(sources, fmt.Sprint("hostile", i))
	}
	return sources
}

// attacks are the attackers of docs/security.md, by the words of its table.
var attacks = map[string]attack{
	"nowhere: nobody attacks":                                    {},
	"anywhere, any number of addresses":                          {nil, elsewhere},
	"a new IPv6 network (/64) for every try":                     {nil, freshIPv6},
	"one source that the user has succeeded from":                {hostile(1), nil},
	"one such source, and anywhere":                              {hostile(1), elsewhere},
	"two such sources":                                           {hostile(2), nil},
	"the bastion from which the user himself logs in":            {[]string{home}, nil},
	"everywhere, all sixteen of the user's sources, his own too": {append(hostile(MaxSources-1), home), freshIPv6},
}

func TestAYearOfAnAttackerWhoNeverPauses(t *testing.T) {
	promised := promises(t)
	for words, a := range attacks {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			promise, found := promised[words]
			if !found {
				t.Fatal("docs/security.md has no such row")
			}
			y := a.run(t)
			low, high := y.chance(chancePairLow), y.chance(chancePairHigh)
			t.Logf("%.0f single looks, %.0f pairs: %.2f %% to %.2f %%; of %d logins of the owner %d took a pair, %d came to nothing, the longest wait was %v",
				y.singles, y.pairs, low, high, y.logins, y.byPair, y.refused, y.wait)
			// Never more than is promised; and not much less, or the simulated attacker would be a lazy one.
			if y.singles > promise.singles || y.singles < 0.99*promise.singles {
				t.Errorf("%.0f single looks, promised are at most %.0f and hardly fewer", y.singles, promise.singles)
			}
			if math.Round(y.pairs/1e6) != promise.millions {
				t.Errorf("%.1f million pairs, promised are %.0f", y.pairs/1e6, promise.millions)
			}
			// The promise has one digit behind the point: with three acceptable pairs it has to round to that. The fourth pair adds a
			// third to the share of the pairs, which is at most 0.34 %.
			if math.Abs(low-promise.percent) > 0.05 || high < low || high > promise.percent+0.05+0.34/3 {
				t.Errorf("%.3f %% to %.3f %%, promised are %.1f %%", low, high, promise.percent)
			}
			if y.logins < 3650 || y.refused > 0 || (y.byPair > 0) != promise.twoCodes {
				t.Errorf("of %d logins of the owner %d took two codes, %d were refused; promised are two codes: %v", y.logins, y.byPair, y.refused, promise.twoCodes)
			}
		})
	}
	if len(promised) != len(attacks) {
		t.Errorf("docs/security.md has %d rows, and there are %d attacks", len(promised), len(attacks))
	}
}

// promise is a row of the table in docs/security.md.
type promise struct {
	singles, millions, percent float64
	twoCodes                   bool // the owner needs two codes in a row at times
}

var promiseRow = regexp.MustCompile(`(?m)^\| ([^|]+) \| (\d+) \| (\d+)(?: million)? \| ([0-9.]+) % \| (one code|at times two) \|$`)

// promises reads the table.
func promises(t *testing.T) map[string]promise {
	all := map[string]promise{}
	for _, row := range promiseRow.FindAllStringSubmatch(document(t), -1) {
		var p promise
		for i, value := range []*float64{&p.singles, &p.millions, &p.percent} {
			number, err := strconv.ParseFloat(row[i+2], 64)
			if err != nil {
				t.Fatal(err)
			}
			*value = number
		}
		p.twoCodes = row[5] != "one code"
		all[row[1]] = p
	}
	return all
}

func document(t *testing.T) string {
	content, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// What the document says of the buckets are the constants that the simulation has run.
func TestTheBucketsAreThoseOfTheDocument(t *testing.T) {
	text := strings.Join(strings.Fields(document(t)), " ")
	hours := func(d time.Duration) string {
		if d == time.Hour {
			return "1 an hour"
		}
		return fmt.Sprintf("1 in %d hours", d/time.Hour)
	}
	for _, said := range []string{
		fmt.Sprintf("| strangers | %d | %s |", burst/One, hours(strangerRefill)),
		fmt.Sprintf("| known source, %d of them | %d | %s |", MaxSources, burst/One, hours(sourceRefill)),
		fmt.Sprintf("| all known sources | %d | %s |", knownBurst/One, hours(knownRefill)),
		fmt.Sprintf("not succeeded within %d days", knownFor/day),
		fmt.Sprintf("%d pairs a second at most for strangers", time.Second/strangerPairPace),
		fmt.Sprintf("%s a second for a known source", map[time.Duration]string{1: "one"}[time.Second/sourcePairPace]),
	} {
		if !strings.Contains(text, said) {
			t.Errorf("docs/security.md does not say %q", said)
		}
	}
}

func TestWhileEverythingIsHostileTheOwnerGetsInWithAPair(t *testing.T) {
	for sentence, c := range map[string]struct {
		from string
		wait time.Duration // at most
	}{
		"from his usual source, which nobody else has":   {home, 0},
		"from a known source that is hostile too":        {hostile(4)[3], time.Second},
		"from a new source":                              {"203.0.113.5", 50 * time.Millisecond},
		"from a source that was known until 90 days ago": {"192.0.2.200", 50 * time.Millisecond},
	} {
		b := newBench(t)
		b.right("192.0.2.200")
		b.now = b.now.Add(91 * day)
		b.right(home)
		his := hostile(MaxSources - 1)
		for _, source := range his {
			b.Succeeded(b.attempt(source, One))
		}
		for _, source := range his {
			b.wrong(source, 30)
		}
		b.wrong(away, 30)
		for range 100 { // he takes every turn
			b.now = b.now.Add(time.Millisecond)
			for _, source := range his {
				b.pairTaken(source)
			}
			b.pairTaken(away)
		}
		if b.right(c.from) {
			t.Errorf("%s: a single code was looked at", sentence)
		}
		a := b.attempt(c.from, One)
		wait := b.ChargePair(a)
		if wait > c.wait {
			t.Errorf("%s: he waits %v, want at most %v", sentence, wait, c.wait)
		}
		if wait > 0 {
			a.Now = a.Now.Add(wait)
			wait = b.ChargePair(a)
		}
		if wait > 0 {
			t.Errorf("%s: at his turn he waits another %v", sentence, wait)
		}
		b.Succeeded(a)
		if !b.Known(c.from, a.Now) {
			t.Errorf("%s: he is not known afterwards", sentence)
		}
	}
}

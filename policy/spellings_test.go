package policy

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// A speller writes one policy in one of the many ways that YAML has. It numbers
// the comments that no change may lose: those on lines of their own that are not
// inside an entry.
type speller struct {
	*rand.Rand
	kept []string
}

func (s *speller) maybe(text string) string {
	if s.IntN(3) == 0 {
		return text
	}
	return ""
}

// keep is a comment on a line of its own, or nothing.
func (s *speller) keep(indent string) string {
	if s.IntN(3) > 0 {
		return ""
	}
	s.kept = append(s.kept, fmt.Sprintf("# keep %d.", len(s.kept)))
	return indent + s.kept[len(s.kept)-1] + "\n"
}

func (s *speller) name(name string) string {
	return []string{name, "'" + name + "'", `"` + name + `"`}[s.IntN(3)]
}

// names writes a list behind its key; a block list goes to lines indented so far.
func (s *speller) names(names []string, indent string, block bool) string {
	if block && s.IntN(2) == 0 {
		var lines strings.Builder
		for _, n := range names {
			lines.WriteString("\n" + indent + "- " + s.name(n) + s.maybe("  # é"))
		}
		return lines.String()
	}
	var spelled []string
	for _, n := range names {
		spelled = append(spelled, s.name(n))
	}
	between := []string{", ", ",", " , ", ",\n" + indent + "   "}[s.IntN(4)]
	return " [" + s.maybe(" ") + strings.Join(spelled, between) + s.maybe(",") + s.maybe(" ") + "]"
}

// entry writes an entry behind its dash or bracket, which stands at indent.
func (s *speller) entry(e Entry, indent string, block bool) string {
	block = block && s.IntN(2) == 0
	var pairs []string
	for _, i := range s.Perm(4) {
		kind := []string{kindUsers, kindGroups, kindServices, kindFrom}[i]
		if names := *e.items(kind); len(names) > 0 {
			pairs = append(pairs, kind+":"+s.names(names, indent+"    ", block))
		}
	}
	for _, other := range []struct {
		pair string
		is   bool
	}{{"system_accounts: true", e.SystemAccounts}, {"by: " + e.By.String(), !e.By.IsZero()}, {"until: '" + e.Until.String() + "'", !e.Until.IsZero()}} {
		if other.is {
			pairs = slices.Insert(pairs, s.IntN(len(pairs)+1), other.pair)
		}
	}
	if block {
		return strings.Join(pairs, "\n"+indent+"  ") + s.maybe("   # x")
	}
	return "{" + s.maybe(" ") + strings.Join(pairs, ", ") + s.maybe(" ") + "}"
}

func (s *speller) list(key string, entries []Entry) string {
	if len(entries) == 0 {
		return ""
	}
	if s.IntN(3) == 0 {
		var spelled []string
		for _, e := range entries {
			spelled = append(spelled, s.entry(e, " ", false))
		}
		between := []string{", ", ",\n  ", ", # x\n  "}[s.IntN(3)]
		return key + ": [" + s.maybe("\n  ") + strings.Join(spelled, between) + s.maybe("\n") + "]" + s.maybe("  # x") + "\n"
	}
	indent := []string{"", "  ", "    "}[s.IntN(3)]
	text := key + ":" + s.maybe("  # x") + "\n"
	for _, e := range entries {
		text += s.keep(indent) + indent + "- " + s.entry(e, indent, true) + "\n" + s.maybe("\n")
	}
	return text
}

func (s *speller) policy(c *Config) string {
	text := s.maybe("---\n") + s.keep("") + "version: 1" + s.maybe(" # x") + "\n" + s.maybe("\n")
	parts := []string{s.list("require", c.Require), s.list("exempt", c.Exempt), s.maybe("enabled: true # x\n"), s.maybe("default:  'deny'\n")}
	for _, i := range s.Perm(len(parts)) {
		text += parts[i] + s.keep("")
	}
	if s.IntN(5) == 0 {
		text = strings.TrimSuffix(text, "\n")
	}
	return text
}

// Every change works in every usual spelling, does what it says, and loses no
// comment that stands between entries.
func TestEditInManySpellings(t *testing.T) {
	s := &speller{Rand: rand.New(rand.NewPCG(7, 7))}
	changed := map[string]int{}
	refused := 0
	for range 1000 {
		s.kept = nil
		src := s.policy(anyLists(s.Rand))
		before, err := Parse([]byte(src))
		if err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
		name := []string{"alice", "bob", "carol", "g1", "g2", "sshd", "new"}[s.IntN(7)]
		change := changeOf(byte(s.IntN(256)), name, s.maybe("sshd"))
		edited, err := Edit([]byte(src), change)
		if errors.Is(err, ErrGoesBefore) {
			refused++
			continue
		}
		if err != nil {
			t.Fatalf("%T %+v: %v\n%s", change, change, err, src)
		}
		checkChange(t, change, before, mustParse(t, string(edited)))
		if string(edited) != src {
			changed[fmt.Sprintf("%T", change)]++
		}
		for _, comment := range s.kept {
			if !strings.Contains(string(edited), comment) {
				t.Fatalf("%T %+v lost %q\n%s\n%s", change, change, comment, src, edited)
			}
		}
	}
	if refused == 0 || refused > 100 {
		t.Errorf("%d were refused for a date", refused)
	}
	for _, change := range []Change{AddRequire{}, AddExempt{}, Unset{}, SetEnabled(true), SetDefault(Deny)} {
		if kind := fmt.Sprintf("%T", change); changed[kind] < 40 {
			t.Errorf("%s changed only %d texts", kind, changed[kind])
		}
	}
}

// anyLists is a random policy whose entries contradict nothing and are not empty.
func anyLists(random *rand.Rand) *Config {
	c := &Config{}
	entry := func(narrowed bool) Entry {
		for {
			e := Entry{Users: someOf(random, userNames), Groups: someOf(random, groupNames[:2]), Services: someOf(random, serviceNames)}
			if len(e.names()) > 0 && (!narrowed || len(e.limit()) > 0) {
				return e
			}
		}
	}
	for range random.IntN(4) {
		c.Require = append(c.Require, entry(false))
		if e := &c.Require[len(c.Require)-1]; random.IntN(3) == 0 {
			e.By = someDay(random)
		}
	}
	for range random.IntN(4) {
		c.Exempt = append(c.Exempt, entry(len(c.Require) > 0))
		e := &c.Exempt[len(c.Exempt)-1]
		e.SystemAccounts = random.IntN(4) == 0 && !e.everybody()
		if random.IntN(3) == 0 {
			e.From = []string{"192.0.2.0/24", "gate"}[:1+random.IntN(2)]
		}
		if random.IntN(3) == 0 {
			e.Until = someDay(random)
		}
	}
	return c
}

func someDay(random *rand.Rand) Date { return Date{2027, time.March, 1 + random.IntN(3)} }

func someOf(random *rand.Rand, names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(string) bool { return random.IntN(2) == 0 })
}

package pamconf

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// everyOption lets a module return one of three results, and marks which it was by its line.
func everyOption(line Line, _ Marks) []Option {
	mark := Marks(1) << line.Number
	return []Option{{Success, mark}, {Ignore, 0}, {AuthErr, 0}}
}

// byTrying runs the stack with every combination of results.
func byTrying(s Stack) []string {
	found := map[string]bool{}
	for combination := range 1 << (2 * len(s)) {
		marks, valid := Marks(0), true
		result, _ := s.Run(func(line Line) Result {
			which := combination >> (2 * line.Number) & 3
			if valid = valid && which < 3; !valid {
				return AuthErr
			}
			option := everyOption(line, 0)[which]
			marks |= option.Mark
			return option.Result
		})
		if valid {
			found[fmt.Sprint(result, marks)] = true
		}
	}
	var all []string
	for one := range found {
		all = append(all, one)
	}
	slices.Sort(all)
	return all
}

func TestOutcomesFindsAllThatTryingFindsAndTellsHow(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 20261121))
	for range 600 {
		var s Stack
		for i := range 1 + r.IntN(5) {
			line := Line{Place: Place{Number: i}, Phase: Auth, Control: parseControl(strings.Trim(randomControl(r), "[]"))}
			if line.Level = r.IntN(3); i == 0 || line.Level > s[i-1].Level+1 {
				line.Level = 0
			}
			s = append(s, line)
		}
		found, complete := s.Outcomes(everyOption)
		var all []string
		for _, o := range found {
			all = append(all, fmt.Sprint(o.Result, o.Marks))
			if got := s.replay(o.Steps); got != o.Result {
				t.Errorf("%+v: the steps lead to %v, not to %v", s, got, o.Result)
			}
		}
		slices.Sort(all)
		if want := byTrying(s); !complete || !slices.Equal(all, want) {
			t.Fatalf("%+v: %v, want %v", s, all, want)
		}
	}
}

// replay runs the stack with the results of these steps.
func (s Stack) replay(steps []Step) Result {
	at := 0
	result, _ := s.Run(func(Line) Result {
		at++
		return steps[at-1].Result
	})
	return result
}

func TestOutcomesGivesUpWhatIsTooLarge(t *testing.T) {
	var s Stack
	for i := range 24 {
		s = append(s, Line{Place: Place{Number: i}, Phase: Auth, Control: parseControl("optional")})
	}
	if _, complete := s.Outcomes(everyOption); complete {
		t.Error("16 million ways were walked")
	}
}

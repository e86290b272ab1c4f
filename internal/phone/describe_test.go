package phone

import (
	"errors"
	"testing"
)

func TestDescribe(t *testing.T) {
	for number, want := range map[string]Place{
		"+442079460958": {"GB", "United Kingdom"},
		"+447400123456": {"GB", "United Kingdom"},
		"+12025550123":  {"US", "United States"},
		"+16135550123":  {"CA", "Canada"}, // the same country code as the United States
		"+33123456789":  {"FR", "France"},
		"+80012345678":  {"001", "World"}, // freephone of no country
	} {
		if got, err := Describe(number); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", number, got, err, want)
		}
	}
	for _, number := range []string{"", "+1", "02079460958", "+999123456789", "+44 20 7946 0958", "\x1b[2J"} {
		if got, err := Describe(number); !errors.Is(err, ErrNumber) || got != (Place{}) {
			t.Errorf("%q: %v, %v", number, got, err)
		}
	}
}

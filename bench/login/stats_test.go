package main

import (
	"math"
	"testing"
)

func TestQuantilesLieBetweenTheValues(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		s                 sample
		low, median, high float64
	}{
		"one value":                     {sample{7}, 7, 7, 7},
		"two values":                    {sample{4, 2}, 2.5, 3, 3.5},
		"an odd number, in no order":    {sample{5, 1, 4, 2, 3}, 2, 3, 4},
		"an even number":                {sample{4, 3, 2, 1}, 1.75, 2.5, 3.25},
		"one far out changes no median": {sample{1, 2, 3, 4, 1e9}, 2, 3, 4},
	} {
		low, high := c.s.spread()
		if low != c.low || c.s.median() != c.median || high != c.high {
			t.Errorf("%s: %v %v %v, want %v %v %v", what, low, c.s.median(), high, c.low, c.median, c.high)
		}
	}
	if !math.IsNaN(sample{}.median()) {
		t.Error("an empty sample has a median")
	}
}

func TestNumbersHaveThreeFigures(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0.7999: "0.80", 2.405: "2.40", 12.34: "12.3", 99.96: "100.0", 123.4: "123", 323456: "323456", math.Inf(-1): "-Inf"} {
		if got := number(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
	if got := number(math.NaN()); got != "none" {
		t.Error(got)
	}
	if got, want := (sample{2e6, 3e6, 4e6}).milliseconds(), "3.00 ms (2.50–3.50)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1 000", 100_000: "100 000", 1_000_000: "1 000 000", 1_002_003: "1 002 003"} {
		if got := count(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

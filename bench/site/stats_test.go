package site

import (
	"math"
	"testing"
)

func TestQuantilesLieBetweenTheValues(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		s                 Sample
		low, median, high float64
	}{
		"one value":                     {Sample{7}, 7, 7, 7},
		"two values":                    {Sample{4, 2}, 2.5, 3, 3.5},
		"an odd number, in no order":    {Sample{5, 1, 4, 2, 3}, 2, 3, 4},
		"an even number":                {Sample{4, 3, 2, 1}, 1.75, 2.5, 3.25},
		"one far out changes no median": {Sample{1, 2, 3, 4, 1e9}, 2, 3, 4},
	} {
		low, high := c.s.Spread()
		if low != c.low || c.s.Median() != c.median || high != c.high {
			t.Errorf("%s: %v %v %v, want %v %v %v", what, low, c.s.Median(), high, c.low, c.median, c.high)
		}
	}
	if !math.IsNaN(Sample{}.Median()) {
		t.Error("an empty sample has a median")
	}
}

func TestNumbersHaveThreeFigures(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0.7999: "0.80", 2.405: "2.40", 12.34: "12.3", 9.996: "10.0", 99.96: "100", 123.4: "123", 999.6: "1\u00a0000", 1186: "1\u00a0190", 323456: "323\u00a0000", -1_234_567: "-1\u00a0230\u00a0000", 0: "0.00", math.Inf(-1): "-Inf"} {
		if got := Number(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
	if got := Number(math.NaN()); got != "–" {
		t.Error(got)
	}
	if got, want := (Sample{2e6, 3e6, 4e6}).Milliseconds(), "3.00 ms (2.50–3.50)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestThousandsAreSetApart(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1\u00a0000", 100_000: "100\u00a0000", 1_000_000: "1\u00a0000\u00a0000", -1_002_003: "-1\u00a0002\u00a0003"} {
		if got := Count(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

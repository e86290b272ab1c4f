package timing

import (
	"math"
	"slices"
	"testing"
	"time"
)

// auc is how well a threshold on the time tells a from b, whichever of them takes longer: the chance that a time of one is above one of the
// other, ties counting half (the statistic of Mann and Whitney), and at least 0.5.
func auc(a, b []time.Duration) float64 {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	rank := map[time.Duration]float64{} // the mean of the places, from 1, of equal times
	for first := 0; first < len(all); {
		next := first
		for next < len(all) && all[next] == all[first] {
			next++
		}
		rank[all[first]] = float64(first+1+next) / 2
		first = next
	}
	sum := 0.0
	for _, t := range a {
		sum += rank[t]
	}
	n, m := float64(len(a)), float64(len(b))
	area := (sum - n*(n+1)/2) / (n * m)
	return max(area, 1-area)
}

func median(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2]
}

func TestAUCIsTheShareOfPairsInOneOrder(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		a, b []time.Duration
		want float64
	}{
		"all of one before all of the other":   {[]time.Duration{1, 2, 3}, []time.Duration{4, 5}, 1},
		"all of one behind all of the other":   {[]time.Duration{6, 7, 8}, []time.Duration{4, 5}, 1},
		"the same":                             {[]time.Duration{1, 2, 3}, []time.Duration{1, 2, 3}, 0.5},
		"one value":                            {[]time.Duration{7, 7}, []time.Duration{7, 7, 7}, 0.5},
		"five of six pairs":                    {[]time.Duration{1, 2, 4}, []time.Duration{3, 5}, 5.0 / 6},
		"a tie among four pairs":               {[]time.Duration{1, 3}, []time.Duration{3, 4}, 3.5 / 4},
		"one between, where no threshold cuts": {[]time.Duration{1, 9}, []time.Duration{4, 5}, 0.5},
	} {
		got, turned := auc(c.a, c.b), auc(c.b, c.a)
		if math.Abs(got-c.want) > 1e-12 || math.Abs(turned-c.want) > 1e-12 {
			t.Errorf("%s: %v and turned %v, want %v", what, got, turned, c.want)
		}
	}
}

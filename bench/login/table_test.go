package main

import (
	"math"
	"testing"

	"twokey/bench/site"
)

func TestAnAimIsReachedOrMissed(t *testing.T) {
	t.Parallel()
	atMost, atLeast, between := aim{most: 0.8}, aim{least: 40, unit: "µs"}, aim{least: 0.8, most: 1.25}
	for what, c := range map[string]struct {
		aim    aim
		figure float64
		want   string
	}{
		"below the most":                       {atMost, 0.5, "reached"},
		"the most":                             {atMost, 0.8, "reached"},
		"above it by what is not printed":      {atMost, 0.8001, "**missed**"},
		"above the least":                      {atLeast, 41, "reached"},
		"below the least":                      {atLeast, 39.99, "**missed**"},
		"between":                              {between, 1, "reached"},
		"below both":                           {between, 0.79, "**missed**"},
		"above both":                           {between, 1.26, "**missed**"},
		"nothing was measured":                 {atMost, math.NaN(), "not measured"},
		"nothing was measured, and no aim":     {aim{}, math.NaN(), "–"},
		"no aim":                               {aim{}, 3, "–"},
		"an infinite ratio, where most is 0.8": {atMost, math.Inf(1), "**missed**"},
	} {
		if got := c.aim.judge(c.figure); got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
	for want, a := range map[string]aim{"–": {}, "at most 0.8": atMost, "at least 40 µs": atLeast, "at least 250\u00a0000": {least: 250_000}, "0.8 to 1.25": between} {
		if got := a.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestTheReport(t *testing.T) {
	t.Parallel()
	b := &bench{kept: [][]string{{"twokey", "fdatasync state/a"}}}
	b.add(row{"a login", "a peer", "1 ms", "2 ms", 0.5, aim{most: 0.8}})
	b.compare("its time", "a peer", site.Sample{3e6}, site.Sample{2e6}, aim{})
	b.add(row{"a list", none, "50 µs a user", none, 50, aim{most: 40, unit: "µs a user"}})
	got, err := b.report("- a machine\n", "## What is missed\n")
	if err != nil {
		t.Fatal(err)
	}
	want := "# Figures\n\nWritten by `make bench`.\n\n- a machine\n\n" + how + `
| what    | against | twokey       | the other | ratio or figure | aim                  |            |
|---------|---------|--------------|-----------|-----------------|----------------------|------------|
| a login | a peer  | 1 ms         | 2 ms      | 0.50            | at most 0.8          | reached    |
| a list  | –       | 50 µs a user | –         | 50.0            | at most 40 µs a user | **missed** |

Without an aim:

| what     | against | twokey              | the other           | ratio |
|----------|---------|---------------------|---------------------|-------|
| its time | a peer  | 3.00 ms (3.00–3.00) | 2.00 ms (2.00–2.00) | 1.50  |

Each module makes durable what it does by itself. What it synchronises at a login:

| module | calls             |
|--------|-------------------|
| twokey | fdatasync state/a |

## What is missed
`[1:]
	if string(got) != want {
		t.Errorf("\n%s, want\n%s", got, want)
	}
}

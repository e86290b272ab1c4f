package main

import (
	"math"
	"strings"
	"testing"
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
		"above it by what is not printed":      {atMost, 0.8001, "missed"},
		"above the least":                      {atLeast, 41, "reached"},
		"below the least":                      {atLeast, 39.99, "missed"},
		"between":                              {between, 1, "reached"},
		"below both":                           {between, 0.79, "missed"},
		"above both":                           {between, 1.26, "missed"},
		"nothing was measured":                 {atMost, math.NaN(), "not measured"},
		"nothing was measured, and no aim":     {aim{}, math.NaN(), "–"},
		"no aim":                               {aim{}, 3, "–"},
		"an infinite ratio, where most is 0.8": {atMost, math.Inf(1), "missed"},
	} {
		if got := c.aim.judge(c.figure); got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
	for want, a := range map[string]aim{"–": {}, "at most 0.8": atMost, "at least 40 µs": atLeast, "0.8 to 1.25": between} {
		if got := a.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestTheTableLinesUp(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	rows := []row{{"a login", "1 ms", "2 ms", 0.5, aim{most: 0.8}}, {"a list", "50 µs a user", "–", 50, aim{most: 40, unit: "µs"}}}
	if err := writeTable(&text, rows); err != nil {
		t.Fatal(err)
	}
	want := `
| what    | twokey       | against | ratio or figure | aim           |         |
|---------|--------------|---------|-----------------|---------------|---------|
| a login | 1 ms         | 2 ms    | 0.50            | at most 0.8   | reached |
| a list  | 50 µs a user | –       | 50.0 µs         | at most 40 µs | missed  |
`[1:]
	if text.String() != want {
		t.Errorf("\n%s, want\n%s", text.String(), want)
	}
}

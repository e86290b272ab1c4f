package main

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// sample is what was measured of one thing, in nanoseconds or whatever unit the row has.
type sample []float64

// quantile is the value below which a share q, 0 to 1, of the sample lies, between two values in proportion; NaN of an empty one.
func (s sample) quantile(q float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	at := q * float64(len(sorted)-1)
	below := int(at)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}

func (s sample) median() float64 { return s.quantile(0.5) }

// spread is the lower and the upper quartile.
func (s sample) spread() (low, high float64) { return s.quantile(0.25), s.quantile(0.75) }

// milliseconds shows a sample of times: "2.41 ms (2.30–2.62)".
func (s sample) milliseconds() string { return s.show("ms", float64(time.Millisecond)) }

func (s sample) show(unit string, size float64) string {
	low, high := s.spread()
	return fmt.Sprintf("%s %s (%s–%s)", number(s.median()/size), unit, number(low/size), number(high/size))
}

// number has three figures, and no more than are before the point where there are more.
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "none"
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

package site

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// Sample is what was measured of one thing, in nanoseconds or whatever unit the row has.
type Sample []float64

// Quantile is the value below which a share q, 0 to 1, of the sample lies, between two values in proportion; NaN of an empty one.
func (s Sample) Quantile(q float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	at := q * float64(len(sorted)-1)
	below := int(at)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}

// Median is the value in the middle.
func (s Sample) Median() float64 { return s.Quantile(0.5) }

// Spread is the lower and the upper quartile.
func (s Sample) Spread() (low, high float64) { return s.Quantile(0.25), s.Quantile(0.75) }

// Milliseconds shows a sample of times: "2.41 ms (2.30–2.62)".
func (s Sample) Milliseconds() string { return s.Show("ms", float64(time.Millisecond)) }

// Show shows the median and the quartiles, in units of this size.
func (s Sample) Show(unit string, size float64) string {
	low, high := s.Spread()
	return fmt.Sprintf("%s %s (%s–%s)", Number(s.Median()/size), unit, Number(low/size), Number(high/size))
}

// Number has three figures, and spaces between its thousands; of NaN it is a dash.
func Number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "–"
	case math.IsInf(v, 0):
		return fmt.Sprint(v)
	case a >= 99.95:
		return Count(int(rounded(v)))
	case a >= 9.995:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// rounded is to three figures.
func rounded(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(math.Abs(v)))-2)
	return math.Round(v/unit) * unit
}

// Count is a number with spaces between its thousands, at which no line breaks.
func Count(n int) string {
	switch {
	case n < 0:
		return "-" + Count(-n)
	case n < 1000:
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s\u00a0%03d", Count(n/1000), n%1000)
}

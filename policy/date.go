package policy

import (
	"fmt"
	"time"
)

// A Date is a day of the calendar, in the host's time zone. The zero value is no date.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// ParseDate reads a day as 2026-12-31. It reports whether the text is one that the calendar has, from the year 2000 to 9999.
func ParseDate(s string) (Date, bool) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 2000 {
		return Date{}, false
	}
	return DateOf(t), true
}

// DateOf is the day of a moment, in the location of t.
func DateOf(t time.Time) Date {
	year, month, day := t.Date()
	return Date{year, month, day}
}

// IsZero reports whether it is no date.
func (d Date) IsZero() bool { return d == Date{} }

// String gives 2026-12-31, or "" for no date.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day)
}

// MarshalText gives [Date.String], for JSON.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Before reports whether the day comes before another one.
func (d Date) Before(other Date) bool {
	if d.Year != other.Year {
		return d.Year < other.Year
	}
	if d.Month != other.Month {
		return d.Month < other.Month
	}
	return d.Day < other.Day
}

// End is 24:00 of the day in a location: the first moment that no longer belongs to it.
func (d Date) End(in *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day+1, 0, 0, 0, 0, in)
}

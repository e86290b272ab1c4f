package policy

import (
	"strings"
	"testing"
	"time"
)

func TestFormatDate(t *testing.T) {
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		language string
		day      time.Time
		want     string
	}{
		"English":              {"en", time.Date(2026, time.May, 3, 0, 0, 0, 0, time.UTC), "3 May"},
		"no language":          {"", time.Date(2026, time.May, 3, 0, 0, 0, 0, time.UTC), "3 May"},
		"an unknown language":  {"fr", time.Date(2026, time.May, 3, 0, 0, 0, 0, time.UTC), "3 May"},
		"another year":         {"en", time.Date(2025, time.December, 31, 0, 0, 0, 0, time.UTC), "31 December 2025"},
		"German":               {"de", time.Date(2026, time.May, 3, 0, 0, 0, 0, time.UTC), "3. Mai"},
		"German, another year": {"de", time.Date(2027, time.March, 12, 0, 0, 0, 0, time.UTC), "12. März 2027"},
	} {
		if got := (&Config{Language: c.language}).FormatDate(c.day, now); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := (*Config)(nil).FormatDate(now, now); got != "1 March" {
		t.Errorf("without a policy: %q", got)
	}
}

func TestGermanHasTwelveMonths(t *testing.T) {
	seen := map[string]bool{}
	for m := range germanMonths {
		seen[formatDate("de", time.Date(2026, time.Month(m+1), 1, 0, 0, 0, 0, time.UTC), time.Time{})] = true
	}
	if len(seen) != 12 {
		t.Errorf("%v", seen)
	}
}

func TestGraceText(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	grace := time.Date(2027, time.January, 1, 0, 0, 0, 0, berlin) // by: 2026-12-31
	for name, c := range map[string]struct {
		now  time.Time
		want string
	}{
		"days before":    {time.Date(2026, time.December, 26, 23, 59, 0, 0, berlin), "until 31 December (5 days left)."},
		"the day before": {time.Date(2026, time.December, 30, 0, 0, 0, 0, berlin), "until tomorrow, 31 December."},
		"the last day":   {time.Date(2026, time.December, 31, 23, 59, 59, 0, berlin), "Today, 31 December, is the last day"},
		"over a change to summer time and a year": {time.Date(2025, time.December, 31, 23, 0, 0, 0, berlin), "until 31 December 2026 (365 days left)."},
		"too late, which nobody is told":          {time.Date(2027, time.January, 5, 0, 0, 0, 0, berlin), "Today, 31 December 2026, is the last day"},
	} {
		if got := (&Config{}).GraceText("eva", grace, c.now); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q does not have %q", name, got, c.want)
		}
	}
	got := (&Config{}).GraceText("eva", grace.UTC(), time.Date(2026, time.December, 26, 12, 0, 0, 0, berlin))
	if !strings.Contains(got, "31 December (5 days left)") || !strings.Contains(got, `"twokey enroll"`) {
		t.Errorf("in another zone: %q", got)
	}
	summer := time.Date(2027, time.July, 1, 0, 0, 0, 0, berlin)
	if got := (&Config{}).GraceText("eva", summer, time.Date(2027, time.March, 1, 12, 0, 0, 0, berlin)); !strings.Contains(got, "(121 days left)") {
		t.Errorf("a day of 23 hours lies between: %q", got)
	}
	york, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	grace = time.Date(2027, time.January, 1, 0, 0, 0, 0, york).UTC()
	if got := (&Config{}).GraceText("eva", grace, time.Date(2026, time.December, 26, 12, 0, 0, 0, york)); !strings.Contains(got, "31 December (5 days left)") {
		t.Errorf("where the day ends after it does in UTC: %q", got)
	}
}

package audit

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// refusal is a refused login so many seconds after begin.
func refusal(seconds int) Record {
	r := event(0)
	r.Time, r.Outcome, r.Reason = begin.Add(time.Duration(seconds)*time.Second), Failure, "wrong code"
	return r
}

func TestRefusalsBeyondAHundredAMinuteAreSummed(t *testing.T) {
	path, key := newLog(t)
	for range 130 {
		mustAppend(t, path, refusal(0))
	}
	mustAppend(t, path, refusal(3), event(4)) // still the same minute
	mustBeWhole(t, path, key, refusalsAMinute+1, 0)
	mustAppend(t, path, refusal(60))
	mustBeWhole(t, path, key, refusalsAMinute+3, 0)
	got := records(t, path)
	sum, next := got[refusalsAMinute+1], got[refusalsAMinute+2]
	want := []Detail{
		{"twokey.refusals", "31"}, {"twokey.first", "2026-11-21T18:24:55.123456789Z"}, {"twokey.last", "2026-11-21T18:24:58.123456789Z"},
	}
	if sum.Action != ActionSummed || !slices.Equal(sum.Details, want) || !strings.HasPrefix(sum.Reason, "31 refusals between ") {
		t.Errorf("%+v", sum)
	}
	if next.Action != ActionLogin || next.Outcome != Failure {
		t.Errorf("%+v", next)
	}
	mustAppend(t, path, refusal(120))
	mustBeWhole(t, path, key, refusalsAMinute+4, 0)
}

func TestWhatIsNoRefusalIsNeverSuppressed(t *testing.T) {
	path, key := newLog(t)
	for range refusalsAMinute + 10 {
		mustAppend(t, path, refusal(0))
	}
	other := refusal(0)
	other.Action = "policy-require"
	for range 5 {
		mustAppend(t, path, event(0), other)
	}
	mustBeWhole(t, path, key, refusalsAMinute+10, 0)
}

// Whoever has the password can have as many of these written as he likes: a full disk would deny everybody.
func TestRefusalsOfEveryKindAreSummed(t *testing.T) {
	path, key := newLog(t)
	for i := range 3 * refusalsAMinute {
		r := refusal(0)
		switch i % 3 {
		case 1:
			r.Action, r.Outcome = ActionObserved, Unknown
		case 2:
			r.Action = ActionSession
		}
		mustAppend(t, path, r)
	}
	mustBeWhole(t, path, key, refusalsAMinute, 0)
}

func TestTheLimitHoldsRoundTheFullMinute(t *testing.T) {
	path, key := newLog(t)
	for i := range 150 { // two writers, whose times of 18:24:59 and 18:25:00 come in alternation
		mustAppend(t, path, refusal(4+i%2))
	}
	mustBeWhole(t, path, key, refusalsAMinute+1, 0) // and the one before the first full minute
	mustAppend(t, path, refusal(-3600))             // the clock was set back
	if got := records(t, path); len(got) != refusalsAMinute+3 || got[refusalsAMinute+1].Action != ActionSummed {
		t.Errorf("%d records", len(got))
	}
}

// The summary is in the log, and its writer was killed before it wrote the head.
func TestASummaryIsWrittenOnce(t *testing.T) {
	path, key := newLog(t)
	for range refusalsAMinute + 10 {
		mustAppend(t, path, refusal(0))
	}
	headThen := read(t, headPath(path))
	mustAppend(t, path, refusal(60))
	write(t, headPath(path), headThen)
	mustAppend(t, path, refusal(61))
	mustBeWhole(t, path, key, refusalsAMinute+3, 0)
	count := 0
	for _, r := range records(t, path) {
		if r.Action == ActionSummed {
			count++
		}
	}
	if count != 1 {
		t.Errorf("%d summaries", count)
	}
}

package audit

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

const (
	refusalsAMinute = 100
	// A record's time is taken before the lock is waited for, so that minutes can come out of order. Only when the clock was
	// set back by more does an earlier minute count as a new one; else a flood round the full minute would never be limited.
	backMinutes = 5
)

// refusals counts the refused logins of one minute. Attack: a flood of refusals that fills the disk.
type refusals struct {
	minute      int64  // since 1970
	counted     uint32 // in this minute
	suppressed  uint32 // of these not recorded one by one
	first, last int64  // when these were; nanoseconds since 1970
}

// count takes note of a record. It says whether the record is only counted, and gives the summary of a past minute that must be
// written before the record.
func (c *refusals) count(r *Record) (summary *Record, suppress bool) {
	minute := r.Time.Unix() / 60
	if minute > c.minute || minute < c.minute-backMinutes {
		summary = c.summary(r)
		*c = refusals{minute: minute}
	}
	if !r.refusal() {
		return summary, false
	}
	if c.counted < refusalsAMinute {
		c.counted++
		return summary, false
	}
	if c.suppressed == 0 {
		c.first = r.Time.UnixNano()
	}
	c.last = r.Time.UnixNano()
	c.suppressed += min(1, math.MaxUint32-c.suppressed)
	return nil, true
}

// summary is nil when every refusal has a record of its own.
func (c *refusals) summary(r *Record) *Record {
	if c.suppressed == 0 {
		return nil
	}
	first, last := time.Unix(0, c.first).UTC().Format(timeLayout), time.Unix(0, c.last).UTC().Format(timeLayout)
	return &Record{
		Time: r.Time, Action: ActionSummed, Outcome: Failure, Host: r.Host,
		Reason: fmt.Sprintf("%d refusals between %s and %s were not recorded one by one", c.suppressed, first, last),
		Details: []Detail{
			{"twokey.refusals", strconv.FormatUint(uint64(c.suppressed), 10)}, {"twokey.first", first}, {"twokey.last", last},
		},
	}
}

// written forgets what a summary that is in the log has told.
func (c *refusals) written() { c.suppressed, c.first, c.last = 0, 0, 0 }

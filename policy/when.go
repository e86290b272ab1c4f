package policy

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a host without tzdata must not decide otherwise than one with it
)

const unknownTime = "the time of the login is not known"

// weekdayWords are how the configuration writes the weekdays, by [time.Weekday].
var weekdayWords = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// weekdayNames lists the words from Monday on.
func weekdayNames() []string { return append(append([]string{}, weekdayWords[1:]...), weekdayWords[0]) }

func parseWeekday(word string) (time.Weekday, bool) {
	for i, w := range weekdayWords {
		if w == word {
			return time.Weekday(i), true
		}
	}
	return 0, false
}

// checkHours refuses what a person and a program could read differently: an end that is the begin is nothing or a whole day.
func checkHours(s string) string {
	from, to, found := strings.Cut(s, "-")
	begin, ok1 := minutes(from)
	end, ok2 := minutes(to)
	switch {
	case !found || !ok1 || !ok2:
		return fmt.Sprintf("want hours such as 08:00-18:00 or 22:00-06:00, found %.80q", s)
	case begin == 24*60:
		return fmt.Sprintf("%q: a day begins at 00:00", s)
	case end == 0:
		return fmt.Sprintf("%q: a day ends at 24:00", s)
	case begin == end:
		return fmt.Sprintf("%q begins when it ends: is that no time at all or the whole day?", s)
	}
	return ""
}

// parseHours reads what checkHours finds nothing wrong with.
func parseHours(s string) Hours {
	from, to, _ := strings.Cut(s, "-")
	var h Hours
	h.From, _ = minutes(from)
	h.To, _ = minutes(to)
	return h
}

// minutes reads a time of day, HH:MM, from 00:00 to 24:00.
func minutes(s string) (int, bool) {
	if len(s) != 5 || s[2] != ':' || strings.Trim(s, "0123456789:") != "" {
		return 0, false
	}
	hour, err1 := strconv.ParseUint(s[:2], 10, 8)
	minute, err2 := strconv.ParseUint(s[3:], 10, 8)
	n := int(hour)*60 + int(minute)
	return n, err1 == nil && err2 == nil && minute < 60 && n <= 24*60
}

// contains reports whether a minute of the day is in the range.
func (h Hours) contains(minute int) bool {
	if h.From < h.To {
		return h.From <= minute && minute < h.To
	}
	return h.From <= minute || minute < h.To
}

// checkZone refuses "Local" too: which zone that is depends on who asks.
func checkZone(s string) string {
	if s == "" || s == "Local" {
		return "want the name of a time zone such as Europe/Berlin; without zone it is that of the host"
	}
	if _, err := time.LoadLocation(s); err != nil {
		return fmt.Sprintf("there is no time zone %.80q: want a name such as Europe/Berlin", s)
	}
	return ""
}

// duringRule tells whether the clock on the wall of the rule's zone shows one of its hours on one of its weekdays. Where the clock is
// put forward or back it counts as it is: an hour that comes twice is in both times, one that does not come is never there.
func (r Rule) during(f Facts) (Match, string) {
	if f.Time.IsZero() {
		return Unknown, unknownTime
	}
	at := f.Time
	if r.Zone != "" {
		zone, err := time.LoadLocation(r.Zone)
		if err != nil {
			return Unknown, fmt.Sprintf("the time zone %q is not known", r.Zone)
		}
		at = at.In(zone)
	}
	shown := strings.TrimSpace(fmt.Sprintf("%s %s %s", weekdayWords[at.Weekday()], at.Format("15:04"), r.Zone))
	day, hour := len(r.Weekdays) == 0, len(r.Hours) == 0
	for _, w := range r.Weekdays {
		day = day || w == at.Weekday()
	}
	for _, h := range r.Hours {
		hour = hour || h.contains(at.Hour()*60+at.Minute())
	}
	if day && hour {
		return Yes, "at " + shown
	}
	return No, "not about " + shown
}

// during tells whether the entry counts on this day.
func (e Entry) during(f Facts) (Match, string) {
	today := DateOf(f.Time)
	switch {
	case f.Time.IsZero():
		return Unknown, unknownTime
	case !e.Starts.IsZero() && today.Before(e.Starts):
		return No, "starts on " + e.Starts.String()
	case !e.Until.IsZero() && e.Until.Before(today):
		return No, "ended with " + e.Until.String()
	case !e.Until.IsZero():
		return Yes, "until " + e.Until.String()
	}
	return Yes, "since " + e.Starts.String()
}

// grace is the end of the days on which a required user is let in without a device; zero: they are over, or there were none.
func (e Entry) grace(f Facts) time.Time {
	if e.By.IsZero() || f.Time.IsZero() || e.By.Before(DateOf(f.Time)) {
		return time.Time{}
	}
	return e.By.End(f.Time.Location())
}

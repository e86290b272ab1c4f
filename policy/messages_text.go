package policy

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Text gives a message as it is shown: the text that the configuration has for it, else the shipped one in its language, else the
// English one, with its placeholders filled in. Pairs are a name and a value each: Text(MsgReplayed, "SECONDS", "17").
//
// It never fails, and the module never refuses what it gives: at most 8192 bytes of UTF-8 without control characters other than the
// line feed, whatever the values are. A value, which anybody may have chosen, is one line of at most 1024 bytes; what cannot be shown
// in it becomes a question mark. A placeholder in a value is not filled in, so a device called "%BY%" is shown by that name.
func (c *Config) Text(m Message, pairs ...string) string {
	if c == nil {
		c = &Config{}
	}
	contact := c.Contact
	if contact == "" || contact == DefaultContact {
		contact = c.wording(MsgContact)
	}
	standard := []string{"CONTACT", contact, "HELP_URL", c.HelpURL}
	help := ""
	if c.HelpURL != "" {
		help = fill(c.wording(MsgHelp), standard)
	}
	text := fill(c.wording(m), append(append(standard, "HELP", help), pairs...))
	if strings.Contains(c.wording(m), "%HELP%") {
		text = strings.TrimRight(text, " \n") // of nothing that stands at the end, no blank is left
	}
	return text
}

// wording is a message before anything is filled in.
func (c *Config) wording(m Message) string {
	if text, found := c.Messages[m]; found {
		return text
	}
	for _, language := range []texts{shipped(c.Language), english} {
		if text, found := language.of(m); found {
			return text
		}
	}
	return string(m)
}

// fill puts values in the place of their placeholders, all at once, and makes the result fit to be shown.
func fill(text string, pairs []string) string {
	var replace []string
	for i := 0; i+1 < len(pairs); i += 2 {
		replace = append(replace, "%"+pairs[i]+"%", printable(pairs[i+1], "", maxMessage))
	}
	return printable(strings.NewReplacer(replace...).Replace(text), "\n", maxShown)
}

// printable gives what can be shown of a text, with a question mark for each character that cannot: it could move the cursor, hide
// what was said, or turn the direction of writing. The characters of except stay.
func printable(text, except string, longest int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || strings.ContainsRune(except, r) {
			return r
		}
		return '?'
	}, strings.ToValidUTF8(text, "?"))
	if len(text) <= longest {
		return text
	}
	cut := longest
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}

// GraceText tells a user who is required to have a device, and has none, until when he is let in without. Grace is [Outcome].Grace,
// the first moment at which he no longer is; now is in the zone in which days are counted.
func (c *Config) GraceText(user string, grace, now time.Time) string {
	last := lastDay(grace, now)
	days := daysBetween(now, last)
	return c.Text(MsgNoticeRequired.For(days), "USER", user, "DAYS", strconv.Itoa(days), "DATE", c.FormatDate(last, now))
}

// lastDay is the day that ends at the given moment, where now is.
func lastDay(end, now time.Time) time.Time { return end.In(now.Location()).Add(-time.Nanosecond) }

// daysBetween counts the midnights between two moments, each on its own calendar.
func daysBetween(from, to time.Time) int {
	midnight := func(t time.Time) time.Time {
		y, m, d := t.Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) // every day has 24 hours there
	}
	return int(midnight(to).Sub(midnight(from)) / (24 * time.Hour))
}

// FormatDate writes a day as the configuration's language does: "3 May", "3. Mai"; with the year where it is not that of now.
func (c *Config) FormatDate(day, now time.Time) string {
	language := ""
	if c != nil {
		language = c.Language
	}
	return formatDate(language, day, now)
}

func formatDate(language string, day, now time.Time) string {
	written := strconv.Itoa(day.Day()) + " " + day.Month().String()
	if language == "de" {
		written = strconv.Itoa(day.Day()) + ". " + germanMonths[day.Month()-1]
	}
	if day.Year() != now.Year() {
		written += " " + strconv.Itoa(day.Year())
	}
	return written
}

var germanMonths = [12]string{
	"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember",
}

package phone

import (
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Spaced is a number as people of the world write it, "+44 20 7946 0958", which they can compare with their own. What is no number stays as
// it is.
func Spaced(number string) string {
	parsed, err := phonenumbers.Parse(number, "")
	if err != nil || !plain.MatchString(number) {
		return number
	}
	return strings.ReplaceAll(phonenumbers.Format(parsed, phonenumbers.INTERNATIONAL), "-", " ")
}

// Masked is what may be shown of a number to who must not learn it: its country's code and its last three digits, "+44 ••• 958". Of what is
// no number it is the last three bytes.
func Masked(number string) string {
	last := number[max(0, len(number)-3):]
	parsed, err := phonenumbers.Parse(number, "")
	if err != nil || !plain.MatchString(number) {
		return "••• " + last
	}
	return "+" + strconv.Itoa(int(parsed.GetCountryCode())) + " ••• " + last
}

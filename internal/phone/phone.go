// Package phone says what a telephone number is that a text message can be sent to. It knows the numbering plans of the world, some
// megabytes of tables: the login helper must never link it.
package phone

import (
	"errors"
	"regexp"

	"github.com/nyaruka/phonenumbers"
)

// ErrNumber is returned for a text that is not a telephone number in the international form. What is in that form and all the same no number
// has an error of its own, which wraps it.
var ErrNumber = errors.New("not a telephone number in the international form, such as +442079460958")

// nowhere is ErrNumber for what is in the international form.
type nowhere struct{ number, why string }

// Error names the number and says why there is none like it.
func (n *nowhere) Error() string { return n.number + " is not a telephone number: " + n.why }

// Unwrap is ErrNumber.
func (n *nowhere) Unwrap() error { return ErrNumber }

// plain is E.164: a plus sign, a country code, at most 15 digits. The library alone would also read "+44 (0) 20 7946 0958 ext. 1".
var plain = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// Check returns nil for a number in the form of E.164 (ITU-T, section 6) that the numbering plan of its country has. Whether
// somebody answers there, only a message can tell.
func Check(number string) error {
	if !plain.MatchString(number) {
		return ErrNumber
	}
	parsed, err := phonenumbers.Parse(number, "")
	switch {
	case errors.Is(err, phonenumbers.ErrInvalidCountryCode):
		return &nowhere{number, "no country has a code like that"}
	case err != nil:
		return ErrNumber
	case !phonenumbers.IsValidNumber(parsed):
		return &nowhere{number, "no number of its country is like that"}
	}
	if phonenumbers.Format(parsed, phonenumbers.E164) != number {
		return ErrNumber // read as another number than the one that stands there, +440... for example
	}
	return nil
}

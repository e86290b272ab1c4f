package batch

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"twokey/factor"
	"twokey/internal/phone"
	"twokey/policy"
	"twokey/secrets"
)

const (
	maxUserName = 256 // bytes
	maxDevice   = 32  // bytes of the name of a device
	maxIssuer   = 128 // bytes
	maxLabel    = 256 // bytes
	maxCounter  = 1<<53 - 1
)

// shown quotes the beginning of a text for an error, unless it can be a secret that stands in the wrong place.
//
// Attack: a table whose columns were shifted, and secrets in the log of whatever has applied it.
func shown(text string) string {
	if raw, err := factor.DecodeSecret(text); err == nil && len(raw) >= factor.FloorOfSecret {
		return fmt.Sprintf("%d characters that can be a secret", len(text))
	}
	return fmt.Sprintf("%.40q", text)
}

// set gives a field of a user its value; it reports false for a field that a user has not.
func (u *User) set(field, text string) (known bool, err error) {
	switch field {
	case "user":
		u.Name, err = name(text)
	case "present":
		u.Absent, err = absent(text)
	case "phone":
		if text == none {
			text = ""
		} else if err = phone.Check(text); err != nil {
			return true, err
		}
		u.Phone = &text
	case "recovery_codes":
		var n int
		n, err = number(text, 0, secrets.MaxRecoveryCodes)
		u.Recovery = &n
	default:
		return false, nil
	}
	return true, err
}

// set gives a field of a device its value; it reports false for a field that a device has not. No error repeats a secret.
func (d *Device) set(field, text string, o Options) (known bool, err error) {
	switch field {
	case "name":
		d.Name, err = printable(text, maxDevice)
	case "present":
		d.Absent, err = absent(text)
	case "secret":
		d.Secret, err = secret(text, o.AllowShort)
	case "method":
		if d.Method = factor.Method(text); d.Method != factor.TOTP && d.Method != factor.HOTP && !d.sent() {
			err = fmt.Errorf("want totp, hotp, sms or push, not %s", shown(text))
		}
	case "digits":
		d.Digits, err = number(text, factor.MinDigits, factor.MaxDigits)
	case "period":
		d.Period, err = number(strings.TrimSuffix(text, "s"), factor.MinPeriod, factor.MaxPeriod)
	case "algorithm":
		d.Algorithm, err = factor.ParseAlgorithm(text)
	case "counter":
		var n int
		n, err = number(text, 0, maxCounter)
		counter := uint64(n)
		d.Counter = &counter
	case "issuer":
		if d.Issuer, err = printable(text, maxIssuer); err == nil && strings.Contains(text, ":") {
			err = errors.New("a colon would be the end of it for authenticator apps")
		}
	case "label":
		d.Label, err = printable(text, maxLabel)
	case "provider":
		if d.Provider = text; !slices.Contains(policy.PushProviders(), text) {
			err = fmt.Errorf("want %s, not %s", strings.Join(policy.PushProviders(), " or "), shown(text))
		}
	case "until":
		d.Until, err = until(text, o.Location)
	default:
		return false, nil
	}
	return true, err
}

// name refuses what cannot be the name of a user or a group.
func name(text string) (string, error) {
	if _, err := printable(text, maxUserName); err != nil {
		return "", err
	}
	if strings.ContainsAny(text, "/:") || text == "." || text == ".." {
		return "", fmt.Errorf("%q cannot be a name", text)
	}
	return text, nil
}

func printable(text string, limit int) (string, error) {
	bad := func(r rune) bool { return !unicode.IsPrint(r) }
	if text == "" || len(text) > limit || !utf8.ValidString(text) || strings.ContainsFunc(text, bad) {
		return "", fmt.Errorf("want 1 to %d bytes of printable text", limit)
	}
	return text, nil
}

func absent(text string) (bool, error) {
	switch text {
	case "true":
		return false, nil
	case "false":
		return true, nil
	}
	return false, fmt.Errorf("want true or false, not %s", shown(text))
}

// number reads a number as it is written plainly: what begins with a zero is eight to some and an error to others.
func number(text string, from, to int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(n) != text || n < from || n > to {
		return 0, fmt.Errorf("want a number from %d to %d, not %s", from, to, shown(text))
	}
	return n, nil
}

func secret(text string, allowShort bool) ([]byte, error) {
	raw, err := factor.DecodeSecret(text)
	switch {
	case err != nil:
		return nil, err
	case len(raw) > factor.MaxSecret:
		return nil, fmt.Errorf("secret of %d bytes, want at most %d", len(raw), factor.MaxSecret)
	case len(raw) < factor.FloorOfSecret:
		return nil, fmt.Errorf("secret of %d bytes, want at least %d", len(raw), factor.MinSecret)
	case len(raw) < factor.MinSecret && !allowShort:
		return nil, fmt.Errorf("%w: %d bytes, want at least %d", factor.ErrShortSecret, len(raw), factor.MinSecret)
	}
	return raw, nil
}

// none is how "phone" takes a number away.
const none = "none"

// never is how "until" takes a limit away.
const never = "never"

// until reads the end of a device's time: that of a day, or a moment.
func until(text string, in *time.Location) (*time.Time, error) {
	if text == never {
		return &time.Time{}, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, in); err == nil {
		end := day.AddDate(0, 0, 1)
		return &end, nil
	}
	moment, err := time.Parse(time.RFC3339, text)
	if err != nil || moment.Nanosecond() != 0 || moment.Year() < 1970 {
		return nil, fmt.Errorf("want a day such as 2027-06-30, a moment such as 2027-06-30T12:00:00Z, or %s, not %s", never, shown(text))
	}
	return &moment, nil
}

// day checks a day of the policy.
func day(text string) (string, error) {
	if _, ok := policy.ParseDate(text); !ok {
		return "", fmt.Errorf("want a day such as 2026-12-31, not %s", shown(text))
	}
	return text, nil
}

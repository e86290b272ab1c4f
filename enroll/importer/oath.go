package importer

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

func readOATH(c *collector, r io.Reader) error {
	return c.eachLine(r, MaxFile, func(number int, text string) {
		if text[0] == '#' {
			return
		}
		f, err := oathLine(text)
		f.line = number
		switch {
		case c.options.User != "" && f.user != c.options.User:
		case err != nil:
			c.wrong(number, printableOrNothing(f.user), err)
		default:
			c.add(f)
		}
	})
}

// oathLine reads type, user, PIN, secret, and for hotp the counter, the last code, and when that was.
func oathLine(text string) (f found, err error) {
	fields := strings.Fields(text)
	if len(fields) > 1 {
		f.user = fields[1]
	}
	if len(fields) < 4 || len(fields) > 7 {
		return f, fmt.Errorf("%d fields, want 4 to 7: type, user, PIN, secret, counter, last code, its time", len(fields))
	}
	secret, err := hex.DecodeString(fields[3])
	if err != nil {
		return f, errors.New("the secret is not hexadecimal") // the error would show a digit of it
	}
	f.device = usual(secret)
	stepped, err := oathType(fields[0], &f)
	if err != nil {
		return f, err
	}
	counter := uint64(0)
	if len(fields) > 4 {
		if counter, err = plainNumber(fields[4]); err != nil {
			return f, fmt.Errorf("counter: %w", err)
		}
		counter = min(counter, maxCounter+1) // which add refuses; one more than the highest of all would be 0
	}
	if !stepped {
		if len(fields) > 5 {
			counter++ // the code of this one has been used: pam_oath tells by the code itself
		}
		f.device = byCounter(f.device, counter)
	}
	if pin := fields[2]; pin != "-" && pin != "+" {
		f.left = append(f.left, "a PIN was asked for beside the code: here it is the password alone")
	}
	return f, nil
}

// oathType reads HOTP, HOTP/E/8, HOTP/T30, HOTP/T60/7.
func oathType(text string, f *found) (stepped bool, err error) {
	parts := strings.Split(text, "/")
	if parts[0] != "HOTP" || len(parts) > 3 {
		return false, fmt.Errorf("%.20q: want HOTP, HOTP/E, HOTP/T30 or HOTP/T60, and the digits behind it", text)
	}
	if len(parts) == 3 {
		digits := strings.Index("678", parts[2])
		if digits < 0 || len(parts[2]) != 1 {
			return false, fmt.Errorf("%.20q: want 6, 7 or 8 digits", text)
		}
		f.device.Digits = 6 + digits
	}
	if len(parts) == 1 {
		return false, nil
	}
	switch parts[1] {
	case "E":
		return false, nil
	case "T30":
		f.device.Period = 30
	case "T60":
		f.device.Period = 60
	default:
		return false, fmt.Errorf("%.20q: want E, T30 or T60 behind HOTP", text)
	}
	return true, nil
}

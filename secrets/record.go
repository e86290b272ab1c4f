package secrets

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ID identifies a device or a set of recovery codes. It is random; the zero value is refused, as one that was forgotten.
type ID [8]byte

// Record is what is kept about one user. It is never printed: see Format.
type Record struct {
	User           string
	Serial         uint64 // see NextSerial
	Phone          string // E.164, "+442079460958"; "": none is known
	PhoneConfirmed bool   // a code that was sent there has come back
	Devices        []Device
	Recovery       *Recovery // nil: none
}

// Device makes codes, or is sent something: then its secret is PhoneSecret random bytes, by which what is sent is made.
type Device struct {
	ID        ID
	Name      string
	Method    string // "totp", "hotp"; "sms", "push", of which a user has one each
	Secret    []byte
	Digits    int    // 4 to 12; 0 for sms and push
	Period    int    // seconds; 0 for all but totp
	Algorithm string // "SHA1", "SHA256", "SHA512"; "" for sms and push
	Counter   uint64 // hotp: the first that is good
	Issuer    string
	Label     string
	Created   time.Time // whole seconds
	Until     time.Time // whole seconds, the first moment at which it counts no more; zero: it has no end
	Provider  string    // push: the service with which the phone was linked, 1 to 12 letters a to z; "": not known
}

// Recovery is a set of recovery codes, as keyed hashes.
type Recovery struct {
	ID     ID
	Key    [32]byte
	Hashes [][16]byte
}

// NextSerial is the serial of a file that takes the place of one with the serial previous (0: there was none). The clock is in
// it so that a user who was taken out, and of whom nothing is remembered, gets a higher one than any older file of his has.
func NextSerial(previous uint64, now time.Time) uint64 {
	return max(previous+1, uint64(max(0, now.UnixMilli())))
}

// Check returns an error that names the first field which is not as the package comment says.
func (r *Record) Check() error {
	switch {
	case r.User == "" || !printable(r.User, maxText):
		return fmt.Errorf("user name %q: want 1 to %d bytes of printable UTF-8", r.User, maxText)
	case r.Serial == 0 || r.Serial > maxNumber:
		return fmt.Errorf("serial %d of %q is not 1 to 2^53-1", r.Serial, r.User)
	case r.Phone != "" && !phoneNumber(r.Phone):
		return fmt.Errorf("phone number %q: want E.164, a plus sign and 7 to 15 digits", r.Phone)
	case r.PhoneConfirmed && r.Phone == "":
		return errors.New("no phone number, and it is confirmed")
	case len(r.Devices) > MaxDevices:
		return fmt.Errorf("%d devices, want at most %d", len(r.Devices), MaxDevices)
	}
	for i, d := range r.Devices {
		if err := d.check(); err != nil {
			return err
		}
		for _, other := range r.Devices[:i] {
			switch {
			case other.Name == d.Name || other.ID == d.ID:
				return fmt.Errorf("devices %q and %q have the same name or id", other.Name, d.Name)
			case other.Method == d.Method && d.sent():
				return fmt.Errorf("devices %q and %q are both of %s, and a user has one", other.Name, d.Name, d.Method)
			}
		}
		if d.Method == methodSMS && r.Phone == "" {
			return fmt.Errorf("device %q of %s: no phone number", d.Name, d.Method)
		}
	}
	if r.Recovery != nil {
		return r.Recovery.check()
	}
	return nil
}

func (d Device) check() error {
	switch created := d.Created.UTC(); {
	case d.Name == "" || !printable(d.Name, maxName):
		return fmt.Errorf("device name %q: want 1 to %d bytes of printable UTF-8", d.Name, maxName)
	case d.ID == ID{}:
		return fmt.Errorf("device %q: no id", d.Name)
	case !printable(d.Issuer, maxText) || !printable(d.Label, maxText):
		return fmt.Errorf("device %q: issuer %q or label %q is not up to %d bytes of printable UTF-8", d.Name, d.Issuer, d.Label, maxText)
	case !writable(created):
		return fmt.Errorf("device %q: created at %v, want whole seconds from 1970 to 9999", d.Name, created)
	case !d.Until.IsZero() && !writable(d.Until.UTC()):
		return fmt.Errorf("device %q: good until %v, want whole seconds from 1970 to 9999", d.Name, d.Until)
	case d.Provider != "" && (d.Method != methodPush || !providerName(d.Provider)):
		return fmt.Errorf("device %q: provider %q of %s: want 1 to %d letters a to z, and for push alone", d.Name, d.Provider, d.Method, maxProvider)
	case d.sent():
		return d.checkSent()
	}
	return d.checkCodes()
}

// The methods of devices that are sent something.
const (
	methodSMS  = "sms"
	methodPush = "push"
)

func providerName(s string) bool {
	return len(s) <= maxProvider && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") == ""
}

func (d Device) sent() bool { return d.Method == methodSMS || d.Method == methodPush }

// checkSent is for a device that makes no codes: what would make some is refused, as it would be a second spelling.
func (d Device) checkSent() error {
	switch {
	case len(d.Secret) != PhoneSecret:
		return fmt.Errorf("device %q: secret of %d bytes, want %d for %s", d.Name, len(d.Secret), PhoneSecret, d.Method)
	case d.Digits != 0 || d.Period != 0 || d.Counter != 0 || d.Algorithm != "":
		return fmt.Errorf("device %q: %s has no digits, period, counter or algorithm", d.Name, d.Method)
	}
	return nil
}

// checkCodes is for a device that makes codes.
func (d Device) checkCodes() error {
	hotp := d.Method == "hotp"
	switch {
	case d.Method != "totp" && !hotp:
		return fmt.Errorf("device %q: unknown method %q", d.Name, d.Method)
	case len(d.Secret) < minSecret || len(d.Secret) > maxSecret:
		return fmt.Errorf("device %q: secret of %d bytes, want %d to %d", d.Name, len(d.Secret), minSecret, maxSecret)
	case d.Digits < 4 || d.Digits > 12:
		return fmt.Errorf("device %q: %d digits, want 4 to 12", d.Name, d.Digits)
	case hotp && d.Period != 0 || !hotp && (d.Period < 10 || d.Period > 300):
		return fmt.Errorf("device %q: period of %d seconds, want 10 to 300, and 0 for hotp", d.Name, d.Period)
	case !hotp && d.Counter != 0 || d.Counter > maxNumber:
		return fmt.Errorf("device %q: counter %d, want 0, and for hotp up to 2^53-1", d.Name, d.Counter)
	case d.Algorithm != "SHA1" && d.Algorithm != "SHA256" && d.Algorithm != "SHA512":
		return fmt.Errorf("device %q: unknown algorithm %q", d.Name, d.Algorithm)
	}
	return nil
}

// writable reports whether a time in UTC is read back as the same.
func writable(t time.Time) bool { return t.Nanosecond() == 0 && t.Year() >= 1970 && t.Year() <= 9999 }

// phoneNumber is the shape of ITU-T E.164: a country code, which never begins with 0, and the rest, 15 digits at most in all. 7 are
// the fewest that any country has.
func phoneNumber(s string) bool {
	digits, international := strings.CutPrefix(s, "+")
	if !international || len(digits) < 7 || len(digits) > 15 || digits[0] == '0' {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

func (r Recovery) check() error {
	switch {
	case r.ID == ID{}:
		return fmt.Errorf("recovery codes without an id")
	case r.Key == [32]byte{}: // with a key that was forgotten the hashes could be searched
		return fmt.Errorf("recovery codes without a key")
	case len(r.Hashes) == 0 || len(r.Hashes) > MaxRecoveryCodes:
		return fmt.Errorf("%d recovery codes, want 1 to %d", len(r.Hashes), MaxRecoveryCodes)
	}
	return nil
}

// printable allows what neither a terminal nor a log line can be attacked with.
func printable(s string, limit int) bool {
	if len(s) > limit || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// Format prints whose record it is and nothing secret, whatever the verb: values end up in error texts.
func (r Record) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "record of %q with %d devices", r.User, len(r.Devices))
}

// Format prints the device without its secret.
func (d Device) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "device %q (%s)", d.Name, d.Method) }

// Format prints how many codes there are.
func (r Recovery) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "%d recovery codes", len(r.Hashes)) }

package policy

import (
	"fmt"
	"slices"
	"time"
)

// Warnings names what is allowed and dangerous at a moment, one sentence each, or nothing.
func (c *Config) Warnings(now time.Time) []string {
	var found []string
	warn := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if c.Off {
		warn("enabled is false: nobody is asked for a second factor")
	} else if c.SwitchedOff(now) {
		warn("off_until: nobody is asked for a second factor until %s", c.OffUntil.Format(time.RFC3339))
	}
	if c.Observe {
		warn("observe is true: nobody is refused")
	}
	if c.Default == Exempt {
		warn("default is exempt: users who have enrolled a device are not asked unless they are required")
	}
	for i, e := range c.Exempt {
		if slices.Contains(e.Users, "root") {
			warn("exempt[%d] lets root in without a second factor", i)
		}
	}
	if c.Discrepancy > 10 {
		warn("discrepancy is %d: at any moment %d codes of one device are right, which makes guessing easier",
			c.Discrepancy, 2*c.Discrepancy+1)
	}
	return append(found, c.NewDevices.warnings()...)
}

// warnings names what common apps do not follow. Google Authenticator's own
// description of the otpauth address (its wiki page Key-Uri-Format) says that
// algorithm and period, and on some systems digits, are ignored.
func (d NewDevices) warnings() []string {
	var found []string
	const ignore = "Google Authenticator and Microsoft Authenticator may ignore it and show wrong codes"
	if d.Digits != 6 {
		found = append(found, fmt.Sprintf("new_devices: digits is %d: %s", d.Digits, ignore))
	}
	if d.Digits < 6 {
		found = append(found, fmt.Sprintf("new_devices: a code of %d digits is easily guessed", d.Digits))
	}
	if d.Digits > 10 {
		// RFC 4226, section 5.3: the value before the reduction has 31 bits.
		found = append(found, fmt.Sprintf("new_devices: of %d digits the first %d are always zero", d.Digits, d.Digits-10))
	}
	if d.Period != 30*time.Second {
		found = append(found, fmt.Sprintf("new_devices: period is %d s: %s", int(d.Period.Seconds()), ignore))
	}
	if d.Algorithm != "SHA1" {
		found = append(found, fmt.Sprintf("new_devices: algorithm is %s: %s", d.Algorithm, ignore))
	}
	return found
}

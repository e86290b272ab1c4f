package batch

import (
	"errors"
	"fmt"

	"twokey/enroll"
	"twokey/factor"
	"twokey/secrets"
)

// MaxDevices is how many devices a user can have.
const MaxDevices = secrets.MaxDevices

// UsualDevice is the name of a device that has none.
const UsualDevice = "phone"

// Usual is what a new device is like when the file does not say.
type Usual struct {
	Params   factor.Params // without a secret
	Issuer   string
	Host     string // behind the @ of the label
	Recovery int    // recovery codes with the first device
}

// Request is what the device is made from. AllowShort lets a given secret of 10 to 15 bytes through.
func (d *Device) Request(user string, usual Usual) enroll.Request {
	p := factor.Params{Method: d.Method, Secret: d.Secret, Digits: d.Digits, Period: d.Period, Algorithm: d.Algorithm}
	if p.Method == "" {
		p.Method = usual.Params.Method
	}
	if p.Digits == 0 {
		p.Digits = usual.Params.Digits
	}
	if p.Period == 0 && p.Method == factor.TOTP {
		p.Period = usual.Params.Period
	}
	if p.Algorithm == "" {
		p.Algorithm = usual.Params.Algorithm
	}
	r := enroll.Request{Device: d.Name, Params: p, Issuer: d.Issuer, Label: d.Label}
	if r.Issuer == "" {
		r.Issuer = usual.Issuer
	}
	if r.Label == "" {
		r.Label = user + "@" + usual.Host
	}
	if d.Counter != nil {
		r.Counter = *d.Counter
	}
	return r
}

// check looks at what several fields say together.
func (d *Device) check() error {
	if err := d.together(); err != nil {
		return fmt.Errorf("device %q: %w", d.Name, err)
	}
	return nil
}

func (d *Device) together() error {
	given := d.Method != "" || d.Digits != 0 || d.Period != 0 || d.Algorithm != "" || d.Secret != nil || d.Counter != nil ||
		d.Issuer != "" || d.Label != "" || d.Until != nil
	switch {
	case d.Absent && given:
		return errors.New("present is false, so nothing else can be given")
	case d.Method == factor.HOTP && d.Period != 0:
		return errors.New("hotp has no period")
	case d.Method != factor.HOTP && d.Counter != nil:
		return errors.New("a counter belongs to method hotp, and to it alone")
	}
	return nil
}

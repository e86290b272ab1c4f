package batch

import (
	"errors"
	"fmt"
	"time"

	"twokey/device"
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
	Provider string // with which phones of push are linked; "": none
}

// Request is what the device is made from. AllowShort lets a given secret of 10 to 15 bytes through.
func (d *Device) Request(user string, usual Usual) enroll.Request {
	r := enroll.Request{Device: d.Name, Params: d.params(usual.Params), Issuer: d.Issuer, Label: d.Label, Provider: d.Provider}
	if r.Provider == "" {
		r.Provider = usual.Provider
	}
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

// params is what the device makes its codes of; nothing but the method, where it makes none.
func (d *Device) params(usual factor.Params) factor.Params {
	p := factor.Params{Method: d.Method, Secret: d.Secret, Digits: d.Digits, Period: d.Period, Algorithm: d.Algorithm}
	if d.sent() {
		return p
	}
	if p.Method == "" {
		p.Method = usual.Method
	}
	if p.Digits == 0 {
		p.Digits = usual.Digits
	}
	if p.Period == 0 && p.Method == factor.TOTP {
		p.Period = usual.Period
	}
	if p.Algorithm == "" {
		p.Algorithm = usual.Algorithm
	}
	return p
}

// sent reports whether something is sent to the device.
func (d *Device) sent() bool { return device.IsOutOfBand(string(d.Method)) }

// CheckRequest checks what a device is to be made of, before anything is made of it. AllowShort lets a given secret of 10 to 15 bytes through.
func CheckRequest(r enroll.Request, allowShort bool) error {
	if device.IsOutOfBand(string(r.Params.Method)) {
		switch {
		case r.Params.Method == device.SMS && r.Phone == "":
			return errNoPhone
		case r.Params.Method == device.Push && r.Provider == "":
			return errNoProvider
		}
		return nil
	}
	if r.Params.Secret == nil {
		r.Params.Secret = make([]byte, factor.MinSecret)
	}
	if err := r.Params.Check(); err != nil && !(allowShort && errors.Is(err, factor.ErrShortSecret)) {
		return err
	}
	_, err := factor.URI(r.Label, r.Issuer, r.Params, r.Counter)
	return err
}

var (
	errNoPhone    = fmt.Errorf("%w: give phone", enroll.ErrNoPhone)
	errNoProvider = fmt.Errorf("%w: give provider", enroll.ErrNoProvider)
)

// check looks at what several fields say together.
func (d *Device) check() error {
	if err := d.together(); err != nil {
		return d.wrong(err)
	}
	return nil
}

// wrong is an error about the device, with its line.
func (d *Device) wrong(err error) error { return &at{d.Line, fmt.Errorf("device %q: %w", d.Name, err)} }

// CheckEnd refuses a device that is to be made, or to get this end, when its time is over already: its owner would be asked for codes that
// are never right.
func (d *Device) CheckEnd(now time.Time) error {
	if d.Until == nil || d.Until.IsZero() || now.Before(*d.Until) {
		return nil
	}
	return d.wrong(fmt.Errorf("until: %s is over, today is %s", writtenUntil(*d.Until), now.Local().Format(time.DateOnly)))
}

func (d *Device) together() error {
	given := d.Method != "" || d.Digits != 0 || d.Period != 0 || d.Algorithm != "" || d.Secret != nil || d.Counter != nil ||
		d.Issuer != "" || d.Label != "" || d.Provider != "" || d.Until != nil
	switch {
	case d.Absent && given:
		return errors.New("present is false, so nothing else can be given")
	case d.sent() && (d.Digits != 0 || d.Period != 0 || d.Algorithm != "" || d.Secret != nil || d.Counter != nil):
		return fmt.Errorf("%s makes no codes: no secret, digits, period, algorithm or counter can be given", d.Method)
	case d.Provider != "" && d.Method != device.Push:
		return errors.New("a provider belongs to method push, and to it alone")
	case d.Method == factor.HOTP && d.Period != 0:
		return errors.New("hotp has no period")
	case d.Method != factor.HOTP && d.Counter != nil:
		return errors.New("a counter belongs to method hotp, and to it alone")
	}
	return nil
}

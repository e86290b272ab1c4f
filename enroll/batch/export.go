package batch

import (
	"errors"
	"fmt"
	"io/fs"

	"twokey/device"
	"twokey/enroll"
	"twokey/factor"
	"twokey/secrets"
	"twokey/state"
)

// Export is what a user has, as a row; enroll.ErrNoState for one whose file came from elsewhere, before he was logged in or adopted. The
// secrets, and with them the counters of hotp, are in it only when they are asked for.
func Export(u *enroll.Users, name string, withSecrets bool) (User, error) {
	record, err := u.Secrets.Load(name)
	if err != nil {
		return User{}, err
	}
	st, err := u.State.Read(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return User{}, enroll.ErrNoState
	case err != nil:
		return User{}, fmt.Errorf("state: %w", err)
	}
	exported := User{Name: name}
	if record.Phone != "" {
		exported.Phone = &record.Phone
	}
	for _, d := range record.Devices {
		exported.Devices = append(exported.Devices, exportDevice(d, st, withSecrets))
	}
	return exported, nil
}

func exportDevice(d secrets.Device, st *state.State, withSecret bool) Device {
	e := Device{Name: d.Name, Method: factor.Method(d.Method), Digits: d.Digits, Period: d.Period, Algorithm: factor.Algorithm(d.Algorithm),
		Issuer: d.Issuer, Label: d.Label, Provider: d.Provider}
	if !d.Until.IsZero() {
		e.Until = &d.Until
	}
	if !withSecret || device.IsOutOfBand(d.Method) { // a row of theirs cannot give one: it is in nobody's app
		return e
	}
	e.Secret = d.Secret
	if d.Method == string(factor.HOTP) {
		next := d.Counter
		if used := st.Device(state.ID(d.ID)); used != nil {
			next = max(next, used.Consumed)
		}
		e.Counter = &next
	}
	return e
}

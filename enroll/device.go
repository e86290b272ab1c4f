package enroll

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"twokey/device"
	"twokey/secrets"
	"twokey/state"
)

// The reasons for which a device is not changed.
var (
	ErrNoDevice   = errors.New("the user has no device of this name")
	ErrLastDevice = errors.New("the user's last device: reset or unenroll ends it")
	ErrDeviceName = errors.New("the user has another device of this name")
	// ErrManyDevices is for an eleventh.
	ErrManyDevices = fmt.Errorf("the user has %d devices, and no user has more", secrets.MaxDevices)
)

// RemoveDevice ends one of a user's devices: ErrNoDevice when there is none of that name, ErrLastDevice for his last one. Who has lost a
// phone must not become somebody without a device, who may be let in without a code.
func (u *Users) RemoveDevice(user, name string) error {
	return u.edit(user, func(r *secrets.Record) error {
		i, err := find(r, name)
		switch {
		case err != nil:
			return err
		case len(r.Devices) == 1:
			return ErrLastDevice
		}
		r.Devices = slices.Delete(r.Devices, i, i+1)
		return nil
	})
}

// RenameDevice gives a device another name, of 1 to 32 printable bytes: ErrNoDevice, or ErrDeviceName when that is another's.
func (u *Users) RenameDevice(user, from, to string) error {
	return u.edit(user, func(r *secrets.Record) error {
		i, err := find(r, from)
		if err != nil {
			return err
		}
		if j, err := find(r, to); err == nil && i != j {
			return ErrDeviceName
		}
		r.Devices[i].Name = to
		return nil
	})
}

// SetUntil says when a device expires; the zero time: never. Seconds are whole.
func (u *Users) SetUntil(user, name string, until time.Time) error {
	return u.edit(user, func(r *secrets.Record) error {
		i, err := find(r, name)
		if err != nil {
			return err
		}
		r.Devices[i].Until = wholeSeconds(until)
		return nil
	})
}

// wholeSeconds is a time as a secret file can hold it; the zero time stays what it is.
func wholeSeconds(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Second)
}

// find is the place of a device.
func find(r *secrets.Record, name string) (int, error) {
	i := slices.IndexFunc(r.Devices, func(d secrets.Device) bool { return d.Name == name })
	if i < 0 {
		return 0, ErrNoDevice
	}
	return i, nil
}

// edit changes the secret file of a user who is enrolled, under his lock: the file first, then the state, which the next login would else
// tell.
func (u *Users) edit(user string, change func(*secrets.Record) error) error {
	return u.update(user, func(tx *state.Tx) error {
		record, err := u.Secrets.Load(user)
		switch {
		case err != nil:
			return err
		case record.Serial < tx.Serial:
			return device.ErrRolledBack
		}
		was := phonesOf(record)
		if err := change(record); err != nil {
			return err
		}
		if err := u.settle(tx, was, record, false); err != nil {
			return err
		}
		record.Serial = secrets.NextSerial(record.Serial, u.Now())
		if err := u.Secrets.Save(record); err != nil {
			return err
		}
		_, err = device.Join(tx.State, record, 0, u.Now())
		return err
	})
}

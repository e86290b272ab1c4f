package enroll

import (
	"errors"
	"slices"
	"time"

	"twokey/device"
	"twokey/secrets"
	"twokey/state"
)

// Alteration is what changes about a user who is enrolled, in one step: all of it, or, on any error, nothing.
type Alteration struct {
	Remove []string             // devices by name, which must be there
	Add    []*Draft             // made with Request.Add; they may have the names of those that go
	Until  map[string]time.Time // when a device that stays expires; the zero time: never
	Phone  *string              // E.164, or "" for none; nil: as it is. Unconfirmed when it is another

	recovery *secrets.Recovery // nil: as it is
}

// ErrHasRecovery is for who was to get his first recovery codes, and has some.
var ErrHasRecovery = errors.New("the user has recovery codes by now")

// DrawRecovery gives a user who has no recovery codes n of them, 1 to 20, and returns them: they can be shown before they are in force. Who
// has some when that is to be is ErrHasRecovery.
//
// Attack, or two people on one morning: two runs each draw codes, and of those that the first has handed out none is good.
func (c *Alteration) DrawRecovery(n int) (codes []string, err error) {
	c.recovery, codes, err = newRecovery(n)
	return codes, err
}

// DrewRecovery reports whether a record has the recovery codes that DrawRecovery has returned.
func (c *Alteration) DrewRecovery(record *secrets.Record) bool {
	return c.recovery != nil && record.Recovery != nil && record.Recovery.ID == c.recovery.ID
}

// Alter changes a user's devices. Who is left without any is ErrLastDevice; a draft with a name that stays is ErrDeviceName, one with
// a secret that the user has or had until now ErrSameSecret.
func (u *Users) Alter(a Account, c Alteration) error {
	return u.update(a.Name, func(tx *state.Tx) error {
		record, err := u.Secrets.Load(a.Name)
		switch {
		case err != nil:
			return err
		case record.Serial < tx.Serial:
			return device.ErrRolledBack
		case tx.UID != a.UID:
			return ErrOtherUID
		case (len(c.Add) > 0 || c.recovery != nil) && tx.Restored:
			return device.ErrRestored // it would open what is closed
		case c.recovery != nil && record.Recovery != nil:
			return ErrHasRecovery
		}
		was := phonesOf(record)
		if err := c.change(record); err != nil {
			return err
		}
		if err := u.settle(tx, was, record, false); err != nil {
			return err
		}
		record.Serial = secrets.NextSerial(record.Serial, u.Now())
		if err := u.Secrets.Save(record); err != nil {
			return err
		}
		if _, err := device.Join(tx.State, record, 0, u.Now()); err != nil {
			return err
		}
		for _, d := range c.Add {
			d.tell(tx.State)
		}
		return nil
	})
}

// change is what Alter does to the record.
func (c Alteration) change(record *secrets.Record) error {
	had := slices.Clone(record.Devices)
	for _, name := range c.Remove {
		i, err := find(record, name)
		if err != nil {
			return err
		}
		record.Devices = slices.Delete(record.Devices, i, i+1)
	}
	for name, until := range c.Until {
		i, err := find(record, name)
		if err != nil {
			return err
		}
		record.Devices[i].Until = wholeSeconds(until)
	}
	for _, d := range c.Add {
		for _, old := range had {
			if string(old.Secret) == string(d.Device.Secret) {
				return ErrSameSecret
			}
		}
		if err := d.putInto(record); err != nil {
			return err
		}
	}
	if len(record.Devices) == 0 {
		return ErrLastDevice
	}
	if c.Phone != nil && *c.Phone != record.Phone {
		record.Phone, record.PhoneConfirmed = *c.Phone, false
	}
	if c.recovery != nil {
		record.Recovery = c.recovery
	}
	return phoneNeeded(record)
}

// tell gives the state what it cannot know of a new device by the secret file.
func (d *Draft) tell(st *state.State) {
	if changes := st.Device(state.ID(d.Device.ID)); changes != nil {
		changes.Consumed = max(changes.Consumed, d.consumed)
		st.AddNotice(changes.ID, d.by)
	}
}

// MayEnroll returns the error that Commit would for an account whose user id is another name's, and nil for any other.
func (u *Users) MayEnroll(a Account) error { return u.checkOwner(a) }

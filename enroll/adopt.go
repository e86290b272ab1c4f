package enroll

import (
	"errors"
	"fmt"
	"io/fs"

	"twokey/device"
	"twokey/secrets"
	"twokey/state"
)

// Adoption says what Adopt found and accepted.
type Adoption struct {
	Renamed  string // the name under which the account was enrolled; "": the same
	OldUID   uint32 // the user id under which it was enrolled
	NewUID   bool   // that is another one
	Restored bool   // the state had been lost; its counters and recovery codes are open again
}

// Adopt accepts an account whose identity or state is not what was enrolled: restored from a backup, renamed, created again under
// another number. Only an administrator can know that it is the same person. A device of hotp begins where the secret file
// says; codes that were used between then and the loss are good again, so new devices are the better way.
func (u *Users) Adopt(a Account) (Adoption, error) {
	var done Adoption
	owner, err := u.State.NameOf(a.UID)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && owner == a.Name:
	case err != nil:
		return done, err
	default:
		enrolled, err := u.Secrets.Enrolled(a.Name)
		if err != nil {
			return done, err
		}
		if enrolled {
			return done, fmt.Errorf("%w: %q; %q has a device too: unenroll one of them", ErrOtherName, owner, a.Name)
		}
		if err := u.rename(owner, a); err != nil {
			return done, err
		}
		done.Renamed = owner
	}
	return done, u.accept(a, &done)
}

// accept makes the state say what the account is now.
func (u *Users) accept(a Account, done *Adoption) error {
	record, err := u.Secrets.Load(a.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotEnrolled
	}
	if err != nil {
		return err
	}
	if err := u.State.New(device.Restore(record, a.UID, u.Now())); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	var old uint32
	err = u.State.Update(a.Name, func(tx *state.Tx) error {
		if record.Serial < tx.Serial {
			return device.ErrRolledBack
		}
		old = tx.UID
		done.Restored, done.OldUID, done.NewUID = tx.Restored, old, old != a.UID
		tx.UID, tx.Restored = a.UID, false
		return u.State.Bind(a.UID, a.Name)
	})
	if err == nil && done.NewUID {
		err = u.unbindFrom(old, a.Name)
	}
	return err
}

// unbindFrom frees the number that the account had before, unless it is somebody else's by now.
func (u *Users) unbindFrom(uid uint32, name string) error {
	owner, err := u.State.NameOf(uid)
	if errors.Is(err, fs.ErrNotExist) || err == nil && owner != name {
		return nil
	}
	return errors.Join(err, u.State.Unbind(uid))
}

// rename moves a user's secrets and state to another name: first the new ones, then the old ones go, so that a crash leaves one
// of the two.
func (u *Users) rename(old string, a Account) error {
	var moved state.State
	err := u.State.Update(old, func(tx *state.Tx) error {
		record, err := u.Secrets.Load(old)
		if err != nil {
			return err
		}
		record.User, record.Serial = a.Name, secrets.NextSerial(max(record.Serial, tx.Serial), u.Now())
		moved = *tx.State
		moved.User, moved.Serial = a.Name, record.Serial
		if err := u.replaceState(&moved); err != nil {
			return err
		}
		if err := u.Secrets.Save(record); err != nil {
			return err
		}
		return u.removeSecrets(old)
	})
	if err != nil {
		return err
	}
	return u.State.Remove(old)
}

// replaceState makes a state under a name that may have an old one without devices.
func (u *Users) replaceState(st *state.State) error {
	if err := u.State.Remove(st.User); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return u.State.New(st)
}

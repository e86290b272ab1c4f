package enroll

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"twokey/device"
	"twokey/internal/safefile"
	"twokey/secrets"
	"twokey/state"
)

// Adoption says what Adopt found and accepted.
type Adoption struct {
	Renamed    string // the name under which the account was enrolled; "": the same
	OldUID     uint32 // the user id under which it was enrolled
	NewUID     bool   // that is another one
	Restored   bool   // the state had been lost; its counters and recovery codes are open again
	Rewound    bool   // steps that only a clock ahead of the present one could have used up are open again
	MustEnroll bool   // it was reset, and still has to enrol
}

// Adopt accepts an account whose identity or state is not what was enrolled: restored from a backup, renamed, created again under
// another number. Only an administrator can know that it is the same person. A device of hotp begins where the secret file
// says; codes that were used between then and the loss are good again, so new devices are the better way.
func (u *Users) Adopt(a Account) (Adoption, error) {
	var done Adoption
	owner, guards, err := u.otherOwner(a)
	if errors.Is(err, safefile.ErrNoLink) { // restored without links: the number is bound anew below
		err = nil
	}
	if err != nil {
		return done, err
	}
	done.Renamed = owner
	if guards {
		if err := u.rename(owner, a); err != nil {
			return done, err
		}
	}
	enrolled, err := u.Secrets.Enrolled(a.Name)
	switch {
	case err != nil:
		return done, err
	case enrolled:
		return done, u.accept(a, &done)
	case owner == "":
		return done, ErrNotEnrolled
	}
	return done, u.acceptWithout(a, &done)
}

// acceptWithout is for an account without a device: renamed after a reset, or with a user id that is bound to a name of which
// nothing is left.
func (u *Users) acceptWithout(a Account, done *Adoption) error {
	st, err := u.State.Read(a.Name)
	switch {
	case err == nil && st.MustEnroll:
		done.MustEnroll = true
		return u.State.Bind(a.UID, a.Name)
	case err == nil || errors.Is(err, fs.ErrNotExist):
		return u.State.Unbind(a.UID)
	}
	return err
}

// accept makes the state say what the account is now.
func (u *Users) accept(a Account, done *Adoption) error {
	record, err := u.Secrets.Load(a.Name)
	if err != nil {
		return err
	}
	if err := u.State.New(device.Restore(record, a.UID, u.Now())); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if done.Rewound, err = u.rewind(record); err != nil {
		return err
	}
	return u.State.Update(a.Name, func(tx *state.Tx) error {
		if record.Serial < tx.Serial {
			return device.ErrRolledBack
		}
		done.Restored, done.OldUID, done.NewUID = tx.Restored, tx.UID, tx.UID != a.UID
		tx.UID, tx.Restored = a.UID, false
		if err := u.State.Bind(a.UID, a.Name); err != nil {
			return err
		}
		if !done.NewUID {
			return nil
		}
		return u.unbindFrom(done.OldUID, a.Name)
	})
}

// errRewound ends the update of a state that another one has taken the place of.
var errRewound = errors.New("rewound")

// rewind makes a state anew whose steps were used up by a clock that was ahead. Update would refuse it, and rightly: only an
// administrator can know that it was the clock. It happens under the lock of the old one, so that what a login uses up meanwhile
// is not lost.
func (u *Users) rewind(record *secrets.Record) (bool, error) {
	err := u.State.Update(record.User, func(tx *state.Tx) error {
		if !device.Rewind(tx.State, record, u.Now()) {
			return nil
		}
		if err := u.State.Remove(record.User); err != nil {
			return err
		}
		if err := u.State.New(tx.State); err != nil {
			return err
		}
		return errRewound
	})
	if errors.Is(err, errRewound) {
		return true, nil
	}
	return false, err
}

// rename moves a user's secrets and state to another name: first the new ones, then the old ones go, so that a crash leaves one
// of the two, and the next Adopt finishes what is half done. Codes that an administrator gave for the old name end.
func (u *Users) rename(old string, a Account) error {
	if err := u.endUnfinished(old); err != nil {
		return err
	}
	if err := u.State.Update(old, func(tx *state.Tx) error { return u.move(tx, a) }); err != nil {
		return fmt.Errorf("%q: %w", old, err)
	}
	return u.State.Remove(old)
}

func (u *Users) move(tx *state.Tx, a Account) error {
	record, err := u.recordOf(tx.User)
	if err != nil {
		return err
	}
	there, err := u.recordOf(a.Name)
	if err != nil {
		return err
	}
	if there != nil && (record == nil || !sameDevices(there, record)) {
		return fmt.Errorf("%w: %q; %q has a device too: unenroll one of them", ErrOtherName, tx.User, a.Name)
	}
	if there == nil {
		if err := u.copyTo(tx, record, a); err != nil {
			return err
		}
	}
	if err := errors.Join(tx.EndBypasses(), tx.RemoveMessages()); err != nil {
		return err
	}
	return u.removeSecrets(tx.User)
}

// copyTo gives the account what the user has. A state that it may have without a device is replaced.
func (u *Users) copyTo(tx *state.Tx, record *secrets.Record, a Account) error {
	moved := *tx.State
	moved.User = a.Name
	if record != nil {
		record.User, record.Serial = a.Name, secrets.NextSerial(max(record.Serial, tx.Serial), u.Now())
		if _, err := device.Join(&moved, record, 0, u.Now()); err != nil { // the file may be newer than any login has seen
			return err
		}
	}
	if err := u.State.Remove(a.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := u.State.New(&moved); err != nil || record == nil {
		return err
	}
	return u.Secrets.Save(record)
}

// recordOf is what a user has, nil for nothing.
func (u *Users) recordOf(user string) (*secrets.Record, error) {
	enrolled, err := u.Secrets.Enrolled(user)
	if err != nil || !enrolled {
		return nil, err
	}
	return u.Secrets.Load(user)
}

// sameDevices tells a copy of a user's devices, which a rename that was cut short has left, from devices of somebody else.
func sameDevices(a, b *secrets.Record) bool {
	return slices.EqualFunc(a.Devices, b.Devices, func(x, y secrets.Device) bool { return x.ID == y.ID })
}

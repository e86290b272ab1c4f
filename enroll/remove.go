package enroll

import (
	"errors"
	"fmt"
	"io/fs"

	"twokey/device"
	"twokey/secrets"
	"twokey/state"
)

// Unenroll takes a user out altogether. A user who is not enrolled is ErrNotEnrolled, unless a reset or something unreadable is
// left of him, which goes too. The account need not exist any more.
func (u *Users) Unenroll(user string) error { return u.end(user, false) }

// Reset ends a user's devices, recovery codes and remembered sources. He stays bound to enrol again: until then he gets in nowhere
// that he is not exempt.
func (u *Users) Reset(user string) error { return u.end(user, true) }

func (u *Users) end(user string, mustEnroll bool) error {
	enrolled, err := u.Secrets.Enrolled(user)
	if err != nil {
		return err
	}
	err = u.State.Update(user, func(tx *state.Tx) error {
		if !enrolled && !tx.MustEnroll {
			return ErrNotEnrolled
		}
		if err := u.removeSecrets(user); err != nil {
			return err
		}
		for _, d := range append([]state.Device(nil), tx.Devices...) {
			tx.RemoveDevice(d.ID)
		}
		tx.Recovery, tx.MustEnroll, tx.Restored = state.Recovery{}, mustEnroll, false
		tx.ForgetSources()
		tx.Unlock()
		if mustEnroll {
			return nil
		}
		return u.State.Unbind(tx.UID)
	})
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !enrolled {
		return ErrNotEnrolled
	}
	if mustEnroll {
		return fmt.Errorf("%s has no state, which a reset would have to keep: twokey adopt %s", user, user)
	}
	return u.removeSecrets(user)
}

func (u *Users) removeSecrets(user string) error {
	if err := u.Secrets.Remove(user); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Unlock refills a user's buckets.
func (u *Users) Unlock(user string) error {
	return u.State.Update(user, func(tx *state.Tx) error {
		tx.Unlock()
		return nil
	})
}

// NewRecovery replaces a user's recovery codes by n new ones, which are returned and kept as hashes only.
func (u *Users) NewRecovery(user string, n int) (codes []string, err error) {
	var set *secrets.Recovery
	if set, codes, err = newRecovery(n); err != nil {
		return nil, err
	}
	err = u.State.Update(user, func(tx *state.Tx) error {
		record, err := u.Secrets.Load(user)
		if err != nil {
			return err
		}
		if record.Serial < tx.Serial {
			return device.ErrRolledBack
		}
		record.Recovery, record.Serial = set, secrets.NextSerial(record.Serial, u.Now())
		if err := u.Secrets.Save(record); err != nil {
			return err
		}
		_, err = device.Join(tx.State, record, 0)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNotEnrolled
	}
	if err != nil {
		return nil, err
	}
	return codes, nil
}

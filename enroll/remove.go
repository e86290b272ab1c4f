package enroll

import (
	"errors"
	"io/fs"

	"twokey/device"
	"twokey/secrets"
	"twokey/state"
)

// Unenroll takes a user out altogether: devices, recovery codes, bypass codes, enrolment codes and unfinished enrolments. A user who is not
// enrolled is ErrNotEnrolled, unless an open enrolment code, a reset or something unreadable is left of him, which goes too. The account
// need not exist any more.
func (u *Users) Unenroll(user string) error { return u.end(user, false) }

// Reset ends a user's devices, recovery codes, bypass codes, enrolment codes, unfinished enrolments and remembered sources. He stays bound to
// enrol again: until then he gets in nowhere that he is not exempt. Of who has no device an open enrolment code ends, and nothing else
// changes.
func (u *Users) Reset(user string) error { return u.end(user, true) }

func (u *Users) end(user string, mustEnroll bool) error {
	// First: an enrolment that was begun before must not finish behind the end of the devices, and neither what crashed on the way.
	hadCode := false
	err := u.ending(user, func(n *unfinished) error {
		hadCode = n != nil && n.code != nil && u.Now().Before(n.code.until)
		return nil
	})
	if err != nil {
		return err
	}
	if err = u.endFactor(user, mustEnroll); hadCode && errors.Is(err, ErrNotEnrolled) {
		return nil
	}
	return err
}

// endFactor ends what is there when the user is, or was, enrolled.
func (u *Users) endFactor(user string, mustEnroll bool) error {
	enrolled, err := u.Secrets.Enrolled(user)
	if err != nil {
		return err
	}
	if _, err := u.State.Read(user); enrolled || state.IsDamaged(err) {
		if err := u.ensureEnd(user); err != nil {
			return err
		}
		enrolled = true
	}
	err = u.State.Update(user, func(tx *state.Tx) error {
		if !enrolled && !tx.MustEnroll && len(tx.Devices) == 0 { // devices without a file: it was lost, or a reset was cut short
			return ErrNotEnrolled
		}
		return u.endDevices(tx, mustEnroll)
	})
	if errors.Is(err, fs.ErrNotExist) && !enrolled {
		return ErrNotEnrolled
	}
	return err
}

// endDevices is what happens under the lock. The user id is freed last: before that, an account of another name is not taken for
// somebody who never enrolled.
func (u *Users) endDevices(tx *state.Tx, mustEnroll bool) error {
	if err := errors.Join(tx.EndBypasses(), u.endMessages(tx, mustEnroll)); err != nil {
		return err
	}
	tx.Serial = u.serialBehind(tx.Serial, tx.User)
	if err := u.removeSecrets(tx.User); err != nil {
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
	return u.unbindFrom(tx.UID, tx.User)
}

// endMessages ends what is open on the user's phones. Who is reset may be back in a minute: what he was sent still counts.
func (u *Users) endMessages(tx *state.Tx, stays bool) error {
	if stays {
		return tx.EndMessages(u.Now())
	}
	return tx.RemoveMessages()
}

func (u *Users) removeSecrets(user string) error {
	if err := u.Secrets.Remove(user); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Unlock refills a user's buckets.
func (u *Users) Unlock(user string) error {
	return u.update(user, func(tx *state.Tx) error {
		tx.Unlock()
		return nil
	})
}

// Forget makes every source that a user has succeeded from a stranger again, and ends the logins that are remembered; it returns how
// many there were of both.
func (u *Users) Forget(user string) (sources, remembered int, err error) {
	err = u.update(user, func(tx *state.Tx) error {
		sources, remembered = tx.Kept()
		tx.ForgetSources()
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	return sources, remembered, nil
}

// NewRecovery replaces a user's recovery codes by n new ones, 1 to 20, which are returned and kept as hashes only.
func (u *Users) NewRecovery(user string, n int) (codes []string, err error) {
	var set *secrets.Recovery
	if set, codes, err = newRecovery(n); err != nil {
		return nil, err
	}
	err = u.update(user, func(tx *state.Tx) error {
		record, err := u.Secrets.Load(user)
		switch {
		case err != nil:
			return err
		case record.Serial < tx.Serial:
			return device.ErrRolledBack
		case tx.Restored:
			return device.ErrRestored // new codes would be as closed as the old ones
		}
		record.Recovery, record.Serial = set, secrets.NextSerial(record.Serial, u.Now())
		if err := u.Secrets.Save(record); err != nil {
			return err
		}
		_, err = device.Join(tx.State, record, 0, u.Now())
		return err
	})
	if err != nil {
		return nil, err
	}
	return codes, nil
}

// update changes the state of a user who is enrolled, and still is when his lock is had.
//
// Attack: ask for a bypass code while the user is reset. Made behind that, it would be good when he has enrolled again.
func (u *Users) update(user string, fn func(*state.Tx) error) error {
	if err := u.mustBeEnrolled(user); err != nil {
		return err
	}
	if _, err := u.State.Read(user); errors.Is(err, fs.ErrNotExist) {
		return ErrNoState
	}
	return u.State.Update(user, func(tx *state.Tx) error {
		if err := errors.Join(u.still(tx), u.mustBeEnrolled(user)); err != nil {
			return err
		}
		return fn(tx)
	})
}

func (u *Users) mustBeEnrolled(user string) error {
	enrolled, err := u.Secrets.Enrolled(user)
	if err == nil && !enrolled {
		err = ErrNotEnrolled
	}
	return err
}

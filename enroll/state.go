package enroll

import (
	"errors"
	"io/fs"

	"twokey/device"
	"twokey/internal/safefile"
	"twokey/secrets"
	"twokey/state"
)

// ensureState makes the state, which is also the lock, of a user who has none, or, to replace his devices, one that is damaged. The
// state of somebody who has a secret file must not be a fresh one, even for a moment in which we could be killed: to it his used
// codes and recovery codes would be good again.
func (u *Users) ensureState(d *Draft) error {
	_, err := u.State.Read(d.Account.Name)
	damaged := state.IsDamaged(err)
	if !damaged && !errors.Is(err, fs.ErrNotExist) || damaged && !d.replace {
		return err
	}
	enrolled, err := u.Secrets.Enrolled(d.Account.Name)
	if err != nil {
		return err
	}
	fresh := &state.State{User: d.Account.Name, UID: d.Account.UID}
	if enrolled {
		if fresh, err = u.restored(d); err != nil {
			return err
		}
	}
	if damaged {
		if err := u.State.Remove(d.Account.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := u.State.New(fresh); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil // another enrolment has just made it
}

// restored is the state of a user whose state was lost. A secret file that cannot be read lets nobody in meanwhile.
func (u *Users) restored(d *Draft) (*state.State, error) {
	switch {
	case d.add:
		return nil, ErrNoState
	case !d.replace:
		return nil, ErrEnrolled
	}
	record, err := u.Secrets.Load(d.Account.Name)
	if err != nil {
		return &state.State{User: d.Account.Name, UID: d.Account.UID, Restored: true}, nil
	}
	return device.Restore(record, d.Account.UID, u.Now()), nil
}

// dropUnused takes back the state and the user id of an enrolment that has failed, when nothing is kept there: neither this nor
// another enrolment has put a device in force, and there was none before. Whoever waits for the lock sees that the file has gone.
func (u *Users) dropUnused(tx *state.Tx) error {
	enrolled, err := u.Secrets.Enrolled(tx.User)
	if err != nil || enrolled || tx.Serial != 0 || tx.MustEnroll {
		return err
	}
	return errors.Join(tx.RemoveMessages(), u.unbindFrom(tx.UID, tx.User), u.State.Remove(tx.User))
}

// otherOwner is the name to which the account's user id is bound, when it is not the account's, and whether anything depends on it:
// a device, or the duty to enrol. If not, a binding was left behind by a run that was killed.
func (u *Users) otherOwner(a Account) (owner string, guards bool, err error) {
	owner, err = u.State.NameOf(a.UID)
	if errors.Is(err, fs.ErrNotExist) || err == nil && owner == a.Name {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	if guards, err = u.Secrets.Enrolled(owner); err != nil || guards {
		return owner, guards, err
	}
	st, err := u.State.Read(owner)
	if errors.Is(err, fs.ErrNotExist) {
		return owner, false, nil
	}
	if err != nil {
		return "", false, err
	}
	return owner, st.MustEnroll, nil
}

// unbindFrom frees a user id, unless it is somebody else's by now.
func (u *Users) unbindFrom(uid uint32, name string) error {
	owner, err := u.State.NameOf(uid)
	if errors.Is(err, fs.ErrNotExist) || err == nil && owner != name {
		return nil
	}
	if errors.Is(err, safefile.ErrNoLink) {
		err = nil // what stands there binds it to nobody, and keeps him out who has the number
	}
	return errors.Join(err, u.State.Unbind(uid))
}

// nobody is the user id of a state whose account is not known.
const nobody = ^uint32(0)

// ensureEnd makes the state in which the end of a user's devices is kept, when he has none or it is damaged: it refuses the secret
// file that is there and every older one. Whether the user is enrolled, the caller has to know.
func (u *Users) ensureEnd(user string) error {
	_, err := u.State.Read(user)
	damaged := state.IsDamaged(err)
	if !damaged && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if damaged {
		if err := u.State.Remove(user); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	end := &state.State{User: user, UID: nobody, Serial: u.serialBehind(0, user), Restored: true}
	if err := u.State.New(end); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// serialBehind is above every serial that the state or the present secret file has: a file that is put back later is known to be
// old. With the same serial the recovery codes in it would be good again, for the state does not know that set any more.
func (u *Users) serialBehind(known uint64, user string) uint64 {
	if record, err := u.Secrets.Load(user); err == nil {
		known = max(known, record.Serial)
	}
	return secrets.NextSerial(known, u.Now())
}

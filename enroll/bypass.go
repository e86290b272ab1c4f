package enroll

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"twokey/state"
)

// Errors of bypass codes, which are those of state.
var (
	ErrNoBypass     = state.ErrNoBypass
	ErrManyBypasses = state.ErrManyBypasses
	ErrBypass       = state.ErrBypass
)

// Bypass is a code that lets a user in in the place of his device, for a time and a number of logins.
type Bypass struct {
	ID        string // 8 hexadecimal digits
	Created   time.Time
	Until     time.Time // good until then
	Uses      int       // how often it was good in all, 1 to state.MaxBypassUses
	Left      int       // how often it still is
	Reason    string    // why, 1 to 120 bytes that can be printed
	Requester string    // who asked for it, 1 to 64 bytes
	By        string    // who made it, likewise
}

// NewBypass makes a bypass code for a user who is enrolled (ErrNotEnrolled). Of the wish Until, Uses, Reason, Requester and By count
// (ErrBypass). What was made comes back with its id, and the code, of which only a hash is kept.
func (u *Users) NewBypass(user string, wish Bypass) (made Bypass, text string, err error) {
	text, drawn, err := newCode()
	if err != nil {
		return Bypass{}, "", err
	}
	b := state.Bypass{Until: wholeSeconds(wish.Until), Uses: wish.Uses, Left: wish.Uses, Key: drawn.key, Hash: drawn.hash,
		Reason: wish.Reason, Requester: wish.Requester, By: wish.By}
	if _, err := io.ReadFull(rand.Reader, b.ID[:]); err != nil {
		return Bypass{}, "", err
	}
	err = u.update(user, func(tx *state.Tx) error {
		b.Created = u.Now().UTC().Truncate(time.Second)
		return tx.AddBypass(b, u.Now())
	})
	if err != nil {
		return Bypass{}, "", err
	}
	return shown(b), text, nil
}

func shown(b state.Bypass) Bypass {
	return Bypass{b.ID.String(), b.Created, b.Until, b.Uses, b.Left, b.Reason, b.Requester, b.By}
}

// Bypasses are a user's open bypass codes, the oldest first.
func (u *Users) Bypasses(user string) ([]Bypass, error) {
	open, err := u.State.Bypasses(user, u.Now())
	if err != nil {
		return nil, err
	}
	var all []Bypass
	for _, b := range open {
		all = append(all, shown(b))
	}
	return all, nil
}

// RevokeBypass ends an open bypass code and returns it as it was (ErrNoBypass); the id "" ends all of the user's, and returns the last.
func (u *Users) RevokeBypass(user, id string) (revoked Bypass, err error) {
	err = u.State.Update(user, func(tx *state.Tx) error {
		if id == "" {
			revoked, err = u.revokeAll(tx)
			return err
		}
		wanted, err := hex.DecodeString(id)
		if err != nil || len(wanted) != len(state.BypassID{}) {
			return fmt.Errorf("%w: %q", ErrNoBypass, id)
		}
		ended, err := tx.EndBypass(state.BypassID(wanted), u.Now())
		revoked = shown(ended)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) { // nothing was ever kept of the user
		err = ErrNoBypass
	}
	if err != nil {
		return Bypass{}, err
	}
	return revoked, nil
}

func (u *Users) revokeAll(tx *state.Tx) (last Bypass, err error) {
	open, err := tx.Bypasses(u.Now())
	switch {
	case err != nil:
		return Bypass{}, err
	case len(open) == 0:
		return Bypass{}, ErrNoBypass
	}
	return shown(open[len(open)-1]), tx.EndBypasses()
}

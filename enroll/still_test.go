package enroll

import (
	"errors"
	"testing"

	"twokey/state"
)

// Attack: whoever has stolen a phone proves by it who he is, and sits at a question until the user is reset: his answer must change nothing
// then, nor when the owner has a new device meanwhile.
func TestNothingIsChangedForSomebodyWhoseProofIsOfBefore(t *testing.T) {
	errBefore := errors.New("a proof of before")
	for sentence, change := range map[string]func(*Users) error{
		"a device in the place of the others": func(u *Users) error { return commitAs(u, replacing(usual())) },
		"a device beside the others":          func(u *Users) error { return commitAs(u, adding("tablet")) },
		"recovery codes": func(u *Users) error {
			_, err := u.NewRecovery("alice", 4)
			return err
		},
		"a name":        func(u *Users) error { return u.RenameDevice("alice", "phone", "other") },
		"an end":        func(u *Users) error { return u.SetUntil("alice", "phone", u.Now().AddDate(1, 0, 0)) },
		"a removal":     func(u *Users) error { return u.RemoveDevice("alice", "laptop") },
		"a number":      func(u *Users) error { return u.ChangePhone("alice", "+442079460958", false) },
		"the throttle":  func(u *Users) error { return u.Unlock("alice") },
		"bypass codes":  func(u *Users) error { _, _, err := u.NewBypass("alice", Bypass{}); return err },
		"known sources": func(u *Users) error { _, _, err := u.Forget("alice"); return err },
	} {
		u, _ := scratch(t)
		phone := enrolled(t, u, alice, usual())
		laptop := enrolled(t, u, alice, adding("laptop"))
		before, err := u.Secrets.Load("alice")
		must(t, err)
		u.Still = func(tx *state.Tx) error {
			if tx.User != "alice" || tx.Serial != before.Serial {
				t.Errorf("%s: asked of %s, %d", sentence, tx.User, tx.Serial)
			}
			return errBefore
		}
		want(t, change(u), errBefore)
		u.Still = nil
		after, err := u.Secrets.Load("alice")
		must(t, err)
		if after.Serial != before.Serial {
			t.Errorf("%s was changed", sentence)
		}
		must(t, login(u, alice, code2(t, u, phone)))
		must(t, login(u, alice, code2(t, u, laptop)))
		u.Still = func(*state.Tx) error { return errBefore }
		must(t, u.Reset("alice"))
	}
}

func commitAs(u *Users, r Request) error {
	d, err := u.Draft(alice, r)
	if err != nil {
		return err
	}
	return u.Commit(d)
}

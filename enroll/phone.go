package enroll

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"twokey/device"
	"twokey/factor"
	"twokey/secrets"
	"twokey/state"
)

// A number counts only when a code that was sent to it has come back: whoever mistypes it, or names another's, would have the codes of
// his logins sent to a stranger. The code is in the draft of the process that has sent it, and nowhere else: another process sends another.

// challengeTries is how many wrong answers one message allows.
const challengeTries = 3

// The reasons for which a device of sms or push is not made.
var (
	ErrNoPhone     = errors.New("no telephone number to which texts could be sent")
	ErrNoProvider  = errors.New("no provider that would ask the phone")
	ErrUnconfirmed = errors.New("nothing that was sent to the phone has come back")
	ErrNotOfPhone  = errors.New("nothing that has to come back is sent to a device of this method")
	ErrSamePhone   = errors.New("the user has a device of this method: no user has two of sms, or two of push")
)

// challenge is the code that was sent to the number of a draft.
type challenge struct {
	key   [32]byte
	hash  [16]byte
	until time.Time
	left  int
}

// Phone is the number to which the code of Challenge has to be sent.
func (d *Draft) Phone() string { return d.phone }

// Challenge draws the code to send to the number of a draft of sms (else ErrNotOfPhone), of 6 to 10 digits and good until then, for three
// answers that Confirm checks. It ends the one before. Whether one more may be sent TakeText says.
func (d *Draft) Challenge(digits int, until time.Time) (code string, err error) {
	if d.Device.Method != device.SMS {
		return "", ErrNotOfPhone
	}
	c := &challenge{until: until, left: challengeTries}
	if _, err := io.ReadFull(rand.Reader, c.key[:]); err != nil {
		return "", err
	}
	code = factor.NewChallengeCode(digits)
	c.hash = factor.HashChallenge(c.key[:], d.Device.ID, [8]byte{}, d.phone, code)
	d.sent = c
	return code, nil
}

// answer is Confirm for a draft of sms: the try is charged first, and a right code is gone.
func (d *Draft) answer(typed string, now time.Time) bool {
	c := d.sent
	if c == nil || !now.Before(c.until) {
		return false
	}
	if c.left--; c.left == 0 {
		d.sent = nil
	}
	if !factor.MatchChallenge(c.key[:], d.Device.ID, [8]byte{}, d.phone, typed, c.hash) {
		return false
	}
	d.sent, d.confirmed = nil, true
	return true
}

// ConfirmPush notes that a push that was sent for a draft of push (else ErrNotOfPhone) was allowed on the phone.
func (d *Draft) ConfirmPush() error {
	if d.Device.Method != device.Push {
		return ErrNotOfPhone
	}
	d.confirmed = true
	return nil
}

// Confirmed reports whether what was sent for the draft has come back.
func (d *Draft) Confirmed() bool { return d.confirmed }

// TakeText takes one text to an account from the caps of the user and of the host (1 to 10000 in an hour), before a code is sent for a
// draft: *state.LimitError, state.ErrHostLimit. Of who has no state yet it is kept with his unfinished enrolment.
//
// Attack: begin to enrol again and again, with numbers at the other end of the world, at the owner's cost.
func (u *Users) TakeText(a Account, perHour int) error {
	return u.take(a, func(m *state.Messages) error { return m.TakeText(u.State, u.Now(), perHour) })
}

// TakePush takes one push to an account from the caps of the user, before it is sent to the phone that he has with a provider already:
// *state.LimitError. Of who has no state yet it is kept with his unfinished enrolment.
//
// Attack: with the password of who has nothing yet, let his phone ring until he allows it.
func (u *Users) TakePush(a Account) error {
	return u.take(a, func(m *state.Messages) error { return m.TakePush(u.Now()) })
}

func (u *Users) take(a Account, one func(*state.Messages) error) error {
	err := u.State.Update(a.Name, func(tx *state.Tx) error {
		m, err := tx.Messages(u.Now())
		if err != nil {
			return err
		}
		if err := one(m); err != nil {
			return err
		}
		return tx.SaveMessages(m)
	})
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var refused error
	err = u.change(a, func(n *unfinished) error {
		m := state.Messages{Texts: n.texts}
		refused = one(&m)
		n.texts = m.Texts
		return nil
	})
	return cmp.Or(err, refused)
}

// countTexts counts texts that were sent before there was a state among those of the user.
//
// Attack: link one's own number with the last text that may be sent, and have three more at once.
func (u *Users) countTexts(tx *state.Tx, texts []time.Time) error {
	if len(texts) == 0 {
		return nil
	}
	m, err := tx.Messages(u.Now())
	if err != nil {
		return err
	}
	m.Texts = append(m.Texts, texts...)
	slices.SortFunc(m.Texts, time.Time.Compare)
	return tx.SaveMessages(m)
}

// ChangePhone gives a user another telephone number, in the form of E.164 ("+" and 7 to 15 digits), or "" for none (ErrNoPhone for who has
// a device of sms). Confirmed is for a number to which a code was sent that has come back (see Challenge). What was open of the old one ends.
func (u *Users) ChangePhone(user, number string, confirmed bool) error {
	return u.edit(user, func(r *secrets.Record) error {
		r.Phone, r.PhoneConfirmed = number, confirmed && number != ""
		return phoneNeeded(r)
	})
}

// phoneNeeded is ErrNoPhone for a record whose texts would go nowhere.
func phoneNeeded(r *secrets.Record) error {
	if r.Phone == "" && slices.ContainsFunc(r.Devices, func(d secrets.Device) bool { return d.Method == device.SMS }) {
		return ErrNoPhone
	}
	return nil
}

// checkPhone is for a request of sms or push.
func (r *Request) checkPhone(p factor.Params) error {
	switch {
	case p.Method == device.SMS && r.Phone == "":
		return ErrNoPhone
	case p.Method == device.Push && r.Provider == "":
		return ErrNoProvider
	case len(p.Secret) != secrets.PhoneSecret:
		return fmt.Errorf("secret of %d bytes, want %d for %s", len(p.Secret), secrets.PhoneSecret, p.Method)
	case p.Digits != 0 || p.Period != 0 || p.Algorithm != "" || r.Counter != 0:
		return fmt.Errorf("%s has no digits, period, algorithm or counter", p.Method)
	}
	return nil
}

// phones is to what a user is sent something.
type phones struct {
	number    string
	sms, push secrets.ID
}

func phonesOf(r *secrets.Record) phones {
	p := phones{number: r.Phone}
	for _, d := range r.Devices {
		switch d.Method {
		case device.SMS:
			p.sms = d.ID
		case device.Push:
			p.push = d.ID
		}
	}
	return p
}

// settle is called before a record takes the place of one with other phones: what was sent to those ends, and for new ones there is room to
// write. It ends first: killed in between, a user has to ask for another code.
func (u *Users) settle(tx *state.Tx, was phones, record *secrets.Record, replaced bool) error {
	now := phonesOf(record)
	if now != was || replaced {
		if err := tx.EndMessages(u.Now()); err != nil {
			return err
		}
	}
	if now.sms == (secrets.ID{}) && now.push == (secrets.ID{}) {
		return nil
	}
	return tx.PrepareMessages()
}

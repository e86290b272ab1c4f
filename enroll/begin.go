package enroll

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"twokey/device"
	"twokey/factor"
	"twokey/secrets"
)

// keptFor is how long an unfinished enrolment is shown again: a connection that was cut shows the same QR code.
const keptFor = 15 * time.Minute

// ErrEnded is for an enrolment that was ended while it was not finished: by a reset, a new enrolment code, or another one that was quicker.
var ErrEnded = errors.New("the enrolment was ended, or another one finished first")

// Begin gives an account that has no device (ErrEnrolled) a draft that outlives the process: the unfinished one of at most 15 minutes ago
// if its wish is the same, and comes from the same place, else a new one in its place. Its device and recovery codes are good for nothing
// until Finish. Code, if one was given, must be good still: ErrCodeEnded, or ErrEnded when it is not the user's open one any more.
// The request's Add and Replace do not matter: there is nothing to add to.
//
// Attack: whoever has stolen password and code gives both, and sits at the next question until the administrator has reset the user and
// made another code. Or he photographs the QR code and goes: the owner, who logs in from elsewhere, would put the same secret in force.
func (u *Users) Begin(a Account, r Request) (*Draft, error) {
	r.Add, r.Replace = false, false
	if err := u.checkOwner(a); err != nil {
		return nil, err // before he has taken the trouble
	}
	var d *Draft
	err := u.change(a, func(n *unfinished) error {
		enrolled, err := u.Secrets.Enrolled(a.Name)
		switch {
		case err != nil:
			return err
		case enrolled:
			return ErrEnrolled
		}
		if err := u.stillOpen(n, a, r.Code); err != nil {
			return err
		}
		if d = u.resume(n, a, r); d != nil {
			return nil
		}
		if d, err = u.Draft(a, r); err != nil {
			return err
		}
		n.draft, err = u.keep(d)
		return err
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// stillOpen checks the code again that was given for a beginning.
func (u *Users) stillOpen(n *unfinished, a Account, code string) error {
	if code == "" {
		return nil
	}
	err := n.check(a, code, u.Now())
	if errors.Is(err, ErrNoCode) || errors.Is(err, ErrCodeWrong) {
		return ErrEnded
	}
	return err
}

// Finish is Commit for a draft of Begin: only if the unfinished enrolment still is this one (ErrEnded), so that of two exactly one wins.
// The enrolment code is used up with it. A draft of sms or push must be confirmed (ErrUnconfirmed): whoever enrols himself has to have the phone.
func (u *Users) Finish(d *Draft) error {
	if device.IsOutOfBand(d.Device.Method) && !d.confirmed {
		return ErrUnconfirmed
	}
	return u.ending(d.Account.Name, func(n *unfinished) error {
		if n == nil || n.draft == nil || n.uid != d.Account.UID || n.draft.id != d.Device.ID {
			return ErrEnded
		}
		d.texts = n.texts
		return u.putInForce(d)
	})
}

// resume is the draft that is kept, if it is what is wished for. One that cannot be opened any more is none.
func (u *Users) resume(n *unfinished, a Account, r Request) *Draft {
	if n.draft == nil {
		return nil
	}
	age := u.Now().Sub(n.draft.begun)
	if age < 0 || age >= keptFor {
		return nil
	}
	d, err := u.openKept(n.draft, a)
	if err != nil || !d.fulfils(r) {
		return nil
	}
	d.by = r.By
	return d
}

// fulfils reports whether the draft is what a request would make, but for what is drawn at random.
func (d *Draft) fulfils(r Request) bool {
	p, have := r.Params, device.Params(d.Device)
	if p.Secret == nil {
		p.Secret = have.Secret
	}
	sameCodes := p.Method == have.Method && bytes.Equal(p.Secret, have.Secret) && p.Digits == have.Digits && p.Period == have.Period &&
		p.Algorithm == have.Algorithm && r.Counter == d.Device.Counter
	return sameCodes && r.Device == d.Device.Name && r.Issuer == d.Device.Issuer && r.Label == d.Device.Label &&
		r.Recovery == len(d.RecoveryCodes) && wholeSeconds(r.Until).Equal(d.Device.Until) && r.Phone == d.phone &&
		r.From == d.from && (d.Device.Method != device.Push || r.Provider == d.Device.Provider)
}

// keptDraft is a draft as it is sealed.
type keptDraft struct {
	Device      secrets.Device `json:"device"`
	Phone       string         `json:"phone,omitempty"`
	From        string         `json:"from,omitempty"`
	Codes       []string       `json:"recovery_codes,omitempty"`
	RecoveryID  []byte         `json:"recovery_id,omitempty"`
	RecoveryKey []byte         `json:"recovery_key,omitempty"`
}

// purpose is the info of the note, which binds it to its user.
func purpose(user string) string { return "enrolment of " + user }

func (u *Users) keep(d *Draft) (*kept, error) {
	plain := keptDraft{Device: d.Device, Phone: d.phone, From: d.from, Codes: d.RecoveryCodes}
	if d.recovery != nil {
		plain.RecoveryID, plain.RecoveryKey = d.recovery.ID[:], d.recovery.Key[:]
	}
	content, err := json.Marshal(plain)
	if err != nil {
		return nil, err
	}
	defer clear(content)
	sealed, err := u.Secrets.SealNote(purpose(d.Account.Name), content)
	if err != nil {
		return nil, err
	}
	return &kept{id: d.Device.ID, begun: u.Now(), sealed: sealed}, nil
}

func (u *Users) openKept(k *kept, a Account) (*Draft, error) {
	content, err := u.Secrets.OpenNote(purpose(a.Name), k.sealed)
	if err != nil {
		return nil, err
	}
	defer clear(content)
	var plain keptDraft
	if err := json.Unmarshal(content, &plain); err != nil {
		return nil, err
	}
	if plain.Device.ID != secrets.ID(k.id) {
		return nil, fmt.Errorf("%w: another draft's", errUnfinished)
	}
	d := &Draft{Account: a, Device: plain.Device, phone: plain.Phone, from: plain.From, RecoveryCodes: plain.Codes, consumed: plain.Device.Counter}
	if device.IsOutOfBand(d.Device.Method) {
		return d.withRecovery(plain)
	}
	if d.URI, err = factor.URI(d.Device.Label, d.Device.Issuer, device.Params(d.Device), d.Device.Counter); err != nil {
		return nil, err
	}
	return d.withRecovery(plain)
}

func (d *Draft) withRecovery(plain keptDraft) (_ *Draft, err error) {
	if len(plain.Codes) > 0 {
		if d.recovery, err = plain.recovery(); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// recovery makes the set of the recovery codes again.
func (k keptDraft) recovery() (*secrets.Recovery, error) {
	set := &secrets.Recovery{}
	if copy(set.ID[:], k.RecoveryID) != len(set.ID) || copy(set.Key[:], k.RecoveryKey) != len(set.Key) {
		return nil, errUnfinished
	}
	for _, text := range k.Codes {
		hash, err := factor.HashRecovery(set.Key, text)
		if err != nil {
			return nil, err
		}
		set.Hashes = append(set.Hashes, hash)
	}
	return set, nil
}

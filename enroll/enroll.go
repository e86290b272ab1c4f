// Package enroll gives a user a second factor, and takes it away: the secret file and the state change together, under the lock of
// the user's state, and in an order in which a crash or a full disk at any point leaves the old device working.
//
//   - A user gets a device: the state exists first (it is the lock), then the secret file is replaced in one step, then the state
//     learns of it. What the state has not learned, the next login tells it (package device). The states of many new users
//     are locked until all three are done.
//   - A user loses his devices: the secret file goes first. The state stays behind without devices, so that an old secret file
//     that is put back is known to be old.
//   - A user enrols himself inside a login: a draft is kept, good for nothing, until he has confirmed it (see unfinishedformat.go).
//
// What it must and must not do, each with a test:
//
//   - MUST leave the old device or the new one at a kill at any step (TestAKillAtEveryStepLeavesTheOldOrTheNew).
//   - MUST let one of several win that put a first device in force (TestOfTwoThatFinishOneWins, TestOfABatchAndACommitAtOnceOneWins).
//   - MUST NOT let what is not finished let anybody in (TestAnUnfinishedEnrolmentIsGoodForNothing).
//   - MUST NOT begin anything for a code that was ended since it was given (TestNothingBeginsForACodeThatWasEndedSince).
//   - MUST NOT show what was begun to somebody elsewhere (TestABeginningIsNotShownElsewhere).
//   - MUST end what was begun before with a reset or a new code (TestWhatEndsAnEnrolmentCodeAndTheDraftBegunWithIt).
//   - MUST NOT give an announcement to another process than its own (TestAnAnnouncementIsTakenOnceByItsProcessAlone).
//   - MUST NOT take a user's last device away by the name of it, whatever happens at once (TestDevicesRemovedAtOnceLeaveOne).
//   - MUST NOT build on a secret file that is older than one seen before (TestNothingIsAddedToOrTakenFromAnOldFile).
//   - MUST end bypass codes with the devices (TestWhatEndsABypassCode).
//   - MUST take a number for confirmed only when a code that was sent there has come back (TestANumberCountsWhenItsCodeHasComeBack).
//   - MUST end what is open of a phone with the phone, the number and the user (TestWhatEndsWhatIsOpenOnAPhone).
//   - MUST NOT keep a code in clear, nor a draft without the host key (TestNoCodeAndNoSecretStandsInClear).
package enroll

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"twokey/device"
	"twokey/factor"
	"twokey/secrets"
	"twokey/state"
)

// Errors on which a caller may branch. Others come from secrets, state and safefile.
var (
	ErrEnrolled    = errors.New("already enrolled")
	ErrNotEnrolled = errors.New("not enrolled")
	ErrSameSecret  = errors.New("the user has had this secret: its used codes would be good again")
	ErrOtherUID    = errors.New("enrolled under another user id")
	ErrOtherName   = errors.New("the user id was enrolled under another name")
	ErrNoState     = errors.New("enrolled, but without a state: on a restored host, or by a file from elsewhere")
)

// Account is who is enrolled: the canonical name and the user id of the name service, never what somebody typed.
type Account struct {
	Name string
	UID  uint32
}

// Users changes users' devices.
type Users struct {
	Secrets *secrets.Store
	State   *state.Store
	Now     func() time.Time

	// Still is asked under the lock of a user's state before his devices or recovery codes are changed, and its error is returned in
	// place of the change; nil asks nothing. It is for who has proven who he is and may have sat at a question since. Reset and Unenroll
	// do not ask it.
	Still func(*state.Tx) error
}

func (u *Users) still(tx *state.Tx) error {
	if u.Still == nil {
		return nil
	}
	return u.Still(tx)
}

// Request is the device to be made.
type Request struct {
	Device   string        // its name: "phone"
	Params   factor.Params // Secret nil: a new one of 160 bits, RFC 4226 section 4, R6
	Counter  uint64        // hotp: the next one
	Issuer   string        // what the app shows above the code
	Label    string        // what it shows below: alice@host
	Recovery int           // recovery codes to make, 0 to 20
	Replace  bool          // take the place of all devices that there are
	Add      bool          // stand beside the devices that there are, at most 10; recovery codes stay unless new ones are made
	Phone    string        // the user's telephone number in the form of E.164; "": as it was
	Provider string        // push: the service with which the phone is linked; for all others it does not matter
	Until    time.Time     // when the device expires, in whole seconds; zero: never
	By       string        // who adds it, for the notice that the user gets: "root (carol)"

	// For Begin: the enrolment code that was given for it ("": none is wanted), and where from, at most 32 bytes.
	Code, From string

	AllowShort bool // take a secret of 10 to 15 bytes, which the user's present token has
}

// Draft is a device that is not in force yet: it can be shown and confirmed first.
type Draft struct {
	Account       Account
	Device        secrets.Device
	URI           string   // otpauth address
	RecoveryCodes []string // shown once, kept as hashes only
	recovery      *secrets.Recovery
	replace       bool
	add           bool
	phone         string
	by            string
	from          string
	consumed      uint64
	sent          *challenge  // of sms: what was sent and not answered yet
	confirmed     bool        // of sms and push: what was sent has come back
	texts         []time.Time // that were sent before there was a state to count them in, the oldest first
}

// codes is what the device makes its codes of, or what is sent to it.
func (r *Request) codes() (factor.Params, error) {
	p, size := r.Params, secretSize
	if device.IsOutOfBand(string(p.Method)) {
		size = secrets.PhoneSecret
	}
	if p.Secret == nil {
		p.Secret = make([]byte, size)
		if _, err := io.ReadFull(rand.Reader, p.Secret); err != nil {
			return factor.Params{}, err
		}
	}
	if device.IsOutOfBand(string(p.Method)) {
		return p, r.checkPhone(p)
	}
	if err := p.Check(); err != nil && !(r.AllowShort && errors.Is(err, factor.ErrShortSecret)) {
		return factor.Params{}, err
	}
	return p, nil
}

// secretSize is 160 bits, the length that RFC 4226 section 4 recommends and every app takes.
const secretSize = 20

// Draft makes a device without writing anything.
func (u *Users) Draft(a Account, r Request) (*Draft, error) {
	p, err := r.codes()
	if err != nil {
		return nil, err
	}
	uri := ""
	if !device.IsOutOfBand(string(p.Method)) {
		if uri, err = factor.URI(r.Label, r.Issuer, p, r.Counter); err != nil {
			return nil, err
		}
	}
	d := &Draft{Account: a, URI: uri, replace: r.Replace, add: r.Add, phone: r.Phone, by: r.By, from: r.From, consumed: r.Counter}
	d.Device = secrets.Device{Name: r.Device, Method: string(p.Method), Secret: p.Secret, Digits: p.Digits, Period: p.Period,
		Algorithm: string(p.Algorithm), Counter: r.Counter, Issuer: r.Issuer, Label: r.Label, Created: wholeSeconds(u.Now()),
		Until: wholeSeconds(r.Until)}
	if d.Device.Method == device.Push {
		d.Device.Provider = r.Provider
	}
	if _, err := io.ReadFull(rand.Reader, d.Device.ID[:]); err != nil {
		return nil, err
	}
	if r.Recovery > 0 {
		if d.recovery, d.RecoveryCodes, err = newRecovery(r.Recovery); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// Format prints whose draft it is and nothing else, whatever the verb: the address is the secret.
func (d *Draft) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "draft of %v for %q", d.Device, d.Account.Name)
}

// newRecovery draws a set of recovery codes with a key of its own.
func newRecovery(n int) (*secrets.Recovery, []string, error) {
	codes, err := factor.NewRecoveryCodes(rand.Reader, n)
	if err != nil {
		return nil, nil, err
	}
	set := &secrets.Recovery{}
	for _, random := range [][]byte{set.ID[:], set.Key[:]} {
		if _, err := io.ReadFull(rand.Reader, random); err != nil {
			return nil, nil, err
		}
	}
	if set.Hashes, err = factor.HashRecoveries(set.Key, codes); err != nil {
		return nil, nil, err
	}
	return set, codes, nil
}

// Confirm reports whether the code is right for the draft, and uses it up: it is not good for a login any more. For a draft of sms it is
// the code of Challenge; for one of push there is none.
func (u *Users) Confirm(d *Draft, answer string, discrepancy int) bool {
	if device.IsOutOfBand(d.Device.Method) {
		return d.answer(answer, u.Now())
	}
	p, typed := device.Params(d.Device), factor.ParseAnswer(answer)
	if typed.Kind != factor.Digits {
		return false
	}
	var m factor.Match
	if p.Method == factor.HOTP {
		m = p.MatchHOTP(typed.Text, d.consumed, device.LookAhead)
		m.Counter++
	} else {
		m = p.MatchTOTP(typed.Text, u.Now(), discrepancy, d.consumed)
	}
	if m.OK {
		d.consumed = m.Counter
	}
	return m.OK
}

// commitTries is how often Commit begins again when the state that it made is taken away by another enrolment that failed.
const commitTries = 5

// Commit puts a draft in force. On any error what was there before stays in force. An enrolment code, and an enrolment that is not
// finished, end with it.
func (u *Users) Commit(d *Draft) error {
	return u.ending(d.Account.Name, func(n *unfinished) error {
		if n != nil && n.uid == d.Account.UID {
			d.texts = n.texts
		}
		return u.putInForce(d)
	})
}

func (u *Users) putInForce(d *Draft) error {
	if err := u.checkOwner(d.Account); err != nil {
		return err
	}
	err := fs.ErrNotExist
	for try := 0; try < commitTries && errors.Is(err, fs.ErrNotExist); try++ {
		if err := u.ensureState(d); err != nil {
			return err
		}
		err = u.State.Update(d.Account.Name, func(tx *state.Tx) error {
			if err := u.commit(tx, d); err != nil {
				return errors.Join(err, u.dropUnused(tx))
			}
			return nil
		})
	}
	return err
}

func (u *Users) commit(tx *state.Tx, d *Draft) error {
	if err := u.still(tx); err != nil {
		return err
	}
	enrolled, err := u.Secrets.Enrolled(tx.User)
	if err != nil {
		return err
	}
	record, err := u.present(tx, d, enrolled)
	if err != nil {
		return err
	}
	was := phonesOf(record)
	if err := d.putInto(record); err != nil {
		return err
	}
	if err := u.settle(tx, was, record, d.replace); err != nil {
		return err
	}
	if err := u.countTexts(tx, d.texts); err != nil {
		return err
	}
	record.Serial = secrets.NextSerial(max(record.Serial, tx.Serial), u.Now())
	if err := u.State.Bind(d.Account.UID, d.Account.Name); err != nil {
		return err
	}
	if err := u.save(record, enrolled); err != nil {
		return err
	}
	return u.learn(tx, record, d)
}

// save replaces the file that the user has, or makes his first: in a batch (CommitAll) another may do that without the lock.
func (u *Users) save(record *secrets.Record, enrolled bool) error {
	if enrolled {
		return u.Secrets.Save(record)
	}
	err := u.Secrets.SaveNew(record)
	if errors.Is(err, fs.ErrExist) {
		return ErrEnrolled
	}
	return err
}

// putInto makes the record what it is with the draft: its device beside the others or in their place. On an error it is unchanged.
func (d *Draft) putInto(record *secrets.Record) error {
	for _, old := range record.Devices {
		switch {
		case string(old.Secret) == string(d.Device.Secret):
			return ErrSameSecret
		case d.add && old.Name == d.Device.Name:
			return ErrDeviceName
		case d.add && old.Method == d.Device.Method && device.IsOutOfBand(old.Method):
			return ErrSamePhone
		}
	}
	if d.add && len(record.Devices) >= secrets.MaxDevices {
		return ErrManyDevices
	}
	if !d.add {
		record.Devices, record.Recovery = nil, nil
	}
	record.Devices = append(record.Devices, d.Device)
	if d.recovery != nil {
		record.Recovery = d.recovery
	}
	if d.phone != "" && d.phone != record.Phone {
		record.Phone, record.PhoneConfirmed = d.phone, false
	}
	if d.confirmed && d.Device.Method == device.SMS {
		record.PhoneConfirmed = true
	}
	return nil
}

// present is what the user has now; a draft that replaces it may replace what cannot be read, whose serial the state knows.
func (u *Users) present(tx *state.Tx, d *Draft, enrolled bool) (*secrets.Record, error) {
	nothing := &secrets.Record{User: d.Account.Name}
	switch {
	case !enrolled:
		return nothing, nil
	case !d.replace && !d.add:
		return nil, ErrEnrolled
	}
	record, err := u.Secrets.Load(d.Account.Name)
	switch {
	case err != nil && d.add:
		return nil, err
	case err != nil:
		return nothing, nil
	case tx.UID != d.Account.UID:
		return nil, ErrOtherUID
	case d.add && record.Serial < tx.Serial:
		return nil, device.ErrRolledBack
	case d.add && tx.Restored:
		return nil, device.ErrRestored // it would open what is closed
	}
	return record, nil
}

// learn tells the state of the new secret file.
func (u *Users) learn(tx *state.Tx, record *secrets.Record, d *Draft) error {
	before := tx.UID
	tx.UID, tx.Restored, tx.MustEnroll = d.Account.UID, false, false
	if _, err := device.Join(tx.State, record, 0, u.Now()); err != nil {
		return err
	}
	d.tell(tx.State)
	if before == tx.UID {
		return nil
	}
	return u.unbindFrom(before, tx.User)
}

// checkOwner refuses an account whose user id is bound to another name that has something to guard.
func (u *Users) checkOwner(a Account) error {
	owner, guards, err := u.otherOwner(a)
	if err == nil && guards {
		err = fmt.Errorf("%w: %q", ErrOtherName, owner)
	}
	return err
}

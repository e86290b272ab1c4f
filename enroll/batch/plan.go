package batch

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"twokey/audit"
	"twokey/device"
	"twokey/enroll"
	"twokey/factor"
	"twokey/secrets"
	"twokey/state"
)

// Job makes users what a file says. Several goroutines may plan with it.
type Job struct {
	Users      *enroll.Users
	Usual      Usual
	By         string // who adds devices, for the notice that their owners get
	AllowShort bool
	Expired    bool                                      // devices are made also when their time is over
	Lookup     func(name string) (enroll.Account, error) // of the name service; a user whom it does not know is an error

	lock  sync.Mutex // of usual and last
	usual *Device
	last  described
}

// Plan is what has to be done for one user. It is for one goroutine.
type Plan struct {
	User    *User
	Account enroll.Account // zero for a user who is to be absent
	Changes []audit.Change // what is other than the file says; none: nothing
	Ends    bool           // a device ends with it
	Secret  bool           // a secret or recovery codes are made that somebody has to be given

	Loose bool // recovery codes are made without a device

	// When the plan is carried out:
	Drafts []*enroll.Draft // the devices that are made, from just before they are in force; after a failure those that surely are not
	Codes  []string        // new recovery codes
	Done   []audit.Change  // of the changes, those that were made
	Err    error           // why it could not be planned, or not be done, or not all of it

	isNew  bool   // has no device
	codes  int    // recovery codes to make
	phone  string // with new devices, for those to which texts are sent; with the first, where nothing was before
	add    []*Device
	alter  *enroll.Alteration // of who has devices; nil: nothing
	learn  *secrets.Record    // newer than the state
	remove bool               // altogether
}

// Idle reports whether there is nothing to be done.
func (p *Plan) Idle() bool { return len(p.Changes) == 0 && p.learn == nil }

// PhoneField is the field of a change of a telephone number, which stands there in full: a log keeps less of it.
const PhoneField = "phone"

// Errors of a plan, beside those of enroll and of the name service.
var (
	ErrNoneLeft    = errors.New("no device would be left: \"present: false\" for the user takes everything away")
	ErrManyDevices = fmt.Errorf("more than %d devices", MaxDevices)
)

// Plan finds out what a user lacks. It looks at the state, and decrypts his secrets only where the file says something that does not
// stand there. It changes nothing.
func (j *Job) Plan(u *User) *Plan {
	p := &Plan{User: u}
	if u.Absent {
		p.Err = j.planAbsence(p)
	} else if p.Account, p.Err = j.Lookup(u.Name); p.Err == nil {
		p.Err = j.plan(p)
	}
	return p
}

func (j *Job) planAbsence(p *Plan) error {
	enrolled, err := j.Users.Secrets.Enrolled(p.User.Name)
	if err != nil {
		return err
	}
	st, err := j.Users.State.Read(p.User.Name)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	left := st != nil && (st.MustEnroll || len(st.Devices) > 0)
	if enrolled || left || state.IsDamaged(err) {
		p.remove, p.Ends = true, true
		p.note("second_factor", "enrolled", "none")
	} else if err != nil {
		return err
	}
	return j.planCodeEnd(p)
}

// planCodeEnd ends an open enrolment code of who is to be absent. One that cannot be read does not keep his devices.
//
// Attack: who has left links a phone by the code that he was sent before, wherever a group or a rule still requires him.
func (j *Job) planCodeEnd(p *Plan) error {
	_, open, err := j.Users.CodeOpen(p.User.Name)
	if open {
		p.remove = true
		p.note("enrolment_code", "open", "ended")
	}
	if p.remove {
		return nil
	}
	return err
}

func (j *Job) plan(p *Plan) error {
	enrolled, err := j.Users.Secrets.Enrolled(p.User.Name)
	switch {
	case err != nil:
		return err
	case !enrolled && p.User.NoDevice:
		return p.User.withoutDevice()
	case !enrolled:
		return j.planNew(p)
	}
	st, err := j.Users.State.Read(p.User.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return enroll.ErrNoState
	case err != nil:
		return err
	case st.UID != p.Account.UID:
		return enroll.ErrOtherUID
	}
	if p.User.inState(st) {
		return nil
	}
	record, err := j.Users.Secrets.Load(p.User.Name)
	switch {
	case err != nil:
		return err
	case record.Serial < st.Serial:
		return device.ErrRolledBack
	case record.Serial > st.Serial:
		p.learn = record
	}
	return j.compare(p, st, record)
}

// inState reports whether the state alone tells that nothing is to be done. It may lack what is in the secret file, never have more
// than was there.
func (u *User) inState(st *state.State) bool {
	if u.Phone != nil || u.Recovery != nil && *u.Recovery > 0 && st.Recovery.Total == 0 {
		return false
	}
	for _, want := range u.Devices {
		i := slices.IndexFunc(st.Devices, func(d state.Device) bool { return d.Name == want.Name })
		if want.Absent != (i < 0) || want.inSecrets() {
			return false
		}
		if !want.Absent && want.Until != nil && !want.Until.Equal(st.Devices[i].Until) {
			return false
		}
	}
	return true
}

// inSecrets reports whether something is given that only the secret file tells.
func (d *Device) inSecrets() bool {
	return d.Method != "" || d.Digits != 0 || d.Period != 0 || d.Algorithm != "" || d.Provider != "" || d.Secret != nil
}

// planNew is for a user without a device.
func (j *Job) planNew(p *Plan) error {
	if err := j.Users.MayEnroll(p.Account); err != nil {
		return err
	}
	for i := range p.User.Devices {
		if d := &p.User.Devices[i]; !d.Absent {
			p.add = append(p.add, d)
		}
	}
	switch {
	case len(p.add) == 0 && len(p.User.Devices) > 0:
		return nil // devices that are to be absent, and are
	case len(p.add) == 0:
		p.add = []*Device{j.usualDevice()}
	}
	if phone := p.User.Phone; phone != nil && *phone != "" {
		p.phone = *phone
	}
	for i, d := range p.add {
		if other := sameSecret(p.add[:i], d); other != "" {
			return d.wrong(fmt.Errorf("%w: that of %q", enroll.ErrSameSecret, other))
		}
		if err := j.noteNew(p, d, ""); err != nil {
			return err
		}
	}
	p.isNew, p.codes = true, j.Usual.Recovery
	if p.User.Recovery != nil {
		p.codes = *p.User.Recovery
	}
	if p.phone != "" {
		p.note(PhoneField, "", p.phone)
	}
	p.noteCodes()
	return nil
}

// withoutDevice is for a user who has no device and need not have one.
func (u *User) withoutDevice() error {
	if u.Phone != nil && *u.Phone != "" || u.Recovery != nil && *u.Recovery > 0 {
		return errors.New("a phone number and recovery codes are kept with a device: give one")
	}
	return nil
}

func sameSecret(others []*Device, d *Device) string {
	for _, other := range others {
		if d.Secret != nil && bytes.Equal(other.Secret, d.Secret) {
			return other.Name
		}
	}
	return ""
}

// compare is for a user who has devices.
func (j *Job) compare(p *Plan, st *state.State, record *secrets.Record) error {
	if p.phone = record.Phone; p.User.Phone != nil {
		p.phone = *p.User.Phone
	}
	for i := range p.User.Devices {
		if err := j.compareDevice(p, &p.User.Devices[i], record); err != nil {
			return err
		}
	}
	left := len(record.Devices) - len(p.alteration().Remove) + len(p.add)
	if err := p.checkPhones(record); err != nil {
		return err
	}
	switch {
	case left == 0:
		return ErrNoneLeft
	case left > MaxDevices:
		return ErrManyDevices
	case st.Restored && len(p.add) > 0:
		return device.ErrRestored
	}
	if phone := p.User.Phone; phone != nil && *phone != record.Phone {
		p.alteration().Phone = phone
		p.note(PhoneField, record.Phone, *phone)
	}
	if p.User.Recovery != nil && record.Recovery == nil {
		p.codes = *p.User.Recovery
	}
	p.noteCodes()
	return nil
}

// checkPhones refuses a second device of sms or push, and one of sms without a number.
func (p *Plan) checkPhones(record *secrets.Record) error {
	there := map[string]bool{}
	for _, d := range record.Devices {
		if device.IsOutOfBand(d.Method) && !slices.Contains(p.alter.Remove, d.Name) {
			there[d.Method] = true
		}
	}
	for _, d := range p.add {
		if d.sent() && there[string(d.Method)] {
			return d.wrong(enroll.ErrSamePhone)
		}
	}
	if there[device.SMS] && p.phone == "" {
		return errNoPhone
	}
	return nil
}

func (j *Job) compareDevice(p *Plan, want *Device, record *secrets.Record) error {
	i := slices.IndexFunc(record.Devices, func(d secrets.Device) bool { return d.Name == want.Name })
	there := i >= 0
	switch {
	case want.Absent && there:
		p.alteration().Remove = append(p.alter.Remove, want.Name)
		p.note("device", text(record.Devices[i]), "")
		p.Ends = true
		return nil
	case want.Absent:
		return nil
	case there && want.is(record.Devices[i]):
		return j.compareUntil(p, want, record.Devices[i])
	}
	if n := slices.IndexFunc(record.Devices, func(d secrets.Device) bool { return bytes.Equal(d.Secret, want.Secret) }); n >= 0 {
		return want.wrong(fmt.Errorf("%w: that of %q", enroll.ErrSameSecret, record.Devices[n].Name))
	}
	old := ""
	if there {
		old = text(record.Devices[i])
		p.alteration().Remove = append(p.alter.Remove, want.Name)
		p.Ends = true
	}
	p.add = append(p.add, want)
	return j.noteNew(p, want, old)
}

// is reports whether a device makes the codes that the file says.
func (d *Device) is(there secrets.Device) bool {
	return (d.Method == "" || string(d.Method) == there.Method) &&
		(d.Digits == 0 || d.Digits == there.Digits) &&
		(d.Period == 0 || d.Period == there.Period) &&
		(d.Algorithm == "" || string(d.Algorithm) == there.Algorithm) &&
		(d.Provider == "" || d.Provider == there.Provider) &&
		(d.Secret == nil || bytes.Equal(d.Secret, there.Secret))
}

// compareUntil leaves an end alone that has come: a list goes on being applied after that day.
func (j *Job) compareUntil(p *Plan, want *Device, there secrets.Device) error {
	if want.Until == nil || want.Until.Equal(there.Until) {
		return nil
	}
	if err := want.CheckEnd(j.Users.Now()); err != nil {
		return err
	}
	if p.alteration().Until == nil {
		p.alter.Until = map[string]time.Time{}
	}
	p.alter.Until[want.Name] = *want.Until
	p.note("device "+want.Name+" until", writtenUntil(there.Until), writtenUntil(*want.Until))
	return nil
}

// noteNew checks what a device is to be made of, before anything is made of it.
func (j *Job) noteNew(p *Plan, d *Device, old string) error {
	r := d.Request(p.User.Name, j.Usual)
	r.Phone = p.phone
	p.Secret = p.Secret || d.Secret == nil && !d.sent()
	if err := CheckRequest(r, j.AllowShort); err != nil {
		return d.wrong(err)
	}
	if err := d.CheckEnd(j.Users.Now()); err != nil && !j.Expired {
		return err
	}
	made := j.describe(d.Name, r.Params)
	if made == old && !d.sent() {
		made += ", another secret"
	}
	p.note("device", old, made)
	if d.Until != nil && !d.Until.IsZero() {
		p.note("device "+d.Name+" until", "", writtenUntil(*d.Until))
	}
	return nil
}

// usualDevice is one for all who have no wish.
func (j *Job) usualDevice() *Device {
	j.lock.Lock()
	defer j.lock.Unlock()
	if j.usual == nil {
		j.usual = &Device{Name: UsualDevice}
	}
	return j.usual
}

// described is the last description: most of a hundred thousand devices have the same, which is then in memory once.
type described struct {
	name      string
	method    factor.Method
	digits    int
	period    int
	algorithm factor.Algorithm
	text      string
}

func (j *Job) describe(name string, p factor.Params) string {
	j.lock.Lock()
	defer j.lock.Unlock()
	last := &j.last
	if last.text == "" || last.name != name || last.method != p.Method || last.digits != p.Digits || last.period != p.Period || last.algorithm != p.Algorithm {
		*last = described{name, p.Method, p.Digits, p.Period, p.Algorithm, describe(name, p)}
	}
	return last.text
}

func (p *Plan) noteCodes() {
	if p.codes > 0 {
		p.Secret, p.Loose = true, !p.isNew
		p.note("recovery_codes", "", fmt.Sprint(p.codes))
	}
}

func (p *Plan) alteration() *enroll.Alteration {
	if p.alter == nil {
		p.alter = &enroll.Alteration{}
	}
	return p.alter
}

func (p *Plan) note(field, old, new string) {
	p.Changes = append(p.Changes, audit.Change{Field: field, Old: old, New: new})
}

func text(d secrets.Device) string { return describe(d.Name, device.Params(d)) }

func describe(name string, p factor.Params) string {
	if device.IsOutOfBand(string(p.Method)) {
		return fmt.Sprintf("%s (%s)", name, p.Method)
	}
	if p.Method == factor.HOTP {
		return fmt.Sprintf("%s (%s, %d digits, %s)", name, p.Method, p.Digits, p.Algorithm)
	}
	return fmt.Sprintf("%s (%s, %d digits, every %d s, %s)", name, p.Method, p.Digits, p.Period, p.Algorithm)
}

package provision

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"twokey/audit"
	"twokey/device"
	"twokey/enroll"
	"twokey/enroll/batch"
	"twokey/factor"
	"twokey/secrets"
)

// Plan is what has to be done for one user.
type Plan struct {
	*batch.Plan
	devices []wanted
	codes   int    // recovery codes to make
	phone   string // of the file that is made
	serial  uint64 // of the file before; 0: none
	remove  bool

	record  *secrets.Record
	becomes *knownUser
}

// wanted is a device of a file that is made.
type wanted struct {
	request enroll.Request
	keep    *secrets.Device // the same as before, as far as the manifest tells: its ID and Created stay; nil: another
}

// Plan finds out what a user lacks of what the list says, and changes nothing.
func (j *Job) Plan(u *batch.User) *Plan {
	p := &Plan{Plan: &batch.Plan{User: u}}
	known := j.known[u.Name]
	if p.Err = j.plan(p, known); p.Err == nil && known != nil && len(p.Changes) > 0 {
		p.Err = j.allHosts(known)
	}
	return p
}

func (j *Job) plan(p *Plan, known *knownUser) error {
	switch u := p.User; {
	case u.Require != nil || u.Exempt != nil:
		return ErrPolicy
	case u.Absent && known == nil:
		return nil
	case u.Absent:
		p.remove, p.Ends = true, true
		p.note("second_factor", "enrolled", "none")
		return nil
	case known == nil && u.NoDevice:
		return nil
	case known == nil:
		return j.planNew(p)
	}
	return j.planKnown(p, known)
}

// allHosts refuses to change the files of a user for some of his hosts only: on the others the old ones would be left.
func (j *Job) allHosts(known *knownUser) error {
	for name := range known.Hosts {
		if !slices.ContainsFunc(j.Hosts, func(h Host) bool { return h.Name == name }) {
			return fmt.Errorf("there is a file for host %q too, which has to be made with it: --recipient %s=age1…", name, name)
		}
	}
	return nil
}

func (p *Plan) note(field, before, after string) {
	p.Changes = append(p.Changes, audit.Change{Field: field, Old: before, New: after})
}

// planNew is for a user of whom nothing was made.
func (j *Job) planNew(p *Plan) error {
	devices := slices.Clone(p.User.Devices)
	devices = slices.DeleteFunc(devices, func(d batch.Device) bool { return d.Absent })
	if len(devices) == 0 {
		devices = []batch.Device{{Line: p.User.Line, Name: batch.UsualDevice}}
	}
	for _, d := range devices {
		if err := j.wantNew(p, d); err != nil {
			return err
		}
	}
	p.codes = j.Usual.Recovery
	if p.User.Recovery != nil {
		p.codes = *p.User.Recovery
	}
	p.noteCodes()
	if p.phone = number(p.User); p.phone != "" {
		p.note("phone", "", p.phone)
	}
	return nil
}

// wantNew is want for a device that there was not before.
func (j *Job) wantNew(p *Plan, d batch.Device) error {
	if err := d.CheckEnd(j.Now()); err != nil {
		return err
	}
	if err := j.want(p, d); err != nil {
		return err
	}
	p.note("device "+d.Name, "", described(p.devices[len(p.devices)-1].request.Params))
	return nil
}

func (p *Plan) noteCodes() {
	if p.codes > 0 {
		p.Secret = true
		p.note("recovery_codes", "", fmt.Sprint(p.codes))
	}
}

// want adds a device to the file that is made, and checks what it is made of.
func (j *Job) want(p *Plan, d batch.Device) error {
	r := d.Request(p.User.Name, j.Usual)
	r.Label = strings.TrimSuffix(r.Label, "@") // for several hosts there is nothing to say behind it
	r.AllowShort, r.Phone = j.AllowShort, number(p.User)
	if d.Until != nil {
		r.Until = *d.Until
	}
	p.Secret = p.Secret || d.Secret == nil && !device.IsOutOfBand(string(r.Params.Method))
	p.devices = append(p.devices, wanted{request: r})
	if err := batch.CheckRequest(r, j.AllowShort); err != nil {
		return fmt.Errorf("device %q: %w", d.Name, err)
	}
	return nil
}

// number is the telephone number that the list gives.
func number(u *batch.User) string {
	if u.Phone == nil {
		return ""
	}
	return *u.Phone
}

func described(p factor.Params) string {
	if device.IsOutOfBand(string(p.Method)) {
		return string(p.Method)
	}
	if p.Method == factor.HOTP {
		return fmt.Sprintf("%s, %d digits, %s", p.Method, p.Digits, p.Algorithm)
	}
	return fmt.Sprintf("%s, %d digits, %d seconds, %s", p.Method, p.Digits, p.Period, p.Algorithm)
}

// planKnown is for a user whose file was made before.
func (j *Job) planKnown(p *Plan, known *knownUser) error {
	renew := j.renew[p.User.Name]
	if renew {
		p.note("secrets", "old", "new")
	}
	if err := j.noteFiles(p, known); err != nil {
		return err
	}
	again, err := j.noteDevices(p, known, renew)
	if err != nil {
		return err
	}
	if err := j.planRest(p, known, renew); err != nil || len(p.Changes) == 0 {
		p.devices, p.Secret = nil, false
		return err
	}
	p.serial = known.Serial
	if again != "" {
		return fmt.Errorf("%w: the list does not give %s", ErrSealed, again)
	}
	if len(p.devices) == 0 {
		return batch.ErrNoneLeft
	}
	return nil
}

// noteFiles finds out which files are missing, or are for another key of the host.
func (j *Job) noteFiles(p *Plan, known *knownUser) error {
	for i, h := range j.Hosts {
		field := strings.TrimSpace("file " + h.Name)
		switch was, made := known.Hosts[h.Name]; {
		case !made:
			p.note(field, "", "made")
			continue
		case was != hostDigest(h):
			p.note(field, "for another key", "made")
			continue
		}
		there := false
		if d := j.folders[i]; d != nil {
			var err error
			if there, err = d.Exists(secrets.FileName(p.User.Name)); err != nil {
				return err
			}
		}
		if !there {
			p.note(field, "missing", "made")
		}
	}
	return nil
}

// noteDevices finds out what is other about devices, and puts together those of a file that is made. What cannot be made as it was, since
// only the file tells, is again.
func (j *Job) noteDevices(p *Plan, known *knownUser, renew bool) (again string, err error) {
	wishes := slices.Clone(p.User.Devices)
	for _, k := range known.Devices {
		i := slices.IndexFunc(wishes, func(d batch.Device) bool { return d.Name == k.Name })
		wish := batch.Device{Name: k.Name}
		if i >= 0 {
			wish = wishes[i]
			wishes = slices.Delete(wishes, i, i+1)
		}
		if wish.Absent {
			p.Ends = true
			p.note("device "+k.Name, described(k.params()), "")
			continue
		}
		if wish.Secret == nil && !renew && k.Method != device.SMS { // of sms nobody but hosts has it
			again = fmt.Sprintf("the secret of device %q", k.Name)
		}
		if err := j.noteDevice(p, wish, k); err != nil {
			return "", err
		}
	}
	for _, wish := range wishes {
		if wish.Absent {
			continue
		}
		if err := j.wantNew(p, wish); err != nil {
			return "", err
		}
	}
	return again, nil
}

// noteDevice compares a device with what was made.
func (j *Job) noteDevice(p *Plan, wish batch.Device, k knownDevice) error {
	keep, err := k.device()
	if err != nil {
		return err
	}
	merged := k.merge(wish)
	if merged.Until == nil && !keep.Until.IsZero() {
		merged.Until = &keep.Until
	}
	if err := j.want(p, merged); err != nil {
		return err
	}
	now := &p.devices[len(p.devices)-1]
	was, is := described(k.params()), described(now.request.Params)
	sameSecret := wish.Secret == nil || j.digest(p.User.Name, "device "+k.Name, wish.Secret) == k.Secret
	switch {
	case was != is:
		p.note("device "+k.Name, was, is)
	case k.Provider != now.request.Provider:
		p.note("provider of "+k.Name, k.Provider, now.request.Provider)
	case !sameSecret:
		p.note("device "+k.Name, "another secret", is)
	}
	if until := timeText(now.request.Until); until != k.Until {
		if err := wish.CheckEnd(j.Now()); err != nil {
			return err
		}
		p.note("until of "+k.Name, k.Until, until)
	}
	if was == is && sameSecret && (wish.Secret != nil || k.Method == device.SMS) {
		now.keep = keep
	} else {
		p.Ends = true
	}
	return nil
}

// planRest is about what is not a device.
func (j *Job) planRest(p *Plan, known *knownUser, renew bool) error {
	if phone := p.User.Phone; phone != nil && j.phoneDigest(p.User.Name, *phone) != known.Phone {
		p.note("phone", hidden(known.Phone), *phone)
	}
	if p.User.Recovery != nil && *p.User.Recovery > 0 && known.RecoveryCodes == 0 {
		p.codes = *p.User.Recovery
		p.noteCodes()
	}
	if len(p.Changes) == 0 {
		return nil
	}
	switch {
	case p.User.Phone != nil:
		p.phone = *p.User.Phone
	case known.Phone != "":
		return fmt.Errorf("%w: the list does not give the phone number", ErrSealed)
	}
	switch {
	case known.RecoveryCodes > 0 && !renew:
		return fmt.Errorf("%w: there would be other recovery codes", ErrSealed)
	case known.RecoveryCodes > 0:
		p.codes, p.Secret = known.RecoveryCodes, true
	}
	return nil
}

// hidden stands for a phone number of which only a digest is known.
func hidden(digest string) string {
	if digest == "" {
		return ""
	}
	return "another"
}

func (j *Job) phoneDigest(user, phone string) string {
	if phone == "" {
		return ""
	}
	return j.digest(user, "phone", []byte(phone))
}

// merge is what a device shall be: as the list says, and where it says nothing as it is. Issuer and label are for when it is made.
func (k knownDevice) merge(wish batch.Device) batch.Device {
	p := k.params()
	if wish.Method == "" {
		wish.Method = p.Method
	}
	codes := !device.IsOutOfBand(string(wish.Method))
	if wish.Digits == 0 && codes {
		wish.Digits = p.Digits
	}
	if wish.Period == 0 && wish.Method == p.Method {
		wish.Period = p.Period
	}
	if wish.Algorithm == "" && codes {
		wish.Algorithm = p.Algorithm
	}
	if wish.Provider == "" && wish.Method == p.Method {
		wish.Provider = k.Provider
	}
	if wish.Issuer == "" {
		wish.Issuer = k.Issuer
	}
	if wish.Label == "" {
		wish.Label = k.Label
	}
	return wish
}

func (k knownDevice) params() factor.Params {
	return factor.Params{Method: factor.Method(k.Method), Digits: k.Digits, Period: k.Period, Algorithm: factor.Algorithm(k.Algorithm)}
}

// device is what stays of a device whose file is made anew.
func (k knownDevice) device() (*secrets.Device, error) {
	id, errID := parseID(k.ID)
	created, errCreated := parseTime(k.Created)
	until, errUntil := parseTime(k.Until)
	if err := errors.Join(errID, errCreated, errUntil); err != nil {
		return nil, err
	}
	return &secrets.Device{ID: id, Created: created, Until: until}, nil
}

// manifestOf is what the manifest says of a user's new file.
func (j *Job) manifestOf(p *Plan, r *secrets.Record) *knownUser {
	u := &knownUser{User: r.User, Serial: r.Serial, Hosts: map[string]string{}, Phone: j.phoneDigest(r.User, r.Phone),
		RecoveryCodes: len(p.Codes), Devices: []knownDevice{}}
	for _, h := range j.Hosts {
		u.Hosts[h.Name] = hostDigest(h)
	}
	for i, d := range r.Devices {
		k := knownDevice{ID: fmt.Sprintf("%x", d.ID[:]), Name: d.Name, Method: d.Method, Digits: d.Digits, Period: d.Period,
			Algorithm: d.Algorithm, Issuer: d.Issuer, Label: d.Label, Created: timeText(d.Created), Until: timeText(d.Until), Provider: d.Provider}
		if p.devices[i].request.Params.Secret != nil {
			k.Secret = j.digest(r.User, "device "+d.Name, d.Secret)
		}
		u.Devices = append(u.Devices, k)
	}
	return u
}

// forget gives up what is secret.
func (p *Plan) forget() {
	p.Drafts, p.Codes, p.devices, p.record, p.becomes = nil, nil, nil, nil, nil
}

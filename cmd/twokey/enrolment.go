package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"twokey/audit"
	"twokey/device"
	"twokey/enroll"
	"twokey/enroll/qr"
	"twokey/enroll/sheet"
	"twokey/factor"
	"twokey/internal/sysuser"
	"twokey/policy"
	"twokey/secrets"
)

// confirmTries is how often --confirm asks for the first code.
const confirmTries = 3

// enrolment is one run of enroll.
type enrolment struct {
	*host
	wish
	account sysuser.Account
	users   *enroll.Users
	draft   *enroll.Draft
	code    *qr.Code // nil: there is nothing to be scanned
	had     bool     // the user has a device, which this one replaces or stands beside
	before  string   // his telephone number until now
}

// enroll makes the device, has it confirmed, puts it in force, and shows it. Until it is in force nothing is written but the files with
// it, which go again when it does not come to that.
func (h *host) enroll(name string, w wish) error {
	e := &enrolment{host: h, wish: w}
	if err := e.prepare(name); err != nil {
		return err
	}
	if h.dryRun {
		return e.tellPlan()
	}
	files, err := e.writeFiles()
	if err != nil {
		return err
	}
	if err := e.confirmAndCommit(); err != nil {
		return errors.Join(err, files.remove(), files.close())
	}
	closeErr := files.close()
	// Whatever fails from here on, the device is in force, and somebody has to see it.
	recordErr := e.record(e.action(), e.account.Name, e.changes()...)
	if e.method == device.SMS { // a phone for push changes no number
		e.warnFormerNumber(e.users, e.who(), e.before, e.phone)
	}
	return errors.Join(e.tell(), recordErr, closeErr)
}

// action is the audit log's word for it.
func (e *enrolment) action() string {
	if e.add && e.had {
		return "device-add"
	}
	return "enroll"
}

// prepare makes the draft and refuses what cannot become anything.
func (e *enrolment) prepare(name string) (err error) {
	if e.account, err = e.host.account(name); err != nil {
		return err
	}
	if e.users, err = e.host.users(); err != nil {
		return err
	}
	if e.had, err = e.users.Secrets.Enrolled(e.account.Name); err != nil {
		return err
	}
	if e.had && !e.replace && !e.add {
		return enroll.ErrEnrolled
	}
	if err := e.chooseUsual(); err != nil {
		return err
	}
	if e.outOfBand() {
		if err := e.choosePhone(); err != nil {
			return err
		}
	}
	secret, err := e.readSecret()
	if err != nil {
		return err
	}
	request, err := e.request(e.policy, e.account.Name, secret)
	if err != nil {
		return err
	}
	request.By = e.actor.signature()
	if e.draft, err = e.users.Draft(e.who(), request); err != nil {
		return err
	}
	if uri := e.address(); uri != "" {
		if e.code, err = qr.Encode(uri); err != nil {
			return err
		}
	}
	return e.checkWidth()
}

// chooseUsual fills in what was not said. A further device gets a name that is free, and leaves the recovery codes as they are.
func (e *enrolment) chooseUsual() error {
	beside := e.add && e.had
	if e.recovery < 0 {
		e.recovery = usualRecovery
		if beside {
			e.recovery = 0
		}
	}
	if e.device != "" && !beside && !e.outOfBand() {
		return nil
	}
	var has []secrets.Device
	if beside || e.had && e.outOfBand() {
		record, err := e.users.Secrets.Load(e.account.Name)
		switch {
		case err != nil && beside:
			return err
		case err == nil: // else it is replaced, whatever it was
			e.before = record.Phone
		}
		if beside {
			has = record.Devices
		}
	}
	if e.outOfBand() && hasMethod(has, string(e.method)) {
		return enroll.ErrSamePhone
	}
	if e.device == "" {
		e.device = freeName(e.usualName(), has)
	} else if hasDevice(has, e.device) {
		return enroll.ErrDeviceName // before anything is shown to be scanned
	}
	return nil
}

func hasDevice(devices []secrets.Device, name string) bool {
	return slices.ContainsFunc(devices, func(d secrets.Device) bool { return d.Name == name })
}

// freeName is the usual one, or phone-2 and so on.
func freeName(usual string, has []secrets.Device) string {
	name := usual
	for n := 2; hasDevice(has, name); n++ {
		name = fmt.Sprintf("%s-%d", usual, n)
	}
	return name
}

// checkWidth refuses a terminal on which the lines of the QR code would wrap.
func (e *enrolment) checkWidth() error {
	if e.code == nil {
		return nil
	}
	columns, terminal := e.ui.width()
	needs := e.code.Width()
	if e.ui.inSigns() {
		needs = e.code.WideWidth()
	}
	if e.qr != "terminal" || e.ui.json || !terminal || columns >= needs {
		return nil
	}
	narrow := failed("the QR code needs a terminal of %d columns, this one has %d; nothing was changed", needs, columns)
	return narrow.hint("make it wider, or add --qr %s.png for a picture, or --qr none for the key alone", e.account.Name)
}

// writeFiles writes the picture and the sheet, where they are wished.
func (e *enrolment) writeFiles() (written pictures, err error) {
	for _, f := range []struct {
		path    string
		content func() ([]byte, error)
	}{{e.pictureFile(), e.picture}, {e.sheet, e.page}} {
		if f.path == "" {
			continue
		}
		p, err := newPicture(f.path, f.content)
		if err != nil {
			return nil, errors.Join(err, written.remove(), written.close())
		}
		written = append(written, p)
	}
	return written, nil
}

// pictureFile is where the QR code alone goes; "": in no file.
func (e *enrolment) pictureFile() string {
	if e.intoFile() {
		return e.qr
	}
	return ""
}

func (e *enrolment) picture() ([]byte, error) {
	if strings.HasSuffix(e.qr, ".png") {
		return e.code.PNG()
	}
	return e.code.SVG(), nil
}

// page is the sheet to be handed over.
func (e *enrolment) page() ([]byte, error) {
	name, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	return sheet.Page(sheet.Data{User: e.account.Name, FullName: e.account.FullName, Host: name, Device: e.draft.Device, URI: e.draft.URI,
		RecoveryCodes: e.draft.RecoveryCodes, Contact: whomToAsk(e.policy), HelpURL: e.policy.HelpURL, Language: e.policy.Language})
}

// whomToAsk is the contact, in the language of the users.
func whomToAsk(c *policy.Config) string {
	if c.Contact == policy.DefaultContact {
		return c.Text(policy.MsgContact)
	}
	return or(c.Contact, c.Text(policy.MsgContact))
}

func (e *enrolment) confirmAndCommit() error {
	if e.had && e.replace {
		if err := e.ui.confirm(e.yes, "%s has a device already. It ends when the new one takes its place. Go on?", e.account.Name); err != nil {
			return err
		}
	}
	if e.confirm {
		e.show()
		if err := e.firstAnswer(); err != nil {
			return err
		}
	}
	return e.users.Commit(e.draft)
}

// firstCode asks until the app shows what it should. The code is used up by it.
func (e *enrolment) firstCode() error {
	for range confirmTries {
		answer, err := e.ui.askCode("The code that the app shows now: ", false)
		if err != nil {
			return err
		}
		if e.users.Confirm(e.draft, answer, e.policy.Discrepancy) {
			return nil
		}
		off, known := device.Params(e.draft.Device).Offset(factor.ParseAnswer(answer).Text, time.Now())
		e.ui.warn("that is not the code%s", clockHint("the device", off, known))
	}
	return failed("no right code in %d tries; nothing was changed", confirmTries)
}

func (e *enrolment) changes() []audit.Change {
	d := e.draft.Device
	changes := []audit.Change{{Field: "device", New: fmt.Sprintf("%s (%s)", d.Name, describe(device.Params(d)))},
		{Field: "recovery_codes", New: fmt.Sprint(len(e.draft.RecoveryCodes))}}
	if e.had && e.replace {
		changes = append(changes, audit.Change{Field: "former_devices", Old: "in force", New: "ended"})
	}
	if !d.Until.IsZero() {
		changes = append(changes, audit.Change{Field: "until", New: lastDay(d.Until).String()})
	}
	if e.phone != "" {
		changes = append(changes, audit.Change{Field: "phone", New: lastDigits(e.phone)})
	}
	if e.outOfBand() && e.draft.Confirmed() {
		changes = append(changes, audit.Change{Field: "confirmed", New: "yes"})
	}
	return changes
}

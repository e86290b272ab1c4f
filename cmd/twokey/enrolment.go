package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"twokey/audit"
	"twokey/device"
	"twokey/enroll"
	"twokey/enroll/qr"
	"twokey/factor"
	"twokey/internal/sysuser"
	"twokey/policy"
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
	code    *qr.Code
	had     bool // the user has a device, which this one replaces
}

// enroll makes the device, has it confirmed, puts it in force, and shows it. Until it is in force nothing is written but the picture,
// which goes again when it does not come to that.
func (h *host) enroll(name string, w wish) error {
	e := &enrolment{host: h, wish: w}
	if err := e.prepare(name); err != nil {
		return err
	}
	if h.dryRun {
		return e.tellPlan()
	}
	picture, err := e.writePicture()
	if err != nil {
		return err
	}
	if err := e.confirmAndCommit(); err != nil {
		return errors.Join(err, picture.remove(), picture.close())
	}
	closeErr := picture.close()
	// Whatever fails from here on, the device is in force, and somebody has to see it.
	recordErr := e.record("enroll", e.account.Name, e.changes()...)
	return errors.Join(e.tell(), recordErr, closeErr)
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
	if e.had && !e.replace {
		return enroll.ErrEnrolled
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
	who := enroll.Account{Name: e.account.Name, UID: e.account.UID}
	if e.draft, err = e.users.Draft(who, request); err != nil {
		return err
	}
	if e.code, err = qr.Encode(e.draft.URI); err != nil {
		return err
	}
	return e.checkWidth()
}

// checkWidth refuses a terminal on which the lines of the QR code would wrap.
func (e *enrolment) checkWidth() error {
	columns, terminal := e.ui.width()
	if e.qr != "terminal" || e.ui.json || !terminal || columns >= e.code.Width() {
		return nil
	}
	return failed("the QR code needs a terminal of %d columns, this one has %d; nothing was changed", e.code.Width(), columns).
		hint("make it wider, or add --qr %s.png for a picture, or --qr none for the key alone", e.account.Name)
}

func (e *enrolment) writePicture() (*picture, error) {
	if !e.intoFile() {
		return nil, nil
	}
	content := e.code.SVG()
	if strings.HasSuffix(e.qr, ".png") {
		var err error
		if content, err = e.code.PNG(); err != nil {
			return nil, err
		}
	}
	p, err := openPicture(e.qr)
	if err != nil {
		return nil, err
	}
	if err := p.write(content); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (e *enrolment) confirmAndCommit() error {
	if e.had {
		if err := e.ui.confirm(e.yes, "%s has a device already. It ends when the new one takes its place. Go on?", e.account.Name); err != nil {
			return err
		}
	}
	if e.confirm {
		e.show()
		if err := e.firstCode(); err != nil {
			return err
		}
	}
	return e.users.Commit(e.draft)
}

// firstCode asks until the app shows what it should. The code is used up by it.
func (e *enrolment) firstCode() error {
	for range confirmTries {
		answer, err := e.ui.ask("The code that the app shows now: ", false)
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
	if e.had {
		changes = append(changes, audit.Change{Field: "former_devices", Old: "in force", New: "ended"})
	}
	return changes
}

// tellPlan says what would be done. It shows no secret: one that is shown and then forgotten would be scanned by somebody.
func (e *enrolment) tellPlan() error {
	d := e.draft.Device
	e.ui.say("Would enroll %s with the device %q (%s) and %d recovery codes.", e.account.Name, d.Name, describe(device.Params(d)), e.recovery)
	if e.had {
		e.ui.say("It would take the place of the device that %s has.", e.account.Name)
	}
	return e.ui.object(e.result("", ""))
}

// enrolled is what enroll --json prints.
type enrolled struct {
	User          string   `json:"user"`
	Device        string   `json:"device"`
	Method        string   `json:"method"`
	Secret        string   `json:"secret"`
	URI           string   `json:"uri"`
	Digits        int      `json:"digits"`
	Period        int      `json:"period"`
	Algorithm     string   `json:"algorithm"`
	RecoveryCodes []string `json:"recovery_codes"`
}

func (e *enrolment) result(secret, uri string) enrolled {
	d := e.draft.Device
	codes := []string{}
	if secret != "" {
		codes = append(codes, e.draft.RecoveryCodes...)
	}
	return enrolled{e.account.Name, d.Name, d.Method, secret, uri, d.Digits, d.Period, d.Algorithm, codes}
}

// tell shows what is in force now.
func (e *enrolment) tell() error {
	if err := e.ui.object(e.result(factor.EncodeSecret(e.draft.Device.Secret), e.draft.URI)); err != nil {
		return err
	}
	if !e.confirm {
		e.show()
	}
	e.showRecovery()
	if err := e.warnNotAsked(); err != nil {
		return err
	}
	e.ui.say("%s is enrolled with the device %q (%s). To try a code: twokey test code %s", e.account.Name, e.draft.Device.Name,
		e.draft.Device.Method, e.account.Name)
	return nil
}

// warnNotAsked says so when the new device makes no difference.
func (e *enrolment) warnNotAsked() error {
	e.warnOff()
	p, err := e.person(e.users, e.account.Name)
	if err != nil {
		return err
	}
	if p.outcome.Action == policy.Ignore {
		e.ui.warn("%s is not asked for a code: %s", p.name, p.outcome.Reason)
	}
	return nil
}

// show draws the key in every form in which an app can take it.
func (e *enrolment) show() {
	if e.ui.json {
		return
	}
	d := e.draft.Device
	p := device.Params(d)
	switch {
	case e.qr == "terminal":
		e.ui.say("Scan this with an authenticator app, or type the key in:\n")
		e.ui.picture(e.code.Terminal(false))
		e.ui.say("")
	case e.intoFile():
		e.ui.say("The QR code is in %s. It is the secret: delete it when it has been scanned.\n", e.qr)
	}
	e.ui.say("  Issuer   %s\n  Account  %s\n  Key      %s\n  Kind     %s\n  Address  %s\n", visible(d.Issuer), visible(d.Label),
		factor.GroupSecret(factor.EncodeSecret(d.Secret)), describe(p), e.draft.URI)
	for _, warning := range appWarnings(p) {
		e.ui.warn("%s", warning)
	}
	if p.Method == factor.TOTP {
		e.ui.say("This host's clock says %s.\nA phone whose clock is far from that shows wrong codes.\n",
			time.Now().Format("Mon 2 Jan 2006, 15:04:05 MST"))
	}
}

// showRecovery prints the recovery codes in two columns, down the first and then down the second.
func (e *enrolment) showRecovery() { e.ui.recoveryCodes(e.account.Name, e.draft.RecoveryCodes) }

func (u *ui) recoveryCodes(user string, codes []string) {
	if len(codes) == 0 {
		return
	}
	u.say("Recovery codes of %s. Each works once; they are not shown again.\n", user)
	rows := (len(codes) + 1) / 2
	for i := range rows {
		line := "  " + codes[i]
		if i+rows < len(codes) {
			line += "    " + codes[i+rows]
		}
		u.say("%s", line)
	}
	u.say("")
}

// describe names what makes the codes, without the secret.
func describe(p factor.Params) string {
	if p.Method == factor.HOTP {
		return fmt.Sprintf("%s, %d digits, %s", p.Method, p.Digits, p.Algorithm)
	}
	return fmt.Sprintf("%s, %d digits, every %d s, %s", p.Method, p.Digits, p.Period, p.Algorithm)
}

// appWarnings names what common apps do not follow: the wiki page Key-Uri-Format of Google Authenticator says of algorithm and
// period that they are ignored, and of digits on some systems.
func appWarnings(p factor.Params) []string {
	var found []string
	const ignored = "Google Authenticator and Microsoft Authenticator may ignore it and show wrong codes: have a first code checked by --confirm"
	if p.Digits != factor.DefaultDigits {
		found = append(found, fmt.Sprintf("%d digits: %s", p.Digits, ignored))
	}
	if p.Digits < factor.DefaultDigits {
		found = append(found, fmt.Sprintf("a code of %d digits is easily guessed", p.Digits))
	}
	if p.Digits > 10 {
		found = append(found, fmt.Sprintf("of %d digits the first %d are always zero", p.Digits, p.Digits-10))
	}
	if p.Method == factor.TOTP && p.Period != factor.DefaultPeriod {
		found = append(found, fmt.Sprintf("a period of %d s: %s", p.Period, ignored))
	}
	if p.Algorithm != factor.SHA1 {
		found = append(found, fmt.Sprintf("%s: %s", p.Algorithm, ignored))
	}
	return found
}

package main

import (
	"fmt"
	"strings"
	"time"

	"twokey/device"
	"twokey/factor"
	"twokey/policy"
)

// tellPlan says what would be done. It shows no secret: one that is shown and then forgotten would be scanned by somebody.
func (e *enrolment) tellPlan() error {
	d := e.draft.Device
	e.ui.say("Would enroll %s with the device %q (%s%s) and %d recovery codes.", e.account.Name, d.Name, describe(device.Params(d)),
		untilText(d.Until), e.recovery)
	switch {
	case e.had && e.replace:
		e.ui.say("It would take the place of the device that %s has.", e.account.Name)
	case e.had:
		e.ui.say("It would stand beside the device that %s has.", e.account.Name)
	}
	return e.ui.object(e.result(false))
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

	Until *time.Time `json:"until,omitempty"` // the first moment at which the device is not good any more
}

// result says what the device is, and, once it is in force, what nobody is shown again. The secret of a device to which something is sent is
// for nobody.
func (e *enrolment) result(inForce bool) enrolled {
	d := e.draft.Device
	r := enrolled{User: e.account.Name, Device: d.Name, Method: d.Method, Digits: d.Digits, Period: d.Period, Algorithm: d.Algorithm,
		RecoveryCodes: []string{}, Until: timeOrNull(d.Until)}
	if !inForce {
		return r
	}
	r.URI, r.RecoveryCodes = e.address(), append(r.RecoveryCodes, e.draft.RecoveryCodes...)
	if !e.outOfBand() {
		r.Secret = factor.EncodeSecret(d.Secret)
	}
	return r
}

// tell shows what is in force now.
func (e *enrolment) tell() error {
	if err := e.ui.object(e.result(true)); err != nil {
		return err
	}
	if !e.confirm {
		e.show()
	}
	if e.onPaper() {
		e.ui.say("The sheet for %s is in %s. It is the secret: print it, hand it over, and delete the file.\n", e.account.Name, visible(e.sheet))
	} else {
		e.showRecovery()
	}
	asked, err := e.warnNotAsked()
	if err != nil {
		return err
	}
	if e.add && e.had {
		return e.tellAdded()
	}
	d := e.draft.Device
	e.ui.say("%s is enrolled with the device %q (%s%s).%s", e.account.Name, d.Name, d.Method, untilText(d.Until), e.whatNext(asked))
	return nil
}

// tellAdded says which devices there are now.
func (e *enrolment) tellAdded() error {
	record, err := e.users.Secrets.Load(e.account.Name)
	if err != nil {
		return err
	}
	var names []string
	for _, d := range record.Devices {
		names = append(names, visible(d.Name))
	}
	d := e.draft.Device
	e.ui.say("Added the device %q (%s%s). %s has %s now: %s.%s", d.Name, d.Method, untilText(d.Until), e.account.Name,
		count(len(names), "device"), strings.Join(names, ", "), e.howToTry())
	return nil
}

// whatNext is what comes of the first device.
func (e *enrolment) whatNext(asked bool) string {
	if e.actor.himself() && asked {
		return " The next login asks for a code."
	}
	return e.howToTry()
}

func (e *enrolment) howToTry() string {
	if e.actor.himself() {
		return ""
	}
	switch e.method {
	case device.SMS:
		return "\nTo try it: twokey sms test " + e.account.Name
	case device.Push:
		return "\nTo try it: twokey push test " + e.account.Name
	}
	return " To try a code: twokey test code " + e.account.Name
}

// untilText is the end of a device, behind what it is; "" for none.
func untilText(until time.Time) string {
	if until.IsZero() {
		return ""
	}
	return ", until " + lastDay(until).String()
}

// warnNotAsked says so when the new device makes no difference.
func (e *enrolment) warnNotAsked() (asked bool, err error) {
	e.warnOff()
	p, err := e.person(e.users, e.account.Name)
	if err != nil {
		return false, err
	}
	asked = p.outcome.Action != policy.Ignore
	if !asked {
		e.ui.warn("%s is not asked for a code: %s", p.name, p.outcome.Reason)
	}
	return asked && !e.policy.Off, nil
}

// show draws the key in every form in which an app can take it. What is on the sheet is not shown to whoever stands behind.
func (e *enrolment) show() {
	if e.ui.json {
		return
	}
	if e.onPaper() {
		if e.confirm {
			e.ui.say("The QR code is on the sheet in %s.\n", visible(e.sheet))
		}
		return
	}
	if e.outOfBand() {
		e.showPhone()
		return
	}
	d := e.draft.Device
	p := device.Params(d)
	switch {
	case e.qr == "terminal":
		e.ui.say("Scan this with an authenticator app, or type the key in:\n")
		e.ui.picture(e.ui.drawn(e.code))
		e.ui.say("")
	case e.qr == byClient:
		e.ui.address(e.address())
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
	switch p.Method {
	case device.SMS:
		return "sms, codes by text message"
	case device.Push:
		return "push, requests on the phone"
	}
	if p.Method == factor.HOTP {
		return fmt.Sprintf("%s, %d digits, %s", p.Method, p.Digits, p.Algorithm)
	}
	return fmt.Sprintf("%s, %d digits, every %d s, %s", p.Method, p.Digits, p.Period, p.Algorithm)
}

// inShort is describe without what is usual, for a column.
func inShort(method string, digits, period int, algorithm string) string {
	text := method
	if device.IsOutOfBand(method) {
		return text
	}
	if digits != factor.DefaultDigits {
		text += fmt.Sprintf(", %d digits", digits)
	}
	if method == string(factor.TOTP) && period != factor.DefaultPeriod {
		text += fmt.Sprintf(", %d s", period)
	}
	if algorithm != string(factor.SHA1) {
		text += ", " + algorithm
	}
	return text
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

// lastDigits is what is shown of a telephone number.
func lastDigits(phone string) string {
	return "…" + phone[max(0, len(phone)-3):]
}

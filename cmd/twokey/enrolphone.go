package main

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/deliver"
	"twokey/device"
	"twokey/enroll"
	"twokey/internal/phone"
	"twokey/policy"
	"twokey/secrets"
)

// outOfBand reports whether the device is one to which something is sent.
func (w wish) outOfBand() bool { return device.IsOutOfBand(string(w.method)) }

// checkOutOfBand refuses flags about codes that such a device does not make.
func (w wish) checkOutOfBand(c *cli.Context) error {
	for _, flag := range []string{"digits", "period", "algorithm", "issuer", "label", "secret-file", "sheet"} {
		if c.IsSet(flag) {
			return badUsage("--%s is about codes that an app makes, and %s has none", flag, w.method)
		}
	}
	switch {
	case w.method == device.SMS && c.IsSet("qr"):
		return badUsage("--qr: with sms there is nothing to be scanned")
	case w.method == device.Push && w.confirm && c.Bool("json"):
		return badUsage("--confirm with --json: nobody could scan anything before").hint("twokey push test tries it afterwards")
	case w.method == device.Push && w.qr != "terminal" && w.qr != "none" && !strings.HasSuffix(w.qr, ".png") && !strings.HasSuffix(w.qr, ".svg"):
		return badUsage("--qr: want terminal, none, or a file that ends in .png or .svg, not %q", w.qr)
	}
	return nil
}

func hasMethod(devices []secrets.Device, method string) bool {
	return slices.ContainsFunc(devices, func(d secrets.Device) bool { return d.Method == method })
}

// usualName is how a device is called of which nobody has said it.
func (w wish) usualName() string {
	if w.outOfBand() {
		return string(w.method)
	}
	return usualDevice
}

// who is the account as package enroll takes it.
func (e *enrolment) who() enroll.Account {
	return enroll.Account{Name: e.account.Name, UID: e.account.UID}
}

// choosePhone refuses what could not be sent, and asks for the number that is missing.
func (e *enrolment) choosePhone() error {
	if err := e.sends(string(e.method)); err != nil {
		return err
	}
	if e.method != device.SMS {
		return nil
	}
	if e.phone = or(e.phone, e.before); e.phone != "" {
		return nil
	}
	if !e.ui.in.terminal() {
		return badUsage("--phone is missing: codes by sms need a number").hint("add --phone +447400123456")
	}
	number, err := e.ui.ask("Mobile number, as +447400123456: ", false)
	if err != nil {
		return err
	}
	e.phone = strings.TrimSpace(number)
	return checkNumber("the number", e.phone)
}

// sends refuses a method by which nothing is sent on this host.
func (h *host) sends(method string) error {
	switch configured := method == device.SMS && h.policy.SMS != nil || method == device.Push && h.policy.Push != nil; {
	case h.policy.Sends(method):
		return nil
	case configured:
		return failed("methods in the configuration does not name %s", method).hintRoot("twokey %s setup adds it", method)
	}
	return noProvider(method)
}

// address is what is scanned; "": nothing.
func (e *enrolment) address() string {
	if e.method == device.Push && e.policy.Push.Provider == policy.ProviderNtfy {
		return subscriptionOf(e.account.Name, e.policy, e.draft.Device.Secret).Address
	}
	return e.draft.URI
}

// showPhone says where something will be sent, and how the phone gets to hear of it.
func (e *enrolment) showPhone() {
	switch {
	case e.method == device.SMS:
		place, _ := phone.Describe(e.phone) // it was checked
		e.ui.say("Codes are sent to %s%s.\n", phone.Spaced(e.phone), inCountry(place))
	case e.code == nil:
		e.ui.say("Requests are sent to the phone that the user %s has with %s.\n", e.account.Name, e.policy.Push.Provider)
	default:
		e.showSubscription()
	}
}

func (e *enrolment) showSubscription() {
	switch {
	case e.qr == "terminal":
		e.ui.say("Install the app ntfy on the phone (App Store, Google Play, F-Droid). Then scan\nthis with its camera, or subscribe to the topic by hand:\n")
		e.ui.picture(e.ui.drawn(e.code))
	case e.qr == byClient:
		e.ui.address(e.address())
	case e.intoFile():
		e.ui.say("The QR code is in %s. Who has it can read the requests: delete it when it has been scanned.", e.qr)
	}
	e.tellSubscription(subscriptionOf(e.account.Name, e.policy, e.draft.Device.Secret))
}

// firstAnswer is what has to come back before anything is written.
func (e *enrolment) firstAnswer() error {
	switch e.method {
	case device.SMS:
		return e.proveNumber(e.users, e.who(), e.draft)
	case device.Push:
		return e.provePush()
	}
	return e.firstCode()
}

// proveNumber sends a code to the number of a draft, and asks for it.
func (h *host) proveNumber(u *enroll.Users, who enroll.Account, d *enroll.Draft) error {
	sms := h.policy.SMS
	code, err := d.Challenge(sms.Digits, time.Now().Add(sms.ValidFor))
	if err != nil {
		return err
	}
	o, err := h.sendText(u, h.policy, nil, recipient{&who, d.Phone()}, code)
	if err != nil {
		return err
	}
	if err := lack(o, "the code was not sent"); err != nil {
		return err
	}
	for range confirmTries {
		answer, err := h.ui.askCode("The code that was sent to "+phone.Spaced(d.Phone())+": ", false)
		if err != nil {
			return err
		}
		if u.Confirm(d, answer, 0) {
			return nil
		}
		h.ui.warn("that is not the code")
	}
	return failed("no right code in %d tries; nothing was changed", confirmTries)
}

// provePush sends a request to the phone of a draft, which has to be allowed there.
func (e *enrolment) provePush() error {
	for range confirmTries {
		if _, err := e.ui.ask("Enter sends a request to the phone: ", false); err != nil {
			return err
		}
		if err := e.takePush(); err != nil {
			return err
		}
		o, err := e.askPhone(e.users, e.who(), e.draft.Device.Secret)
		switch {
		case err != nil:
			return err
		case o.Problem == deliver.ProblemEnroll:
			e.ui.aside("The provider knows no phone yet. Set it up at " + or(o.EnrollURL, "the provider's address") + " and come back here.")
		case o.allowed():
			return e.draft.ConfirmPush()
		case o.State == deliver.StateTimeout:
			e.ui.warn("%s", o.answerText())
		case o.State == deliver.StateFailed:
			return lack(o, "the request was not sent")
		default:
			return failed("%s Nothing was changed.", o.answerText())
		}
	}
	return failed("no request was allowed in %d tries; nothing was changed", confirmTries)
}

// takePush counts a request before it is sent, where the provider has the phone already: the topic of ntfy is a new one, which only who
// enrols listens to.
func (e *enrolment) takePush() error {
	if e.policy.Push.Provider == policy.ProviderNtfy {
		return nil
	}
	return e.users.TakePush(e.who())
}

// warnFormerNumber tells whoever has the number that codes went to until now. That it cannot be sent stops nothing, and is recorded. It is
// taken from the host's cap, and not from the user's.
//
// Attack: somebody has the codes of another sent to a phone of his own, and the owner hears nothing of it, since wrong answers have used up
// the user's texts before.
func (h *host) warnFormerNumber(u *enroll.Users, who enroll.Account, before, now string) {
	if before == "" || before == now || h.policy.SMS == nil {
		return
	}
	to := recipient{&who, before}
	err := u.State.TakeText(u.Now(), h.policy.SMS.PerHour)
	if err != nil {
		err = errors.Join(err, h.recordMessage("sms-sent", to.name(), h.policy.SMS.Provider, to.number, delivery{err: err}))
	} else {
		err = h.sendNotice(to)
	}
	if err != nil {
		h.ui.warn("the former number, %s, was not told: %s", phone.Masked(before), oneLine(err))
	}
}

func (h *host) sendNotice(to recipient) error {
	settings, err := h.messages(h.policy)
	if err != nil {
		return err
	}
	req, err := settings.SMS(deliver.KindText)
	if err != nil {
		return err
	}
	req.Text = &deliver.Text{Number: to.number, User: to.name(), Message: h.policy.Text(policy.MsgNumberChanged, "HOST", settings.Host)}
	o, err := h.carry(req, h.policy.SMS.Provider, to)
	return errors.Join(err, o.failure("not sent"))
}

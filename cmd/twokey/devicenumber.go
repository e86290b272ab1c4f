package main

import (
	"github.com/urfave/cli/v2"

	"twokey/audit"
	"twokey/device"
	"twokey/enroll"
	"twokey/factor"
	"twokey/internal/phone"
)

// changedNumber is what device edit --phone prints with --json.
type changedNumber struct {
	User      string `json:"user"`
	Device    string `json:"device"`
	Changed   bool   `json:"changed"`
	Phone     string `json:"phone"` // +44 ••• 123
	Confirmed bool   `json:"phone_confirmed"`
}

// deviceNumberAction has codes sent to another number. Who changes his own has to have the phone; a number that root gives is not confirmed
// before a code has come back from it.
func deviceNumberAction(c *cli.Context, ui *ui) error {
	number := c.String("phone")
	if err := checkNumber("--phone", number); err != nil {
		return err
	}
	d, err := findDevices(c, ui, 1)
	if err != nil {
		return err
	}
	one, err := d.device(c.Args().Get(c.NArg() - 1))
	if err != nil {
		return err
	}
	before, confirm := d.record.Phone, c.Bool("confirm") || d.actor.himself()
	result := changedNumber{User: d.person.name, Device: one.Name, Changed: before != number && !d.dryRun, Phone: phone.Masked(number)}
	switch {
	case one.Method != device.SMS:
		return failed("nothing is sent to the device %q: it is %s", one.Name, describe(device.Params(one))).hint("twokey device list %s", d.person.name)
	case before == number:
		ui.say("It is so already: codes of %s go to %s.", d.person.name, phone.Spaced(number))
		return ui.object(result)
	}
	if err := about(d.person.name, d.changeNumber(one.Name, number, confirm)); err != nil {
		return err
	}
	place, _ := phone.Describe(number) // it was checked
	ui.say("%s %s: codes go to %s%s%s.", d.done("Changed the device of", "Would change the device of"), quoted(d.person.name, one.Name),
		phone.Spaced(number), inCountry(place), confirmedText(confirm && !d.dryRun))
	result.Confirmed = result.Changed && confirm
	return ui.object(result)
}

func (d *devices) changeNumber(name, number string, confirm bool) error {
	if d.dryRun {
		return nil
	}
	who := enroll.Account{Name: d.person.name, UID: d.person.uid()}
	if confirm {
		if err := d.sends(device.SMS); err != nil {
			return err
		}
		draft, err := d.users.Draft(who, enroll.Request{Device: name, Params: factor.Params{Method: device.SMS}, Phone: number})
		if err == nil {
			err = d.proveNumber(d.users, who, draft)
		}
		if err != nil {
			return err
		}
	}
	before := d.record.Phone
	err := d.change("device-edit", name, func() error { return d.users.ChangePhone(d.person.name, number, confirm) },
		audit.Change{Field: "phone", Old: lastDigits(before), New: lastDigits(number)})
	if err == nil {
		d.warnFormerNumber(d.users, who, before, number)
	}
	return err
}

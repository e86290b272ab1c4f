package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/audit"
	"twokey/device"
	"twokey/enroll"
	"twokey/policy"
	"twokey/secrets"
)

func deviceCommand(ui *ui) *cli.Command {
	return &cli.Command{Name: "device", Usage: "the devices of a user, of which one may have several", Subcommands: []*cli.Command{
		{Name: "list", Usage: "what devices a user has", ArgsUsage: "[USER]",
			Action: func(c *cli.Context) error { return deviceListAction(c, ui) }},
		{Name: "add", Usage: "put a device beside those that a user has", ArgsUsage: "[USER]",
			Description: "Does what enroll does, and leaves the other devices and the recovery codes as they are.",
			Flags:       append(deviceFlags(), dryRunFlag()),
			Action:      func(c *cli.Context) error { return deviceAddAction(c, ui) }},
		{Name: "edit", Usage: "say how long a device is good, or to which number codes are sent", ArgsUsage: "[USER] DEVICE",
			Description: "What makes the codes of a device cannot be changed, since the app would not know: replace it by another one. Another number\n" +
				"is a device of sms: who changes his own types the code that was sent there; the number that was there until now is told.",
			Flags: []cli.Flag{&cli.StringFlag{Name: "until", Usage: "to the end of this `DATE`, as 2026-12-31, or for ever: never"},
				&cli.StringFlag{Name: "phone", Usage: "of sms: codes go to this `NUMBER`, as +447400123456"},
				&cli.BoolFlag{Name: "confirm", Usage: "with --phone: send a code there, and write nothing unless it is typed"},
				dryRunFlag()},
			Action: func(c *cli.Context) error { return deviceEditAction(c, ui) }},
		{Name: "remove", Usage: "end one device", ArgsUsage: "[USER] DEVICE",
			Description: "The last device of a user is not removed so: who has none may be let in without a code.",
			Flags:       []cli.Flag{dryRunFlag()},
			Action:      func(c *cli.Context) error { return deviceRemoveAction(c, ui) }},
		{Name: "rename", Usage: "call a device otherwise", ArgsUsage: "[USER] DEVICE NEW-NAME",
			Flags:  []cli.Flag{dryRunFlag()},
			Action: func(c *cli.Context) error { return deviceRenameAction(c, ui) }},
	}}
}

func deviceListAction(c *cli.Context, ui *ui) error {
	d, err := findDevices(c, ui, 0)
	if err != nil {
		return err
	}
	v := d.person.view(d.record, time.Now())
	if err := ui.object(v.Devices); err != nil {
		return err
	}
	return ui.table(deviceRows(v.Devices))
}

// end is the last day of the device as a table has it.
func (d viewDevice) end() string {
	switch {
	case d.Until == nil:
		return "-"
	case d.Expired:
		return lastDay(*d.Until).String() + " (EXPIRED)"
	}
	return lastDay(*d.Until).String()
}

// deviceRows is narrow enough for a terminal of 80 columns; show has all of it.
func deviceRows(devices []viewDevice) [][]string {
	rows := [][]string{{"DEVICE", "KIND", "MADE", "LAST USED", "FROM", "GOOD UNTIL"}}
	for _, d := range devices {
		used, from := "never", "-"
		if d.LastUsed != nil {
			used, from = at(d.LastUsed), or(d.LastFrom, "-")
		}
		made := "unknown"
		if d.Created != nil {
			made = d.Created.Local().Format(time.DateOnly)
		}
		rows = append(rows, []string{d.Name, inShort(d.Method, d.Digits, d.Period, d.Algorithm), made, used, from, d.end()})
	}
	return rows
}

func deviceAddAction(c *cli.Context, ui *ui) error {
	w, err := wishOf(c)
	if err != nil {
		return err
	}
	w.add = true
	return enrollMe(c, ui, w)
}

// devices are those of the user whom a command is about.
type devices struct {
	*host
	users  *enroll.Users
	person person
	record *secrets.Record
}

// findDevices reads the arguments, of which the first is the user where there are more than the command needs, and then his devices.
func findDevices(c *cli.Context, ui *ui, needs int) (*devices, error) {
	name, err := userBefore(c, ui, needs)
	if err != nil {
		return nil, err
	}
	h, u, err := openUsersInForce(c, ui)
	if err != nil {
		return nil, err
	}
	found, err := h.known(u, []string{name})
	if err != nil {
		return nil, err
	}
	p := found[0]
	switch {
	case !p.enrolled:
		return nil, about(p.name, enroll.ErrNotEnrolled)
	case p.problem != nil:
		return nil, about(p.name, p.problem)
	}
	record, err := u.Secrets.Load(p.name)
	if err != nil {
		return nil, about(p.name, err)
	}
	return &devices{h, u, p, record}, nil
}

// userBefore is the user in front of the arguments that a command needs, or whoever types.
func userBefore(c *cli.Context, ui *ui, needs int) (string, error) {
	switch c.NArg() {
	case needs:
		return whoTypes(ui)
	case needs + 1:
		return c.Args().First(), checkUserName(c.Args().First())
	}
	return "", badUsage("%s takes %s", nameOf(c), c.Command.ArgsUsage).hint("twokey %s --help", nameOf(c))
}

// device is the one with a name.
func (d *devices) device(name string) (secrets.Device, error) {
	i := slices.IndexFunc(d.record.Devices, func(one secrets.Device) bool { return one.Name == name })
	if i < 0 {
		return secrets.Device{}, about(d.person.name, fmt.Errorf("%w: %q", enroll.ErrNoDevice, name))
	}
	return d.record.Devices[i], nil
}

// changedDevice is what the commands that change a device print with --json.
type changedDevice struct {
	User    string     `json:"user"`
	Device  string     `json:"device"`
	Changed bool       `json:"changed"`
	Until   *time.Time `json:"until,omitempty"`
}

// change does something to a device, unless it is a dry run, and records it.
func (d *devices) change(action, name string, do func() error, changes ...audit.Change) error {
	if d.dryRun {
		return nil
	}
	if err := do(); err != nil {
		return about(d.person.name, err)
	}
	return d.host.record(action, d.person.name, append([]audit.Change{{Field: "device", New: name}}, changes...)...)
}

func deviceEditAction(c *cli.Context, ui *ui) error {
	switch {
	case c.IsSet("until") && c.IsSet("phone"):
		return badUsage("--until and --phone are two different things")
	case c.IsSet("phone"):
		return deviceNumberAction(c, ui)
	case !c.IsSet("until"):
		return badUsage("device edit changes nothing without --until or --phone").hint("twokey device edit alice phone --until 2026-12-31")
	}
	var last policy.Date
	if text := c.String("until"); text != "never" {
		if _, ok := policy.ParseDate(text); !ok {
			return badUsage("--until: want a day such as 2026-12-31, or never, not %q", text)
		}
		if err := readDay(c, "until", &last); err != nil {
			return err
		}
	}
	d, err := findDevices(c, ui, 1)
	if err != nil {
		return err
	}
	one, err := d.device(c.Args().Get(c.NArg() - 1))
	if err != nil {
		return err
	}
	until := time.Time{}
	if !last.IsZero() {
		until = last.End(time.Local)
	}
	if until.Equal(one.Until) {
		return d.asItIs(one)
	}
	err = d.change("device-edit", one.Name, func() error { return d.users.SetUntil(d.person.name, one.Name, until) },
		audit.Change{Field: "until", Old: endOf(one.Until), New: endOf(until)})
	if err != nil {
		return err
	}
	good := "it is good until " + endOf(until)
	if until.IsZero() {
		good = "it has no end"
	}
	ui.say("%s %s: %s.", d.done("Changed the device of", "Would change the device of"), quoted(d.person.name, one.Name), good)
	return ui.object(changedDevice{d.person.name, one.Name, !d.dryRun, timeOrNull(until)})
}

// asItIs says that nothing has to be changed.
func (d *devices) asItIs(one secrets.Device) error {
	d.ui.say("The device of %s is so already: nothing to change.", quoted(d.person.name, one.Name))
	return d.ui.object(changedDevice{User: d.person.name, Device: one.Name, Until: timeOrNull(one.Until)})
}

// done chooses the beginning of a sentence.
func (d *devices) done(is, would string) string {
	if d.dryRun {
		return would
	}
	return is
}

func quoted(user, device string) string { return fmt.Sprintf("%s called %q", visible(user), device) }

// endOf is the last day of a device.
func endOf(until time.Time) string {
	if until.IsZero() {
		return "never"
	}
	return lastDay(until).String()
}

func deviceRemoveAction(c *cli.Context, ui *ui) error {
	d, err := findDevices(c, ui, 1)
	if err != nil {
		return err
	}
	one, err := d.device(c.Args().Get(c.NArg() - 1))
	if err != nil {
		return err
	}
	if len(d.record.Devices) == 1 {
		return about(d.person.name, enroll.ErrLastDevice)
	}
	if !d.dryRun {
		question := "End the device %q of %s (%s)? Its codes are not taken any more."
		if err := ui.confirm(d.yes, question, one.Name, d.person.name, describe(device.Params(one))); err != nil {
			return err
		}
	}
	err = d.change("device-remove", one.Name, func() error { return d.users.RemoveDevice(d.person.name, one.Name) },
		audit.Change{Field: "kind", Old: describe(device.Params(one))})
	if err != nil {
		return err
	}
	ui.say("%s %s.", d.done("Ended the device of", "Would end the device of"), quoted(d.person.name, one.Name))
	return ui.object(changedDevice{User: d.person.name, Device: one.Name, Changed: !d.dryRun})
}

func deviceRenameAction(c *cli.Context, ui *ui) error {
	if c.NArg() >= 2 {
		if err := checkDeviceName("the new name", c.Args().Get(c.NArg()-1)); err != nil {
			return err
		}
	}
	d, err := findDevices(c, ui, 2)
	if err != nil {
		return err
	}
	from, to := c.Args().Get(c.NArg()-2), c.Args().Get(c.NArg()-1)
	one, err := d.device(from)
	if err != nil {
		return err
	}
	if from == to {
		return d.asItIs(one)
	}
	if hasDevice(d.record.Devices, to) {
		return about(d.person.name, fmt.Errorf("%w: %q", enroll.ErrDeviceName, to))
	}
	err = d.change("device-rename", to, func() error { return d.users.RenameDevice(d.person.name, one.Name, to) },
		audit.Change{Field: "name", Old: from, New: to})
	if err != nil {
		return err
	}
	ui.say("%s %s: it is %q now.", d.done("Renamed the device of", "Would rename the device of"), quoted(d.person.name, from), to)
	return ui.object(changedDevice{User: d.person.name, Device: to, Changed: !d.dryRun})
}

package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/enroll"
	"twokey/enroll/batch"
	"twokey/enroll/importer"
	"twokey/factor"
	"twokey/internal/sysuser"
	"twokey/secrets"
)

func importCommand(ui *ui) *cli.Command {
	sub := func(format importer.Format, usage, arguments string, own ...cli.Flag) *cli.Command {
		return &cli.Command{Name: string(format), Usage: usage, ArgsUsage: arguments, Flags: append(own, importFlags()...),
			Action: func(c *cli.Context) error { return importAction(c, ui, format) }}
	}
	return &cli.Command{
		Name:  "import",
		Usage: "take over users' present devices from another product",
		Description: "The devices go on as they are: nobody scans anything. What cannot be carried over is named for each user. A row that is wrong\n" +
			"is reported and stops no other; a second time changes nothing. FILE - is standard input.",
		Subcommands: []*cli.Command{
			sub(importer.GoogleAuthenticator, "~/.google_authenticator of pam_google_authenticator", "[FILE]",
				&cli.BoolFlag{Name: "all-homes", Usage: "those of all users whom the name service lists"},
				&cli.BoolFlag{Name: "remove-source", Usage: "remove the file when the device is in force here and recorded"}),
			sub(importer.OATH, "the users file of pam_oath", "FILE"),
			sub(importer.OTPAuth, "otpauth:// addresses, one a line", "FILE"),
			sub(importer.Migration, "otpauth-migration:// addresses, which Google Authenticator exports", "FILE"),
			sub(importer.PSKC, "hardware tokens: a key container of RFC 6030", "FILE",
				&cli.StringFlag{Name: "pskc-key", Usage: "the key of an encrypted file, in hexadecimal or base64, or its password, from `FILE`"},
				&cli.StringFlag{Name: "assign", Usage: "whose the tokens are: a table in `FILE`, with the header serial,user"}),
			sub(importer.CSV, "a table of secrets, with a header such as user,secret", "FILE"),
		},
	}
}

func importFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "user", Usage: "the devices are `USER`'s; of a file that says whose they are, only those"},
		&cli.BoolFlag{Name: "add", Usage: "put the devices beside others that a user has here"},
		&cli.BoolFlag{Name: "allow-short", Usage: "take secrets of 80 to 127 bits, of old tokens"},
		&cli.IntFlag{Name: "recovery-codes", Usage: "make `N` recovery codes for who has none, and print them"},
		dryRunFlag(),
	}
}

// importWish is what the flags say.
type importWish struct {
	format     importer.Format
	file       string // "" with allHomes, or for that of the user's home
	user       string
	allHomes   bool
	remove     bool
	add        bool
	allowShort bool
	recovery   int
	keyFile    string
	assign     string
}

func importWishOf(c *cli.Context, format importer.Format) (importWish, error) {
	w := importWish{format: format, file: c.Args().First(), user: c.String("user"), allHomes: c.Bool("all-homes"), remove: c.Bool("remove-source"),
		add: c.Bool("add"), allowShort: c.Bool("allow-short"), recovery: c.Int("recovery-codes"), keyFile: c.String("pskc-key"), assign: c.String("assign")}
	google := format == importer.GoogleAuthenticator
	switch {
	case c.NArg() > 1:
		return w, badUsage("%s takes one file, %q is one too many", nameOf(c), c.Args().Get(1))
	case w.file == "" && !google:
		return w, badUsage("%s needs a file", nameOf(c)).hint("twokey %s FILE; - is standard input", nameOf(c))
	case google && w.allHomes && (w.user != "" || w.file != ""):
		return w, badUsage("--all-homes is about everybody's own file: leave FILE and --user out")
	case google && !w.allHomes && w.user == "":
		return w, badUsage("%s needs a user: the file does not say whose it is", nameOf(c)).hint("--user alice, or --all-homes")
	case w.remove && w.file == "-":
		return w, badUsage("--remove-source: standard input cannot be removed")
	case w.assign != "" && w.user != "":
		return w, badUsage("--assign says whose each token is: leave --user out")
	case w.file == "-" && w.keyFile == "-":
		return w, badUsage("standard input cannot be both FILE and the key")
	case w.recovery < 0 || w.recovery > secrets.MaxRecoveryCodes:
		return w, badUsage("--recovery-codes: %d, want 0 to %d", w.recovery, secrets.MaxRecoveryCodes)
	}
	if c.IsSet("user") {
		return w, checkUserName(w.user)
	}
	return w, nil
}

func importAction(c *cli.Context, ui *ui, format importer.Format) error {
	w, err := importWishOf(c, format)
	if err != nil {
		return err
	}
	h, err := openInForce(c, ui)
	if err != nil {
		return err
	}
	m := &moving{host: h, importWish: w, list: ui.openList("users")}
	if err := m.prepare(); err != nil {
		return err
	}
	if err := m.read(); err != nil {
		return err
	}
	m.planAll()
	if h.dryRun {
		return m.tellPlan()
	}
	return m.run()
}

// moving is one run of import.
type moving struct {
	*host
	importWish
	job       *batch.Job
	directory *sysuser.Directory
	movers    []*mover
	wrong     []error // rows that cannot be done, or were not
	notes     []string
	list      *listPrinter
	told      int // of the movers
	changed   int
}

// mover is a user who brings his devices.
type mover struct {
	importer.User
	source *source     // the file in his home; nil: it is not there that he comes from
	there  []string    // devices that he has here already
	plan   *batch.Plan // nil: there is nothing to do, or a fault
	fault  error       // why he is not taken over
	gone   bool        // the source was removed
}

func (m *moving) prepare() (err error) {
	u, err := m.host.users()
	if err != nil {
		return err
	}
	questions := 1
	if m.format != importer.GoogleAuthenticator || m.allHomes {
		questions = manyQuestions
	}
	if m.directory, err = sysuser.NewDirectory(questions); err != nil {
		return err
	}
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	m.job = &batch.Job{Users: u, By: m.actor.signature(), AllowShort: m.allowShort, Expired: true, Lookup: ownSpelling(m.directory),
		Usual: batch.Usual{Issuer: or(m.policy.Issuer, name), Host: name,
			Params: factor.Params{Method: factor.TOTP, Digits: factor.DefaultDigits, Period: factor.DefaultPeriod, Algorithm: factor.SHA1}}}
	return nil
}

// manyQuestions makes the directory read the list of all accounts once.
const manyQuestions = 1000

// planAll finds out what is to be done.
func (m *moving) planAll() {
	step, end := m.ui.progress("looking", len(m.movers))
	defer end()
	for _, u := range m.movers {
		step(1)
		if u.fault = m.planOne(u); u.fault != nil {
			m.fail(u)
		}
	}
}

// fail keeps why a user is not taken over, with the file and the line where he stands.
func (m *moving) fail(u *mover) {
	line := u.Line
	if m.assign == "" { // else he stands in another file than his devices
		line = batch.LineOf(u.fault, line)
	}
	m.wrong = append(m.wrong, &batch.RowError{File: u.File, Line: line, Name: u.Name, Err: u.fault})
}

func (m *moving) planOne(u *mover) error {
	if _, err := m.job.Lookup(u.Name); err != nil {
		return err
	}
	if err := m.leaveOutThere(u); err != nil {
		return err
	}
	if len(u.Devices) == 0 {
		return nil
	}
	u.Recovery = &m.recovery
	p := m.job.Plan(&u.User.User)
	switch {
	case p.Err != nil:
		return p.Err
	case p.Ends: // somebody is at work on the same user
		return enroll.ErrDeviceName
	}
	u.plan = p
	m.noteExpired(u)
	return nil
}

// noteExpired names devices that come with a day that is over. They are taken over as they are: whose they are is not without a device.
func (m *moving) noteExpired(u *mover) {
	for i := range u.Devices {
		d := &u.Devices[i]
		if over := d.CheckEnd(time.Now()); over != nil {
			u.Left = append(u.Left, fmt.Sprintf("%v: its codes are refused. To have them taken: twokey device edit %s '%s' --until never", over, u.Name, d.Name))
		}
	}
}

// leaveOutThere takes the devices out that the user has here already. Beside others, new ones need --add: who has both the old device and
// one that he was given here may not know of the old one any more.
func (m *moving) leaveOutThere(u *mover) error {
	enrolled, err := m.job.Users.Secrets.Enrolled(u.Name)
	if err != nil || !enrolled {
		return err
	}
	record, err := m.job.Users.Secrets.Load(u.Name)
	if err != nil {
		return err
	}
	var left []batch.Device
	has := slices.Clone(record.Devices)
	for _, d := range u.Devices {
		i := slices.IndexFunc(record.Devices, func(old secrets.Device) bool { return string(old.Secret) == string(d.Secret) })
		switch {
		case i >= 0 && !sameCodes(d, record.Devices[i]):
			return fmt.Errorf("%w, in the device %q, which makes other codes of it", enroll.ErrSameSecret, record.Devices[i].Name)
		case i >= 0:
			u.there = append(u.there, record.Devices[i].Name)
			continue
		case !m.add:
			return fmt.Errorf("%w: --add puts the device beside those that there are", enroll.ErrEnrolled)
		}
		d.Name = importer.FreeName(d.Name, func(name string) bool { return hasDevice(has, name) })
		has = append(has, secrets.Device{Name: d.Name})
		left = append(left, d)
	}
	u.Devices = left
	return nil
}

func sameCodes(d batch.Device, old secrets.Device) bool {
	return string(d.Method) == old.Method && d.Digits == old.Digits && d.Period == old.Period && string(d.Algorithm) == old.Algorithm
}

package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/device"
	"twokey/enroll"
	"twokey/enroll/batch"
	"twokey/factor"
	"twokey/internal/cores"
	"twokey/internal/safefile"
	"twokey/internal/sysuser"
)

func applyCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "apply",
		Usage: "make many users what a file says: devices, phone numbers, requirements",
		Description: "Reads a list of users, in YAML or CSV, and gives each what he lacks of it; a second time changes nothing. What the file does\n" +
			"not name is left alone. Issuer, label and counter are for a device that is made: others in the list change nothing of one\n" +
			"that is there. A row that is wrong is reported with its line and stops no other. New secrets have to be seen by\n" +
			"somebody: --sheets writes a page for each user, --show-secrets prints them; else they have to stand in the file.\n" +
			"CSV has a header with user and any of present, phone, recovery_codes, device, device_present, secret, method, digits,\n" +
			"period, algorithm, counter, issuer, label and until. YAML has groups and their requirements too: twokey export\n" +
			"writes such a file, or CSV with --csv.",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "the list, .yaml or .csv: `FILE`; - is standard input"},
			&cli.BoolFlag{Name: "check", Usage: "change nothing, and exit with status 3 if something would change"},
			&cli.BoolFlag{Name: "diff", Usage: "say what is changed about each user"},
			&cli.BoolFlag{Name: "all-or-nothing", Usage: "change nothing unless every row is right"},
			&cli.IntFlag{Name: "limit", Usage: "change `N` users and leave the others for the next time"},
			&cli.StringFlag{Name: group, Usage: "only those of the file who are in `GROUP`"},
			&cli.StringFlag{Name: "sheets", Usage: "write a page to be printed for each new device, with its secret, into the folder `DIR`"},
			&cli.BoolFlag{Name: "show-secrets", Usage: "print new secrets and recovery codes"},
			&cli.BoolFlag{Name: "allow-short", Usage: "take secrets of 80 to 127 bits, of old tokens"},
			dryRunFlag(),
		}, recipientFlags()...),
		Action: func(c *cli.Context) error { return applyAction(c, ui) },
	}
}

// applyWish is what the flags say.
type applyWish struct {
	file       string
	check      bool // nothing is changed, and that something would be is the answer no
	diff       bool
	whole      bool // all or nothing
	limit      int  // 0: none
	group      string
	sheets     string
	show       bool
	allowShort bool
}

func applyAction(c *cli.Context, ui *ui) error {
	w, err := applyWishOf(c)
	if err != nil {
		return err
	}
	if c.IsSet("recipient") {
		return applyElsewhere(c, ui, w)
	}
	if err := forRecipient(c); err != nil {
		return err
	}
	h, err := openInForce(c, ui)
	if err != nil {
		return err
	}
	u, err := h.users()
	if err != nil {
		return err
	}
	return h.applyFile(u, w)
}

func applyWishOf(c *cli.Context) (applyWish, error) {
	w := applyWish{file: c.String("file"), check: c.Bool("check"), diff: c.Bool("diff"), whole: c.Bool("all-or-nothing"),
		limit: c.Int("limit"), group: c.String(group), sheets: c.String("sheets"), show: c.Bool("show-secrets"), allowShort: c.Bool("allow-short")}
	if err := noArguments(c); err != nil {
		return w, err
	}
	switch {
	case w.file == "":
		return w, badUsage("apply needs a list of users").hint("twokey apply -f users.yaml; - is standard input")
	case c.IsSet("limit") && w.limit < 1:
		return w, badUsage("--limit: %d, want 1 or more", w.limit)
	}
	return w, nil
}

// application is one run of apply.
type application struct {
	*host
	applyWish
	job       *batch.Job
	file      *batch.File
	directory *sysuser.Directory
	users     []batch.User     // of the file and of its groups, those whom the flags mean
	members   map[int][]string // of groups that have a device or are required, by their lines; those of whom they are known
	plans     []*batch.Plan
	lists     *configEdit     // what the policy becomes
	wrong     []error         // rows that cannot be done, or were not
	unmet     []error         // rows that the policy cannot do
	waiting   []string        // groups that nobody requires yet
	left      int             // users who would change, beyond --limit
	undone    map[string]bool // users who are left, or of whom a row is wrong
	sheetDir  *safefile.Dir
	step      func(int)            // of the bar
	telling   sync.Mutex           // of paged and printed, and of printing while users are made
	paged     map[*batch.Plan]bool // who may have a page that does not count yet
	printed   map[*batch.Plan]bool // whose secrets were printed, and do not count yet
	list      *listPrinter         // with --json, of secrets and then of users
	changed   int                  // users, of those who were told of
}

// A hundred thousand users take about 80 MB, which are looked through for each collection of garbage: so it is collected when there is
// twice as much of it (percent), but up to so many bytes in all (memory).
const (
	garbage = 200
	memory  = 180 << 20
)

func newApplication(h *host, w applyWish) *application {
	return &application{host: h, applyWish: w, list: openSecrets(h.ui, w.show), members: map[int][]string{}, undone: map[string]bool{},
		paged: map[*batch.Plan]bool{}, printed: map[*batch.Plan]bool{}}
}

// looksOnly reports whether nothing is to be changed.
func (a *application) looksOnly() bool { return a.check || a.dryRun }

// applyFile reads, plans, asks, does, and says.
func (h *host) applyFile(u *enroll.Users, w applyWish) (err error) {
	debug.SetGCPercent(garbage)
	debug.SetMemoryLimit(memory)
	a := newApplication(h, w)
	if err := a.read(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.closeSheets()) }()
	if err := a.openSheets(); err != nil {
		return err
	}
	if err := a.prepare(u); err != nil {
		return err
	}
	if err := a.plan(); err != nil {
		return err
	}
	if a.looksOnly() {
		return a.tellPlan()
	}
	if err := a.mayRun(); err != nil {
		return err
	}
	return a.run()
}

// read opens the list. Whoever else can read one with secrets in it knows the second factors.
func (a *application) read() error {
	options := batch.Options{AllowShort: a.allowShort}
	var err error
	if a.applyWish.file == "-" {
		a.file, err = batch.Parse("standard input", a.ui.in.lines, options)
		return err
	}
	path := a.applyWish.file
	f, about, err := safefile.OpenImport(path, batch.MaxFile)
	switch {
	case errors.Is(err, safefile.ErrType):
		return failed("%s is not a regular file", path).hint("to read the list from a pipe: -f -")
	case errors.Is(err, safefile.ErrSize):
		return failed("%s: %v", path, batch.ErrSize)
	case err != nil:
		return err
	}
	a.file, err = batch.Parse(path, f, options)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if a.hasSecrets() && (about.Mode&0o077 != 0 || about.Owner != uint32(os.Geteuid())) {
		a.ui.warn("others have access to %s, which has second factors in it: chmod 600 '%s', or delete it", path, path)
	}
	return nil
}

func (a *application) hasSecrets() bool {
	for _, u := range a.file.Users {
		for _, d := range u.Devices {
			if d.Secret != nil {
				return true
			}
		}
	}
	return false
}

// prepare finds out who is meant and what is usual.
func (a *application) prepare(u *enroll.Users) (err error) {
	for _, row := range a.file.Wrong {
		a.wrong = append(a.wrong, row)
		a.undone[row.Name] = true
	}
	if a.directory, err = a.openDirectory(); err != nil {
		return err
	}
	if err := a.chooseUsers(); err != nil {
		return err
	}
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	usual := a.policy.NewDevices
	a.job = &batch.Job{Users: u, By: a.actor.signature(), AllowShort: a.allowShort, Lookup: ownSpelling(a.directory),
		Usual: batch.Usual{Issuer: or(a.policy.Issuer, name), Host: name, Provider: a.policy.PushProvider(), Params: factor.Params{Method: factor.TOTP,
			Digits: usual.Digits, Period: int(usual.Period / time.Second), Algorithm: factor.Algorithm(usual.Algorithm)}}}
	if a.seen() {
		a.job.Usual.Recovery = usualRecovery
	}
	return nil
}

// openDirectory reads the list of all accounts also for few users, where a group may be required: a member who is in it exists, whatever
// the name service says when it is asked about him alone.
func (a *application) openDirectory() (*sysuser.Directory, error) {
	if !slices.ContainsFunc(a.file.Groups, a.needsMembers) {
		return sysuser.NewDirectory(len(a.file.Users))
	}
	all, err := sysuser.All()
	if err != nil {
		return nil, err
	}
	return sysuser.DirectoryOf(all), nil
}

// needsMembers reports whether it matters who is in a group.
func (a *application) needsMembers(g batch.Group) bool {
	return (g.Device != nil || g.Require != nil) && (a.group == "" || a.group == g.Name)
}

// seen reports whether somebody gets to see what is new.
func (a *application) seen() bool { return a.sheets != "" || a.show }

// errNoUser is for who surely does not exist.
var errNoUser = errors.New("there is no such user on this host")

// ownSpelling finds accounts by the name service's own spelling: by another one a user could be in the file twice.
func ownSpelling(directory *sysuser.Directory) func(string) (enroll.Account, error) {
	return func(name string) (enroll.Account, error) {
		found, err := directory.Lookup(name)
		switch {
		case errors.Is(err, sysuser.ErrUnknown):
			return enroll.Account{}, errNoUser
		case err != nil:
			return enroll.Account{}, err
		case found.Name != name:
			return enroll.Account{}, fmt.Errorf("the name service spells this user %q", found.Name)
		}
		return enroll.Account{Name: found.Name, UID: found.UID}, nil
	}
}

// chooseUsers finds the members of groups, adds those who get a device, and leaves out whom --group does not mean.
func (a *application) chooseUsers() error {
	a.users = a.file.Users
	named := map[string]bool{}
	for _, u := range a.file.Users {
		named[u.Name] = true
	}
	for _, g := range a.file.Groups {
		if !a.needsMembers(g) {
			continue
		}
		members, err := sysuser.Everybody(g.Name)
		if err != nil {
			if g.Device != nil || !errors.Is(err, sysuser.ErrUnknown) { // else its demand tells
				a.wrong = append(a.wrong, a.row(g.Line, g.Name, err))
			}
			continue
		}
		if a.members[g.Line] = members; g.Device == nil {
			continue
		}
		for _, name := range members {
			if !named[name] {
				a.users = append(a.users, batch.User{Line: g.Line, Name: name, Devices: []batch.Device{*g.Device}})
			}
			named[name] = true
		}
	}
	if a.group == "" {
		return nil
	}
	return a.onlyGroup()
}

// onlyGroup leaves out whom --group does not mean. A name that nobody has is in no group, and wrong in every wave.
func (a *application) onlyGroup() error {
	exists, err := sysuser.GroupExists(a.group)
	if err != nil || !exists {
		return errors.Join(err, failed("there is no group %q on this host", a.group).hint("getent group lists the groups"))
	}
	var members []batch.User
	for _, u := range a.users {
		account, err := a.directory.Lookup(u.Name)
		if errors.Is(err, sysuser.ErrUnknown) {
			if !u.Absent {
				members = append(members, u)
			}
			continue
		}
		if err != nil {
			return err
		}
		in, err := account.InGroup(a.group)
		if err != nil {
			return err
		}
		if in {
			members = append(members, u)
		}
	}
	a.users = members
	return nil
}

func (a *application) row(line int, name string, err error) error {
	return &batch.RowError{File: a.file.Name, Line: batch.LineOf(err, line), Name: name, Err: err}
}

// plan finds out what is to be done, up to --limit.
func (a *application) plan() error {
	step, end := a.ui.progress("looking", len(a.users))
	defer end()
	a.plans = make([]*batch.Plan, 0, len(a.users))
	changing := 0
	for some := range slices.Chunk(a.users, lookedAtTogether) {
		plans := make([]*batch.Plan, len(some))
		cores.Each(len(some), func(i int) { plans[i] = a.job.Plan(&some[i]) })
		step(len(some))
		for _, p := range plans {
			if p.Err == nil {
				p.Err = a.unseen(p)
			}
			switch {
			case p.Err != nil:
				a.fail(p)
			case a.limit > 0 && changing == a.limit && !p.Idle():
				a.left++
				a.undone[p.User.Name] = true
				continue
			case !p.Idle():
				changing++
			}
			a.plans = append(a.plans, p)
		}
	}
	source, err := safefile.ReadFile(a.config, safefile.Public)
	if err != nil {
		return err
	}
	return a.planPolicy(source)
}

// fail puts the row of a user among the wrong ones. Who surely does not exist keeps no group waiting; who could not be looked up does.
func (a *application) fail(p *batch.Plan) {
	a.wrong = append(a.wrong, a.row(p.User.Line, p.User.Name, p.Err))
	if !errors.Is(p.Err, errNoUser) {
		a.undone[p.User.Name] = true
	}
}

// lookedAtTogether is how many users are looked at on all processors before the bar moves.
const lookedAtTogether = 500

// mayRun refuses what must not be begun, and asks where something ends.
func (a *application) mayRun() error {
	if err := a.wholly(); err != nil {
		return err
	}
	var ending []string
	for _, p := range a.plans {
		if p.Err == nil && p.Ends {
			ending = append(ending, p.User.Name)
		}
	}
	if len(ending) > 0 {
		if err := a.ui.confirm(a.yes, "Devices of %d of the users end: %s. Go on?", len(ending), shortList(ending, 8)); err != nil {
			return err
		}
	}
	if question := a.lists.question(wording{}); question != "" {
		return a.ui.confirm(a.yes, "%s", question)
	}
	return nil
}

// wholly refuses to begin with --all-or-nothing where a row is wrong.
func (a *application) wholly() error {
	wrong := a.faults()
	if !a.whole || len(wrong) == 0 {
		return nil
	}
	a.ui.faults(wrong)
	return withAdvice(failed("%s wrong, and with --all-or-nothing nothing was changed", rows(len(wrong), "row is", "rows are")), wrong)
}

// What is not made because nobody would see it.
var (
	errUnseen      = errors.New("nobody would see the new secret")
	errUnseenCodes = errors.New("the new recovery codes would be on no page")
)

// unseen refuses to make what nobody would see.
func (a *application) unseen(p *batch.Plan) error {
	switch {
	case p.Secret && !a.seen():
		return errUnseen
	case p.Secret && !a.show && (p.Loose || onlySent(p.User)):
		return errUnseenCodes
	}
	return nil
}

// onlySent reports whether all devices of a row are such as codes or requests are sent to, which have no page.
func onlySent(u *batch.User) bool {
	return len(u.Devices) > 0 && !slices.ContainsFunc(u.Devices, func(d batch.Device) bool { return !d.Absent && !device.IsOutOfBand(string(d.Method)) })
}

// withAdvice adds the way out for rows that were not done because nobody would have seen what is new.
func withAdvice(err *advised, wrong []error) error {
	is := func(target error) bool {
		return slices.ContainsFunc(wrong, func(row error) bool { return errors.Is(row, target) })
	}
	switch {
	case is(errUnseen):
		return err.hint("add --sheets DIR for a page for each user, or --show-secrets; or give the secret in the file")
	case is(errUnseenCodes):
		return err.hint("add --show-secrets")
	}
	return err
}

func rows(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

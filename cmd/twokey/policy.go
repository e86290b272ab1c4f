package main

import (
	"errors"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/internal/sysuser"
	"twokey/policy"
)

func policyCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "policy",
		Usage: "who must show a second factor, and why",
		Subcommands: []*cli.Command{
			whoCommand(ui, "require", "who must show a second factor",
				"Adds users, groups and services to \"require\" in the configuration, and takes them off \"exempt\" where that would go\n"+
					"before. With --service the others count on these services only; --service alone means everybody on them.\n"+
					"Who is required and has no device links one at the next login, with the enrolment code that is printed for each, where\n"+
					"enroll.at_login is with-code; else that login is refused (twokey list --missing). With --by that begins on the day after\n"+
					"DATE. The same name in the same place with other dates is replaced."),
			whoCommand(ui, "exempt", "who is never asked for a second factor",
				"Adds users, groups and services to \"exempt\" in the configuration, and takes them off \"require\".\n"+
					"With --service and --from the others count there only; alone these mean everybody there. The same name in the same\n"+
					"place with another day is replaced."),
			whoCommand(ui, "unset", "take users and groups off both lists",
				"Takes users and groups off every entry of \"require\" and \"exempt\"; for them the default counts again, so that who has\n"+
					"a device may still be asked for it: --unenroll takes the devices away too. --service and --from take off the entries\n"+
					"that mean everybody there."),
			policyListCommand(ui),
			policyEditCommand(ui),
			policyCheckCommand(ui),
			policyDiffCommand(ui),
			policyExplainCommand(ui),
			policyObservedCommand(ui),
		},
	}
}

func whoCommand(ui *ui, verb, usage, description string) *cli.Command {
	flags := []cli.Flag{
		severalFlag("group", "the members of this `GROUP`; may stand several times"),
		severalFlag("service", "the PAM `SERVICE`, such as sshd or sudo; may stand several times"),
		&cli.BoolFlag{Name: "allow-missing", Usage: "also names that this host does not know (yet)"},
		dryRunFlag(),
	}
	from := severalFlag("from", "clients at this `ADDRESS`, network or name; may stand several times")
	system := &cli.BoolFlag{Name: "system-accounts", Usage: "whoever has a low user id and no login shell"}
	until := &cli.StringFlag{Name: "until", Usage: "to the end of this `DATE`, as 2026-12-31"}
	switch verb {
	case "require":
		flags = append(flags, until, &cli.StringFlag{Name: "starts", Usage: "from the beginning of this `DATE` on"},
			&cli.StringFlag{Name: "by", Usage: "who has no device is let in to the end of this `DATE`"}, codeTimeFlag(),
			&cli.BoolFlag{Name: "no-codes", Usage: "make no enrolment codes: twokey enroll --code makes them later"})
	case "exempt":
		flags = append(flags, until, from, system)
	default:
		flags = append(flags, from, system, &cli.BoolFlag{Name: "unenroll", Usage: "take the devices of those who are taken off away too"})
	}
	return &cli.Command{
		Name: verb, Usage: usage, ArgsUsage: "[USER...]", Description: description, Flags: flags,
		Action: func(c *cli.Context) error { return whoAction(c, ui) },
	}
}

func whoAction(c *cli.Context, ui *ui) error {
	verb := c.Command.Name
	entry, err := who(c)
	if err != nil {
		return err
	}
	good := time.Duration(0)
	if verb == "require" {
		if good, err = codeTime(c); err != nil {
			return err
		}
	}
	h, err := openHost(c, ui)
	if err != nil {
		return err
	}
	if verb == "unset" {
		return h.unset(entry, c.Bool("unenroll"), c.Bool("allow-missing"))
	}
	if err := h.checkExists(&entry, c.Bool("allow-missing")); err != nil {
		return err
	}
	change, w := whoChange(verb, entry)
	e, err := h.planEdit(change)
	if errors.Is(err, policy.ErrGoesBefore) {
		return failed("%v", err).hint("twokey policy list shows it; twokey policy unset takes it off")
	}
	if err != nil {
		return err
	}
	w.already += coveredBy(e.was, verb, entry)
	if verb != "require" {
		return h.commit(e, w)
	}
	return h.require(e, w, required{entry, good, !c.Bool("no-codes")})
}

func whoChange(verb string, entry policy.Entry) (policy.Change, wording) {
	w := wording{action: "policy-" + verb, target: onlyUser(entry)}
	if verb == "exempt" {
		w.question = "From the next login on they are not asked for a second factor. Go on?"
		w.already = "They are exempt already: nothing to change."
		w.done = "Exempt from the next login on: " + entrySentence(entry) + "."
		return policy.AddExempt(entry), w
	}
	w.already = "They are required already: nothing to change."
	w.done = "Required from the next login on: " + entrySentence(entry) + "."
	if !entry.Starts.IsZero() {
		w.done = "Required: " + entrySentence(entry) + "."
	}
	return policy.AddRequire(entry), w
}

// coveredBy names the entries that already cover what is to be added, in more places or for longer; "": none does.
func coveredBy(c *policy.Config, verb string, entry policy.Entry) string {
	list := c.Require
	if verb == "exempt" {
		list = c.Exempt
	}
	var wider []string
	for _, e := range policy.Covering(list, entry) {
		wider = append(wider, entrySentence(e))
	}
	if len(wider) == 0 {
		return ""
	}
	return " The entry that covers them stays as it is: " + firstFew(wider, "; ", 3) + "."
}

// onlyUser is the one whom an entry names, by whatever spellings; "": there is none, or others too.
func onlyUser(entry policy.Entry) string {
	only := ""
	for _, name := range entry.Users {
		if found, err := sysuser.Lookup(name); err == nil {
			name = found.Name
		}
		if only != "" && only != name {
			return ""
		}
		only = name
	}
	if len(entry.Groups) > 0 {
		return ""
	}
	return only
}

// namedBy reports whether an entry is about the user; where the name service does not answer it is taken to be.
func namedBy(entry policy.Entry, p *person) bool {
	if slices.Contains(entry.Users, p.name) || len(entry.Users)+len(entry.Groups) == 0 {
		return true
	}
	return slices.ContainsFunc(entry.Groups, func(group string) bool {
		in, err := p.inGroup(group)
		return in || err != nil
	})
}

// shortList names the first few and counts the others.
func shortList(names []string, most int) string { return firstFew(names, ", ", most) }

// who are the users, groups, services and sources on the command line, and the days.
func who(c *cli.Context) (policy.Entry, error) {
	verb := c.Command.Name
	entry := policy.Entry{Groups: unique(c.StringSlice("group")), Services: unique(c.StringSlice("service")),
		From: unique(c.StringSlice("from")), SystemAccounts: c.Bool("system-accounts")}
	if c.Args().Present() {
		users, err := someUsers(c)
		if err != nil {
			return policy.Entry{}, err
		}
		entry.Users = users
	}
	if entryText(entry) == "" {
		return policy.Entry{}, badUsage("%s needs users, --group or --service", nameOf(c)).
			hint("twokey %s alice bob, or: twokey %s --group wheel", nameOf(c), nameOf(c))
	}
	for flag, day := range map[string]*policy.Date{"starts": &entry.Starts, "by": &entry.By, "until": &entry.Until} {
		if err := readDay(c, flag, day); err != nil {
			return policy.Entry{}, err
		}
	}
	var change policy.Change = policy.Unset(entry)
	if verb != "unset" {
		change, _ = whoChange(verb, entry)
	}
	// The policy knows which names and days can stand in a configuration.
	if _, err := policy.Edit([]byte("version: 1\n"), change); err != nil {
		return policy.Entry{}, badUsage("%v", err)
	}
	return entry, nil
}

// readDay reads a flag, if it is there. A day that is over would be in the file, look right, and do nothing.
func readDay(c *cli.Context, flag string, day *policy.Date) error {
	if !c.IsSet(flag) {
		return nil
	}
	text, today := c.String(flag), policy.DateOf(time.Now())
	read, ok := policy.ParseDate(text)
	if !ok {
		return badUsage("--%s: want a day such as 2026-12-31, not %q", flag, text)
	}
	if flag != "starts" && read.Before(today) {
		return badUsage("--%s: %s is over, today is %s", flag, read, today)
	}
	*day = read
	return nil
}

func unique(names []string) []string {
	var once []string
	for _, name := range names {
		if !slices.Contains(once, name) {
			once = append(once, name)
		}
	}
	return once
}

// checkExists refuses names that this host does not know: such an entry would be in the file, look right, and mean nobody. Users
// get the name service's own spelling, which is the one that counts at a login.
func (h *host) checkExists(entry *policy.Entry, allowMissing bool) error {
	const advice = "to write it all the same add --allow-missing"
	for i, name := range entry.Users {
		found, err := sysuser.Lookup(name)
		switch {
		case err == nil:
			entry.Users[i] = found.Name
		case !errors.Is(err, sysuser.ErrUnknown):
			return err
		case !allowMissing:
			return failed("there is no user %q on this host", name).hint("getent passwd lists the users; %s", advice)
		}
	}
	for _, name := range entry.Groups {
		exists, err := sysuser.GroupExists(name)
		if err != nil {
			return err
		}
		if !exists && !allowMissing {
			return failed("there is no group %q on this host", name).hint("getent group lists the groups; %s", advice)
		}
	}
	for _, name := range entry.Services {
		exists, err := h.pamServiceExists(name)
		if err != nil {
			return err
		}
		if !exists && !allowMissing {
			return failed("no PAM service on this host is called %q", name).hint("ls /etc/pam.d lists the services; %s", advice)
		}
	}
	return nil
}

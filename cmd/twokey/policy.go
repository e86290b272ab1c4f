package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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
					"Who is required and has no device is refused at the next login: twokey list --missing."),
			whoCommand(ui, "exempt", "who is never asked for a second factor",
				"Adds users, groups and services to \"exempt\" in the configuration, and takes them off \"require\".\n"+
					"With --service the others count on these services only; --service alone means everybody on them."),
			whoCommand(ui, "unset", "take users and groups off both lists",
				"Takes users and groups off every entry of \"require\" and \"exempt\"; for them the default counts again.\n"+
					"--service takes off the entries that mean everybody on these services."),
			policyListCommand(ui),
			policyCheckCommand(ui),
			policyExplainCommand(ui),
		},
	}
}

func whoCommand(ui *ui, verb, usage, description string) *cli.Command {
	flags := []cli.Flag{
		&cli.StringSliceFlag{Name: "group", Usage: "the members of this `GROUP`; may stand several times"},
		&cli.StringSliceFlag{Name: "service", Usage: "the PAM `SERVICE`, such as sshd or sudo; may stand several times"},
		dryRunFlag(),
	}
	if verb != "unset" {
		flags = append(flags, &cli.BoolFlag{Name: "allow-missing", Usage: "also names that this host does not know (yet)"})
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
	h, err := openHost(c, ui)
	if err != nil {
		return err
	}
	if verb == "unset" {
		err = h.addCanonical(&entry)
	} else {
		err = h.checkExists(&entry, c.Bool("allow-missing"))
	}
	if err != nil {
		return err
	}
	change, w := h.whoChange(verb, entry)
	e, err := h.planEdit(change)
	if err != nil {
		return err
	}
	if !e.loosens() {
		w.question = ""
	}
	if err := h.commit(e, w); err != nil {
		return err
	}
	if verb != "require" || e.empty() {
		return nil
	}
	h.policy = e.is
	return h.warnWithoutDevice(entry)
}

func (h *host) whoChange(verb string, entry policy.Entry) (policy.Change, wording) {
	w := wording{action: "policy-" + verb}
	switch verb {
	case "require":
		w.already = "They are required already: nothing to change."
		w.done = "Required from the next login on: " + visible(entrySentence(entry)) + "."
		return policy.AddRequire(entry), w
	case "exempt":
		w.question = "From the next login on they are not asked for a second factor. Go on?"
		w.already = "They are exempt already: nothing to change."
		w.done = "Exempt from the next login on: " + visible(entrySentence(entry)) + "."
		return policy.AddExempt(entry), w
	}
	w.question = "From the next login on they are no longer required by these entries. Go on?"
	w.already = "No entry names them: nothing to change."
	w.done = "Taken off both lists: " + visible(entrySentence(entry)) + ". What counts for them now: twokey policy explain USER --service SERVICE"
	return policy.Unset(entry), w
}

// warnWithoutDevice names users whom a new requirement locks out until they get a device.
func (h *host) warnWithoutDevice(entry policy.Entry) error {
	u, err := h.users()
	if err != nil {
		return err
	}
	people, err := h.people(u)
	if err != nil {
		return err
	}
	var without []string
	for _, p := range people {
		if p.account != nil && !p.enrolled && p.required() && namedBy(entry, &p) {
			without = append(without, p.name)
		}
	}
	if len(without) > 0 {
		h.ui.warn("required and without a device, so refused from the next login on: %s", shortList(without, 8))
	}
	return nil
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
func shortList(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d others", strings.Join(names[:most], ", "), len(names)-most)
}

// who are the users, groups and services on the command line.
func who(c *cli.Context) (policy.Entry, error) {
	entry := policy.Entry{Groups: unique(c.StringSlice("group")), Services: unique(c.StringSlice("service"))}
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
	// The policy knows which names can stand in a configuration.
	if _, err := policy.Edit([]byte("version: 1\n"), policy.Unset(entry)); err != nil {
		return policy.Entry{}, badUsage("%v", err)
	}
	return entry, nil
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

// addCanonical adds the name service's own spelling of users' names: either may stand in the file.
func (h *host) addCanonical(entry *policy.Entry) error {
	for _, name := range slices.Clone(entry.Users) {
		found, err := sysuser.Lookup(name)
		switch {
		case err == nil && !slices.Contains(entry.Users, found.Name):
			entry.Users = append(entry.Users, found.Name)
		case err != nil && !errors.Is(err, sysuser.ErrUnknown):
			return err
		}
	}
	return nil
}

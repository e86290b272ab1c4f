package main

import (
	"bytes"
	"slices"

	"github.com/urfave/cli/v2"

	"twokey/enroll"
	"twokey/enroll/batch"
	"twokey/internal/safefile"
	"twokey/policy"
)

func exportCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "write what users have as a list that apply reads",
		ArgsUsage: "[USER…]",
		Description: "Writes all users who are enrolled, or those that are named, with their devices and, in YAML, the plain entries of\n" +
			"require and exempt; applied on this host it changes nothing. Secrets are in it only with --with-secrets, recovery codes,\n" +
			"of which only hashes are kept, never. CSV has users and devices alone. In it an apostrophe stands before what a spreadsheet\n" +
			"would run: apply takes it away.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "with-secrets", Usage: "with the secrets of the devices: whoever has the list has the second factors"},
			&cli.BoolFlag{Name: "csv", Usage: "write CSV instead of YAML"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write a new `FILE`, for root only, instead of standard output"},
		},
		Action: func(c *cli.Context) error { return exportAction(c, ui) },
	}
}

func exportAction(c *cli.Context, ui *ui) error {
	var names []string
	if c.Args().Present() {
		var err error
		if names, err = someUsers(c); err != nil {
			return err
		}
	}
	withSecrets, asCSV := c.Bool("with-secrets"), c.Bool("csv")
	if c.Bool("json") && asCSV {
		return badUsage("--csv and --json are two different things")
	}
	h, u, err := openUsersInForce(c, ui)
	if err != nil {
		return err
	}
	if _, terminal := ui.width(); withSecrets && terminal && c.String("output") == "" && !h.yes {
		return badUsage("the secrets would stand on the terminal").hint("twokey export --with-secrets -o FILE; --yes shows them all the same")
	}
	list, leftOut, err := h.exportList(u, names, withSecrets)
	if err != nil {
		return err
	}
	all := len(names) == 0
	if asCSV {
		h.warnOfCSV(list, all)
	} else {
		h.exportPolicy(list, all)
	}
	err = h.writeList(list, c.String("output"), asCSV)
	switch {
	case err != nil || len(leftOut) == 0:
		return err
	case len(leftOut) == 1:
		return leftOut[0]
	}
	h.ui.faults(leftOut)
	return failed("%s left out", rows(len(leftOut), "user was", "users were"))
}

// exportList also says of whom nothing can be read.
func (h *host) exportList(u *enroll.Users, names []string, withSecrets bool) (list *batch.File, leftOut []error, err error) {
	all := len(names) == 0
	if all {
		if names, err = u.Secrets.Users(); err != nil {
			return nil, nil, err
		}
	}
	if !all {
		for _, name := range names {
			enrolled, err := u.Secrets.Enrolled(name)
			if err == nil && !enrolled {
				err = about(name, enroll.ErrNotEnrolled)
			}
			if err != nil {
				return nil, nil, err
			}
		}
	}
	list = &batch.File{}
	step, end := h.ui.progress("reading", len(names))
	defer end()
	for _, name := range names {
		step(1)
		user, err := batch.Export(u, name, withSecrets)
		if err != nil {
			leftOut = append(leftOut, about(name, err))
			continue
		}
		list.Users = append(list.Users, user)
	}
	return list, leftOut, nil
}

// warnOfCSV says what is lost for who applies the list on another host.
func (h *host) warnOfCSV(list *batch.File, all bool) {
	whole := &batch.File{Users: slices.Clone(list.Users)}
	h.exportPolicy(whole, all)
	var whose []string
	for _, u := range whole.Users {
		if u.Require != nil || u.Exempt != nil {
			whose = append(whose, u.Name)
		}
	}
	for _, g := range whole.Groups {
		whose = append(whose, "group "+g.Name)
	}
	if len(whose) > 0 {
		h.ui.warn("CSV has no requirements and exemptions: the list is without those of %s; without --csv they are in it", shortList(whose, 8))
	}
}

// exportPolicy adds the entries that mean users and groups on every service, from everywhere. Others have no word in a list.
func (h *host) exportPolicy(list *batch.File, all bool) {
	add := func(entries []policy.Entry, set func(*batch.Dates, *batch.User, *batch.Group)) {
		for _, e := range entries {
			if len(e.Services) > 0 || len(e.From) > 0 || e.SystemAccounts {
				continue
			}
			dates := &batch.Dates{By: e.By.String(), Starts: e.Starts.String(), Until: e.Until.String()}
			for _, name := range e.Users {
				if u := userOf(list, name, all); u != nil && u.Require == nil && u.Exempt == nil {
					set(dates, u, nil)
				}
			}
			for _, name := range e.Groups {
				if g := groupOf(list, name, all); g != nil && g.Require == nil && g.Exempt == nil {
					set(dates, nil, g)
				}
			}
		}
	}
	// An exemption goes before a requirement.
	add(h.policy.Exempt, func(d *batch.Dates, u *batch.User, g *batch.Group) {
		if u != nil {
			u.Exempt = d
		} else {
			g.Exempt = d
		}
	})
	add(h.policy.Require, func(d *batch.Dates, u *batch.User, g *batch.Group) {
		if u != nil {
			u.Require = d
		} else {
			g.Require = d
		}
	})
}

// userOf is a user's row, made when he has none and all are meant; nil: he is not meant.
func userOf(list *batch.File, name string, all bool) *batch.User {
	i := slices.IndexFunc(list.Users, func(u batch.User) bool { return u.Name == name })
	switch {
	case i >= 0:
		return &list.Users[i]
	case !all:
		return nil
	}
	list.Users = append(list.Users, batch.User{Name: name, NoDevice: true})
	return &list.Users[len(list.Users)-1]
}

func groupOf(list *batch.File, name string, all bool) *batch.Group {
	i := slices.IndexFunc(list.Groups, func(g batch.Group) bool { return g.Name == name })
	switch {
	case i >= 0:
		return &list.Groups[i]
	case !all:
		return nil
	}
	list.Groups = append(list.Groups, batch.Group{Name: name})
	return &list.Groups[len(list.Groups)-1]
}

func (h *host) writeList(list *batch.File, file string, asCSV bool) error {
	var text bytes.Buffer
	write := list.Write
	if asCSV {
		write = list.WriteCSV
	}
	if err := write(&text); err != nil {
		return err
	}
	if file != "" {
		if err := safefile.WriteExport(file, text.Bytes()); err != nil {
			return err
		}
		h.ui.say("%s in %s.", rows(len(list.Users), "user is", "users are"), visible(file))
		return h.ui.object(exported{len(list.Users), file})
	}
	if h.ui.json {
		return h.ui.object(exportedList{text.String(), len(list.Users)})
	}
	h.ui.print(text.String())
	return nil
}

// exported is what export --output --json prints.
type exported struct {
	Users int    `json:"users"`
	File  string `json:"file"`
}

// exportedList is what export --json prints: the list is YAML, which a program gives to apply as it is.
type exportedList struct {
	List  string `json:"list"`
	Users int    `json:"users"`
}

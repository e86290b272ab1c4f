package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/enroll"
	"twokey/internal/safefile"
	"twokey/policy"
)

func policyDiffCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "diff",
		Usage:     "which accounts would be decided otherwise by another configuration",
		ArgsUsage: "FILE",
		Description: "Decides a login of every account now, by the policy in force and by FILE: on each service that one of the two names, on\n" +
			"one that none names (*), and from each source that one of the two names. What depends on the hour, on SSH keys or on\n" +
			"the console: twokey policy explain, with --policy FILE for the other one. Exit status 3 when somebody is decided\n" +
			"otherwise.",
		Action: func(c *cli.Context) error { return policyDiffAction(c, ui) },
	}
}

// otherwise is what policy diff --json prints of each login that is decided otherwise.
type otherwise struct {
	User    string   `json:"user"`
	Service string   `json:"service"` // "": one that neither names
	From    string   `json:"from"`    // "": from nowhere in particular
	Now     decision `json:"now"`
	Then    decision `json:"then"`
}

// decision is an outcome as far as a user notices it.
type decision struct {
	Decision string   `json:"decision"`
	Ask      string   `json:"ask"`
	LetsIn   string   `json:"lets_in"`
	Until    string   `json:"until,omitempty"` // the last day on which somebody without a device is let in
	Methods  []string `json:"methods"`
	Remember string   `json:"remember"`
	Rule     string   `json:"rule"`
}

// same ignores by which rule it is so.
func (d decision) same(other decision) bool {
	return d.Decision == other.Decision && d.Ask == other.Ask && d.LetsIn == other.LetsIn && d.Until == other.Until &&
		slices.Equal(d.Methods, other.Methods) && d.Remember == other.Remember
}

// String is the decision as a cell of the table has it.
func (d decision) String() string {
	text := d.Decision
	if d.Until != "" {
		text += " by " + d.Until
	}
	asked := d.Ask != "none"
	switch {
	case d.LetsIn == "everybody" && asked:
		return text + ", asked, and let in whatever the answer is"
	case d.LetsIn == "everybody":
		return text + ", not asked"
	case d.LetsIn == "nobody" && asked:
		return text + ", refused"
	case d.LetsIn == "nobody":
		return text + ", refused without a question"
	case d.Ask == policy.Appended.String():
		return text + ", " + d.LetsIn + " behind the password"
	}
	return text + ", " + d.LetsIn
}

func policyDiffAction(c *cli.Context, ui *ui) error {
	if c.NArg() != 1 {
		return badUsage("policy diff takes one file").hint("twokey policy diff new.yaml")
	}
	file := c.Args().First()
	h, err := openInForce(c, ui)
	if err != nil {
		return err
	}
	then, err := readPolicy(file)
	if err != nil {
		return err
	}
	u, err := h.users()
	if err != nil {
		return err
	}
	found, accounts, err := h.decidedOtherwise(u, then)
	if err != nil {
		return err
	}
	return ui.decidedOtherwise(found, accounts)
}

// readPolicy reads a configuration that is not in force, from wherever it lies.
func readPolicy(file string) (*policy.Config, error) {
	draft, err := safefile.ReadImport(file, policy.MaxSource)
	if err != nil {
		return nil, err
	}
	c, err := policy.Parse(draft.Content)
	if err == nil {
		err = checkSigners(draft.Content, c.Provisioners)
	}
	if err != nil {
		return nil, failed("%s: %v", file, err).hint("mend it, then: twokey policy check %s", file)
	}
	return c, nil
}

// decidedOtherwise compares every account, and counts them.
func (h *host) decidedOtherwise(u *enroll.Users, then *policy.Config) (found []otherwise, accounts int, err error) {
	found = []otherwise{}
	names, err := union(allNames, u.Secrets.Users, func() ([]string, error) { return h.names(u) }, named(then))
	if err != nil {
		return nil, 0, err
	}
	visits := visitsOf(h.policy, then, time.Now())
	for _, name := range names {
		p, err := h.person(u, name)
		if err != nil {
			return nil, 0, err
		}
		if p.account == nil {
			continue
		}
		accounts++
		found = append(found, p.otherwise(h.policy, then, visits)...)
	}
	return found, accounts, nil
}

// named are the users that a configuration names: a directory may not list them.
func named(c *policy.Config) func() ([]string, error) {
	return func() ([]string, error) {
		var names []string
		for _, e := range slices.Concat(c.Require, c.Exempt) {
			names = append(names, e.Users...)
		}
		for _, r := range c.Rules {
			names = append(names, r.Users...)
		}
		return names, nil
	}
}

// visitsOf are logins that the two could decide otherwise. Those from no source in particular come first.
func visitsOf(a, b *policy.Config, now time.Time) []visit {
	services := slices.Concat([]string{""}, namedServices(a), namedServices(b))
	if a.AtLogin != b.AtLogin || !slices.Equal(canEnroll(a), canEnroll(b)) {
		services = slices.Concat(services, canEnroll(a), canEnroll(b))
	}
	services = unique(services)
	var visits []visit
	for _, from := range unique(slices.Concat([]string{""}, namedSources(a), namedSources(b))) {
		for _, service := range services {
			visits = append(visits, visit{service: service, rhost: from, at: now})
		}
	}
	return visits
}

// namedSources are the addresses and names that entries and rules have; of a network its first address.
func namedSources(c *policy.Config) []string {
	var all []string
	for _, e := range c.Exempt {
		all = append(all, e.From...)
	}
	for _, r := range c.Rules {
		all = append(all, r.From...)
	}
	all = append(all, c.Shared...)
	for i, source := range all {
		all[i], _, _ = strings.Cut(source, "/")
	}
	return all
}

// otherwise lists the logins of a user that are decided otherwise. One on a service, or from a source, is left out where it is as on
// the others.
func (p *person) otherwise(now, then *policy.Config, visits []visit) []otherwise {
	var found, seen []otherwise
	for _, v := range visits {
		f := p.facts(v)
		o := otherwise{p.name, v.service, v.rhost, decided(now, f), decided(then, f)}
		told := slices.ContainsFunc(seen, func(s otherwise) bool {
			wider := (s.Service == "" || s.Service == o.Service) && (s.From == "" || s.From == o.From)
			return wider && s.Now.same(o.Now) && s.Then.same(o.Then)
		})
		seen = append(seen, o)
		if !told && !o.Now.same(o.Then) {
			found = append(found, o)
		}
	}
	return found
}

func decided(c *policy.Config, f policy.Facts) decision {
	out := c.Decide(f)
	d := decision{Decision: out.Decision.String(), Methods: append([]string{}, out.Methods...), Remember: policy.Brief(out.Remember), Rule: out.Rule}
	d.Ask, d.LetsIn = consequences(out.Action, out.Way, out.Observe)
	switch {
	case out.Enroll && c.AtLogin == policy.AtLoginYes:
		d.LetsIn = "an enrolment"
	case out.Enroll:
		d.LetsIn = "an enrolment with a code"
	}
	if !out.Grace.IsZero() {
		d.Until = lastDay(out.Grace).String()
	}
	return d
}

func (u *ui) decidedOtherwise(found []otherwise, accounts int) error {
	if len(found) == 0 {
		u.say("Nobody would be decided otherwise: %d accounts.", accounts)
		return u.object(found)
	}
	rows := [][]string{{"USER", "SERVICE", "FROM", "NOW", "WITH THE FILE", "BY"}}
	users := map[string]bool{}
	for _, o := range found {
		users[o.User] = true
		now, then := o.Now.String(), o.Then.String()
		if now == then { // methods, or for how long a success counts
			now += fmt.Sprintf(" (%s; remember %s)", strings.Join(o.Now.Methods, ", "), o.Now.Remember)
			then += fmt.Sprintf(" (%s; remember %s)", strings.Join(o.Then.Methods, ", "), o.Then.Remember)
		}
		rows = append(rows, []string{o.User, or(o.Service, "*"), or(o.From, "-"), now, then, o.Then.Rule})
	}
	if err := u.table(rows); err != nil {
		return err
	}
	u.say("")
	u.say("%d of %d accounts would be decided otherwise.", len(users), accounts)
	if err := u.object(found); err != nil {
		return err
	}
	return errSilent
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/device"
	"twokey/enroll"
	"twokey/internal/sysuser"
	"twokey/policy"
	"twokey/secrets"
	"twokey/state"
)

func policyExplainCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "is this user asked, which line says so, and what does he see",
		ArgsUsage: "USER",
		Description: "Decides a login as the policy in force decides it, and shows every rule with its reason. Nobody logs in, nothing is\n" +
			"recorded or used up. With --all it prints one line for every account, with --policy FILE it decides by a draft.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "service", Usage: "the PAM `SERVICE`", Value: "sshd"},
			&cli.StringFlag{Name: "from", Usage: "the client's `ADDRESS`, or its name where the service tells names"},
			severalFlag("ssh-auth", "what sshd has asked for before: a `METHOD` such as publickey; may stand several times"),
			&cli.StringFlag{Name: "at", Usage: "the `TIME`, as \"2026-12-31 23:59\" (this host's) or 2026-12-31T23:59:00Z; default: now"},
			&cli.StringFlag{Name: "tty", Usage: "the `PLACE` where the user sits: console or remote", Value: "remote"},
			&cli.StringFlag{Name: "policy", Usage: "decide by the configuration in `FILE`, which is not in force"},
			&cli.BoolFlag{Name: "all", Usage: "every account, one line each"},
		},
		Action: func(c *cli.Context) error { return policyExplainAction(c, ui) },
	}
}

func policyExplainAction(c *cli.Context, ui *ui) error {
	name, v, err := explainArguments(c)
	if err != nil {
		return err
	}
	if v.console && policy.ActsForAnother(v.service) {
		v.console = false
		ui.warn("%s counts as remote on the console too: who starts it chooses the terminal that it names", v.service)
	}
	h, err := openInForce(c, ui)
	if err != nil {
		return err
	}
	u, err := h.users()
	if err != nil {
		return err
	}
	if file := c.String("policy"); c.IsSet("policy") {
		if h.policy, err = readPolicy(file); err != nil { // behind users: its paths may be another host's
			return err
		}
		ui.warn("decided by %s, which is not what is in force", file)
	}
	if c.Bool("all") {
		return h.explainAll(u, v)
	}
	login, err := h.attempt(u, name, v)
	if err != nil {
		return err
	}
	x := explain(h.policy, login)
	if err := x.print(ui); err != nil {
		return err
	}
	return ui.object(x)
}

// explainArguments are who logs in, "" for everybody, and how.
func explainArguments(c *cli.Context) (name string, v visit, err error) {
	if !c.Bool("all") {
		name, err = oneUser(c)
	} else if c.Args().Present() {
		err = badUsage("--all is every user, and %q is one", c.Args().First())
	}
	if err != nil {
		return "", visit{}, err
	}
	if strings.Contains(c.String("from"), "/") {
		return "", visit{}, badUsage("--from: a login comes from one address, %q is a network", c.String("from"))
	}
	v = visit{service: strings.ToLower(c.String("service")), rhost: c.String("from")} // libpam makes small letters of it
	for _, flag := range []string{"service", "from"} {
		value := c.String(flag)
		if c.IsSet(flag) && (value == "" || len(value) > 255 || visible(value) != value || strings.Contains(value, " ")) {
			return "", visit{}, badUsage("--%s cannot be %q", flag, value)
		}
	}
	for _, method := range c.StringSlice("ssh-auth") {
		if !slices.Contains(policy.SSHAuthMethods(), method) {
			return "", visit{}, badUsage("--ssh-auth: there is no method %q", method).hint("the methods are %s", strings.Join(policy.SSHAuthMethods(), ", "))
		}
		v.sshAuth = append(v.sshAuth, method)
	}
	v.console = c.String("tty") == "console"
	switch tty := c.String("tty"); {
	case tty != "console" && tty != "remote":
		return "", visit{}, badUsage("--tty: want console or remote, not %q", tty)
	case v.console && (v.rhost != "" || v.sshAuth != nil):
		return "", visit{}, badUsage("who sits at the console comes from nowhere: --tty console goes without --from and --ssh-auth")
	}
	v.at, err = moment(c)
	return name, v, err
}

// moment reads --at.
func moment(c *cli.Context) (time.Time, error) {
	text := c.String("at")
	if !c.IsSet("at") {
		return time.Now(), nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.Local(), nil
	}
	if t, err := time.ParseInLocation("2006-01-02 15:04", text, time.Local); err == nil {
		return t, nil
	}
	return time.Time{}, badUsage("--at: want a time such as \"2026-12-31 23:59\" or 2026-12-31T23:59:00Z, not %q", text)
}

// attempt is a login that is thought up.
type attempt struct {
	facts   policy.Facts
	state   *state.State // nil: none, or none that can be read
	problem error        // why it would be refused whatever the answer is
	late    bool         // which is found out when the question has been asked
	methods []string     // of the devices and codes that the user has

	codeUntil time.Time // to when his enrolment code is good; zero: he has none
}

// errFileGone is what a login finds when the state knows of devices and there is no secret file.
var errFileGone = errors.New("the secret file of an enrolled user is gone")

// attempt finds out about a user what a login would.
func (h *host) attempt(u *enroll.Users, name string, v visit) (attempt, error) {
	account, err := sysuser.Lookup(name)
	if errors.Is(err, sysuser.ErrUnknown) {
		return attempt{facts: (&person{name: name}).facts(v)}, nil
	}
	if err != nil {
		return attempt{}, err
	}
	p := person{name: account.Name, account: &account, system: h.isSystem(account)}
	if p.enrolled, err = u.Secrets.Enrolled(p.name); err != nil {
		p.enrolled = true // what cannot be found out counts as enrolled, and is refused
		return attempt{facts: p.facts(v), problem: err}, nil
	}
	st, err := u.State.Read(p.name)
	if errors.Is(err, fs.ErrNotExist) {
		st, err = nil, nil
	}
	p.state = st
	login := attempt{state: st, late: p.enrolled}
	if p.enrolled {
		login.problem = login.problemOfEnrolled(u, account, err)
	} else {
		login.problem = login.problemWithout(u, account, err)
	}
	login.facts = p.facts(v)
	login.facts.MustEnroll = login.facts.MustEnroll && login.problem == nil
	until, open, err := u.CodeOpen(p.name)
	switch {
	case err != nil && login.problem == nil:
		login.problem = err
	case open:
		login.codeUntil = until
	}
	return login, nil
}

// problemOfEnrolled is why no code of a user would be looked at.
func (a *attempt) problemOfEnrolled(u *enroll.Users, account sysuser.Account, stateErr error) error {
	record, err := u.Secrets.Load(account.Name)
	switch {
	case err != nil:
		return err
	case stateErr != nil:
		return stateErr
	}
	a.methods = methodsOf(record)
	switch {
	case a.state == nil:
		return ownerProblem(u, account)
	case a.state.UID != account.UID:
		return enroll.ErrOtherUID
	case record.Serial < a.state.Serial:
		return device.ErrRolledBack
	}
	return nil
}

// problemWithout tells somebody who never had a device from somebody whose device is under another name, or lost.
func (a *attempt) problemWithout(u *enroll.Users, account sysuser.Account, stateErr error) error {
	if err := errors.Join(ownerProblem(u, account), stateErr); err != nil {
		return err
	}
	if a.state != nil && len(a.state.Devices) > 0 {
		return errFileGone
	}
	return nil
}

// methodsOf are what a user could answer with.
func methodsOf(record *secrets.Record) []string {
	var methods []string
	for _, d := range record.Devices {
		methods = append(methods, d.Method)
	}
	if record.Recovery != nil {
		methods = append(methods, "recovery")
	}
	return methods
}

func ownerProblem(u *enroll.Users, account sysuser.Account) error {
	owner, err := u.State.NameOf(account.UID)
	if errors.Is(err, fs.ErrNotExist) || err == nil && owner == account.Name {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: %q", enroll.ErrOtherName, owner)
}

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/device"
	"twokey/enroll"
	"twokey/secrets"
	"twokey/state"
)

func showCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "all about one user: devices, recovery codes, throttle, policy",
		ArgsUsage: "USER",
		Action:    func(c *cli.Context) error { return showAction(c, ui) },
	}
}

func showAction(c *cli.Context, ui *ui) error {
	name, err := oneUser(c)
	if err != nil {
		return err
	}
	h, u, err := openUsers(c, ui)
	if err != nil {
		return err
	}
	found, err := h.known(u, []string{name})
	if err != nil {
		return err
	}
	p := found[0]
	record, secretsErr := recordOf(u, p)
	h.warnOff()
	v := p.view(record, time.Now())
	if err := ui.object(v); err != nil {
		return err
	}
	v.print(ui, p)
	return about(p.name, errors.Join(p.problem, secretsErr))
}

// recordOf opens the secrets of a user who is enrolled.
func recordOf(u *enroll.Users, p person) (*secrets.Record, error) {
	if !p.enrolled {
		return nil, nil
	}
	return u.Secrets.Load(p.name)
}

// view is what show --json prints.
type view struct {
	User       string       `json:"user"`
	FullName   string       `json:"full_name"`
	UID        *uint32      `json:"uid"` // null: there is no such account
	Enrolled   bool         `json:"enrolled"`
	MustEnroll bool         `json:"must_enroll"` // reset, and not enrolled since
	Policy     string       `json:"policy"`
	Rule       string       `json:"rule"`
	Reason     string       `json:"reason"`
	Devices    []viewDevice `json:"devices"`
	Recovery   viewRecovery `json:"recovery_codes"`
	Throttle   viewThrottle `json:"throttled"`
}

type viewDevice struct {
	Name      string     `json:"name"`
	Method    string     `json:"method"`
	Digits    int        `json:"digits"`
	Period    int        `json:"period"`
	Algorithm string     `json:"algorithm"`
	Created   *time.Time `json:"created"`
	LastUsed  *time.Time `json:"last_used"`
	LastFrom  string     `json:"last_from"`
	about     string
}

type viewRecovery struct {
	Total int `json:"total"`
	Left  int `json:"left"`
}

type viewThrottle struct {
	Strangers bool `json:"strangers"`
	Known     bool `json:"known_sources"`
}

// view joins what the secrets and the state say. The state may not know the newest secrets yet, or be lost: then what the next login
// would make of it counts.
func (p *person) view(record *secrets.Record, now time.Time) view {
	v := view{User: p.name, Enrolled: p.enrolled, MustEnroll: p.mustEnroll(), Policy: p.policy(), Rule: p.outcome.Rule,
		Reason: p.outcome.Reason, Devices: []viewDevice{}}
	if p.account != nil {
		v.UID, v.FullName = &p.account.UID, p.account.FullName
	}
	st := p.upToDate(record, now)
	if st == nil {
		return v
	}
	v.Throttle.Strangers, v.Throttle.Known = st.Throttled(state.One, now)
	v.Recovery = viewRecovery{st.Recovery.Total, st.Recovery.Left()}
	if record == nil {
		return v
	}
	for _, d := range record.Devices {
		changes := st.Device(state.ID(d.ID))
		if changes == nil {
			continue
		}
		v.Devices = append(v.Devices, viewDevice{d.Name, d.Method, d.Digits, d.Period, d.Algorithm, timeOrNull(d.Created),
			timeOrNull(changes.Used), changes.From, describe(device.Params(d))})
	}
	return v
}

// upToDate is a copy of the state that knows the secrets; nil when there is neither.
func (p *person) upToDate(record *secrets.Record, now time.Time) *state.State {
	st := p.state
	if record == nil || p.problem != nil {
		return st
	}
	if st == nil {
		st = device.Restore(record, p.uid(), now)
	}
	if _, err := device.Join(st, record, 0); err != nil {
		return p.state // rolled back, which recordProblem tells
	}
	return st
}

func (p *person) uid() uint32 {
	if p.account == nil {
		return 0
	}
	return p.account.UID
}

func (v *view) print(ui *ui, p person) {
	head := visible(v.User)
	if v.FullName != "" {
		head += " (" + visible(v.FullName) + ")"
	}
	if v.UID == nil {
		head += ", no account of this host any more"
	} else {
		head += fmt.Sprintf(", uid %d", *v.UID)
	}
	ui.say("%s\n", head)
	ui.say("  Second factor   %s", v.standing())
	ui.say("  Policy          %s: %s", visible(v.Policy), visible(v.Reason))
	for _, d := range v.Devices {
		ui.say("  Device          %s: %s", visible(d.Name), d.about)
		ui.say("                  made %s, %s", at(d.Created), d.used())
	}
	if v.Enrolled && v.Recovery.Total > 0 {
		ui.say("  Recovery codes  %d of %d left", v.Recovery.Left, v.Recovery.Total)
	} else if v.Enrolled && p.problem == nil {
		ui.say("  Recovery codes  none")
	}
	if v.Enrolled && p.problem == nil {
		ui.say("  Throttle        %s", v.Throttle.String())
	}
}

func (v *view) standing() string {
	switch {
	case v.Enrolled:
		return "enrolled"
	case v.MustEnroll:
		return "reset: has to be enrolled before the next login"
	}
	return "not enrolled"
}

func (d viewDevice) used() string {
	if d.LastUsed == nil {
		return "never used"
	}
	return "last used " + at(d.LastUsed) + " from " + visible(d.LastFrom)
}

func at(t *time.Time) string {
	if t == nil {
		return "at an unknown time"
	}
	return t.Local().Format("2006-01-02 15:04")
}

// String says in whose attempts a single code is looked at.
func (t viewThrottle) String() string {
	switch {
	case t.Strangers && t.Known:
		return "attempts are used up: two codes in a row are needed, from everywhere"
	case t.Strangers:
		return "attempts from new places are used up: there two codes in a row are needed"
	case t.Known:
		return "attempts from a known place are used up: there two codes in a row are needed"
	}
	return "attempts are left"
}

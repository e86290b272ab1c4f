package main

import (
	"errors"
	"fmt"
	"slices"
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
		Usage:     "all about one user: devices, recovery codes, throttle, and what the policy says on each service",
		ArgsUsage: "USER",
		Action:    func(c *cli.Context) error { return showAction(c, ui) },
	}
}

func showAction(c *cli.Context, ui *ui) error {
	name, err := oneUser(c)
	if err != nil {
		return err
	}
	h, u, err := openUsersInForce(c, ui)
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
	h.addLogins(found)
	p = found[0]
	v := p.view(record, time.Now())
	if v.Services, err = h.onServices(u, p); err != nil {
		return err
	}
	if err := ui.object(v); err != nil {
		return err
	}
	if err := v.print(ui, p); err != nil {
		return err
	}
	return about(p.name, errors.Join(p.problem, secretsErr))
}

// onServices is what a login meets, now and from nowhere in particular, on each service that calls the module or that the policy names.
func (h *host) onServices(u *enroll.Users, p person) ([]viewService, error) {
	found, err := h.wirings()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, w := range found {
		included := slices.ContainsFunc(found, func(other wiring) bool { return other.Through == w.Service })
		if !included {
			names = append(names, w.Service)
		}
	}
	names = append(names, namedServices(h.policy)...)
	slices.Sort(names)
	services := []viewService{}
	for _, name := range slices.Compact(names) {
		login, err := h.attempt(u, p.name, visit{service: name, at: time.Now()})
		if err != nil {
			return nil, err
		}
		x := explain(h.policy, login)
		services = append(services, viewService{name, x.Decision, x.Ask, x.LetsIn, x.Rule, x.inShort()})
	}
	return services, nil
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
	User       string        `json:"user"`
	FullName   string        `json:"full_name"`
	UID        *uint32       `json:"uid"` // null: there is no such account
	Enrolled   bool          `json:"enrolled"`
	MustEnroll bool          `json:"must_enroll"` // reset, and not enrolled since
	Policy     string        `json:"policy"`
	Rule       string        `json:"rule"`
	Reason     string        `json:"reason"`
	Services   []viewService `json:"services"`
	Devices    []viewDevice  `json:"devices"`
	Recovery   viewRecovery  `json:"recovery_codes"`
	Throttle   viewThrottle  `json:"throttled"`
	Sources    int           `json:"known_sources"`
	Remembered int           `json:"remembered"` // logins that may not be asked again for a while
	Notices    []viewNotice  `json:"notices"`    // of which the user is told when his next session opens
	Restored   bool          `json:"restored"`   // the state was lost
	Logins     []cameIn      `json:"logins"`
}

type viewService struct {
	Service  string `json:"service"`
	Decision string `json:"decision"`
	Ask      string `json:"ask"`
	LetsIn   string `json:"lets_in"`
	Rule     string `json:"rule"`
	inShort  string
}

type viewNotice struct {
	Device string `json:"device"`
	By     string `json:"by"`
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
		Reason: p.outcome.Reason, Devices: []viewDevice{}, Notices: []viewNotice{}, Logins: append([]cameIn{}, p.logins...)}
	if p.account != nil {
		v.UID, v.FullName = &p.account.UID, p.account.FullName
	}
	st := p.upToDate(record, now)
	if st == nil {
		return v
	}
	v.Throttle.Strangers, v.Throttle.Known = st.Throttled(state.One, now)
	v.Recovery = viewRecovery{st.Recovery.Total, st.Recovery.Left()}
	v.Sources, v.Remembered = st.Kept()
	v.Restored = st.Restored
	for _, waiting := range st.TakeNotices() { // of this copy: the user is still told
		if d := st.Device(waiting.Device); d != nil {
			v.Notices = append(v.Notices, viewNotice{d.Name, waiting.By})
		}
	}
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
	if _, err := device.Join(st, record, 0, now); err != nil {
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

func (v *view) print(ui *ui, p person) error {
	head := v.User
	if v.FullName != "" {
		head += " (" + v.FullName + ")"
	}
	if v.UID == nil {
		head += ", no account of this host any more"
	} else {
		head += fmt.Sprintf(", uid %d", *v.UID)
	}
	ui.say("%s\n", visible(head))
	var rows [][]string
	add := func(label, text string) { rows = append(rows, []string{"  " + label, text}) }
	add("Second factor", v.standing())
	add("Policy", p.elsewhere()+": "+v.Reason)
	label := "Services"
	for _, s := range v.Services {
		add(label, fmt.Sprintf("%s: %s (%s by %s)", s.Service, s.inShort, s.Decision, s.Rule))
		label = ""
	}
	for _, d := range v.Devices {
		add("Device", d.Name+": "+d.about)
		add("", "made "+at(d.Created)+", "+d.used())
	}
	v.addState(add, p)
	return ui.table(rows)
}

// addState adds what changes from login to login.
func (v *view) addState(add func(label, text string), p person) {
	if v.Enrolled && v.Recovery.Total > 0 {
		add("Recovery codes", fmt.Sprintf("%d of %d left", v.Recovery.Left, v.Recovery.Total))
	} else if v.Enrolled && p.problem == nil {
		add("Recovery codes", "none")
	}
	if v.Enrolled && p.problem == nil {
		add("Throttle", v.Throttle.String())
	}
	if v.Sources+v.Remembered > 0 {
		add("Known places", fmt.Sprintf("%d, and %s: twokey forget %s ends them", v.Sources, rememberedLogins(v.Remembered), v.User))
	}
	for _, n := range v.Notices {
		add("To be told", fmt.Sprintf("device %q was added by %s", n.Device, n.By))
	}
	for _, l := range v.Logins {
		from := ""
		if l.From != "" {
			from = " from " + l.From
		}
		add("Last login", at(l.Time)+" "+l.String()+from)
	}
}

func rememberedLogins(n int) string {
	switch n {
	case 0:
		return "no remembered logins"
	case 1:
		return "1 remembered login"
	}
	return fmt.Sprintf("%d remembered logins", n)
}

func (v *view) standing() string {
	switch {
	case v.Enrolled && v.Restored:
		return fmt.Sprintf("enrolled; the state was lost, so hotp and recovery codes are closed until twokey adopt %s", v.User)
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
	return "last used " + at(d.LastUsed) + " from " + d.LastFrom
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

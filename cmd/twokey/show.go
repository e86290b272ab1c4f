package main

import (
	"errors"
	"os/user"
	"slices"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/device"
	"twokey/doctor"
	"twokey/enroll"
	"twokey/internal/phone"
	"twokey/secrets"
	"twokey/state"
)

func showCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "all about one user: devices, recovery codes, throttle, and what the policy says on each service",
		ArgsUsage: "[USER]",
		Action:    func(c *cli.Context) error { return showAction(c, ui) },
	}
}

func showAction(c *cli.Context, ui *ui) error {
	name, err := userOrMyself(c, ui)
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
	openErr := errors.Join(v.addOpen(u, p), v.addPhone(u, record))
	if v.Services, err = h.onServices(u, p); err != nil {
		return err
	}
	if err := ui.object(v); err != nil {
		return err
	}
	if err := v.print(ui, p); err != nil {
		return err
	}
	return about(p.name, errors.Join(p.problem, secretsErr, openErr))
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
		if !included || doctor.IsLogin(w.Service) { // su-l includes su
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
	UID        *uint32       `json:"uid"`   // null: there is no such account
	Group      string        `json:"group"` // the primary one
	Enrolled   bool          `json:"enrolled"`
	MustEnroll bool          `json:"must_enroll"` // reset, and not enrolled since
	Policy     string        `json:"policy"`
	Rule       string        `json:"rule"`
	Reason     string        `json:"reason"`
	Services   []viewService `json:"services"`
	Devices    []viewDevice  `json:"devices"`
	Phone      string        `json:"phone"` // +44 ••• 123; "": none is known
	Country    string        `json:"phone_country"`
	Confirmed  bool          `json:"phone_confirmed"`
	CodeUntil  *time.Time    `json:"enrolment_code_until"` // null: none is open
	Bypasses   []madeBypass  `json:"bypass_codes"`
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
	Until     *time.Time `json:"until"` // the first moment at which it is not good any more; null: it has no end
	Expired   bool       `json:"expired"`
	Provider  string     `json:"provider"` // of push: with which the phone was linked, "ntfy" or "duo"; "": of all others, or not known
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
		Reason: p.outcome.Reason, Devices: []viewDevice{}, Notices: []viewNotice{}, Logins: append([]cameIn{}, p.logins...),
		Bypasses: []madeBypass{}, CodeUntil: p.code}
	if p.account != nil {
		v.UID, v.FullName, v.Group = &p.account.UID, p.account.FullName, groupName(p.account.GID)
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
	if record.Phone != "" {
		v.Phone, v.Confirmed = phone.Masked(record.Phone), record.PhoneConfirmed
	}
	for _, d := range record.Devices {
		changes := st.Device(state.ID(d.ID))
		if changes == nil {
			continue
		}
		about := describe(device.Params(d))
		if d.Provider != "" {
			about += ", by " + d.Provider
		}
		v.Devices = append(v.Devices, viewDevice{d.Name, d.Method, d.Digits, d.Period, d.Algorithm, timeOrNull(d.Created),
			timeOrNull(changes.Used), changes.From, timeOrNull(d.Until), expired(d.Until, now), d.Provider, about})
	}
	return v
}

// expired reports whether a device with this end is not good any more.
func expired(until, now time.Time) bool { return !until.IsZero() && !now.Before(until) }

// addOpen adds the bypass codes that are open.
func (v *view) addOpen(u *enroll.Users, p person) error {
	open, err := u.Bypasses(p.name)
	for _, b := range open {
		v.Bypasses = append(v.Bypasses, bypassOf(p.name, b))
	}
	return err
}

// addPhone says of which country the number is, and whether a code has come back from it since it was given.
func (v *view) addPhone(u *enroll.Users, record *secrets.Record) error {
	if record == nil || record.Phone == "" {
		return nil
	}
	if place, err := phone.Describe(record.Phone); err == nil { // a number that is in no plan any more has no country
		v.Country = place.Country
	}
	sent, err := u.State.Messages(record.User, time.Now())
	if err == nil {
		v.Confirmed = device.PhoneConfirmed(record, sent)
	}
	return err
}

// groupName is the name of a group, or the number of one that has none.
func groupName(gid uint32) string {
	number := strconv.FormatUint(uint64(gid), 10)
	if found, err := user.LookupGroupId(number); err == nil {
		return found.Name
	}
	return number
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

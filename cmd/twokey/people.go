package main

import (
	"errors"
	"io/fs"
	"slices"
	"time"

	"twokey/enroll"
	"twokey/internal/logindefs"
	"twokey/internal/sysuser"
	"twokey/policy"
	"twokey/state"
)

// person is a user as list, show and status see him: without a look at his secrets.
type person struct {
	name      string
	account   *sysuser.Account   // nil: there is no such account, or not any more
	directory *sysuser.Directory // knows the groups; nil: libc does
	system    bool               // a system account
	enrolled  bool               // has a secret file
	state     *state.State       // nil: none
	problem   error              // the state is there and cannot be used
	outcome   policy.Outcome     // on a service that nothing names
	services  []service          // and on each that the policy names
	logins    []cameIn           // the last ones, where they were looked for
	code      *time.Time         // until when an enrolment code is open for him; nil: none is, or he is enrolled
}

// service is what the policy says of a user on one service.
type service struct {
	name    string
	outcome policy.Outcome
}

// person looks one user up. It is an error when the name service does not answer, not when it does not know him.
func (h *host) person(u *enroll.Users, name string) (person, error) {
	p, err := readPerson(&sysuser.Directory{}, u, name, u.Secrets.Enrolled)
	if err != nil {
		return person{}, err
	}
	p.system = h.hasSystemAccount(&p)
	p.decide(h.policy, time.Now())
	return p, nil
}

// readPerson is what the name service and the files say.
func readPerson(directory *sysuser.Directory, u *enroll.Users, name string, enrolled func(name string) (bool, error)) (person, error) {
	p := person{name: name, directory: directory}
	found, err := directory.Find(name)
	if err == nil {
		p.name, p.account = found.Name, found
	} else if !errors.Is(err, sysuser.ErrUnknown) {
		return person{}, err
	}
	if p.enrolled, err = enrolled(p.name); err != nil {
		return person{}, err
	}
	p.state, p.problem = u.State.Read(p.name)
	if errors.Is(p.problem, fs.ErrNotExist) {
		p.problem = nil
	}
	if !p.enrolled {
		until, _, err := u.CodeOpen(p.name)
		if err != nil {
			p.problem = errors.Join(p.problem, err)
		}
		p.code = timeOrNull(until)
	}
	return p, nil
}

func (h *host) hasSystemAccount(p *person) bool { return p.account != nil && h.isSystem(*p.account) }

// isSystem tells the accounts of services from those of people. One of which that cannot be found out is taken for a person's, as at a
// login.
func (h *host) isSystem(account sysuser.Account) bool {
	system, err := logindefs.System(account.UID, account.Shell)
	if err != nil {
		h.ui.warnOnce("no account is taken for a system account: %s", oneLine(err))
	}
	return system
}

// visit is a login that is thought up. The zero value is on no service in particular and from nowhere.
type visit struct {
	service string
	rhost   string
	console bool
	sshAuth []string
	at      time.Time
}

// facts are what a login of the user would find.
func (p *person) facts(v visit) policy.Facts {
	f := policy.Facts{User: p.name, Known: p.account != nil, System: p.system, Service: v.service, RHost: v.rhost, Console: v.console,
		SSHAuth: v.sshAuth, Time: v.at, Enrolled: p.enrolled, MustEnroll: p.mustEnroll()}
	if p.account != nil {
		f.UID, f.InGroup = p.account.UID, p.inGroup
	}
	return f
}

// decide asks the policy about one user, as a decider does about many.
func (p *person) decide(c *policy.Config, now time.Time) {
	found := newDecider(c, now).ask(p)
	p.outcome, p.services = found.outcome, found.services
}

// apart are the logins on which the decision is another than elsewhere.
func (p *person) apart() []service {
	return slices.DeleteFunc(slices.Clone(p.services), func(s service) bool {
		return decisionText(s.outcome) == decisionText(p.outcome) || s.outcome.Way == policy.NotALogin
	})
}

// inGroup is what the policy asks. A group that does not exist has no members.
func (p *person) inGroup(group string) (bool, error) {
	in, err := p.directory.InGroup(*p.account, group)
	if errors.Is(err, sysuser.ErrUnknown) {
		return false, nil
	}
	return in, err
}

func (p *person) mustEnroll() bool { return p.state != nil && p.state.MustEnroll && !p.enrolled }

// required reports whether the user must have a device, on any service.
func (p *person) required() bool {
	return p.outcome.Decision == policy.Required ||
		slices.ContainsFunc(p.services, func(s service) bool { return s.outcome.Decision == policy.Required })
}

// grace is when the first service is closed to a user who is required and has no device; zero: it is already, or never will be.
func (p *person) grace() time.Time {
	first := time.Time{}
	for _, s := range append([]service{{"", p.outcome}}, p.services...) {
		switch end := s.outcome.Grace; {
		case s.outcome.Decision != policy.Required:
		case end.IsZero():
			return time.Time{}
		case first.IsZero() || end.Before(first):
			first = end
		}
	}
	return first
}

// lastDay is the last day on which a user who is required and has no device is let in; "": there is none, or it was before.
func (p *person) lastDay() string {
	if end := p.grace(); !end.IsZero() {
		return lastDay(end).String()
	}
	return ""
}

// policy is the decision in words: "optional, sshd: required by 2026-12-31".
func (p *person) policy() string {
	text := p.elsewhere()
	if p.account == nil {
		return text
	}
	for _, s := range p.apart() {
		text += ", " + s.name + ": " + decisionText(s.outcome)
	}
	return text
}

// elsewhere is the decision on services that nothing names.
func (p *person) elsewhere() string {
	if p.account == nil {
		return "no account"
	}
	return decisionText(p.outcome)
}

// decisionText is the decision, and for somebody who is let in without a device the last day of that.
func decisionText(o policy.Outcome) string {
	if o.Grace.IsZero() {
		return o.Decision.String()
	}
	return o.Decision.String() + " by " + lastDay(o.Grace).String()
}

// lastDay is the day that ends at a moment, as it stands in the configuration.
func lastDay(end time.Time) policy.Date { return policy.DateOf(end.Local().Add(-time.Nanosecond)) }

// devices are those of somebody who is enrolled, as the state knows them.
func (p *person) devices() []state.Device {
	if !p.enrolled || p.state == nil {
		return nil
	}
	return p.state.Devices
}

// expired reports whether the time of all devices is over: he is enrolled, and gets in nowhere.
func (p *person) expired(now time.Time) bool {
	devices := p.devices()
	return len(devices) > 0 && !slices.ContainsFunc(devices, func(d state.Device) bool { return !expired(d.Until, now) })
}

// lastUsed is the device that was used last; false when none ever was.
func (p *person) lastUsed() (last state.Device, used bool) {
	for _, d := range p.devices() {
		if d.Used.After(last.Used) {
			last, used = d, true
		}
	}
	return last, used
}

// fullName is what the name service calls the user; whoever it is about can often change it himself (chfn).
func (p *person) fullName() string {
	if p.account == nil {
		return ""
	}
	return p.account.FullName
}

func (p *person) throttled(now time.Time) bool {
	if p.state == nil {
		return false
	}
	strangers, known := p.state.Throttled(state.One, now)
	return strangers || known
}

// addMembers adds those of a group of whom there is something to end, to unlock or to adopt, and who are not among the people yet.
func (h *host) addMembers(u *enroll.Users, group string, people []person) ([]person, error) {
	if exists, err := sysuser.GroupExists(group); err != nil || !exists {
		return nil, errors.Join(err, failed("there is no group %q on this host", group).hint("getent group lists the groups"))
	}
	enrolled, err := u.Secrets.Users()
	if err != nil {
		return nil, err
	}
	waiting, err := pending(u, enrolled)
	if err != nil {
		return nil, err
	}
	names := append(enrolled, waiting...)
	slices.Sort(names)
	before := len(people)
	for _, name := range slices.Compact(names) {
		p, err := h.person(u, name)
		if err != nil {
			return nil, err
		}
		if p.account == nil || slices.ContainsFunc(people, func(other person) bool { return other.name == p.name }) {
			continue
		}
		if in, err := p.inGroup(group); err != nil {
			return nil, err
		} else if in {
			if err := h.mayTouch(p.name, p.account); err != nil {
				return nil, err
			}
			people = append(people, p)
		}
	}
	switch {
	case len(people) > before:
		return people, nil
	case before > 0:
		return nil, failed("nobody else in group %q is enrolled", group).hint("twokey list")
	}
	return nil, failed("nobody in group %q is enrolled", group).hint("twokey list")
}

// known gives the names under which users are kept, and refuses those of whom neither the name service nor we know anything, all together.
func (h *host) known(u *enroll.Users, names []string) ([]person, error) {
	var found []person
	var unknown []error
	for _, name := range names {
		p, err := h.person(u, name)
		if err != nil {
			return nil, err
		}
		if p.account == nil && !p.enrolled && p.state == nil && p.problem == nil {
			unknown = append(unknown, unknownUser(name))
			continue
		}
		if err := h.mayTouch(name, p.account); err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	if len(unknown) > 0 {
		return nil, allWrong(unknown, len(names))
	}
	return found, nil
}

// allWrong is what is wrong with some of those who are named: of several users nothing is done to the others either.
func allWrong(wrong []error, named int) error {
	if named > 1 {
		wrong = append(wrong, errors.New("nothing was changed"))
	}
	return errors.Join(wrong...)
}

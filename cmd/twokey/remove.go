package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/audit"
	"twokey/enroll"
	"twokey/policy"
)

func unenrollCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "unenroll",
		Usage:     "take users out altogether, list entries too",
		ArgsUsage: "USER…",
		Description: "Ends devices, recovery codes, enrolment codes and remembered sources, and takes the names off require and exempt. The account need\n" +
			"not exist any more. A user who is required by his group or by default cannot log in afterwards: that is said.",
		Flags:  []cli.Flag{groupFlag(), dryRunFlag()},
		Action: func(c *cli.Context) error { return someAction(c, ui, openUsers, unenrollAll) },
	}
}

// opener is openUsers or openUsersInForce.
type opener func(*cli.Context, *ui) (*host, *enroll.Users, error)

// someAction does something to the users that are named, all of whom have to be known before anything is done to the first.
func someAction(c *cli.Context, ui *ui, open opener, do func(*host, *enroll.Users, []person) error) error {
	names, err := someUsers(c)
	if err != nil {
		return err
	}
	h, u, err := open(c, ui)
	if err != nil {
		return err
	}
	people, err := h.known(u, names)
	if err != nil {
		return err
	}
	for _, name := range c.StringSlice(group) {
		if people, err = h.addMembers(u, name, people); err != nil {
			return err
		}
	}
	return do(h, u, people)
}

// each does something to one user after the other; who fails does not keep it from those behind him.
func each(people []person, do func(p person) error) error {
	var all []error
	for _, p := range people {
		all = append(all, about(p.name, do(p)))
	}
	return errors.Join(all...)
}

func namesOf(people []person) string {
	var names []string
	for _, p := range people {
		names = append(names, p.name)
	}
	return visible(strings.Join(names, ", "))
}

// unenrolled is what unenroll --json prints of each user.
type unenrolled struct {
	User     string `json:"user"`
	Removed  bool   `json:"removed"`     // had a second factor
	Code     bool   `json:"code_ended"`  // had an enrolment code that was open
	Unlisted bool   `json:"unlisted"`    // was named in require or exempt
	Policy   string `json:"policy"`      // what holds then
	Required string `json:"required_by"` // the rule that requires him all the same, or ""
	reason   string // of that rule
	lastDay  string // on which he is let in without a device; "": none
}

func unenrollAll(h *host, u *enroll.Users, people []person) error {
	plan, planErr := h.planEach(people, nil)
	if h.dryRun {
		return errors.Join(h.ui.object(h.told(plan)), planErr)
	}
	if err := h.ui.confirm(h.yes, "%sTake the second factor away from %s?", stillRequired(plan), namesOf(people)); err != nil {
		return err
	}
	done, err := h.unenrollEach(u, people)
	return errors.Join(h.ui.object(done), err)
}

// planEach finds out what unenroll will do to users, behind an edit that is made first; nil: none.
func (h *host) planEach(people []person, behind *configEdit) ([]unenrolled, error) {
	plan := []unenrolled{}
	err := each(people, func(p person) error {
		result, _, err := h.planUnenroll(p, behind)
		if err == nil {
			plan = append(plan, result)
		}
		return err
	})
	return plan, err
}

// unenrollEach tells of each user, but for --json, what was done.
func (h *host) unenrollEach(u *enroll.Users, people []person) ([]unenrolled, error) {
	done := []unenrolled{}
	err := each(people, func(p person) error {
		result, err := h.unenroll(u, p)
		if err == nil {
			done = append(done, result)
		}
		return err
	})
	return h.told(done), err
}

// told prints what was done, or would be, and gives it back.
func (h *host) told(done []unenrolled) []unenrolled {
	for _, d := range done {
		h.sayUnenrolled(d)
	}
	return done
}

// planUnenroll finds out, before anything is done, whether a user can be taken off the lists, and what holds for him then.
func (h *host) planUnenroll(p person, behind *configEdit) (result unenrolled, lists *configEdit, err error) {
	result = unenrolled{User: p.name, Removed: p.hadFactor(), Code: p.code != nil}
	off := policy.Unset{Users: []string{p.name}}
	if behind == nil {
		lists, err = h.planEdit(off)
	} else {
		lists, err = planIn(behind.path, behind.after, []policy.Change{off})
	}
	if err != nil {
		return result, nil, err
	}
	result.Unlisted = !lists.empty()
	if !result.Removed && !result.Unlisted && !result.Code {
		return result, nil, enroll.ErrNotEnrolled
	}
	then := person{name: p.name, account: p.account, system: p.system}
	then.decide(lists.is, time.Now())
	result.holds(&then)
	return result, lists, nil
}

// unenroll takes one user out. He loses the device first: if it ends there he is refused, not let in.
func (h *host) unenroll(u *enroll.Users, asked person) (unenrolled, error) {
	p, err := h.asAsked(u, asked)
	if err != nil {
		return unenrolled{}, err
	}
	result, lists, err := h.planUnenroll(p, nil)
	if err != nil {
		return result, err
	}
	if result.Unlisted {
		if err := lists.allowed(); err != nil {
			return result, err
		}
	}
	if result.Removed || result.Code {
		if err := h.removeFactor(u, result); err != nil {
			return result, err
		}
	}
	if err := h.unlist(lists, result); err != nil {
		return result, err
	}
	after, err := h.person(u, p.name)
	if err != nil {
		return result, err
	}
	result.holds(&after)
	return result, nil
}

// asAsked reads somebody again behind the question, and refuses where something else would end than what was asked about.
//
// Attack: whoever has the code that is to end enrols while the question waits, and the log knows of no device that came to an end.
func (h *host) asAsked(u *enroll.Users, asked person) (person, error) {
	p, err := h.person(u, asked.name)
	if err != nil {
		return person{}, err
	}
	same := p.hadFactor() == asked.hadFactor() && p.serial() == asked.serial()
	if !p.hadFactor() {
		same = same && (p.code != nil) == (asked.code != nil)
	}
	if !same {
		return person{}, failed("%s has other devices or codes than before the question: nothing was changed", p.name).hint("twokey show %s", p.name)
	}
	return p, nil
}

// serial counts the changes of somebody's devices; 0: there is no state, or none that can be read.
func (p *person) serial() uint64 {
	if p.state == nil {
		return 0
	}
	return p.state.Serial
}

// holds keeps what the policy says of the user without a device.
func (r *unenrolled) holds(p *person) {
	r.Policy, r.lastDay = p.policy(), p.lastDay()
	r.Required, r.reason = p.requiredBy()
}

// stillRequired is the sentence before a question that names who could not log in any more; "": nobody.
func stillRequired(plan []unenrolled) string {
	var names []string
	for _, r := range plan {
		if r.Required != "" && r.lastDay == "" {
			names = append(names, fmt.Sprintf("%s (%s)", r.User, r.reason))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "Still required, and so unable to log in afterwards: " + shortList(names, 8) + ". "
}

// removeFactor records what it has done before anything else can fail: a second factor that is gone must be in the log.
func (h *host) removeFactor(u *enroll.Users, r unenrolled) error {
	if err := u.Unenroll(r.User); err != nil {
		return err
	}
	var changes []audit.Change
	if r.Removed {
		changes = append(changes, audit.Change{Field: "second_factor", Old: "enrolled", New: "none"})
	}
	if r.Code {
		changes = append(changes, codeEnded())
	}
	return h.record("unenroll", r.User, changes...)
}

// unlist takes the entries off the lists, and when that fails says what has been done before.
func (h *host) unlist(lists *configEdit, result unenrolled) error {
	if !result.Unlisted {
		return nil
	}
	err := h.apply(lists, "unenroll", result.User)
	if err != nil && result.Removed {
		return fmt.Errorf("%s has no second factor any more, and is still named in require or exempt: %w", visible(result.User), err)
	}
	return err
}

// requiredBy is the rule by which the user must have a device, and why it is about him.
func (p *person) requiredBy() (rule, reason string) {
	if p.outcome.Decision == policy.Required {
		return p.outcome.Rule, p.outcome.Reason
	}
	for _, s := range p.services {
		if s.outcome.Decision == policy.Required {
			return s.outcome.Rule, s.outcome.Reason
		}
	}
	return "", ""
}

func (h *host) sayUnenrolled(r unenrolled) {
	ui, dryRun, user := h.ui, h.dryRun, visible(r.User)
	without, unlisted, code := "%s has no second factor any more.", "%s is not named in require or exempt any more.", codeEndedText
	if dryRun {
		without, unlisted, code = "Would take the second factor away from %s.", "Would take %s off require and exempt.", "Would end the enrolment code of %s."
	}
	if r.Removed {
		ui.say(without, user)
	}
	if r.Code {
		ui.say(code, user)
	}
	if r.Unlisted {
		ui.say(unlisted, user)
	}
	switch {
	case r.Required == "":
	case r.lastDay != "":
		ui.say("%s is still required (%s), and let in without a device to the end of %s.", user, visible(r.reason), r.lastDay)
	case dryRun:
		ui.say("%s would still be required (%s) and could not log in.", user, visible(r.reason))
	default:
		ui.say("%s is still required (%s) and cannot log in: %s, or twokey policy exempt %s", user, visible(r.reason), h.howToEnrol(user), user)
	}
}

// howToEnrol is the command by which somebody without a device gets one: it need not be the administrator who links it.
func (h *host) howToEnrol(user string) string {
	if h.asksForCodes() {
		return "twokey enroll --code " + user
	}
	return "twokey enroll " + user
}

package main

import (
	"errors"
	"fmt"
	"slices"

	"twokey/enroll"
	"twokey/internal/sysuser"
	"twokey/policy"
)

// taken is what policy unset --json prints.
type taken struct {
	edited
	StillAsked    []string     `json:"still_asked"`    // taken off, enrolled, and asked all the same
	StillRequired []string     `json:"still_required"` // taken off, without a device, and required all the same
	Unenrolled    []unenrolled `json:"unenrolled,omitempty"`
}

// unset takes names off both lists, and with them, where that is wanted, the second factor.
func (h *host) unset(entry policy.Entry, unenrollToo, allowMissing bool) error {
	if err := h.addCanonical(&entry); err != nil {
		return err
	}
	if !allowMissing {
		if err := h.checkNamed(entry); err != nil {
			return err
		}
	}
	e, err := h.planEdit(policy.Unset(entry))
	if err != nil {
		return err
	}
	u, err := h.users()
	if err != nil {
		return err
	}
	enrolled, without, err := h.meant(u, entry, e.is)
	if err != nil {
		return err
	}
	w := wording{
		action:   "policy-unset",
		target:   onlyUser(entry),
		question: "From the next login on they are no longer required by these entries. Go on?",
		already:  "No entry names them: nothing to change.",
		done:     "Taken off both lists: " + entrySentence(entry) + ". What counts for them now: twokey policy explain USER --service SERVICE",
	}
	t := taken{StillAsked: []string{}, StillRequired: namesOfRequired(without)}
	codes := withCode(without)
	if gone := append(enrolled, codes...); unenrollToo && len(gone) > 0 {
		err = h.unsetAndUnenroll(u, e, w, gone, &t)
	} else if t.edited, err = h.carryOut(e, w); err == nil {
		t.StillAsked = stillAsked(enrolled)
		h.sayStillAsked(enrolled)
		h.sayStillOpen(codes)
	}
	if err != nil && t.Unenrolled == nil {
		return err
	}
	h.sayStillRequired(without)
	return errors.Join(h.ui.object(t), err)
}

// withCode are those of people without a device who have an open enrolment code.
func withCode(people []person) []person {
	return slices.DeleteFunc(slices.Clone(people), func(p person) bool { return p.code == nil })
}

func (h *host) sayStillOpen(people []person) {
	if len(people) > 0 {
		h.ui.say("Their enrolment codes stay open, and twokey unenroll ends them: %s.", shortList(plainNames(people), 8))
	}
}

// unsetAndUnenroll asks before anything is done, and not in two questions of which the second comes when the first is in force.
func (h *host) unsetAndUnenroll(u *enroll.Users, e *configEdit, w wording, enrolled []person, t *taken) error {
	plan, err := h.planEach(enrolled, e)
	if err != nil {
		return err
	}
	if !h.dryRun {
		if err := e.allowed(); err != nil {
			return err
		}
		question := "%sTake them off both lists, and the second factor away from %s?"
		if err := h.ui.confirm(h.yes, question, stillRequired(plan), namesOf(enrolled)); err != nil {
			return err
		}
		h.yes = true
	}
	if t.edited, err = h.carryOut(e, w); err != nil {
		return err
	}
	if h.dryRun {
		t.Unenrolled = h.told(plan)
		return nil
	}
	t.Unenrolled, err = h.unenrollEach(u, enrolled)
	return err
}

// meant are the users whom an entry names, or who are in its groups, as they will be under a policy: with a device, and without.
func (h *host) meant(u *enroll.Users, entry policy.Entry, under *policy.Config) (enrolled, without []person, err error) {
	if len(entry.Users)+len(entry.Groups) == 0 {
		return nil, nil, nil
	}
	lists := []func() ([]string, error){u.Secrets.Users, func() ([]string, error) { return entry.Users, nil }}
	for _, group := range entry.Groups {
		lists = append(lists, func() ([]string, error) { return groupNames(group) })
	}
	names, err := union(lists...)
	if err != nil {
		return nil, nil, err
	}
	later := *h
	later.policy = under
	for _, name := range names {
		p, err := later.person(u, name)
		if err != nil {
			return nil, nil, err
		}
		in, err := p.isMeant(entry)
		switch {
		case err != nil:
			return nil, nil, err
		case !in || p.name != name && slices.Contains(names, p.name): // under its other name he comes too
		case p.enrolled:
			enrolled = append(enrolled, p)
		default:
			without = append(without, p)
		}
	}
	return enrolled, without, nil
}

// isMeant reports whether an entry names the user, or a group of his.
func (p *person) isMeant(entry policy.Entry) (bool, error) {
	if slices.Contains(entry.Users, p.name) || p.account == nil || len(entry.Groups) == 0 {
		return slices.Contains(entry.Users, p.name), nil
	}
	return p.inOneOf(entry.Groups)
}

// namesOfRequired are those of people without a device who need one on some service.
func namesOfRequired(people []person) []string {
	names := []string{}
	for _, p := range people {
		if p.account != nil && p.required() {
			names = append(names, p.name)
		}
	}
	return names
}

func (h *host) sayStillRequired(people []person) {
	var names []string
	for _, p := range people {
		if rule, reason := p.requiredBy(); rule != "" && p.account != nil {
			names = append(names, fmt.Sprintf("%s (%s: %s)", p.name, rule, reason))
		}
	}
	if len(names) > 0 {
		h.ui.say("Without a device, and still required: %s.", visible(shortList(names, 8)))
	}
}

// stillAsked are those who are asked on some service.
func stillAsked(people []person) []string {
	asked := []string{}
	for _, p := range people {
		if _, still := p.askedBy(); still {
			asked = append(asked, p.name)
		}
	}
	return asked
}

// askedBy is the first decision by which the user is asked on some service.
func (p *person) askedBy() (outcome policy.Outcome, asked bool) {
	for _, s := range append([]service{{"", p.outcome}}, p.services...) {
		if p.account != nil && s.outcome.Action == policy.Ask {
			return s.outcome, true
		}
	}
	return policy.Outcome{}, false
}

func (h *host) sayStillAsked(people []person) {
	var names []string
	for _, p := range people {
		if outcome, still := p.askedBy(); still {
			names = append(names, fmt.Sprintf("%s (%s by %s)", p.name, outcome.Decision, outcome.Rule))
		}
	}
	if len(names) == 0 {
		return
	}
	are := "of them are enrolled and so are still asked"
	if len(names) == 1 {
		are = "of them is enrolled and so is still asked"
	}
	h.ui.say("%d %s: %s. To take the second factor away too: twokey policy unset --unenroll, or twokey unenroll USER",
		len(names), are, visible(shortList(names, 8)))
}

// checkNamed refuses a name that neither an entry nor this host has: it is misspelt, and who is meant stays on the list.
func (h *host) checkNamed(entry policy.Entry) error {
	var listed policy.Entry
	for _, e := range slices.Concat(h.policy.Require, h.policy.Exempt) {
		listed.Users, listed.Groups = append(listed.Users, e.Users...), append(listed.Groups, e.Groups...)
	}
	const advice = "twokey policy list shows the entries; to go on all the same add --allow-missing"
	for _, name := range entry.Users {
		if _, err := sysuser.Lookup(name); errors.Is(err, sysuser.ErrUnknown) && !slices.Contains(listed.Users, name) {
			return failed("no entry names a user %q, nor is there one on this host", name).hint(advice)
		}
	}
	for _, name := range entry.Groups {
		exists, err := sysuser.GroupExists(name)
		if err != nil {
			return err
		}
		if !exists && !slices.Contains(listed.Groups, name) {
			return failed("no entry names a group %q, nor is there one on this host", name).hint(advice)
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
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

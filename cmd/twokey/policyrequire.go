package main

import (
	"errors"
	"time"

	"twokey/enroll"
	"twokey/policy"
)

// required is what policy require was told.
type required struct {
	entry policy.Entry
	good  time.Duration // how long enrolment codes are good
	codes bool          // are to be made
}

// requiredNow is what policy require --json prints.
type requiredNow struct {
	edited
	Codes []enrolmentCode `json:"codes,omitempty"`
}

// require puts the edit in force, and gives those whom it would lock out the codes by which they get in.
func (h *host) require(e *configEdit, w wording, r required) error {
	result, err := h.carryOut(e, w)
	if err != nil {
		return err
	}
	if e.empty() {
		return h.ui.object(requiredNow{edited: result})
	}
	h.policy = e.is
	codes, err := h.lockedOutBy(r)
	return errors.Join(h.tellCodes(codes, nextLoginAsks), h.ui.object(requiredNow{result, codes}), err)
}

// lockedOutBy makes codes for the users who are named, for the members of the groups, and, where services alone are, for everybody; it names
// those who are left without.
func (h *host) lockedOutBy(r required) ([]enrolmentCode, error) {
	u, err := h.users()
	if err != nil {
		return nil, err
	}
	now, later, err := h.withoutDeviceBy(u, r.entry)
	if err != nil {
		return nil, err
	}
	if len(later) > 0 {
		h.ui.warn("required and without a device, and let in to the end of %s: %s", r.entry.By, shortList(plainNames(later), 8))
	}
	quiet := h.policy.Observe || h.policy.SwitchedOff(time.Now())
	notYet := len(later) > 0 || policy.DateOf(time.Now()).Before(r.entry.Starts)
	if r.codes && h.asksForCodes() && notYet {
		h.ui.say("No enrolment codes are made before somebody needs a device: then twokey enroll --code makes them.")
	}
	if !r.codes || quiet || h.dryRun || !h.asksForCodes() {
		h.warnRefused(now, quiet)
		return nil, nil
	}
	var without, open []person
	for _, p := range now {
		if p.code == nil {
			without = append(without, p)
		} else {
			open = append(open, p)
		}
	}
	if len(open) > 0 {
		h.ui.warn("an enrolment code is open already, and stays: %s", shortList(plainNames(open), 8))
	}
	return h.makeCodes(u, without, r.good)
}

func (h *host) warnRefused(people []person, quiet bool) {
	const text = "required and without a device"
	switch names := shortList(plainNames(people), 8); {
	case len(people) == 0:
	case quiet:
		h.ui.warn(text+": %s", names)
	default:
		h.ui.warn(text+", so refused from the next login on: %s", names)
	}
}

// withoutDeviceBy are the users whom a requirement locks out until they get a device, at once or in some days.
func (h *host) withoutDeviceBy(u *enroll.Users, entry policy.Entry) (now, later []person, err error) {
	people, err := h.people(u)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range people {
		switch {
		case p.account == nil || p.enrolled || !p.required() || !namedBy(entry, &p):
		case p.lastDay() != "":
			later = append(later, p)
		default:
			now = append(now, p)
		}
	}
	return now, later, nil
}

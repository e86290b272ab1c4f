package main

import (
	"strings"
	"time"

	"twokey/policy"
)

// warnLockedOut names those who are refused without a device from an edit on and were not before, so that the shell in which it was
// made is not the last one. An edit that has to be made whatever state the users' files are in goes on without.
func (h *host) warnLockedOut(e *configEdit) {
	names, err := h.lockedOut(e.was, e.is)
	if err != nil {
		h.ui.warn("who is refused for want of a device could not be found out: %s", oneLine(err))
	}
	if len(names) == 0 {
		return
	}
	codes := ""
	if e.is.AtLogin == policy.AtLoginWithCode {
		codes = "; an enrolment code for each: twokey enroll --code " + someOf(names, 8)
	}
	h.ui.warn("without a device, and so refused from the next login on: %s%s", shortList(names, 8), codes)
}

// someOf are names as arguments; of more than so many a word that stands for them.
func someOf(names []string, most int) string {
	if len(names) > most {
		return "USER..."
	}
	return strings.Join(names, " ")
}

func (h *host) lockedOut(was, is *policy.Config) (names []string, err error) {
	u, err := h.users()
	if err != nil {
		return nil, err
	}
	later := *h
	later.policy = is
	people, err := later.people(u)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	earlier := newDecider(was, now)
	for _, p := range people {
		before := p
		earlier.decide(&before)
		if p.refusedUnder(is, now) && !before.refusedUnder(was, now) {
			names = append(names, p.name)
		}
	}
	return names, nil
}

// refusedUnder reports whether a policy, by which was decided, refuses somebody because he has no device.
func (p *person) refusedUnder(c *policy.Config, now time.Time) bool {
	return p.account != nil && !p.enrolled && !c.Observe && !c.SwitchedOff(now) && p.required() && p.lastDay() == ""
}

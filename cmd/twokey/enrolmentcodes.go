package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/audit"
	"twokey/enroll"
	"twokey/internal/sysuser"
	"twokey/policy"
)

// usualCodeTime is how long an enrolment code is good: over a weekend's end, and not over a week.
const usualCodeTime = "48h"

// enrolmentCode is a code as it is handed out, the only time that it is seen.
type enrolmentCode struct {
	User  string     `json:"user"`
	Code  string     `json:"enrolment_code"`
	Until *time.Time `json:"until"`
}

func codeTimeFlag() cli.Flag {
	return &cli.StringFlag{Name: "for", Value: usualCodeTime, Usage: "an enrolment code is good for this `TIME`, 1m to 30d"}
}

// codeTime is how long enrolment codes are to be good.
func codeTime(c *cli.Context) (time.Duration, error) {
	good, err := duration("for", c.String("for"))
	if err == nil && (good < enroll.ShortestCode || good > enroll.LongestCode) {
		err = badUsage("--for: an enrolment code is good for 1m to 30d, not %s", c.String("for"))
	}
	return good, err
}

// enrolmentCodesAction is enroll --code.
func enrolmentCodesAction(c *cli.Context, ui *ui) error {
	good, err := codeTime(c)
	if err != nil {
		return err
	}
	for _, flag := range c.LocalFlagNames() {
		if !slices.Contains([]string{"code", group, "for", dryRun, "config", "root", "json", "yes", "y"}, flag) {
			return badUsage("--code enrols nobody, so --%s says nothing", flag)
		}
	}
	names, err := someUsers(c)
	if err != nil {
		return err
	}
	h, u, err := openUsersInForce(c, ui)
	if err != nil {
		return err
	}
	if err := h.takesCodes(); err != nil {
		return err
	}
	people, err := h.whoGetCodes(u, names, c.StringSlice(group))
	if err != nil {
		return err
	}
	if h.dryRun {
		ui.say("Would make %s: %s", count(len(people), "enrolment code"), shortList(plainNames(people), 8))
		return ui.object([]enrolmentCode{})
	}
	made, err := h.makeCodes(u, people, good)
	next := ""
	if slices.ContainsFunc(people, func(p person) bool { return p.codeUnasked() == "" }) {
		next = nextLoginAsks
	}
	tellErr := h.tellCodes(made, next)
	for _, p := range people {
		if why := p.codeUnasked(); why != "" {
			ui.warn("%s", why)
		}
	}
	return errors.Join(tellErr, ui.object(made), err)
}

// codeUnasked says why no login asks somebody without a device for his enrolment code; "": the next one does.
func (p *person) codeUnasked() string {
	switch {
	case p.mustEnroll():
		return ""
	case !p.required():
		return fmt.Sprintf("%s is not required, so no login asks for the code: twokey policy require %s", p.name, p.name)
	case p.lastDay() != "":
		return fmt.Sprintf("%s is let in without a device until %s, and no login asks for the code before", p.name, p.lastDay())
	}
	return ""
}

// asksForCodes reports whether a login takes enrolment codes.
func (h *host) asksForCodes() bool { return h.policy.AtLogin == policy.AtLoginWithCode }

// takesCodes refuses codes that no login would ask for.
func (h *host) takesCodes() error {
	if h.asksForCodes() {
		return nil
	}
	return failed("enroll.at_login is %q: no login asks for an enrolment code", h.policy.AtLogin).
		hint("twokey config set enroll.at_login %s", policy.AtLoginWithCode)
}

// whoGetCodes are the users who are named, none of whom may have a device, and those members of the groups who have none.
func (h *host) whoGetCodes(u *enroll.Users, names, groups []string) ([]person, error) {
	people, err := h.known(u, names)
	if err != nil {
		return nil, err
	}
	for _, p := range people {
		switch {
		case p.account == nil:
			return nil, unknownUser(p.name)
		case p.enrolled:
			return nil, about(p.name, enroll.ErrEnrolled)
		}
	}
	for _, name := range groups {
		members, err := h.membersWithoutDevice(u, name)
		if err != nil {
			return nil, err
		}
		people = append(people, members...)
	}
	return once(people), nil
}

// membersWithoutDevice are the members of a group who have no device, as far as the name service lists them.
func (h *host) membersWithoutDevice(u *enroll.Users, group string) ([]person, error) {
	names, err := sysuser.Everybody(group)
	if errors.Is(err, sysuser.ErrUnknown) {
		return nil, failed("there is no group %q on this host", group).hint("getent group lists the groups")
	}
	if err != nil {
		return nil, err
	}
	people, err := h.lookUp(u, names)
	if err != nil {
		return nil, err
	}
	people = slices.DeleteFunc(people, func(p person) bool { return p.account == nil || p.enrolled })
	if len(people) == 0 {
		return nil, failed("nobody in group %q is without a device", group).hint("twokey list")
	}
	return people, nil
}

func plainNames(people []person) []string {
	names := []string{}
	for _, p := range people {
		names = append(names, p.name)
	}
	return names
}

// makeCodes makes a code for each; who fails does not keep those behind him from theirs.
func (h *host) makeCodes(u *enroll.Users, people []person, good time.Duration) ([]enrolmentCode, error) {
	made := []enrolmentCode{}
	err := each(people, func(p person) error {
		code, err := h.makeCode(u, p, good)
		if err != nil {
			return err
		}
		made = append(made, code)
		return nil
	})
	return made, err
}

// makeCode makes a code, which is shown only when it is in the audit log that there is one.
func (h *host) makeCode(u *enroll.Users, p person, good time.Duration) (enrolmentCode, error) {
	text, until, err := u.NewCode(enroll.Account{Name: p.name, UID: p.account.UID}, good)
	if err != nil {
		return enrolmentCode{}, err
	}
	code := enrolmentCode{p.name, text, timeOrNull(until)}
	return code, h.record("enrolment-code", p.name, code.change())
}

func (e enrolmentCode) change() audit.Change {
	return audit.Change{Field: "enrolment_code", New: "good until " + e.Until.Format(time.RFC3339)}
}

// codeEndedText and codeEnded say that a code does not count any more, to who has ended it and in the audit log.
const codeEndedText = "The enrolment code of %s has ended."

func codeEnded() audit.Change {
	return audit.Change{Field: "enrolment_code", Old: "open", New: "ended"}
}

// nextLoginAsks is what to do with a code.
const nextLoginAsks = "The next login, by ssh or at the console, asks for it and shows how to link a phone."

// tellCodes shows the codes, and what to do with them next.
func (h *host) tellCodes(made []enrolmentCode, next string) error {
	if len(made) == 0 {
		return nil
	}
	if len(made) == 1 {
		h.ui.say("Enrolment code of %s, good until %s: %s", visible(made[0].User), at(made[0].Until), made[0].Code)
		h.ui.say("%s", strings.TrimSpace("It is not shown again. "+next))
		return nil
	}
	rows := [][]string{{"USER", "ENROLMENT CODE", "GOOD UNTIL"}}
	for _, code := range made {
		rows = append(rows, []string{code.User, code.Code, at(code.Until)})
	}
	if err := h.ui.table(rows); err != nil {
		return err
	}
	h.ui.say("%s", strings.TrimSpace("They are not shown again. "+next))
	return nil
}

package main

import (
	"errors"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/audit"
	"twokey/enroll"
)

func resetCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "reset",
		Usage:     "end users' devices; they have to be enrolled before the next login",
		ArgsUsage: "USER…",
		Description: "For a lost phone: ends devices, recovery codes, remembered sources and bypass codes. List entries stay. Prints for each\n" +
			"user a code with which he enrols at his next login, where enroll.at_login is with-code.",
		Flags: []cli.Flag{groupFlag(), codeTimeFlag(), dryRunFlag()},
		Action: func(c *cli.Context) error {
			good, err := codeTime(c)
			if err != nil {
				return err
			}
			r := reset{good: good, asked: c.IsSet("for")}
			return someAction(c, ui, openUsersInForce, r.all)
		},
	}
}

// reset is what the flags of reset say.
type reset struct {
	good  time.Duration // how long the enrolment codes are good
	asked bool          // by --for
}

// changed is what unlock --json prints of each user.
type changed struct {
	User    string `json:"user"`
	Changed bool   `json:"changed"`
}

// wasReset is what reset --json prints of each user. Without an enrolment code an administrator has to enrol him.
type wasReset struct {
	changed
	Code  string     `json:"enrolment_code,omitempty"`
	Until *time.Time `json:"until,omitempty"`
}

func (r reset) all(h *host, u *enroll.Users, people []person) error {
	if r.asked {
		if err := h.takesCodes(); err != nil {
			return err
		}
	}
	var without []error
	for _, p := range people {
		if !p.enrolled && !p.mustEnroll() && p.problem == nil {
			without = append(without, about(p.name, enroll.ErrNotEnrolled))
		}
	}
	if len(without) > 0 {
		return allWrong(without, len(people))
	}
	if h.dryRun {
		return r.plan(h, people)
	}
	question := "End the devices, recovery codes, remembered sources and bypass codes of %s, who then cannot log in before being enrolled again?"
	if err := h.ui.confirm(h.yes, question, namesOf(people)); err != nil {
		return err
	}
	if err := h.stillMay(people); err != nil {
		return err
	}
	done, made := []wasReset{}, []enrolmentCode{}
	err := each(people, func(p person) error {
		code, err := r.one(h, u, p)
		if err != nil {
			return err
		}
		done = append(done, wasReset{changed{p.name, true}, code.Code, code.Until})
		if code.Code != "" {
			made = append(made, code)
			return nil
		}
		h.ui.say("%s has to be enrolled%s", visible(p.name), forRoot(h.actor, " before the next login: twokey enroll "+visible(p.name),
			" by root before the next login."))
		return nil
	})
	return errors.Join(h.tellReset(made), h.ui.object(done), err)
}

func (r reset) plan(h *host, people []person) error {
	done := []wasReset{}
	codes := ""
	if h.asksForCodes() {
		codes = ", and make an enrolment code"
	}
	for _, p := range people {
		h.ui.say("Would reset %s%s.", visible(p.name), codes)
		done = append(done, wasReset{changed: changed{p.name, false}})
	}
	return h.ui.object(done)
}

// one resets a user. The record is written before the code is shown, and before the code is made: it is the reset that must not go
// without a record when something fails.
func (r reset) one(h *host, u *enroll.Users, p person) (enrolmentCode, error) {
	if err := u.Reset(p.name); err != nil {
		return enrolmentCode{}, err
	}
	if err := h.record("reset", p.name, audit.Change{Field: "second_factor", Old: "enrolled", New: "has to be enrolled"}); err != nil {
		return enrolmentCode{}, err
	}
	if !h.asksForCodes() || p.account == nil {
		return enrolmentCode{}, nil
	}
	return h.makeCode(u, p, r.good)
}

// tellReset says what those who were reset do next.
func (h *host) tellReset(made []enrolmentCode) error {
	if len(made) == 1 {
		h.ui.say("%s has no second factor any more, and links a new one at the next login.", visible(made[0].User))
	}
	return h.tellCodes(made, nextLoginAsks)
}

package main

import (
	"errors"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/audit"
	"twokey/enroll"
	"twokey/policy"
)

func resetCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "reset",
		Usage:     "end users' devices, so that they have to link new ones",
		ArgsUsage: "USER…",
		Description: "For a lost phone: ends devices, recovery codes, enrolment codes, remembered sources and bypass codes. List entries stay.\n" +
			"Where enroll.at_login is with-code it prints for each user a code with which he links a new device at his next login, also for\n" +
			"who is required and has had no device yet; where it is yes that login takes the password alone, and where it is no they have\n" +
			"to be enrolled before.",
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

// wasReset is what reset --json prints of each user.
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
		if h.resetOf(&p) == "" {
			without = append(without, about(p.name, h.nothingToReset(&p)))
		}
	}
	if len(without) > 0 {
		return allWrong(without, len(people))
	}
	if h.dryRun {
		return h.planReset(people)
	}
	question := "End the devices, recovery codes, enrolment codes, remembered sources and bypass codes of %s, %s?"
	if err := h.ui.confirm(h.yes, question, namesOf(people), h.behindReset()); err != nil {
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
		}
		h.sayReset(&p, code.Code != "", len(people) == 1)
		return nil
	})
	return errors.Join(h.tellCodes(made, nextLoginAsks), h.ui.object(done), err)
}

// hadFactor reports whether a reset has more to end than an enrolment code.
func (p *person) hadFactor() bool { return p.enrolled || p.mustEnroll() || p.problem != nil }

// resetOf says what a reset would do to somebody, behind "Would"; "": nothing.
func (h *host) resetOf(p *person) string {
	name, makes := visible(p.name), h.getsCode(p)
	switch {
	case p.hadFactor() && makes:
		return "reset " + name + ", and make an enrolment code"
	case p.hadFactor():
		return "reset " + name
	case p.code != nil && makes:
		return "end the enrolment code of " + name + ", and make another"
	case p.code != nil:
		return "end the enrolment code of " + name
	case makes:
		return "make an enrolment code for " + name
	}
	return ""
}

// getsCode reports whether the next login asks somebody who was reset for an enrolment code. One may have been made before that has ended.
func (h *host) getsCode(p *person) bool {
	return h.asksForCodes() && p.account != nil && (p.hadFactor() || p.required() && p.codeUnasked() == "")
}

// nothingToReset is for who has no device and does not have to have one.
func (h *host) nothingToReset(p *person) error {
	if h.actor.isRoot() && h.asksForCodes() && p.account != nil {
		return failed("%s: %v", p.name, enroll.ErrNotEnrolled).hint("to let the user link a device: twokey policy require %s; or now: twokey enroll %s", p.name, p.name)
	}
	return enroll.ErrNotEnrolled
}

// behindReset is what follows for those who are reset.
func (h *host) behindReset() string {
	switch h.policy.AtLogin {
	case policy.AtLoginWithCode:
		return "who then have to link a new device at the next login, with the enrolment code that is printed"
	case policy.AtLoginYes:
		return "for whom anybody who has the password can then link a new device at the next login"
	}
	return "who then cannot log in before being enrolled again"
}

func (h *host) planReset(people []person) error {
	done := []wasReset{}
	for _, p := range people {
		h.ui.say("Would %s.", h.resetOf(&p))
		done = append(done, wasReset{changed: changed{p.name, false}})
	}
	return h.ui.object(done)
}

// one resets a user. The record is written before the code is shown, and before the code is made: it is the reset that must not go
// without a record when something fails.
func (r reset) one(h *host, u *enroll.Users, asked person) (enrolmentCode, error) {
	p, err := h.asAsked(u, asked)
	if err != nil {
		return enrolmentCode{}, err
	}
	var changes []audit.Change
	if p.hadFactor() {
		changes = append(changes, audit.Change{Field: "second_factor", Old: "enrolled", New: "has to be enrolled"})
	}
	if p.code != nil {
		changes = append(changes, codeEnded())
	}
	if len(changes) > 0 {
		if err := u.Reset(p.name); err != nil {
			return enrolmentCode{}, err
		}
		if err := h.record("reset", p.name, changes...); err != nil {
			return enrolmentCode{}, err
		}
	}
	if !h.getsCode(&p) {
		return enrolmentCode{}, nil
	}
	return h.makeCode(u, p, r.good)
}

// sayReset says what somebody who was reset does next. Of several with a code the table says it.
func (h *host) sayReset(p *person, code, alone bool) {
	name := visible(p.name)
	switch {
	case code && !alone:
	case code && p.hadFactor():
		h.ui.say("%s has no second factor any more, and links a new one at the next login.", name)
	case code && p.code != nil:
		h.ui.say("%s has no device. The enrolment code of before has ended.", name)
	case code:
		h.ui.say("%s has no device, and links one at the next login.", name)
	case !p.hadFactor():
		h.ui.say(codeEndedText, name)
	case h.policy.AtLogin == policy.AtLoginYes && p.account != nil:
		h.ui.say("%s has no second factor any more, and links a new one at the next login.", name)
		h.ui.warn("the next login takes the password of %s alone (enroll.at_login is \"yes\"): whoever has it can link a phone", p.name)
	default:
		h.ui.say("%s has to be enrolled%s", name, forRoot(h.actor, " before the next login: twokey enroll "+name, " by root before the next login."))
	}
}

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/device"
	"twokey/enroll"
	"twokey/factor"
	"twokey/secrets"
	"twokey/state"
)

func testCodeCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:        "code",
		Usage:       "is this code right; it is not used up",
		ArgsUsage:   "USER",
		Description: "Asks for a code, or reads it from standard input. Exit status 3 when it is not right, with the reason.",
		Action:      func(c *cli.Context) error { return testCodeAction(c, ui) },
	}
}

func testCodeAction(c *cli.Context, ui *ui) error {
	name, err := oneUser(c)
	if err != nil {
		return err
	}
	h, err := openHost(c, ui)
	if err != nil {
		return err
	}
	account, err := h.account(name)
	if err != nil {
		return err
	}
	u, err := h.users()
	if err != nil {
		return err
	}
	p, err := h.person(u, account.Name)
	if err != nil {
		return err
	}
	return about(p.name, h.testCode(u, p))
}

func (h *host) testCode(u *enroll.Users, p person) error {
	if !p.enrolled {
		return enroll.ErrNotEnrolled
	}
	record, err := u.Secrets.Load(p.name)
	if err = errors.Join(err, p.problem); err != nil {
		return err
	}
	typed, err := h.ui.ask("Code: ", true)
	if err != nil {
		return err
	}
	return h.tellCode(p, h.lookAt(record, p, factor.ParseAnswer(typed), time.Now()))
}

// found says whether a code is right, and of what kind or why not.
type found struct {
	OK     bool   `json:"ok"`
	Reason string `json:"reason"`
}

// lookAt does what a login does with an answer, to a copy of the state that is then forgotten, and without a price.
func (h *host) lookAt(record *secrets.Record, p person, answer factor.Answer, now time.Time) found {
	st := p.state
	if st == nil {
		st = device.Restore(record, p.uid(), now)
	}
	if st.UID != p.uid() {
		return found{Reason: fmt.Sprintf("right or wrong, %s is not let in: the user id is not the one that was enrolled: twokey adopt %s", p.name, p.name)}
	}
	set, err := device.Join(st, record, h.policy.Discrepancy)
	if err != nil {
		return found{Reason: err.Error()}
	}
	used, err := match(set, answer, now)
	switch {
	case errors.Is(err, device.ErrReplayed):
		return found{Reason: "this code was used" + nextCode(record, answer, now)}
	case errors.Is(err, device.ErrWrong):
		return found{Reason: "wrong code" + h.clockHints(record, answer, now)}
	case err != nil:
		return found{Reason: err.Error()}
	case used.Method == "recovery":
		return found{true, "a recovery code"}
	}
	return found{true, fmt.Sprintf("a code of the device %q (%s)", used.Device, used.Method)}
}

// match tries an answer as one code, as two codes in a row, and as a recovery code.
func match(set *device.Set, answer factor.Answer, now time.Time) (device.Used, error) {
	if answer.Kind == factor.Recovery {
		return set.RecoveryCode(answer)
	}
	one, two := set.Fits(answer)
	err := device.ErrWrong
	if one {
		var used device.Used
		if used, err = set.Code(answer, now, ""); err == nil || !two {
			return used, err
		}
	}
	if two {
		return set.Pair(answer, now, "")
	}
	return device.Used{}, err
}

// nextCode says how long it is until a device shows another code.
func nextCode(record *secrets.Record, answer factor.Answer, now time.Time) string {
	for _, d := range record.Devices {
		if d.Method == string(factor.TOTP) && d.Digits == len(answer.Text) {
			return fmt.Sprintf("; the next one comes in %d s", int64(d.Period)-now.Unix()%int64(d.Period))
		}
	}
	return ""
}

// clockHints adds how far the clock of a device is off by which the code would be right.
func (h *host) clockHints(record *secrets.Record, answer factor.Answer, now time.Time) string {
	if answer.Kind != factor.Digits {
		return ""
	}
	for _, d := range record.Devices {
		if hint := clockHint(device.Params(d), answer.Text, now); hint != "" {
			return hint
		}
	}
	return ""
}

// furthestClock is how far off a clock is looked for: it covers a wrong time zone.
const furthestClock = 12 * time.Hour

// clockHint says how far the clock of the device is off when the code is one of another time, the nearest within twelve hours; "" when
// it is none.
func clockHint(p factor.Params, typed string, now time.Time) string {
	answer := factor.ParseAnswer(typed)
	if p.Method != factor.TOTP || len(answer.Text) != p.Digits {
		return ""
	}
	step, period := int64(p.Step(now)), int64(p.Period)
	for k := int64(1); k <= int64(furthestClock/time.Second)/period; k++ {
		for _, off := range []int64{k, -k} {
			code, err := p.Code(uint64(max(0, step+off)))
			if err != nil || code != answer.Text {
				continue
			}
			// The device is somewhere in that step: the middle of it is the best guess.
			ahead := (step+off)*period + period/2 - now.Unix()
			if ahead < 0 {
				return fmt.Sprintf(": the device's clock is about %d s behind", -ahead)
			}
			return fmt.Sprintf(": the device's clock is about %d s ahead", ahead)
		}
	}
	return ""
}

func (h *host) tellCode(p person, f found) error {
	if err := h.ui.object(f); err != nil {
		return err
	}
	if !f.OK {
		h.ui.say("No: %s.", visible(f.Reason))
		return errSilent
	}
	h.ui.say("Right: %s. It was not used up.", visible(f.Reason))
	if p.state != nil {
		if strangers, known := p.state.Throttled(state.One, time.Now()); strangers || known {
			h.ui.say("At a login one code alone may not do: %s.", viewThrottle{strangers, known})
		}
	}
	return nil
}

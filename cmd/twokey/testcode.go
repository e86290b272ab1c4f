package main

import (
	"errors"
	"fmt"
	"math"
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
	h, err := openInForce(c, ui)
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
	h.tellUntested(record)
	typed, err := h.ui.ask("Code: ", true)
	if err != nil {
		return err
	}
	return h.tellCode(p, h.lookAt(record, p, factor.ParseAnswer(typed), time.Now()))
}

// tellUntested names the devices of which there is no code to be typed here.
func (h *host) tellUntested(record *secrets.Record) {
	for _, d := range record.Devices {
		if device.IsOutOfBand(d.Method) {
			h.ui.warn("the device %q is not tried by this, only at a login, and by: twokey %s test %s", d.Name, d.Method, record.User)
		}
	}
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
	set, err := device.Join(st, record, h.policy.Discrepancy, now)
	if err != nil {
		return found{Reason: err.Error()}
	}
	set.Only(h.policy.Methods, h.policy.PushProvider())
	used, err := match(set, answer, now)
	switch {
	case errors.Is(err, device.ErrReplayed):
		return found{Reason: "this code was used" + nextCode(err)}
	case errors.Is(err, device.ErrWrong):
		off, name, known := set.OffsetOf(answer, now)
		return found{Reason: "wrong code" + clockHint(fmt.Sprintf("the device %q", name), off, known)}
	case err != nil:
		return found{Reason: err.Error()}
	case used.Method == device.Recovery:
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
	err := set.Refusal()
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

// nextCode says how long it is until the device shows another code.
func nextCode(err error) string {
	var used device.ReplayedError
	if !errors.As(err, &used) || used.Next == 0 {
		return ""
	}
	return fmt.Sprintf("; the next one comes in %.0f s", math.Ceil(used.Next.Seconds()))
}

// clockHint says by how much the clock of a device is wrong, if that is known.
func clockHint(whose string, off time.Duration, known bool) string {
	switch {
	case !known:
		return ""
	case off < 0:
		return fmt.Sprintf(": the clock of %s is about %s behind", whose, roughly(-off))
	}
	return fmt.Sprintf(": the clock of %s is about %s ahead", whose, roughly(off))
}

// roughly says a time in seconds, or from two minutes on in minutes.
func roughly(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f minutes", d.Minutes())
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

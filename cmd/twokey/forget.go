package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"twokey/audit"
	"twokey/enroll"
)

func forgetCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "forget",
		Usage:     "forget where users have logged in from; they are asked again everywhere",
		ArgsUsage: "USER…",
		Description: "For a laptop that was left somewhere, or a place that others have come to share. What was known as a place of the user\n" +
			"is a stranger's again, and logins that are remembered for a while end. Devices and recovery codes stay good.",
		Flags:  []cli.Flag{groupFlag(), dryRunFlag()},
		Action: func(c *cli.Context) error { return someAction(c, ui, openUsersInForce, forgetAll) },
	}
}

// forgotten is what forget --json prints of each user.
type forgotten struct {
	User       string `json:"user"`
	Sources    int    `json:"sources"`    // that were known
	Remembered int    `json:"remembered"` // logins that would not have been asked
}

func forgetAll(h *host, u *enroll.Users, people []person) error {
	done := []forgotten{}
	err := each(people, func(p person) error {
		result, err := h.forget(u, p)
		if err != nil {
			return err
		}
		done = append(done, result)
		result.print(h.ui, h.dryRun)
		return nil
	})
	return errors.Join(h.ui.object(done), err)
}

func (h *host) forget(u *enroll.Users, p person) (forgotten, error) {
	result := forgotten{User: p.name}
	if !p.enrolled {
		return result, enroll.ErrNotEnrolled
	}
	if p.problem != nil {
		return result, p.problem
	}
	if h.dryRun {
		if p.state != nil {
			result.Sources, result.Remembered = p.state.Kept()
		}
		return result, nil
	}
	var err error
	if result.Sources, result.Remembered, err = u.Forget(p.name); err != nil || result.Sources+result.Remembered == 0 {
		return result, err
	}
	return result, h.record("forget", p.name, audit.Change{Field: "known_sources", Old: fmt.Sprint(result.Sources), New: "0"},
		audit.Change{Field: "remembered", Old: fmt.Sprint(result.Remembered), New: "0"})
}

func (f forgotten) print(ui *ui, dryRun bool) {
	user, verb := visible(f.User), "Forgot"
	if dryRun {
		verb = "Would forget"
	}
	if f.Sources == 0 && f.Remembered == 0 {
		ui.say("Nothing is known of where %s has logged in from.", user)
		return
	}
	ui.say("%s %s and %s of %s.", verb, count(f.Sources, "known source"), count(f.Remembered, "remembered login"), user)
}

// count is a number of things that are counted by adding an s.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

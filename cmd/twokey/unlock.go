package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/audit"
	"twokey/enroll"
)

func unlockCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:        "unlock",
		Usage:       "give users all their attempts back",
		ArgsUsage:   "USER…",
		Description: "For somebody whose attempts others have used up. He could get in without it too: by two codes in a row.",
		Flags:       []cli.Flag{groupFlag(), dryRunFlag()},
		Action:      func(c *cli.Context) error { return someAction(c, ui, openUsersInForce, unlockAll) },
	}
}

func unlockAll(h *host, u *enroll.Users, people []person) error {
	now := time.Now()
	done := []changed{}
	err := each(people, func(p person) error {
		if !p.enrolled {
			return enroll.ErrNotEnrolled
		}
		if p.problem != nil {
			return p.problem
		}
		throttled := p.throttled(now)
		if h.dryRun {
			h.ui.say("Would give %s all attempts back%s.", visible(p.name), which(throttled))
			return nil
		}
		if err := u.Unlock(p.name); err != nil {
			return err
		}
		if err := h.record("unlock", p.name, audit.Change{Field: "throttled", Old: fmt.Sprint(throttled), New: "false"}); err != nil {
			return err
		}
		done = append(done, changed{p.name, throttled})
		h.ui.say("%s has all attempts back%s.", visible(p.name), which(throttled))
		return nil
	})
	return errors.Join(h.ui.object(done), err)
}

func which(throttled bool) string {
	if throttled {
		return ", which were used up"
	}
	return "; they were not used up"
}

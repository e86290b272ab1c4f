package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"twokey/audit"
	"twokey/enroll"
)

func adoptCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "adopt",
		Usage:     "accept accounts that were restored, renamed or created again",
		ArgsUsage: "USER…",
		Description: "A device belongs to a name and a number (uid) of an account. Where they do not fit any more, or the state was lost, its\n" +
			"owner is not let in until somebody has said that it is the same person.",
		Flags:  []cli.Flag{groupFlag(), dryRunFlag()},
		Action: func(c *cli.Context) error { return someAction(c, ui, openUsersInForce, adoptAll) },
	}
}

// adopted is what adopt --json prints of each user.
type adopted struct {
	User       string  `json:"user"`
	Renamed    string  `json:"renamed_from"` // "": he was not
	OldUID     *uint32 `json:"old_uid"`      // null: it is the same
	Restored   bool    `json:"restored"`
	Rewound    bool    `json:"rewound"`
	MustEnroll bool    `json:"must_enroll"`
}

func adoptAll(h *host, u *enroll.Users, people []person) error {
	if h.dryRun {
		h.ui.say("Would accept the accounts %s as those that were enrolled.", namesOf(people))
		return h.ui.object([]adopted{})
	}
	if err := h.ui.confirm(h.yes, "Only you can know: is %s the person who was enrolled?", namesOf(people)); err != nil {
		return err
	}
	done := []adopted{}
	err := each(people, func(p person) error {
		if p.account == nil {
			return unknownUser(p.name)
		}
		found, err := u.Adopt(enroll.Account{Name: p.name, UID: p.account.UID})
		if err != nil {
			return err
		}
		result := adopted{User: p.name, Renamed: found.Renamed, Restored: found.Restored, Rewound: found.Rewound, MustEnroll: found.MustEnroll}
		if found.NewUID {
			result.OldUID = &found.OldUID
		}
		done = append(done, result)
		result.print(h.ui)
		return h.record("adopt", p.name, result.changes(p.account.UID)...)
	})
	return errors.Join(h.ui.object(done), err)
}

func (a adopted) changes(uid uint32) []audit.Change {
	var all []audit.Change
	if a.Renamed != "" {
		all = append(all, audit.Change{Field: "name", Old: a.Renamed, New: a.User})
	}
	if a.OldUID != nil {
		all = append(all, audit.Change{Field: "uid", Old: fmt.Sprint(*a.OldUID), New: fmt.Sprint(uid)})
	}
	if a.Restored {
		all = append(all, audit.Change{Field: "state", Old: "restored", New: "accepted"})
	}
	if a.Rewound {
		all = append(all, audit.Change{Field: "state", Old: "ahead of the clock", New: "rewound to the present step"})
	}
	return all
}

func (a adopted) print(ui *ui) {
	user := visible(a.User)
	if a.Renamed != "" {
		ui.say("%s was enrolled as %s: what there was has moved.", user, visible(a.Renamed))
	}
	if a.OldUID != nil {
		ui.say("%s was enrolled with another number: accepted.", user)
	}
	if a.Restored {
		ui.say("%s can use recovery codes and counters again. Some may have been used before: twokey recovery new %s", user, user)
	}
	if a.Rewound {
		ui.say("Codes of %s were used up by a clock that was ahead: they are good again from the next step on.", user)
	}
	switch {
	case a.MustEnroll:
		ui.say("%s was reset and has to be enrolled: twokey enroll %s", user, user)
	case a.Renamed == "" && a.OldUID == nil && !a.Restored && !a.Rewound:
		ui.say("%s is as enrolled: nothing to accept.", user)
	}
}

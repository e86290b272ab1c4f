package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/audit"
	"twokey/enroll"
	"twokey/secrets"
)

func recoveryCommand(ui *ui) *cli.Command {
	show := &cli.Command{
		Name:      "show",
		Usage:     "how many recovery codes a user has left",
		ArgsUsage: "[USER]",
		Action:    func(c *cli.Context) error { return recoveryAction(c, ui, (*host).showRecovery) },
	}
	anew := &cli.Command{
		Name:      "new",
		Usage:     "make new recovery codes; the old ones end",
		ArgsUsage: "[USER]",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "recovery-codes", Value: usualRecovery, Usage: "make `N`, 1 to 20"},
			dryRunFlag(),
		},
		Action: func(c *cli.Context) error {
			n := c.Int("recovery-codes")
			if n < 1 || n > secrets.MaxRecoveryCodes {
				return badUsage("--recovery-codes: %d, want 1 to %d", n, secrets.MaxRecoveryCodes)
			}
			return recoveryAction(c, ui, func(h *host, u *enroll.Users, p person) error { return h.newRecovery(u, p, n) })
		},
	}
	return &cli.Command{Name: "recovery", Usage: "recovery codes, for the day when the phone is lost", Subcommands: []*cli.Command{show, anew}}
}

func recoveryAction(c *cli.Context, ui *ui, do func(*host, *enroll.Users, person) error) error {
	name, err := userOrMyself(c, ui)
	if err != nil {
		return err
	}
	h, u, err := openUsersInForce(c, ui)
	if err != nil {
		return err
	}
	found, err := h.known(u, []string{name})
	if err != nil {
		return err
	}
	p := found[0]
	if !p.enrolled {
		return about(p.name, enroll.ErrNotEnrolled)
	}
	if p.problem != nil {
		return about(p.name, p.problem)
	}
	return about(p.name, do(h, u, p))
}

func (h *host) showRecovery(u *enroll.Users, p person) error {
	record, err := recordOf(u, p)
	if err != nil {
		return err
	}
	left := viewRecovery{}
	if st := p.upToDate(record, time.Now()); st != nil {
		left = viewRecovery{st.Recovery.Total, st.Recovery.Left()}
	}
	h.ui.say("%s has %d of %d recovery codes left.", visible(p.name), left.Left, left.Total)
	return h.ui.object(struct {
		User string `json:"user"`
		viewRecovery
	}{p.name, left})
}

func (h *host) newRecovery(u *enroll.Users, p person, n int) error {
	if h.dryRun {
		h.ui.say("Would make %d recovery codes for %s and end those that there are.", n, visible(p.name))
		return h.ui.object(newCodes{p.name, []string{}})
	}
	if p.state != nil && p.state.Recovery.Left() > 0 {
		if err := h.ui.confirm(h.yes, "%s has %d recovery codes left, which end. Go on?", p.name, p.state.Recovery.Left()); err != nil {
			return err
		}
	}
	codes, err := u.NewRecovery(p.name, n)
	if err != nil {
		return err
	}
	recordErr := h.record("recovery-new", p.name, audit.Change{Field: "recovery_codes", New: fmt.Sprint(n)})
	h.ui.recoveryCodes(p.name, codes)
	if err := h.ui.object(newCodes{p.name, codes}); err != nil {
		return err
	}
	return recordErr
}

// newCodes is what recovery new --json prints.
type newCodes struct {
	User  string   `json:"user"`
	Codes []string `json:"recovery_codes"`
}

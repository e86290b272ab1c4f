package main

import (
	"github.com/urfave/cli/v2"

	"twokey/policy"
)

func enableCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "enable",
		Usage: "switch twokey on",
		Description: "Sets \"enabled: true\" in the configuration. Who is asked from the next login on, the policy says:\n" +
			"twokey policy list. Nobody's secret has been touched while it was off.",
		Flags:  []cli.Flag{dryRunFlag()},
		Action: func(c *cli.Context) error { return switchAction(c, ui, true) },
	}
}

func disableCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "disable",
		Usage: "switch twokey off: nobody is asked any more",
		Description: "Sets \"enabled: false\" in the configuration. From the next login on nobody is asked for a second factor,\n" +
			"on any service, and nobody is turned away for want of one. Secrets and state are kept: after twokey enable\n" +
			"everything is as before.",
		Flags:  []cli.Flag{dryRunFlag()},
		Action: func(c *cli.Context) error { return switchAction(c, ui, false) },
	}
}

// switchAction is the master switch.
func switchAction(c *cli.Context, ui *ui, on bool) error {
	if err := noArguments(c); err != nil {
		return err
	}
	h, err := openHost(c, ui)
	if err != nil {
		return err
	}
	e, err := h.planEdit(policy.SetEnabled(on))
	if err != nil {
		return err
	}
	if on {
		return h.commit(e, wording{
			action:  "enable",
			already: "twokey is on already: nothing to change.",
			done:    "twokey is on: from the next login on the policy counts (twokey policy list).",
		})
	}
	return h.commit(e, wording{
		action:   "disable",
		question: "From the next login on a password, or a key, alone lets everybody in. Switch twokey off?",
		already:  "twokey is off already: nothing to change.",
		done:     "twokey is OFF: from the next login on nobody is asked for a second factor. To switch it on again: twokey enable",
	})
}

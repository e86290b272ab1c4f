package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"twokey/policy"
)

func enableCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "enable",
		Usage: "switch twokey on",
		Description: "Sets \"enabled: true\" in the configuration, and takes \"off_until\" out. Who is asked from the next login on, the policy\n" +
			"says: twokey policy list. Nobody's secret has been touched while it was off.",
		Flags:  []cli.Flag{dryRunFlag()},
		Action: func(c *cli.Context) error { return enableAction(c, ui) },
	}
}

func disableCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "disable",
		Usage: "switch twokey off: nobody is asked any more",
		Description: "Sets \"enabled: false\" in the configuration, or with --for \"off_until\", after which it is on again by itself. From the\n" +
			"next login on nobody is asked for a second factor, on any service, and nobody is turned away for want of one, nor by\n" +
			"a rule that denies. Secrets and state are kept: after twokey enable everything is as before.",
		Flags:  []cli.Flag{&cli.StringFlag{Name: "for", Usage: "only for this `TIME`, such as 2h or 3d; 1m to 720h"}, dryRunFlag()},
		Action: func(c *cli.Context) error { return disableAction(c, ui) },
	}
}

func enableAction(c *cli.Context, ui *ui) error {
	if err := noArguments(c); err != nil {
		return err
	}
	h, err := openHost(c, ui)
	if err != nil {
		return err
	}
	e, err := h.planSwitch(policy.SetEnabled(true))
	if err != nil {
		return err
	}
	err = h.commit(e, wording{
		action:  "enable",
		already: "twokey is on already: nothing to change.",
		done:    "twokey is on: from the next login on the policy counts (twokey policy list).",
	})
	if err != nil {
		return err
	}
	h.warnLockedOut(e)
	return nil
}

func disableAction(c *cli.Context, ui *ui) error {
	if err := noArguments(c); err != nil {
		return err
	}
	var change policy.Change = policy.SetEnabled(false)
	w := wording{
		action:   "disable",
		question: "From the next login on a password, or a key, alone lets everybody in. Switch twokey off?",
		already:  "twokey is off already: nothing to change.",
		done:     "twokey is OFF: from the next login on nobody is asked for a second factor. To switch it on again: twokey enable",
	}
	if c.IsSet("for") {
		until, err := offUntil(c.String("for"), time.Now())
		if err != nil {
			return err
		}
		change = policy.SetOffUntil(until)
		end := until.Local().Format("2006-01-02 15:04:05")
		w.question = "From the next login on, until " + end + ", a password, or a key, alone lets everybody in. Switch twokey off?"
		w.done = "twokey is OFF until " + end + ": nobody is asked for a second factor. Then it is on again by itself; sooner: twokey enable"
	}
	h, err := openHost(c, ui)
	if err != nil {
		return err
	}
	e, err := h.planSwitch(change)
	if err != nil {
		return err
	}
	w.always = !e.was.SwitchedOff(time.Now())
	return h.commit(e, w)
}

// planSwitch plans an edit that is made in a file that another program writes, too: when nobody gets in there is no time to find that one.
func (h *host) planSwitch(change policy.Change) (*configEdit, error) {
	e, err := h.planEdit(change)
	if err != nil {
		return nil, err
	}
	e.isSwitch = true
	if by := e.was.ManagedBy; by != "" && !e.empty() {
		h.ui.warn("%s is managed by %s (managed_by), whose next run writes it anew and may undo this: set enabled or off_until there too", h.config, by)
	}
	return e, nil
}

// The limits of disable --for: shorter is over before anybody logs in, longer is forgotten.
const (
	leastOff = time.Minute
	mostOff  = 720 * time.Hour
)

// offUntil is the end of a time from now on, in whole seconds.
func offUntil(text string, now time.Time) (time.Time, error) {
	d, err := duration("for", text)
	if err != nil {
		return time.Time{}, err
	}
	if d < leastOff || d > mostOff {
		return time.Time{}, badUsage("--for: want a time from 1m to 720h, not %s", text).hint("to switch twokey off for good: twokey disable")
	}
	return now.Add(d + time.Second - 1).UTC().Truncate(time.Second), nil
}

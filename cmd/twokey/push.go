package main

import (
	"github.com/urfave/cli/v2"
)

func pushCommand(ui *ui) *cli.Command {
	return &cli.Command{Name: "push", Usage: "requests on the phone that are allowed or denied there", Subcommands: []*cli.Command{
		pushSetupCommand(ui),
		{Name: "test", Usage: "send a request to a user's phone, and wait for the answer", ArgsUsage: "USER",
			Description: "Exit status 3 when it was denied, a wrong number was pressed, or nobody has answered in time. It lets nobody in.",
			Action:      func(c *cli.Context) error { return pushTestAction(c, ui) }},
	}}
}

package main

import (
	"runtime"

	"github.com/urfave/cli/v2"
)

func versionCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:   "version",
		Usage:  "say which version this is",
		Action: func(c *cli.Context) error { return versionAction(c, ui) },
	}
}

func versionAction(c *cli.Context, ui *ui) error {
	if err := noArguments(c); err != nil {
		return err
	}
	ui.json = c.Bool("json")
	ui.say("twokey %s (%s, %s/%s)", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return ui.object(struct {
		Version string `json:"version"`
		Go      string `json:"go"`
	}{version, runtime.Version()})
}

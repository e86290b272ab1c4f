package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/internal/safefile"
	"twokey/policy"
)

func configCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "config",
		Usage: "the settings of this host",
		Subcommands: []*cli.Command{
			{
				Name: "get", Usage: "what a setting is, or all of them and where they come from", ArgsUsage: "[KEY]",
				Description: "A KEY below another is written with a dot: new_devices.digits, services.vsftpd.ask. With a KEY it prints the value\n" +
					"alone, on one line; without, every setting and whether it stands in the file or is the default. Needs no root.",
				Action: func(c *cli.Context) error { return configGetAction(c, ui) },
			},
			{
				Name: "set", Usage: "give a setting another value", ArgsUsage: "KEY VALUE",
				Description: "Changes one value in the configuration file and leaves comments and order as they are. Lists and tables are written\n" +
					"in brackets and braces: twokey config set methods '[totp, recovery]'. What lets somebody in with less than before\n" +
					"is asked about. Who must and need not: twokey policy require|exempt|unset.",
				Flags:  []cli.Flag{&cli.BoolFlag{Name: "default", Usage: "take KEY out, so that its default counts; without VALUE"}, dryRunFlag()},
				Action: func(c *cli.Context) error { return configSetAction(c, ui) },
			},
		},
	}
}

// setting is what config get --json prints of each.
type setting struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`  // null: not set, and without a default
	Origin string `json:"origin"` // file or default
}

func settingOf(s policy.Setting) setting {
	origin := "default"
	if s.InFile {
		origin = "file"
	}
	return setting{s.Key, s.Value, origin}
}

func configGetAction(c *cli.Context, ui *ui) error {
	if c.NArg() > 1 {
		return badUsage("config get takes one key, %q is one too many", c.Args().Get(1))
	}
	key := c.Args().First()
	if c.Args().Present() {
		if err := checkKey(key); err != nil {
			return err
		}
	}
	h, err := locate(c, ui)
	if err != nil {
		return err
	}
	if err := h.readConfig(); err != nil { // which also says what is wrong with the file, and where
		return err
	}
	source, err := safefile.ReadFile(h.config, safefile.Public)
	if err != nil {
		return err
	}
	if !c.Args().Present() {
		return h.allSettings(source)
	}
	s, err := policy.SettingOf(source, key)
	if err != nil {
		return fmt.Errorf("%s: %w", h.config, err)
	}
	ui.say("%s", visible(plainText(s)))
	return ui.object(settingOf(s))
}

// plainText is a value for a script: a text without the quotes of YAML.
func plainText(s policy.Setting) string {
	if text, ok := s.Value.(string); ok {
		return text
	}
	return s.Text
}

func (h *host) allSettings(source []byte) error {
	list, err := policy.Settings(source)
	if err != nil {
		return fmt.Errorf("%s: %w", h.config, err)
	}
	all, rows := []setting{}, [][]string{{"KEY", "VALUE", "FROM"}}
	for _, s := range list {
		one := settingOf(s)
		all, rows = append(all, one), append(rows, []string{one.Key, or(s.Text, "-"), one.Origin})
	}
	if err := h.ui.table(rows); err != nil {
		return err
	}
	return h.ui.object(all)
}

func checkKey(key string) error {
	if err := policy.CheckKey(key); err != nil {
		advice := "twokey config get lists the keys"
		if strings.HasPrefix(key, "messages.") {
			advice = "the messages are " + strings.Join(policy.MessageKeys(), ", ")
		}
		return badUsage("%v", err).hint("%s", advice)
	}
	return nil
}

func configSetAction(c *cli.Context, ui *ui) error {
	change := policy.SetKey{Key: c.Args().Get(0), Value: c.Args().Get(1), Unset: c.Bool("default")}
	switch {
	case change.Unset && c.NArg() != 1:
		return badUsage("config set --default takes one key and no value").hint("twokey config set discrepancy --default")
	case !change.Unset && c.NArg() != 2:
		return badUsage("config set takes a key and a value").hint("twokey config set discrepancy 1, or: twokey config set methods '[totp, recovery]'")
	}
	if err := checkKey(change.Key); err != nil {
		return err
	}
	h, err := openHost(c, ui)
	if err != nil {
		return err
	}
	e, err := h.planEdit(change)
	var where *policy.Error
	if errors.As(err, &where) && !errors.Is(err, policy.ErrByHand) {
		return failed("%s would be wrong: %v", h.config, where).hint("nothing was changed; what %s is now: twokey config get %s", change.Key, change.Key)
	}
	if err != nil {
		return err
	}
	w := wording{
		action:  "config-set",
		already: "It is so already: nothing to change.",
		done:    "Set, from the next login on: " + change.Key + ": " + oneOf(e, change.Key) + ".",
	}
	if err := h.commit(e, w); err != nil {
		return err
	}
	h.warnOfNew(e)
	h.warnLockedOut(e)
	return nil
}

// oneOf is the value of a key behind an edit.
func oneOf(e *configEdit, key string) string {
	s, err := policy.SettingOf(e.after, key)
	if err != nil || s.Value == nil {
		return "not set"
	}
	return s.Text
}

// warnOfNew tells what has become dangerous by an edit.
func (h *host) warnOfNew(e *configEdit) {
	now := time.Now()
	for _, warning := range missing(e.is.Warnings(now), e.was.Warnings(now)) {
		h.ui.warn("%s", warning)
	}
}

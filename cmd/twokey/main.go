// Command twokey is what an administrator types: it enrols users, decides who must show a second factor, reads the audit log, and
// says what is wrong. It takes no part in a login.
//
// Every command is a file of its own. print.go is the only one that prints, errors.go knows what advice an error deserves.
package main

import (
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
)

// version is set by the build.
var version = "unknown"

func main() { os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr)) }

// run is the whole program; its result is the exit status.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	ui := &ui{in: newInput(in), out: out, err: errOut, typed: args[min(1, len(args)):]}
	app := newApp(ui)
	return ui.finish(app.Run(permute(app, args)))
}

// newApp lists the commands in the order of the help text.
func newApp(ui *ui) *cli.App {
	app := &cli.App{
		Name:            "twokey",
		Usage:           "a second factor at login, without a server",
		UsageText:       "twokey COMMAND [OPTIONS] [ARGUMENTS]",
		Version:         version,
		HideVersion:     true,
		HideHelpCommand: true,
		Writer:          &wrapper{to: ui.out},
		ErrWriter:       ui.err,
		Commands:        commands(ui),
		Flags:           append(globalFlags(), &cli.BoolFlag{Name: "version", Usage: "say which version this is"}),
		OnUsageError:    usageError,
		ExitErrHandler:  func(*cli.Context, error) {}, // the library's own calls os.Exit, past every defer
		Action: func(c *cli.Context) error {
			switch c.Args().First() {
			case "":
				if c.Bool("version") {
					return versionAction(c, ui)
				}
				return overviewAction(c, ui)
			case "help":
				return c.App.Run(append(append([]string{c.App.Name}, c.Args().Tail()...), "--help"))
			}
			return badUsage("there is no command %q", c.Args().First()).hint("twokey --help lists the commands")
		},
	}
	app.Action = ui.behindGate(app.Action)
	for _, command := range app.Commands {
		complete(ui, command)
	}
	return app
}

// behindGate is the action of a command, which begins only when the gate lets it: every command has it, also one that forgets to ask.
func (u *ui) behindGate(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		if u.gate != nil {
			if err := u.gate(c); err != nil {
				return err
			}
		}
		return action(c)
	}
}

// complete gives every command the global flags, so that they may stand anywhere, and our answer to wrong usage.
func complete(ui *ui, command *cli.Command) {
	command.OnUsageError = usageError
	command.HideHelpCommand = true
	command.Description = strings.ReplaceAll(command.Description, "\n", " ") // is wrapped anew
	command.Flags = append(command.Flags, globalFlags()...)
	for _, flag := range command.Flags {
		if b, ok := flag.(*cli.BoolFlag); ok {
			b.DisableDefaultText = true // "(default: false)" behind every one of them
		}
	}
	command.CustomHelpTemplate = cli.CommandHelpTemplate + "\n"
	if len(command.Subcommands) > 0 {
		command.CustomHelpTemplate = cli.SubcommandHelpTemplate + "\n"
		command.UsageText = "twokey " + command.Name + " COMMAND [OPTIONS] [ARGUMENTS]"
	}
	for _, sub := range command.Subcommands {
		complete(ui, sub)
	}
	if command.Action == nil && len(command.Subcommands) > 0 {
		command.Action = func(c *cli.Context) error {
			if c.Args().Present() {
				return badUsage("there is no command \"%s %s\"", command.Name, c.Args().First()).hint("twokey %s --help lists them", command.Name)
			}
			return badUsage("%s needs a command behind it", command.Name).hint("twokey %s --help lists them", command.Name)
		}
	}
	if command.Action != nil {
		command.Action = ui.behindGate(command.Action)
	}
}

func globalFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "config", Usage: "the configuration `FILE`", DefaultText: "/etc/twokey/twokey.yaml"},
		&cli.StringFlag{Name: "root", Usage: "work on the host whose file system lies in `DIR`"},
		&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "ask nothing, go on"},
	}
}

// usageError puts the library's words for wrong flags into ours.
func usageError(c *cli.Context, err error, _ bool) error {
	command := strings.TrimSpace("twokey " + nameOf(c))
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		text = "there is no flag --" + strings.TrimLeft(name, "-")
	} else if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		text = "--" + strings.TrimLeft(name, "-") + " needs a value"
	} else if value, name, ok := strings.Cut(strings.TrimPrefix(text, "invalid value "), " for flag -"); ok {
		name, _, _ = strings.Cut(name, ":")
		text = "--" + name + " cannot be " + value
	}
	return badUsage("%s", text).hint("%s --help lists the flags", command)
}

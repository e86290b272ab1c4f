package main

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"
)

// What does not depend on the commands: the walk over the words that stand before the cursor, for bash and zsh, and what each does with its end.
var (
	//go:embed completion/walk.sh
	completionWalk string
	//go:embed completion/twokey.bash
	completionBash string
	//go:embed completion/twokey.zsh
	completionZsh string
)

func completionCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "what a shell needs to complete commands and flags",
		ArgsUsage: "bash|zsh|fish",
		Description: "Prints a script for the shell. The package has installed it already; elsewhere: source <(twokey completion bash), " +
			"or put it where the shell looks for such scripts.",
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return badUsage("completion takes one shell: bash, zsh or fish").hint("twokey completion bash")
			}
			ui.json = c.Bool("json")
			return completionAction(ui, c.Args().First())
		},
	}
}

func completionAction(ui *ui, shell string) error {
	app := newApp(ui)
	var script string
	switch shell {
	case "bash":
		script = "# Completion of twokey for bash.\n" + completionTable(app) + completionWalk + completionBash
	case "zsh":
		script = "#compdef twokey\n" + completionTable(app) + completionWalk + completionZsh
	case "fish":
		script = completionFish(app)
	default:
		return badUsage("there is no completion for %q", shell).hint("bash, zsh and fish have one")
	}
	ui.say("%s", strings.TrimSuffix(script, "\n"))
	return ui.object(struct {
		Shell  string `json:"shell"`
		Script string `json:"script"`
	}{shell, script})
}

// spot is where on the command line something may be typed: behind the words of a path.
type spot struct {
	path, arguments string // "policy require", "[USER...]"
	below           []*cli.Command
	flags           []cli.Flag
}

// spots are the program itself, its groups and its commands.
func spots(app *cli.App) []spot {
	all := []spot{{below: visibleOnly(app.Commands), flags: append(app.Flags, cli.HelpFlag)}}
	for i := 0; i < len(all); i++ { // grows
		for _, command := range all[i].below {
			path := strings.TrimSpace(all[i].path + " " + command.Name)
			all = append(all, spot{path, command.ArgsUsage, visibleOnly(command.Subcommands), append(command.Flags, cli.HelpFlag)})
		}
	}
	return all
}

// completionTable is the function _twokey_about, in the language that bash and zsh share.
func completionTable(app *cli.App) string {
	var b strings.Builder
	b.WriteString("_twokey_about() {\n  case $1 in\n")
	for _, p := range spots(app) {
		var subs, opts, vals []string
		for _, command := range p.below {
			subs = append(subs, command.Name)
		}
		for _, flag := range p.flags {
			opts = append(opts, dashed(flag)...)
			if kind := valueKind(flag); kind != "" {
				for _, name := range dashed(flag) {
					vals = append(vals, name+":"+kind)
				}
			}
		}
		fmt.Fprintf(&b, "  '%s') kind=%s subs=(%s)\n    opts=(%s)\n    vals=(%s) ;;\n", p.path, argumentKind(p.arguments), strings.Join(subs, " "),
			strings.Join(opts, " "), strings.Join(vals, " "))
	}
	b.WriteString("  esac\n}\n")
	return b.String()
}

// dashed are the names of a flag as they are typed.
func dashed(flag cli.Flag) []string {
	var names []string
	for _, name := range flag.Names() {
		names = append(names, strings.Repeat("-", min(2, len(name)))+name)
	}
	return names
}

// placeholder is the word in the help that stands for the value of a flag.
var placeholder = regexp.MustCompile(`^-.* ([^ ,]+)\t`)

// valueKind is what the value of a flag is, by the word that stands for it; "" when it has none.
func valueKind(flag cli.Flag) string {
	if values, ok := flag.(cli.DocGenerationFlag); !ok || !values.TakesValue() {
		return ""
	}
	found := placeholder.FindStringSubmatch(flag.String())
	if found == nil {
		return "words"
	}
	return argumentKind(found[1])
}

// argumentKind is what the first argument of a command is.
func argumentKind(arguments string) string {
	words := regexp.MustCompile(`[A-Z]+`).FindString(arguments)
	kinds := map[string]string{"USER": "users", "GROUP": "groups", "FILE": "files", "WHERE": "files", "PROGRAM": "files", "DIR": "folders"}
	return or(kinds[words], "words")
}

// completionFish is the script for fish, which is one line for each word.
func completionFish(app *cli.App) string {
	var known []string
	all := spots(app)
	for _, p := range all[1:] {
		known = append(known, quoteFish(p.path))
	}
	var b strings.Builder
	b.WriteString("# Completion of twokey for fish.\nfunction __twokey_at\n    set -l at\n    for word in (commandline -opc)[2..-1]\n" +
		"        contains -- (string trim \"$at $word\") " + strings.Join(known, " ") + "\n            and set -a at $word\n    end\n" +
		"    test \"$at\" = \"$argv[1]\"\nend\ncomplete -c twokey -f\n")
	for _, p := range all {
		line := "complete -c twokey -n \"__twokey_at " + quoteFish(p.path) + "\""
		for _, command := range p.below {
			b.WriteString(line + " -a " + command.Name + " -d " + quoteFish(command.Usage) + "\n")
		}
		if completer := fishCompleters()[argumentKind(p.arguments)]; completer != "" {
			b.WriteString(line + completer + "\n")
		}
		for _, flag := range p.flags {
			b.WriteString(line + fishFlag(flag) + "\n")
		}
	}
	return b.String()
}

// fishCompleters are the options of fish's complete for the kinds of arguments.
func fishCompleters() map[string]string {
	return map[string]string{"users": " -f -a '(__fish_complete_users)'", "groups": " -f -a '(__fish_complete_groups)'", "files": " -F",
		"folders": " -f -a '(__fish_complete_directories)'"}
}

func fishFlag(flag cli.Flag) string {
	var b strings.Builder
	for _, name := range flag.Names() {
		if len(name) == 1 {
			b.WriteString(" -s " + name)
		} else {
			b.WriteString(" -l " + name)
		}
	}
	if kind := valueKind(flag); kind != "" {
		b.WriteString(" -r" + or(fishCompleters()[kind], " -f"))
	}
	_, about, _ := strings.Cut(flag.String(), "\t")
	return b.String() + " -d " + quoteFish(about)
}

func quoteFish(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

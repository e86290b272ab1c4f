package main

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// permute puts flags before arguments, since the library takes a flag behind the first argument for an argument, silently:
// `twokey enroll alice --replace` would not replace. Everything behind "--" is an argument.
func permute(app *cli.App, args []string) []string {
	if len(args) == 0 {
		return args
	}
	level, flags := app.Commands, allFlags(app.Flags, app.Commands)
	var path, options, rest []string
	for i := 1; i < len(args); i++ {
		word := args[i]
		switch command := find(level, word); {
		case word == "--":
			rest = append(rest, args[i+1:]...)
			i = len(args)
		case len(word) > 1 && word[0] == '-':
			options = append(options, word)
			if !takesValue(flags, word) {
				continue
			}
			if i++; i == len(args) {
				return join(args[0], path, options) // the library says that the value is missing
			}
			options = append(options, args[i])
		case command != nil && len(rest) == 0:
			path, level, flags = append(path, word), command.Subcommands, allFlags(command.Flags, command.Subcommands)
		default:
			rest = append(rest, word)
		}
	}
	if len(rest) > 0 {
		rest = append([]string{"--"}, rest...)
	}
	return join(args[0], path, options, rest)
}

func join(first string, parts ...[]string) []string {
	all := []string{first}
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

// allFlags are the flags of a level and of what is below it: the command may stand behind its flags.
func allFlags(own []cli.Flag, below []*cli.Command) []cli.Flag {
	all := append([]cli.Flag(nil), own...)
	for _, command := range below {
		all = append(all, allFlags(command.Flags, command.Subcommands)...)
	}
	return all
}

func find(commands []*cli.Command, name string) *cli.Command {
	for _, command := range commands {
		if command.HasName(name) {
			return command
		}
	}
	return nil
}

// takesValue reports whether the next word belongs to this flag. An unknown flag takes none; the library will refuse it.
func takesValue(flags []cli.Flag, word string) bool {
	name := strings.TrimLeft(word, "-")
	if strings.Contains(name, "=") {
		return false
	}
	for _, flag := range flags {
		for _, known := range flag.Names() {
			if known != name {
				continue
			}
			if _, ok := flag.(*cli.BoolFlag); !ok {
				return true
			}
		}
	}
	return false
}

// nameOf is the command as it is typed: "policy require"; "" for twokey alone.
func nameOf(c *cli.Context) string {
	var words []string
	for _, level := range c.Lineage() {
		if level.Command != nil && level.Command.Name != c.App.Name {
			words = append([]string{level.Command.Name}, words...)
		}
	}
	return strings.Join(words, " ")
}

// oneUser is the only argument of a command that is about one user.
func oneUser(c *cli.Context) (string, error) {
	if c.NArg() != 1 {
		return "", badUsage("%s takes one user", nameOf(c)).hint("twokey %s alice", nameOf(c))
	}
	return c.Args().First(), checkUserName(c.Args().First())
}

// group is the flag of a command that is about one user or several.
const group = "group"

func groupFlag() cli.Flag {
	return severalFlag(group, "everybody in `GROUP` who is enrolled, or has to enrol after a reset")
}

// repeatable is a flag that may stand several times. The library shows that by the flag twice, which leaves no room for the rest.
type repeatable struct{ *cli.StringSliceFlag }

// String is the flag's line of the help.
func (r repeatable) String() string {
	text := r.StringSliceFlag.String()
	before, repeated, _ := strings.Cut(text, " [ ")
	_, after, found := strings.Cut(repeated, " ]")
	if !found {
		return text
	}
	return before + after
}

func severalFlag(name, usage string) cli.Flag {
	return repeatable{&cli.StringSliceFlag{Name: name, Usage: usage}}
}

// someUsers are the arguments of a command that is about one user or several, each of them once.
func someUsers(c *cli.Context) ([]string, error) {
	if !c.Args().Present() && len(c.StringSlice(group)) == 0 {
		return nil, badUsage("%s needs a user", nameOf(c)).hint("twokey %s alice", nameOf(c))
	}
	var names []string
	seen := map[string]bool{}
	for _, name := range c.Args().Slice() {
		if err := checkUserName(name); err != nil {
			return nil, err
		}
		if !seen[name] {
			names = append(names, name)
		}
		seen[name] = true
	}
	return names, nil
}

// plainWord needs no quotes in a shell.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,-]+$`)

// asRoot is the command line by which root does what was typed, as a shell takes it.
func asRoot(typed []string) string {
	line := "sudo twokey"
	for _, word := range typed {
		if !plainWord.MatchString(word) {
			word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		line += " " + word
	}
	return line
}

// noArguments refuses arguments where a command takes none.
func noArguments(c *cli.Context) error {
	if c.Args().Present() {
		return badUsage("%s takes no argument, %q is one too many", nameOf(c), c.Args().First())
	}
	return nil
}

// checkUserName refuses what cannot be a user's name before anything is looked up or opened.
func checkUserName(name string) error {
	switch {
	case name == "":
		return badUsage("the user's name is empty")
	case len(name) > 256:
		return badUsage("a user's name has at most 256 bytes, this one has %d", len(name))
	case strings.ContainsAny(name, "/\x00\n:") || name == "." || name == ".." || visible(name) != name:
		return badUsage("%q cannot be the name of a user", name)
	}
	return nil
}

// duration reads a length of time such as 90d, 2w, 12h or 30m, which must be above zero.
func duration(flag, text string) (time.Duration, error) {
	units := map[byte]time.Duration{'w': 7 * 24 * time.Hour, 'd': 24 * time.Hour}
	d, err := time.ParseDuration(text)
	if text != "" && units[text[len(text)-1]] > 0 {
		var n int
		n, err = strconv.Atoi(text[:len(text)-1])
		if n > 10000 {
			n = 0
		}
		d = time.Duration(n) * units[text[len(text)-1]]
	}
	if err != nil || d <= 0 {
		return 0, badUsage("--%s: want a length of time such as 90d, 2w, 12h or 30m, not %q", flag, text)
	}
	return d, nil
}

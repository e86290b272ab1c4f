package main

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// parsed is what an action is given.
type parsed struct {
	Command   string
	Arguments []string
	Flags     map[string]any
}

func quietApp() *cli.App {
	return newApp(&ui{in: newInput(strings.NewReader("")), out: io.Discard, err: io.Discard})
}

// parse runs the program's own parsing with actions that only note what they are given.
func parse(arguments ...string) (parsed, error) {
	return parseOrdered(permute(quietApp(), append([]string{"twokey"}, arguments...)))
}

// parseOrdered is parse of words that stand where the library wants them.
func parseOrdered(words []string) (parsed, error) {
	app := quietApp()
	var got parsed
	for _, leaf := range leaves(app.Commands) {
		leaf.Action = func(c *cli.Context) error {
			got = parsed{nameOf(c), c.Args().Slice(), map[string]any{}}
			for _, flag := range leaf.Flags {
				got.Flags[flag.Names()[0]] = value(c, flag)
			}
			return nil
		}
	}
	err := app.Run(words)
	return got, err
}

func value(c *cli.Context, flag cli.Flag) any {
	name := flag.Names()[0]
	switch flag.(type) {
	case repeatable:
		return c.StringSlice(name)
	default:
		return c.Value(name)
	}
}

// leaves are the commands that do something.
func leaves(commands []*cli.Command) []*cli.Command {
	var all []*cli.Command
	for _, command := range commands {
		if len(command.Subcommands) > 0 {
			all = append(all, leaves(command.Subcommands)...)
		} else {
			all = append(all, command)
		}
	}
	return all
}

// paths are the words of every command that does something.
func paths(commands []*cli.Command, above ...string) map[string]*cli.Command {
	all := map[string]*cli.Command{}
	for _, command := range commands {
		path := append(slices.Clone(above), command.Name)
		if len(command.Subcommands) == 0 {
			all[strings.Join(path, " ")] = command
		}
		for words, leaf := range paths(command.Subcommands, path...) {
			all[words] = leaf
		}
	}
	return all
}

// spellings are the ways to write a flag with a value of its kind; the first is the reference.
func spellings(t *testing.T, flag cli.Flag) [][]string {
	t.Helper()
	text := ""
	switch flag := flag.(type) {
	case *cli.BoolFlag:
	case *cli.StringFlag, repeatable, *cli.PathFlag:
		text = "list" // which is also the name of a command
	case *cli.IntFlag, *cli.UintFlag, *cli.Uint64Flag, *cli.Int64Flag:
		text = "7"
	case *cli.DurationFlag:
		text = "7s"
	default:
		t.Fatalf("a flag of a kind that this test does not know: %T", flag)
	}
	var all [][]string
	for _, name := range flag.Names() {
		dashes := []string{"--" + name, "-" + name}
		for _, word := range dashes {
			if text == "" {
				all = append(all, []string{word})
			} else {
				all = append(all, []string{word, text}, []string{word + "=" + text})
			}
		}
	}
	return all
}

// places puts a flag everywhere among the words of a command and its arguments.
func places(path, arguments, flag []string) [][]string {
	words := slices.Concat(path, arguments)
	var all [][]string
	for at := range len(words) + 1 {
		all = append(all, slices.Insert(slices.Clone(words), at, flag...))
	}
	return all
}

func TestFlagsMayStandAnywhere(t *testing.T) {
	app := quietApp()
	tried := 0
	for words, command := range paths(app.Commands) {
		if len(command.Flags) < len(globalFlags()) {
			t.Errorf("%s has no global flags", words)
		}
		path := strings.Fields(words)
		arguments := []string{"enroll", "-", "bob"} // the name of a command, and what is often a file, are arguments here
		plain, err := parse(slices.Concat(path, arguments)...)
		if err != nil || plain.Command != words || !slices.Equal(plain.Arguments, arguments) {
			t.Fatalf("%s: %+v, %v", words, plain, err)
		}
		for _, flag := range command.Flags {
			forms := spellings(t, flag)
			want, err := parse(slices.Concat(path, forms[0], arguments)...)
			if err != nil || reflect.DeepEqual(want.Flags, plain.Flags) {
				t.Errorf("%s %v: %+v, %v: the flag changes nothing", words, forms[0], want, err)
			}
			right := map[string]bool{} // the orders of words that are known to be understood: most lines come to the same
			for i, form := range forms {
				lines := places(path, arguments, form)
				if i > 0 { // the other spellings at the ends only
					lines = [][]string{lines[0], lines[len(lines)-1]}
				}
				for _, line := range lines {
					tried++
					words := permute(app, append([]string{"twokey"}, line...))
					if right[strings.Join(words, "\x00")] {
						continue
					}
					if got, err := parseOrdered(words); err != nil || !reflect.DeepEqual(got, want) {
						t.Errorf("twokey %s: %+v, %v, want %+v", strings.Join(line, " "), got, err, want)
					}
					right[strings.Join(words, "\x00")] = true
				}
			}
		}
	}
	if tried < 1000 {
		t.Errorf("only %d command lines tried", tried)
	}
}

func TestTwoFlagsMayStandAnywhere(t *testing.T) {
	want, err := parse("policy", "require", "--group", "wheel", "--group", "staff", "--json", "alice", "bob")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"policy require alice bob --group wheel --group staff --json",
		"policy require alice --group=wheel bob --group staff --json",
		"--json policy --group wheel require alice -group=staff bob",
		"--group wheel,staff --json policy require alice bob",
		"policy require --json -- alice bob --group wheel",
	} {
		got, err := parse(strings.Fields(line)...)
		if line == "policy require --json -- alice bob --group wheel" {
			if err != nil || fmt.Sprint(got.Arguments) != "[alice bob --group wheel]" {
				t.Errorf("behind --: %+v, %v", got, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("twokey %s: %+v, %v, want %+v", line, got, err, want)
		}
	}
}

func TestAFlagThatNobodyKnowsIsRefusedWhereverItStands(t *testing.T) {
	for _, line := range places([]string{"policy", "require"}, []string{"alice", "bob"}, []string{"--grup"}) {
		if got, err := parse(line...); err == nil || exitStatus(err) != exitUsage {
			t.Errorf("twokey %s: %+v, %v", strings.Join(line, " "), got, err)
		}
	}
	for _, line := range []string{"list --json=maybe", "audit tail -n x", "policy require alice --group"} {
		if got, err := parse(strings.Fields(line)...); err == nil || exitStatus(err) != exitUsage {
			t.Errorf("twokey %s: %+v, %v", line, got, err)
		}
	}
}

// A word that is no command must not be passed over on the way to one.
func TestACommandBehindAnotherWordIsNone(t *testing.T) {
	for _, line := range []string{"policy alice require", "alice list", "policy alice list --json", "--json alice status"} {
		if got, err := parse(strings.Fields(line)...); err == nil || exitStatus(err) != exitUsage || got.Command != "" {
			t.Errorf("twokey %s: %+v, %v", line, got, err)
		}
	}
}

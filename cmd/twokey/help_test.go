package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// help is what a command line with --help prints.
func help(t *testing.T, words ...string) string {
	t.Helper()
	var out, complaint strings.Builder
	if status := run(append([]string{"twokey"}, append(words, "--help")...), strings.NewReader(""), &out, &complaint); status != exitDone || complaint.Len() > 0 {
		t.Errorf("twokey %s --help: status %d: %s", strings.Join(words, " "), status, complaint.String())
	}
	return out.String()
}

func TestEveryCommandExplainsItself(t *testing.T) {
	app := newApp(&ui{in: newInput(strings.NewReader(""))})
	for words, command := range paths(app.Commands) {
		text := help(t, strings.Fields(words)...)
		if !strings.HasPrefix(text, "NAME:\n   twokey "+words) {
			t.Errorf("%s: %.80q", words, text)
		}
		if command.Usage == "" && !command.Hidden || command.Description != "" && !strings.Contains(text, "DESCRIPTION:") {
			t.Errorf("%s does not say what it does", words)
		}
		for _, flag := range command.Flags {
			if name := flag.Names()[0]; !strings.Contains(text, "--"+name) && (len(name) > 1 || !strings.Contains(text, "\n   -"+name)) {
				t.Errorf("%s: the flag %s is not in the help", words, name)
			}
		}
		for _, line := range strings.Split(text, "\n") {
			if len([]rune(line)) > 80 {
				t.Errorf("%s: a line of %d characters: %s", words, len([]rune(line)), line)
			}
		}
	}
}

func TestGroupsOfCommandsListThem(t *testing.T) {
	app := newApp(&ui{in: newInput(strings.NewReader(""))})
	for _, group := range append([]*cli.Command{{Subcommands: app.Commands}}, app.Commands...) {
		text := help(t, strings.Fields(group.Name)...)
		for _, command := range group.Subcommands {
			listed := regexp.MustCompile(`(?m)^ +` + command.Name + ` +\S`).MatchString(text)
			if listed == command.Hidden {
				t.Errorf("twokey %s --help, %s listed: %v:\n%s", group.Name, command.Name, listed, text)
			}
		}
	}
}

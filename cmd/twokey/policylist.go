package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"twokey/policy"
)

func policyListCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "the switch, the default and both lists, as the configuration has them",
		Description: "What counts for one user: twokey policy explain USER. Whether the file is what is in force: twokey status.\n" +
			"Needs no root.",
		Action: func(c *cli.Context) error { return policyListAction(c, ui) },
	}
}

func policyListAction(c *cli.Context, ui *ui) error {
	if err := noArguments(c); err != nil {
		return err
	}
	h, err := locate(c, ui)
	if err != nil {
		return err
	}
	if err := h.readConfig(); err != nil {
		return err
	}
	p := h.policy
	rows := [][]string{{"enabled", trueFalse(!p.Off)}, {"observe", trueFalse(p.Observe)}, {"default", p.Default.String()}}
	rows = append(rows, entryRows("require", p.Require)...)
	rows = append(rows, entryRows("exempt", p.Exempt)...)
	if err := ui.table(rows); err != nil {
		return err
	}
	return ui.object(struct {
		Enabled bool           `json:"enabled"`
		Observe bool           `json:"observe"`
		Default string         `json:"default"`
		Require []policy.Entry `json:"require"`
		Exempt  []policy.Entry `json:"exempt"`
	}{!p.Off, p.Observe, p.Default.String(), append([]policy.Entry{}, p.Require...), append([]policy.Entry{}, p.Exempt...)})
}

func trueFalse(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// entryRows are a list's entries under the names by which policy explain calls them.
func entryRows(list string, entries []policy.Entry) [][]string {
	if len(entries) == 0 {
		return [][]string{{list, "nobody"}}
	}
	var rows [][]string
	for i, e := range entries {
		rows = append(rows, []string{ruleName(list, i), entrySentence(e)})
	}
	return rows
}

// entrySentence says whom an entry means: "groups wheel, staff and users alice, on sshd".
func entrySentence(e policy.Entry) string {
	var who []string
	if len(e.Groups) > 0 {
		who = append(who, "groups "+strings.Join(e.Groups, ", "))
	}
	if len(e.Users) > 0 {
		who = append(who, "users "+strings.Join(e.Users, ", "))
	}
	text := strings.Join(who, " and ")
	if text == "" {
		text = "everybody"
	}
	if len(e.Services) > 0 {
		text += ", on " + strings.Join(e.Services, ", ")
	}
	return text
}

package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
)

func statusCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "is twokey on, for whom, and is anything wrong",
		Description: "The first line is the verdict. Exit status 3 when nobody is asked: switched off, not set up, or in no PAM stack;\n" +
			"1 when something is broken. Changes nothing.",
		Action: func(c *cli.Context) error { return statusAction(c, ui) },
	}
}

func statusAction(c *cli.Context, ui *ui) error {
	if err := noArguments(c); err != nil {
		return err
	}
	h, err := findHost(c, ui)
	if err != nil {
		return err
	}
	s := h.look(true)
	ui.say("%s", visible(s.Verdict))
	if s.setUp {
		ui.say("")
		if err := ui.table(s.details()); err != nil {
			return err
		}
	}
	if err := ui.object(s); err != nil {
		return err
	}
	p, broken := s.broken()
	switch {
	case !broken && !s.On:
		return errSilent
	case !broken && len(s.Problems) > 0:
		p = s.Problems[0]
	case !broken:
		return nil
	}
	return failed("%s", p.Message).hintRoot("%s", p.Fix)
}

// details are the rows below the verdict.
func (s *hostState) details() [][]string {
	rows := [][]string{{"policy", s.Policy.note()}}
	if s.HostKey.OK {
		rows = append(rows, []string{"host key", s.HostKey.Path})
	}
	if s.Audit.Writable {
		rows = append(rows, []string{"audit log", s.Audit.note()})
	}
	if s.Users.known {
		rows = append(rows, []string{"users", fmt.Sprintf("%s enrolled", areUsers(s.Users.Enrolled))})
	}
	for _, list := range []struct {
		name  string
		users []string
	}{{"missing", s.Users.missing()}, {"codes", s.Users.CodesOpen}, {"pending", s.Users.Pending}, {"throttled", s.Users.Throttled}} {
		if len(list.users) > 0 {
			rows = append(rows, []string{list.name, shortList(list.users, 8)})
		}
	}
	label := "services"
	for _, w := range s.Services {
		text := w.Service + ": " + w.phases()
		if w.Through != "" {
			text = w.Service + ": by " + w.Through
		}
		rows = append(rows, []string{label, text})
		label = ""
	}
	for _, p := range s.Problems {
		rows = append(rows, []string{"PROBLEM", p.Message})
	}
	return rows
}

func (a auditState) note() string {
	text := fmt.Sprintf("%s, %s, can be written", a.Path, records(a.Records))
	if a.Last != nil {
		text += ", the last of " + a.Last.Local().Format("2006-01-02 15:04:05")
	}
	return text
}

// overviewAction is twokey alone: the state of the host in ten lines and the next step, as far as it can be told without root.
func overviewAction(c *cli.Context, ui *ui) error {
	h, err := locate(c, ui)
	if err != nil {
		return err
	}
	root := os.Geteuid() == 0
	s := h.look(root)
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	ui.say("twokey %s on %s", version, visible(name))
	ui.say("")
	if err := ui.table(s.overview(root)); err != nil {
		return err
	}
	ui.say("")
	if root || strings.HasPrefix(s.Next, nothingToDo) {
		ui.say("Next: %s", visible(s.Next))
	} else {
		ui.say("Next, as root: %s", visible(s.Next))
	}
	if !root {
		ui.say("More can be seen as root: %s", visible(asRoot(ui.typed)))
	}
	ui.say("All commands: twokey --help")
	return ui.object(s)
}

// overview has a row for each step of setting twokey up, in their order.
func (s *hostState) overview(root bool) [][]string {
	if !s.setUp {
		return [][]string{{"set up", "no"}, {"wired", s.wiredInto()}}
	}
	needsRoot := func(text string) string {
		if !root {
			return "(needs root)"
		}
		return text
	}
	on := "on"
	switch {
	case !s.Policy.InForce:
		on = "no usable policy"
	case s.OffUntil != nil:
		on = "OFF until " + at(s.OffUntil)
	case s.off:
		on = "OFF"
	case s.Observe:
		on = "observing, nobody is refused"
	}
	health := "none"
	if len(s.Problems) > 0 {
		health = s.Problems[0].Message
		if more := len(s.Problems) - 1; more > 0 {
			health += fmt.Sprintf(" (and %d more: twokey status)", more)
		}
	}
	if s.Policy.InForce {
		on += ", the default is " + s.Policy.Default
	}
	return [][]string{
		{"set up", s.Policy.File},
		{"switch", on},
		{"users", needsRoot(s.enrolled())},
		{"wired", s.wiredInto()},
		{"audit log", needsRoot(records(s.Audit.Records))},
		{"problems", health},
	}
}

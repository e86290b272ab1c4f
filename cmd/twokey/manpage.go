package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// manCommand prints the manual pages for the Makefile, which installs them: made from the commands themselves, so that no page lags behind.
func manCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "man",
		Usage:     "print a manual page, or the names of all",
		ArgsUsage: "[PAGE]",
		Hidden:    true,
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return badUsage("man takes one page").hint("twokey man lists them")
			}
			ui.json = c.Bool("json")
			return manAction(ui, c.Args().First())
		},
	}
}

func manAction(ui *ui, wanted string) error {
	var names []string
	for _, page := range manPages(newApp(ui)) {
		if page.name == wanted {
			ui.say("%s", strings.TrimSuffix(page.text, "\n"))
			return ui.object(struct {
				Page string `json:"page"`
				Text string `json:"text"`
			}{page.name, page.text})
		}
		names = append(names, page.name)
	}
	if wanted != "" {
		return badUsage("there is no page %q", wanted).hint("twokey man lists them")
	}
	ui.say("%s", strings.Join(names, "\n"))
	return ui.object(struct {
		Pages []string `json:"pages"`
	}{names})
}

// manPage is a page of section 8.
type manPage struct{ name, text string }

// manPages are the page of the program and one for each command of the first level, which has those below it too.
func manPages(app *cli.App) []manPage {
	commands := visibleOnly(app.Commands)
	pages := []manPage{{app.Name, overviewPage(app, commands)}}
	for _, command := range commands {
		pages = append(pages, manPage{app.Name + "-" + command.Name, commandPage(app, command)})
	}
	return pages
}

// visibleOnly are the commands that are not hidden.
func visibleOnly(commands []*cli.Command) []*cli.Command {
	return slices.DeleteFunc(slices.Clone(commands), func(c *cli.Command) bool { return c.Hidden })
}

// roff is a page as man(7) describes it.
type roff struct{ strings.Builder }

// macro writes a line that begins with a macro; its arguments are text.
func (r *roff) macro(name string, args ...string) {
	r.WriteString("." + name)
	for _, arg := range args {
		r.WriteString(` "` + escapeRoff(arg) + `"`)
	}
	r.WriteString("\n")
}

// text writes a line of text, of which nothing is a macro or an escape.
func (r *roff) text(text string) { r.WriteString(`\&` + escapeRoff(text) + "\n") }

// item writes what a list has in bold, and what is said about it.
func (r *roff) item(what, about string) {
	r.macro("TP")
	r.macro("B", what)
	r.text(about)
}

// escapeRoff makes characters of what has a meaning for troff, and of what it would draw otherwise than it is typed, as groff_char(7) says.
func escapeRoff(text string) string {
	named := map[rune]string{'\\': `\(rs`, '-': `\-`, '"': `\(dq`, '\'': `\(aq`, '`': `\(ga`, '^': `\(ha`, '~': `\(ti`, '\n': " "}
	var b strings.Builder
	for _, r := range text {
		switch escape, found := named[r]; {
		case found:
			b.WriteString(escape)
		case r == '…':
			b.WriteString("...")
		case r > 0x7e:
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// begin writes the head of a page, up to the synopsis. There is no date: the same source makes the same page.
func (r *roff) begin(name, usage string) {
	r.macro("TH", name, "8", "", "twokey "+version, "System administration")
	r.macro("SH", "NAME")
	r.text(name + " - " + usage)
	r.macro("SH", "SYNOPSIS")
}

func (r *roff) flags(flags []cli.Flag) {
	for _, flag := range flags {
		names, about, _ := strings.Cut(flag.String(), "\t")
		r.item(names, about)
	}
}

// overviewPage is twokey(8).
func overviewPage(app *cli.App, commands []*cli.Command) string {
	var r roff
	r.begin(app.Name, app.Usage)
	r.text(app.UsageText)
	r.macro("SH", "DESCRIPTION")
	r.text("Without a command it says in ten lines how this host is, and what the next step is. Each command has a page of its own, such as " +
		app.Name + "-" + commands[0].Name + "(8).")
	r.macro("SH", "COMMANDS")
	for _, command := range commands {
		r.item(command.Name, command.Usage)
	}
	r.macro("SH", "OPTIONS")
	r.flags(append(slices.Clone(app.Flags), cli.HelpFlag))
	r.macro("SH", "EXIT STATUS")
	for status, meaning := range exitMeanings() {
		r.item(fmt.Sprint(status), meaning)
	}
	r.macro("SH", "FILES")
	for _, file := range [][2]string{
		{"/etc/twokey/twokey.yaml", "the configuration, see twokey.yaml(5)"},
		{"/etc/twokey/host.key", "the host's key, which opens the users' files"},
		{"/var/lib/twokey", "the users' secrets, encrypted, and what was used when"},
		{"/var/log/twokey/audit.jsonl", "the audit log"},
	} {
		r.item(file[0], file[1])
	}
	r.macro("SH", "SEE ALSO")
	r.text("twokey.yaml(5), pam_twokey(8)")
	return r.String()
}

// exitMeanings says what each exit status means; the first is that of 0.
func exitMeanings() []string {
	return []string{
		exitDone:     "done",
		exitFailed:   "it failed",
		exitUsage:    "wrong usage; nothing was changed",
		exitNo:       "the answer is no: the code is wrong, twokey is switched off, the log was changed",
		exitNeedRoot: "it needs root",
	}
}

// commandPage is the page of a command of the first level.
func commandPage(app *cli.App, command *cli.Command) string {
	var r roff
	name := app.Name + " " + command.Name
	r.begin(app.Name+"-"+command.Name, command.Usage)
	leaves := leavesOf(command, app.Name)
	for i, leaf := range leaves {
		if i > 0 {
			r.macro("br")
		}
		r.text(leaf.synopsis())
	}
	r.macro("SH", "DESCRIPTION")
	if len(leaves) == 1 && leaves[0].path == name {
		r.text(leaves[0].about())
		r.macro("SH", "OPTIONS")
		r.flags(leaves[0].ownFlags())
	} else {
		for _, leaf := range leaves {
			r.macro("SS", leaf.synopsis())
			r.text(leaf.about())
			r.flags(leaf.ownFlags())
		}
		r.macro("SH", "OPTIONS OF ALL COMMANDS")
	}
	r.flags(append(globalFlagsOf(command), cli.HelpFlag))
	r.macro("SH", "SEE ALSO")
	r.text(app.Name + "(8), twokey.yaml(5), pam_twokey(8)")
	return r.String()
}

// leaf is a command that does something, with the words by which it is typed.
type leaf struct {
	path string
	*cli.Command
}

// leavesOf are the command itself or, where it is a group, those below it.
func leavesOf(command *cli.Command, above string) []leaf {
	path := above + " " + command.Name
	if len(command.Subcommands) == 0 {
		return []leaf{{path, command}}
	}
	var all []leaf
	for _, sub := range visibleOnly(command.Subcommands) {
		all = append(all, leavesOf(sub, path)...)
	}
	return all
}

func (l leaf) synopsis() string { return strings.TrimSpace(l.path + " [OPTIONS] " + l.ArgsUsage) }

// about is what the help says: the short text as a sentence, and the long one.
func (l leaf) about() string {
	return strings.TrimSpace(strings.ToUpper(l.Usage[:1]) + l.Usage[1:] + ". " + l.Description)
}

// ownFlags are those that not every command has.
func (l leaf) ownFlags() []cli.Flag {
	return slices.DeleteFunc(slices.Clone(l.Flags), isGlobal)
}

// globalFlagsOf are those of a command that every command has.
func globalFlagsOf(command *cli.Command) []cli.Flag {
	return slices.DeleteFunc(slices.Clone(command.Flags), func(f cli.Flag) bool { return !isGlobal(f) })
}

func isGlobal(flag cli.Flag) bool {
	return slices.ContainsFunc(globalFlags(), func(f cli.Flag) bool { return f.Names()[0] == flag.Names()[0] })
}

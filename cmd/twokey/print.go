package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"twokey/enroll/qr"
)

// ui is the only place that prints. What a command found out goes to standard output, as text or, with --json, as one JSON
// value; errors and hints go to standard error, begin with "twokey: error:" and "twokey: hint:", and are one line each.
// Questions go to standard error too, so that standard output can be piped away.
type ui struct {
	in       *input
	gate     func(*cli.Context) error // what stands before every command; nil: nothing
	peer     *actor                   // who is at the other end of the socket; nil: whoever has started us
	out, err io.Writer
	json     bool
	typed    []string // the command line, without the name of the program
	warned   []string // by warnOnce
	contact  string   // whom the peer can ask; "": not known yet
	failed   error    // of the first write to standard output that failed
}

// actor is who acts.
func (u *ui) actor() actor {
	if u.peer != nil {
		return *u.peer
	}
	return theirs()
}

// say prints lines for people; with --json nothing.
func (u *ui) say(format string, args ...any) {
	if !u.json {
		u.print(fmt.Sprintf(format, args...) + "\n")
	}
}

// lines prints text of several lines, which may be anybody's; with --json nothing.
func (u *ui) lines(text string) {
	for line := range strings.Lines(text) {
		u.say("%s", visible(strings.TrimSuffix(line, "\n")))
	}
}

// print keeps the first failure: whoever enrols somebody with standard output on a full disk has to hear that nobody saw the key.
func (u *ui) print(text string) {
	_, err := io.WriteString(u.out, text)
	u.keep(err)
}

func (u *ui) keep(err error) {
	if err != nil && u.failed == nil {
		u.failed = fmt.Errorf("standard output could not be written: %w", err)
	}
}

// pass prints what comes from the other end of the socket. It is root's, but may quote anybody.
func (u *ui) pass(m *selfMessage) {
	switch text := visibleText(m.Text); m.Kind {
	case selfOut:
		u.print(text)
	case selfPicture:
		u.picture(text)
	default:
		fmt.Fprint(u.err, text)
	}
}

// flush has what was printed outlive the program and the power, where standard output is a file, and returns the first failure of printing.
func (u *ui) flush() error {
	if f, ok := u.out.(*os.File); ok {
		if err := f.Sync(); !errors.Is(err, unix.EINVAL) { // a pipe or a terminal has nothing to be synchronised
			u.keep(err)
		}
	}
	return u.failed
}

// aside prints lines on standard error that are neither an error nor what the command is for.
func (u *ui) aside(text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintln(u.err, visible(strings.TrimSuffix(line, "\n")))
	}
}

// warn prints a line on standard error, with --json too.
func (u *ui) warn(format string, args ...any) {
	fmt.Fprintf(u.err, "twokey: warning: %s\n", visible(fmt.Sprintf(format, args...)))
}

// warnOnce is warn for what is found out about each of many users anew.
func (u *ui) warnOnce(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(u.warned, text) {
		u.warned = append(u.warned, text)
		u.warn("%s", text)
	}
}

// object prints one JSON value when --json was given.
func (u *ui) object(v any) error {
	if !u.json {
		return nil
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	u.print(b.String())
	return nil
}

// printArray is object for a list of so many things that they are printed one by one, each as it is made.
func printArray[T any](u *ui, all []T, of func(*T) any) error {
	if len(all) == 0 {
		return u.object([]T{})
	}
	out := wholeLines{ui: u}
	e := json.NewEncoder(&out.text)
	e.SetEscapeHTML(false)
	e.SetIndent("  ", "  ")
	before := "[\n  "
	for i := range all {
		out.text.WriteString(before)
		if err := e.Encode(of(&all[i])); err != nil {
			return err
		}
		out.text.Truncate(out.text.Len() - 1) // the comma comes before the end of the line
		out.ended()
		before = ",\n  "
	}
	out.text.WriteString("\n]\n")
	out.flush()
	return nil
}

// wholeLines gathers text, to be printed in few pieces that do not end within a character: each is a message over the socket.
type wholeLines struct {
	ui   *ui
	text bytes.Buffer
}

// piece is how much is gathered, in bytes.
const piece = 32 << 10

// ended is called where a piece may end.
func (w *wholeLines) ended() {
	if w.text.Len() >= piece {
		w.flush()
	}
}

func (w *wholeLines) flush() {
	w.ui.print(w.text.String())
	w.text.Reset()
}

// attach gives another program our terminal. With --json what it prints goes to standard error: standard output is one JSON value.
func (u *ui) attach(cmd *exec.Cmd) {
	cmd.Stdout, cmd.Stderr = u.out, u.err
	if u.json {
		cmd.Stdout = u.err
	}
	if u.in.file != nil {
		cmd.Stdin = u.in.file
	}
}

// width is how many columns the terminal has; false when standard output is none.
func (u *ui) width() (int, bool) {
	if far := u.in.far(); far != nil {
		return far.request.Columns, far.request.Columns > 0
	}
	f, ok := u.out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	return columns, err == nil && columns > 0
}

// picture prints lines of half blocks. On a terminal they are white on black whatever its colours are: half of the scanners
// cannot read a code whose dark and light are exchanged. At the other end of the socket the client colours them.
func (u *ui) picture(text string) {
	if far := u.in.far(); far != nil {
		u.keep(far.send(selfPicture, text))
		return
	}
	_, terminal := u.width()
	for line := range strings.Lines(text) {
		if terminal && os.Getenv("TERM") != "dumb" {
			line = "\x1b[97;40m" + strings.TrimSuffix(line, "\n") + "\x1b[0m\n"
		}
		u.print(line)
	}
}

// address has the client, at the other end of the socket, draw a QR code into a file of his.
func (u *ui) address(text string) {
	if far := u.in.far(); far != nil {
		u.keep(far.send(selfAddress, text))
	}
}

// inSigns reports whether a QR code is drawn with number signs, since the terminal cannot show half blocks.
func (u *ui) inSigns() bool {
	_, terminal := u.width()
	return terminal && !u.utf8()
}

// drawn is a QR code for the terminal.
func (u *ui) drawn(code *qr.Code) string {
	if u.inSigns() {
		return code.Wide()
	}
	return code.Terminal(false)
}

// ask puts a question and reads the answer, which is not shown while it is typed when it is hidden. Where standard input is not
// a terminal it reads the next line of it without a word.
func (u *ui) ask(question string, hidden bool) (string, error) {
	if far := u.in.far(); far != nil {
		return far.ask(question, hidden)
	}
	answer, err := u.in.line(hidden, func() {
		if u.in.terminal() {
			fmt.Fprint(u.err, question)
		}
	})
	if u.in.terminal() && (hidden || err != nil) {
		fmt.Fprintln(u.err)
	}
	return answer, err
}

// emptyTries is how often nothing may be typed where a code is asked for.
const emptyTries = 10

// askCode is ask until something is typed: an empty line is no wrong code, and costs no try.
func (u *ui) askCode(question string, hidden bool) (string, error) {
	for range emptyTries {
		answer, err := u.ask(question, hidden)
		if err != nil || strings.TrimSpace(answer) != "" {
			return answer, err
		}
	}
	return "", failed("nothing was typed %d times; nothing was changed", emptyTries)
}

// confirm asks before something is done that cannot be undone. Where nobody can be asked it is wrong usage.
func (u *ui) confirm(yes bool, question string, args ...any) error {
	if yes {
		return nil
	}
	if !u.in.terminal() {
		return badUsage("this has to be confirmed, and standard input is not a terminal").hint("add --yes to go on without a question")
	}
	answer, err := u.ask(wrapLine(visible(fmt.Sprintf(question, args...))+" [y/N]")+" ", false)
	if err != nil {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return failed("not confirmed, nothing was changed")
}

// listPrinter prints, with --json, one object whose first fields are lists that are too long to be kept.
type listPrinter struct {
	ui     *ui
	field  string
	before string // what stands before the field
	begun  bool
}

func (u *ui) openList(field string) *listPrinter {
	return &listPrinter{ui: u, field: field, before: "{\n  "}
}

// add prints items, each on a line of its own.
func (l *listPrinter) add(items []any) error {
	if !l.ui.json {
		return nil
	}
	var b strings.Builder
	for _, item := range items {
		between := ",\n    "
		if !l.begun {
			between = l.before + "\"" + l.field + "\": [\n    "
		}
		l.begun = true
		text, err := compactJSON(item)
		if err != nil {
			return err
		}
		b.WriteString(between + text)
	}
	l.ui.print(b.String())
	return nil
}

// closing ends the list; another field has to follow.
func (l *listPrinter) closing() string {
	if l.begun {
		return "\n  ],\n  "
	}
	return l.before + "\"" + l.field + "\": [],\n  "
}

// next ends the list and begins another one.
func (l *listPrinter) next(field string) {
	*l = listPrinter{ui: l.ui, field: field, before: l.closing()}
}

// end prints the other fields, of which there is at least one that is never left out.
func (l *listPrinter) end(rest any) error {
	if !l.ui.json {
		return nil
	}
	text, err := compactJSON(rest)
	if err != nil {
		return err
	}
	l.ui.print(l.closing() + strings.TrimPrefix(strings.TrimSuffix(text, "}"), "{") + "\n}\n")
	return nil
}

func compactJSON(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// faults prints what is wrong with rows of a list, one line each, with --json too, and what can be done about it.
func (u *ui) faults(rows []error) {
	for _, err := range rows {
		fmt.Fprintf(u.err, "twokey: error: %s\n", oneLine(err))
	}
	for _, hint := range rowHints(rows) {
		fmt.Fprintf(u.err, "twokey: hint: %s\n", visible(hint))
	}
}

// progress draws a bar on standard error where that is a terminal, for work of so many steps; done is called with how many more of
// them are done, by several goroutines if need be, end at the end.
func (u *ui) progress(what string, total int) (done func(int), end func()) {
	f, ok := u.err.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || total < worthABar {
		return func(int) {}, func() {}
	}
	bar := progressbar.NewOptions(total, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription(what),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(true))
	// A bar that cannot be drawn is no reason to stop. It is there before the first step, which may take a minute.
	_ = bar.RenderBlank()
	return func(n int) { _ = bar.Add(n) }, func() { _ = bar.Finish() }
}

// worthABar is from how many things on a bar is drawn.
const worthABar = 100

// finish prints an error with its hint, and returns the exit status.
func (u *ui) finish(err error) int {
	var done *relayed
	if err == nil || (errors.Is(err, errSilent) || errors.As(err, &done)) && u.failed != nil {
		err = u.failed
	}
	if err == nil {
		return exitDone
	}
	if !errors.Is(err, errSilent) && !errors.As(err, &done) {
		fmt.Fprintf(u.err, "twokey: error: %s\n", oneLine(err))
		if hint := u.hintFor(err); hint != "" {
			fmt.Fprintf(u.err, "twokey: hint: %s\n", visible(hint))
		}
	}
	return exitStatus(err)
}

// oneLine makes one line of an error that was joined from several.
func oneLine(err error) string {
	return visible(strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' }), "; "))
}

// utf8 reports whether the language of the terminal has letters beyond ASCII, as setlocale(3) finds out.
func (u *ui) utf8() bool {
	if far := u.in.far(); far != nil {
		return far.request.UTF8
	}
	language := or(os.Getenv("LC_ALL"), or(os.Getenv("LC_CTYPE"), os.Getenv("LANG")))
	_, set, _ := strings.Cut(strings.ToLower(language), ".")
	set, _, _ = strings.Cut(set, "@")
	return set == "utf-8" || set == "utf8"
}

// visibleText is visible for text of several lines.
func visibleText(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = visible(line)
	}
	return strings.Join(lines, "\n")
}

// visible replaces what could move the cursor or hide text: names and messages are other people's.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

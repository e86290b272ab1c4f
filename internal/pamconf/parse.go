package pamconf

import (
	"strings"
)

// Phase is one of the four groups of PAM functions.
type Phase string

// The phases of pam.d(5).
const (
	Auth     Phase = "auth"
	Account  Phase = "account"
	Session  Phase = "session"
	Password Phase = "password"
	anyPhase Phase = ""
)

// Kind says what libpam does at a line.
type Kind int

// The kinds of lines in a stack. Those that include a file are not in it: the file's lines are.
const (
	Module   Kind = iota // call the module
	Substack             // nothing; the lines below it, one level deeper, are those of a file
	Failing              // fail: the line cannot be used
)

// Line is one line of a stack.
type Line struct {
	Kind    Kind
	Phase   Phase
	Control Control
	Word    string   // the control as it is written, brackets included
	Module  string   // as it is written; of a substack the file
	Args    []string // without the brackets that hold one with blanks together
	Level   int      // how many substacks it is in
	Place            // where it stands
	Via     []Place  // the lines that include its file, the outermost first
	Text    string   // the line as it is written, in one
	Broken  string   // why it fails
}

// Place is a line of a file.
type Place struct {
	File   string // as the host names it
	Number int    // from 1; of a line that goes on the first
}

// Name is the module without its folder.
func (l Line) Name() string { return l.Module[strings.LastIndexByte(l.Module, '/')+1:] }

// rawLine is a line of a file without comment, put together from those that end with a backslash.
type rawLine struct {
	number int
	text   string
}

// plain is the line with single blanks.
func (l rawLine) plain() string { return strings.Join(strings.Fields(l.text), " ") }

const blanks = " \t\n"

// assemble splits a file into lines. It is false when the file ends within a line: libpam then gives it up, and with it the service.
func assemble(content string) (lines []rawLine, whole bool) {
	text, first, number := "", 0, 0
	for physical := range strings.Lines(content) {
		number++
		part := strings.TrimLeft(physical, blanks)
		if part == "" || part[0] == '#' {
			continue // also within a line that goes on
		}
		if text == "" {
			first = number
		}
		before, _, comment := strings.Cut(part, "#")
		trimmed := strings.TrimRight(before, blanks)
		if goesOn, found := strings.CutSuffix(trimmed, `\`); found && !comment {
			text += goesOn + " "
			continue
		}
		lines = append(lines, rawLine{first, text + before})
		text = ""
	}
	return lines, text == ""
}

// cutToken takes the first word; a "[" makes one of all up to the next "]" that has no backslash before it.
func cutToken(text string) (token, rest string, ok bool) {
	text = strings.TrimLeft(text, blanks)
	if text == "" {
		return "", "", false
	}
	if text[0] == '[' {
		token, rest = cutBrackets(text[1:])
		return token, rest, true
	}
	end := strings.IndexAny(text, blanks)
	if end < 0 {
		return text, "", true
	}
	return text[:end], text[end+1:], true
}

func cutBrackets(text string) (token, rest string) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == ']' {
			return b.String(), text[i+1:]
		}
		if text[i] == '\\' && i+1 < len(text) && text[i+1] == ']' {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String(), ""
}

func arguments(text string) (args []string) {
	for {
		arg, rest, ok := cutToken(text)
		if !ok {
			return args
		}
		args, text = append(args, arg), rest
	}
}

// entry is a line of a file before files are included.
type entry struct {
	Line
	include  bool // or @include
	substack bool
	all      bool // @include: lines of every phase
}

// parseEntry understands a line. only is the phase for which the file is read, anyPhase for all; it is false for a line of another.
func parseEntry(text string, only Phase) (e entry, ok bool) {
	phase, rest, found := cutToken(text)
	if found && strings.EqualFold(phase, "@include") {
		e.Module, _, found = cutToken(rest)
		e.include, e.all, e.Phase, e.Word = true, true, only, phase
		if !found {
			e.Broken = "it names no file"
		}
		return e, true
	}
	e.setPhase(phase, found, only)
	if only != anyPhase && e.Phase != only {
		return e, false
	}
	e.setControl(rest)
	return e, true
}

// setPhase: a line of a phase that there is not counts as one of the phase that is read, else of auth, and fails.
func (e *entry) setPhase(word string, found bool, only Phase) {
	word = strings.TrimPrefix(word, "-") // a missing module is then not logged; it fails all the same
	e.Phase = Phase(strings.ToLower(word))
	switch e.Phase {
	case Auth, Account, Session, Password:
		return
	}
	e.Kind, e.Broken = Failing, "there is no phase \""+word+"\""
	if !found {
		e.Broken = "it has no phase"
	}
	if e.Phase = only; only == anyPhase {
		e.Phase = Auth
	}
}

func (e *entry) setControl(text string) {
	control, rest, found := cutToken(text)
	e.Word = control
	if strings.HasPrefix(strings.TrimLeft(text, blanks), "[") {
		e.Word = "[" + control + "]"
	}
	switch word := strings.ToLower(control); {
	case !found:
		e.Control = allActions(Bad)
		e.fail("it has no control")
		return
	case word == "include", word == "substack":
		e.include, e.substack = true, word == "substack"
	default:
		e.Control = parseControl(control)
	}
	e.Module, rest, found = cutToken(rest)
	if !found {
		e.fail("it names no module")
	}
	e.Args = arguments(rest)
}

func (e *entry) fail(why string) {
	e.Kind = Failing
	if e.Broken == "" {
		e.Broken = why
	}
}

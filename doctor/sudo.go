package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"twokey/internal/pamconf"
	"twokey/internal/safefile"
)

// textLine is a line of a file of another program.
type textLine struct {
	number int // of the first, where one goes on
	text   string
}

// linesOf are the lines of a file of another program, those that end with a backslash joined. A file that is not there has none.
func (e *examination) linesOf(file string) (lines []textLine) {
	content, err := safefile.ReadImport(e.Root+file, maxConfigFile)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			e.unreadable("unreadable", file, err)
		}
		return nil
	}
	text, first, number := "", 0, 0
	for line := range strings.Lines(string(content.Content)) {
		number++
		if text == "" {
			first = number
		}
		part, goesOn := strings.CutSuffix(strings.TrimRight(line, "\r\n"), `\`)
		text += part
		if goesOn {
			text += " "
			continue
		}
		lines = append(lines, textLine{first, strings.TrimSpace(text)})
		text = ""
	}
	return lines
}

// sudo looks for rules by which sudo does not call PAM's authentication: whoever they are for is not asked.
func (e *examination) sudo() {
	if !e.within("sudo") {
		return
	}
	required, asked := e.concerned("sudo", "")
	if len(required)+len(asked) == 0 {
		return
	}
	s := &sudoers{examination: e, required: required, asked: asked}
	s.file("/etc/sudoers")
}

// sudoers reads sudo's rules.
type sudoers struct {
	*examination
	required, asked []Person
	files           int
}

func (s *sudoers) file(file string) {
	if s.files++; s.files > maxConfigs {
		return
	}
	for _, line := range s.linesOf(file) {
		words := strings.Fields(line.text)
		if len(words) == 0 {
			continue
		}
		place := pamconf.Place{File: file, Number: line.number}
		switch words[0] {
		case "@include", "#include":
			if len(words) > 1 {
				s.file(relativeTo(file, words[1]))
			}
		case "@includedir", "#includedir":
			if len(words) > 1 {
				s.folder(relativeTo(file, words[1]))
			}
		default:
			s.rule(place, strings.ReplaceAll(line.text, "\t", " "))
		}
	}
}

func relativeTo(file, name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	return path.Join(path.Dir(file), name)
}

// folder reads the files that sudo does: not those with a dot or a tilde at the end.
func (s *sudoers) folder(folder string) {
	dir, err := safefile.OpenDir(s.Root + folder)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var all []string
	if err == nil {
		all, err = dir.Names()
		err = errors.Join(err, dir.Close())
	}
	if err != nil {
		s.unreadable("unreadable", folder, err)
		return
	}
	slices.Sort(all)
	for _, name := range all {
		if !strings.Contains(name, ".") && !strings.HasSuffix(name, "~") {
			s.file(folder + "/" + name)
		}
	}
}

// rule judges one line of sudoers(5).
func (s *sudoers) rule(place pamconf.Place, text string) {
	if strings.HasPrefix(text, "#") {
		return
	}
	who, rest, _ := strings.Cut(text, " ")
	why, better := "", ""
	switch {
	case strings.HasPrefix(who, "Defaults"):
		why, better = sudoDefault(who, rest)
	case strings.Contains(rest, "NOPASSWD:"):
		why, better = "says NOPASSWD", who+" "+strings.Join(strings.Fields(strings.ReplaceAll(rest, "NOPASSWD:", "")), " ")
	}
	if why == "" {
		return
	}
	f := Finding{Severity: Warning, ID: "sudo-without-pam", About: "sudo", Fix: write(place, better),
		Message: fmt.Sprintf("sudo: %s %s, so whom it is for is not asked for a code", at(place), why)}
	meant := func(people []Person) []Person {
		return slices.DeleteFunc(slices.Clone(people), func(p Person) bool { return !mayMean(who, p) })
	}
	if required := meant(s.required); len(required) > 0 {
		f.Severity, f.NotAsked = Error, true
		f.Message += " (required: " + names(required) + ")"
	} else if asked := meant(s.asked); len(asked) > 0 {
		f.Message += " (enrolled: " + names(asked) + ")"
	} else {
		return
	}
	s.add(f)
}

// sudoDefault finds what keeps sudo from asking in a Defaults line.
func sudoDefault(who, rest string) (why, better string) {
	var kept []string
	for _, option := range strings.Split(rest, ",") {
		option = strings.TrimSpace(option)
		name, value, _ := strings.Cut(option, "=")
		switch {
		case option == "!authenticate":
			why = "says !authenticate"
		case strings.TrimSpace(name) == "timestamp_timeout" && strings.HasPrefix(strings.TrimSpace(value), "-"):
			why = "remembers a login for ever (timestamp_timeout below zero)"
			kept = append(kept, "timestamp_timeout=15")
		case option != "":
			kept = append(kept, option)
		}
	}
	if len(kept) == 0 {
		return why, "# " + who + " " + rest
	}
	return why, who + " " + strings.Join(kept, ", ")
}

// mayMean reports whether the first word of a rule can be about somebody. Aliases, netgroups and numbers can be about anybody.
func mayMean(who string, p Person) bool {
	switch {
	case strings.HasPrefix(who, "Defaults:"):
		return mayMean(strings.TrimPrefix(who, "Defaults:"), p)
	case strings.HasPrefix(who, "%") && !strings.HasPrefix(who, "%#") && !strings.HasPrefix(who, "%:"):
		inGroup := p.Facts("sudo", "").InGroup
		if inGroup == nil {
			return true
		}
		in, err := inGroup(strings.ReplaceAll(strings.TrimPrefix(who, "%"), `\`, ""))
		return in || err != nil
	case who == "" || who == "ALL" || strings.ContainsAny(who, "#+:!,@>") || who == strings.ToUpper(who):
		return true
	}
	return who == p.Name || strings.HasPrefix(who, "Defaults")
}

package main

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"twokey/internal/safefile"
)

// The PAM stacks of the host, as pam.d(5) describes them; they are only looked at.

// pamFolders are where libpam looks for a service, the first that has it counts.
func pamFolders() []string { return []string{"/etc/pam.d", "/usr/lib/pam.d"} }

const (
	pamModule   = "pam_twokey.so"
	maxPAMFile  = 1 << 20 // bytes
	maxIncludes = 256     // files that one stack is made of: far more than any has, and an end for files that include each other
)

// wiring is how a service's stack names our module.
type wiring struct {
	Service string   `json:"service"`
	Auth    []string `json:"auth"` // one for each line: its arguments
	Account []string `json:"account"`
	Session []string `json:"session"`
	Through string   `json:"through,omitempty"` // the file that the lines stand in, if it is not the service's own
}

// phases names those in which the module is called: "auth (decoy), auth (after=password), account, session".
func (w wiring) phases() string {
	var all []string
	for _, phase := range []struct {
		name  string
		lines []string
	}{{"auth", w.Auth}, {"account", w.Account}, {"session", w.Session}} {
		for _, arguments := range phase.lines {
			if arguments != "" {
				arguments = " (" + arguments + ")"
			}
			all = append(all, phase.name+arguments)
		}
	}
	return strings.Join(all, ", ")
}

// pamLine is one line that calls our module.
type pamLine struct {
	phase, arguments string
	file             string // that it stands in
}

// wirings are the services whose stacks name our module, sorted; first those whose own file does, then those that include it.
func (h *host) wirings() ([]wiring, error) {
	names, err := h.pamServices()
	if err != nil {
		return nil, err
	}
	var own, through []wiring
	for _, name := range names {
		left := maxIncludes
		lines, err := h.pamLines(name, "", &left)
		if err != nil {
			return nil, err
		}
		w := wiring{Service: name, Auth: []string{}, Account: []string{}, Session: []string{}}
		for _, line := range lines {
			w.add(line)
		}
		switch {
		case len(lines) == 0:
		case w.Through == "":
			own = append(own, w)
		default:
			through = append(through, w)
		}
	}
	return append(own, through...), nil
}

func (w *wiring) add(line pamLine) {
	if line.file != w.Service {
		w.Through = line.file
	}
	switch line.phase {
	case "auth":
		w.Auth = append(w.Auth, line.arguments)
	case "account":
		w.Account = append(w.Account, line.arguments)
	case "session":
		w.Session = append(w.Session, line.arguments)
	}
}

// pamServices lists the services that have a file.
func (h *host) pamServices() ([]string, error) {
	var names []string
	for _, folder := range pamFolders() {
		dir, err := safefile.OpenDir(h.path(folder))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found, err := dir.Names()
		if err = errors.Join(err, dir.Close()); err != nil {
			return nil, err
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (h *host) pamServiceExists(name string) (bool, error) {
	names, err := h.pamServices()
	return slices.Contains(names, name), err
}

// pamLines are the lines of a stack that call our module, those of the files that it includes too. only is the phase that is
// included, "" for all; left is how many files may still be read. What is not a readable file is no stack.
func (h *host) pamLines(file, only string, left *int) ([]pamLine, error) {
	if *left--; *left < 0 {
		return nil, nil
	}
	content, err := h.readPAM(file)
	if err != nil {
		return nil, err
	}
	var found []pamLine
	for line := range strings.SplitSeq(strings.ReplaceAll(content, "\\\n", " "), "\n") {
		line, _, _ = strings.Cut(line, "#")
		phase, control, module, arguments := splitPAM(line)
		switch {
		case phase == "@include":
			phase, control, module = only, "include", control
		case only != "" && phase != only:
			continue
		}
		switch {
		case control == "include", control == "substack":
			lines, err := h.pamLines(path.Base(module), phase, left)
			if err != nil {
				return nil, err
			}
			found = append(found, lines...)
		case path.Base(module) == pamModule && (phase == "auth" || phase == "account" || phase == "session"):
			found = append(found, pamLine{phase, arguments, file})
		}
	}
	return found, nil
}

// splitPAM takes a line apart: "-auth [success=1 default=ignore] pam_unix.so nullok".
func splitPAM(line string) (phase, control, module, arguments string) {
	phase, rest := cutField(line)
	phase = strings.ToLower(strings.TrimPrefix(phase, "-"))
	if end := strings.IndexByte(rest, ']'); strings.HasPrefix(rest, "[") && end > 0 {
		control, rest = rest[:end+1], rest[end+1:]
	} else {
		control, rest = cutField(rest)
		control = strings.ToLower(control)
	}
	module, rest = cutField(rest)
	return phase, control, module, strings.Join(strings.Fields(rest), " ")
}

func cutField(line string) (field, rest string) {
	line = strings.TrimLeft(line, " \t")
	end := strings.IndexAny(line, " \t")
	if end < 0 {
		return line, ""
	}
	return line[:end], strings.TrimLeft(line[end:], " \t")
}

// readPAM reads the file of a service; "" for what is no file, such as a folder or a backup that is a FIFO.
func (h *host) readPAM(name string) (string, error) {
	for _, folder := range pamFolders() {
		file, err := safefile.ReadImport(h.path(folder)+"/"+name, maxPAMFile)
		switch {
		case err == nil:
			return string(file.Content), nil
		case errors.Is(err, safefile.ErrType), errors.Is(err, safefile.ErrSize):
			return "", nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", err
		}
	}
	return "", nil
}

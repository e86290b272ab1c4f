package pamconf

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
)

// Host is a host whose file system lies in Root; "" for this one.
type Host struct{ Root string }

// Stack is what libpam calls, in its order, for one phase.
type Stack []Line

// Service is a service's configuration.
type Service struct {
	Name   string
	File   string // where its own lines stand, as the host names it; "" when it has none, and everything comes from "other"
	Stacks map[Phase]Stack
	Broken string // why libpam refuses the service altogether; "" when it does not
}

// Limits: a stack has a few dozen lines and files. What has more is refused.
const (
	maxFile  = 1 << 20 // bytes
	maxDepth = 16      // files that include each other (PAM_SUBSTACK_MAX_LEVEL)
	maxFiles = 256     // that a service is made of
	maxLines = 4096
)

const (
	otherService = "other"
	oneFile      = "/etc/pam.conf"
)

// folders are where libpam looks for a service; the first that has it counts.
func folders() []string { return []string{"/etc/pam.d", "/usr/lib/pam.d"} }

// Services lists the services that have a configuration of their own, sorted.
func (h Host) Services() ([]string, error) {
	var names []string
	found := false
	for _, folder := range folders() {
		dir, err := safefile.OpenDir(h.Root + folder)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = true
		files, err := dir.Names()
		if err = errors.Join(err, dir.Close()); err != nil {
			return nil, err
		}
		names = append(names, files...)
	}
	if !found {
		return h.inOneFile()
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// inOneFile lists the services of /etc/pam.conf.
func (h Host) inOneFile() (names []string, err error) {
	file, err := safefile.ReadImport(h.Root+oneFile, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	lines, _ := assemble(string(file.Content))
	for _, line := range lines {
		if name, _, ok := cutToken(line.text); ok {
			names = append(names, strings.ToLower(name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Read reads the stacks of a service, whose name libpam takes in lower case. Wrong lines and files that are missing are no error:
// they are in the stacks as libpam takes them. An error is one of reading.
func (h Host) Read(service string) (*Service, error) {
	r := &reader{host: h, s: &Service{Name: strings.ToLower(service), Stacks: map[Phase]Stack{}}}
	folder, err := h.hasFolder()
	if err != nil {
		return nil, err
	}
	own, rest, err := r.both(folder)
	if err != nil {
		return nil, err
	}
	for _, phase := range []Phase{Auth, Account, Session, Password} {
		stack := own.of(phase)
		if len(stack) == 0 {
			stack = rest.of(phase)
		}
		r.s.Stacks[phase] = stack
	}
	return r.s, nil
}

func (s Stack) of(phase Phase) (of Stack) {
	for _, line := range s {
		if line.Phase == phase {
			of = append(of, line)
		}
	}
	return of
}

func (h Host) hasFolder() (bool, error) {
	for _, folder := range folders() {
		dir, err := safefile.OpenDir(h.Root + folder)
		if err == nil {
			return true, dir.Close()
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	return false, nil
}

// reader reads one service.
type reader struct {
	host  Host
	s     *Service
	stack Stack
	via   []Place // the lines that include the file that is read
	files int
	err   error // of reading
}

// both reads the service's own lines and those of "other". A file of either that ends within a line makes the service fail.
func (r *reader) both(folder bool) (own, other Stack, err error) {
	for _, name := range []string{r.s.Name, otherService} {
		r.stack = nil
		var file, why string
		if folder {
			file, why = r.file(name, anyPhase, 0, 0)
		} else {
			file, why = r.oneFile(name)
		}
		if why != "" {
			r.s.Broken = why
		}
		if name == otherService {
			other = r.stack
		}
		if name == r.s.Name {
			r.s.File, own = file, r.stack
		}
	}
	if len(own) == 0 && r.s.File == oneFile {
		r.s.File = ""
	}
	if r.s.Broken == "" && r.s.File == "" && len(other) == 0 {
		r.s.Broken = "there is neither a configuration of the service nor of \"other\""
	}
	return own, other, r.err
}

// file adds the lines of a file. A path of "" means that there is none; why says what keeps libpam from taking it.
func (r *reader) file(name string, only Phase, depth, level int) (path, why string) {
	lines, path, why := r.lines(name)
	for _, line := range lines {
		if e, mine := parseEntry(line.text, only); mine {
			e.Place, e.Level, e.Via, e.Text = Place{path, line.number}, level, r.via, line.plain()
			r.add(e, depth)
		}
	}
	return path, why
}

// oneFile adds the lines of /etc/pam.conf that begin with the name.
func (r *reader) oneFile(name string) (path, why string) {
	lines, path, why := r.lines(oneFile)
	for _, line := range lines {
		first, rest, _ := cutToken(line.text)
		if !strings.EqualFold(first, name) {
			continue
		}
		if e, mine := parseEntry(rest, anyPhase); mine {
			e.Place, e.Text = Place{path, line.number}, line.plain()
			r.add(e, 0)
		}
	}
	return path, why
}

// add puts a line into the stack, or the lines of the file that it includes.
func (r *reader) add(e entry, depth int) {
	if len(r.stack) >= maxLines {
		return
	}
	if !e.include {
		r.stack = append(r.stack, e.Line)
		return
	}
	if e.substack {
		marker := e.Line
		marker.Kind, marker.Broken = Substack, ""
		r.stack = append(r.stack, marker)
	}
	level := e.Level
	if e.substack {
		level++
	}
	only := e.Phase
	if e.all {
		only = e.Line.Phase
	}
	why := e.Broken
	if why == "" {
		outer := r.via
		r.via = append(slices.Clone(outer), e.Place)
		why = r.include(e.Module, only, depth+1, level)
		r.via = outer
	}
	if why == "" {
		return
	}
	e.Control = allActions(Bad)
	e.Kind, e.Broken, e.Args = Failing, why, nil
	if e.Line.Phase == anyPhase { // libpam gives the service up
		r.s.Broken = why + " (" + e.File + ")"
		return
	}
	r.stack = append(r.stack, e.Line)
}

// include adds the lines of another file; "" when all is well.
func (r *reader) include(name string, only Phase, depth, level int) string {
	if r.files++; depth >= maxDepth || r.files > maxFiles {
		return "too many files include each other"
	}
	path, why := r.file(name, only, depth, level)
	if path == "" {
		return "there is no file " + name
	}
	return why
}

// lines are those of a file, as far as libpam gets.
func (r *reader) lines(name string) (lines []rawLine, path, why string) {
	content, path, err := r.open(name)
	if errors.Is(err, safefile.ErrSize) {
		return nil, path, path + " is too large to be a PAM stack"
	}
	r.err = errors.Join(r.err, err)
	lines, whole := assemble(content)
	if !whole {
		why = path + " ends within a line"
	}
	return lines, path, why
}

// open reads the file of a name; a path of "" means that there is none. What is no file, such as a folder, is empty.
func (r *reader) open(name string) (content, path string, err error) {
	paths := []string{name}
	if !strings.HasPrefix(name, "/") {
		paths = nil
		for _, folder := range folders() {
			paths = append(paths, folder+"/"+name)
		}
	}
	for _, path := range paths {
		file, err := safefile.ReadImport(r.host.Root+path, maxFile)
		switch {
		case err == nil:
			return string(file.Content), path, nil
		case errors.Is(err, safefile.ErrType):
			return "", path, nil
		case !notThere(err):
			return "", path, err
		}
	}
	return "", "", nil
}

// notThere: a name that leads nowhere is no file for libpam either.
func notThere(err error) bool {
	for _, reason := range []error{fs.ErrNotExist, unix.ENOTDIR, unix.ELOOP, unix.ENAMETOOLONG, unix.EINVAL} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"twokey/audit"
	"twokey/internal/safefile"
	"twokey/secrets"
)

// FileSystem is what a folder lies on.
type FileSystem struct {
	Name string // "ext4"
	// Remote: another machine can change it, or a lock or a synchronised write does not mean what a login relies on.
	Remote bool
	// CopyOnWrite: overwriting a file needs free space, so that a full disk stops logins.
	CopyOnWrite bool
	Volatile    bool  // gone after the next start
	Free        int64 // bytes that root can use
}

// How much room our files should have, in bytes.
const (
	leastRoom  = 1 << 20
	enoughRoom = 16 << 20
	anySize    = 1 << 62
)

// policyInForce: what is in force, and whether the file is.
func (e *examination) policyInForce() {
	check := command("twokey policy check")
	switch {
	case e.Policy == nil && errors.Is(e.Problem, fs.ErrNotExist):
		e.add(Finding{Severity: Error, ID: "no-policy", About: "policy", Message: "every login that calls twokey is denied, since there is no " + e.Config,
			Fix: command("twokey init")})
	case e.Policy == nil:
		e.add(Finding{Severity: Error, ID: "no-policy", About: "policy", Message: "every login that calls twokey is denied: " + oneLine(e.Problem), Fix: check})
	case e.Problem != nil:
		e.add(Finding{Severity: Error, ID: "last-good-policy", About: "policy", Message: "logins go by the last good policy: " + oneLine(e.Problem), Fix: check})
	case e.Policy.SwitchedOff(e.Now):
		e.add(Finding{Severity: Info, ID: "switched-off", About: "policy", Message: "twokey is switched off: nobody is asked", Fix: command("twokey enable")})
	case e.Policy.Observe:
		e.add(Finding{Severity: Info, ID: "observing", About: "policy", Message: "the policy only observes: nobody is refused", Fix: command("twokey config set observe false")})
	}
}

// oneLine makes one line of an error that was joined from several.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// place is a file or folder of ours.
type place struct {
	path     string // Root included
	folder   bool
	log      bool // a log's, whose folder may lie below one that a group can write
	mode     fs.FileMode
	optional bool // is not there before it is needed
	each     bool // the files in it too
	links    bool // of a folder: there are symbolic links in it, which lead nowhere
}

func (e *examination) places() []place {
	p := e.Policy.Paths
	data, log := e.Root+p.Data, e.Root+p.Audit
	return []place{
		{path: e.Config, mode: 0o644},
		{path: e.Root + p.Key, mode: 0o600},
		{path: e.Root + p.Credentials, folder: true, mode: 0o700, each: true, optional: true},
		{path: data, folder: true, mode: 0o700},
		{path: data + "/users", folder: true, mode: 0o700, each: true},
		{path: data + "/state", folder: true, mode: 0o700, each: true},
		{path: data + "/uids", folder: true, mode: 0o700, each: true, links: true},
		{path: data + "/enrolling", folder: true, mode: 0o700, each: true, optional: true},
		{path: data + "/bypass", folder: true, mode: 0o700, each: true, optional: true},
		{path: data + "/policy", mode: 0o600, optional: true},
		{path: filepath.Dir(log), folder: true, log: true, mode: 0o700},
		{path: log, log: true, mode: 0o600, optional: true},
		{path: strings.TrimSuffix(log, filepath.Ext(log)) + ".head", log: true, mode: 0o600},
	}
}

// files: owner and mode of everything that is ours, and what it lies on.
func (e *examination) files() {
	if e.Policy == nil {
		return
	}
	for _, p := range e.places() {
		if p.folder {
			e.folder(p)
		} else {
			e.file(p)
		}
	}
	e.contents()
	e.fileSystem(e.Root + e.Policy.Paths.Data)
	if log := filepath.Dir(e.Root + e.Policy.Paths.Audit); log != e.Root+e.Policy.Paths.Data {
		e.fileSystem(log)
	}
}

// contents: a login needs the host key and the head of the audit log; whether the files can be opened has been told.
func (e *examination) contents() {
	path := e.Root + e.Policy.Paths.Key
	if key, err := secrets.OpenHostKey(path); err == nil {
		key.Wipe()
	} else if errors.Is(err, secrets.ErrHostKey) && e.exists(path) {
		e.add(Finding{Severity: Error, ID: "host-key-damaged", About: "files", Message: "nobody's code can be checked: " + oneLine(err),
			Fix: "put the host key back from a backup; without it nobody's secret can be read"})
	}
	var unopened *fs.PathError
	if _, err := audit.ReadCheckpoint(e.Root + e.Policy.Paths.Audit); errors.Is(err, audit.ErrHead) && !errors.As(err, &unopened) {
		e.add(Finding{Severity: Error, ID: "audit-head-damaged", About: "files", Message: "nobody gets in, since nothing can be recorded: " + oneLine(err),
			Fix: command("twokey audit verify")})
	}
}

func (e *examination) open(p place) (*safefile.Dir, error) {
	folder := p.path
	if !p.folder {
		folder = filepath.Dir(p.path)
	}
	if p.log {
		return safefile.OpenLogDir(folder)
	}
	return safefile.OpenDir(folder)
}

func (e *examination) folder(p place) {
	dir, err := e.open(p)
	if err != nil {
		e.fileFault(p, p.path, err)
		return
	}
	defer dir.Close()
	var st unix.Stat_t
	if err := unix.Fstat(dir.Fd(), &st); err == nil && fs.FileMode(st.Mode)&0o777&^p.mode != 0 {
		e.add(Finding{Severity: Warning, ID: "file-mode", About: "files", Message: fmt.Sprintf("%s can be looked into by others (%04o)", p.path, st.Mode&0o7777),
			Fix: command("chmod %04o '%s'", p.mode, p.path)})
	}
	if !p.each {
		return
	}
	all, err := dir.Names()
	if err != nil {
		e.fileFault(p, p.path, err)
	}
	slices.Sort(all)
	for _, name := range all {
		one := place{path: p.path + "/" + name, mode: 0o600, links: p.links}
		if !p.links {
			e.openIn(dir, one)
		} else if _, err := dir.ReadLink(name, unix.PathMax); err != nil {
			e.fileFault(one, one.path, err)
		}
	}
}

func (e *examination) file(p place) {
	dir, err := e.open(p)
	if errors.Is(err, fs.ErrNotExist) {
		return // told of the folder, or of the file that must be there
	}
	if err != nil {
		e.fileFault(p, filepath.Dir(p.path), err)
		return
	}
	defer dir.Close()
	e.openIn(dir, p)
}

// openIn opens a file as a login would.
func (e *examination) openIn(dir *safefile.Dir, p place) {
	f, err := dir.Open(filepath.Base(p.path), unix.O_RDONLY, safefile.Rules{MaxSize: anySize, Forbid: 0o777 &^ p.mode})
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		e.fileFault(p, p.path, err)
	}
}

// fileFault: what a login refuses.
func (e *examination) fileFault(p place, path string, err error) {
	if p.optional && errors.Is(err, fs.ErrNotExist) {
		return
	}
	f := Finding{Severity: Error, ID: "file-unusable", About: "files", Message: fmt.Sprintf("%s is refused by every login that needs it: %v", path, reason(err)),
		Fix: command("ls -ld '%s'", path)}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.ID, f.Message = "file-missing", path+" is not there, and every login that needs it is refused"
		f.Fix = "put it back from a backup; on a host that was never set up run: twokey init"
	case errors.Is(err, safefile.ErrOwner):
		f.ID, f.Fix = "file-owner", command("chown root:root '%s'", path)
		if p.links {
			f.Fix = command("chown -h root:root '%s'", path)
		}
	case errors.Is(err, safefile.ErrMode):
		f.ID, f.Fix = "file-mode", command("chmod %04o '%s'", p.mode, path)
	case errors.Is(err, safefile.ErrParents):
		f.ID, f.Fix = "file-parents", command("namei -l '%s'", path)
	}
	e.add(f)
}

// reason is an error without the path, which the sentence has already.
func reason(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

func (e *examination) fileSystem(folder string) {
	if e.FileSystem == nil {
		return
	}
	found, err := e.FileSystem(folder)
	if err != nil {
		return // told of the folder
	}
	add := func(severity Severity, id, fix, format string, args ...any) {
		e.add(Finding{Severity: severity, ID: id, About: "files", Message: folder + " " + fmt.Sprintf(format, args...), Fix: fix})
	}
	const elsewhere = "give twokey a folder on a local ext4 or xfs: paths in the configuration"
	switch {
	case found.Remote:
		add(Error, "file-system-remote", elsewhere, "lies on a network file system (%s), on which codes could be used twice", found.Name)
	case found.Volatile:
		add(Error, "file-system-volatile", elsewhere, "lies in memory (%s): after the next start used codes are good again", found.Name)
	case found.CopyOnWrite:
		add(Warning, "file-system-copies", elsewhere, "lies on %s, on which a full disk can stop logins; make no snapshots of it", found.Name)
	}
	switch {
	case found.Free < leastRoom:
		add(Error, "disk-full", command("df -h '%s'", folder), "has no room left, so that nobody gets in or soon will not")
	case found.Free < enoughRoom:
		add(Warning, "disk-nearly-full", command("df -h '%s'", folder), "has %d MiB left", found.Free>>20)
	}
}

// exists reports whether a file is there, as far as it can be told.
func (e *examination) exists(path string) bool {
	dir, err := safefile.OpenDir(filepath.Dir(path))
	if err != nil {
		return false
	}
	defer dir.Close()
	there, err := dir.Exists(filepath.Base(path))
	return err == nil && there
}

// program is a file that runs as root in every login.
func (e *examination) program(id, what, path, fix string) {
	f := Finding{Severity: Error, ID: id, About: "files", Fix: fix}
	dir, err := safefile.OpenDir(filepath.Dir(e.Root + path))
	var file *os.File
	if err == nil {
		defer dir.Close()
		file, err = dir.Open(filepath.Base(path), unix.O_RDONLY, safefile.Rules{MaxSize: anySize, Forbid: 0o022})
	}
	if err == nil {
		defer file.Close()
		return
	}
	f.Message = fmt.Sprintf("%s %s cannot be used, and every login that calls it is refused: %v", what, path, reason(err))
	switch {
	case errors.Is(err, safefile.ErrOwner):
		f.Fix = command("chown root:root '%s'", e.Root+path)
	case errors.Is(err, safefile.ErrMode):
		f.Fix = command("chmod go-w '%s'", e.Root+path)
	}
	e.add(f)
}

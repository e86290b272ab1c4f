package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"twokey/audit"
	"twokey/internal/safefile"
	"twokey/policy"
	"twokey/policy/inforce"
	"twokey/secrets"
)

// errChangedMeanwhile is returned when the configuration is no longer the one that was asked about, and the edit would now do
// something else to it.
var errChangedMeanwhile = failed("the configuration was changed by somebody else at the same time, and is left as it is now").
	hint("look at it and try again")

// configEdit is a change of the configuration file that is not written yet: it can be shown and asked about first.
type configEdit struct {
	path          string
	wanted        []policy.Change // nil: it was written by hand, and cannot be made again in another file
	before, after []byte
	was, is       *policy.Config
	lastSeen      [sha256.Size]byte // digest of the policy that was in force until it was written; zero: none, or not written
	isSwitch      bool              // it switches twokey off or on, the way out of an emergency: a file that another program writes is edited too
}

// planEdit makes the changes in a copy of the configuration file, whose comments stay.
func (h *host) planEdit(changes ...policy.Change) (*configEdit, error) {
	source, err := safefile.ReadFile(h.config, safefile.Public)
	if err != nil {
		return nil, err
	}
	return planIn(h.config, source, changes)
}

func planIn(path string, source []byte, wanted []policy.Change) (e *configEdit, err error) {
	e = &configEdit{path: path, wanted: wanted, before: source, after: source}
	for _, change := range wanted {
		if e.after, err = policy.Edit(e.after, change); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if e.was, err = policy.Parse(e.before); err != nil {
		return nil, err
	}
	if e.is, err = policy.Parse(e.after); err != nil {
		return nil, err
	}
	// What is wrong with those that stand there already keeps nobody from editing something else.
	if err := checkSigners(e.after, missing(e.is.Provisioners, e.was.Provisioners)); err != nil {
		return nil, err
	}
	return e, nil
}

// empty reports whether there is nothing to change.
func (e *configEdit) empty() bool { return bytes.Equal(e.before, e.after) }

// diff shows the change as diff(1) -u does.
func (e *configEdit) diff() string { return unifiedDiff(e.path, e.before, e.after) }

// loosened is by what somebody may be let in with less than before.
func (e *configEdit) loosened() []string { return policy.Loosened(e.was, e.is) }

func (e *configEdit) loosens() bool { return len(e.loosened()) > 0 }

// allowed refuses to edit a file that another program writes: what is changed here would be gone with its next run.
func (e *configEdit) allowed() error {
	if e.was.ManagedBy == "" || e.isSwitch {
		return nil
	}
	return failed("%s is managed by %s (managed_by), nothing was changed", e.path, e.was.ManagedBy).
		hint("edit it with %s; to see what this would change: --dry-run", e.was.ManagedBy)
}

// renew makes the edit again in what the file has become since it was planned. It must not then let anybody in whom the diff that was
// shown, and confirmed, does not tell of: who has been required meanwhile was required on purpose.
func (e *configEdit) renew(now []byte) error {
	if bytes.Equal(now, e.before) {
		return nil
	}
	if e.wanted == nil {
		return errChangedMeanwhile
	}
	fresh, err := planIn(e.path, now, e.wanted)
	if err != nil {
		return err
	}
	// Other paths have another lock and another log; under another default it means something else that an entry is taken away.
	if fresh.was.Paths != e.was.Paths || fresh.was.Default != e.was.Default || len(missing(fresh.loosened(), e.loosened())) > 0 {
		return errChangedMeanwhile
	}
	fresh.isSwitch = e.isSwitch
	*e = *fresh
	return nil
}

// apply puts the edit in force and records it. It is made in what the file is when nobody else can edit it, so that of several
// commands at once each succeeds, and the log has them in their order. The edit is then what was done, which is nothing (empty)
// when another was faster with the same.
func (h *host) apply(e *configEdit, action, target string) error {
	lock, err := h.lockEdits(e)
	if err != nil {
		return err
	}
	defer lock.Close()
	return h.applyLocked(e, action, target)
}

// lockEdits takes the lock of the host that the edit finds. Where the data folder has been moved already, it is that of the new place.
func (h *host) lockEdits(e *configEdit) (*safefile.Dir, error) {
	lock, err := lockData(h.path(e.was.Paths.Data))
	if errors.Is(err, fs.ErrNotExist) && e.is.Paths.Data != e.was.Paths.Data {
		lock, err = lockData(h.path(e.is.Paths.Data))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, notSetUp(err)
	}
	return lock, err
}

// applyLocked is apply for who has the lock.
func (h *host) applyLocked(e *configEdit, action, target string) error {
	if err := e.write(); err != nil || e.empty() {
		return err
	}
	h.policy = e.is
	notInForce := h.putInForce(e)
	return errors.Join(notInForce, h.record(action, target, e.changes()...))
}

// lockWait is how long a command waits for another one that edits the configuration. Only "policy edit" takes longer.
const lockWait = 20 * time.Second

// lockData waits until no other command edits the configuration or sets the host up, and keeps them from it until the folder is
// closed. It is the data folder: nobody but root can open it, and so lock it.
func lockData(data string) (*safefile.Dir, error) { return lockWithin(data, lockWait) }

func lockWithin(data string, wait time.Duration) (*safefile.Dir, error) {
	dir, err := safefile.OpenDir(data)
	if err != nil {
		return nil, err
	}
	locked := make(chan error, 1)
	go func() { locked <- unix.Flock(dir.Fd(), unix.LOCK_EX) }()
	select {
	case err = <-locked:
	case <-time.After(wait):
		// The folder stays open: its number must not become another file's while somebody waits for it. The program ends now.
		return nil, failed("somebody else is editing the configuration at this moment").hint("is \"twokey policy edit\" open at another terminal? try again when it is done")
	}
	if err != nil {
		return nil, errors.Join(&fs.PathError{Op: "lock", Path: data, Err: err}, dir.Close())
	}
	return dir, nil
}

// write replaces the file, under the lock.
func (e *configEdit) write() error {
	dir, err := safefile.OpenDir(filepath.Dir(e.path))
	if err != nil {
		return err
	}
	defer dir.Close()
	now, perm, err := readWithMode(dir, filepath.Base(e.path))
	if err != nil {
		return err
	}
	if err := e.renew(now); err != nil || e.empty() {
		return err
	}
	if err := e.allowed(); err != nil {
		return err
	}
	return dir.Replace(filepath.Base(e.path), e.after, perm)
}

// putInForce compiles what was written, so that the next login need not. What cannot be compiled now that login compiles.
func (h *host) putInForce(e *configEdit) error {
	if h.root != "" {
		return nil // its paths are another host's; that compiles the file when somebody logs in there
	}
	inForce, err := inforce.Load(h.config)
	if err != nil {
		return fmt.Errorf("the configuration was changed, and is not in force: %w", err)
	}
	if inForce.Problem != nil {
		h.ui.warn("%s", oneLine(inForce.Problem))
	}
	e.lastSeen = inForce.Before
	if err := inForce.Watch(h.config, time.Now()); err != nil {
		h.ui.warn("what ends before the next login may not be recorded: %s", oneLine(err))
	}
	return nil
}

// readWithMode reads a file and its permissions, which its replacement gets.
func readWithMode(dir *safefile.Dir, name string) ([]byte, fs.FileMode, error) {
	content, err := dir.Read(name, safefile.Public)
	if err != nil {
		return nil, 0, err
	}
	f, err := dir.Open(name, unix.O_RDONLY, safefile.Public)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	return content, info.Mode().Perm(), nil
}

// wording is what a command that edits the configuration says.
type wording struct {
	action   string // in the audit log
	target   string // and the user whom it is about; "": several, or none
	question string // asked before anything is written that lets in with less; "": a question of all such edits
	always   bool   // the question is asked whatever the edit is
	already  string // nothing had to be changed
	done     string
}

// edited is what a command that edits the configuration prints with --json.
type edited struct {
	Changed bool   `json:"changed"`
	DryRun  bool   `json:"dry_run,omitempty"`
	Diff    string `json:"diff"`
}

// commit is carryOut for commands that have nothing else to print.
func (h *host) commit(e *configEdit, w wording) error {
	result, err := h.carryOut(e, w)
	if err != nil {
		return err
	}
	return h.ui.object(result)
}

// carryOut shows an edit, asks where there is something to ask, and, without --dry-run, writes it.
func (h *host) carryOut(e *configEdit, w wording) (edited, error) {
	h.ui.lines(e.diff())
	switch {
	case e.empty():
		h.ui.say("%s", visible(w.already))
		return edited{DryRun: h.dryRun}, nil
	case h.dryRun:
		h.ui.say("Nothing was changed (--dry-run).")
		return edited{Changed: true, DryRun: true, Diff: e.diff()}, nil
	}
	if err := errors.Join(e.allowed(), h.checkMove(e)); err != nil {
		return edited{}, err
	}
	if question := e.question(w); question != "" {
		if err := h.ui.confirm(h.yes, "%s", question); err != nil {
			return edited{}, err
		}
	}
	if err := h.apply(e, w.action, w.target); err != nil {
		return edited{}, err
	}
	if e.empty() {
		h.ui.say("%s", visible(w.already))
	} else {
		h.ui.say("%s", visible(w.done))
	}
	return edited{Changed: !e.empty(), Diff: e.diff()}, nil
}

// question is what has to be asked before the edit is written; "": nothing.
func (e *configEdit) question(w wording) string {
	loosened := e.loosened()
	switch {
	case len(loosened) == 0 && !w.always:
		return ""
	case w.question != "":
		return w.question
	}
	return "Somebody may get in with less than before (" + firstFew(loosened, "; ", 3) + "). Go on?"
}

// checkMove refuses paths to where nothing is: the next login would find no host key, no users and no log. The files have to be moved
// first.
func (h *host) checkMove(e *configEdit) error {
	was, is := e.was.Paths, e.is.Paths
	var wrong error
	if is.Data != was.Data {
		dir, err := safefile.OpenDir(h.path(is.Data) + "/users")
		if err == nil {
			err = dir.Close()
		}
		wrong = errors.Join(wrong, err)
	}
	if is.Audit != was.Audit {
		_, err := audit.ReadCheckpoint(h.path(is.Audit))
		wrong = errors.Join(wrong, err)
	}
	if is.Key != was.Key {
		key, err := secrets.OpenHostKey(h.path(is.Key))
		if err == nil {
			key.Wipe()
		}
		wrong = errors.Join(wrong, err)
	}
	if wrong == nil {
		return nil
	}
	return failed("paths would lead to where nothing is, nothing was changed: %s", oneLine(wrong)).
		hint("stop logins, move the files, and then change paths")
}

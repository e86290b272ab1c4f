package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"twokey/audit"
	"twokey/internal/safefile"
	"twokey/policy"
	"twokey/policy/inforce"
)

// errChangedMeanwhile is returned when the configuration is no longer the one that was asked about, and the edit would now do
// something else to it.
var errChangedMeanwhile = failed("the configuration was changed by somebody else at the same time, and is left as it is now").
	hint("look at it and try again")

// configEdit is a change of the configuration file that is not written yet: it can be shown and asked about first.
type configEdit struct {
	path          string
	wanted        []policy.Change
	before, after []byte
	was, is       *policy.Config
	lastSeen      [sha256.Size]byte // digest of the policy that was in force until it was written; zero: none, or not written
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
	return e, nil
}

// empty reports whether there is nothing to change.
func (e *configEdit) empty() bool { return bytes.Equal(e.before, e.after) }

// diff shows the change as diff(1) -u does.
func (e *configEdit) diff() string { return unifiedDiff(e.path, e.before, e.after) }

// loosens reports whether somebody may be let in with less than before.
func (e *configEdit) loosens() bool { return len(e.loosened()) > 0 }

// loosened is what lets in with less: whom require no longer names as widely, whom exempt does now, and that twokey is off.
func (e *configEdit) loosened() []string {
	var all []string
	for _, who := range missing(subjects(e.was.Require), subjects(e.is.Require)) {
		all = append(all, "not required: "+who)
	}
	for _, who := range missing(subjects(e.is.Exempt), subjects(e.was.Exempt)) {
		all = append(all, "exempt: "+who)
	}
	if e.is.Off && !e.was.Off {
		all = append(all, "off")
	}
	return all
}

// renew makes the edit again in what the file has become since it was planned. It must not then let anybody in whom the diff that was
// shown, and confirmed, does not tell of: who has been required meanwhile was required on purpose.
func (e *configEdit) renew(now []byte) error {
	if bytes.Equal(now, e.before) {
		return nil
	}
	fresh, err := planIn(e.path, now, e.wanted)
	if err != nil {
		return err
	}
	// Other paths have another lock and another log; under another default it means something else that an entry is taken away.
	if fresh.was.Paths != e.was.Paths || fresh.was.Default != e.was.Default || len(missing(fresh.loosened(), e.loosened())) > 0 {
		return errChangedMeanwhile
	}
	*e = *fresh
	return nil
}

// changes are what the edit changes, for the audit log.
func (e *configEdit) changes() []audit.Change {
	var all []audit.Change
	if e.was.Off != e.is.Off {
		all = append(all, audit.Change{Field: "enabled", Old: fmt.Sprint(!e.was.Off), New: fmt.Sprint(!e.is.Off)})
	}
	for _, list := range []struct {
		name    string
		was, is []policy.Entry
	}{{"require", e.was.Require, e.is.Require}, {"exempt", e.was.Exempt, e.is.Exempt}} {
		was, is := entryTexts(list.was), entryTexts(list.is)
		for _, entry := range missing(was, is) {
			all = append(all, audit.Change{Field: list.name, Old: entry})
		}
		for _, entry := range missing(is, was) {
			all = append(all, audit.Change{Field: list.name, New: entry})
		}
	}
	return append(all, e.digests()...)
}

// digests tie the record to the files. The compiled policy is new, so that no login will see a change by hand that came before:
// it is told here.
func (e *configEdit) digests() []audit.Change {
	before, after := sha256.Sum256(e.before), sha256.Sum256(e.after)
	changes := []audit.Change{{Field: "sha256", Old: hex.EncodeToString(before[:]), New: hex.EncodeToString(after[:])}}
	if e.lastSeen != [sha256.Size]byte{} && e.lastSeen != before {
		changes = append(changes, audit.Change{Field: "sha256 before, by hand", Old: hex.EncodeToString(e.lastSeen[:]), New: hex.EncodeToString(before[:])})
	}
	return changes
}

// missing are the texts that the other list does not have as often.
func missing(from, in []string) []string {
	left := map[string]int{}
	for _, text := range in {
		left[text]++
	}
	var found []string
	for _, text := range from {
		if left[text]--; left[text] < 0 {
			found = append(found, text)
		}
	}
	return found
}

// entryTexts are entries on one line each.
func entryTexts(entries []policy.Entry) []string {
	var texts []string
	for _, e := range entries {
		texts = append(texts, entryText(e))
	}
	return texts
}

// subjects are the entries taken apart: one text for every user or group, and for every service of which everybody is meant.
func subjects(entries []policy.Entry) []string {
	var texts []string
	for _, e := range entries {
		for _, user := range e.Users {
			texts = append(texts, entryText(policy.Entry{Users: []string{user}, Services: e.Services}))
		}
		for _, group := range e.Groups {
			texts = append(texts, entryText(policy.Entry{Groups: []string{group}, Services: e.Services}))
		}
		for _, service := range e.Services {
			if len(e.Users)+len(e.Groups) == 0 {
				texts = append(texts, entryText(policy.Entry{Services: []string{service}}))
			}
		}
	}
	return texts
}

// entryText is an entry on one line: "groups wheel, users alice, services sshd".
func entryText(e policy.Entry) string {
	var parts []string
	for _, list := range []struct {
		kind  string
		names []string
	}{{"groups", e.Groups}, {"users", e.Users}, {"services", e.Services}} {
		if len(list.names) > 0 {
			parts = append(parts, list.kind+" "+strings.Join(list.names, " "))
		}
	}
	return strings.Join(parts, ", ")
}

// apply puts the edit in force and records it. It is made in what the file is when nobody else can edit it, so that of several
// commands at once each succeeds, and the log has them in their order. The edit is then what was done, which is nothing (empty)
// when another was faster with the same.
func (h *host) apply(e *configEdit, action, target string) error {
	lock, err := lockData(h.path(e.was.Paths.Data))
	if errors.Is(err, fs.ErrNotExist) {
		return notSetUp(err)
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := e.write(); err != nil || e.empty() {
		return err
	}
	h.policy = e.is
	notInForce := h.putInForce(e)
	return errors.Join(notInForce, h.record(action, target, e.changes()...))
}

// lockData waits until no other command edits the configuration or sets the host up, and keeps them from it until the folder is
// closed. It is the data folder: nobody but root can open it, and so lock it.
func lockData(data string) (*safefile.Dir, error) {
	dir, err := safefile.OpenDir(data)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(dir.Fd(), unix.LOCK_EX); err != nil {
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
	question string // asked before anything is written; "": none
	already  string // nothing had to be changed
	done     string
}

// commit shows an edit, asks where there is something to ask, and, without --dry-run, writes it.
func (h *host) commit(e *configEdit, w wording) error {
	result := struct {
		Changed bool   `json:"changed"`
		DryRun  bool   `json:"dry_run,omitempty"`
		Diff    string `json:"diff"`
	}{!e.empty(), h.dryRun, e.diff()}
	h.ui.lines(e.diff())
	switch {
	case e.empty():
		h.ui.say("%s", w.already)
		return h.ui.object(result)
	case h.dryRun:
		h.ui.say("Nothing was changed (--dry-run).")
		return h.ui.object(result)
	}
	if w.question != "" {
		if err := h.ui.confirm(h.yes, "%s", w.question); err != nil {
			return err
		}
	}
	if err := h.apply(e, w.action, ""); err != nil {
		return err
	}
	if result.Changed, result.Diff = !e.empty(), e.diff(); e.empty() {
		h.ui.say("%s", w.already)
	} else {
		h.ui.say("%s", w.done)
	}
	return h.ui.object(result)
}

package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
	"twokey/internal/slotfile"
)

// Create makes an empty log and its head, and their directory (0700) if need be. It gives the verification key, which is kept nowhere
// on the host: after the first record it cannot be had any more. It fails with fs.ErrExist when there is a head, or a log with
// something in it.
func Create(path string) (VerificationKey, error) {
	dirName, logName, headName, err := names(path)
	if err != nil {
		return VerificationKey{}, err
	}
	dir, err := safefile.MakeLogDir(dirName, 0o700)
	if err != nil {
		return VerificationKey{}, err
	}
	defer dir.Close()
	return create(dir, logName, headName)
}

// create makes the head last: with a log alone, Create can be called again, and nothing can be appended.
func create(dir *safefile.Dir, logName, headName string) (VerificationKey, error) {
	if there, err := dir.Exists(headName); err != nil || there {
		return VerificationKey{}, errors.Join(err, exists(dir, headName, there))
	}
	log, err := openLog(dir, logName)
	if err != nil {
		return VerificationKey{}, err
	}
	size, err := sizeOf(log)
	if err = errors.Join(err, log.Close(), exists(dir, logName, size > 0)); err != nil {
		return VerificationKey{}, err
	}
	first := head{position: position{keyed: true, key: random()}, nameKey: random()}
	if err := slotfile.Create(dir, headName, headKind, first.encode()); err != nil {
		return VerificationKey{}, err
	}
	return VerificationKey{first.key}, nil
}

func exists(dir *safefile.Dir, name string, there bool) error {
	if !there {
		return nil
	}
	return &os.PathError{Op: "create", Path: dir.Path() + "/" + name, Err: fs.ErrExist}
}

// Restart sets a log and its head aside and begins new ones, whose verification key it gives: for a head that was lost or damaged
// ([ErrHead]), and for a host whose verification key was lost. The old files stay beside the new ones, with the time of r in
// their names (audit-20261121T182455Z.jsonl). The first new record is r, with the action [ActionRestarted] and what the old log
// was in its details: twokey.former_log, twokey.former_bytes and twokey.former_hash (of the whole file). r may have 13 others.
func Restart(path string, r Record) (VerificationKey, error) {
	dirName, logName, headName, err := names(path)
	if err != nil {
		return VerificationKey{}, err
	}
	r.Action = ActionRestarted
	r.Details = append(formerDetails("", "", ""), r.Details...)
	if err := r.check(); err != nil {
		return VerificationKey{}, err
	}
	dir, err := safefile.OpenLogDir(dirName)
	if err != nil {
		return VerificationKey{}, err
	}
	defer dir.Close()
	// Whoever is appending finishes first. Without a good head nobody can append, and there is nothing to wait for.
	if slots, err := slotfile.Acquire(dir, headName, headKind); err == nil {
		defer slots.Close()
	} else if !errors.Is(err, slotfile.ErrCorrupt) && !errors.Is(err, fs.ErrNotExist) {
		return VerificationKey{}, err
	}
	former, err := setAside(dir, headName, logName, "-"+r.Time.UTC().Format("20060102T150405Z"))
	if err != nil {
		return VerificationKey{}, err
	}
	key, err := create(dir, logName, headName)
	if err != nil {
		return VerificationKey{}, err
	}
	copy(r.Details, former)
	return key, appendChecked(path, &r)
}

func formerDetails(log, size, sum string) []Detail {
	return []Detail{{"twokey.former_log", log}, {"twokey.former_bytes", size}, {"twokey.former_hash", sum}}
}

// setAside renames the head before the log, so that nobody can append in between, and describes the log.
func setAside(dir *safefile.Dir, headName, logName, stamp string) ([]Detail, error) {
	extension := filepath.Ext(logName)
	aside := strings.TrimSuffix(logName, extension) + stamp + extension
	if err := rename(dir, headName, strings.TrimSuffix(headName, ".head")+stamp+".head"); err != nil {
		return nil, err
	}
	if err := rename(dir, logName, aside); err != nil {
		return nil, err
	}
	log, err := dir.Open(aside, unix.O_RDONLY, logRules)
	if errors.Is(err, fs.ErrNotExist) {
		return formerDetails("gone", "", ""), nil
	}
	if err != nil {
		return nil, err
	}
	defer log.Close()
	size, err := sizeOf(log)
	if err != nil {
		return nil, err
	}
	sum, err := hashOf(log, 0, size, "")
	return formerDetails(aside, strconv.FormatInt(size, 10), sum.String()), err
}

// rename passes over a file that is gone; it never replaces one.
func rename(dir *safefile.Dir, from, to string) error {
	err := unix.Renameat2(dir.Fd(), from, dir.Fd(), to, unix.RENAME_NOREPLACE)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("audit: %s cannot be set aside as %s: %w", from, to, err)
	}
	return nil
}

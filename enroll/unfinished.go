package enroll

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"twokey/internal/safefile"
	"twokey/internal/slotfile"
)

const (
	unfinishedFolder = "/enrolling"
	unfinishedKind   = "enrol"
)

// unfinished is what is kept of an enrolment that is still to come: see unfinishedformat.go.
type unfinished struct {
	user    string
	uid     uint32
	code    *codeHash
	draft   *kept
	waiting []Announcement
	lacking []lacking
	texts   []time.Time // that were sent to numbers which were to be enrolled, the oldest first
}

// codeHash is what is kept of an enrolment code, or of a bypass code that is made.
type codeHash struct {
	key   [32]byte
	hash  [16]byte
	until time.Time
}

// kept is an unfinished draft.
type kept struct {
	id     [8]byte // of its device
	begun  time.Time
	sealed []byte // the draft, with the host key
}

// lacking is a service that has no account line in its PAM stack.
type lacking struct {
	service string
	since   time.Time
}

func (n *unfinished) empty() bool {
	return n.code == nil && n.draft == nil && len(n.waiting) == 0 && len(n.lacking) == 0 && len(n.texts) == 0
}

// folder opens the folder of unfinished enrolments; fs.ErrNotExist when there never was one.
func (u *Users) folder() (*safefile.Dir, error) {
	return safefile.OpenDir(u.State.Data() + unfinishedFolder)
}

// readUnfinished is for looking; nil when there is nothing. What is decided by it is looked at again under the lock.
func (u *Users) readUnfinished(user string) (*unfinished, error) {
	dir, err := u.folder()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	name := safefile.UserFileName(user)
	if there, err := dir.Exists(name); err != nil || !there {
		return nil, err
	}
	value, err := slotfile.Read(dir, name, unfinishedKind)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return decodeFor(user, value)
}

// eachUnfinished calls fn for every user of whom something is kept. A name that is too long for a file name is left out.
func (u *Users) eachUnfinished(fn func(*unfinished) error) error {
	dir, err := u.folder()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	files, err := dir.Names()
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range files {
		user, err := safefile.UserName(file)
		if err != nil {
			continue
		}
		n, err := u.readUnfinished(user)
		if err == nil && n != nil {
			err = fn(n)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func decodeFor(user string, value []byte) (*unfinished, error) {
	n, err := decodeUnfinished(value)
	if err == nil && n.user != user {
		err = fmt.Errorf("%w: it is that of %q", errUnfinished, n.user)
	}
	if err != nil {
		return nil, fmt.Errorf("unfinished enrolment of %q: %w", user, err)
	}
	return n, nil
}

// change lets fn change what is kept of an account under its lock, which comes before that of the user's state. What fn has changed is on
// the disk when change returns nil, and nothing of it is kept when fn fails. What was kept of another user id is not the account's.
func (u *Users) change(a Account, fn func(*unfinished) error) error {
	dir, err := safefile.MakeDir(u.State.Data()+unfinishedFolder, 0o700)
	if err != nil {
		return err
	}
	defer dir.Close()
	file, err := u.acquire(dir, a)
	if err != nil {
		return err
	}
	err = changeLocked(dir, file, a, fn)
	return errors.Join(err, file.Close())
}

// acquireTries is how often a file is made that somebody else takes away before its lock is had.
const acquireTries = 10

func (u *Users) acquire(dir *safefile.Dir, a Account) (file *slotfile.File, err error) {
	name := safefile.UserFileName(a.Name)
	for range acquireTries {
		file, err = slotfile.Acquire(dir, name, unfinishedKind)
		if !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
		value, err := (&unfinished{user: a.Name, uid: a.UID}).encode()
		if err != nil {
			return nil, err
		}
		if err := slotfile.Create(dir, name, unfinishedKind, value); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return nil, err
}

func changeLocked(dir *safefile.Dir, file *slotfile.File, a Account, fn func(*unfinished) error) error {
	n, err := decodeFor(a.Name, file.Value())
	if err != nil {
		return err
	}
	if n.uid != a.UID {
		n = &unfinished{user: a.Name, uid: a.UID}
	}
	err = fn(n)
	if n.empty() {
		return errors.Join(err, dir.Remove(safefile.UserFileName(a.Name)))
	}
	if err != nil {
		return err
	}
	value, err := n.encode()
	if err != nil {
		return err
	}
	return errors.Join(file.Write(value), file.Sync())
}

// endUnfinished takes away whatever is kept of a user, also what is damaged. It waits for whoever is finishing.
func (u *Users) endUnfinished(user string) error {
	return u.ending(user, func(*unfinished) error { return nil })
}

// ending runs do while nobody can finish an enrolment of the user, and takes away what was kept of him when that returns nil. Do gets it: nil
// when nothing is kept, or what is kept is damaged.
func (u *Users) ending(user string, do func(*unfinished) error) error {
	dir, err := u.folder()
	if errors.Is(err, fs.ErrNotExist) {
		return do(nil)
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	name := safefile.UserFileName(user)
	file, err := slotfile.Acquire(dir, name, unfinishedKind)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return do(nil)
	case errors.Is(err, slotfile.ErrCorrupt):
		if err := do(nil); err != nil {
			return err
		}
		return gone(dir.Remove(name))
	case err != nil:
		return err
	}
	n, err := decodeFor(user, file.Value())
	if err != nil {
		n = nil
	}
	if err = do(n); err == nil {
		err = gone(dir.Remove(name))
	}
	return errors.Join(err, file.Close())
}

// RemoveStale removes what writers that were killed more than an hour ago have left behind, of users' secrets and states too.
func (u *Users) RemoveStale() error {
	now := u.Now()
	dir, err := u.folder()
	switch {
	case err == nil:
		err = errors.Join(dir.RemoveStale(now, time.Hour), dir.Close())
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	return errors.Join(err, u.Secrets.RemoveStale(now), u.State.RemoveStale(now))
}

// gone takes it for done that a file was not there any more.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

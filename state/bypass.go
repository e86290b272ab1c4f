package state

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"twokey/internal/safefile"
	"twokey/internal/slotfile"
)

// Limits of bypass codes, chosen so that all of one user fit into a slot.
const (
	MaxBypasses     = 8
	MaxBypassUses   = 1000
	MaxBypassReason = 120 // bytes
	MaxBypassName   = 64  // bytes of who asked for it and of who made it

	bypassKind   = "bypass"
	bypassFolder = "/bypass"
)

// Errors of bypass codes.
var (
	// ErrNoBypass is for an answer that is no open bypass code, and for an id of none.
	ErrNoBypass = errors.New("no such bypass code is open")
	// ErrManyBypasses is for a ninth.
	ErrManyBypasses = fmt.Errorf("%d bypass codes are open, and no user has more", MaxBypasses)
	// ErrBypass is for a bypass that is not within the limits.
	ErrBypass = errors.New("not a bypass")
)

// BypassID names a bypass code; it is random, and no secret.
type BypassID [4]byte

// String gives 8 hexadecimal digits.
func (id BypassID) String() string { return hex.EncodeToString(id[:]) }

// Bypass is a code in place of a device, made by an administrator.
type Bypass struct {
	ID        BypassID
	Created   time.Time
	Until     time.Time // good until then
	Uses      int       // how often it was good in all, 1 to MaxBypassUses
	Left      int       // how often it still is
	Key       [32]byte  // of this code alone, with which its hash is keyed
	Hash      [16]byte
	Reason    string // printable, at most MaxBypassReason bytes
	Requester string // who asked for it; printable, at most MaxBypassName bytes
	By        string // who made it
}

// Format prints which one it is without what it is looked for by.
func (b Bypass) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "bypass %v", b.ID) }

// open reports whether it is good at a time. One that was made more than five minutes ahead of it is not: the clock has been set back,
// and nobody knows how long it would be good.
func (b Bypass) open(now time.Time) bool {
	return b.Left > 0 && now.Before(b.Until) && !now.Before(b.Created.Add(-clockSlack))
}

func (b Bypass) check() error {
	switch {
	case b.ID == BypassID{} || b.Key == [32]byte{}:
		return fmt.Errorf("%w: without an id or a key", ErrBypass)
	case b.Uses < 1 || b.Uses > MaxBypassUses || b.Left < 1 || b.Left > b.Uses:
		return fmt.Errorf("%w: %d of %d uses are left, want 1 to %d", ErrBypass, b.Left, b.Uses, MaxBypassUses)
	case !b.Created.Before(b.Until):
		return fmt.Errorf("%w: good until %v, before it was made", ErrBypass, b.Until)
	case !bypassText(b.Reason, MaxBypassReason):
		return fmt.Errorf("%w: a reason of %d bytes, want 1 to %d that can be printed", ErrBypass, len(b.Reason), MaxBypassReason)
	case !bypassText(b.Requester, MaxBypassName) || !bypassText(b.By, MaxBypassName):
		return fmt.Errorf("%w: who asked for it or who made it: want 1 to %d bytes that can be printed", ErrBypass, MaxBypassName)
	}
	return nil
}

// bypassText is what can stand in a log line and on a terminal.
func bypassText(text string, limit int) bool {
	return text != "" && len(text) <= limit && utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Bypasses are the user's open bypass codes, the oldest first.
func (t *Tx) Bypasses(now time.Time) ([]Bypass, error) { return t.store.Bypasses(t.User, now) }

// Bypasses is that of Tx for showing: decisions belong into Update.
func (s *Store) Bypasses(user string, now time.Time) ([]Bypass, error) {
	all, err := s.readBypasses(user)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(b Bypass) bool { return !b.open(now) }), nil
}

// BypassUsers lists the names of the users who have bypass codes, open or not, in no order. A name that is too long for a file name is
// left out.
func (s *Store) BypassUsers() ([]string, error) {
	dir, err := safefile.OpenDir(s.data + bypassFolder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	files, err := dir.Names()
	if err != nil {
		return nil, err
	}
	var users []string
	for _, file := range files {
		if user, err := safefile.UserName(file); err == nil {
			users = append(users, user)
		}
	}
	return users, nil
}

// AddBypass keeps one more, synchronised when it returns nil. A ninth is ErrManyBypasses, one out of the limits ErrBypass.
func (t *Tx) AddBypass(b Bypass, now time.Time) error {
	if err := b.check(); err != nil {
		return err
	}
	open, err := t.Bypasses(now)
	switch {
	case err != nil:
		return err
	case len(open) >= MaxBypasses:
		return ErrManyBypasses
	case slices.ContainsFunc(open, func(old Bypass) bool { return old.ID == b.ID }):
		return fmt.Errorf("%w: its id is another's", ErrBypass)
	}
	return t.saveBypasses(append(open, b))
}

// UseBypass uses up one use of the open bypass code that match accepts, and returns it as it is then; ErrNoBypass when it accepts none.
// Match must take as long for each. When it returns nil, the use is on the disk: it is gone whatever becomes of the login.
func (t *Tx) UseBypass(now time.Time, match func(Bypass) bool) (Bypass, error) {
	open, err := t.Bypasses(now)
	if err != nil {
		return Bypass{}, err
	}
	found := -1
	for i, b := range open {
		if match(b) {
			found = i
		}
	}
	if found < 0 {
		return Bypass{}, ErrNoBypass
	}
	open[found].Left--
	used := open[found]
	if used.Left == 0 {
		open = slices.Delete(open, found, found+1)
	}
	if err := t.saveBypasses(open); err != nil {
		return Bypass{}, err
	}
	return used, nil
}

// EndBypass ends the open bypass code of an id and returns it; ErrNoBypass when there is none.
func (t *Tx) EndBypass(id BypassID, now time.Time) (Bypass, error) {
	open, err := t.Bypasses(now)
	if err != nil {
		return Bypass{}, err
	}
	i := slices.IndexFunc(open, func(b Bypass) bool { return b.ID == id })
	if i < 0 {
		return Bypass{}, ErrNoBypass
	}
	ended := open[i]
	if err := t.saveBypasses(slices.Delete(open, i, i+1)); err != nil {
		return Bypass{}, err
	}
	return ended, nil
}

// EndBypasses ends all of them, also when they cannot be read any more.
func (t *Tx) EndBypasses() error { return t.saveBypasses(nil) }

// readBypasses reads what is there. Where nothing is, a user and a decoy have the same work: one open that fails.
func (s *Store) readBypasses(user string) ([]Bypass, error) {
	dir, err := safefile.OpenDir(s.data + bypassFolder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	value, err := slotfile.Read(dir, safefile.UserFileName(user), bypassKind)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	owner, all, err := decodeBypasses(value)
	if err == nil && owner != user {
		err = ErrWrongUser
	}
	if err != nil {
		return nil, fmt.Errorf("bypass codes of %q: %w", user, err)
	}
	return all, nil
}

// saveBypasses writes all that are open, in place, so that the last use can be taken on a full disk. Without any the file goes.
func (t *Tx) saveBypasses(all []Bypass) error {
	if len(all) == 0 {
		return t.removeBypasses()
	}
	dir, err := safefile.MakeDir(t.store.data+bypassFolder, 0o700)
	if err != nil {
		return err
	}
	defer dir.Close()
	name := safefile.UserFileName(t.User)
	value, err := encodeBypasses(t.User, all)
	if err != nil {
		return err
	}
	file, err := slotfile.Acquire(dir, name, bypassKind)
	if errors.Is(err, fs.ErrNotExist) {
		return slotfile.Create(dir, name, bypassKind, value)
	}
	if err != nil {
		return err
	}
	return errors.Join(file.Write(value), file.Sync(), file.Close())
}

func (t *Tx) removeBypasses() error {
	dir, err := safefile.OpenDir(t.store.data + bypassFolder)
	if err == nil {
		defer dir.Close()
		err = dir.Remove(safefile.UserFileName(t.User))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

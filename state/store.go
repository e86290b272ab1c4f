package state

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"twokey/internal/safefile"
	"twokey/internal/slotfile"
)

const kind = "state"

// ErrWrongUser is returned for a state file that lies under another user's name.
var ErrWrongUser = errors.New("state: the file belongs to another user")

// IsDamaged reports whether the error says that a state file is there and not usable, whatever is tried again.
func IsDamaged(err error) bool {
	return errors.Is(err, slotfile.ErrCorrupt) || errors.Is(err, ErrFormat) || errors.Is(err, ErrWrongUser)
}

// Store is the folder of all users' state.
type Store struct {
	data  string
	users *safefile.Dir
	uids  *safefile.Dir
}

// Data is the data folder.
func (s *Store) Data() string { return s.data }

// Open opens the folders state and uids below the data folder.
func Open(data string) (*Store, error) {
	return open(data, safefile.OpenDir)
}

// Create makes the folders where they are missing, and opens them.
func Create(data string) (*Store, error) {
	return open(data, func(path string) (*safefile.Dir, error) { return safefile.MakeDir(path, 0o700) })
}

func open(data string, dir func(string) (*safefile.Dir, error)) (*Store, error) {
	users, err := dir(data + "/state")
	if err != nil {
		return nil, err
	}
	uids, err := dir(data + "/uids")
	if err != nil {
		return nil, errors.Join(err, users.Close())
	}
	return &Store{data, users, uids}, nil
}

// Close releases the folders.
func (s *Store) Close() error { return errors.Join(s.users.Close(), s.uids.Close()) }

// New makes the state of a user who has none; it is fs.ErrExist when he has.
func (s *Store) New(st *State) error {
	value, err := st.Encode()
	if err != nil {
		return err
	}
	return slotfile.Create(s.users, safefile.UserFileName(st.User), kind, value)
}

// NewIn is New as part of a batch, see safefile.WriteAll: that a user has a state already is seen when the batch ends. Its lock is had
// until the rest of the set is in place. Then it is another state of the same user.
func (s *Store) NewIn(set *safefile.Set, st, then *State) error {
	value, err := st.Encode()
	if err != nil {
		return err
	}
	after, err := then.Encode()
	if err != nil {
		return err
	}
	return slotfile.CreateIn(set, s.users, safefile.UserFileName(st.User), kind, value, after)
}

// Read returns a user's state as it is now, without waiting for anybody. It is for showing; decisions belong into Update. A user
// without state is fs.ErrNotExist.
func (s *Store) Read(user string) (*State, error) {
	value, err := slotfile.Read(s.users, safefile.UserFileName(user), kind)
	if err != nil {
		return nil, err
	}
	return decodeFor(user, value)
}

func decodeFor(user string, value []byte) (*State, error) {
	st, err := Decode(value)
	if err != nil {
		return nil, fmt.Errorf("state of %q: %w", user, err)
	}
	if st.User != user {
		return nil, ErrWrongUser
	}
	return st, nil
}

// Tx is a user's state while its lock is held.
type Tx struct {
	*State
	store  *Store
	file   *slotfile.File
	failed error // of the first Flush that failed
}

// Flush writes the state as it is at this moment. After it nothing can make what was changed unhappen but the loss of power
// before the end of Update, which no login survives either. Once it has failed, Update fails, whatever the caller does about it.
func (t *Tx) Flush() error {
	if t.failed == nil {
		t.failed = t.flush()
	}
	return t.failed
}

func (t *Tx) flush() error {
	value, err := t.Encode()
	if err != nil {
		return err
	}
	before, err := Decode(t.file.Value())
	if err != nil {
		return err
	}
	if err := before.mayBecome(t.State); err != nil {
		return err
	}
	return t.file.Write(value)
}

// mayBecome refuses what no caller may do, for whatever reason: make a code good again that was used up, or write a state that
// Update would not find under its name.
func (s *State) mayBecome(next *State) error {
	if next.User != s.User {
		return ErrWrongUser
	}
	for _, old := range s.Devices {
		if device := next.Device(old.ID); device != nil && device.Consumed < old.Consumed {
			return fmt.Errorf("state of %q: consumed of device %x would go down from %d to %d", s.User, old.ID, old.Consumed, device.Consumed)
		}
	}
	if next.Recovery.ID == s.Recovery.ID && s.Recovery.Used&^next.Recovery.Used != 0 {
		return fmt.Errorf("state of %q: used recovery codes would become good again", s.User)
	}
	return nil
}

// Update takes the lock of a user's state, lets fn look at it and change it, writes it and synchronises it. Only when Update
// returned nil is what fn decided true; whatever else it returns, nobody may be let in. When fn returns an error, that is
// returned, and only what fn has flushed is kept. A user without state is fs.ErrNotExist. Who holds the lock for 3 seconds while
// others wait is killed: fn must not wait for anybody.
func (s *Store) Update(user string, fn func(*Tx) error) (err error) {
	file, err := slotfile.Acquire(s.users, safefile.UserFileName(user), kind)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }() // also when fn panics: its caller may live on, and the lock with it
	return s.update(user, file, fn)
}

func (s *Store) update(user string, file *slotfile.File, fn func(*Tx) error) error {
	st, err := decodeFor(user, file.Value())
	if err != nil {
		return err
	}
	tx := &Tx{State: st, store: s, file: file}
	if err := fn(tx); err != nil {
		return errors.Join(err, file.Sync())
	}
	if err := tx.Flush(); err != nil {
		return err
	}
	return file.Sync()
}

// Remove takes a user's state away for good.
func (s *Store) Remove(user string) error { return s.users.Remove(safefile.UserFileName(user)) }

// NameOf returns the name of the user to whom a user id was bound; fs.ErrNotExist when it is nobody's.
func (s *Store) NameOf(uid uint32) (string, error) {
	name, err := s.uids.ReadLink(uidFile(uid), maxUser)
	if err != nil {
		return "", err
	}
	if !bindable(name) {
		return "", fmt.Errorf("%s/%s: %w", s.uids.Path(), uidFile(uid), ErrFormat)
	}
	return name, nil
}

// Bind notes that a user id belongs to a name, whoever it belonged to before. A name that cannot stand in a line is ErrFormat.
func (s *Store) Bind(uid uint32, name string) error {
	if !bindable(name) {
		return ErrFormat
	}
	return s.uids.ReplaceLink(uidFile(uid), name)
}

// BindNewIn is Bind as part of a batch, see safefile.WriteAll: that a user id has been bound already is seen when the batch ends.
func (s *Store) BindNewIn(set *safefile.Set, uid uint32, name string) error {
	if !bindable(name) {
		return ErrFormat
	}
	return set.WriteNewLink(s.uids, uidFile(uid), name)
}

func bindable(name string) bool {
	return name != "" && len(name) <= maxUser && !strings.ContainsAny(name, "\n\x00")
}

// Unbind frees a user id; it need not be bound.
func (s *Store) Unbind(uid uint32) error {
	if err := s.uids.Remove(uidFile(uid)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func uidFile(uid uint32) string { return strconv.FormatUint(uint64(uid), 10) }

// RemoveStale removes what writers that were killed more than an hour ago have left behind.
func (s *Store) RemoveStale(now time.Time) error {
	errs := []error{s.users.RemoveStale(now, time.Hour), s.uids.RemoveStale(now, time.Hour)}
	for _, folder := range []string{bypassFolder, messagesFolder} {
		dir, err := safefile.OpenDir(s.data + folder)
		if err == nil {
			err = errors.Join(dir.RemoveStale(now, time.Hour), dir.Close())
		}
		if !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

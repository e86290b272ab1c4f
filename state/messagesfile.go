package state

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"twokey/internal/safefile"
	"twokey/internal/slotfile"
)

const (
	messagesKind   = "messages"
	messagesFolder = "/messages"
)

// Messages is what is open and counts at a time; empty, and not nil, for a user of whom there is nothing. What a clock has put far ahead is
// written anew: it would else count as of now until the clock is there again.
func (t *Tx) Messages(now time.Time) (*Messages, error) {
	m, err := t.store.readMessages(t.User)
	if err != nil {
		return nil, err
	}
	if m.at(now) {
		if err := t.SaveMessages(m); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Messages is that of Tx for showing: decisions belong into Update.
func (s *Store) Messages(user string, now time.Time) (*Messages, error) {
	m, err := s.readMessages(user)
	if err != nil {
		return nil, err
	}
	m.at(now)
	return m, nil
}

// readMessages reads what is there. Where nothing is, a user and a decoy have the same work: one open that fails.
func (s *Store) readMessages(user string) (*Messages, error) {
	dir, err := safefile.OpenDir(s.data + messagesFolder)
	if errors.Is(err, fs.ErrNotExist) {
		return &Messages{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	value, err := slotfile.Read(dir, safefile.UserFileName(user), messagesKind)
	if errors.Is(err, fs.ErrNotExist) {
		return &Messages{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("messages to %q: %w", user, err)
	}
	owner, m, err := decodeMessages(value)
	if err == nil && owner != user {
		err = ErrWrongUser
	}
	if err != nil {
		return nil, fmt.Errorf("messages to %q: %w", user, err)
	}
	return m, nil
}

// SaveMessages keeps what is there now, synchronised when it returns nil. It writes in place, so that it can on a full disk.
func (t *Tx) SaveMessages(m *Messages) error {
	value, err := encodeMessages(t.User, m)
	if err != nil {
		return err
	}
	dir, err := safefile.MakeDir(t.store.data+messagesFolder, 0o700)
	if err != nil {
		return err
	}
	defer dir.Close()
	name := safefile.UserFileName(t.User)
	file, err := slotfile.Acquire(dir, name, messagesKind)
	if errors.Is(err, fs.ErrNotExist) {
		return slotfile.Create(dir, name, messagesKind, value)
	}
	if err != nil {
		return err
	}
	return errors.Join(file.Write(value), file.Sync(), file.Close())
}

// PrepareMessages makes the files that are written in place when a message is sent, if they are missing: on a full disk they could not be
// made. A file that cannot be read any more is made anew.
func (t *Tx) PrepareMessages() error {
	if _, err := t.store.readMessages(t.User); IsDamaged(err) {
		if err := t.RemoveMessages(); err != nil {
			return err
		}
	}
	there, err := t.hasMessages()
	if err == nil && !there {
		err = t.SaveMessages(&Messages{})
	}
	return errors.Join(err, t.store.prepareTexts())
}

func (t *Tx) hasMessages() (bool, error) {
	dir, err := safefile.OpenDir(t.store.data + messagesFolder)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer dir.Close()
	return dir.Exists(safefile.UserFileName(t.User))
}

// EndMessages ends what is open, and that a number is confirmed. What was sent still counts: no change of a device buys more messages. A
// file that cannot be read any more goes.
func (t *Tx) EndMessages(now time.Time) error {
	there, err := t.hasMessages()
	if err != nil || !there {
		return err
	}
	m, err := t.Messages(now)
	switch {
	case IsDamaged(err):
		return t.RemoveMessages()
	case err != nil:
		return err
	}
	return t.SaveMessages(&Messages{Texts: m.Texts})
}

// RemoveMessages takes away all that there is, for a user who is taken out.
func (t *Tx) RemoveMessages() error {
	dir, err := safefile.OpenDir(t.store.data + messagesFolder)
	if err == nil {
		defer dir.Close()
		err = dir.Remove(safefile.UserFileName(t.User))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

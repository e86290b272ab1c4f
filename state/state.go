// Package state keeps what changes about a user from login to login: which codes are used up, who has tried how often and from
// where, which logins have just succeeded. It is kept apart from the secrets, so that a secret file put back by configuration
// management does not bring used codes back with it.
//
// What it must and must not do, each with a test:
//
//   - MUST make check and change one step under the user's lock: a code is accepted once, whatever races.
//   - MUST have written the charge of an attempt before the code is looked at; an attempt that cannot be charged is not looked at.
//   - MUST be synchronised to the disk before anybody is let in.
//   - MUST NOT let a consumed step or counter go down again, whatever the clock says.
//   - MUST NOT hold a lock while a person types or a message travels.
//   - MUST NOT treat a state file that is missing as a fresh user, nor one that is damaged as a missing one.
//
// # Files
//
// state/NAME is a slotfile of kind "state" (see internal/slotfile) whose value is described here; NAME is
// safefile.UserFileName. uids/UID holds the user's name and a newline, and says to whom a numeric user id belongs: an account
// that was renamed, or a number that was given to somebody else, must not find the device of the other.
//
// # Value
//
// Sections, each a tag (1 byte), a length (2 bytes, big endian) and content; tags ascend, except that some repeat. Numbers are
// big endian, times are milliseconds since 1970 in 8 bytes, a text is its length (1 byte) and its bytes.
//
//	0x01  user          text without length: the canonical name
//	0x02  uid           4 bytes
//	0x03  serial        8 bytes: the highest serial of a secret file of this user that was ever accepted
//	0x04  flags         1 byte: 1 must enrol (after a reset), 2 restored (state was lost: counters and recovery codes are closed)
//	0x05  device        repeats: id (8 bytes), name, method (texts), consumed (8 bytes), created, used (times), from (text)
//	0x06  removed       8 bytes for each device id that must not come back
//	0x07  recovery      id of the set (8 bytes), number of codes (1 byte), one bit for each used code (4 bytes)
//	0x08  buckets       strangers, all known sources: level (8 bytes, thousandths of an attempt), time; then of the
//	                    strangers' last pair the time, and how long (8 bytes, ms) the next has to wait
//	0x09  source        repeats: name (text), level and time of its bucket, time of its last success, its last pair
//	0x0A  charge        repeats: connection (8 bytes), 1 byte (1: of a known source), amount (8 bytes), time
//	0x0B  success       repeats: process and its start (4 and 8 bytes), its parent and its start, service, method, device,
//	                    source (texts), time
//
// "consumed" is, for totp, the highest time step that was accepted (RFC 6238, section 5.2), for hotp the next counter that will
// be (RFC 4226, section 7.2). A section of an unknown tag from 0x80 on is kept as it is; below, the file is refused.
package state

import (
	"errors"
	"time"

	"twokey/internal/proc"
)

// Limits, chosen so that a full state fits into one slot with room for what is added later.
const (
	MaxDevices   = 10
	MaxRemoved   = 16
	MaxSources   = 16
	maxCharges   = 8
	maxSuccesses = 6
	maxName      = 32  // bytes of a device's name, a service's name
	maxSource    = 48  // bytes of a source
	maxUser      = 256 // bytes of a user's name
)

// ErrFormat is returned for a value that is not as the package comment says.
var ErrFormat = errors.New("state: malformed value")

// ID is the identity of a device or of a set of recovery codes: the same 8 random bytes as in the secret file.
type ID [8]byte

// State is what is known about one user.
type State struct {
	User       string
	UID        uint32
	Serial     uint64
	MustEnroll bool // reset: has to enrol again, and gets in by no other way
	Restored   bool // the state was lost: hotp and recovery codes stay closed until `twokey adopt`
	Devices    []Device
	Removed    []ID
	Recovery   Recovery

	strangers    bucket
	known        bucket
	strangerPair turn
	sources      []source
	charges      []charge
	successes    []Success
	later        []byte // sections of a newer version, kept as they are
}

// Device is the changing part of one device.
type Device struct {
	ID       ID
	Name     string
	Method   string
	Consumed uint64 // totp: highest step accepted; hotp: next counter
	Created  time.Time
	Used     time.Time // zero: never
	From     string    // the source of the last use
}

// Recovery says which recovery codes of a set are used up.
type Recovery struct {
	ID    ID
	Total int    // codes in the set, at most 32
	Used  uint32 // bit i: code i is used up
}

// Left is how many codes of the set are still good.
func (r Recovery) Left() int {
	left := 0
	for i := range r.Total {
		if r.Used&(1<<i) == 0 {
			left++
		}
	}
	return left
}

// Success is a login whose session has not been opened yet.
type Success struct {
	Process proc.ID // that ran authenticate
	Parent  proc.ID
	Service string
	Method  string
	Device  string
	Source  string
	Time    time.Time
}

// successLife is how long a success waits for its session at most; longer is what open_within will say.
const successLife = 24 * time.Hour

// AddSuccess remembers that a login succeeded, for the session phase, which another process may run.
func (s *State) AddSuccess(ok Success, now time.Time) {
	kept := s.successes[:0]
	for _, old := range s.successes {
		if age := now.Sub(old.Time); age >= 0 && age < successLife {
			kept = append(kept, old)
		}
	}
	if len(kept) >= maxSuccesses {
		kept = append(kept[:0], kept[len(kept)-maxSuccesses+1:]...)
	}
	ok.Service, ok.Source = clip(ok.Service, maxName), clip(ok.Source, maxSource)
	s.successes = append(kept, ok)
}

// TakeSuccess uses up the success that belongs to the process which opens a session: its own, or that of a child (sshd asks in a
// child and opens the session in the parent). It reports whether there was one.
func (s *State) TakeSuccess(session proc.ID, service string) (Success, bool) {
	for i := len(s.successes) - 1; i >= 0; i-- {
		found := s.successes[i]
		if found.Service == clip(service, maxName) && (found.Process == session || found.Parent == session) {
			s.successes = append(s.successes[:i:i], s.successes[i+1:]...)
			return found, true
		}
	}
	return Success{}, false
}

// Device returns the device of this id, or nil.
func (s *State) Device(id ID) *Device {
	for i := range s.Devices {
		if s.Devices[i].ID == id {
			return &s.Devices[i]
		}
	}
	return nil
}

// WasRemoved reports whether a device of this id was taken away from the user.
func (s *State) WasRemoved(id ID) bool {
	for _, old := range s.Removed {
		if old == id {
			return true
		}
	}
	return false
}

// RemoveDevice takes a device away; its id stays refused.
func (s *State) RemoveDevice(id ID) {
	for i := range s.Devices {
		if s.Devices[i].ID == id {
			s.Devices = append(s.Devices[:i:i], s.Devices[i+1:]...)
			break
		}
	}
	if s.WasRemoved(id) {
		return
	}
	if len(s.Removed) >= MaxRemoved {
		s.Removed = s.Removed[1:] // the serial refuses files as old as that
	}
	s.Removed = append(s.Removed, id)
}

// ForgetSources makes every source a stranger again.
func (s *State) ForgetSources() { s.sources, s.charges, s.known = nil, nil, bucket{} }

// clip shortens a text that somebody else chose to what a section holds.
func clip(text string, limit int) string {
	if len(text) > limit {
		return text[:limit]
	}
	return text
}

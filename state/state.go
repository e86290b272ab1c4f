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
//   - MUST NOT let anything that comes from a login make a state that cannot be written: its user would be locked out.
//   - MUST NOT let anybody be remembered beyond what ends it, nor by a time that has not come yet.
//   - MUST NOT let a wrong answer raise a bucket, or make a source known or forgotten.
//   - MUST NOT accept the code of a text twice, nor for another login than it was sent for, nor after a newer text.
//   - MUST NOT let a user or the host be sent more texts than their caps, whatever races and whatever the clock says.
//
// # Files
//
// state/NAME is a slotfile of kind "state" (see internal/slotfile) whose value is described here; NAME is
// safefile.UserFileName. uids/UID is a symbolic link that leads nowhere, holds the user's name, and says to whom a numeric user
// id belongs: an account that was renamed, or a number that was given to somebody else, must not find the device of the other.
//
// # Value
//
// Sections, each a tag (1 byte), a length (2 bytes) and content; tags ascend, except that some repeat. Numbers are big endian. A
// time is milliseconds since 1970 in 6 bytes, 0 means never; an amount is thousandths of an attempt in 4 bytes, and so is a
// level, which may be below zero (two's complement); a text is its
// length (1 byte) and its bytes, UTF-8.
//
//	0x01  user          the canonical name, 1 to 256 bytes as they are
//	0x02  uid           4 bytes
//	0x03  serial        8 bytes: the highest serial of a secret file of this user that was ever accepted
//	0x04  flags         1 byte: 1 must enrol (after a reset), 2 restored (state was lost: counters and recovery codes are closed),
//	                    4 the user was told that few recovery codes of this set are left
//	0x05  device        repeats, at most 10: id (8 bytes), name, method (texts of at most 32 and 12 bytes), consumed (8 bytes),
//	                    created, used (times), from (text of at most 32 bytes: the source of the last use)
//	0x06  removed       8 bytes for each device id that must not come back, at most 16
//	0x07  recovery      id of the set (8 bytes), number of codes (1 byte, at most 32), one bit for each used code (4 bytes)
//	0x08  buckets       strangers, all known sources: level and time; then of the strangers' last pair the time, and how
//	                    long (4 bytes, ms) the next has to wait
//	0x09  source        repeats, at most 16: name (text of at most 32 bytes), level and time of its bucket, time of its last
//	                    success, time of its last pair and how long the next has to wait
//	0x0A  charge        repeats, at most 8: connection (8 bytes), 1 byte (1: of a known source), amount, time
//	0x0B  success       as 0x0E, with the service's name (text of at most 32 bytes) in place of the hash: read, not written any more
//	0x0C  remembered    1 to 8, the oldest first: key (16 bytes, see RememberKey and EarlierKey) and time of the success
//	0x0D  notice        repeats, at most 3, the oldest first: id of a new device (8 bytes), who added it (text of at most 32 bytes),
//	                    1 byte: how often it was shown where it may not have been seen, 0 to 2
//	0x0E  success       repeats, at most 6: process and its start (4 and 8 bytes), its parent and its start, the first 8 bytes of the
//	                    SHA-256 of the service's name, method, device, source (texts of at most 12, 32 and 32 bytes), time; the method
//	                    is empty for one that was used up, and "ended" for one that was taken back. Never beside one of 0x0B
//	0x0F  until         missing when no device expires, else for each device, in their order, the time when it does
//
// "consumed" is, for totp, the highest time step that was accepted (RFC 6238, section 5.2), for hotp the next counter that will
// be (RFC 4226, section 7.2). Names of sources and services that are longer, or that are not printable UTF-8, stand there as "~"
// and 31 characters of the base64url of their SHA-256, so that two of them stay two.
//
// Sections of unknown tags from 0x80 on come last and are kept as they are; together they have 200 bytes, so that an older version
// can always write what a newer one has left. Any other unknown tag: the file is refused.
//
// # Example
//
// Carol has given Alice a device. Alice has logged in from 192.0.2.7 at 12:00 UTC on 2026-11-21 and is remembered, her session
// is not open yet, and somebody from elsewhere has tried a code two minutes later. The phone expires.
//
//	01 0005  616c696365                                  user "alice"
//	02 0004  000003e8                                    uid 1000
//	03 0008  0000000000000001                            serial 1
//	04 0001  00                                          no flags
//	05 0031  a1a2a3a4a5a6a7a8 0570686f6e65 04746f7470    device: id, "phone", "totp"
//	         0000000003911e20 01a1f8d3ea00 01a1fdfa4600  step 59842080; created the day before, used 12:00
//	         093139322e302e322e37                        from "192.0.2.7"
//	06 0000                                              nothing removed
//	07 000d  b1b2b3b4b5b6b7b8 0a 00000001                recovery codes: set, 10, the first is used up
//	08 001e  00002328 01a1fdfc1ac0                       strangers: 9 attempts left at 12:02
//	         00000000 000000000000                       known sources: never touched, so full
//	         000000000000 00000000                       no pair from a stranger yet
//	09 0024  093139322e302e322e37                        source "192.0.2.7"
//	         00000000 000000000000                       never touched, so full
//	         01a1fdfa4600 000000000000 00000000          success 12:00, no pair yet
//	0a 0013  c1c2c3c4c5c6c7c8 00 000003e8 01a1fdfc1ac0   charge: connection, of a stranger, 1 attempt, 12:02
//	0c 0016  e4b324a2d4a4b204fe84715fff9d95b2            remembered: from 192.0.2.7 at sshd without an SSH key,
//	         01a1fdfa4600                                by totp or recovery, since 12:00
//	0d 0016  a1a2a3a4a5a6a7a8                            notice: the device "phone" was added
//	         0c726f6f7420286361726f6c29 00               by "root (carol)", not shown yet
//	0e 003b  000003e9 0000000000001389                    success: process 1001
//	         000003e8 0000000000001388                   its parent, 1000
//	         8b51ac5ca03b0a59                            of service "sshd"
//	         04746f7470 0570686f6e65                     by "totp" with "phone"
//	         093139322e302e322e37 01a1fdfa4600           from "192.0.2.7", 12:00
//	0f 0006  01a66d848400                                the phone expires with the beginning of 2027-06-30
package state

import (
	"crypto/sha256"
	"errors"
	"time"

	"twokey/internal/proc"
)

// Limits, chosen so that a full state with the longest texts fits into one slot, and maxLater bytes beside it: a state that does
// not fit would lock its user out.
const (
	MaxDevices   = 10
	MaxRemoved   = 16
	MaxSources   = 16
	maxCharges   = 8
	maxSuccesses = 6
	maxRemember  = 8
	maxNotices   = 3
	maxRecovery  = 32  // codes of a set
	maxName      = 32  // bytes of the name of a device, a service, a source
	maxMethod    = 12  // bytes
	maxBy        = 32  // bytes of the name of who added a device
	maxUser      = 256 // bytes
	maxLater     = 200 // bytes of sections that a newer version has added
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
	successes    []waiting
	remembered   []remembered
	notices      []notice
	later        []byte // sections of a newer version, kept as they are
}

// Device is the changing part of one device.
type Device struct {
	ID       ID
	Name     string // at most 32 bytes are kept
	Method   string // at most 12 bytes are kept
	Consumed uint64 // totp: highest step accepted; hotp: next counter
	Created  time.Time
	Used     time.Time // zero: never
	From     string    // the source of the last use, for show; at most 32 bytes are kept
	Until    time.Time // when it expires, for show; zero: never. What counts stands in the secret file
}

// Recovery says which recovery codes of a set are used up.
type Recovery struct {
	ID    ID
	Total int    // codes in the set, 0 to 32
	Used  uint32 // bit i: code i is used up
	told  bool   // the user knows that few are left
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
	Method  string // "": a mark of one that was used up; or [Ended]
	Device  string
	Source  string // one that is longer than 32 bytes comes back as its hash
	Time    time.Time
}

// waiting is a success as it is kept: of the service only what two are compared by.
type waiting struct {
	Success // its Service is ""
	service [serviceSize]byte
}

// serviceSize is how much of the hash of a service's name is kept. Whoever finds another name of the same hash has not opened a session
// by it: that takes the same process too.
const serviceSize = 8

func serviceHash(name string) (short [serviceSize]byte) {
	sum := sha256.Sum256([]byte(key(name)))
	copy(short[:], sum[:])
	return short
}

// successLife is how long a success that no session has used up is kept. How old it may be when the session opens is for the
// policy to say.
const successLife = 24 * time.Hour

// AddSuccess remembers that a login succeeded, for the session phase, which another process may run. It takes the place of an
// earlier one of the same process and service, so that a program which lives on and authenticates again and again (a screen
// locker) does not push out the others.
func (s *State) AddSuccess(ok Success, now time.Time) {
	next := waiting{ok, serviceHash(ok.Service)}
	next.Service, next.Source = "", key(ok.Source)
	next.Method, next.Device = cut(ok.Method, maxMethod), cut(ok.Device, maxName)
	kept := s.successes[:0]
	for _, old := range s.successes {
		again := old.Process == next.Process && old.service == next.service
		// One from the future is kept: of two logins at once, the one that got the lock first may have looked at the clock last.
		if !again && now.Sub(old.Time) < successLife {
			kept = append(kept, old)
		}
	}
	if len(kept) >= maxSuccesses {
		kept = append(kept[:0], kept[len(kept)-maxSuccesses+1:]...)
	}
	s.successes = append(kept, next)
}

// TakeSuccess uses up the success that belongs to the process which opens a session: its own, or that of a child (sshd asks in a
// child and opens the session in the parent). It reports whether there was one. The caller compares its Time with what the policy
// allows: a number and a start time can come again when the machine has started anew.
func (s *State) TakeSuccess(session proc.ID, service string) (Success, bool) {
	hash := serviceHash(service)
	for i := len(s.successes) - 1; i >= 0; i-- {
		found := s.successes[i]
		if found.service == hash && (found.Process == session || found.Parent == session) {
			s.successes = append(s.successes[:i:i], s.successes[i+1:]...)
			found.Service = service
			return found.Success, true
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

// RemoveDevice takes a device away; its id stays refused. Nobody is remembered any more, and no success opens a session: who has the lost
// phone may have been the last who succeeded.
func (s *State) RemoveDevice(id ID) {
	s.remembered = nil
	s.endSuccesses()
	s.dropNotice(id)
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

// ForgetSources makes every source a stranger again, and ends what is remembered of them and the successes whose sessions are not open yet.
func (s *State) ForgetSources() {
	s.sources, s.charges, s.known, s.remembered = nil, nil, bucket{}, nil
	s.endSuccesses()
}

// Ended stands in place of the method of a success that was taken back before its session opened.
const Ended = "ended"

// endSuccesses takes back every success that no session has used up. It stays to be found: a session without one would open as if nobody
// had been asked.
func (s *State) endSuccesses() {
	for i := range s.successes {
		if s.successes[i].Method != "" {
			s.successes[i].Method, s.successes[i].Device = Ended, ""
		}
	}
}

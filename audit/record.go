package audit

import (
	"errors"
	"fmt"
	"time"
)

// Outcome says how an event ended (ECS event.outcome).
type Outcome string

// The outcomes that ECS knows.
const (
	Success Outcome = "success"
	Failure Outcome = "failure"
	Unknown Outcome = "unknown"
)

// What happens so often that this package has to know it: of logins and sessions that were turned away only so many a minute are
// recorded one by one. The last two stand for records that this package writes by itself, and callers may not use them.
const (
	ActionLogin     = "login"
	ActionObserved  = "login-observed" // what would have been a refusal, had the policy not only been observed
	ActionSession   = "session-opened"
	ActionSummed    = "refusals-summed" // refusals that were counted only
	ActionRestarted = "audit-restarted" // the first record after Restart
)

// Record is one event. Empty fields are not written. Every text may hold anything: what is not fit for a line of JSON or a
// terminal is escaped, and what is longer than 256 bytes is cut and ends in a mark that says so. The package comment has the
// name of each field in the log.
type Record struct {
	Time     time.Time // from year 1970 to 9999; written in UTC
	Sequence uint64    // filled in by Append; from 1 without gaps
	Action   string    // what happened: small letters, digits and '-', at most 64 bytes
	Outcome  Outcome
	Reason   string // why it ended so

	User   string // who acts: the account that logs in, or that runs an administrative command
	UserID string

	// UnknownUser is what was typed as a name when there is no such account. It is often a password, so the log gets a keyed
	// hash (UserHash) and the length in bytes (UserLength) only. Not together with User.
	UnknownUser string
	UserHash    string // filled in by Append
	UserLength  uint64 // filled in by Append

	Target   string // the account that an administrative act is about
	TargetID string

	Source  string // address or name of the client (PAM_RHOST)
	Service string // PAM service
	PID     uint64
	Host    string // this host

	TTY          string
	Device       string // which of the user's devices
	Method       string // totp, hotp, recovery, …
	SecondFactor string // what counted as the second factor of a session, or none

	LoginUID string // of an administrator: /proc/self/loginuid
	SudoUser string // of an administrator: SUDO_USER
	Changes  []Change

	Repair  Repair   // filled in by Append
	Details []Detail // at most 16
}

// refusal reports whether the record is of a login or session that was turned away, or would have been.
func (r *Record) refusal() bool {
	switch r.Action {
	case ActionLogin, ActionSession, ActionObserved:
		return r.Outcome != Success
	}
	return false
}

// Change is one thing that an administrative act has changed. More than 16 of one record are cut, and the last one says so.
type Change struct {
	Field, Old, New string
}

// Detail is a field that only some records have. The key begins with "twokey." and goes on with small letters, '_' and '.', is at
// most 64 bytes long, none of the keys that the package comment lists, and stands once in a record.
type Detail struct {
	Key, Value string
}

// Repair is what a record says of the bytes before it when they are not simply the record before it.
type Repair struct {
	SkippedBytes   uint64 // between the last good record and this one
	SkippedHash    Hash   // SHA-256 of them
	MissingRecords uint64 // how many the log had lost when this one was written
	PreviousHash   Hash   // of the last record that the head knew, when that one was lost
}

// codec is one direction of the format. The methods pass over empty fields.
type codec interface {
	text(key string, v *string)
	number(key string, v *uint64)
	hash(key string, v *Hash)
	source(v *string)
	changes(key string, v *[]Change)
	details(v *[]Detail)
}

// fields names the fields behind the four that every record has, in the order of the log: for writing and reading alike.
func (r *Record) fields(c codec) {
	c.text("event.reason", &r.Reason)
	c.text("user.name", &r.User)
	c.text("user.id", &r.UserID)
	c.text("user.target.name", &r.Target)
	c.text("user.target.id", &r.TargetID)
	c.source(&r.Source)
	c.text("service.name", &r.Service)
	c.number("process.pid", &r.PID)
	c.text("host.name", &r.Host)
	c.text("twokey.user_hash", &r.UserHash)
	c.number("twokey.user_length", &r.UserLength)
	c.text("twokey.tty", &r.TTY)
	c.text("twokey.device", &r.Device)
	c.text("twokey.method", &r.Method)
	c.text("twokey.second_factor", &r.SecondFactor)
	c.text("twokey.login_uid", &r.LoginUID)
	c.text("twokey.sudo_user", &r.SudoUser)
	c.changes("twokey.changes", &r.Changes)
	c.number("twokey.skipped_bytes", &r.Repair.SkippedBytes)
	c.hash("twokey.skipped_sha256", &r.Repair.SkippedHash)
	c.number("twokey.missing_records", &r.Repair.MissingRecords)
	c.hash("twokey.previous_hash", &r.Repair.PreviousHash)
	c.details(&r.Details)
}

// reserved tells the keys of fields from those that are free for details.
func reserved(key string) bool {
	switch key {
	case "twokey.user_hash", "twokey.user_length", "twokey.tty", "twokey.device", "twokey.method", "twokey.second_factor",
		"twokey.login_uid", "twokey.sudo_user", "twokey.changes", "twokey.skipped_bytes", "twokey.skipped_sha256",
		"twokey.missing_records", "twokey.previous_hash", "twokey.hash", "twokey.seal":
		return true
	}
	return false
}

// check refuses what only a programming mistake can put into a record. What comes from outside is never refused: a hostile
// name must not be able to keep itself out of the log.
func (r *Record) check() error {
	switch {
	case !validTime(r.Time):
		return errors.New("audit: a record needs a time between 1970 and 9999")
	case !validAction(r.Action):
		return fmt.Errorf("audit: %q cannot be an action", r.Action)
	case !validOutcome(string(r.Outcome)):
		return fmt.Errorf("audit: %q cannot be an outcome", r.Outcome)
	case r.User != "" && r.UnknownUser != "":
		return errors.New("audit: a user is known or unknown, not both")
	case len(r.Details) > maxDetails:
		return fmt.Errorf("audit: %d details, at most %d", len(r.Details), maxDetails)
	}
	for i, d := range r.Details {
		if !validDetail(r.Details[:i], d.Key) {
			return fmt.Errorf("audit: %q cannot be the key of a detail", d.Key)
		}
	}
	return nil
}

func validTime(t time.Time) bool {
	year := t.UTC().Year()
	return 1970 <= year && year <= 9999
}

func validAction(s string) bool {
	for i := range len(s) {
		letter := 'a' <= s[i] && s[i] <= 'z'
		if !letter && (i == 0 || !('0' <= s[i] && s[i] <= '9' || s[i] == '-')) {
			return false
		}
	}
	return 0 < len(s) && len(s) <= maxKey
}

func validOutcome(s string) bool {
	return s == string(Success) || s == string(Failure) || s == string(Unknown)
}

// validDetail also refuses the key of a detail that stands before: readers of JSON disagree on which of two equal keys counts.
func validDetail(before []Detail, key string) bool {
	const prefix = "twokey."
	if len(key) <= len(prefix) || len(key) > maxKey || key[:len(prefix)] != prefix || reserved(key) {
		return false
	}
	for i := range len(key) {
		if !('a' <= key[i] && key[i] <= 'z' || key[i] == '_' || key[i] == '.') {
			return false
		}
	}
	for _, d := range before {
		if d.Key == key {
			return false
		}
	}
	return true
}

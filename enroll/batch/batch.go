package batch

import (
	"fmt"
	"io"
	"time"

	"twokey/factor"
)

// Limits of a file. A hundred thousand users with one device each, written out in full, are some 25 MB of YAML.
const (
	MaxFile = 64 << 20 // bytes

	maxItem = 64 << 10 // bytes of one entry of YAML, or one line
	maxRows = 1 << 18  // entries: a quarter of a million users
)

// File is what a file wishes for. What is wrong with a row keeps only that row out.
type File struct {
	Name   string
	Users  []User // in the order of the file; each name once
	Groups []Group
	Wrong  []*RowError // in the order of the file
}

// User is one user of a file.
type User struct {
	Line     int // where he begins, from 1
	Name     string
	Absent   bool     // he must have nothing: no device and no entry in the policy
	Phone    *string  // E.164; "": must have none; nil: whatever there is
	Recovery *int     // recovery codes for a user who has none, 0 to 20; nil: the usual number with the first device
	Devices  []Device // none: at least one, whichever. Each name once
	NoDevice bool     // he need not have one: nothing is made for him
	Require  *Dates   // nil: whatever there is
	Exempt   *Dates
}

// Group is one group of a file.
type Group struct {
	Line    int
	Name    string
	Absent  bool // no entry in the policy names it
	Require *Dates
	Exempt  *Dates
	Device  *Device // every member has this device; nil: whatever there is
}

// Dates are the days of an entry of the policy, as 2026-12-31; "": none.
type Dates struct {
	By, Starts, Until string
}

// Device is one device of a user. What is not given ("", 0, nil) is the host's usual for a new device, and left alone in one that
// is there.
type Device struct {
	Line      int
	Name      string
	Absent    bool
	Method    factor.Method
	Digits    int
	Period    int    // seconds
	Provider  string // push: with whom the phone is linked
	Algorithm factor.Algorithm
	Secret    []byte  // raw; nil: a new one, when the device is made
	Counter   *uint64 // hotp: the next one, for a device that is made
	Issuer    string
	Label     string
	Until     *time.Time // the end of its time; zero: it has none
}

// Format prints the device without its secret, whatever the verb.
func (d Device) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "device %q (%s)", d.Name, d.Method) }

// Format prints the user without secrets, whatever the verb.
func (u User) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "user %q with %d devices", u.Name, len(u.Devices))
}

// RowError is what is wrong with one row.
type RowError struct {
	File string
	Line int
	Name string // of the user or the group, "" when that cannot be told
	Err  error
}

// Error begins with file and line.
func (e *RowError) Error() string {
	if e.Name == "" {
		return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
	}
	return fmt.Sprintf("%s:%d: %s: %v", e.File, e.Line, e.Name, e.Err)
}

// Unwrap gives what is wrong.
func (e *RowError) Unwrap() error { return e.Err }

// Options say how a file is read.
type Options struct {
	AllowShort bool           // take secrets of 10 to 15 bytes
	Location   *time.Location // in which a day ends; nil: time.Local
}

// Parse reads a file. The name ends in .csv for CSV, in .yaml or .yml for YAML; of any other the first line decides. An error is about
// the file as a whole, of which nothing can be used: too large, not UTF-8, other columns; it begins with file and line. What is wrong
// with a row is in File.Wrong.
func Parse(name string, r io.Reader, o Options) (*File, error) {
	if o.Location == nil {
		o.Location = time.Local
	}
	p := &parser{file: &File{Name: name}, options: o, users: map[string]int{}, groups: map[string]int{}}
	if err := p.read(newLines(name, r)); err != nil {
		return nil, err
	}
	return p.file, nil
}

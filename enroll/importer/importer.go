// Package importer reads the devices that other products have given to users. A row that is wrong keeps only itself out, and what cannot be
// carried over is named for its user. One of the formats is our own, the list of who has which hardware token, for [ReadOwners]:
//
//	serial,user
//	1001,alice
//	1002,bob
//
// It is CSV as RFC 4180 has it, without line breaks in cells. The columns stand in any order, their names in any case.
package importer

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"twokey/enroll/batch"
	"twokey/factor"
)

// Format is where devices come from.
type Format string

// The formats, as the command line spells them.
const (
	GoogleAuthenticator Format = "google-authenticator"
	OATH                Format = "oath"
	OTPAuth             Format = "otpauth"
	Migration           Format = "migration"
	PSKC                Format = "pskc"
	CSV                 Format = "csv"
)

// Formats are all of them, in the order of the help text.
func Formats() []Format {
	return []Format{GoogleAuthenticator, OATH, OTPAuth, Migration, PSKC, CSV}
}

// Limits of a file, in bytes.
const (
	MaxFile = batch.MaxFile // of any format
	MaxHome = 64 << 10      // of a ~/.google_authenticator
	maxXML  = 16 << 20      // PSKC, which is read as a whole
	maxLine = 64 << 10
	maxRows = 1 << 18 // a quarter of a million

	maxCounter = 1<<53 - 1
	maxName    = 256 // bytes of a user's name or a label
	maxIssuer  = 128 // bytes
)

// ErrSize is for a file that is larger than the limit of its format.
var ErrSize = errors.New("the file is too large")

// Options say how a file is read.
type Options struct {
	User       string                     // whose the devices are; where the file says so itself: the only one who is taken; "": all
	AllowShort bool                       // take secrets of 10 to 15 bytes, which old tokens have
	Known      func(name string) bool     // whether the host has this user, for labels such as alice@host; nil: it has none
	Owners     *Owners                    // PSKC: who has which token; nil: the file says whose they are
	Unlock     func(Lock) (string, error) // PSKC: what opens an encrypted file; asked once; nil: there is nothing
}

// User is what was read about one user. All that makes a code is given in his devices: nothing depends on the host's usual.
type User struct {
	batch.User          // Line is one of File
	File       string   // where he stands: the file that is read, or the list of owners
	Left       []string // what could not be carried over, and other things to know, a clause each
}

// File is what was read. What is wrong with a row keeps only that row out.
type File struct {
	Name  string
	Users []User
	Wrong []*batch.RowError // also of Options.Owners, which has another name

	Unassigned int // PSKC: tokens that are nobody's by Options.Owners
}

// Read reads a file. An error is about the file as a whole, of which nothing can be used; it begins with the file's name. What is wrong
// with a row is in File.Wrong. No error repeats a secret.
func Read(format Format, name string, r io.Reader, o Options) (*File, error) {
	readers := map[Format]func(*collector, io.Reader) error{GoogleAuthenticator: readGoogle, OATH: readOATH, OTPAuth: readOTPAuth,
		Migration: readMigration, PSKC: readPSKC, CSV: readCSV}
	read := readers[format]
	if read == nil {
		return nil, fmt.Errorf("unknown format %.40q", string(format))
	}
	c := &collector{file: &File{Name: name}, options: o, at: map[string]int{}, owner: map[string]string{}}
	if err := read(c, r); err != nil {
		return nil, err
	}
	slices.SortStableFunc(c.file.Wrong, func(a, b *batch.RowError) int {
		return cmp.Or(cmp.Compare(a.File, b.File), a.Line-b.Line)
	})
	return c.file, nil
}

// collector puts together what belongs to one user.
type collector struct {
	file    *File
	options Options
	at      map[string]int    // places in file.Users
	owner   map[string]string // users by their secrets
}

// found is one device of a file.
type found struct {
	line   int
	user   string
	at     place        // where the user stands; zero: where the device does
	device batch.Device // its name is made unique
	left   []string
}

// named keeps what the app shows: the issuer above the code, the label below it. What a list for apply cannot have is left to this host's
// usual, and named: else the device could be exported and not applied again.
func (f *found) named(issuer, label string) {
	if len(issuer) > maxIssuer || printableOrNothing(issuer) != issuer || strings.Contains(issuer, ":") {
		f.left = append(f.left, fmt.Sprintf("the issuer %.40q cannot be kept: want up to %d bytes of printable text without a colon", issuer, maxIssuer))
		issuer = ""
	}
	if printableOrNothing(label) != label {
		f.left = append(f.left, fmt.Sprintf("the label %.40q cannot be kept: want up to %d bytes of printable text", label, maxName))
		label = ""
	}
	f.device.Issuer, f.device.Label = issuer, label
}

// place is a line of a file.
type place struct {
	file string
	line int
}

// wrong keeps a row out that begins in a line.
func (c *collector) wrong(line int, user string, err error) {
	var at *atLine
	if errors.As(err, &at) {
		line = at.line
	}
	c.file.Wrong = append(c.file.Wrong, &batch.RowError{File: c.file.Name, Line: line, Name: user, Err: err})
}

// whole is an error about the file as a whole, with the line where there is one.
func (c *collector) whole(err error) error {
	var at *atLine
	if errors.As(err, &at) {
		return fmt.Errorf("%s:%d: %w", c.file.Name, at.line, err)
	}
	return fmt.Errorf("%s: %w", c.file.Name, err)
}

// add takes a device in, or what is wrong with it.
func (c *collector) add(f found) {
	if err := c.check(&f); err != nil {
		c.wrong(f.line, printableOrNothing(f.user), err)
		return
	}
	secret := string(f.device.Secret)
	if other, there := c.owner[secret]; !there {
		c.owner[secret] = f.user
	} else if other != f.user {
		f.left = append(f.left, "the secret is that of "+other+" too: each can make the other's codes")
	}
	i, there := c.at[f.user]
	if !there {
		i = len(c.file.Users)
		c.at[f.user] = i
		at := cmp.Or(f.at, place{c.file.Name, f.line})
		c.file.Users = append(c.file.Users, User{File: at.file, User: batch.User{Line: at.line, Name: f.user}})
	}
	u := &c.file.Users[i]
	for _, d := range u.Devices {
		if bytes.Equal(d.Secret, f.device.Secret) {
			c.wrong(f.line, f.user, fmt.Errorf("the secret is that of line %d", d.Line))
			return
		}
	}
	f.device.Line = f.line
	f.device.Name = FreeName(f.device.Name, func(name string) bool {
		return slices.ContainsFunc(u.Devices, func(d batch.Device) bool { return d.Name == name })
	})
	u.Devices = append(u.Devices, f.device)
	u.Left = append(u.Left, f.left...)
}

// check refuses what no device can be made of.
func (c *collector) check(f *found) error {
	if err := checkUser(f.user); err != nil {
		return err
	}
	d := f.device
	p := factor.Params{Method: d.Method, Secret: d.Secret, Digits: d.Digits, Period: d.Period, Algorithm: d.Algorithm}
	if err := p.Check(); err != nil && !(c.options.AllowShort && errors.Is(err, factor.ErrShortSecret)) {
		return err
	}
	if d.Counter != nil && *d.Counter > maxCounter {
		return errors.New("the counter is above 2^53-1")
	}
	return nil
}

func checkUser(name string) error {
	switch {
	case name == "":
		return errors.New("it is not said whose it is")
	case len(name) > maxName || printableOrNothing(name) == "" || strings.ContainsAny(name, "/:") || name == "." || name == "..":
		return fmt.Errorf("%.40q cannot be the name of a user", name)
	}
	return nil
}

func printableOrNothing(text string) string {
	if len(text) > maxName || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return ""
	}
	return text
}

// userOf is whose a label such as alice@host is: with --user his, else the user of the whole name, else of what stands before the last @.
func (c *collector) userOf(label string) string {
	if c.options.User != "" {
		return c.options.User
	}
	at := strings.LastIndexByte(label, '@')
	if at < 0 || c.options.Known != nil && c.options.Known(label) {
		return label
	}
	return label[:at]
}

// FreeName is the name wished for a device, or with -2 and so on behind it where that is taken; phone where it is not a name of 1 to 28
// printable bytes.
func FreeName(wish string, taken func(string) bool) string {
	const room = 28
	if wish == "" || len(wish) > room || printableOrNothing(wish) == "" {
		wish = batch.UsualDevice
	}
	name := wish
	for n := 2; taken(name); n++ {
		name = fmt.Sprintf("%s-%d", wish, n)
	}
	return name
}

// usual is a device with what everything has that says nothing else.
func usual(secret []byte) batch.Device {
	return batch.Device{Method: factor.TOTP, Secret: secret, Digits: factor.DefaultDigits, Period: factor.DefaultPeriod, Algorithm: factor.SHA1}
}

// byCounter makes it one of hotp, whose next counter this is.
func byCounter(d batch.Device, next uint64) batch.Device {
	d.Method, d.Period, d.Counter = factor.HOTP, 0, &next
	return d
}

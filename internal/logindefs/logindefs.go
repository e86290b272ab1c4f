// Package logindefs knows which accounts are people's: what /etc/login.defs says of their numbers, and which shells end at once; and how
// long login(1) waits.
package logindefs

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"twokey/internal/safefile"
)

// What a file means that does not say it; login.defs(5).
const (
	usualMin     = 1000
	usualTimeout = 60 // seconds
)

const maxFile = 1 << 20 // bytes

// errOpen refuses a file that others could have written: whoever makes himself a system account may be exempt.
var errOpen = errors.New("somebody else than root can write to it")

// UIDMin is the lowest user id of an account that belongs to a person, UID_MIN of login.defs(5); 1000 where that is not set. With an
// error it is 0: then nobody is taken for a system account.
func UIDMin() (uint32, error) { return setting("/etc/login.defs", "UID_MIN", usualMin) }

// LoginTimeout is how long login(1) lets somebody take from its start on, LOGIN_TIMEOUT of login.defs(5); a minute where that is not set, and
// with an error. Zero is for ever.
func LoginTimeout() (time.Duration, error) {
	seconds, err := setting("/etc/login.defs", "LOGIN_TIMEOUT", usualTimeout)
	if err != nil {
		seconds = usualTimeout
	}
	return time.Duration(seconds) * time.Second, err
}

func setting(file, name string, usual uint32) (uint32, error) {
	found, err := safefile.ReadImport(file, maxFile) // on some systems it is a link
	if errors.Is(err, fs.ErrNotExist) {
		return usual, nil
	}
	if err != nil {
		return 0, err
	}
	if found.Owner != 0 || found.Mode&0o022 != 0 {
		return 0, fmt.Errorf("%s: %w", file, errOpen)
	}
	value, err := parse(string(found.Content), name, usual)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	return value, nil
}

// parse finds the setting of a name. Of several the last counts, as for useradd(8); a number may be written in decimal, as 0x… or, with a 0
// before it, in octal.
func parse(text, name string, usual uint32) (uint32, error) {
	value := usual
	for line := range strings.Lines(text) {
		this, number, _ := strings.Cut(strings.TrimSpace(strings.ReplaceAll(line, "\t", " ")), " ")
		if this != name {
			continue
		}
		n, err := strconv.ParseUint(strings.Trim(number, ` "`), 0, 32)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		value = uint32(n)
	}
	return value, nil
}

// System reports whether an account is one of the services, and not of a person, as policies mean it: its number is below [UIDMin] and
// its shell is one of [NoLogin]. Root never is, whatever its shell: sftp and "su -s" do without, and who
// exempts the accounts of services does not mean root. With an error it is false.
func System(uid uint32, shell string) (bool, error) {
	if uid == 0 || !NoLogin(shell) {
		return false, nil
	}
	least, err := UIDMin()
	return uid < least, err
}

// NoLogin reports whether a login shell is one that ends at once, so that nobody can log in to the account. An empty one is /bin/sh;
// passwd(5).
func NoLogin(shell string) bool {
	switch shell[strings.LastIndexByte(shell, '/')+1:] {
	case "nologin", "false", "sync", "halt", "shutdown":
		return true
	}
	return false
}

// Package logindefs knows which accounts are people's: what /etc/login.defs says of their numbers, and which shells end at once.
package logindefs

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"twokey/internal/safefile"
)

// usualMin is UID_MIN of a file that does not say; login.defs(5).
const usualMin = 1000

const maxFile = 1 << 20 // bytes

// errOpen refuses a file that others could have written: whoever makes himself a system account may be exempt.
var errOpen = errors.New("somebody else than root can write to it")

// UIDMin is the lowest user id of an account that belongs to a person, UID_MIN of login.defs(5); 1000 where that is not set. With an
// error it is 0: then nobody is taken for a system account.
func UIDMin() (uint32, error) { return uidMin("/etc/login.defs") }

func uidMin(file string) (uint32, error) {
	found, err := safefile.ReadImport(file, maxFile) // on some systems it is a link
	if errors.Is(err, fs.ErrNotExist) {
		return usualMin, nil
	}
	if err != nil {
		return 0, err
	}
	if found.Owner != 0 || found.Mode&0o022 != 0 {
		return 0, fmt.Errorf("%s: %w", file, errOpen)
	}
	lowest, err := parse(string(found.Content))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	return lowest, nil
}

// parse finds UID_MIN. Of several the last counts, as for useradd(8); a number may be written in decimal, as 0x… or, with a 0 before it,
// in octal.
func parse(text string) (uint32, error) {
	found := uint32(usualMin)
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(strings.ReplaceAll(line, "\t", " ")), " ")
		if name != "UID_MIN" {
			continue
		}
		n, err := strconv.ParseUint(strings.Trim(value, ` "`), 0, 32)
		if err != nil {
			return 0, fmt.Errorf("UID_MIN: %w", err)
		}
		found = uint32(n)
	}
	return found, nil
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

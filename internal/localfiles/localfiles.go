// Package localfiles reads /etc/passwd, /etc/group and /etc/subuid, passwd(5), group(5) and subuid(5), as libc's "files" source does. It is for the login helper
// where the process that it serves belongs to the user himself: that process may say what it likes about an account, and the helper has
// no libc to ask. What is not in these files may be in a directory: "not here" is never "not at all".
//
// A line has seven fields (passwd), four (group) or three (subuid) with colons between them:
//
//	alice:x:1000:1000:Alice:/home/alice:/bin/bash
//	wheel:x:10:alice,bob
//	alice:100000:65536
//
// Of several lines with one name the first counts. A line that begins with "+", "-" or "#" is no entry; neither is one with another number
// of fields, or with an id that is no number from 0 to 4294967294.
package localfiles

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"twokey/internal/safefile"
)

const maxFile = 16 << 20 // bytes

// errOpen refuses a file that others could have written.
var errOpen = errors.New("somebody else than root can write to it")

// Account is what /etc/passwd says of a name.
type Account struct {
	Name     string
	UID, GID uint32
	Shell    string // "": /bin/sh
}

// Find finds an account by its name. found is false when it is not in the file; an error is one of reading it.
func Find(name string) (a Account, found bool, err error) {
	text, err := read("/etc/passwd")
	if err != nil {
		return Account{}, false, err
	}
	a, found = find(text, name)
	return a, found, nil
}

// InGroup reports whether an account of /etc/passwd is in a group, by its primary group or by a list of /etc/group. found is false when there
// is no such group in the file; an error is one of reading it.
func (a Account) InGroup(group string) (member, found bool, err error) {
	text, err := read("/etc/group")
	if err != nil {
		return false, false, err
	}
	member, found = a.inGroup(text, group)
	return member, found, nil
}

// Subordinate reports whether a user id is one of those that somebody takes on in user namespaces of his own, and then gives the first of
// all that he has: it stands for him. An error is one of reading /etc/subuid; on some systems there is none.
func Subordinate(uid uint32) (first uint32, found bool, err error) {
	text, err := read("/etc/subuid")
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	first, found = subordinate(text, uid)
	return first, found, nil
}

func subordinate(text string, uid uint32) (first uint32, found bool) {
	begins := map[string]uint32{}
	for f := range entries(text, 3) {
		begin, okBegin := id(f[1])
		n, okN := id(f[2])
		if !okBegin || !okN {
			continue
		}
		if _, known := begins[f[0]]; !known {
			begins[f[0]] = begin
		}
		if uid >= begin && uid-begin < n {
			return begins[f[0]], true
		}
	}
	return 0, false
}

func read(path string) (string, error) {
	file, err := safefile.ReadImport(path, maxFile) // on some systems it is a link
	if err != nil {
		return "", err
	}
	if file.Owner != 0 || file.Mode&0o022 != 0 {
		return "", fmt.Errorf("%s: %w", path, errOpen)
	}
	return string(file.Content), nil
}

func find(text, name string) (Account, bool) {
	for f := range entries(text, 7) {
		uid, okUID := id(f[2])
		gid, okGID := id(f[3])
		if f[0] == name && okUID && okGID {
			return Account{name, uid, gid, f[6]}, true
		}
	}
	return Account{}, false
}

// inGroup looks at all lines with the number of the group, since that is what counts for the kernel: a group may have two names.
func (a Account) inGroup(text, group string) (member, found bool) {
	var number uint32
	for f := range entries(text, 4) {
		if gid, ok := id(f[2]); ok && f[0] == group {
			number, found = gid, true
			break
		}
	}
	if !found || number == a.GID {
		return found, found
	}
	for f := range entries(text, 4) {
		if gid, ok := id(f[2]); ok && gid == number && slices.Contains(strings.Split(f[3], ","), a.Name) {
			return true, true
		}
	}
	return false, true
}

// entries gives the fields of each line that has so many of them.
func entries(text string, fields int) func(func([]string) bool) {
	return func(yield func([]string) bool) {
		for line := range strings.Lines(text) {
			f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
			if len(f) == fields && f[0] != "" && !strings.ContainsAny(f[0][:1], "+-#") && !yield(f) {
				return
			}
		}
	}
}

// id takes digits only: strconv would take a sign too. The highest number means "none" to the kernel.
func id(text string) (uint32, bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err == nil && n != 1<<32-1
}

// Package sysuser asks the host's name service (NSS) who a user is: through libc, so that every source in nsswitch.conf counts. It
// is for the command line; the login helper, which has no libc, is told by the module.
package sysuser

/*
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

enum { NO_GROUP, NOT_LISTED, LISTED, FAILED };

// find_group looks a group up with getgrnam_r(3), which, unlike getgrouplist(3), tells a failed lookup from "no such group", and
// says whether name is in its list.
static int find_group(const char *group, const char *name, gid_t *gid, int *error) {
	struct group entry, *found = NULL;
	*error = ERANGE;
	for (size_t size = 4096; *error == ERANGE && size <= (64 << 20); size *= 4) {
		char *buffer = malloc(size);
		if (buffer == NULL) return FAILED;
		*error = getgrnam_r(group, &entry, buffer, size, &found);
		int answer = found == NULL ? NO_GROUP : NOT_LISTED;
		if (*error == 0 && found != NULL) {
			*gid = entry.gr_gid;
			for (char **member = entry.gr_mem; *member != NULL; member++)
				if (strcmp(*member, name) == 0) answer = LISTED;
		}
		free(buffer);
		if (*error == 0) return answer;
	}
	return FAILED;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// ErrUnknown is returned when the name service answered that there is no such user, or group.
var ErrUnknown = errors.New("unknown to the name service")

// Account is a user as the name service knows him.
type Account struct {
	Name     string // the canonical one, which may be spelled otherwise than what was looked up
	UID, GID uint32
	FullName string
	Home     string
}

// possible reports whether an account or a group can have the name: cut off at a NUL, or read as two fields of a file, it would be
// another's.
func possible(name string) bool { return name != "" && !strings.ContainsAny(name, "\x00\n:") }

// Lookup finds a user by name.
func Lookup(name string) (Account, error) {
	if !possible(name) {
		return Account{}, fmt.Errorf("user %q: %w", name, ErrUnknown)
	}
	found, err := user.Lookup(name)
	return account(name, found, err)
}

// LookupID finds a user by number.
func LookupID(uid uint32) (Account, error) {
	found, err := user.LookupId(number(uid))
	return account(number(uid), found, err)
}

func account(asked string, found *user.User, err error) (Account, error) {
	var noName user.UnknownUserError
	var noID user.UnknownUserIdError
	if errors.As(err, &noName) || errors.As(err, &noID) {
		return Account{}, fmt.Errorf("user %q: %w", asked, ErrUnknown)
	}
	if err != nil {
		return Account{}, fmt.Errorf("user %q: the name service did not answer: %w", asked, err)
	}
	uid, uidErr := strconv.ParseUint(found.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(found.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return Account{}, err
	}
	return Account{found.Username, uint32(uid), uint32(gid), found.Name, found.HomeDir}, nil
}

// InGroup reports whether the account is a member: by its primary group, by the group's list, or by what the name service lists
// for the user. A group that does not exist is ErrUnknown.
func (a Account) InGroup(group string) (bool, error) {
	gid, listed, err := findGroup(group, a.Name)
	if err != nil || listed {
		return listed, err
	}
	ids, err := (&user.User{Uid: number(a.UID), Gid: number(a.GID), Username: a.Name}).GroupIds()
	if err != nil {
		return false, fmt.Errorf("the groups of %q: %w", a.Name, err)
	}
	return slices.Contains(ids, number(gid)), nil
}

// GroupExists reports whether the name service knows the group.
func GroupExists(group string) (bool, error) {
	_, _, err := findGroup(group, "")
	if errors.Is(err, ErrUnknown) {
		return false, nil
	}
	return err == nil, err
}

func findGroup(group, member string) (gid uint32, listed bool, err error) {
	if !possible(group) {
		return 0, false, fmt.Errorf("group %q: %w", group, ErrUnknown)
	}
	name, user := C.CString(group), C.CString(member)
	defer C.free(unsafe.Pointer(name))
	defer C.free(unsafe.Pointer(user))
	var found C.gid_t
	var failure C.int
	switch C.find_group(name, user, &found, &failure) {
	case C.NO_GROUP:
		return 0, false, fmt.Errorf("group %q: %w", group, ErrUnknown)
	case C.NOT_LISTED:
		return uint32(found), false, nil
	case C.LISTED:
		return uint32(found), true, nil
	}
	return 0, false, fmt.Errorf("group %q: the name service did not answer: %w", group, syscall.Errno(failure))
}

func number(id uint32) string { return strconv.FormatUint(uint64(id), 10) }

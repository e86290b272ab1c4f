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

// find_user looks a user up by name, or by uid when name is NULL. The texts of the entry lie in *buffer, which is the caller's.
// Some sources of nsswitch.conf say ENOENT instead of finding nobody.
static int find_user(const char *name, uid_t uid, struct passwd *entry, int *known, char **buffer) {
	struct passwd *found = NULL;
	int error = ERANGE;
	*buffer = NULL;
	for (size_t size = 4096; error == ERANGE && size <= (64 << 20); size *= 4) {
		free(*buffer);
		*buffer = malloc(size);
		if (*buffer == NULL) return ENOMEM;
		error = name != NULL ? getpwnam_r(name, entry, *buffer, size, &found) : getpwuid_r(uid, entry, *buffer, size, &found);
	}
	*known = found != NULL;
	return error == ENOENT ? 0 : error;
}

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

	"twokey/internal/logindefs"
)

// ErrUnknown is returned when the name service answered that there is no such user, or group.
var ErrUnknown = errors.New("unknown to the name service")

// Account is a user as the name service knows him.
type Account struct {
	Name     string // the canonical one, which may be spelled otherwise than what was looked up
	UID, GID uint32
	FullName string // the first field of pw_gecos
	Home     string
	Shell    string // "": /bin/sh, passwd(5)
}

// MayLogIn reports whether somebody could log in to the account, by its shell: system accounts have one that ends at once.
func (a Account) MayLogIn() bool { return !logindefs.NoLogin(a.Shell) }

// possible reports whether an account or a group can have the name: cut off at a NUL, or read as two fields of a file, it would be
// another's.
func possible(name string) bool { return name != "" && !strings.ContainsAny(name, "\x00\n:") }

// Lookup finds a user by name.
func Lookup(name string) (Account, error) {
	if !possible(name) {
		return Account{}, fmt.Errorf("user %q: %w", name, ErrUnknown)
	}
	given := C.CString(name)
	defer C.free(unsafe.Pointer(given))
	return find(name, given, 0)
}

// LookupID finds a user by number.
func LookupID(uid uint32) (Account, error) { return find(number(uid), nil, C.uid_t(uid)) }

// find takes a nil name for "by number".
func find(asked string, name *C.char, uid C.uid_t) (Account, error) {
	var entry C.struct_passwd
	var known C.int
	var buffer *C.char
	errno := syscall.Errno(C.find_user(name, uid, &entry, &known, &buffer))
	defer func() { C.free(unsafe.Pointer(buffer)) }()
	switch {
	case errno != 0:
		return Account{}, fmt.Errorf("user %q: the name service did not answer: %w", asked, errno)
	case known == 0:
		return Account{}, fmt.Errorf("user %q: %w", asked, ErrUnknown)
	}
	return accountOf(&entry), nil
}

func accountOf(entry *C.struct_passwd) Account {
	fullName, _, _ := strings.Cut(C.GoString(entry.pw_gecos), ",")
	return Account{C.GoString(entry.pw_name), uint32(entry.pw_uid), uint32(entry.pw_gid), fullName, C.GoString(entry.pw_dir),
		C.GoString(entry.pw_shell)}
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

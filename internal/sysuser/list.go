package sysuser

/*
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

// next_user gives the next account, with getpwent_r(3), into a buffer that it makes as large as it has to be.
static int next_user(struct passwd *entry, char **buffer, size_t *size) {
	struct passwd *found = NULL;
	int error;
	while ((error = getpwent_r(entry, *buffer, *size, &found)) == ERANGE && *size < (64 << 20)) {
		char *larger = realloc(*buffer, *size * 4);
		if (larger == NULL) return ENOMEM;
		*buffer = larger;
		*size *= 4;
	}
	return error;
}

// join copies names into one text, each ended by a newline; it is the caller's.
static char *join(char **names) {
	size_t size = 1;
	for (char **name = names; *name != NULL; name++) size += strlen(*name) + 1;
	char *text = malloc(size), *end = text;
	if (text == NULL) return NULL;
	for (char **name = names; *name != NULL; name++) {
		end = stpcpy(end, *name);
		*end++ = '\n';
	}
	*end = '\0';
	return text;
}

// members copies a group's list: *list is NULL when there is no such group, and else the caller's.
static int members(const char *group, char **list) {
	struct group entry, *found = NULL;
	int error = ERANGE;
	*list = NULL;
	for (size_t size = 4096; error == ERANGE && size <= (64 << 20); size *= 4) {
		char *buffer = malloc(size);
		if (buffer == NULL) return ENOMEM;
		error = getgrnam_r(group, &entry, buffer, size, &found);
		if (error == 0 && found != NULL) *list = join(entry.gr_mem);
		free(buffer);
		if (error == 0 && found != NULL && *list == NULL) return ENOMEM;
	}
	return error;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"unsafe"
)

// listing is held while accounts are listed: libc has one position in the list, and two at once would each get a part of it.
var listing sync.Mutex

// All lists the accounts that the name service lists, each name once. A directory with many users, or one that does not answer just
// now, may list none and find them all the same: [Lookup]. A list without root is an error: getpwent(3) does not tell an /etc/passwd that
// could not be read from the end of the list.
func All() ([]Account, error) {
	listing.Lock()
	defer listing.Unlock()
	size := C.size_t(4096)
	buffer := (*C.char)(C.malloc(size))
	defer func() { C.free(unsafe.Pointer(buffer)) }()
	C.setpwent()
	defer C.endpwent()
	seen := map[string]bool{}
	var all []Account
	for {
		var entry C.struct_passwd
		switch errno := syscall.Errno(C.next_user(&entry, &buffer, &size)); errno {
		case 0:
		case syscall.ENOENT:
			if !slices.ContainsFunc(all, func(a Account) bool { return a.UID == 0 }) {
				return nil, errors.New("the list of users: the name service did not list root")
			}
			return all, nil
		default:
			return nil, fmt.Errorf("the list of users: the name service did not answer: %w", errno)
		}
		account := accountOf(&entry)
		if seen[account.Name] {
			continue
		}
		seen[account.Name] = true
		all = append(all, account)
	}
}

// Members lists the accounts that a group's own list names, in its order: not those whose primary group it is, nor those who are in
// it by what the name service lists for them. A group that does not exist is ErrUnknown.
func Members(group string) ([]string, error) {
	if !possible(group) {
		return nil, fmt.Errorf("group %q: %w", group, ErrUnknown)
	}
	name := C.CString(group)
	defer C.free(unsafe.Pointer(name))
	var list *C.char
	if errno := syscall.Errno(C.members(name, &list)); errno != 0 {
		return nil, fmt.Errorf("group %q: the name service did not answer: %w", group, errno)
	}
	if list == nil {
		return nil, fmt.Errorf("group %q: %w", group, ErrUnknown)
	}
	defer C.free(unsafe.Pointer(list))
	return strings.FieldsFunc(C.GoString(list), func(r rune) bool { return r == '\n' }), nil
}

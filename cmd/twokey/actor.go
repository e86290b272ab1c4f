package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"twokey/audit"
	"twokey/internal/safefile"
	"twokey/internal/sysuser"
)

// role is as what somebody uses a command.
type role string

// The roles. Everything is for root; roles.go says what is for whom else.
const (
	noRole     role = ""
	byRoot     role = "root"
	bySelf     role = "self" // about himself alone
	byHelpdesk role = "helpdesk"
	byAuditor  role = "auditor"
)

// actor is who acts, and as what. The zero value is nobody, and may do nothing that needs root.
type actor struct {
	account sysuser.Account // Name "": the name service does not know the number
	role    role
	socket  bool   // he is not root, and came through self.sock; else this process is his
	code    bool   // over the socket: he has shown a code of his device, and not the password alone
	login   string // the number of who logged in, whatever he has become since; "": the kernel does not know
	sudo    string // SUDO_USER, which whoever started us can set

	serial        uint64 // of his secrets when he showed the code
	enrolmentCode string // with which he may enrol, or ""
}

// theirs is the actor of a process that somebody has started himself: root, or somebody who may look at what everybody may see.
func theirs() actor {
	a := actor{account: sysuser.Account{UID: uint32(os.Getuid())}, login: loginUID(), sudo: os.Getenv("SUDO_USER")}
	if found, err := sysuser.LookupID(a.account.UID); err == nil {
		a.account = found
	}
	if os.Geteuid() == 0 {
		a.role = byRoot
	}
	return a
}

// isRoot reports whether everything is allowed.
func (a actor) isRoot() bool { return a.role == byRoot && !a.socket }

// himself reports whether he acts for himself alone, with what a user may do to his own devices.
func (a actor) himself() bool { return a.role == bySelf }

// signature is who adds a device, as its owner is told at his next session: the account, and in brackets who became it.
func (a actor) signature() string {
	login := ""
	if uid, err := strconv.ParseUint(a.login, 10, 32); err == nil {
		if account, err := sysuser.LookupID(uint32(uid)); err == nil {
			login = account.Name
		}
	}
	return signature(or(a.account.Name, fmt.Sprint(a.account.UID)), login, a.sudo)
}

// signature prefers the user who logged in, as the kernel knows, to the one that the environment names.
func signature(name, login, sudo string) string {
	for _, behind := range []string{login, sudo} {
		if behind != "" && behind != name {
			return fmt.Sprintf("%s (%s)", name, behind)
		}
	}
	return name
}

// detailRole is the field of a record that says as what somebody acted over the socket.
const detailRole = "twokey.role"

// signs puts the actor into a record.
func (a actor) signs(rec *audit.Record) {
	rec.User, rec.UserID = a.account.Name, strconv.FormatUint(uint64(a.account.UID), 10)
	rec.LoginUID, rec.SudoUser = a.login, a.sudo
	if a.socket {
		rec.Service = selfService
		rec.Details = append(slices.Clone(rec.Details), audit.Detail{Key: detailRole, Value: string(a.role) + ", by socket"})
	}
}

// loginUID is who logged in, whatever he has become since (proc(5)); "" when nobody did.
func loginUID() string {
	b, err := safefile.ReadFile("/proc/self/loginuid", safefile.Public)
	if uid := strings.TrimSpace(string(b)); err == nil && uid != "4294967295" {
		return uid
	}
	return ""
}

package main

import (
	"slices"
	"strings"
)

// selfService is the PAM service by which somebody proves over the socket who he is, and what stands for it in the audit log.
const selfService = "twokey-self"

// permission says who may run a command without being root, over the socket.
type permission struct {
	roles []role   // self, helpdesk, auditor
	flags []string // that may be given, beside --json and --yes; "qr=terminal,none": with these values only
	users names    // which of the arguments are users
	bare  bool     // for himself also by the password alone, as long as he has no device
}

// names says which of the arguments of a command are users.
type names int

const (
	noName     names = iota // none
	firstName               // the first, where there is one; it is about whoever types without it
	everyName               // all, and the members of --group
	beforeName              // the first, where there is one more than the command needs at least: device rename [USER] FROM TO
)

// permissions is the table of what is for others than root. A command that is not in it is for root alone, and a flag that is not
// named cannot be used: a root process reads and writes no file that somebody else names.
//
// Attack: twokey enroll --secret-file /etc/shadow, --qr /etc/cron.d/x.svg, --config /home/alice/twokey.yaml, over the socket.
func permissions() map[string]permission {
	device := []string{"device", "method", "qr=terminal,none", "confirm", dryRun}
	return map[string]permission{
		"enroll":        {roles: []role{bySelf}, flags: append(device, "recovery-codes", "replace"), users: firstName, bare: true},
		"device list":   {roles: []role{bySelf}, users: firstName, bare: true},
		"device add":    {roles: []role{bySelf}, flags: append(device, "recovery-codes"), users: firstName},
		"device remove": {roles: []role{bySelf}, flags: []string{dryRun}, users: beforeName},
		"device rename": {roles: []role{bySelf}, flags: []string{dryRun}, users: beforeName},
		"recovery show": {roles: []role{bySelf}, users: firstName, bare: true},
		"recovery new":  {roles: []role{bySelf}, flags: []string{"recovery-codes", dryRun}, users: firstName},
		"show":          {roles: []role{bySelf, byHelpdesk}, users: firstName, bare: true},

		"list":          {roles: []role{byHelpdesk}, flags: []string{"missing", "required", "throttled", "unused", "method", "csv"}},
		"unlock":        {roles: []role{byHelpdesk}, flags: []string{group, dryRun}, users: everyName},
		"reset":         {roles: []role{byHelpdesk}, flags: []string{group, "for", dryRun}, users: everyName},
		"bypass create": {roles: []role{byHelpdesk}, flags: []string{"for", "uses", "reason", "requested-by", dryRun}, users: firstName},
		"bypass list":   {roles: []role{byHelpdesk}, users: firstName},
		"bypass revoke": {roles: []role{byHelpdesk}, flags: []string{"id", "all", dryRun}, users: firstName},

		"audit tail":   {roles: []role{byAuditor}, flags: []string{"n", "user"}},
		"audit verify": {roles: []role{byAuditor}},
	}
}

// takes reports whether a flag may be given over the socket, by any of its names.
func (p permission) takes(flag string) bool {
	if slices.Contains([]string{"json", "yes", "y"}, flag) {
		return true
	}
	return slices.ContainsFunc(p.flags, func(f string) bool {
		name, _, _ := strings.Cut(f, "=")
		return name == flag
	})
}

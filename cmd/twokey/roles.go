package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"twokey/audit"
	"twokey/internal/sysuser"
	"twokey/policy"
)

// selfService is the PAM service by which somebody proves over the socket who he is, and what stands for it in the audit log.
const selfService = policy.SelfService

// permission says who may run a command without being root, over the socket.
type permission struct {
	roles  []role   // self, helpdesk, auditor
	flags  []string // that may be given, beside --json and --yes; "qr=terminal,none": with these values only
	users  names    // which of the arguments are users
	behind int      // how many arguments stand behind the first, where that is a user
	bare   bool     // for himself also by the password alone, as long as he has no device
	reads  bool     // it changes nothing, so that a bypass code is proof enough
}

// names says which of the arguments of a command are users.
type names int

const (
	noName    names = iota // none
	firstName              // the first, where it is not left out; then it is about whoever types
	everyName              // all, and the members of --group
)

// permissions is the table of what is for others than root. A command that is not in it is for root alone, and a flag that is not
// named cannot be used: a root process reads and writes no file that somebody else names.
//
// Attack: twokey enroll --secret-file /etc/shadow, --qr /etc/cron.d/x.svg, --config /home/alice/twokey.yaml, over the socket.
func permissions() map[string]permission {
	device := []string{"device", "method", "qr=terminal,none," + byClient, "confirm", dryRun}
	return map[string]permission{
		"enroll":        {roles: []role{bySelf}, flags: append(device, "phone", "recovery-codes", "replace"), users: firstName, bare: true},
		"device list":   {roles: []role{bySelf}, users: firstName, bare: true, reads: true},
		"device add":    {roles: []role{bySelf}, flags: append(device, "phone", "recovery-codes"), users: firstName},
		"device edit":   {roles: []role{bySelf}, flags: []string{"phone", dryRun}, users: firstName, behind: 1},
		"device remove": {roles: []role{bySelf}, flags: []string{dryRun}, users: firstName, behind: 1},
		"device rename": {roles: []role{bySelf}, flags: []string{dryRun}, users: firstName, behind: 2},
		"recovery show": {roles: []role{bySelf}, users: firstName, bare: true, reads: true},
		"recovery new":  {roles: []role{bySelf}, flags: []string{"recovery-codes", dryRun}, users: firstName},
		"show":          {roles: []role{bySelf, byHelpdesk}, users: firstName, bare: true, reads: true},

		"list":          {roles: []role{byHelpdesk}, flags: []string{"missing", "required", "expired", "throttled", "unused", "method", "csv"}, reads: true},
		"unlock":        {roles: []role{byHelpdesk}, flags: []string{group, dryRun}, users: everyName},
		"reset":         {roles: []role{byHelpdesk}, flags: []string{group, "for", dryRun}, users: everyName},
		"bypass create": {roles: []role{byHelpdesk}, flags: []string{"for", "uses", "reason", "requested-by", dryRun}, users: firstName},
		"bypass list":   {roles: []role{byHelpdesk}, users: firstName, reads: true},
		"bypass revoke": {roles: []role{byHelpdesk}, flags: []string{dryRun}, users: firstName},

		"audit tail":   {roles: []role{byAuditor}, flags: []string{"n", "user"}, reads: true},
		"audit verify": {roles: []role{byAuditor}, flags: []string{"key=-"}, reads: true},
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

// checkFlags refuses flags that the table does not name, and values that it does not. It goes by the flags that the command will see, and
// not by the words that were typed.
//
// Attack: "enroll --device -- --secret-file /etc/shadow": the first "--" is the name of a device, and not the end of the flags.
func (p permission) checkFlags(c *cli.Context, typed []string) error {
	for _, flag := range c.FlagNames() {
		if !p.takes(flag) {
			return notOverSocket("--"+flag, typed)
		}
	}
	for _, f := range p.flags {
		name, values, limited := strings.Cut(f, "=")
		if limited && c.IsSet(name) && !slices.Contains(strings.Split(values, ","), c.String(name)) {
			return notOverSocket("--"+name+" "+c.String(name), typed).
				hint("%s; without root: --%s %s", asRoot(typed), name, strings.ReplaceAll(values, ",", ", "))
		}
	}
	return nil
}

func notOverSocket(what string, typed []string) *advised {
	return (&advised{text: what + " needs root", status: exitNeedRoot}).hint("%s", asRoot(typed))
}

// named are the arguments that are users.
func (p permission) named(args []string) []string {
	switch {
	case p.users == everyName, p.users == firstName && len(args) > p.behind+1:
		return args // too many: no two of them are somebody himself
	case p.users == firstName && len(args) > p.behind:
		return args[:1]
	}
	return nil
}

// roleOf is as what somebody who came over the socket may run a command with these arguments: for himself where it is about himself, else
// by what the policy makes him.
func (h *host) roleOf(p permission, args, groups []string) (role, error) {
	him := person{name: h.actor.account.Name, account: &h.actor.account}
	named := p.named(args)
	if slices.Contains(p.roles, bySelf) && len(groups) == 0 && !slices.ContainsFunc(named, func(name string) bool { return !h.isHim(name) }) {
		return bySelf, nil
	}
	for role, who := range map[role]policy.Who{byHelpdesk: h.policy.Roles.Helpdesk, byAuditor: h.policy.Roles.Auditor} {
		if !slices.Contains(p.roles, role) {
			continue
		}
		has, err := who.Has(him.name, him.inGroup)
		if err != nil {
			return noRole, fmt.Errorf("whether %s is of the %s cannot be told: %w", him.name, role, err)
		}
		if has {
			return role, nil
		}
	}
	return noRole, nil
}

// isHim reports whether a name is that of who acts.
func (h *host) isHim(name string) bool {
	account, err := sysuser.Lookup(name)
	return err == nil && account.UID == h.actor.account.UID && account.Name == h.actor.account.Name
}

// mayTouch refuses what somebody who is not root would do to a user. It is asked wherever a name becomes the user that something is done
// to, at that moment: names are of the caller's choosing, and one user may have several. A group that cannot be looked up refuses.
func (h *host) mayTouch(name string, account *sysuser.Account) error {
	if why := h.untouchable(account); why != "" {
		return h.refusal(name, "%s", why)
	}
	return nil
}

// untouchable says why who is not root may do nothing to an account, or look at what is kept of it; "": he may.
func (h *host) untouchable(account *sysuser.Account) string {
	who := h.actor.account.Name
	switch {
	case !h.actor.socket:
		return "" // who is not root comes no further than to look
	case account == nil:
		return "there is no such account"
	case h.actor.role == bySelf && account.UID == h.actor.account.UID && account.Name == who:
		return ""
	case h.actor.role != byHelpdesk:
		return "it is not " + who
	case account.UID == 0:
		return "the helpdesk has nothing to do with root"
	case account.UID == h.actor.account.UID:
		return "the helpdesk does nothing for itself"
	}
	p := person{name: account.Name, account: account}
	protected, err := h.policy.Roles.Protected.Has(p.name, p.inGroup)
	switch {
	case err != nil:
		return fmt.Sprintf("whether roles.protected has the user cannot be told: %v", err)
	case protected:
		return "roles.protected has the user"
	}
	return ""
}

// stillMay asks again, behind a question, what was asked before it: by the policy and the groups of now.
//
// Attack: one of the helpdesk leaves the question open until the role is taken away, or somebody is protected, and answers then.
func (h *host) stillMay(people []person) error {
	if !h.actor.socket {
		return nil
	}
	inForce, err := h.policyInForce()
	if err != nil {
		return err
	}
	h.policy = inForce.Config
	names := plainNames(people)
	has, err := h.roleOf(permission{roles: []role{h.actor.role}, users: everyName}, names, nil)
	if err != nil {
		return err
	}
	if has != h.actor.role {
		return h.refusal(strings.Join(names, ", "), "you are not of the %s any more", h.actor.role)
	}
	for _, name := range names {
		if _, err := h.account(name); err != nil {
			return err
		}
	}
	return nil
}

// refusal is that somebody who is known to be he wants what he may not, which the audit log keeps.
func (h *host) refusal(name, why string, args ...any) error {
	reason := fmt.Sprintf(why, args...)
	refused := (&advised{text: fmt.Sprintf("%s is for root: %s", name, reason), status: exitNeedRoot}).hint("%s", asRoot(h.ui.typed))
	if err := h.recordSelf(audit.Failure, name, reason); err != nil {
		return errors.Join(refused, err)
	}
	return refused
}

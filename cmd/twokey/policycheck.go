package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/internal/safefile"
	"twokey/internal/sysuser"
	"twokey/policy"
)

func policyCheckCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "is the configuration file, or another one, right, and what is dangerous in it",
		ArgsUsage: "[FILE]",
		Description: "Reads the file and changes nothing. Exit status 1 with line and column when it is wrong: logins then go by the last\n" +
			"good policy. Warnings, also of names that this host does not know, leave the exit status at 0. FILE is a draft, which\n" +
			"may lie anywhere and belong to anybody. Needs no root.",
		Action: func(c *cli.Context) error { return policyCheckAction(c, ui) },
	}
}

// checked is what policy check --json prints.
type checked struct {
	OK       bool     `json:"ok"`
	File     string   `json:"file"`
	Line     int      `json:"line,omitempty"`
	Column   int      `json:"column,omitempty"`
	Error    string   `json:"error,omitempty"`
	Warnings []string `json:"warnings"`
}

func policyCheckAction(c *cli.Context, ui *ui) error {
	if c.NArg() > 1 {
		return badUsage("policy check takes one file, %q is one too many", c.Args().Get(1))
	}
	h, err := locate(c, ui)
	if err != nil {
		return err
	}
	if c.Args().Present() {
		h.config = c.Args().First()
		err = h.readDraft()
	} else {
		err = h.readConfig()
	}
	if err == nil {
		if wrong := checkSigners(h.source, h.policy.Provisioners); wrong != nil {
			err = fmt.Errorf("%s: %w", h.config, wrong)
		}
	}
	result := checked{File: h.config, Warnings: []string{}}
	if err != nil {
		result.Error = err.Error()
		var where *policy.Error
		if errors.As(err, &where) {
			result.Line, result.Column, result.Error = where.Line, where.Column, where.Msg
		}
		if c.Args().Present() && result.Line > 0 {
			err = failed("%v", err).hint("mend it, then: twokey policy check %s", h.config)
		}
		return errors.Join(ui.object(result), err)
	}
	if result.Warnings, err = h.warnings(); err != nil {
		return err
	}
	result.OK = true
	ui.say("%s: ok", visible(h.config))
	for _, warning := range result.Warnings {
		ui.say("warning: %s", visible(warning))
	}
	return ui.object(result)
}

// readDraft reads a configuration that is not in force, from wherever it lies.
func (h *host) readDraft() error {
	draft, err := safefile.ReadImport(h.config, policy.MaxSource)
	if err != nil {
		return err
	}
	return h.understand(draft.Content)
}

// warnings are what the policy itself finds dangerous, and what only this host can tell: names that mean nobody here.
func (h *host) warnings() ([]string, error) {
	found := append([]string{}, h.policy.Warnings(time.Now())...)
	for _, named := range h.named() {
		unknown, err := h.unknownNames(named.entry)
		if err != nil {
			return nil, err
		}
		for _, name := range unknown {
			found = append(found, fmt.Sprintf("%s: this host has no %s", named.rule, name))
		}
	}
	return found, nil
}

// namedIn are the names that a part of the configuration has.
type namedIn struct {
	rule  string
	entry policy.Entry
}

// named lists all names of the configuration, in its order.
func (h *host) named() []namedIn {
	var all []namedIn
	for i, e := range h.policy.Require {
		all = append(all, namedIn{ruleName("require", i), e})
	}
	for i, e := range h.policy.Exempt {
		all = append(all, namedIn{ruleName("exempt", i), e})
	}
	for i, r := range h.policy.Rules {
		all = append(all, namedIn{h.policy.RuleName(i), policy.Entry{Users: r.Users, Groups: r.Groups, Services: r.Services}})
	}
	services := slices.AppendSeq(slices.Collect(maps.Keys(h.policy.Services)), maps.Keys(h.policy.EnrollOn))
	if slices.Sort(services); len(services) > 0 {
		all = append(all, namedIn{"services", policy.Entry{Services: slices.Compact(services)}})
	}
	roles := h.policy.Roles
	for _, role := range []struct {
		key string
		who policy.Who
	}{{"roles.helpdesk", roles.Helpdesk}, {"roles.auditor", roles.Auditor}, {"roles.protected", roles.Protected},
		{"bypass.requesters", h.policy.Bypass.Requesters}} {
		all = append(all, namedIn{role.key, policy.Entry{Users: role.who.Users, Groups: role.who.Groups}})
	}
	return all
}

// ruleName is what policy.Explain calls an entry.
func ruleName(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

// unknownNames are the users, groups and services of an entry that this host does not know, such as "user \"alcie\"".
func (h *host) unknownNames(e policy.Entry) ([]string, error) {
	var unknown []string
	for _, kind := range []struct {
		name   string
		names  []string
		exists func(string) (bool, error)
	}{{"user", e.Users, userExists}, {"group", e.Groups, sysuser.GroupExists}, {"PAM service", e.Services, h.pamServiceExists}} {
		for _, name := range kind.names {
			exists, err := kind.exists(name)
			if err != nil {
				return nil, err
			}
			if !exists {
				unknown = append(unknown, fmt.Sprintf("%s %q", kind.name, name))
			}
		}
	}
	return unknown, nil
}

// userExists reports whether there is an account of exactly this name: by another spelling a login would not be found.
func userExists(name string) (bool, error) {
	found, err := sysuser.Lookup(name)
	if errors.Is(err, sysuser.ErrUnknown) {
		return false, nil
	}
	return err == nil && found.Name == name, err
}

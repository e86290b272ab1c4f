package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/internal/sysuser"
	"twokey/policy"
)

func policyCheckCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "check",
		Usage: "is the configuration file right, and what is dangerous in it",
		Description: "Reads the file and changes nothing. Exit status 1 with line and column when it is wrong: logins then go by the last\n" +
			"good policy. Warnings, also of names that this host does not know, leave the exit status at 0. Needs no root.",
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
	if err := noArguments(c); err != nil {
		return err
	}
	h, err := locate(c, ui)
	if err != nil {
		return err
	}
	result := checked{File: h.config, Warnings: []string{}}
	if err := h.readConfig(); err != nil {
		result.Error = err.Error()
		var where *policy.Error
		if errors.As(err, &where) {
			result.Line, result.Column, result.Error = where.Line, where.Column, where.Msg
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

// warnings are what the policy itself finds dangerous, and what only this host can tell: names that mean nobody here.
func (h *host) warnings() ([]string, error) {
	found := append([]string{}, h.policy.Warnings(time.Now())...)
	for _, list := range []struct {
		name    string
		entries []policy.Entry
	}{{"require", h.policy.Require}, {"exempt", h.policy.Exempt}} {
		for i, e := range list.entries {
			unknown, err := h.unknownNames(e)
			if err != nil {
				return nil, err
			}
			for _, name := range unknown {
				found = append(found, fmt.Sprintf("%s: this host has no %s", ruleName(list.name, i), name))
			}
		}
	}
	return found, nil
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

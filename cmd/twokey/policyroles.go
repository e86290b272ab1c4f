package main

import (
	"maps"
	"slices"
	"strings"

	"twokey/policy"
)

// What policy list shows of enrolment at a login, bypass codes and roles.

// listedBypass has the keys of the configuration.
type listedBypass struct {
	Requesters policy.Who `json:"requesters"`
	Longest    string     `json:"longest"`
}

// listedRoles has the keys of the configuration.
type listedRoles struct {
	Helpdesk  policy.Who `json:"helpdesk"`
	Auditor   policy.Who `json:"auditor"`
	Protected policy.Who `json:"protected"`
}

// canEnroll are the services at which one can enrol, sorted.
func canEnroll(p *policy.Config) []string {
	names := slices.AppendSeq(policy.BuiltinEnroll(), maps.Keys(p.EnrollOn))
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return !p.CanEnroll(name) })
}

// roleRows are the rows of the table. Roles of nobody are left out.
func roleRows(p *policy.Config) [][]string {
	rows := [][]string{{"at login", atLoginSentence(p)}, {"bypass", "up to " + policy.Brief(p.Bypass.Longest) + ", asked for by " +
		or(whoSentence(p.Bypass.Requesters.Users, p.Bypass.Requesters.Groups), "nobody (bypass.requesters)")}}
	for _, role := range []struct {
		name string
		who  policy.Who
	}{{"helpdesk", p.Roles.Helpdesk}, {"auditor", p.Roles.Auditor}, {"protected", p.Roles.Protected}} {
		if !role.who.IsZero() {
			rows = append(rows, []string{role.name, whoSentence(role.who.Users, role.who.Groups)})
		}
	}
	for _, key := range p.Provisioners {
		rows = append(rows, []string{"provisioner", key})
	}
	return rows
}

// atLoginSentence says who enrols where: "with-code: ... on login, sshd".
func atLoginSentence(p *policy.Config) string {
	services := or(strings.Join(canEnroll(p), ", "), "no service")
	switch p.AtLogin {
	case policy.AtLoginWithCode:
		return "with-code: who is required and has no device enrols with an enrolment code, on " + services
	case policy.AtLoginYes:
		return "yes: who is required and has no device enrols with his password alone, on " + services
	}
	return p.AtLogin + ": nobody enrols at a login"
}

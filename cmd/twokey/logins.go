package main

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"twokey/audit"
)

// How far back list looks for logins. In a log of any length it takes about as long as reading the users.
const (
	loginRecords   = 10000 // newest records of the audit log
	loginsPerUser  = 3     // services, of each the last login
	detailSSHAuth  = "twokey.ssh_auth"
	noSecondFactor = "none"
)

// cameIn is how a user came in last by one service.
type cameIn struct {
	Service      string     `json:"service"`
	SSHAuth      []string   `json:"ssh_auth"`      // what sshd itself had asked for, such as publickey
	SecondFactor string     `json:"second_factor"` // totp, hotp, recovery, remembered, … or none
	Time         *time.Time `json:"time"`
	From         string     `json:"from"`
}

// String says what was shown: "sshd publickey+totp".
func (c cameIn) String() string {
	shown := slices.Clone(c.SSHAuth)
	if c.SecondFactor != noSecondFactor && c.SecondFactor != "" {
		shown = append(shown, c.SecondFactor)
	}
	if len(shown) == 0 {
		return c.Service + " (no code)"
	}
	return c.Service + " " + strings.Join(shown, "+")
}

// lastLogins finds for each user the services that opened a session for him, the newest first. A host without a log has none.
func lastLogins(path string) (map[string][]cameIn, error) {
	entries, err := audit.Tail(path, loginRecords)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := map[string][]cameIn{}
	for _, e := range slices.Backward(entries) {
		r := e.Record
		if r == nil || r.Action != audit.ActionSession || r.Outcome != audit.Success || r.User == "" {
			continue
		}
		known := found[r.User]
		if len(known) == loginsPerUser || slices.ContainsFunc(known, func(c cameIn) bool { return c.Service == r.Service }) {
			continue
		}
		found[r.User] = append(known, cameIn{r.Service, sshAuthOf(r), r.SecondFactor, timeOrNull(r.Time), r.Source})
	}
	return found, nil
}

// addLogins tells of each how he came in last. A log that cannot be read is said, and keeps nobody from being listed.
func (h *host) addLogins(people []person) {
	found, err := lastLogins(h.path(h.policy.Paths.Audit))
	if err != nil {
		h.ui.warn("how the last logins came in cannot be read: %s", oneLine(err))
	}
	for i := range people {
		people[i].logins = found[people[i].name]
	}
}

func loginsText(logins []cameIn) string {
	var all []string
	for _, login := range logins {
		all = append(all, login.String())
	}
	return strings.Join(all, ", ")
}

func sshAuthOf(r *audit.Record) []string {
	for _, d := range r.Details {
		if d.Key == detailSSHAuth && d.Value != "" {
			return strings.Split(d.Value, ",")
		}
	}
	return []string{}
}

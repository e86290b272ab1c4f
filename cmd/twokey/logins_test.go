package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"twokey/audit"
)

func TestTheLastLoginOfEachServiceIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log", "audit.jsonl")
	if _, err := audit.Create(path); err != nil {
		t.Fatal(err)
	}
	session := func(user, service, auth, factor string) audit.Record {
		r := audit.Record{Action: audit.ActionSession, Outcome: audit.Success, User: user, Service: service, SecondFactor: factor}
		if auth != "" {
			r.Details = []audit.Detail{{Key: detailSSHAuth, Value: auth}}
		}
		return r
	}
	refused := session("alice", "cockpit", "", "none")
	refused.Outcome = audit.Failure
	for i, r := range []audit.Record{
		session("bob", "vsftpd", "", "totp"), session("bob", "login", "", "none"),
		session("alice", "sshd", "password", "totp"),
		session("bob", "sshd", "publickey", "none"), session("bob", "gdm", "", "remembered"),
		session("alice", "login", "", "none"),
		session("alice", "sshd", "publickey,keyboard-interactive", "hotp"),
		refused,
		{Action: audit.ActionLogin, Outcome: audit.Success, User: "alice", Service: "sudo", Method: "totp"},
	} {
		r.Time = time.Date(2026, 11, 21, 12, i, 0, 0, time.UTC)
		if err := audit.Append(path, r); err != nil {
			t.Fatal(err)
		}
	}
	found, err := lastLogins(path)
	if err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string]string{
		"alice": "sshd publickey+keyboard-interactive+hotp, login (no code)",
		"bob":   "gdm remembered, sshd publickey, login (no code)", // three at most
		"carol": "",
	} {
		if got := loginsText(found[user]); got != want {
			t.Errorf("%s: %q, want %q", user, got, want)
		}
	}
}

func TestAHostWithoutALogHasNoLogins(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir + "/audit.jsonl", dir + "/none/audit.jsonl"} {
		if found, err := lastLogins(path); err != nil || len(found) != 0 {
			t.Errorf("%s: %v, %v", path, found, err)
		}
	}
	if _, err := lastLogins(dir); err == nil || strings.Contains(err.Error(), "no such file") {
		t.Errorf("a folder: %v", err)
	}
}

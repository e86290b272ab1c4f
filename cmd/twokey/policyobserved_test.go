package main

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/audit"
)

func TestWhoWouldHaveBeenRefusedIsListedByUser(t *testing.T) {
	root, dir := newRoot(t)
	log := dir + "/var/log/twokey/audit.jsonl"
	now := time.Now()
	for _, r := range []audit.Record{
		{Action: audit.ActionObserved, User: "alice", Service: "sshd", Reason: "would have denied: wrong code", Time: now.Add(-3 * time.Hour)},
		{Action: audit.ActionObserved, User: "alice", Service: "sudo", Reason: "would have denied: no device is enrolled", Time: now.Add(-2 * time.Hour)},
		{Action: audit.ActionObserved, User: "alice", Service: "sshd", Reason: "would have denied: no device is enrolled", Time: now.Add(-time.Hour)},
		{Action: audit.ActionSession, User: "bob", Service: "sshd", Reason: "would have denied: ssh key only", Time: now.Add(-time.Hour)},
		{Action: audit.ActionObserved, UnknownUser: "hunter2", Service: "sshd", Reason: "would have denied: the account does not exist", Time: now},
		{Action: audit.ActionObserved, User: "carol", Service: "sshd", Reason: "would have denied: wrong code", Time: now.Add(-8 * 24 * time.Hour)},
		{Action: "policy-require", User: "dave", Reason: "another thing", Time: now},
	} {
		r.Outcome = audit.Unknown
		appended(t, log, r)
	}
	appended(t, log, audit.Record{Action: audit.ActionSession, Outcome: audit.Success, User: "erin", Service: "sshd", Time: now})
	appended(t, log, audit.Record{Action: audit.ActionLogin, Outcome: audit.Failure, User: "frank", Service: "sshd", Time: now})

	var got []observed
	if err := json.Unmarshal([]byte(output(t, root, "policy", "observed", "--json")), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0].User != "alice" || got[0].Count != 3 || got[0].Last.Unix() != now.Add(-time.Hour).Unix() ||
		!slices.Equal(got[0].Services, []string{"sshd", "sudo"}) || !slices.Equal(got[0].Reasons, []string{"no device is enrolled", "wrong code"}) ||
		got[1].User != "" || got[2].User != "bob" {
		t.Errorf("%+v", got)
	}
	text := output(t, root, "policy", "observed", "--since", "90m")
	for _, want := range []string{"alice      1 ", "(unknown)  1 ", "bob        1 ", "ssh key only"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if text := output(t, root, "policy", "observed", "--since", "30d"); !strings.Contains(text, "carol") || strings.Contains(text, "hunter2") {
		t.Errorf("%s", text)
	}
}

func TestNobodyIsForgottenSilentlyWhenRefusalsWereSummed(t *testing.T) {
	root, dir := newRoot(t)
	log, now := dir+"/var/log/twokey/audit.jsonl", time.Now()
	for range 101 {
		appended(t, log, audit.Record{Action: audit.ActionObserved, Outcome: audit.Unknown, User: "alice", Service: "sshd", Time: now})
	}
	appended(t, log, audit.Record{Action: "policy-require", Outcome: audit.Success, Time: now.Add(2 * time.Minute)})
	out, err := exec.Command("twokey", root, "policy", "observed").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "twokey: warning: there were more refusals in one minute than are recorded one by one") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestTheTimeOfObservedIsChecked(t *testing.T) {
	for _, wrong := range []string{"", "0d", "-1d", "7", "soon"} {
		cmd := exec.Command("twokey", "--config=/nonexistent", "policy", "observed", "--since", wrong)
		if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != exitUsage || !strings.Contains(string(out), "--since: want a length of time") {
			t.Errorf("%q: %s", wrong, out)
		}
	}
	root, _ := newRoot(t)
	if text := succeed(t, root, "policy", "observed", "--json"); !strings.HasSuffix(text, "[]\n") {
		t.Errorf("%s", text)
	}
}

func TestNothingIsObservedWhileItIsSwitchedOff(t *testing.T) {
	root, _ := newRoot(t)
	for verb, off := range map[string]bool{"enable": false, "disable": true} {
		succeed(t, root, verb, "--yes")
		text := succeed(t, root, "policy", "observed")
		if strings.Contains(text, "warning: twokey is switched off, so that nothing is observed: twokey enable\n") != off {
			t.Errorf("%s: %s", verb, text)
		}
	}
}

func appended(t *testing.T, log string, r audit.Record) {
	t.Helper()
	if err := audit.Append(log, r); err != nil {
		t.Fatal(err)
	}
}

// output runs twokey and returns what it prints on standard output.
func output(t *testing.T, arguments ...string) string {
	t.Helper()
	out, err := exec.Command("twokey", arguments...).Output()
	if err != nil {
		t.Fatalf("twokey %s: %v: %s", strings.Join(arguments, " "), err, out)
	}
	return string(out)
}

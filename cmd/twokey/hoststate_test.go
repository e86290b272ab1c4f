package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"twokey/audit"
	"twokey/internal/safefile/disktest"
	"twokey/internal/sysuser"
	"twokey/policy"
	"twokey/state"
)

func TestCountTellsWhoIsMissingThrottledAndPending(t *testing.T) {
	now := time.Now()
	spent := &state.State{User: "spent"}
	for spent.Charge(state.Attempt{Source: "192.0.2.7", Cost: state.One, Now: now}) {
	}
	account := &sysuser.Account{}
	required, optional := policy.Outcome{Decision: policy.Required}, policy.Outcome{Decision: policy.Optional}
	s := &hostState{}
	for _, p := range []person{
		{name: "enrolled", account: account, enrolled: true, outcome: required},
		{name: "missing", account: account, outcome: required},
		{name: "by service", account: account, outcome: optional, services: []service{{"sshd", required}}},
		{name: "optional", account: account, enrolled: true, outcome: optional},
		{name: "nobody", account: account, outcome: optional},
		{name: "gone", enrolled: true, outcome: required},
		{name: "spent", account: account, enrolled: true, outcome: optional, state: spent},
		{name: "pending", account: account, outcome: optional, state: &state.State{MustEnroll: true}},
		{name: "damaged", account: account, enrolled: true, outcome: optional, problem: state.ErrFormat},
	} {
		s.count(&p, now)
	}
	u := s.Users
	if u.Enrolled != 5 || u.Required != 3 || u.RequiredEnrolled != 1 {
		t.Errorf("%+v", u)
	}
	for what, got := range map[string][]string{"missing, by service": u.Missing, "spent": u.Throttled, "pending": u.Pending} {
		if strings.Join(got, ", ") != what {
			t.Errorf("%q, want %q", got, what)
		}
	}
	if len(s.Problems) != 1 || s.Problems[0].Severity != limited || !strings.HasPrefix(s.Problems[0].Message, "a user cannot log in: damaged: ") {
		t.Errorf("%+v", s.Problems)
	}
}

// lookAt is what status finds out about a log.
func lookAt(log string) *hostState {
	s := &hostState{}
	s.Audit.Path = log
	s.lookAtAudit()
	return s
}

func TestAFullDiskIsToldBeforeAndWhenNobodyGetsInAnyMore(t *testing.T) {
	dir := disktest.Mount(t, "ext4")
	log := dir + "/audit.jsonl"
	if _, err := audit.Create(log); err != nil {
		t.Fatal(err)
	}
	record := audit.Record{Time: time.Now(), Action: "login", Outcome: audit.Success, User: "alice"}
	if err := audit.Append(log, record); err != nil {
		t.Fatal(err)
	}
	if s := lookAt(log); len(s.Problems) != 0 || !s.Audit.Writable || s.Audit.Records != 1 || s.Audit.Last == nil {
		t.Errorf("with space: %+v", s)
	}
	disktest.Fill(t, dir)
	s := lookAt(log)
	if len(s.Problems) != 1 || s.Problems[0].Severity != limited || !s.Audit.Writable || !strings.Contains(s.Problems[0].Message, "room for some ") {
		t.Errorf("full: %+v", s)
	}
	record.Reason = strings.Repeat("x", 256)
	var err error
	for err == nil {
		err = audit.Append(log, record)
	}
	s = lookAt(log)
	if len(s.Problems) != 1 || s.Problems[0].Severity != severe || s.Audit.Writable || s.Problems[0].Fix == "" {
		t.Errorf("full to the end (%v): %+v", err, s)
	}
}

func TestALogThatIsGoneIsWritableAndAHeadThatIsGoneIsNot(t *testing.T) {
	log := t.TempDir() + "/log/audit.jsonl"
	if room, err := roomInLog(log); room != 0 || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %d, %v", room, err)
	}
	if _, err := audit.Create(log); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(log); err != nil {
		t.Fatal(err)
	}
	if s := lookAt(log); len(s.Problems) != 0 || !s.Audit.Writable {
		t.Errorf("log gone: %+v", s)
	}
	if err := os.Remove(strings.TrimSuffix(log, "jsonl") + "head"); err != nil {
		t.Fatal(err)
	}
	if s := lookAt(log); len(s.Problems) != 1 || s.Problems[0].Severity != severe || s.Audit.Writable {
		t.Errorf("head gone: %+v", s)
	}
}

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile/disktest"
	"twokey/policy"
)

// editHost is a host whose configuration lies in a folder and has these lines besides version and paths.
func editHost(t *testing.T, dir, lines string) *host {
	t.Helper()
	config := filepath.Join(dir, "twokey.yaml")
	text := fmt.Sprintf("version: 1\n%spaths: {data: %[2]s/data, audit: %[2]s/log/audit.jsonl, key: %[2]s/host.key, credentials: %[2]s/credentials}\n", lines, dir)
	if err := errors.Join(os.MkdirAll(dir+"/data", 0o700), os.WriteFile(config, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
	h := &host{ui: &ui{in: newInput(strings.NewReader("")), out: io.Discard, err: io.Discard}, config: config}
	if err := h.readConfig(); err != nil {
		t.Fatal(err)
	}
	return h
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func planned(t *testing.T, h *host, changes ...policy.Change) *configEdit {
	t.Helper()
	e, err := h.planEdit(changes...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestOnlyWhatLetsInWithLessIsLoosening(t *testing.T) {
	const lines = "require: [{users: [alice, bob]}, {groups: [wheel], services: [sshd]}]\nexempt: [{users: [carol, dave]}, {users: [alice], services: [cron]}]\n"
	entry := func(users string, services ...string) policy.Entry {
		return policy.Entry{Users: strings.Fields(users), Services: services}
	}
	for what, c := range map[string]struct {
		change  policy.Change
		loosens bool
	}{
		"another is required":                  {policy.AddRequire(entry("erin")), false},
		"one who was exempt is required":       {policy.AddRequire(entry("carol")), false},
		"nothing changes":                      {policy.AddRequire(entry("bob")), false},
		"another is exempt":                    {policy.AddExempt(entry("erin")), true},
		"one who was required is exempt":       {policy.AddExempt(entry("bob")), true},
		"an exemption becomes wider":           {policy.AddExempt(entry("alice")), true},
		"an exemption is taken back":           {policy.Unset(entry("carol")), false},
		"a requirement is taken back":          {policy.Unset(entry("bob")), true},
		"a narrowed requirement is taken back": {policy.Unset(policy.Entry{Groups: []string{"wheel"}}), true},
		"nobody is taken back":                 {policy.Unset(entry("erin")), false},
		"a service is exempt":                  {policy.AddExempt(entry("", "cron")), true},
	} {
		h := editHost(t, t.TempDir(), lines)
		if got := planned(t, h, c.change).loosens(); got != c.loosens {
			t.Errorf("%s: %v", what, got)
		}
	}
}

func TestAFullDiskLeavesTheOldConfiguration(t *testing.T) {
	dir := disktest.Mount(t, "tmpfs")
	h := editHost(t, dir, strings.Repeat("# a comment that takes some room\n", 300))
	before := content(t, h.config)
	e := planned(t, h, policy.AddRequire{Users: []string{"alice"}})
	free := disktest.Fill(t, dir)
	for range 2 {
		if err := e.write(); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("%v", err)
		}
		if got := content(t, h.config); got != before {
			t.Errorf("the file has %d bytes", len(got))
		}
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 2 {
		t.Errorf("%v, %v", names, err)
	}
	free()
	if err := e.write(); err != nil || content(t, h.config) == before {
		t.Errorf("with space again: %v", err)
	}
}

func TestTheRecordTellsWhatChanged(t *testing.T) {
	h := editHost(t, t.TempDir(), "require: [{users: [alice, bob]}]\n")
	e := planned(t, h, policy.AddExempt{Users: []string{"bob"}, Groups: []string{"staff"}}, policy.SetEnabled(false))
	var got []string
	for _, c := range e.changes() {
		got = append(got, c.Field+"|"+c.Old+"|"+c.New)
	}
	want := []string{"enabled|true|false", "require|users alice bob|", "require||users alice", "exempt||groups staff, users bob"}
	if len(got) != len(want)+1 || !slices.Equal(got[:len(want)], want) || !strings.HasPrefix(got[len(want)], "sha256|") {
		t.Errorf("%q, want %q and digests", got, want)
	}
}

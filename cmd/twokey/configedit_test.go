package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

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
		if strings.HasPrefix(c.Field, "sha256") {
			c.Old, c.New = fmt.Sprint(len(c.Old)), fmt.Sprint(len(c.New))
		}
		got = append(got, c.Field+"|"+c.Old+"|"+c.New)
	}
	want := []string{"enabled|true|false", "exempt||groups staff, users bob", "require|users alice bob|", "require||users alice", "sha256|64|64",
		"@@ -2 +2,2 @@|require: [{users: [alice, bob]}]|enabled: false\nrequire: [{users: [alice]}]",
		"@@ -3,0 +5,2 @@||exempt:\n  - {users: [bob], groups: [staff]}"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// The digests stay in a record that has no room for everything else.
func TestTheRecordOfALargeChangeKeepsItsDigests(t *testing.T) {
	h := editHost(t, t.TempDir(), "")
	before := content(t, h.config)
	after := before + "require:\n"
	for i := range 40 {
		after += fmt.Sprintf("  - {users: [user%d]}\n", i)
	}
	e := &configEdit{path: h.config, before: []byte(before), after: []byte(after), was: h.policy}
	var err error
	if e.is, err = policy.Parse(e.after); err != nil {
		t.Fatal(err)
	}
	for i, c := range e.changes() {
		if c.Field == "sha256" && i < 16 {
			return
		}
	}
	t.Errorf("%+v", e.changes())
}

// hunks say what diff -U0 says: the texts under the places, and the places.
func TestTheLinesInTheRecordAreThoseOfDiff(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		a, b := someLines(random), someLines(random)
		after := slices.Clone(a)
		for _, c := range slices.Backward(hunks(diffLines(a, b))) {
			var at, count, to, many int
			place := strings.NewReplacer("-", " ", "+", " ", "@", " ").Replace(c.Field)
			sides := strings.Fields(place)
			if len(sides) != 2 {
				t.Fatal(c.Field)
			}
			at, count = startAndCount(t, sides[0])
			to, many = startAndCount(t, sides[1])
			old, new := strings.Split(c.Old, "\n"), strings.Split(c.New, "\n")
			if count == 0 {
				old, at = nil, at+1
			}
			if many == 0 {
				new, to = nil, to+1
			}
			if len(old) != count || len(new) != many || to < 1 {
				t.Fatalf("%q: %d and %d lines", c, len(old), len(new))
			}
			for i := range new {
				new[i] += "\n"
			}
			after = slices.Replace(after, at-1, at-1+count, new...)
		}
		if !slices.Equal(after, b) {
			t.Fatalf("%q by %+v is %q, want %q", a, hunks(diffLines(a, b)), after, b)
		}
	}
}

func someLines(random *rand.Rand) []string {
	lines := []string{}
	for range random.IntN(12) {
		lines = append(lines, string(rune('a'+random.IntN(3)))+"\n")
	}
	return lines
}

func startAndCount(t *testing.T, text string) (start, count int) {
	t.Helper()
	first, second, found := strings.Cut(text, ",")
	count = 1
	start, err := strconv.Atoi(first)
	if found {
		count, err = strconv.Atoi(second)
	}
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return start, count
}

// Whoever edits for long must not make others wait for ever.
func TestALockThatIsHeldIsNotWaitedForForEver(t *testing.T) {
	dir := t.TempDir()
	held, err := lockData(dir)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := lockWithin(dir, time.Millisecond); second != nil || err == nil || !strings.Contains(err.Error(), "somebody else is editing") {
		t.Errorf("%v, %v", second, err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
}

// Nothing is edited that would be gone with the next run of a program, also when it has become managed since it was looked at.
func TestAManagedFileIsNotEdited(t *testing.T) {
	h := editHost(t, t.TempDir(), "")
	e := planned(t, h, policy.SetEnabled(false))
	managed := content(t, h.config) + "managed_by: ansible\n"
	if err := os.WriteFile(h.config, []byte(managed), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := e.write(); err == nil || !strings.Contains(err.Error(), "is managed by ansible") || content(t, h.config) != managed {
		t.Errorf("%v: %s", err, content(t, h.config))
	}
}

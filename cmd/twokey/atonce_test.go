package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"twokey/audit"
	"twokey/policy"
)

const (
	several = 8 // commands at once
	rounds  = 4
)

// atOnce runs several commands at the same time and returns what each prints. All have to succeed.
func atOnce(t *testing.T, arguments func(i int) []string) []string {
	t.Helper()
	outputs := make([]string, several)
	var running sync.WaitGroup
	for i := range several {
		running.Go(func() {
			out, err := exec.Command("twokey", arguments(i)...).CombinedOutput()
			if outputs[i] = string(out); err != nil {
				t.Errorf("twokey %s: %v: %s", strings.Join(arguments(i), " "), err, out)
			}
		})
	}
	running.Wait()
	return outputs
}

// actions counts the records of each action about each user, and fails where the digests in them do not tie each edit to the one before.
func actions(t *testing.T, root string) map[string]int {
	t.Helper()
	var records []struct {
		Action  string         `json:"event.action"`
		Target  string         `json:"user.target.name"`
		Changes []audit.Change `json:"twokey.changes"`
	}
	if err := json.Unmarshal([]byte(succeed(t, root, "audit", "tail", "-n", "1000", "--json")), &records); err != nil {
		t.Fatal(err)
	}
	counts, last := map[string]int{}, ""
	for _, r := range records {
		counts[strings.TrimSpace(r.Action+" "+r.Target)]++
		for _, c := range r.Changes {
			if c.Field == "sha256" && last != "" && c.Old != last {
				t.Errorf("the log has an edit of %s behind one that made %s", c.Old, last)
			}
			if c.Field == "sha256" {
				last = c.New
			}
		}
	}
	return counts
}

func TestOfEditsAtOnceAllAreMadeAndRecorded(t *testing.T) {
	root, dir := newRoot(t)
	config := dir + "/etc/twokey/twokey.yaml"
	recorded := 0
	for range rounds {
		for verb, remain := range map[string]bool{"require": true, "exempt": true} {
			atOnce(t, func(i int) []string {
				return []string{root, "policy", verb, "--allow-missing", "--yes", fmt.Sprintf("user%d", i)}
			})
			final := content(t, config)
			for i := range several {
				if strings.Contains(final, fmt.Sprintf("[user%d]", i)) != remain {
					t.Errorf("%s: user%d is not in the file: %s", verb, i, final)
				}
			}
			atOnce(t, func(i int) []string { return []string{root, "policy", "unset", "--yes", fmt.Sprintf("user%d", i)} })
			if final := content(t, config); strings.Contains(final, "[user") {
				t.Errorf("after unset: %s", final)
			}
			recorded++
		}
	}
	got := actions(t, root)
	for i := range several {
		user := fmt.Sprintf(" user%d", i)
		if got["policy-require"+user]+got["policy-exempt"+user] != recorded || got["policy-unset"+user] != recorded {
			t.Errorf("%v", got)
		}
	}
	succeed(t, root, "audit", "verify")
}

func TestTheSwitchTurnedByManyAtOnceIsTurnedOnce(t *testing.T) {
	root, _ := newRoot(t)
	for range rounds {
		for _, verb := range []string{"disable", "enable"} {
			outputs := strings.Join(atOnce(t, func(int) []string { return []string{root, verb, "--yes"} }), "")
			if n := strings.Count(outputs, "already: nothing to change"); n != several-1 {
				t.Errorf("%s: %d found it done: %s", verb, n, outputs)
			}
		}
	}
	if got := actions(t, root); got["enable"] != rounds || got["disable"] != rounds {
		t.Errorf("%v", got)
	}
}

// A second factor that goes leaves a record, whatever the others are at.
func TestOfUnenrollmentsAtOnceEachIsRecorded(t *testing.T) {
	root, dir := newRoot(t)
	users := []string{"daemon", "bin", "sys", "games", "man", "lp", "mail", "news"}
	if len(users) != several {
		t.Fatal("a user for each command")
	}
	for range rounds {
		for _, user := range users {
			succeed(t, root, "enroll", user, "--qr", "none")
		}
		succeed(t, append([]string{root, "policy", "require"}, users...)...)
		atOnce(t, func(i int) []string { return []string{root, "unenroll", "--yes", users[i]} })
		if final := content(t, dir+"/etc/twokey/twokey.yaml"); strings.Contains(final, "\n  - {") {
			t.Errorf("still required: %s", final)
		}
	}
	got := actions(t, root)
	for _, user := range users {
		if got["unenroll "+user] != 2*rounds { // of the factor, and of the lists
			t.Errorf("%s: %d records of %v", user, got["unenroll "+user], got)
		}
	}
}

// Whatever keeps the lists from being edited, the factor is gone, and the log and the message say so.
func TestARemovalIsRecordedAlsoWhenTheListsCannotBeEdited(t *testing.T) {
	root, dir := newRoot(t)
	config := dir + "/etc/twokey/twokey.yaml"
	succeed(t, root, "enroll", "nobody", "--qr", "none")
	succeed(t, root, "policy", "require", "nobody")
	// Nothing else of what unenroll does gives a file its place with a rename.
	program, err := exec.LookPath("twokey")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("strace", "-f", "--seccomp-bpf", "-o", os.DevNull, "-e", "inject=renameat,renameat2:error=EROFS",
		program, root, "unenroll", "nobody", "--yes")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "nobody has no second factor any more, and is still named in require or exempt: ") {
		t.Errorf("%v: %s", err, out)
	}
	if !strings.Contains(content(t, config), "nobody") {
		t.Error("the lists were edited: this test has shown nothing")
	}
	if got := actions(t, root); got["unenroll nobody"] != 1 {
		t.Errorf("%v", got)
	}
}

// An edit is made in what the file is by then, unless that would let somebody in whom nobody was asked about.
func TestAnEditOfAFileThatWasChangedMeanwhile(t *testing.T) {
	alice := policy.Entry{Users: []string{"alice"}}
	for what, c := range map[string]struct {
		before, meanwhile string
		change            policy.Change
		want              string // in the file; "": it is left alone
	}{
		"a comment was added":          {"", "# new\n", policy.SetEnabled(false), "enabled: false"},
		"another entry was added":      {"", "require: [{users: [bob]}]\n", policy.AddRequire(alice), "users: [alice]"},
		"another exemption":            {"", "exempt: [{users: [bob]}]\n", policy.AddExempt(alice), "users: [alice]"},
		"the name stands with another": {"require: [{users: [alice]}]\n", "require: [{users: [bob, alice]}]\n", policy.Unset(alice), "users: [bob]"},
		"she was required meanwhile":   {"exempt: [{users: [alice]}]\n", "exempt: [{users: [alice]}]\nrequire: [{users: [alice]}]\n", policy.Unset(alice), ""},
		"she was required elsewhere":   {"require: [{users: [alice], services: [su]}]\n", "require: [{users: [alice], services: [sshd]}]\n", policy.Unset(alice), ""},
		"she was required, now exempt": {"", "require: [{users: [alice]}]\n", policy.AddExempt(alice), ""},
		"it was switched on meanwhile": {"enabled: false\n", "enabled: true\n", policy.SetEnabled(false), ""},
		"the default is another":       {"require: [{users: [alice]}]\n", "default: required\nrequire: [{users: [alice]}]\n", policy.Unset(alice), ""},
		"somebody has broken the file": {"", "colour: red\n", policy.AddRequire(alice), ""},
		"somebody has done it already": {"", "require: [{users: [alice]}]\n", policy.AddRequire(alice), "users: [alice]"},
		"a group was exempt meanwhile": {"", "exempt: [{groups: [wheel]}]\n", policy.AddRequire(alice), "groups: [wheel]"},
	} {
		dir := t.TempDir()
		e := planned(t, editHost(t, dir, c.before), c.change)
		if err := os.WriteFile(e.path, []byte(strings.Replace(string(e.before), "version: 1\n"+c.before, "version: 1\n"+c.meanwhile, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		other := content(t, e.path)
		err, got := e.write(), content(t, e.path)
		var wrong *policy.Error
		switch {
		case c.want == "" && (!errors.Is(err, errChangedMeanwhile) && !errors.As(err, &wrong) || got != other):
			t.Errorf("%s: %v, the file is now %q", what, err, got)
		case c.want != "" && (err != nil || !strings.Contains(got, c.want) || got != string(e.after)):
			t.Errorf("%s: %v, the file is now %q", what, err, got)
		}
	}
}

// Other paths have another lock and another log.
func TestAnEditDoesNotFollowPathsThatWereMoved(t *testing.T) {
	dir := t.TempDir()
	e := planned(t, editHost(t, dir, ""), policy.SetEnabled(false))
	moved := strings.Replace(string(e.before), "/log/audit", "/elsewhere/audit", 1)
	if err := os.WriteFile(e.path, []byte(moved), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := e.write(); !errors.Is(err, errChangedMeanwhile) || content(t, e.path) != moved {
		t.Errorf("%v", err)
	}
}

// One run makes everything and shows the key that counts; the others wait and find everything there.
func TestOfInitsAtOnceOneShowsTheKeyOfTheLog(t *testing.T) {
	for range 2 * rounds {
		dir := t.TempDir()
		log := dir + "/var/log/twokey/audit.jsonl"
		shown := 0
		for _, out := range atOnce(t, func(int) []string { return []string{"--root=" + dir, "init"} }) {
			_, text, found := strings.Cut(out, "shown this once:\n\n    ")
			if !found {
				if !strings.Contains(out, "nothing to do") {
					t.Errorf("%s", out)
				}
				continue
			}
			shown++
			text, _, _ = strings.Cut(text, "\n")
			key, err := audit.ParseVerificationKey(text)
			if err != nil {
				t.Fatal(err)
			}
			if report, err := audit.Verify(log, &key); err != nil || len(report.Problems) > 0 {
				t.Errorf("the key that was shown: %+v, %v", report, err)
			}
		}
		if shown != 1 {
			t.Errorf("%d keys were shown", shown)
		}
	}
}

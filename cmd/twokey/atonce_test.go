package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"twokey/audit"
)

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

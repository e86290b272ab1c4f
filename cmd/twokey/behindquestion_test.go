package main

import (
	"strings"
	"testing"
)

// Who has an enrolment code links a phone by it while the question about the code waits, and who has a device gets another: what would end
// is not what the administrator was asked about, and the log would not tell of it.
func TestResetAndUnenrollEndOnlyWhatWasThereAtTheQuestion(t *testing.T) {
	for _, command := range []string{"reset", "unenroll"} {
		root, _ := newRoot(t)
		succeed(t, root, "policy", "require", "games", "nobody")
		succeed(t, root, "enroll", "nobody", "--qr", "none")
		for user, meanwhile := range map[string][]string{
			"games":  {root, "enroll", "games", "--qr", "none"},
			"nobody": {root, "enroll", "nobody", "--qr", "none", "--replace", "--yes"},
		} {
			x := atTerminal(t, "80", root, command, user)
			x.Expect("[y/N]")
			succeed(t, meanwhile...)
			x.Type("y\n")
			x.Expect("twokey: error: " + user + " has other devices or codes than before the question: nothing was changed")
			x.Expect("status 1")
			if got := actions(t, root); got[command+" "+user] != 0 {
				t.Errorf("%s of %s: recorded %v", command, user, got)
			}
			if out := succeed(t, root, "show", user); !strings.Contains(out, "phone") {
				t.Errorf("%s of %s: the device is gone:\n%s", command, user, out)
			}
			succeed(t, root, command, user, "--yes")
			if got := actions(t, root); got[command+" "+user] == 0 {
				t.Errorf("%s of %s, asked again: recorded %v", command, user, got)
			}
		}
	}
}

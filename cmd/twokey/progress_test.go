package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// On a busy disk the first step may take a minute.
func TestABarIsThereBeforeTheFirstStep(t *testing.T) {
	terminal, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	defer slave.Close()
	step, end := (&ui{err: slave}).progress("changing", worthABar)
	const behind = "behind the bar"
	if _, err := slave.WriteString(behind); err != nil {
		t.Fatal(err)
	}
	shown, buffer := "", make([]byte, 200)
	for !strings.Contains(shown, behind) {
		n, err := terminal.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		shown += string(buffer[:n])
	}
	if !strings.Contains(shown, "changing") || !strings.Contains(shown, "0%") {
		t.Errorf("%q", shown)
	}
	step(worthABar)
	end()
}

// crowd is a list of so many users.
func crowd(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("user\n")
	for i := range n {
		fmt.Fprintf(&b, "user%d\n", i)
	}
	path := filepath.Join(t.TempDir(), "crowd.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// All of them are written in one piece: the bar moves within it.
func TestTheBarMovesWhileUsersAreMade(t *testing.T) {
	root, dir := newRoot(t)
	recipient := strings.TrimSpace(succeed(t, root, "key", "recipient"))
	succeed(t, "key", "new-signer", dir+"/signer.key")
	list := crowd(t, 3*worthABar)
	percent := regexp.MustCompile(`writing +(\d+)%`)
	for out, told := range map[string]struct {
		flags []string
		bar   bool
	}{
		"pages":            {[]string{"--sheets", dir + "/sheets", "--diff"}, true},
		"on this terminal": {[]string{"--show-secrets"}, false}, // it would stand between the secrets
	} {
		x := atTerminal(t, "80", append([]string{"apply", "-f", list, "--recipient", recipient, "--out", filepath.Join(dir, out),
			"--signer", dir + "/signer.key"}, told.flags...)...)
		x.Expect("status 0")
		moved := map[string]bool{}
		for _, at := range percent.FindAllStringSubmatch(x.Screen(), -1) {
			moved[at[1]] = true
		}
		if told.bar != (len(moved) > 2) || told.bar != moved["0"] {
			t.Errorf("%s: the bar was at %v", out, moved)
		}
		if !told.bar && !strings.Contains(x.Screen(), "user1, device phone") {
			t.Error(x.Screen())
		}
	}
}

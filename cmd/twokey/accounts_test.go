package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/rogpeppe/go-internal/testscript"

	"twokey/audit"
	"twokey/device"
	"twokey/enroll"
	"twokey/factor"
	"twokey/internal/pamtest"
	"twokey/secrets"
	"twokey/state"
)

// TestScriptsWithAccounts runs testdata/accounts/*.txtar. Each has a host as the others have it, in a machine of its own with the
// accounts alice, bob and carol (uid 11001 to 11003) and the group wheel, to which alice belongs. Its accounts can be changed:
// they are in $ETC. "run =3 …" runs twokey there with the script's configuration and demands the exit status 3; without a
// number it is 0. "login USER CODE SOURCE" uses a code up as a login does, "throttle USER" uses up the strangers' attempts,
// "expire USER DEVICE" has the time of a device end yesterday, "session USER SERVICE FACTOR [SSH-AUTH]" records a session as a login does.
func TestScriptsWithAccounts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/accounts/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("%d scripts, %v", len(scripts), err)
	}
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".txtar"), func(t *testing.T) {
			t.Parallel()
			runScript(t, script)
		})
	}
}

func runScript(t *testing.T, script string) {
	dir := t.TempDir()
	machine := pamtest.NewMachine(t, dir, pamtest.User{Name: "alice", UID: 11001}, pamtest.User{Name: "bob", UID: 11002},
		pamtest.User{Name: "carol", UID: 11003})
	appendTo(t, filepath.Join(dir, "etc/group"), "wheel:x:11100:alice\n")
	testscript.Run(t, testscript.Params{
		Files:               []string{script},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"run": runTwokey(machine), "login": loginCommand, "throttle": throttleCommand, "session": sessionCommand,
			"refused": refusedCommand(machine), "forged": forgedCommand, "expire": expireCommand,
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("ETC", filepath.Join(dir, "etc"))
			env.Setenv("SECRET", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ") // of RFC 4226 and RFC 6238
			return scratchHost(env)
		},
	})
}

func runTwokey(machine *pamtest.Machine) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("say which exit status: run =1 …")
		}
		status := "0"
		if len(args) > 0 && strings.HasPrefix(args[0], "=") {
			status, args = args[0][1:], args[1:]
		}
		ts.Check(ts.Exec("exits", words(ts, machine, status, args)...))
	}
}

// words are the arguments of exits by which it runs twokey in the machine.
func words(ts *testscript.TestScript, machine *pamtest.Machine, status string, args []string) []string {
	return slices.Concat([]string{status}, machine.Command("env", "-C", ts.MkAbs("."), "twokey", ts.Getenv("H")).Args, args)
}

// refusedCommand is "refused USER PATTERN": every command that needs the user's files says in one line, in which the pattern is,
// that it cannot use them, gives a hint, and changes nothing.
func refusedCommand(machine *pamtest.Machine) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 2 {
			ts.Fatalf("usage: refused USER PATTERN")
		}
		before := snapshot(ts)
		want := regexp.MustCompile(`^twokey: error: ` + args[0] + `: [^\n]*` + args[1] + `[^\n]*\ntwokey: hint: [^\n]+\n$`)
		for _, command := range []string{"show USER", "recovery show USER", "recovery new USER --yes", "test code USER"} {
			line := strings.Fields(strings.ReplaceAll(command, "USER", args[0]))
			if err := ts.Exec("exits", words(ts, machine, "1", line)...); err != nil || !want.MatchString(ts.ReadFile("stderr")) {
				ts.Fatalf("twokey %s: %v: %s", strings.Join(line, " "), err, ts.ReadFile("stderr"))
			}
		}
		if after := snapshot(ts); after != before {
			ts.Fatalf("before:\n%safter:\n%s", before, after)
		}
	}
}

// snapshot is what all files of the host are like, but for who held the lock of a state last.
func snapshot(ts *testscript.TestScript) string {
	ts.Check(ts.Exec("sh", "-c", `find data etc log -printf '%p %y %m %u %s %n\n' | sort
		find data/users etc log -type f -exec sha256sum {} + | sort
		for file in data/state/*; do test -f "$file" && echo "$file $(head -c 8192 "$file" | sha256sum)"; done`))
	return ts.ReadFile("stdout")
}

// forgedCommand is "forged USER": it puts a file in the place of the user's that is encrypted to the host and says the right things,
// by somebody who does not have the host's key.
func forgedCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: forged USER")
	}
	identity := regexp.MustCompile(`AGE-SECRET-KEY-1\w+`).FindString(ts.ReadFile("etc/host.key"))
	key, err := age.ParseX25519Identity(identity)
	ts.Check(err)
	path := ts.MkAbs("data/users/" + args[0] + ".age")
	sealed, err := os.ReadFile(path)
	ts.Check(err)
	opened, err := age.Decrypt(bytes.NewReader(sealed), key)
	ts.Check(err)
	content, err := io.ReadAll(opened)
	ts.Check(err)
	lines := bytes.SplitAfter(content, []byte("\n"))
	lines[2] = []byte("mac " + strings.Repeat("A", 43) + "\n")
	var forged bytes.Buffer
	w, err := age.Encrypt(&forged, key.Recipient())
	ts.Check(err)
	_, err = w.Write(bytes.Join(lines, nil))
	ts.Check(errors.Join(err, w.Close(), os.WriteFile(path, forged.Bytes(), 0o600)))
}

func loginCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: login USER CODE SOURCE")
	}
	u := usersOf(ts)
	record, err := u.Secrets.Load(args[0])
	ts.Check(err)
	now := time.Now()
	ts.Check(u.State.Update(args[0], func(tx *state.Tx) error {
		set, err := device.Join(tx.State, record, 1, u.Now())
		if err != nil {
			return err
		}
		answer := factor.ParseAnswer(args[1])
		if answer.Kind == factor.Recovery {
			_, err = set.RecoveryCode(answer)
		} else {
			_, err = set.Code(answer, now, args[2])
		}
		if err == nil {
			tx.Succeeded(state.Attempt{Source: args[2], Cost: state.One, Now: now})
			tx.Remember(state.RememberKey(args[2], "sshd", "", nil), now)
		}
		return err
	}))
}

func throttleCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: throttle USER")
	}
	ts.Check(usersOf(ts).State.Update(args[0], func(tx *state.Tx) error {
		for tx.Charge(state.Attempt{Source: "198.51.100.1", Cost: state.One, Now: time.Now()}) {
		}
		return nil
	}))
}

// expireCommand is "expire USER DEVICE": the time of the device was over an hour ago.
func expireCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: expire USER DEVICE")
	}
	ts.Check(usersOf(ts).SetUntil(args[0], args[1], time.Now().Add(-time.Hour)))
}

func sessionCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: session USER SERVICE FACTOR [SSH-AUTH]")
	}
	r := audit.Record{Time: time.Now(), Action: audit.ActionSession, Outcome: audit.Success, User: args[0], Service: args[1], SecondFactor: args[2]}
	if len(args) == 4 {
		r.Details = []audit.Detail{{Key: detailSSHAuth, Value: args[3]}}
	}
	ts.Check(audit.Append(ts.MkAbs("log/audit.jsonl"), r))
}

func usersOf(ts *testscript.TestScript) *enroll.Users {
	store, err := secrets.Open(ts.MkAbs("data"), ts.MkAbs("etc/host.key"))
	ts.Check(err)
	st, err := state.Open(ts.MkAbs("data"))
	ts.Check(err)
	ts.Defer(func() { ts.Check(errors.Join(store.Close(), st.Close())) })
	return &enroll.Users{Secrets: store, State: st, Now: time.Now}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

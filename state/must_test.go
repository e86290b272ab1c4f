package state

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMustMakeCheckAndChangeOfAStepUnderTheLock(t *testing.T) {
	const racers, rounds = 16, 120
	store, data := newStore(t)
	start := store.mustRead(t, "alice").Devices[0].Consumed
	var in [racers]io.WriteCloser
	answers := make(chan string)
	for i := range racers {
		cmd := childCommand(t, "race", data)
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		in[i] = stdin
		go func() {
			for lines := bufio.NewScanner(stdout); lines.Scan(); {
				answers <- lines.Text()
			}
			answers <- fmt.Sprint("ended: ", cmd.Wait())
		}()
	}
	for round := 1; round <= rounds; round++ {
		for i := range racers {
			if _, err := fmt.Fprintln(in[i], start+uint64(round)); err != nil {
				t.Fatal(err)
			}
		}
		count := map[string]int{}
		for range racers {
			count[<-answers]++
		}
		if count["won"] != 1 || count["lost"] != racers-1 {
			t.Fatalf("round %d: %v, want one winner", round, count)
		}
	}
	for i := range racers {
		if err := in[i].Close(); err != nil {
			t.Error(err)
		}
	}
	for range racers {
		if last := <-answers; last != "ended: <nil>" {
			t.Error(last)
		}
	}
	if got := store.mustRead(t, "alice").Devices[0].Consumed; got != start+rounds {
		t.Errorf("consumed is %d, want %d", got, start+rounds)
	}
}

func TestMustHaveWrittenTheChargeBeforeTheCodeIsLookedAt(t *testing.T) {
	store, data := newStore(t)
	if err := store.Update("alice", func(tx *Tx) error { tx.Unlock(); return nil }); err != nil {
		t.Fatal(err)
	}
	for try := 1; try <= 12; try++ {
		out, err := childCommand(t, "die", data).Output()
		var ended *exec.ExitError
		if !errors.As(err, &ended) {
			t.Fatalf("try %d ended with %v: %s", try, err, out)
		}
		if looked := ended.ExitCode() == -1; looked != (try <= 10) {
			t.Fatalf("try %d, %s: looked at %v (%s); each try was cut off by SIGKILL while it looked, and still counts", try, ended, looked, out)
		}
	}
	if left := store.mustRead(t, "alice").strangers.level; left != 0 {
		t.Errorf("strangers have %d left", left)
	}
}

func TestMustNotLookAtAnAnswerThatCannotBeCharged(t *testing.T) {
	for part, sentence := range map[string]string{
		"limited": "ulimit -f 0 from the beginning",
		"limit":   "ulimit -f 0 while the lock is held, and a caller that does not care",
		"late":    "ulimit -f 0 after the code was looked at",
	} {
		store, data := newStore(t)
		before := store.mustRead(t, "alice").Devices[0].Consumed
		out, err := childCommand(t, part, data).Output()
		if err != nil || string(out) != "refused\n" {
			t.Errorf("%s: %q, %v", sentence, out, err)
		}
		if after := store.mustRead(t, "alice").Devices[0].Consumed; after != before {
			t.Errorf("%s: the code was used up all the same", sentence)
		}
	}
}

// traced runs one login under strace. It returns what the login said, and what it did in letters: w a slot was written, s the file was
// synchronised, L the code was looked at, I somebody was let in.
func traced(t *testing.T, options ...string) (out, did string, err error) {
	t.Helper()
	_, data := newStore(t)
	log := filepath.Join(t.TempDir(), "log")
	argv := append([]string{"strace", "-f", "-y", "-o", log, "-e", "trace=pwrite64,fdatasync,write"}, options...)
	b, err := childCommand(t, "one login", data, argv...).Output()
	text, readErr := os.ReadFile(log)
	if readErr != nil {
		t.Fatal(readErr)
	}
	letters := []struct{ letter, pattern string }{
		{"w", `pwrite64\(\d+<[^>]*/state/alice>.*, 4096, (0|4096)`},
		{"s", `fdatasync\(\d+<[^>]*/state/alice>`},
		{"L", `write\(1<.*"look\\n"`},
		{"I", `write\(1<.*"in\\n"`},
	}
	for _, line := range strings.Split(string(text), "\n") {
		for _, l := range letters {
			if regexp.MustCompile(l.pattern).MatchString(line) {
				did += l.letter
			}
		}
	}
	return string(b), did, err
}

func TestMustBeSynchronisedBeforeAnybodyIsLetIn(t *testing.T) {
	out, did, err := traced(t)
	if err != nil || out != "look\nin\n" {
		t.Fatalf("%q, %v", out, err)
	}
	if !regexp.MustCompile("^s*w+Lw+s+I$").MatchString(did) {
		t.Errorf("the login did %s; want the charge written, a look, what it changed written and synchronised, in", did)
	}
}

func TestNobodyIsLetInWhenTheDiskFails(t *testing.T) {
	for sentence, inject := range map[string]string{
		"nothing can be written":                  "pwrite64:error=EIO",
		"what was written cannot be synchronised": "fdatasync:error=EIO",
	} {
		out, did, err := traced(t, "-e", "inject="+inject)
		if err == nil || strings.Contains(out, "in\n") || !strings.Contains(out, "error: ") {
			t.Errorf("%s: %q, %s, %v; want an error", sentence, out, did, err)
		}
	}
}

func TestMustNotLetAConsumedStepGoDown(t *testing.T) {
	for sentence, change := range map[string]func(tx *Tx){
		"by one":     func(tx *Tx) { tx.Devices[0].Consumed-- },
		"to nothing": func(tx *Tx) { tx.Devices[0].Consumed = 0 },
		"when the clock was set back": func(tx *Tx) {
			tx.ClockBack(time.Unix(0, 0))
			tx.Devices[0].Consumed = 1
		},
		"by a device that is removed and comes back": func(tx *Tx) {
			phone := tx.Devices[0]
			tx.RemoveDevice(phone.ID)
			phone.Consumed = 0
			tx.Devices = append(tx.Devices, phone)
		},
		"of recovery codes":              func(tx *Tx) { tx.Recovery.Used = 0 },
		"of one of a few recovery codes": func(tx *Tx) { tx.Recovery.Used = 1<<10 - 2 },
		"under another name":             func(tx *Tx) { tx.User = "mallory" },
	} {
		store, _ := newStore(t)
		before := store.mustRead(t, "alice")
		err := store.Update("alice", func(tx *Tx) error {
			change(tx)
			return nil
		})
		if err == nil {
			t.Errorf("%s: was written", sentence)
		}
		after := store.mustRead(t, "alice")
		if after.Devices[0].Consumed != before.Devices[0].Consumed || after.Recovery != before.Recovery {
			t.Errorf("%s: was %+v, is %+v", sentence, before, after)
		}
	}
}

func TestTheClockNeverMovesAConsumedStep(t *testing.T) {
	for _, now := range []time.Time{{}, time.Unix(0, 0), noon.Add(-365 * day), noon, noon.Add(365 * day), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		s := example()
		want := s.Devices[0].Consumed
		s.ClockBack(now)
		s.Unlock()
		s.ForgetSources()
		login := Attempt{away, ID{2}, One, now}
		s.Charge(login)
		s.Succeeded(login)
		if got := s.Devices[0].Consumed; got != want {
			t.Errorf("at %v: %d, want %d", now, got, want)
		}
	}
}

func TestWhatMayChangeIsNotTakenForAStepBack(t *testing.T) {
	store, _ := newStore(t)
	for sentence, change := range map[string]func(tx *Tx){
		"a device removed":            func(tx *Tx) { tx.RemoveDevice(tx.Devices[0].ID) },
		"a new device from nothing":   func(tx *Tx) { tx.Devices = append(tx.Devices, Device{ID: ID{9}}) },
		"a new set of recovery codes": func(tx *Tx) { tx.Recovery = Recovery{ID: ID{7}, Total: 10} },
		"no recovery codes any more":  func(tx *Tx) { tx.Recovery = Recovery{} },
		"sources forgotten":           func(tx *Tx) { tx.ForgetSources() },
	} {
		if err := store.Update("alice", func(tx *Tx) error { change(tx); return nil }); err != nil {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

func TestMustNotHoldALockWhileAPersonTypes(t *testing.T) {
	store, data := newStore(t)
	// A person at another prompt: between two answers his process waits, here for its standard input.
	other := childCommand(t, "race", data)
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for step := uint64(1); step <= 5; step++ {
		if _, err := fmt.Fprintln(in, step); err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() || lines.Text() != "lost" { // its answer is wrong: the step was consumed long ago
			t.Fatalf("the other process said %q", lines.Text())
		}
		if err := store.Update("alice", func(tx *Tx) error { tx.Devices[0].Consumed++; return nil }); err != nil {
			t.Fatalf("while he types: %v", err)
		}
		if err := other.Process.Signal(unix.Signal(0)); err != nil {
			t.Fatalf("the process of the other was ended: %v", err)
		}
	}
	if err := errors.Join(in.Close(), other.Wait()); err != nil {
		t.Error(err)
	}
}

func TestKillAtAnyMomentLosesNothing(t *testing.T) {
	const workers, kills = 4, 55
	store, data := newStore(t)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for range kills {
				if err := climbAndKill(t, store, data); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	if names, err := os.ReadDir(filepath.Join(data, "state")); err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

// climbAndKill starts a process that consumes step after step, and kills it in the midst of it. No step that it has let somebody in
// for may be good again.
func climbAndKill(t *testing.T, store *Store, data string) error {
	cmd := childCommand(t, "climb", data)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	lines.Scan() // it is at work
	time.Sleep(time.Duration(rand.Int64N(int64(5 * time.Millisecond))))
	if err := cmd.Process.Kill(); err != nil {
		return err
	}
	said := lines.Text()
	for lines.Scan() {
		said = lines.Text()
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
		return fmt.Errorf("the process ended with %v and said %q", err, said)
	}
	step, err := strconv.ParseUint(said, 10, 64)
	if err != nil {
		return err
	}
	return store.Update("alice", func(tx *Tx) error {
		if tx.Devices[0].Consumed < step {
			return fmt.Errorf("somebody was let in with step %d, and now %d is the last", step, tx.Devices[0].Consumed)
		}
		return nil
	})
}

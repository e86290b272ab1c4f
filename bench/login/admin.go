package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"twokey/audit"
	"twokey/bench/site"
	"twokey/factor"
	"twokey/state"
)

// enough is how long bench/apply may have run when it is run again.
const enough = 2 * time.Minute

// apply runs bench/apply on a disk and in memory.
func (b *bench) apply() error { return errors.Join(b.applyOn("ext4"), b.applyOn("tmpfs")) }

// applyOn runs bench/apply, which says its figures in its last line, on a file system that is made for it: on one from which many files have
// just been removed, a file costs ten times as much where it has no journal.
func (b *bench) applyOn(fileSystem string) error {
	var theirs, ours, list site.Sample
	for began := time.Now(); len(ours) == 0 || len(ours) < b.again && time.Since(began) < enough; {
		command := exec.Command(filepath.Join(b.Top, "bench", "apply"), fmt.Sprint(b.applied), fmt.Sprint(b.sample), fileSystem)
		command.Env = append(os.Environ(), "TMPDIR="+b.Dir)
		command.Stderr = os.Stderr
		out, err := command.Output()
		if err != nil {
			return fmt.Errorf("bench/apply: %w", err)
		}
		google, apply, each, err := applyFigures(string(out))
		if err != nil {
			return err
		}
		theirs, ours, list = append(theirs, google), append(ours, apply), append(list, each)
	}
	users := site.Count(b.applied) + " users, " + fileSystem
	b.add(row{"apply of " + users, "one google-authenticator process a user", ours.Show("a second", 1), theirs.Show("a second", 1),
		ours.Median() / theirs.Median(), aim{least: 6}})
	b.add(row{"list of " + users, none, list.Show("µs a user", 1), none, list.Median(), aim{most: 40, unit: "µs a user"}})
	return nil
}

// applyFigures reads the last line of bench/apply.
func applyFigures(out string) (theirs, ours, list float64, err error) {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	last := lines[len(lines)-1]
	if _, err := fmt.Sscanf(last, "figures: theirs %f ours %f list %f", &theirs, &ours, &list); err != nil {
		return 0, 0, 0, fmt.Errorf("bench/apply ended with %q: %w", last, err)
	}
	return theirs, ours, list, nil
}

// verify measures twokey audit verify on a log of logins.
func (b *bench) verify() error {
	h, err := b.host("audited", 1, factor.HOTP)
	if err != nil {
		return err
	}
	const some = 10_000
	for done := 0; done < b.records; done += some {
		records := make([]audit.Record, min(some, b.records-done))
		for i := range records {
			records[i] = audit.Record{Time: time.Now(), Action: audit.ActionLogin, Outcome: audit.Success, Reason: "right code", User: site.UserName(i % site.Accounts),
				UserID: fmt.Sprint(site.FirstUID + i%site.Accounts), Method: "totp", Device: "phone", Service: "sshd", Source: source, PID: uint64(done + i + 1), TTY: "ssh"}
		}
		if err := audit.AppendAll(h.Log(), records); err != nil {
			return err
		}
	}
	var rates, wall site.Sample
	under := h.Mounted()
	for range b.again {
		command := exec.Command(under[0], append(under[1:], b.Program("twokey"), "audit", "verify")...)
		began := time.Now()
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("twokey audit verify: %w\n%s", err, out)
		}
		used := command.ProcessState.UserTime() + command.ProcessState.SystemTime()
		wall = append(wall, float64(time.Since(began)))
		rates = append(rates, float64(b.records)/used.Seconds())
	}
	what := "audit verify, " + site.Count(b.records) + " records"
	b.add(row{what, none, rates.Show("a second a core", 1), none, rates.Median(), aim{least: 250_000, unit: "a second a core"}})
	b.add(row{what, none, wall.Show("s", float64(time.Second)), none, math.NaN(), aim{}})
	return nil
}

// wait measures how long it takes until everybody has had the lock of one user's state who wants it at the same time.
func (b *bench) wait() error {
	h, err := b.host("waiters", 1, factor.HOTP)
	if err != nil {
		return err
	}
	var took site.Sample
	for range b.again {
		one, err := rush(h, site.UserName(0), b.waiters)
		if err != nil {
			return err
		}
		took = append(took, float64(one))
	}
	const second = float64(time.Second)
	b.add(row{site.Count(b.waiters) + " waiters on one user, the last served", none, took.Show("s", second), none, took.Median() / second, aim{most: 3, unit: "s"}})
	return nil
}

// rush lets so many wait for a lock, and says how long after its release the last has had it. They are threads of one process: started as
// processes, the last would not wait yet when the first were served.
func rush(h *site.Host, user string, waiters int) (time.Duration, error) {
	var all sync.WaitGroup
	errs := make(chan error, waiters)
	var began time.Time
	holding := h.Users.State.Update(user, func(*state.Tx) error {
		for range waiters {
			all.Go(func() { errs <- h.Users.State.Update(user, use) })
		}
		time.Sleep(gathering)
		began = time.Now()
		return nil
	})
	all.Wait()
	took := time.Since(began)
	close(errs)
	for err := range errs {
		holding = errors.Join(holding, err)
	}
	return took, holding
}

// gathering is how long the lock is held until all wait for it: less than a holder may.
const gathering = 1500 * time.Millisecond

// use is what a login does under the lock: it charges, writes, uses a code up; it is written again and synchronised behind it.
func use(tx *state.Tx) error {
	attempt := state.Attempt{Source: source, Cost: state.One, Now: time.Now()}
	tx.Charge(attempt)
	if err := tx.Flush(); err != nil {
		return err
	}
	tx.Devices[0].Consumed++
	tx.Succeeded(attempt)
	return nil
}

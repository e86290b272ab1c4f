package main

import (
	"errors"
	"fmt"
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

// count is a number with a space between the thousands.
func count(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s %03d", count(n/1000), n%1000)
}

// apply runs bench/apply, which says its figures in its last line.
func (b *bench) apply() error {
	command := exec.Command(filepath.Join(b.Top, "bench", "apply"), fmt.Sprint(b.applied), fmt.Sprint(b.sample))
	command.Env = append(os.Environ(), "TMPDIR="+b.Dir)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return fmt.Errorf("bench/apply: %w", err)
	}
	theirs, ours, list, err := applyFigures(string(out))
	if err != nil {
		return err
	}
	what := count(b.applied) + " users"
	b.add(row{"apply of " + what + ", one google-authenticator process a user", site.Number(ours) + " a second", site.Number(theirs) + " a second", ours / theirs, aim{least: 6}})
	b.add(row{"list of " + what, site.Number(list) + " µs a user", "–", list, aim{most: 40, unit: "µs"}})
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
	for range 3 {
		command := exec.Command(under[0], append(under[1:], filepath.Join(b.Built, "twokey"), "audit", "verify")...)
		began := time.Now()
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("twokey audit verify: %w\n%s", err, out)
		}
		used := command.ProcessState.UserTime() + command.ProcessState.SystemTime()
		wall = append(wall, float64(time.Since(began)))
		rates = append(rates, float64(b.records)/used.Seconds())
	}
	b.add(row{"audit verify, " + count(b.records) + " records", rates.Show("a core and second", 1), "–", rates.Median(), aim{least: 250_000, unit: "records"}})
	b.notes = append(b.notes, fmt.Sprintf("`audit verify` of %s records took %s s by the clock.", count(b.records), site.Number(wall.Median()/float64(time.Second))))
	return nil
}

// wait measures how long it takes until everybody has had the lock of one user's state who wants it at the same time. The waiters are threads
// of one process: started as processes, the last would not wait yet when the first were served.
func (b *bench) wait() error {
	h, err := b.host("waiters", 1, factor.HOTP)
	if err != nil {
		return err
	}
	user := site.UserName(0)
	var all sync.WaitGroup
	errs := make(chan error, b.waiters)
	var began time.Time
	holding := h.Users.State.Update(user, func(*state.Tx) error {
		for range b.waiters {
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
	if holding != nil {
		return holding
	}
	b.add(row{count(b.waiters) + " waiters on one user, until the last is served", site.Number(took.Seconds()) + " s", "–", took.Seconds(), aim{most: 3, unit: "s"}})
	return nil
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

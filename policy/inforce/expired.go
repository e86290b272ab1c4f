package inforce

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
	"twokey/policy"
)

// LoadAt is [Load] at a login: it also finds the entries that have ended since a login looked before (Expired), for the one that is first to
// see it. Now is in the host's zone. What cannot be kept is a Problem, and Expired at a later login; it stops none.
func LoadAt(config string, now time.Time) (*Policy, error) {
	p, err := Load(config)
	if err == nil {
		p.look(expiredName(config), policy.DateOf(now))
	}
	return p, err
}

// expiredName is the file in the data folder that holds when a login looked last.
func expiredName(config string) string {
	return strings.Replace(compiledName(config), "policy", "expired", 1)
}

// Watch is for who puts a policy in force before anybody logs in by it: from now on logins find what has ended since today, in the host's
// zone, unless they look already. Else an entry that ends before the first login by it would have ended unseen.
func (p *Policy) Watch(config string, now time.Time) error {
	if !p.HasUntil() {
		return nil
	}
	f, err := openExpired(p.Paths.Data, expiredName(config))
	if err != nil {
		return err
	}
	defer f.Close()
	locked, err := lockExpired(f)
	if err != nil || !locked {
		return err
	}
	if _, known := readExpired(f); known {
		return nil
	}
	return writeExpired(f, policy.DateOf(now))
}

// look sets Expired.
func (p *Policy) look(name string, today policy.Date) {
	if !p.HasUntil() {
		return
	}
	since, err := lastLook(p.Paths.Data, name, today)
	if err != nil {
		err = fmt.Errorf("which entries of the policy have ended could not be kept: %w", err)
		if p.Problem != nil {
			err = fmt.Errorf("%w; %w", p.Problem, err)
		}
		p.Problem = err
		return
	}
	p.Expired = p.Ended(since, today)
}

// The file always has the same length, so that it is written in place, on a full disk too.
const (
	expiredFormat = "twokey-expired 1 %s\n"
	expiredSize   = len("twokey-expired 1 2026-11-22\n")
)

var expiredRules = safefile.Rules{MaxSize: int64(expiredSize), Forbid: 0o077}

// lastLook gives the day of the last look and writes today in its place. It gives today where nothing is new: that day is there already,
// nobody has looked before, or another login is looking at this moment.
func lastLook(data, name string, today policy.Date) (policy.Date, error) {
	f, err := openExpired(data, name)
	if err != nil {
		return today, err
	}
	defer f.Close()
	locked, err := lockExpired(f)
	if err != nil || !locked {
		return today, err
	}
	last, known := readExpired(f)
	if known && last == today {
		return today, nil
	}
	if err := writeExpired(f, today); err != nil || !known {
		return today, err
	}
	return last, nil
}

// lockExpired is false when somebody else has the file.
func lockExpired(f *os.File) (bool, error) {
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	return err == nil, err
}

func writeExpired(f *os.File, day policy.Date) error {
	_, err := f.WriteAt(fmt.Appendf(nil, expiredFormat, day), 0)
	return err
}

// openExpired opens the file, or makes one in which no day is yet.
func openExpired(data, name string) (*os.File, error) {
	dir, err := safefile.OpenDir(data)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	f, err := dir.Open(name, unix.O_RDWR, expiredRules)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	f, err = dir.Create(name, unix.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return dir.Open(name, unix.O_RDWR, expiredRules)
	}
	return f, err
}

// readExpired reads the day. A file without one is as if nobody had looked.
func readExpired(f *os.File) (policy.Date, bool) {
	b := make([]byte, expiredSize)
	if _, err := f.ReadAt(b, 0); err != nil {
		return policy.Date{}, false
	}
	first, last, _ := strings.Cut(expiredFormat, "%s")
	day := strings.TrimSuffix(strings.TrimPrefix(string(b), first), last)
	return policy.ParseDate(day)
}

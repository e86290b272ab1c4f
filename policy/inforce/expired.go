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

// LoadAt is [Load] for a login: it also finds the entries that have ended since the login before looked, for the one login that is first
// to see it (Expired). Now is in the host's zone. What cannot be found out, or kept, is left to the next login; it stops none.
func LoadAt(config string, now time.Time) (*Policy, error) {
	p, err := Load(config)
	if err == nil && p.HasUntil() {
		p.Expired = expired(p, lookedName(config), policy.DateOf(now))
	}
	return p, err
}

// lookedName is the file that holds when a login looked last.
func lookedName(config string) string {
	return strings.Replace(compiledName(config), "policy", "expired", 1)
}

// The file has one length, so that it is written in place, also where the disk is full.
const (
	lookedFormat = "twokey-expired 1 %s\n"
	lookedSize   = len("twokey-expired 1 2026-11-22\n")
)

var lookedRules = safefile.Rules{MaxSize: int64(lookedSize), Forbid: 0o077}

// expired lists what has ended since the day in the file, and writes today there. Of several logins at the same moment one does.
func expired(p *Policy, name string, today policy.Date) []policy.Expiry {
	dir, err := safefile.OpenDir(p.Paths.Data)
	if err != nil {
		return nil
	}
	defer dir.Close()
	f, err := openLooked(dir, name)
	if err != nil {
		return nil
	}
	defer f.Close()
	last, known := readLooked(f)
	if known && last == today || unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}) != nil {
		return nil
	}
	last, known = readLooked(f) // another may have been first, before the lock
	if known && last == today {
		return nil
	}
	if _, err := f.WriteAt(fmt.Appendf(nil, lookedFormat, today), 0); err != nil || !known {
		return nil
	}
	return p.Ended(last, today)
}

func openLooked(dir *safefile.Dir, name string) (*os.File, error) {
	f, err := dir.Open(name, unix.O_RDWR, lookedRules)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	f, err = dir.Create(name, unix.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return dir.Open(name, unix.O_RDWR, lookedRules)
	}
	return f, err
}

// readLooked reads the day; a file without one, as after a crash, is as if nobody had looked.
func readLooked(f *os.File) (policy.Date, bool) {
	b := make([]byte, lookedSize)
	if n, err := f.ReadAt(b, 0); err != nil || n != lookedSize {
		return policy.Date{}, false
	}
	var day string
	if _, err := fmt.Sscanf(string(b), lookedFormat, &day); err != nil {
		return policy.Date{}, false
	}
	return policy.ParseDate(day)
}

package inforce

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile/disktest"
	"twokey/policy"
)

const ending = "require: [{users: [alice], until: 2026-11-20}, {groups: [staff], services: [su], until: 2026-11-22}]\nexempt: [{users: [bob], until: 2026-11-21}]"

// looks loads the policy and looks on a day of November 2026; the answer is what has ended.
func (s scratch) looks(day int) string {
	s.t.Helper()
	p := s.load()
	p.look("expired", policy.Date{Year: 2026, Month: 11, Day: day})
	if p.Problem != nil {
		s.t.Error(p.Problem)
	}
	return expiredText(p)
}

func expiredText(p *Policy) string {
	var texts []string
	for _, e := range p.Expired {
		texts = append(texts, fmt.Sprint(e.Entry, " ", e.Until.Day))
	}
	return strings.Join(texts, ", ")
}

func TestMustNameAnEntryThatHasEndedToOneLogin(t *testing.T) {
	s := newScratch(t)
	s.keeps(in(s.usual, ending))
	for i, look := range []struct {
		day  int
		want string
	}{
		{20, ""}, {20, ""}, {21, "require[0] 20"}, {21, ""}, {21, ""}, {24, "require[1] 22, exempt[0] 21"}, {24, ""},
		{19, ""}, // the clock was wrong, and goes by the last day again
		{19, ""}, {21, "require[0] 20"}, {21, ""},
	} {
		if got := s.looks(look.day); got != look.want {
			t.Errorf("look %d, on day %d: %q, want %q", i, look.day, got, look.want)
		}
	}
	b, err := os.ReadFile(s.usual + "/expired")
	st, statErr := os.Stat(s.usual + "/expired")
	if err != nil || statErr != nil || string(b) != "twokey-expired 1 2026-11-21\n" || st.Mode() != 0o600 {
		t.Errorf("%q, %v, %v", b, st.Mode(), err)
	}
}

// Who looks for the first time does not know what was before; a file that says nothing is no other.
func TestTheFirstLookNamesNothing(t *testing.T) {
	for what, content := range map[string]string{
		"no file": "-", "an empty file": "", "a part": "twokey-expired 1 2026-1", "another form": "twokey-expired 2 2026-11-01\n",
		"no day": "twokey-expired 1 2026-02-30\n", "another text": strings.Repeat("x", expiredSize), "no line feed": "twokey-expired 1 2026-11-01 ",
	} {
		s := newScratch(t)
		s.keeps(in(s.usual, ending))
		if content != "-" {
			must(t, os.WriteFile(s.usual+"/expired", []byte(content), 0o600))
		}
		if first, second := s.looks(22), s.looks(23); first != "" || second != "require[1] 22" {
			t.Errorf("%s: %q, then %q", what, first, second)
		}
	}
}

// An exemption for a weekend, on a host to which nobody comes before Monday.
func TestWhatEndsBeforeTheFirstLoginIsNamedToIt(t *testing.T) {
	on := func(day int) time.Time { return time.Date(2026, 11, day, 12, 0, 0, 0, time.Local) }
	s := newScratch(t)
	name := s.usual + "/" + expiredName(s.config)
	p := s.keeps(in(s.usual, "require: [{users: [alice]}]"))
	must(t, p.Watch(s.config, on(19)))
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Errorf("nothing ends, and yet: %v", err)
	}
	p = s.keeps(in(s.usual, ending))
	must(t, p.Watch(s.config, on(20)))
	must(t, p.Watch(s.config, on(21))) // a second edit changes nothing of it
	for _, want := range []string{"require[0] 20, require[1] 22, exempt[0] 21", ""} {
		p.look(expiredName(s.config), policy.DateOf(on(24)))
		if got := expiredText(p); got != want || p.Problem != nil {
			t.Errorf("%q, want %q, %v", got, want, p.Problem)
		}
	}
	must(t, os.Remove(name))
	must(t, os.Mkdir(name, 0o700))
	if err := p.Watch(s.config, on(24)); err == nil {
		t.Error("a folder in its place is no error")
	}
}

func TestAPolicyInWhichNothingEndsIsNotLookedAt(t *testing.T) {
	s := newScratch(t)
	s.keeps(in(s.usual, "require: [{users: [alice], by: 2026-11-20}]"))
	s.looks(20)
	if _, err := os.Stat(s.usual + "/expired"); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
}

func TestOfManyLoginsAtOnceOneIsToldWhatHasEnded(t *testing.T) {
	s := newScratch(t)
	s.keeps(in(s.usual, ending))
	s.looks(20)
	for day := 21; day <= 23; day++ {
		told := make(chan string, 50)
		var all sync.WaitGroup
		for range cap(told) {
			p := s.load()
			all.Go(func() {
				p.look("expired", policy.Date{Year: 2026, Month: 11, Day: day})
				if text := expiredText(p); text != "" || p.Problem != nil {
					told <- fmt.Sprint(text, p.Problem)
				}
			})
		}
		all.Wait()
		if len(told) != 1 {
			t.Errorf("day %d: %d were told", day, len(told))
		}
	}
}

// Another login has the lock, and puts the day there: this one says nothing, and neither waits nor fails.
func TestALoginDoesNotWaitForAnotherThatLooks(t *testing.T) {
	s := newScratch(t)
	s.keeps(in(s.usual, ending))
	s.looks(20)
	f, err := os.OpenFile(s.usual+"/expired", os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	must(t, unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}))
	if got := s.looks(21); got != "" {
		t.Errorf("%q", got)
	}
	must(t, f.Close())
	if got := s.looks(21); got != "require[0] 20" {
		t.Errorf("afterwards %q", got)
	}
}

func TestWhatCannotBeKeptIsAProblemAndStopsNobody(t *testing.T) {
	for what, spoil := range map[string]func(path string) error{
		"a folder":           func(path string) error { return os.Mkdir(path, 0o700) },
		"a link":             func(path string) error { return os.Symlink("/etc/hostname", path) },
		"a FIFO":             func(path string) error { return unix.Mkfifo(path, 0o600) },
		"readable by others": func(path string) error { return os.WriteFile(path, nil, 0o644) },
		"too long":           func(path string) error { return os.WriteFile(path, make([]byte, 29), 0o600) },
		"of another user":    func(path string) error { return join(os.WriteFile(path, nil, 0o600), os.Chown(path, stranger, 0)) },
		"with a second name": func(path string) error { return join(os.WriteFile(path, nil, 0o600), os.Link(path, path+"2")) },
		"without a folder":   func(path string) error { return os.RemoveAll(filepath.Dir(path)) },
		"in a folder of all": func(path string) error { return os.Chmod(filepath.Dir(path), 0o777) },
	} {
		s := newScratch(t)
		p := s.keeps(in(s.usual, ending))
		must(t, spoil(s.usual+"/expired"))
		p.look("expired", policy.Date{Year: 2026, Month: 11, Day: 30})
		if what == "a link" { // beside another problem
			p.Problem = errors.New("there is one")
			p.look("expired", policy.Date{Year: 2026, Month: 11, Day: 30})
			if !strings.HasPrefix(p.Problem.Error(), "there is one; which entries") {
				t.Errorf("%v", p.Problem)
			}
		}
		if p.Problem == nil || !strings.Contains(p.Problem.Error(), "could not be kept: open ") || p.Expired != nil || p.LastGood || !p.HasUntil() {
			t.Errorf("%s: %+v", what, p)
		}
	}
}

func join(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

func TestWhatHasEndedIsToldOnAFullDisk(t *testing.T) {
	dir := disktest.Mount(t, "ext4")
	s := newScratch(t)
	s.keeps(in(dir, ending))
	s.looks(20)
	filler, err := os.Create(dir + "/filler")
	must(t, err)
	defer filler.Close()
	for err == nil {
		_, err = filler.Write(make([]byte, 4096))
	}
	if got := s.looks(21); got != "require[0] 20" {
		t.Errorf("%q", got)
	}
	if got := s.looks(21); got != "" {
		t.Errorf("again %q", got)
	}
}

// Each configuration file of which a PAM line speaks has its own, beside its compiled policy, and only a login looks.
func TestLoadAtLooksForItsOwnFile(t *testing.T) {
	if expiredName(DefaultConfig) != "expired" || expiredName("/etc/other.yaml") != "expired-"+compiledName("/etc/other.yaml")[len("policy-"):] {
		t.Errorf("%s, %s", expiredName(DefaultConfig), expiredName("/etc/other.yaml"))
	}
	s := newScratch(t)
	s.write(in(s.other, ending))
	path := filepath.Join(s.other, expiredName(s.config))
	day := time.Date(2026, 11, 20, 23, 59, 59, 0, time.UTC)
	for i, want := range []string{"", "require[0] 20"} {
		if _, err := Load(s.config); err != nil {
			t.Fatal(err)
		}
		p, err := LoadAt(s.config, day.Add(time.Duration(i)*time.Second))
		if err != nil || expiredText(p) != want || p.Problem != nil {
			t.Errorf("%v: %q, %+v, %v", day, expiredText(p), p, err)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	if p, err := LoadAt(s.config+".none", day); err == nil || !nobody(p) {
		t.Errorf("%+v, %v", p, err)
	}
}

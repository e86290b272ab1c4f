package slots

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"twokey/internal/safefile"
)

func TestAUserHasSoManySlotsAndNoMore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run", "self")
	var taken []*os.File
	for range 4 {
		slot, err := Take(dir, 1000, 4)
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, slot)
	}
	if slot, err := Take(dir, 1000, 4); !errors.Is(err, ErrFull) || slot != nil {
		t.Errorf("the fifth: %v", err)
	}
	if slot, err := Take(dir, 1001, 4); err != nil {
		t.Errorf("another user: %v", err)
	} else if err := slot.Close(); err != nil {
		t.Error(err)
	}
	if err := taken[2].Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Take(dir, 1000, 4)
	if err != nil {
		t.Fatalf("one was given back: %v", err)
	}
	for _, slot := range append([]*os.File{again, taken[0], taken[1]}, taken[3]) {
		if err := slot.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestManyAtOnceGetNoMoreThanThereAre(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "self")
	var all sync.WaitGroup
	results := make(chan *os.File, 20)
	for range cap(results) {
		all.Go(func() {
			slot, err := Take(dir, 7, 4)
			if err != nil && !errors.Is(err, ErrFull) {
				t.Error(err)
			}
			results <- slot
		})
	}
	all.Wait()
	close(results)
	taken := 0
	for slot := range results {
		if slot == nil {
			continue
		}
		taken++
		if err := slot.Close(); err != nil {
			t.Error(err)
		}
	}
	if taken != 4 {
		t.Errorf("%d slots, want 4", taken)
	}
}

const inside = "TWOKEY_SLOTS_TEST"

// It runs once more with a table of its own in the place of /etc/subuid.
func TestTheUserIDsOfOneOwnerHaveTheSlotsOfOne(t *testing.T) {
	if os.Getenv(inside) == "" {
		table := filepath.Join(t.TempDir(), "subuid")
		if err := os.WriteFile(table, []byte("alice:100000:65536\nbob:165536:65536\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/subuid && exec "$1" -test.run='^'$2'$'`, table, os.Args[0], t.Name())
		cmd.Env = append(os.Environ(), inside+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	dir := filepath.Join(t.TempDir(), "self")
	for i, uid := range []uint32{100000, 100001, 165535, 165536, 1000} {
		slot, err := Take(dir, uid, 1)
		if full := i == 1 || i == 2; errors.Is(err, ErrFull) != full || err != nil && !full {
			t.Errorf("%d: %v", uid, err)
		}
		if slot != nil {
			defer slot.Close()
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 3 {
		t.Errorf("%d files, %v", len(files), err)
	}
}

// Attack: what was started for a connection outlives it, and the user never gets the slot back.
func TestAProgramThatIsStartedMeanwhileDoesNotHoldTheSlot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "self")
	slot, err := Take(dir, 7, 1)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("cat")
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if err := slot.Close(); err != nil {
		t.Fatal(err)
	}
	slot, err = Take(dir, 7, 1)
	if err != nil {
		t.Error(err)
	}
	if err := errors.Join(slot.Close(), stdin.Close(), child.Wait()); err != nil {
		t.Error(err)
	}
}

func TestAFileThatOthersCouldHaveMadeIsNoSlot(t *testing.T) {
	dir := t.TempDir()
	for name, make := range map[string]func(string) error{
		"0.0": func(path string) error { return os.Symlink("/etc/passwd", path) },
		"1.0": func(path string) error { return os.WriteFile(path, nil, 0o666) },
		"2.0": func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) },
		"3.0": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(make(path), os.Chmod(dir, 0o700)); err != nil {
			t.Fatal(err)
		}
		if name == "1.0" {
			if err := os.Chmod(path, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if slot, err := Take(dir, uint32(name[0]-'0'), 1); err == nil || slot != nil {
			t.Errorf("%s was taken", name)
		}
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Take(dir, 9, 1); !errors.Is(err, safefile.ErrMode) {
		t.Errorf("a folder that everybody can write to: %v", err)
	}
}

func TestOfAUserSomethingIsSaidOnceInAnInterval(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "self")
	for i, c := range []struct {
		uid  uint32
		ago  time.Duration // when it was last said; 0: just now, or never
		want bool
	}{{7, 0, true}, {7, 0, false}, {8, 0, true}, {7, 59 * time.Second, false}, {7, 61 * time.Second, true}, {7, 0, false}, {7, -time.Hour, true}} {
		if c.ago != 0 {
			then := time.Now().Add(-c.ago)
			if err := os.Chtimes(filepath.Join(dir, "7.said"), then, then); err != nil {
				t.Fatal(err)
			}
		}
		if due, err := Due(dir, c.uid, time.Minute); due != c.want || err != nil {
			t.Errorf("%d: %v, %v", i, due, err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "7.said"), 0o666); err != nil {
		t.Fatal(err)
	}
	if due, err := Due(dir, 7, 0); due || err == nil {
		t.Errorf("others could have set the time: %v, %v", due, err)
	}
}

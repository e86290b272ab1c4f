package secrets

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile/disktest"
)

func TestMustLeaveTheOldFileWholeWhenTheDiskIsFull(t *testing.T) {
	for _, fileSystem := range []string{"ext4", "xfs", "tmpfs"} {
		t.Run(fileSystem, func(t *testing.T) {
			dir := disktest.Mount(t, fileSystem)
			s, users := storeIn(t, dir)
			must(t, s.Save(example()))
			free := disktest.Fill(t, dir)
			newer := largest("alice")
			for range 3 {
				for _, r := range []*Record{newer, largest("bob")} {
					if err := s.Save(r); !errors.Is(err, unix.ENOSPC) {
						t.Errorf("saved on a full disk: %v", err)
					}
				}
				if err := s.CreateDecoy(example()); !errors.Is(err, unix.ENOSPC) {
					t.Errorf("a decoy made on a full disk: %v", err)
				}
			}
			if r, err := s.Load("alice"); err != nil || !reflect.DeepEqual(r, example()) {
				t.Errorf("the old file: %v, %v", r, err)
			}
			if got, err := s.Users(); err != nil || !slices.Equal(got, []string{"alice"}) {
				t.Errorf("users %q, %v", got, err)
			}
			if left, err := os.ReadDir(users); err != nil || len(left) != 1 {
				t.Errorf("left: %v, %v", left, err)
			}
			free()
			must(t, s.Save(newer))
			if r, err := s.Load("alice"); err != nil || !reflect.DeepEqual(r, newer) {
				t.Errorf("the new file: %v, %v", r, err)
			}
		})
	}
}

// saveForever is what the child does that is killed.
func saveForever(data, keyPath string) {
	s, err := Open(data, keyPath)
	if err != nil {
		panic(err)
	}
	r := largest("alice")
	for r.Serial = 1; ; r.Serial++ {
		if err := s.Save(r); err != nil {
			panic(err)
		}
		if r.Serial == 1 {
			fmt.Println("begun")
		}
	}
}

func TestMustLeaveTheOldOrTheNewFileWholeWhenItIsKilled(t *testing.T) {
	s, users := scratch(t)
	must(t, s.Save(example()))
	interrupted := 0
	for range 60 {
		cmd := exec.Command("/proc/self/exe", filepath.Dir(users), s.keyPath)
		cmd.Env = append(os.Environ(), childVariable+"=1")
		begun, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		_, err = begun.Read(make([]byte, 1))
		must(t, err)
		time.Sleep(rand.N(10 * time.Millisecond))
		must(t, cmd.Process.Kill())
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
			t.Fatalf("the child ended by itself: %v", err)
		}
		r, err := s.Load("alice")
		if err != nil || len(r.Devices) == 0 {
			t.Fatalf("after a kill: %v, %v", r, err)
		}
		if got, err := s.Users(); err != nil || !slices.Equal(got, []string{"alice"}) {
			t.Errorf("users %q, %v", got, err)
		}
		left, err := os.ReadDir(users)
		must(t, err)
		interrupted += len(left) - 1
		must(t, s.dir.RemoveStale(time.Now().Add(time.Hour), time.Minute))
	}
	if interrupted == 0 {
		t.Error("no kill came in the middle of a Save: this test has shown nothing")
	}
	must(t, s.Save(example()))
}

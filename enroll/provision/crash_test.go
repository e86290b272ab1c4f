package provision

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
	"twokey/internal/safefile/disktest"
)

// childVariable names the folder of the bench for the child that is killed while it writes.
const childVariable = "PROVISION_TEST_CHILD"

const crowd = 60

func crowdList() string {
	var b strings.Builder
	for i := range crowd {
		fmt.Fprintf(&b, "- user: user%03d\n", i)
	}
	return b.String()
}

// inFolder moves a bench to a folder with the keys of another.
func (b *bench) inFolder(dir string) *bench {
	b.folder = dir + "/out"
	return b
}

// TestTheChildOfAKill is what the child does; by itself it shows that the crowd can be written.
func TestTheChildOfAKill(t *testing.T) {
	b := newBench(t)
	if dir := os.Getenv(childVariable); dir != "" {
		b.inFolder(dir)
	}
	if _, changed := b.apply(crowdList(), "user007"); len(changed) == 0 {
		t.Error("nothing to do")
	}
}

func there(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestMustEndInTheSameStateKilledAtAnyPointAndRunAgain(t *testing.T) {
	interrupted := 0
	for round := range 10 {
		dir := t.TempDir()
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestTheChildOfAKill$")
		cmd.Env = append(os.Environ(), childVariable+"="+dir, "TMPDIR="+t.TempDir()) // it cannot clean up
		must(t, cmd.Start())
		for try := 0; try < 30000 && !there(dir+"/out"); try++ { // it has begun when the folder is there
			time.Sleep(time.Millisecond)
		}
		if round%2 == 0 {
			time.Sleep(rand.N(20 * time.Millisecond))
		} else { // files have no names while they are written, and get them one soon after the other
			for until := time.Now().Add(30 * time.Second); time.Now().Before(until) && empty(dir+"/out"); {
			}
			time.Sleep(rand.N(time.Millisecond))
		}
		must(t, cmd.Process.Kill())
		var exit *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		b := newBench(t).inFolder(dir)
		left, err := os.ReadDir(dir + "/out")
		must(t, err)
		if len(left) > 0 && !there(dir+"/out/manifest.json") {
			interrupted++
		}
		b.apply(crowdList())
		j := b.open()
		must(t, j.dir.RemoveStale(time.Now().Add(2*time.Hour), time.Hour))
		must(t, j.Close())
		before := b.tree()
		store := b.store(0)
		users, err := store.Users()
		if err != nil || len(users) != crowd || len(before) != crowd+1 {
			t.Fatalf("%d users, %d files, %v", len(users), len(before), err)
		}
		for _, user := range users {
			r, err := store.Load(user)
			if err != nil || len(r.Devices) != 1 {
				t.Fatalf("%s: %v", user, err)
			}
		}
		if _, changed := b.apply(crowdList()); len(changed) != 0 || !maps.Equal(before, b.tree()) {
			t.Errorf("run again: %d users changed", len(changed))
		}
	}
	if interrupted == 0 {
		t.Error("no kill came while files were written: this test has shown nothing")
	}
}

func TestAFullDiskLeavesTheOldFiles(t *testing.T) {
	dir := disktest.Mount(t, "ext4")
	b := newBench(t).inFolder(dir)
	b.apply("- user: alice\n")
	before := b.tree()
	free := disktest.Fill(t, dir)
	j := b.open("alice")
	users := list(t, "- user: alice\n- user: bob\n")
	plans := []*Plan{j.Plan(&users[0]), j.Plan(&users[1])}
	told := 0
	err := j.Run(plans, func(*Plan, *safefile.Set) error { return nil }, func(some []*Plan) error {
		for _, p := range some {
			if errors.Is(p.Err, unix.ENOSPC) && len(p.Done) == 0 {
				told++
			}
		}
		return nil
	})
	if !errors.Is(err, unix.ENOSPC) && told != 2 {
		t.Errorf("on a full disk: %v, told of %d", err, told)
	}
	must(t, j.Close())
	if !maps.Equal(before, b.tree()) {
		t.Error("the files have changed")
	}
	free()
	b.apply("- user: alice\n- user: bob\n", "alice")
	if maps.Equal(before, b.tree()) {
		t.Error("nothing was written when there was room")
	}
}

// A page that could not be made leaves its user without files: nobody could be told of the secret.
func TestAUserOfWhomThereIsNoPageGetsNoFile(t *testing.T) {
	b := newBench(t)
	j := b.open()
	users := list(t, "- user: alice\n- user: bob\n")
	plans := []*Plan{j.Plan(&users[0]), j.Plan(&users[1])}
	refusal := errors.New("refused")
	must(t, j.Run(plans, func(p *Plan, set *safefile.Set) error {
		if p.User.Name == "alice" {
			return refusal
		}
		return set.Replace(j.dir, "page", []byte("of bob"), 0o600)
	}, func(some []*Plan) error {
		want(t, some[0].Err, refusal)
		want(t, some[1].Err, nil)
		return nil
	}))
	must(t, j.Close())
	tree := b.tree()
	if len(tree) != 3 || tree["page"] == "" || tree["bob.age"] == "" || strings.Contains(tree["manifest.json"], "alice") {
		t.Errorf("%d files", len(tree))
	}
	if _, changed := b.apply("- user: alice\n- user: bob\n"); len(changed) != 1 {
		t.Errorf("changed %q", changed)
	}
}

// empty reports whether nothing is in a folder.
func empty(dir string) bool {
	names, err := os.ReadDir(dir)
	return err == nil && len(names) == 0
}

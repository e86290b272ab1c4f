package batch

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/factor"
)

// "make soak" gives larger numbers.
var (
	soakUsers = flag.Int("soak.users", 1000, "users of the list that is killed")
	soakKills = flag.Int("soak.kills", 4, "times that it is killed")
)

// applying starts another process that applies a list, and waits until it begins.
func applying(t *testing.T, users int, data string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d|%s", actVariable, users, data), "GOCOVERDIR="+t.TempDir())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "begun\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return cmd
}

// whole looks at every user that is there: both files can be read and agree, and he has all that he shall have.
func whole(t *testing.T, j *Job) (enrolled int) {
	t.Helper()
	users, err := j.Users.Secrets.Users()
	must(t, err)
	f := parse(t, "x.yaml", manyUsers(*soakUsers))
	for i := range f.Users {
		u := &f.Users[i]
		if _, there := slices.BinarySearch(users, u.Name); !there {
			continue
		}
		enrolled++
		r := record(t, j, u.Name)
		st, err := j.Users.State.Read(u.Name)
		must(t, err)
		if len(r.Devices) != len(u.Devices) || len(r.Recovery.Hashes) != 3 || (r.Phone != "") != (u.Phone != nil) || st.User != u.Name {
			t.Fatalf("%s is half written: %v, phone %q, %v", u.Name, r.Devices, r.Phone, r.Recovery)
		}
	}
	if enrolled != len(users) {
		t.Fatalf("%d users are enrolled, %d of them by the list", len(users), enrolled)
	}
	return enrolled
}

// told fails unless of each user who is there a code was told that is good.
func told(t *testing.T, j *Job, data string) {
	t.Helper()
	text, err := os.ReadFile(data + "/told")
	must(t, err)
	codes := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if name, code, found := strings.Cut(strings.TrimSuffix(line, "\n"), " "); found {
			codes[name] = append(codes[name], code)
		}
	}
	users, err := j.Users.Secrets.Users()
	must(t, err)
	for _, user := range users {
		set := record(t, j, user).Recovery
		if !slices.ContainsFunc(codes[user], func(code string) bool {
			_, found := factor.MatchRecovery(set.Key, set.Hashes, code)
			return found
		}) {
			t.Fatalf("%s is enrolled with codes that nobody has seen: %q", user, codes[user])
		}
	}
}

func TestKilledAtAnyMomentAndRunAgainItEndsInTheSameState(t *testing.T) {
	undisturbed := newJob(t)
	begun := time.Now()
	_, err := apply(undisturbed, parse(t, "x.yaml", manyUsers(*soakUsers)))
	must(t, err)
	took := time.Since(begun)
	want := whole(t, undisturbed)

	data := t.TempDir()
	j, err := openJob(data)
	must(t, err)
	inTheMiddle := 0
	for range *soakKills {
		cmd := applying(t, *soakUsers, data)
		time.Sleep(rand.N(took))
		must(t, cmd.Process.Kill())
		var exit *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if n := whole(t, j); n > 0 && n < want {
			inTheMiddle++
		}
		told(t, j, data)
	}
	must(t, applying(t, *soakUsers, data).Wait())
	told(t, j, data)
	if n := whole(t, j); n != want {
		t.Errorf("%d users are enrolled, want %d", n, want)
	}
	for _, p := range plans(j, parse(t, "x.yaml", manyUsers(*soakUsers))) {
		if p.Err != nil || !p.Idle() {
			t.Fatalf("%s: %v, %v", p.User.Name, p.Err, p.Changes)
		}
		if p.User.Absent {
			continue
		}
		deviceNames(t, j, p.User.Name)
	}
	t.Logf("%d users, %d kills, %d of them between the first and the last user; undisturbed it took %v", *soakUsers, *soakKills, inTheMiddle, took)
}

package apps

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"twokey/internal/pamtest"
)

// cgroupScript makes a control group that belongs to user $2, and takes it away with all that is in it when its input ends.
const cgroupScript = `
set -e
mkdir -p /run/cgroup
mount -t cgroup2 none /run/cgroup
mkdir "$1"
chown -R "$2" "$1"
echo ready
cat
echo 0 >"$1/cgroup.freeze"
until rmdir "$1" 2>/dev/null; do xargs -r kill -KILL <"$1/cgroup.procs" || :; sleep 0.1; done
`

// delegate gives the caller a control group, as a service manager does, and returns its folder in the machine.
func (s *site) delegate(t *testing.T, caller *person) string {
	t.Helper()
	group := "/run/cgroup/twokey-apps-" + pamtest.Suffix()
	keep := s.Command("sh", "-c", cgroupScript, "sh", group, fmt.Sprint(caller.UID))
	keep.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	keep.Stderr = os.Stderr
	stdin, err := keep.StdinPipe()
	must(t, err)
	stdout, err := keep.StdoutPipe()
	must(t, err)
	must(t, keep.Start())
	t.Cleanup(func() {
		if err := stdin.Close(); err != nil {
			t.Error(err)
		}
		if err := keep.Wait(); err != nil {
			t.Error(err)
		}
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Fatalf("no control group: %q, %v", line, err)
	}
	return group
}

// A caller who has a control group of his own freezes su and the helper in it while the helper holds the lock of the target. No
// signal that he may not send is needed for that. The target gets in all the same.
func TestAFrozenHelperDoesNotLockItsTargetOut(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 2)
	caller, target := people[0], s.enrol(people[1])
	group := s.delegate(t, caller)
	x := pamtest.OpenTerminal(t, s.CommandAs(caller.User, "env", "PS1=shell: ", "sh", "-i"))
	x.Expect("shell: ")
	if out, err := s.Command("sh", "-c", fmt.Sprintf("echo %d >%s/cgroup.procs", x.PID(), group)).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	x.Type("su " + target.Name + "\n")
	x.Expect("assword: ")
	x.Type(s.Password + "\n")
	x.Expect("Verification code: ")
	id := helperBelow(t, x.PID())

	wait, release := s.atLock(t, target)
	x.Type(target.wrong(t) + "\n")
	wait(id)
	if out, err := s.CommandAs(caller.User, "sh", "-c", "echo 1 >"+group+"/cgroup.freeze").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	release()
	eventually(t, "su and the helper are frozen", func() bool {
		out, err := s.Command("cat", group+"/cgroup.events").Output()
		return err == nil && strings.Contains(string(out), "frozen 1")
	})
	if !has(id) || !s.isLocked(t, target) {
		t.Fatal("the helper does not hold the lock: this is no test")
	}

	login := programs[len(programs)-1]
	x = login.start(t, s, target, nil)
	x.Type(s.Password + "\n")
	x.Expect("Verification code: ")
	x.Type(target.code(t, 0) + "\n")
	if login.outcome(x) != inside {
		t.Errorf("the target was refused: %q\n%s", s.reasons(target, "login"), x.Screen())
	}
	eventually(t, "the frozen helper has ended", func() bool { return !has(id) })
}

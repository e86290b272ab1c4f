package apps

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"twokey/internal/pamtest"
	"twokey/internal/proc"
)

// asked starts su from one person to another, in a shell in which the words before it stand first, and types the password. The
// helper that asks for the code is at work when it returns.
func (s *site) asked(t *testing.T, caller, target *person, before string) (*pamtest.Terminal, proc.ID) {
	t.Helper()
	x := pamtest.OpenTerminal(t, s.CommandAs(caller.User, "sh", "-c", before+" su "+target.Name+" -c 'echo inside'"))
	x.Expect("assword: ")
	x.Type(s.Password + "\n")
	x.Expect("Verification code: ")
	return x, helperBelow(t, x.PID())
}

// What the helper has of the person who calls su: nothing. A person may prepare the process that su runs in at will.
func TestTheHelperHasNothingOfItsCaller(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 2)
	caller, target := people[0], s.enrol(people[1])
	secret := filepath.Join(s.Home(caller.Name), "open")
	must(t, os.WriteFile(secret, nil, 0o666))
	x, id := s.asked(t, caller, target, `
exec 7</home/`+caller.Name+`/open 8</dev/zero
trap '' HUP INT TERM PIPE TSTP
export SECRET=1 GODEBUG=x GOTRACEBACK=all TZ=:/dev/zero LD_PRELOAD=/x.so
umask 0
cd /home/`+caller.Name+`
exec env --block-signal=TERM,USR1`)

	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", id.PID))
	must(t, err)
	if string(environ) != "PATH=/usr/sbin:/usr/bin:/sbin:/bin\x00GOMAXPROCS=1\x00" {
		t.Errorf("environment: %q", environ)
	}
	for name, want := range map[string][]string{
		"Uid": {"0", "0", "0", "0"}, "Gid": {"0", "0", "0", "0"}, "Groups": nil, "Umask": {"0077"},
		"NSsid": {fmt.Sprint(id.PID)}, "SigBlk": {"0000000000000000"}, "SigIgn": {"0000000000000000"},
	} {
		if got := status(t, id, name); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", id.PID)); err != nil || cwd != "/" {
		t.Errorf("working folder: %q, %v", cwd, err)
	}
	s.checkDescriptors(t, id)
	x.Type(target.code(t, 0) + "\n")
	x.Expect("inside")
}

// checkDescriptors wants /dev/null three times, the socket, and nothing but what the helper has opened itself.
func (s *site) checkDescriptors(t *testing.T, id proc.ID) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", id.PID)
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		must(t, err)
		// The Go runtime keeps the files open in which a container's share of the processors stands.
		own := strings.HasPrefix(target, "anon_inode:") || strings.HasPrefix(target, "/sys/fs/cgroup/") ||
			strings.HasPrefix(target, filepath.Dir(s.Config))
		switch e.Name() {
		case "0", "1", "2":
			own = target == "/dev/null"
		case "3":
			own = strings.HasPrefix(target, "socket:")
		}
		if !own {
			t.Errorf("descriptor %s is %s", e.Name(), target)
		}
	}
}

// The limits and priorities under which the caller starts su, and what the helper has instead.
func TestTheCallerDoesNotLimitTheHelper(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, before string }{
		{"no file may grow", "ulimit -S -f 0"},
		{"little memory", "ulimit -S -v 100000 && ulimit -S -d 10000"},
		{"a second of CPU time", "ulimit -S -t 1"},
		{"no locked memory", "ulimit -S -l 0"},
		{"a small stack", "ulimit -S -s 128"},
		{"core dumps", "ulimit -S -c unlimited"},
		{"the lowest priority", "renice -n 19 -p $$ >/dev/null"},
		{"only when idle", "chrt --idle -p 0 $$ && ionice -c 3 -p $$"},
	}
	s, people := newSite(t, "", 2*len(cases))
	for i, c := range cases {
		caller, target := people[2*i], s.enrol(people[2*i+1])
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x, id := s.asked(t, caller, target, c.before+"; exec")
			for which, want := range map[int]uint64{unix.RLIMIT_FSIZE: unix.RLIM_INFINITY, unix.RLIMIT_AS: unix.RLIM_INFINITY,
				unix.RLIMIT_CPU: unix.RLIM_INFINITY, unix.RLIMIT_CORE: 0} {
				var got unix.Rlimit
				must(t, unix.Prlimit(int(id.PID), which, nil, &got))
				if got.Cur != want {
					t.Errorf("limit %d is %d, want %d", which, got.Cur, want)
				}
			}
			policy, err := unix.SchedGetAttr(int(id.PID), 0)
			must(t, err)
			if policy.Nice != 0 || policy.Policy != unix.SCHED_NORMAL {
				t.Errorf("scheduled by policy %d, nice %d", policy.Policy, policy.Nice)
			}
			x.Type(target.code(t, 0) + "\n")
			x.Expect("inside")
		})
	}
}

// A key is in the helper's memory. Nobody may read that who is not root with the right to trace every process, and none of it may
// be written to the disk.
func TestTheMemoryOfTheHelperIsItsOwn(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 2)
	caller, target := people[0], s.enrol(people[1])
	x, id := s.asked(t, caller, target, "exec")

	for _, file := range []string{"mem", "environ", "maps", "fd", "io"} {
		path := fmt.Sprintf("/proc/%d/%s", id.PID, file)
		if out, err := s.CommandAs(caller.User, "ls", path+"/").CombinedOutput(); file == "fd" && err == nil {
			t.Errorf("its caller can read %s: %s", path, out)
		}
		if out, err := s.CommandAs(caller.User, "head", "-c", "1", path).CombinedOutput(); err == nil {
			t.Errorf("its caller can read %s: %q", path, out)
		}
	}
	other := exec.Command("sleep", "1000")
	must(t, other.Start())
	defer func() {
		_ = other.Process.Kill()
		_ = other.Wait()
	}()
	// Root without the right to trace may look into root's processes, but not into those that are not dumpable.
	if err := peek(other.Process.Pid); err != nil {
		t.Fatalf("root cannot look into an ordinary process of root's either: %v", err)
	}
	if err := peek(int(id.PID)); !errors.Is(err, unix.EPERM) {
		t.Errorf("root without the right to trace can look into the helper: %v", err)
	}
	if locked := status(t, id, "VmLck"); locked[0] == "0" {
		t.Error("none of its memory is kept from being swapped")
	}
	x.Type(target.code(t, 0) + "\n")
	x.Expect("inside")
}

// peek reads a byte of the memory of a process, as root without CAP_SYS_PTRACE.
func peek(pid int) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with what it gave up
		result <- peekWithoutTracing(pid)
	}()
	return <-result
}

func peekWithoutTracing(pid int) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	data[0].Effective &^= 1 << unix.CAP_SYS_PTRACE
	if err := unix.Capset(&header, &data[0]); err != nil {
		return err
	}
	var b [1]byte
	_, err := unix.ProcessVMReadv(pid, []unix.Iovec{{Base: &b[0], Len: 1}}, []unix.RemoteIovec{{Base: 0, Len: 1}}, 0)
	if errors.Is(err, unix.EFAULT) {
		return nil // it may look, and nothing is at address 0
	}
	return err
}

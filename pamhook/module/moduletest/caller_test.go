package moduletest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const nobody = 65534

// wantFacts is what the helper finds, whatever the application and its caller are like. A hard limit below what the module
// wants can be raised only with CAP_SYS_RESOURCE; the soft one is always raised to it.
func wantFacts() []string {
	facts := []string{
		"fd 0 /dev/null", "fd 1 /dev/null", "fd 2 /dev/null", "fd 3 socket:[",
		"Uid:\t0\t0\t0\t0", "Gid:\t0\t0\t0\t0", "Groups:\t ",
		"SigPnd:\t0000000000000000", "ShdPnd:\t0000000000000000", "SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000",
		"SigCgt:\t0000000000000000",
		"env PATH=/usr/sbin:/usr/bin:/sbin:/bin", "env GOMAXPROCS=1", "timer 0", "nice 0", "scheduler 0", "ioprio 0", "timerslack 50000", "umask 077",
		"cwd /", "session own", fmt.Sprintf("processors %d", runtime.NumCPU()),
	}
	for _, l := range []struct {
		name  string
		which int
		want  uint64
	}{
		{"fsize", unix.RLIMIT_FSIZE, unix.RLIM_INFINITY}, {"as", unix.RLIMIT_AS, unix.RLIM_INFINITY},
		{"data", unix.RLIMIT_DATA, unix.RLIM_INFINITY}, {"cpu", unix.RLIMIT_CPU, unix.RLIM_INFINITY},
		{"nproc", unix.RLIMIT_NPROC, unix.RLIM_INFINITY}, {"memlock", unix.RLIMIT_MEMLOCK, unix.RLIM_INFINITY},
		{"stack", unix.RLIMIT_STACK, 8 << 20}, {"nofile", unix.RLIMIT_NOFILE, 1024}, {"core", unix.RLIMIT_CORE, 0},
	} {
		facts = append(facts, fmt.Sprintf("limit %s %d %[2]d", l.name, reachable(l.which, l.want)))
	}
	return facts
}

// reachable returns the limit that a process started from here can have at most.
func reachable(which int, want uint64) int64 {
	var l unix.Rlimit
	if err := unix.Getrlimit(which, &l); err != nil {
		panic(err)
	}
	if l.Max < want && !mayRaiseLimits() {
		want = l.Max
	}
	return int64(want)
}

func mayRaiseLimits() bool {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	effective := regexp.MustCompile(`(?m)^CapEff:\s*([0-9a-f]+)$`).FindSubmatch(status)[1]
	bits, err := strconv.ParseUint(string(effective), 16, 64)
	if err != nil {
		panic(err)
	}
	return bits&(1<<unix.CAP_SYS_RESOURCE) != 0
}

func (o outcome) expectFacts() {
	o.t.Helper()
	want := wantFacts()
	var got []string
	for line := range strings.Lines(o.seen) {
		line = strings.TrimSuffix(line, "\n")
		if kind, _, _ := strings.Cut(line, " "); kind != "pid" && kind != "hello" {
			got = append(got, line)
		}
	}
	for _, fact := range want {
		if !slices.ContainsFunc(got, func(g string) bool { return g == fact || fact == "fd 3 socket:[" && strings.HasPrefix(g, fact) }) {
			o.t.Errorf("missing: %q", fact)
		}
	}
	if len(got) != len(want) {
		o.t.Errorf("%d facts, want %d:\n%s", len(got), len(want), o.seen)
	}
}

func TestHelperIsTheSameForEveryCaller(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]string{
		"an ordinary one": nil,
		"one with signals ignored and blocked, low limits, low priority, open descriptors": {"-x", "hostile"},
		"one whose standard descriptors are closed":                                        {"-x", "closed"},
		"a hostile one whose standard descriptors are closed":                              {"-x", "closed", "-x", "hostile"},
		"one whose standard error is closed":                                               {"-x", "closed-error"},
		"one on a kernel without close_range":                                              {"-x", "hostile", "-f", "close_range"},
		"one with an alarm":                                                                {"-x", "alarm"},
	} {
		t.Run(name, func(t *testing.T) {
			o := try{kit: plain(t), helper: "facts", options: options}.run(t)
			o.expect(success)
			o.expectFacts()
		})
	}
}

// TestCallerUnderLimits: `ulimit -f 0; su`. A limit that cannot be raised back may cost the caller his login, but must not let
// him in.
func TestCallerUnderLimits(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]string{
		"soft: no files":            "ulimit -S -f 0",
		"soft: little memory":       "ulimit -S -v 200000",
		"soft: little data":         "ulimit -S -d 100000",
		"soft: few descriptors":     "ulimit -S -n 30",
		"soft: 2 s of CPU":          "ulimit -S -t 2",
		"soft: a small stack":       "ulimit -S -s 256",
		"soft: one process":         "ulimit -S -u 1",
		"soft: cores wherever I am": "ulimit -S -c unlimited; cd /tmp",
		"niceness":                  "renice -n 19 $$ >/dev/null",
		"one processor":             "taskset -cp 0 $$ >/dev/null",
		"umask":                     "umask 0",
	} {
		t.Run(name, func(t *testing.T) {
			o := try{kit: plain(t), helper: "facts", under: []string{"sh", "-c", limit + `; exec "$0" "$@"`}}.run(t)
			o.expect(success)
			o.expectFacts()
		})
	}
	t.Run("hard: no files", func(t *testing.T) {
		o := try{kit: plain(t), helper: "allow", under: []string{"sh", "-c", `ulimit -f 0; exec "$0" "$@"`}}.run(t)
		if mayRaiseLimits() {
			o.expect(success)
		} else {
			o.expect(authErr) // the helper cannot note anything and dies of it
			o.expectLog("ended by signal 25")
		}
	})
	t.Run("hard: more than enough memory", func(t *testing.T) {
		o := try{kit: plain(t), helper: "facts", under: []string{"sh", "-c", `ulimit -v 4000000; exec "$0" "$@"`}}.run(t)
		o.expect(success)
		want := "4096000000 4096000000"
		if mayRaiseLimits() {
			want = "-1 -1"
		}
		if got := o.noted("limit as"); got != want {
			t.Errorf("limit %s, want %s", got, want)
		}
	})
}

func TestApplicationIsLeftAsItWas(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		helper string
		quirk  string
	}{
		"a handler of SIGCHLD that takes every child":     {"slow", "handler"},
		"SIGCHLD ignored, so that children leave nothing": {"slow", "ignored"},
		"SA_NOCLDWAIT": {"slow", "nowait"},
		"an alarm that comes while the helper runs":      {"slow", "alarm"},
		"standard descriptors closed, and yet it prints": {"prompt", "closed"},
		"every signal blocked":                           {"prompt", "hostile"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			try{kit: plain(t), helper: c.helper, answers: []string{"123456"}, options: []string{"-x", c.quirk}}.run(t).expect(success)
		})
	}
}

func TestApplicationThatIsNotRootIsDenied(t *testing.T) {
	o := try{
		kit: plain(t), helper: "allow", phases: "auth,open", credential: &syscall.Credential{Uid: nobody, Gid: nobody},
	}.run(t)
	o.expect(authErr)
	if o.get("open") != sessionErr || o.seen != "" {
		t.Errorf("%s%s", o.out, o.seen)
	}
	o.expectLog("does not run as root")
}

// setuid returns the kit with an application that is setuid root, like su and sudo.
func setuid(t *testing.T) kit {
	t.Helper()
	k := plain(t)
	content, err := os.ReadFile(k.drive)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	k.drive = filepath.Join(dir, "drive")
	for _, err := range []error{
		os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755), os.WriteFile(k.drive, content, 0o755),
		os.Chmod(k.drive, 0o755|os.ModeSetuid),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return k
}

func TestCallerOfASetuidApplicationHasNoHoldOnTheHelper(t *testing.T) {
	caller := &syscall.Credential{Uid: nobody, Gid: nobody, Groups: []uint32{4, 27}}
	o := try{kit: setuid(t), helper: "facts", options: []string{"-x", "hostile"}, credential: caller}.run(t)
	o.expect(success)
	o.expectFacts()
	if h := o.hello(); h.CallerUID != nobody {
		t.Errorf("caller uid %d, want %d", h.CallerUID, nobody)
	}
}

func TestCallerOfASetuidApplicationCannotStopTheHelper(t *testing.T) {
	t.Parallel()
	caller := &syscall.Credential{Uid: nobody, Gid: nobody}
	r := try{kit: setuid(t), helper: "slow", credential: caller}.start(t)
	pid := r.helperPID()
	for _, signal := range []string{"STOP", "KILL", "TERM", "INT", "CONT", "USR1"} {
		kill := exec.Command("sh", "-c", "kill -"+signal+" "+strconv.Itoa(pid))
		kill.SysProcAttr = &syscall.SysProcAttr{Credential: caller}
		if out, err := kill.CombinedOutput(); err == nil || !strings.Contains(string(out), "not permitted") {
			t.Errorf("SIG%s: %v: %s", signal, err, out)
		}
	}
	r.wait().expect(success)
}

// helperPID waits until the helper has read HELLO and returns its process id.
func (r *running) helperPID() int {
	r.t.Helper()
	path := filepath.Join(r.dir, r.try.helper+".seen")
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		seen, err := os.ReadFile(path)
		if err != nil || len(linesOf(string(seen), "hello")) == 0 {
			continue
		}
		pid, err := strconv.Atoi(linesOf(string(seen), "pid")[0])
		r.must(err)
		return pid
	}
	r.t.Fatal("the helper does not start")
	return 0
}

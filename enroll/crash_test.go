package enroll

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"twokey/device"
	"twokey/secrets"
	"twokey/state"
)

// The child is the test binary started again: it does one act on a data folder, and is killed in the middle of it.
const (
	actVariable  = "ENROLL_TEST_ACT"
	dataVariable = "ENROLL_TEST_DATA"
)

func TestMain(m *testing.M) {
	act := os.Getenv(actVariable)
	if act == "" {
		os.Exit(m.Run())
	}
	if err := child(act, os.Getenv(dataVariable)); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func child(act, data string) error {
	runtime.LockOSThread() // strace counts the calls of each thread
	store, err := secrets.Open(data, data+"/host.key")
	if err != nil {
		return err
	}
	st, err := state.Open(data)
	if err != nil {
		return err
	}
	u := &Users{Secrets: store, State: st, Now: time.Now}
	if act != "replace for ever" {
		return acts()[act].do(u)
	}
	fmt.Println("begun")
	for {
		if err := commitKnown(u, alice, true); err != nil {
			return err
		}
	}
}

// known is the request of a child: it tells the device's secret by its number, so that the test can compute its codes.
func known(number int, replace bool) Request {
	r := counter()
	r.Params.Secret = []byte(fmt.Sprintf("the %16d", number))
	r.Replace = replace
	return r
}

// commitKnown gives the account a device with the next number.
func commitKnown(u *Users, a Account, replace bool) error {
	number := 1
	if record, err := u.Secrets.Load(a.Name); err == nil {
		if number, err = numberOf(record); err != nil {
			return err
		}
		number++
	}
	d, err := u.Draft(a, known(number, replace))
	if err != nil {
		return err
	}
	return u.Commit(d)
}

func numberOf(record *secrets.Record) (int, error) {
	if len(record.Devices) != 1 || record.Recovery == nil {
		return 0, errors.New("not one device with recovery codes")
	}
	return strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(string(record.Devices[0].Secret), "the ")))
}

// act is something that is killed, with what must hold whenever that happens.
type act struct {
	before func(t *testing.T, u *Users)
	do     func(u *Users) error
	after  func(t *testing.T, u *Users)
}

func acts() map[string]act {
	alicia := Account{"alicia", alice.UID}
	commit := func(replace bool) func(*Users) error {
		return func(u *Users) error { return commitKnown(u, alice, replace) }
	}
	all := map[string]act{
		"enrol": {func(*testing.T, *Users) {}, commit(false), func(t *testing.T, u *Users) {
			if !isEnrolled(t, u, "alice") {
				must(t, commitKnown(u, alice, false)) // nothing that is left blocks it
			}
			whole(t, u, alice, false)
		}},
		"replace": {usedOnce, commit(true), func(t *testing.T, u *Users) {
			whole(t, u, alice, true)
			must(t, commitKnown(u, alice, true))
			whole(t, u, alice, false)
		}},
		"replace a device whose state is lost": {func(t *testing.T, u *Users) {
			usedOnce(t, u)
			must(t, u.State.Remove("alice"))
		}, commit(true), func(t *testing.T, u *Users) {
			if number := mustNumber(t, u, alice); number == 1 && login(u, alice, hotpCode(t, number, 0)) == nil {
				t.Error("a code is good that was used before")
			}
			must(t, commitKnown(u, alice, true))
			whole(t, u, alice, false)
		}},
		"unenrol": {usedOnce, func(u *Users) error { return u.Unenroll("alice") }, func(t *testing.T, u *Users) {
			if isEnrolled(t, u, "alice") { // refused, perhaps, but never as somebody without a device
				must(t, u.Unenroll("alice"))
			}
			must(t, commitKnown(u, alice, false))
			whole(t, u, alice, false)
		}},
		"rename": {usedOnce, func(u *Users) error { return second(u.Adopt(alicia)) }, func(t *testing.T, u *Users) {
			must(t, second(u.Adopt(alicia)))
			if isEnrolled(t, u, "alice") {
				t.Error("the old name has a device still")
			}
			whole(t, u, alicia, true)
		}},
		"batch": {func(*testing.T, *Users) {}, commitBatch, func(t *testing.T, u *Users) {
			for i := range batchSize {
				a := batchAccount(i)
				if isEnrolled(t, u, a.Name) {
					whole(t, u, a, false)
					must(t, u.Unenroll(a.Name))
				} else if st, err := u.State.Read(a.Name); err == nil && len(st.Devices) > 0 {
					t.Error("a device is known whose file is not there: he is refused everywhere, also where he need not have one yet")
				}
			}
			must(t, commitBatch(u)) // nothing that is left blocks it
			for i := range batchSize {
				whole(t, u, batchAccount(i), false)
			}
		}},
		"new recovery codes": {usedOnce, func(u *Users) error { return second2(u.NewRecovery("alice", 3)) }, func(t *testing.T, u *Users) {
			whole(t, u, alice, true)
			codes, err := u.NewRecovery("alice", 3)
			must(t, err)
			must(t, login(u, alice, codes[0]))
		}},
	}
	maps.Copy(all, unfinishedActs())
	return all
}

func second2(_ []string, err error) error { return err }

// batchSize is how many users a batch has here.
const batchSize = 4

func batchAccount(i int) Account { return Account{fmt.Sprintf("batch%d", i), uint32(3000 + i)} }

func commitBatch(u *Users) error {
	var drafts []*Draft
	for i := range batchSize {
		d, err := u.Draft(batchAccount(i), known(1, false))
		if err != nil {
			return err
		}
		drafts = append(drafts, d)
	}
	return errors.Join(u.CommitAll(drafts)...)
}

// usedOnce enrols and uses the first code up.
func usedOnce(t *testing.T, u *Users) {
	t.Helper()
	must(t, commitKnown(u, alice, false))
	must(t, login(u, alice, hotpCode(t, 1, 0)))
}

func isEnrolled(t *testing.T, u *Users, user string) bool {
	t.Helper()
	enrolled, err := u.Secrets.Enrolled(user)
	must(t, err)
	return enrolled
}

func mustNumber(t *testing.T, u *Users, a Account) int {
	t.Helper()
	record, err := u.Secrets.Load(a.Name)
	must(t, err)
	number, err := numberOf(record)
	must(t, err)
	return number
}

func hotpCode(t *testing.T, number int, at uint64) string {
	t.Helper()
	text, err := known(number, false).Params.Code(at)
	must(t, err)
	return text
}

// whole checks that the user has one whole device, which lets him in once with the next code, and not with one that was used. The
// state may not have learned of a new device yet: its next code is the first.
func whole(t *testing.T, u *Users, a Account, firstWasUsed bool) {
	t.Helper()
	number := mustNumber(t, u, a)
	record, err := u.Secrets.Load(a.Name)
	must(t, err)
	st, err := u.State.Read(a.Name)
	must(t, err)
	next := uint64(0)
	if known := st.Device(state.ID(record.Devices[0].ID)); known != nil {
		next = known.Consumed
	}
	if firstWasUsed && number == 1 && next == 0 {
		t.Error("a code is good that was used before")
	}
	must(t, login(u, a, hotpCode(t, number, next)))
	want(t, login(u, a, hotpCode(t, number, next)), device.ErrReplayed)
	if st, err = u.State.Read(a.Name); err != nil || len(st.Devices) != 1 {
		t.Errorf("%d devices, %v", len(st.Devices), err)
	}
}

// traced runs an act under strace(1) with these options.
func traced(t *testing.T, act, data string, options ...string) (trace string, err error) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	record := filepath.Join(t.TempDir(), "trace")
	cmd := exec.Command("strace", append(append([]string{"-f", "--seccomp-bpf", "-o", record}, options...), self)...)
	cmd.Env = append(os.Environ(), actVariable+"="+act, dataVariable+"="+data, "GOCOVERDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	b, readErr := os.ReadFile(record)
	must(t, readErr)
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return string(b), err
}

// steps are the system calls that change something.
const steps = "pwrite64,fsync,fdatasync,syncfs,linkat,renameat,renameat2,unlinkat"

func TestAKillAtEveryStepLeavesTheOldOrTheNew(t *testing.T) {
	for name, act := range acts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := func() (*Users, string) {
				u, data := scratch(t)
				act.before(t, u)
				return u, data
			}
			_, data := begin()
			trace, err := traced(t, name, data, "-e", "trace="+steps)
			must(t, err)
			calls := mostCalls(trace)
			killed := 0
			for _, call := range strings.Split(steps, ",") {
				for n := range calls[call] {
					u, data := begin()
					again, err := traced(t, name, data, "-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, n+1))
					switch {
					case err != nil:
						killed++
					case mostCalls(again)[call] > n: // else it had one call fewer to make than the run in which they were counted
						t.Errorf("%s %d: not killed; it did\n%s\nand before\n%s", call, n+1, onlySteps(again), trace)
					}
					act.after(t, u)
				}
			}
			if killed < 5 {
				t.Errorf("killed %d times: this test has shown nothing\n%s", killed, trace)
			}
		})
	}
}

// onlySteps leaves out of a trace what changes nothing.
func onlySteps(trace string) string {
	step := regexp.MustCompile(`(?m)^\d+ +(<... )?(` + strings.ReplaceAll(steps, ",", "|") + `)\b.*$`)
	return strings.Join(step.FindAllString(trace, -1), "\n")
}

// mostCalls counts the calls of each kind that one thread has made: strace counts those of each by itself.
func mostCalls(trace string) map[string]int {
	calls, most := map[string]int{}, map[string]int{}
	for line := range strings.Lines(trace) {
		thread, call, _ := strings.Cut(line, " ")
		call, _, _ = strings.Cut(strings.TrimLeft(call, " "), "(")
		calls[thread+call]++
		most[call] = max(most[call], calls[thread+call])
	}
	return most
}

func TestAKillAtAnyMomentLeavesTheOldOrTheNewDevice(t *testing.T) {
	u, data := scratch(t)
	must(t, commitKnown(u, alice, false))
	self, err := os.Executable()
	must(t, err)
	unfinished, last := 0, 0
	for range 200 {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), actVariable+"=replace for ever", dataVariable+"="+data)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		_, err = bufio.NewReader(out).ReadString('\n')
		must(t, err)
		time.Sleep(rand.N(60 * time.Millisecond))
		must(t, cmd.Process.Kill())
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
			t.Fatalf("the child ended by itself: %v", err)
		}
		record, err := u.Secrets.Load("alice")
		must(t, err)
		number, err := numberOf(record)
		must(t, err)
		if number < last {
			t.Fatalf("device %d is in force behind device %d", number, last)
		}
		last = number
		st, err := u.State.Read("alice")
		must(t, err)
		if st.Serial < record.Serial {
			unfinished++
		}
		whole(t, u, alice, false)
	}
	if unfinished == 0 {
		t.Error("no kill came between the secret file and the state: this test has shown nothing")
	}
}

package enroll

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/device"
	"twokey/internal/safefile/disktest"
	"twokey/secrets"
	"twokey/state"
)

// many are n accounts with a draft each.
func many(t testing.TB, u *Users, n int, r Request) (drafts []*Draft) {
	t.Helper()
	for i := range n {
		d, err := u.Draft(Account{fmt.Sprintf("user%03d", i), uint32(5000 + i)}, r)
		must(t, err)
		drafts = append(drafts, d)
	}
	return drafts
}

func TestABatchDoesForEachUserWhatCommitDoes(t *testing.T) {
	u, _ := scratch(t)
	r := usual()
	r.By, r.Phone = "root (carol)", "+442079460948"
	drafts := many(t, u, 20, r)
	if !u.Confirm(drafts[0], code(t, u, drafts[0], 0), 1) {
		t.Fatal("the right code does not confirm")
	}
	for i, err := range u.CommitAll(drafts) {
		must(t, err)
		d := drafts[i]
		st, err := u.State.Read(d.Account.Name)
		must(t, err)
		record, err := u.Secrets.Load(d.Account.Name)
		must(t, err)
		if st.Serial != record.Serial || st.UID != d.Account.UID || len(st.Devices) != 1 || st.Restored || record.Phone != r.Phone {
			t.Fatalf("%s: %+v with %v", d.Account.Name, st, record)
		}
		if told := st.TakeNotices(); len(told) != 1 || told[0].By != r.By {
			t.Errorf("%s: notices %+v", d.Account.Name, told)
		}
		wanted := error(nil)
		if i == 0 {
			wanted = device.ErrReplayed
		}
		want(t, login(u, d.Account, code(t, u, d, 0)), wanted)
		must(t, login(u, d.Account, d.RecoveryCodes[0]))
		name, err := u.State.NameOf(d.Account.UID)
		if err != nil || name != d.Account.Name {
			t.Errorf("user id %d belongs to %q, %v", d.Account.UID, name, err)
		}
	}
}

func TestOneThatFailsStopsNoOtherOfABatch(t *testing.T) {
	u, _ := scratch(t)
	enrolled(t, u, alice, usual())
	first, second, third := usual(), usual(), usual()
	third.Add, third.Device = true, "tablet"
	first.Add, second.Add, second.Device = true, true, "token"
	wish := func(a Account, r Request) *Draft {
		d, err := u.Draft(a, r)
		must(t, err)
		return d
	}
	dave, erin := Account{"dave", 2000}, Account{"erin", 2001}
	twin, other := wish(erin, first), wish(erin, second)
	other.Device.Secret = twin.Device.Secret
	cases := []struct {
		draft *Draft
		want  error
	}{
		{wish(alice, second), nil}, {wish(alice, usual()), ErrEnrolled}, {wish(alice, third), ErrEnrolled},
		{wish(bob, usual()), nil}, {wish(bob, usual()), ErrEnrolled},
		{wish(Account{"mallory", bob.UID}, usual()), ErrOtherName}, {wish(Account{"alicia", alice.UID}, usual()), ErrOtherName},
		{wish(dave, first), nil}, {wish(dave, second), nil}, {wish(dave, first), ErrDeviceName}, {wish(dave, third), ErrDeviceName},
		{twin, nil}, {other, ErrSameSecret},
		{wish(Account{"", 9}, usual()), state.ErrFormat},
	}
	var drafts []*Draft
	for _, c := range cases {
		drafts = append(drafts, c.draft)
	}
	for i, err := range u.CommitAll(drafts) {
		if !errors.Is(err, cases[i].want) || cases[i].want == nil && err != nil {
			t.Errorf("number %d: %v, want %v", i, err, cases[i].want)
		}
		if cases[i].want == nil {
			must(t, login(u, drafts[i].Account, code(t, u, drafts[i], 0)))
		}
	}
	for user, devices := range map[string]int{"alice": 2, "bob": 1, "dave": 2, "erin": 1} {
		if st, err := u.State.Read(user); err != nil || len(st.Devices) != devices {
			t.Errorf("%s: %+v, %v", user, st, err)
		}
	}
}

func TestABatchWaitsForTheDiskAFewTimes(t *testing.T) {
	_, data := scratch(t)
	trace, err := traced(t, "batch", data, "-e", "trace=fsync,fdatasync,syncfs")
	must(t, err)
	all, files := strings.Count(trace, " syncfs("), strings.Count(trace, " fsync(")+strings.Count(trace, " fdatasync(")
	if all != 2 || files > 0 {
		t.Errorf("for %d users %d times for all files and %d times for one:\n%s", batchSize, all, files, trace)
	}
}

// Attack: a reset that comes between the state of a new user and his secret file. It has to wait for the whole of him, or the file would
// stand behind it.
func TestAResetSeesAUserOfABatchWholeOrNotAtAll(t *testing.T) {
	u, data := scratch(t)
	var resets sync.WaitGroup
	for i := range batchSize {
		resets.Go(func() {
			for err := ErrNotEnrolled; errors.Is(err, ErrNotEnrolled); {
				err = u.Reset(batchAccount(i).Name)
			}
		})
	}
	_, err := traced(t, "batch", data, "-e", "inject=linkat:delay_exit=20000")
	must(t, err)
	resets.Wait()
	for i := range batchSize {
		name := batchAccount(i).Name
		if st, err := u.State.Read(name); err != nil || !st.MustEnroll || isEnrolled(t, u, name) {
			t.Errorf("%s has a secret file behind his reset: %+v, %v", name, st, err)
		}
	}
}

// A secret file that was copied here while a batch was written stays, and is not an old one by the batch's state.
func TestABatchLeavesASecretFileAloneThatCameMeanwhile(t *testing.T) {
	u, _ := scratch(t)
	elsewhere, err := u.Draft(alice, usual())
	must(t, err)
	record := &secrets.Record{User: "alice", Serial: 1}
	must(t, elsewhere.putInto(record))
	must(t, u.Secrets.SaveNew(record))
	drafts, errs := []*Draft{mustDraft(t, u, alice)}, make([]error, 1)
	n := &newcomer{account: alice, drafts: []int{0}, record: &secrets.Record{User: "alice", Serial: 2}}
	must(t, drafts[0].putInto(n.record))
	if others := u.commitNew([]*newcomer{n}, drafts, errs); !slices.Equal(others, []int{0}) || errs[0] != nil {
		t.Errorf("%v are left to Commit, and %v", others, errs[0])
	}
	if _, err := u.State.Read("alice"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a state is left: %v", err)
	}
}

func TestABatchOnAFullDiskChangesNothing(t *testing.T) {
	data := disktest.Mount(t, "ext4")
	u := openUsers(t, data)
	free := disktest.Fill(t, data)
	for _, err := range u.CommitAll(many(t, u, 5, counter())) {
		want(t, err, unix.ENOSPC)
	}
	holds(t, data)
	free()
	for _, err := range u.CommitAll(many(t, u, 5, counter())) {
		must(t, err)
	}
}

func TestOfABatchAndACommitAtOnceOneWins(t *testing.T) {
	u, _ := scratch(t)
	for i := range 30 {
		a := Account{fmt.Sprintf("racer%d", i), uint32(7000 + i)}
		var drafts [6]*Draft
		var errs [6]error
		var racers sync.WaitGroup
		for j := range drafts {
			d, err := u.Draft(a, usual())
			must(t, err)
			drafts[j] = d
			racers.Go(func() {
				if j%2 == 0 {
					errs[j] = u.Commit(d)
				} else {
					errs[j] = u.CommitAll([]*Draft{d})[0]
				}
			})
		}
		racers.Wait()
		won := -1
		for j, err := range errs {
			switch {
			case err == nil && won >= 0:
				t.Fatalf("%d and %d have won", won, j)
			case err == nil:
				won = j
			case !errors.Is(err, ErrEnrolled) && !errors.Is(err, fs.ErrNotExist):
				t.Errorf("%d: %v", j, err)
			}
		}
		if won < 0 {
			t.Fatalf("nobody has won: %v", errs)
		}
		must(t, login(u, a, code(t, u, drafts[won], 0)))
		st, err := u.State.Read(a.Name)
		must(t, err)
		if st.Restored || len(st.Devices) != 1 {
			t.Errorf("the state of the winner: %+v", st)
		}
	}
}

// A batch puts a secret file in place without the lock of the state: a commit that has it must not put its own over that.
func TestAFirstFileIsNotPutOverOneThatABatchHasJustMade(t *testing.T) {
	u, _ := scratch(t)
	quicker := enrolled(t, u, alice, usual())
	slower, err := u.Draft(alice, usual())
	must(t, err)
	record := &secrets.Record{User: "alice", Serial: secrets.NextSerial(0, u.Now())}
	must(t, slower.putInto(record))
	want(t, u.save(record, false), ErrEnrolled)
	must(t, login(u, alice, code(t, u, quicker, 0)))
}

func BenchmarkCommitAll(b *testing.B) {
	for b.Loop() {
		u, _ := scratch(b)
		drafts := many(b, u, 1000, usual())
		begin := time.Now()
		for _, err := range u.CommitAll(drafts) {
			must(b, err)
		}
		b.ReportMetric(1000/time.Since(begin).Seconds(), "users/s")
	}
}

// His state is there, and the number that his next secret file has to be above of.
func TestABatchEnrolsWhoWasReset(t *testing.T) {
	u, _ := scratch(t)
	old := enrolled(t, u, alice, usual())
	must(t, u.Reset("alice"))
	before, err := u.State.Read("alice")
	must(t, err)
	d := mustDraft(t, u, alice)
	must(t, u.CommitAll([]*Draft{d, mustDraft(t, u, bob)})[0])
	must(t, login(u, alice, code(t, u, d, 0)))
	st, err := u.State.Read("alice")
	if err != nil || st.MustEnroll || st.Serial <= before.Serial || !st.WasRemoved(state.ID(old.Device.ID)) {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestABatchEndsWhatWasBegun(t *testing.T) {
	u, _ := scratch(t)
	text := newCodeFor(t, u, alice)
	d := begun(t, u, alice, usual())
	must(t, u.CommitAll([]*Draft{mustDraft(t, u, alice), mustDraft(t, u, bob)})[0])
	want(t, u.CheckCode(alice, text), ErrNoCode)
	want(t, u.Finish(d), ErrEnded)
}

func mustDraft(t testing.TB, u *Users, a Account) *Draft {
	t.Helper()
	d, err := u.Draft(a, usual())
	must(t, err)
	return d
}

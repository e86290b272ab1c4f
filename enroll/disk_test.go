package enroll

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile/disktest"
)

func TestAFullDiskChangesNothing(t *testing.T) {
	for _, fileSystem := range []string{"ext4", "xfs"} {
		t.Run(fileSystem, func(t *testing.T) {
			data := disktest.Mount(t, fileSystem)
			u := openUsers(t, data)
			old := enrolled(t, u, alice, counter())
			before := left(t, data)
			free := disktest.Fill(t, data)
			next := uint64(0)
			for range 3 { // what one try leaves must not stop the next
				for account, r := range map[Account]Request{alice: replacing(counter()), bob: counter()} {
					d, err := u.Draft(account, r)
					must(t, err)
					want(t, u.Commit(d), unix.ENOSPC)
				}
				_, err := u.NewRecovery("alice", 3)
				want(t, err, unix.ENOSPC)
				want(t, second(u.Adopt(Account{"alicia", alice.UID})), unix.ENOSPC)
				holds(t, data, before...)
				must(t, login(u, alice, code(t, u, old, next)))
				next++
			}
			free()
			d := enrolled(t, u, alice, replacing(counter()))
			must(t, login(u, alice, code(t, u, d, 0)))
			enrolled(t, u, bob, counter())
		})
	}
}

func TestADiskThatFillsUpOnTheWayChangesNothing(t *testing.T) {
	data := disktest.Mount(t, "ext4")
	u := openUsers(t, data)
	old := enrolled(t, u, alice, counter())
	const blocks = 12
	done, refused := 0, 0
	for left := range blocks {
		for i := range left {
			must(t, os.WriteFile(ballast(data, i), make([]byte, 4096), 0o600))
		}
		free := disktest.Fill(t, data)
		for i := range left {
			must(t, os.Remove(ballast(data, i)))
		}
		for account, r := range map[Account]Request{alice: replacing(counter()), bob: replacing(counter())} {
			d, err := u.Draft(account, r)
			must(t, err)
			switch err := u.Commit(d); {
			case err != nil:
				refused++
				want(t, err, unix.ENOSPC)
			case account == alice:
				done++
				old = d
			default:
				done++
				must(t, u.Unenroll("bob"))
			}
		}
		st, err := u.State.Read("alice")
		must(t, err)
		must(t, login(u, alice, code(t, u, old, st.Devices[0].Consumed)))
		free()
	}
	if done == 0 || refused == 0 {
		t.Errorf("%d enrolments were done and %d refused: this test has shown nothing", done, refused)
	}
}

func ballast(data string, i int) string { return fmt.Sprintf("%s/../ballast%d", data, i) }

func TestAUserCanBeTakenOutOnAFullDisk(t *testing.T) {
	data := disktest.Mount(t, "ext4")
	u := openUsers(t, data)
	enrolled(t, u, alice, usual())
	enrolled(t, u, bob, usual())
	disktest.Fill(t, data)
	must(t, u.Unenroll("alice"))
	must(t, u.Reset("bob"))
	must(t, u.Reset("bob"))
	must(t, u.Unenroll("bob"))
	holds(t, data, "state/alice", "state/bob")
}

func TestAnEnrolmentInALoginOnAFullDisk(t *testing.T) {
	data := disktest.Mount(t, "ext4")
	u := openUsers(t, data)
	free := disktest.Fill(t, data)
	_, _, err := u.NewCode(alice, ShortestCode)
	want(t, err, unix.ENOSPC)
	_, err = u.Begin(alice, usual())
	want(t, err, unix.ENOSPC)
	want(t, u.Announce(alice, Announcement{Process: process(1), Service: "sshd", Time: u.Now()}), unix.ENOSPC)
	holds(t, data)
	free()
	text := newCodeFor(t, u, alice)
	d := begun(t, u, alice, counter())
	free = disktest.Fill(t, data)
	w := announced(t, u, alice, 1) // in place
	must(t, second4(u.TakeAnnouncement(alice, w.Process, w.Service)))
	for range 2 {
		want(t, u.Finish(d), unix.ENOSPC)
		must(t, u.CheckCode(alice, text))
		if isEnrolled(t, u, "alice") {
			t.Error("enrolled by what failed")
		}
	}
	holds(t, data, "enrolling/alice")
	free()
	must(t, u.Finish(begun(t, u, alice, counter())))
	must(t, login(u, alice, code(t, u, d, 0)))
	newCodeFor(t, u, bob)
	disktest.Fill(t, data)
	must(t, u.EndCode("bob"))
	must(t, u.Reset("alice"))
	holds(t, data, "state/alice", "uids/1000")
}

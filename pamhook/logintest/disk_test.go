package logintest

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/audit"
	"twokey/enroll"
	"twokey/internal/safefile/disktest"
	"twokey/pamhook/logintest/scratch"
	"twokey/pamhook/wire"
	"twokey/state"
)

// diskHost is a host whose files are all on a small file system of their own, on which alice has a device with counters and has
// logged in from home.
func diskHost(t *testing.T, fileSystem string) (h *host, token *enroll.Draft, disk string) {
	t.Helper()
	disk = disktest.Mount(t, fileSystem)
	h = newHostIn(t, disk, "")
	t.Cleanup(func() { must(t, errors.Join(h.Users.Secrets.Close(), h.Users.State.Close())) }) // or the disk stays busy
	token = h.Enrol("alice", uid, counted())
	if !h.answer(h.from(home, home+":1"), scratch.Code(t, token, 0)) {
		t.Fatalf("refused before anything happened: %s", h.reasons())
	}
	return h, token, disk
}

// reason is that of the newest record.
func (h *host) reason() string {
	h.t.Helper()
	return h.Last(1)[0].Record.Reason
}

// refusedWith runs a login that must be refused in the words of a wrong code, or of one that was used, with this reason in the log.
func (h *host) refusedWith(hello *wire.Hello, answer, reason string) {
	h.t.Helper()
	out := h.run(hello, talk{answers: []any{answer}})
	words := "Login failed. Please check"
	if reason == "code used before" {
		words = "This code has already been used. Please take the next one."
	}
	if out.verdict != deny || len(out.prompts) != 1 || len(out.infos) != 1 || !strings.HasPrefix(out.infos[0], words) {
		h.t.Errorf("not refused, or in other words: %+v", out)
	}
	if reason != "" && !strings.Contains(h.reason(), reason) {
		h.t.Errorf("recorded %q, want something with %q", h.reason(), reason)
	}
}

func (h *host) session(user string, uid uint32) wire.Type {
	h.t.Helper()
	hello := h.login(user, uid)
	hello.Phase = wire.PhaseOpenSession
	return h.run(hello, talk{}).verdict
}

// files lists what lies in a folder of the host.
func (h *host) files(folder string) []string {
	h.t.Helper()
	entries, err := os.ReadDir(filepath.Join(h.Dir, folder))
	must(h.t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestOnAFullDiskLoginsGoOn(t *testing.T) {
	t.Parallel()
	for _, fileSystem := range []string{"ext4", "xfs"} {
		t.Run(fileSystem, func(t *testing.T) {
			t.Parallel()
			h, token, disk := diskHost(t, fileSystem)
			free := disktest.Fill(t, disk)
			before := h.Verified().Records

			if !h.answer(h.from(home, home+":2"), scratch.Code(t, token, 1)) {
				t.Fatalf("a right code: %s", h.reason())
			}
			h.refusedWith(h.from(home, home+":3"), scratch.Code(t, token, 1), "code used before")
			// A bucket holds five attempts with a device of counters.
			for range 5 {
				h.refusedWith(h.from(stranger, stranger+":1"), "000000", "wrong code")
			}
			h.refusedWith(h.from(stranger, stranger+":2"), scratch.Code(t, token, 2), "throttled")
			if got := h.session("alice", uid); got != allow {
				t.Errorf("a session: %#x", got)
			}
			if got := h.Verified().Records - before; got != 9 {
				t.Errorf("%d records for 9 events", got)
			}
			h.refusesEnrolment(token, 2)
			free()
			h.goesOn(token, 4)
		})
	}
}

// refusesEnrolment checks that the disk is full for a new device: the old one stays, with its next code, and nothing is left behind.
func (h *host) refusesEnrolment(old *enroll.Draft, next int64) {
	h.t.Helper()
	folders := []string{"data/users", "data/state", "data/uids"}
	var before, after []string
	for _, folder := range folders {
		before = append(before, h.files(folder)...)
	}
	for range 2 {
		for _, who := range []enroll.Account{{Name: "alice", UID: uid}, {Name: "bob", UID: uid + 1}} {
			r := counted()
			r.Replace = who.Name == "alice"
			draft, err := h.Users.Draft(who, r)
			must(h.t, err)
			if err := h.Users.Commit(draft); !errors.Is(err, unix.ENOSPC) {
				h.t.Errorf("%s is enrolled on a full disk: %v", who.Name, err)
			}
		}
		if !h.answer(h.from(home, home+":4"), scratch.Code(h.t, old, next)) {
			h.t.Errorf("the old device: %s", h.reason())
		}
		next++
	}
	for _, folder := range folders {
		after = append(after, h.files(folder)...)
	}
	if !slices.Equal(before, after) {
		h.t.Errorf("there are %q, before there were %q", after, before)
	}
	if out := h.run(h.login("bob", uid+1), talk{}); out.verdict != ignore {
		h.t.Errorf("bob, who is not enrolled: %+v", out)
	}
	h.Verified()
}

// goesOn checks that everything can be done again, and that what was used up is.
func (h *host) goesOn(old *enroll.Draft, next int64) {
	h.t.Helper()
	for used := range next {
		h.refusedWith(h.from(home, home+":5"), scratch.Code(h.t, old, used), "code used before")
		must(h.t, h.Users.Unlock("alice"))
	}
	if !h.answer(h.from(home, home+":6"), scratch.Code(h.t, old, next)) {
		h.t.Errorf("the next code: %s", h.reason())
	}
	r := counted()
	r.Replace = true
	replaced := h.Enrol("alice", uid, r)
	h.refusedWith(h.from(home, home+":7"), scratch.Code(h.t, old, next+1), "wrong code")
	if !h.answer(h.from(home, home+":8"), scratch.Code(h.t, replaced, 0)) {
		h.t.Errorf("the new device: %s", h.reason())
	}
	bob := h.Enrol("bob", uid+1, counted())
	if !h.answer(h.login("bob", uid+1), scratch.Code(h.t, bob, 0)) {
		h.t.Errorf("bob: %s", h.reason())
	}
	h.Verified()
}

// The space that was set aside for the log is used up at last: then nobody is let in, every attempt is charged all the same, and no
// code that was looked at is good again.
func TestWhenTheLogCannotBeWrittenNobodyIsLetInAndAttemptsAreCharged(t *testing.T) {
	t.Parallel()
	h, token, disk := diskHost(t, "ext4")
	free := disktest.Fill(t, disk)
	records := 0
	for _, text := range []string{strings.Repeat("\x01", 256), ""} { // large ones first, then whatever still fits
		filler := audit.Record{Time: time.Now(), Action: "test", Outcome: audit.Success, Reason: text, TTY: text}
		for err := error(nil); err == nil; records++ {
			err = audit.Append(h.Log(), filler)
		}
	}
	if records < 100 {
		t.Fatalf("the log had room for %d records: nothing was set aside", records)
	}
	h.refusedWith(h.from(home, home+":2"), scratch.Code(t, token, 1), "")
	if got := h.session("alice", uid); got != deny {
		t.Errorf("a session that cannot be recorded: %#x", got)
	}
	st, err := h.Users.State.Read("alice")
	must(t, err)
	if st.Devices[0].Consumed != 2 {
		t.Errorf("the code is good again: the next counter is %d", st.Devices[0].Consumed)
	}
	for range 5 {
		h.refusedWith(h.from(stranger, stranger+":1"), "000000", "")
	}
	if out := h.run(h.login("bob", uid+1), talk{}); out.verdict != ignore {
		t.Errorf("bob, who is not subject to the policy: %+v", out)
	}
	if got := h.session("bob", uid+1); got != ignore {
		t.Errorf("bob's session: %#x", got)
	}
	free()
	h.refusedWith(h.from(stranger, stranger+":2"), scratch.Code(t, token, 2), "throttled")
	h.refusedWith(h.from(home, home+":2"), scratch.Code(t, token, 1), "code used before")
	if !h.answer(h.from(home, home+":2"), scratch.Code(t, token, 2)) {
		t.Errorf("the next code: %s", h.reason())
	}
	h.Verified()
}

// A disk that has become read-only: no code is looked at, since no attempt can be charged.
func TestOnAReadOnlyDiskNobodyIsLetInAndNothingIsLookedAt(t *testing.T) {
	t.Parallel()
	for _, fileSystem := range []string{"ext4", "xfs"} {
		t.Run(fileSystem, func(t *testing.T) {
			t.Parallel()
			h, token, disk := diskHost(t, fileSystem)
			remount := func(flags uintptr) {
				t.Helper()
				must(t, unix.Mount("", filepath.Dir(disk), "", unix.MS_REMOUNT|flags, ""))
			}
			remount(unix.MS_RDONLY)
			before, err := h.Users.State.Read("alice")
			must(t, err)
			pair := scratch.Code(t, token, 2) + scratch.Code(t, token, 3)
			for _, answer := range []string{scratch.Code(t, token, 1), pair, "000000", "", "zzzz-zzzz-zzzz"} {
				h.refusedWith(h.from(home, home+":2"), answer, "")
			}
			mallory := h.login("mallory", uid+9)
			unknown(mallory)
			h.refusedWith(mallory, "000000", "")
			if got := h.session("alice", uid); got != deny {
				t.Errorf("a session: %#x", got)
			}
			if out := h.run(h.login("bob", uid+1), talk{}); out.verdict != ignore || h.session("bob", uid+1) != ignore {
				t.Errorf("bob, who is not subject to the policy: %+v", out)
			}
			after, err := h.Users.State.Read("alice")
			must(t, err)
			if encodedState(t, before) != encodedState(t, after) {
				t.Error("the state has changed")
			}
			remount(0)
			if !h.answer(h.from(home, home+":2"), scratch.Code(t, token, 1)) || h.answer(h.from(home, home+":2"), scratch.Code(t, token, 1)) {
				t.Errorf("writable again, the code is not good once: %s", h.reasons())
			}
			h.Verified()
		})
	}
}

func encodedState(t *testing.T, st *state.State) string {
	t.Helper()
	b, err := st.Encode()
	must(t, err)
	return string(b)
}

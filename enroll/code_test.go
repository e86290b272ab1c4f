package enroll

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"twokey/internal/slotfile"
)

// clocked is a scratch folder with a clock that the test turns.
func clocked(t testing.TB) (u *Users, data string, turn func(time.Duration)) {
	t.Helper()
	u, data = scratch(t)
	var now atomic.Int64
	now.Store(time.Now().UnixNano())
	u.Now = func() time.Time { return time.Unix(0, now.Load()) }
	return u, data, func(by time.Duration) { now.Add(int64(by)) }
}

func newCodeFor(t testing.TB, u *Users, a Account) string {
	t.Helper()
	text, _, err := u.NewCode(a, 48*time.Hour)
	must(t, err)
	return text
}

func isOpen(t testing.TB, u *Users, user string) bool {
	t.Helper()
	_, open, err := u.CodeOpen(user)
	must(t, err)
	return open
}

func TestAnEnrolmentCodeIsOpenForItsTimeAndItsUser(t *testing.T) {
	u, data, turn := clocked(t)
	want(t, u.CheckCode(alice, "aaaa-bbbb-cccc"), ErrNoCode)
	text, until, err := u.NewCode(alice, time.Hour)
	must(t, err)
	if opened, open, err := u.CodeOpen("alice"); err != nil || !open || !opened.Equal(until) || until.Sub(u.Now()) > time.Hour || until.Sub(u.Now()) < time.Hour-time.Second {
		t.Errorf("open %v until %v, %v; made until %v", open, opened, err, until)
	}
	for range 3 {
		want(t, u.CheckCode(alice, "aaaa-bbbb-cccc"), ErrCodeWrong)
		want(t, u.CheckCode(alice, ""), ErrCodeWrong)
		want(t, u.CheckCode(alice, "123456"), ErrCodeWrong)
		must(t, u.CheckCode(alice, text)) // nothing uses it up but Finish
	}
	want(t, u.CheckCode(Account{"alice", 2000}, text), ErrNoCode) // created again
	want(t, u.CheckCode(bob, text), ErrNoCode)
	if isOpen(t, u, "bob") {
		t.Error("open for bob")
	}
	turn(time.Hour)
	want(t, u.CheckCode(alice, text), ErrCodeEnded)
	if isOpen(t, u, "alice") {
		t.Error("open when it has ended")
	}
	holds(t, data, "enrolling/alice")
}

func TestHowLongAnEnrolmentCodeMayBeGood(t *testing.T) {
	u, data := scratch(t)
	for good, ok := range map[time.Duration]bool{0: false, -time.Hour: false, ShortestCode - 1: false, ShortestCode: true, LongestCode: true, LongestCode + 1: false} {
		text, _, err := u.NewCode(alice, good)
		if (err == nil) != ok || (text != "") != ok {
			t.Errorf("%v: %q, %v", good, text, err)
		}
		must(t, u.EndCode("alice"))
		holds(t, data)
	}
}

func TestWhatEndsAnEnrolmentCodeAndTheDraftBegunWithIt(t *testing.T) {
	for sentence, end := range map[string]func(u *Users) error{
		"another code": func(u *Users) error { _, _, err := u.NewCode(alice, time.Hour); return err },
		"EndCode":      func(u *Users) error { return u.EndCode("alice") },
		"a reset":      func(u *Users) error { return u.Reset("alice") },
		"unenroll":     func(u *Users) error { return u.Unenroll("alice") },
		"a device that an administrator gives him": func(u *Users) error {
			d, err := u.Draft(alice, usual())
			return errors.Join(err, u.Commit(d))
		},
		"another name": func(u *Users) error { return second(u.Adopt(Account{"alicia", alice.UID})) },
		"a batch": func(u *Users) error {
			d, err := u.Draft(alice, usual())
			return errors.Join(err, u.CommitAll([]*Draft{d})[0])
		},
	} {
		u, _ := scratch(t)
		enrolled(t, u, alice, usual())
		must(t, u.Reset("alice"))
		text := newCodeFor(t, u, alice)
		d, err := u.Begin(alice, usual())
		must(t, err)
		must(t, end(u))
		if err := u.CheckCode(alice, text); err == nil {
			t.Errorf("%s: the code is good", sentence)
		}
		if err := u.Finish(d); !errors.Is(err, ErrEnded) {
			t.Errorf("%s: the draft finishes: %v", sentence, err)
		}
	}
}

// What was handed out by mistake can be taken back, and only what counts still is something to take.
func TestACodeOfWhoHasNoDeviceEndsByUnenrollAndReset(t *testing.T) {
	for sentence, end := range map[string]func(u *Users) error{
		"a reset":  func(u *Users) error { return u.Reset("alice") },
		"unenroll": func(u *Users) error { return u.Unenroll("alice") },
	} {
		for _, was := range []bool{false, true} {
			u, _ := scratch(t)
			if was { // a state is left of him
				enrolled(t, u, alice, usual())
				must(t, u.Unenroll("alice"))
			}
			text := newCodeFor(t, u, alice)
			must(t, end(u))
			want(t, u.CheckCode(alice, text), ErrNoCode)
			want(t, end(u), ErrNotEnrolled)
			newCodeFor(t, u, alice)
			u.Now = func() time.Time { return time.Now().Add(LongestCode) }
			if err := end(u); !errors.Is(err, ErrNotEnrolled) {
				t.Errorf("%s of a code that has ended by itself: %v", sentence, err)
			}
		}
	}
}

// A commit that fails changes nothing, and so does not end the code by which the user could enrol himself.
func TestACommitThatFailsLeavesTheCode(t *testing.T) {
	u, _ := scratch(t)
	enrolled(t, u, Account{"mallory", alice.UID}, usual())
	text := newCodeFor(t, u, alice)
	d, err := u.Draft(alice, usual())
	must(t, err)
	want(t, u.Commit(d), ErrOtherName)
	must(t, u.CheckCode(alice, text))
}

func TestADamagedEnrolmentLetsNobodyEnrolAndIsReplaced(t *testing.T) {
	for sentence, damage := range map[string]func(t testing.TB, path string){
		"random bytes": garble,
		"another user's": func(t testing.TB, path string) {
			u := openUsers(t, t.TempDir())
			newCodeFor(t, u, bob)
			copyFile(t, u.State.Data()+"/enrolling/bob", path)
		},
		"another kind of file": func(t testing.TB, path string) {
			u := openUsers(t, t.TempDir())
			enrolled(t, u, alice, usual())
			copyFile(t, u.State.Data()+"/state/alice", path)
		},
	} {
		u, data := scratch(t)
		text := newCodeFor(t, u, alice)
		damage(t, data+"/enrolling/alice")
		if err := u.CheckCode(alice, text); !errors.Is(err, slotfile.ErrCorrupt) && !errors.Is(err, errUnfinished) {
			t.Errorf("%s: %v", sentence, err)
		}
		if _, open, err := u.CodeOpen("alice"); open || err == nil {
			t.Errorf("%s: open %v, %v", sentence, open, err)
		}
		if _, err := u.Begin(alice, usual()); err == nil {
			t.Errorf("%s: it begins", sentence)
		}
		must(t, u.CheckCode(alice, newCodeFor(t, u, alice)))
		damage(t, data+"/enrolling/alice")
		must(t, u.EndCode("alice"))
		holds(t, data)
	}
}

func TestAReadOnlyFolderMakesNoCode(t *testing.T) {
	u, data := scratch(t)
	must(t, os.WriteFile(data+"/enrolling", nil, 0o600)) // in the place of the folder
	if text, _, err := u.NewCode(alice, time.Hour); err == nil || text != "" {
		t.Errorf("%q, %v", text, err)
	}
	if _, open, err := u.CodeOpen("alice"); open || err == nil {
		t.Errorf("open %v, %v", open, err)
	}
}

func TestCodesMadeAtOnceLeaveOne(t *testing.T) {
	u, _ := scratch(t)
	texts := make([]string, 8)
	var all sync.WaitGroup
	for i := range texts {
		all.Go(func() { texts[i], _, _ = u.NewCode(alice, time.Hour) })
	}
	all.Wait()
	good := 0
	for _, text := range texts {
		if text != "" && u.CheckCode(alice, text) == nil {
			good++
		}
	}
	if good != 1 {
		t.Errorf("%d of %q are good", good, texts)
	}
}

func TestWhatAKilledWriterLeftIsRemovedInEveryFolder(t *testing.T) {
	u, data, turn := clocked(t)
	enrolled(t, u, alice, usual())
	newCodeFor(t, u, bob)
	bypassed(t, u, "alice", 1)
	before := left(t, data)
	for _, folder := range []string{"users", "state", "uids", "enrolling", "bypass"} {
		must(t, os.WriteFile(data+"/"+folder+"/.new-0011223344556677", nil, 0o600))
	}
	turn(30 * time.Minute)
	must(t, u.RemoveStale())
	if found := left(t, data); len(found) != len(before)+5 {
		t.Errorf("after half an hour: %q", found)
	}
	turn(time.Hour)
	must(t, u.RemoveStale())
	holds(t, data, before...)
	empty, _ := scratch(t)
	must(t, empty.RemoveStale())
}

func TestNoCodeAndNoSecretStandsInClear(t *testing.T) {
	u, data := scratch(t)
	text := newCodeFor(t, u, alice)
	d := begun(t, u, alice, usual())
	enrolled(t, u, bob, usual())
	_, bypass := bypassed(t, u, "bob", 1)
	for _, file := range left(t, data) {
		content, err := os.ReadFile(data + "/" + file)
		if strings.HasPrefix(file, "uids/") {
			var text string
			text, err = os.Readlink(data + "/" + file)
			content = []byte(text)
		}
		must(t, err)
		secrets := append([]string{text, bypass, string(d.Device.Secret), base64.StdEncoding.EncodeToString(d.Device.Secret), d.URI}, d.RecoveryCodes...)
		for i, secret := range secrets {
			if bytes.Contains(content, []byte(secret)) || bytes.Contains(content, []byte(strings.ReplaceAll(secret, "-", ""))) {
				t.Errorf("%s has number %d in clear", file, i)
			}
		}
	}
}

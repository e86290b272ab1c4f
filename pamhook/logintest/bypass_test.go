package logintest

import (
	"os"
	"testing"
	"time"

	"twokey/enroll"
	"twokey/pamhook/logintest/scratch"
)

// A bypass code of two uses is good for two logins, also for who is throttled, and its id is in the log.
func TestABypassCodeIsGoodAsOftenAsItSays(t *testing.T) {
	t.Parallel()
	h := newHost(t, "methods: [totp]")
	phone := h.Enrol("alice", uid, scratch.Request())
	made, code, err := h.Users.NewBypass("alice", enroll.Bypass{Until: time.Now().Add(time.Hour), Uses: 2, Reason: "phone lost", Requester: "carol", By: "root"})
	must(t, err)
	exhausted(t, h, phone)
	for i, want := range []bool{true, true, false} {
		if got := h.answer(h.login("alice", uid), code); got != want {
			t.Errorf("login %d: %v, recorded %s", i, got, h.reasons())
		}
		if r := h.Last(1)[0].Record; want && (r.Method != "bypass" || r.Device != made.ID || r.Reason != "bypass code") {
			t.Errorf("recorded as %+v", r)
		}
	}
	h.Verified()
}

// Bypass codes that cannot be read let nobody in, and are not a wrong code; a recovery code and the phone still do.
func TestDamagedBypassCodesAreNamed(t *testing.T) {
	t.Parallel()
	h := newHost(t, "")
	r := scratch.Request()
	r.Recovery = 2
	phone := h.Enrol("alice", uid, r)
	_, code, err := h.Users.NewBypass("alice", enroll.Bypass{Until: time.Now().Add(time.Hour), Uses: 2, Reason: "phone lost", Requester: "carol", By: "root"})
	must(t, err)
	must(t, os.Truncate(h.Data()+"/bypass/alice", 100))
	h.refusedWith(h.login("alice", uid), code, "bypass codes: ")
	for what, answer := range map[string]string{"a recovery code": phone.RecoveryCodes[0], "the phone": scratch.Code(t, phone, 0)} {
		if !h.answer(h.login("alice", uid), answer) {
			t.Errorf("%s: %s", what, h.reasons())
		}
	}
}

// A device whose time is over: its code is refused like any wrong one, and the log says why.
func TestADeviceThatHasExpiredLetsNobodyIn(t *testing.T) {
	t.Parallel()
	h := newHost(t, "")
	r := scratch.Request()
	r.Until = time.Now().Add(2 * time.Second)
	phone := h.Enrol("alice", uid, r)
	if !h.answer(h.login("alice", uid), scratch.Code(t, phone, 0)) {
		t.Fatalf("before its end: %s", h.reasons())
	}
	time.Sleep(time.Until(r.Until) + time.Second)
	h.refusedWith(h.login("alice", uid), scratch.Code(t, phone, 1), `the device "phone" has expired on `)
}

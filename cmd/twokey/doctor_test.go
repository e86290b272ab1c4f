package main

import (
	"testing"
	"time"

	"twokey/doctor"
	"twokey/enroll"
	"twokey/internal/proc"
	"twokey/pamhook/logintest/scratch"
)

func TestWhatALoginHasLearntIsForgottenWhenTheStackWasMended(t *testing.T) {
	h := scratch.New(t, t.TempDir(), "")
	alice, sshd := enroll.Account{Name: "alice", UID: 11001}, proc.ID{PID: 7, Start: 1}
	if err := h.Users.Announce(alice, enroll.Announcement{Process: sshd, Service: "sshd", Time: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if _, pending, err := h.Users.PendingAnnouncement(alice, sshd, "sshd"); err != nil || !pending {
		t.Fatal(pending, err)
	}
	for _, c := range []struct {
		mended []string
		lacks  bool
	}{{nil, true}, {[]string{"login"}, true}, {[]string{"login", "sshd"}, false}} {
		if err := forgetLacking(h.Users, &doctor.Report{Mended: c.mended}); err != nil {
			t.Fatal(err)
		}
		if lacks, err := h.Users.Lacks("alice", "sshd"); err != nil || lacks != c.lacks {
			t.Errorf("mended %q: lacks %v, %v", c.mended, lacks, err)
		}
	}
}

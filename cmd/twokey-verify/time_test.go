package main

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/logindefs"
	"twokey/pamhook/wire"
)

// Somebody who enrols has to find an app, install it and scan a picture, at a console as well: login(1) does not count that time, or ends by
// itself. In authenticate it does.
func TestAnEnrolmentHasTenMinutesAtAConsoleToo(t *testing.T) {
	atLogin, err := logindefs.LoginTimeout()
	must(t, err)
	if atLogin <= margin || atLogin > budget {
		t.Fatalf("LOGIN_TIMEOUT of this machine is %v", atLogin)
	}
	for service, authenticate := range map[string]time.Duration{"login": atLogin - margin, "sshd": budget, "su": budget} {
		for phase, want := range map[wire.Phase]time.Duration{wire.PhaseAuthenticate: authenticate, wire.PhaseAccount: 10 * time.Minute, wire.PhaseOpenSession: authenticate} {
			if got := timeFor(&wire.Hello{Service: service, Phase: phase}); got != want {
				t.Errorf("%s, phase %d: %v, want %v", service, phase, got, want)
			}
		}
	}
}

// When the time is over at a question, that can still be said in the account phase, and nowhere else.
func TestWhenTheTimeIsOverItCanStillBeSaidAtAnEnrolment(t *testing.T) {
	for phase, said := range map[wire.Phase]bool{wire.PhaseAuthenticate: false, wire.PhaseAccount: true, wire.PhaseOpenSession: false} {
		module, theirs := pair(t, unix.SOCK_STREAM)
		must(t, limit(module, phase, time.Now().Add(-time.Second)))
		if _, err := module.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("phase %d: read: %v", phase, err)
		}
		if _, err := module.Write([]byte("x")); (err == nil) != said {
			t.Errorf("phase %d: write: %v", phase, err)
		}
		must(t, errors.Join(module.Close(), theirs.Close()))
	}
}

package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The attack: a user stops the process that asks for his password, which has his real uid, and root waits for it for good.
func TestAChildThatIsStoppedIsKilled(t *testing.T) {
	for sentence, talkErr := range map[string]error{"while it is spoken with": os.ErrDeadlineExceeded, "at its end": nil} {
		child := exec.Command("sh", "-c", "kill -STOP $$")
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		patience := time.Hour
		if talkErr == nil {
			patience = 50 * time.Millisecond
		}
		if err := reap(child, talkErr, patience); err == nil || child.ProcessState.String() != "signal: killed" {
			t.Errorf("stopped %s: %v", sentence, err)
		}
	}
}

func TestAStackThatSaysNothingIsGivenUp(t *testing.T) {
	ours, theirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	defer ours.Close()
	silent := &ui{in: newInput(strings.NewReader(""))}
	if _, err := converse(ours, silent, func(string) {}, 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

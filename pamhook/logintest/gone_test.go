package logintest

import (
	"os"
	"path/filepath"
	"testing"

	"twokey/pamhook/logintest/scratch"
)

// The folder of secrets was restored from a backup that was too old, or is a file system that is not mounted: nobody who was enrolled
// is taken for somebody who never was, and let in by his password alone.
func TestAUserWhoseSecretFileIsGoneIsDeniedUntilHeEnrolsAgain(t *testing.T) {
	h := newHost(t, "default: optional")
	phone := h.Enrol("alice", uid, scratch.Request())
	file := filepath.Join(h.Data(), "users", "alice.age")
	must(t, os.Rename(file, file+"x"))
	h.refusedWith(h.login("alice", uid), scratch.Code(t, phone, 0), "the secret file of an enrolled user is gone")
	if out := h.run(h.login("bob", uid+1), talk{}); out.verdict != ignore {
		t.Errorf("bob, who never was enrolled: %+v", out)
	}
	must(t, os.Rename(file+"x", file))
	if !h.answer(h.login("alice", uid), scratch.Code(t, phone, 0)) {
		t.Errorf("the file is back: %s", h.reason())
	}
	must(t, os.Remove(file))
	again := h.Enrol("alice", uid, counted())
	if !h.answer(h.login("alice", uid), scratch.Code(t, again, 0)) {
		t.Errorf("enrolled again: %s", h.reason())
	}
	h.refusedWith(h.login("alice", uid), scratch.Code(t, phone, 1), "wrong code")
}

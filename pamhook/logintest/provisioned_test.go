package logintest

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"twokey/enroll"
	"twokey/enroll/batch"
	"twokey/enroll/provision"
	"twokey/factor"
	"twokey/internal/safefile"
	"twokey/pamhook/logintest/scratch"
	"twokey/secrets"
)

// provisioner is a machine that makes files for a host without its private key.
type provisioner struct {
	t      testing.TB
	dir    string
	signer *secrets.SigningKey
	to     []provision.Host
}

func newProvisioner(t testing.TB, h *host) *provisioner {
	t.Helper()
	p := &provisioner{t: t, dir: t.TempDir()}
	_, err := secrets.GenerateSigningKey(p.dir + "/signing.key")
	must(t, err)
	p.signer, err = secrets.OpenSigningKey(p.dir + "/signing.key")
	must(t, err)
	key, err := secrets.OpenHostKey(h.Dir + "/host.key")
	must(t, err)
	p.to, err = provision.ParseHosts([]string{key.Recipient()})
	must(t, err)
	return p
}

// trusted are the lines of the configuration of a host that takes the provisioner's files.
func (p *provisioner) trusted() string { return fmt.Sprintf("provisioners: [%s]", p.signer.Public()) }

// make makes a user's file anew, with two recovery codes, and returns his device and what is in the file.
func (p *provisioner) make(user string) (draft *enroll.Draft, file []byte) {
	p.t.Helper()
	job, err := provision.Open(provision.Wish{Folder: p.dir + "/out", Hosts: p.to, Renew: []string{user}, Now: time.Now,
		Usual: batch.Usual{Issuer: "Example", Recovery: 2, Params: factor.Params{Method: factor.TOTP, Digits: 6, Period: 30, Algorithm: factor.SHA1}}}, p.signer)
	must(p.t, err)
	must(p.t, job.Run([]*provision.Plan{job.Plan(&batch.User{Name: user})}, func(plan *provision.Plan, _ *safefile.Set) error {
		draft = plan.Drafts[0]
		return nil
	}, func([]*provision.Plan) error { return nil }))
	must(p.t, job.Close())
	file, err = os.ReadFile(p.dir + "/out/" + user + ".age")
	must(p.t, err)
	return draft, file
}

// put is what a configuration management does with a file.
func (h *host) put(user string, file []byte) {
	h.t.Helper()
	must(h.t, os.WriteFile(h.Data()+"/users/"+user+".age", file, 0o600))
}

func TestAFileThatWasMadeElsewhereLetsInAtOnce(t *testing.T) {
	h := newHost(t, "")
	p := newProvisioner(t, h)
	phone, file := p.make("alice")
	h.put("alice", file)
	h.refuses(scratch.Code(t, phone, 0), "signed by a key that is not among the provisioners")
	h.Configure(p.trusted())
	right := scratch.Code(t, phone, 0)
	if !h.answer(h.login("alice", uid), right) {
		t.Fatalf("a right code is refused: %s", h.reasons())
	}
	h.refuses(right, "code used before")
	// Nobody knows which were used before the first login: only the administrator can say that there was none.
	h.refuses(phone.RecoveryCodes[0], "twokey adopt")
	_, err := h.trusting(p).Adopt(enroll.Account{Name: "alice", UID: uid})
	must(t, err)
	if !h.answer(h.login("alice", uid), phone.RecoveryCodes[0]) {
		t.Errorf("after adopt a recovery code is refused: %s", h.reasons())
	}
	h.Verified()
}

func TestAFileThatWasMadeElsewhereIsRefusedWhereItDoesNotBelong(t *testing.T) {
	h := newHost(t, "")
	p := newProvisioner(t, h)
	h.Configure(p.trusted())
	old, oldFile := p.make("alice")
	phone, file := p.make("alice")
	_, bobs := p.make("bob")
	h.put("alice", file)
	if !h.answer(h.login("alice", uid), scratch.Code(t, phone, 0)) {
		t.Fatalf("a right code is refused: %s", h.reasons())
	}
	h.put("alice", oldFile)
	h.refuses(scratch.Code(t, old, 0), "older than one that was used before")
	h.put("alice", bobs)
	h.refuses(scratch.Code(t, phone, 1), "belongs to another user")
	other := newHost(t, "")
	_, others := newProvisioner(t, other).make("alice")
	h.put("alice", others)
	h.refuses(scratch.Code(t, phone, 1), "encrypted to another host key")
	stranger := newProvisioner(t, h)
	_, forged := stranger.make("alice")
	h.put("alice", forged)
	h.refuses(scratch.Code(t, phone, 1), "signed by a key that is not among the provisioners")
	h.put("alice", file)
	if !h.answer(h.login("alice", uid), scratch.Code(t, phone, 1)) {
		t.Errorf("with the right file again: %s", h.reasons())
	}
}

// What the host changes itself has its own MAC, and is newer than what was made elsewhere.
func TestWhatTheHostChangesAboutAFileFromElsewhereIsItsOwn(t *testing.T) {
	h := newHost(t, "")
	p := newProvisioner(t, h)
	h.Configure(p.trusted())
	phone, file := p.make("alice")
	h.put("alice", file)
	if !h.answer(h.login("alice", uid), scratch.Code(t, phone, 0)) {
		t.Fatalf("a right code is refused: %s", h.reasons())
	}
	users := h.trusting(p)
	_, err := users.Adopt(enroll.Account{Name: "alice", UID: uid})
	must(t, err)
	codes, err := users.NewRecovery("alice", 3)
	must(t, err)
	h.Configure("") // the signer is not needed any more
	if !h.answer(h.login("alice", uid), codes[0]) {
		t.Errorf("a recovery code that the host has made is refused: %s", h.reasons())
	}
	h.Configure(p.trusted())
	h.put("alice", file)
	h.refuses(scratch.Code(t, phone, 1), "older than one that was used before")
}

// trusting are the host's users as its commands see them.
func (h *host) trusting(p *provisioner) *enroll.Users {
	h.t.Helper()
	store, err := secrets.Open(h.Data(), h.Dir+"/host.key", p.signer.Public().String())
	must(h.t, err)
	h.t.Cleanup(func() { must(h.t, store.Close()) })
	return &enroll.Users{Secrets: store, State: h.Users.State, Now: time.Now}
}

// refuses fails the test unless alice is denied with this answer, and this is why.
func (h *host) refuses(answer, reason string) {
	h.t.Helper()
	if h.answer(h.login("alice", uid), answer) {
		h.t.Errorf("let in, want: %s", reason)
	}
	if last := h.Last(1)[0].Record.Reason; !strings.Contains(last, reason) {
		h.t.Errorf("refused with %q, want %q", last, reason)
	}
}

// A wrong line of the configuration, written by hand: what it accepts is nothing, and whoever needs no file of it gets in as before.
func TestAProvisionerForWhomAnybodySignsLocksNobodyOut(t *testing.T) {
	h := newHost(t, "")
	p := newProvisioner(t, h)
	bad := "twokey-signer1AQ" + strings.Repeat("A", 41)
	h.Configure(fmt.Sprintf("provisioners: [%s, %s]", bad, p.signer.Public()))
	phone, file := p.make("alice")
	h.put("alice", file)
	if !h.answer(h.login("alice", uid), scratch.Code(t, phone, 0)) {
		t.Errorf("locked out by the provisioner beside hers: %s", h.reasons())
	}
}

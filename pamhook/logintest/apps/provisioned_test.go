package apps

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"twokey/enroll/batch"
	"twokey/enroll/provision"
	"twokey/factor"
	"twokey/internal/safefile"
	"twokey/secrets"
)

// A user's file is made on a machine that only knows the host's public key, and copied there: sshd lets in, through libpam.
func TestSSHLetsInWithAFileThatWasMadeElsewhere(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 1)
	anna, elsewhere := people[0], t.TempDir()
	_, err := secrets.GenerateSigningKey(elsewhere + "/signing.key")
	must(t, err)
	signer, err := secrets.OpenSigningKey(elsewhere + "/signing.key")
	must(t, err)
	key, err := secrets.OpenHostKey(s.Host.Dir + "/host.key")
	must(t, err)
	hosts, err := provision.ParseHosts([]string{key.Recipient()})
	must(t, err)
	job, err := provision.Open(provision.Wish{Folder: elsewhere + "/out", Hosts: hosts, Now: time.Now, Usual: batch.Usual{Issuer: "Example",
		Params: factor.Params{Method: factor.TOTP, Digits: 6, Period: 30, Algorithm: factor.SHA1}}}, signer)
	must(t, err)
	must(t, job.Run([]*provision.Plan{job.Plan(&batch.User{Name: anna.Name})}, func(p *provision.Plan, _ *safefile.Set) error {
		anna.phone = p.Drafts[0]
		return nil
	}, func([]*provision.Plan) error { return nil }))
	must(t, job.Close())
	file, err := os.ReadFile(filepath.Join(elsewhere, "out", secrets.FileName(anna.Name)))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(s.Data(), "users", secrets.FileName(anna.Name)), file, 0o600))

	s.Configure(fmt.Sprintf("provisioners: [%s]", signer.Public()))
	sshd := s.Sshd()
	if v := s.visitor(anna, "000000").visit(t, sshd); v.in() {
		t.Error("let in with a wrong code")
	}
	right := anna.code(t, 0)
	if v := s.visitor(anna, right).visit(t, sshd); !v.in() {
		t.Errorf("a right code was refused: %v, %v", v.err, s.reasons(anna, "login"))
	}
	if v := s.visitor(anna, right).visit(t, sshd); v.in() {
		t.Error("let in with the same code again")
	}
}

// Package scratch lays out a host for tests of whole logins: all of twokey's files in one folder, users with devices whose codes
// the test computes, and the audit log to look at afterwards. It is for tests only.
package scratch

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"twokey/audit"
	"twokey/enroll"
	"twokey/factor"
	"twokey/secrets"
	"twokey/state"
)

// BuildHelper builds twokey-verify into dir, as it is shipped, and returns its path. It is for TestMain, which has no test yet.
func BuildHelper(dir string) (string, error) {
	return build(dir, "twokey-verify", "-ldflags", "-s -w -X twokey/deliver.helper="+filepath.Join(dir, notify))
}

const notify = "twokey-notify"

// BuildNotify builds twokey-notify to where the helper of BuildHelper finds it. The user that it runs as must get to dir.
func BuildNotify(dir string) error {
	_, err := build(dir, notify, "-ldflags", "-s -w")
	return err
}

func build(dir, program string, flags ...string) (string, error) {
	path := filepath.Join(dir, program)
	build := exec.Command("go", append(append([]string{"build", "-o", path}, flags...), "twokey/cmd/"+program)...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", program, err, out)
	}
	return path, nil
}

// Host is one folder with what else lies in /etc/twokey, /var/lib/twokey and /var/log/twokey.
type Host struct {
	Dir    string
	Config string // path of twokey.yaml
	Users  *enroll.Users

	t testing.TB
}

// New makes a host in dir, which must be an absolute path that only root can write to. The settings are lines of the
// configuration besides version and paths.
func New(t testing.TB, dir, settings string) *Host {
	t.Helper()
	h := &Host{t: t, Dir: dir, Config: filepath.Join(dir, "twokey.yaml")}
	key := filepath.Join(dir, "host.key")
	must(t, os.MkdirAll(h.Data(), 0o700))
	h.Configure(settings)
	must(t, secrets.GenerateHostKey(key))
	if _, err := audit.Create(h.Log()); err != nil {
		t.Fatal(err)
	}
	keep, err := secrets.Create(h.Data(), key)
	must(t, err)
	states, err := state.Create(h.Data())
	must(t, err)
	h.Users = &enroll.Users{Secrets: keep, State: states, Now: time.Now}
	must(t, h.Users.CreateDecoys())
	return h
}

// Data is the folder of secrets and state.
func (h *Host) Data() string { return filepath.Join(h.Dir, "data") }

// Log is the audit log.
func (h *Host) Log() string { return filepath.Join(h.Dir, "log", "audit.jsonl") }

// Configure writes the configuration anew.
func (h *Host) Configure(settings string) {
	h.t.Helper()
	text := fmt.Sprintf("version: 1\n%s\npaths: {data: %q, audit: %q, key: %q, credentials: %q}\n",
		settings, h.Data(), h.Log(), h.Dir+"/host.key", h.Dir+"/credentials")
	must(h.t, os.WriteFile(h.Config, []byte(text), 0o644))
}

// Request is a device as most users have it.
func Request() enroll.Request {
	return enroll.Request{Device: "phone", Label: "someone@host", Issuer: "host",
		Params: factor.Params{Method: factor.TOTP, Digits: 6, Period: 30, Algorithm: factor.SHA1}}
}

// Enrol gives the user one device and returns it.
func (h *Host) Enrol(user string, uid uint32, r enroll.Request) *enroll.Draft {
	h.t.Helper()
	draft, err := h.Users.Draft(enroll.Account{Name: user, UID: uid}, r)
	must(h.t, err)
	must(h.t, h.Users.Commit(draft))
	return draft
}

// Last are the newest records of the audit log, the newest last.
func (h *Host) Last(n int) []audit.Entry {
	h.t.Helper()
	entries, err := audit.Tail(h.Log(), n)
	must(h.t, err)
	return entries
}

// Verified fails the test unless the audit log is whole.
func (h *Host) Verified() audit.Report {
	h.t.Helper()
	report, err := audit.Verify(h.Log(), nil)
	must(h.t, err)
	for _, p := range report.Problems {
		h.t.Errorf("audit log: %s", p.What)
	}
	return report
}

// Code is what the device shows so many steps from now; the code of a counter for hotp.
func Code(t testing.TB, d *enroll.Draft, offset int64) string {
	t.Helper()
	p := factor.Params{Method: factor.Method(d.Device.Method), Secret: d.Device.Secret, Digits: d.Device.Digits,
		Period: d.Device.Period, Algorithm: factor.Algorithm(d.Device.Algorithm)}
	counter := uint64(offset)
	if p.Method == factor.TOTP {
		counter = uint64(int64(p.Step(time.Now())) + offset)
	}
	text, err := p.Code(counter)
	must(t, err)
	return text
}

// Wrong is a code of the right length that the device does not show for twelve hours before and after now: by how much a clock must be
// wrong is found out for any other, and recorded.
func Wrong(t testing.TB, d *enroll.Draft) string {
	t.Helper()
	shown := map[string]bool{}
	steps := int64(factor.FurthestOffset/time.Second)/int64(max(factor.MinPeriod, d.Device.Period)) + 3
	for offset := -steps; offset <= steps; offset++ {
		shown[Code(t, d, offset)] = true
	}
	for guess := 0; ; guess++ {
		if text := fmt.Sprintf("%0*d", d.Device.Digits, guess); !shown[text] {
			return text
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

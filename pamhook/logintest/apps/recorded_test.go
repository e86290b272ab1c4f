package apps

import (
	"strings"
	"testing"
	"time"

	"twokey/audit"
	"twokey/factor"
	"twokey/internal/pamtest"
	"twokey/pamhook/logintest/scratch"
)

// recordedCase is a login and how its session is recorded.
type recordedCase struct {
	name, settings string
	person         *person
	code           string // of a login by password; "": one that nobody asks for one
	byKey          bool
	factor, reason string
	device         string
}

// Each session is in the audit log with its second factor or, where there was none, why.
func TestWhyASessionHadNoSecondFactor(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 3)
	with, without, counting := s.enrol(people[0]), people[1], people[2]
	r := scratch.Request()
	r.Device, r.Params.Method, r.Params.Period = "token", factor.HOTP, 0
	counting.phone = s.Enrol(counting.Name, counting.UID, r)
	ring := newKeyring(t, people...)
	sshd := s.Sshd(append(ring.settings, "AuthenticationMethods publickey keyboard-interactive")...)
	soon := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	named := strings.NewReplacer("ANNA", with.Name, "BERT", without.Name)
	for _, c := range []recordedCase{
		{"a code of the phone", "default: required", with, with.code(t, 0), false, "totp", "second factor given", "phone"},
		{"a code of a token that counts", "default: required", counting, counting.code(t, 0), false, "hotp", "second factor given", "token"},
		{"a recovery code", "default: required", with, with.phone.RecoveryCodes[0], false, "recovery", "second factor given", ""},
		{"a code that is remembered", "remember: 1h", with, with.code(t, 1), false, "totp", "second factor given", "phone"},
		{"remembered", "remember: 1h", with, "", false, "remembered", "second factor given before", ""},
		{"a key alone", "default: required", with, "", true, "none",
			"ssh key only; the default is required; a device is enrolled (default)", ""},
		{"a key alone, without a device", "default: required", without, "", true, "none",
			"ssh key only; the default is required; no device is enrolled (default)", ""},
		{"optional", "default: optional", without, "", false, "none", "optional; the default is optional; no device is enrolled (default)", ""},
		{"exempt by an entry", "default: required\nexempt: [{users: [ANNA]}]", with, "", false, "none",
			`exempt by exempt[0]; about user "ANNA"`, ""},
		{"exempt by a rule", "default: required\nrules: [{name: from here, from: [127.0.0.0/8], then: exempt}]", with, "", false, "none",
			"exempt by rule from here; about everybody from 127.0.0.0/8", ""},
		{"exempt by default", "default: exempt", with, "", false, "none", "exempt by default; the default is exempt", ""},
		{"exempt by the service", "services: {sshd: {ask: exempt}}", with, "", false, "none", "exempt by service exempt; ", ""},
		{"some days are left", "require: [{users: [BERT], by: " + day(2) + "}]", without, "", false, "none", "grace until " + day(2) + "; ", ""},
		{"switched off", "enabled: false\ndefault: required", with, "", false, "none", "switched off", ""},
		{"switched off for an hour", "off_until: " + soon + "\ndefault: required", without, "", true, "none", "switched off", ""},
		{"observed", "observe: true\ndefault: required", without, "", false, "none",
			"observed; not asked; the default is required; no device is enrolled (default)", ""},
	} {
		c.reason, c.settings = named.Replace(c.reason), named.Replace(c.settings)
		s.mustRecord(t, sshd, ring, c)
	}
	s.Verified()
}

// mustRecord logs in and compares the one record of a session that comes of it.
func (s *site) mustRecord(t *testing.T, sshd *pamtest.Sshd, ring *keyring, c recordedCase) {
	t.Helper()
	before := len(s.sessions(c.person))
	s.Configure(c.settings)
	method := "keyboard-interactive"
	if c.byKey {
		method = "publickey"
		visitor{user: c.person.Name, key: ring.keys["a key"]}.byKey(t, sshd).mustWork(t, c.person)
	} else {
		s.visitor(c.person, c.code).visit(t, sshd).mustWork(t, c.person)
	}
	all := s.sessions(c.person)
	r := all[len(all)-1]
	if len(all) != before+1 || r.Outcome != audit.Success || r.SecondFactor != c.factor || r.Device != c.device ||
		!strings.HasPrefix(r.Reason, c.reason) {
		t.Errorf("%s: of %d sessions the last is recorded as %s, %q, %q, device %q",
			c.name, len(all)-before, r.Outcome, r.SecondFactor, r.Reason, r.Device)
	}
	if sshAuth(r) != method || r.Source != "127.0.0.1" || r.Service != "sshd" {
		t.Errorf("%s: recorded as from %s to %s by %q", c.name, r.Source, r.Service, sshAuth(r))
	}
}

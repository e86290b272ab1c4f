package apps

import (
	"strings"
	"testing"

	"twokey/audit"
	"twokey/internal/pamtest"
)

// While the policy is only observed nobody is refused for what it says, at any kind of service, and each refusal that there would have
// been is recorded with its reason.
func TestObservedNobodyIsRefused(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 5)
	enrolled, required, denied, closed, away := s.enrol(people[0]), people[1], people[2], s.enrol(people[3]), s.enrol(people[4])
	s.Configure("observe: true\nrequire: [{users: [" + required.Name + "]}]\n" +
		"rules: [{name: closed, users: [" + denied.Name + "], then: deny}]\n" +
		"services: {xrdp-sesman: {ask: never}, cockpit: {ask: earlier}}")
	sshd, desktop, cockpit := s.Sshd(), s.served("xrdp-sesman"), s.served("cockpit")
	asked := []round{asksPassword, asksCode}
	for _, c := range []struct {
		name   string
		person *person
		sshd   *pamtest.Sshd
		code   string
		shown  []round
		reason string
	}{
		{"a wrong code lets in", enrolled, sshd, enrolled.wrong(t), asked, "wrong code"},
		{"nothing typed lets in", enrolled, sshd, "", asked, "empty answer"},
		{"who must have a device and has none is not asked", required, sshd, "", asked[:1], "no device is enrolled"},
		{"who is denied is not asked", denied, sshd, "", asked[:1], "about user"},
		{"a service that never asks is open to who is enrolled", closed, desktop, "", asked[:1], "cannot ask"},
		{"a service that wants an earlier success is open without one", away, cockpit, "", asked[:1], "no success from the same source"},
	} {
		t.Run(c.name, func(t *testing.T) { // one after the other: two are about one person
			v := s.visitor(c.person, c.code).visit(t, c.sshd)
			v.mustShow(t, c.shown...)
			v.mustWork(t, c.person)
			s.mustHaveObserved(t, c.person, audit.ActionObserved, c.reason)
			if r := s.in(t).session(c.person); r.SecondFactor != "none" {
				t.Errorf("the session is recorded as %+v", r)
			}
		})
	}
	s.Verified()
}

// What is more than one question, and what an observed policy does not let through.
func TestObservedTheRestIsAsEver(t *testing.T) {
	t.Parallel()
	users := newUsers(t, 3)
	users[1].Password = aPassword // one that does not end like a code
	s, people := newSiteOf(t, "observe: true\nssh_keys_alone: deny\ndefault: required\nservices: {vsftpd: {ask: appended}}", users)
	byKey, field, right := s.enrol(people[0]), s.enrol(people[1]), s.enrol(people[2])
	ring := newKeyring(t, people...)
	sshd := s.Sshd(append(ring.settings, "AuthenticationMethods publickey keyboard-interactive")...)
	ftp := s.oneField("vsftpd", "use_first_pass")
	t.Run("a key alone opens a session", func(t *testing.T) {
		t.Parallel()
		visitor{user: byKey.Name, key: ring.keys["a key"]}.byKey(t, sshd).mustWork(t, byKey)
		s.mustHaveObserved(t, byKey, audit.ActionSession, keysAreDenied)
	})
	t.Run("a password without a code in one field lets in", func(t *testing.T) {
		t.Parallel()
		visitor{user: field.Name, password: aPassword}.byPassword(t, ftp).mustWork(t, field)
		s.mustHaveObserved(t, field, audit.ActionObserved, "no code behind the password")
	})
	t.Run("a right code is used up, and a wrong password refused", func(t *testing.T) {
		t.Parallel()
		v := s.visitor(right, right.code(t, 0)).visit(t, sshd)
		v.mustShow(t, asksPassword, asksCode)
		v.mustWork(t, right)
		s.mustHaveOpened(t, right, "totp", "second factor given")
		s.visitor(right, right.code(t, 0)).visit(t, sshd).mustWork(t, right)
		s.mustHaveObserved(t, right, audit.ActionObserved, "code used before")
		visitor{user: right.Name, password: "wrong", code: right.code(t, 1)}.visit(t, sshd).mustShow(t, asksPassword, asksCode, refuses)
	})
}

// mustHaveObserved checks that the newest record of this action about a person says that he would have been denied, and why.
func (s *site) mustHaveObserved(t *testing.T, p *person, action, reason string) {
	t.Helper()
	var last audit.Record
	for _, r := range s.in(t).records(p) {
		if r.Action == action {
			last = r
		}
	}
	if last.Outcome != audit.Unknown || !strings.HasPrefix(last.Reason, "would have denied: ") || !strings.Contains(last.Reason, reason) {
		t.Errorf("recorded as %s, %q; want one that would have been denied for %q", last.Outcome, last.Reason, reason)
	}
}

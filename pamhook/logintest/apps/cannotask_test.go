package apps

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"twokey/audit"
	"twokey/internal/pamtest"
	"twokey/state"
)

// served makes a service with the recommended stack, of which sshd is the program.
func (s *site) served(service string, settings ...string) *pamtest.Sshd {
	s.t.Helper()
	s.Service(service, s.stack()...)
	return s.SshdAs(service, settings...)
}

// A service that cannot ask is closed to everyone who is enrolled or required, and open to the others and to who is exempt for it. No
// question for a code is put to anybody.
func TestAServiceThatNeverAsks(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 7)
	enrolled, required, both := s.enrol(people[0]), people[1], s.enrol(people[2])
	other, exempt, grace, elsewhere := people[3], s.enrol(people[4]), people[5], s.enrol(people[6])
	s.Configure("services: {xrdp-sesman: {ask: never}}\n" +
		"require:\n  - {users: [" + required.Name + ", " + both.Name + ", " + exempt.Name + ", " + elsewhere.Name + "]}\n" +
		"  - {users: [" + grace.Name + "], by: " + day(2) + "}\n" +
		"exempt: [{users: [" + exempt.Name + ", " + elsewhere.Name + "], services: [xrdp-sesman]}]")
	ring := newKeyring(t, people...)
	desktop := s.served("xrdp-sesman", append(ring.settings, "AuthenticationMethods publickey keyboard-interactive")...)
	for _, c := range []struct {
		name   string
		person *person
		in     bool
		reason string // of the refusal, or of the session
	}{
		{"it is closed to who is enrolled", enrolled, false, `service "xrdp-sesman" cannot ask`},
		{"it is closed to who is required", required, false, `service "xrdp-sesman" cannot ask`},
		{"it is closed to who is both", both, false, `service "xrdp-sesman" cannot ask`},
		{"it is open to the others", other, true, "optional; "},
		{"it is open to who is exempt for it", exempt, true, "exempt by exempt[0]"},
		{"it is open to who has some days left", grace, true, "grace until " + day(2)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := s.visitor(c.person, "123456").visit(t, desktop)
			if !c.in {
				v.mustShow(t, asksPassword, refuses)
				s.mustHaveReason(t, c.person, c.reason)
				return
			}
			v.mustShow(t, asksPassword)
			v.mustWork(t, c.person)
			s.mustHaveOpened(t, c.person, "none", c.reason)
		})
		t.Run(c.name+", by a key alone", func(t *testing.T) {
			t.Parallel()
			v := visitor{user: c.person.Name, key: ring.keys["a key"]}.byKey(t, desktop)
			if text, _ := v.run(t, "id -un"); (text == c.person.Name+"\n") != c.in {
				t.Errorf("a command printed %q", text)
			}
		})
	}
	t.Run("elsewhere who is exempt for it is asked", func(t *testing.T) {
		t.Parallel()
		v := s.visitor(elsewhere, elsewhere.code(t, 0)).visit(t, s.Sshd())
		v.mustShow(t, asksPassword, asksCode)
		if !v.in() {
			t.Errorf("a right code was refused: %v", v.err)
		}
	})
	t.Run("a wrong password is refused in the same words", func(t *testing.T) {
		t.Parallel()
		visitor{user: other.Name, password: "wrong"}.visit(t, desktop).mustShow(t, asksPassword, refuses)
	})
}

// day is the date so many days from now, by the clock of the host.
func day(n int) string { return time.Now().AddDate(0, 0, n).Format(time.DateOnly) }

// A service that cannot ask lets in who has given a code from the same source not long ago, at another service.
func TestAServiceThatWantsAnEarlierSuccess(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "services: {cockpit: {ask: earlier}}\nopen_within: 30m", 6)
	cockpit, sshd := s.served("cockpit"), s.Sshd()
	const home, away, sixth = "127.0.0.1", "127.0.0.2", "::1"
	none := "no success from the same source within open_within"
	for i, c := range []struct {
		name   string
		before string // where a code was given
		ago    time.Duration
		then   string
		in     bool
	}{
		{"it is open after a code from the same source", home, 0, home, true},
		{"it is closed to another source", home, 0, away, false},
		{"it is closed over IPv6 after a code over IPv4", home, 0, sixth, false},
		{"it is open over IPv6 after a code over IPv6", sixth, 0, sixth, true},
		{"it is closed after open_within", home, 31 * time.Minute, home, false},
		{"it is closed to who has given no code", "", 0, home, false},
	} {
		p := s.enrol(people[i])
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := s.in(t)
			if c.ago > 0 {
				s.succeededBefore(p, c.before, c.ago)
			} else if c.before != "" {
				v := s.visitor(p, p.code(t, 0))
				v.from = c.before
				v.visit(t, sshd).mustWork(t, p)
			}
			known := len(s.reasons(p, "login"))
			v := s.visitor(p, "123456")
			v.from = c.then
			seen := v.visit(t, cockpit)
			if !c.in {
				seen.mustShow(t, asksPassword, refuses)
				if got := s.reasons(p, "login"); len(got) != known+1 || got[known] != none {
					t.Errorf("recorded as %q", got)
				}
				return
			}
			seen.mustShow(t, asksPassword)
			seen.mustWork(t, p)
			s.mustHaveOpened(t, p, "remembered", "second factor given before")
		})
	}
}

// Who could enrol elsewhere is told so behind the right password, and nobody else.
func TestAServiceThatWantsAnEarlierSuccessSaysWhereToEnrol(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "services: {cockpit: {ask: earlier}}\n"+requiredWithCode, 2)
	s.enrolmentCode(people[0])
	cockpit := s.served("cockpit")
	const elsewhere = "Log in by ssh or at the console; it will be done there."
	for what, c := range map[string]struct {
		v    visitor
		told bool
	}{
		"the right password":                  {s.visitor(people[0], ""), true},
		"a wrong password":                    {visitor{user: people[0].Name, password: "wrong"}, false},
		"the right one, and no code was made": {s.visitor(people[1], ""), false},
	} {
		seen := c.v.visit(t, cockpit)
		if seen.in() || strings.Contains(fmt.Sprint(seen.rounds), elsewhere) != c.told || !c.told && !strings.Contains(fmt.Sprint(seen.rounds), "Login failed.") {
			t.Errorf("%s: shown %v", what, seen.rounds)
		}
	}
}

// succeededBefore leaves in a person's state what a right code from an address left there some time ago.
func (s *site) succeededBefore(p *person, source string, ago time.Duration) {
	s.t.Helper()
	must(s.t, s.Users.State.Update(p.Name, func(tx *state.Tx) error {
		tx.Remember(state.EarlierKey(source, "totp"), time.Now().Add(-ago))
		return nil
	}))
}

// Who need not give a code anywhere need not have given one; who must and cannot stays out.
func TestWithoutADeviceAtAServiceThatWantsAnEarlierSuccess(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 2)
	optional, required := people[0], people[1]
	s.Configure("services: {cockpit: {ask: earlier}}\nrequire: [{users: [" + required.Name + "]}]")
	cockpit := s.served("cockpit")
	v := s.visitor(optional, "").visit(t, cockpit)
	v.mustShow(t, asksPassword)
	v.mustWork(t, optional)
	s.visitor(required, "").visit(t, cockpit).mustShow(t, asksPassword, refuses)
	s.mustHaveReason(t, required, "no device is enrolled")
}

// A service that is no login asks nobody, and only a rule that names it denies there.
func TestAServiceThatIsNoLogin(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 3)
	required, atNight, closed := s.enrol(people[0]), s.enrol(people[1]), s.enrol(people[2])
	s.Configure("default: required\nservices: {backup: {ask: exempt}}\nrules:\n" +
		"  - {users: [" + atNight.Name + "], then: deny}\n  - {users: [" + closed.Name + "], services: [backup], then: deny}")
	ring := newKeyring(t, people...)
	backup := s.served("backup", append(ring.settings, "AuthenticationMethods publickey keyboard-interactive")...)
	for _, c := range []struct {
		name   string
		person *person
		in     bool
	}{
		{"who is required and enrolled is not asked", required, true},
		{"a rule that denies elsewhere does not reach it", atNight, true},
		{"a rule that names it denies", closed, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := s.visitor(c.person, "").visit(t, backup)
			key := visitor{user: c.person.Name, key: ring.keys["a key"]}.byKey(t, backup)
			text, _ := key.run(t, "id -un")
			if in := text == c.person.Name+"\n"; v.in() != c.in || in != c.in {
				t.Fatalf("let in by password: %v, by key: %v, want %v", v.in(), in, c.in)
			}
			if c.in {
				v.mustShow(t, asksPassword)
				v.mustWork(t, c.person)
				s.mustHaveOpened(t, c.person, "none", "exempt by service exempt")
			} else if got := s.in(t).session(c.person); got.Outcome != audit.Failure || !strings.Contains(got.Reason, "on service") {
				t.Errorf("the session is recorded as %s, %q", got.Outcome, got.Reason)
			}
		})
	}
	t.Run("dovecot is none by itself", func(t *testing.T) {
		t.Parallel()
		dovecot := s.served("dovecot")
		v := s.visitor(required, "").visit(t, dovecot)
		v.mustShow(t, asksPassword)
		v.mustWork(t, required)
		visitor{user: required.Name, password: "wrong"}.visit(t, dovecot).mustShow(t, asksPassword)
	})
	t.Run("a wrong password is refused in the words for who is denied", func(t *testing.T) {
		t.Parallel()
		visitor{user: required.Name, password: "wrong"}.visit(t, backup).mustShow(t, asksPassword, refuses)
		s.visitor(closed, "").visit(t, backup).mustShow(t, asksPassword, refuses)
	})
}

// Between the code and the session the stack takes its time: longer than open_within in one case.
func TestASessionThatOpensLongAfterItsCode(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		within string
		in     bool
	}{
		"is refused after open_within": {"10s", false},
		"opens within open_within":     {"1h", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, people := newSite(t, "open_within: "+c.within, 1)
			anna, sshd := s.enrol(people[0]), s.Sshd()
			s.Service("sshd", append(s.stack(), "account required pam_exec.so quiet /bin/sleep 11")...)
			v := s.visitor(anna, anna.code(t, 0)).visit(t, sshd)
			v.mustShow(t, asksPassword, asksCode)
			if !v.in() {
				t.Fatalf("a right code was refused: %v", v.err)
			}
			if text, _ := v.run(t, "id -un"); (text == anna.Name+"\n") != c.in {
				t.Errorf("a command printed %q", text)
			}
			if r := s.session(anna); (r.Outcome == audit.Success) != c.in || !c.in && !strings.Contains(r.Reason, "later than open_within") {
				t.Errorf("the session is recorded as %s, %q", r.Outcome, r.Reason)
			}
		})
	}
}

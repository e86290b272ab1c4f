package apps

import (
	"strings"
	"testing"

	"twokey/internal/pamtest"
)

// oneField makes a service with one field, of which sshd's password method is the client, and the stack for it: ours first, then
// pam_unix, which takes what is left of the field.
func (s *site) oneField(service, option string) *pamtest.Sshd {
	s.t.Helper()
	line := module + " config=" + s.Config
	s.Service(service, "auth required "+line, "auth required pam_unix.so "+option,
		"account required "+line, "account required pam_unix.so", "session required "+line, "session required pam_unix.so")
	return s.SshdAs(service, "PasswordAuthentication yes", "KbdInteractiveAuthentication no")
}

const (
	aPassword = "correct horse"
	// likeACode ends like a password and its code.
	likeACode = "battery staple 481516"
)

// onefieldCase is what one person types into the field, and what becomes of it.
type onefieldCase struct {
	name   string
	who    string // enrolled, required or other
	typed  func(t *testing.T, p *person) string
	in     bool
	reason string // of the login; "": none is recorded, since it is no affair of ours
	factor string // of the session
}

func text(s string) func(*testing.T, *person) string {
	return func(*testing.T, *person) string { return s }
}

var onefieldCases = []onefieldCase{
	{"a right code behind the password lets in", "enrolled",
		func(t *testing.T, p *person) string { return aPassword + p.code(t, 0) }, true, "right code", "totp"},
	{"a recovery code behind the password lets in", "enrolled",
		func(_ *testing.T, p *person) string { return aPassword + p.phone.RecoveryCodes[0] }, true, "recovery code; 3 left", "recovery"},
	{"a wrong code is refused", "enrolled",
		func(t *testing.T, p *person) string { return aPassword + p.wrong(t) }, false, "wrong code", ""},
	{"a code of ten minutes ago is refused", "enrolled",
		func(t *testing.T, p *person) string { return aPassword + p.code(t, -3) }, false, "wrong code", ""},
	{"a right code behind a wrong password is refused by pam_unix", "enrolled",
		func(t *testing.T, p *person) string { return "wrong" + p.code(t, 0) }, false, "right code", ""},
	{"the password alone is refused", "enrolled", text(aPassword), false, "no code behind the password", ""},
	{"a right code without a password is refused", "enrolled",
		func(t *testing.T, p *person) string { return p.code(t, 0) }, false, "no code behind the password", ""},
	{"the code before the password is refused", "enrolled",
		func(t *testing.T, p *person) string { return p.code(t, 0) + aPassword }, false, "no code behind the password", ""},
	{"a code and half a code is refused", "enrolled",
		func(t *testing.T, p *person) string { return aPassword + p.code(t, 0) + "123" }, false, "wrong code", ""},
	{"who must have a device and has none is refused", "required", text(aPassword), false, "no device is enrolled", ""},
	{"who must have a device and has none is refused with any code", "required", text(aPassword + "123456"), false,
		"no device is enrolled", ""},
	{"who is not asked types the password alone", "other", text(aPassword), true, "", "none"},
	{"who is not asked has the whole field taken for the password", "other", text(aPassword + "123456"), false, "", ""},
}

func TestPasswordAndCodeInOneField(t *testing.T) {
	t.Parallel()
	for _, option := range []string{"use_first_pass", "try_first_pass"} {
		t.Run("pam_unix with "+option, func(t *testing.T) {
			t.Parallel()
			users := newUsers(t, len(onefieldCases))
			for i := range users {
				users[i].Password = aPassword
			}
			s, people := newSiteOf(t, "", users)
			s.configureOneField(people)
			server := s.oneField("vsftpd", option)
			for i, c := range onefieldCases {
				p := people[i]
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					v := visitor{user: p.Name, password: c.typed(t, p)}.byPassword(t, server)
					if v.in() != c.in {
						t.Fatalf("let in: %v, want %v: %q", v.in(), c.in, s.in(t).reasons(p, "login"))
					}
					if v.in() {
						v.mustWork(t, p)
						s.mustHaveOpened(t, p, c.factor, "")
					}
					s.mustHaveReason(t, p, c.reason)
				})
			}
		})
	}
}

// configureOneField makes the people what the cases say that they are.
func (s *site) configureOneField(people []*person) {
	s.t.Helper()
	var required []string
	for i, c := range onefieldCases {
		switch c.who {
		case "enrolled":
			s.enrol(people[i])
		case "required":
			required = append(required, people[i].Name)
		}
	}
	s.Configure("services: {vsftpd: {ask: appended}}\nrequire: [{users: [" + strings.Join(required, ", ") + "]}]")
}

// mustHaveReason checks that one login was recorded, for this reason; none where it is "".
func (s *site) mustHaveReason(t *testing.T, p *person, reason string) {
	t.Helper()
	got := s.in(t).reasons(p, "login")
	if reason == "" && len(got) > 0 || reason != "" && (len(got) != 1 || !strings.Contains(got[0], reason)) {
		t.Errorf("the logins are recorded as %q, want one with %q", got, reason)
	}
}

// While twokey is switched off, and for who is exempt, the field is the password, whatever it ends in.
func TestInOneFieldAPasswordPassesWhole(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]string{
		"while twokey is switched off":      "enabled: false\ndefault: required",
		"where the user is exempt":          "default: required\nexempt: [{users: [USER]}]",
		"where no device is enrolled":       "default: optional\nexempt: [{users: [somebody-else]}]",
		"while the policy is only observed": "observe: true\nrequire: [{users: [USER]}]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			users := newUsers(t, 1)
			users[0].Password = likeACode
			s, people := newSiteOf(t, "", users)
			p := people[0]
			if strings.Contains(settings, "required") {
				s.enrol(p)
			}
			s.Configure(strings.ReplaceAll(settings, "USER", p.Name) + "\nservices: {vsftpd: {ask: appended}}")
			server := s.oneField("vsftpd", "use_first_pass")
			v := visitor{user: p.Name, password: likeACode}.byPassword(t, server)
			v.mustWork(t, p)
			cut := strings.TrimSuffix(likeACode, "481516")
			if v := (visitor{user: p.Name, password: cut}).byPassword(t, server); v.in() {
				t.Error("the password without its end was accepted")
			}
		})
	}
}

func TestACodeInOneFieldIsGoodOnce(t *testing.T) {
	t.Parallel()
	users := newUsers(t, 1)
	users[0].Password = aPassword
	s, people := newSiteOf(t, "services: {vsftpd: {ask: appended}}", users)
	anna, server := s.enrol(people[0]), s.oneField("vsftpd", "use_first_pass")
	typed := aPassword + anna.code(t, 0)
	visitor{user: anna.Name, password: typed}.byPassword(t, server).mustWork(t, anna)
	if v := (visitor{user: anna.Name, password: typed}).byPassword(t, server); v.in() {
		t.Error("it was accepted twice")
	}
	if got := s.reasons(anna, "login"); len(got) != 2 || got[1] != "code used before" {
		t.Errorf("recorded as %q", got)
	}
}

package apps

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"twokey/deliver/fakes"
	"twokey/internal/pamtest"
)

// serviceSite is a site whose texts go to Twilio and whose pushes go to Duo.
type serviceSite struct {
	*site
	twilio *fakes.Twilio
	duo    *fakes.Duo
}

// newServiceSite makes one with people who have an app, telephones for texts, and Duo; more keys of sms have a comma before them.
func newServiceSite(t *testing.T, sms string, people int) (*serviceSite, []*person) {
	t.Helper()
	s, users := newSite(t, "", people)
	p := &serviceSite{s, fakes.NewTwilio(t), fakes.NewDuo(t)}
	s.Configure(fmt.Sprintf(`default: required
methods: [totp, push, sms, recovery]
sms: {provider: twilio, account_sid: %s, auth_token_file: %s, sender: "%s", url: %q%s}
push: {provider: duo, api_host: %s, integration_key: %s, secret_key_file: %s, url: %q, wait: 20s}`,
		fakes.TwilioSID, s.Credential("twilio-token", fakes.TwilioToken), fakes.TwilioNumber, p.twilio.URL(), sms,
		fakes.DuoHost, fakes.DuoIntegrationKey, s.Credential("duo-key", fakes.DuoSecretKey), p.duo.URL()))
	for _, u := range users {
		s.enrol(u)
		s.EnrolPhone(u.Name, u.UID, "sms", aNumber)
		s.EnrolDuo(u.Name, u.UID)
		p.duo.User(u.Name, fakes.DuoUser{Passcodes: []string{"7391045"}})
	}
	return p, users
}

const allWords = "Code, or 'push', 'phone', 'sms': "

// login types the password and waits for the first question.
func (s *serviceSite) login(t *testing.T, sshd *pamtest.Sshd, p *person) *pamtest.Terminal {
	t.Helper()
	x := pamtest.OpenTerminal(t, sshd.Client("ssh", p.Name+"@127.0.0.1"))
	s.again(x)
	return x
}

// again types the password once more, in the same connection.
func (s *serviceSite) again(x *pamtest.Terminal) {
	x.Expect("assword: ")
	x.Type(s.Password + "\n")
	x.Expect(allWords)
}

// theSMS waits for a text and returns the code in it.
func (s *serviceSite) theSMS(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := s.twilio.Message(ctx)
	must(t, err)
	_, code, found := strings.Cut(m.Body, "code is: ")
	if !found || m.To != aNumber || m.From != fakes.TwilioNumber || len(code) != 6 {
		t.Fatalf("the text is %+v", m)
	}
	return code
}

func TestACodeByTwilioLetsInOverSSH(t *testing.T) {
	t.Parallel()
	s, people := newServiceSite(t, "", 1)
	anna, sshd := people[0], s.Sshd("MaxAuthTries 6")
	x := s.login(t, sshd, anna)
	x.Type("SMS \n") // in any case, with blanks
	x.Expect("A code was sent to +44 ••• 456. Code (or 'push', 'phone'): ")
	first := s.theSMS(t)
	x.Type(anna.wrong(t) + "\n")
	x.Expect("Login failed.")
	s.again(x)
	x.Type("sms\n")
	x.Expect("A code was sent")
	second := s.theSMS(t)
	x.Expect("Code (or 'push', 'phone'): ")
	x.Type(first + "\n") // which the second has ended
	x.Expect("Login failed.")
	s.again(x)
	x.Type(second + "\n")
	x.Expect("$ ")
	if sessions := s.sessions(anna); len(sessions) != 1 || sessions[0].SecondFactor != "sms" {
		t.Errorf("recorded as %+v", sessions)
	}
	for _, r := range s.records(anna) {
		for _, secret := range []string{first, second, aNumber, aNumber[4:], fakes.TwilioToken} {
			if strings.Contains(fmt.Sprintf("%+v", r), secret) {
				t.Errorf("%+v holds %q", r, secret)
			}
		}
	}
	s.Verified()
}

func TestWhenTwilioSendsNothingTheAppStillDoes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil  func(*fakes.Twilio)
		reason string
	}{
		"a trial account":   {func(s *fakes.Twilio) { s.Trial() }, "not sent: unverified"},
		"a country":         {func(s *fakes.Twilio) { s.Refuse(aNumber, 21408) }, "not sent: region"},
		"who has sent STOP": {func(s *fakes.Twilio) { s.Refuse(aNumber, 21610) }, "not sent: blocked"},
		"a reset":           {func(s *fakes.Twilio) { s.SetDay("", fakes.Reset) }, "not sent: unreachable"},
		"a server's error":  {func(s *fakes.Twilio) { s.SetDay("", fakes.Broken) }, "not sent: server"},
		"a page":            {func(s *fakes.Twilio) { s.SetDay("", fakes.HTML) }, "not sent: answer"},
		"what repeats all":  {func(s *fakes.Twilio) { s.SetDay("", fakes.Chatty) }, "not sent: refused"},
		"a slow server":     {func(s *fakes.Twilio) { s.SetDay("", fakes.Slow) }, "not sent: timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, people := newServiceSite(t, ", connect: 1s, timeout: 2s", 1)
			anna, sshd := people[0], s.Sshd()
			c.spoil(s.twilio)
			x := s.login(t, sshd, anna)
			x.Type("sms\n")
			x.Expect("The message could not be sent.")
			x.Expect("Code, or 'push', 'phone': ")
			x.Type(anna.code(t, 0) + "\n")
			x.Expect("$ ")
			if got := s.lastReason(anna, "sms-sent"); got != c.reason {
				t.Errorf("recorded as %q", got)
			}
			for _, r := range s.records(anna) {
				if text := fmt.Sprintf("%+v", r); strings.Contains(text, aNumber[4:]) || strings.Contains(text, fakes.TwilioToken) || strings.Contains(text, "\x1b") {
					t.Errorf("recorded as %s", text)
				}
			}
		})
	}
}

// A place that the user has never logged in from leaves him the third.
func TestThreeTextsInAQuarterOfAnHour(t *testing.T) {
	t.Parallel()
	s, people := newServiceSite(t, "", 1)
	anna, sshd := people[0], s.Sshd("MaxAuthTries 10")
	x := s.login(t, sshd, anna)
	text := func() {
		x.Type("sms\n")
		x.Expect("A code was sent")
		s.theSMS(t)
		x.Expect("Code (or 'push', 'phone'): ")
		x.Type("000000\n")
		x.Expect("Login failed.")
		s.again(x)
	}
	limit := func(step int64) {
		x.Type("sms\n")
		x.Expect("Too many codes were sent to you.")
		x.Expect("Code, or 'push', 'phone': ")
		x.Type(anna.code(t, step) + "\n")
		x.Expect("$ ")
	}
	text()
	text()
	limit(0)
	x = s.login(t, sshd, anna)
	text()
	limit(1)
	if sent := s.twilio.Sent(); len(sent) != 3 {
		t.Errorf("%d texts were sent", len(sent))
	}
}

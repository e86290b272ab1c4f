package apps

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"twokey/deliver/fakes"
)

// theQuestion waits for a push or call of Duo.
func (s *serviceSite) theQuestion(t *testing.T) fakes.DuoQuestion {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	q, err := s.duo.Question(ctx)
	must(t, err)
	return q
}

func TestDuoLetsInOverSSH(t *testing.T) {
	t.Parallel()
	for word, prompt := range map[string]string{
		"push":  "Allow the request on your phone, then press Enter here, or type a code: ",
		"phone": "Answer the call on your phone, then press Enter here, or type a code: ",
	} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			s, people := newServiceSite(t, "", 1)
			anna, sshd := people[0], s.Sshd()
			x := s.login(t, sshd, anna)
			x.Type(word + "\n")
			x.Expect(prompt)
			q := s.theQuestion(t)
			if q.User != anna.Name || q.Factor != word || q.From != "127.0.0.1" {
				t.Errorf("%+v", q)
			}
			if word == "push" && (!strings.HasPrefix(q.Type, "Login to ") || !strings.Contains(q.Info, "User="+anna.Name+"&From=127.0.0.1&Host=")) {
				t.Errorf("the phone shows %q, %q", q.Type, q.Info)
			}
			s.duo.Answer(q.TxID, "allow")
			x.Type("\n")
			x.Expect("$ ")
			if sessions := s.sessions(anna); len(sessions) != 1 || sessions[0].SecondFactor != "push" {
				t.Errorf("recorded as %+v", sessions)
			}
			s.mustHaveCharged(t, anna, 0, 0)
			s.Verified()
		})
	}
}

func TestDuoRefusesOverSSH(t *testing.T) {
	t.Parallel()
	for status, c := range map[string]struct {
		reason  string
		charged int
		told    string
	}{
		"deny":    {"denied by the user", 1, "Login failed."},
		"fraud":   {"denied by the user, who has reported it as fraud", 1, "Login failed."},
		"timeout": {"nobody has answered the push in time", 1, "No answer came from your phone in time."},
	} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			s, people := newServiceSite(t, "", 1)
			anna, sshd := people[0], s.Sshd()
			x := s.login(t, sshd, anna)
			x.Type("push\n")
			x.Expect("then press Enter here, or type a code: ")
			s.duo.Answer(s.theQuestion(t).TxID, status)
			x.Type("\n")
			x.Expect(c.told)
			if got := s.lastReason(anna, "login"); got != c.reason {
				t.Errorf("recorded as %q", got)
			}
			s.mustHaveCharged(t, anna, c.charged, 0)
		})
	}
}

// What Duo decides before anybody is asked.
func TestDuosPolicyOverSSH(t *testing.T) {
	t.Parallel()
	for policy, c := range map[string]struct{ shown, action, reason string }{
		"allow":  {"$ ", "login", "let in by the provider, which has asked no phone: without a question, by Duo's policy: Bypass user"},
		"deny":   {"Login failed.", "login", "the provider's policy does not let the user in"},
		"enroll": {"The message could not be sent.", "push-sent", "not sent: enroll"},
	} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			s, people := newServiceSite(t, "", 1)
			anna, sshd := people[0], s.Sshd()
			s.duo.User(anna.Name, fakes.DuoUser{Policy: policy})
			if policy == "enroll" {
				s.duo.Forget(anna.Name)
			}
			x := s.login(t, sshd, anna)
			x.Type("push\n")
			x.Expect(c.shown)
			if got := s.lastReason(anna, c.action); got != c.reason || strings.Contains(x.Screen(), fakes.DuoEnrollURL) {
				t.Errorf("recorded as %q, shown\n%s", got, x.Screen())
			}
			s.mustHaveCharged(t, anna, 0, 0)
		})
	}
}

func TestAPasscodeOfDuoOverSSH(t *testing.T) {
	t.Parallel()
	s, people := newServiceSite(t, "", 1)
	anna, sshd := people[0], s.Sshd("MaxAuthTries 6")
	x := s.login(t, sshd, anna)
	x.Type("7391046\n")
	x.Expect("Login failed.")
	s.mustHaveCharged(t, anna, 1, 0)
	s.again(x)
	x.Type("7391045\n")
	x.Expect("$ ")
	if sessions := s.sessions(anna); len(sessions) != 1 || sessions[0].SecondFactor != "push" {
		t.Errorf("recorded as %+v", sessions)
	}
	for _, r := range s.records(anna) {
		if text := fmt.Sprintf("%+v", r); strings.Contains(text, "73910") || strings.Contains(text, fakes.DuoSecretKey) {
			t.Errorf("recorded as %s", text)
		}
	}
}

func TestWhenDuoIsDownTheAppStillWorks(t *testing.T) {
	t.Parallel()
	for _, day := range []fakes.Day{fakes.Reset, fakes.Broken, fakes.HTML, fakes.Chatty} {
		t.Run(string(day), func(t *testing.T) {
			t.Parallel()
			s, people := newServiceSite(t, "", 1)
			anna, sshd := people[0], s.Sshd()
			s.duo.SetDay("", day)
			x := s.login(t, sshd, anna)
			x.Type("push\n")
			x.Expect("The message could not be sent.")
			x.Expect("Code, or ", "'sms': ")
			x.Type(anna.code(t, 0) + "\n")
			x.Expect("$ ")
		})
	}
}

package apps

import (
	"strings"
	"testing"
)

func TestACodeByTextLetsInOverSSH(t *testing.T) {
	t.Parallel()
	s, people := newPhoneSite(t, "", "", 1)
	anna, sshd := s.enrol(people[0]), s.Sshd()
	s.EnrolPhone(anna.Name, anna.UID, "sms", aNumber)
	x := s.choose(t, sshd, anna, "sms")
	x.Expect("A code was sent to +44 ••• 456. Code (or 'push'): ")
	x.Type(s.theText(t, 1) + "\n")
	x.Expect("$ ")
	x.Type("exit 7\n")
	if status := x.Wait(); status != 7 {
		t.Errorf("the shell ended with %d:\n%s", status, x.Screen())
	}
	sessions := s.sessions(anna)
	if len(sessions) != 1 || sessions[0].SecondFactor != "sms" || s.lastReason(anna, "login") != "right code of a text message" {
		t.Errorf("recorded as %+v, %q", sessions, s.reasons(anna, "login"))
	}
	s.mustHaveCharged(t, anna, 0, 0)
	s.Verified()
}

// A wrong code ends the try; in the same connection the code is still good at the first question, three times in all, and in no other.
func TestACodeByTextBelongsToItsConnection(t *testing.T) {
	t.Parallel()
	s, people := newPhoneSite(t, "", "", 1)
	anna, sshd := s.enrol(people[0]), s.Sshd()
	s.EnrolPhone(anna.Name, anna.UID, "sms", aNumber)
	x := s.choose(t, sshd, anna, "sms")
	x.Expect("Code (or 'push'): ")
	code := s.theText(t, 1)
	x.Type(anna.wrong(t) + "\n")
	x.Expect("Login failed.")
	elsewhere := visitor{user: anna.Name, password: s.Password, code: code}.visit(t, sshd)
	if elsewhere.in() {
		t.Error("good in another connection")
	}
	x.Expect("assword: ")
	x.Type(s.Password + "\n")
	x.Expect(theChoice)
	x.Type(code + "\n")
	x.Expect("$ ")
	if n := len(s.outbox.Texts()); n != 1 {
		t.Errorf("%d texts were sent", n)
	}
}

func TestAProgramThatSendsNoTextIsSaidSo(t *testing.T) {
	t.Parallel()
	s, people := newPhoneSite(t, "", "", 1)
	anna, sshd := s.enrol(people[0]), s.Sshd()
	s.EnrolPhone(anna.Name, anna.UID, "sms", aNumber)
	s.Configure(strings.Replace(s.settings("", ""), "send-text", "no-such-program", 1))
	x := s.choose(t, sshd, anna, "sms")
	x.Expect("The message could not be sent.")
	x.Expect("Code, or 'push': ")
	x.Type(anna.code(t, 0) + "\n")
	x.Expect("$ ")
	if got := s.lastReason(anna, "sms-sent"); got != "not sent: command" {
		t.Errorf("recorded as %q", got)
	}
}

// The client goes away while the text is on its way.
func TestAClientThatGoesAwayEndsTheSendingOfItsText(t *testing.T) {
	t.Parallel()
	s, people := newPhoneSite(t, "", ", timeout: 30s", 1)
	anna, sshd := s.enrol(people[0]), s.Sshd()
	s.EnrolPhone(anna.Name, anna.UID, "sms", aNumber)
	s.Configure(strings.Replace(s.settings("", ", timeout: 30s"), `["`, `["/bin/sh", "-c", "sleep 1000; :", "`, 1))
	x := s.choose(t, sshd, anna, "sms")
	eventually(t, "it is being sent", func() bool { return len(notifiers(t, sshd)) == 1 })
	helper := helperBelow(t, sshd.PID)
	must(t, x.Kill())
	eventually(t, "the helper has ended", func() bool { return !has(helper) })
	eventually(t, "twokey-notify has ended", func() bool { return len(notifiers(t, sshd)) == 0 })
	eventually(t, "it is recorded", func() bool { return len(s.reasons(anna, "login")) == 1 })
}

package apps

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/deliver/fakes"
	"twokey/internal/pamtest"
)

func TestAPushLetsInOverSSH(t *testing.T) {
	t.Parallel()
	s, people := newPhoneSite(t, "", "", 1)
	anna, sshd := s.enrol(people[0]), s.Sshd()
	phone := s.phoneOf(anna)

	x := s.choose(t, sshd, anna, "push")
	number := onScreen(t, x) // before anything is pressed
	m := rings(t, phone)
	for _, shown := range []string{"User: " + anna.Name, "From: 127.0.0.1", "Service: sshd", "Host: ", "Time: "} {
		if !strings.Contains(m.Message, shown) {
			t.Errorf("the phone shows %q, without %q", m.Message, shown)
		}
	}
	if labels := m.Labels(); len(labels) != 3 || !strings.Contains(fmt.Sprint(labels), number) || !strings.Contains(fmt.Sprint(labels), "Deny") {
		t.Errorf("buttons %q, on the screen %s", labels, number)
	}
	press(t, phone, m, number)
	x.Type("\n")
	x.Expect("$ ")
	x.Type("exit 7\n")
	if status := x.Wait(); status != 7 {
		t.Errorf("the shell ended with %d:\n%s", status, x.Screen())
	}
	records := s.records(anna)
	for _, r := range records {
		switch {
		case r.Action == "login" && (r.Outcome != "success" || r.Method != "push" || r.Device != "my push" || r.Reason != "allowed on the phone"),
			r.Action == "session-opened" && (r.SecondFactor != "push" || r.Device != "my push"),
			r.Action == "push-sent" && r.Outcome != "success":
			t.Errorf("recorded as %+v", r)
		}
	}
	if len(records) != 4 { // the first is of the configuration
		t.Errorf("%d records: %+v", len(records), records)
	}
	s.mustHaveCharged(t, anna, 0, 0)
	s.Verified()
}

// Enter comes first, and then the phone: the login waits.
func TestAPushIsWaitedForAfterEnter(t *testing.T) {
	t.Parallel()
	s, people := newPhoneSite(t, "", "", 1)
	anna, sshd := people[0], s.Sshd()
	phone := s.phoneOf(anna)
	x := pamtest.OpenTerminal(t, sshd.Client("ssh", anna.Name+"@127.0.0.1"))
	x.Expect("assword: ")
	x.Type(s.Password + "\n") // and nothing is asked: there is nothing but the phone
	number := onScreen(t, x)
	if strings.Contains(x.Screen(), theChoice) {
		t.Errorf("asked first:\n%s", x.Screen())
	}
	x.Type("\n")
	m := rings(t, phone)
	time.Sleep(closed)
	press(t, phone, m, number)
	x.Expect("$ ")
}

// What ends a login: no, another number, nobody.
func TestAPushThatIsNotAllowedRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		press   func(t *testing.T, m fakes.Message, number string) string // "": nothing
		reason  string
		told    string
		charged int
		shut    bool
	}{
		"denied":         {func(*testing.T, fakes.Message, string) string { return "Deny" }, "denied by the user", "Login failed.", 1, true},
		"a wrong number": {otherThan, "a wrong number was pressed on the phone", "Login failed.", 1, true},
		"nobody answers": {func(*testing.T, fakes.Message, string) string { return "" }, "nobody has answered the push in time", "No answer came from your phone in time. Please log in again.", 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, people := newPhoneSite(t, ", wait: 10s", "", 1)
			anna, sshd := s.enrol(people[0]), s.Sshd("MaxAuthTries 6")
			phone := s.phoneOf(anna)
			x := s.choose(t, sshd, anna, "push")
			number := onScreen(t, x)
			m := rings(t, phone)
			if label := c.press(t, m, number); label != "" {
				press(t, phone, m, label)
			}
			x.Type("\n")
			x.Expect(c.told)
			if got := s.lastReason(anna, "login"); got != c.reason {
				t.Errorf("recorded as %q", got)
			}
			s.mustHaveCharged(t, anna, c.charged, 0)
			// The next try in the same connection.
			x.Expect("assword: ")
			x.Type(s.Password + "\n")
			x.Expect(theChoice)
			x.Type("push\n")
			if !c.shut {
				onScreen(t, x)
				press(t, phone, rings(t, phone), "Deny")
				return
			}
			x.Expect("No request is sent to your phone now", "Code, or 'sms': ")
			x.Expect("Code, or 'sms': ")
			if phone.Waiting() != 0 {
				t.Error("one more was sent")
			}
			x.Type(anna.code(t, 0) + "\n")
			x.Expect("$ ")
		})
	}
}

// Who presses a button without having the message.
func TestAForgedAnswerIsRecordedAndLetsNobodyIn(t *testing.T) {
	t.Parallel()
	s, people := newPhoneSite(t, "", "", 1)
	anna, sshd := s.enrol(people[0]), s.Sshd()
	phone := s.phoneOf(anna)
	x := s.choose(t, sshd, anna, "push")
	number := onScreen(t, x)
	m := rings(t, phone)
	must(t, phone.Send(t.Context(), m.Actions[0], number+" "+strings.Repeat("0", 32)))
	x.Type("\n")
	eventually(t, "it is recorded", func() bool { return s.lastReason(anna, "push-forged") != "" })
	if got := s.reasons(anna, "login"); len(got) != 0 {
		t.Errorf("recorded as %q", got)
	}
	press(t, phone, m, number)
	x.Expect("$ ")
}

func TestAProviderThatIsDownLeavesTheOtherWays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil   func(s *phoneSite)
		problem string
	}{
		"it is broken":             {func(s *phoneSite) { s.ntfy.SetDay("publish", fakes.Broken) }, "server"},
		"it is slow":               {func(s *phoneSite) { s.ntfy.SetDay("", fakes.Slow) }, "timeout"},
		"it does not know us":      {func(s *phoneSite) { s.Credential("ntfy.token", "tk_another") }, "credentials"},
		"it answers with a page":   {func(s *phoneSite) { s.ntfy.SetDay("", fakes.HTML) }, "answer"},
		"it repeats all, coloured": {func(s *phoneSite) { s.ntfy.SetDay("", fakes.Chatty) }, ""},
		"others can read the token": {func(s *phoneSite) {
			must(s.t, unix.Chmod(s.Dir+"/credentials/ntfy.token", 0o644))
		}, "ntfy.token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, people := newPhoneSite(t, ", timeout: 3s", "", 1)
			anna, sshd := s.enrol(people[0]), s.Sshd()
			phone := s.phoneOf(anna)
			c.spoil(s)
			x := s.choose(t, sshd, anna, "push")
			x.Expect("The message could not be sent. Please take another way, or contact your administrator.")
			x.Expect("Code, or 'sms': ")
			x.Type(anna.code(t, 0) + "\n")
			x.Expect("$ ")
			if phone.Waiting() != 0 {
				t.Error("something came to the phone")
			}
			if got := s.lastReason(anna, "push-sent"); !strings.HasPrefix(got, "not sent: ") || !strings.Contains(got, c.problem) {
				t.Errorf("recorded as %q", got)
			}
			if strings.Contains(x.Screen(), "\x1b") {
				t.Errorf("an escape sequence on the screen: %q", x.Screen())
			}
		})
	}
}

// A client that goes away ends the push, whatever it was waiting for, and no process stays.
func TestAClientThatGoesAwayEndsItsPush(t *testing.T) {
	t.Parallel()
	for name, enter := range map[string]bool{"at the question": false, "while the phone is waited for": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, people := newPhoneSite(t, "", "", 1)
			anna, sshd := s.enrol(people[0]), s.Sshd()
			phone := s.phoneOf(anna)
			x := s.choose(t, sshd, anna, "push")
			onScreen(t, x)
			rings(t, phone)
			helper := helperBelow(t, sshd.PID)
			if len(notifiers(t, sshd)) != 1 {
				t.Fatal("twokey-notify is not at work")
			}
			if enter {
				x.Type("\n")
				time.Sleep(closed)
			}
			must(t, x.Kill())
			eventually(t, "the helper has ended", func() bool { return !has(helper) })
			eventually(t, "twokey-notify has ended", func() bool { return len(notifiers(t, sshd)) == 0 })
			// sshd ends the process in which the module is, or the module notices that the client has gone.
			eventually(t, "it is recorded", func() bool { return len(s.reasons(anna, "login")) == 1 })
			if got := s.lastReason(anna, "login"); got != "the client has gone" && !strings.HasPrefix(got, "no answer") {
				t.Errorf("recorded as %q", got)
			}
			if now, _ := s.ntfy.Subscriptions(); now > 1 {
				eventually(t, "the server has lost the subscription", func() bool { now, _ := s.ntfy.Subscriptions(); return now <= 1 })
			}
			m, err := s.Users.State.Messages(anna.Name, time.Now())
			must(t, err)
			if m.Push != nil {
				t.Error("the push stays open")
			}
		})
	}
}

// A helper that is killed takes twokey-notify with it, and the next login is not told that a push is open.
func TestAHelperThatIsKilledLeavesNoPushOpen(t *testing.T) {
	t.Parallel()
	s, people := newPhoneSite(t, "", "", 1)
	anna, sshd := s.enrol(people[0]), s.Sshd()
	phone := s.phoneOf(anna)
	x := s.choose(t, sshd, anna, "push")
	onScreen(t, x)
	rings(t, phone)
	must(t, unix.Kill(int(helperBelow(t, sshd.PID).PID), unix.SIGKILL))
	eventually(t, "twokey-notify has ended", func() bool { return len(notifiers(t, sshd)) == 0 })
	y := s.choose(t, sshd, anna, "push")
	number := onScreen(t, y)
	press(t, phone, rings(t, phone), number)
	y.Type("\n")
	y.Expect("$ ")
}

// Of two logins at once one has the phone.
func TestOnePushIsOpenAtATime(t *testing.T) {
	t.Parallel()
	s, people := newPhoneSite(t, "", "", 1)
	anna, sshd := s.enrol(people[0]), s.Sshd()
	phone := s.phoneOf(anna)
	// Who has not been let in from here before hears no more than of a wrong code.
	for _, words := range []string{"Login failed.", "Another login is asking your phone."} {
		x := s.choose(t, sshd, anna, "push")
		number := onScreen(t, x)
		m := rings(t, phone)
		y := s.choose(t, sshd, anna, "push")
		y.Expect(words)
		if phone.Waiting() != 0 {
			t.Error("a second one was sent")
		}
		press(t, phone, m, number)
		x.Type("\n")
		x.Expect("$ ")
	}
}

// Two runs of PAM for one login send one push: sshd answers the first itself and shows its question to nobody, so without a number.
func TestPasswordAndThenKeyboardInteractiveSendOnePush(t *testing.T) {
	t.Parallel()
	s, people := newPhoneSite(t, ", match_number: false", "", 1)
	anna, sshd := people[0], s.Sshd("PasswordAuthentication yes", "AuthenticationMethods password,keyboard-interactive")
	phone := s.phoneOf(anna)
	x := pamtest.OpenTerminal(t, sshd.Client("ssh", anna.Name+"@127.0.0.1"))
	x.Expect("'s password: ")
	x.Type(s.Password + "\n")
	press(t, phone, rings(t, phone), "Allow")
	x.Expect(") Password: ")
	x.Type(s.Password + "\n")
	x.Expect("$ ")
	if phone.Waiting() != 0 {
		t.Error("a second push was sent")
	}
	if got := s.reasons(anna, "login"); fmt.Sprint(got) != "[allowed on the phone answered on the phone in another run of this login]" {
		t.Errorf("recorded as %q", got)
	}
	// The next login has a phone of its own.
	y := pamtest.OpenTerminal(t, sshd.Client("ssh", anna.Name+"@127.0.0.1"))
	y.Expect("'s password: ")
	y.Type(s.Password + "\n")
	press(t, phone, rings(t, phone), "Deny")
	y.Expect("'s password: ")
}

// A number that nobody was shown is pressed by nobody who has seen it.
func TestANumberThatNobodyWasShownLetsNobodyIn(t *testing.T) {
	t.Parallel()
	s, people := newPhoneSite(t, "", "", 1)
	anna, sshd := people[0], s.Sshd("PasswordAuthentication yes", "AuthenticationMethods password,keyboard-interactive")
	s.phoneOf(anna)
	x := pamtest.OpenTerminal(t, sshd.Client("ssh", anna.Name+"@127.0.0.1"))
	x.Expect("'s password: ")
	x.Type(s.Password + "\n")
	x.Expect("'s password: ")
	if got := s.lastReason(anna, "login"); !strings.Contains(got, "the number to press was shown to nobody") {
		t.Errorf("recorded as %q", got)
	}
}

// Behind a wrong password the choice is offered too, and nothing is sent.
func TestBehindAWrongPasswordNothingIsSent(t *testing.T) {
	t.Parallel()
	s, people := newPhoneSite(t, "", "", 2)
	anna, bert, sshd := s.enrol(people[0]), people[1], s.Sshd()
	phone, only := s.phoneOf(anna), s.phoneOf(bert)
	s.EnrolPhone(anna.Name, anna.UID, "sms", aNumber)
	asks := round{questions: []string{theChoice}, echos: []bool{false}}
	for _, user := range []string{anna.Name, bert.Name, "nobody-" + pamtest.Suffix()} {
		for _, word := range []string{"push", "sms", ""} {
			v := visitor{user: user, password: "not the password", code: word}.visit(t, sshd)
			v.mustShow(t, asksPassword, asks, refuses)
		}
	}
	if phone.Waiting()+only.Waiting()+len(s.outbox.Texts()) != 0 {
		t.Errorf("sent: %d, %d, %q", phone.Waiting(), only.Waiting(), s.outbox.Texts())
	}
}

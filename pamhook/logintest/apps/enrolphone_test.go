package apps

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"twokey/deliver/fakes"
	"twokey/internal/pamtest"
)

// The number of who enrols himself: one of the numbering plan's examples.
const newNumber = "+447400123456"

const toChoose = "Number (or q to stop): "

// newEnrolSite is a site that sends texts and push, whose people enrol with a code, or with at_login "yes".
func newEnrolSite(t *testing.T, atLogin, push, sms string, people int) (*phoneSite, []*person) {
	t.Helper()
	s, users := newPhoneSite(t, push, sms, people)
	s.Configure(s.settings(push, sms) + "\nenroll: {at_login: " + atLogin + "}")
	return s, users
}

// begin logs in over ssh up to the menu.
func (s *phoneSite) begin(t *testing.T, sshd *pamtest.Sshd, p *person, code string) *pamtest.Terminal {
	t.Helper()
	x := pamtest.OpenTerminal(t, sshd.Client("ssh", p.Name+"@127.0.0.1"))
	x.Expect("assword: ")
	x.Type(s.Password + "\n")
	toMenu(x, code)
	return x
}

func toMenu(x *pamtest.Terminal, code string) {
	if code != "" {
		x.Expect("Enrolment code: ")
		x.Type(code + "\n")
	}
	x.Expect(toChoose)
}

// typeNumber chooses text messages, types the number and agrees to it.
func typeNumber(x *pamtest.Terminal) {
	x.Type("6\n")
	x.Expect("Phone number (or q to stop): ")
	x.Type("+44 7400 123456\n")
	x.Expect("or the right number (q: stop): ")
	x.Type("\n")
}

// sentTo waits for the n-th text and returns the code in it.
func (s *phoneSite) sentTo(t *testing.T, number string, n int) (code string) {
	t.Helper()
	eventually(t, "a text was sent", func() bool { return len(s.outbox.Texts()) >= n && strings.Contains(s.outbox.Texts()[n-1], "code is: ") })
	to, message, _ := strings.Cut(s.outbox.Texts()[n-1], "\n")
	_, code, _ = strings.Cut(strings.TrimSpace(message), "code is: ")
	if to != number || len(code) != 6 {
		t.Fatalf("the text is %q to %q", message, to)
	}
	return code
}

const textQuestion = "n: new code or number, q: stop): "

// The whole way: a number is typed, shown back, and counts when the code that was sent there has come back. The next login sends a code to it.
func TestAUserEnrolsANumberOverSSH(t *testing.T) {
	t.Parallel()
	s, people := newEnrolSite(t, "with-code", "", "", 1)
	anna, sshd := people[0], s.Sshd()
	x := s.begin(t, sshd, anna, s.enrolmentCode(anna))
	x.Type("5\n") // a phone without apps has text messages
	x.Expect("Phone number (or q to stop): ")
	x.Type("07400 123456\n")
	x.Expect("This is not a phone number in the international form.")
	x.Expect("Phone number (or q to stop): ")
	x.Type("+44 7400 123456\n")
	x.Expect("or the right number (q: stop): ")
	if !strings.Contains(x.Screen(), "Number   "+newNumber+"\r\n  Country  United Kingdom\r\n") || len(s.outbox.Texts()) > 0 {
		t.Errorf("%d texts were sent; the screen shows\n%s", len(s.outbox.Texts()), x.Screen())
	}
	x.Type("\n")
	x.Expect("A code was sent to +44 ••• 456.")
	x.Expect(textQuestion)
	code := s.sentTo(t, newNumber, 1)
	x.Type("12345\n")
	x.Expect("This code is not right, or its time is over.")
	x.Expect(textQuestion)
	s.mustHaveNothing(t, anna, "before the code")
	x.Type(code + "\n")
	x.Expect("Press Enter when you have written them down: ")
	s.mustHaveNothing(t, anna, "before the recovery codes are noted")
	x.Type("\n")
	x.Expect("$ ")
	if want := "This phone is now linked to " + anna.Name; !strings.Contains(x.Screen(), want) {
		t.Errorf("the screen does not say %q:\n%s", want, x.Screen())
	}
	record, err := s.Users.Secrets.Load(anna.Name)
	must(t, err)
	if record.Phone != newNumber || !record.PhoneConfirmed || len(record.Devices) != 1 || record.Devices[0].Method != "sms" || len(record.Recovery.Hashes) != 10 {
		t.Errorf("linked %v, confirmed %v, %v", record.Phone, record.PhoneConfirmed, record.Devices)
	}
	s.mustKeepSecret(t, newNumber[3:], code, recoveryOn(x))

	y := pamtest.OpenTerminal(t, sshd.Client("ssh", anna.Name+"@127.0.0.1"))
	y.Expect("assword: ")
	y.Type(s.Password + "\n")
	y.Expect("A code was sent to +44 ••• 456.")
	y.Expect(": ")
	y.Type(s.sentTo(t, newNumber, 2) + "\n")
	y.Expect("$ ")
	s.Verified()
}

// recoveryOn is the first recovery code on a screen.
func recoveryOn(x *pamtest.Terminal) string {
	_, after, _ := strings.Cut(x.Screen(), "recovery codes")
	return regexp.MustCompile(`[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}`).FindString(after)
}

// mustKeepSecret fails the test if one of these stands in a file of ours.
func (s *phoneSite) mustKeepSecret(t *testing.T, secrets ...string) {
	t.Helper()
	files := 0
	must(t, filepath.WalkDir(s.Dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		files++
		for _, secret := range secrets {
			if secret == "" || strings.Contains(string(content), secret) {
				t.Errorf("%q stands in %s", secret, path)
			}
		}
		return err
	}))
	if files < 5 {
		t.Errorf("only %d files were looked at", files)
	}
}

// Who was reset has a state, and a limit that counts in it; the old number is gone.
func TestWhoWasResetEnrolsAnotherNumber(t *testing.T) {
	t.Parallel()
	s, people := newEnrolSite(t, `"yes"`, "", "", 1)
	anna, sshd := people[0], s.Sshd()
	s.EnrolPhone(anna.Name, anna.UID, "sms", aNumber)
	must(t, s.Users.Reset(anna.Name))
	for n := range 3 {
		x := s.begin(t, sshd, anna, "")
		typeNumber(x)
		x.Expect(textQuestion)
		code := s.sentTo(t, newNumber, n+1)
		if n < 2 {
			x.Type("q\n")
			x.Expect("Nothing was linked.")
			continue
		}
		x.Type("n\n")
		x.Expect("or the right number (q: stop): ")
		x.Type("\n")
		x.Expect("Too many codes were sent to you.")
		x.Expect(toChoose)
		if len(s.outbox.Texts()) != 3 {
			t.Errorf("%d texts were sent, the last with %s", len(s.outbox.Texts()), code)
		}
		x.Type("q\n")
	}
	m, err := s.Users.State.Messages(anna.Name, time.Now())
	must(t, err)
	if len(m.Texts) != 3 {
		t.Errorf("%d texts are counted", len(m.Texts))
	}
	if enrolled, err := s.Users.Secrets.Enrolled(anna.Name); err != nil || enrolled {
		t.Errorf("enrolled %v, %v", enrolled, err)
	}
}

// At a console, in su and in sudo, which shows no text but in a question.
func TestAUserEnrolsANumberAtTheMachine(t *testing.T) {
	t.Parallel()
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s, people := newEnrolSite(t, `"yes"`, "", "", 2)
			anna, bert := people[0], people[1]
			s.Sudoers(anna.Name + " ALL=(ALL) ALL")
			x := p.start(t, s.site, anna, bert)
			x.Type(s.Password + "\n")
			toMenu(x, "")
			typeNumber(x)
			x.Expect(textQuestion)
			x.Type(s.sentTo(t, newNumber, 1) + "\n")
			x.Expect("Press Enter when you have written them down: ")
			x.Type("\n")
			if got := p.outcome(x); got != inside {
				t.Errorf("not let in after the enrolment:\n%s", x.Screen())
			}
			s.Verified()
		})
	}
}

const ntfyQuestion = "w: wide, q: stop): "

// toSubscribe chooses push and goes on until the phone is to subscribe. It returns the phone, which has scanned the screen.
func (s *phoneSite) toSubscribe(t *testing.T, x *pamtest.Terminal) *fakes.Phone {
	t.Helper()
	x.Type("7\n")
	x.Expect("Press Enter when it is installed (or q to stop): ")
	x.Type("\n")
	x.Expect(ntfyQuestion)
	address := scanned(t, x.Screen())
	found := regexp.MustCompile(`^ntfy://(127\.0\.0\.1:\d+)/(tk-[a-z2-7]{32})\?secure=false$`).FindStringSubmatch(address)
	if found == nil || "http://"+found[1] != s.ntfy.URL() {
		t.Fatalf("the picture says %q", address)
	}
	for _, want := range []string{"Topic   " + found[2], "Server  " + s.ntfy.URL(), address} {
		if !strings.Contains(x.Screen(), want) {
			t.Errorf("the screen does not show %q:\n%s", want, x.Screen())
		}
	}
	return s.ntfy.NewPhone(t, phoneToken, found[2])
}

var enrolNumber = regexp.MustCompile(`Press (\d\d) on your phone \(not any other number\), then Enter here: `)

// toPress waits for the number to match and reads it.
func toPress(t *testing.T, x *pamtest.Terminal) string {
	t.Helper()
	x.Expect("then Enter here: ")
	all := enrolNumber.FindAllStringSubmatch(x.Screen(), -1)
	if len(all) == 0 {
		t.Fatalf("no number on the screen:\n%s", x.Screen())
	}
	return all[len(all)-1][1]
}

// The whole way with ntfy: the phone reads the picture off the screen, gets a request, and the number on the screen is pressed there.
func TestAUserEnrolsAPhoneForPushOverSSH(t *testing.T) {
	t.Parallel()
	s, people := newEnrolSite(t, "with-code", "", "", 1)
	anna, sshd := people[0], s.Sshd()
	x := s.begin(t, sshd, anna, s.enrolmentCode(anna))
	phone := s.toSubscribe(t, x)
	x.Type("w\n")
	x.Expect(ntfyQuestion)
	if again := scanned(t, x.Screen()); !strings.Contains(x.Screen(), again) {
		t.Errorf("the wide picture says %q", again)
	}
	x.Type("\n")
	number := toPress(t, x)
	m := rings(t, phone)
	if !strings.HasPrefix(m.Title, "Link this phone to "+anna.Name+" on ") || !strings.Contains(m.Message, "From: 127.0.0.1") {
		t.Errorf("the phone shows %q: %q", m.Title, m.Message)
	}
	s.mustHaveNothing(t, anna, "before the number is pressed")
	press(t, phone, m, number)
	x.Type("\n")
	x.Expect("Press Enter when you have written them down: ")
	s.mustHaveNothing(t, anna, "before the recovery codes are noted")
	x.Type("\n")
	x.Expect("$ ")
	if want := "This phone is now linked to " + anna.Name; !strings.Contains(x.Screen(), want) {
		t.Errorf("the screen does not say %q:\n%s", want, x.Screen())
	}
	s.mustKeepSecret(t, recoveryOn(x))

	y := pamtest.OpenTerminal(t, sshd.Client("ssh", anna.Name+"@127.0.0.1"))
	y.Expect("assword: ")
	y.Type(s.Password + "\n")
	number = onScreen(t, y)
	press(t, phone, rings(t, phone), number)
	y.Type("\n")
	y.Expect("$ ")
	s.Verified()
}

// What is recorded of a client that goes: sshd may end its process before the module has said so.
const (
	clientGone = "the client has gone"
	clientLost = "no answer: EOF"
)

// Whatever goes wrong: nothing is linked, and the enrolment code is good still.
func TestWhatGoesWrongLinksNoPhone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		goes   func(t *testing.T, s *phoneSite, x *pamtest.Terminal)
		reason string
	}{
		"a wrong code, three times": {func(t *testing.T, s *phoneSite, x *pamtest.Terminal) {
			typeNumber(x)
			for range 3 {
				x.Expect(textQuestion)
				x.Type("12345\n")
			}
			x.Expect("Nothing was linked.")
		}, "too many wrong answers in an enrolment"},
		"the code of the number before": {func(t *testing.T, s *phoneSite, x *pamtest.Terminal) {
			typeNumber(x)
			x.Expect(textQuestion)
			x.Type("n\n")
			x.Expect("or the right number (q: stop): ")
			x.Type("+33 1 23 45 67 89\n")
			x.Expect("or the right number (q: stop): ")
			x.Type("\n")
			for range 3 {
				x.Expect(textQuestion)
				x.Type(s.sentTo(t, newNumber, 1) + "\n")
			}
			x.Expect("Nothing was linked.")
		}, "too many wrong answers in an enrolment"},
		"the client goes before the code": {func(t *testing.T, s *phoneSite, x *pamtest.Terminal) {
			typeNumber(x)
			x.Expect(textQuestion)
			must(t, x.Kill())
		}, clientGone},
		"denied": {func(t *testing.T, s *phoneSite, x *pamtest.Terminal) {
			phone := s.toSubscribe(t, x)
			x.Type("\n")
			toPress(t, x)
			press(t, phone, rings(t, phone), "Deny")
			x.Type("\n")
			x.Expect("The request was denied on the phone. Nothing was linked.")
		}, "denied by the user"},
		"another number is pressed": {func(t *testing.T, s *phoneSite, x *pamtest.Terminal) {
			phone := s.toSubscribe(t, x)
			x.Type("\n")
			number := toPress(t, x)
			m := rings(t, phone)
			press(t, phone, m, otherThan(t, m, number))
			x.Type("\n")
			x.Expect("Another number was pressed on the phone. Nothing was linked.")
		}, "a wrong number was pressed on the phone"},
		"the client goes while the phone is waited for": {func(t *testing.T, s *phoneSite, x *pamtest.Terminal) {
			phone := s.toSubscribe(t, x)
			x.Type("\n")
			toPress(t, x)
			rings(t, phone)
			x.Type("\n")
			time.Sleep(closed)
			must(t, x.Kill())
		}, clientGone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, people := newEnrolSite(t, "with-code", ", wait: 10s", "", 1)
			anna, sshd := people[0], s.Sshd()
			code := s.enrolmentCode(anna)
			x := s.begin(t, sshd, anna, code)
			c.goes(t, s, x)
			eventually(t, "it is recorded", func() bool {
				last := s.lastReason(anna, "account-checked")
				return last == c.reason || c.reason == clientGone && last == clientLost
			})
			s.mustHaveNothing(t, anna, name)
			eventually(t, "twokey-notify has ended", func() bool { return len(notifiers(t, sshd)) == 0 })
			y := s.begin(t, sshd, anna, code)
			y.Type("q\n")
			y.Expect("Nothing was linked.")
			s.Verified()
		})
	}
}

// Whose phone does not answer gets the picture again, and another request.
func TestAPhoneThatDoesNotAnswerIsAskedAgain(t *testing.T) {
	t.Parallel()
	s, people := newEnrolSite(t, `"yes"`, ", wait: 10s", "", 1)
	anna, sshd := people[0], s.Sshd()
	x := s.begin(t, sshd, anna, "")
	phone := s.toSubscribe(t, x)
	x.Type("\n")
	toPress(t, x)
	rings(t, phone)
	x.Type("\n")
	x.Expect("No answer came from your phone in time.")
	x.Expect(ntfyQuestion)
	x.Type("\n")
	number := toPress(t, x)
	press(t, phone, rings(t, phone), number)
	x.Type("\n")
	x.Expect("Press Enter when you have written them down: ")
	x.Type("\n")
	x.Expect("$ ")
}

// The texts of an enrolment are those of the user's and the host's limits, from one login to the next.
func TestTheTextsOfEnrolmentsAreLimited(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sms  string
		sent int
		told string
	}{
		"of the user": {"", 3, "Too many codes were sent to you. The next one can be sent in 15 minutes."},
		"of the host": {", per_hour: 2", 2, "No code can be sent at the moment."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, people := newEnrolSite(t, `"yes"`, "", c.sms, 1)
			anna, sshd := people[0], s.Sshd()
			for range c.sent {
				x := s.begin(t, sshd, anna, "")
				typeNumber(x)
				x.Expect(textQuestion)
				x.Type("q\n")
				x.Expect("Nothing was linked.")
			}
			x := s.begin(t, sshd, anna, "")
			typeNumber(x)
			x.Expect(c.told)
			x.Expect(toChoose)
			if n := len(s.outbox.Texts()); n != c.sent {
				t.Errorf("%d texts were sent", n)
			}
			x.Type("1\n") // the app is left
			x.Expect("Press Enter when it is installed (or q to stop): ")
			x.Type("\n")
			x.Expect("q: stop): ")
			link(t, x)
			x.Expect("$ ")
		})
	}
}

// A provider that is down costs a line, and the other ways stay.
func TestWhoEnrolsHearsThatAProviderIsDown(t *testing.T) {
	t.Parallel()
	s, people := newEnrolSite(t, `"yes"`, ", timeout: 3s", "", 1)
	anna, sshd := people[0], s.Sshd()
	s.Configure(strings.Replace(s.settings(", timeout: 3s", ""), "send-text", "no-such-program", 1) + "\nenroll: {at_login: \"yes\"}")
	s.ntfy.SetDay("publish", fakes.Broken)
	x := s.begin(t, sshd, anna, "")
	typeNumber(x)
	x.Expect("The message could not be sent. Please take another way, or contact your administrator.")
	x.Expect(toChoose)
	phone := s.toSubscribe(t, x)
	x.Type("\n")
	x.Expect("The message could not be sent. Please take another way, or contact your administrator.")
	x.Expect(toChoose)
	s.ntfy.SetDay("publish", fakes.Good)
	if again := s.toSubscribe(t, x); again == phone {
		t.Error("the same phone")
	}
	x.Type("\n")
	number := toPress(t, x)
	press(t, phone, rings(t, phone), number) // the same topic
	x.Type("\n")
	x.Expect("Press Enter when you have written them down: ")
	x.Type("\n")
	x.Expect("$ ")
	for action, want := range map[string]string{"sms-sent": "not sent: command", "push-sent": "[not sent: server sent]"} {
		if got := s.reasons(anna, action); fmt.Sprint(got) != want && s.lastReason(anna, action) != want {
			t.Errorf("%s is recorded as %q", action, got)
		}
	}
}

// Attack: a wrong password, with the recommended stack and where nothing stops the stack behind it, and a wrong enrolment code.
func TestAThiefLinksNoPhoneAndSendsNothing(t *testing.T) {
	t.Parallel()
	s, people := newEnrolSite(t, `"yes"`, "", "", 1)
	anna, sshd := people[0], s.Sshd()
	nothing := func(when string) {
		t.Helper()
		s.mustHaveNothing(t, anna, when)
		if n := len(s.outbox.Texts()) + len(s.ntfy.Published()); n != 0 {
			t.Errorf("%s: %d messages were sent", when, n)
		}
	}
	for _, word := range []string{"sms", "6", "push", newNumber} {
		if v := (visitor{user: anna.Name, password: "wrong", code: word}).visit(t, sshd); v.in() {
			t.Errorf("let in by %q", word)
		}
	}
	nothing("behind a wrong password")

	// Without "after=password" a login asks for codes of apps only, so nothing else is offered.
	line := module + " config=" + s.Config
	s.Service("sshd", "auth required pam_unix.so", "auth required "+line, "account required "+line, "session required "+line)
	if v := (visitor{user: anna.Name, password: "wrong", code: "sms"}).visit(t, sshd); v.in() {
		t.Error("let in by a wrong password")
	}
	nothing("behind a wrong password that ends nothing")
	x := pamtest.OpenTerminal(t, sshd.Client("ssh", anna.Name+"@127.0.0.1"))
	x.Expect("assword: ")
	x.Type(s.Password + "\n")
	x.Expect(": ")
	x.Type("123456\n")
	toMenu(x, "")
	if strings.Contains(x.Screen(), "text messages") || strings.Contains(x.Screen(), "push") {
		t.Errorf("offered:\n%s", x.Screen())
	}
	must(t, x.Kill())

	s.Service("sshd", s.stack()...)
	s.Configure(s.settings("", "") + "\nenroll: {at_login: with-code}")
	s.enrolmentCode(anna)
	x = pamtest.OpenTerminal(t, sshd.Client("ssh", "-o", "NumberOfPasswordPrompts=1", anna.Name+"@127.0.0.1"))
	x.Expect("assword: ")
	x.Type(s.Password + "\n")
	for range 3 {
		x.Expect("Enrolment code: ")
		x.Type("aaaa-bbbb-cccc\n")
	}
	x.Expect("Nothing was linked.")
	nothing("with a wrong enrolment code")
}

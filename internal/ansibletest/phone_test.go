package ansibletest

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"twokey/deliver/fakes"
	"twokey/internal/mail/mailtest"
	"twokey/policy"
)

// services are those that the document on phones sends by, played here.
type services struct {
	ntfy   *fakes.Ntfy
	duo    *fakes.Duo
	twilio *fakes.Twilio
	smtp   *fakes.SMTP

	tokens map[string]string // of accounts on the ntfy server
	pushed sync.WaitGroup
}

func newServices(t *testing.T) *services {
	v := &services{fakes.NewNtfy(t), fakes.NewDuo(t), fakes.NewTwilio(t), fakes.NewSMTP(t, mailtest.Behaviour{}), map[string]string{
		"twokey": "tk_thetokenofthehost00000000000", "twokey-answers": "tk_thetokenoftheanswers00000000", "bob": "tk_thetokenofbob000000000000000",
	}, sync.WaitGroup{}}
	v.duo.User("carol", fakes.DuoUser{Policy: "auth", Capabilities: []string{"push", "phone"}})
	return v
}

// here has a command go to what is played, where it names a service.
func (v *services) here(command string) string {
	return strings.NewReplacer(
		" setup ", " setup --yes ", // what is asked at a terminal
		"https://ntfy.example.org", v.ntfy.URL(),
		"--provider twilio", "--provider twilio --url "+v.twilio.URL(),
		"--provider duo", "--provider duo --url "+v.duo.URL(),
		"api-1a2b3c4d.duosecurity.com", fakes.DuoHost,
		"DIWJ8X6AEYOR5OMC6TQ1", fakes.DuoIntegrationKey,
		"mail.example.org:25", v.smtp.Address,
		"/usr/local/bin/send-text", "/usr/libexec/send-text",
	).Replace(command)
}

var ntfyAccess = regexp.MustCompile(`^sudo ntfy access (\S+) '?([^' ]+)'? (\S+)$`)

// administer does what a command does on the ntfy server; false: it is none of those.
func (v *services) administer(command string) bool {
	if rule := ntfyAccess.FindStringSubmatch(command); rule != nil {
		v.ntfy.Grant(rule[1], v.tokens[rule[1]], rule[2], rule[3])
	}
	return strings.HasPrefix(command, "sudo ntfy ")
}

// TestTheCommandsOfTheDocumentOnPhones: with the rules that the document sets on the ntfy server, and no others, a question comes to the
// phone and its answer back.
func TestTheCommandsOfTheDocumentOnPhones(t *testing.T) {
	t.Parallel()
	s, v := newSite(t), newServices(t)
	for name, content := range map[string]string{"ntfy.token": v.tokens["twokey"], "answers.token": v.tokens["twokey-answers"],
		"twilio.token": fakes.TwilioToken, "duo.secret": fakes.DuoSecretKey} {
		s.write(name, content+"\n")
	}
	s.do(0, "twokey init")
	printed := map[string]string{}
	for _, b := range readDocument(t, "phone.md") {
		switch b.kind {
		case "yaml":
			if _, err := policy.Parse([]byte(b.text)); strings.HasPrefix(b.text, "# twokey.yaml") && err != nil {
				t.Error(err)
			}
		case "bash":
			s.write("send-text", b.text)
			s.do(0, "install -m 0755 send-text /usr/libexec/send-text")
		case "sh":
			for line := range strings.Lines(b.text) {
				command := strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "$ ")
				printed[command] = s.phoneCommand(v, command)
			}
		}
	}
	if len(printed) != 22 {
		t.Errorf("%d commands were found", len(printed))
	}
	for command, want := range map[string]string{
		"sudo twokey sms test --number +447400123456": `Sent|sent`,
		"sudo twokey sms status":                      `(?s)full.*console\.twilio\.com`,
		"sudo twokey push test bob":                   `(?i)denied`,
		"sudo twokey show alice":                      `••• 457`,
	} {
		if !regexp.MustCompile(want).MatchString(printed[command]) {
			t.Errorf("%s has printed %q, want %s", command, printed[command], want)
		}
	}
	if sent := v.twilio.Sent(); len(sent) == 0 || sent[0].To != "+447400123456" || sent[0].From != fakes.TwilioNumber {
		t.Errorf("Twilio has sent %+v", sent)
	}
	for _, token := range append([]string{fakes.TwilioToken, fakes.DuoSecretKey}, v.tokens["twokey"], v.tokens["twokey-answers"]) {
		if strings.Contains(s.output.String(), token) {
			t.Errorf("a token is in the output")
		}
	}
}

// phoneCommand runs one. A push test is answered on the phone, by Deny: which number is right is on the screen only.
func (s *site) phoneCommand(v *services, command string) string {
	s.t.Helper()
	switch {
	case v.administer(command):
		return ""
	case strings.HasPrefix(command, "sudo twokey push test "):
		return s.deny(v, command)
	}
	out := s.do(0, v.here(command))
	if found := regexp.MustCompile(`ntfy access \S+ tk-\S+ read-only`).FindString(out); found != "" {
		v.administer("sudo " + found)
		topic := strings.Fields(found)[3]
		phone := v.ntfy.NewPhone(s.t, v.tokens["bob"], topic)
		v.pushed.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			m, err := phone.Message(ctx)
			if err == nil {
				err = phone.Press(ctx, m, "Deny")
			}
			if err != nil {
				s.t.Errorf("the phone: %v", err)
			}
		})
	}
	return out
}

func (s *site) deny(v *services, command string) string {
	s.t.Helper()
	out := s.do(3, v.here(command))
	v.pushed.Wait()
	return out
}

// TestEachWordOfAFailureIsInTheDocument: each word that a failure can have is in the table, and no other.
func TestEachWordOfAFailureIsInTheDocument(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(top, "docs/phone.md"))
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| .+ \\| .+ \\|$").FindAllStringSubmatch(string(content), -1) {
		told[row[1]] = true
	}
	source, err := os.ReadFile(filepath.Join(top, "deliver/answer.go"))
	if err != nil {
		t.Fatal(err)
	}
	words := regexp.MustCompile(`(?m)^\s+Problem\w+ +Problem = "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	for _, word := range words {
		if !told[word[1]] {
			t.Errorf("%s is not in docs/phone.md", word[1])
		}
		delete(told, word[1])
	}
	if len(words) < 10 {
		t.Errorf("only %d words are found in package deliver", len(words))
	}
	if len(told) > 0 {
		t.Errorf("docs/phone.md has words that there are not: %v", told)
	}
}

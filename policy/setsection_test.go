package policy

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

// aTwilio is what "sms setup" would write.
func aTwilio() SMS {
	s := NewSMS(ProviderTwilio)
	s.AccountSID, s.AuthTokenFile, s.Sender = "AC"+hex32, "twilio.token", "+15005550006"
	return s
}

// aNtfy is what "push setup" would write.
func aNtfy() Push {
	p := NewPush(ProviderNtfy)
	p.URL, p.TokenFile, p.AnswerTokenFile = "https://ntfy.example.org", "ntfy.token", "ntfy-answer.token"
	return p
}

func with[T any](v T, change func(*T)) T {
	change(&v)
	return v
}

const writtenTwilio = "sms:\n  provider: twilio\n  account_sid: AC" + hex32 + "\n  auth_token_file: twilio.token\n  sender: '+15005550006'\n"

func TestASectionIsWritten(t *testing.T) {
	const inFile = "version: 1\n# texts\nsms:              # the desk pays\n  provider: twilio\n  account_sid: AC" + hex32 + " # ours\n\n  # since May\n" +
		"  auth_token_file: twilio.token\n  sender: Example\n  timeout: 8s     # as it is\nissuer: x\n"
	program := with(NewSMS(ProviderCommand), func(s *SMS) { s.Command = []string{"/bin/send", "a b", "--x"} })
	tests := []struct {
		sentence string
		src      string
		change   Change
		old, new string
	}{
		{"at the end", "version: 1\nissuer: x\n", SetSMS(aTwilio()), "x\n", "x\n" + writtenTwilio},
		{"at the end without a line feed", "version: 1\nissuer: x", SetSMS(aTwilio()), "x", "x\n" + writtenTwilio},
		{"indented as the file is", " version: 1\n", SetPush(aNtfy()), "1\n",
			"1\n push:\n   provider: ntfy\n   url: https://ntfy.example.org\n   token_file: ntfy.token\n   answer_token_file: ntfy-answer.token\n"},
		{"in JSON", `{"version":1}`, SetPush(aNtfy()), `1}`,
			`1, push: {provider: ntfy, url: https://ntfy.example.org, token_file: ntfy.token, answer_token_file: ntfy-answer.token}}`},
		{"below the comment that shows it", "version: 1\n# sms: {provider: twilio}\n\nissuer: x\n", SetSMS(aTwilio()), "twilio}\n", "twilio}\n" + writtenTwilio},
		{"with what has not its default", "version: 1\n", SetPush(with(aNtfy(), func(p *Push) { p.MatchNumber, p.Wait = false, 85*time.Second })), "1\n",
			"1\npush:\n  provider: ntfy\n  url: https://ntfy.example.org\n  token_file: ntfy.token\n  answer_token_file: ntfy-answer.token\n  match_number: false\n  wait: 85s\n"},
		{"a program and its arguments", "version: 1\n", SetSMS(program), "1\n", "1\nsms:\n  provider: command\n  command: [/bin/send, a b, '--x']\n"},
		{"and methods has it then", "version: 1\nmethods: [totp, recovery] # ours\n", SetSMS(aTwilio()), "recovery] # ours\n", "recovery, sms] # ours\n" + writtenTwilio},
		{"and methods has it then on a line", "version: 1\nmethods:\n  - totp # app\n  # codes on paper\n  - recovery # paper\nissuer: x\n", SetSMS(aTwilio()),
			"# paper\nissuer: x\n", "# paper\n  - sms\nissuer: x\n" + writtenTwilio},
		{"a section that says it already", "version: 1\n" + writtenTwilio, SetSMS(aTwilio()), "", ""},
		{"a section in other words that says it", "version: 1\nsms: {sender: \"+15005550006\", timeout: 8s, account_sid: AC" + hex32 + ", provider: twilio, auth_token_file: twilio.token}\n", SetSMS(aTwilio()), "", ""},
		{"another sender, comments stay", inFile, SetSMS(aTwilio()), "sender: Example\n", "sender: '+15005550006'\n"},
		{"a default that stands there", inFile, SetSMS(with(aTwilio(), func(s *SMS) { s.Sender, s.Timeout = "Example", 9*time.Second })), "timeout: 8s  ", "timeout: 9s  "},
		{"a key more", inFile, SetSMS(with(aTwilio(), func(s *SMS) { s.Sender, s.Digits = "Example", 8 })), "# as it is\n", "# as it is\n  digits: 8\n"},
		{"a service in the place of the sender", inFile, SetSMS(with(aTwilio(), func(s *SMS) { s.Sender, s.MessagingServiceSID = "", "MG"+hex32 })),
			"  sender: Example\n  timeout: 8s     # as it is\n", "  timeout: 8s     # as it is\n  messaging_service_sid: MG" + hex32 + "\n"},
		{"another provider in braces", "version: 1\npush: {provider: duo, api_host: api-1.duosecurity.com, integration_key: DIABCDEFGHIJ12345678, secret_key_file: s, wait: 30s} # x\n",
			SetPush(with(aNtfy(), func(p *Push) { p.Wait = 30 * time.Second })), "duo, api_host: api-1.duosecurity.com, integration_key: DIABCDEFGHIJ12345678, secret_key_file: s, wait: 30s}",
			"ntfy, wait: 30s, url: https://ntfy.example.org, token_file: ntfy.token, answer_token_file: ntfy-answer.token}"},
	}
	for _, test := range tests {
		t.Run(test.sentence, func(t *testing.T) { editsTo(t, test.src, test.change, test.old, test.new) })
	}
}

func TestAnotherProviderKeepsWhatIsCommon(t *testing.T) {
	src := "version: 1\nsms:\n  provider: twilio # for now\n  account_sid: AC" + hex32 + " # gone\n  auth_token_file: twilio.token\n  sender: Example\n  # short\n  valid_for: 2m\n"
	change := with(NewSMS(ProviderSMTP), func(s *SMS) { s.From, s.To, s.ValidFor = "a@example.org", "%NUMBER%@example.org", 2*time.Minute })
	got, err := Edit([]byte(src), SetSMS(change))
	const want = "version: 1\nsms:\n  provider: smtp # for now\n  # short\n  valid_for: 2m\n  from: a@example.org\n  to: '%NUMBER%@example.org'\n"
	if err != nil || string(got) != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
	}
}

func TestWhatNoConfigurationCanHaveIsNotWritten(t *testing.T) {
	for what, c := range map[string]struct {
		change Change
		says   string
	}{
		"nothing":                       {SetSMS{}, "sms: want twilio, command or smtp"},
		"no push":                       {SetPush{}, "push: want ntfy or duo"},
		"a provider without its keys":   {SetSMS(NewSMS(ProviderTwilio)), "sms: provider twilio needs account_sid"},
		"a default that is left out":    {SetSMS(with(aTwilio(), func(s *SMS) { s.Digits = 0 })), "sms: want a whole number from 6 to 10"},
		"a message without the code":    {SetSMS(with(aTwilio(), func(s *SMS) { s.Message = "hello" })), "sms: the message has no %CODE%"},
		"a token that is a path":        {SetSMS(with(aTwilio(), func(s *SMS) { s.AuthTokenFile = "../x" })), "sms: want the name of a file"},
		"a line feed":                   {SetPush(with(aNtfy(), func(p *Push) { p.TokenFile = "a\nenabled: false" })), "push: the character U+000A"},
		"a key of another provider":     {SetSMS(with(aTwilio(), func(s *SMS) { s.Server = "localhost:25" })), "sms: server belongs to provider smtp"},
		"a number to match with duo":    {SetPush(with(aDuo(), func(p *Push) { p.MatchNumber = true })), "push: this cannot be written"},
		"a time below a second":         {SetPush(with(aNtfy(), func(p *Push) { p.Wait = 10*time.Second + time.Millisecond })), "push: this cannot be written"},
		"a text that is not UTF-8":      {SetPush(with(aNtfy(), func(p *Push) { p.TokenFile = "\xff" })), "push: this cannot be written"},
		"an address without encryption": {SetPush(with(aNtfy(), func(p *Push) { p.URL = "http://ntfy.example.org" })), "http:// only to this host itself"},
	} {
		got, err := Edit([]byte("version: 1\n"), c.change)
		if got != nil || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %q and %v, want an error with %q", what, got, err, c.says)
		}
	}
	broken := []byte("version: 1\nfoo: 1\n")
	var wrong *Error
	if got, err := Edit(broken, SetSMS(aTwilio())); got != nil || !errors.As(err, &wrong) {
		t.Errorf("a file that is wrong already: %q, %v", got, err)
	}
	byHand := []byte("version: 1\nsms:\n  provider: command\n  command:\n    - /bin/send\n    # fast\n    - -q\n")
	change := with(NewSMS(ProviderCommand), func(s *SMS) { s.Command = []string{"/bin/other"} })
	if got, err := Edit(byHand, SetSMS(change)); got != nil || !errors.Is(err, ErrByHand) {
		t.Errorf("a comment that would be lost: %q, %v", got, err)
	}
}

func aDuo() Push {
	p := NewPush(ProviderDuo)
	p.APIHost, p.IntegrationKey, p.SecretKeyFile = "api-1a2b3c4d.duosecurity.com", "DIABCDEFGHIJ12345678", "duo.key"
	return p
}

// FuzzSetSection demands that a section is written whole, once, and changes nothing else but methods.
func FuzzSetSection(f *testing.F) {
	for i, src := range sources() {
		f.Add([]byte(src), byte(i), "Example", "/bin/send", uint16(i))
	}
	f.Fuzz(func(t *testing.T, src []byte, kind byte, a, b string, n uint16) {
		change := sectionOf(kind, a, b, int(n))
		edited, err := Edit(src, change)
		if err != nil {
			if edited != nil {
				t.Fatal("a result beside an error")
			}
			return
		}
		before, after := mustParse(t, string(src)), mustParse(t, string(edited))
		if again, err := Edit(edited, change); err != nil || !bytes.Equal(again, edited) {
			t.Fatalf("the same again: %v\n%s\n%s", err, edited, again)
		}
		method, want := "sms", before.clone()
		switch change := change.(type) {
		case SetSMS:
			s := SMS(change)
			want.SMS = &s
		case SetPush:
			p := Push(change)
			want.Push, method = &p, "push"
		}
		if want.Methods = after.Methods; !after.same(want) || !allIn([]string{method}, after.Methods) || !allIn(before.Methods, after.Methods) {
			t.Fatalf("something else has changed:\n%s\n%s", src, edited)
		}
	})
}

func sectionOf(kind byte, a, b string, n int) Change {
	switch kind % 5 {
	case 0:
		return SetSMS(with(aTwilio(), func(s *SMS) { s.Sender, s.Digits = a, 6+n%5 }))
	case 1:
		return SetSMS(with(NewSMS(ProviderCommand), func(s *SMS) { s.Command, s.Message = []string{b, a}, a+"%CODE%" }))
	case 2:
		return SetSMS(with(NewSMS(ProviderSMTP), func(s *SMS) {
			s.From, s.To, s.ValidFor = a+"@example.org", "%USER%@example.org", time.Duration(60+n%840)*time.Second
		}))
	case 3:
		return SetPush(with(aNtfy(), func(p *Push) { p.TokenFile, p.MatchNumber = a, n%2 == 0 }))
	}
	return SetPush(with(aDuo(), func(p *Push) { p.SecretKeyFile, p.Wait = a, time.Duration(10+n%80)*time.Second }))
}

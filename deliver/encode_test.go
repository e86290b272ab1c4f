package deliver

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func text() *Request {
	return &Request{
		Kind: KindText, Connect: time.Second, Timeout: time.Second, Text: &Text{Number: "+442079460958", Message: "Your code is: 123456\nwith <&> and ö"},
		Twilio: &Twilio{AccountSID: "AC0", AuthToken: "token", URL: "https://api.twilio.com"},
	}
}

func ntfy() *Request {
	return &Request{
		Kind: KindPush, Connect: time.Second, Timeout: time.Second, Wait: time.Minute, Ntfy: &Ntfy{URL: "https://ntfy.example.org", Token: "tk"},
		Push: &Push{Title: "Log in?", Facts: []Fact{{"From", "198.51.100.7"}}, Topic: "tk-a", Buttons: []Button{{"42", "42 aa", StateAllow}, {"17", "17 bb", StateWrong}, {"Deny", "deny cc", StateDeny}}},
	}
}

func duo() *Request {
	return &Request{
		Kind: KindPush, Connect: time.Second, Timeout: time.Second, Wait: time.Minute,
		Push: &Push{Title: "Log in?", User: "alice", Factor: "passcode", Passcode: "123456", From: "2001:db8::1"},
		Duo:  &Duo{Host: "api-x.duosecurity.com", IntegrationKey: "DI", SecretKey: "s", URL: "https://api-x.duosecurity.com"},
	}
}

func TestARequestComesBackAsItWas(t *testing.T) {
	for name, req := range map[string]*Request{
		"text": text(), "ntfy": ntfy(), "duo": duo(),
		"describe": {Kind: KindDescribe, Connect: 1, Timeout: 1, Number: "+44 (0) 20"},
		"account":  {Kind: KindAccount, Connect: 1, Timeout: 1, SMTP: &SMTP{Server: "mail.example.org:25", From: "a@example.org", To: "%NUMBER%@example.org"}},
	} {
		line, err := req.Encode()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again, err := DecodeRequest(line)
		if err != nil || !reflect.DeepEqual(req, again) {
			t.Errorf("%s: %+v, %v", name, again, err)
		}
	}
}

func TestARequestThatIsNone(t *testing.T) {
	for name, change := range map[string]func(*Request){
		"no kind":                        func(r *Request) { r.Kind = "" },
		"a kind that is none":            func(r *Request) { r.Kind = "mail" },
		"a text by ntfy":                 func(r *Request) { r.Twilio, r.Ntfy = nil, &Ntfy{} },
		"no provider":                    func(r *Request) { r.Twilio = nil },
		"two providers":                  func(r *Request) { r.SMTP = &SMTP{} },
		"no time to connect":             func(r *Request) { r.Connect = 0 },
		"no time":                        func(r *Request) { r.Timeout = 0 },
		"a negative time":                func(r *Request) { r.Timeout = -1 },
		"two minutes":                    func(r *Request) { r.Timeout = 2 * time.Minute },
		"waiting after a text":           func(r *Request) { r.Wait = time.Second },
		"no text":                        func(r *Request) { r.Text = nil },
		"a number beside it":             func(r *Request) { r.Number = "+1" },
		"a number that is not E.164":     func(r *Request) { r.Text.Number = "+44 20 7946 0958" },
		"a number with a line feed":      func(r *Request) { r.Text.Number += "\n" },
		"no message":                     func(r *Request) { r.Text.Message = "" },
		"a message too long":             func(r *Request) { r.Text.Message = strings.Repeat("a", 1601) },
		"a message with an escape":       func(r *Request) { r.Text.Message = "\x1b[2J" },
		"a message that is not UTF-8":    func(r *Request) { r.Text.Message = "\xff" },
		"a carriage return":              func(r *Request) { r.Text.Message = "a\r\nb" },
		"a token with a line feed":       func(r *Request) { r.Twilio.AuthToken = "a\nb" },
		"a token and a key":              func(r *Request) { r.Twilio.APIKeySID, r.Twilio.APIKeySecret = "SK", "s" },
		"a key without its secret":       func(r *Request) { r.Twilio.AuthToken, r.Twilio.APIKeySID = "", "SK" },
		"a program that is not absolute": func(r *Request) { r.Twilio, r.Command = nil, &Command{[]string{"send"}} },
		"no program":                     func(r *Request) { r.Twilio, r.Command = nil, &Command{} },
		"an argument with a zero":        func(r *Request) { r.Twilio, r.Command = nil, &Command{[]string{"/send", "a\x00b"}} },
		"a user with an escape":          func(r *Request) { r.Text.User = "\x1b" },
	} {
		refused(t, name, text(), change)
	}
	for name, change := range map[string]func(*Request){
		"no wait":                     func(r *Request) { r.Wait = 0 },
		"six minutes":                 func(r *Request) { r.Wait = 6 * time.Minute },
		"no title":                    func(r *Request) { r.Push.Title = "" },
		"a title of two lines":        func(r *Request) { r.Push.Title = "a\nb" },
		"a fact of two lines":         func(r *Request) { r.Push.Facts[0].Value = "a\nFrom: b" },
		"a fact that is too long":     func(r *Request) { r.Push.Facts[0].Value = strings.Repeat("a", 257) },
		"too many facts":              func(r *Request) { r.Push.Facts = make([]Fact, 17) },
		"no topic":                    func(r *Request) { r.Push.Topic = "" },
		"a topic with a slash":        func(r *Request) { r.Push.Topic = "tk-a/../b" },
		"no button":                   func(r *Request) { r.Push.Buttons = nil },
		"four buttons":                func(r *Request) { r.Push.Buttons = append(r.Push.Buttons, Button{"1", "1 x", StateDeny}) },
		"two buttons with one body":   func(r *Request) { r.Push.Buttons[1].Body = r.Push.Buttons[0].Body },
		"a button without a body":     func(r *Request) { r.Push.Buttons[0].Body = "" },
		"a body with blanks round it": func(r *Request) { r.Push.Buttons[0].Body = "42 aa " },
		"a button that means success": func(r *Request) { r.Push.Buttons[0].Means = StateSent },
		"a Duo factor":                func(r *Request) { r.Push.Factor = "push" },
	} {
		refused(t, name, ntfy(), change)
	}
	for name, change := range map[string]func(*Request){
		"no user":                       func(r *Request) { r.Push.User = "" },
		"a factor that is none":         func(r *Request) { r.Push.Factor = "auto" },
		"a passcode with a push":        func(r *Request) { r.Push.Factor = "push" },
		"no passcode":                   func(r *Request) { r.Push.Passcode = "" },
		"an address that is a name":     func(r *Request) { r.Push.From = "example.org" },
		"buttons":                       func(r *Request) { r.Push.Buttons = []Button{{"a", "b", StateAllow}} },
		"a secret with an escape in it": func(r *Request) { r.Duo.SecretKey = "\x1b" },
	} {
		refused(t, name, duo(), change)
	}
}

func refused(t *testing.T, name string, req *Request, change func(*Request)) {
	t.Helper()
	change(req)
	if line, err := req.Encode(); !errors.Is(err, ErrRequest) || line != nil {
		t.Errorf("%s: %q, %v", name, line, err)
	}
}

func TestALineThatIsNone(t *testing.T) {
	good, err := text().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, line := range map[string]string{
		"nothing":               "",
		"no line feed":          strings.TrimSuffix(string(good), "\n"),
		"two line feeds":        string(good) + "\n",
		"two requests":          string(good) + string(good),
		"a blank in front":      " " + string(good),
		"an unknown field":      strings.Replace(string(good), `{"kind"`, `{"x":1,"kind"`, 1),
		"a field twice":         strings.Replace(string(good), `{"kind":"text"`, `{"kind":"push","kind":"text"`, 1),
		"a field in capitals":   strings.Replace(string(good), `"kind"`, `"Kind"`, 1),
		"an empty field":        strings.Replace(string(good), `"text":{`, `"number":"","text":{`, 1),
		"an escaped letter":     strings.Replace(string(good), `"twilio"`, `"twili\u006f"`, 1),
		"a time with a point":   strings.Replace(string(good), `"connect":1000000000`, `"connect":1000000000.0`, 1),
		"null":                  "null\n",
		"an array":              "[]\n",
		"64 KiB and one byte":   strings.Repeat(" ", MaxLine) + "\n",
		"a secret in the error": strings.Replace(string(good), `"token"`, `"hunter2"x`, 1),
	} {
		req, err := DecodeRequest([]byte(line))
		if !errors.Is(err, ErrRequest) || req != nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, %v", name, req, err)
		}
	}
}

func TestAnAnswerThatIsNone(t *testing.T) {
	for name, a := range map[string]Answer{
		"no state":                        {},
		"a state that is none":            {State: "allowed"},
		"a failure without a word":        {State: StateFailed},
		"a word of no failure":            {State: StateAllow, Problem: ProblemLimit},
		"a word that is none":             {State: StateFailed, Problem: "unlucky"},
		"an escape sequence":              {State: StateFailed, Problem: ProblemLimit, Detail: "\x1b[2J"},
		"two lines":                       {State: StateFailed, Problem: ProblemLimit, Advice: "a\nb"},
		"201 characters":                  {State: StateFailed, Problem: ProblemLimit, Detail: strings.Repeat("ä", 201)},
		"an override of the direction":    {State: StateSent, ID: "\u202e"},
		"an account with an escape":       {State: StateOK, Account: &Account{Name: "\x1b"}},
		"a country with a line feed":      {State: StateOK, Number: &Number{Country: "a\n"}},
		"an enrolment that is not https":  {State: StateFailed, Problem: ProblemEnroll, EnrollURL: "http://example.org"},
		"an enrolment with a blank":       {State: StateFailed, Problem: ProblemEnroll, EnrollURL: "https://example.org/a b"},
		"an enrolment of other letters":   {State: StateFailed, Problem: ProblemEnroll, EnrollURL: "https://ex\u0430mple.org"},
		"a pause that lies in the past":   {State: StateFailed, Problem: ProblemLimit, Retry: -1},
		"a status that is not UTF-8 at a": {State: StateSent, Status: "\xff"},
	} {
		if line, err := a.Encode(); !errors.Is(err, ErrAnswer) || line != nil {
			t.Errorf("%s: %q, %v", name, line, err)
		}
	}
}

func FuzzDecodeRequest(f *testing.F) {
	for _, req := range []*Request{text(), ntfy(), duo()} {
		line, err := req.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
	}
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		req, err := DecodeRequest(line)
		if err != nil {
			if req != nil {
				t.Error("a request with an error")
			}
			return
		}
		if again, err := req.Encode(); err != nil || string(again) != string(line) {
			t.Errorf("%q becomes %q, %v", line, again, err)
		}
	})
}

func FuzzDecodeAnswer(f *testing.F) {
	for _, line := range []string{
		`{"state":"sent"}`, `{"state":"failed","problem":"limit","detail":"a","retry":17000000000}`, `{"state":"ok","account":{"name":"a","state":"trial"}}`,
		`{"state":"ok","number":{"valid":true,"region":"GB"}}`, `{"state":"failed","problem":"enroll","enroll_url":"https://example.org/a"}`,
	} {
		f.Add([]byte(line + "\n"))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		a, err := DecodeAnswer(line)
		if err != nil {
			if a != (Answer{}) {
				t.Error("an answer with an error")
			}
			return
		}
		if again, err := a.Encode(); err != nil || string(again) != string(line) {
			t.Errorf("%q becomes %q, %v", line, again, err)
		}
	})
}

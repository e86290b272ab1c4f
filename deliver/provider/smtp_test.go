package provider

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/deliver"
	"twokey/deliver/fakes"
	"twokey/internal/mail/mailtest"
)

const mailPassword = "right"

// byMail is a text by a gateway.
func byMail(address string) *deliver.Request {
	req := text()
	req.SMTP = &deliver.SMTP{Server: address, From: "twokey@example.org", To: "%NUMBER%@sms.example.org"}
	return req
}

func TestATextByMail(t *testing.T) {
	for to, want := range map[string]string{
		"%NUMBER%@sms.example.org":        "442079460958@sms.example.org",
		"%USER%@sms.example.org":          "alice@sms.example.org",
		"%USER%+%NUMBER%@sms.example.org": "alice+442079460958@sms.example.org",
	} {
		gateway := fakes.NewSMTP(t, mailtest.Behaviour{})
		req := byMail(gateway.Address)
		req.SMTP.To = to
		if got := Run(ctxFor(t), req, nil); got != (deliver.Answer{State: deliver.StateSent}) {
			t.Errorf("%s: %+v", to, got)
		}
		if texts := gateway.Texts(); !slices.Equal(texts, []fakes.Text{{To: want, From: "twokey@example.org", Body: textMessage}}) {
			t.Errorf("%s: %+v", to, texts)
		}
	}
}

func TestAPasswordForAGatewayGoesUnderTLSOnly(t *testing.T) {
	for name, c := range map[string]struct {
		is       mailtest.Behaviour
		password string
		trust    bool
		want     deliver.Problem
		advice   string
	}{
		"right":                            {mailtest.Behaviour{STARTTLS: true, Auth: true}, mailPassword, true, "", ""},
		"a wrong password":                 {mailtest.Behaviour{STARTTLS: true, Auth: true}, "wrong-password", true, deliver.ProblemCredentials, "sms.password_file"},
		"no TLS":                           {mailtest.Behaviour{Auth: true}, mailPassword, true, deliver.ProblemTLS, "switch TLS on"},
		"a certificate that nobody signed": {mailtest.Behaviour{STARTTLS: true, Auth: true}, mailPassword, false, deliver.ProblemTLS, "certificate"},
		"a server without a login":         {mailtest.Behaviour{STARTTLS: true}, mailPassword, true, deliver.ProblemCredentials, "take user"},
		"a login that it wants":            {mailtest.Behaviour{Says: map[string]string{"MAIL": "530 5.7.0 Authentication required"}}, "", true, deliver.ProblemCredentials, "sms.user"},
	} {
		gateway := fakes.NewSMTP(t, c.is)
		req := byMail(gateway.Address)
		if c.password != "" {
			req.SMTP.User, req.SMTP.Password = "carol", c.password
		}
		var with network
		if c.trust {
			with.roots = gateway.Roots
		}
		got := run(ctxFor(t), with, req, nil)
		checkClean(t, req, got)
		if got.Problem != c.want || !strings.Contains(got.Advice, c.advice) || len(gateway.Texts()) != 0 && c.want != "" {
			t.Errorf("%s: %+v", name, got)
		}
		if (c.want == deliver.ProblemTLS || name == "a server without a login") && strings.Contains(gateway.Commands(), "AUTH") {
			t.Errorf("%s: the password was sent", name)
		}
	}
}

// MUST say what went wrong in one clean line that holds nothing secret: here to a server that repeats what it was sent.
func TestAGatewayThatRepeatsThePassword(t *testing.T) {
	const password = "right"
	for _, said := range []string{password, "AGNhcm9sAHJpZ2h0", "cmlnaHQ="} { // as it is, as AUTH PLAIN sends it, by itself
		gateway := fakes.NewSMTP(t, mailtest.Behaviour{STARTTLS: true, Auth: true, Says: map[string]string{"AUTH": "535 5.7.8 not " + said + " for carol"}})
		req := byMail(gateway.Address)
		req.SMTP.User, req.SMTP.Password = "carol", password
		got := run(ctxFor(t), network{roots: gateway.Roots}, req, nil)
		if got.Problem != deliver.ProblemCredentials || got.Detail != "535 5.7.8 not … for carol" {
			t.Errorf("%s: %+v", said, got)
		}
	}
}

func TestAGatewaysBadDaysHaveTheirWord(t *testing.T) {
	says := func(at, what string) mailtest.Behaviour {
		return mailtest.Behaviour{Says: map[string]string{at: what}}
	}
	for name, c := range map[string]struct {
		is     mailtest.Behaviour
		want   deliver.Problem
		detail string
	}{
		"hangs before its greeting":     {mailtest.Behaviour{HangAt: "greeting"}, deliver.ProblemTimeout, ""},
		"hangs at the recipient":        {mailtest.Behaviour{HangAt: "RCPT"}, deliver.ProblemTimeout, ""},
		"hangs after the message":       {mailtest.Behaviour{HangAt: "."}, deliver.ProblemTimeout, ""},
		"a byte at a time, without end": {mailtest.Behaviour{Trickle: true}, deliver.ProblemTimeout, ""},
		"goes before its greeting":      {mailtest.Behaviour{DropAt: "greeting"}, deliver.ProblemAnswer, "the connection was closed without an answer"},
		"goes after the message":        {mailtest.Behaviour{DropAt: "."}, deliver.ProblemAnswer, "the connection was closed without an answer"},
		"does not know the recipient":   {mailtest.Behaviour{Refuse: "442079460958"}, deliver.ProblemRefused, "550 5.1.1 no such mailbox"},
		"repeats the recipient":         {says("RCPT", "550 5.1.1 <442079460958@sms.example.org> +44 20 7946 0958 unknown"), deliver.ProblemRefused, "550 5.1.1 < …958@sms.example.org> …958 unknown"},
		"repeats the code":              {says(".", "554 5.7.1 message 739104 looks like spam"), deliver.ProblemRefused, "554 5.7.1 message … looks like spam"},
		"relays nothing":                {says("RCPT", "550 relay access denied"), deliver.ProblemRefused, "550 relay access denied"},
		"takes no such sender":          {says("MAIL", "553 sender address rejected"), deliver.ProblemRefused, "553 sender address rejected"},
		"grey lists":                    {says("RCPT", "451 4.7.1 try again later"), deliver.ProblemServer, "451 4.7.1 try again later"},
		"shuts down":                    {says("greeting", "421 shutting down"), deliver.ProblemServer, "421 shutting down"},
		"has no disk left":              {says("DATA", "452 4.3.1 insufficient system storage"), deliver.ProblemServer, ""},
		"is a web server":               {says("greeting", "HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<html>"), deliver.ProblemAnswer, ""},
		"escape sequences":              {says("RCPT", "550 \x1b[2J\x1b]0;owned\x07 \u202eno\x00"), deliver.ProblemRefused, "550 [2J]0;owned no"},
		"5 MB in a line":                {says("RCPT", "250 "+strings.Repeat("a", 5<<20)), deliver.ProblemAnswer, "it says more than a mail server has to say"},
		"lines without end":             {says("EHLO", strings.Repeat("250-a\r\n", 1<<20)), deliver.ProblemAnswer, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gateway := fakes.NewSMTP(t, c.is)
			req := byMail(gateway.Address)
			if c.want == deliver.ProblemTimeout {
				req.Timeout = 300 * time.Millisecond
			}
			got := Run(ctxFor(t), req, nil)
			checkClean(t, req, got)
			if got.State != deliver.StateFailed || got.Problem != c.want || c.detail != "" && !strings.HasSuffix(got.Detail, c.detail) {
				t.Errorf("%+v, want %s", got, c.want)
			}
			if len(gateway.Taken()) != 0 {
				t.Error("the message was taken")
			}
		})
	}
}

func TestNoAddressForAUser(t *testing.T) {
	for name, user := range map[string]string{
		"none": "", "none beside a number": "", "one with a recipient in it": "eva@example.org, mallory", "one with a domain": `DOM\eva`, "one with a blank": "eva x", "one beyond ASCII": "jürgen",
	} {
		gateway := fakes.NewSMTP(t, mailtest.Behaviour{})
		req := byMail(gateway.Address)
		req.SMTP.To, req.Text.User = "%USER%@sms.example.org", user
		if name == "none beside a number" {
			req.SMTP.To = "%USER%%NUMBER%@sms.example.org"
		}
		got := Run(ctxFor(t), req, nil)
		if got.Problem != deliver.ProblemSettings || got.Detail != "sms.to makes no mail address of this user" || gateway.Commands() != "" {
			t.Errorf("%s: %+v, heard %q", name, got, gateway.Commands())
		}
	}
}

func TestACheckOfAGateway(t *testing.T) {
	gateway := fakes.NewSMTP(t, mailtest.Behaviour{STARTTLS: true, Auth: true})
	req := byMail(gateway.Address)
	req.Text, req.SMTP.User, req.SMTP.Password = nil, "carol", mailPassword
	for _, kind := range []deliver.Kind{deliver.KindCheck, deliver.KindAccount} {
		req.Kind = kind
		if got := run(ctxFor(t), network{roots: gateway.Roots}, req, nil); got.State != deliver.StateOK || got.Account.Name != gateway.Address {
			t.Errorf("%s: %+v", kind, got)
		}
		if got := Run(ctxFor(t), req, nil); got.Problem != deliver.ProblemTLS {
			t.Errorf("%s of a stranger: %+v", kind, got)
		}
	}
	if len(gateway.Taken()) != 0 || strings.Contains(gateway.Commands(), "MAIL") {
		t.Errorf("heard %q", gateway.Commands())
	}
}

func TestAGatewayThatIsNotThere(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	if got := Run(ctxFor(t), byMail(address), nil); got.Problem != deliver.ProblemUnreachable || !strings.Contains(got.Detail, "connection refused") {
		t.Errorf("%+v", got)
	}
	if f := mailFailure(ctxFor(t), "mail.example.org:465", &net.OpError{Op: "read", Err: &timedOut{}}); !strings.Contains(f.(*failure).advice, "587") {
		t.Errorf("%+v", f)
	}
}

// timedOut is what a connection says whose time is over.
type timedOut struct{}

func (*timedOut) Error() string   { return "i/o timeout" }
func (*timedOut) Timeout() bool   { return true }
func (*timedOut) Temporary() bool { return true }

// remote is a connection to an address.
type remote struct {
	net.Conn
	to net.Addr
}

func (r remote) RemoteAddr() net.Addr { return r.to }

// Attack: read the codes on their way, or listen at the port of this host's mail server while it is down.
func TestWithoutTLSATextGoesToAServerOfThisHostOnly(t *testing.T) {
	if err := onThisHost(remote{to: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 25}}); err == nil {
		t.Error("to another host")
	}
	for uid, may := range map[int]bool{0: true, 998: true, 23456: false} {
		var gateway *fakes.SMTP
		asUser(t, uid, func() { gateway = fakes.NewSMTP(t, mailtest.Behaviour{}) })
		got := Run(ctxFor(t), byMail(gateway.Address), nil)
		checkClean(t, byMail(gateway.Address), got)
		if sent := len(gateway.Texts()) == 1; sent != may || !may && got.Problem != deliver.ProblemTLS {
			t.Errorf("to one of the user %d: %+v", uid, got)
		}
	}
}

package provider

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"strings"
	"time"

	"twokey/deliver"
	"twokey/internal/mail"
)

// A mail to a gateway that makes a text message of it: the message alone, without a subject, to an address with the number in it. What package
// mail promises holds here: TLS where it is offered, no password without it, and no address that adds a recipient. A code goes under TLS, to a server
// with a good certificate, or to one of this host (see listener.go).

func (j *job) smtp(ctx context.Context) (deliver.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, j.req.Timeout)
	defer cancel()
	s := j.req.SMTP
	name, err := os.Hostname()
	if err != nil {
		name = "" // the greeting has another then
	}
	server := mail.Server{
		Address: s.Server, Name: name, User: s.User, Password: s.Password,
		Roots: j.net.roots, Private: onThisHost, Connect: j.req.Connect, Timeout: j.req.Timeout,
	}
	if j.req.Kind != deliver.KindText {
		if err := server.Check(); err != nil {
			return deliver.Answer{}, mailFailure(ctx, s.Server, err)
		}
		return deliver.Answer{State: deliver.StateOK, Account: &deliver.Account{Name: s.Server}}, nil
	}
	to, err := smtpAddress(s.To, j.req.Text)
	if err != nil {
		return deliver.Answer{}, err
	}
	if err := server.Send(mail.Message{From: s.From, To: to, Body: j.req.Text.Message + "\n", Date: time.Now()}); err != nil {
		return deliver.Answer{}, mailFailure(ctx, s.Server, err)
	}
	return deliver.Answer{State: deliver.StateSent}, nil
}

// onThisHost is nil for a connection that nobody can read on its way.
func onThisHost(conn net.Conn) error {
	if loopbackOnly("", conn.RemoteAddr().String(), nil) != nil {
		return errors.New("the server is not on this host")
	}
	return ofTheHost(conn)
}

// smtpAddress fills the address in.
//
// Attack: an account whose name adds a recipient; package mail refuses what is not one plain address, here it gets its word.
func smtpAddress(template string, text *deliver.Text) (string, error) {
	to := strings.NewReplacer("%NUMBER%", strings.TrimPrefix(text.Number, "+"), "%USER%", text.User).Replace(template)
	if mail.CheckAddress(to) != nil || strings.Contains(template, "%USER%") && text.User == "" {
		return "", &failure{
			problem: deliver.ProblemSettings, detail: "sms.to makes no mail address of this user",
			advice: "take the number: NUMBER@gateway.example.org, with %NUMBER% for its digits",
		}
	}
	return to, nil
}

// mailFailure finds the word for what a mail server does or says.
func mailFailure(ctx context.Context, address string, err error) error {
	said, f := new(textproto.Error), new(failure)
	switch {
	case errors.Is(err, mail.ErrNoTLS):
		return &failure{
			problem: deliver.ProblemTLS, detail: mail.ErrNoTLS.Error(),
			advice: "switch TLS on at the mail server, or take user and password_file out of sms where it lets this host send without",
		}
	case errors.Is(err, mail.ErrNotPrivate):
		return &failure{
			problem: deliver.ProblemTLS, detail: mail.ErrNotPrivate.Error(),
			advice: "switch TLS on at the mail server, with a certificate that this host trusts, or send by a mail server of this host: localhost:25",
		}
	case errors.Is(err, mail.ErrNoLogin):
		return &failure{problem: deliver.ProblemCredentials, detail: mail.ErrNoLogin.Error(), advice: "take user and password_file out of sms"}
	case errors.As(err, &said):
		return mailRefusal(said)
	}
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
		<-ctx.Done() // the connection's time ends with it, and may be heard of first, by half a line
	}
	err = ended(ctx, err)
	if _, port, split := net.SplitHostPort(address); split == nil && port == "465" && errors.As(err, &f) && f.problem == deliver.ProblemTimeout {
		f.advice = "port 465 begins with TLS, which is not spoken here: use the port with STARTTLS, mostly 587"
	}
	return err
}

// mailRefusal reads a reply of three digits (RFC 5321, section 4.2; RFC 4954, section 6).
func mailRefusal(said *textproto.Error) *failure {
	f := &failure{problem: deliver.ProblemRefused, detail: fmt.Sprintf("%d %s", said.Code, said.Msg), advice: "see whether the server takes mail of this host and sender, and the gateway such a recipient"}
	switch {
	case said.Code == 530 || said.Code == 534 || said.Code == 535 || said.Code == 538:
		f.problem, f.advice = deliver.ProblemCredentials, "see sms.user and the file sms.password_file"
	case said.Code >= 400 && said.Code < 500:
		f.problem, f.advice = deliver.ProblemServer, "the mail server says that it cannot now: its log has more"
	}
	return f
}

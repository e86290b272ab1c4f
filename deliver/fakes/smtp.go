package fakes

import (
	"io"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"testing"

	"twokey/internal/mail/mailtest"
)

// SMTP is a gateway that makes text messages of mails. What it offers and how it misbehaves says mailtest.Behaviour.
type SMTP struct {
	*mailtest.Server
	t *testing.T
}

// Text is a message that a gateway has taken.
type Text struct {
	To   string // the address, with the number in it
	From string
	Body string // without the last line feed
}

// NewSMTP starts a gateway on loopback that ends with the test.
func NewSMTP(t *testing.T, b mailtest.Behaviour) *SMTP { return &SMTP{mailtest.New(t, b), t} }

// Texts are the messages that it has taken, the oldest first. One that is no mail, or whose headers name others than its envelope, fails
// the test.
func (s *SMTP) Texts() []Text {
	s.t.Helper()
	var texts []Text
	for _, mail := range s.Taken() {
		m, err := netmail.ReadMessage(strings.NewReader(mail.Data))
		if err != nil {
			s.t.Errorf("the gateway got no mail: %v", err)
			continue
		}
		if "FROM:"+m.Header.Get("From") != mail.From || "TO:"+m.Header.Get("To") != mail.To {
			s.t.Errorf("the gateway got %s, %s with the headers %v", mail.From, mail.To, m.Header)
		}
		if subject := m.Header.Get("Subject"); subject != "" {
			s.t.Errorf("the gateway would send the subject %q too", subject)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
		if err != nil {
			s.t.Errorf("the gateway got a mail that it cannot read: %v", err)
		}
		texts = append(texts, Text{To: address(mail.To), From: address(mail.From), Body: strings.TrimSuffix(string(body), "\n")})
	}
	return texts
}

// address takes the address out of an argument of MAIL or RCPT.
func address(argument string) string {
	_, path, _ := strings.Cut(argument, ":")
	return strings.Trim(path, "<>")
}

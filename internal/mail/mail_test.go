package mail

import (
	"errors"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"twokey/internal/mail/mailtest"
)

var letter = Message{From: "twokey@example.org", To: "eva@example.org", Subject: "Ihr zweiter Faktor für host",
	Body: "Guten Tag,\n\nSie brauchen für host\n.\neinen zweiten Faktor. " + strings.Repeat("ü", 600) + "\n", Date: time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)}

func clientOf(s *mailtest.Server) Server {
	return Server{Address: s.Address, Timeout: 20 * time.Second}
}

func TestAMessageArrivesAsItWasWritten(t *testing.T) {
	s := mailtest.New(t, mailtest.Behaviour{})
	if err := clientOf(s).Send(letter); err != nil {
		t.Fatal(err)
	}
	mail := s.Taken()
	if len(mail) != 1 || mail[0].From != "FROM:<twokey@example.org>" || mail[0].To != "TO:<eva@example.org>" {
		t.Fatalf("%+v", mail)
	}
	got, err := netmail.ReadMessage(strings.NewReader(mail[0].Data))
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]string{
		"From": "<twokey@example.org>", "To": "<eva@example.org>", "Date": "Sun, 03 May 2026 12:00:00 +0000",
		"Auto-Submitted": "auto-generated", "Content-Type": "text/plain; charset=utf-8",
	} {
		if got.Header.Get(header) != want {
			t.Errorf("%s: %q", header, got.Header.Get(header))
		}
	}
	if subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject")); err != nil || subject != letter.Subject {
		t.Errorf("subject %q, %v", subject, err)
	}
	if id := got.Header.Get("Message-ID"); len(id) < 20 || !strings.HasSuffix(id, "@example.org>") {
		t.Errorf("Message-ID %q", id)
	}
	if body, err := io.ReadAll(quotedprintable.NewReader(got.Body)); err != nil || string(body) != letter.Body {
		t.Errorf("body %q, %v", body, err)
	}
	for line := range strings.Lines(mail[0].Data) {
		if len(line) > 998 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}

func TestNoAddressAndNoSubjectAddsAHeaderARecipientOrACommand(t *testing.T) {
	for name, spoil := range map[string]func(*Message){
		"a header by the subject":      func(m *Message) { m.Subject = "a\r\nBcc: x@example.org" },
		"a line feed in the subject":   func(m *Message) { m.Subject = "a\nBcc: x@example.org" },
		"a subject that is too long":   func(m *Message) { m.Subject = strings.Repeat("a", 901) },
		"a header by the address":      func(m *Message) { m.To = "eva@example.org\r\nBcc: x@example.org" },
		"a command by the address":     func(m *Message) { m.To = "eva@example.org>\r\nRCPT TO:<x@example.org" },
		"a second recipient":           func(m *Message) { m.To = "eva@example.org, x@example.org" },
		"a name before the address":    func(m *Message) { m.To = "Eva <eva@example.org>" },
		"a route":                      func(m *Message) { m.To = "@a.example,@b.example:eva@example.org" },
		"a quoted account":             func(m *Message) { m.To = `"eva x"@example.org` },
		"a comment":                    func(m *Message) { m.To = "eva(x)@example.org" },
		"a blank":                      func(m *Message) { m.To = "eva @example.org" },
		"a parameter of RCPT":          func(m *Message) { m.To = "eva@example.org> NOTIFY=NEVER" },
		"a domain's account":           func(m *Message) { m.To = `DOM\eva@example.org` },
		"a template for a whole name":  func(m *Message) { m.To = "eva@corp.example@example.org" },
		"a name beyond ASCII":          func(m *Message) { m.To = "jürgen@example.org" },
		"nobody":                       func(m *Message) { m.To = "" },
		"nobody at a host":             func(m *Message) { m.To = "@example.org" },
		"an account and no host":       func(m *Message) { m.To = "eva" },
		"an address that is too long":  func(m *Message) { m.To = strings.Repeat("a", 251) + "@b.c" },
		"a sender with a header in it": func(m *Message) { m.From = "a@example.org\nX: y" },
	} {
		s := mailtest.New(t, mailtest.Behaviour{})
		m := letter
		spoil(&m)
		if err := clientOf(s).Send(m); err == nil || errors.Is(err, ErrServer) {
			t.Errorf("%s: %v", name, err)
		}
		if heard := s.Commands(); heard != "" {
			t.Errorf("%s: the server heard %q", name, heard)
		}
	}
	for _, good := range []string{"eva@example.org", "eva.x+2fa@mail.example.org", "root@localhost", "o'brien@example.org", "-x@example.org"} {
		if err := CheckAddress(good); err != nil {
			t.Error(err)
		}
	}
}

func TestAPasswordIsSentUnderTLSToTheRightServerOnly(t *testing.T) {
	for name, c := range map[string]struct {
		is       mailtest.Behaviour
		password string
		trust    bool
		want     string // in the error; "": sent
	}{
		"right":                            {mailtest.Behaviour{STARTTLS: true, Auth: true}, "right", true, ""},
		"no STARTTLS":                      {mailtest.Behaviour{Auth: true}, "right", true, "no STARTTLS"},
		"a certificate that nobody signed": {mailtest.Behaviour{STARTTLS: true, Auth: true}, "right", false, "certificate"},
		"it takes no password":             {mailtest.Behaviour{STARTTLS: true}, "right", true, "takes no password"},
		"a wrong password":                 {mailtest.Behaviour{STARTTLS: true, Auth: true}, "wrong", true, "535"},
	} {
		s := mailtest.New(t, c.is)
		client := clientOf(s)
		client.User, client.Password = "carol", c.password
		if c.trust {
			client.Roots = s.Roots
		}
		err := client.Send(letter)
		if c.want == "" {
			if mail := s.Taken(); err != nil || len(mail) != 1 || !mail[0].Encrypted || mail[0].Login != "\x00carol\x00right" {
				t.Errorf("%s: %v, %+v", name, err, mail)
			}
			continue
		}
		if !errors.Is(err, ErrServer) || !strings.Contains(err.Error(), c.want) || len(s.Taken()) != 0 {
			t.Errorf("%s: %v, %+v", name, err, s.Taken())
		}
		if c.want != "535" && strings.Contains(s.Commands(), "AUTH") {
			t.Errorf("%s: the password was sent", name)
		}
	}
}

func TestACheckFindsWhatAMessageWouldFind(t *testing.T) {
	for name, c := range map[string]struct {
		is       mailtest.Behaviour
		password string
		want     error // nil: it would go
	}{
		"right":                                 {mailtest.Behaviour{STARTTLS: true, Auth: true}, "right", nil},
		"without a login":                       {mailtest.Behaviour{}, "", nil},
		"no STARTTLS":                           {mailtest.Behaviour{Auth: true}, "right", ErrNoTLS},
		"it takes no password":                  {mailtest.Behaviour{STARTTLS: true}, "right", ErrNoLogin},
		"a wrong password":                      {mailtest.Behaviour{STARTTLS: true, Auth: true}, "wrong", ErrServer},
		"a greeting that sends us away":         {mailtest.Behaviour{Says: map[string]string{"greeting": "554 go away"}}, "", ErrServer},
		"an answer to EHLO that sends us away":  {mailtest.Behaviour{Says: map[string]string{"EHLO": "554 go away", "HELO": "554 go away"}}, "", ErrServer},
		"a greeting of something else":          {mailtest.Behaviour{Says: map[string]string{"greeting": "HTTP/1.1 400 Bad Request"}}, "", ErrServer},
		"a server that goes away after a login": {mailtest.Behaviour{DropAt: "NOOP"}, "", ErrServer},
	} {
		s := mailtest.New(t, c.is)
		client := clientOf(s)
		client.Roots = s.Roots
		if c.password != "" {
			client.User, client.Password = "carol", c.password
		}
		err := client.Check()
		if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) || err != nil && !errors.Is(err, ErrServer) {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(s.Commands(), "MAIL") {
			t.Errorf("%s: the server heard %q", name, s.Commands())
		}
	}
}

func TestAServerThatTalksWithoutEndIsNotKept(t *testing.T) {
	for _, at := range []string{"greeting", "EHLO", "RCPT"} {
		for name, says := range map[string]string{"one line": "250 " + strings.Repeat("a", 5<<20), "many lines": strings.Repeat("250-a\r\n", 1<<20)} {
			s := mailtest.New(t, mailtest.Behaviour{Says: map[string]string{at: says}})
			if err := clientOf(s).Send(letter); !errors.Is(err, errTalks) {
				t.Errorf("%s at %s: %.100v", name, at, err)
			}
		}
	}
}

func TestAConnectionHasItsOwnTime(t *testing.T) {
	err := Server{Address: "127.0.0.1:1", Connect: time.Nanosecond, Timeout: time.Hour}.Check()
	var slow net.Error
	if !errors.Is(err, ErrServer) || !errors.As(err, &slow) || !slow.Timeout() {
		t.Errorf("%v", err)
	}
}

func TestTLSIsUsedWhereItIsOffered(t *testing.T) {
	s := mailtest.New(t, mailtest.Behaviour{STARTTLS: true})
	if err := clientOf(s).Send(letter); err != nil {
		t.Fatal(err)
	}
	if mail := s.Taken(); len(mail) != 1 || !mail[0].Encrypted {
		t.Errorf("%+v", mail)
	}
}

func TestItEndsWhateverTheServerDoes(t *testing.T) {
	for name, c := range map[string]struct {
		is     mailtest.Behaviour
		server bool // no other message would go either
	}{
		"hangs before the greeting": {mailtest.Behaviour{HangAt: "greeting"}, true},
		"hangs at the recipient":    {mailtest.Behaviour{HangAt: "RCPT"}, true},
		"hangs after the message":   {mailtest.Behaviour{HangAt: "."}, true},
		"answers without an end":    {mailtest.Behaviour{Trickle: true}, true},
		"drops the greeting":        {mailtest.Behaviour{DropAt: "greeting"}, true},
		"drops the recipient":       {mailtest.Behaviour{DropAt: "RCPT"}, false},
		"drops the message":         {mailtest.Behaviour{DropAt: "."}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := mailtest.New(t, c.is)
			client := clientOf(s)
			if c.is.HangAt != "" || c.is.Trickle {
				client.Timeout = 300 * time.Millisecond
			}
			err := client.Send(letter)
			if err == nil || errors.Is(err, ErrServer) != c.server || len(s.Taken()) != 0 {
				t.Errorf("%v, %+v", err, s.Taken())
			}
		})
	}
}

func TestAMessageThatWasTakenIsSent(t *testing.T) {
	for _, at := range []string{"drop", "hang"} {
		b := mailtest.Behaviour{DropAt: "QUIT"}
		if at == "hang" {
			b = mailtest.Behaviour{HangAt: "QUIT"}
		}
		s := mailtest.New(t, b)
		client := clientOf(s)
		client.Timeout = 2 * time.Second
		if err := client.Send(letter); err != nil || len(s.Taken()) != 1 {
			t.Errorf("%s at QUIT: %v", at, err)
		}
	}
}

func TestARefusedRecipientIsNotTheServersFault(t *testing.T) {
	s := mailtest.New(t, mailtest.Behaviour{Refuse: "eva@"})
	err := clientOf(s).Send(letter)
	var said *textproto.Error
	if !errors.As(err, &said) || said.Code != 550 || errors.Is(err, ErrServer) {
		t.Errorf("%v", err)
	}
	other := letter
	other.To = "bob@example.org"
	if err := clientOf(s).Send(other); err != nil || len(s.Taken()) != 1 {
		t.Errorf("the next one: %v", err)
	}
}

func TestNoServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{free, "", "nobody", "127.0.0.1:x"} {
		if err := (Server{Address: address, Timeout: 5 * time.Second}).Send(letter); !errors.Is(err, ErrServer) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

var addressSeeds = []string{"eva@example.org", "\"a b\"@x", "a@b\r\nc", "a,b@c", "@a:b@c", "DOM\\a@b", "a@[127.0.0.1]"}

// FuzzCheckAddress: what is accepted is one word that stands in a header and a command as it is.
func FuzzCheckAddress(f *testing.F) {
	if len(addressSeeds) != 7 {
		f.Fatalf("%d seeds", len(addressSeeds))
	}
	for _, seed := range addressSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if CheckAddress(address) != nil {
			return
		}
		if strings.ContainsAny(address, " \t\r\n<>(),:;\"\\") || strings.Count(address, "@") != 1 || len(address) > 254 {
			t.Errorf("%q was accepted", address)
		}
	})
}

// Attack: read the codes of logins on their way to a gateway, or answer in its place.
func TestWhatIsSecretIsSentUnderTLSToTheRightServerOrToOneThatIsKnown(t *testing.T) {
	stranger := func(net.Conn) error { return errors.New("far away") }
	known := func(net.Conn) error { return nil }
	for sentence, c := range map[string]struct {
		is      mailtest.Behaviour
		private func(net.Conn) error
		trust   bool
		sent    bool
		reason  error
	}{
		"TLS with a good certificate":               {mailtest.Behaviour{STARTTLS: true}, stranger, true, true, nil},
		"TLS with a certificate that nobody signed": {mailtest.Behaviour{STARTTLS: true}, stranger, false, false, nil},
		"the offer was taken out":                   {mailtest.Behaviour{}, stranger, true, false, ErrNotPrivate},
		"no TLS, and it is known":                   {mailtest.Behaviour{}, known, true, true, nil},
		"a certificate of nobody, and it is known":  {mailtest.Behaviour{STARTTLS: true}, known, false, true, nil},
		"no TLS, and nothing is secret":             {mailtest.Behaviour{}, nil, true, true, nil},
	} {
		s := mailtest.New(t, c.is)
		client := clientOf(s)
		client.Private = c.private
		if c.trust {
			client.Roots = s.Roots
		}
		err := client.Send(letter)
		taken := len(s.Taken())
		if (err == nil) != c.sent || c.reason != nil && !errors.Is(err, c.reason) || (taken == 1) != c.sent {
			t.Errorf("%s: %v, %d messages", sentence, err, taken)
		}
	}
}

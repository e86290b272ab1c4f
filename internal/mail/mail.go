// Package mail sends one plain text to one address over SMTP (RFC 5321), in a connection of its own. Its duty is that what stands in
// a message cannot become anything but that message.
//
// What it must and must not do, each with a test of the same name:
//
//   - MUST NOT let an address or a subject add a header, a recipient or a command: an address is one plain ASCII addr-spec
//     (RFC 5322, section 3.4.1), a subject is one line. Attack: the name of an account, which a template makes an address of.
//   - MUST NOT send a password but under TLS, to a server whose certificate is good for its name. Attack: somebody on the way takes the
//     offer of STARTTLS out of the server's answer.
//   - MUST use TLS where the server offers it. Without a password or a secret its certificate is not looked at: whoever could show a wrong one
//     could as well take the offer out, and Debian's mail servers come with one that nobody has signed.
//   - MUST NOT send what is secret but under TLS to a server whose certificate is good for its name, or to one that the caller knows otherwise.
//     Attack: read the codes of logins on their way to a gateway.
//   - MUST end, whatever the server does or does not.
//   - MUST NOT read more than 64 KiB from a server, in one connection: a line that never ends would be kept whole.
package mail

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"net/smtp"
	"strings"
	"time"
	"unicode"
)

// ErrServer says that no message can be sent to this server now: it is not there, is not who it should be, refuses the password, or
// does not answer in time. Every other error is about the one message.
var ErrServer = errors.New("the mail server cannot be used")

// A password, or with ErrNotPrivate a message, is not sent to a server of which one of these is true; they come with ErrServer.
var (
	ErrNoTLS      = errors.New("it offers no STARTTLS, and a password is not sent without")
	ErrNoLogin    = errors.New("it takes no password")
	ErrNotPrivate = errors.New("it offers no STARTTLS, and what is sent is secret")
)

// errTalks ends a connection with a server that says too much.
var errTalks = errors.New("it says more than a mail server has to say")

// maxHeard is the most that is read in one connection, in bytes; certificates are among it.
const maxHeard = 64 << 10

// usualTimeout is for one message: servers take their time with a stranger, and one that hangs is to be noticed by whoever waits.
const usualTimeout = time.Minute

// maxSubject is the longest subject, in bytes: a line of a message has at most 998 (RFC 5322, section 2.1.1).
const maxSubject = 900

// Server is where messages go.
type Server struct {
	Address  string         // host:port
	Name     string         // of this host, for the greeting; "": localhost
	User     string         // "": without a login
	Password string         // sent if User is not ""
	Roots    *x509.CertPool // who signs the server's certificate; nil: whom the system trusts
	Timeout  time.Duration  // for one message, connecting included; 0: a minute
	// Private is for messages that are secret: nil from it says that a connection will do without a certificate. Without it each will.
	Private func(net.Conn) error
	Connect time.Duration // to be connected; 0: as long as Timeout
}

// Message is a text on its way from one address to another.
type Message struct {
	From, To string // plain addresses: root@example.org
	Subject  string // one line of at most 900 bytes
	Body     string // lines that end with a line feed
	Date     time.Time
}

// Send hands a message to the server. Nil means that the server has taken it.
func (s Server) Send(m Message) error {
	content, err := m.content()
	if err != nil {
		return err
	}
	c, err := s.connect()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrServer, err)
	}
	defer c.Close()
	if err := deliver(c, m, content); err != nil {
		var slow net.Error
		if errors.As(err, &slow) && slow.Timeout() {
			return fmt.Errorf("%w: %w", ErrServer, err)
		}
		return err
	}
	return nil
}

// Check does what Send does before the message: it finds out whether the server is there, is who it should be, and takes the password. Its
// error is an ErrServer.
func (s Server) Check() error {
	c, err := s.connect()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrServer, err)
	}
	defer c.Close()
	// What went wrong with the greeting is said at the next command.
	if err := c.Noop(); err != nil {
		return fmt.Errorf("%w: %w", ErrServer, err)
	}
	_ = c.Quit() // it has said what was asked
	return nil
}

// connect is everything before the message. The deadline is for all that follows, however little the server sends at a time.
func (s Server) connect() (*smtp.Client, error) {
	host, _, err := net.SplitHostPort(s.Address)
	if err != nil {
		return nil, err
	}
	timeout := s.Timeout
	if timeout == 0 {
		timeout = usualTimeout
	}
	deadline := time.Now().Add(timeout)
	conn, err := (&net.Dialer{Deadline: deadline, Timeout: s.Connect}).Dial("tcp", s.Address)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	c, err := smtp.NewClient(&heard{conn, maxHeard}, host) // which closes the connection when it fails
	if err != nil {
		return nil, err
	}
	if err := s.introduce(c, conn, host); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// heard is a connection from which only so much is read.
type heard struct {
	net.Conn
	left int
}

// Read fails with errTalks when the server has said as much as is read of it.
func (h *heard) Read(p []byte) (int, error) {
	if h.left <= 0 {
		return 0, errTalks
	}
	n, err := h.Conn.Read(p[:min(len(p), h.left)])
	h.left -= n
	return n, err
}

// introduce says who we are, in secret where that is possible.
func (s Server) introduce(c *smtp.Client, conn net.Conn, host string) error {
	var notPrivate error
	if s.Private != nil {
		notPrivate = s.Private(conn)
	}
	if s.Name != "" {
		if err := c.Hello(s.Name); err != nil {
			return err
		}
	}
	encrypted, _ := c.Extension("STARTTLS")
	if encrypted {
		config := &tls.Config{ServerName: host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12, InsecureSkipVerify: s.User == "" && notPrivate == nil}
		if err := c.StartTLS(config); err != nil {
			return err
		}
	}
	switch {
	case !encrypted && notPrivate != nil:
		return fmt.Errorf("%w: %w", ErrNotPrivate, notPrivate)
	case s.User == "":
		return nil
	case !encrypted:
		return ErrNoTLS
	}
	if offered, _ := c.Extension("AUTH"); !offered {
		return ErrNoLogin
	}
	return c.Auth(smtp.PlainAuth("", s.User, s.Password, host))
}

func deliver(c *smtp.Client, m Message, content []byte) error {
	if err := c.Mail(m.From); err != nil {
		return fmt.Errorf("sender %s: %w", m.From, err)
	}
	if err := c.Rcpt(m.To); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = c.Quit() // it has the message, whatever it says to this
	return nil
}

// content is the message with its headers (RFC 5322, RFC 2045); lines are ended by net/smtp.
func (m Message) content() ([]byte, error) {
	for _, address := range []string{m.From, m.To} {
		if err := CheckAddress(address); err != nil {
			return nil, err
		}
	}
	if len(m.Subject) > maxSubject || strings.ContainsFunc(m.Subject, unicode.IsControl) {
		return nil, fmt.Errorf("the subject %.80q is not one line of at most %d bytes", m.Subject, maxSubject)
	}
	_, domain, _ := strings.Cut(m.From, "@")
	var b bytes.Buffer
	for _, header := range [][2]string{
		{"From", "<" + m.From + ">"},
		{"To", "<" + m.To + ">"},
		{"Subject", mime.QEncoding.Encode("utf-8", m.Subject)},
		{"Date", m.Date.Format(time.RFC1123Z)},
		{"Message-ID", "<" + rand.Text() + "@" + domain + ">"},
		{"Auto-Submitted", "auto-generated"}, // RFC 3834: nobody's absence note answers it
		{"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Transfer-Encoding", "quoted-printable"},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", header[0], header[1])
	}
	b.WriteString("\r\n")
	body := quotedprintable.NewWriter(&b)
	_, err := body.Write([]byte(m.Body))
	return b.Bytes(), errors.Join(err, body.Close())
}

// CheckAddress refuses what is not one plain ASCII address: no name before it, no comment, no quotes, and nothing that would end it.
func CheckAddress(address string) error {
	_, err := netmail.ParseAddress(address)
	plain := !strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"<>()[],:;\`, r) })
	if err != nil || !plain || len(address) > 254 {
		return fmt.Errorf("%.80q is no plain mail address", address)
	}
	return nil
}

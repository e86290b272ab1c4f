// Package mailtest is a mail server for tests: a real SMTP listener on loopback that can misbehave.
package mailtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"
)

// Behaviour is what a server offers, and what it does otherwise than it should. A command is EHLO, MAIL and so on, "." the end of a
// message, "greeting" what comes before the first.
type Behaviour struct {
	STARTTLS bool
	Auth     bool   // takes the password "right" of carol
	Refuse   string // the recipient that it does not know
	HangAt   string // the command that it never answers
	DropAt   string // the command at which it closes the line
	Times    int    // how often it drops the line; 0: always
	Trickle  bool   // it answers the first command a byte at a time, and never ends

	Says map[string]string // by command, what it answers instead of agreeing; lines without the last line feed
}

// Received is a message that the server has taken.
type Received struct {
	From, To, Data string // the arguments of MAIL and RCPT, and the message
	Encrypted      bool
	Login          string // what AUTH PLAIN gave
}

// Server is the listener. It ends with the test.
type Server struct {
	Address string
	PEM     []byte         // its certificate, which it has signed itself
	Roots   *x509.CertPool // which trusts that

	is    Behaviour
	cert  tls.Certificate
	mu    sync.Mutex
	mail  []Received
	heard []string // every command, of all connections
	drops int
}

// New starts a server.
func New(t *testing.T, b Behaviour) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{is: b, Address: listener.Addr().String()}
	s.makeCertificate(t, net.IPv4(127, 0, 0, 1))
	var open sync.WaitGroup
	closing := make(chan struct{})
	open.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() { (&session{Server: s, conn: conn, closing: closing}).serve() })
		}
	})
	t.Cleanup(func() {
		close(closing)
		listener.Close()
		open.Wait()
	})
	return s
}

// Taken lists the messages that the server has taken, oldest first.
func (s *Server) Taken() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Received(nil), s.mail...)
}

// Commands lists what the server was told, one line each.
func (s *Server) Commands() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.heard, "\n")
}

func (s *Server) makeCertificate(t *testing.T, ip net.IP) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{ip}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s.Roots = x509.NewCertPool()
	s.Roots.AddCert(parsed)
	s.PEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// session is one connection.
type session struct {
	*Server
	conn    net.Conn
	closing chan struct{}
	text    *textproto.Conn
	now     Received
}

func (c *session) serve() {
	defer func() { c.conn.Close() }()
	c.text = textproto.NewConn(c.conn)
	if !c.answer("greeting", "220 test ESMTP") {
		return
	}
	for {
		line, err := c.text.ReadLine()
		if err != nil {
			return
		}
		c.mu.Lock()
		c.heard = append(c.heard, line)
		c.mu.Unlock()
		verb, rest, _ := strings.Cut(line, " ")
		if !c.obey(strings.ToUpper(verb), rest) {
			return
		}
	}
}

// answer says something, or does not where this server is known for that; false ends the connection.
func (c *session) answer(verb, text string) bool {
	switch {
	case c.is.HangAt == verb:
		<-c.closing
		return false
	case c.is.DropAt == verb && c.drop():
		return false
	case c.is.Trickle:
		for {
			select {
			case <-c.closing:
				return false
			case <-time.After(5 * time.Millisecond):
				if _, err := c.conn.Write([]byte("2")); err != nil {
					return false
				}
			}
		}
	}
	if said, otherwise := c.is.Says[verb]; otherwise {
		text = said
	}
	return c.text.PrintfLine("%s", text) == nil
}

// drop reports whether the line is to be closed once more.
func (c *session) drop() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drops++
	return c.is.Times == 0 || c.drops <= c.is.Times
}

func (c *session) obey(verb, rest string) bool {
	switch verb {
	case "EHLO":
		return c.answer(verb, c.extensions())
	case "STARTTLS":
		if !c.answer(verb, "220 go on") {
			return false
		}
		c.conn = tls.Server(c.conn, &tls.Config{Certificates: []tls.Certificate{c.cert}})
		c.text, c.now.Encrypted = textproto.NewConn(c.conn), true
		return true
	case "AUTH":
		return c.login(strings.TrimPrefix(rest, "PLAIN "))
	case "MAIL":
		c.now.From = rest
		return c.answer(verb, "250 ok")
	case "RCPT":
		if c.is.Refuse != "" && strings.Contains(rest, c.is.Refuse) {
			return c.answer(verb, "550 5.1.1 no such mailbox")
		}
		c.now.To = rest
		return c.answer(verb, "250 ok")
	case "DATA":
		return c.answer(verb, "354 go on") && c.data()
	case "NOOP":
		return c.answer(verb, "250 ok")
	case "QUIT":
		c.answer(verb, "221 bye")
		return false
	}
	return c.answer(verb, "502 what?")
}

func (c *session) extensions() string {
	lines := []string{"test"}
	if c.is.STARTTLS && !c.now.Encrypted {
		lines = append(lines, "STARTTLS")
	}
	if c.is.Auth {
		lines = append(lines, "AUTH PLAIN")
	}
	return "250-" + strings.Join(lines, "\r\n250-") + "\r\n250 SIZE 100000"
}

func (c *session) login(encoded string) bool {
	plain, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || string(plain) != "\x00carol\x00right" {
		return c.answer("AUTH", "535 5.7.8 no")
	}
	c.now.Login = string(plain)
	return c.answer("AUTH", "235 ok")
}

func (c *session) data() bool {
	data, err := c.text.ReadDotBytes()
	if err != nil {
		return false
	}
	if !c.answer(".", "250 taken") {
		return false
	}
	if c.is.Says["."] != "" {
		return true
	}
	c.now.Data = string(data)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mail = append(c.mail, c.now)
	return true
}

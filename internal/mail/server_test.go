package mail

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"
)

// behaviour is what a test's mail server does otherwise than it should.
type behaviour struct {
	starttls bool
	auth     bool
	refuse   string // the recipient that it does not know
	hangAt   string // the command that it never answers; "greeting"
	dropAt   string // the command at which it closes the line
	trickle  bool   // it answers the first command a byte at a time, and never ends
}

// received is a message that the server has taken.
type received struct {
	from, to, data string
	encrypted      bool
	login          string // what AUTH PLAIN gave
}

// server is a real SMTP listener on loopback.
type server struct {
	behaviour
	address string
	cert    tls.Certificate
	roots   *x509.CertPool
	mu      sync.Mutex
	mail    []received
	heard   []string // every command, of all connections
}

func newServer(t *testing.T, b behaviour) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{behaviour: b, address: listener.Addr().String()}
	s.cert, s.roots = certificate(t, net.IPv4(127, 0, 0, 1))
	var open sync.WaitGroup
	closing := make(chan struct{})
	open.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() { (&session{server: s, conn: conn, closing: closing}).serve() })
		}
	})
	t.Cleanup(func() {
		close(closing)
		listener.Close()
		open.Wait()
	})
	return s
}

func (s *server) client() Server { return Server{Address: s.address, Timeout: 20 * time.Second} }

func (s *server) taken() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.mail...)
}

func (s *server) commands() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.heard, "\n")
}

func certificate(t *testing.T, ip net.IP) (tls.Certificate, *x509.CertPool) {
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
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// session is one connection.
type session struct {
	*server
	conn    net.Conn
	closing chan struct{}
	text    *textproto.Conn
	now     received
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
	case c.hangAt == verb:
		<-c.closing
		return false
	case c.dropAt == verb:
		return false
	case c.trickle:
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
	return c.text.PrintfLine("%s", text) == nil
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
		c.text, c.now.encrypted = textproto.NewConn(c.conn), true
		return true
	case "AUTH":
		return c.login(strings.TrimPrefix(rest, "PLAIN "))
	case "MAIL":
		c.now.from = rest
		return c.answer(verb, "250 ok")
	case "RCPT":
		if c.refuse != "" && strings.Contains(rest, c.refuse) {
			return c.answer(verb, "550 5.1.1 no such mailbox")
		}
		c.now.to = rest
		return c.answer(verb, "250 ok")
	case "DATA":
		return c.answer(verb, "354 go on") && c.data()
	case "QUIT":
		c.answer(verb, "221 bye")
		return false
	}
	return c.answer(verb, "502 what?")
}

func (c *session) extensions() string {
	lines := []string{"test"}
	if c.starttls && !c.now.encrypted {
		lines = append(lines, "STARTTLS")
	}
	if c.auth {
		lines = append(lines, "AUTH PLAIN")
	}
	return "250-" + strings.Join(lines, "\r\n250-") + "\r\n250 SIZE 100000"
}

func (c *session) login(encoded string) bool {
	plain, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || string(plain) != "\x00carol\x00right" {
		return c.answer("AUTH", "535 5.7.8 no")
	}
	c.now.login = string(plain)
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
	c.now.data = string(data)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mail = append(c.mail, c.now)
	return true
}

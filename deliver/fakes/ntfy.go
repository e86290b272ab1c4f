package fakes

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Message is a line of an ntfy subscription.
type Message struct {
	ID       string   `json:"id"`
	Time     int64    `json:"time"`
	Expires  int64    `json:"expires,omitempty"`
	Event    string   `json:"event"` // open, keepalive or message
	Topic    string   `json:"topic"`
	Title    string   `json:"title,omitempty"`
	Message  string   `json:"message,omitempty"`
	Priority int      `json:"priority,omitempty"`
	Tags     []string `json:"tags,omitempty"`
	Actions  []Action `json:"actions,omitempty"`
}

// Action is a button of a message.
type Action struct {
	ID      string            `json:"id,omitempty"`
	Action  string            `json:"action"`
	Label   string            `json:"label"`
	URL     string            `json:"url"`
	Method  string            `json:"method,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
	Clear   bool              `json:"clear,omitempty"`
}

// Ntfy is an ntfy server with access control: nobody may do anything that Grant does not allow. Its kinds of requests for SetDay are
// subscribe, publish (JSON to /), answer (text to a topic), auth, account and health.
type Ntfy struct {
	*weather
	server *httptest.Server

	mu            sync.Mutex
	users         map[string]string // by token
	rules         []ntfyRule
	subscriptions map[*ntfySubscription]bool
	most          int // subscriptions that were open at once
	limit         int // of open subscriptions
	published     []Message
	stored        []Message
}

type ntfySubscription struct {
	topic  string
	events chan Message
}

// NewNtfy starts a server on loopback that ends with the test.
func NewNtfy(t testing.TB) *Ntfy { return newNtfy(t, false) }

// NewNtfyTLS starts one whose certificate only Roots knows.
func NewNtfyTLS(t testing.TB) *Ntfy { return newNtfy(t, true) }

func newNtfy(t testing.TB, encrypted bool) *Ntfy {
	n := &Ntfy{weather: newWeather(), users: map[string]string{}, subscriptions: map[*ntfySubscription]bool{}, limit: 30}
	n.server = httptest.NewUnstartedServer(n)
	n.server.Config.ErrorLog = discard()
	if encrypted {
		n.server.StartTLS()
	} else {
		n.server.Start()
	}
	t.Cleanup(func() {
		close(n.closed)
		n.server.CloseClientConnections()
		n.server.Close()
		n.report(t, "ntfy")
	})
	return n
}

// URL is the address of the server.
func (n *Ntfy) URL() string { return n.server.URL }

// Roots knows the certificate of a server with TLS.
func (n *Ntfy) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(n.server.Certificate())
	return pool
}

// LimitSubscriptions sets how many one visitor may have open; a new server allows 30.
func (n *Ntfy) LimitSubscriptions(limit int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.limit = limit
}

// Published are all messages that the server has taken, answers too.
func (n *Ntfy) Published() []Message {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.published)
}

// Stored are the messages that the server was not told to forget.
func (n *Ntfy) Stored() []Message {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.stored)
}

// Subscriptions is how many are open now, and how many were at most.
func (n *Ntfy) Subscriptions() (now, most int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.subscriptions), n.most
}

var (
	jsonPath  = regexp.MustCompile(`^/([-_A-Za-z0-9]{1,64})/json$`)
	authPath  = regexp.MustCompile(`^/([-_A-Za-z0-9]{1,64})/auth$`)
	topicPath = regexp.MustCompile(`^/([-_A-Za-z0-9]{1,64})$`)
)

// ServeHTTP answers as an ntfy server does.
func (n *Ntfy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // gone
	}
	kind, topic := ntfyKind(r)
	if n.spoil(w, r, kind, string(body)) {
		return
	}
	user, ok := n.user(r)
	if !ok {
		ntfyError(w, 401, 40101, "unauthorized")
		return
	}
	switch kind {
	case "health":
		write(w, 200, "application/json", `{"healthy":true}`+"\n")
	case "account":
		n.account(w, user)
	case "subscribe":
		n.subscribe(w, r, user, topic)
	case "auth":
		if !n.may(user, topic, readRight) {
			ntfyError(w, 403, 40301, "forbidden")
			return
		}
		write(w, 200, "application/json", `{"success":true}`+"\n")
	case "publish":
		n.publish(w, r, user, body)
	case "answer":
		n.take(w, r, user, Message{Topic: topic, Message: string(body)}, r.Header.Get("Cache") == "no")
	default:
		n.fault(r.Method + " " + r.URL.Path)
		ntfyError(w, 404, 40401, "page not found")
	}
}

func ntfyKind(r *http.Request) (kind, topic string) {
	find := func(pattern *regexp.Regexp) bool {
		m := pattern.FindStringSubmatch(r.URL.Path)
		if m != nil {
			topic = m[1]
		}
		return m != nil
	}
	switch get, post := r.Method == http.MethodGet, r.Method == http.MethodPost; {
	case get && r.URL.Path == "/v1/health":
		return "health", ""
	case get && r.URL.Path == "/v1/account":
		return "account", ""
	case get && find(jsonPath):
		return "subscribe", topic
	case get && find(authPath):
		return "auth", topic
	case post && r.URL.Path == "/":
		return "publish", ""
	case post && find(topicPath):
		return "answer", topic
	}
	return "", ""
}

func ntfyError(w http.ResponseWriter, status, code int, text string) {
	body, err := json.Marshal(map[string]any{"code": code, "http": status, "error": text, "link": "https://ntfy.sh/docs/publish/"})
	if err != nil {
		panic(err)
	}
	write(w, status, "application/json", string(body)+"\n")
}

func (n *Ntfy) account(w http.ResponseWriter, user string) {
	role := "user"
	if user == everyone {
		role = "anonymous"
	}
	write(w, 200, "application/json", fmt.Sprintf(`{"username":%q,"role":%q,"limits":{"basis":"ip"}}`+"\n", user, role))
}

// subscribe streams what is published from now on.
func (n *Ntfy) subscribe(w http.ResponseWriter, r *http.Request, user, topic string) {
	if !n.may(user, topic, readRight) {
		ntfyError(w, 403, 40301, "forbidden")
		return
	}
	s := &ntfySubscription{topic, make(chan Message, 100)}
	if !n.add(s) {
		ntfyError(w, 429, 42903, "limit reached: too many active subscriptions, please be nice")
		return
	}
	defer n.remove(s)
	w.Header().Set("Content-Type", "application/x-ndjson; charset=utf-8")
	s.events <- newMessage("open", topic)
	s.events <- newMessage("keepalive", topic) // the real one sends it every 45 s
	flush := http.NewResponseController(w).Flush
	for {
		select {
		case m := <-s.events:
			if json.NewEncoder(w).Encode(m) != nil || flush() != nil {
				return // gone
			}
		case <-r.Context().Done():
			return
		case <-n.closed:
			return
		}
	}
}

func (n *Ntfy) add(s *ntfySubscription) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.subscriptions) >= n.limit {
		return false
	}
	n.subscriptions[s] = true
	n.most = max(n.most, len(n.subscriptions))
	return true
}

func (n *Ntfy) remove(s *ntfySubscription) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.subscriptions, s)
}

// take publishes a message to who listens.
func (n *Ntfy) take(w http.ResponseWriter, r *http.Request, user string, m Message, forget bool) {
	if !n.may(user, m.Topic, writeRight) {
		ntfyError(w, 403, 40301, "forbidden")
		return
	}
	fresh := newMessage("message", m.Topic)
	m.ID, m.Time, m.Event = fresh.ID, fresh.Time, fresh.Event
	if m.Message == "" {
		m.Message = "triggered"
	}
	n.mu.Lock()
	n.published = append(n.published, m)
	if !forget {
		m.Expires = m.Time + 12*60*60
		n.stored = append(n.stored, m)
	}
	for s := range n.subscriptions {
		if s.topic == m.Topic {
			s.events <- m
		}
	}
	n.mu.Unlock()
	line, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	write(w, 200, "application/json", string(line)+"\n")
}

func newMessage(event, topic string) Message {
	return Message{ID: strings.ToLower(rand.Text())[:12], Time: time.Now().Unix(), Event: event, Topic: topic}
}

// Hangup ends all subscriptions, as a server that is started again does.
func (n *Ntfy) Hangup() { n.server.CloseClientConnections() }

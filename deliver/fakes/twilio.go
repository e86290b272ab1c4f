package fakes

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"
)

// What the account of a Twilio server is known by. The number is one that Twilio keeps for tests.
const (
	TwilioSID       = "AC0123456789abcdef0123456789abcdef"
	TwilioToken     = "f0e1d2c3b4a5968778695a4b3c2d1e0f"
	TwilioKeySID    = "SKfedcba9876543210fedcba9876543210"
	TwilioKeySecret = "Qm7xLr2VbT9sKdW4eHjN8aZpYc5GfU1o"
	TwilioNumber    = "+15005550006"
	TwilioSender    = "Example Org" // an alphanumeric sender that the account may use
	TwilioService   = "MG00112233445566778899aabbccddeeff"
)

// Twilio is Twilio's API (https://www.twilio.com/docs/messaging/api) with one account. Its kinds of requests for SetDay are message (a text is
// to be sent), messages (those that were sent), account and balance.
type Twilio struct {
	*weather
	server *httptest.Server

	mu       sync.Mutex
	refused  map[string]int // code by number
	trial    bool
	verified []string
	status   string // of the account
	outcome  string // of a message that was taken
	failure  int    // why it failed later
	sent     []SMS
	arrived  chan SMS
}

// SMS is a text message that a server has taken.
type SMS struct {
	SID, To, Body string
	From          string // "" when Service chooses
	Service       string
}

// NewTwilio starts a server on loopback that ends with the test.
func NewTwilio(t testing.TB) *Twilio { return newTwilio(t, false) }

// NewTwilioTLS starts one whose certificate only Roots knows.
func NewTwilioTLS(t testing.TB) *Twilio { return newTwilio(t, true) }

func newTwilio(t testing.TB, encrypted bool) *Twilio {
	s := &Twilio{weather: newWeather(), refused: map[string]int{}, status: "active", outcome: "queued", arrived: make(chan SMS, 1000)}
	s.server = s.serve(t, "twilio", s, encrypted)
	return s
}

// URL is the address of the server.
func (s *Twilio) URL() string { return s.server.URL }

// Roots knows the certificate of a server with TLS.
func (s *Twilio) Roots() *x509.CertPool { return rootsOf(s.server) }

// Refuse lets messages to a number fail with one of Twilio's codes, such as 21211; 0 lets them pass again.
func (s *Twilio) Refuse(number string, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused[number] = code
}

// Trial makes the account one for a trial: it sends to these numbers only, which its owner has verified.
func (s *Twilio) Trial(verified ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trial, s.verified = true, verified
}

// SetStatus makes the account "suspended" or "closed".
func (s *Twilio) SetStatus(status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

// FailLater lets messages be taken and named as failed at once, for a reason with this code.
func (s *Twilio) FailLater(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outcome, s.failure = "failed", code
}

// Sent are the messages that the server has taken, the oldest first.
func (s *Twilio) Sent() []SMS {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}

// Message waits for the next message.
func (s *Twilio) Message(ctx context.Context) (SMS, error) {
	select {
	case m := <-s.arrived:
		return m, nil
	case <-ctx.Done():
		return SMS{}, fmt.Errorf("no text message: %w", ctx.Err())
	}
}

var (
	twilioPath   = regexp.MustCompile(`^/2010-04-01/Accounts/(AC[0-9a-f]{32})(/Messages|/Balance)?\.json$`)
	twilioNumber = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
)

// ServeHTTP answers as the Messages API does.
func (s *Twilio) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // gone
	}
	path := twilioPath.FindStringSubmatch(r.URL.Path)
	kind := ""
	if path != nil {
		kind = map[string]string{"GET ": "account", "GET /Messages": "messages", "POST /Messages": "message", "GET /Balance": "balance"}[r.Method+" "+path[2]]
	}
	if s.spoil(w, r, kind, string(body)) {
		return
	}
	user, password, _ := r.BasicAuth()
	token, key := user == TwilioSID && password == TwilioToken, user == TwilioKeySID && password == TwilioKeySecret
	switch {
	case kind == "":
		s.fault(r.Method + " " + r.URL.Path)
		twilioError(w, 404, 20404, "The requested resource "+r.URL.Path+" was not found")
	case !token && !key || key && (kind == "account" || kind == "balance"): // a standard key sends and reads messages only
		w.Header().Set("WWW-Authenticate", `Basic realm="Twilio API"`)
		twilioError(w, 401, 20003, "Authenticate")
	case path[1] != TwilioSID:
		twilioError(w, 404, 20404, "The requested resource "+r.URL.Path+" was not found")
	case kind == "account":
		s.account(w)
	case kind == "balance":
		twilioSay(w, 200, map[string]any{"account_sid": TwilioSID, "balance": "12.34", "currency": "USD"})
	case kind == "messages":
		twilioSay(w, 200, map[string]any{"messages": []any{}, "page": 0, "page_size": 1, "uri": r.URL.Path})
	default:
		s.message(w, r, string(body))
	}
}

func (s *Twilio) account(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := "Full"
	if s.trial {
		kind = "Trial"
	}
	twilioSay(w, 200, map[string]any{
		"sid": TwilioSID, "friendly_name": "Example Org", "type": kind, "status": s.status, "auth_token": TwilioToken,
		"date_created": "Thu, 30 Jul 2015 20:00:00 +0000", "owner_account_sid": TwilioSID, "subresource_uris": map[string]string{},
	})
}

// message looks at a form as the real one does, and takes it.
func (s *Twilio) message(w http.ResponseWriter, r *http.Request, body string) {
	if given := r.Header.Get("Content-Type"); given != "application/x-www-form-urlencoded" {
		s.fault("Content-Type " + given)
	}
	form, err := url.ParseQuery(body)
	if err != nil {
		s.fault("form: " + err.Error())
	}
	for name, values := range form {
		if !slices.Contains([]string{"To", "From", "MessagingServiceSid", "Body"}, name) || len(values) != 1 {
			s.fault(fmt.Sprintf("the field %s, %d times", name, len(values)))
		}
	}
	m := SMS{To: form.Get("To"), Body: form.Get("Body"), From: form.Get("From"), Service: form.Get("MessagingServiceSid")}
	s.mu.Lock()
	defer s.mu.Unlock()
	if code := s.wrong(m); code != 0 {
		known := twilioErrors[code]
		if known.status == 0 {
			known = twilioProblem{400, "something else"}
		}
		twilioError(w, known.status, code, fmt.Sprintf(known.message, m.To))
		return
	}
	m.SID = "SM" + hex.EncodeToString(random(16))
	s.sent = append(s.sent, m)
	s.arrived <- m
	answer := map[string]any{
		"sid": m.SID, "account_sid": TwilioSID, "status": s.outcome, "to": m.To, "from": m.From, "body": m.Body, "num_segments": "1", "direction": "outbound-api",
		"date_created": time.Now().UTC().Format(time.RFC1123Z), "price": nil, "price_unit": "USD", "error_code": nil, "error_message": nil,
		"messaging_service_sid": nil, "uri": r.URL.Path, "subresource_uris": map[string]string{},
	}
	if s.failure != 0 {
		answer["error_code"], answer["error_message"] = s.failure, "Message to "+m.To+" failed"
	}
	twilioSay(w, 201, answer)
}

// wrong is the code for what is wrong with a message, 0 for nothing.
func (s *Twilio) wrong(m SMS) int {
	switch {
	case m.To == "":
		return 21604
	case !twilioNumber.MatchString(m.To):
		return 21211
	case m.From == "" && m.Service == "":
		return 21603
	case m.From != "" && m.From != TwilioNumber && m.From != TwilioSender:
		return 21659
	case m.Service != "" && m.Service != TwilioService:
		return 21701
	case m.Body == "":
		return 21602
	case len([]rune(m.Body)) > 1600:
		return 21617
	case s.status != "active":
		return 20005
	case s.refused[m.To] != 0:
		return s.refused[m.To]
	case s.trial && !slices.Contains(s.verified, m.To):
		return 21608
	}
	return 0
}

type twilioProblem struct {
	status  int
	message string // with the number as %[1]s
}

// twilioErrors are what the service says, https://www.twilio.com/docs/api/errors.
var twilioErrors = map[int]twilioProblem{
	14107: {429, "SMS send rate limit exceeded%.0[1]s"},
	20005: {403, "Account is not active%.0[1]s"},
	20429: {429, "Too Many Requests%.0[1]s"},
	20500: {500, "Internal Server Error%.0[1]s"},
	21211: {400, "Invalid 'To' Phone Number: %[1]s"},
	21408: {400, "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: %[1]s"},
	21602: {400, "Message body is required.%.0[1]s"},
	21603: {400, "A 'From' phone number is required.%.0[1]s"},
	21604: {400, "A 'To' phone number is required.%.0[1]s"},
	21608: {400, "The number %[1]s is unverified. Trial accounts cannot send messages to unverified numbers; verify %[1]s at twilio.com/user/account/phone-numbers/verified, or purchase a Twilio number to send messages to unverified numbers"},
	21610: {400, "Attempt to send to unsubscribed recipient%.0[1]s"},
	21612: {400, "Message cannot be sent with the current combination of 'To' (%[1]s) and/or 'From' parameters"},
	21614: {400, "'To' number: %[1]s, is not a mobile number"},
	21617: {400, "The concatenated message body exceeds the 1600 character limit%.0[1]s"},
	21659: {400, "'From' is not a Twilio phone number or Short Code country mismatch%.0[1]s"},
	21701: {400, "The Messaging Service does not exist%.0[1]s"},
	63038: {429, "Account exceeded the daily messages limit%.0[1]s"},
}

func twilioError(w http.ResponseWriter, status, code int, message string) {
	if status == 429 {
		w.Header().Set("Retry-After", "17")
	}
	twilioSay(w, status, map[string]any{"code": code, "message": message, "more_info": fmt.Sprint("https://www.twilio.com/docs/errors/", code), "status": status})
}

func twilioSay(w http.ResponseWriter, status int, answer map[string]any) {
	body, err := json.Marshal(answer)
	if err != nil {
		panic(err)
	}
	write(w, status, "application/json;charset=utf-8", string(body))
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails (crypto/rand)
	return b
}

package fakes

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

// What an application is known by to a Duo server.
const (
	DuoHost           = "api-0a1b2c3d.duosecurity.com"
	DuoIntegrationKey = "DIWJ8X6AEYOR5OMC6TQ1"
	DuoSecretKey      = "Zh5eGmUq9zpfQnyUIu5OL9iWoMMv5ZNmk3zLJ4Ep"
	DuoEnrollURL      = "https://" + DuoHost + "/portal?code=48bac5d9393fb2c2&akey=DIWJ8X6AEYOR5OMC6TQ1"
)

// Duo is Duo's Auth API v2 (https://duo.com/docs/authapi) for one application. Its kinds of requests for SetDay are those of its paths: check,
// preauth, auth and auth_status. A user whom it does not know has to enrol.
type Duo struct {
	*weather
	server *httptest.Server

	mu        sync.Mutex
	users     map[string]*DuoUser
	off       time.Duration // of the server's clock
	busy      map[string]int
	questions map[string]*DuoQuestion // by txid
	asked     chan DuoQuestion
	requests  []string // method and path
}

// DuoUser is what Duo knows of somebody.
type DuoUser struct {
	Policy       string   // "auth", "allow" or "deny"
	Capabilities []string // of the one device: push, phone, sms, mobile_otp
	Passcodes    []string // each is good once
	Status       string   // of a passcode that is not right; "": deny
}

// DuoQuestion is a push or a call on somebody's phone.
type DuoQuestion struct {
	TxID, User, Factor, From string
	Type                     string // what stands above it
	Info                     string // what stands in it, as it was sent

	result, status string
	told           bool // the first answer comes at once, the next ones when there is news
	news           chan struct{}
}

// NewDuo starts a server on loopback that ends with the test.
func NewDuo(t testing.TB) *Duo { return newDuo(t, false) }

// NewDuoTLS starts one whose certificate only Roots knows.
func NewDuoTLS(t testing.TB) *Duo { return newDuo(t, true) }

func newDuo(t testing.TB, encrypted bool) *Duo {
	d := &Duo{weather: newWeather(), users: map[string]*DuoUser{}, busy: map[string]int{}, questions: map[string]*DuoQuestion{}, asked: make(chan DuoQuestion, 1000)}
	d.server = d.serve(t, "duo", d, encrypted)
	return d
}

// URL is the address of the server.
func (d *Duo) URL() string { return d.server.URL }

// Roots knows the certificate of a server with TLS.
func (d *Duo) Roots() *x509.CertPool { return rootsOf(d.server) }

// User makes somebody known; "auth" and a telephone that can do everything when nothing else is said.
func (d *Duo) User(name string, u DuoUser) {
	if u.Policy == "" {
		u.Policy = "auth"
	}
	if u.Capabilities == nil {
		u.Capabilities = []string{"auto", "push", "sms", "phone", "mobile_otp"}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users[name] = &u
}

// Forget makes somebody unknown.
func (d *Duo) Forget(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.users, name)
}

// Shift sets the server's clock.
func (d *Duo) Shift(off time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = off
}

// BusyFor lets the next so many requests of a kind end with status 429, to come again in a second.
func (d *Duo) BusyFor(kind string, times int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy[kind] = times
}

// Requests are all that came, such as "POST /auth/v2/auth".
func (d *Duo) Requests() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.requests)
}

// Question waits for the next push or call on any phone.
func (d *Duo) Question(ctx context.Context) (DuoQuestion, error) {
	select {
	case q := <-d.asked:
		return q, nil
	case <-ctx.Done():
		return DuoQuestion{}, fmt.Errorf("no question on the phone: %w", ctx.Err())
	}
}

// Answer answers a question as the phone does: with "allow", "deny" or "fraud"; or as Duo does, with "timeout", "locked_out" or "push_failed".
func (d *Duo) Answer(txid, status string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.questions[txid]
	if q == nil || q.result != "waiting" {
		panic("no such question is open")
	}
	q.result, q.status = "deny", status
	if status == "allow" {
		q.result = "allow"
	}
	close(q.news)
}

// ServeHTTP answers as the Auth API does.
func (d *Duo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // gone
	}
	kind := map[string]string{
		"GET /auth/v2/check": "check", "POST /auth/v2/preauth": "preauth", "POST /auth/v2/auth": "auth", "GET /auth/v2/auth_status": "auth_status",
	}[r.Method+" "+r.URL.Path]
	d.mu.Lock()
	d.requests = append(d.requests, r.Method+" "+r.URL.Path)
	d.mu.Unlock()
	if d.spoil(w, r, kind, string(body)) {
		return
	}
	params, code, wrong := d.signed(r, string(body))
	switch {
	case kind == "":
		d.fault(r.Method + " " + r.URL.Path)
		duoError(w, 40401, "Resource not found", "")
	case code != 0:
		duoError(w, code, wrong, "")
	case d.isBusy(kind):
		w.Header().Set("Retry-After", "1")
		duoError(w, 42901, "Too many requests", "")
	default:
		d.answer(w, r, kind, params)
	}
}

func (d *Duo) isBusy(kind string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy[kind]--
	return d.busy[kind] >= 0
}

func (d *Duo) answer(w http.ResponseWriter, r *http.Request, kind string, params url.Values) {
	for name, values := range params {
		known := []string{"username", "ipaddr", "factor", "device", "async", "passcode", "type", "display_username", "pushinfo", "txid"}
		if !slices.Contains(known, name) || len(values) != 1 {
			d.fault(fmt.Sprintf("%s: the parameter %s, %d times", kind, name, len(values)))
		}
	}
	switch kind {
	case "check":
		d.mu.Lock()
		defer d.mu.Unlock()
		duoSay(w, map[string]any{"time": time.Now().Add(d.off).Unix()})
	case "preauth":
		d.preauth(w, params)
	case "auth":
		d.auth(w, params)
	case "auth_status":
		d.status(w, r, params.Get("txid"))
	}
}

func (d *Duo) preauth(w http.ResponseWriter, params url.Values) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := params.Get("username")
	u := d.users[name]
	switch {
	case name == "":
		duoError(w, 40001, "Missing required request parameters", "username")
	case u == nil:
		duoSay(w, map[string]any{"result": "enroll", "status_msg": "Enroll an authentication device to proceed", "enroll_portal_url": DuoEnrollURL})
	case u.Policy == "allow":
		duoSay(w, map[string]any{"result": "allow", "status_msg": "Bypass user"})
	case u.Policy == "deny":
		duoSay(w, map[string]any{"result": "deny", "status_msg": "Your account is disabled"})
	default:
		devices := []any{
			map[string]any{"device": "DPFZRS9FB0D46QFTM891", "type": "phone", "number": "XXX-XXX-0100", "name": "", "capabilities": u.Capabilities},
			map[string]any{"device": "DHEKH0JJIYC1LX3AZWO4", "type": "token", "name": "0"},
		}
		duoSay(w, map[string]any{"result": "auth", "status_msg": "Account is active", "devices": devices})
	}
}

func (d *Duo) auth(w http.ResponseWriter, params url.Values) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name, factor := params.Get("username"), params.Get("factor")
	u := d.users[name]
	needs := map[string][]string{"push": {"device"}, "phone": {"device"}, "passcode": {"passcode"}}[factor]
	for _, needed := range append(needs, "username", "factor") {
		if params.Get(needed) == "" {
			d.fault("auth without " + needed)
			duoError(w, 40001, "Missing required request parameters", needed)
			return
		}
	}
	switch {
	case u == nil || needs == nil:
		duoError(w, 40002, "Invalid request parameters", "username")
	case factor == "passcode":
		d.passcode(w, u, params.Get("passcode"))
	case params.Get("async") != "1" || params.Get("device") != "auto":
		d.fault("a question that is waited for, or not to any phone")
		duoError(w, 40002, "Invalid request parameters", "async")
	case !slices.Contains(u.Capabilities, factor):
		duoError(w, 40002, "Invalid request parameters", "device")
	default:
		q := &DuoQuestion{
			TxID: hex.EncodeToString(random(16)), User: name, Factor: factor, From: params.Get("ipaddr"), Type: params.Get("type"), Info: params.Get("pushinfo"),
			result: "waiting", status: "pushed", news: make(chan struct{}),
		}
		d.questions[q.TxID] = q
		d.asked <- *q
		duoSay(w, map[string]any{"txid": q.TxID})
	}
}

func (d *Duo) passcode(w http.ResponseWriter, u *DuoUser, typed string) {
	if i := slices.Index(u.Passcodes, typed); i >= 0 {
		u.Passcodes = slices.Delete(slices.Clone(u.Passcodes), i, i+1)
		duoSay(w, map[string]any{"result": "allow", "status": "allow", "status_msg": "Success. Logging you in..."})
		return
	}
	status, message := "deny", "Incorrect passcode. Please try again."
	if u.Status != "" {
		status, message = u.Status, "Your account is locked out"
	}
	duoSay(w, map[string]any{"result": "deny", "status": status, "status_msg": message})
}

// holdBack is how long the real one waits for news, but for a second in place of a minute.
const holdBack = time.Second

func (d *Duo) status(w http.ResponseWriter, r *http.Request, txid string) {
	d.mu.Lock()
	q := d.questions[txid]
	if q == nil {
		d.mu.Unlock()
		d.fault("the state of no question")
		duoError(w, 40002, "Invalid request parameters", "txid")
		return
	}
	told := q.told
	q.told = true
	d.mu.Unlock()
	if told {
		select {
		case <-q.news:
		case <-time.After(holdBack):
		case <-r.Context().Done():
		case <-d.closed:
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	messages := map[string]string{
		"pushed": "Pushed a login request to your phone...", "allow": "Success. Logging you in...", "deny": "Login request denied.",
		"fraud": "Login request reported as fraudulent.", "timeout": "Login request timed out.",
	}
	duoSay(w, map[string]any{"result": q.result, "status": q.status, "status_msg": messages[q.status]})
}

func duoSay(w http.ResponseWriter, response map[string]any) {
	duoWrite(w, 200, map[string]any{"stat": "OK", "response": response})
}

func duoError(w http.ResponseWriter, code int, message, detail string) {
	answer := map[string]any{"stat": "FAIL", "code": code, "message": message}
	if detail != "" {
		maps.Copy(answer, map[string]any{"message_detail": detail})
	}
	duoWrite(w, code/100, answer)
}

func duoWrite(w http.ResponseWriter, status int, answer map[string]any) {
	body, err := json.Marshal(answer)
	if err != nil {
		panic(err)
	}
	write(w, status, "application/json", string(body))
}

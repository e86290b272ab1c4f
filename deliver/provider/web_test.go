package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"twokey/deliver"
	"twokey/deliver/fakes"
)

// checkClean looks for what may stand in no answer.
func checkClean(t *testing.T, req *deliver.Request, a deliver.Answer) {
	t.Helper()
	line, err := a.Encode()
	if err != nil {
		t.Errorf("%+v: %v", a, err)
	}
	for _, text := range []string{a.Detail, a.Advice, a.Status, a.ID} {
		if utf8.RuneCountInString(text) > 200 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q is no clean line", text)
		}
	}
	for _, secret := range secrets(req) {
		if strings.Contains(string(line), secret) {
			t.Errorf("%s holds %q", line, secret)
		}
	}
	if a.State == deliver.StateFailed && a.Detail == "" {
		t.Error("no detail")
	}
}

func accountOf(url string) *deliver.Request {
	return &deliver.Request{Kind: deliver.KindAccount, Connect: 5 * time.Second, Timeout: 20 * time.Second, Ntfy: &deliver.Ntfy{URL: url, Token: hostToken}}
}

// MUST verify the certificate against those that the system trusts.
func TestTheCertificateIsVerified(t *testing.T) {
	n := fakes.NewNtfyTLS(t)
	n.GrantUsual(hostToken, phoneToken)
	if got := Run(ctxFor(t), accountOf(n.URL()), nil); got.Problem != deliver.ProblemTLS {
		t.Errorf("a stranger's certificate: %+v", got)
	}
	trusting := network{roots: n.Roots()}
	if got := run(ctxFor(t), trusting, accountOf(n.URL()), nil); got.State != deliver.StateOK {
		t.Errorf("a good certificate: %+v", got)
	}
	wrongName := strings.Replace(n.URL(), "127.0.0.1", "localhost", 1)
	if got := run(ctxFor(t), trusting, accountOf(wrongName), nil); got.Problem != deliver.ProblemTLS || strings.Contains(got.Detail, hostToken) {
		t.Errorf("a certificate of another name: %+v", got)
	}
}

func TestOldTLSAndNoTLSAreRefused(t *testing.T) {
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.StartTLS()
	defer old.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for name, url := range map[string]string{"TLS 1.1": old.URL, "no TLS": strings.Replace(plain.URL, "http:", "https:", 1)} {
		roots := x509.NewCertPool()
		roots.AddCert(old.Certificate())
		if got := run(ctxFor(t), network{roots: roots}, accountOf(url), nil); got.Problem != deliver.ProblemTLS {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// MUST speak http only to this host itself.
func TestHTTPIsForLoopbackOnly(t *testing.T) {
	dials := 0
	nowhere := network{dial: func(context.Context, string, string) (net.Conn, error) {
		dials++
		return nil, &net.OpError{Op: "dial", Err: net.UnknownNetworkError("none")}
	}}
	for _, url := range []string{
		"http://ntfy.example.org", "http://192.0.2.1", "http://[2001:db8::1]", "http://localhost.example.org", "http://127.0.0.1.example.org",
		"http://0.0.0.0", "http://[::]", "ftp://ntfy.example.org", "ntfy.example.org", "", "https://", "https:ntfy.example.org",
		"https://user:password@ntfy.example.org", "https://ntfy.example.org?a=b", "https://ntfy.example.org#a", "unix:///run/x", "://",
	} {
		got := run(ctxFor(t), nowhere, accountOf(url), nil)
		if got.Problem != deliver.ProblemSettings || strings.Contains(got.Detail, "password") {
			t.Errorf("%q: %+v", url, got)
		}
	}
	if dials != 0 {
		t.Errorf("%d connections were tried", dials)
	}
	for _, url := range []string{"https://ntfy.example.org", "http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:8080", "http://localhost"} {
		if got := run(ctxFor(t), nowhere, accountOf(url), nil); got.Problem != deliver.ProblemUnreachable {
			t.Errorf("%q: %+v", url, got)
		}
	}
	if dials != 5 {
		t.Errorf("%d connections were tried, want 5", dials)
	}
	for address, good := range map[string]bool{"127.0.0.1:80": true, "[::1]:80": true, "[::ffff:127.0.0.1]:80": true, "192.0.2.1:80": false, "[2001:db8::1]:80": false, "x": false} {
		if err := loopbackOnly("tcp", address, nil); (err == nil) != good {
			t.Errorf("a name that leads to %s: %v", address, err)
		}
	}
}

// MUST NOT take a proxy from the surroundings.
func TestNoProxyIsUsed(t *testing.T) {
	for _, name := range []string{"http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, "http://192.0.2.1:3128")
	}
	asked := ""
	nowhere := network{dial: func(_ context.Context, _, address string) (net.Conn, error) {
		asked = address
		return nil, &net.OpError{Op: "dial", Err: net.UnknownNetworkError("none")}
	}}
	run(ctxFor(t), nowhere, accountOf("https://ntfy.example.org"), nil)
	if asked != "ntfy.example.org:443" {
		t.Errorf("connects to %q", asked)
	}
}

// MUST end with the request's times.
func TestAConnectionThatNeverComesEnds(t *testing.T) {
	hangs := network{dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	req := accountOf("https://ntfy.example.org")
	req.Connect = 50 * time.Millisecond
	if got := run(ctxFor(t), hangs, req, nil); got.Problem != deliver.ProblemTimeout {
		t.Errorf("no connection: %+v", got)
	}
	// A server that takes the connection and does not speak TLS.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	req.Connect = 200 * time.Millisecond
	req.Ntfy.URL = "https://" + silent.Addr().String()
	if got := Run(ctxFor(t), req, nil); got.Problem != deliver.ProblemTimeout {
		t.Errorf("no handshake: %+v", got)
	}
}

func TestWhoIsNotThere(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	got := Run(ctxFor(t), accountOf("https://"+address), nil)
	if got.Problem != deliver.ProblemUnreachable || !strings.Contains(got.Detail, "connection refused") || got.Advice == "" {
		t.Errorf("%+v", got)
	}
	unknown := network{dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "ntfy.example.org", IsNotFound: true}}
	}}
	got = run(ctxFor(t), unknown, accountOf("https://ntfy.example.org"), nil)
	if got.Problem != deliver.ProblemUnreachable || !strings.Contains(got.Detail, "lookup ntfy.example.org: no such host") {
		t.Errorf("%+v", got)
	}
}

func TestWhatIsHidden(t *testing.T) {
	req := &deliver.Request{
		Text:   &deliver.Text{Number: "+442079460958", Message: "Your host code is: 739104"},
		Twilio: &deliver.Twilio{AccountSID: "AC0123456789abcdef0123456789abcdef", AuthToken: "s3cr/t token"},
	}
	j := &job{req: req}
	for text, want := range map[string]string{
		"plain words, status 400 (21211)":                       "plain words, status 400 (21211)",
		"dial tcp 192.0.2.1:443: connection refused":            "dial tcp 192.0.2.1:443: connection refused",
		"The 'To' number +442079460958 is not valid":            "The 'To' number …958 is not valid",
		"The 'To' number +44 (20) 7946-0958 is not valid":       "The 'To' number …958 is not valid",
		"to 020 7946 0958, (020)-7946 0958":                     "to …958, …958",
		"code 739104 for s3cr/t token":                          "code … for …",
		"s3cr%2Ft+token s3cr%2Ft%20token czNjci90IHRva2Vu":      "… … …",
		"73\x1b[0m9104 and 7\u200b39104":                        "73[0m9104 and …",
		"s3cr/t\ttoken":                                         "…",
		"\x1b]0;owned\x07\u202etext\r\nof lines\x00\xff\u2028x": "]0;ownedtext of lines x",
		"key 0123456789abcdef0123456789abcdef here":             "key … here",
		strings.Repeat("ä", 300):                                strings.Repeat("ä", 199) + "…",
		strings.Repeat("x ", 98) + "s3cr/t token":               strings.Repeat("x ", 98) + "…",
	} {
		got := j.clean(deliver.Answer{State: deliver.StateFailed, Detail: text}).Detail
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// An answer of a service is a stranger's text: whatever it is, an answer of ours comes out that can be sent on and holds no secret.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "application/json", `{"id":"a","event":"open","healthy":true,"username":"x"}`)
	f.Add(200, "application/x-ndjson", "{\"event\":\"open\",\"topic\":\"x\"}\n{\"event\":\"message\"}\n")
	f.Add(401, "application/json", `{"code":40101,"error":"tk_host0abcdefghijklmnopqrstuvwx"}`)
	f.Add(429, "application/json; charset=utf-8", `{"code":1e300,"error":["\u001b[2J"]}`)
	f.Add(302, "text/html", "<html>\x1b[2J")
	f.Add(500, "", "\xff\xfe")
	f.Add(404, "application/json", `{"error":"+442079460958"}`)
	f.Fuzz(func(t *testing.T, status int, contentType, body string) {
		if status < 200 || status > 599 {
			return
		}
		service := roundTrip(func(r *http.Request) *http.Response {
			recorder := httptest.NewRecorder()
			recorder.Header().Set("Content-Type", contentType)
			recorder.WriteHeader(status)
			recorder.WriteString(body)
			response := recorder.Result()
			response.Request = r
			return response
		})
		for _, kind := range []deliver.Kind{deliver.KindAccount, deliver.KindCheck, deliver.KindPush} {
			req := challenge("https://ntfy.example.org")
			req.Kind, req.Wait = kind, time.Millisecond
			j := &job{req: req, net: network{transport: service}, say: func(deliver.Answer) error { return nil }}
			a, err := j.do(ctxFor(t))
			if err != nil {
				a = failed(err)
			}
			checkClean(t, req, j.clean(a))
		}
	})
}

type roundTrip func(*http.Request) *http.Response

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

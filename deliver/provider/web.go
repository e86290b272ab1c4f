package provider

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"twokey/deliver"
)

// The rules of the web, for every service; each has a test of the same name:
//
//   - MUST verify the certificate against those that the system trusts, with TLS 1.2 or newer. Attack: somebody on the way.
//   - MUST speak http only to this host itself. Attack: an address that was configured in a hurry, and the token goes over the net.
//   - MUST speak http only to who listens as root or a user of the system. Attack: any user listens at the port of a service that is down.
//   - MUST NOT follow a redirect. Attack: one to http, or to a stranger, takes the token along.
//   - MUST NOT take a proxy from the surroundings: only the configuration says where a message goes.
//   - MUST NOT read more than 64 KiB of an answer, compressed or not. Attack: five megabytes, or one that unpacks to gigabytes.
//   - MUST NOT believe an answer of another type than JSON: the login page of a hotel is a 200 too.

// maxAnswer is the most that is read of one answer, in bytes.
const maxAnswer = 64 << 10

// network is what a test puts in place of the real one. Its zero value is the real one.
type network struct {
	roots     *x509.CertPool                                                       // nil: those of the system
	dial      func(ctx context.Context, network, address string) (net.Conn, error) // nil: over the network
	transport http.RoundTripper                                                    // nil: as web makes it
}

// web is a client of one service.
type web struct {
	base *url.URL
	http *http.Client
}

// web makes the client for the service at an address.
func (j *job) web(address string) (*web, error) {
	base, err := parseBase(address)
	if err != nil {
		return nil, &failure{problem: deliver.ProblemSettings, detail: err.Error(), advice: "use the https address of the service"}
	}
	transport := j.net.transport
	if transport == nil {
		transport = j.transport(base.Scheme == "http")
	}
	notFollowed := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &web{base, &http.Client{Transport: transport, CheckRedirect: notFollowed}}, nil
}

// transport makes connections as the rules say.
func (j *job) transport(plain bool) *http.Transport {
	connect, dial := j.req.Connect, j.net.dial
	if dial == nil {
		dialer := net.Dialer{Timeout: connect}
		if plain {
			dialer.Control = loopbackOnly
		}
		dial = dialer.DialContext
	}
	return &http.Transport{
		Proxy: nil,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, connect)
			defer cancel()
			conn, err := dial(ctx, network, address)
			if err != nil || !plain {
				return conn, err
			}
			if err := ofTheHost(conn); err != nil {
				return nil, errors.Join(err, conn.Close())
			}
			return conn, nil
		},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: j.net.roots},
		TLSHandshakeTimeout:    connect,
		DisableCompression:     true,
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxAnswer,
	}
}

// parseBase reads the address of a service: https, or http to this host itself, without anything behind the path.
func parseBase(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Opaque != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Hostname() == "" {
		return nil, errors.New("the address of the service is none")
	}
	switch {
	case u.Scheme == "https":
		return u, nil
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return u, nil
	}
	return nil, errors.New("the address of the service is not https")
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// loopbackOnly looks at the address that a name has led to: "localhost" is whatever a resolver says.
func loopbackOnly(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !to.Addr().Unmap().IsLoopback() {
		return errors.New("http is for this host itself only")
	}
	return nil
}

// send makes one request. What comes back has the status 200 to 299, and its body gives 64 KiB at most; whoever gets it must close it. Another
// status is a failure, which holds what the service said about it. Behind the path a question mark may stand, and an encoded query.
func (w *web) send(ctx context.Context, method, path string, header http.Header, body []byte) (*http.Response, error) {
	path, query, _ := strings.Cut(path, "?")
	address := w.base.JoinPath(path)
	address.RawQuery = query
	r, err := http.NewRequestWithContext(ctx, method, address.String(), bytes.NewReader(body))
	if err != nil {
		return nil, &failure{problem: deliver.ProblemSettings, detail: "no request to this address can be made"}
	}
	r.Header = header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("User-Agent", "twokey")
	response, err := w.http.Do(r)
	if err != nil {
		return nil, ended(ctx, err)
	}
	response.Body = &limited{response.Body, maxAnswer}
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return response, nil
	}
	defer response.Body.Close()
	return nil, refusal(response)
}

// jsonInto makes one request and reads its answer whole.
func (w *web) jsonInto(ctx context.Context, method, path string, header http.Header, body []byte, into any) error {
	response, err := w.send(ctx, method, path, header, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := isJSON(response, "application/json"); err != nil {
		return err
	}
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return ended(ctx, err)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return &failure{problem: deliver.ProblemAnswer, detail: "the answer is no JSON of such a service"}
	}
	return nil
}

// isJSON finds out what an answer is before anything in it is believed.
func isJSON(response *http.Response, types ...string) error {
	given, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	for _, want := range types {
		if err == nil && given == want {
			return nil
		}
	}
	return &failure{
		problem: deliver.ProblemAnswer,
		detail:  fmt.Sprintf("status %d with an answer of the type %q, not JSON", response.StatusCode, given),
		advice:  "see whether the address is that of the service, and nothing stands in between, such as a login page",
	}
}

// refusal is what a service says with a status that is no success. The text of its JSON goes into the detail; web pages do not.
func refusal(response *http.Response) error {
	f := &failure{problem: deliver.ProblemRefused, detail: fmt.Sprintf("status %d", response.StatusCode)}
	switch status := response.StatusCode; {
	case status >= 300 && status < 400:
		f.problem, f.advice = deliver.ProblemRedirect, "use the address that the service has now; redirects are not followed"
		return f
	case status == http.StatusUnauthorized:
		f.problem = deliver.ProblemCredentials
	case status == http.StatusTooManyRequests:
		f.problem, f.answer.Retry = deliver.ProblemLimit, retryAfter(response.Header.Get("Retry-After"))
	case status == http.StatusNotFound:
		f.problem = deliver.ProblemAnswer
	case status >= 500:
		f.problem = deliver.ProblemServer
	}
	if isJSON(response, "application/json") != nil {
		return f
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return f // the status says enough
	}
	for _, said := range []string{firstText(body, "error", "message"), firstText(body, "message_detail")} {
		if said != "" {
			f.detail += ": " + said
		}
	}
	if code := firstText(body, "code"); code != "" {
		f.detail += " (" + code + ")"
		f.answer.Status = code
	}
	return f
}

// firstText finds the first of these fields in a JSON object that is a text or a number.
func firstText(body []byte, names ...string) string {
	var fields map[string]any
	if json.Unmarshal(body, &fields) != nil {
		return ""
	}
	for _, name := range names {
		switch v := fields[name].(type) {
		case string:
			return v
		case float64:
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	return ""
}

// retryAfter reads seconds, as RFC 9110 (10.2.3) has them; a date there is as good as nothing said.
func retryAfter(text string) time.Duration {
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 0 || seconds > 24*60*60 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// limited gives so many bytes and then fails: cut short, an answer could still be JSON.
type limited struct {
	io.ReadCloser
	left int
}

// Read fails where more comes than an answer may have.
func (l *limited) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if l.left -= n; l.left < 0 {
		return 0, &failure{problem: deliver.ProblemAnswer, detail: "the answer is longer than 64 KiB"}
	}
	return n, err
}

// ended is the error of a request: when its time was over, that is the reason, whatever else was said.
func ended(ctx context.Context, err error) error {
	f := new(failure)
	if errors.As(err, &f) {
		return f
	}
	if ctx.Err() != nil {
		return &failure{problem: deliver.ProblemTimeout, detail: "no answer from the service in time"}
	}
	return connection(err)
}

// connection finds the word for an error of the network. The address in the error is left out, a topic is in it.
func connection(err error) *failure {
	var asked *url.Error
	if errors.As(err, &asked) {
		err = asked.Err
	}
	f := &failure{problem: deliver.ProblemAnswer, detail: err.Error()}
	var (
		timeout  net.Error
		notFound *net.DNSError
		dialing  *net.OpError
	)
	switch {
	case errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded):
		f.problem = deliver.ProblemTimeout
	case isTLS(err):
		f.problem, f.advice = deliver.ProblemTLS, "the service needs a certificate for this name from an authority that this host trusts"
	case errors.Is(err, io.ErrUnexpectedEOF):
		f.detail = "the answer ends in the middle"
	case errors.Is(err, io.EOF):
		f.detail = "the connection was closed without an answer"
	case errors.As(err, &notFound), errors.As(err, &dialing), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		f.problem, f.advice = deliver.ProblemUnreachable, "see whether the service runs, and whether this host may connect to it"
	}
	return f
}

func isTLS(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		plain        tls.RecordHeaderError
		alert        tls.AlertError
	)
	return errors.As(err, &verification) || errors.As(err, &plain) || errors.As(err, &alert) ||
		errors.Is(err, http.ErrSchemeMismatch) || strings.Contains(err.Error(), "tls: ")
}

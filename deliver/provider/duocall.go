package provider

import (
	"context"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"twokey/deliver"
)

// duoClient is an application with Duo. A request
//
//   - MUST be signed over its time, method, host, path and parameters. Attack: a request that was heard is sent again for another user.
//   - MUST be signed anew when it is sent again, with its whole body.
//   - MUST NOT be sent again later than its time, whatever pause Duo asks for.
type duoClient struct {
	*web
	with *deliver.Duo
	now  func() time.Time
}

// noDuo is for an answer that is JSON, and not Duo's.
func noDuo() error {
	return &failure{problem: deliver.ProblemAnswer, detail: "the answer is no JSON of such a service"}
}

const (
	adviceClock = "let it be set by NTP"
	adviceKeys  = "see integration key and secret key of the application at https://admin.duosecurity.com, and store them with twokey push setup"
)

// call makes one request and reads the response in its answer. When Duo is busy it comes again after the pause that Duo asks for.
func (c *duoClient) call(ctx context.Context, method, path string, params url.Values, into any) error {
	for {
		err := c.once(ctx, method, path, params, into)
		f := new(failure)
		if !errors.As(err, &f) {
			return err
		}
		deadline, ends := ctx.Deadline()
		pause := max(f.answer.Retry, pollPause)
		if f.problem != deliver.ProblemLimit || !ends || !c.now().Add(pause).Before(deadline) {
			return duoFailure(f)
		}
		if err := sleep(ctx, pause); err != nil {
			return duoFailure(f)
		}
	}
}

func (c *duoClient) once(ctx context.Context, method, path string, params url.Values, into any) error {
	encoded := canonicalParams(params)
	date := c.now().UTC().Format(time.RFC1123Z)
	header := http.Header{"Date": {date}, "Authorization": {c.authorization(date, method, path, encoded)}}
	var body []byte
	if method == http.MethodPost {
		header.Set("Content-Type", "application/x-www-form-urlencoded")
		body = []byte(encoded)
	} else if encoded != "" {
		path += "?" + encoded
	}
	var answer struct {
		Stat     string          `json:"stat"`
		Response json.RawMessage `json:"response"`
	}
	if err := c.jsonInto(ctx, method, path, header, body, &answer); err != nil {
		return err
	}
	if answer.Stat != "OK" || json.Unmarshal(answer.Response, into) != nil {
		return noDuo()
	}
	return nil
}

// authorization is the signature (https://duo.com/docs/authapi#authentication): the key of the application, and the HMAC-SHA-512 of five lines
// in hexadecimal.
func (c *duoClient) authorization(date, method, path, params string) string {
	lines := []string{date, method, strings.ToLower(c.with.Host), path, params}
	mac := hmac.New(sha512.New, []byte(c.with.SecretKey))
	mac.Write([]byte(strings.Join(lines, "\n"))) // never fails (hash.Hash)
	signed := c.with.IntegrationKey + ":" + hex.EncodeToString(mac.Sum(nil))
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(signed))
}

// canonicalParams are the parameters in the order of their names, all escaped but letters, digits and "-._~".
func canonicalParams(params url.Values) string {
	return strings.ReplaceAll(params.Encode(), "+", "%20")
}

func percent(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// sleep waits, or returns the failure of a time that is over.
func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ended(ctx, ctx.Err())
	}
}

// duoFailure says what can be done about a refusal. The code's first three digits are the status.
func duoFailure(f *failure) *failure {
	switch code := f.answer.Status; {
	case code == "40104" || code == "40105":
		f.advice = "this host's clock is more than five minutes off: " + adviceClock
	case code == "40103":
		f.advice = "the secret key is not that of the integration key, or the API host is another's: " + adviceKeys
	case f.problem == deliver.ProblemCredentials:
		f.advice = adviceKeys
	case strings.HasPrefix(code, "403"):
		f.problem, f.advice = deliver.ProblemCredentials, "the application must be one of the type Auth API: "+adviceKeys
	case f.advice != "":
	case f.problem == deliver.ProblemServer:
		f.advice = "see whether Duo is well: https://status.duo.com"
	case f.problem == deliver.ProblemLimit:
		f.advice = "Duo is asked too often: see the application at https://admin.duosecurity.com"
	}
	return f
}

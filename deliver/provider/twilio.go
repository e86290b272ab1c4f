package provider

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"

	"twokey/deliver"
)

// Twilio (https://www.twilio.com/docs/messaging/api) by its own library, which writes the requests and reads the answers. The library takes no
// context and no address, believes what it gets and follows where it is sent: everything between the two goes through twilioTransport,
// which holds it to the rules of the web. It reads TWILIO_EDGE and TWILIO_REGION: twokey-notify has no environment.

var (
	twilioAccountSID = regexp.MustCompile(`^AC[0-9a-fA-F]{32}$`)
	twilioHost       = "api.twilio.com" // for which the library writes requests
)

// twilioClient is the account with what may be done there.
type twilioClient struct {
	*api.ApiService
	with *deliver.Twilio
}

func (j *job) twilio(ctx context.Context) (deliver.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, j.req.Timeout)
	defer cancel()
	with := j.req.Twilio
	// It becomes a part of the address.
	if !twilioAccountSID.MatchString(with.AccountSID) {
		return deliver.Answer{}, &failure{
			problem: deliver.ProblemSettings, detail: "the account SID is not AC and 32 hexadecimal digits", advice: "see https://console.twilio.com",
		}
	}
	w, err := j.web(with.URL)
	if err != nil {
		return deliver.Answer{}, err
	}
	user, password := with.AccountSID, with.AuthToken
	if with.APIKeySID != "" {
		user, password = with.APIKeySID, with.APIKeySecret
	}
	library := &client.Client{
		Credentials: client.NewCredentials(user, password),
		HTTPClient:  &http.Client{Transport: &twilioTransport{ctx, w}},
	}
	library.SetAccountSid(with.AccountSID)
	c := &twilioClient{api.NewApiServiceWithClient(library), with}
	var answer deliver.Answer
	switch j.req.Kind {
	case deliver.KindText:
		answer, err = c.text(j.req.Text)
	case deliver.KindAccount:
		answer, err = c.account()
	default:
		answer, err = c.check()
	}
	if err != nil {
		return deliver.Answer{}, twilioFailure(err)
	}
	return answer, nil
}

// text sends one message.
func (c *twilioClient) text(t *deliver.Text) (deliver.Answer, error) {
	params := new(api.CreateMessageParams).SetTo(t.Number).SetBody(t.Message)
	if c.with.Service != "" {
		params.SetMessagingServiceSid(c.with.Service)
	} else {
		params.SetFrom(c.with.From)
	}
	m, err := c.CreateMessage(params)
	if err != nil {
		return deliver.Answer{}, err
	}
	if said(m.Sid) == "" || said(m.Status) == "" {
		return deliver.Answer{}, errNoTwilio
	}
	if m.ErrorCode != nil || said(m.Status) == "failed" || said(m.Status) == "undelivered" || said(m.Status) == "canceled" {
		return deliver.Answer{}, twilioUndelivered(m)
	}
	return deliver.Answer{State: deliver.StateSent, ID: *m.Sid, Status: *m.Status}, nil
}

// account says whose account it is and what it can do. A standard API key may only send: then it says that it works, and why no more.
func (c *twilioClient) account() (deliver.Answer, error) {
	account, err := c.FetchAccount(c.with.AccountSID)
	if f := new(failure); c.with.APIKeySID != "" && errors.As(err, &f) && f.problem == deliver.ProblemCredentials {
		answer, err := c.check()
		answer.Advice = "a standard API key may send, but not tell the account's name, state and balance: see https://console.twilio.com"
		return answer, err
	}
	if err != nil {
		return deliver.Answer{}, err
	}
	if said(account.Sid) != c.with.AccountSID || said(account.Type) == "" {
		return deliver.Answer{}, errNoTwilio
	}
	if status := said(account.Status); status != "active" {
		return deliver.Answer{}, &failure{problem: deliver.ProblemRefused, detail: "the account is " + status, advice: adviceAccount}
	}
	answer := deliver.Answer{State: deliver.StateOK, Account: &deliver.Account{Name: said(account.FriendlyName), State: strings.ToLower(*account.Type)}}
	if answer.Account.State == "trial" {
		answer.Advice = adviceUnverified
	}
	// A part of another account has no balance of its own.
	if balance, err := c.FetchBalance(nil); err == nil && said(balance.Balance) != "" {
		answer.Account.Balance = strings.TrimSpace(*balance.Balance + " " + said(balance.Currency))
	}
	return answer, nil
}

// check reads the list of messages, which whoever may send may read.
func (c *twilioClient) check() (deliver.Answer, error) {
	page, err := c.PageMessage(new(api.ListMessageParams).SetPageSize(1), "", "")
	if err != nil {
		return deliver.Answer{}, err
	}
	if page.Messages == nil {
		return deliver.Answer{}, errNoTwilio
	}
	return deliver.Answer{State: deliver.StateOK}, nil
}

func said(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// twilioTransport carries the library's requests. What it lets through is a success in JSON, whole, of at most 64 KiB; all else is a failure.
type twilioTransport struct {
	ctx context.Context
	*web
}

// RoundTrip is http.RoundTripper's, with the limits of this package.
func (t *twilioTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" || r.URL.Host != twilioHost {
		return nil, &failure{problem: deliver.ProblemSettings, detail: "the library asks another host than Twilio's"}
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	path := r.URL.Path
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	response, err := t.send(t.ctx, r.Method, path, r.Header, body)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if err := isJSON(response, "application/json"); err != nil {
		return nil, err
	}
	whole, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, ended(t.ctx, err)
	}
	response.Body = io.NopCloser(bytes.NewReader(whole))
	return response, nil
}

// errNoTwilio is an answer that is JSON, and not Twilio's.
var errNoTwilio = errors.New("the answer is no JSON of such a service")

// twilioFailure finds the word for what the library returns.
func twilioFailure(err error) error {
	f := new(failure)
	if errors.As(err, &f) {
		return twilioCode(f)
	}
	var library *client.TwilioRestError
	if errors.As(err, &library) { // its own, of credentials that it does not send
		return &failure{problem: deliver.ProblemCredentials, detail: "not sent: letters and digits only make a SID, token or secret", advice: adviceCredentials}
	}
	var asked *url.Error
	if errors.As(err, &asked) {
		return connection(err)
	}
	return &failure{problem: deliver.ProblemAnswer, detail: errNoTwilio.Error()}
}

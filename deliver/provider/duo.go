package provider

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"twokey/deliver"
)

// Duo's Auth API v2 (https://duo.com/docs/authapi) by a client of our own: the official one resends with an empty body, and sleeps without a way
// out. The user is asked for at first (preauth): Duo may let in or refuse without a phone, and knows whose account has none. The question is put
// asynchronously, and its state asked for until somebody has answered or the time is over.

// What Duo answers with.
const (
	duoAllow   = "allow"
	duoDeny    = "deny"
	duoEnroll  = "enroll"
	duoAuth    = "auth"
	duoWaiting = "waiting"
)

// duoDevice is something that a user has with Duo.
type duoDevice struct {
	Capabilities []string `json:"capabilities"`
}

// duoPreauth says what is to be done with a user.
type duoPreauth struct {
	Result  string      `json:"result"`
	Message string      `json:"status_msg"`
	Enroll  string      `json:"enroll_portal_url"`
	Devices []duoDevice `json:"devices"`
}

// duoState is how far a question is.
type duoState struct {
	Result  string `json:"result"`
	Status  string `json:"status"`
	Message string `json:"status_msg"`
	TxID    string `json:"txid"`
}

func (j *job) duo(ctx context.Context) (deliver.Answer, error) {
	w, err := j.web(j.req.Duo.URL)
	if err != nil {
		return deliver.Answer{}, err
	}
	c := &duoClient{w, j.req.Duo, time.Now}
	if j.req.Kind == deliver.KindPush {
		return j.duoPush(ctx, c)
	}
	ctx, cancel := context.WithTimeout(ctx, j.req.Timeout)
	defer cancel()
	return c.check(ctx)
}

// duoPush asks a user.
func (j *job) duoPush(ctx context.Context, c *duoClient) (deliver.Answer, error) {
	asking, cancel := context.WithTimeout(ctx, j.req.Timeout)
	defer cancel()
	answer, state, err := c.ask(asking, j.req.Push)
	if err != nil || answer.State != "" {
		return answer, err
	}
	if err := j.say(deliver.Answer{State: deliver.StateSent}); err != nil {
		return deliver.Answer{}, err
	}
	waiting, stop := context.WithTimeout(ctx, j.req.Wait)
	defer stop()
	answer, err = c.await(waiting, state.TxID)
	if err != nil && waiting.Err() != nil {
		return deliver.Answer{State: deliver.StateTimeout}, nil
	}
	return answer, err
}

// ask puts the question. Its answer is there when Duo has decided already; else there is a transaction to wait for.
func (c *duoClient) ask(ctx context.Context, p *deliver.Push) (deliver.Answer, duoState, error) {
	about := url.Values{"username": {p.User}}
	if p.From != "" {
		about.Set("ipaddr", p.From)
	}
	var user duoPreauth
	if err := c.call(ctx, http.MethodPost, "/auth/v2/preauth", about, &user); err != nil {
		return deliver.Answer{}, duoState{}, err
	}
	if answer, err := user.decided(p.Factor); err != nil || answer.State != "" {
		return answer, duoState{}, err
	}
	about.Set("factor", p.Factor)
	if p.Factor == "passcode" {
		about.Set("passcode", p.Passcode)
	} else {
		about.Set("device", "auto")
		about.Set("async", "1")
	}
	if p.Factor == "push" {
		about.Set("type", strings.TrimRight(p.Title, "?"))
		about.Set("display_username", p.User)
		about.Set("pushinfo", pushInfo(p.Facts))
	}
	var state duoState
	if err := c.call(ctx, http.MethodPost, "/auth/v2/auth", about, &state); err != nil {
		return deliver.Answer{}, duoState{}, err
	}
	if p.Factor == "passcode" {
		answer, err := state.decided(true)
		return answer, state, err
	}
	if state.TxID == "" {
		return deliver.Answer{}, state, noDuo()
	}
	return deliver.Answer{}, state, nil
}

// pushInfo are the facts in their order, as Duo's app shows them.
func pushInfo(facts []deliver.Fact) string {
	var pairs []string
	for _, f := range facts {
		pairs = append(pairs, percent(f.Name)+"="+percent(f.Value))
	}
	return strings.Join(pairs, "&")
}

// decided is the answer of a preauth; it has no state when the user is to be asked.
func (p *duoPreauth) decided(factor string) (deliver.Answer, error) {
	switch p.Result {
	case duoAllow:
		if factor == "passcode" { // it would be looked at by nobody. Attack: any digits for who is let in without them for a day
			return deliver.Answer{State: deliver.StateDeny, Detail: "Duo's policy asks for no passcode, so none was looked at: " + p.Message}, nil
		}
		return deliver.Answer{State: deliver.StateAllow, Status: "bypass", Detail: "without a question, by Duo's policy: " + p.Message}, nil
	case duoDeny:
		return deliver.Answer{State: deliver.StateDeny, Detail: "by Duo's policy: " + p.Message}, nil
	case duoEnroll:
		f := &failure{problem: deliver.ProblemEnroll, detail: "the user is not enrolled with Duo: " + p.Message, advice: "the user links a phone with an enrolment code (twokey enroll USER --code), or is sent an address from https://admin.duosecurity.com"}
		f.answer.EnrollURL = enrollAddress(p.Enroll)
		return deliver.Answer{}, f
	case duoAuth:
		if factor == "passcode" || slices.ContainsFunc(p.Devices, func(d duoDevice) bool { return slices.Contains(d.Capabilities, factor) }) {
			return deliver.Answer{}, nil
		}
		return deliver.Answer{}, &failure{
			problem: deliver.ProblemRefused, detail: "the user has no device with Duo that takes a " + factor,
			advice: "add one at https://admin.duosecurity.com, or let the user activate Duo Mobile",
		}
	}
	return deliver.Answer{}, noDuo()
}

// enrollAddress is an address that may be shown; "" for one that may not.
func enrollAddress(address string) string {
	u, err := url.Parse(address)
	plain := !strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' })
	if err != nil || u.Scheme != "https" || u.User != nil || u.Hostname() == "" || !plain || len(address) > maxText {
		return ""
	}
	return address
}

// How the state of a question is asked for.
const (
	pollPause = 500 * time.Millisecond // Duo holds an answer back until there is news, but the first
	pollFails = 3                      // so many requests in a row may fail: somebody may have pressed Allow already
)

// await asks how far a question is, until it is decided.
func (c *duoClient) await(ctx context.Context, txid string) (deliver.Answer, error) {
	for fails := 0; ; {
		var state duoState
		err := c.call(ctx, http.MethodGet, "/auth/v2/auth_status", url.Values{"txid": {txid}}, &state)
		f := new(failure)
		switch {
		case err == nil && state.Result != duoWaiting:
			return state.decided(false)
		case err == nil:
			fails = 0
		case errors.As(err, &f) && !slices.Contains([]deliver.Problem{deliver.ProblemUnreachable, deliver.ProblemTimeout, deliver.ProblemServer}, f.problem):
			return deliver.Answer{}, err
		default:
			if fails++; fails == pollFails {
				return deliver.Answer{}, err
			}
		}
		if err := sleep(ctx, pollPause); err != nil {
			return deliver.Answer{}, err
		}
	}
}

// decided is the answer of a question. A passcode that is not right is a no; of what else Duo refuses, only that the person has said no is one.
func (s *duoState) decided(passcode bool) (deliver.Answer, error) {
	a := deliver.Answer{Status: s.Status, Detail: s.Message}
	switch {
	case s.Result == duoAllow:
		a.State = deliver.StateAllow
	case s.Result != duoDeny:
		return deliver.Answer{}, noDuo()
	case passcode || s.Status == duoDeny:
		a.State = deliver.StateDeny
	case s.Status == "fraud":
		a.State, a.Detail = deliver.StateDeny, "reported as fraud: "+s.Message
	case s.Status == "timeout":
		a.State = deliver.StateTimeout
	default:
		return deliver.Answer{}, &failure{
			problem: deliver.ProblemRefused, detail: s.Message + " (" + s.Status + ")", answer: deliver.Answer{Status: s.Status},
			advice: "see the user's authentication log at https://admin.duosecurity.com",
		}
	}
	return a, nil
}

// farOff is how much our clock may differ from Duo's before somebody should look: five minutes are too much for Duo.
const farOff = time.Minute

// check asks whether Duo knows us.
func (c *duoClient) check(ctx context.Context) (deliver.Answer, error) {
	var said struct {
		Time json.Number `json:"time"`
	}
	if err := c.call(ctx, http.MethodGet, "/auth/v2/check", nil, &said); err != nil {
		return deliver.Answer{}, err
	}
	seconds, err := said.Time.Int64()
	if err != nil || seconds <= 0 {
		return deliver.Answer{}, noDuo()
	}
	a := deliver.Answer{State: deliver.StateOK, Account: &deliver.Account{Name: c.with.Host}}
	if off := c.now().Sub(time.Unix(seconds, 0)); off.Abs() > farOff {
		a.Advice = "this host's clock is " + off.Round(time.Second).String() + " off that of Duo, which refuses five minutes: " + adviceClock
	}
	return a, nil
}

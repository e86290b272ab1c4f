package provider

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"time"

	"twokey/deliver"
)

// ntfy (https://docs.ntfy.sh): whoever subscribes to a topic gets what is published to it. A challenge goes to the topic of the user's phone; its
// buttons make the phone publish the answer to a topic that only this challenge knows, which we have subscribed to before: the
// server is told to store neither.

// maxForged is how many answers of somebody who has not got the message are waited through.
const maxForged = 20

// maxMessage is the longest message in bytes; of a longer one than 4096 the server would make an attachment.
const maxMessage = 3500

// ntfyEvent is a line of a subscription, and the answer to a publication.
type ntfyEvent struct {
	ID      string `json:"id"`
	Event   string `json:"event"`
	Topic   string `json:"topic"`
	Message string `json:"message"`
}

// ntfyMessage is a publication as JSON.
type ntfyMessage struct {
	Topic    string       `json:"topic"`
	Title    string       `json:"title"`
	Message  string       `json:"message"`
	Priority int          `json:"priority"`
	Tags     []string     `json:"tags"`
	Cache    string       `json:"cache"`
	Firebase string       `json:"firebase"`
	Actions  []ntfyAction `json:"actions,omitempty"`
}

// ntfyAction is a button that makes a request.
type ntfyAction struct {
	Action  string            `json:"action"`
	Label   string            `json:"label"`
	URL     string            `json:"url"`
	Method  string            `json:"method"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Clear   bool              `json:"clear"`
}

// ntfyClient is a server and what we may do there.
type ntfyClient struct {
	*web
	with *deliver.Ntfy
}

func (j *job) ntfy(ctx context.Context) (deliver.Answer, error) {
	w, err := j.web(j.req.Ntfy.URL)
	if err != nil {
		return deliver.Answer{}, err
	}
	c := &ntfyClient{w, j.req.Ntfy}
	switch j.req.Kind {
	case deliver.KindPush:
		return j.ntfyPush(ctx, c)
	case deliver.KindAccount:
		return c.account(ctx)
	}
	return c.check(ctx)
}

// ntfyPush sends a challenge and waits for its answer.
func (j *job) ntfyPush(ctx context.Context, c *ntfyClient) (deliver.Answer, error) {
	// The subscription outlives the time for sending, so that time is not its deadline: it is cut off if sending has taken too long.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	late := time.AfterFunc(j.req.Timeout, cancel)
	defer late.Stop()
	answers := newAnswerTopic()
	events, err := c.subscribe(ctx, answers)
	if err != nil {
		return deliver.Answer{}, err
	}
	defer events.Close()
	published, err := c.publish(ctx, c.challenge(j.req.Push, answers))
	if err != nil {
		return deliver.Answer{}, err
	}
	if !late.Stop() {
		return deliver.Answer{}, ended(ctx, context.DeadlineExceeded)
	}
	if err := j.say(deliver.Answer{State: deliver.StateSent, ID: published.ID}); err != nil {
		return deliver.Answer{}, err
	}
	waiting, stop := context.WithTimeout(ctx, j.req.Wait)
	defer stop()
	context.AfterFunc(waiting, func() { events.Close() }) // which ends a read that is under way
	answer, err := j.awaitButton(events)
	if err != nil && waiting.Err() != nil {
		return deliver.Answer{State: deliver.StateTimeout}, nil
	}
	return answer, err
}

// awaitButton reads answers until one is of a button.
func (j *job) awaitButton(events *ntfyEvents) (deliver.Answer, error) {
	for forged := 0; forged < maxForged; {
		event, err := events.next()
		if err != nil {
			return deliver.Answer{}, err
		}
		if event.Event != "message" {
			continue // keepalive, and what later servers may have
		}
		if means, ok := pressed(j.req.Push.Buttons, event.Message); ok {
			return deliver.Answer{State: means, ID: event.ID}, nil
		}
		forged++
		if err := j.say(deliver.Answer{State: deliver.StateForged}); err != nil {
			return deliver.Answer{}, err
		}
	}
	return deliver.Answer{}, &failure{
		problem: deliver.ProblemForged,
		detail:  fmt.Sprintf("%d answers that are none of the buttons", maxForged),
		advice:  "somebody reads what is published on the ntfy server: see its access rules",
	}
}

// pressed finds the button that an answer is of, in a time that does not depend on how much of it is right.
func pressed(buttons []deliver.Button, body string) (means deliver.State, ok bool) {
	for _, b := range buttons {
		if subtle.ConstantTimeCompare([]byte(b.Body), []byte(body)) == 1 {
			means, ok = b.Means, true
		}
	}
	return means, ok
}

// challenge is the message for the phone. The buttons stand in random order: a thumb must not learn where the right one is.
func (c *ntfyClient) challenge(p *deliver.Push, answers string) *ntfyMessage {
	headers := map[string]string{"Cache": "no", "Firebase": "no"}
	if c.with.AnswerToken != "" {
		headers["Authorization"] = "Bearer " + c.with.AnswerToken
	}
	m := &ntfyMessage{Topic: p.Topic, Title: p.Title, Message: factLines(p.Facts), Priority: 5, Tags: []string{"lock"}}
	for _, b := range p.Buttons {
		m.Actions = append(m.Actions, ntfyAction{
			Action: "http", Label: b.Label, URL: c.base.JoinPath(answers).String(), Method: http.MethodPost, Headers: headers, Body: b.Body, Clear: true,
		})
	}
	for i := len(m.Actions) - 1; i > 0; i-- {
		other := randomBelow(i + 1)
		m.Actions[i], m.Actions[other] = m.Actions[other], m.Actions[i]
	}
	return m
}

func factLines(facts []deliver.Fact) string {
	var lines []string
	for _, f := range facts {
		lines = append(lines, f.Name+": "+f.Value)
	}
	text := strings.Join(lines, "\n")
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "…"
	}
	return text
}

func randomBelow(n int) int {
	i, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic(err) // crypto/rand ends the program before it returns an error
	}
	return int(i.Int64())
}

// newAnswerTopic is a topic that nobody can guess.
func newAnswerTopic() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return "tk-rsp-" + hex.EncodeToString(b[:])
}

// publish hands a message to the server, not to be stored. The headers say it again for servers that do not know these fields.
func (c *ntfyClient) publish(ctx context.Context, m *ntfyMessage) (ntfyEvent, error) {
	m.Cache, m.Firebase = "no", "no"
	body, err := json.Marshal(m)
	if err != nil {
		return ntfyEvent{}, err
	}
	header := c.bearer(c.with.Token)
	header.Set("Content-Type", "application/json")
	header.Set("Cache", "no")
	header.Set("Firebase", "no")
	var event ntfyEvent
	if err := c.jsonInto(ctx, http.MethodPost, "/", header, body, &event); err != nil {
		return ntfyEvent{}, advise(err, "the token's user may not publish challenges: ntfy access USER 'tk-*' read-write")
	}
	return event, nil
}

func (c *ntfyClient) bearer(token string) http.Header {
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	return header
}

// ntfyEvents is an open subscription.
type ntfyEvents struct {
	ctx   context.Context
	body  io.ReadCloser
	lines *bufio.Scanner
	topic string
}

// subscribe returns when the server has said that the subscription is open: what is published after that is not missed.
func (c *ntfyClient) subscribe(ctx context.Context, topic string) (*ntfyEvents, error) {
	response, err := c.send(ctx, http.MethodGet, topic+"/json", c.bearer(c.with.Token), nil)
	if err != nil {
		return nil, advise(err, "the token's user may not read answers: ntfy access USER 'tk-*' read-write")
	}
	events := &ntfyEvents{ctx, response.Body, bufio.NewScanner(response.Body), topic}
	events.lines.Buffer(nil, maxAnswer)
	if err := events.open(response); err != nil {
		return nil, errors.Join(err, events.Close())
	}
	return events, nil
}

func (e *ntfyEvents) open(response *http.Response) error {
	if err := isJSON(response, "application/x-ndjson", "application/json"); err != nil {
		return err
	}
	for {
		event, err := e.next()
		if err != nil {
			return err
		}
		if event.Event == "open" {
			return nil
		}
	}
}

// next gives the next event of the topic.
func (e *ntfyEvents) next() (ntfyEvent, error) {
	for e.lines.Scan() {
		var event ntfyEvent
		if err := json.Unmarshal(e.lines.Bytes(), &event); err != nil || event.Event == "" {
			return ntfyEvent{}, &failure{problem: deliver.ProblemAnswer, detail: "the subscription gives what is no event"}
		}
		if event.Topic == e.topic {
			return event, nil
		}
	}
	err := e.lines.Err()
	if err == nil {
		err = &failure{problem: deliver.ProblemUnreachable, detail: "the server has ended the subscription"}
	}
	return ntfyEvent{}, ended(e.ctx, err)
}

// Close ends the stream.
func (e *ntfyEvents) Close() error { return e.body.Close() }

// account asks whether the server is one, is well, and who it takes us for.
func (c *ntfyClient) account(ctx context.Context) (deliver.Answer, error) {
	var health struct {
		Healthy bool `json:"healthy"`
	}
	if err := c.jsonInto(ctx, http.MethodGet, "/v1/health", nil, nil, &health); err != nil {
		return deliver.Answer{}, advise(err, "")
	}
	if !health.Healthy {
		return deliver.Answer{}, &failure{problem: deliver.ProblemServer, detail: "the server says that it is not healthy"}
	}
	var account struct {
		Username string `json:"username"`
		Role     string `json:"role"`
	}
	if err := c.jsonInto(ctx, http.MethodGet, "/v1/account", c.bearer(c.with.Token), nil, &account); err != nil {
		return deliver.Answer{}, advise(err, "")
	}
	if account.Username == "" {
		return deliver.Answer{}, &failure{problem: deliver.ProblemAnswer, detail: "the server names no account"}
	}
	return deliver.Answer{State: deliver.StateOK, Account: &deliver.Account{Name: account.Username, State: account.Role}}, nil
}

// advise adds what the administrator can do about a refusal.
func advise(err error, forbidden string) error {
	f := new(failure)
	if !errors.As(err, &f) || f.advice != "" {
		return err
	}
	switch f.problem {
	case deliver.ProblemCredentials:
		f.advice = "the server does not know the token: ntfy token add USER makes a new one"
	case deliver.ProblemRefused:
		f.advice = forbidden
	case deliver.ProblemLimit:
		f.advice = "raise visitor-subscription-limit and visitor-request-limit-burst on the server, or put this host into visitor-request-limit-exempt-hosts"
	}
	return f
}

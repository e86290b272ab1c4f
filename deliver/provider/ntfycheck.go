package provider

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"twokey/deliver"
)

// check goes the way of a challenge without a person: it subscribes to answers, publishes a challenge on a topic that nobody reads,
// answers it as a phone would, and waits for that to come back. A rule that lets strangers read is an advice with the answer.
func (c *ntfyClient) check(ctx context.Context) (deliver.Answer, error) {
	answers := newAnswerTopic()
	events, err := c.subscribe(ctx, answers)
	if err != nil {
		return deliver.Answer{}, err
	}
	defer events.Close()
	nobodys := strings.Replace(newAnswerTopic(), "tk-rsp-", "tk-check-", 1)
	if _, err := c.publish(ctx, &ntfyMessage{Topic: nobodys, Title: "twokey", Message: "check", Priority: 1}); err != nil {
		return deliver.Answer{}, err
	}
	if err := c.answer(ctx, answers); err != nil {
		return deliver.Answer{}, err
	}
	for {
		event, err := events.next()
		if err != nil {
			return deliver.Answer{}, err
		}
		if event.Event == "message" && event.Message == "check" {
			break
		}
	}
	readable, err := c.strangersRead(ctx, nobodys)
	if err != nil {
		return deliver.Answer{}, err
	}
	a := deliver.Answer{State: deliver.StateOK}
	if readable {
		a.Advice = "everybody can read the challenges on the server: ntfy access everyone 'tk-*' deny"
		if c.with.AnswerToken == "" {
			a.Advice += "; ntfy access everyone 'tk-rsp-*' write-only"
		}
	}
	return a, nil
}

// answer does what a button does.
func (c *ntfyClient) answer(ctx context.Context, topic string) error {
	header := c.bearer(c.with.AnswerToken)
	header.Set("Cache", "no")
	header.Set("Firebase", "no")
	response, err := c.send(ctx, http.MethodPost, topic, header, []byte("check"))
	if err != nil {
		return advise(err, "the phone may not publish its answer: ntfy access everyone 'tk-rsp-*' write-only, or the same for the answer token's user")
	}
	return response.Body.Close()
}

// strangersRead asks whether somebody without a token may read a topic.
func (c *ntfyClient) strangersRead(ctx context.Context, topic string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var said struct {
		Success bool `json:"success"`
	}
	err := c.jsonInto(ctx, http.MethodGet, topic+"/auth", nil, nil, &said)
	f := new(failure)
	if errors.As(err, &f) && (f.problem == deliver.ProblemRefused || f.problem == deliver.ProblemCredentials) {
		return false, nil
	}
	return said.Success, err
}

package fakes

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Phone is the ntfy app on somebody's phone.
type Phone struct {
	client   *http.Client
	messages chan Message
}

// NewPhone subscribes a phone to a topic; it listens when NewPhone returns, and until the test ends. It does not count for the limit of
// subscriptions: phones come from elsewhere.
func (n *Ntfy) NewPhone(t testing.TB, token, topic string) *Phone {
	t.Helper()
	if !n.may(n.userOf(token), topic, readRight) {
		t.Fatalf("the phone's token may not read %s", topic)
	}
	n.mu.Lock()
	n.limit++
	n.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, n.URL()+"/"+topic+"/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := n.server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	lines := bufio.NewScanner(response.Body)
	if response.StatusCode != 200 || !lines.Scan() || !strings.Contains(lines.Text(), `"event":"open"`) {
		t.Fatalf("the phone cannot subscribe: %s: %s", response.Status, lines.Text())
	}
	p := &Phone{n.server.Client(), make(chan Message, 100)}
	go func() {
		defer close(p.messages)
		for lines.Scan() {
			var m Message
			if err := json.Unmarshal(lines.Bytes(), &m); err == nil && m.Event == "message" {
				p.messages <- m
			}
		}
	}()
	return p
}

// Message waits for the next message.
func (p *Phone) Message(ctx context.Context) (Message, error) {
	select {
	case m, ok := <-p.messages:
		if !ok {
			return Message{}, errors.New("the phone has lost the server")
		}
		return m, nil
	case <-ctx.Done():
		return Message{}, fmt.Errorf("no message on the phone: %w", ctx.Err())
	}
}

// Waiting is how many messages have come and were not looked at.
func (p *Phone) Waiting() int { return len(p.messages) }

// Labels are what stands on the buttons of a message, in the order in which they stand.
func (m Message) Labels() []string {
	var labels []string
	for _, a := range m.Actions {
		labels = append(labels, a.Label)
	}
	return labels
}

// Press does what the app does when somebody presses the button with this label: it makes the button's request.
func (p *Phone) Press(ctx context.Context, m Message, label string) error {
	for _, a := range m.Actions {
		if a.Label == label {
			return p.Send(ctx, a, a.Body)
		}
	}
	return fmt.Errorf("there is no button %q, only %q", label, m.Labels())
}

// Send makes a button's request with another body, as somebody would who guesses.
func (p *Phone) Send(ctx context.Context, a Action, body string) error {
	r, err := http.NewRequestWithContext(ctx, a.Method, a.URL, strings.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range a.Headers {
		r.Header.Set(name, value)
	}
	response, err := p.client.Do(r)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the server refuses the answer: %s", response.Status)
	}
	return errors.Join(err, response.Body.Close())
}

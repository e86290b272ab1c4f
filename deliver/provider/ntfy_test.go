package provider

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"twokey/deliver"
	"twokey/deliver/fakes"
)

const (
	hostToken   = "tk_host0abcdefghijklmnopqrstuvwx"
	phoneToken  = "tk_phone0abcdefghijklmnopqrstuvw"
	answerToken = "tk_answer0abcdefghijklmnopqrstuv"
	phoneTopic  = "tk-abcdefghijklmnopqrstuvwxyz234567"
	// patience is what a test gives up after; nothing is measured by it.
	patience = 30 * time.Second
)

func challenge(url string) *deliver.Request {
	return &deliver.Request{
		Kind: deliver.KindPush, Connect: 5 * time.Second, Timeout: 20 * time.Second, Wait: 20 * time.Second,
		Ntfy: &deliver.Ntfy{URL: url, Token: hostToken},
		Push: &deliver.Push{
			Title: "Log in as alice?", Topic: phoneTopic,
			Facts: []deliver.Fact{{Name: "From", Value: "198.51.100.7"}, {Name: "Host", Value: "web1"}, {Name: "Service", Value: "sshd"}},
			Buttons: []deliver.Button{
				{Label: "42", Body: "42 00112233445566778899aabbccddeeff", Means: deliver.StateAllow},
				{Label: "17", Body: "17 ffeeddccbbaa99887766554433221100", Means: deliver.StateWrong},
				{Label: "Deny", Body: "deny 0f1e2d3c4b5a69788796a5b4c3d2e1f0", Means: deliver.StateDeny},
			},
		},
	}
}

// heard collects what is said before the last answer.
type heard struct {
	mu   sync.Mutex
	said []deliver.Answer
	sent chan struct{}
}

func newHeard() *heard { return &heard{sent: make(chan struct{})} }

func (h *heard) say(a deliver.Answer) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.said = append(h.said, a)
	if a.State == deliver.StateSent {
		close(h.sent)
	}
	return nil
}

func (h *heard) states() []deliver.State {
	h.mu.Lock()
	defer h.mu.Unlock()
	var states []deliver.State
	for _, a := range h.said {
		states = append(states, a.State)
	}
	return states
}

func ctxFor(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestAPushIsAnsweredByAButton(t *testing.T) {
	for label, want := range map[string]deliver.State{"42": deliver.StateAllow, "17": deliver.StateWrong, "Deny": deliver.StateDeny} {
		for _, token := range []string{"", answerToken} {
			n := fakes.NewNtfy(t)
			n.GrantUsual(hostToken, phoneToken)
			if token != "" {
				n.Grant("*", "", "tk-rsp-*", fakes.Deny)
				n.Grant("answers", answerToken, "tk-rsp-*", fakes.WriteOnly)
			}
			phone := n.NewPhone(t, phoneToken, phoneTopic)
			req, h, ctx := challenge(n.URL()), newHeard(), ctxFor(t)
			req.Ntfy.AnswerToken = token
			pressed := make(chan error, 1)
			go func() {
				m, err := phone.Message(ctx)
				if err == nil {
					<-h.sent
					err = phone.Press(ctx, m, label)
				}
				pressed <- err
			}()
			got := Run(ctx, req, h.say)
			if err := <-pressed; err != nil || got.State != want || !slices.Equal(h.states(), []deliver.State{deliver.StateSent}) {
				t.Errorf("%s: %+v, said %v, pressed: %v", label, got, h.states(), err)
			}
			if stored := n.Stored(); len(stored) != 0 {
				t.Errorf("the server keeps %v", stored)
			}
		}
	}
}

func TestTheMessageTellsWhoAsks(t *testing.T) {
	n := fakes.NewNtfy(t)
	n.GrantUsual(hostToken, phoneToken)
	phone := n.NewPhone(t, phoneToken, phoneTopic)
	ctx, h := ctxFor(t), newHeard()
	orders := map[string]bool{}
	for range 12 {
		done := make(chan deliver.Answer, 1)
		go func() { done <- Run(ctx, challenge(n.URL()), newHeard().say) }()
		m, err := phone.Message(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if m.Title != "Log in as alice?" || m.Message != "From: 198.51.100.7\nHost: web1\nService: sshd" || m.Priority != 5 {
			t.Fatalf("%+v", m)
		}
		orders[strings.Join(m.Labels(), " ")] = true
		if err := phone.Press(ctx, m, "Deny"); err != nil {
			t.Fatal(err)
		}
		<-done
	}
	if len(orders) < 2 { // one in 6^11 otherwise
		t.Errorf("the buttons always stand as %v", orders)
	}
	if got := h.states(); got != nil {
		t.Error(got)
	}
}

func TestALongFactIsCut(t *testing.T) {
	var facts []deliver.Fact
	for range 16 {
		facts = append(facts, deliver.Fact{Name: "From", Value: strings.Repeat("é", 256)})
	}
	text := factLines(facts)
	if len(text) > 4096 || !strings.HasSuffix(text, "é…") {
		t.Errorf("%d bytes, end %q", len(text), text[len(text)-10:])
	}
}

func TestForgedAnswersAreReportedAndWaitedThrough(t *testing.T) {
	n := fakes.NewNtfy(t)
	n.GrantUsual(hostToken, phoneToken)
	phone := n.NewPhone(t, phoneToken, phoneTopic)
	h, ctx := newHeard(), ctxFor(t)
	sent := make(chan error, 1)
	go func() {
		m, err := phone.Message(ctx)
		if err != nil {
			sent <- err
			return
		}
		<-h.sent
		for _, body := range []string{"42 00112233445566778899aabbccddeefe", "42", "allow", "deny 00112233445566778899aabbccddeeff", "\x1b[2J", "42 00112233445566778899AABBCCDDEEFF"} {
			if err = phone.Send(ctx, m.Actions[0], body); err != nil {
				break
			}
		}
		if err == nil {
			err = phone.Press(ctx, m, "42")
		}
		sent <- err
	}()
	got := Run(ctx, challenge(n.URL()), h.say)
	want := append([]deliver.State{deliver.StateSent}, slices.Repeat([]deliver.State{deliver.StateForged}, 6)...)
	if err := <-sent; err != nil || got.State != deliver.StateAllow || !slices.Equal(h.states(), want) {
		t.Errorf("%+v, said %v: %v", got, h.states(), err)
	}
}

func TestTwentyForgedAnswersEndTheWaiting(t *testing.T) {
	n := fakes.NewNtfy(t)
	n.GrantUsual(hostToken, phoneToken)
	phone := n.NewPhone(t, phoneToken, phoneTopic)
	h, ctx := newHeard(), ctxFor(t)
	sent := make(chan error, 1)
	go func() {
		m, err := phone.Message(ctx)
		for i := 0; i < 20 && err == nil; i++ {
			err = phone.Send(ctx, m.Actions[0], fmt.Sprint("42 ", i))
		}
		sent <- err
	}()
	got := Run(ctx, challenge(n.URL()), h.say)
	if err := <-sent; err != nil || got.Problem != deliver.ProblemForged || len(h.states()) != 21 {
		t.Errorf("%+v, said %v: %v", got, h.states(), err)
	}
}

func TestNobodyPresses(t *testing.T) {
	n := fakes.NewNtfy(t)
	n.GrantUsual(hostToken, phoneToken)
	req, h := challenge(n.URL()), newHeard()
	req.Wait = 50 * time.Millisecond
	if got := Run(ctxFor(t), req, h.say); got.State != deliver.StateTimeout || !slices.Equal(h.states(), []deliver.State{deliver.StateSent}) {
		t.Errorf("%+v, said %v", got, h.states())
	}
}

// bad says what each day is called.
var bad = map[fakes.Day]deliver.Problem{
	fakes.Slow: deliver.ProblemTimeout, fakes.Half: deliver.ProblemAnswer, fakes.Reset: deliver.ProblemUnreachable, fakes.HTML: deliver.ProblemAnswer,
	fakes.Huge: deliver.ProblemAnswer, fakes.Redirect: deliver.ProblemRedirect, fakes.WrongType: deliver.ProblemAnswer, fakes.Broken: deliver.ProblemServer,
	fakes.Malformed: deliver.ProblemAnswer, fakes.Busy: deliver.ProblemLimit, fakes.Chatty: deliver.ProblemRefused, fakes.BrokenPage: deliver.ProblemServer,
}

func TestABadDayHasItsWord(t *testing.T) {
	if len(bad) != len(fakes.Days) {
		t.Fatalf("%d of %d days", len(bad), len(fakes.Days))
	}
	steps := map[string]deliver.Kind{
		"subscribe": deliver.KindPush, "publish": deliver.KindPush, "health": deliver.KindAccount, "account": deliver.KindAccount, "answer": deliver.KindCheck,
	}
	for step, kind := range steps {
		for _, day := range fakes.Days {
			t.Run(step+" "+string(day), func(t *testing.T) {
				t.Parallel()
				n := fakes.NewNtfy(t)
				n.GrantUsual(hostToken, phoneToken)
				n.SetDay(step, day)
				req, h := challenge(n.URL()), newHeard()
				if req.Kind = kind; kind != deliver.KindPush {
					req.Push, req.Wait = nil, 0
				}
				want := bad[day]
				if step == "answer" && slices.Contains([]fakes.Day{fakes.Half, fakes.HTML, fakes.Huge, fakes.WrongType, fakes.Malformed}, day) {
					want = deliver.ProblemTimeout // what is said to a phone is not read, and what is not passed on does not come
				}
				if want == deliver.ProblemTimeout {
					req.Timeout = 300 * time.Millisecond
				}
				ctx, cancel := context.WithTimeout(ctxFor(t), req.Limit())
				defer cancel()
				got := Run(ctx, req, h.say)
				if got.State != deliver.StateFailed || got.Problem != want || len(h.states()) != 0 {
					t.Errorf("%+v, want %s; said %v", got, want, h.states())
				}
				if day == fakes.Busy && got.Retry != 17*time.Second {
					t.Errorf("come again in %s", got.Retry)
				}
				if read := step == "health" || step == "account" || step == "publish"; day == fakes.Huge && read && !strings.Contains(got.Detail, "longer than 64 KiB") {
					t.Errorf("five megabytes: %+v", got)
				}
				if n.Redirected() != 0 {
					t.Error("the redirect was followed")
				}
				checkClean(t, req, got)
			})
		}
	}
}

func TestAServerThatEndsTheSubscription(t *testing.T) {
	n := fakes.NewNtfy(t)
	n.GrantUsual(hostToken, phoneToken)
	h := newHeard()
	go func() {
		<-h.sent
		n.Hangup()
	}()
	if got := Run(ctxFor(t), challenge(n.URL()), h.say); got.State != deliver.StateFailed || got.Problem == deliver.ProblemTimeout {
		t.Errorf("%+v", got)
	}
}

func TestWhoMayNot(t *testing.T) {
	for name, c := range map[string]struct {
		grant  func(*fakes.Ntfy)
		want   deliver.Problem
		detail string
		advice string
	}{
		"a token that the server does not know": {func(*fakes.Ntfy) {}, deliver.ProblemCredentials, "status 401: unauthorized (40101)", "ntfy token add"},
		"a token that may not read answers": {func(n *fakes.Ntfy) {
			n.Grant("twokey", hostToken, "tk-*", fakes.WriteOnly)
		}, deliver.ProblemRefused, "status 403: forbidden (40301)", "read answers"},
		"a token that may not publish": {func(n *fakes.Ntfy) {
			n.Grant("twokey", hostToken, "tk-*", fakes.ReadOnly)
		}, deliver.ProblemRefused, "status 403: forbidden (40301)", "publish challenges"},
		"too many subscriptions": {func(n *fakes.Ntfy) {
			n.GrantUsual(hostToken, phoneToken)
			n.LimitSubscriptions(0)
		}, deliver.ProblemLimit, "status 429: limit reached: too many active subscriptions, please be nice (42903)", "visitor-subscription-limit"},
	} {
		n := fakes.NewNtfy(t)
		c.grant(n)
		got := Run(ctxFor(t), challenge(n.URL()), newHeard().say)
		if got.Problem != c.want || got.Detail != c.detail || !strings.Contains(got.Advice, c.advice) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestAccountAndCheck(t *testing.T) {
	n := fakes.NewNtfy(t)
	n.GrantUsual(hostToken, phoneToken)
	req := &deliver.Request{Kind: deliver.KindAccount, Connect: time.Second, Timeout: 20 * time.Second, Ntfy: &deliver.Ntfy{URL: n.URL(), Token: hostToken}}
	if got := Run(ctxFor(t), req, nil); got.State != deliver.StateOK || *got.Account != (deliver.Account{Name: "twokey", State: "user"}) {
		t.Errorf("%+v", got)
	}
	req.Kind = deliver.KindCheck
	if got := Run(ctxFor(t), req, nil); got.State != deliver.StateOK || got.Advice != "" {
		t.Errorf("%+v", got)
	}
	n.Grant("*", "", "tk-c*", fakes.ReadOnly)
	if got := Run(ctxFor(t), req, nil); got.State != deliver.StateOK || !strings.Contains(got.Advice, "everybody can read") {
		t.Errorf("%+v", got)
	}
	n.Grant("*", "", "tk-rsp-????", fakes.Deny)
	n.Grant("*", "", "tk-rsp-**", fakes.Deny)
	if got := Run(ctxFor(t), req, nil); got.Problem != deliver.ProblemRefused || !strings.Contains(got.Advice, "phone may not publish") {
		t.Errorf("%+v", got)
	}
}

func TestFiftyPushesAtOnce(t *testing.T) {
	n := fakes.NewNtfy(t)
	n.GrantUsual(hostToken, phoneToken)
	n.LimitSubscriptions(50)
	ctx := ctxFor(t)
	var running sync.WaitGroup
	for i := range 50 {
		req := challenge(n.URL())
		req.Push.Topic = fmt.Sprintf("tk-user%d", i)
		phone := n.NewPhone(t, phoneToken, req.Push.Topic)
		label := []string{"42", "17", "Deny"}[i%3]
		want := []deliver.State{deliver.StateAllow, deliver.StateWrong, deliver.StateDeny}[i%3]
		running.Go(func() {
			if got := Run(ctx, req, newHeard().say); got.State != want {
				t.Errorf("push %d: %+v, want %s", i, got, want)
			}
		})
		running.Go(func() {
			m, err := phone.Message(ctx)
			if err == nil {
				err = phone.Press(ctx, m, label)
			}
			if err != nil {
				t.Errorf("phone %d: %v", i, err)
			}
		})
	}
	running.Wait()
}

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"twokey/deliver"
	"twokey/deliver/fakes"
	"twokey/internal/mail/mailtest"
)

const (
	number  = "+442079460958"
	message = "Your host verification code is: 739104"
)

// text is a request for an SMS, without its provider.
func text() *deliver.Request {
	return &deliver.Request{
		Kind: deliver.KindText, Connect: 5 * time.Second, Timeout: 30 * time.Second,
		Text: &deliver.Text{Number: number, Message: message, User: "alice"},
	}
}

// done runs a request through the program, and looks for what may stand in no answer.
func done(t *testing.T, req *deliver.Request, want deliver.State, secrets ...string) deliver.Answer {
	t.Helper()
	r := start(t, req)
	a := next(t, r, want)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	line, err := a.Encode()
	if err != nil {
		t.Error(err)
	}
	for _, secret := range append(secrets, "739104", "2079460958", "946 0958") {
		if strings.Contains(string(line), secret) {
			t.Errorf("%s holds %q", line, secret)
		}
	}
	return a
}

func TestTextsByTwilioThroughTheProgram(t *testing.T) {
	s := fakes.NewTwilio(t)
	req := text()
	req.Twilio = &deliver.Twilio{AccountSID: fakes.TwilioSID, AuthToken: fakes.TwilioToken, From: fakes.TwilioNumber, URL: s.URL()}
	a := done(t, req, deliver.StateSent, fakes.TwilioToken)
	if sent := s.Sent(); len(sent) != 1 || sent[0] != (fakes.SMS{SID: a.ID, To: number, From: fakes.TwilioNumber, Body: message}) {
		t.Errorf("%+v, sent %+v", a, sent)
	}
	s.Trial()
	if a := done(t, req, deliver.StateFailed, fakes.TwilioToken); a.Problem != deliver.ProblemUnverified || !strings.Contains(a.Advice, "https://console.twilio.com") {
		t.Errorf("%+v", a)
	}
	for _, day := range fakes.Days {
		s.SetDay("message", day)
		if req.Timeout = 30 * time.Second; day == fakes.Slow {
			req.Timeout = 500 * time.Millisecond
		}
		if a := done(t, req, deliver.StateFailed, fakes.TwilioToken, "\x1b", "owned\x07"); a.Detail == "" {
			t.Errorf("%s: %+v", day, a)
		}
	}
	if s.Redirected() != 0 {
		t.Error("the redirect was followed")
	}
	stranger := fakes.NewTwilioTLS(t)
	req.Timeout, req.Twilio.URL = 30*time.Second, stranger.URL()
	if a := done(t, req, deliver.StateFailed, fakes.TwilioToken); a.Problem != deliver.ProblemTLS || len(stranger.Sent()) != 0 {
		t.Errorf("a stranger's certificate: %+v", a)
	}
}

func TestAQuestionByDuoThroughTheProgram(t *testing.T) {
	d := fakes.NewDuo(t)
	d.User("alice", fakes.DuoUser{Passcodes: []string{"7391045"}})
	req := &deliver.Request{
		Kind: deliver.KindPush, Connect: 5 * time.Second, Timeout: 30 * time.Second, Wait: 60 * time.Second,
		Duo:  &deliver.Duo{Host: fakes.DuoHost, IntegrationKey: fakes.DuoIntegrationKey, SecretKey: fakes.DuoSecretKey, URL: d.URL()},
		Push: &deliver.Push{Title: "Log in?", User: "alice", Factor: "push", From: "198.51.100.7"},
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for status, want := range map[string]deliver.State{"allow": deliver.StateAllow, "deny": deliver.StateDeny} {
		r := start(t, req)
		next(t, r, deliver.StateSent)
		q, err := d.Question(ctx)
		if err != nil {
			t.Fatal(err)
		}
		d.Answer(q.TxID, status)
		next(t, r, want)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	req.Push.Factor, req.Push.Passcode = "passcode", "7391045"
	done(t, req, deliver.StateAllow, "7391045", fakes.DuoSecretKey)
	done(t, req, deliver.StateDeny, "7391045", fakes.DuoSecretKey)
	d.SetDay("preauth", fakes.Chatty)
	done(t, req, deliver.StateFailed, "7391045", fakes.DuoSecretKey)
}

func TestTextsByMailThroughTheProgram(t *testing.T) {
	gateway := fakes.NewSMTP(t, mailtest.Behaviour{})
	req := text()
	req.SMTP = &deliver.SMTP{Server: strings.Replace(gateway.Address, "127.0.0.1", "localhost", 1), From: "twokey@example.org", To: "%NUMBER%@sms.example.org"}
	done(t, req, deliver.StateSent)
	if texts := gateway.Texts(); len(texts) != 1 || texts[0].To != "442079460958@sms.example.org" || texts[0].Body != message {
		t.Errorf("%+v", texts)
	}
	refusing := fakes.NewSMTP(t, mailtest.Behaviour{Says: map[string]string{"RCPT": "550 5.1.1 <442079460958@sms.example.org> and +44 20 7946 0958: unknown"}})
	req.SMTP.Server = refusing.Address
	if a := done(t, req, deliver.StateFailed); a.Problem != deliver.ProblemRefused {
		t.Errorf("%+v", a)
	}
}

// byScript has texts sent by a program that anybody can start.
func byScript(t *testing.T, script string) (req *deliver.Request, out string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "twokey-send-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program := filepath.Join(dir, "send-text")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nD="+dir+"/out\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	out = filepath.Join(dir, "out")
	for _, err := range []error{os.Chmod(dir, 0o755), os.Mkdir(out, 0o700), os.Chown(out, anybody, anybody)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	req = text()
	req.Command = &deliver.Command{Argv: []string{program}}
	return req, out
}

func TestTextsByAProgramThroughTheProgram(t *testing.T) {
	req, out := byScript(t, "cat >$D/input; id -u >$D/user; ls /proc/self/fd | wc -l >$D/descriptors\n")
	done(t, req, deliver.StateSent)
	for name, want := range map[string]string{"input": number + "\n" + message, "user": fmt.Sprintln(anybody), "descriptors": "4\n"} { // one is of ls
		if got, err := os.ReadFile(filepath.Join(out, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	req, _ = byScript(t, "cat >&2; exit 7\n")
	if a := done(t, req, deliver.StateFailed); a.Problem != deliver.ProblemCommand || a.Detail != "send-text: exit status 7: …958" {
		t.Errorf("%+v", a)
	}
}

// A login that does not wait any more leaves nothing behind of the program that it had started, nor of what that has started.
func TestCloseEndsAProgramThatSends(t *testing.T) {
	req, out := byScript(t, `trap '' TERM HUP; (trap '' TERM HUP; while :; do sleep 0.1; done) & echo $$ $! >$D/pids.new; mv $D/pids.new $D/pids; while :; do sleep 0.1; done`)
	r := start(t, req)
	var self, child int
	for end := time.Now().Add(patience); child == 0; time.Sleep(5 * time.Millisecond) {
		if pids, err := os.ReadFile(filepath.Join(out, "pids")); err == nil {
			if _, err := fmt.Sscan(string(pids), &self, &child); err != nil {
				t.Fatal(err)
			}
		}
		if time.Now().After(end) {
			t.Fatal("it was not started")
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	for _, pid := range []int{self, child} {
		for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			if err != nil || strings.Contains(string(stat), ") Z ") {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("process %d is still there", pid)
			}
		}
	}
}

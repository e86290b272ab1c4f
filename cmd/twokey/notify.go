package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"twokey/audit"
	"twokey/deliver"
	"twokey/messenger"
	"twokey/policy"
)

// What this program sends to phones goes by twokey-notify, as it does at a login: root opens no network connection.

// notifySlack is how much longer than its request twokey-notify may take to say how it ended.
const notifySlack = 2 * time.Second

// messages is what requests to the providers of a configuration are made of.
func (h *host) messages(c *policy.Config) (messenger.Settings, error) {
	name, err := os.Hostname()
	return messenger.Settings{Policy: c, Credentials: h.path(h.policy.Paths.Credentials), Host: name}, err
}

// notify has a request done and gives its last answer; heard gets those before it.
func notify(req *deliver.Request, heard func(deliver.Answer) error) (last deliver.Answer, err error) {
	uid, gid, err := deliver.FindUser()
	if err != nil {
		return deliver.Answer{}, err
	}
	running, err := deliver.Start(deliver.Helper(), uid, gid, req)
	if err != nil {
		return deliver.Answer{}, err
	}
	defer func() { err = errors.Join(err, running.Close()) }()
	until := time.Now().Add(req.Limit() + notifySlack)
	for {
		last, err = running.Next(until)
		if err != nil || last.State.Final(req.Kind) {
			return last, err
		}
		if err := heard(last); err != nil {
			return deliver.Answer{}, err
		}
	}
}

// unheard is for requests that have one answer.
func unheard(deliver.Answer) error { return nil }

// delivery is what has become of a message, or why there could be none.
type delivery struct {
	deliver.Answer
	asked bool // of a push: it was sent to a phone
	err   error
}

// failure is the one line that an administrator gets where a request came to nothing; nil where it did not.
func (o delivery) failure(what string) error {
	switch {
	case o.err != nil:
		return fmt.Errorf("%s: %w", what, o.err)
	case o.State != deliver.StateFailed:
		return nil
	}
	refused := failed("%s: %s (%s)", what, or(o.Detail, "no more is known"), o.Problem)
	if advice := or(o.Advice, adviceOn[o.Problem]); advice != "" {
		return refused.hintRoot("%s", advice)
	}
	return refused
}

// adviceOn is for what the provider's client has no advice on.
var adviceOn = map[deliver.Problem]string{
	deliver.ProblemUnreachable: "see whether the service runs, and whether this host may connect to it",
	deliver.ProblemTimeout:     "see whether the service is slow at the moment: its status page; timeout in the configuration says how long it may take",
	deliver.ProblemTLS:         "the service needs a certificate for this name from an authority that this host trusts",
	deliver.ProblemRedirect:    "use the address that the service has now; redirects are not followed",
	deliver.ProblemAnswer:      "see whether the address is that of the service, and nothing stands in between, such as a login page",
	deliver.ProblemServer:      "the service is in trouble: try again, and see its status page",
	deliver.ProblemCredentials: "the service does not know these credentials: twokey sms setup, or twokey push setup, asks for others",
	deliver.ProblemRefused:     "see in the provider's console, or its log, why it does not do that",
	deliver.ProblemCommand:     "run the program by hand, as the user " + deliver.User + ", with number and text on its standard input",
	deliver.ProblemSettings:    "look at the section of the provider in the configuration: twokey policy check",
	deliver.ProblemLimit:       "the service has had too many requests: try again in a while",
	deliver.ProblemNumber:      "look at the number, digit by digit; a landline gets no text messages",
	deliver.ProblemBlocked:     "whoever has the phone has answered STOP: a text with START from it to the sender's number takes that back",
}

// The keys of what a record says of a message: those that a login writes.
const (
	providerDetail = "twokey.provider"
	phoneDetail    = "twokey.phone"
	problemDetail  = "twokey.problem"
	answerDetail   = "twokey.detail"
)

// recordMessage writes into the audit log what has become of a message: never the number, but for its last three digits.
func (h *host) recordMessage(action, target, provider, number string, o delivery) error {
	rec := h.newRecord(action, target)
	rec.Reason = string(o.State)
	if o.err != nil || o.State == deliver.StateFailed {
		rec.Outcome = audit.Failure
	}
	if o.err != nil {
		rec.Reason = oneLine(o.err)
	}
	for _, d := range []audit.Detail{{Key: providerDetail, Value: provider}, {Key: phoneDetail, Value: number[max(0, len(number)-3):]},
		{Key: problemDetail, Value: string(o.Problem)}, {Key: answerDetail, Value: o.Detail}} {
		if d.Value != "" {
			rec.Details = append(rec.Details, d)
		}
	}
	if err := audit.Append(h.path(h.policy.Paths.Audit), rec); err != nil {
		return fmt.Errorf("the audit log could not be written: %w", err)
	}
	return nil
}

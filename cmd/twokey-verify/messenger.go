package main

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"twokey/deliver"
	"twokey/messenger"
	"twokey/pamhook"
	"twokey/policy/inforce"
)

// openMessenger sends by twokey-notify, which has the network. Nothing is read before something is sent.
func openMessenger(p *inforce.Policy) (pamhook.Messenger, error) {
	return outgoing{messenger.Settings{Policy: p.Config, Credentials: p.Paths.Credentials, Host: hostName()}}, nil
}

// outgoing is package messenger as a login needs it.
type outgoing struct{ settings messenger.Settings }

// Text sends a text.
func (o outgoing) Text(m pamhook.TextMessage) (pamhook.Delivery, error) {
	req, err := o.settings.Text(messenger.Text{User: m.User, Number: m.Number, Code: m.Code})
	return notify(req, err)
}

// Push sends a push, whose answer is waited for.
func (o outgoing) Push(q pamhook.PushQuestion) (pamhook.Delivery, error) {
	question := messenger.Question{ID: q.ID, Secret: q.Secret, User: q.User, Factor: string(q.Factor), Right: q.Right, Wrong: q.Wrong,
		Passcode: q.Passcode, Title: q.Title, Allow: q.Allow, Deny: q.Deny, From: q.From, Wait: q.Wait}
	for _, f := range q.Facts {
		question.Facts = append(question.Facts, deliver.Fact{Name: f.Name, Value: f.Value})
	}
	req, err := o.settings.Push(question)
	return notify(req, err)
}

// notify has a message sent.
func notify(req *deliver.Request, err error) (pamhook.Delivery, error) {
	if err != nil {
		return nil, err
	}
	running, err := startNotify(req)
	if err != nil {
		return nil, err
	}
	return onItsWay{running}, nil
}

func startNotify(req *deliver.Request) (*deliver.Running, error) {
	uid, gid, err := deliver.FindUser()
	if err != nil {
		return nil, err
	}
	return deliver.Start(deliver.Helper(), uid, gid, req)
}

// onItsWay is a running twokey-notify as a login needs it.
type onItsWay struct{ *deliver.Running }

// states are what a login knows of what twokey-notify says; all else is a failure.
var states = map[deliver.State]pamhook.ReportState{
	deliver.StateSent: pamhook.ReportSent, deliver.StateForged: pamhook.ReportForged, deliver.StateAllow: pamhook.ReportAllowed,
	deliver.StateDeny: pamhook.ReportDenied, deliver.StateWrong: pamhook.ReportWrong, deliver.StateTimeout: pamhook.ReportLate,
}

// Next is that of pamhook.Delivery.
func (d onItsWay) Next(until time.Time) (pamhook.Report, error) {
	a, err := d.Running.Next(until)
	if errors.Is(err, deliver.ErrNotYet) {
		return pamhook.Report{}, pamhook.ErrNothingYet
	}
	if err != nil {
		return pamhook.Report{}, err
	}
	return pamhook.Report{State: states[a.State], Problem: string(a.Problem), Detail: a.Detail, Advice: a.Advice, Enroll: a.EnrollURL,
		Fraud: a.Status == "fraud"}, nil
}

// moduleGone reports whether the module has shut its end of the socket. It has nothing to say while it waits for us, so that whatever there is to
// be read is an end.
func moduleGone() bool {
	fds := []unix.PollFd{{Fd: socketFD, Events: unix.POLLRDHUP}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}

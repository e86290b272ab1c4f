package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"twokey/deliver"
	"twokey/enroll"
	"twokey/enroll/qr"
	"twokey/factor"
	"twokey/messenger"
	"twokey/pamhook"
	"twokey/policy/inforce"
	"twokey/state"
)

// recoveryCodes is how many somebody gets who enrols at a login, as many as by the command line.
const recoveryCodes = 10

// enrolment is package enroll as a login needs it.
type enrolment struct {
	users  *enroll.Users
	policy *inforce.Policy
	host   string
}

// openEnrolment opens what enrolments are kept in.
func openEnrolment(p *inforce.Policy) (pamhook.Enrolment, error) {
	keep, err := openSecrets(p)
	if err != nil {
		return nil, err
	}
	states, err := state.Open(p.Paths.Data)
	if err != nil {
		return nil, err
	}
	return &enrolment{users: &enroll.Users{Secrets: keep, State: states, Now: time.Now}, policy: p, host: hostName()}, nil
}

// hostName is the name of this machine, for eyes.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return "this host"
	}
	return name
}

// known gives the errors of package enroll those names by which a login knows them.
func known(err error) error {
	for theirs, ours := range map[error]error{
		enroll.ErrCodeWrong: pamhook.ErrCode, enroll.ErrCodeEnded: pamhook.ErrCodeEnded, enroll.ErrNoCode: pamhook.ErrCodeEnded,
		enroll.ErrEnrolled: pamhook.ErrMeanwhile, enroll.ErrEnded: pamhook.ErrMeanwhile, enroll.ErrLacking: pamhook.ErrNoAccountLine,
	} {
		if errors.Is(err, theirs) {
			return fmt.Errorf("%w: %w", ours, err)
		}
	}
	return err
}

// CodeOpen reports whether an enrolment code of the user is good.
func (e *enrolment) CodeOpen(user string) (bool, error) {
	_, open, err := e.users.CodeOpen(user)
	return open, err
}

// CheckCode is nil for the enrolment code that is good for the account.
func (e *enrolment) CheckCode(a pamhook.Account, answer string) error {
	return known(e.users.CheckCode(enroll.Account(a), answer))
}

// Announce keeps, for the account phase of the same process, that an enrolment is to come there.
func (e *enrolment) Announce(a pamhook.Account, n pamhook.Announcement) error {
	return known(e.users.Announce(enroll.Account(a), enroll.Announcement(n)))
}

// TakeAnnouncement gives back what was announced, once; nil for nothing.
func (e *enrolment) TakeAnnouncement(a pamhook.Account, n pamhook.Announcement) (*pamhook.Announcement, error) {
	found, err := e.users.TakeAnnouncement(enroll.Account(a), n.Process, n.Service)
	if errors.Is(err, enroll.ErrNotAnnounced) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	taken := pamhook.Announcement(found)
	return &taken, nil
}

// Missed reports whether the service has announced an enrolment before whose account phase never came.
func (e *enrolment) Missed(a pamhook.Account, n pamhook.Announcement) (bool, error) {
	_, pending, err := e.users.PendingAnnouncement(enroll.Account(a), n.Process, n.Service)
	return pending, err
}

// Begin makes the draft of a device, or gives back the one that was begun at the same place.
func (e *enrolment) Begin(a pamhook.Account, w pamhook.Wish) (pamhook.Draft, error) {
	issuer := e.policy.Issuer
	if issuer == "" {
		issuer = e.host
	}
	draft, err := e.users.Begin(enroll.Account(a), enroll.Request{
		Device: w.Device, Params: e.params(w.Method), Phone: w.Phone, Provider: e.policy.PushProvider(), Code: w.Code, From: w.From, Issuer: issuer, Label: a.Name + "@" + e.host,
		Recovery: recoveryCodes, By: a.Name,
	})
	if err != nil {
		return nil, known(err)
	}
	return e.show(draft)
}

// params are those of a new device.
func (e *enrolment) params(method string) factor.Params {
	usual := e.policy.NewDevices
	if method != string(factor.TOTP) { // what is sent has none
		return factor.Params{Method: factor.Method(method)}
	}
	return factor.Params{Method: factor.TOTP, Digits: usual.Digits, Period: int(usual.Period / time.Second), Algorithm: factor.Algorithm(usual.Algorithm)}
}

// show draws what has to be seen of a draft.
func (e *enrolment) show(draft *enroll.Draft) (pamhook.Draft, error) {
	shown := pamhook.Shown{Device: draft.Device, Address: draft.URI, Recovery: draft.RecoveryCodes}
	if draft.Device.Method == "push" {
		shown.Topic, shown.Address = messenger.Settings{Policy: e.policy.Config}.Subscription(draft.Device.Secret)
	}
	if shown.Address != "" {
		picture, err := qr.Encode(shown.Address)
		if err != nil {
			return nil, err
		}
		shown.Picture, shown.Inverse, shown.WidePicture = picture.Terminal(false), picture.Terminal(true), picture.Wide()
	}
	return &unfinished{users: e.users, draft: draft, shown: shown}, nil
}

// describing is how long twokey-notify may take to find a number in its tables.
const describing = 5 * time.Second

// Country asks twokey-notify: the numbering plans of the world are megabytes that a login does not link.
func (e *enrolment) Country(number string) (string, error) {
	running, err := startNotify(&deliver.Request{Kind: deliver.KindDescribe, Number: number, Connect: describing, Timeout: describing})
	if err != nil {
		return "", err
	}
	answer, err := running.Next(time.Now().Add(describing))
	if err = errors.Join(err, running.Close()); err != nil {
		return "", err
	}
	if answer.Number == nil || !answer.Number.Valid {
		return "", pamhook.ErrNumber
	}
	return answer.Number.Country, nil
}

// TakeText counts a text that is about to be sent, and refuses it beyond the limits.
func (e *enrolment) TakeText(a pamhook.Account, perHour int) error {
	return e.users.TakeText(enroll.Account(a), perHour)
}

// TakePush counts a push that is about to be sent, and refuses it beyond the limits.
func (e *enrolment) TakePush(a pamhook.Account) error { return e.users.TakePush(enroll.Account(a)) }

// unfinished is a draft as a login needs it.
type unfinished struct {
	users *enroll.Users
	draft *enroll.Draft
	shown pamhook.Shown
}

// Shown is what the user has to see.
func (u *unfinished) Shown() pamhook.Shown { return u.shown }

// Confirm reports whether the code is that of the draft.
func (u *unfinished) Confirm(answer string, discrepancy int) bool {
	return u.users.Confirm(u.draft, answer, discrepancy)
}

// Challenge makes the code that is sent to the number of the draft.
func (u *unfinished) Challenge(digits int, until time.Time) (string, error) {
	return u.draft.Challenge(digits, until)
}

// ConfirmPush notes that the push was allowed.
func (u *unfinished) ConfirmPush() error { return u.draft.ConfirmPush() }

// Finish puts the draft in force.
func (u *unfinished) Finish() error { return known(u.users.Finish(u.draft)) }

package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"twokey/enroll"
	"twokey/enroll/qr"
	"twokey/factor"
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

func (e *enrolment) CodeOpen(user string) (bool, error) {
	_, open, err := e.users.CodeOpen(user)
	return open, err
}

func (e *enrolment) CheckCode(a pamhook.Account, answer string) error {
	return known(e.users.CheckCode(enroll.Account(a), answer))
}

func (e *enrolment) Announce(a pamhook.Account, n pamhook.Announcement) error {
	return known(e.users.Announce(enroll.Account(a), enroll.Announcement(n)))
}

func (e *enrolment) TakeAnnouncement(a pamhook.Account, n pamhook.Announcement) (bool, error) {
	_, err := e.users.TakeAnnouncement(enroll.Account(a), n.Process, n.Service)
	if errors.Is(err, enroll.ErrNotAnnounced) {
		return false, nil
	}
	return err == nil, err
}

func (e *enrolment) Missed(a pamhook.Account, n pamhook.Announcement) (bool, error) {
	_, pending, err := e.users.PendingAnnouncement(enroll.Account(a), n.Process, n.Service)
	return pending, err
}

func (e *enrolment) Begin(a pamhook.Account, w pamhook.Wish) (pamhook.Draft, error) {
	usual, issuer := e.policy.NewDevices, e.policy.Issuer
	if issuer == "" {
		issuer = e.host
	}
	draft, err := e.users.Begin(enroll.Account(a), enroll.Request{
		Device: w.Device, Code: w.Code, From: w.From, Issuer: issuer, Label: a.Name + "@" + e.host, Recovery: recoveryCodes, By: a.Name,
		Params: factor.Params{Method: factor.TOTP, Digits: usual.Digits, Period: int(usual.Period / time.Second),
			Algorithm: factor.Algorithm(usual.Algorithm)},
	})
	if err != nil {
		return nil, known(err)
	}
	picture, err := qr.Encode(draft.URI)
	if err != nil {
		return nil, err
	}
	return &unfinished{users: e.users, draft: draft, picture: picture}, nil
}

// unfinished is a draft as a login needs it.
type unfinished struct {
	users   *enroll.Users
	draft   *enroll.Draft
	picture *qr.Code
}

func (u *unfinished) Shown() pamhook.Shown {
	return pamhook.Shown{Device: u.draft.Device, Address: u.draft.URI, Picture: u.picture.Terminal(false), WidePicture: u.picture.Wide(),
		Recovery: u.draft.RecoveryCodes}
}

func (u *unfinished) Confirm(answer string, discrepancy int) bool {
	return u.users.Confirm(u.draft, answer, discrepancy)
}

func (u *unfinished) Finish() error { return known(u.users.Finish(u.draft)) }

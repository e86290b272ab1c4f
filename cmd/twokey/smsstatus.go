package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/deliver"
	"twokey/device"
	"twokey/enroll"
	"twokey/internal/phone"
	"twokey/policy"
)

// smsStatusCommand looks whether a message would be sent.
func smsStatusCommand(ui *ui) *cli.Command {
	return &cli.Command{Name: "status", Usage: "would a message be sent; the account with the provider; how many were sent today",
		Description: "Asks the provider about the account, and sends nothing. Exit status 3 when no message would be sent.",
		Action:      func(c *cli.Context) error { return smsStatusAction(c, ui) }}
}

// smsState is what sms status --json prints.
type smsState struct {
	OK       bool     `json:"ok"`
	Provider string   `json:"provider"`
	From     string   `json:"from"` // where codes come from
	Account  string   `json:"account,omitempty"`
	State    string   `json:"state,omitempty"` // trial or full
	Balance  string   `json:"balance,omitempty"`
	Today    int      `json:"sent_today"` // by this host, in the last 24 hours
	PerHour  int      `json:"per_hour"`
	Problems []string `json:"problems"`
	Advice   []string `json:"advice"`
	Console  string   `json:"console,omitempty"`
	Page     string   `json:"status_page,omitempty"`
	Support  string   `json:"support,omitempty"`
}

func smsStatusAction(c *cli.Context, ui *ui) error {
	if err := noArguments(c); err != nil {
		return err
	}
	h, u, err := openUsersInForce(c, ui)
	if err != nil {
		return err
	}
	if h.policy.SMS == nil {
		ui.say("SMS is not set up: twokey sms setup")
		if err := ui.object(smsState{Problems: []string{"no provider is configured"}, Advice: []string{"twokey sms setup"}}); err != nil {
			return err
		}
		return errSilent
	}
	s, err := h.smsState(u)
	if err != nil {
		return err
	}
	if err := errors.Join(ui.object(s), s.print(ui)); err != nil {
		return err
	}
	if !s.OK {
		return errSilent
	}
	return nil
}

// smsState asks the provider.
func (h *host) smsState(u *enroll.Users) (smsState, error) {
	sms := h.policy.SMS
	s := smsState{Provider: sms.Provider, From: origin(sms), PerHour: sms.PerHour, Problems: []string{}, Advice: []string{}}
	var err error
	if s.Today, err = u.State.TextsToday(time.Now()); err != nil {
		return s, err
	}
	if sms.Provider == policy.ProviderTwilio {
		s.Console, s.Page, s.Support = twilioConsole, twilioStatus, twilioSupport
	}
	settings, err := h.messages(h.policy)
	if err != nil {
		return s, err
	}
	var o delivery
	req, err := settings.SMS(deliver.KindAccount)
	if err != nil {
		o.err = err
	} else {
		o.Answer, o.err = notify(req, unheard)
	}
	if err := o.failure("the provider"); err != nil {
		s.Problems, s.Advice = append(s.Problems, oneLine(err)), append(s.Advice, notEmpty(hintFor(err))...)
	}
	if a := o.Account; a != nil {
		s.Account, s.State, s.Balance = a.Name, a.State, a.Balance
	}
	if !h.policy.Sends(device.SMS) {
		s.Problems, s.Advice = append(s.Problems, "methods does not name sms: nobody is asked for a code by SMS"), append(s.Advice, "twokey sms setup adds it")
	}
	s.OK = len(s.Problems) == 0
	return s, nil
}

func (s *smsState) print(ui *ui) error {
	verdict := "SMS works: " + s.From + "."
	if !s.OK {
		verdict = "SMS does NOT work: " + strings.Join(s.Problems, "; ") + "."
	}
	ui.say("%s\n", visible(verdict))
	rows := [][]string{}
	add := func(label, text string) {
		if text != "" {
			rows = append(rows, []string{"  " + label, text})
		}
	}
	for _, advice := range s.Advice {
		add("What to do", advice)
	}
	add("Provider", s.Provider)
	add("Account", s.Account)
	if s.State == twilioTrial {
		add("State", "trial: sends to verified numbers only, "+twilioVerified)
	} else {
		add("State", s.State)
	}
	add("Balance", s.Balance)
	add("Sent", fmt.Sprintf("%s in the last 24 hours, by this host", count(s.Today, "message")))
	add("Limits", fmt.Sprintf("%d an hour for the host; 3 in 15 minutes and 10 a day for each user", s.PerHour))
	add("Console", s.Console)
	add("Disturbances", s.Page)
	add("Support", s.Support)
	return ui.table(rows)
}

// origin is where codes come from.
func origin(sms *policy.SMS) string {
	switch {
	case sms.Provider == policy.ProviderCommand:
		return "codes are sent by " + sms.Command[0]
	case sms.Provider == policy.ProviderSMTP:
		return "codes are sent by mail through " + sms.Server
	case sms.MessagingServiceSID != "":
		return "codes come from the messaging service " + sms.MessagingServiceSID
	}
	return "codes come from " + phone.Spaced(sms.Sender)
}

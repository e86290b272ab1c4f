package main

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/urfave/cli/v2"

	"twokey/deliver"
	"twokey/enroll"
	"twokey/internal/phone"
	"twokey/messenger"
	"twokey/policy"
	"twokey/secrets"
)

func smsCommand(ui *ui) *cli.Command {
	return &cli.Command{Name: "sms", Usage: "codes by text message: the provider that sends them", Subcommands: []*cli.Command{
		smsSetupCommand(ui),
		{Name: "test", Usage: "send one text message, to a user or a number", ArgsUsage: "[USER]",
			Description: "The message is as at a login, with a code of zeros that is good for nothing. It costs what one message costs, and counts\n" +
				"among those of the user and of the host.",
			Flags:  []cli.Flag{&cli.StringFlag{Name: "number", Usage: "send it to this `NUMBER`, as +447400123456, and not to a user"}},
			Action: func(c *cli.Context) error { return smsTestAction(c, ui) }},
		smsStatusCommand(ui),
	}}
}

// errNoNumber is for a user to whom nothing can be sent.
var errNoNumber = errors.New("the user has no telephone number here")

// recipient is who gets a text message.
type recipient struct {
	account *enroll.Account // nil: nobody, a number alone
	number  string
}

func (r recipient) name() string {
	if r.account == nil {
		return ""
	}
	return r.account.Name
}

// tested is what sms test --json prints.
type tested struct {
	OK       bool   `json:"ok"`
	Provider string `json:"provider"`
	Number   string `json:"number"` // the country's code and the last three digits
	Country  string `json:"country"`
	ID       string `json:"id,omitempty"`     // the provider's name for the message
	Status   string `json:"status,omitempty"` // the provider's word for how far it is
	Problem  string `json:"problem,omitempty"`
	Detail   string `json:"detail,omitempty"`
	Advice   string `json:"advice,omitempty"`
}

func smsTestAction(c *cli.Context, ui *ui) error {
	number := c.String("number")
	if (c.NArg() == 1) == c.IsSet("number") || c.NArg() > 1 {
		return badUsage("sms test takes one user, or --number").hint("twokey sms test alice, or: twokey sms test --number +447400123456")
	}
	if c.IsSet("number") {
		if err := checkNumber("--number", number); err != nil {
			return err
		}
	} else if _, err := oneUser(c); err != nil {
		return err
	}
	h, u, err := openUsersInForce(c, ui)
	if err != nil {
		return err
	}
	if h.policy.SMS == nil {
		return noProvider("sms")
	}
	to := recipient{number: number}
	if number == "" {
		if to, err = h.recipientOf(u, c.Args().First()); err != nil {
			return about(c.Args().First(), err)
		}
	}
	return about(to.name(), h.testText(u, to))
}

// checkNumber refuses what no text message can be sent to.
func checkNumber(what, number string) error {
	if err := phone.Check(number); err != nil {
		return badUsage("%s: %v", what, err)
	}
	return nil
}

func noProvider(method string) error {
	return failed("no provider of %s is configured on this host", method).hintRoot("twokey %s setup", method)
}

// recipientOf is a user with his number.
func (h *host) recipientOf(u *enroll.Users, name string) (recipient, error) {
	record, who, err := h.recordFor(u, name)
	if errors.Is(err, enroll.ErrNotEnrolled) {
		err = errNoNumber
	}
	if err != nil {
		return recipient{}, err
	}
	if record.Phone == "" {
		return recipient{}, errNoNumber
	}
	return recipient{&who, record.Phone}, nil
}

// recordFor is what a user has.
func (h *host) recordFor(u *enroll.Users, name string) (*secrets.Record, enroll.Account, error) {
	account, err := h.account(name)
	if err != nil {
		return nil, enroll.Account{}, err
	}
	who := enroll.Account{Name: account.Name, UID: account.UID}
	record, err := u.Secrets.Load(who.Name)
	if errors.Is(err, fs.ErrNotExist) {
		err = enroll.ErrNotEnrolled
	}
	return record, who, err
}

// testText sends a message that looks as at a login.
func (h *host) testText(u *enroll.Users, to recipient) error {
	zeros := strings.Repeat("0", h.policy.SMS.Digits)
	o, err := h.sendText(u, h.policy, nil, to, zeros)
	if err != nil {
		return err
	}
	place, _ := phone.Describe(to.number) // a number that is in no plan any more has no country
	result := tested{o.State == deliver.StateSent, h.policy.SMS.Provider, phone.Masked(to.number), place.Country, o.ID, o.Status,
		string(o.Problem), o.Detail, o.Advice}
	if err := errors.Join(h.ui.object(result), o.failure("the message was not sent")); err != nil {
		return err
	}
	h.ui.say("Sent to %s%s by %s%s.\nThe code in it is %s, and good for nothing.", result.Number, inCountry(place), result.Provider,
		visible(receipt(o.Answer)), zeros)
	return nil
}

// receipt is by what the provider knows a message: (SM…, queued).
func receipt(a deliver.Answer) string {
	parts := strings.Join(notEmpty(a.ID, a.Status), ", ")
	if parts == "" {
		return ""
	}
	return " (" + parts + ")"
}

func notEmpty(texts ...string) []string {
	var all []string
	for _, text := range texts {
		if text != "" {
			all = append(all, text)
		}
	}
	return all
}

func inCountry(place phone.Place) string { return country(place.Country) }

// country is one behind a number; "" for none.
func country(name string) string {
	if name == "" {
		return ""
	}
	return " (" + name + ")"
}

// sendText sends a code, if the caps of who gets it and of the host leave one more, and records it. An error: nothing could be tried. Change
// puts into the request what is not in the credential files yet; nil: nothing.
//
// Attack: spend the owner's money by asking for one code after the other.
func (h *host) sendText(u *enroll.Users, c *policy.Config, change func(*deliver.Request), to recipient, code string) (delivery, error) {
	if err := takeText(u, to, c.SMS.PerHour); err != nil {
		return delivery{}, err
	}
	settings, err := h.messages(c)
	if err != nil {
		return delivery{}, err
	}
	req, err := settings.Text(messenger.Text{User: to.name(), Number: to.number, Code: code})
	if err != nil {
		return delivery{}, err
	}
	if change != nil {
		change(req)
	}
	return h.carry(req, c.SMS.Provider, to)
}

// carry has a text message sent.
func (h *host) carry(req *deliver.Request, provider string, to recipient) (delivery, error) {
	var o delivery
	o.Answer, o.err = notify(req, unheard)
	if err := h.recordMessage("sms-sent", to.name(), provider, to.number, o); err != nil {
		return o, err
	}
	return o, o.err
}

// takeText counts a message before it is sent.
func takeText(u *enroll.Users, to recipient, perHour int) error {
	if to.account == nil {
		return u.State.TakeText(u.Now(), perHour)
	}
	return u.TakeText(*to.account, perHour)
}

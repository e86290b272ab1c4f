package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"twokey/deliver"
	"twokey/factor"
	"twokey/internal/phone"
	"twokey/messenger"
	"twokey/policy"
)

// Where Twilio has what an administrator needs.
const (
	twilioSignUp   = "https://www.twilio.com/try-twilio"
	twilioConsole  = "https://console.twilio.com"
	twilioNumbers  = "https://console.twilio.com/us1/develop/phone-numbers/manage/search"
	twilioVerified = "https://console.twilio.com/us1/develop/phone-numbers/manage/verified"
	twilioStatus   = "https://status.twilio.com"
	twilioSupport  = "https://help.twilio.com"

	twilioTrial = "trial" // the word for an account that has not been paid for
)

func smsSetupCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name: "setup", Usage: "say who sends codes by text message, and try it",
		Description: "Asks at a terminal for what no flag says. Tokens and passwords are never arguments: they come from a file, from standard\n" +
			"input (-), or a prompt, and are kept in files that only root can read. Nothing is written before the provider has\n" +
			"answered, and, with a number to try, before the code that was sent there was typed. Twilio is a third party: it gets\n" +
			"each number and each code, and takes money for each message.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "provider", Usage: "`NAME`: twilio, command (a program of this host) or smtp (a mail gateway)"},
			&cli.StringFlag{Name: "account-sid", Usage: "twilio: the account, `AC…`"},
			&cli.StringFlag{Name: "api-key-sid", Usage: "twilio: an API key, `SK…`, in place of the auth token; empty: the auth token again"},
			&cli.StringFlag{Name: "sender", Usage: "twilio: the `NUMBER`, name or messaging service (MG…) that codes come from"},
			&cli.StringFlag{Name: "token-file", Usage: "`FILE` with the auth token, the secret of the API key, or the password; - is standard input"},
			&cli.StringFlag{Name: "url", Usage: "twilio: `ADDRESS` of the API, where it is reached otherwise"},
			&cli.StringFlag{Name: "command", Usage: "command: `PROGRAM` with its absolute path, and its arguments, with blanks between"},
			&cli.StringFlag{Name: "server", Usage: "smtp: `HOST:PORT` of the mail server"},
			&cli.StringFlag{Name: "from", Usage: "smtp: the `ADDRESS` that mails come from"},
			&cli.StringFlag{Name: "to", Usage: "smtp: the `ADDRESS` they go to, with %NUMBER% or %USER% in it"},
			&cli.StringFlag{Name: "user", Usage: "smtp: the `NAME` to log in with at the mail server"},
			&cli.StringFlag{Name: "number", Usage: "send one message to this `NUMBER`, and ask for the code in it"},
			dryRunFlag(),
		},
		Action: func(c *cli.Context) error { return smsSetupAction(c, ui) },
	}
}

// smsSetup is one run of sms setup.
type smsSetup struct {
	*phoneSetup
	want    policy.SMS
	account *deliver.Account
}

func smsSetupAction(c *cli.Context, ui *ui) error {
	if c.IsSet("number") {
		if err := checkNumber("--number", c.String("number")); err != nil {
			return err
		}
	}
	base, err := openSetup(c, ui, "sms")
	if err != nil {
		return err
	}
	s := &smsSetup{phoneSetup: base}
	if err := s.gather(); err != nil {
		return err
	}
	if err := s.plan(policy.SetSMS(s.want)); err != nil {
		return err
	}
	number, err := s.numberToTry()
	if err != nil {
		return err
	}
	if number == "" || s.dryRun {
		if done, err := s.settle("SMS is set up so already: nothing to change. Does it work: twokey sms status"); done || err != nil {
			return err
		}
	} else if done, err := s.agree(); done || err != nil {
		return err
	}
	return s.finish(number)
}

// gather finds out what is wished.
func (s *smsSetup) gather() error {
	old := s.policy.SMS
	present := ""
	if old != nil {
		present = old.Provider
	}
	provider, err := s.provider("Who sends the codes: twilio (a company, for money), command (a program of this host), smtp (a mail gateway)",
		present, policy.ProviderTwilio, policy.SMSProviders())
	if err != nil {
		return err
	}
	s.want = policy.NewSMS(provider)
	if old != nil {
		s.want.Message, s.want.Digits, s.want.ValidFor, s.want.PerHour = old.Message, old.Digits, old.ValidFor, old.PerHour
		s.want.Connect, s.want.Timeout = old.Connect, old.Timeout
		if old.Provider == provider {
			s.want = *old
		}
	}
	switch provider {
	case policy.ProviderTwilio:
		return s.gatherTwilio()
	case policy.ProviderCommand:
		return s.gatherCommand()
	}
	return s.gatherSMTP()
}

func (s *smsSetup) gatherTwilio() (err error) {
	w := &s.want
	s.explain("Twilio is a third party: it gets each number and each code, and takes money for each message. An account is made at %s.", twilioSignUp)
	if w.AccountSID, err = s.said("account-sid", "Account SID (AC…, on the first page of "+twilioConsole+")", w.AccountSID); err != nil {
		return err
	}
	what := "The auth token"
	if s.c.IsSet("api-key-sid") {
		w.APIKeySID, w.AuthTokenFile = s.c.String("api-key-sid"), ""
	}
	if w.APIKeySID == "" {
		w.APIKeySecretFile = ""
	}
	if w.APIKeySID != "" {
		what = "The secret of the API key"
		w.APIKeySecretFile = or(w.APIKeySecretFile, "twilio-api-key-secret")
	} else {
		w.AuthTokenFile = or(w.AuthTokenFile, "twilio-auth-token")
	}
	if s.c.IsSet("url") {
		w.URL = s.c.String("url")
	}
	if err := s.credential("token-file", what, s.credentialName(), ""); err != nil {
		return err
	}
	if err := s.lookAtAccount(); err != nil {
		return err
	}
	sender, err := s.said("sender", "Number, name or messaging service (MG…) that codes come from; a number can be got at "+twilioNumbers,
		or(w.Sender, w.MessagingServiceSID))
	w.Sender, w.MessagingServiceSID = sender, ""
	if messagingService.MatchString(sender) {
		w.Sender, w.MessagingServiceSID = "", sender
	}
	return err
}

// credentialName is the file of the one credential that a provider has; "": it has none.
func (s *smsSetup) credentialName() string {
	return or(s.want.AuthTokenFile, or(s.want.APIKeySecretFile, s.want.PasswordFile))
}

func (s *smsSetup) gatherCommand() error {
	s.explain("The program gets number, line feed and text on its standard input, an empty environment, and runs as the user %s.", deliver.User)
	line, err := s.said("command", "Program with its absolute path, and its arguments", strings.Join(s.want.Command, " "))
	s.want.Command = strings.Fields(line)
	return err
}

func (s *smsSetup) gatherSMTP() (err error) {
	w := &s.want
	for _, one := range []struct {
		to             *string
		flag, question string
	}{{&w.Server, "server", "Mail server, host:port"}, {&w.From, "from", "Address that mails come from"},
		{&w.To, "to", "Address that they go to, with %NUMBER% or %USER% in it"}} {
		if *one.to, err = s.said(one.flag, one.question, *one.to); err != nil {
			return err
		}
	}
	if s.c.IsSet("user") {
		w.User = s.c.String("user")
	}
	if w.User == "" {
		return nil
	}
	w.PasswordFile = or(w.PasswordFile, "sms-smtp-password")
	return s.credential("token-file", "The password for the mail server", w.PasswordFile, "")
}

// config is the configuration as it will be. A credential that was typed is not in its file yet.
func (s *smsSetup) config() *policy.Config {
	c, sms := *s.policy, s.want
	if s.value(s.credentialName()) != "" {
		sms.AuthTokenFile, sms.APIKeySecretFile, sms.PasswordFile = "", "", ""
	}
	c.SMS = &sms
	return &c
}

// addCredential puts it into a request that was made without the file.
func (s *smsSetup) addCredential(req *deliver.Request) {
	value := s.value(s.credentialName())
	switch {
	case value == "":
	case req.Twilio != nil && s.want.APIKeySID != "":
		req.Twilio.APIKeySecret = value
	case req.Twilio != nil:
		req.Twilio.AuthToken = value
	case req.SMTP != nil:
		req.SMTP.Password = value
	}
}

// lookAtAccount fetches the account, before anything more is asked.
func (s *smsSetup) lookAtAccount() error {
	if s.onlyLooks() || s.account != nil {
		return nil
	}
	var settings messenger.Settings
	settings, err := s.messages(s.config())
	if err != nil {
		return err
	}
	req, err := settings.SMS(deliver.KindAccount)
	if err != nil {
		return err
	}
	s.addCredential(req)
	var o delivery
	o.Answer, o.err = notify(req, unheard)
	if err := lack(o, "the account"); err != nil {
		return err
	}
	s.account = o.Account
	if s.account == nil {
		s.account = &deliver.Account{}
	}
	s.tellAccount()
	return nil
}

func (s *smsSetup) tellAccount() {
	a := s.account
	if s.want.Provider != policy.ProviderTwilio {
		return
	}
	line := fmt.Sprintf("The account %q is a %s account", a.Name, a.State)
	if a.Balance != "" {
		line += ", and has " + a.Balance
	}
	s.ui.say("%s.", visible(line))
	if a.State == twilioTrial {
		s.ui.say("What is left to do with a trial account: get a number at\n  %s\nand verify each number that is to get codes, also your own, at\n  %s\n"+
			"Its messages begin with words of Twilio's. Paying for the account ends both.", twilioNumbers, twilioVerified)
	}
}

// numberToTry is where the first message goes; "": nowhere.
func (s *smsSetup) numberToTry() (string, error) {
	if s.c.IsSet("number") || s.onlyLooks() || !s.ui.in.terminal() {
		return s.c.String("number"), nil
	}
	number, err := s.ui.ask(wrapLine("Your own mobile number, to try it with one message (+…; Enter: none):")+" ", false)
	if number = strings.TrimSpace(number); err != nil || number == "" {
		return "", err
	}
	return number, checkNumber("your number", number)
}

// finish tries it and writes it.
func (s *smsSetup) finish(number string) error {
	if err := s.lookAtAccount(); err != nil {
		return err
	}
	if number != "" {
		if err := s.try(number); err != nil {
			return err
		}
	}
	result, err := s.write()
	if err != nil {
		return err
	}
	result.Account, result.Tested = s.account, number != ""
	s.ui.say("Next, the number of a user: twokey enroll USER --method sms --phone +447400123456")
	if result.Tested {
		s.ui.say("SMS works: %s.", visible(origin(&s.want)))
	} else {
		s.ui.say("No message was sent yet: twokey sms test --number +447400123456\nSMS is set up: %s.", visible(origin(&s.want)))
	}
	return s.ui.object(result)
}

// try sends a code, and asks for it.
func (s *smsSetup) try(number string) error {
	place, err := phone.Describe(number)
	if err != nil {
		return err
	}
	code := factor.NewChallengeCode(s.want.Digits)
	o, err := s.sendText(s.users, s.config(), s.addCredential, recipient{number: number}, code)
	if err != nil {
		return err
	}
	if err := lack(o, "the message was not sent"); err != nil {
		return err
	}
	s.ui.say("A code was sent to %s%s.", phone.Spaced(number), inCountry(place))
	for range confirmTries {
		answer, err := s.ui.askCode("The code that came: ", false)
		if err != nil {
			return err
		}
		if strings.TrimSpace(answer) == code {
			return nil
		}
		s.ui.warn("that is not the code")
	}
	return failed("no right code in %d tries; nothing was changed", confirmTries)
}

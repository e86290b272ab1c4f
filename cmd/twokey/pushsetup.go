package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"twokey/deliver"
	"twokey/enroll/qr"
	"twokey/messenger"
	"twokey/policy"
)

func pushSetupCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name: "setup", Usage: "say which server asks phones, and try it",
		Description: "Asks at a terminal for what no flag says. Tokens and keys are never arguments: they come from a file, from standard input\n" +
			"(-), or a prompt, and are kept in files that only root can read. Nothing is written before the server has answered. With ntfy,\n" +
			"a server of your own, it prints the access rules to set there, and, with --user, the QR code that subscribes a phone.\n" +
			"Duo is a third party: it gets each user's name and address, and when he logs in.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "provider", Usage: "`NAME`: ntfy or duo"},
			&cli.StringFlag{Name: "url", Usage: "`ADDRESS` of the ntfy server, as https://ntfy.example.org"},
			&cli.StringFlag{Name: "token-file", Usage: "ntfy: `FILE` with the access token of this host's account; - is standard input"},
			&cli.StringFlag{Name: "answer-token-file", Usage: "ntfy: `FILE` with the token that phones answer by; without it everybody may write answers"},
			&cli.StringFlag{Name: "api-host", Usage: "duo: the `NAME`, as api-1a2b3c4d.duosecurity.com"},
			&cli.StringFlag{Name: "integration-key", Usage: "duo: the `KEY` that begins with DI; it is not secret"},
			&cli.StringFlag{Name: "secret-key-file", Usage: "duo: `FILE` with the secret key; - is standard input"},
			&cli.StringFlag{Name: "user", Usage: "ntfy: show the QR code that subscribes the phone of `USER`"},
			dryRunFlag(),
		},
		Action: func(c *cli.Context) error { return pushSetupAction(c, ui) },
	}
}

// pushSetup is one run of push setup.
type pushSetup struct {
	*phoneSetup
	want policy.Push
}

func pushSetupAction(c *cli.Context, ui *ui) error {
	if c.IsSet("user") {
		if err := checkUserName(c.String("user")); err != nil {
			return err
		}
	}
	base, err := openSetup(c, ui, "push")
	if err != nil {
		return err
	}
	s := &pushSetup{phoneSetup: base}
	if s.onlyUser() {
		return s.showSubscription(c.String("user"))
	}
	if err := s.gather(); err != nil {
		return err
	}
	if err := s.plan(policy.SetPush(s.want)); err != nil {
		return err
	}
	done, err := s.settle("Push is set up so already: nothing to change. To try it: twokey push test USER")
	if err != nil {
		return err
	}
	if !done {
		err = s.finish()
	}
	if err != nil || !c.IsSet("user") || s.dryRun {
		return err
	}
	return s.showSubscription(c.String("user"))
}

// onlyUser reports whether all that is wished is a user's QR code.
func (s *pushSetup) onlyUser() bool {
	return s.c.IsSet("user") && s.policy.Push != nil && !slices.ContainsFunc([]string{"provider", "url", "token-file", "answer-token-file", "api-host",
		"integration-key", "secret-key-file"}, s.c.IsSet)
}

func (s *pushSetup) gather() error {
	old := s.policy.Push
	present := ""
	if old != nil {
		present = old.Provider
	}
	provider, err := s.provider("Who asks the phones: ntfy (a server of your own), duo (a company)", present, policy.ProviderNtfy, policy.PushProviders())
	if err != nil {
		return err
	}
	s.want = policy.NewPush(provider)
	if old != nil {
		s.want.Wait, s.want.Connect, s.want.Timeout = old.Wait, old.Connect, old.Timeout
		if old.Provider == provider {
			s.want = *old
		}
	}
	if provider == policy.ProviderNtfy {
		return s.gatherNtfy()
	}
	return s.gatherDuo()
}

func (s *pushSetup) gatherNtfy() (err error) {
	w := &s.want
	if w.URL, err = s.said("url", "Address of the ntfy server (https://…)", w.URL); err != nil {
		return err
	}
	w.URL = strings.TrimSuffix(w.URL, "/")
	asks := s.c.IsSet("answer-token-file") || s.ui.in.terminal()
	if asks {
		w.AnswerTokenFile = or(w.AnswerTokenFile, "ntfy-answer-token")
	}
	s.tellRules()
	w.TokenFile = or(w.TokenFile, "ntfy-token")
	if err := s.credential("token-file", "The access token of the account twokey", w.TokenFile, ""); err != nil || !asks {
		return err
	}
	return s.answerToken()
}

// answerToken asks for what phones answer by. Who sits at a terminal may do without: nobody can forge an answer, but anybody may write to
// where they are awaited.
func (s *pushSetup) answerToken() error {
	file := s.want.AnswerTokenFile
	orElse := ""
	if !s.c.IsSet("answer-token-file") {
		orElse = "leaves it out: everybody may write answers then"
	}
	if err := s.credential("answer-token-file", "The access token of the account twokey-answers", file, orElse); err != nil {
		return err
	}
	if s.value(file) == "" && s.stored(file) == nil {
		s.want.AnswerTokenFile = ""
		s.ui.say("In place of the account twokey-answers:\n\n  ntfy access everyone 'tk-rsp-*' write-only\n")
	}
	return nil
}

// tellRules prints what has to be set on the ntfy server, as it is typed there.
func (s *pushSetup) tellRules() {
	s.ui.say("On the ntfy server, with auth-default-access: deny-all in its server.yml:\n\n" +
		"  ntfy user add twokey\n" +
		"  ntfy access twokey 'tk-*' read-write\n" +
		"  ntfy token add twokey")
	if s.want.AnswerTokenFile == "" {
		s.ui.say("  ntfy access everyone 'tk-rsp-*' write-only")
	} else {
		s.ui.say("  ntfy user add twokey-answers\n  ntfy access twokey-answers 'tk-rsp-*' write-only\n  ntfy token add twokey-answers")
	}
	s.ui.say("\nand for the phone of each user an account that reads his topic alone, which\ntwokey enroll USER --method push shows:\n\n" +
		"  ntfy user add alice\n  ntfy access alice TOPIC read-only\n")
}

func (s *pushSetup) gatherDuo() (err error) {
	w := &s.want
	s.explain("Duo is a third party: it gets each user's name and address, and when he logs in. In its admin panel, " +
		"https://admin.duosecurity.com, protect an application \"Auth API\": it shows the three values that are asked for here.")
	if w.APIHost, err = s.said("api-host", "API hostname (api-….duosecurity.com)", w.APIHost); err != nil {
		return err
	}
	if w.IntegrationKey, err = s.said("integration-key", "Integration key (DI…)", w.IntegrationKey); err != nil {
		return err
	}
	if s.c.IsSet("url") {
		w.URL = s.c.String("url")
	}
	w.SecretKeyFile = or(w.SecretKeyFile, "duo-secret-key")
	return s.credential("secret-key-file", "The secret key", w.SecretKeyFile, "")
}

// check goes the way of a request without a person.
func (s *pushSetup) check() error {
	c, push := *s.policy, s.want
	c.Push = &push
	for _, file := range []*string{&push.TokenFile, &push.AnswerTokenFile, &push.SecretKeyFile} {
		if s.value(*file) != "" {
			*file = "" // it is not in the file yet
		}
	}
	settings, err := s.messages(&c)
	if err != nil {
		return err
	}
	req, err := settings.PushService(deliver.KindCheck)
	if err != nil {
		return err
	}
	if req.Ntfy != nil {
		req.Ntfy.Token = or(req.Ntfy.Token, s.value(s.want.TokenFile))
		req.Ntfy.AnswerToken = or(req.Ntfy.AnswerToken, s.value(s.want.AnswerTokenFile))
	}
	if req.Duo != nil {
		req.Duo.SecretKey = or(req.Duo.SecretKey, s.value(s.want.SecretKeyFile))
	}
	var o delivery
	o.Answer, o.err = notify(req, unheard)
	if err := lack(o, "the server"); err != nil {
		return err
	}
	if o.Advice != "" {
		s.ui.warn("%s", o.Advice)
	}
	return nil
}

func (s *pushSetup) finish() error {
	if err := s.check(); err != nil {
		return err
	}
	result, err := s.write()
	if err != nil {
		return err
	}
	s.ui.say("Push works: requests go to phones through %s.\nNext, the phone of a user: twokey enroll USER --method push", visible(s.want.Address()))
	if s.c.IsSet("user") {
		return nil // the one JSON value is about him
	}
	return s.ui.object(result)
}

// subscription is what a user's phone has to listen to.
type subscription struct {
	User    string `json:"user"`
	Address string `json:"uri"`   // that the QR code has
	Server  string `json:"url"`   // for who types it
	Topic   string `json:"topic"` // which nobody else may read
}

// subscriptionOf is where the requests of a device of push go with ntfy.
func subscriptionOf(user string, c *policy.Config, secret []byte) subscription {
	topic, address := messenger.Settings{Policy: c}.Subscription(secret)
	return subscription{User: user, Address: address, Server: c.Push.URL, Topic: topic}
}

func (s *pushSetup) showSubscription(name string) error {
	d, who, err := s.pushDevice(s.users, name)
	if err != nil {
		return about(name, err)
	}
	if s.policy.Push.Provider != policy.ProviderNtfy {
		return failed("a phone subscribes to nothing with %s", s.policy.Push.Provider).hint("twokey push test %s", who.Name)
	}
	sub := subscriptionOf(who.Name, s.policy, d.Secret)
	code, err := qr.Encode(sub.Address)
	if err != nil {
		return err
	}
	s.ui.say("Scan this with the camera of %s's phone, on which the app ntfy is:\n", who.Name)
	if !s.ui.json {
		s.ui.picture(s.ui.drawn(code))
	}
	s.tellSubscription(sub)
	return s.ui.object(sub)
}

// tellSubscription is for who types it, and for the server's administrator.
func (h *host) tellSubscription(sub subscription) {
	h.ui.say("\n  Server   %s\n  Topic    %s\n  Address  %s\n", sub.Server, sub.Topic, sub.Address)
	on := "On the ntfy server:"
	if h.actor.himself() {
		on = "For " + h.actor.whomToAsk(h.policy.Contact) + " to type on the ntfy server:"
	}
	h.ui.say("%s\n\n  ntfy user add %s\n  ntfy access %s %s read-only\n", visible(on), visible(sub.User), visible(sub.User), sub.Topic)
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/urfave/cli/v2"

	"twokey/device"
	"twokey/enroll"
	"twokey/internal/sysuser"
	"twokey/policy"
)

func policyExplainCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "is this user asked, and which line says so",
		ArgsUsage: "USER",
		Description: "Decides a login as the policy in force decides it, and shows every rule with its reason. Nobody logs in, nothing is\n" +
			"recorded or used up.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "service", Usage: "the PAM `SERVICE`", Value: "sshd"},
			&cli.StringFlag{Name: "from", Usage: "the client's `ADDRESS`"},
		},
		Action: func(c *cli.Context) error { return policyExplainAction(c, ui) },
	}
}

// explanation is what policy explain --json prints.
type explanation struct {
	Decision string          `json:"decision"` // required, optional, exempt or deny
	Ask      string          `json:"ask"`      // prompt, or none
	LetsIn   string          `json:"lets_in"`  // a right code, everybody, or nobody
	Rule     string          `json:"rule"`
	Reason   string          `json:"reason"`
	Observe  bool            `json:"observe"`
	Problem  string          `json:"problem,omitempty"`
	Facts    explainedFacts  `json:"facts"`
	Rules    []explainedRule `json:"rules"`
	Sees     string          `json:"sees"`
}

type explainedFacts struct {
	User       string  `json:"user"`
	UID        *uint32 `json:"uid"` // null: there is no such account
	Service    string  `json:"service"`
	Source     string  `json:"source"`
	Enrolled   bool    `json:"enrolled"`
	MustEnroll bool    `json:"must_enroll"`
}

type explainedRule struct {
	Rule  string `json:"rule"`
	Match string `json:"match"`
	Why   string `json:"why"`
}

func policyExplainAction(c *cli.Context, ui *ui) error {
	name, err := oneUser(c)
	if err != nil {
		return err
	}
	h, err := openInForce(c, ui)
	if err != nil {
		return err
	}
	u, err := h.users()
	if err != nil {
		return err
	}
	login, err := h.attempt(u, name, c.String("service"), c.String("from"))
	if err != nil {
		return err
	}
	x := explain(h.policy, login)
	if err := x.print(ui); err != nil {
		return err
	}
	return ui.object(x)
}

// attempt is a login that is thought up.
type attempt struct {
	facts   policy.Facts
	problem error // why it would be refused whatever the answer is
	late    bool  // which is found out when the question has been asked
}

// attempt finds out about a user what a login would.
func (h *host) attempt(u *enroll.Users, name, service, from string) (attempt, error) {
	f := policy.Facts{User: name, Service: strings.ToLower(service), RHost: from} // as libpam does with a service's name
	account, err := sysuser.Lookup(name)
	if errors.Is(err, sysuser.ErrUnknown) {
		return attempt{facts: f}, nil
	}
	if err != nil {
		return attempt{}, err
	}
	p := person{name: account.Name, account: &account}
	f.User, f.UID, f.Known, f.InGroup = account.Name, account.UID, true, p.inGroup
	enrolled, err := u.Secrets.Enrolled(f.User)
	if err != nil {
		f.Enrolled = true // what cannot be found out counts as enrolled, and is refused
		return attempt{facts: f, problem: err}, nil
	}
	if f.Enrolled = enrolled; enrolled {
		return attempt{f, problemOfEnrolled(u, account), true}, nil
	}
	f.MustEnroll, err = withoutDevice(u, account)
	return attempt{facts: f, problem: err}, nil
}

// problemOfEnrolled is why no code of a user would be looked at.
func problemOfEnrolled(u *enroll.Users, account sysuser.Account) error {
	record, err := u.Secrets.Load(account.Name)
	if err != nil {
		return err
	}
	st, err := u.State.Read(account.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ownerProblem(u, account)
	case err != nil:
		return err
	case st.UID != account.UID:
		return enroll.ErrOtherUID
	case record.Serial < st.Serial:
		return device.ErrRolledBack
	}
	return nil
}

// withoutDevice tells a user who was reset, and one whose device is under another name.
func withoutDevice(u *enroll.Users, account sysuser.Account) (mustEnroll bool, problem error) {
	if err := ownerProblem(u, account); err != nil {
		return false, err
	}
	st, err := u.State.Read(account.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && st.MustEnroll, err
}

func ownerProblem(u *enroll.Users, account sysuser.Account) error {
	owner, err := u.State.NameOf(account.UID)
	if errors.Is(err, fs.ErrNotExist) || err == nil && owner == account.Name {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: %q", enroll.ErrOtherName, owner)
}

// explain puts the policy's own account of a decision into words.
func explain(c *policy.Config, login attempt) explanation {
	f, outcome := login.facts, c.Decide(login.facts)
	x := explanation{Decision: outcome.Decision.String(), Rule: outcome.Rule, Reason: outcome.Reason, Observe: outcome.Observe}
	x.Facts = explainedFacts{User: f.User, Service: f.Service, Source: f.RHost, Enrolled: f.Enrolled, MustEnroll: f.MustEnroll}
	if f.Known {
		x.Facts.UID = &f.UID
	}
	for _, step := range c.Explain(f) {
		x.Rules = append(x.Rules, explainedRule{step.Rule, string(step.Match), step.Why})
	}
	action := outcome.Action
	if login.problem != nil && outcome.Decision != policy.Exempt {
		x.Problem = login.problem.Error()
		if !login.late || !outcome.Observe {
			action = policy.AskThenDeny
		}
	}
	x.Ask, x.LetsIn, x.Sees = consequences(action, outcome.Observe && f.Known)
	return x
}

// consequences says what a user meets.
func consequences(action policy.Action, observe bool) (ask, letsIn, sees string) {
	switch {
	case action == policy.Ignore:
		return "none", "everybody", "No question from twokey: the rest of the PAM stack decides."
	case action == policy.Ask && observe:
		return "prompt", "everybody", "\"Verification code: \". Any answer lets in; a wrong one is recorded (observe)."
	case action == policy.Ask:
		return "prompt", "a right code", "\"Verification code: \". A right code lets in, anything else is refused."
	case observe:
		return "none", "everybody", "No question. It is recorded that the login would have been refused (observe)."
	}
	return "prompt", "nobody", "\"Verification code: \", as for everybody, and a refusal whatever the answer is."
}

func (x explanation) print(ui *ui) error {
	who := x.Facts.User + " on " + x.Facts.Service
	if x.Facts.Source != "" {
		who += " from " + x.Facts.Source
	}
	ui.say("%s: %s (%s by %s)", visible(who), x.inShort(), x.Decision, x.Rule)
	ui.say("")
	account := "no such account"
	if x.Facts.UID != nil {
		account = fmt.Sprintf("uid %d", *x.Facts.UID)
	}
	device := "no device"
	switch {
	case x.Facts.Enrolled:
		device = "enrolled"
	case x.Facts.MustEnroll:
		device = "no device since a reset"
	}
	if err := ui.table([][]string{{"account", account}, {"device", device}, {"reason", x.Reason}}); err != nil {
		return err
	}
	ui.say("")
	rows := [][]string{{"RULE", "MATCHES", "WHY"}}
	for _, r := range x.Rules {
		rows = append(rows, []string{r.Rule, r.Match, r.Why})
	}
	if err := ui.table(rows); err != nil {
		return err
	}
	ui.say("")
	if x.Problem != "" {
		ui.say("No answer is right: %s", visible(x.Problem))
	}
	ui.say("At the prompt: %s", x.Sees)
	return nil
}

func (x explanation) inShort() string {
	switch x.LetsIn {
	case "nobody":
		return "refused"
	case "a right code":
		return "asked"
	}
	if x.Ask == "prompt" {
		return "asked, and let in whatever the answer is"
	}
	return "not asked"
}

package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"twokey/enroll"
	"twokey/policy"
)

// explanation is what policy explain --json prints.
type explanation struct {
	Decision      string          `json:"decision"` // required, optional, exempt or deny
	Ask           string          `json:"ask"`      // prompt, appended, earlier (a success before counts, nothing is asked), or none
	LetsIn        string          `json:"lets_in"`  // a right code, an earlier success, an enrolment, everybody, or nobody
	Rule          string          `json:"rule"`
	Reason        string          `json:"reason"`
	Observe       bool            `json:"observe"`
	Way           string          `json:"way"`             // how the service asks, as the table of services has it
	Grace         *time.Time      `json:"grace,omitempty"` // let in without a device until then
	Methods       []string        `json:"methods"`         // that count here
	Remember      string          `json:"remember"`        // how long a success is remembered here; 0s: not
	EnrollByAdmin bool            `json:"enroll_by_admin"`
	Enroll        string          `json:"enroll,omitempty"`     // with-code or yes: instead of being refused he can enrol at this login, so
	CodeUntil     *time.Time      `json:"code_until,omitempty"` // how long his enrolment code is good; left out: he has none
	KeyAlone      string          `json:"key_alone,omitempty"`  // accept or deny: what becomes of it when sshd asks for nothing but the key
	Problem       string          `json:"problem,omitempty"`    // why no answer is right
	Facts         explainedFacts  `json:"facts"`
	Rules         []explainedRule `json:"rules"`
	Sees          []explainedText `json:"sees"` // in the order of a login

	how string // the service asks
}

type explainedFacts struct {
	User       string    `json:"user"`
	UID        *uint32   `json:"uid"` // null: there is no such account
	System     bool      `json:"system_account"`
	Service    string    `json:"service"`
	Source     string    `json:"source"`
	SSHAuth    []string  `json:"ssh_auth"`
	TTY        string    `json:"tty"`
	Time       time.Time `json:"time"` // with the offset of this host's zone
	Enrolled   bool      `json:"enrolled"`
	MustEnroll bool      `json:"must_enroll"`
}

type explainedRule struct {
	Rule  string `json:"rule"`
	Match string `json:"match"`
	Why   string `json:"why"`
}

// explainedText is one text that the user gets to see.
type explainedText struct {
	When string `json:"when"` // asked, refused, or let in
	Text string `json:"text"`
}

// explain puts the policy's own account of a decision into words.
func explain(c *policy.Config, login attempt) explanation {
	f, outcome := login.facts, c.Decide(login.facts)
	x := explanation{Decision: outcome.Decision.String(), Rule: outcome.Rule, Reason: outcome.Reason, Observe: outcome.Observe,
		Way: outcome.Way.String(), Methods: append([]string{}, outcome.Methods...), Remember: policy.Brief(outcome.Remember),
		EnrollByAdmin: outcome.EnrollByAdmin, Facts: explained(f), Rules: []explainedRule{}, how: waySentence(c, outcome.Way)}
	for _, step := range c.Explain(f) {
		x.Rules = append(x.Rules, explainedRule{step.Rule, string(step.Match), step.Why})
	}
	action := outcome.Action
	problem := login.problem
	if problem == nil && action == policy.Ask && !login.counts(outcome.Methods) {
		problem = errors.New("none of his devices counts here")
	}
	if problem == nil && outcome.Way == policy.Earlier && (policy.ActsForAnother(f.Service) || c.IsShared(f.RHost)) && action == policy.Ask {
		problem = errors.New("no earlier success counts here: what many share, or what goes from one account to another, is nobody's own")
	}
	if problem != nil && outcome.Decision != policy.Exempt {
		x.Problem = problem.Error()
		if !login.late || !outcome.Observe {
			action = policy.AskThenDeny
		}
	}
	if !outcome.Grace.IsZero() && action == policy.Ignore {
		grace := outcome.Grace
		x.Grace = &grace
	}
	x.Ask, x.LetsIn = consequences(action, outcome.Way, outcome.Observe && f.Known)
	x.enrolment(c, login, outcome.Enroll && problem == nil)
	if ssh := (policy.SSHAuth{Methods: f.SSHAuth}); ssh.KeyAlone() && !policy.ActsForAnother(f.Service) { // only sshd tells keys
		x.KeyAlone = keyAlone(c, outcome)
	}
	x.Sees = sees(c, login, outcome, x)
	return x
}

// enrolment adds how somebody can enrol at this login who would be refused.
func (x *explanation) enrolment(c *policy.Config, login attempt, can bool) {
	if !can {
		return
	}
	x.Enroll = c.AtLogin
	if !login.codeUntil.IsZero() {
		until := login.codeUntil
		x.CodeUntil = &until
	}
	if x.Enroll == policy.AtLoginYes || x.CodeUntil != nil {
		x.LetsIn = "an enrolment"
	}
}

// enrollText says it in words; "": he cannot.
func (x explanation) enrollText() string {
	switch {
	case x.EnrollByAdmin:
		return "by an administrator only"
	case x.Enroll == policy.AtLoginYes:
		return "at this login, with his password alone (at_login)"
	case x.CodeUntil != nil:
		return "at this login, with his enrolment code, which is good until " + x.CodeUntil.Local().Format("2006-01-02 15:04")
	case x.Enroll != "":
		return "at this login, once he has an enrolment code: twokey enroll --code " + x.Facts.User
	}
	return ""
}

func explained(f policy.Facts) explainedFacts {
	e := explainedFacts{User: f.User, System: f.System, Service: f.Service, Source: f.RHost, SSHAuth: append([]string{}, f.SSHAuth...),
		TTY: "remote", Time: f.Time.Truncate(time.Second), Enrolled: f.Enrolled, MustEnroll: f.MustEnroll}
	if f.Known {
		e.UID = &f.UID
	}
	if f.Console {
		e.TTY = "console"
	}
	return e
}

// counts reports whether the user has something that counts; of whom that is not known it is taken to be so.
func (a attempt) counts(methods []string) bool {
	return a.methods == nil || slices.ContainsFunc(a.methods, func(m string) bool { return slices.Contains(methods, m) })
}

// consequences says what becomes of the action on a service that asks in this way.
func consequences(action policy.Action, way policy.Way, observe bool) (ask, letsIn string) {
	switch {
	case action == policy.Ignore:
		return "none", "everybody"
	case action == policy.AskThenDeny && observe:
		return "none", "everybody"
	case action == policy.Ask && way == policy.Earlier:
		ask, letsIn = way.String(), "an earlier success"
	case action == policy.Ask:
		ask, letsIn = way.String(), "a right code"
	case way == policy.Prompt || way == policy.Appended:
		ask, letsIn = way.String(), "nobody"
	default:
		ask, letsIn = "none", "nobody"
	}
	if observe {
		letsIn = "everybody"
	}
	return ask, letsIn
}

// sees are the texts that the user gets, as the configuration and his language have them.
func sees(c *policy.Config, login attempt, outcome policy.Outcome, x explanation) []explainedText {
	texts := []explainedText{}
	switch x.Ask {
	case policy.Prompt.String():
		texts = append(texts, explainedText{"asked", c.QuestionText(c.Offered(true))}) // as the lines that are shipped ask, after a password
	case policy.Appended.String():
		texts = append(texts, explainedText{"asked", c.Text(policy.MsgPasswordAndCode)})
	}
	if x.LetsIn != "everybody" && outcome.Way != policy.Appended { // of one field only the module behind it speaks
		texts = append(texts, explainedText{"refused", c.Text(policy.MsgRefused)})
	}
	if x.LetsIn == "nobody" {
		return texts
	}
	for _, text := range notices(c, login, outcome) {
		texts = append(texts, explainedText{"let in", text})
	}
	return texts
}

// notices are what a session of the user begins with. They are taken out of a copy of his state: he is still told.
func notices(c *policy.Config, login attempt, o policy.Outcome) []string {
	f := login.facts
	if !f.Known || login.problem != nil || o.Way == policy.NotALogin || c.SwitchedOff(f.Time) || policy.ActsForAnother(f.Service) {
		return nil
	}
	var texts []string
	switch {
	case !o.Grace.IsZero():
		texts = append(texts, c.GraceText(f.User, o.Grace, f.Time))
	case c.Notice && !f.Enrolled && o.Decision == policy.Optional:
		texts = append(texts, c.Text(policy.MsgNoticeOptional, "USER", f.User))
	}
	if login.state == nil || login.state.UID != f.UID {
		return texts
	}
	for _, waiting := range login.state.TakeNotices() {
		if d := login.state.Device(waiting.Device); d != nil {
			added := c.FormatDate(d.Created.In(f.Time.Location()), f.Time)
			texts = append(texts, c.Text(policy.MsgNoticeDevice, "DEVICE", d.Name, "DATE", added, "BY", waiting.By))
		}
	}
	if left, due := login.state.TakeLowRecovery(); due {
		texts = append(texts, c.Text(policy.MsgNoticeRecovery.For(left), "USER", f.User, "LEFT", strconv.Itoa(left)))
	}
	return texts
}

// keyAlone is what becomes of a login for which sshd asks for nothing but the key, so that the question is never put.
func keyAlone(c *policy.Config, o policy.Outcome) string {
	switch {
	case o.Action == policy.Ignore || o.Observe:
		return policy.KeysAccept
	case o.Decision == policy.Deny || o.Decision == policy.Required && c.SSHKeysAlone == policy.KeysDeny:
		return policy.KeysDeny
	}
	return policy.KeysAccept
}

// keyAloneText has the words for it.
var keyAloneText = map[string]string{
	policy.KeysAccept: "let in without a question when sshd asks for no more than this (ssh_keys_alone)",
	policy.KeysDeny:   "refused when the session opens if sshd asks for no more than this (ssh_keys_alone)",
}

func (x explanation) print(ui *ui) error {
	who := x.Facts.User + " on " + x.Facts.Service
	if x.Facts.Source != "" {
		who += " from " + x.Facts.Source
	}
	ui.say("%s: %s (%s by %s)", visible(who), x.inShort(), x.Decision, visible(x.Rule))
	ui.say("")
	if err := ui.table(x.facts()); err != nil {
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
	if len(x.Sees) == 0 {
		ui.say("The user sees nothing of twokey.")
		return nil
	}
	ui.say("What the user sees when he is")
	rows = nil
	for _, text := range x.Sees {
		label := "  " + text.When + ":"
		for line := range strings.SplitSeq(text.Text, "\n") {
			rows = append(rows, []string{label, line})
			label = ""
		}
	}
	return ui.table(rows)
}

// facts are the rows above the rules.
func (x explanation) facts() [][]string {
	account := "no such account"
	if x.Facts.UID != nil {
		account = fmt.Sprintf("uid %d", *x.Facts.UID)
	}
	if x.Facts.System {
		account += ", a system account"
	}
	device := "no device"
	switch {
	case x.Facts.Enrolled:
		device = "enrolled"
	case x.Facts.MustEnroll:
		device = "no device since a reset"
	}
	rows := [][]string{{"account", account}, {"device", device}, {"time", x.Facts.Time.Format("Mon 2006-01-02 15:04 MST")},
		{"tty", x.Facts.TTY}}
	if len(x.Facts.SSHAuth) > 0 {
		rows = append(rows, []string{"ssh_auth", strings.Join(x.Facts.SSHAuth, ", ")})
	}
	rows = append(rows, []string{"reason", x.Reason})
	if x.Observe {
		rows = append(rows, []string{"observe", "nobody is refused; who would be is recorded"})
	}
	if x.Way != policy.Prompt.String() {
		rows = append(rows, []string{"service", x.how})
	}
	if x.LetsIn == "a right code" {
		rows = append(rows, []string{"methods", strings.Join(x.Methods, ", ")}, []string{"remember", x.Remember})
	}
	if text := x.enrollText(); text != "" {
		rows = append(rows, []string{"enroll", text})
	}
	if x.Problem != "" {
		rows = append(rows, []string{"PROBLEM", "no answer is right: " + x.Problem})
	}
	if x.KeyAlone != "" {
		rows = append(rows, []string{"key alone", keyAloneText[x.KeyAlone]})
	}
	return rows
}

// inShort is the end of the login in a few words.
func (x explanation) inShort() string {
	switch {
	case x.LetsIn == "nobody":
		return "refused"
	case x.LetsIn == "an earlier success":
		return "in with an earlier success, else refused"
	case x.LetsIn == "an enrolment":
		return "enrols, then in"
	case x.LetsIn == "a right code":
		return "asked"
	case x.Grace != nil:
		return "not asked until " + lastDay(*x.Grace).String()
	case x.Ask != "none":
		return "asked, and let in whatever the answer is"
	}
	return "not asked"
}

// explainAll prints what a login of each account would meet.
func (h *host) explainAll(u *enroll.Users, v visit) error {
	names, err := union(allNames, func() ([]string, error) { return h.names(u) })
	if err != nil {
		return err
	}
	all := []explanation{}
	rows := [][]string{{"USER", "DEVICE", "DECISION", "LOGIN", "RULE"}}
	for _, name := range names {
		login, err := h.attempt(u, name, v)
		if err != nil {
			return err
		}
		x := explain(h.policy, login)
		all = append(all, x)
		device := "no"
		if x.Facts.Enrolled {
			device = "yes"
		}
		rule := x.Rule
		if x.Problem != "" {
			rule += "; PROBLEM: " + x.Problem
		}
		rows = append(rows, []string{name, device, x.Decision, x.inShort(), rule})
	}
	if err := h.ui.table(rows); err != nil {
		return err
	}
	return h.ui.object(all)
}

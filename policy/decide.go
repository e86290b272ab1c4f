package policy

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// MUST, each with a test of that number in decide_test.go:
//
//  1. The zero Outcome, the zero Config and a nil *Config MUST ask and refuse.
//  2. A group lookup that fails MUST NOT let anybody through whom either answer of
//     the lookup would have stopped, or asked.
//  3. An account that NSS does not know MUST be asked and refused, unless twokey is
//     switched off or everybody is exempt on the service.
//  4. An entry without lists MUST match nobody.
//  5. A user who was reset MUST NOT get in without a device because he is optional.
//  6. Explain and Decide MUST come from one evaluation.

// Action is what a login must do with an [Outcome]. The zero value refuses.
type Action int

// The three actions.
const (
	AskThenDeny Action = iota // ask in the same words as always; no answer is right
	Ask                       // verify a code; a right one lets in
	Ignore                    // not subject to the policy: do not ask
)

// String gives the action's name for logs and tests.
func (a Action) String() string {
	switch a {
	case Ask:
		return "ask"
	case Ignore:
		return "ignore"
	}
	return "ask then deny"
}

// Facts are what is known of one login.
type Facts struct {
	User       string    // NSS's canonical name (pw_name); for an unknown account what was typed
	UID        uint32    // meaningless unless Known
	Known      bool      // NSS knows the account
	System     bool      // a system account: uid below UID_MIN of login.defs(5) and no login shell
	Service    string    // PAM_SERVICE
	RHost      string    // PAM_RHOST as it is, an address or a name; "": none
	Console    bool      // as [IsConsole] says
	SSHAuth    []string  // Methods of [ParseSSHAuth]
	Time       time.Time // of the login, in the host's zone
	Enrolled   bool      // has a device that can be verified
	MustEnroll bool      // was reset and has not enrolled again

	// InGroup tells whether the user is in the group, as primary or other member.
	// An error means that it could not be found out. A group that does not exist
	// is no error, only false. It is called at most once for a group in a Decide;
	// nil is an error for every group.
	InGroup func(group string) (bool, error)
}

// An Outcome is what the policy wants of one login. The zero value refuses.
type Outcome struct {
	Decision    Decision // what the user is, by the rule
	Action      Action   // what the login must do
	Way         Way      // how the service asks
	Observe     bool     // let in whom Action would refuse, and record it
	NeedsDevice bool     // refused only because no device is enrolled

	// Grace is not zero for who is required, has no device and is let in until then, the end of the day "by": Action is Ignore.
	Grace time.Time

	Rule   string // "switched off", "exempt[2]", "service exempt", "unknown account", "rule office", "rules[1]", "require[0]", "default"
	Reason string // one clause for the audit log

	Methods       []string      // the second factors that count here, in the order offered
	Remember      time.Duration // how long a success here is remembered; 0: not
	EnrollByAdmin bool          // he cannot enrol by himself at this login
}

// Match says what became of a rule.
type Match string

// What may become of a rule.
const (
	Yes        Match = "yes"
	No         Match = "no"
	Unknown    Match = "unknown"     // a group lookup failed
	NotReached Match = "not reached" // a rule before it has decided
)

// A Step is one rule and why it did or did not match.
type Step struct {
	Rule  string
	Match Match
	Why   string
}

// Decide tells what this login needs. The rules are tried in this order, and the
// first that matches gives the decision: the switch, the entries of exempt, an
// account that does not exist, the entries of require, default. If a group lookup
// fails, every answer that it could have had is followed; where they lead to
// different actions the login is refused.
func (c *Config) Decide(f Facts) Outcome {
	_, outcome := c.evaluate(f)
	return outcome
}

// Explain lists every rule in its order and what became of it in [Config.Decide].
func (c *Config) Explain(f Facts) []Step {
	steps, _ := c.evaluate(f)
	return steps
}

// A rule is one thing that can decide a login.
type rule struct {
	name string
	then Decision
	test func() (Match, string)
}

// rules is the precedence. It is the only place that knows it.
func (c *Config) rules(f Facts) []rule {
	groups := &membership{ask: f.InGroup, known: map[string]answer{}}
	list := []rule{{"switched off", Exempt, c.switchedOff}}
	for i, e := range c.Exempt {
		list = append(list, rule{fmt.Sprintf("exempt[%d]", i), Exempt, func() (Match, string) {
			if !f.Known && !e.everybody() {
				return No, "the account is unknown: only an exemption of the whole service counts"
			}
			return e.match(f, groups)
		}})
	}
	list = append(list, rule{"unknown account", Deny, f.unknownAccount})
	for i, e := range c.Require {
		list = append(list, rule{fmt.Sprintf("require[%d]", i), Required, func() (Match, string) {
			return e.match(f, groups)
		}})
	}
	return append(list, rule{"default", c.Default, func() (Match, string) {
		return Yes, "the default is " + c.Default.String()
	}})
}

func (c *Config) switchedOff() (Match, string) {
	if c.Off {
		return Yes, "twokey is switched off"
	}
	return No, "twokey is switched on"
}

func (f Facts) unknownAccount() (Match, string) {
	if !f.Known {
		return Yes, "the account does not exist"
	}
	return No, "the account exists"
}

// evaluate tries the rules and follows every path that failed lookups leave open.
func (c *Config) evaluate(f Facts) ([]Step, Outcome) {
	if c == nil {
		outcome := Outcome{Rule: "no policy", Reason: "there is no policy"}
		return []Step{{outcome.Rule, Yes, outcome.Reason}}, outcome
	}
	var steps []Step
	var possible []Outcome // the last one is certain if none before it holds
	decided := false
	for _, r := range c.rules(f) {
		if decided {
			steps = append(steps, Step{r.name, NotReached, "a rule before it has decided"})
			continue
		}
		match, why := r.test()
		steps = append(steps, Step{r.name, match, why})
		if match != No {
			possible = append(possible, f.outcome(r, why))
		}
		decided = match == Yes
	}
	outcome := settle(possible)
	outcome.Observe = c.Observe
	return steps, outcome
}

// settle chooses between what is possible: the strictest decision if all lead to
// the same action, else a refusal.
func settle(possible []Outcome) Outcome {
	strictest := possible[len(possible)-1]
	for _, p := range possible[:len(possible)-1] {
		if p.Action != strictest.Action {
			return Outcome{Rule: p.Rule, Reason: p.Reason}
		}
		if p.Decision < strictest.Decision {
			strictest = p
		}
	}
	return strictest
}

// outcome is what the rule means for this user.
func (f Facts) outcome(r rule, why string) Outcome {
	out := Outcome{Decision: r.then, Rule: r.name}
	device := "no device is enrolled"
	if f.Enrolled {
		device = "a device is enrolled"
	}
	if r.then == Optional && f.MustEnroll && !f.Enrolled {
		out.Decision, device = Required, "no device is enrolled since the reset"
	}
	switch out.Decision {
	case Exempt:
		out.Action = Ignore
		device = ""
	case Optional:
		out.Action = Ignore
		if f.Enrolled {
			out.Action = Ask
		}
	case Required:
		out.NeedsDevice = !f.Enrolled
		if f.Enrolled {
			out.Action = Ask
		}
	default:
		device = ""
	}
	out.Reason = why
	if device != "" {
		out.Reason += "; " + device
	}
	return out
}

// match tells whether the entry is about this login. Users and groups are two ways
// to say who, services narrow it.
func (e Entry) match(f Facts, groups *membership) (Match, string) {
	switch {
	case len(e.Services) > 0 && !slices.Contains(e.Services, f.Service):
		return No, fmt.Sprintf("not about service %q", f.Service)
	case e.everybody():
		return Yes, fmt.Sprintf("about everybody on service %q", f.Service)
	case slices.Contains(e.Users, f.User):
		return Yes, fmt.Sprintf("about user %q", f.User)
	}
	var failed error
	for _, g := range e.Groups {
		in, err := groups.has(g)
		if in && err == nil {
			return Yes, fmt.Sprintf("about group %q", g)
		}
		if err != nil && failed == nil {
			failed = fmt.Errorf("group lookup failed: group %q: %w", g, err)
		}
	}
	if failed != nil {
		return Unknown, failed.Error()
	}
	return No, fmt.Sprintf("not about user %q or a group of his", f.User)
}

// membership remembers the answers of InGroup, so that one evaluation asks once
// and gets one answer.
type membership struct {
	ask   func(string) (bool, error)
	known map[string]answer
}

type answer struct {
	in  bool
	err error
}

func (m *membership) has(group string) (bool, error) {
	a, found := m.known[group]
	if !found {
		if m.ask == nil {
			a.err = errors.New("groups cannot be looked up")
		} else {
			a.in, a.err = m.ask(group)
		}
		m.known[group] = a
	}
	return a.in, a.err
}

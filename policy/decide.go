package policy

import (
	"fmt"
	"slices"
	"time"
)

// MUST, each with a test of that number in must_test.go:
//
//  1. The zero Outcome, the zero Config and a nil *Config MUST ask and refuse.
//  2. A group lookup that fails, or a time that is not known, MUST NOT let anybody through whom either answer would have stopped, or
//     asked; nor count a method, remember a success for longer, or let anybody enrol, unless every answer would.
//  3. An account that NSS does not know MUST be asked and refused, unless twokey is switched off or everybody is exempt here; at
//     [SelfService] always.
//  4. An entry or a rule without conditions MUST match nobody.
//  5. A user who was reset MUST NOT get in without a device because he is optional, or because the day "by" is not over. At [SelfService],
//     which lets nobody in anywhere, he passes: the command that asked there wants his enrolment code.
//  6. Explain and Decide MUST come from one evaluation.
//  7. A deny rule MUST go before every exemption, and MUST NOT reach a service that is no login unless it names it.
//  8. AsksNobody MUST be true only where Decide lets every account that exists by without a question.
//  9. A success MUST NOT be remembered in sudo, su and their like, at [SelfService], nor from a shared source.
//  10. At [SelfService] who is enrolled MUST be asked: neither the switch nor an exemption, rule, list, way of asking or observe lets him
//     by. Attacks: the password of an exempt user, to change his devices; a stolen password while twokey is switched off for two hours,
//     to add a device that stays when it is on again.
//     There no method counts that a rule which can be about him leaves out, at whatever service. Attack: by a text, which the rule does not
//     take, make the app that it takes.
//  11. Nobody MUST be let enrol at a login (Outcome.Enroll) but who is refused there only because he has no device.

// Action is what a login must do with an [Outcome]. The zero value refuses. Where the service's way is one that cannot ask (Earlier,
// Never, NotALogin) AskThenDeny refuses without a question, and Ask, with Earlier, looks for a success of before.
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
	System     bool      // a system account: uid below UID_MIN of login.defs(5) and no login shell; never root
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

	// Enroll: beside NeedsDevice, that he may enrol in the account phase of this login, with an enrolment code or, where AtLogin is yes,
	// without. Action refuses all the same: whoever does not know what to do with it denies. Never where Observe is set, since there
	// nobody is to be stopped.
	Enroll bool

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

// Decide tells what this login needs. What can decide it is tried in this order, and the first that matches gives the decision: the
// switch, the deny rules, services that are no logins, the entries of exempt, an account that does not exist, the other rules, the
// entries of require, default. Then the service's way of asking changes what has to be done. At [SelfService] nothing of it counts but the
// deny rules, that the account exists, and the methods of the other rules. If a group lookup fails, every answer
// that it could have had is followed; where they lead to different actions the login is refused.
func (c *Config) Decide(f Facts) Outcome {
	_, outcome := c.evaluate(f)
	return outcome
}

// Explain lists all that can decide, in its order, and what became of it in [Config.Decide].
func (c *Config) Explain(f Facts) []Step {
	steps, _ := c.evaluate(f)
	return steps
}

// AsksNobody reports whether everybody whose account exists would be let by without a question here, whoever he is. The decoy, which
// else asks everybody, needs it; of the facts only those that are not about the account count.
func (c *Config) AsksNobody(f Facts) bool {
	if c == nil {
		return false
	}
	f.Known = true
	for _, s := range c.stages(f, anybody) {
		match, _ := s.test()
		if match != No && s.then != Exempt {
			return false
		}
		if match == Yes {
			return true
		}
	}
	return false
}

// evaluate tries the stages and follows every path that failed lookups leave open.
func (c *Config) evaluate(f Facts) ([]Step, Outcome) {
	if c == nil {
		outcome := Outcome{Rule: "no policy", Reason: "there is no policy"}
		return []Step{{outcome.Rule, Yes, outcome.Reason}}, outcome
	}
	var steps []Step
	var possible []Outcome // the last one is certain if none before it holds
	decided := false
	for _, s := range c.stages(f, f.lookup()) {
		if decided {
			steps = append(steps, Step{s.name, NotReached, "a rule before it has decided"})
			continue
		}
		match, why := s.test()
		steps = append(steps, Step{s.name, match, why})
		if match != No {
			possible = append(possible, c.outcome(f, s, why))
		}
		decided = match == Yes
	}
	outcome := settle(possible)
	outcome.Observe, outcome.Way = c.Observe && f.Service != SelfService, c.WayOf(f.Service)
	return steps, outcome
}

// settle chooses between what is possible: the strictest of everything if all lead to the same action, else a refusal. Its methods
// are a copy.
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
	for _, p := range possible {
		strictest.Methods = slices.DeleteFunc(slices.Clone(strictest.Methods), func(m string) bool { return !slices.Contains(p.Methods, m) })
		strictest.Remember = min(strictest.Remember, p.Remember)
		strictest.EnrollByAdmin = strictest.EnrollByAdmin || p.EnrollByAdmin
		strictest.Enroll = strictest.Enroll && p.Enroll
		if !p.Grace.IsZero() && p.Grace.Before(strictest.Grace) {
			strictest.Grace = p.Grace
		}
	}
	if len(possible) > 1 && strictest.Action == Ask && len(strictest.Methods) == 0 {
		return Outcome{Rule: possible[0].Rule, Reason: possible[0].Reason + "; no method counts either way"}
	}
	return strictest
}

// outcome is what a stage that matches means for this user.
func (c *Config) outcome(f Facts, s stage, why string) Outcome {
	out := Outcome{Decision: s.then, Rule: s.name, Reason: why}
	device := "no device is enrolled"
	if f.Enrolled {
		device = "a device is enrolled"
	}
	if f.MustEnroll && !f.Enrolled && f.Service != SelfService {
		device = "no device is enrolled since the reset"
		if s.then == Optional {
			out.Decision = Required
		}
	}
	switch {
	case out.Decision == Exempt:
		out.Action = Ignore
		return out
	case out.Decision != Required && out.Decision != Optional:
		return out
	case f.Enrolled:
		out.Action = Ask
	case out.Decision == Optional:
		out.Action = Ignore
	case !s.grace.IsZero() && !f.MustEnroll:
		out.Action, out.Grace = Ignore, s.grace
		device += ", which is let pass until 24:00 of " + s.by.String()
	default:
		out.NeedsDevice = true
	}
	out.Reason += "; " + device
	c.ask(f, s, &out)
	return out
}

// ask adds how somebody who is not exempt is asked here.
func (c *Config) ask(f Facts, s stage, out *Outcome) {
	out.Methods, out.Remember, out.EnrollByAdmin = c.Methods, c.Remember, s.rule.EnrollByAdmin
	if s.rule.Methods != nil {
		out.Methods = s.rule.Methods
	}
	if s.rule.Remember != nil {
		out.Remember = *s.rule.Remember
	}
	if out.Action == Ask && len(out.Methods) == 0 {
		out.Action = AskThenDeny
		out.Reason += "; no method counts in all rules about him: an administrator changes his devices"
	}
	if ActsForAnother(f.Service) || f.Service == SelfService || c.IsShared(f.RHost) {
		out.Remember = 0
	}
	if c.WayOf(f.Service) == Never && out.Action != Ignore {
		out.Action, out.NeedsDevice = AskThenDeny, false
		out.Reason += fmt.Sprintf("; service %q cannot ask", f.Service)
	}
	out.Enroll = out.NeedsDevice && !out.EnrollByAdmin && !c.Observe && c.enrolsAtLogin() && c.CanEnroll(f.Service)
}

package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A stage is one thing that can decide a login.
type stage struct {
	name  string
	then  Decision
	test  func() (Match, string)
	by    Date      // of an entry of require
	grace time.Time // the end of that day, while it has not come
	rule  Rule      // what a rule says beside its decision
}

// stages is the precedence. It is the only place that knows it.
func (c *Config) stages(f Facts, who whoTest) []stage {
	if f.Service == SelfService {
		return append(c.ruleStages(f, who, true), stage{name: "unknown account", then: Deny, test: f.unknownAccount},
			c.selfService(who))
	}
	list := []stage{{name: "switched off", then: Exempt, test: func() (Match, string) { return c.switchedOff(f.Time) }}}
	list = append(list, c.ruleStages(f, who, true)...)
	list = append(list, stage{name: "service exempt", then: Exempt, test: func() (Match, string) { return c.serviceExempt(f.Service) }})
	for i, e := range c.Exempt {
		list = append(list, stage{name: fmt.Sprintf("exempt[%d]", i), then: Exempt, test: func() (Match, string) { return e.match(f, who) }})
	}
	list = append(list, stage{name: "unknown account", then: Deny, test: f.unknownAccount})
	list = append(list, c.ruleStages(f, who, false)...)
	for i, e := range c.Require {
		list = append(list, stage{name: fmt.Sprintf("require[%d]", i), then: Required, by: e.By, grace: e.grace(f),
			test: func() (Match, string) { return e.match(f, who) }})
	}
	return append(list, stage{name: "default", then: c.Default, test: func() (Match, string) {
		return Yes, "the default is " + c.Default.String()
	}})
}

// ruleStages are the rules that deny, or the others.
func (c *Config) ruleStages(f Facts, who whoTest, denying bool) []stage {
	var list []stage
	for i, r := range c.Rules {
		if (r.Then == Deny) != denying {
			continue
		}
		list = append(list, stage{name: c.RuleName(i), then: r.Then, rule: r, test: func() (Match, string) {
			if denying && len(r.Services) == 0 && c.WayOf(f.Service) == NotALogin {
				return No, fmt.Sprintf("service %q is no login, and the rule does not name it", f.Service)
			}
			return r.match(f, who)
		}})
	}
	return list
}

func (c *Config) switchedOff(now time.Time) (Match, string) {
	switch {
	case c.Off:
		return Yes, "twokey is switched off"
	case c.SwitchedOff(now):
		return Yes, "twokey is switched off until " + c.OffUntil.Format(time.RFC3339)
	}
	return No, "twokey is switched on"
}

func (c *Config) serviceExempt(service string) (Match, string) {
	if way := c.WayOf(service); way != NotALogin {
		return No, fmt.Sprintf("service %q asks: %s", service, way)
	}
	if _, configured := c.Services[service]; configured {
		return Yes, fmt.Sprintf("service %q is no login: services says so", service)
	}
	return Yes, fmt.Sprintf("service %q is no login", service)
}

// selfService is where somebody changes his own devices. What he proves it by must count in every rule that can be about him, wherever it
// is for: with a new device he gets in there.
func (c *Config) selfService(who whoTest) stage {
	s := stage{name: "service " + SelfService, then: Optional}
	why := "the lists do not count where one's own devices are changed"
	for _, r := range c.Rules {
		match, _ := r.whom(who)
		if r.Then == Deny || match == No {
			continue
		}
		if r.Methods != nil && s.rule.Methods == nil {
			s.rule.Methods = slices.Clone(c.Methods)
			why += ", but for the methods of rules"
		}
		if r.Methods != nil {
			s.rule.Methods = slices.DeleteFunc(s.rule.Methods, func(m string) bool { return !slices.Contains(r.Methods, m) })
		}
		if match == Yes && len(r.conditions()) == 0 {
			break // those behind it never decide
		}
	}
	s.test = func() (Match, string) { return Yes, why }
	return s
}

func (f Facts) unknownAccount() (Match, string) {
	if !f.Known {
		return Yes, "the account does not exist"
	}
	return No, "the account exists"
}

// A condition is one thing that a rule or an entry asks of a login.
type condition func(Facts) (Match, string)

// A whoTest tells whether the account is one of the users, in one of the groups or, where that is asked, a system account.
type whoTest func(users, groups []string, system bool) (Match, string)

// anybody is the account of which nothing is known but that it exists.
func anybody([]string, []string, bool) (Match, string) { return Unknown, "about some" }

// match tells whether all conditions are met. Who it is comes last, since that may be a question to the name service.
func (f Facts) match(conditions []condition, who func() (Match, string)) (Match, string) {
	result := Yes
	var texts, open []string
	for _, met := range conditions {
		match, why := met(f)
		switch match {
		case No:
			return No, why
		case Unknown:
			result, open = Unknown, append(open, why)
		default:
			texts = append(texts, why)
		}
	}
	match, why := who()
	switch match {
	case No:
		return No, why
	case Unknown:
		result, open = Unknown, append(open, why)
	}
	if result == Unknown {
		return Unknown, strings.Join(open, "; ")
	}
	return Yes, strings.Join(append([]string{why}, texts...), " ")
}

// match tells whether the entry is about this login.
func (e Entry) match(f Facts, who whoTest) (Match, string) {
	var conditions []condition
	if len(e.Services) > 0 {
		conditions = append(conditions, onService(e.Services))
	}
	if len(e.From) > 0 {
		conditions = append(conditions, fromPlace(e.From))
	}
	if !e.Starts.IsZero() || !e.Until.IsZero() {
		conditions = append(conditions, e.during)
	}
	return f.match(conditions, func() (Match, string) {
		if e.everybody() {
			return Yes, "about everybody"
		}
		return who(e.Users, e.Groups, e.SystemAccounts)
	})
}

// match tells whether the rule is about this login.
func (r Rule) match(f Facts, who whoTest) (Match, string) {
	return f.match(r.conditions(), func() (Match, string) { return r.whom(who) })
}

// conditions are all but who it is.
func (r Rule) conditions() []condition {
	var conditions []condition
	if len(r.Services) > 0 {
		conditions = append(conditions, onService(r.Services))
	}
	if len(r.From) > 0 {
		conditions = append(conditions, fromPlace(r.From))
	}
	if len(r.TTY) > 0 {
		conditions = append(conditions, atTerminal(r.TTY))
	}
	if len(r.SSHAuth) > 0 {
		conditions = append(conditions, bySSH(r.SSHAuth))
	}
	if len(r.Weekdays) > 0 || len(r.Hours) > 0 {
		conditions = append(conditions, r.during)
	}
	return conditions
}

// whom tells whether the rule can be about the account.
func (r Rule) whom(who whoTest) (Match, string) {
	if len(r.Users) == 0 && len(r.Groups) == 0 && len(r.conditions()) > 0 {
		return Yes, "about everybody"
	}
	return who(r.Users, r.Groups, false)
}

func onService(services []string) condition {
	return func(f Facts) (Match, string) {
		if slices.Contains(services, f.Service) {
			return Yes, fmt.Sprintf("on service %q", f.Service)
		}
		return No, fmt.Sprintf("not about service %q", f.Service)
	}
}

func fromPlace(from []string) condition {
	return func(f Facts) (Match, string) {
		if f.RHost == "" {
			return No, "not about logins that come from no host"
		}
		if item, found := comesFrom(from, f.RHost); found {
			return Yes, "from " + item
		}
		return No, fmt.Sprintf("not about %q", f.RHost)
	}
}

func atTerminal(terminals []string) condition {
	return func(f Facts) (Match, string) {
		here := "remote"
		if f.Console {
			here = "console"
		}
		if slices.Contains(terminals, here) {
			return Yes, "with tty " + here
		}
		return No, "not about tty " + here
	}
}

func bySSH(methods []string) condition {
	return func(f Facts) (Match, string) {
		for _, m := range f.SSHAuth {
			if slices.Contains(methods, m) {
				return Yes, "with ssh_auth " + m
			}
		}
		if len(f.SSHAuth) == 0 {
			return No, "not about logins without ssh_auth"
		}
		return No, "not about ssh_auth " + strings.Join(f.SSHAuth, ", ")
	}
}

// lookup is the test of who this is. It asks for each group once.
func (f Facts) lookup() whoTest {
	groups := &membership{ask: f.InGroup, known: map[string]answer{}}
	return func(users, named []string, system bool) (Match, string) {
		switch {
		case !f.Known:
			return No, "the account is unknown: only what is about everybody counts"
		case slices.Contains(users, f.User):
			return Yes, fmt.Sprintf("about user %q", f.User)
		case system && f.System:
			return Yes, "about system accounts"
		}
		return groups.any(named, f.User)
	}
}

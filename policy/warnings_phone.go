package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// From these on a limit is named: one that no host of people reaches is none, and a code of SMS is good for ten minutes at most (NIST SP
// 800-63B, section 5.1.3.2).
const (
	manyPerHour = 500
	longText    = 10 * time.Minute
)

// phoneWarnings are about what is sent to phones.
func (c *Config) phoneWarnings() []string {
	found := append(c.smsWarnings(), c.pushWarnings()...)
	if c.MethodsDefault == DefaultLast && len(c.Offered(true)) == 0 {
		found = append(found, "methods_default is last, and neither push nor sms is offered: it does nothing")
	}
	for i, r := range c.Rules {
		for _, method := range []string{"push", "sms"} {
			if slices.Contains(r.Methods, method) && !slices.Contains(c.Methods, method) && c.hasProvider(method) {
				found = append(found, fmt.Sprintf("%s: methods names %s, and methods of the host does not: nobody is offered it", c.RuleName(i), method))
			}
		}
	}
	return found
}

func (c *Config) smsWarnings() []string {
	if c.SMS == nil {
		return nil
	}
	var found []string
	if slices.Contains(c.Methods, "sms") {
		found = append(found, "sms is the weakest second factor: who gets the number onto a card of his own (SIM swap), or listens in the "+
			"telephone network (SS7), has the codes; an app or push with match_number is better")
	} else {
		found = append(found, "sms has a provider, and methods does not name sms: nothing is sent")
	}
	if c.SMS.PerHour > manyPerHour {
		found = append(found, fmt.Sprintf("sms.per_hour is %d: so many messages are paid for in an hour before anything stops them", c.SMS.PerHour))
	}
	if c.SMS.ValidFor > longText {
		found = append(found, fmt.Sprintf("sms.valid_for is %s: after more than 10m a code may have been read by somebody else (NIST SP 800-63B)", Brief(c.SMS.ValidFor)))
	}
	return found
}

func (c *Config) pushWarnings() []string {
	if c.Push == nil {
		return nil
	}
	var found []string
	if !slices.Contains(c.Methods, "push") {
		found = append(found, "push has a provider, and methods does not name push: nothing is sent")
	}
	if c.Push.Provider != ProviderNtfy {
		return found
	}
	if !c.Push.MatchNumber {
		found = append(found, "push.match_number is false: who is asked often enough presses Allow once (push fatigue); a number has to be read from the screen first")
	}
	if c.Push.AnswerTokenFile == "" {
		found = append(found, "push.answer_token_file is missing: phones can answer only where everyone may write to the topics tk-rsp-*; "+
			"give a write-only account for them, and its token here")
	}
	return found
}

// hasProvider reports whether a method needs nobody to bring its codes, or has somebody.
func (c *Config) hasProvider(method string) bool {
	switch method {
	case "push":
		return c.Push != nil
	case "sms":
		return c.SMS != nil
	}
	return true
}

// unsentWarnings are about a list of methods with some that nothing brings to phones; name is the rule that has the list, or "".
func (c *Config) unsentWarnings(name string, methods []string) []string {
	unsent := slices.DeleteFunc(slices.Clone(methods), c.hasProvider)
	switch {
	case len(unsent) == 0:
		return nil
	case len(unsent) == len(methods):
		return []string{fmt.Sprintf("%smethods has nothing but %s, for which no provider is configured: whoever is asked is refused", name, strings.Join(unsent, ", "))}
	}
	var found []string
	for _, method := range unsent {
		found = append(found, fmt.Sprintf("%smethods names %s, for which no provider is configured: twokey %s setup", name, method, method))
	}
	return found
}

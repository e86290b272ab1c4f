package doctor

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"twokey/internal/pamconf"
	"twokey/policy"
)

// codesOnly: messages are sent only where our line knows that a password was right, and never for one field. Who has nothing but a phone
// does not get in there.
func (c *check) codesOnly(stack pamconf.Stack, found walked) {
	words := c.Policy.Offered(true)
	if len(words) == 0 || c.way == policy.Prompt && slices.ContainsFunc(stack, saysAfterPassword) {
		return
	}
	shut := c.shutOut()
	severity, who := Error, "; who has nothing but a phone does not get in: "+names(shut)
	if len(shut) == 0 {
		severity, who = Warning, ""
	}
	if c.way == policy.Appended {
		if len(shut) > 0 {
			c.report(severity, "codes-only", "one field takes codes only"+who, command("twokey device add --method totp %s", shut[0].Name))
		}
		return
	}
	ours := stack[slices.IndexFunc(stack, isReal)]
	fix := write(ours.Place, withArgs(ours, append(slices.Clone(ours.Args), "after=password")))
	if found.any(withoutPassword) { // after a key, say: nothing could be promised
		fix = "have a password asked before, by the recommended stack in the README, or give everybody an app: twokey device add --method totp"
		if severity == Warning {
			severity = Info
		}
	}
	c.report(severity, "codes-only", fmt.Sprintf("codes only: '%s' are not offered, since no line says after=password (%s)%s", strings.Join(words, "', '"), at(ours.Place), who), fix)
}

// shutOut are those whom the policy asks on the service and who have nothing but phones there.
func (c *check) shutOut() (shut []Person) {
	for _, p := range slices.Concat(c.required, c.asked) {
		if c.onlyPhones(p, c.Policy.Decide(p.Facts(c.s.Name, c.From)).Methods) {
			shut = append(shut, p)
		}
	}
	return shut
}

// otherHelper: a helper of another installation starts the twokey-notify that it was built with.
func (c *check) otherHelper() {
	if c.Policy.SMS == nil && c.Policy.Push == nil {
		return
	}
	var fixes []string
	other := ""
	for _, line := range everyLine(c.s) {
		if !isOurs(line) || filepath.Dir(helperOf(line.Args)) == filepath.Dir(c.notify()) {
			continue
		}
		other = helperOf(line.Args)
		rest := slices.DeleteFunc(slices.Clone(line.Args), func(arg string) bool { return strings.HasPrefix(arg, "helper=") })
		fixes = append(fixes, write(line.Place, withArgs(line, rest)))
	}
	if other != "" {
		c.report(Warning, "notify-elsewhere", fmt.Sprintf("%s lies in another folder than %s: it may be of another version, and start another program to send messages",
			other, c.notify()), both(fixes...))
	}
}

// waits is how long a login must be let go on: to type a password and a code, or to answer on the phone.
func (e *examination) waits() (least time.Duration, what string) {
	const typing = 30 * time.Second // before the message is sent, and what is kept in reserve
	if !e.Policy.Sends("push") || e.Policy.Push.Wait+typing <= leastGrace {
		return leastGrace, "in which not everybody types a password and a code"
	}
	return e.Policy.Push.Wait + typing, fmt.Sprintf("in which not everybody types a password and then answers on the phone (push.wait is %s)", policy.Brief(e.Policy.Push.Wait))
}

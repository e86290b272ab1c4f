package doctor

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"twokey/internal/logindefs"
	"twokey/internal/pamconf"
	"twokey/policy"
)

// Bounds of what is asked of sshd.
const (
	patience   = 5 * time.Second // for one run
	maxVisits  = 64              // runs
	maxVisitor = 16              // users
	anyAddress = "192.0.2.1"     // RFC 5737: nobody's
	leastGrace = 60 * time.Second
	enrolGrace = 180 * time.Second
)

const (
	sshdService    = "sshd"
	sshdConfigFile = "/etc/ssh/sshd_config" // of the host
)

// visit is a login over SSH that is thought up.
type visit struct {
	user Person
	from string
}

// sshd asks the server itself what it would do for the users who are concerned, from addresses for which it may decide otherwise.
func (e *examination) sshd() {
	if !e.within(sshdService) || !e.exists(e.sshdProgram()) {
		return
	}
	required, asked := e.concerned(sshdService, e.From)
	slices.SortStableFunc(required, func(a, b Person) int { return without(b) - without(a) }) // of alike visits the first is made
	people := append(slices.Clone(required), asked...)
	if len(people) == 0 {
		return
	}
	e.blindShells(required)
	settings, err := e.sshdSettings()
	if err != nil {
		e.unreadable("sshd-unreadable", "the configuration of sshd", err)
		return
	}
	for _, v := range e.visits(people, settings) {
		effective, err := e.effective(v)
		if err != nil {
			e.add(Finding{Severity: Error, ID: "sshd-unreadable", About: sshdService, Message: "sshd: sshd -T says: " + err.Error(),
				Fix: "mend the configuration until this says nothing: " + e.sshdProgram() + " -t -f " + e.sshdConfig()})
			return
		}
		s := &sshdCheck{examination: e, settings: settings, effective: effective, who: v,
			required: slices.ContainsFunc(required, func(p Person) bool { return p.Name == v.user.Name })}
		s.check()
		s.note()
	}
}

// without is 1 for somebody who has no device.
func without(p Person) int {
	if p.Enrolled {
		return 0
	}
	return 1
}

func (e *examination) sshdProgram() string {
	if e.SSHD != "" {
		return e.SSHD
	}
	return "/usr/sbin/sshd"
}

func (e *examination) sshdConfig() string { return e.Root + sshdConfigFile }

// visits are people times addresses. Where there is no Match block all are alike, and one is enough.
func (e *examination) visits(people []Person, settings []setting) (all []visit) {
	addresses := append([]string{anyAddress}, matchAddresses(settings)...)
	for _, pattern := range e.policySources() {
		addresses = append(addresses, addressIn(pattern))
	}
	if e.From != "" {
		addresses = []string{e.From}
	}
	if !slices.ContainsFunc(settings, func(s setting) bool { return s.keyword == "match" }) {
		people, addresses = people[:1], addresses[:1]
	}
	seen := map[string]bool{}
	for _, person := range people[:min(len(people), maxVisitor)] {
		for _, from := range addresses {
			key := person.Name + "," + from
			if from == "" || seen[key] || len(all) == maxVisits {
				continue
			}
			seen[key] = true
			all = append(all, visit{person, from})
		}
	}
	return all
}

// policySources are the addresses and networks of which the policy speaks.
func (e *examination) policySources() (all []string) {
	for _, entry := range e.Policy.Exempt {
		all = append(all, entry.From...)
	}
	for _, rule := range e.Policy.Rules {
		all = append(all, rule.From...)
	}
	return all
}

// effective is what sshd -T prints: for each keyword in lower case its values.
func (e *examination) effective(v visit) (map[string][]string, error) {
	ctx, cancel := context.WithTimeout(e.ctx, patience)
	defer cancel()
	spec := fmt.Sprintf("user=%s,host=%s,addr=%s,laddr=%s,lport=22", v.user.Name, v.from, v.from, "192.0.2.2")
	cmd := exec.CommandContext(ctx, e.sshdProgram(), "-T", "-f", e.sshdConfig(), "-C", spec)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.WaitDelay = patience
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		if text := strings.TrimSpace(complaint.String()); text != "" {
			err = fmt.Errorf("%s", strings.ReplaceAll(text, "\n", "; "))
		}
		return nil, err
	}
	found := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		keyword, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		found[keyword] = append(found[keyword], value)
	}
	return found, nil
}

// sshdCheck is what sshd does with one login.
type sshdCheck struct {
	*examination
	settings  []setting
	effective map[string][]string
	who       visit
	required  bool
	lets      SSHD
	asked     Asked // what becomes of the question by sshd's settings
}

func (s *sshdCheck) value(keyword string) string {
	if values := s.effective[keyword]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func (s *sshdCheck) yes(keyword string) bool { return s.value(keyword) == "yes" }

func (s *sshdCheck) report(severity Severity, id, message, fix string) {
	s.once(Finding{Severity: severity, ID: id, About: sshdService, Message: "sshd: " + message + s.only(), Fix: fix})
}

// once adds what has not been found for another user or address yet, or was not as bad there.
func (s *sshdCheck) once(f Finding) {
	i := slices.IndexFunc(s.found, func(other Finding) bool { return other.ID == f.ID && other.Fix == f.Fix })
	if i < 0 {
		s.add(f)
	} else if worstFirst(f, s.found[i]) < 0 {
		s.found[i] = f
	}
}

// notAsked: as for a stack.
func (s *sshdCheck) notAsked(id, message, fix string) {
	f := Finding{Severity: Warning, ID: id, About: sshdService, Message: "sshd: " + message + s.only(), Fix: fix}
	if s.required {
		f.Severity, f.NotAsked = Error, true
	}
	s.once(f)
}

// only says for whom, where Match blocks make a difference.
func (s *sshdCheck) only() string {
	if !slices.ContainsFunc(s.settings, func(one setting) bool { return one.keyword == "match" }) {
		return ""
	}
	return fmt.Sprintf(" (%s from %s)", s.who.user.Name, s.who.from)
}

func (s *sshdCheck) fix(keyword, value string) string {
	return s.set(s.settings, keyword, s.value(strings.ToLower(keyword)), value)
}

func (s *sshdCheck) check() {
	s.lets, s.asked = s.letsIn(), AskedAlways
	if !s.yes("usepam") {
		s.asked = NeverAsked
		s.notAsked("sshd-without-pam", "UsePAM is no, so nobody is asked for a code", s.fix("UsePAM", "yes"))
		return
	}
	s.questions()
	s.unproven()
	s.methods()
	s.grace()
	s.sight()
	s.names()
}

// questions: only keyboard-interactive can put ours. The password method answers every question with the password. Where there is neither,
// everybody comes by key, or not at all.
func (s *sshdCheck) questions() {
	password := s.yes("passwordauthentication")
	switch interactive := s.yes("kbdinteractiveauthentication"); {
	case !interactive && password:
		s.asked = CannotAsk
		s.report(Error, "sshd-cannot-ask", "KbdInteractiveAuthentication is no, so the code cannot be asked for: whoever needs one is refused with the right password",
			both(s.fix("KbdInteractiveAuthentication", "yes"), s.fix("PasswordAuthentication", "no")))
	case !interactive:
		s.report(Info, "sshd-cannot-ask", "KbdInteractiveAuthentication is no, so the code cannot be asked for; there are no logins by password either",
			s.fix("KbdInteractiveAuthentication", "yes"))
	case password:
		s.report(Warning, "sshd-password-method",
			"PasswordAuthentication is yes: a client that uses it cannot be asked, and is refused with the right password, where a code is needed",
			s.fix("PasswordAuthentication", "no"))
	}
}

// methods looks at the ways of AuthenticationMethods: a list of methods joined by commas, any one of the lists suffices.
func (s *sshdCheck) methods() {
	lists := strings.Fields(s.value("authenticationmethods"))
	if len(lists) == 0 || lists[0] == "any" {
		if means := s.untyped(); len(means) > 0 {
			s.keysAlone("a login by " + strings.Join(means, " or ") + " is not asked for a code")
		}
		return
	}
	asking := func(list string) bool { return strings.Contains(list, "keyboard-interactive") }
	for _, list := range lists {
		parts := strings.Split(list, ",")
		switch {
		case !asking(list) && slices.Contains(parts, "password"):
		case !asking(list) && slices.ContainsFunc(lists, asking):
			s.lets.Unasked = append(s.lets.Unasked, list)
			s.report(Warning, "sshd-method-passes-by", fmt.Sprintf("AuthenticationMethods lets a login in by %q alone, beside the lists that ask for a code", list),
				s.fix("AuthenticationMethods", strings.Join(slices.DeleteFunc(slices.Clone(lists), func(l string) bool { return l == list }), " ")))
		case !asking(list):
			s.lets.Unasked = append(s.lets.Unasked, list)
			s.keysAlone(fmt.Sprintf("AuthenticationMethods %s never asks for a code", list))
		case slices.Contains(parts, "password"):
			s.report(Warning, "sshd-asks-twice", fmt.Sprintf("AuthenticationMethods %s runs PAM twice, and the password method cannot answer a code", list),
				s.fix("AuthenticationMethods", strings.ReplaceAll(s.value("authenticationmethods"), "password,", "")))
		}
	}
}

// untyped are the means by which somebody gets in who types nothing, where any method suffices. sshd offers gssapi-keyex (a patch that
// Debian's has) with GSSAPIAuthentication only, after a key exchange by GSSAPI.
func (s *sshdCheck) untyped() (means []string) {
	kerberos := s.yes("gssapiauthentication")
	for _, m := range []struct {
		on            bool
		method, means string
	}{
		{s.yes("pubkeyauthentication"), "publickey", "SSH key"},
		{s.yes("hostbasedauthentication"), "hostbased", "the key of a host"},
		{kerberos, "gssapi-with-mic", "Kerberos ticket"},
		{kerberos && s.yes("gssapikeyexchange"), "gssapi-keyex", "Kerberos ticket in the key exchange"},
	} {
		if m.on {
			s.lets.Unasked = append(s.lets.Unasked, m.method)
			means = append(means, m.means)
		}
	}
	return means
}

// names: with UseDNS sshd gives PAM the client's name in the place of its address.
func (s *sshdCheck) names() {
	sources := append(s.policySources(), s.Policy.Shared...)
	i := slices.IndexFunc(sources, func(source string) bool { return addressIn(source) != "" })
	if i < 0 || !s.yes("usedns") {
		return
	}
	s.report(Warning, "use-dns", fmt.Sprintf("UseDNS is yes, so PAM_RHOST is a name where the client has one, and no network or address of the policy matches it, such as %s",
		sources[i]), s.fix("UseDNS", "no"))
}

// keysAlone: by the policy they need not be asked, or the session line turns them away.
func (s *sshdCheck) keysAlone(message string) {
	if s.keysDenied() {
		s.report(Info, "sshd-keys-denied", message+"; the policy refuses required users who come in so (ssh_keys_alone: deny)", s.askToo())
		return
	}
	s.report(Info, "sshd-keys-alone", message+", which the policy accepts (ssh_keys_alone: accept)",
		"in "+s.Config+" write \"ssh_keys_alone: deny\", or to have both: "+s.askToo())
}

func (s *sshdCheck) askToo() string {
	return s.fix("AuthenticationMethods", "publickey,keyboard-interactive keyboard-interactive")
}

// keysDenied reports whether the policy refuses logins by key alone.
func (e *examination) keysDenied() bool { return e.Policy.SSHKeysAlone == policy.KeysDeny }

// grace: the time in which somebody has to type password and code.
func (s *sshdCheck) grace() {
	seconds, err := strconv.Atoi(s.value("logingracetime"))
	if err != nil || seconds <= 0 {
		return
	}
	grace := time.Duration(seconds) * time.Second
	least, what := s.waits()
	switch enrols := s.who.user.Facts != nil && s.Policy.Decide(s.who.user.Facts(sshdService, s.who.from)).Enroll; {
	case grace < least:
		s.report(Warning, "sshd-grace-short", fmt.Sprintf("LoginGraceTime is %d s, %s", seconds, what),
			s.fixGrace(seconds, "120"))
	case enrols && grace < enrolGrace:
		s.report(Info, "sshd-grace-enrol", fmt.Sprintf("LoginGraceTime is %d s, in which not everybody installs an app and enrols; "+
			"the next login from the same place within 15 minutes shows the same picture", seconds), s.fixGrace(seconds, "180"))
	}
}

// fixGrace finds the line by its value in seconds: it may be written as 30s or 0m30.
func (s *sshdCheck) fixGrace(seconds int, enough string) string {
	for _, one := range s.settings {
		if d, err := time.ParseDuration(one.value); one.keyword == "logingracetime" && err == nil && d == time.Duration(seconds)*time.Second {
			return write(one.Place, "LoginGraceTime "+enough)
		}
	}
	return s.fix("LoginGraceTime", enough)
}

// sight: a required user without a device has to be shown something, and cannot be where nothing is shown.
func (s *sshdCheck) sight() {
	if !s.required || s.who.user.Enrolled {
		return
	}
	if forced := s.value("forcecommand"); strings.Contains(forced, "internal-sftp") || strings.Contains(forced, "sftp-server") {
		s.report(Warning, "enrol-unseen", fmt.Sprintf("%s must enrol and sees nothing there: ForceCommand %s", s.who.user.Name, forced), command("twokey enroll %s", s.who.user.Name))
	}
}

// blindShells: whoever must enrol and has a shell that ends at once never sees a key.
func (e *examination) blindShells(required []Person) {
	blind := slices.DeleteFunc(slices.Clone(required), func(p Person) bool { return p.Enrolled || !logindefs.NoLogin(p.Shell) })
	if len(blind) == 0 {
		return
	}
	e.add(Finding{Severity: Warning, ID: "enrol-unseen", About: sshdService,
		Message: fmt.Sprintf("sshd: users must enrol who see nothing there, since their shell ends at once: %s", names(blind)),
		Fix:     command("twokey enroll %s", blind[0].Name)})
}

// loginDefs: login(1) ends after LOGIN_TIMEOUT seconds.
func (e *examination) loginDefs() {
	required, asked := e.concerned("login", e.From)
	if !e.within("login") || len(required)+len(asked) == 0 {
		return
	}
	const file = "/etc/login.defs"
	enough, said := "LOGIN_TIMEOUT 60", false
	least, what := e.waits()
	if least > leastGrace {
		enough = "LOGIN_TIMEOUT 120"
	}
	report := func(seconds int, fix string) {
		e.add(Finding{Severity: Warning, ID: "login-timeout-short", About: "login", Message: fmt.Sprintf("login: LOGIN_TIMEOUT is %d s, %s", seconds, what), Fix: fix})
	}
	for _, line := range e.linesOf(file) {
		words := strings.Fields(line.text)
		if len(words) < 2 || words[0] != "LOGIN_TIMEOUT" {
			continue
		}
		seconds, err := strconv.Atoi(words[1])
		said = true
		if err == nil && seconds > 0 && time.Duration(seconds)*time.Second < least {
			report(seconds, write(pamconf.Place{File: file, Number: line.number}, enough))
		}
	}
	if !said && leastGrace < least { // login(1) takes 60 s where nothing is said
		report(int(leastGrace/time.Second), command("echo %s >>'%s%s'", enough, e.Root, file))
	}
}

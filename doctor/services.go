package doctor

import (
	"fmt"
	"slices"
	"strings"

	"twokey/internal/pamconf"
	"twokey/policy"
)

// loginServices are the PAM services by which people come in, or become somebody else.
func loginServices() []string {
	return []string{"sshd", "login", "remote", "sudo", "sudo-i", "su", "su-l", "doas", "gdm-password", "gdm-autologin", "gdm-fingerprint",
		"gdm-smartcard", "lightdm", "lightdm-autologin", "sddm", "sddm-autologin", "lxdm", "xdm", "kde", "greetd", "xrdp-sesman", "cockpit",
		"vsftpd", "proftpd", "webmin"}
}

// othersSession are services whose session is another user's than the one who was asked: ours does nothing there.
func othersSession(service string) bool {
	return slices.Contains([]string{"sudo", "sudo-i", "su", "su-l", "doas", "runuser", "runuser-l"}, service)
}

// services examines every stack that calls our module, and the services that should.
func (e *examination) services() {
	names, err := e.pam.Services()
	if err != nil {
		e.unreadable("pam-unreadable", "the PAM services", err)
		return
	}
	all := map[string]*pamconf.Service{}
	included := map[string]bool{}
	for _, name := range names {
		s, err := e.pam.Read(name)
		if err != nil {
			e.unreadable("pam-unreadable", "the PAM service "+name, err)
			continue
		}
		all[name] = s
		for _, line := range everyLine(s) {
			included[line.File] = included[line.File] || len(line.Via) > 0
		}
	}
	for _, name := range names {
		if s := all[name]; s != nil && e.within(name) && !isBackup(name) && (IsLogin(name) || !included[s.File]) {
			e.service(s)
		}
	}
}

// IsLogin reports whether people come in by the PAM service of this name, or become somebody else. Another one may only be a file that
// services of logins include, as common-auth is.
func IsLogin(name string) bool { return slices.Contains(loginServices(), name) }

// isBackup tells what editors and packages leave behind; libpam never asks for it.
func isBackup(name string) bool {
	for _, end := range []string{"~", ".bak", ".orig", ".old", ".rpmsave", ".rpmnew", ".pam-new", ".pam-old"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return strings.Contains(name, ".dpkg-") || strings.Contains(name, ".ucf-") || name == "other"
}

func everyLine(s *pamconf.Service) (all []pamconf.Line) {
	for _, phase := range []pamconf.Phase{pamconf.Auth, pamconf.Account, pamconf.Session, pamconf.Password} {
		all = append(all, s.Stacks[phase]...)
	}
	return all
}

func (e *examination) unreadable(id, what string, err error) {
	e.add(Finding{Severity: Warning, ID: id, About: "host", Message: fmt.Sprintf("%s cannot be examined: %v", what, err),
		Fix: "run doctor again as root when the file can be read"})
}

// check is the examination of one service.
type check struct {
	*examination
	s               *pamconf.Service
	required, asked []Person
	way             policy.Way
	row             *Service
}

func (e *examination) service(s *pamconf.Service) {
	c := &check{examination: e, s: s, way: e.Policy.WayOf(s.Name)}
	c.row = row(s.Name, c.way)
	c.required, c.asked = e.concerned(s.Name, e.From)
	wired := slices.ContainsFunc(everyLine(s), isOurs)
	switch {
	case !wired && s.Name == policy.SelfService:
		c.report(Warning, "self-service-unasked", "whoever has a device cannot change anything himself, since no code is asked for", c.addAuth())
		return
	case !wired && !IsLogin(s.Name) && !e.named(s.Name), !wired && c.byAnother():
		return
	case !wired:
		c.notWired()
		return
	}
	e.rows = append(e.rows, c.row)
	if s.Broken != "" {
		c.row.becomes(NobodyGetsIn)
		c.report(Error, "service-broken", "nobody gets in: "+s.Broken, "mend the file, then run doctor again")
		return
	}
	c.arguments()
	c.brokenLines()
	c.otherHelper()
	if c.way == policy.NotALogin {
		c.notALogin()
		return
	}
	c.auth()
	if s.Name == policy.SelfService { // a proof, of which there is no account to check and no session
		c.row.Account, c.row.Session = WiredNotNeeded, WiredNotNeeded
		return
	}
	c.phase(pamconf.Account)
	if othersSession(s.Name) {
		c.wired(pamconf.Session, WiredNotNeeded)
	} else {
		c.phase(pamconf.Session)
	}
	c.environment()
}

// notALogin is a service such as cron that has our lines because it includes a file: nobody is asked there, and everybody has to get by.
func (c *check) notALogin() {
	if stack := c.s.Stacks[pamconf.Auth]; slices.ContainsFunc(stack, isReal) {
		c.notSubject(stack)
	}
}

// byAnother reports whether the auth stack comes from another service of logins, of which the same is told: su-l includes su, and with
// lines in both a code would be asked for twice.
func (c *check) byAnother() bool {
	return slices.ContainsFunc(c.s.Stacks[pamconf.Auth], func(line pamconf.Line) bool {
		name := line.File[strings.LastIndexByte(line.File, '/')+1:]
		return len(line.Via) > 0 && IsLogin(name) && c.within(name)
	})
}

// named reports whether the policy speaks of a service as one of logins.
func (e *examination) named(service string) bool {
	if way, ok := e.Policy.Services[service]; ok && way != policy.NotALogin {
		return true
	}
	for _, entry := range e.Policy.Require {
		if slices.Contains(entry.Services, service) {
			return true
		}
	}
	return slices.ContainsFunc(e.Policy.Rules, func(r policy.Rule) bool { return slices.Contains(r.Services, service) })
}

func (c *check) report(severity Severity, id, message, fix string) {
	c.add(Finding{Severity: severity, ID: id, About: c.s.Name, Message: c.s.Name + ": " + message, Fix: fix})
}

// notAsked reports a way in that does not lead past our module: an error when somebody has to show a code here, a warning when somebody
// could.
func (c *check) notAsked(id, message, fix string) {
	f := Finding{Severity: Info, ID: id, About: c.s.Name, Message: c.s.Name + ": " + message, Fix: fix}
	switch {
	case len(c.required) > 0:
		f.Severity, f.NotAsked = Error, true
		f.Message += " (required: " + names(c.required) + ")"
	case len(c.asked) > 0:
		f.Severity = Warning
		f.Message += " (enrolled: " + names(c.asked) + ")"
	}
	c.add(f)
}

// notWired is a service of logins that does not call the module.
func (c *check) notWired() {
	if len(c.required)+len(c.asked) == 0 {
		return
	}
	c.rows = append(c.rows, c.row)
	c.row.Asked, c.row.Account, c.row.Session = NotWired, WiredNo, WiredNo
	if othersSession(c.s.Name) {
		c.row.Session = WiredNotNeeded
	}
	c.notAsked("not-wired", "nobody is asked for a code, since its PAM stack does not call "+moduleName,
		both(c.addAuth(), c.addPhase(pamconf.Account), c.addPhase(pamconf.Session))+
			"; or say in the policy that nobody is asked here: services: {"+c.s.Name+": {ask: exempt}}")
}

// addAuth is where our line of the auth phase goes: behind what is there, or before it where it has to cut the code off the password.
func (c *check) addAuth() string {
	line := "auth required " + moduleName
	if place, ok := c.firstPlace(pamconf.Auth); ok && c.way == policy.Appended {
		return before(place, line)
	}
	place, ok := c.lastPlace(pamconf.Auth)
	if !ok {
		return fmt.Sprintf("write %q into /etc/pam.d/%s", line, c.s.Name)
	}
	with := append(slices.Clone(c.s.Stacks[pamconf.Auth]), realLine())
	found := walk(with, subject)
	if i := slices.IndexFunc(found.outcomes, passesBy); i >= 0 {
		if ending := with[culprit(with, found.outcomes[i].Steps).Line]; c.ownInclude(ending) {
			return both(write(ending.Via[0], asSubstack(ending)), behind(place, line))
		}
	}
	if found.complete && !found.any(withoutPassword) {
		line += " after=password"
	}
	return behind(place, line)
}

// asSubstack is the line that includes the file of a line as a substack, in which what is sufficient ends only that.
func asSubstack(line pamconf.Line) string {
	return "auth substack " + line.File[strings.LastIndexByte(line.File, '/')+1:]
}

// ownInclude reports whether a line of the auth phase is included by one of the service's own file, and nothing of another phase is.
func (c *check) ownInclude(line pamconf.Line) bool {
	return len(line.Via) == 1 && line.Level == 0 && line.Via[0].File == c.s.File && !slices.ContainsFunc(everyLine(c.s), func(other pamconf.Line) bool {
		return other.Phase != pamconf.Auth && len(other.Via) > 0 && other.Via[0] == line.Via[0]
	})
}

// realLine is ours as a fix writes it.
func realLine() pamconf.Line {
	c := pamconf.Control{}
	for i := range c {
		c[i] = pamconf.Bad
	}
	c[pamconf.Success], c[pamconf.NewAuthtok], c[pamconf.Ignore] = pamconf.OK, pamconf.OK, pamconf.DoNothing
	return pamconf.Line{Phase: pamconf.Auth, Word: "required", Module: moduleName, Control: c}
}

// addPhase is where our line of the account or session phase goes: before everything else of the phase.
func (c *check) addPhase(phase pamconf.Phase) string {
	if phase == pamconf.Session && othersSession(c.s.Name) {
		return ""
	}
	line := strings.Join(append([]string{string(phase), "required", c.module()}, c.usualArguments()...), " ")
	if place, ok := c.firstPlace(phase); ok {
		return before(place, line)
	}
	if place, ok := c.lastPlace(pamconf.Auth); ok {
		return behind(place, line)
	}
	return fmt.Sprintf("write %q into /etc/pam.d/%s", line, c.s.Name)
}

// module is how the service names our module, and usualArguments are those that all its lines have.
func (c *check) module() string {
	for _, line := range everyLine(c.s) {
		if isOurs(line) {
			return line.Module
		}
	}
	return moduleName
}

func (c *check) usualArguments() (args []string) {
	for _, line := range everyLine(c.s) {
		if !isReal(line) {
			continue
		}
		for _, arg := range line.Args {
			if strings.HasPrefix(arg, "config=") || strings.HasPrefix(arg, "helper=") {
				args = append(args, arg)
			}
		}
		return args
	}
	return nil
}

// outer is where a line stands in the service's own file: itself, or the line that includes it.
func (c *check) outer(line pamconf.Line) (pamconf.Place, bool) {
	place := line.Place
	if len(line.Via) > 0 {
		place = line.Via[0]
	}
	return place, place.File == c.s.File
}

func (c *check) firstPlace(phase pamconf.Phase) (pamconf.Place, bool) {
	for _, line := range c.s.Stacks[phase] {
		return c.outer(line)
	}
	return pamconf.Place{}, false
}

func (c *check) lastPlace(phase pamconf.Phase) (pamconf.Place, bool) {
	stack := c.s.Stacks[phase]
	if len(stack) == 0 {
		return pamconf.Place{}, false
	}
	return c.outer(stack[len(stack)-1])
}

// arguments: our module refuses everybody on a line that it does not understand.
func (c *check) arguments() {
	for _, line := range everyLine(c.s) {
		if !isOurs(line) || line.Phase == pamconf.Password {
			continue
		}
		if why, better := argumentProblem(line); why != "" {
			c.row.becomes(NobodyGetsIn)
			c.report(Error, "unknown-argument", fmt.Sprintf("nobody gets in, since %s (%s)", why, at(line.Place)), write(line.Place, better))
		}
	}
}

func (c *check) brokenLines() {
	for _, line := range everyLine(c.s) {
		if line.Kind == pamconf.Failing && line.Phase != pamconf.Password {
			c.report(Warning, "broken-line", fmt.Sprintf("%s fails whoever logs in, since %s", at(line.Place), line.Broken), takeOut(line.Place))
		}
	}
}

// environment: a user's own file is read by root before the second factor, and becomes the environment of what comes behind.
func (c *check) environment() {
	for _, phase := range []pamconf.Phase{pamconf.Auth, pamconf.Session} {
		stack := c.s.Stacks[phase]
		ours := slices.IndexFunc(stack, isReal)
		for _, line := range stack[:max(0, ours)] {
			if line.Name() != "pam_env.so" || !slices.Contains(line.Args, "user_readenv=1") {
				continue
			}
			rest := slices.DeleteFunc(slices.Clone(line.Args), func(arg string) bool { return arg == "user_readenv=1" })
			c.report(Warning, "user-environment", fmt.Sprintf("%s lets users set the environment from a file of their own before they are asked",
				at(line.Place)), write(line.Place, withArgs(line, rest)))
		}
	}
}

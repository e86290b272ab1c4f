package doctor

import (
	"slices"
	"strings"

	"twokey/internal/pamconf"
	"twokey/policy"
)

// Service is a row of the table: what becomes of a login through one PAM service. The examination that makes the findings fills it in.
type Service struct {
	Name    string `json:"service"`
	Ask     string `json:"ask"` // how the policy says that it asks: prompt, appended, earlier, never, exempt
	Asked   Asked  `json:"asked"`
	After   string `json:"after"` // the modules without whose success our line is not called, such as "pam_unix", or "nothing"; "": it is never called
	Decoy   bool   `json:"decoy"` // whether the decoy is called
	Account Wired  `json:"account"`
	Session Wired  `json:"session"`
	SSHD    []SSHD `json:"sshd,omitempty"` // of sshd alone: one for all, or what differs between users and addresses

	unproven string // of sshd alone: how to mend that somebody can enrol without a password, unless a key comes first
}

// Asked says whether whoever the policy asks on a service is asked.
type Asked string

// From the best to the worst; where several are true the worst is told, so that no row looks better than the findings.
const (
	AskedAlways   Asked = "always"
	KeysNotAsked  Asked = "by key alone not" // SSH keys, Kerberos tickets and host keys let in by themselves, and the policy accepts it
	CannotAsk     Asked = "cannot ask"       // sshd takes passwords and no answers: whoever needs a code is refused
	NobodyGetsIn  Asked = "nobody gets in"   // whatever he answers
	AskedUnknown  Asked = "unknown"          // the stack is too large to be examined
	NeverAsked    Asked = "never"            // the policy says so for the service, or sshd does not use PAM
	DecoyOnly     Asked = "decoy only"       // the line that checks codes is missing
	AskedInVain   Asked = "ignored"          // what our line refuses is let in
	AskedPassedBy Asked = "passed by"        // there is a way in on which our line is not called
	NotWired      Asked = "not wired"        // no auth line calls the module
)

func askedOrder() []Asked {
	return []Asked{AskedAlways, KeysNotAsked, CannotAsk, NobodyGetsIn, AskedUnknown, NeverAsked, DecoyOnly, AskedInVain, AskedPassedBy, NotWired}
}

// becomes keeps the worst.
func (s *Service) becomes(a Asked) {
	if slices.Index(askedOrder(), a) > slices.Index(askedOrder(), s.Asked) {
		s.Asked = a
	}
}

// Wired says whether the account or the session phase calls the module.
type Wired string

// What a phase can be.
const (
	WiredYes       Wired = "yes"
	WiredNo        Wired = "no"
	WiredIgnored   Wired = "ignored"    // what the module refuses there has no effect
	WiredPassedBy  Wired = "passed by"  // a line before ours can end the stack
	WiredNotNeeded Wired = "not needed" // the module does nothing there, such as in the session of sudo
	WiredUnknown   Wired = "unknown"
)

// row begins that of a service.
func row(name string, way policy.Way) *Service {
	r := &Service{Name: name, Ask: way.String(), Asked: AskedAlways, Account: WiredUnknown, Session: WiredUnknown}
	if way == policy.NotALogin {
		r.Account, r.Session = WiredNotNeeded, WiredNotNeeded
	}
	if way != policy.Prompt && way != policy.Appended {
		r.Asked = NeverAsked
	}
	return r
}

func (e *examination) rowOf(service string) *Service {
	i := slices.IndexFunc(e.rows, func(r *Service) bool { return r.Name == service })
	if i < 0 {
		return nil
	}
	return e.rows[i]
}

// wired notes what has become of a phase.
func (c *check) wired(phase pamconf.Phase, w Wired) {
	if phase == pamconf.Account {
		c.row.Account = w
	} else {
		c.row.Session = w
	}
}

// after notes what has to come before our line.
func (c *check) after(stack pamconf.Stack, found walked) {
	c.row.Decoy = found.any(func(o pamconf.Outcome) bool { return o.Marks&decoyCalled != 0 })
	if !found.any(isReached) {
		return
	}
	var must, either []string
	sure := false // one certain module checks a password
	for i, line := range stack[:slices.IndexFunc(stack, isReal)] {
		name := strings.TrimSuffix(line.Name(), ".so")
		password := slices.Contains(passwordModules(), line.Name())
		switch {
		case line.Kind != pamconf.Module || name == "pam_permit":
		case mustSucceed(stack, i):
			must = append(must, name)
			sure = sure || password
		case password:
			either = append(either, name)
		}
	}
	if !sure && !found.any(withoutPassword) {
		must = append(must, strings.Join(either, " or "))
	}
	c.row.After = strings.Join(must, ", ")
	if len(must) == 0 {
		c.row.After = "nothing"
	}
}

func isReached(o pamconf.Outcome) bool { return o.Marks&reached != 0 }

// mustSucceed reports whether our line is not called unless that one succeeds.
func mustSucceed(stack pamconf.Stack, line int) bool {
	found := walk(stack, subject, pamconf.Step{Line: line, Result: pamconf.Success}, pamconf.Step{Line: line, Result: pamconf.NewAuthtok})
	return found.complete && !found.any(isReached)
}

// SSHD is what sshd lets in, as sshd -T says for a user and an address.
type SSHD struct {
	User                string   `json:"user"`
	From                string   `json:"from"`
	PAM                 bool     `json:"use_pam"`              // without it nobody is asked, whatever else there is
	KeyboardInteractive bool     `json:"keyboard_interactive"` // the only method that can put a question
	Password            bool     `json:"password"`             // the method of that name
	Methods             string   `json:"authentication_methods"`
	Unasked             []string `json:"unasked"` // the methods, or lists of AuthenticationMethods, that let in whoever has typed nothing
	Refused             bool     `json:"refused"` // the policy refuses required users who come in so (ssh_keys_alone: deny)
}

// alike reports whether it is the same for another user or address.
func (a SSHD) alike(b SSHD) bool {
	return a.PAM == b.PAM && a.KeyboardInteractive == b.KeyboardInteractive && a.Password == b.Password && a.Methods == b.Methods && slices.Equal(a.Unasked, b.Unasked)
}

// note adds what sshd lets in to its row, unless that is there for another user or address.
func (s *sshdCheck) note() {
	r := s.rowOf(sshdService)
	if r == nil {
		return
	}
	if !slices.ContainsFunc(r.SSHD, s.lets.alike) {
		r.SSHD = append(r.SSHD, s.lets)
	}
	r.becomes(s.asked)
	if len(s.lets.Unasked) > 0 && !s.lets.Refused {
		r.becomes(KeysNotAsked)
	}
}

func (s *sshdCheck) letsIn() SSHD {
	return SSHD{User: s.who.user.Name, From: s.who.from, PAM: s.yes("usepam"), KeyboardInteractive: s.yes("kbdinteractiveauthentication"),
		Password: s.yes("passwordauthentication"), Methods: s.value("authenticationmethods"), Unasked: []string{}, Refused: s.keysDenied()}
}

package doctor

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

const (
	permit   = "auth required pam_permit.so\n"
	readme   = "auth [success=2 default=ignore] pam_unix.so\n" + decoyOne + "auth requisite pam_deny.so\n" + realAuth + permit
	accounts = "account required pam_twokey.so\naccount required pam_unix.so\n"
	sessions = "session required pam_twokey.so\nsession required pam_unix.so\n"
)

// loginRow is the only row of an examination of login.
func loginRow(s *scratch) Service {
	s.t.Helper()
	s.host.Service = "login"
	r := s.examine()
	if len(r.Services) != 1 || r.Services[0].Name != "login" {
		s.t.Fatalf("rows: %+v", r.Services)
	}
	return r.Services[0]
}

// rows are stacks of login, and the row that each has.
var rows = map[string]struct {
	stack string
	want  Service
}{
	"the stack of the README": {readme + accounts + sessions,
		Service{Asked: AskedAlways, After: "pam_unix", Decoy: true, Account: WiredYes, Session: WiredYes}},
	"without pam_deny": {unixOne + decoyOne + realAuth + permit + accounts + sessions,
		Service{Asked: AskedAlways, After: "pam_unix", Decoy: true, Account: WiredYes, Session: WiredYes}},
	"behind common-auth": {"@include common-auth\nauth required pam_twokey.so after=password\n" + accounts + sessions,
		Service{Asked: AskedAlways, After: "pam_unix", Account: WiredYes, Session: WiredYes}},
	"behind a module that must succeed too": {"auth [success=ok default=die] pam_succeed_if.so\n" + readme + accounts + sessions,
		Service{Asked: AskedAlways, After: "pam_succeed_if, pam_unix", Decoy: true, Account: WiredYes, Session: WiredYes}},
	"behind one of two passwords": {"auth [success=3 default=ignore] pam_sss.so\n" + readme + accounts + sessions,
		Service{Asked: AskedAlways, After: "pam_sss or pam_unix", Decoy: true, Account: WiredYes, Session: WiredYes}},
	"behind a password that does not matter": {"auth required pam_unix.so\nauth required pam_twokey.so\n" + permit + accounts + sessions,
		Service{Asked: AskedAlways, After: "nothing", Account: WiredYes, Session: WiredYes}},
	"sufficient before us": {"auth sufficient pam_unix.so\nauth requisite pam_deny.so\nauth required pam_twokey.so\n" + accounts + sessions,
		Service{Asked: AskedPassedBy, Account: WiredYes, Session: WiredYes}},
	"a finger before us": {"auth sufficient pam_fprintd.so\nauth requisite pam_unix.so\nauth required pam_twokey.so\n" + accounts + sessions,
		Service{Asked: AskedPassedBy, After: "pam_unix", Account: WiredYes, Session: WiredYes}},
	"a jump over us": {"auth [success=2 default=ignore] pam_unix.so\n" + decoyOne + realAuth + permit + accounts + sessions,
		Service{Asked: AskedPassedBy, Decoy: true, Account: WiredYes, Session: WiredYes}},
	"the decoy alone": {unixOne + decoyOne + permit + accounts + sessions,
		Service{Asked: DecoyOnly, Decoy: true, Account: WiredYes, Session: WiredYes}},
	"an optional control": {unixOne + decoyOne + "auth optional pam_twokey.so after=password\n" + permit + accounts + sessions,
		Service{Asked: AskedInVain, After: "pam_unix", Decoy: true, Account: WiredYes, Session: WiredYes}},
	"no account line, and a session line that has no effect": {readme + "account required pam_unix.so\nsession optional pam_twokey.so\nsession required pam_unix.so\n",
		Service{Asked: AskedAlways, After: "pam_unix", Decoy: true, Account: WiredNo, Session: WiredIgnored}},
	"an account line that is passed by": {readme + "account sufficient pam_unix.so\naccount required pam_twokey.so\n" + sessions,
		Service{Asked: AskedAlways, After: "pam_unix", Decoy: true, Account: WiredPassedBy, Session: WiredYes}},
	"a service that opens no sessions": {readme + accounts,
		Service{Asked: AskedAlways, After: "pam_unix", Decoy: true, Account: WiredYes, Session: WiredNotNeeded}},
	"account and session alone": {"@include common-auth\n" + accounts + sessions,
		Service{Asked: NotWired, Account: WiredYes, Session: WiredYes}},
	"nothing of ours": {"@include common-auth\naccount required pam_unix.so\nsession required pam_unix.so\n",
		Service{Asked: NotWired, Account: WiredNo, Session: WiredNo}},
	"a decoy that is called after a right password too": {"auth required pam_unix.so\n" + decoyOne + realAuth + permit + accounts + sessions,
		Service{Asked: NobodyGetsIn, Decoy: true, Account: WiredYes, Session: WiredYes}},
	"an argument that there is not": {strings.Replace(readme, "after=", "nullok after=", 1) + accounts + sessions,
		Service{Asked: NobodyGetsIn, After: "pam_unix", Decoy: true, Account: WiredYes, Session: WiredYes}},
	"a file that libpam gives up": {readme + accounts + "session required pam_unix.so \\",
		Service{Asked: NobodyGetsIn, Account: WiredUnknown, Session: WiredUnknown}},
}

func TestWhatBecomesOfALoginIsInTheTable(t *testing.T) {
	for what, c := range rows {
		s := newScratch(t, goodFiles())
		s.write("etc/pam.d/login", c.stack)
		c.want.Name, c.want.Ask = "login", "prompt"
		if got, want := asJSON(t, loginRow(s)), asJSON(t, c.want); got != want {
			t.Errorf("%s:\n%s, want\n%s", what, got, want)
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestARowSaysHowThePolicyAsks(t *testing.T) {
	const oneFieldStack = "auth required pam_twokey.so\nauth required pam_unix.so\n" + accounts + sessions
	for ask, want := range map[string]Service{
		"appended": {Asked: AskedAlways, After: "nothing", Account: WiredYes, Session: WiredYes},
		"never":    {Asked: NeverAsked, After: "nothing", Account: WiredYes, Session: WiredYes},
		"earlier":  {Asked: NeverAsked, After: "nothing", Account: WiredYes, Session: WiredYes},
		"exempt":   {Asked: NeverAsked, Account: WiredNotNeeded, Session: WiredNotNeeded},
	} {
		s := newScratch(t, goodFiles())
		s.write("etc/twokey/twokey.yaml", s.read("etc/twokey/twokey.yaml")+"services:\n  login: {ask: "+ask+"}\n")
		s.write("etc/pam.d/login", oneFieldStack)
		want.Name, want.Ask = "login", ask
		if got, want := asJSON(t, loginRow(s)), asJSON(t, want); got != want {
			t.Errorf("%s:\n%s, want\n%s", ask, got, want)
		}
	}
}

func TestTheTableHasTheServicesThatCallTheModuleOrShould(t *testing.T) {
	s := newScratch(t, goodFiles())
	s.write("etc/pam.d/gdm-password", "@include common-auth\n")
	s.write("etc/pam.d/chsh", "@include common-auth\n")
	s.write("etc/pam.d/screen", "auth required pam_twokey.so\n")
	shown := func() string {
		var all []string
		for _, r := range s.examine().Services {
			all = append(all, r.Name+" "+string(r.Session))
		}
		return strings.Join(all, ", ")
	}
	if got, want := shown(), "gdm-password no, login yes, screen not needed, sshd yes, su not needed, sudo not needed, twokey-self not needed"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	s.host.User = "carol" // nobody asks her
	if got, want := shown(), "login yes, screen not needed, sshd yes, su not needed, sudo not needed, twokey-self not needed"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestEachFaultThatLetsSomebodyInUnaskedIsInTheTable(t *testing.T) {
	for what, f := range everyFault() {
		if !f.notAsked || f.id == "sudo-without-pam" {
			continue
		}
		s := newScratch(t, goodFiles())
		f.plant(s)
		r := s.examine()
		about := bad(r)[0].About
		if !slices.ContainsFunc(r.Services, func(row Service) bool {
			harmless := []Asked{AskedAlways, KeysNotAsked, CannotAsk, NobodyGetsIn}
			return row.Name == about && (!slices.Contains(harmless, row.Asked) || row.Session != WiredYes && row.Session != WiredNotNeeded)
		}) {
			t.Errorf("%s: the row of %s looks good: %+v", what, about, r.Services)
		}
	}
}

func TestWhatSshdLetsInIsInTheTable(t *testing.T) {
	for what, c := range map[string]struct {
		settings string // in the place of UsePAM yes
		policy   string
		asked    Asked
		want     SSHD
	}{
		"keys alone": {"UsePAM yes\n", "", KeysNotAsked, SSHD{PAM: true, KeyboardInteractive: true, Methods: "any", Unasked: []string{"publickey"}}},
		"keys alone, which the policy refuses": {"UsePAM yes\n", "ssh_keys_alone: deny\n", AskedAlways,
			SSHD{PAM: true, KeyboardInteractive: true, Methods: "any", Unasked: []string{"publickey"}, Refused: true}},
		"keys and codes": {"UsePAM yes\nAuthenticationMethods publickey,keyboard-interactive\n", "", AskedAlways,
			SSHD{PAM: true, KeyboardInteractive: true, Methods: "publickey,keyboard-interactive", Unasked: []string{}}},
		"keys, or keys and codes": {"UsePAM yes\nAuthenticationMethods publickey,keyboard-interactive publickey\n", "", KeysNotAsked,
			SSHD{PAM: true, KeyboardInteractive: true, Methods: "publickey,keyboard-interactive publickey", Unasked: []string{"publickey"}}},
		"no keys": {"UsePAM yes\nPubkeyAuthentication no\n", "", AskedAlways, SSHD{PAM: true, KeyboardInteractive: true, Methods: "any", Unasked: []string{}}},
		"no answers": {"UsePAM yes\nPubkeyAuthentication no\nPasswordAuthentication yes\nKbdInteractiveAuthentication no\n", "", CannotAsk,
			SSHD{PAM: true, Password: true, Methods: "any", Unasked: []string{}}},
		"hosts' keys": {"UsePAM yes\nPubkeyAuthentication no\nHostbasedAuthentication yes\n", "", KeysNotAsked,
			SSHD{PAM: true, KeyboardInteractive: true, Methods: "any", Unasked: []string{"hostbased"}}},
		"no PAM": {"UsePAM no\n", "", NeverAsked, SSHD{KeyboardInteractive: true, Methods: "any", Unasked: []string{}}},
	} {
		s := newScratch(t, goodFiles())
		swap(sshdConf, "UsePAM yes\n", c.settings)(s)
		swap("etc/twokey/twokey.yaml", "version: 1\n", "version: 1\n"+c.policy)(s)
		c.want.User, c.want.From = "alice", anyAddress
		s.host.Service = "sshd"
		r := s.examine()
		if got, want := asJSON(t, r.Services[0].SSHD), asJSON(t, []SSHD{c.want}); got != want || r.Services[0].Asked != c.asked {
			t.Errorf("%s: %s\n%s, want %s\n%s", what, r.Services[0].Asked, got, c.asked, want)
		}
	}
}

func TestWhatSshdLetsInIsToldOncePerDifference(t *testing.T) {
	s := newScratch(t, goodFiles())
	s.write(sshdConf, s.read(sshdConf)+"Match Address 198.51.100.0/24\n\tPubkeyAuthentication no\n")
	s.host.Service = "sshd"
	got := s.examine().Services[0].SSHD
	if len(got) != 2 || got[0].From != anyAddress || got[1].From != "198.51.100.1" || len(got[1].Unasked) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestRowsOfSshdAreAlikeWhereOnlyUserAndAddressDiffer(t *testing.T) {
	one := SSHD{User: "alice", From: "192.0.2.1", PAM: true, Methods: "any", Unasked: []string{"publickey"}}
	same := one
	same.User, same.From = "bob", "192.0.2.2"
	if !one.alike(same) {
		t.Error("another user and address make a difference")
	}
	for what, change := range map[string]func(*SSHD){
		"PAM":                  func(s *SSHD) { s.PAM = false },
		"keyboard-interactive": func(s *SSHD) { s.KeyboardInteractive = true },
		"password":             func(s *SSHD) { s.Password = true },
		"methods":              func(s *SSHD) { s.Methods = "publickey" },
		"unasked":              func(s *SSHD) { s.Unasked = nil },
	} {
		other := one
		if change(&other); one.alike(other) {
			t.Errorf("%s makes no difference", what)
		}
	}
}

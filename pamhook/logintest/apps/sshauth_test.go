package apps

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"twokey/audit"
	"twokey/internal/pamtest"
)

// wordsOfKeys are those of ssh_auth that are about keys.
var wordsOfKeys = []string{"publickey", "security-key", "certificate"}

// keyCase is a person who comes with one kind of key, and of whom one rule is.
type keyCase struct {
	*person
	name   string
	kind   string
	rule   string // what the audit log calls it
	words  []string
	exempt bool
}

// keyCases makes everybody required and, for each word of ssh_auth, lets some people by who come that way: one of them with each kind
// of key.
func keyCases(t *testing.T, settings string) (*site, *keyring, []keyCase) {
	t.Helper()
	s, people := newSite(t, "", len(wordsOfKeys)*len(kindsOfKeys))
	settings += "\ndefault: required\nrules:\n"
	var cases []keyCase
	for i, word := range wordsOfKeys {
		var about []string
		for j, key := range kindsOfKeys {
			p := s.enrol(people[i*len(kindsOfKeys)+j])
			about = append(about, p.Name)
			c := keyCase{person: p, kind: key.kind, rule: fmt.Sprintf("rules[%d]", i), words: key.words}
			c.exempt = slices.Contains(key.words, word)
			c.name = fmt.Sprintf("%s is not what a rule about %s is about", key.kind, word)
			if c.exempt {
				c.name = fmt.Sprintf("%s is what a rule about %s is about", key.kind, word)
			}
			cases = append(cases, c)
		}
		settings += fmt.Sprintf("  - {users: [%s], ssh_auth: [%s], then: exempt}\n", strings.Join(about, ", "), word)
	}
	s.Configure(settings)
	return s, newKeyring(t, people...), cases
}

// session is the newest record of a person's session.
func (s *site) session(p *person) audit.Record {
	s.t.Helper()
	all := s.sessions(p)
	if len(all) == 0 {
		s.t.Fatalf("no session of %s was recorded", p.Name)
	}
	return all[len(all)-1]
}

// mustHaveOpened checks the newest record of a person's session: the second factor, and how the reason begins.
func (s *site) mustHaveOpened(t *testing.T, p *person, factor, reason string) {
	t.Helper()
	r := s.in(t).session(p)
	if r.Outcome != audit.Success || r.SecondFactor != factor || !strings.HasPrefix(r.Reason, reason) {
		t.Errorf("the session is recorded as %s, second factor %q, %q; want success, %q, %q", r.Outcome, r.SecondFactor, r.Reason, factor, reason)
	}
}

// mustWork fails the test unless the visitor was let in and a command of his runs. Then the session has been recorded: sshd says that
// somebody is let in before it opens one.
func (v visit) mustWork(t *testing.T, p *person) {
	t.Helper()
	if !v.in() {
		t.Fatalf("%s was refused: %v", p.Name, v.err)
	}
	if text, status := v.run(t, "id -un"); text != p.Name+"\n" || status != 0 {
		t.Fatalf("a command of %s printed %q and ended with %d", p.Name, text, status)
	}
}

// sshAuth is what a record says of how the client has proved itself to sshd.
func sshAuth(r audit.Record) string {
	for _, d := range r.Details {
		if d.Key == "twokey.ssh_auth" {
			return d.Value
		}
	}
	return ""
}

// By a key and then keyboard-interactive: the rules see the key while PAM asks.
func TestRulesTellTheKindOfAKeyBeforeTheQuestion(t *testing.T) {
	t.Parallel()
	s, ring, cases := keyCases(t, "ssh_keys_alone: deny")
	sshd := s.Sshd(append(ring.settings, "AuthenticationMethods publickey,keyboard-interactive")...)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := s.visitor(c.person, c.code(t, 0))
			v.key = ring.keys[c.kind]
			seen := v.visit(t, sshd)
			seen.mustWork(t, c.person)
			if c.exempt {
				seen.mustShow(t, asksPassword)
				s.mustHaveOpened(t, c.person, "none", "exempt by "+c.rule)
			} else {
				seen.mustShow(t, asksPassword, asksCode)
				s.mustHaveOpened(t, c.person, "totp", "second factor given")
			}
			if got, want := sshAuth(s.in(t).session(c.person)), strings.Join(c.words, ",")+",keyboard-interactive"; got != want {
				t.Errorf("recorded as ssh_auth %q, want %q", got, want)
			}
		})
	}
}

// By a key alone: PAM is asked for the session only, where a rule can still tell the key.
func TestRulesTellTheKindOfAKeyThatComesAlone(t *testing.T) {
	t.Parallel()
	s, ring, cases := keyCases(t, "ssh_keys_alone: deny")
	sshd := s.Sshd(ring.settings...)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := visitor{user: c.Name, key: ring.keys[c.kind]}.byKey(t, sshd)
			if !v.in() {
				t.Fatalf("sshd refused the key: %v", v.err)
			}
			if text, _ := v.run(t, "id -un"); (text == c.Name+"\n") != c.exempt {
				t.Errorf("a command printed %q", text)
			}
			r := s.in(t).session(c.person)
			if c.exempt {
				s.mustHaveOpened(t, c.person, "none", "exempt by "+c.rule)
			} else if r.Outcome != audit.Failure || !strings.Contains(r.Reason, keysAreDenied) {
				t.Errorf("the session is recorded as %s, %q", r.Outcome, r.Reason)
			}
			if got, want := sshAuth(r), strings.Join(c.words, ","); got != want {
				t.Errorf("recorded as ssh_auth %q, want %q", got, want)
			}
		})
	}
}

// byFile is the OpenSSH client with the plain key.
func (k *keyring) byFile(sshd *pamtest.Sshd, program string, args ...string) *exec.Cmd {
	options := []string{"-o", "IdentityFile=" + k.file, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"}
	return sshd.Client(program, append(options, args...)...)
}

// waysIn are what a session is opened for. Each reports whether it worked.
var waysIn = []struct {
	name string
	try  func(t *testing.T, s *site, ring *keyring, sshd *pamtest.Sshd, p *person) bool
}{
	{"a shell", func(t *testing.T, _ *site, ring *keyring, sshd *pamtest.Sshd, p *person) bool {
		x := pamtest.OpenTerminal(t, ring.byFile(sshd, "ssh", p.Name+"@127.0.0.1"))
		if x.Expect("$ ", "closed.") == 1 {
			return false
		}
		x.Type(enters + "; exit\n")
		x.Expect("inside-42")
		return true
	}},
	{"a command", func(t *testing.T, s *site, ring *keyring, sshd *pamtest.Sshd, p *person) bool {
		out, err := ring.byFile(sshd, "ssh", p.Name+"@127.0.0.1", "touch here; echo inside").Output()
		_, missing := os.Stat(filepath.Join(s.Home(p.Name), "here"))
		if (err == nil) != (string(out) == "inside\n") || (err == nil) != (missing == nil) {
			t.Errorf("ssh ended with %v and printed %q; the file: %v", err, out, missing)
		}
		return err == nil
	}},
	{"sftp", func(t *testing.T, s *site, ring *keyring, sshd *pamtest.Sshd, p *person) bool {
		cmd := ring.byFile(sshd, "sftp", "-q", "-b", "-", p.Name+"@127.0.0.1")
		cmd.Stdin = strings.NewReader("mkdir there\n")
		err := cmd.Run()
		_, missing := os.Stat(filepath.Join(s.Home(p.Name), "there"))
		if (err == nil) != (missing == nil) {
			t.Errorf("sftp ended with %v; the folder: %v", err, missing)
		}
		return err == nil
	}},
	{"a forwarded connection", func(t *testing.T, _ *site, ring *keyring, sshd *pamtest.Sshd, p *person) bool {
		// What answers at the other end is the same server.
		cmd := ring.byFile(sshd, "ssh", "-W", sshd.Address("127.0.0.1"), p.Name+"@127.0.0.1")
		cmd.Stdin = strings.NewReader("SSH-2.0-test\r\n")
		out, _ := cmd.Output() // how the connection ends is of no matter
		return strings.HasPrefix(string(out), "SSH-2.0-")
	}},
}

// keysAreDenied is in the reason for which ssh_keys_alone stops a session.
const keysAreDenied = "ssh key only, and ssh_keys_alone is deny"

func TestWhoMayComeByAnSSHKeyAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, settings string
		enrolled       bool
		outcome        audit.Outcome
		begins, has    string // the reason
		everyWay       bool   // else a command only
	}{
		{"accept lets a required user in", "default: required\nssh_keys_alone: accept", true, audit.Success, "ssh key only; ", "", true},
		{"to accept is the default", "default: required", true, audit.Success, "ssh key only; ", "", false},
		{"deny stops a required user", "default: required\nssh_keys_alone: deny", true, audit.Failure, "", keysAreDenied, true},
		{"deny stops a required user without a device", "ssh_keys_alone: deny\nrequire: [{users: [USER]}]", false, audit.Failure,
			"", keysAreDenied, false},
		{"deny lets an optional user in", "ssh_keys_alone: deny", true, audit.Success, "ssh key only; ", "", false},
		{"deny lets an exempt user in", "ssh_keys_alone: deny\ndefault: required\nexempt: [{users: [USER]}]", true, audit.Success,
			"exempt by exempt[0]", "", false},
		{"deny is silent while twokey is switched off", "ssh_keys_alone: deny\ndefault: required\nenabled: false", true, audit.Success,
			"switched off", "", false},
		{"deny stops nobody while the policy is only observed", "ssh_keys_alone: deny\ndefault: required\nobserve: true", true, audit.Unknown,
			"would have denied: ", keysAreDenied, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, people := newSite(t, "", 1)
			p := people[0]
			if c.enrolled {
				s.enrol(p)
			}
			s.Configure(strings.ReplaceAll(c.settings, "USER", p.Name))
			ring := newKeyring(t, p)
			sshd := s.Sshd(ring.settings...)
			tried := 0
			for _, way := range waysIn {
				if !c.everyWay && way.name != "a command" {
					continue
				}
				tried++
				if in := way.try(t, s, ring, sshd, p); in != (c.outcome != audit.Failure) {
					t.Errorf("%s: in %v, want %v", way.name, in, !in)
				}
			}
			for _, r := range s.sessions(p) {
				right := strings.HasPrefix(r.Reason, c.begins) && strings.Contains(r.Reason, c.has)
				if r.Outcome != c.outcome || !right || sshAuth(r) != "publickey" {
					t.Errorf("a session is recorded as %s, %q, by %q", r.Outcome, r.Reason, sshAuth(r))
				}
			}
			if got := len(s.sessions(p)); got != tried {
				t.Errorf("%d sessions were recorded, want %d", got, tried)
			}
			if got := s.reasons(p, audit.ActionLogin); len(got) > 0 {
				t.Errorf("a key alone passed through authenticate: %q", got)
			}
		})
	}
}

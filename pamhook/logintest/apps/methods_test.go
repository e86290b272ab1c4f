package apps

import (
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"twokey/audit"
)

// newKey makes a key that opens every account of the server with the given setting.
func newKey(t *testing.T) (key ssh.Signer, setting string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	key, err = ssh.NewSignerFromKey(private)
	must(t, err)
	dir, err := os.MkdirTemp(scratchDir, "keys-")
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	file := filepath.Join(dir, "authorized_keys")
	must(t, os.WriteFile(file, ssh.MarshalAuthorizedKey(key.PublicKey()), 0o644))
	return key, "StrictModes no\nAuthorizedKeysFile " + file // others may write to /tmp
}

// sshd's own "password" method gives the password to every question. That is no try of anybody's, else each such login would
// cost one, and a scanner that knows a password could empty the bucket.
func TestThePasswordMethodOfSshdCostsNothing(t *testing.T) {
	t.Parallel()
	for name, password := range map[string]string{"a password": "correct horse", "a password like a code": "481516"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			users := newUsers(t, 2)
			users[0].Password = password
			s, people := newSiteOf(t, "", users)
			anna, bert := s.enrol(people[0]), people[1]
			sshd := s.Sshd("PasswordAuthentication yes", "KbdInteractiveAuthentication no")

			var all sync.WaitGroup
			for range 5 {
				all.Go(func() {
					if v := (visitor{user: anna.Name, password: password, tries: 3}).byPassword(t, sshd); v.in() {
						t.Error("a password alone let in who is enrolled")
					}
				})
			}
			all.Wait()
			s.mustHaveCharged(t, anna, 0, 0)
			want := slices.Repeat([]string{"the application answered with the password"}, 15)
			if got := s.reasons(anna, "login"); !slices.Equal(got, want) {
				t.Errorf("recorded as %q", got)
			}
			if v := (visitor{user: bert.Name, password: s.Password}).byPassword(t, sshd); !v.in() {
				t.Errorf("who is not enrolled was refused: %v", v.err)
			}
		})
	}
}

func TestAKeyAndThenACode(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 3)
	key, setting := newKey(t)
	sshd := s.Sshd("PubkeyAuthentication yes", setting, "AuthenticationMethods publickey,keyboard-interactive")
	for _, p := range people {
		s.enrol(p)
	}
	for i, c := range []struct {
		name string
		key  ssh.Signer
		code func(p *person) string
		want []round
		in   bool
	}{
		{"key and right code", key, func(p *person) string { return p.code(t, 0) }, []round{asksPassword, asksCode}, true},
		{"key and wrong code", key, func(p *person) string { return p.wrong(t) }, []round{asksPassword, asksCode, refuses}, false},
		{"no key and right code", nil, func(p *person) string { return p.code(t, 0) }, nil, false},
	} {
		p := people[i]
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := s.visitor(p, c.code(p))
			v.key = c.key
			seen := v.visit(t, sshd)
			seen.mustShow(t, c.want...)
			if seen.in() != c.in {
				t.Errorf("let in: %v, want %v", seen.in(), c.in)
			}
		})
	}
}

// sessions are the records of a person's sessions, oldest first.
func (s *site) sessions(p *person) (found []audit.Record) {
	s.t.Helper()
	for _, r := range s.records(p) {
		if r.Action == "session-opened" {
			found = append(found, r)
		}
	}
	return found
}

// sshd opens the session in another process than the one that asked, and a key passes by the asking altogether.
func TestEachSessionIsRecordedWithItsSecondFactor(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 2)
	anna, bert := s.enrol(people[0]), people[1]
	key, setting := newKey(t)
	sshd := s.Sshd("PubkeyAuthentication yes", setting)

	const byItself = "ssh key only; the default is optional; a device is enrolled (default)"
	for _, c := range []struct {
		name                   string
		person                 *person
		visit                  func() visit
		asked                  bool
		factor, device, reason string
	}{
		{"with a code", anna, func() visit { return s.visitor(anna, anna.code(t, 0)).visit(t, sshd) }, true,
			"totp", "phone", "second factor given"},
		{"with a recovery code", anna, func() visit { return s.visitor(anna, anna.phone.RecoveryCodes[0]).visit(t, sshd) }, true,
			"recovery", "", "second factor given"},
		{"with a key", anna, func() visit { return visitor{user: anna.Name, key: key}.byKey(t, sshd) }, false, "none", "", byItself},
		{"with a key again", anna, func() visit { return visitor{user: anna.Name, key: key}.byKey(t, sshd) }, false, "none", "", byItself},
		{"with a password, not enrolled", bert, func() visit { return s.visitor(bert, "").visit(t, sshd) }, false,
			"none", "", "optional; the default is optional; no device is enrolled (default)"},
	} {
		before := len(s.records(c.person))
		v := c.visit()
		if !v.in() {
			t.Fatalf("%s: refused: %v", c.name, v.err)
		}
		if text, status := v.run(t, "id -un"); text != c.person.Name+"\n" || status != 0 {
			t.Errorf("%s: a command printed %q and ended with %d", c.name, text, status)
		}
		records := s.records(c.person)[before:]
		got := records[len(records)-1]
		if got.Action != "session-opened" || got.SecondFactor != c.factor || got.Device != c.device || got.Reason != c.reason ||
			got.Source != "127.0.0.1" || got.Service != "sshd" {
			t.Errorf("%s: recorded as %+v", c.name, got)
		}
		if c.asked && (len(records) < 2 || records[len(records)-2].Action != "login" || records[len(records)-2].PID == got.PID) {
			t.Errorf("%s: it was not another process that asked: %+v", c.name, records)
		}
	}
	s.Verified()
}

// A refused session stops what a key alone has reached: commands, files and forwarding.
func TestADeniedUserGetsNoSessionByKey(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "default: deny", 1)
	anna := people[0]
	key, setting := newKey(t)
	sshd := s.Sshd("PubkeyAuthentication yes", setting)
	v := visitor{user: anna.Name, key: key}.byKey(t, sshd)
	if !v.in() {
		t.Fatalf("the key was refused: %v", v.err)
	}
	if text, status := v.run(t, "touch here; echo inside"); status == 0 || strings.Contains(text, "inside") {
		t.Errorf("a command printed %q and ended with %d", text, status)
	}
	if _, err := os.Stat(filepath.Join(s.Home(anna.Name), "here")); err == nil {
		t.Error("a command was run")
	}
	if conn, err := v.Dial("tcp", sshd.Address("127.0.0.1")); err == nil {
		conn.Close()
		t.Error("a connection was forwarded")
	}
	if got := s.sessions(anna); len(got) == 0 || got[0].Outcome != "failure" || got[0].Reason != "the default is deny (default)" {
		t.Errorf("recorded as %+v", got)
	}
}

func TestSixteenUsersAtOnceOverSSH(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 16)
	sshd := s.Sshd()
	for _, p := range people {
		s.enrol(p)
	}
	var asked, all sync.WaitGroup
	asked.Add(len(people))
	everybody := make(chan struct{})
	go func() {
		asked.Wait()
		close(everybody)
	}()
	for _, p := range people {
		all.Go(func() {
			v := s.visitor(p, p.code(t, 0))
			v.atCode = func(*net.TCPConn) {
				asked.Done()
				select {
				case <-everybody:
				case <-time.After(patience):
				}
			}
			if seen := v.visit(t, sshd); !seen.in() {
				t.Errorf("%s was refused: %v: %+v", p.Name, seen.err, s.records(p))
			}
		})
	}
	all.Wait()
	s.Verified()
}

package apps

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"twokey/internal/pamtest"
	"twokey/pamhook/logintest/scratch"
)

// shellOf opens an interactive shell over SSH by key, which asks nothing, and returns all that is on the screen before its prompt.
func (s *site) shellOf(t *testing.T, ring *keyring, sshd *pamtest.Sshd, p *person) string {
	t.Helper()
	x := pamtest.OpenTerminal(t, ring.byFile(sshd, "ssh", "-tt", p.Name+"@127.0.0.1"))
	x.Expect("$ ")
	x.Type("exit\n")
	x.Wait()
	before, _, _ := strings.Cut(x.Screen(), "$ ")
	return before
}

// What is told to who has no device.
const (
	noDevice = "You have no second factor yet. Set one up with \"twokey enroll\", or ask your administrator."
	daysLeft = "You can log in without a second factor until "
)

// In an interactive shell people are told what they should know.
func TestWhatIsToldInAShell(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 3)
	optional, required, exempt := people[0], people[1], people[2]
	ring := newKeyring(t, people...)
	sshd := s.Sshd(ring.settings...)
	policy := "\nrequire: [{users: [" + required.Name + "], by: " + day(20) + "}]\nexempt: [{users: [" + exempt.Name + "]}]"
	for _, c := range []struct {
		name, settings string
		person         *person
		want           string // "": nothing
	}{
		{"an optional user without a device, how to get one", "", optional, noDevice},
		{"he again, until he has one", "", optional, noDevice},
		{"a required user, until when he gets in without", "", required, daysLeft},
		{"an exempt user, nothing", "", exempt, ""},
		{"where to read more and who helps", "contact: the IT desk\nhelp_url: https://intranet.example.org/2fa", optional,
			"You have no second factor yet. Set one up with \"twokey enroll\", or ask the IT desk. " +
				"More about it: https://intranet.example.org/2fa"},
		{"in German", "language: de", optional,
			"Sie haben noch keinen zweiten Faktor. Richten Sie ihn mit \"twokey enroll\" ein, oder bitten Sie Ihren Administrator darum."},
		{"in words of the company", "messages: {notice_optional: 'Come to room 12, %USER%.'}", optional, "Come to room 12, USER."},
		{"nothing where notices are switched off", "enroll: {notice: false}", optional, ""},
		{"the days that are left where notices are switched off", "enroll: {notice: false}", required, daysLeft},
		{"nothing while twokey is switched off", "enabled: false", optional, ""},
	} {
		s.Configure(c.settings + policy)
		screen := s.shellOf(t, ring, sshd, c.person)
		told := strings.TrimSpace(strings.ReplaceAll(strings.ReplaceAll(screen, "\r\n", ""), "\r", ""))
		want := strings.ReplaceAll(c.want, "USER", c.person.Name)
		if c.want == daysLeft && strings.HasPrefix(told, want) && strings.Contains(told, `"twokey enroll"`) {
			continue
		}
		if told != want {
			t.Errorf("%s: told %q, want %q", c.name, told, want)
		}
	}
}

// scripted are the ways of OpenSSH without a person at a terminal. Each returns every byte that came from the server.
var scripted = []struct {
	name string
	run  func(t *testing.T, s *site, ring *keyring, sshd *pamtest.Sshd, p *person) (got, want []byte)
}{
	{"a command", func(t *testing.T, _ *site, ring *keyring, sshd *pamtest.Sshd, p *person) (got, want []byte) {
		return output(t, ring, sshd, "", "ssh", p.Name+"@127.0.0.1", `printf 'a\0b'`), []byte("a\000b")
	}},
	{"a command that fails", func(t *testing.T, _ *site, ring *keyring, sshd *pamtest.Sshd, p *person) (got, want []byte) {
		return output(t, ring, sshd, "", "ssh", p.Name+"@127.0.0.1", "echo x >&2; false; true"), []byte("x\n")
	}},
	{"a command that reads", func(t *testing.T, _ *site, ring *keyring, sshd *pamtest.Sshd, p *person) (got, want []byte) {
		return output(t, ring, sshd, "echo in\n", "ssh", p.Name+"@127.0.0.1", "sh"), []byte("in\n")
	}},
	{"a command at a terminal", func(t *testing.T, _ *site, ring *keyring, sshd *pamtest.Sshd, p *person) (got, want []byte) {
		return output(t, ring, sshd, "", "ssh", "-q", "-tt", p.Name+"@127.0.0.1", "printf ab"), []byte("ab")
	}},
	{"scp", func(t *testing.T, s *site, ring *keyring, sshd *pamtest.Sshd, p *person) (got, want []byte) {
		return s.fetched(t, p, func(file string) []byte {
			return output(t, ring, sshd, "", "scp", "-q", p.Name+"@127.0.0.1:file", file)
		})
	}},
	{"scp by rcp's protocol", func(t *testing.T, s *site, ring *keyring, sshd *pamtest.Sshd, p *person) (got, want []byte) {
		return s.fetched(t, p, func(file string) []byte {
			return output(t, ring, sshd, "", "scp", "-O", "-q", p.Name+"@127.0.0.1:file", file)
		})
	}},
	{"sftp", func(t *testing.T, s *site, ring *keyring, sshd *pamtest.Sshd, p *person) (got, want []byte) {
		return s.fetched(t, p, func(file string) []byte {
			return output(t, ring, sshd, "", "sftp", "-q", p.Name+"@127.0.0.1:file", file)
		})
	}},
}

// output is what a client wrote to both of its channels.
func output(t *testing.T, ring *keyring, sshd *pamtest.Sshd, stdin, program string, args ...string) []byte {
	t.Helper()
	cmd := ring.byFile(sshd, program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return out
}

// fetched lets a client fetch a file from a person's home, and returns all that it has shown and fetched.
func (s *site) fetched(t *testing.T, p *person, fetch func(file string) []byte) (got, want []byte) {
	t.Helper()
	want = bytes.Repeat([]byte("a line\000of the file\n"), 1000)
	file, name := filepath.Join(t.TempDir(), "copy"), filepath.Join(s.Home(p.Name), "file")
	must(t, os.WriteFile(name, want, 0o644))
	shown := fetch(file)
	copied, err := os.ReadFile(file)
	must(t, err)
	return append(shown, copied...), want
}

// What speaks on the channel on which a shell would show text gets not one byte more, and what was not told waits for the next shell.
func TestNothingIsToldToAProgram(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 3)
	optional, required, added := people[0], people[1], s.enrol(people[2])
	s.Configure("require: [{users: [" + required.Name + "], by: " + day(20) + "}]")
	ring := newKeyring(t, people...)
	sshd := s.Sshd(ring.settings...)
	for _, p := range []*person{optional, required, added} {
		for _, c := range scripted {
			if got, want := c.run(t, s, ring, sshd, p); !bytes.Equal(got, want) {
				t.Errorf("%s of %s gave %d bytes, want %d: %.300q", c.name, p.Name, len(got), len(want), got)
			}
		}
	}
}

// Everybody learns that a device was added and by whom, over ssh three times, and once when few recovery codes are left.
func TestANewDeviceIsTold(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "contact: the IT desk", 1)
	anna := people[0]
	r := scratch.Request()
	r.Device, r.By, r.Recovery, r.Params.Period = "iPad", "root (carol)", 4, 300
	anna.phone = s.Enrol(anna.Name, anna.UID, r)
	sshd := s.Sshd()
	x := s.atTerminal(sshd, anna.phone.RecoveryCodes[0], "ssh", anna.Name+"@127.0.0.1")
	x.Expect("$ ")
	added := `Device "iPad" was added on ` + anna.phone.Device.Created.Local().Format("2 January") +
		" by root (carol). If you did not expect this, tell the IT desk."
	few := "You have 3 recovery codes left. Make new ones with \"twokey recovery new\", or ask the IT desk."
	if screen := x.Screen(); !strings.Contains(screen, added+"\r\n") || !strings.Contains(screen, few+"\r\n") {
		t.Errorf("the first shell shows %q, want %q and %q", screen, added, few)
	}
	for shell := int64(2); shell <= 4; shell++ {
		x = s.atTerminal(sshd, anna.code(t, shell-3), "ssh", anna.Name+"@127.0.0.1")
		x.Expect("$ ")
		if screen := x.Screen(); strings.Contains(screen, "iPad") != (shell <= 3) || strings.Contains(screen, "recovery codes left") {
			t.Errorf("shell %d shows %q", shell, screen)
		}
	}
}

// login(1) shows it too.
func TestLoginTellsWhoHasNoDevice(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 1)
	x := s.loginAt("", people[0])
	x.Expect("$ ")
	if want := strings.ReplaceAll(noDevice, "USER", people[0].Name); !strings.Contains(x.Screen(), want) {
		t.Errorf("the screen shows %q, want %q", x.Screen(), want)
	}
}

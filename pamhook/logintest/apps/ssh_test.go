package apps

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"twokey/internal/pamtest"
)

// What sshd sends, in this order.
var (
	asksPassword = round{questions: []string{"Password: "}, echos: []bool{false}}
	asksCode     = round{questions: []string{"Verification code: "}, echos: []bool{false}}
	refuses      = round{instruction: "Login failed. Please check your login details and try again. " +
		"Otherwise contact your administrator.\n"}
)

// mustShow fails the test unless these rounds, and no others, were sent.
func (v visit) mustShow(t *testing.T, want ...round) {
	t.Helper()
	if got, want := fmt.Sprint(v.rounds), fmt.Sprint(want); got != want {
		t.Errorf("the visitor saw\n%s, want\n%s", got, want)
	}
}

// mustSayUsed fails the test unless the visitor, who has used the code himself, is told so, and when the next one comes.
func (v visit) mustSayUsed(t *testing.T) {
	t.Helper()
	said := v.rounds[len(v.rounds)-1]
	if v.in() || !strings.HasPrefix(said.instruction, "This code has already been used. The next one comes in ") {
		t.Errorf("let in %v; the visitor saw\n%s", v.in(), v.rounds)
	}
}

// atTerminal starts a program of OpenSSH and types the password and, if one is asked for, the code.
func (s *site) atTerminal(sshd *pamtest.Sshd, code string, program string, args ...string) *pamtest.Terminal {
	s.t.Helper()
	x := pamtest.OpenTerminal(s.t, sshd.Client(program, args...))
	s.answer(x, code)
	return x
}

func (s *site) answer(x *pamtest.Terminal, code string) {
	s.t.Helper()
	x.Expect("assword: ")
	x.Type(s.Password + "\n")
	x.Expect("Verification code: ")
	x.Type(code + "\n")
}

func (s *site) visitor(p *person, code string) visitor {
	return visitor{user: p.Name, password: s.Password, code: code}
}

func TestARightCodeLetsInOverSSH(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 1)
	sshd, anna := s.Sshd(), s.enrol(people[0])

	v := s.visitor(anna, anna.code(t, 0)).visit(t, sshd)
	v.mustShow(t, asksPassword, asksCode)
	if !v.in() {
		t.Fatalf("a right code was refused: %v", v.err)
	}
	if text, status := v.run(t, "id -un; exit 7"); text != anna.Name+"\n" || status != 7 {
		t.Errorf("a command printed %q and ended with %d", text, status)
	}

	x := s.atTerminal(sshd, anna.code(t, 1), "ssh", anna.Name+"@127.0.0.1")
	x.Expect("$ ")
	who := "(" + anna.Name + "@127.0.0.1) "
	shown := regexp.MustCompile(`Device "phone" was added on .*\r\n`).ReplaceAllString(x.Screen(), "")
	if want := "\r" + who + "Password: \r\n\r" + who + "Verification code: \r\n$ "; shown != want {
		t.Errorf("the screen shows %q, want %q", x.Screen(), want)
	}
	x.Type("exit 7\n")
	if status := x.Wait(); status != 7 {
		t.Errorf("the shell ended with %d:\n%s", status, x.Screen())
	}
	for _, r := range s.records(anna) {
		if r.Action == "login" && (r.Outcome != "success" || r.Method != "totp" || r.Device != "phone" || r.Service != "sshd" ||
			r.Source != "127.0.0.1" || r.TTY != "ssh" || r.UserID != fmt.Sprint(anna.UID)) {
			t.Errorf("recorded as %+v", r)
		}
	}
	s.Verified()
}

// scp and sftp speak on the channel on which a shell would show text.
func TestFilesAreCopiedUndisturbed(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 1)
	sshd, anna := s.Sshd(), s.enrol(people[0])
	original := filepath.Join(t.TempDir(), "original")
	content := strings.Repeat("a line of the file\n", 10_000)
	must(t, os.WriteFile(original, []byte(content), 0o644))
	to := anna.Name + "@127.0.0.1:"

	for i, c := range []struct {
		name    string
		program string
		args    []string
	}{
		{"by sftp's protocol", "scp", []string{"-q", original, to + "copy0"}},
		{"by rcp's protocol", "scp", []string{"-q", "-O", original, to + "copy1"}},
		{"by sftp", "sftp", []string{"-q", to}},
	} {
		x := s.atTerminal(sshd, anna.code(t, int64(i-1)), c.program, c.args...)
		if c.program == "sftp" {
			x.Expect("sftp> ")
			x.Type("put " + original + " copy2\nbye\n")
		}
		if status := x.Wait(); status != 0 {
			t.Errorf("%s: status %d:\n%s", c.name, status, x.Screen())
		}
		copied, err := os.ReadFile(filepath.Join(s.Home(anna.Name), fmt.Sprint("copy", i)))
		if err != nil || string(copied) != content {
			t.Errorf("%s: %d bytes arrived, want %d: %v", c.name, len(copied), len(content), err)
		}
	}
}

// Everything but the code of this moment, and what it costs the bucket of its source.
func TestOtherAnswersAreRefusedOverSSH(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		answer  func(t *testing.T, p *person) string
		reason  string
		charged int
		typed   string // the reason when it is typed into ssh, which cuts it off at 1023 bytes; "": reason
	}{
		{"a wrong code", func(t *testing.T, p *person) string { return p.wrong(t) }, "wrong code", 1, ""},
		{"an expired code", func(t *testing.T, p *person) string { return p.code(t, -3) }, "wrong code: it would have been right ", 1, ""},
		{"a code of the future", func(t *testing.T, p *person) string { return p.code(t, 3) }, "wrong code: it would have been right in ", 1, ""},
		{"nothing", func(*testing.T, *person) string { return "" }, "empty answer", 0, ""},
		{"a right code and one digit more", func(t *testing.T, p *person) string { return p.code(t, 0) + "0" }, "wrong code", 0, ""},
		{"10 kB that begin with a right code", func(t *testing.T, p *person) string {
			return strings.Repeat(p.code(t, 0), 1700)
		}, "answer too long", 0, "wrong code"},
		{"10 kB of letters", func(*testing.T, *person) string { return strings.Repeat("x", 10_000) }, "answer too long", 0, "wrong code"},
		{"bytes that are not UTF-8", func(*testing.T, *person) string { return "\xff\xfe\xc3\x28" }, "wrong code", 0, ""},
		{"a right code before bytes that are not UTF-8", func(t *testing.T, p *person) string {
			return p.code(t, 0) + "\xff"
		}, "wrong code", 0, ""},
		{"a right code in other digits", func(t *testing.T, p *person) string {
			return strings.NewReplacer("0", "٠", "1", "١", "2", "٢", "3", "٣", "4", "٤", "5", "٥", "6", "٦", "7", "٧", "8", "٨",
				"9", "٩").Replace(p.code(t, 0))
		}, "wrong code", 0, ""},
	}
	s, people := newSite(t, "", 2*len(cases))
	sshd := s.Sshd()
	for i, c := range cases {
		byGo, byHand := s.enrol(people[2*i]), s.enrol(people[2*i+1])
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := s.visitor(byGo, c.answer(t, byGo)).visit(t, sshd)
			v.mustShow(t, asksPassword, asksCode, refuses)
			s.mustHaveRefused(t, byGo, c.reason, c.charged)
			if v := s.visitor(byGo, byGo.code(t, 0)).visit(t, sshd); !v.in() {
				t.Errorf("after it a right code was refused: %+v", s.records(byGo))
			}
		})
		t.Run(c.name+" typed into ssh", func(t *testing.T) {
			t.Parallel()
			s := s.in(t)
			x := s.atTerminal(sshd, c.answer(t, byHand), "ssh", "-o", "NumberOfPasswordPrompts=1", byHand.Name+"@127.0.0.1")
			if status := x.Wait(); status != 255 {
				t.Errorf("ssh ended with %d:\n%s", status, x.Screen())
			}
			s.mustHaveRefused(t, byHand, cmp.Or(c.typed, c.reason), c.charged)
		})
	}
}

// mustHaveRefused checks what one refused login has left.
func (s *site) mustHaveRefused(t *testing.T, p *person, reason string, charged int) {
	t.Helper()
	records := s.in(t).records(p)
	if len(records) == 0 {
		t.Fatalf("nothing was recorded")
	}
	if last := records[len(records)-1]; last.Action != "login" || last.Outcome != "failure" ||
		last.Reason != reason && !(strings.HasSuffix(reason, " ") && strings.HasPrefix(last.Reason, reason)) {
		t.Errorf("recorded as %s, %s, %q, want a refusal for %q", last.Action, last.Outcome, last.Reason, reason)
	}
	s.mustHaveCharged(t, p, charged, 0)
}

func TestACodeIsGoodOnceOverSSH(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name     string
		code     func(t *testing.T, p *person) string
		recovery int // codes that are left of 4
	}{
		{"a code", func(t *testing.T, p *person) string { return p.code(t, 0) }, 4},
		{"a recovery code", func(_ *testing.T, p *person) string { return p.phone.RecoveryCodes[1] }, 3},
		{"a recovery code, otherwise spelt", func(_ *testing.T, p *person) string {
			return strings.ToUpper(strings.ReplaceAll(p.phone.RecoveryCodes[0], "-", " "))
		}, 3},
	}
	s, people := newSite(t, "", len(cases))
	sshd := s.Sshd()
	for i, c := range cases {
		p := s.enrol(people[i])
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := s.in(t)
			code := c.code(t, p)
			if v := s.visitor(p, code).visit(t, sshd); !v.in() {
				t.Errorf("it was refused: %v", v.err)
			}
			if again := s.visitor(p, code).visit(t, sshd); c.recovery == 4 {
				again.mustSayUsed(t)
			} else {
				again.mustShow(t, asksPassword, asksCode, refuses)
			}
			x := s.atTerminal(sshd, code, "ssh", "-o", "NumberOfPasswordPrompts=1", p.Name+"@127.0.0.1")
			if status := x.Wait(); status != 255 {
				t.Errorf("again, typed into ssh: status %d:\n%s", status, x.Screen())
			}
			if got := s.reasons(p, "login"); !slices.Equal(got[1:], []string{"code used before", "code used before"}) {
				t.Errorf("recorded as %q", got)
			}
			if got := s.state(p).Recovery.Left(); got != c.recovery {
				t.Errorf("%d recovery codes are left, want %d", got, c.recovery)
			}
		})
	}
}

func TestWhoIsNotEnrolledOverSSH(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 2)
	anna, bert := people[0], people[1]
	s.Configure("require: [{users: [" + bert.Name + "]}]")
	sshd := s.Sshd()

	v := s.visitor(anna, "123456").visit(t, sshd)
	v.mustShow(t, asksPassword)
	if !v.in() {
		t.Errorf("an optional user without a device was refused: %v", v.err)
	}
	v = s.visitor(bert, "123456").visit(t, sshd)
	v.mustShow(t, asksPassword, asksCode, refuses)
	if got := s.records(bert); len(got) != 1 || got[0].Outcome != "failure" || !strings.Contains(got[0].Reason, "no device is enrolled") {
		t.Errorf("a required user without a device is recorded as %+v", got)
	}
}

// Where nobody is asked for a code, a wrong password is not followed by a question for one either.
func TestNobodyIsAskedOverSSHWhere(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]string{
		"twokey is switched off": "enabled: false\ndefault: required",
		"the service is exempt":  "default: required\nexempt: [{services: [sshd]}]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, people := newSite(t, settings, 1)
			anna, sshd := s.enrol(people[0]), s.Sshd()
			v := s.visitor(anna, "").visit(t, sshd)
			v.mustShow(t, asksPassword)
			if !v.in() {
				t.Errorf("a right password was refused: %v", v.err)
			}
			v = visitor{user: anna.Name, password: "wrong"}.visit(t, sshd)
			v.mustShow(t, asksPassword)
			if v.in() {
				t.Error("a wrong password was accepted")
			}
		})
	}
}

// What a stranger is shown must not tell whether the password was right, whether the account exists, whether it has a second
// factor, or whether sshd itself would turn it away.
func TestStrangersAllSeeTheSame(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 5)
	anna, bert, cora, dora, emil := s.enrol(people[0]), people[1], s.enrol(people[2]), people[3], s.enrol(people[4])
	s.Configure("require: [{users: [" + cora.Name + ", " + dora.Name + "]}]")
	sshd := s.Sshd("DenyUsers "+emil.Name, "PermitRootLogin no")
	const wrong = "not the password"
	for name, c := range map[string]struct{ user, password, code string }{
		"right password, wrong code":             {anna.Name, s.Password, anna.wrong(t)},
		"wrong password, wrong code":             {anna.Name, wrong, anna.wrong(t)},
		"wrong password, right code":             {anna.Name, wrong, anna.code(t, 0)},
		"wrong password, not enrolled":           {bert.Name, wrong, "123456"},
		"required, right password, wrong code":   {cora.Name, s.Password, cora.wrong(t)},
		"required, wrong password":               {cora.Name, wrong, cora.code(t, 0)},
		"required, not enrolled, right password": {dora.Name, s.Password, "123456"},
		"required, not enrolled, wrong password": {dora.Name, wrong, "123456"},
		"not for sshd, right password and code":  {emil.Name, s.Password, emil.code(t, 0)},
		"root, who may not":                      {"root", wrong, "123456"},
		"unknown user":                           {"nobody-" + pamtest.Suffix(), wrong, "123456"},
		"unknown user, nothing typed":            {"nobody-" + pamtest.Suffix(), "", ""},
		"right password, nothing typed":          {anna.Name, s.Password, ""},
		"an account that no password opens":      {"daemon", wrong, "123456"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := visitor{user: c.user, password: c.password, code: c.code, tries: 3}.visit(t, sshd)
			v.mustShow(t, asksPassword, asksCode, refuses, asksPassword, asksCode, refuses, asksPassword, asksCode, refuses)
		})
		t.Run(name+" at a terminal", func(t *testing.T) {
			t.Parallel()
			x := pamtest.OpenTerminal(t, sshd.Client("ssh", c.user+"@127.0.0.1"))
			for range 3 {
				x.Expect("assword: ")
				x.Type(c.password + "\n")
				x.Expect("Verification code: ")
				x.Type(c.code + "\n")
			}
			x.Wait()
			if got, want := x.Screen(), threeTries(c.user); got != want {
				t.Errorf("the screen shows %q, want %q", got, want)
			}
		})
	}
}

// threeTries is what ssh shows to whom sshd turns away three times.
func threeTries(user string) string {
	who := "(" + user + "@127.0.0.1) "
	one := "\r" + who + "Password: \r\n\r" + who + "Verification code: \r\n" +
		strings.ReplaceAll(refuses.instruction, "\n", "\r\n") + "\r\r\n"
	return strings.Repeat(one, 3) + user + "@127.0.0.1: Permission denied (keyboard-interactive).\r\r\n"
}

package apps

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/internal/pamtest"
)

// At a console, in su and in sudo. In sudo the first try is a wrong password: what it leaves on the PAM handle must not help the second.
func TestAUserEnrolsAtTheMachine(t *testing.T) {
	t.Parallel()
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s, people := newSite(t, requiredWithCode, 2)
			anna, bert := people[0], people[1]
			s.Sudoers(anna.Name + " ALL=(ALL) ALL")
			code := s.enrolmentCode(anna)

			x := p.start(t, s, anna, bert)
			if p.name == "sudo" {
				x.Type("wrong\n")
				x.Expect("Verification code: ")
				x.Type("123456\n")
				x.Expect("Sorry, try again.")
				x.Expect("[sudo] password for " + anna.Name + ": ")
			}
			x.Type(s.Password + "\n")
			enrolUpToTheCode(x, code, "1")
			secret, _ := link(t, x)
			if got := p.outcome(x); got != inside {
				t.Fatalf("not let in after the enrolment:\n%s", x.Screen())
			}
			mustTellTheEndOnce(t, x, anna)

			x = p.start(t, s, anna, bert)
			x.Type(s.Password + "\n")
			x.Expect("Verification code: ")
			x.Type(oathCode(t, secret, time.Now().Add(30*time.Second)) + "\n")
			if got := p.outcome(x); got != inside {
				t.Errorf("the app's next code was refused:\n%s", x.Screen())
			}
			s.Verified()
		})
	}
}

// window is a terminal of tmux(1), which shows what a terminal shows: wrapped, scrolled, with the characters that it has.
type window struct {
	t    testing.TB
	name string
}

// openWindow starts a program in a window of so many columns and lines.
func openWindow(t testing.TB, columns, lines string, cmd *exec.Cmd) window {
	t.Helper()
	w := window{t, "twokey-" + pamtest.Suffix()}
	args := append([]string{"new-session", "-d", "-x", columns, "-y", lines, "env", "-i"}, cmd.Env...)
	w.tmux(append(args, cmd.Args...)...)
	t.Cleanup(func() { _ = w.command("kill-server").Run() }) // it ends by itself with its program
	return w
}

func (w window) command(args ...string) *exec.Cmd {
	cmd := exec.Command("tmux", append([]string{"-L", w.name, "-f", "/dev/null"}, args...)...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TERM=xterm"}
	return cmd
}

func (w window) tmux(args ...string) string {
	w.t.Helper()
	out, err := w.command(args...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("tmux %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// shows waits until the last line of text of the window ends so, and returns all that is to be seen.
func (w window) shows(end string) string {
	w.t.Helper()
	screen := ""
	for deadline := time.Now().Add(100 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		screen = w.tmux("capture-pane", "-p")
		if strings.HasSuffix(strings.TrimRight(screen, " \n"), strings.TrimRight(end, " ")) {
			return screen
		}
	}
	w.t.Fatalf("the window does not show %q:\n%s", end, screen)
	return ""
}

func (w window) types(text string) { w.tmux("send-keys", "-l", text); w.tmux("send-keys", "Enter") }

const (
	appPrompt  = "Code from the app (t: key as text, i: inverted, w: wide, q: stop): "
	notePrompt = "Press Enter when you have written them down: "
)

// What a person sees in a window of 80 columns, read off it as a camera does; where the client has no UTF-8, the wide picture; and where letters
// are dark on a light ground, the other one.
func TestThePictureIsReadOffAWindow(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "default: required\nenroll: {at_login: \"yes\"}\nissuer: web1", 3)
	sshd := s.Sshd()
	for i, c := range []struct {
		name, lines, locale, ask string
		ground                   terminal
	}{
		{"UTF-8", "32", "LC_ALL=C.UTF-8", "", dark}, {"without UTF-8", "48", "LC_ALL=C", "w", dark},
		{"UTF-8 on a light ground", "32", "LC_ALL=C.UTF-8", "i", light},
	} {
		p := people[i]
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := s.in(t)
			cmd := sshd.Client("ssh", p.Name+"@127.0.0.1")
			cmd.Env = append(slices.DeleteFunc(cmd.Env, func(v string) bool { return strings.HasPrefix(v, "LC_ALL=") }), c.locale)
			w := openWindow(t, "80", c.lines, cmd)
			w.shows("Password:")
			w.types(s.Password)
			w.shows("Number (or q to stop): ")
			w.types("2")
			w.shows("Press Enter when it is installed (or q to stop): ")
			w.types("")
			screen := w.shows(appPrompt)
			if c.ask != "" {
				w.types(c.ask)
				time.Sleep(time.Second) // the question before it ends the same
				screen = w.shows(appPrompt)
			}
			secret := secretOf(t, scannedOn(t, screen, c.ground))
			w.types(oathCode(t, secret, time.Now()))
			w.shows(notePrompt)
			w.types("")
			w.shows("$ ")
			w.types("exit")
			if enrolled, err := s.Users.Secrets.Enrolled(p.Name); err != nil || !enrolled {
				t.Errorf("enrolled %v, %v", enrolled, err)
			}
		})
	}
}

// The connection breaks while the picture is on the screen: for 15 minutes it is the same one, and nothing was linked meanwhile.
func TestACutConnectionShowsTheSamePicture(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, requiredWithCode, 1)
	anna, sshd := people[0], s.Sshd()
	code := s.enrolmentCode(anna)
	var addresses []string
	for range 2 {
		x := pamtest.OpenTerminal(t, sshd.Client("ssh", anna.Name+"@127.0.0.1"))
		x.Expect("assword: ")
		x.Type(s.Password + "\n")
		enrolUpToTheCode(x, code, "2")
		addresses = append(addresses, scanned(t, x.Screen()))
		must(t, x.Kill())
		if enrolled, err := s.Users.Secrets.Enrolled(anna.Name); err != nil || enrolled {
			t.Fatalf("enrolled %v, %v", enrolled, err)
		}
	}
	if addresses[0] != addresses[1] {
		t.Errorf("first %q, then %q", addresses[0], addresses[1])
	}
}

// The key and the address for who cannot scan, as an app wants them.
func TestTheKeyIsShownAsText(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, requiredWithCode, 1)
	anna, sshd := people[0], s.Sshd()
	code := s.enrolmentCode(anna)
	x := pamtest.OpenTerminal(t, sshd.Client("ssh", anna.Name+"@127.0.0.1"))
	x.Expect("assword: ")
	x.Type(s.Password + "\n")
	enrolUpToTheCode(x, code, "3")
	picture := secretOf(t, scanned(t, x.Screen()))
	before := len(x.Screen())
	x.Type("t\n")
	x.Expect("q: stop): ")
	text := strings.ReplaceAll(x.Screen()[before:], "\r", "")
	key := strings.ReplaceAll(string(regexp.MustCompile(`(?m)^  Key +([A-Z2-7]{4} ){7}[A-Z2-7]{4}$`).Find([]byte(text))), " ", "")
	address := regexp.MustCompile(`otpauth://\S+`).FindString(text)
	if key != "Key"+picture || secretOf(t, address) != picture || isPicture.MatchString(text) {
		t.Errorf("the key is %q, the address %q, the picture says %q", key, address, picture)
	}
	x.Type("q\n")
	x.Expect("Nothing was linked.")
}

package apps

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"twokey/enroll"
	"twokey/internal/pamtest"
)

// isPicture tells a line of the QR code, which is in half blocks, or in number signs.
var isPicture = regexp.MustCompile(`^[▀▄█ #]{20,}$`)

// pictureOn is the QR code that is last on a screen, as lines of text.
func pictureOn(t *testing.T, screen string) (lines []string) {
	t.Helper()
	for line := range strings.SplitSeq(strings.ReplaceAll(screen, "\r", ""), "\n") {
		if isPicture.MatchString(line) {
			lines = append(lines, line)
		} else if strings.TrimSpace(line) != "" && len(lines) > 0 && isPicture.MatchString(lines[len(lines)-1]) {
			lines = append(lines, "")
		}
	}
	for i := len(lines) - 1; i >= 0; i-- {
		if lines[i] == "" && i < len(lines)-1 {
			return lines[i+1:]
		}
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	if len(lines) == 0 {
		t.Fatalf("no picture on the screen:\n%s", screen)
	}
	return lines
}

// halves are what is bright of a cell of a dark terminal: its upper and its lower half.
var halves = map[rune][2]bool{' ': {}, '▀': {true, false}, '▄': {false, true}, '█': {true, true}, '#': {true, true}}

// photograph is what a camera sees of these lines on a terminal whose cells are twice as high as wide: bright letters on a dark ground, or the
// other way round.
func photograph(t *testing.T, lines []string, ground terminal) []byte {
	t.Helper()
	const wide, high, border = 6, 12, 24
	width := 0
	for _, line := range lines {
		width = max(width, utf8.RuneCountInString(line))
	}
	photo := image.NewGray(image.Rect(0, 0, width*wide+2*border, len(lines)*high+2*border))
	for row, line := range lines {
		for column, glyph := range []rune(line) {
			for i := range wide * high {
				x, y := i%wide, i/wide
				if halves[glyph][y*2/high] {
					photo.SetGray(border+column*wide+x, border+row*high+y, color.Gray{Y: 255})
				}
			}
		}
	}
	for i, y := range photo.Pix {
		if ground == light {
			photo.Pix[i] = ^y
		}
	}
	var b bytes.Buffer
	must(t, png.Encode(&b, photo))
	return b.Bytes()
}

// terminal is what a terminal's ground is like.
type terminal bool

const (
	dark  terminal = false
	light terminal = true
)

// scanned is the address that zbarimg(1) reads from the QR code on a screen.
func scanned(t *testing.T, screen string) string { return scannedOn(t, screen, dark) }

func scannedOn(t *testing.T, screen string, ground terminal) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "photo.png")
	must(t, os.WriteFile(file, photograph(t, pictureOn(t, screen), ground), 0o600))
	out, err := exec.Command("zbarimg", "--quiet", "--raw", "--nodbus", file).Output()
	if err != nil {
		t.Fatalf("zbarimg: %v:\n%s", err, screen)
	}
	return strings.TrimSpace(string(out))
}

// secretOf is the key of an address, in base32.
func secretOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	if u.Scheme != "otpauth" || u.Host != "totp" || u.Query().Get("secret") == "" {
		t.Fatalf("the picture says %q", address)
	}
	return u.Query().Get("secret")
}

// oathCode is what an app with this key shows at a time, as oathtool(1) has it.
func oathCode(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	out, err := exec.Command("oathtool", "--totp", "--base32", "--time-step-size=30s", "--now="+at.UTC().Format("2006-01-02 15:04:05 UTC"), secret).Output()
	must(t, err)
	return strings.TrimSpace(string(out))
}

// enrolmentCode makes an enrolment code for a person.
func (s *site) enrolmentCode(p *person) string {
	s.t.Helper()
	code, _, err := s.Users.NewCode(enroll.Account{Name: p.Name, UID: p.UID}, time.Hour)
	must(s.t, err)
	return code
}

// enrolUpToTheCode goes through the conversation until the app's code is asked for.
func enrolUpToTheCode(x *pamtest.Terminal, code, number string) {
	if code != "" {
		x.Expect("Enrolment code")
		x.Expect(": ")
		x.Type(code + "\n")
	}
	x.Expect("Number (or q to stop): ")
	x.Type(number + "\n")
	x.Expect("Press Enter when it is installed (or q to stop): ")
	x.Type("\n")
	x.Expect("q: stop): ")
}

// link types the code of the app that has scanned the screen, and goes on to the end. It returns the key and the recovery codes.
func link(t *testing.T, x *pamtest.Terminal) (secret string, recovery []string) {
	t.Helper()
	secret = secretOf(t, scanned(t, x.Screen()))
	x.Type(oathCode(t, secret, time.Now()) + "\n")
	x.Expect("Press Enter when you have written them down: ")
	_, after, _ := strings.Cut(x.Screen(), "recovery codes")
	recovery = regexp.MustCompile(`[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}`).FindAllString(after, -1)
	x.Type("\n")
	return secret, recovery
}

const requiredWithCode = "default: required\nenroll: {at_login: with-code}"

// What is told of a new device: the end of its enrolment, and at the next sessions who has added it.
const (
	isLinked = "This phone is now linked to "
	wasAdded = `Device "phone" was added on `
)

// mustTellTheEndOnce fails the test unless the login that has linked a phone says so once, and does not ask whether it was its user.
func mustTellTheEndOnce(t *testing.T, x *pamtest.Terminal, p *person) {
	t.Helper()
	if screen := x.Screen(); strings.Count(screen, isLinked+p.Name) != 1 || strings.Contains(screen, wasAdded) {
		t.Errorf("the end is not told once, or there is more:\n%s", screen)
	}
}

// The whole way over ssh: a required user without a device logs in with his password and an enrolment code, reads the picture off his
// screen, and is in; the next login asks for the app's code.
func TestAUserEnrolsAtHisLoginOverSSH(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, requiredWithCode, 1)
	anna, sshd := people[0], s.Sshd()
	code := s.enrolmentCode(anna)

	x := pamtest.OpenTerminal(t, sshd.Client("ssh", anna.Name+"@127.0.0.1"))
	x.Expect("assword: ")
	x.Type(s.Password + "\n")
	enrolUpToTheCode(x, code, "2")
	secret, recovery := link(t, x)
	x.Expect("$ ")
	mustTellTheEndOnce(t, x, anna)
	x.Type("echo inside-$((6*7)); exit\n")
	x.Expect("inside-42")
	x.Wait()
	if len(recovery) != 10 {
		t.Errorf("%d recovery codes were shown", len(recovery))
	}

	next := s.visitor(anna, oathCode(t, secret, time.Now().Add(30*time.Second))).visit(t, sshd)
	next.mustShow(t, asksPassword, asksCode)
	if !next.in() {
		t.Errorf("the app's next code was refused: %v", s.records(anna))
	}
	x = s.atTerminal(sshd, recovery[2], "ssh", anna.Name+"@127.0.0.1")
	x.Expect("$ ")
	if screen := x.Screen(); strings.Count(screen, wasAdded) != 1 || strings.Contains(screen, isLinked) {
		t.Errorf("the next shell shows:\n%s", screen)
	}
	x.Type("exit\n")
	x.Wait()
	if v := s.visitor(anna, recovery[3]).visit(t, sshd); !v.in() {
		t.Errorf("a recovery code was refused: %v", s.records(anna))
	}
	s.Verified()
}

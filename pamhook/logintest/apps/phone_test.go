package apps

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"twokey/deliver/fakes"
	"twokey/factor"
	"twokey/internal/pamtest"
	"twokey/internal/proc"
	"twokey/pamhook/logintest/scratch"
)

const (
	ntfyToken  = "tk_thetokenofthehost00000000000"
	phoneToken = "tk_thetokenofthephones000000000"
	aNumber    = "+447911123456"
	theChoice  = "Code, or 'push', 'sms': "
)

// phoneSite is a site with an ntfy server, and a program that sends text messages.
type phoneSite struct {
	*site
	ntfy   *fakes.Ntfy
	outbox scratch.Outbox
}

// newPhoneSite makes one with more keys in the sections push and sms, each with a comma before it.
func newPhoneSite(t *testing.T, push, sms string, people int) (*phoneSite, []*person) {
	t.Helper()
	s, users := newSite(t, "", people)
	p := &phoneSite{s, fakes.NewNtfy(t), scratch.NewOutbox(t, scratchDir)}
	p.ntfy.GrantUsual(ntfyToken, phoneToken)
	p.Configure(p.settings(push, sms))
	return p, users
}

func (s *phoneSite) settings(push, sms string) string {
	return "default: required\nmethods: [totp, push, sms, recovery]\n" + s.Ntfy(s.ntfy.URL(), ntfyToken, push) + "\n" + s.outbox.SMS(sms)
}

// phoneOf gives a person a device of push and returns the phone.
func (s *phoneSite) phoneOf(p *person) *fakes.Phone {
	s.t.Helper()
	draft := s.EnrolPhone(p.Name, p.UID, "push", "")
	return s.ntfy.NewPhone(s.t, phoneToken, factor.NtfyTopic(draft.Device.Secret))
}

// choose types the password and a word into ssh.
func (s *phoneSite) choose(t *testing.T, sshd *pamtest.Sshd, p *person, word string) *pamtest.Terminal {
	t.Helper()
	x := pamtest.OpenTerminal(t, sshd.Client("ssh", p.Name+"@127.0.0.1"))
	x.Expect("assword: ")
	x.Type(s.Password + "\n")
	x.Expect(theChoice)
	x.Type(word + "\n")
	return x
}

var numberShown = regexp.MustCompile(`Press (\d\d) on your phone \(not any other number\), then Enter here, or type a code: `)

// onScreen waits for the number to match and reads it.
func onScreen(t *testing.T, x *pamtest.Terminal) string {
	t.Helper()
	x.Expect("then Enter here, or type a code: ")
	all := numberShown.FindAllStringSubmatch(x.Screen(), -1)
	if len(all) == 0 {
		t.Fatalf("no number on the screen:\n%s", x.Screen())
	}
	return all[len(all)-1][1]
}

// rings waits for the message on the phone.
func rings(t *testing.T, phone *fakes.Phone) fakes.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := phone.Message(ctx)
	must(t, err)
	return m
}

func press(t *testing.T, phone *fakes.Phone, m fakes.Message, label string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must(t, phone.Press(ctx, m, label))
}

// otherThan is the number on the phone that is not on the screen.
func otherThan(t *testing.T, m fakes.Message, right string) string {
	t.Helper()
	for _, label := range m.Labels() {
		if label != right && label != "Deny" {
			return label
		}
	}
	t.Fatalf("no other number: %q", m.Labels())
	return ""
}

// notifiers are the running twokey-notify processes of this test's programs.
func notifiers(t *testing.T, sshd *pamtest.Sshd) (found []proc.ID) {
	t.Helper()
	for _, id := range below(t, sshd.PID) {
		if program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", id.PID)); err == nil && program == filepath.Join(scratchDir, "twokey-notify") {
			found = append(found, id)
		}
	}
	return found
}

// lastReason is that of a person's last record of one action.
func (s *site) lastReason(p *person, action string) string {
	s.t.Helper()
	all := s.reasons(p, action)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// theText waits for the n-th text message and returns the code in it.
func (s *phoneSite) theText(t *testing.T, n int) (code string) {
	t.Helper()
	eventually(t, "a text was sent", func() bool {
		texts := s.outbox.Texts()
		return len(texts) >= n && strings.Contains(texts[n-1], "code is: ")
	})
	text := s.outbox.Texts()[n-1]
	number, message, _ := strings.Cut(text, "\n")
	_, code, _ = strings.Cut(message, "code is: ")
	if code = strings.TrimSpace(code); number != aNumber || len(code) != 6 {
		t.Fatalf("the text is %q", text)
	}
	return code
}

// closed is the time after which a test that waits for nothing is sure.
const closed = 300 * time.Millisecond

package sockettest

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"twokey/deliver/fakes"
	"twokey/factor"
	"twokey/internal/pamtest"
)

const (
	ntfyToken  = "tk_thetokenofthehost00000000000"
	phoneToken = "tk_thetokenofthephones000000000"
)

// pushSite is a site with an ntfy server, at which bob has a phone; everybody is asked by su after his password.
func pushSite(t *testing.T) (s *site, alice, bob *person, phone *fakes.Phone) {
	t.Helper()
	ntfy := fakes.NewNtfy(t)
	ntfy.GrantUsual(ntfyToken, phoneToken)
	s, alice, bob = newSite(t, fmt.Sprintf("default: required\nmethods: [totp, push]\npush: {provider: ntfy, url: %q, token_file: ntfy.token}", ntfy.URL()))
	s.Credential("ntfy.token", ntfyToken)
	s.Service("su", "auth required pam_unix.so", "auth required "+module+" after=password", "account required pam_permit.so", "session required "+module)
	draft := s.EnrolPhone(bob.Name, bob.UID, "push", "")
	return s, alice, bob, ntfy.NewPhone(t, phoneToken, factor.NtfyTopic(draft.Device.Secret))
}

// choosesPush has one person become another by su, with his password and the word.
func (s *site) choosesPush(who, other *person) *pamtest.Terminal {
	s.t.Helper()
	x := pamtest.OpenTerminal(s.t, s.CommandAs(who.User, "su", other.Name, "-c", "echo inside-$((6*7))"))
	x.Expect("assword: ")
	x.Type(s.Password + "\n")
	x.Expect("Code, or 'push': ")
	x.Type("push\n")
	return x
}

// sendingUnits are those in which twokey-notify is started.
var sendingUnits = []string{"twokey-root@.service", "twokey-self@.service"}

// TestAPushGoesOutOfTheUnits: what systemd takes from the helper it takes from twokey-notify too, which has to become another user, to seal
// itself and to reach the network.
func TestAPushGoesOutOfTheUnits(t *testing.T) {
	t.Parallel()
	for _, unit := range sendingUnits {
		t.Run(unit, func(t *testing.T) {
			t.Parallel()
			for _, setting := range []string{"PrivateNetwork", "IPAddressDeny", "SocketBindDeny", "RestrictNetworkInterfaces", "PrivateUsers"} {
				if got := values(t, unit, setting); len(got) > 0 {
					t.Errorf("%s=%q, which twokey-notify would have too", setting, got)
				}
			}
			goesOut(t, unit)
		})
	}
}

// goesOut has a push sent by a helper that has what the unit leaves.
func goesOut(t *testing.T, unit string) {
	t.Helper()
	s, alice, bob, phone := pushSite(t)
	s.activate("root.sock", "0600", unit, confinementOf(t, unit).confine(t, s.Dir, helper)...)
	x := s.choosesPush(alice, bob)
	x.Expect("then Enter here, or type a code: ")
	number := regexp.MustCompile(`Press (\d\d) on your phone`).FindStringSubmatch(x.Screen())
	if number == nil {
		t.Fatalf("no number on the screen:\n%s", x.Screen())
	}
	press(t, phone, number[1])
	x.Type("\n")
	if x.Expect("inside-42"); x.Wait() != 0 {
		t.Errorf("the push was allowed: %s", x.Screen())
	}
	s.Verified()
}

func press(t *testing.T, phone *fakes.Phone, label string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m, err := phone.Message(ctx)
	must(t, err)
	must(t, phone.Press(ctx, m, label))
}

// TestWithoutWhatTheUnitLeavesNoPushGoesOut: and su goes on with codes.
func TestWithoutWhatTheUnitLeavesNoPushGoesOut(t *testing.T) {
	t.Parallel()
	const unit = "twokey-root@.service"
	for _, without := range []string{"setgroups", "setgid", "setuid", "seccomp", "AF_INET"} {
		t.Run(without, func(t *testing.T) {
			t.Parallel()
			s, alice, bob, phone := pushSite(t)
			s.activate("root.sock", "0600", unit, confinementOf(t, unit, without).confine(t, s.Dir, helper)...)
			x := s.choosesPush(alice, bob)
			x.Expect("The message could not be sent.")
			x.Type(bob.code(t, 0) + "\n")
			if x.Expect("inside-42"); x.Wait() != 0 || phone.Waiting() != 0 {
				t.Errorf("%d messages: %s", phone.Waiting(), x.Screen())
			}
		})
	}
}

// TestAProgramOfAUsersIsOfferedNothingThatIsSent, whatever it says of a password: so its unit has no network.
func TestAProgramOfAUsersIsOfferedNothingThatIsSent(t *testing.T) {
	t.Parallel()
	const unit = "twokey-verify@.service"
	s, _, bob, phone := pushSite(t)
	s.Service(service, "auth required "+module+" after=password", "account required "+module)
	s.activate("verify.sock", "0666", unit, confinementOf(t, unit).confine(t, s.Dir, helper)...)
	r := s.unlock(bob, bob.Name, "push")
	if r.OK() || len(r.Messages) == 0 || strings.Contains(fmt.Sprint(r.Messages), "push") || phone.Waiting() != 0 {
		t.Errorf("%d messages, %s, %+v", phone.Waiting(), s.results(r), r.Messages)
	}
	if r := s.unlock(bob, bob.Name, bob.code(t, 0)); !r.OK() {
		t.Errorf("a code: %s", s.results(r))
	}
}

// TestTheUnitsLetTwokeyNotifyBeEnded: root needs a capability to end the process of another user.
func TestTheUnitsLetTwokeyNotifyBeEnded(t *testing.T) {
	for _, unit := range sendingUnits {
		for _, want := range []string{"CAP_SETUID", "CAP_SETGID", "CAP_KILL"} {
			if got := values(t, unit, "CapabilityBoundingSet"); len(got) != 1 || !strings.Contains(" "+got[0]+" ", " "+want+" ") {
				t.Errorf("%s: no %s", unit, want)
			}
		}
	}
}

package apps

import (
	"net"
	"testing"

	"twokey/internal/pamtest"
	"twokey/internal/proc"
)

// A client that goes away in the middle leaves nothing behind: no helper that waits, no child of sshd, no lock.
func TestAClientThatGoesAwayLeavesNothing(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		// leave goes as far as the question for the code, then goes away.
		leave func(t *testing.T, s *site, sshd *pamtest.Sshd, p *person, atQuestion func())
	}{
		{"killed", func(t *testing.T, s *site, sshd *pamtest.Sshd, p *person, atQuestion func()) {
			x := s.askedBySSH(t, sshd, p)
			atQuestion()
			must(t, x.Kill())
		}},
		{"whose terminal hangs up", func(t *testing.T, s *site, sshd *pamtest.Sshd, p *person, atQuestion func()) {
			x := s.askedBySSH(t, sshd, p)
			atQuestion()
			x.HangUp()
		}},
		{"that closes its connection", func(t *testing.T, s *site, sshd *pamtest.Sshd, p *person, atQuestion func()) {
			v := s.visitor(p, p.code(t, 0))
			v.atCode = func(conn *net.TCPConn) {
				atQuestion()
				conn.Close()
			}
			v.visit(t, sshd)
		}},
		{"that resets its connection", func(t *testing.T, s *site, sshd *pamtest.Sshd, p *person, atQuestion func()) {
			v := s.visitor(p, p.code(t, 0))
			v.atCode = func(conn *net.TCPConn) {
				atQuestion()
				if err := conn.SetLinger(0); err != nil {
					t.Error(err)
				}
				conn.Close()
			}
			v.visit(t, sshd)
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, people := newSite(t, "", 1)
			anna, sshd := s.enrol(people[0]), s.Sshd()
			var helper proc.ID
			c.leave(t, s, sshd, anna, func() { helper = helperBelow(t, sshd.PID) })
			eventually(t, "the helper has ended", func() bool { return !has(helper) })
			eventually(t, "sshd has no children", func() bool { return len(below(t, sshd.PID)) == 0 })
			s.mustHaveCharged(t, anna, 0, 0)
			if v := s.visitor(anna, anna.code(t, 0)).visit(t, sshd); !v.in() {
				t.Errorf("after it a right code was refused: %v, %v", v.err, s.reasons(anna, "login"))
			}
		})
	}
}

// The same while the helper is at work: sshd does not notice then, the module has to. The second time the work never ends, as on a
// disk that does not answer.
func TestAClientThatGoesAwayDuringTheWorkLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string]bool{"which ends": true, "which does not end": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, people := newSite(t, "", 1)
			anna, sshd := s.enrol(people[0]), s.Sshd()
			x := s.askedBySSH(t, sshd, anna)
			helper := helperBelow(t, sshd.PID)
			wait, release := s.atLock(t, anna)
			x.Type(anna.wrong(t) + "\n")
			wait(helper)
			must(t, x.Kill())
			if ends {
				release()
				eventually(t, "the try is counted", func() bool { return s.chargedOnce(anna) })
			}
			eventually(t, "the helper has ended", func() bool { return !has(helper) })
			eventually(t, "sshd has no children", func() bool { return len(below(t, sshd.PID)) == 0 })
			release()
			if v := s.visitor(anna, anna.code(t, 0)).visit(t, sshd); !v.in() {
				t.Errorf("after it a right code was refused: %v, %v", v.err, s.reasons(anna, "login"))
			}
		})
	}
}

// askedBySSH types the password into ssh and waits for the question for the code.
func (s *site) askedBySSH(t *testing.T, sshd *pamtest.Sshd, p *person) *pamtest.Terminal {
	t.Helper()
	x := pamtest.OpenTerminal(t, sshd.Client("ssh", p.Name+"@127.0.0.1"))
	x.Expect("assword: ")
	x.Type(s.Password + "\n")
	x.Expect("Verification code: ")
	return x
}

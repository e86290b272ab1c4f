package logintest

import (
	"errors"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"twokey/enroll"
	"twokey/factor"
	"twokey/internal/safefile/disktest"
	"twokey/pamhook/logintest/scratch"
	"twokey/pamhook/wire"
)

const withCode = "default: required\nenroll: {at_login: with-code}\n"

// newcomer is the account that is to enrol.
func newcomer() enroll.Account { return enroll.Account{Name: "bob", UID: uid + 1} }

// codeFor makes the newcomer an enrolment code.
func (h *host) codeFor(a enroll.Account) string {
	h.t.Helper()
	code, _, err := h.Users.NewCode(a, time.Hour)
	must(h.t, err)
	return code
}

// phases are what an enrolment of the newcomer is made of.
func (h *host) phase(p wire.Phase) *wire.Hello {
	hello := h.login(newcomer().Name, newcomer().UID)
	hello.Phase = p
	return hello
}

// announce runs authenticate, which must let on without a question.
func (h *host) announce() {
	h.t.Helper()
	if out := h.run(h.phase(wire.PhaseAuthenticate), talk{}); !out.allowed() || len(out.prompts) > 0 {
		h.t.Fatalf("authenticate: %+v, %s", out, h.reasons())
	}
}

var keyShown = regexp.MustCompile(`(?m)^ +((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})$`)

// fromApp is the code of an app into which the key was typed that is shown.
func fromApp(t *testing.T, before ...func()) func(string) string {
	return func(shown string) string {
		for _, happens := range before {
			happens()
		}
		return appCode(t, shown, 0)
	}
}

func appCode(t *testing.T, shown string, offset int64) string {
	t.Helper()
	key := keyShown.FindStringSubmatch(shown)
	if key == nil {
		t.Fatalf("no key is shown:\n%s", shown)
	}
	secret, err := factor.DecodeSecret(key[1])
	must(t, err)
	p := factor.Params{Method: factor.TOTP, Secret: secret, Digits: 6, Period: 30, Algorithm: factor.SHA1}
	text, err := p.Code(uint64(int64(p.Step(time.Now())) + offset))
	must(t, err)
	return text
}

// after lets something happen before an answer is given.
func after(happens func(), answer string) func(string) string {
	return func(string) string {
		happens()
		return answer
	}
}

// mustHaveNothing fails the test if the newcomer has a device or a state.
func (h *host) mustHaveNothing(when string) {
	h.t.Helper()
	if enrolled, err := h.Users.Secrets.Enrolled(newcomer().Name); err != nil || enrolled {
		h.t.Errorf("%s: enrolled %v, %v", when, enrolled, err)
	}
	if _, err := h.Users.State.Read(newcomer().Name); !errors.Is(err, fs.ErrNotExist) {
		h.t.Errorf("%s: there is a state: %v", when, err)
	}
}

// Whatever happens while somebody enrols, at whatever question: exactly what was decided last holds.
func TestWhatHappensWhileSomebodyEnrols(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		at      int // before the answer of this number, from 0: code, what, ready, app's code, noted
		happens func(*host)
		in      bool
	}{
		"nothing":                             {0, func(*host) {}, true},
		"a reset, at the menu":                {1, func(h *host) { h.resetNewcomer() }, false},
		"a new code, at the menu":             {2, func(h *host) { h.codeFor(newcomer()) }, false},
		"a reset, at the picture":             {3, func(h *host) { h.resetNewcomer() }, false},
		"a reset, at the recovery codes":      {4, func(h *host) { h.resetNewcomer() }, false},
		"a new code, at the picture":          {3, func(h *host) { h.codeFor(newcomer()) }, false},
		"another's new code, at the picture":  {3, func(h *host) { h.codeFor(enroll.Account{Name: "alice", UID: uid}) }, true},
		"an administrator enrols him":         {4, func(h *host) { h.Enrol("bob", uid+1, scratch.Request()) }, false},
		"his files are copied from another's": {4, func(h *host) { h.copyUnfinished("alice", "bob") }, false},
		"what was begun is damaged":           {4, func(h *host) { must(h.t, os.Truncate(h.Data()+"/enrolling/bob", 100)) }, false},
		"the audit log is gone":               {4, func(h *host) { must(h.t, os.Rename(h.Dir+"/log", h.Dir+"/away")) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, withCode)
			answers := []any{h.codeFor(newcomer()), "2", "", fromApp(t), ""}
			h.announce()
			if c.at == 3 {
				answers[3] = fromApp(t, func() { c.happens(h) })
			} else {
				answers[c.at] = after(func() { c.happens(h) }, answers[c.at].(string))
			}
			out := h.run(h.phase(wire.PhaseAccount), talk{answers: answers})
			if out.allowed() != c.in {
				t.Errorf("%+v", out)
			}
			enrolled, err := h.Users.Secrets.Enrolled("bob")
			if byAdmin := strings.HasPrefix(name, "an administrator"); err != nil || enrolled != (c.in || byAdmin) {
				t.Errorf("enrolled %v, %v", enrolled, err)
			}
			if enrolled && c.in {
				h.Verified()
			}
		})
	}
}

// resetNewcomer ends what was begun, and an administrator makes a new code for it.
func (h *host) resetNewcomer() {
	h.t.Helper()
	if err := h.Users.Reset("bob"); err != nil && !errors.Is(err, enroll.ErrNotEnrolled) {
		h.t.Error(err)
	}
	must(h.t, h.Users.EndCode("bob"))
}

// copyUnfinished begins an enrolment of one user and puts its file in the place of another's.
func (h *host) copyUnfinished(from, to string) {
	h.t.Helper()
	h.codeFor(enroll.Account{Name: from, UID: uid})
	content, err := os.ReadFile(h.Data() + "/enrolling/" + from)
	must(h.t, err)
	must(h.t, os.WriteFile(h.Data()+"/enrolling/"+to, content, 0o600))
}

// Who was reset gets a code with it, and enrols as somebody new does; what he had before lets him in no more, also while he has not enrolled.
func TestWhoWasResetEnrolsAgain(t *testing.T) {
	t.Parallel()
	h := newHost(t, "enroll: {at_login: with-code}\n")
	r := scratch.Request()
	r.Recovery = 2
	old := h.Enrol("bob", uid+1, r)
	must(t, h.Users.Reset("bob"))
	if out := h.run(h.phase(wire.PhaseAuthenticate), talk{answers: []any{scratch.Code(t, old, 0)}}); out.verdict != deny {
		t.Errorf("without an enrolment code: %+v", out)
	}
	code := h.codeFor(newcomer())
	h.announce()
	if out := h.run(h.phase(wire.PhaseAccount), talk{answers: []any{code, "1", "", fromApp(t), ""}}); !out.allowed() {
		t.Fatalf("%+v, %s", out, h.reasons())
	}
	if got := h.session("bob", uid+1); got != allow {
		t.Errorf("the session: %#x, %s", got, h.reasons())
	}
	if factor := h.Last(1)[0].Record.SecondFactor; factor != "totp" {
		t.Errorf("the session is recorded with %q", factor)
	}
	for what, answer := range map[string]string{"the old phone": scratch.Code(t, old, 1), "an old recovery code": old.RecoveryCodes[0], "the enrolment code": code} {
		if h.answer(h.phase(wire.PhaseAuthenticate), answer) {
			t.Errorf("%s lets in", what)
		}
	}
	h.Verified()
}

// Two logins of one user at once: one device is linked, the other login is refused and told why.
func TestTwoLoginsAtOnceLinkOneDevice(t *testing.T) {
	t.Parallel()
	for _, number := range []string{"2", "3"} { // the same wish as the other's, which gives the same picture, and another
		h := newHost(t, withCode)
		code := h.codeFor(newcomer())
		h.announce()
		var other outcome
		out := h.run(h.phase(wire.PhaseAccount), talk{answers: []any{code, "2", "", fromApp(t), after(func() {
			h.announce()
			other = h.run(h.phase(wire.PhaseAccount), talk{answers: []any{code, number, "", fromApp(t), ""}})
		}, "")}})
		if out.allowed() || !other.allowed() {
			t.Errorf("%s: first %+v, second %+v", number, out.verdict, other.verdict)
		}
		if len(out.infos) != 1 || !strings.HasPrefix(out.infos[0], "\nThis account has changed meanwhile;") {
			t.Errorf("%s: told %q", number, out.infos)
		}
		record, err := h.Users.Secrets.Load("bob")
		must(t, err)
		if len(record.Devices) != 1 || len(record.Recovery.Hashes) != 10 {
			t.Errorf("%s: %d devices", number, len(record.Devices))
		}
		if err := h.Users.CheckCode(newcomer(), code); err == nil {
			t.Errorf("%s: the enrolment code is good again", number)
		}
	}
}

// An enrolment code is one user's.
func TestAnotherUsersEnrolmentCodeLinksNothing(t *testing.T) {
	t.Parallel()
	h := newHost(t, withCode)
	h.codeFor(newcomer())
	alices := h.codeFor(enroll.Account{Name: "alice", UID: uid})
	h.announce()
	out := h.run(h.phase(wire.PhaseAccount), talk{answers: []any{alices, "x", alices}})
	if out.verdict != deny || len(out.prompts) != 3 {
		t.Errorf("%+v", out)
	}
	h.mustHaveNothing("with another's code")
}

// A disk that is full from any point on: no device is linked that is not wholly there, nobody is let on without one, and with room again
// it goes on with the same code.
func TestOnAFullDiskAnEnrolmentLinksAllOrNothing(t *testing.T) {
	t.Parallel()
	for at := -1; at < 5; at++ { // before authenticate, and before each answer
		t.Run("", func(t *testing.T) {
			t.Parallel()
			disk := disktest.Mount(t, "ext4")
			h := newHostIn(t, disk, withCode+forgiving)
			t.Cleanup(func() { must(t, errors.Join(h.Users.Secrets.Close(), h.Users.State.Close())) })
			code := h.codeFor(newcomer())
			h.run(h.login("carol", uid+7), talk{}) // keeps the policy
			free := func() {}
			fill := func() { free = disktest.Fill(t, disk) }
			if at < 0 {
				fill()
			}
			first := h.run(h.phase(wire.PhaseAuthenticate), talk{})
			if first.allowed() {
				answers := []any{code, "2", "", fromApp(t), ""}
				switch at {
				case -1:
				case 3:
					answers[3] = fromApp(t, fill)
				default:
					answers[at] = after(fill, answers[at].(string))
				}
				out := h.run(h.phase(wire.PhaseAccount), talk{answers: answers})
				enrolled, err := h.Users.Secrets.Enrolled("bob")
				if err != nil || enrolled != out.allowed() {
					t.Errorf("full at %d: %+v, enrolled %v, %v", at, out, enrolled, err)
				}
				if out.allowed() {
					return
				}
			}
			h.mustHaveNothing("on a full disk")
			free()
			h.announce()
			if out := h.run(h.phase(wire.PhaseAccount), talk{answers: []any{code, "2", "", fromApp(t), ""}}); !out.allowed() {
				t.Errorf("full at %d, with room again: %+v, %s", at, out, h.reasons())
			}
		})
	}
}

// Whoever goes at any question links nothing, and goes on with the same code.
func TestWhoGoesLinksNothing(t *testing.T) {
	t.Parallel()
	h := newHost(t, withCode)
	code := h.codeFor(newcomer())
	for at := range 5 {
		answers := []any{code, "2", "", fromApp(t), ""}
		h.announce()
		out := h.run(h.phase(wire.PhaseAccount), talk{answers: append(answers[:at:at], wire.ClientGone)})
		if out.verdict == wire.TypeAllow {
			t.Errorf("gone at %d: %+v", at, out)
		}
		h.mustHaveNothing("gone")
	}
	h.announce()
	if out := h.run(h.phase(wire.PhaseAccount), talk{answers: []any{code, "2", "", fromApp(t), ""}}); !out.allowed() {
		t.Errorf("%+v, %s", out, h.reasons())
	}
}

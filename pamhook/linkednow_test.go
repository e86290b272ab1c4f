package pamhook

import (
	"slices"
	"testing"
	"time"

	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/state"
)

// The end of an enrolment is told once: in the account phase, but by sshd, which shows that twice, when the session opens.
func TestTheEndOfAnEnrolmentIsToldOnce(t *testing.T) {
	w := newWorld(t)
	for service, there := range map[string]int{"sshd": 0, "login": 1, "su": 1, "sudo": 1} {
		for number, done := range map[string]policy.Message{"1": policy.MsgEnrollDonePhone, "2": policy.MsgEnrollDonePhone, "3": policy.MsgEnrollDoneComputer} {
			w.reset()
			resetAlice(w)
			w.hello.Service, w.enrol.announced[0].Service = service, service
			w.script[1] = number
			text := w.policy.Text(done, "USER", "alice", "HOST", "web1")
			if got := w.frame(); got != allows || !slices.Equal(w.infos, slices.Repeat([]string{"\n" + text}, there)) {
				t.Errorf("%s, %s: %#x, told %q", service, number, got, w.infos)
			}
			if service == "su" || service == "sudo" {
				continue
			}
			w.linkedState()
			w.infos = nil
			if got, _ := w.opened(); got != allows || !slices.Equal(w.infos, slices.Repeat([]string{text}, 1-there)) {
				t.Errorf("%s, %s: the session %#x, told %q", service, number, got, w.infos)
			}
		}
	}
}

// linkedState puts the device of an enrolment into the state of its user, as package enroll does.
func (w *world) linkedState() {
	w.t.Helper()
	d := w.linkedPhone().device
	w.record = newRecord("alice", 6)
	w.change(func(st *state.State) {
		st.MustEnroll, st.Devices = false, []state.Device{{ID: state.ID(d.ID), Name: d.Name, Method: d.Method, Created: w.now}}
		st.AddNotice(state.ID(d.ID), "alice")
	})
}

// Who has just linked a device knows of it; in the sessions after that one he is asked whether it was he, and so is everybody whose device
// was linked by another login than the one whose session opens.
func TestTheLoginThatHasLinkedADeviceIsNotAskedWhetherItWasHe(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		service string
		change  func(*state.State, *state.Success)
		notice  bool
	}{
		"the login that has linked it, over ssh":   {"sshd", func(*state.State, *state.Success) {}, false},
		"the login that has linked it, at login":   {"login", func(*state.State, *state.Success) {}, false},
		"a login with a code of it":                {"sshd", func(st *state.State, _ *state.Success) { st.Devices[0].Used = w.now }, true},
		"a login with a code of another device":    {"sshd", func(_ *state.State, ok *state.Success) { ok.Device = "tablet" }, true},
		"a login with a recovery code":             {"sshd", func(_ *state.State, ok *state.Success) { ok.Method, ok.Device = "recovery", "" }, true},
		"a login that is remembered":               {"sshd", func(_ *state.State, ok *state.Success) { ok.Method = byMemory }, true},
		"a login with a bypass code of that name":  {"login", func(_ *state.State, ok *state.Success) { ok.Method = "bypass" }, true},
		"a login of another process, by key alone": {"sshd", func(_ *state.State, ok *state.Success) { ok.Process.PID++ }, true},
	} {
		w.reset()
		w.hello.Service = c.service
		w.change(func(st *state.State) {
			st.Devices[0].Created = w.now
			st.AddNotice(st.Devices[0].ID, "alice")
			ok := w.success()
			ok.Service = c.service
			c.change(st, &ok)
			st.AddSuccess(ok, w.now)
		})
		ask := w.policy.Text(policy.MsgNoticeDevice, "DEVICE", "phone", "DATE", w.policy.FormatDate(w.now, w.now), "BY", "alice")
		for session, want := range []bool{c.notice, c.service == "sshd" || !c.notice} {
			w.infos = nil
			if got, _ := w.opened(); got != allows || slices.Contains(w.infos, ask) != want {
				t.Errorf("%s, session %d: %#x, told %q", name, session, got, w.infos)
			}
		}
	}
}

// Nothing is told where the application wants no messages, nor of a success that is not this session's any more.
func TestALinkedDeviceIsToldToItsOwnSessionAlone(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*state.Success){
		"silent":      func(*state.Success) { w.hello.Flags |= wire.FlagSilent },
		"too late":    func(ok *state.Success) { ok.Time = ok.Time.Add(-2 * time.Hour) },
		"of a parent": func(ok *state.Success) { ok.Process = w.host().Parent },
		"ended":       func(ok *state.Success) { ok.Method = state.Ended },
	} {
		w.reset()
		w.change(func(st *state.State) {
			ok := w.success()
			change(&ok)
			st.AddSuccess(ok, w.now)
		})
		w.opened()
		if slices.Contains(w.infos, w.policy.Text(policy.MsgEnrollDonePhone, "USER", "alice", "HOST", "web1")) {
			t.Errorf("%s: told %q", name, w.infos)
		}
	}
}

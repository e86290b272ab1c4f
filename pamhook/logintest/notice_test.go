package logintest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/pamhook/logintest/scratch"
	"twokey/pamhook/wire"
	"twokey/state"
)

// told are the words of a session of alice.
func (h *host) told(change func(*wire.Hello)) ([]string, wire.Type) {
	h.t.Helper()
	hello := h.login("alice", uid)
	hello.Phase = wire.PhaseOpenSession
	change(hello)
	out := h.run(hello, talk{})
	return out.infos, out.verdict
}

func TestWhatIsToldWhenASessionOpens(t *testing.T) {
	optional := "You have no second factor yet. Set one up with \"twokey enroll\", or ask your administrator."
	day := func(days int) string { return time.Now().AddDate(0, 0, days).Format(time.DateOnly) }
	until := func(days int) string { return "require: [{users: [alice], by: " + day(days) + "}]" }
	at := func(service string) func(*wire.Hello) { return func(h *wire.Hello) { h.Service = service } }
	for name, c := range map[string]struct {
		settings string
		change   func(*wire.Hello)
		enrolled bool
		want     []string // beginnings; none: nothing is told
	}{
		"optional without a device":                {want: []string{optional}},
		"the same by key":                          {change: func(h *wire.Hello) { h.SSHAuthInfo = sshKey }, want: []string{optional}},
		"with an address and a contact":            {settings: "help_url: https://intranet.example.org/2fa\ncontact: Joe", want: []string{"You have no second factor yet. Set one up with \"twokey enroll\", or ask Joe. More about it: https://intranet.example.org/2fa"}},
		"switched off by the policy":               {settings: "enroll: {notice: false}"},
		"an application that wants no messages":    {change: func(h *wire.Hello) { h.Flags |= wire.FlagSilent }},
		"with a device":                            {enrolled: true},
		"exempt":                                   {settings: "exempt: [{users: [alice]}]"},
		"exempt by default":                        {settings: "default: exempt"},
		"twokey is switched off":                   {settings: "enabled: false"},
		"sudo":                                     {change: at("sudo")},
		"su":                                       {change: at("su")},
		"cron":                                     {change: at("cron")},
		"required without a device, by key":        {settings: "default: required", change: func(h *wire.Hello) { h.SSHAuthInfo = sshKey }},
		"required, five days are left":             {settings: until(5), want: []string{"You can log in without a second factor until "}},
		"required, until tomorrow":                 {settings: until(1), want: []string{"You can log in without a second factor until tomorrow, "}},
		"required, today is the last day":          {settings: until(0), want: []string{"Today, "}},
		"required, with notices switched off":      {settings: "enroll: {notice: false}\n" + until(5), want: []string{"You can log in without a second factor until "}},
		"required until then, and it has a device": {settings: until(5), enrolled: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, c.settings)
			if c.enrolled {
				h.Enrol("alice", uid, scratch.Request())
				h.change(func(st *state.State) { st.TakeNotices() })
			}
			change := c.change
			if change == nil {
				change = func(*wire.Hello) {}
			}
			for range 2 {
				got, verdict := h.told(change)
				same := slices.EqualFunc(got, c.want, func(text, beginning string) bool { return strings.HasPrefix(text, beginning) })
				if !same || verdict == deny {
					t.Errorf("told %q, want %q; verdict %#x, recorded %q", got, c.want, verdict, h.reasons())
				}
			}
			if len(c.want) > 0 && strings.HasPrefix(name, "required") && !strings.HasPrefix(h.reason(), "grace until "+c.settings[strings.LastIndex(c.settings, " ")+1:len(c.settings)-2]) {
				t.Errorf("recorded %q", h.reason())
			}
		})
	}
}

// A device that somebody else has added must not stay unnoticed; told again and again it would not be read. Attack: whoever has added one
// opens a session that shows nothing ("ssh HOST true", sftp), so that its owner is not told.
func TestADeviceThatWasAddedIsToldUntilItWasSeen(t *testing.T) {
	at := func(service string) func(*wire.Hello) { return func(h *wire.Hello) { h.Service = service } }
	key := func(h *wire.Hello) { h.SSHAuthInfo = sshKey }
	type session struct {
		change  func(*wire.Hello)
		verdict wire.Type
		told    bool
	}
	for name, sessions := range map[string][]session{
		"over ssh three times":            {{key, allow, true}, {at("sshd"), allow, true}, {key, allow, true}, {key, allow, false}, {at("login"), allow, false}},
		"at a login once":                 {{at("login"), allow, true}, {at("login"), allow, false}, {key, allow, false}},
		"over ssh, and then at a login":   {{key, allow, true}, {at("login"), allow, true}, {key, allow, false}},
		"not at sudo":                     {{at("sudo"), ignore, false}, {at("login"), allow, true}},
		"not where no messages are shown": {{func(h *wire.Hello) { h.Flags |= wire.FlagSilent }, allow, false}, {at("login"), allow, true}},
		"not under another id":            {{func(h *wire.Hello) { h.UID = 77 }, allow, false}, {at("login"), allow, true}},
		"not to another user":             {{named("bob", uid+1), ignore, false}, {at("login"), allow, true}},
		"not to nobody that exists":       {{unknown, deny, false}, {at("login"), allow, true}},
		"not by cron":                     {{at("cron"), ignore, false}, {at("login"), allow, true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, "enroll: {notice: false}")
			phone := h.Enrol("alice", uid, scratch.Request())
			h.change(func(st *state.State) {
				st.TakeNotices()
				st.AddNotice(state.ID(phone.Device.ID), "root (carol)")
			})
			text := `Device "phone" was added on ` + phone.Device.Created.Local().Format("2 January") +
				` by root (carol). If you did not expect this, tell your administrator.`
			for i, s := range sessions {
				got, verdict := h.told(s.change)
				if told := slices.Equal(got, []string{text}); told != s.told || len(got) > 1 || verdict != s.verdict {
					t.Errorf("session %d: told %q, verdict %#x", i, got, verdict)
				}
			}
		})
	}
}

// Switched off, nobody hears of twokey; what waits is told afterwards.
func TestSwitchedOffNothingIsTold(t *testing.T) {
	h := newHost(t, "enabled: false")
	h.Enrol("alice", uid, scratch.Request())
	if got, verdict := h.told(func(*wire.Hello) {}); len(got) > 0 || verdict != ignore {
		t.Errorf("told %q, verdict %#x", got, verdict)
	}
	h.Configure("enabled: true")
	if got, verdict := h.told(func(*wire.Hello) {}); len(got) != 1 || verdict != allow {
		t.Errorf("switched on again: told %q, verdict %#x", got, verdict)
	}
}

func TestFewRecoveryCodesAreToldOnce(t *testing.T) {
	h := newHost(t, "")
	r := scratch.Request()
	r.Recovery = 5
	phone := h.Enrol("alice", uid, r)
	h.change(func(st *state.State) { st.TakeNotices() })
	words := func(text string) []string {
		return []string{text + "Make new ones with \"twokey recovery new\", or ask your administrator."}
	}
	for i, want := range [][]string{nil, words("You have 3 recovery codes left. "), nil} {
		if !h.answer(h.login("alice", uid), phone.RecoveryCodes[i]) {
			t.Fatalf("code %d was refused: %s", i, h.reasons())
		}
		for range 2 {
			got, verdict := h.told(func(*wire.Hello) {})
			if verdict != allow || !slices.Equal(got, want) {
				t.Errorf("after %d codes: told %q, want %q", i+1, got, want)
			}
			want = nil
		}
	}
}

// The names of devices come from whoever may write the secret file: they cannot move the cursor, nor break the conversation.
func TestAnOddNameOfADeviceBreaksNoSession(t *testing.T) {
	host := newHost(t, "")
	phone := host.Enrol("alice", uid, scratch.Request())
	host.change(func(st *state.State) {
		st.TakeNotices()
		st.Devices[0].Name = "%BY%\u202eenohp"
		st.AddNotice(state.ID(phone.Device.ID), "root (\u202e)")
	})
	got, verdict := host.told(func(*wire.Hello) {})
	if verdict != allow || len(got) != 1 || strings.Contains(got[0], "\u202e") || !strings.Contains(got[0], `"%BY%?enohp"`) {
		t.Errorf("told %q, verdict %#x", got, verdict)
	}
}

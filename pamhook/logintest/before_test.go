package logintest

import (
	"strings"
	"testing"
	"time"

	"twokey/audit"
	"twokey/enroll"
	"twokey/pamhook/logintest/scratch"
	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/state"
)

const sshKey = "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKmr1UmOy6RNtb9RxNmDiyUUPzlPT0kjlNOYuqRTjpzk\n"

const otherKey = "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKmr1UmOy6RNtb9RxNmDiyUUPzlPT0kjlNOYuqRTjpzl\n"

// newest is the newest record of the audit log.
func (h *host) newest() *audit.Record {
	h.t.Helper()
	return h.Last(1)[0].Record
}

// change changes the state of alice.
func (h *host) change(fn func(*state.State)) {
	h.t.Helper()
	must(h.t, h.Users.State.Update("alice", func(tx *state.Tx) error { fn(tx.State); return nil }))
}

// succeeded is a right code of her app that alice has given from a place some time ago.
func succeeded(place string, ago time.Duration) func(*testing.T, *host, *enroll.Draft) {
	return succeededBy("totp", place, ago)
}

func succeededBy(method, place string, ago time.Duration) func(*testing.T, *host, *enroll.Draft) {
	return func(_ *testing.T, h *host, _ *enroll.Draft) {
		h.change(func(st *state.State) {
			st.Succeeded(state.Attempt{Source: place, Cost: state.One, Now: time.Now().Add(-ago)})
			st.Remember(state.EarlierKey(place, method), time.Now().Add(-ago))
		})
	}
}

func TestAServiceThatCannotAskLetsInAfterACodeFromTheSameSource(t *testing.T) {
	const address = "192.0.2.7"
	here := succeeded(address, time.Minute)
	from := func(rhost string) func(*wire.Hello) { return func(h *wire.Hello) { h.RHost = rhost } }
	for name, c := range map[string]struct {
		settings string
		prepare  func(*testing.T, *host, *enroll.Draft)
		change   func(*wire.Hello)
		verdict  wire.Type
		reason   string
	}{
		"a minute ago":                             {prepare: here, verdict: allow, reason: "a code was given from the same source at 20"},
		"59 minutes ago":                           {prepare: succeeded(address, 59*time.Minute), verdict: allow, reason: "a code was given"},
		"an hour and a minute ago":                 {prepare: succeeded(address, 61*time.Minute), verdict: deny, reason: "within open_within"},
		"two hours ago, and three are allowed":     {settings: "open_within: 3h\n", prepare: succeeded(address, 2*time.Hour), verdict: allow, reason: "a code was given"},
		"a minute ago, and 30 s are allowed":       {settings: "open_within: 30s\n", prepare: here, verdict: deny, reason: "within open_within"},
		"in the future, by a clock that was wrong": {prepare: succeeded(address, -time.Hour), verdict: deny, reason: "within open_within"},
		"never":                                {verdict: deny, reason: "within open_within"},
		"from another source":                  {prepare: succeeded("192.0.2.8", time.Minute), verdict: deny, reason: "within open_within"},
		"by another spelling of the address":   {prepare: here, change: func(h *wire.Hello) { h.RHost = "::ffff:192.0.2.7" }, verdict: allow, reason: "a code was given"},
		"from the same address over IPv6":      {prepare: succeeded("2001:db8::99", time.Minute), change: from("2001:db8:0::99"), verdict: allow, reason: "a code was given"},
		"from another address of the network":  {prepare: succeeded("2001:db8::98", time.Minute), change: from("2001:db8::99"), verdict: deny, reason: "within open_within"},
		"the network is known to the throttle": {prepare: succeeded("2001:db8::/64", time.Minute), change: from("2001:db8::99"), verdict: deny, reason: "within open_within"},
		"from the same link":                   {prepare: succeeded("fe80::1%eth0", time.Minute), change: from("fe80::1%eth0"), verdict: deny, reason: "no place"},
		"from the same link over IPv4":         {prepare: succeeded("169.254.1.1", time.Minute), change: from("::ffff:169.254.1.1"), verdict: deny, reason: "no place"},
		"from no address that is known":        {prepare: succeeded("0.0.0.0", time.Minute), change: from("0.0.0.0"), verdict: deny, reason: "no place"},
		"from localhost, by its name":          {change: from("LocalHost."), verdict: deny, reason: "no place"},
		"from an address that many share":      {settings: "shared: [192.0.2.0/24]\n", prepare: here, verdict: deny, reason: "no place"},
		"from an address that few share":       {settings: "shared: [192.0.2.8]\n", prepare: here, verdict: allow, reason: "a code was given"},
		"from a name, where some are shared":   {settings: "shared: [192.0.2.8]\n", change: from("gate.example.org"), verdict: deny, reason: "no place"},
		"by a recovery code":                   {prepare: succeededBy("recovery", address, time.Minute), verdict: allow, reason: "a code was given"},
		"by a method that does not count here": {settings: "rules: [{services: [sshd], then: required, methods: [totp]}]\n", prepare: succeededBy("recovery", address, time.Minute), verdict: deny, reason: "within open_within"},
		"by a server that names no client":     {prepare: succeeded("tty:", time.Minute), change: func(h *wire.Hello) { h.RHost = "" }, verdict: deny, reason: "no place"},
		"by a server that says UNKNOWN":        {change: func(h *wire.Hello) { h.RHost = "UNKNOWN" }, verdict: deny, reason: "no place"},
		"by a server of another user":          {prepare: succeeded("local:33", time.Minute), change: func(h *wire.Hello) { h.RHost, h.CallerUID = "", 33 }, verdict: deny, reason: "no place"},
		"by the user himself":                  {prepare: succeeded("local:4242", time.Minute), change: func(h *wire.Hello) { h.RHost, h.CallerUID = "", uid }, verdict: allow, reason: "a code was given"},
		"at the console":                       {prepare: succeeded("tty:/dev/tty1", time.Minute), change: func(h *wire.Hello) { h.RHost, h.TTY = "", "/dev/tty1" }, verdict: allow, reason: "a code was given"},
		"under another user id":                {prepare: here, change: func(h *wire.Hello) { h.UID = 77 }, verdict: deny, reason: "user id"},
		"an older secret file": {prepare: func(t *testing.T, h *host, p *enroll.Draft) {
			here(t, h, p)
			h.change(func(st *state.State) { st.Serial++ })
		}, verdict: deny, reason: "older than one"},
		"a device that was taken away": {prepare: func(t *testing.T, h *host, p *enroll.Draft) {
			here(t, h, p)
			h.change(func(st *state.State) { st.RemoveDevice(st.Devices[0].ID) })
		}, verdict: deny, reason: "taken away"},
		"reset meanwhile": {prepare: func(t *testing.T, h *host, p *enroll.Draft) { here(t, h, p); reset(t, h, p) }, verdict: deny, reason: "since the reset"},
		"must enrol, with the file still there": {prepare: func(t *testing.T, h *host, p *enroll.Draft) {
			here(t, h, p)
			h.change(func(st *state.State) { st.MustEnroll = true })
		}, verdict: deny, reason: "has not enrolled again"},
		"forgotten meanwhile":       {prepare: func(t *testing.T, h *host, p *enroll.Draft) { here(t, h, p); h.change((*state.State).ForgetSources) }, verdict: deny, reason: "within open_within"},
		"the state was lost":        {prepare: func(t *testing.T, h *host, _ *enroll.Draft) { must(t, h.Users.State.Remove("alice")) }, verdict: deny, reason: "within open_within"},
		"not enrolled and optional": {change: named("bob", uid+1), verdict: ignore},
		"not enrolled and required": {settings: "default: required\n", change: named("bob", uid+1), verdict: deny, reason: "no device is enrolled"},
		"unknown":                   {change: unknown, verdict: deny, reason: "unknown"},
		"a decoy line":              {prepare: here, change: decoy, verdict: deny, reason: "no right password"},
		"exempt":                    {settings: "exempt: [{users: [alice]}]\n", verdict: ignore},
		"switched off":              {settings: "enabled: false\n", verdict: ignore},
		"observed":                  {settings: "observe: true\n", verdict: ignore, reason: "would have denied: no success"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, "services: {sshd: {ask: earlier}}\n"+c.settings)
			phone := h.Enrol("alice", uid, scratch.Request())
			if c.prepare != nil {
				c.prepare(t, h, phone)
			}
			hello := h.login("alice", uid)
			if c.change != nil {
				c.change(hello)
			}
			out := h.run(hello, talk{answers: []any{scratch.Code(t, phone, 0)}})
			if out.verdict != c.verdict || len(out.prompts)+len(out.fields) > 0 {
				t.Errorf("%+v, want %#x; recorded %q", out, c.verdict, h.reasons())
			}
			if !strings.Contains(h.reasons(), c.reason) {
				t.Errorf("recorded %q, want something with %q", h.reasons(), c.reason)
			}
			if c.verdict == allow {
				h.opensRemembered(hello)
			}
			h.Verified()
		})
	}
}

// opensRemembered checks that a login without a code is recorded as one, and that its session, too, is.
func (h *host) opensRemembered(hello *wire.Hello) {
	h.t.Helper()
	if r := h.newest(); r.Action != audit.ActionLogin || r.Outcome != audit.Success || r.SecondFactor != "remembered" || r.Device != "" {
		h.t.Errorf("the login is recorded as %+v", r)
	}
	again := *hello
	again.Phase = wire.PhaseOpenSession
	if out := h.run(&again, talk{}); out.verdict != allow {
		h.t.Errorf("its session: %+v, recorded %q", out, h.reasons())
	}
	if r := h.newest(); r.Action != audit.ActionSession || r.SecondFactor != "remembered" {
		h.t.Errorf("its session is recorded as %+v", r)
	}
}

// A login that needed no code is not a right code: who is let in for the sake of an earlier one is not let in for the sake of that.
func TestWhatWasLetInWithoutACodeIsNoEarlierCode(t *testing.T) {
	h := newHost(t, "services: {sshd: {ask: earlier}}\nopen_within: 1h\nremember: 1h")
	phone := h.Enrol("alice", uid, scratch.Request())
	succeeded("192.0.2.7", 50*time.Minute)(t, h, phone)
	before := h.earlier()
	if out := h.run(h.login("alice", uid), talk{}); out.verdict != allow {
		t.Fatalf("%+v, recorded %q", out, h.reasons())
	}
	if after := h.earlier(); after.IsZero() || !after.Equal(before) {
		t.Errorf("the last code was given at %v, and then at %v", before, after)
	}
	after, err := h.Users.State.Read("alice")
	must(t, err)
	if _, kept := after.Kept(); kept != 1 {
		t.Errorf("%d are kept", kept)
	}
}

// earlier is when alice has given a code of her app from the address of her logins.
func (h *host) earlier() time.Time {
	h.t.Helper()
	st, err := h.Users.State.Read("alice")
	must(h.t, err)
	since, _ := st.Remembered(state.EarlierKey("192.0.2.7", "totp"), time.Hour, time.Now())
	return since
}

// What a login with a question leaves is what one without finds.
func TestACodeOpensAServiceThatCannotAskFromTheSamePlaceAlone(t *testing.T) {
	code := func(t *testing.T, p *enroll.Draft) string { return scratch.Code(t, p, 0) }
	recovery := func(_ *testing.T, p *enroll.Draft) string { return p.RecoveryCodes[0] }
	from := func(service, rhost string) func(*wire.Hello) {
		return func(h *wire.Hello) { h.Service, h.RHost = service, rhost }
	}
	const cannotAsk = "services: {cockpit: {ask: earlier}, su: {ask: earlier}, vsftpd: {ask: appended}}\n"
	for name, c := range map[string]struct {
		settings      string
		answer        func(*testing.T, *enroll.Draft) string
		first, second func(*wire.Hello)
		verdict       wire.Type
	}{
		"from the same address":        {"", code, from("sshd", "192.0.2.7"), from("cockpit", "192.0.2.7"), allow},
		"from another address":         {"", code, from("sshd", "192.0.2.7"), from("cockpit", "192.0.2.8"), deny},
		"from the same IPv6 address":   {"", code, from("sshd", "2001:db8::1"), from("cockpit", "2001:db8::1"), allow},
		"from a neighbour's":           {"", code, from("sshd", "2001:db8::1"), from("cockpit", "2001:db8::2"), deny},
		"from a shared address":        {"shared: [192.0.2.7]\n", code, from("sshd", "192.0.2.7"), from("cockpit", "192.0.2.7"), deny},
		"by a recovery code":           {"", recovery, from("sshd", "192.0.2.7"), from("cockpit", "192.0.2.7"), allow},
		"by one, which counts not":     {"rules: [{services: [cockpit], then: required, methods: [totp]}]\n", recovery, from("sshd", "192.0.2.7"), from("cockpit", "192.0.2.7"), deny},
		"by the app, which counts not": {"rules: [{services: [cockpit], then: required, methods: [recovery]}]\n", code, from("sshd", "192.0.2.7"), from("cockpit", "192.0.2.7"), deny},
		"before the password":          {"", code, func(h *wire.Hello) { h.Flags = 0 }, from("cockpit", "192.0.2.7"), deny},
		"to become somebody else":      {"", code, func(h *wire.Hello) { h.RHost, h.CallerUID = "", uid }, func(h *wire.Hello) { h.Service, h.RHost, h.CallerUID = "su", "", uid }, deny},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, cannotAsk+c.settings)
			r := scratch.Request()
			r.Recovery = 2
			phone := h.Enrol("alice", uid, r)
			hello := h.login("alice", uid)
			c.first(hello)
			if answer := c.answer(t, phone); h.run(hello, talk{answers: []any{answer}, field: "x" + answer}).verdict != allow {
				t.Fatalf("the code was refused: %q", h.reasons())
			}
			then := h.login("alice", uid)
			c.second(then)
			if out := h.run(then, talk{}); out.verdict != c.verdict {
				t.Errorf("%+v, want %#x; recorded %q", out, c.verdict, h.reasons())
			}
		})
	}
}

func TestAServiceThatIsClosed(t *testing.T) {
	for name, c := range map[string]struct {
		settings string
		change   func(*wire.Hello)
		verdict  wire.Type
		reason   string
	}{
		"enrolled":                      {verdict: deny, reason: `service "sshd" cannot ask`},
		"required without a device":     {settings: "require: [{users: [bob]}]\n", change: named("bob", uid+1), verdict: deny, reason: `service "sshd" cannot ask`},
		"neither enrolled nor required": {change: named("bob", uid+1), verdict: ignore},
		"enrolled, but exempt for it":   {settings: "exempt: [{users: [alice], services: [sshd]}]\n", verdict: ignore},
		"enrolled, exempt for another":  {settings: "exempt: [{users: [alice], services: [su]}]\n", verdict: deny, reason: "cannot ask"},
		"required, before the last day": {settings: "require: [{users: [bob], by: 2999-01-01}]\n", change: named("bob", uid+1), verdict: ignore},
		"required, after the last day":  {settings: "require: [{users: [bob], by: 2020-01-01}]\n", change: named("bob", uid+1), verdict: deny, reason: "cannot ask"},
		"unknown":                       {change: unknown, verdict: deny, reason: "unknown"},
		"a decoy line":                  {change: decoy, verdict: deny, reason: "no right password"},
		"enrolled, observed":            {settings: "observe: true\n", verdict: ignore, reason: "would have denied: "},
		"enrolled, switched off":        {settings: "enabled: false\n", verdict: ignore},
		"denied by a rule":              {settings: "rules: [{name: night, users: [bob], then: deny}]\n", change: named("bob", uid+1), verdict: deny, reason: `about user "bob"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, "services: {sshd: {ask: never}}\n"+c.settings)
			phone := h.Enrol("alice", uid, scratch.Request())
			hello := h.login("alice", uid)
			if c.change != nil {
				c.change(hello)
			}
			out := h.run(hello, talk{answers: []any{scratch.Code(t, phone, 0)}, field: scratch.Code(t, phone, 0)})
			if out.verdict != c.verdict || len(out.prompts)+len(out.fields) > 0 || (len(out.infos) == 1) != (c.verdict == deny) {
				t.Errorf("%+v, want %#x; recorded %q", out, c.verdict, h.reasons())
			}
			if !strings.Contains(h.reasons(), c.reason) {
				t.Errorf("recorded %q, want something with %q", h.reasons(), c.reason)
			}
			if session := *hello; hello.Flags&wire.FlagDecoy == 0 { // sshd does not ask PAM when a key is enough
				session.Phase, session.SSHAuthInfo = wire.PhaseOpenSession, sshKey
				if got := h.run(&session, talk{}).verdict; got != c.verdict {
					t.Errorf("a session by key: %#x, want %#x; recorded %q", got, c.verdict, h.reasons())
				}
			}
			h.Verified()
		})
	}
}

// once is a login of alice with a right code, which is then remembered or not.
func (h *host) once(t *testing.T, phone *enroll.Draft, change func(*wire.Hello), offset int64) {
	t.Helper()
	hello := h.login("alice", uid)
	change(hello)
	if out := h.run(hello, talk{answers: []any{scratch.Code(t, phone, offset)}}); out.verdict != allow || len(out.prompts) != 1 {
		t.Fatalf("the login that is to be remembered: %+v, recorded %q", out, h.reasons())
	}
}

func TestWhoIsRememberedAndWhoIsNot(t *testing.T) {
	same := func(*wire.Hello) {}
	key := func(h *wire.Hello) { h.SSHAuthInfo = sshKey }
	at := func(service string) func(*wire.Hello) { return func(h *wire.Hello) { h.Service = service } }
	from := func(address string) func(*wire.Hello) { return func(h *wire.Hello) { h.RHost = address } }
	local := func(caller uint32, tty string) func(*wire.Hello) {
		return func(h *wire.Hello) { h.RHost, h.CallerUID, h.TTY = "", caller, tty }
	}
	for name, c := range map[string]struct {
		settings      string
		first, second func(*wire.Hello)
		between       func(*testing.T, *host)
		remembered    bool
	}{
		"the same again": {"remember: 1h", same, same, nil, true},
		"nothing is remembered unless it is said": {"", same, same, nil, false},
		"a rule says so":                           {"rules: [{users: [alice], then: optional, remember: 1h}]", same, same, nil, true},
		"a rule says no":                           {"remember: 1h\nrules: [{users: [alice], then: optional, remember: 0s}]", same, same, nil, false},
		"from another address":                     {"remember: 1h", same, from("192.0.2.8"), nil, false},
		"from the same address over IPv6":          {"remember: 1h", from("2001:db8::1"), from("2001:db8:0::1"), nil, true},
		"from another address of the same network": {"remember: 1h", from("2001:db8::1"), from("2001:db8::2"), nil, false},
		"from the same link":                       {"remember: 1h", from("fe80::1%eth0"), from("fe80::1%eth0"), nil, false},
		"from localhost, by its name":              {"remember: 1h", from("localhost"), from("localhost"), nil, false},
		"from a name":                              {"remember: 1h", from("gate.example.org"), from("gate.example.org"), nil, true},
		"from an address that many share":          {"remember: 1h\nshared: [192.0.2.0/24]", same, same, nil, false},
		"with the same key":                        {"remember: 1h", key, key, nil, true},
		"without the key":                          {"remember: 1h", key, same, nil, false},
		"before the password":                      {"remember: 1h", func(h *wire.Hello) { h.Flags = 0 }, same, nil, false},
		"before the password, after a key":         {"remember: 1h", func(h *wire.Hello) { h.Flags, h.SSHAuthInfo = 0, sshKey }, key, nil, true},
		"with a key, before without":               {"remember: 1h", same, key, nil, false},
		"with another key":                         {"remember: 1h", key, func(h *wire.Hello) { h.SSHAuthInfo = otherKey }, nil, false},
		"at another service":                       {"remember: 1h", same, at("xrdp-sesman"), nil, false},
		"sudo":                                     {"remember: 1h", at("sudo"), at("sudo"), nil, false},
		"su":                                       {"remember: 1h", at("su"), at("su"), nil, false},
		"polkit":                                   {"remember: 1h", at("polkit-1"), at("polkit-1"), nil, false},
		"at the console":                           {"remember: 1h", local(0, "tty1"), local(0, "tty1"), nil, true},
		"at another console":                       {"remember: 1h", local(0, "tty1"), local(0, "tty2"), nil, false},
		"by a server that names no client":         {"remember: 1h", local(0, ""), local(0, ""), nil, false},
		"by a server that names a terminal of its": {"remember: 1h", local(0, "web"), local(0, "web"), nil, false},
		"by a program of the user's own":           {"remember: 1h", local(uid, ""), local(uid, ""), nil, true},
		"by a program of another user":             {"remember: 1h", local(33, ""), local(33, ""), nil, false},
		"a wrong password meanwhile":               {"remember: 1h", same, decoy, nil, false},
		"reset meanwhile":                          {"remember: 1h", same, same, func(t *testing.T, h *host) { reset(t, h, nil) }, false},
		"forgotten meanwhile":                      {"remember: 1h", same, same, func(_ *testing.T, h *host) { h.change((*state.State).ForgetSources) }, false},
		"another user id now":                      {"remember: 1h", same, func(h *wire.Hello) { h.UID = 77 }, nil, false},
		"an older secret file now":                 {"remember: 1h", same, same, func(_ *testing.T, h *host) { h.change(func(st *state.State) { st.Serial++ }) }, false},
		"must enrol now":                           {"remember: 1h", same, same, func(_ *testing.T, h *host) { h.change(func(st *state.State) { st.MustEnroll = true }) }, false},
		"denied now":                               {"remember: 1h", same, same, func(_ *testing.T, h *host) { h.Configure("remember: 1h\ndefault: deny") }, false},
		"a shorter time now":                       {"remember: 1h", same, same, func(_ *testing.T, h *host) { h.Configure("remember: 0s") }, false},
		"the method does not count any more":       {"remember: 1h", same, same, func(_ *testing.T, h *host) { h.Configure("remember: 1h\nmethods: [hotp]") }, false},
		"other methods count now":                  {"remember: 1h", same, same, func(_ *testing.T, h *host) { h.Configure("remember: 1h\nmethods: [totp]") }, false},
		"the same methods in another order":        {"remember: 1h\nmethods: [totp, recovery]", same, same, func(_ *testing.T, h *host) { h.Configure("remember: 1h\nmethods: [recovery, totp]") }, true},
		"an hour and a second ago": {"remember: 1h", same, same, func(_ *testing.T, h *host) {
			h.change(func(st *state.State) {
				st.Remember(state.RememberKey("192.0.2.7", "sshd", "", policy.Methods()), time.Now().Add(-time.Hour-time.Second))
			})
		}, false},
		"by a clock that was an hour ahead": {"remember: 1h", same, same, func(_ *testing.T, h *host) {
			h.change(func(st *state.State) {
				st.Remember(state.RememberKey("192.0.2.7", "sshd", "", policy.Methods()), time.Now().Add(time.Hour))
			})
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, c.settings)
			phone := h.Enrol("alice", uid, scratch.Request())
			h.once(t, phone, c.first, 0)
			if c.between != nil {
				c.between(t, h)
			}
			hello := h.login("alice", uid)
			c.second(hello)
			out := h.run(hello, talk{answers: []any{scratch.Wrong(t, phone)}})
			want, asked := deny, 1
			if c.remembered {
				want, asked = allow, 0
			}
			if out.verdict != want || len(out.prompts) != asked {
				t.Errorf("%+v, recorded %q", out, h.reasons())
			}
			if c.remembered {
				h.opensRemembered(hello)
			}
			h.Verified()
		})
	}
}

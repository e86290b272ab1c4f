package pamhook

import (
	"slices"
	"testing"
	"time"

	"twokey/audit"
	"twokey/internal/proc"
	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/state"
)

// success is one of alice's over ssh, just now, by the process that opens the session.
func (w *world) success() state.Success {
	return state.Success{Process: w.host().Application, Parent: proc.ID{PID: 7, Start: 7}, Service: "sshd", Method: "totp", Device: "phone",
		Source: atHome, Time: w.now}
}

// opened runs a session and returns the second factor that it is recorded with.
func (w *world) opened() (wire.Type, string) {
	w.t.Helper()
	w.hello.Phase = wire.PhaseOpenSession
	verdict := w.frame()
	if len(w.log) == 0 {
		return verdict, ""
	}
	return verdict, w.log[len(w.log)-1].SecondFactor
}

func TestMustOpenASessionForASuccessOfTheSameLogin(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func(*state.Success)
		counts bool
	}{
		"of the process itself": {func(*state.Success) {}, true},
		"of its child": {func(s *state.Success) {
			s.Process, s.Parent = proc.ID{PID: 300, Start: 3}, s.Process
		}, true},
		"of its parent": {func(s *state.Success) { s.Process, s.Parent = w.host().Parent, proc.ID{} }, false},
		"of a sibling": {func(s *state.Success) {
			s.Process, s.Parent = proc.ID{PID: 300, Start: 3}, w.host().Parent
		}, false},
		"of a stranger": {func(s *state.Success) { s.Process = proc.ID{PID: 300, Start: 3} }, false},
		"of an earlier process of the same number":  {func(s *state.Success) { s.Process.Start-- }, false},
		"of another service":                        {func(s *state.Success) { s.Service = "sshd2" }, false},
		"a moment under an hour ago":                {func(s *state.Success) { s.Time = s.Time.Add(-time.Hour) }, true},
		"a moment over an hour ago":                 {func(s *state.Success) { s.Time = s.Time.Add(-time.Hour - time.Millisecond) }, false},
		"the clock was set back a little meanwhile": {func(s *state.Success) { s.Time = s.Time.Add(clockSlack) }, true},
		"in the future, of before a restart":        {func(s *state.Success) { s.Time = s.Time.Add(clockSlack + time.Millisecond) }, false},
	} {
		for _, keys := range []string{policy.KeysAccept, policy.KeysDeny} {
			w.reset()
			w.policy.SSHKeysAlone = keys
			ok := w.success()
			c.change(&ok)
			w.change(func(st *state.State) { st.AddSuccess(ok, w.now) })
			verdict, factor := w.opened()
			want, wantFactor := allows, "totp"
			if late := w.now.Sub(ok.Time) > time.Hour; late {
				want, wantFactor = denies, ""
			} else if !c.counts {
				wantFactor = "none"
				if keys == policy.KeysDeny {
					want, wantFactor = denies, ""
				}
			}
			if verdict != want || factor != wantFactor {
				t.Errorf("%s, %s: %#x with %q, want %#x with %q", name, keys, verdict, factor, want, wantFactor)
			}
		}
	}
}

func TestMustOpenOneSessionForASuccess(t *testing.T) {
	w := newWorld(t)
	if got := w.frame(); got != allows {
		t.Fatalf("the login: %#x", got)
	}
	w.policy.SSHKeysAlone = policy.KeysDeny // changed meanwhile: only the success lets in
	for i, want := range []wire.Type{allows, denies, denies} {
		if got, _ := w.opened(); got != want {
			t.Errorf("session %d: %#x, want %#x", i, got, want)
		}
	}
}

// Attack: sudo until the mark of a session that was opened is gone, and open another by the same success.
func TestWhoActsForAnotherLeavesNoSuccess(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		service string
		opens   wire.Type
	}{
		"sudo": {"sudo", allows}, "su": {"su-l", allows}, "polkit": {"polkit-1", allows}, "six others": {"login", denies},
	} {
		w.reset()
		w.policy.SSHKeysAlone = policy.KeysDeny
		if got := w.frame(); got != allows {
			t.Fatalf("%s: the login: %#x", name, got)
		}
		login := w.hello
		for i := range 6 {
			w.now, w.process = w.now.Add(time.Minute), int32(i+1)
			w.hello.Service, w.hello.RHost, w.hello.CallerUID = c.service, "", aliceUID
			if got := w.again(w.code(0)); got != allows {
				t.Fatalf("%s, number %d: %#x, recorded %q", name, i, got, w.reasons())
			}
		}
		w.hello, w.process = login, 0
		if got, _ := w.opened(); got != c.opens {
			t.Errorf("%s: the session of the login: %#x, want %#x, recorded %q", name, got, c.opens, w.reasons())
		}
	}
}

// Attack: give a code, wait until the account is closed or the phone taken away, and then go on to the session.
func TestMustOpenNoSessionForASuccessThatThePolicyOrTheStateHasEnded(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		end  func()
		want wire.Type
	}{
		"nothing has changed":         {func() {}, allows},
		"denied by default":           {func() { w.policy.Default = policy.Deny }, denies},
		"denied by a rule":            {func() { w.policy.Rules = []policy.Rule{{Users: []string{"alice"}, Then: policy.Deny}} }, denies},
		"the service is closed":       {func() { asking(policy.Never)(w) }, denies},
		"his device was removed":      {func() { w.change(func(st *state.State) { st.RemoveDevice(state.ID{1}) }) }, denies},
		"his sources were forgotten":  {func() { w.change((*state.State).ForgetSources) }, denies},
		"he may choose now":           {func() { w.policy.Default = policy.Optional }, allows},
		"he is not asked any more":    {func() { w.policy.Default = policy.Exempt }, ignores},
		"denied, but switched off":    {func() { w.policy.Default, w.policy.Off = policy.Deny, true }, ignores},
		"denied, but only observed":   {func() { w.policy.Default, w.policy.Observe = policy.Deny, true }, ignores},
		"his attempts are given back": {func() { w.change((*state.State).Unlock) }, allows},
	} {
		w.reset()
		if got := w.frame(); got != allows {
			t.Fatalf("%s: the login: %#x", name, got)
		}
		c.end()
		w.hello.SSHAuthInfo = "keyboard-interactive/pam\n" // what sshd says then: without a success such a session opens
		for try := range 2 {
			if got, _ := w.opened(); got != c.want {
				t.Errorf("%s, try %d: %#x, want %#x, recorded %q", name, try, got, c.want, w.reasons())
			}
		}
	}
}

// The success of somebody else, or of another host's user of the same name, is in another file; that of a refused login is nowhere.
func TestARefusedLoginLeavesNoSuccess(t *testing.T) {
	w := newWorld(t)
	for name, l := range logins() {
		w.reset()
		l.prepare(w)
		if w.frame() == allows || w.hello.Phase != wire.PhaseAuthenticate {
			continue
		}
		w.policy.Config = &policy.Config{Default: policy.Required, SSHKeysAlone: policy.KeysDeny, OpenWithin: time.Hour, Contact: w.policy.Contact}
		w.hello.User, w.hello.Name, w.hello.UID, w.hello.Flags = "alice", "alice", aliceUID, 0
		if verdict, factor := w.opened(); verdict != denies {
			t.Errorf("%s: the session opens: %#x with %q", name, verdict, factor)
		}
	}
}

func TestMustNotOpenASessionThatCannotBeRecordedOrWhoseSuccessCannotBeUsedUp(t *testing.T) {
	w := newWorld(t)
	for _, call := range []string{"Append", "State", "Update", "Flush", "Sync"} {
		for _, d := range []policy.Decision{policy.Required, policy.Optional} {
			for _, found := range []bool{true, false} {
				w.reset()
				w.policy.Default, w.fault.call = d, call
				if found {
					w.change(func(st *state.State) { st.AddSuccess(w.success(), w.now) })
				}
				if got, _ := w.opened(); got != denies || !w.hit {
					t.Errorf("%s, %v, with a success %v: %#x", call, d, found, got)
				}
				if recorded := len(w.log) == 1 && w.log[0].Outcome == audit.Failure; !recorded && call != "Append" || len(w.warnings) == 0 && call == "Append" {
					t.Errorf("%s: recorded %+v, warned %q", call, w.log, w.warnings)
				}
			}
		}
	}
}

// Attack: log in while the state cannot be written, so that the success stays for the next, who comes by a key alone.
func TestASuccessThatCouldNotBeUsedUpIsStillOneSession(t *testing.T) {
	w := newWorld(t)
	w.policy.SSHKeysAlone = policy.KeysDeny
	w.change(func(st *state.State) { st.AddSuccess(w.success(), w.now) })
	opened := 0
	for _, fault := range []fault{{call: "Flush"}, {call: "Sync"}, {call: "Append"}, {}, {}} {
		w.fault, w.calls = fault, nil
		if got, _ := w.opened(); got == allows {
			opened++
		}
	}
	if opened > 1 {
		t.Errorf("%d sessions for one success", opened)
	}
}

func TestMustNotOpenASessionByKeyForWhoIsDenied(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		prepare func(*world)
		verdict wire.Type
	}{
		"denied":                             {func(w *world) { w.policy.Default = policy.Deny }, denies},
		"denied, not enrolled":               {notEnrolled(policy.Deny), denies},
		"required":                           {func(*world) {}, allows},
		"required, not enrolled":             {notEnrolled(policy.Required), allows},
		"optional":                           {func(w *world) { w.policy.Default = policy.Optional }, allows},
		"optional, not enrolled":             {notEnrolled(policy.Optional), ignores},
		"exempt":                             {func(w *world) { w.policy.Default = policy.Exempt }, ignores},
		"switched off, denied":               {func(w *world) { w.policy.Off, w.policy.Default = true, policy.Deny }, ignores},
		"observed, denied":                   {func(w *world) { w.policy.Observe, w.policy.Default = true, policy.Deny }, ignores},
		"unknown":                            {unknown, denies},
		"unknown, the service is exempt":     {func(w *world) { unknown(w); exempt(policy.Entry{Services: []string{"sshd"}})(w) }, ignores},
		"a group that cannot be looked up":   {group(wire.LookupFailed), denies},
		"another name for an enrolled user":  {alias, allows},
		"no policy":                          {func(w *world) { w.fault.call = "Policy" }, denies},
		"exempt, and nothing can be written": {func(w *world) { w.policy.Default, w.fault.call = policy.Exempt, "Append" }, ignores},
		"exempt, and no state":               {func(w *world) { w.policy.Default, w.fault.call = policy.Exempt, "State" }, ignores},
		"sudo":                               {func(w *world) { w.hello.Service, w.policy.Default = "sudo", policy.Deny }, ignores},
		"su":                                 {func(w *world) { w.hello.Service, w.policy.Default = "su-l", policy.Deny }, ignores},
	} {
		w.reset()
		c.prepare(w)
		got, _ := w.opened()
		if got != c.verdict {
			t.Errorf("%s: %#x, want %#x", name, got, c.verdict)
		}
		if len(w.prompts)+len(w.infos) > 0 {
			t.Errorf("%s: asked %q and told %q: that breaks sftp", name, w.prompts, w.infos)
		}
		if got == denies && (len(w.log) != 1 || w.log[0].Outcome != audit.Failure || w.log[0].Action != "session-opened" || w.log[0].Reason == "") {
			t.Errorf("%s: recorded as %+v", name, w.log)
		}
	}
}

// sshKey is what sshd says of a client that has shown a key, with the fingerprint that follows from it.
const sshKey = "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKmr1UmOy6RNtb9RxNmDiyUUPzlPT0kjlNOYuqRTjpzk\n"

func TestASessionByKeyIsRecordedWithWhyThatWasEnough(t *testing.T) {
	w := newWorld(t)
	byKey := func(w *world) { w.hello.SSHAuthInfo = sshKey }
	typed := func(w *world) { w.hello.SSHAuthInfo = "password\n" }
	grace := func(w *world) {
		notEnrolled(policy.Optional)(w)
		w.policy.Require = []policy.Entry{{Users: []string{"bob"}, By: policy.Date{Year: 2026, Month: 12, Day: 31}}}
	}
	for reason, prepare := range map[string]func(*world){
		"ssh key only; the default is required; a device is enrolled (default)":  byKey,
		"ssh key only; the default is required; no device is enrolled (default)": then(notEnrolled(policy.Required), byKey),
		"not asked; the default is required; a device is enrolled (default)":     typed,
		"optional; the default is optional; no device is enrolled (default)":     then(notEnrolled(policy.Optional), byKey),
		`exempt by exempt[0]; about user "alice"`:                                then(exempt(policy.Entry{Users: []string{"alice"}}), byKey),
		"switched off": func(w *world) { w.policy.Off = true },
		"optional; the lists do not count where one's own devices are changed; no device is enrolled (service twokey-self)": func(w *world) {
			notEnrolled(policy.Optional)(w)
			w.policy.Off, w.hello.Service = true, policy.SelfService
		},
		`grace until 2026-12-31; about user "bob"; no device is enrolled, which is let pass until 24:00 of 2026-12-31 (require[0])`: grace,
		"observed; ssh key only; the default is required; a device is enrolled (default)":                                           observed(byKey),
		"not asked; the default is required; a device is enrolled (default); " + errFault.Error():                                   func(w *world) { w.fault.call = "Secrets" },
	} {
		w.reset()
		prepare(w)
		if _, factor := w.opened(); factor != "none" || !slices.Equal(w.reasons(), []string{reason}) {
			t.Errorf("recorded %q with %q, want %q", w.reasons(), factor, reason)
		}
	}
}

// What only an observed policy would have refused is a session that opens, and counts as one without a second factor.
func TestASessionThatIsOnlyObservedIsRecordedAsOneWithoutASecondFactor(t *testing.T) {
	w := newWorld(t)
	observed(session(policy.Deny, false))(w)
	if got, factor := w.opened(); got != ignores || factor != "none" || w.log[0].Outcome != audit.Unknown {
		t.Errorf("%#x, recorded as %+v", got, w.log)
	}
}

// By which methods sshd was satisfied stands in each record of a session that it opens.
func TestEachRecordOfASSHSessionNamesItsMethods(t *testing.T) {
	w := newWorld(t)
	for want, info := range map[string]string{
		"": "", "publickey": sshKey, "publickey,keyboard-interactive": sshKey + "keyboard-interactive/pam\n", "password": "password\n",
	} {
		for name, prepare := range map[string]func(*world){"opened": func(*world) {}, "refused": func(w *world) { w.policy.Default = policy.Deny },
			"exempt": func(w *world) { w.policy.Default = policy.Exempt }} {
			w.reset()
			prepare(w)
			w.hello.SSHAuthInfo = info
			w.opened()
			var found string
			for _, d := range w.log[0].Details {
				found += d.Key + "=" + d.Value
			}
			if want != "" && found != "twokey.ssh_auth="+want || want == "" && found != "" {
				t.Errorf("%s: %q: %q", name, info, found)
			}
		}
	}
}

func TestMustRefuseASSHKeyAloneWhereThePolicySaysSo(t *testing.T) {
	w := newWorld(t)
	key := func(w *world) { w.policy.SSHKeysAlone, w.hello.SSHAuthInfo = policy.KeysDeny, sshKey }
	by := func(info string) func(*world) { return func(w *world) { w.hello.SSHAuthInfo = info } }
	for name, c := range map[string]struct {
		prepare func(*world)
		verdict wire.Type
	}{
		"required":                               {key, denies},
		"required, without a device":             {then(key, notEnrolled(policy.Required)), denies},
		"required, a success of before":          {then(session(policy.Required, true), key), allows},
		"optional, with a device":                {then(key, func(w *world) { w.policy.Default = policy.Optional }), allows},
		"exempt":                                 {then(key, exempt(policy.Entry{Users: []string{"alice"}})), ignores},
		"switched off":                           {then(key, func(w *world) { w.policy.Off = true }), ignores},
		"observed":                               {observed(key), ignores},
		"key and password":                       {then(key, func(w *world) { w.hello.SSHAuthInfo += "password\n" }), allows},
		"key and keyboard-interactive":           {then(key, func(w *world) { w.hello.SSHAuthInfo += "keyboard-interactive/pam\n" }), allows},
		"not over ssh":                           {then(key, by(""), func(w *world) { w.hello.Service = "login" }), allows},
		"sshd says nothing":                      {then(key, by("")), denies},
		"Kerberos":                               {then(key, by("gssapi-with-mic\n")), denies},
		"Kerberos while keys are exchanged":      {then(key, by("gssapi-keyex\n")), denies},
		"a host's key":                           {then(key, by("hostbased ssh-ed25519 AAAA\n")), denies},
		"a method that is not known":             {then(key, by("magic\n")), denies},
		"that, by another name of sshd":          {then(key, by("magic\n"), func(w *world) { w.hello.Service = "sshd-admin" }), denies},
		"a key that is cut off":                  {then(key, by("publickey")), denies},
		"a method that is not known, optional":   {then(key, by("magic\n"), func(w *world) { w.policy.Default = policy.Optional }), allows},
		"a security key, which the policy likes": {then(key, securityKey), ignores},
		"a key that is none, which it likes":     {then(key, securityKey, func(w *world) { w.hello.SSHAuthInfo = sshKey }), denies},
	} {
		w.reset()
		c.prepare(w)
		if got, _ := w.opened(); got != c.verdict {
			t.Errorf("%s: %#x, want %#x, recorded %q", name, got, c.verdict, w.reasons())
		}
	}
}

// securityKey is a policy that takes a key in hardware for the second factor, and somebody who has one.
func securityKey(w *world) {
	w.policy.Rules = []policy.Rule{{Name: "hardware", SSHAuth: []string{"security-key"}, Then: policy.Exempt}}
	w.hello.SSHAuthInfo = "publickey sk-ssh-ed25519@openssh.com AAAA\n"
}

// Attack: keep a connection open, whose success is from long ago, and open the session when nobody sits there any more.
func TestALateSessionIsRefusedAsOftenAsItIsTried(t *testing.T) {
	w := newWorld(t)
	for name, openedBefore := range map[string]bool{"the first session": false, "one after another": true} {
		w.reset()
		w.policy.OpenWithin = time.Minute
		if got := w.frame(); got != allows {
			t.Fatalf("%s: the login: %#x", name, got)
		}
		if openedBefore {
			if got, factor := w.opened(); got != allows || factor != "totp" {
				t.Errorf("%s: in time: %#x with %q", name, got, factor)
			}
			if got, factor := w.opened(); got != allows || factor != "none" {
				t.Errorf("%s: the second in time: %#x with %q", name, got, factor)
			}
		}
		w.now = w.now.Add(time.Minute + time.Second)
		for range 3 {
			if got, _ := w.opened(); got != denies || w.log[len(w.log)-1].Reason != errLate.Error() {
				t.Errorf("%s: %#x, recorded %q", name, got, w.reasons())
			}
		}
		w.hello.Phase = wire.PhaseAuthenticate
		if got := w.again(w.code(0)); got != allows {
			t.Errorf("%s: a new login: %#x", name, got)
		}
		if got, factor := w.opened(); got != allows || factor != "totp" {
			t.Errorf("%s: its session: %#x with %q", name, got, factor)
		}
		w.now, w.policy.Default = w.now.Add(time.Hour), policy.Exempt
		if got, _ := w.opened(); got != ignores {
			t.Errorf("%s: who is not subject to the policy any more: %#x", name, got)
		}
	}
}

// Attack: reach the account phase without our authenticate, as by a key alone, su by root or cron.
func TestTheAccountPhaseDeniesAndSaysSo(t *testing.T) {
	w := newWorld(t)
	for name, l := range logins() {
		w.reset()
		l.prepare(w)
		w.hello.Phase, w.enrol.announced = wire.PhaseAccount, nil
		if got := w.frame(); got != denies || !slices.Equal(w.reasons(), []string{errNothingWaits.Error()}) {
			t.Errorf("%s: %#x, recorded %q", name, got, w.reasons())
		}
	}
}

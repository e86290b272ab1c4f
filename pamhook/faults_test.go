package pamhook

import (
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/audit"
	"twokey/factor"
	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/secrets"
	"twokey/state"
)

// login is one login and how it ends when nothing fails.
type login struct {
	prepare func(*world)
	verdict wire.Type
	reason  string // in the audit log; "": nothing is recorded
}

const (
	allows  = wire.TypeAllow
	denies  = wire.TypeDeny
	ignores = wire.TypeIgnore
)

// logins are the ways that a login can take.
func logins() map[string]login {
	return map[string]login{
		"a right code":                     {func(*world) {}, allows, "right code"},
		"a right code of a known source":   {known(atHome), allows, "right code"},
		"a wrong code":                     {typing((*world).wrongCode), denies, "wrong code"},
		"a code that was used":             {used, denies, "code used before"},
		"two codes in a row":               {typing(pair), allows, "right code"},
		"a wrong pair":                     {typing(func(w *world) string { return w.code(0) + w.wrongCode() }), denies, "wrong code"},
		"a recovery code":                  {typing(func(*world) string { return recovery[0] }), allows, "recovery code; 1 left"},
		"a recovery code that was used":    {usedRecovery, denies, "code used before"},
		"an empty answer":                  {typing(func(*world) string { return " " }), denies, "empty answer"},
		"rubbish for an answer":            {typing(func(*world) string { return "correct horse battery" }), denies, "wrong code"},
		"a code of another length":         {typing(func(*world) string { return "12345678" }), denies, "wrong code"},
		"no answer":                        {none(wire.ConversationFailed), denies, "no answer"},
		"the password for an answer":       {none(wire.AnswerIsPassword), denies, "the application answered with the password"},
		"sshd's junk for an answer":        {none(wire.AnswerIsJunk), denies, "the application answered with the password"},
		"an answer that is too long":       {none(wire.AnswerTooLong), denies, "answer too long"},
		"a client that has gone":           {none(wire.ClientGone), denies, "the client has gone"},
		"throttled":                        {throttled((*world).wrongCode), denies, "throttled: only two codes in a row are looked at"},
		"throttled, with the right code":   {throttled(func(w *world) string { return w.code(0) }), denies, "throttled: only two codes in a row are looked at"},
		"throttled, with a right pair":     {throttled(pair), allows, "right code"},
		"an unknown user":                  {unknown, denies, "unknown user"},
		"names that cannot be looked up":   {func(w *world) { unknown(w); w.hello.Flags |= wire.FlagLookupFailed }, denies, "the name service did not answer"},
		"required without a device":        {notEnrolled(policy.Required), denies, "the default is required; no device is enrolled (default)"},
		"optional without a device":        {notEnrolled(policy.Optional), ignores, ""},
		"optional with a device":           {func(w *world) { w.policy.Default = policy.Optional }, allows, "right code"},
		"denied":                           {func(w *world) { w.policy.Default = policy.Deny }, denies, "the default is deny (default)"},
		"exempt":                           {func(w *world) { w.policy.Default = policy.Exempt }, ignores, ""},
		"required by a group":              {group(wire.Member), allows, "right code"},
		"not in the group, else exempt":    {group(wire.NotMember), ignores, ""},
		"a group that is not there":        {group(wire.NoSuchGroup), ignores, ""},
		"a group that cannot be looked up": {group(wire.LookupFailed), denies, `group lookup failed: group "staff": the name service did not answer; a device is enrolled (require[0])`},
		"reset, though optional":           {reset, denies, "the default is optional; no device is enrolled since the reset (default)"},
		"the secret file of a user is gone": {func(w *world) { w.record, w.policy.Default = nil, policy.Optional }, denies,
			errFileGone.Error()},
		"another name for the user id": {alias, denies, `user id 1000 was enrolled as "alice": twokey adopt`},
		"another user id":              {func(w *world) { w.hello.UID = otherUID }, denies, errForeignUID.Error()},
		"an old secret file":           {func(w *world) { w.record.Serial = 4 }, denies, "the secret file is older than one that was used before"},
		"the state was lost":           {lost, allows, "right code"},
		"a decoy line":                 {func(w *world) { w.hello.Flags = wire.FlagDecoy }, denies, "no right password before it"},
		"observed, a right code":       {func(w *world) { w.policy.Observe = true }, allows, "right code"},
		"observed, a wrong code":       {observed(typing((*world).wrongCode)), ignores, "would have denied: wrong code"},
		"observed, not enrolled": {observed(notEnrolled(policy.Required)), ignores,
			"would have denied: the default is required; no device is enrolled (default)"},
		"observed, unknown":                     {observed(unknown), ignores, "would have denied: unknown user"},
		"observed, a decoy line":                {observed(func(w *world) { w.hello.Flags = wire.FlagDecoy }), denies, "no right password before it"},
		"switched off":                          {func(w *world) { w.policy.Off = true }, ignores, ""},
		"the account phase":                     {func(w *world) { w.hello.Phase = wire.PhaseAccount }, denies, "nothing waits for the account phase"},
		"enrolment, announced":                  {mustEnrol, allows, "the default is required; no device is enrolled (default)"},
		"enrolment, with a code":                {announced, allows, "enrolled at login"},
		"enrolment, without a code":             {then(announced, withoutCode), allows, "enrolled at login"},
		"enrolment, by SMS":                     {byText, allows, "enrolled at login"},
		"enrolment, by push":                    {byPush, allows, "enrolled at login"},
		"enrolment, not needed any more":        {then(announced, func(w *world) { w.policy.Default = policy.Optional }), allows, "no device is needed any more: the default is optional; no device is enrolled (default)"},
		"enrolment, the user has gone":          {then(announced, func(w *world) { w.script = w.script[:2] }), denies, "the client has gone"},
		"enrolment, enrolled meanwhile":         {then(announced, func(w *world) { w.enrol.meanwhile = true }), denies, ErrMeanwhile.Error()},
		"a session after a code":                {session(policy.Required, true), allows, "second factor given"},
		"a session by key alone":                {session(policy.Required, false), allows, "not asked; the default is required; a device is enrolled (default)"},
		"a session of somebody who is denied":   {session(policy.Deny, false), denies, "the default is deny (default)"},
		"a session of somebody who is exempt":   {session(policy.Exempt, false), ignores, "exempt by default; the default is exempt"},
		"observed, a session that is denied":    {observed(session(policy.Deny, false)), ignores, "would have denied: the default is deny (default)"},
		"appended, a right code":                {appended("hunter2", code), allows, "right code"},
		"appended, a right recovery code":       {appended("hunter2", func(*world) string { return recovery[0] }), allows, "recovery code; 1 left"},
		"appended, a wrong code":                {appended("hunter2", (*world).wrongCode), denies, "wrong code"},
		"appended, a password alone":            {appended("hunter2", nothing), denies, errNotDivided.Error()},
		"appended, a code alone":                {appended("", code), denies, errNotDivided.Error()},
		"appended, nothing":                     {appended("", nothing), denies, errNotDivided.Error()},
		"appended, throttled":                   {then(appended("hunter2", code), func(w *world) { w.change(empty(w.now)) }), denies, errThrottled.Error()},
		"appended, a module of version 1":       {then(appended("hunter2", code), oldModule), denies, errOldModule.Error()},
		"appended, no answer":                   {then(appended("hunter2", code), none(wire.ConversationFailed)), denies, "no answer"},
		"appended, unknown":                     {then(appended("hunter2", (*world).wrongCode), unknown), denies, "unknown user"},
		"appended, required without a device":   {then(appended("hunter2", (*world).wrongCode), notEnrolled(policy.Required)), denies, "the default is required; no device is enrolled (default)"},
		"appended, optional without a device":   {then(appended("hunter2", nothing), notEnrolled(policy.Optional)), ignores, ""},
		"appended, switched off":                {then(appended("hunter2", nothing), func(w *world) { w.policy.Off = true }), ignores, ""},
		"appended, observed, a wrong code":      {observed(appended("hunter2", (*world).wrongCode)), ignores, "would have denied: wrong code"},
		"earlier, after a code":                 {then(asking(policy.Earlier), known(atHome)), allows, "a code was given from the same source at 2026-11-21T12:00:10Z"},
		"earlier, without one":                  {asking(policy.Earlier), denies, errNotBefore.Error()},
		"earlier, unknown":                      {then(asking(policy.Earlier), unknown), denies, "unknown user"},
		"earlier, required without a device":    {then(asking(policy.Earlier), notEnrolled(policy.Required)), denies, "the default is required; no device is enrolled (default)"},
		"earlier, from no place":                {then(asking(policy.Earlier), known("tty:"), nowhere), denies, errManyPeople.Error()},
		"earlier, another user id":              {then(asking(policy.Earlier), known(atHome), func(w *world) { w.hello.UID = otherUID }), denies, errForeignUID.Error()},
		"earlier, optional without a device":    {then(asking(policy.Earlier), notEnrolled(policy.Optional)), ignores, ""},
		"never, enrolled":                       {asking(policy.Never), denies, `the default is required; a device is enrolled; service "sshd" cannot ask (default)`},
		"never, required without a device":      {then(asking(policy.Never), notEnrolled(policy.Required)), denies, `the default is required; no device is enrolled; service "sshd" cannot ask (default)`},
		"never, unknown":                        {then(asking(policy.Never), unknown), denies, "unknown user"},
		"never, optional without a device":      {then(asking(policy.Never), notEnrolled(policy.Optional)), ignores, ""},
		"no login":                              {asking(policy.NotALogin), ignores, ""},
		"remembered":                            {remembered(atHome), allows, "remembered since 2026-11-21T12:00:10Z"},
		"remembered from elsewhere":             {remembered(foreigner), denies, "wrong code"},
		"remembered, but denied":                {then(remembered(atHome), func(w *world) { w.policy.Default = policy.Deny }), denies, "the default is deny (default)"},
		"remembering, an unknown user":          {then(remembered(atHome), unknown), denies, "unknown user"},
		"a session of a service that is closed": {then(session(policy.Required, false), asking(policy.Never)), denies, `the default is required; a device is enrolled; service "sshd" cannot ask (default)`},
		"a session for the target of sudo":      {func(w *world) { w.hello.Phase, w.hello.Service = wire.PhaseOpenSession, "sudo" }, ignores, ""},
	}
}

// then prepares in this order.
func then(all ...func(*world)) func(*world) {
	return func(w *world) {
		for _, prepare := range all {
			prepare(w)
		}
	}
}

func asking(way policy.Way) func(*world) {
	return func(w *world) { w.policy.Services = map[string]policy.Way{"sshd": way} }
}

// appended is a service with one field, into which a password and a code are typed.
func appended(password string, code func(*world) string) func(*world) {
	return func(w *world) {
		asking(policy.Appended)(w)
		w.field = []byte(password + code(w))
	}
}

func code(w *world) string { return w.code(0) }

func nothing(*world) string { return "" }

func oldModule(w *world) { w.hello.Version = wire.OldVersion }

// nowhere is a server that runs as root and does not say for whom.
func nowhere(w *world) { w.hello.RHost, w.hello.Client = "", "" }

// remembered is somebody who has given a code from a source just now, and types a wrong one when he is asked.
func remembered(source string) func(*world) {
	return func(w *world) {
		w.policy.Remember = time.Hour
		w.answer = []byte(w.wrongCode())
		w.change(func(st *state.State) { st.Remember(state.RememberKey(source, "sshd", "", w.policy.Methods), w.now) })
	}
}

func typing(answer func(*world) string) func(*world) {
	return func(w *world) { w.answer = []byte(answer(w)) }
}

func none(reason wire.NoAnswer) func(*world) { return func(w *world) { w.none = reason } }

func pair(w *world) string { return w.code(0) + " " + w.code(1) }

func used(w *world) { w.change(consume(w.step())) }

func usedRecovery(w *world) {
	w.answer = []byte(recovery[1])
	w.change(func(st *state.State) { st.Recovery.Used = 1 << 1 })
}

func throttled(answer func(*world) string) func(*world) {
	return func(w *world) {
		w.answer = []byte(answer(w))
		w.change(empty(w.now))
	}
}

func known(source string) func(*world) {
	return func(w *world) {
		w.change(func(st *state.State) {
			st.Succeeded(state.Attempt{Source: source, Cost: state.One, Now: w.now})
			st.Remember(state.EarlierKey(source, "totp"), w.now)
		})
	}
}

func unknown(w *world) {
	w.hello.User, w.hello.Name, w.hello.UID, w.hello.GIDs = "mallory", "", 0, nil
}

// notEnrolled is somebody of whom nothing is known.
func notEnrolled(d policy.Decision) func(*world) {
	return func(w *world) {
		w.policy.Default = d
		w.hello.User, w.hello.Name, w.hello.UID = "bob", "bob", 1001
	}
}

func group(m wire.Membership) func(*world) {
	return func(w *world) {
		w.policy.Default, w.policy.Require = policy.Exempt, []policy.Entry{{Groups: []string{"staff"}}}
		w.members = map[string]wire.Membership{"staff": m}
	}
}

func reset(w *world) {
	w.policy.Default, w.record = policy.Optional, nil
	w.change(func(st *state.State) {
		st.RemoveDevice(st.Devices[0].ID)
		st.MustEnroll = true
	})
}

func alias(w *world) {
	w.policy.Default = policy.Optional
	w.hello.User, w.hello.Name = "alicia", "alicia"
}

func lost(w *world) { must(w.t, w.states.Remove("alice")) }

func observed(prepare func(*world)) func(*world) {
	return func(w *world) {
		prepare(w)
		w.policy.Observe = true
	}
}

// session is a session, of the parent of the process that asked for a code just now if anybody did.
func session(d policy.Decision, asked bool) func(*world) {
	return func(w *world) {
		w.hello.Phase, w.policy.Default = wire.PhaseOpenSession, d
		if asked {
			w.change(func(st *state.State) {
				h := w.host()
				st.Devices[0].Used = w.now
				st.AddSuccess(state.Success{Process: h.Application, Service: "sshd", Method: "totp", Device: "phone", Source: atHome, Time: w.now}, w.now)
			})
		}
	}
}

func TestHowLoginsEnd(t *testing.T) {
	w := newWorld(t)
	for name, l := range logins() {
		w.reset()
		l.prepare(w)
		if got := w.frame(); got != l.verdict {
			t.Errorf("%s: %#x, want %#x", name, got, l.verdict)
		}
		if reasons := w.reasons(); l.reason == "" && len(reasons) > 0 || l.reason != "" && !slices.Contains(reasons, l.reason) {
			t.Errorf("%s: recorded %q, want %q", name, reasons, l.reason)
		}
		w.checkWords(name)
	}
}

// checkWords checks that whoever was asked and denied has read what everybody reads.
func (w *world) checkWords(name string) {
	w.t.Helper()
	if w.hello.Phase == wire.PhaseAccount {
		return // its words are those of an enrolment
	}
	for _, text := range w.prompts {
		if want := map[bool]string{false: "Verification code: ", true: "Password and code: "}[w.field != nil]; text != want && w.fault.call != "Policy" {
			w.t.Errorf("%s: asked %q", name, text)
		}
	}
	for _, text := range w.infos {
		if text != "Login failed. Please check your login details and try again. Otherwise contact the IT desk." &&
			!(w.fault.call == "Policy" && strings.HasSuffix(text, "Otherwise contact your administrator.")) {
			w.t.Errorf("%s: told %q", name, text)
		}
	}
	denied := slices.ContainsFunc(w.log, func(r audit.Record) bool { return r.Action == audit.ActionLogin && r.Outcome == audit.Failure })
	asks, words := 1, 1
	switch way := w.policy.WayOf("sshd"); {
	case way == policy.Appended && w.fault.call != "Policy":
		words = 0
	case way != policy.Prompt && way != policy.Appended, name == "remembered", name == "enrolment, announced":
		asks = len(w.prompts)
	}
	if denied && !w.fault.panics && (len(w.prompts) != asks || len(w.infos) != words) {
		w.t.Errorf("%s: denied with %d questions and %d words", name, len(w.prompts), len(w.infos))
	}
}

// notNeeded reports whether a login goes on without what the fault is in: an account that may be a system account or not is asked; a
// session needs secrets only for the words of its record (whoever has a key is not locked out by a host key that cannot be read), and
// Read, the second State and Info for a notice.
func (w *world) notNeeded(f fault) bool {
	return f.call == "System" || w.hello.Phase == wire.PhaseAccount && f.call == "Info" || w.hello.Phase == wire.PhaseOpenSession &&
		(slices.Contains([]string{"Secrets", "Enrolled", "Read", "Info"}, f.call) || f.call == "State" && f.number == 2)
}

// Every call of every dependency fails once, in every way that a login can take, by an error and by a panic.
func TestMustDenyWhateverFailsAndLeaveTheReason(t *testing.T) {
	w := newWorld(t)
	faults := 0
	for name, l := range logins() {
		w.reset()
		l.prepare(w)
		w.frame()
		count := map[string]int{}
		for _, call := range w.calls {
			count[call]++
		}
		for call, n := range count {
			for number := range n + 1 { // 0 is all of them
				for _, panics := range []bool{false, true} {
					if number == 0 && (panics || n == 1) { // which is the first call's
						continue
					}
					w.reset()
					l.prepare(w)
					w.fault = fault{call, number, panics}
					w.checkFault(name, l)
					faults++
				}
			}
		}
	}
	t.Logf("%d faults", faults)
	if faults < 500 {
		t.Errorf("only %d faults", faults)
	}
}

func (w *world) checkFault(name string, l login) {
	w.t.Helper()
	verdict := w.run()
	recorded := slices.ContainsFunc(w.log, func(r audit.Record) bool { return r.Outcome != audit.Success && r.Reason != "" })
	switch {
	case !w.hit:
		w.t.Errorf("%s: %+v did not come about", name, w.fault)
	case w.fault.panics:
		crash := slices.ContainsFunc(w.log, func(r audit.Record) bool { return r.Reason == "the helper crashed" })
		if verdict != nil || len(w.warnings) == 0 || !crash && w.fault.call != "Append" && w.fault.call != "Policy" {
			w.t.Errorf("%s: %+v: verdict %v, recorded %q, warned %q", name, w.fault, verdict, w.reasons(), w.warnings)
		}
	case verdict.Frame() == allows && !w.notNeeded(w.fault):
		w.t.Errorf("%s: %+v: let in", name, w.fault)
	case verdict.Frame() == ignores && l.verdict != ignores && !w.policy.Observe:
		w.t.Errorf("%s: %+v: ignored", name, w.fault)
	case verdict.Frame() == denies && l.verdict != denies && w.policy.Observe && w.fault.call != "Policy":
		w.t.Errorf("%s: %+v: denied while only observed", name, w.fault)
	case verdict.Frame() == denies && !recorded && len(w.warnings) == 0:
		w.t.Errorf("%s: %+v: neither recorded nor warned of", name, w.fault)
	case verdict.Frame() == denies && !recorded && w.fault.call != "Append":
		w.t.Errorf("%s: %+v: not recorded: %q", name, w.fault, w.reasons())
	case w.fault.call == "Append" && len(w.warnings) == 0:
		w.t.Errorf("%s: %+v: not warned of", name, w.fault)
	}
	w.checkWords(name)
}

// What cannot be found out about a user is never that he is not enrolled, which would let him in unasked.
func TestMustNotTakeAFaultForNotEnrolled(t *testing.T) {
	w := newWorld(t)
	for _, call := range []string{"Policy", "Secrets", "Enrolled", "State", "NameOf", "Read"} {
		w.reset()
		notEnrolled(policy.Optional)(w)
		w.fault = fault{call: call, number: 1}
		if got := w.frame(); got != denies || !w.hit || len(w.prompts) != 1 {
			t.Errorf("%s: %#x, asked %q", call, got, w.prompts)
		}
	}
}

// Whatever the module says about the line that it stands in, a fault does not let in, and no phase but two can.
func TestMustDenyWhateverFailsInEveryPhaseAndWithEveryFlag(t *testing.T) {
	w := newWorld(t)
	calls := []string{"", "Policy", "Secrets", "Enrolled", "Load", "State", "Update", "Flush", "Sync", "Append", "Prompt"}
	for phase := wire.PhaseAuthenticate; phase <= wire.PhaseOpenSession; phase++ {
		for flags := range wire.Flags(32) {
			for _, call := range calls {
				w.reset()
				w.hello.Phase, w.hello.Flags, w.fault.call = phase, flags, call
				if flags&wire.FlagLookupFailed != 0 {
					w.hello.Name, w.hello.UID, w.hello.GIDs = "", 0, nil
				}
				possible := phase != wire.PhaseAccount && flags&wire.FlagLookupFailed == 0 &&
					(phase == wire.PhaseOpenSession || flags&wire.FlagDecoy == 0)
				got := w.frame()
				if w.notNeeded(w.fault) {
					w.hit = false
				}
				if got == allows && (w.hit || !possible) || got != allows && possible && !w.hit {
					t.Errorf("phase %d, flags %#x, fault in %q: %#x", phase, flags, call, got)
				}
			}
		}
	}
}

// An attempt that cannot be charged is not looked at: right or wrong makes no difference. Attack: ulimit -f 0; su.
func TestMustNotLookAtACodeWhoseChargeCannotBeWritten(t *testing.T) {
	w := newWorld(t)
	for name, answer := range map[string]func(*world) string{
		"right": func(w *world) string { return w.code(0) }, "wrong": (*world).wrongCode, "right pair": pair,
		"wrong pair":     func(w *world) string { return w.wrongCode() + w.wrongCode() },
		"right recovery": func(*world) string { return recovery[0] }, "wrong recovery": func(*world) string { return "zzzz-zzzz-zzzz" },
		"empty": func(*world) string { return "" }, "rubbish": func(*world) string { return "rubbish" },
	} {
		w.reset()
		w.answer, w.fault.call = []byte(answer(w)), "Flush"
		if got := w.frame(); got != denies || !slices.Equal(w.reasons(), []string{state.ErrWrongUser.Error()}) {
			t.Errorf("%s: %#x for %q", name, got, w.reasons())
		}
	}
}

// Twelve digits are one code of one device and two of the other. A pair that waits for its turn is looked at again: the attempt for
// the code must not be charged each time.
func TestAnAnswerThatWaitsForItsTurnIsChargedOnce(t *testing.T) {
	w := newWorld(t)
	long := w.record.Devices[0]
	long.ID, long.Name, long.Digits, long.Secret = secrets.ID{2}, "long", 12, []byte("another secret for a token")
	w.record.Devices = append(w.record.Devices, long)
	w.record.Serial++
	turn := state.Attempt{Source: foreigner, Cost: 40 * state.One, Now: w.now} // a turn of 2 s
	w.change(func(st *state.State) { st.ChargePair(turn) })
	w.hello.RHost = foreigner
	naps := 0
	w.naps = func() { naps++ }
	if got := w.again("000000000000"); got != denies || naps != 2 { // for the turn, and before he is told
		t.Fatalf("%#x after %d times of waiting", got, naps)
	}
	st, err := w.states.Read("alice")
	must(t, err)
	left := 0
	for st.Charge(state.Attempt{Source: foreigner, Cost: state.One, Now: w.now}) {
		left++
	}
	if left != 8 { // with two devices one costs a little more than one
		t.Errorf("%d attempts are left of 10, want 8", left)
	}
}

// An answer that nothing can be made of is not charged, and one that has to wait too long is not looked at.
func TestALongQueueOfPairsIsRefusedAndNotWaitedFor(t *testing.T) {
	w := newWorld(t)
	w.change(func(st *state.State) {
		st.ChargePair(state.Attempt{Source: foreigner, Cost: 1000 * state.One, Now: w.now})
	})
	naps := 0
	w.naps = func() { naps++ }
	if got := w.again(pair(w)); got != denies || naps != 1 || w.reasons()[0] != errThrottled.Error() { // one, before he is told
		t.Errorf("%#x, %q after %d times of waiting", got, w.reasons(), naps)
	}
	w.now = w.now.Add(time.Minute)
	if got := w.again(pair(w)); got != allows {
		t.Errorf("a minute later: %#x, %q", got, w.reasons())
	}
}

// Others are always quicker to take the turn: the helper gives up before the module does.
func TestAPairThatNeverHasItsTurnIsRefusedInTime(t *testing.T) {
	w := newWorld(t)
	naps := 0
	w.naps = func() {
		if naps++; naps > 100 {
			panic("it waits for ever")
		}
		w.change(func(st *state.State) {
			st.ChargePair(state.Attempt{Source: foreigner, Cost: 40 * state.One, Now: w.now})
		})
	}
	w.naps()
	if got := w.again(pair(w)); got != denies || w.reasons()[0] != errThrottled.Error() || w.slept != pairStep {
		t.Errorf("%#x, %q after %v", got, w.reasons(), w.slept)
	}
}

// The kinds of answers are those of package factor; a new one must be thought of here.
func TestEveryKindOfAnswerIsInTheLogins(t *testing.T) {
	w := newWorld(t)
	seen := map[factor.Kind]bool{}
	for _, l := range logins() {
		w.reset()
		l.prepare(w)
		seen[factor.ParseAnswer(string(w.answer)).Kind] = true
	}
	for kind := factor.Rubbish; kind <= factor.Recovery; kind++ {
		if !seen[kind] {
			t.Errorf("no login with an answer that is %v", kind)
		}
	}
}

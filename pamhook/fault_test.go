package pamhook

import (
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/state"
)

// atConsole is a login at the machine itself, of a host that forgives a disk that cannot be written there.
func atConsole(w *world) {
	w.hello.RHost, w.hello.Client, w.hello.TTY, w.policy.OnFault = "", "", "tty1", policy.FaultConsole
}

// Every call fails in turn as on a disk that cannot be written. Whoever is let in has given a right code that goes by the clock, is warned
// of, and nobody is but at the console.
func TestMustForgiveNothingButADiskThatCannotBeWritten(t *testing.T) {
	w := newWorld(t)
	forgivable := []string{"Update", "Sync", "Append"}
	for _, call := range []string{"Policy", "Secrets", "Enrolled", "Load", "State", "Update", "Sync", "Append", "Prompt"} {
		for name, c := range map[string]struct {
			prepare func(*world)
			in      bool
		}{
			"a right code":              {func(*world) {}, true},
			"two codes in a row":        {typing(pair), true},
			"a wrong code":              {typing((*world).wrongCode), false},
			"a recovery code":           {typing(func(*world) string { return recovery[0] }), call == "Append"},
			"a recovery code, used":     {usedRecovery, false},
			"a code that was used":      {used, false},
			"throttled":                 {func(w *world) { w.change(empty(w.now)) }, false},
			"another user id":           {func(w *world) { w.hello.UID = otherUID }, false},
			"an old secret file":        {func(w *world) { w.record.Serial-- }, false},
			"denied":                    {func(w *world) { w.policy.Default = policy.Deny }, false},
			"unknown":                   {unknown, false},
			"not the console":           {func(w *world) { w.hello.RHost = atHome }, false},
			"a terminal of a window":    {func(w *world) { w.hello.TTY = "pts/1" }, false},
			"su on a serial line":       {func(w *world) { w.hello.Service, w.hello.CallerUID, w.hello.TTY = "su", 33, "/dev/ttyS0" }, false},
			"sudo by root":              {func(w *world) { w.hello.Service = "sudo" }, false},
			"a program of the user's":   {func(w *world) { w.hello.CallerUID = aliceUID }, false},
			"a host that forgives no":   {func(w *world) { w.policy.OnFault = policy.FaultDeny }, false},
			"a decoy line":              {func(w *world) { w.hello.Flags = wire.FlagDecoy }, false},
			"the method does not count": {func(w *world) { w.policy.Methods = []string{"hotp", "recovery"} }, false},
		} {
			w.reset()
			atConsole(w)
			c.prepare(w)
			w.fault, w.failure = fault{call: call}, unix.EIO
			got := w.frame()
			in := c.in && slices.Contains(forgivable, call)
			if (got == allows) != in {
				t.Errorf("%s, %s: %#x, recorded %q", call, name, got, w.reasons())
			}
			if said := strings.Join(w.warnings, "\n"); in && !strings.Contains(said, "refused for that at the console: on_fault is allow-console") {
				t.Errorf("%s, %s: let in, and warned of %q", call, name, w.warnings)
			}
		}
	}
}

// Attack: damage the audit log, or limit the size of files, and log in at the console without a trace.
func TestMustForgiveAnAuditLogThatCannotBeWrittenAndNothingElseOfIt(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		failure error
		want    wire.Type
	}{
		"the disk is full":            {unix.ENOSPC, allows},
		"the disk is read-only":       {unix.EROFS, allows},
		"the quota is used up":        {unix.EDQUOT, allows},
		"the disk fails":              {unix.EIO, allows},
		"ulimit -f 0":                 {unix.EFBIG, denies},
		"too many files are open":     {unix.EMFILE, denies},
		"the folder is not writable":  {unix.EACCES, denies},
		"the lock cannot be had":      {unix.ENOLCK, denies},
		"something is wrong with it":  {errFault, denies},
		"it is gone":                  {unix.ENOENT, denies},
		"there is no memory":          {unix.ENOMEM, denies},
		"the folder cannot be opened": {unix.ELOOP, denies},
	} {
		for _, phase := range []wire.Phase{wire.PhaseAuthenticate, wire.PhaseOpenSession} {
			w.reset()
			atConsole(w)
			w.hello.Phase, w.fault, w.failure = phase, fault{call: "Append"}, c.failure
			if got := w.frame(); got != c.want {
				t.Errorf("%s, phase %d: %#x, want %#x", name, phase, got, c.want)
			}
		}
	}
}

// A login whose secret file is replaced while it reads it, by "recovery new" or "enroll --replace", is not refused for having read the
// old one.
func TestASecretFileThatIsReplacedMeanwhileIsReadOnceMore(t *testing.T) {
	w := newWorld(t)
	replaced := 0
	replace := func() {
		replaced++
		newer := *w.record
		newer.Serial++
		w.record = &newer
		w.change(func(st *state.State) { st.Serial = newer.Serial })
	}
	for name, c := range map[string]struct {
		times int
		want  wire.Type
	}{"once": {1, allows}, "again and again": {9, denies}} {
		w.reset()
		replaced = 0
		w.loads = func() {
			if replaced < c.times {
				replace()
			}
		}
		if got := w.frame(); got != c.want || replaced != min(c.times, 2) {
			t.Errorf("%s: %#x after %d, recorded %q", name, got, replaced, w.reasons())
		}
	}
}

func TestAnItemThatIsTooLongIsRefusedInEveryPhase(t *testing.T) {
	w := newWorld(t)
	for phase := wire.PhaseAuthenticate; phase <= wire.PhaseOpenSession; phase++ {
		for name, prepare := range map[string]func(*world){
			"required": func(*world) {}, "switched off": func(w *world) { w.policy.Off = true }, "observed": observed(func(*world) {}),
			"exempt": func(w *world) { w.policy.Default = policy.Exempt }, "without a name": func(w *world) { w.hello.User, w.hello.Service = "", "" },
		} {
			w.reset()
			prepare(w)
			w.hello.Phase, w.hello.Flags = phase, wire.FlagItemTooLong
			if got := w.frame(); got != denies || len(w.prompts) > 0 || !slices.Equal(w.reasons(), []string{errIncomplete.Error()}) {
				t.Errorf("phase %d, %s: %#x, recorded %q", phase, name, got, w.reasons())
			}
		}
	}
}

// Whether an account is a system account decides only what the policy says of system accounts; what cannot be found out asks.
func TestASystemAccountIsWhatTheHostSays(t *testing.T) {
	w := newWorld(t)
	exemptSystem := exempt(policy.Entry{SystemAccounts: true})
	for name, c := range map[string]struct {
		prepare func(*world)
		want    wire.Type
	}{
		"a system account, exempt":      {then(exemptSystem, func(w *world) { w.system = true }), ignores},
		"a person's":                    {exemptSystem, allows},
		"a system account, required":    {func(w *world) { w.system = true }, allows},
		"it cannot be found out":        {then(exemptSystem, func(w *world) { w.system, w.fault.call = true, "System" }), allows},
		"an unknown one, though system": {then(exemptSystem, unknown, func(w *world) { w.system = true }), denies},
	} {
		w.reset()
		c.prepare(w)
		if got := w.frame(); got != c.want {
			t.Errorf("%s: %#x, recorded %q", name, got, w.reasons())
		}
		if warned := len(w.warnings) > 0; warned != w.hit {
			t.Errorf("%s: warned of %q", name, w.warnings)
		}
	}
}

// What is not remembered must not be there when somebody has the policy remember: he means what comes.
func TestNothingIsKeptWhereNothingIsRemembered(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		prepare func(*world)
		kept    bool
	}{
		"remembered":            {func(w *world) { w.policy.Remember = time.Hour }, true},
		"not remembered":        {func(*world) {}, false},
		"sudo":                  {func(w *world) { w.policy.Remember, w.hello.Service = time.Hour, "sudo" }, false},
		"polkit":                {func(w *world) { w.policy.Remember, w.hello.Service = time.Hour, "polkit-1" }, false},
		"many people":           {func(w *world) { w.policy.Remember, w.hello.RHost = time.Hour, "UNKNOWN" }, false},
		"password and code":     {then(appended("hunter2", code), func(w *world) { w.policy.Remember = time.Hour }), false},
		"a shared source":       {func(w *world) { w.policy.Remember, w.policy.Shared = time.Hour, []string{atHome} }, false},
		"a code that was wrong": {then(typing((*world).wrongCode), func(w *world) { w.policy.Remember = time.Hour }), false},
	} {
		w.reset()
		c.prepare(w)
		w.frame()
		st, err := w.states.Read("alice")
		must(t, err)
		key := state.RememberKey(placeOf(&w.hello), w.hello.Service, "", policy.Methods())
		if _, kept := st.Remembered(key, time.Hour, w.now); kept != c.kept {
			t.Errorf("%s: kept %v, recorded %q", name, kept, w.reasons())
		}
	}
}

// What is remembered is looked at without a lock first: what "twokey forget" takes away before the lock is had counts no more.
func TestWhatIsForgottenMeanwhileIsNotRemembered(t *testing.T) {
	w := newWorld(t)
	remembered(atHome)(w)
	w.loads = func() { w.change((*state.State).ForgetSources) }
	if got := w.frame(); got != denies || len(w.prompts) != 1 {
		t.Errorf("%#x, asked %q, recorded %q", got, w.prompts, w.reasons())
	}
}

// How long a success is remembered is counted from the code, not from the login that it spared.
func TestWhatIsRememberedEndsInTime(t *testing.T) {
	w := newWorld(t)
	w.policy.Remember = time.Hour
	if got := w.frame(); got != allows {
		t.Fatalf("the code: %#x", got)
	}
	for _, c := range []struct {
		minutes time.Duration
		want    wire.Type
	}{{0, allows}, {30, allows}, {59, allows}, {61, denies}} {
		w.now = noon.Add(c.minutes * time.Minute)
		if got := w.again(w.wrongCode()); got != c.want {
			t.Errorf("after %d minutes: %#x, recorded %q", c.minutes, got, w.reasons())
		}
	}
	w.now = noon.Add(-time.Hour) // set back
	if got := w.again(w.wrongCode()); got != denies {
		t.Errorf("the clock was set back by an hour: %#x", got)
	}
}

package logintest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/enroll"
	"twokey/factor"
	"twokey/pamhook/logintest/scratch"
	"twokey/pamhook/wire"
	"twokey/policy"
)

const oneDay = 24 * time.Hour

// offFor switches off for a while from now on.
func offFor(d time.Duration) string {
	return "off_until: " + time.Now().Add(d).UTC().Format(time.RFC3339) + "\n"
}

// scene is one login that is not let in, or not asked.
type scene struct {
	settings string
	enrolled bool
	prepare  func(t *testing.T, h *host, phone *enroll.Draft)
	hello    func(*wire.Hello)
	answer   any // nil: the right code
	verdict  wire.Type
	reason   string // in the audit log
	silent   bool   // no prompt is expected
}

const deny, ignore, allow = wire.TypeDeny, wire.TypeIgnore, wire.TypeAllow

func TestWhoIsAskedAndWhatBecomesOfIt(t *testing.T) {
	scenes := map[string]scene{
		"a right code":                           {enrolled: true, verdict: allow, reason: "right code"},
		"a code with a space in it":              {enrolled: true, answer: "spaced", verdict: allow, reason: "right code"},
		"a wrong code":                           {enrolled: true, answer: "wrong", verdict: deny, reason: "wrong code"},
		"an empty answer":                        {enrolled: true, answer: "", verdict: deny, reason: "empty answer"},
		"an answer of a thousand bytes":          {enrolled: true, answer: strings.Repeat("1", 1000), verdict: deny, reason: "wrong code"},
		"an answer that is not UTF-8":            {enrolled: true, answer: "\xff\xfe12", verdict: deny, reason: "wrong code"},
		"an answer that was too long":            {enrolled: true, answer: wire.AnswerTooLong, verdict: deny, reason: "answer too long"},
		"the password for an answer":             {enrolled: true, answer: wire.AnswerIsPassword, verdict: deny, reason: "the application answered with the password"},
		"the text that sshd gives for an answer": {enrolled: true, answer: wire.AnswerIsJunk, verdict: deny, reason: "the application answered with the password"},
		"a client that has gone":                 {enrolled: true, answer: wire.ClientGone, verdict: deny, reason: "the client has gone"},
		"a conversation that failed":             {enrolled: true, answer: wire.ConversationFailed, verdict: deny, reason: "no answer"},
		"not enrolled and optional":              {verdict: ignore, silent: true},
		"not enrolled and required":              {settings: "default: required", verdict: deny, reason: "no device is enrolled"},
		"not enrolled and denied":                {settings: "default: deny", verdict: deny, reason: "default"},
		"enrolled and denied":                    {settings: "default: deny", enrolled: true, verdict: deny, reason: "default"},
		"enrolled and exempt":                    {settings: "exempt: [{users: [alice]}]", enrolled: true, verdict: ignore, silent: true},
		"enrolled and exempt on this service":    {settings: "exempt: [{services: [sshd]}]", enrolled: true, verdict: ignore, silent: true},
		"enrolled and exempt on another service": {settings: "exempt: [{services: [cron]}]", enrolled: true, verdict: allow, reason: "right code"},
		"switched off":                           {settings: "enabled: false\ndefault: required", enrolled: true, verdict: ignore, silent: true},
		"switched off, where devices are changed": {settings: "enabled: false", enrolled: true, answer: "wrong",
			hello: func(h *wire.Hello) { h.Service = policy.SelfService }, verdict: deny, reason: "wrong code"},
		"required by a group, member":                {settings: "require: [{groups: [staff]}]", verdict: deny, reason: "no device is enrolled"},
		"required by a group, not a member":          {settings: "require: [{groups: [users]}]", verdict: ignore, silent: true},
		"exempt by a group that cannot be looked up": {settings: "exempt: [{groups: [broken]}]", enrolled: true, verdict: deny, reason: "group"},
		"observed: a wrong code":                     {settings: "observe: true", enrolled: true, answer: "wrong", verdict: ignore, reason: "would have denied: wrong code"},
		"observed: required without a device":        {settings: "observe: true\ndefault: required", verdict: ignore, reason: "would have denied", silent: true},
		"an unknown user":                            {hello: unknown, verdict: deny, reason: "unknown"},
		"an unknown user under a required default":   {settings: "default: required", hello: unknown, verdict: deny, reason: "unknown"},
		"an unknown user while switched off":         {settings: "enabled: false", hello: unknown, verdict: ignore, silent: true},
		"a name service that does not answer":        {enrolled: true, hello: nameless, verdict: deny, reason: "name service"},
		"a decoy line and a right code":              {enrolled: true, hello: decoy, verdict: deny, reason: "no right password"},
		"a decoy line, not enrolled and optional":    {hello: decoy, verdict: deny, reason: "no right password"},
		"a decoy line and an exempt user":            {settings: "exempt: [{users: [alice]}]", hello: decoy, verdict: deny, reason: "no right password"},
		"a decoy line and an observed policy":        {settings: "observe: true", enrolled: true, hello: decoy, verdict: deny, reason: "no right password"},
		"a decoy line while switched off":            {settings: "enabled: false", enrolled: true, hello: decoy, verdict: deny, silent: true},
		"a decoy line on an exempt service":          {settings: "exempt: [{services: [sshd]}]", enrolled: true, hello: decoy, verdict: deny, silent: true},
		"after a reset, though optional":             {enrolled: true, prepare: reset, verdict: deny, reason: "since the reset"},
		"after a reset, but exempt":                  {settings: "exempt: [{users: [alice]}]", enrolled: true, prepare: reset, verdict: ignore, silent: true},
		"after unenroll":                             {enrolled: true, prepare: unenroll, verdict: ignore, silent: true},
		"another user id under the enrolled name":    {enrolled: true, hello: func(h *wire.Hello) { h.UID = 77 }, verdict: deny, reason: "user id"},
		"another name for the enrolled user id":      {enrolled: true, hello: func(h *wire.Hello) { h.User, h.Name = "alicia", "alicia" }, verdict: deny, reason: "was enrolled as"},
		"switched off until tomorrow":                {settings: offFor(oneDay) + "default: required", enrolled: true, verdict: ignore, silent: true},
		"switched off until yesterday":               {settings: "off_until: 2020-01-01T00:00:00Z\ndefault: required", enrolled: true, verdict: allow, reason: "right code"},
		"exempt from this address":                   {settings: "exempt: [{users: [alice], from: [192.0.2.0/24]}]", enrolled: true, verdict: ignore, silent: true},
		"exempt from another address":                {settings: "exempt: [{users: [alice], from: [198.51.100.0/24]}]", enrolled: true, verdict: allow, reason: "right code"},
		"exempt by a rule about the console":         {settings: "rules: [{tty: [console], then: exempt}]", enrolled: true, hello: console, verdict: ignore, silent: true},
		"the same from afar":                         {settings: "rules: [{tty: [console], then: exempt}]", enrolled: true, verdict: allow, reason: "right code"},
		"exempt by a key in hardware":                {settings: hardware, enrolled: true, hello: keyed("publickey sk-ssh-ed25519@openssh.com AAAA\n"), verdict: ignore, silent: true},
		"not exempt by a key in a file":              {settings: hardware, enrolled: true, hello: keyed(sshKey), verdict: allow, reason: "right code"},
		"not exempt by no key":                       {settings: hardware, enrolled: true, verdict: allow, reason: "right code"},
		"a system account":                           {settings: systemAccounts, hello: account(1, "/usr/sbin/nologin"), verdict: ignore, silent: true},
		"a low user id with a shell":                 {settings: systemAccounts, hello: account(1, "/bin/bash"), verdict: deny, reason: "no device is enrolled"},
		"a person without a shell":                   {settings: systemAccounts, hello: account(uid, "/usr/sbin/nologin"), verdict: deny, reason: "no device is enrolled"},
		"required, in the days that are given":       {settings: "require: [{users: [alice], by: 2999-01-01}]", verdict: ignore, silent: true},
		"required, after them":                       {settings: "require: [{users: [alice], by: 2020-01-01}]", verdict: deny, reason: "no device is enrolled"},
		"required, in them, after a reset":           {settings: "require: [{users: [alice], by: 2999-01-01}]", enrolled: true, prepare: reset, verdict: deny, reason: "since the reset"},
		"required, from a day to come":               {settings: "require: [{users: [alice], starts: 2999-01-01}]", verdict: ignore, silent: true},
		"denied by a rule on each day of the week":   {settings: "rules: [{users: [alice], weekdays: [mon, tue, wed, thu, fri, sat, sun], then: deny}]", enrolled: true, verdict: deny, reason: "rule"},
		"a service that is no login":                 {settings: "default: required", enrolled: true, hello: func(h *wire.Hello) { h.Service = "cron" }, verdict: ignore, silent: true},
		"a method that does not count":               {settings: "methods: [recovery]", enrolled: true, verdict: deny, reason: "method"},
		"an item that is too long":                   {enrolled: true, hello: func(h *wire.Hello) { h.Flags |= wire.FlagItemTooLong }, verdict: deny, reason: "too long", silent: true},
		"no policy at all":                           {enrolled: true, prepare: brokenConfig(true), verdict: deny},
		"a policy that has become wrong":             {enrolled: true, prepare: brokenConfig(false), verdict: allow, reason: "right code"},
	}
	for name, s := range scenes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.play(t)
		})
	}
}

const (
	hardware       = "rules: [{name: hardware, ssh_auth: [security-key], then: exempt}]"
	systemAccounts = "default: required\nexempt: [{system_accounts: true}]"
)

func keyed(info string) func(*wire.Hello) { return func(h *wire.Hello) { h.SSHAuthInfo = info } }

func account(uid uint32, shell string) func(*wire.Hello) {
	return func(h *wire.Hello) { h.UID, h.Shell = uid, shell }
}

func unknown(h *wire.Hello)  { h.Name, h.UID, h.GIDs, h.Home, h.Shell = "", 0, nil, "", "" }
func nameless(h *wire.Hello) { unknown(h); h.Flags |= wire.FlagLookupFailed }
func decoy(h *wire.Hello)    { h.Flags = wire.FlagDecoy }

func reset(t *testing.T, h *host, _ *enroll.Draft)    { must(t, h.Users.Reset("alice")) }
func unenroll(t *testing.T, h *host, _ *enroll.Draft) { must(t, h.Users.Unenroll("alice")) }

// brokenConfig makes the configuration wrong after it was good once, and forgets the good one if asked to.
func brokenConfig(forget bool) func(*testing.T, *host, *enroll.Draft) {
	return func(t *testing.T, h *host, _ *enroll.Draft) {
		h.run(h.login("alice", uid), talk{}) // which keeps the policy
		h.Configure("enabeld: true")
		if forget {
			kept, err := filepath.Glob(filepath.Join(h.Data(), "policy*"))
			must(t, err)
			if len(kept) != 1 {
				t.Fatalf("kept policies: %q", kept)
			}
			must(t, os.Remove(kept[0]))
		}
	}
}

func (s scene) play(t *testing.T) {
	h := newHost(t, s.settings)
	r := scratch.Request()
	phone, err := h.Users.Draft(enroll.Account{Name: "alice", UID: uid}, r)
	must(t, err)
	if s.enrolled {
		must(t, h.Users.Commit(phone))
	}
	if s.prepare != nil {
		s.prepare(t, h, phone)
	}
	hello := h.login("alice", uid)
	if s.hello != nil {
		s.hello(hello)
	}
	out := h.run(hello, talk{answers: []any{s.typed(t, phone)}, members: map[string]wire.Membership{
		"staff": wire.Member, "users": wire.NotMember, "broken": wire.LookupFailed}})
	if out.verdict != s.verdict || out.exit != 0 {
		t.Errorf("verdict %#x with exit status %d, want %#x", out.verdict, out.exit, s.verdict)
	}
	if want := map[bool]int{false: 1, true: 0}[s.silent]; len(out.prompts) != want || want == 1 && out.prompts[0] != "Verification code: " {
		t.Errorf("prompts %q", out.prompts)
	}
	if s.reason != "" && !strings.Contains(h.reasons(), s.reason) {
		t.Errorf("recorded %q, want something with %q", h.reasons(), s.reason)
	}
	h.Verified()
}

func (s scene) typed(t *testing.T, phone *enroll.Draft) any {
	right := scratch.Code(t, phone, 0)
	switch s.answer {
	case nil:
		return right
	case "wrong":
		return scratch.Wrong(t, phone)
	case "spaced":
		return " " + right[:3] + " " + right[3:] + "\n"
	}
	return s.answer
}

// reasons are the reasons of all records, one behind the other.
func (h *host) reasons() string {
	h.t.Helper()
	var all []string
	for _, e := range h.Last(50) {
		if e.Record != nil {
			all = append(all, e.Record.Reason)
		}
	}
	return strings.Join(all, "; ")
}

// Everything that can be wrong with the files: denied in the words of a wrong code, and the truth is in the log.
func TestFilesThatAreNotAsTheyShouldBeDeny(t *testing.T) {
	alice := func(h *host) string { return filepath.Join(h.Data(), "users", "alice.age") }
	states := func(h *host) string { return filepath.Join(h.Data(), "state", "alice") }
	faults := map[string]struct {
		spoil  func(t *testing.T, h *host)
		reason string
	}{
		"secret truncated":       {func(t *testing.T, h *host) { must(t, os.Truncate(alice(h), 150)) }, "damaged"},
		"secret of another user": {func(t *testing.T, h *host) { copyFile(t, filepath.Join(h.Data(), "users", "bob.age"), alice(h)) }, "another user"},
		"secret under another host key": {func(t *testing.T, h *host) {
			other := newHost(t, "")
			other.Enrol("alice", uid, scratch.Request())
			copyFile(t, alice(other), alice(h))
		}, "another host key"},
		"secret that is a symbolic link": {func(t *testing.T, h *host) {
			must(t, os.Rename(alice(h), alice(h)+".x"))
			must(t, os.Symlink(alice(h)+".x", alice(h)))
		}, "not a regular file"},
		"secret that is a FIFO":        {func(t *testing.T, h *host) { must(t, os.Remove(alice(h))); must(t, unix.Mkfifo(alice(h), 0o600)) }, "not a regular file"},
		"secret readable by its group": {func(t *testing.T, h *host) { must(t, os.Chmod(alice(h), 0o640)) }, "permissions too wide"},
		"secret of a foreign owner":    {func(t *testing.T, h *host) { must(t, os.Chown(alice(h), 65534, 0)) }, "wrong owner"},
		"secret that is empty":         {func(t *testing.T, h *host) { must(t, os.Truncate(alice(h), 0)) }, "damaged"},
		"state of random bytes": {func(t *testing.T, h *host) {
			must(t, os.WriteFile(states(h), []byte(strings.Repeat("x", 12288)), 0o600))
		}, "neither slot"},
		"state cut short": {func(t *testing.T, h *host) { must(t, os.Truncate(states(h), 4000)) }, "neither slot"},
		"state that is a symbolic link": {func(t *testing.T, h *host) {
			must(t, os.Rename(states(h), states(h)+"x"))
			must(t, os.Symlink(states(h)+"x", states(h)))
		}, "not a regular file"},
		"state of another user":    {func(t *testing.T, h *host) { copyFile(t, filepath.Join(h.Data(), "state", "bob"), states(h)) }, "another user"},
		"host key gone":            {func(t *testing.T, h *host) { must(t, os.Remove(filepath.Join(h.Dir, "host.key"))) }, "host.key"},
		"host key readable by all": {func(t *testing.T, h *host) { must(t, os.Chmod(filepath.Join(h.Dir, "host.key"), 0o644)) }, "permissions too wide"},
		"host key that is rubbish": {func(t *testing.T, h *host) {
			must(t, os.WriteFile(filepath.Join(h.Dir, "host.key"), []byte("AGE-SECRET-KEY-1X\n"), 0o600))
		}, "host key is not usable"},
		"folder of users writable by all":                   {func(t *testing.T, h *host) { must(t, os.Chmod(filepath.Join(h.Data(), "users"), 0o777)) }, "permissions too wide"},
		"rolled back":                                       {rollBack, "older than one"},
		"configuration writable by all, and no policy kept": {func(t *testing.T, h *host) { must(t, os.Chmod(h.Config, 0o666)) }, ""},
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, "")
			h.Enrol("bob", uid+1, scratch.Request())
			phone := h.Enrol("alice", uid, scratch.Request())
			f.spoil(t, h)
			out := h.run(h.login("alice", uid), talk{answers: []any{scratch.Code(t, phone, 0)}})
			if out.verdict != deny || len(out.prompts) != 1 {
				t.Errorf("%+v", out)
			}
			if len(out.infos) != 1 || !strings.HasPrefix(out.infos[0], "Login failed. Please check") {
				t.Errorf("the person was told %q", out.infos)
			}
			if f.reason != "" && !strings.Contains(h.reasons(), f.reason) {
				t.Errorf("recorded %q, want something with %q", h.reasons(), f.reason)
			}
		})
	}
}

// rollBack puts the file back that was there before the device was replaced, after a login with the new one.
func rollBack(t *testing.T, h *host) {
	path := filepath.Join(h.Data(), "users", "alice.age")
	old, err := os.ReadFile(path)
	must(t, err)
	r := scratch.Request()
	r.Replace = true
	draft := h.Enrol("alice", uid, r)
	if !h.answer(h.login("alice", uid), scratch.Code(t, draft, 0)) {
		t.Fatal("the new device is not accepted")
	}
	must(t, os.WriteFile(path, old, 0o600))
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, content, 0o600))
}

func TestARecoveryCodeLetsInOnce(t *testing.T) {
	h := newHost(t, "")
	r := scratch.Request()
	r.Recovery = 3
	phone := h.Enrol("alice", uid, r)
	typed := strings.ToUpper(strings.ReplaceAll(phone.RecoveryCodes[1], "-", " "))
	if !h.answer(h.login("alice", uid), typed) {
		t.Fatalf("refused: %s", h.reasons())
	}
	if h.answer(h.login("alice", uid), phone.RecoveryCodes[1]) {
		t.Error("accepted twice")
	}
	if !h.answer(h.login("alice", uid), phone.RecoveryCodes[0]) {
		t.Error("another one is refused")
	}
	if reasons := h.reasons(); !strings.Contains(reasons, "2 left") || !strings.Contains(reasons, "1 left") {
		t.Errorf("recorded %q", reasons)
	}
}

func TestWithoutItsStateADeviceGoesOnAndWhatIsCountedStaysClosed(t *testing.T) {
	h := newHost(t, "")
	r := scratch.Request()
	r.Recovery = 2
	phone := h.Enrol("alice", uid, r)
	must(t, h.Users.State.Remove("alice"))
	if h.answer(h.login("alice", uid), phone.RecoveryCodes[0]) {
		t.Error("a recovery code that may have been used before was accepted")
	}
	if !strings.Contains(h.reasons(), "twokey adopt") {
		t.Errorf("recorded %q", h.reasons())
	}
	if !h.answer(h.login("alice", uid), scratch.Code(t, phone, 0)) {
		t.Errorf("a code of the present time is refused: %s", h.reasons())
	}
	_, err := h.Users.Adopt(enroll.Account{Name: "alice", UID: uid})
	must(t, err)
	if !h.answer(h.login("alice", uid), phone.RecoveryCodes[0]) {
		t.Errorf("after adopt a recovery code is refused: %s", h.reasons())
	}
}

func TestASecretOnTwoDevicesGivesOneLogin(t *testing.T) {
	h := newHost(t, "")
	phone := h.Enrol("alice", uid, scratch.Request())
	record, err := h.Users.Secrets.Load("alice")
	must(t, err)
	twin := record.Devices[0]
	twin.Name, twin.ID[0] = "tablet", twin.ID[0]^1
	record.Devices = append(record.Devices, twin)
	record.Serial++
	must(t, h.Users.Secrets.Save(record))
	right := scratch.Code(t, phone, 0)
	if !h.answer(h.login("alice", uid), right) {
		t.Fatal("refused")
	}
	if h.answer(h.login("alice", uid), right) {
		t.Error("the code was good for the second device once more")
	}
}

func TestEachOfSeveralDevicesLetsIn(t *testing.T) {
	h := newHost(t, "")
	phone := h.Enrol("alice", uid, scratch.Request())
	record, err := h.Users.Secrets.Load("alice")
	must(t, err)
	r := counted()
	r.Device = "token"
	r.Params.Digits, r.Params.Algorithm = 8, factor.SHA256
	token, err := h.Users.Draft(enroll.Account{Name: "alice", UID: uid}, r)
	must(t, err)
	record.Devices = append(record.Devices, token.Device)
	record.Serial++
	must(t, h.Users.Secrets.Save(record))
	for device, answer := range map[string]string{"phone": scratch.Code(t, phone, 0), "token": scratch.Code(t, token, 0)} {
		if !h.answer(h.login("alice", uid), answer) {
			t.Errorf("%s: refused: %s", device, h.reasons())
		}
		if got := h.Last(1)[0].Record.Device; got != device {
			t.Errorf("%s is recorded as %q", device, got)
		}
	}
}

// Over a network the name service takes its time for each group: the same is asked for an account that does not exist.
func TestTheNameServiceIsAskedAsOftenForAnUnknownUser(t *testing.T) {
	h := newHost(t, "exempt: [{groups: [robots]}]\nrequire: [{groups: [staff, admins]}, {users: [root]}]")
	members := map[string]wire.Membership{"robots": wire.NotMember, "staff": wire.NotMember, "admins": wire.NotMember}
	asked := func(change func(*wire.Hello)) []string {
		hello := h.login("nobody-here", uid)
		decoy(hello)
		change(hello)
		return h.run(hello, talk{answers: []any{"000000"}, members: members}).groups
	}
	known, strange := asked(func(*wire.Hello) {}), asked(unknown)
	if len(known) != 3 || !slices.Equal(known, strange) {
		t.Errorf("asked about %q for an account, about %q for none", known, strange)
	}
}

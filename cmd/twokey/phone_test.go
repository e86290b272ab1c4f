package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"twokey/deliver/fakes"
	"twokey/factor"
	"twokey/internal/pamtest"
	"twokey/policy"
	"twokey/secrets"
)

// phoneHost is a host in a folder, with the programs as they are shipped: they send by twokey-notify.
type phoneHost struct {
	t            *testing.T
	dir, program string
}

func newPhoneHost(t *testing.T) *phoneHost {
	t.Helper()
	all, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	h := &phoneHost{t, t.TempDir(), all.dir + "/twokey"}
	h.run(exitDone, "", "init")
	return h
}

// run runs twokey with these lines as its standard input, and demands an exit status.
func (h *phoneHost) run(status int, stdin string, argv ...string) (out, complaint string) {
	h.t.Helper()
	cmd := exec.Command(h.program, append([]string{"--root=" + h.dir}, argv...)...)
	var stdout, stderr strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	_ = cmd.Run() // the status says it
	if got := cmd.ProcessState.ExitCode(); got != status {
		h.t.Fatalf("twokey %s: status %d, want %d:\n%s%s", strings.Join(argv, " "), got, status, stdout.String(), stderr.String())
	}
	return stdout.String(), stderr.String()
}

// terminal runs twokey at one.
func (h *phoneHost) terminal(argv ...string) *pamtest.Terminal {
	h.t.Helper()
	cmd := exec.Command(h.program, append([]string{"--root=" + h.dir}, argv...)...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "LC_ALL=C.UTF-8")
	return pamtest.OpenTerminal(h.t, cmd)
}

// answers types at questions.
func answers(x *pamtest.Terminal, pairs ...string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		x.Expect(pairs[i])
		x.Type(pairs[i+1] + "\n")
	}
}

func (h *phoneHost) read(path string) string {
	h.t.Helper()
	content, err := os.ReadFile(filepath.Join(h.dir, path))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(content)
}

// file is one with a credential.
func (h *phoneHost) file(name, content string) string {
	h.t.Helper()
	path := filepath.Join(h.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content+"\n"), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// credential demands a file that only root can read.
func (h *phoneHost) credential(name, want string) {
	h.t.Helper()
	path := "etc/twokey/credentials/" + name
	about, err := os.Stat(filepath.Join(h.dir, path))
	if err != nil || about.Mode().Perm() != 0o600 || h.read(path) != want+"\n" {
		h.t.Errorf("%s: %v, %v", path, about, err)
	}
}

// clean demands that none of these stands in what the host keeps for others to read, or in what was printed.
func (h *phoneHost) clean(printed string, secret ...string) {
	h.t.Helper()
	for _, place := range []string{printed, h.read("etc/twokey/twokey.yaml"), h.read("var/log/twokey/audit.jsonl")} {
		for _, s := range secret {
			if strings.Contains(place, s) {
				h.t.Errorf("%s stands in:\n%s", s, place)
			}
		}
	}
}

// twilioFlags are the flags for a server.
func twilioFlags(s *fakes.Twilio, token string) []string {
	return []string{"sms", "setup", "--provider", "twilio", "--account-sid", fakes.TwilioSID, "--sender", fakes.TwilioNumber, "--url", s.URL(),
		"--token-file", token, "--yes"}
}

const myNumber = "+447400123456"

var sixDigits = regexp.MustCompile(`\b[0-9]{6}\b`)

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// codeOf is the code in the next message.
func codeOf(t *testing.T, s *fakes.Twilio) string {
	t.Helper()
	m, err := s.Message(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	return sixDigits.FindString(m.Body)
}

func TestSMSIsSetUpAtATerminalAndTried(t *testing.T) {
	t.Parallel()
	h, server := newPhoneHost(t), fakes.NewTwilio(t)
	server.Trial(myNumber)
	x := h.terminal("sms", "setup", "--url", server.URL())
	answers(x, "[twilio]: ", "", "Account SID", fakes.TwilioSID, "is not shown): ", fakes.TwilioToken)
	x.Expect("is a trial account")
	x.Expect(twilioVerified)
	answers(x, "codes come from", fakes.TwilioNumber, "Enter: none): ", myNumber, "[y/N]", "y")
	x.Expect("A code was sent to +44 7400 123456 (United Kingdom).")
	code := codeOf(t, server)
	answers(x, "The code that came: ", wrongFor(code))
	x.Expect("that is not the code")
	answers(x, "The code that came: ", code)
	x.Expect("SMS works: codes come from +1 500 555 0006.")
	if status := x.Wait(); status != exitDone {
		t.Fatalf("status %d:\n%s", status, x.Screen())
	}
	h.credential("twilio-auth-token", fakes.TwilioToken)
	h.clean(x.Screen(), fakes.TwilioToken)
	h.clean("", code, "7400123456")
	config := h.read("etc/twokey/twokey.yaml")
	if !strings.Contains(config, "account_sid: "+fakes.TwilioSID) || !strings.Contains(config, "# Codes by SMS, the weakest of all") {
		t.Error(config)
	}
	x = h.terminal("sms", "setup") // twice: what is there is offered
	answers(x, "[twilio]: ", "", fakes.TwilioSID+"]: ", "", "keeps the one that is there", "", fakes.TwilioNumber+"]: ", "", "Enter: none): ", "")
	x.Expect("SMS is set up so already: nothing to change.")
	if status := x.Wait(); status != exitDone || h.read("etc/twokey/twokey.yaml") != config {
		t.Errorf("status %d:\n%s", status, x.Screen())
	}
	h.run(exitDone, "", "audit", "verify")
}

func TestSMSIsSetUpByFlags(t *testing.T) {
	t.Parallel()
	h, server := newPhoneHost(t), fakes.NewTwilio(t)
	out, _ := h.run(exitDone, fakes.TwilioToken+"\n", append(twilioFlags(server, "-"), "--json")...)
	var result setUp
	if err := json.Unmarshal([]byte(out), &result); err != nil || !result.Changed || result.Account == nil || result.Tested || len(result.Files) != 1 {
		t.Errorf("%v: %s", err, out)
	}
	h.credential("twilio-auth-token", fakes.TwilioToken)
	out, _ = h.run(exitDone, "", twilioFlags(server, h.file("token", fakes.TwilioToken))...)
	if !strings.Contains(out, "SMS is set up so already: nothing to change.") || len(server.Sent()) != 0 {
		t.Errorf("twice: %s", out)
	}
	out, _ = h.run(exitDone, "", "sms", "status")
	for _, want := range []string{"SMS works: codes come from +1 500 555 0006.", twilioConsole, twilioStatus, twilioSupport, "full"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is missing:\n%s", want, out)
		}
	}
	out, _ = h.run(exitDone, "", "sms", "test", "--number", myNumber)
	if sent := server.Sent(); len(sent) != 1 || sent[0].To != myNumber || !strings.Contains(sent[0].Body, "000000") || !strings.Contains(out, sent[0].SID) {
		t.Errorf("%+v: %s", sent, out)
	}
	// An API key in place of the token, and back.
	h.run(exitDone, "", append(twilioFlags(server, h.file("secret", fakes.TwilioKeySecret)), "--api-key-sid", fakes.TwilioKeySID)...)
	h.credential("twilio-api-key-secret", fakes.TwilioKeySecret)
	h.run(exitDone, "", append(twilioFlags(server, h.file("token", fakes.TwilioToken)), "--api-key-sid", "")...)
	h.run(exitDone, "", "sms", "status")
	if config := h.read("etc/twokey/twokey.yaml"); strings.Contains(config, "api_key") || !strings.Contains(config, "auth_token_file") {
		t.Error(config)
	}
	// Another token alone: it is tried before it takes the place of the old one.
	h.run(exitFailed, "", twilioFlags(server, h.file("token", strings.Repeat("0", 32)))...)
	h.credential("twilio-auth-token", fakes.TwilioToken)
}

func TestNothingIsWrittenBeforeItWorks(t *testing.T) {
	t.Parallel()
	h, server := newPhoneHost(t), fakes.NewTwilio(t)
	before := h.read("etc/twokey/twokey.yaml")
	flags := twilioFlags(server, h.file("token", fakes.TwilioToken))
	for sentence, c := range map[string]struct {
		flags []string
		stdin string
		want  string
	}{
		"a wrong token":       {twilioFlags(server, h.file("token", strings.Repeat("0", 32))), "", `nothing was changed: the account: .*\(credentials\)`},
		"a wrong code thrice": {append(flags, "--number", myNumber), "000000\n000001\n000002\n", `no right code in 3 tries; nothing was changed`},
		"no code":             {append(flags, "--number", myNumber), "", `standard input has ended`},
		"a number refused":    {append(flags, "--number", "+447400123499"), "", `nothing was changed: the message was not sent: .*\(unverified\)`},
	} {
		server.Refuse("+447400123499", 21608)
		_, complaint := h.run(exitFailed, c.stdin, c.flags...)
		if !regexp.MustCompile(`(?m)^twokey: error: .*` + c.want).MatchString(complaint) {
			t.Errorf("%s: %s", sentence, complaint)
		}
		if h.read("etc/twokey/twokey.yaml") != before {
			t.Errorf("%s: the configuration was changed", sentence)
		}
		if _, err := os.Stat(filepath.Join(h.dir, "etc/twokey/credentials/twilio-auth-token")); err == nil {
			t.Errorf("%s: the token was kept", sentence)
		}
		h.clean(complaint, fakes.TwilioToken, "7400123499")
	}
}

func TestABadDayOfTheProviderIsOneLineWithAdvice(t *testing.T) {
	t.Parallel()
	h, server := newPhoneHost(t), fakes.NewTwilio(t)
	h.run(exitDone, "", twilioFlags(server, h.file("token", fakes.TwilioToken))...)
	h.run(exitDone, "", "config", "set", "sms.timeout", "3s", "--yes")
	bad := regexp.MustCompile(`^twokey: error: the message was not sent: [^\n]+ \([a-z]+\)\ntwokey: hint: [^\n]+\n$`)
	for _, day := range fakes.Days {
		server.SetDay("message", day)
		out, complaint := h.run(exitFailed, "", "sms", "test", "--number", myNumber)
		if out != "" || !bad.MatchString(complaint) {
			t.Errorf("%s: %s%s", day, out, complaint)
		}
		h.clean(complaint, fakes.TwilioToken, "7400123456", "\x1b")
	}
	server.SetDay("message", fakes.Good)
	for code, word := range map[int]string{21211: "number", 21408: "region", 21608: "unverified", 21610: "blocked"} {
		server.Refuse(myNumber, code)
		if _, complaint := h.run(exitFailed, "", "sms", "test", "--number", myNumber); !bad.MatchString(complaint) || !strings.Contains(complaint, "("+word+")") {
			t.Errorf("%d: %s", code, complaint)
		}
	}
	server.SetDay("", fakes.HTML)
	if out, _ := h.run(exitNo, "", "sms", "status"); !strings.Contains(out, "SMS does NOT work: ") {
		t.Errorf("status: %s", out)
	}
}

// What was written and could not be recorded needs its credential; what was not written has the former one.
func TestACredentialStaysWithItsConfiguration(t *testing.T) {
	t.Parallel()
	h, server := newPhoneHost(t), fakes.NewTwilio(t)
	if err := os.RemoveAll(filepath.Join(h.dir, "var/log/twokey")); err != nil {
		t.Fatal(err)
	}
	_, complaint := h.run(exitFailed, "", twilioFlags(server, h.file("token", fakes.TwilioToken))...)
	if !strings.Contains(complaint, "it is done, but the audit log could not be written") {
		t.Error(complaint)
	}
	h.credential("twilio-auth-token", fakes.TwilioToken)

	config := &policy.Config{Paths: policy.Paths{Credentials: "/etc/twokey/credentials"}}
	host := &host{root: h.dir, policy: config}
	undo, err := host.store([]credential{{"twilio-auth-token", "another"}, {"new", "word"}, {"kept", ""}})
	if err != nil {
		t.Fatal(err)
	}
	h.credential("twilio-auth-token", "another")
	h.credential("new", "word")
	if err := undo(); err != nil {
		t.Fatal(err)
	}
	h.credential("twilio-auth-token", fakes.TwilioToken)
	if host.stored("new") != nil || host.stored("kept") != nil {
		t.Error("a file is there that was not")
	}
}

const hostToken, phoneToken = "tk_hosthosthosthosthosthosthost01", "tk_phonephonephonephonephoneph02"

// ntfyHost has push set up.
func ntfyHost(t *testing.T) (*phoneHost, *fakes.Ntfy) {
	h, server := newPhoneHost(t), fakes.NewNtfy(t)
	server.GrantUsual(hostToken, phoneToken)
	out, _ := h.run(exitDone, "", "push", "setup", "--provider", "ntfy", "--url", server.URL(), "--token-file", h.file("token", hostToken), "--yes")
	for _, want := range []string{"ntfy access twokey 'tk-*' read-write", "ntfy access everyone 'tk-rsp-*' write-only", "Push works: "} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is missing:\n%s", want, out)
		}
	}
	h.credential("ntfy-token", hostToken)
	h.clean(out, hostToken)
	return h, server
}

// topicOf is where a user's requests go.
func (h *phoneHost) topicOf(user string) string {
	h.t.Helper()
	store, err := secrets.Open(h.dir+"/var/lib/twokey", h.dir+"/etc/twokey/host.key")
	if err != nil {
		h.t.Fatal(err)
	}
	record, err := store.Load(user)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, d := range record.Devices {
		if d.Method == "push" {
			return factor.NtfyTopic(d.Secret)
		}
	}
	h.t.Fatalf("%s has no device of push", user)
	return ""
}

func TestPushTestSaysWhatWasPressed(t *testing.T) {
	t.Parallel()
	h, server := ntfyHost(t)
	h.run(exitDone, "", "enroll", "nobody", "--method", "push", "--qr", "none")
	phone := server.NewPhone(t, phoneToken, h.topicOf("nobody"))
	shown := regexp.MustCompile(`press ([0-9]{2}) there`)
	for _, c := range []struct {
		press  func(right string, labels []string) string
		status string
		text   string
	}{
		{func(right string, _ []string) string { return right }, "0", "Allowed on the phone: push works."},
		{func(string, []string) string { return "Deny" }, "3", "Denied on the phone."},
		{func(right string, labels []string) string {
			for _, l := range labels {
				if l != right && l != "Deny" {
					return l
				}
			}
			return ""
		}, "3", "Another number was pressed"},
	} {
		x := pamtest.OpenTerminal(t, exec.Command("sh", "-c", `"$@"; echo "status $?"`, "sh", h.program, "--root="+h.dir, "push", "test", "nobody"))
		x.Expect("and no other number.")
		right := shown.FindStringSubmatch(x.Screen())[1]
		if _, complaint := h.run(exitFailed, "", "push", "test", "nobody"); !strings.Contains(complaint, errPushOpen.Error()) {
			t.Errorf("a second one: %s", complaint)
		}
		m, err := phone.Message(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := phone.Press(soon(t), m, c.press(right, m.Labels())); err != nil {
			t.Fatal(err)
		}
		x.Expect(c.text)
		x.Expect("status " + c.status)
	}
	out, _ := h.run(exitDone, "", "push", "setup", "--user", "nobody")
	if !strings.Contains(out, h.topicOf("nobody")) || !strings.Contains(scanned(t, out), "ntfy://127.0.0.1:") {
		t.Error(out)
	}
	if log := h.read("var/log/twokey/audit.jsonl"); !strings.Contains(log, `"event.action":"push-sent"`) {
		t.Error("nothing was recorded")
	}
}

func TestAFailingServerOfPushIsOneLineAndChangesNothing(t *testing.T) {
	t.Parallel()
	h, server := ntfyHost(t)
	h.run(exitDone, "", "config", "set", "push.timeout", "3s", "--yes")
	before := h.read("etc/twokey/twokey.yaml")
	h.run(exitDone, "", "enroll", "nobody", "--method", "push", "--qr", "none")
	for _, day := range fakes.Days {
		server.SetDay("", day)
		_, complaint := h.run(exitFailed, "", "push", "test", "nobody")
		want := regexp.MustCompile(`^twokey: error: the request was not answered: [^\n]+ \([a-z]+\)\ntwokey: hint: [^\n]+\n$`)
		if !want.MatchString(complaint) {
			t.Errorf("%s: %s", day, complaint)
		}
		h.clean(complaint, hostToken, "\x1b")
	}
	server.SetDay("", fakes.Good)
	for token, word := range map[string]string{"tk_nobodyhasthistokenontheserver": "credentials", phoneToken: "refused"} {
		_, complaint := h.run(exitFailed, "", "push", "setup", "--token-file", h.file("token", token), "--yes")
		if !strings.Contains(complaint, "nothing was changed: the server: ") || !strings.Contains(complaint, "("+word+")") {
			t.Errorf("%s: %s", word, complaint)
		}
		h.credential("ntfy-token", hostToken)
	}
	if h.read("etc/twokey/twokey.yaml") != before {
		t.Error("the configuration was changed")
	}
}

func TestDuoIsSetUpAndAsked(t *testing.T) {
	t.Parallel()
	h, server := newPhoneHost(t), fakes.NewDuo(t)
	flags := []string{"push", "setup", "--provider", "duo", "--api-host", fakes.DuoHost, "--integration-key", fakes.DuoIntegrationKey, "--url", server.URL(), "--yes"}
	_, complaint := h.run(exitFailed, strings.Repeat("0", 40)+"\n", append(flags, "--secret-key-file", "-")...)
	if !strings.Contains(complaint, "(credentials)") {
		t.Error(complaint)
	}
	h.run(exitDone, fakes.DuoSecretKey+"\n", append(flags, "--secret-key-file", "-")...)
	h.credential("duo-secret-key", fakes.DuoSecretKey)
	out, _ := h.run(exitDone, "", "enroll", "nobody", "--method", "push")
	if !strings.Contains(out, "has with duo") || strings.Contains(out, "ntfy") {
		t.Error(out)
	}
	h.clean(out, fakes.DuoSecretKey)
	_, complaint = h.run(exitFailed, "", "push", "test", "nobody")
	if complaint != "twokey: error: nobody has no device with the provider\ntwokey: hint: "+fakes.DuoEnrollURL+"\n" {
		t.Error(complaint)
	}
	for _, decides := range []string{"allow", "deny"} { // whatever Duo is set to: no phone is proven
		server.User("nobody", fakes.DuoUser{Policy: decides, Capabilities: []string{}})
		const unasked = "The provider has decided without asking a phone ("
		if out, _ = h.run(exitNo, "", "push", "test", "nobody"); !strings.HasPrefix(out, unasked+decides+": ") {
			t.Errorf("%s: %s", decides, out)
		}
		_, complaint = h.run(exitFailed, "\n", "enroll", "nobody", "--method", "push", "--replace", "--confirm", "--yes")
		if !strings.Contains(complaint, unasked+decides+": ") || !strings.Contains(complaint, "Nothing was changed.") {
			t.Errorf("%s: enrolled: %s", decides, complaint)
		}
	}
	server.User("nobody", fakes.DuoUser{Policy: "auth", Capabilities: []string{"push"}})
	for answer, want := range map[string]string{"allow": "Allowed on the phone", "deny": "Denied on the phone"} {
		x := h.terminal("push", "test", "nobody")
		x.Expect("allow it there.")
		q, err := server.Question(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		server.Answer(q.TxID, answer)
		x.Expect(want)
		if status := x.Wait(); (status == exitDone) != (answer == "allow") {
			t.Errorf("%s: status %d", answer, status)
		}
	}
}

package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/internal/pamtest"
	"twokey/internal/sysuser"
	"twokey/pamhook/logintest/scratch"
)

// loginCase is one user on one host, and what becomes of a login.
type loginCase struct {
	settings string
	prepare  func(explainedUser, *testing.T, *scratch.Host) string // returns the answer
	ask      string
	letsIn   string
	ok       bool // is the login let in
}

// explainedUser is who logs in.
type explainedUser struct{ sysuser.Account }

func (u explainedUser) enrolled(t *testing.T, h *scratch.Host) string {
	return scratch.Code(t, h.Enrol(u.Name, u.UID, scratch.Request()), 0)
}

func (u explainedUser) behindPassword(t *testing.T, h *scratch.Host) string {
	return "correct horse " + u.enrolled(t, h)
}

func (u explainedUser) wrong(t *testing.T, h *scratch.Host) string {
	return scratch.Wrong(t, h.Enrol(u.Name, u.UID, scratch.Request()))
}

func (u explainedUser) without(*testing.T, *scratch.Host) string { return "123456" }

func (u explainedUser) rubbish(t *testing.T, h *scratch.Host) string {
	code := u.enrolled(t, h)
	rewrite(t, h.Data()+"/users/"+u.Name+".age", "rubbish")
	return code
}

func (u explainedUser) rubbishState(t *testing.T, h *scratch.Host) string {
	code := u.enrolled(t, h)
	rewrite(t, h.Data()+"/state/"+u.Name, strings.Repeat("\x00", 3*4096))
	return code
}

// othersID: somebody else is enrolled under the user id.
func (u explainedUser) othersID(t *testing.T, h *scratch.Host) string {
	h.Enrol("somebody", u.UID, scratch.Request())
	return "123456"
}

func (u explainedUser) otherID(t *testing.T, h *scratch.Host) string {
	return scratch.Code(t, h.Enrol(u.Name, u.UID+1, scratch.Request()), 0)
}

func (u explainedUser) reset(t *testing.T, h *scratch.Host) string {
	code := u.enrolled(t, h)
	if err := h.Users.Reset(u.Name); err != nil {
		t.Fatal(err)
	}
	return code
}

func (u explainedUser) fileGone(t *testing.T, h *scratch.Host) string {
	code := u.enrolled(t, h)
	if err := os.Remove(h.Data() + "/users/" + u.Name + ".age"); err != nil {
		t.Fatal(err)
	}
	return code
}

// rolledBack: an older secret file was put back.
func (u explainedUser) rolledBack(t *testing.T, h *scratch.Host) string {
	code := u.enrolled(t, h)
	file := h.Data() + "/users/" + u.Name + ".age"
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	request := scratch.Request()
	request.Replace = true
	h.Enrol(u.Name, u.UID, request)
	rewrite(t, file, string(old))
	return code
}

var loginCases = map[string]loginCase{
	"optional, no device":                           {"default: optional", explainedUser.without, "none", "everybody", true},
	"optional, right code":                          {"default: optional", explainedUser.enrolled, "prompt", "a right code", true},
	"optional, wrong code":                          {"default: optional", explainedUser.wrong, "prompt", "a right code", false},
	"required, no device":                           {"default: required", explainedUser.without, "prompt", "nobody", false},
	"required, right code":                          {"default: required", explainedUser.enrolled, "prompt", "a right code", true},
	"deny, right code":                              {"default: deny", explainedUser.enrolled, "prompt", "nobody", false},
	"exempt, wrong code":                            {"default: exempt", explainedUser.wrong, "none", "everybody", true},
	"off, required, no device":                      {"enabled: false\ndefault: required", explainedUser.without, "none", "everybody", true},
	"observe, required, no device":                  {"observe: true\ndefault: required", explainedUser.without, "none", "everybody", true},
	"observe, required, wrong code":                 {"observe: true\ndefault: required", explainedUser.wrong, "prompt", "everybody", true},
	"observe, deny, right code":                     {"observe: true\ndefault: deny", explainedUser.enrolled, "none", "everybody", true},
	"exempt by the service, no device":              {"default: deny\nexempt: [{services: [own]}]", explainedUser.without, "none", "everybody", true},
	"required on another service":                   {"require: [{services: [su]}]", explainedUser.without, "none", "everybody", true},
	"optional, secrets are rubbish":                 {"default: optional", explainedUser.rubbish, "prompt", "nobody", false},
	"exempt, secrets are rubbish":                   {"default: exempt", explainedUser.rubbish, "none", "everybody", true},
	"observe, optional, secrets are rubbish":        {"observe: true", explainedUser.rubbish, "prompt", "everybody", true},
	"optional, state is rubbish":                    {"default: optional", explainedUser.rubbishState, "prompt", "nobody", false},
	"optional, no device, the user id is another's": {"default: optional", explainedUser.othersID, "prompt", "nobody", false},
	"observe, no device, the user id is another's":  {"observe: true", explainedUser.othersID, "none", "everybody", true},
	"optional, enrolled under another user id":      {"default: optional", explainedUser.otherID, "prompt", "nobody", false},
	"optional, reset":                               {"default: optional", explainedUser.reset, "prompt", "nobody", false},
	"optional, secrets older than the state":        {"default: optional", explainedUser.rolledBack, "prompt", "nobody", false},
	"optional, the secret file is gone":             {"default: optional", explainedUser.fileGone, "prompt", "nobody", false},

	"a deny rule, right code":                      {"rules: [{services: [own], then: deny}]", explainedUser.enrolled, "prompt", "nobody", false},
	"an exempting rule, wrong code":                {"rules: [{services: [own], then: exempt}]\ndefault: deny", explainedUser.wrong, "none", "everybody", true},
	"a rule from elsewhere, no device":             {"rules: [{from: [192.0.2.0/24], then: exempt}]\ndefault: required", explainedUser.without, "prompt", "nobody", false},
	"no method that counts, right code":            {"rules: [{services: [own], then: required, methods: [hotp]}]", explainedUser.enrolled, "prompt", "nobody", false},
	"required, some days left, no device":          {"require: [{services: [own], by: 2099-12-31}]", explainedUser.without, "none", "everybody", true},
	"required, some days left, right code":         {"require: [{services: [own], by: 2099-12-31}]", explainedUser.enrolled, "prompt", "a right code", true},
	"required, some days left, reset":              {"require: [{services: [own], by: 2099-12-31}]", explainedUser.reset, "prompt", "nobody", false},
	"required, the days are over, no device":       {"require: [{services: [own], by: 2020-12-31}]", explainedUser.without, "prompt", "nobody", false},
	"off for a while, required, no device":         {"off_until: " + time.Now().UTC().Add(time.Hour).Format(time.RFC3339) + "\ndefault: required", explainedUser.without, "none", "everybody", true},
	"off until some time ago, required, no device": {"off_until: 2020-01-01T00:00:00Z\ndefault: required", explainedUser.without, "prompt", "nobody", false},
	"a service that is no login, wrong code":       {"services: {own: {ask: exempt}}\ndefault: deny", explainedUser.wrong, "none", "everybody", true},
	"a service that cannot ask, optional":          {"services: {own: {ask: never}}", explainedUser.without, "none", "everybody", true},
	"a service that cannot ask, enrolled":          {"services: {own: {ask: never}}", explainedUser.enrolled, "none", "nobody", false},
	"a service that cannot ask, required":          {"services: {own: {ask: never}}\ndefault: required", explainedUser.without, "none", "nobody", false},
	"a service that cannot ask, observed":          {"services: {own: {ask: never}}\nobserve: true", explainedUser.enrolled, "none", "everybody", true},
	"success before it, enrolled, none":            {"services: {own: {ask: earlier}}", explainedUser.enrolled, "earlier", "an earlier success", false},
	"success before it, optional":                  {"services: {own: {ask: earlier}}", explainedUser.without, "none", "everybody", true},
	"success before it, required, no device":       {"services: {own: {ask: earlier}}\ndefault: required", explainedUser.without, "none", "nobody", false},
	"one field, right code":                        {"services: {own: {ask: appended}}", explainedUser.behindPassword, "appended", "a right code", true},
	"one field, wrong code":                        {"services: {own: {ask: appended}}", explainedUser.wrong, "appended", "a right code", false},
	"one field, required, no device":               {"services: {own: {ask: appended}}\ndefault: required", explainedUser.without, "appended", "nobody", false},
}

// What policy explain says is what the helper does: the two decide by the same package, and look at a user's files each in its own
// way.
func TestExplainSaysWhatALoginDoes(t *testing.T) {
	t.Parallel()
	shipped, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	module, helper := shipped.dir+"/pam_twokey.so", shipped.dir+"/twokey-verify"
	name, _ := pamtest.TempUser(t)
	account, err := sysuser.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range loginCases {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			h := scratch.New(t, t.TempDir()+"/host", c.settings)
			services := t.TempDir()
			pamtest.Service(t, services, "own", "auth required "+module+" after=password config="+h.Config+" helper="+helper,
				"auth required pam_permit.so", "account required pam_permit.so")
			answer := c.prepare(explainedUser{account}, t, h)

			var said explanation
			outputOf(t, "", &said, "--config", h.Config, "policy", "explain", name, "--service", "own", "--json")
			if said.Ask != c.ask || said.LetsIn != c.letsIn {
				t.Errorf("explain: ask %q, lets in %q: %+v", said.Ask, said.LetsIn, said)
			}
			var did outcome
			outputOf(t, answer+"\n", &did, "--config", h.Config, "test", "login", name, "--service", "own", "--conf-dir", services, "--json")
			asked, field := slices.Contains(did.Prompts, "Verification code: "), slices.Contains(did.Prompts, "Password and code: ")
			if did.OK != c.ok || asked != (c.ask == "prompt") || field != (c.ask == "appended") {
				t.Errorf("login: %+v", did)
			}
			if refused := slices.ContainsFunc(said.Sees, func(s explainedText) bool { return s.When == "refused" }); field && refused || !did.OK && !field && !refused {
				t.Errorf("explain: a refusal is told at one field, or is not told elsewhere: %+v", said.Sees)
			}
			for _, text := range said.Sees {
				met := map[string]bool{"asked": true, "refused": !did.OK}[text.When]
				if met && !slices.Contains(append(did.Prompts, did.Messages...), text.Text) {
					t.Errorf("the user does not see %q when he is %s: %+v", text.Text, text.When, did)
				}
			}
		})
	}
}

func rewrite(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// outputOf runs twokey and decodes what it prints; exit status 3 is an answer too.
func outputOf(t *testing.T, in string, v any, arguments ...string) {
	t.Helper()
	cmd := exec.Command("twokey", arguments...)
	cmd.Stdin = strings.NewReader(in)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != exitNo) {
		t.Fatalf("%v: %s", err, complaint.String())
	}
	if err := json.Unmarshal(out, v); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// The words are those of the host, whatever its user has.
func TestExplainShowsTheQuestionOfTheHost(t *testing.T) {
	t.Parallel()
	push := "push: {provider: ntfy, url: 'https://ntfy.example.org', token_file: ntfy.token, answer_token_file: answer.token}\n"
	for settings, want := range map[string]string{
		"methods: [totp, recovery]\n":       "Verification code: ",
		"methods: [totp, recovery, push]\n": "Code, or 'push': ",
	} {
		h := scratch.New(t, t.TempDir()+"/host", "default: required\n"+settings+push)
		var said explanation
		outputOf(t, "", &said, "--config", h.Config, "policy", "explain", "root", "--service", "sshd", "--json")
		if len(said.Sees) == 0 || said.Sees[0] != (explainedText{"asked", want}) {
			t.Errorf("%s: %+v", settings, said.Sees)
		}
	}
}

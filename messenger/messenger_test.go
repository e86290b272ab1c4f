package messenger

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/deliver"
	"twokey/factor"
	"twokey/internal/safefile"
	"twokey/policy"
)

const token = "tk_averysecrettoken"

// settings are those of a host with one provider of each, whose credential files are there.
func settings(t testing.TB, text string) Settings {
	t.Helper()
	config, err := policy.Parse([]byte("version: 1\nissuer: Example Ltd\nmethods: [totp, push, sms]\n" + text))
	must(t, err)
	dir := filepath.Join(t.TempDir(), "credentials")
	must(t, os.Mkdir(dir, 0o700))
	s := Settings{Policy: config, Credentials: dir, Host: "web1"}
	for _, name := range []string{"a.token", "b.token"} {
		s.write(t, name, token+"-"+name+"\n", 0o600)
	}
	return s
}

func (s Settings) write(t testing.TB, name, content string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(s.Credentials, name)
	must(t, os.WriteFile(path, []byte(content), 0o600))
	must(t, os.Chmod(path, mode))
}

const (
	ntfy    = `push: {provider: ntfy, url: "https://ntfy.example.org", token_file: a.token, answer_token_file: b.token}`
	duo     = `push: {provider: duo, api_host: api-12345678.duosecurity.com, integration_key: DIXXXXXXXXXXXXXXXXXX, secret_key_file: a.token}`
	command = `sms: {provider: command, command: [/usr/local/bin/send-text, now], message: "%ISSUER% on %HOST%: %CODE%, %MINUTES% min"}`
	twilio  = `sms: {provider: twilio, account_sid: AC00000000000000000000000000000000, auth_token_file: a.token, sender: "+15005550006"}`
	smtp    = `sms: {provider: smtp, server: "mail.example.org:25", from: a@example.org, to: "%NUMBER%@example.org", user: me, password_file: a.token}`
)

func question() Question {
	return Question{ID: [8]byte{1}, Secret: slices.Repeat([]byte{7}, 32), User: "alice", Factor: "push", Right: 42, Wrong: 17, Title: "Login to web1?",
		Facts: []deliver.Fact{{Name: "User", Value: "alice"}}, Allow: "Allow", Deny: "Deny", From: "192.0.2.7", Wait: time.Minute}
}

func TestARequestIsWhatTheServiceNeeds(t *testing.T) {
	code := Text{User: "alice", Number: "+447911123456", Code: "123456"}
	for name, c := range map[string]struct {
		settings string
		make     func(Settings) (*deliver.Request, error)
		want     string
	}{
		"command": {command, func(s Settings) (*deliver.Request, error) { return s.Text(code) },
			`{"kind":"text","connect":3000000000,"timeout":8000000000,"text":{"number":"+447911123456","message":"Example Ltd on web1: 123456, 5 min","user":"alice"},"command":{"argv":["/usr/local/bin/send-text","now"]}}`},
		"twilio": {twilio, func(s Settings) (*deliver.Request, error) { return s.Text(code) },
			`"twilio":{"account_sid":"AC00000000000000000000000000000000","auth_token":"` + token + `-a.token","from":"+15005550006","url":"https://api.twilio.com"}`},
		"smtp": {smtp, func(s Settings) (*deliver.Request, error) { return s.Text(code) },
			`"smtp":{"server":"mail.example.org:25","from":"a@example.org","to":"%NUMBER%@example.org","user":"me","password":"` + token + `-a.token"}`},
		"ntfy": {ntfy, func(s Settings) (*deliver.Request, error) { return s.Push(question()) },
			`"ntfy":{"url":"https://ntfy.example.org","token":"` + token + `-a.token","answer_token":"` + token + `-b.token"}`},
		"duo": {duo, func(s Settings) (*deliver.Request, error) { return s.Push(question()) },
			`"push":{"title":"Login to web1?","facts":[{"name":"User","value":"alice"}],"user":"alice","factor":"push","from":"192.0.2.7"},"duo":{"host":"api-12345678.duosecurity.com","integration_key":"DIXXXXXXXXXXXXXXXXXX","secret_key":"` + token + `-a.token","url":"https://api-12345678.duosecurity.com"}`},
		"an account": {ntfy, func(s Settings) (*deliver.Request, error) { return s.PushService(deliver.KindAccount) }, `"kind":"account"`},
	} {
		req, err := c.make(settings(t, c.settings))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		line, err := req.Encode()
		if err != nil || !strings.Contains(string(line), c.want) {
			t.Errorf("%s: %v\n%s, want\n%s", name, err, line, c.want)
		}
	}
}

func TestWithoutAProviderThereIsNoRequest(t *testing.T) {
	s := settings(t, "")
	if _, err := s.Text(Text{}); err != ErrNone {
		t.Errorf("%v", err)
	}
	if _, err := s.Push(question()); err != ErrNone {
		t.Errorf("%v", err)
	}
}

// The error names the file, and nothing of what is in it.
func TestACredentialComesFromAFileThatOnlyRootReads(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, s Settings, path string)
		want  error
	}{
		"everybody can read it": {func(t *testing.T, _ Settings, path string) { must(t, os.Chmod(path, 0o644)) }, safefile.ErrMode},
		"its group can read it": {func(t *testing.T, _ Settings, path string) { must(t, os.Chmod(path, 0o640)) }, safefile.ErrMode},
		"another owns it":       {func(t *testing.T, _ Settings, path string) { must(t, os.Chown(path, 65534, 0)) }, safefile.ErrOwner},
		"it is a link": {func(t *testing.T, s Settings, path string) {
			must(t, os.Rename(path, path+"2"))
			must(t, os.Symlink(path+"2", path))
		}, nil},
		"it is missing":           {func(t *testing.T, _ Settings, path string) { must(t, os.Remove(path)) }, fs.ErrNotExist},
		"it is empty":             {func(t *testing.T, s Settings, _ string) { s.write(t, "a.token", "", 0o600) }, ErrCredential},
		"an empty line":           {func(t *testing.T, s Settings, _ string) { s.write(t, "a.token", "\n", 0o600) }, ErrCredential},
		"two lines":               {func(t *testing.T, s Settings, _ string) { s.write(t, "a.token", token+"\n"+token+"\n", 0o600) }, ErrCredential},
		"an escape sequence":      {func(t *testing.T, s Settings, _ string) { s.write(t, "a.token", token+"\x1b[2J\n", 0o600) }, ErrCredential},
		"not ASCII":               {func(t *testing.T, s Settings, _ string) { s.write(t, "a.token", token+"ä\n", 0o600) }, ErrCredential},
		"others write the folder": {func(t *testing.T, s Settings, _ string) { must(t, os.Chmod(s.Credentials, 0o777)) }, safefile.ErrMode},
		"the folder is missing":   {func(t *testing.T, s Settings, _ string) { must(t, os.RemoveAll(s.Credentials)) }, fs.ErrNotExist},
	} {
		for _, provider := range []string{ntfy, twilio} {
			s := settings(t, provider)
			c.spoil(t, s, filepath.Join(s.Credentials, "a.token"))
			var req *deliver.Request
			var err error
			if provider == ntfy {
				req, err = s.Push(question())
			} else {
				req, err = s.Text(Text{User: "alice", Number: "+447911123456", Code: "123456"})
			}
			if err == nil || req != nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if !strings.Contains(err.Error(), s.Credentials) || strings.Contains(err.Error(), token) {
				t.Errorf("%s: %q names no file, or what is in it", name, err)
			}
		}
	}
}

func TestAButtonIsGoodForItsQuestionAndItsChoiceAlone(t *testing.T) {
	s := settings(t, ntfy)
	seen := map[string]bool{}
	for _, right := range []int{42, 42, 0} {
		q := question()
		if q.Right = right; right == 0 {
			q.Wrong = 0
		}
		req, err := s.Push(q)
		must(t, err)
		var labels, choices []string
		means := map[string]deliver.State{}
		for _, b := range req.Push.Buttons {
			choice, mac, _ := strings.Cut(b.Body, " ")
			labels, choices, means[choice] = append(labels, b.Label), append(choices, choice), b.Means
			if len(mac) != 32 || seen[mac] {
				t.Errorf("%q: used before, or too short", b.Body)
			}
			seen[mac] = true
		}
		want, wantMeans := []string{"42", "17", "deny"}, []deliver.State{deliver.StateAllow, deliver.StateWrong, deliver.StateDeny}
		if right == 0 {
			want, wantMeans = []string{"allow", "deny"}, []deliver.State{deliver.StateAllow, deliver.StateDeny}
		}
		for i, choice := range want {
			if !slices.Equal(choices, want) || means[choice] != wantMeans[i] {
				t.Errorf("choices %q, labels %q, they mean %v", choices, labels, means)
			}
		}
		if req.Push.Topic != factor.NtfyTopic(q.Secret) {
			t.Errorf("topic %q", req.Push.Topic)
		}
	}
}

// Attack: log in from a host whose name turns the direction of writing, or moves the cursor, so that the phone shows another one.
func TestWhatAPhoneShowsIsOneLineThatCanBeSeen(t *testing.T) {
	s := settings(t, ntfy)
	for _, value := range []string{"a\nb", "a\x1b[2Jb", "\u202egro.elpmaxe", "a\u0085b", "a\xffb", "\u2028", strings.Repeat("ä", 5000), ""} {
		q := question()
		q.Facts = []deliver.Fact{{Name: "From", Value: value}}
		q.Title, q.Deny = "Login "+value, "Deny "+value
		req, err := s.Push(q)
		must(t, err)
		if _, err := req.Encode(); err != nil {
			t.Errorf("%q: %v", value, err)
		}
		if shown := req.Push.Facts[0].Value; strings.ContainsAny(shown, "\n\x1b\u202e\u0085\u2028") || value != "" && shown == "" {
			t.Errorf("%q is shown as %q", value, shown)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

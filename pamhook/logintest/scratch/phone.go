package scratch

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"twokey/enroll"
	"twokey/factor"
	"twokey/policy"
)

// Credential writes a credential file and returns its name.
func (h *Host) Credential(name, value string) string {
	h.t.Helper()
	dir := filepath.Join(h.Dir, "credentials")
	must(h.t, os.MkdirAll(dir, 0o700))
	must(h.t, os.WriteFile(filepath.Join(dir, name), []byte(value+"\n"), 0o600))
	return name
}

// Ntfy is the setting push for an ntfy server, with more of its keys.
func (h *Host) Ntfy(url, token, more string) string {
	return fmt.Sprintf("push: {provider: ntfy, url: %q, token_file: %q%s}", url, h.Credential("ntfy.token", token), more)
}

// Outbox is a folder into which a program puts the text messages that it is given, as files: what a modem would send.
type Outbox struct {
	dir string
	t   testing.TB
}

// NewOutbox makes one below a folder that everybody can get to, and its program.
func NewOutbox(t testing.TB, below string) Outbox {
	t.Helper()
	dir, err := os.MkdirTemp(below, "outbox-")
	must(t, err)
	must(t, os.Chmod(dir, 0o755)) // whatever umask says; a program that others could replace is not run
	o := Outbox{filepath.Join(dir, "sent"), t}
	must(t, os.Mkdir(o.dir, 0o777))
	must(t, os.Chmod(o.dir, 0o777))
	script := "#!/bin/sh\nexec cat >" + o.dir + "/$$\n"
	must(t, os.WriteFile(o.program(), []byte(script), 0o755))
	return o
}

func (o Outbox) program() string { return filepath.Join(filepath.Dir(o.dir), "send-text") }

// SMS is the setting sms, with more of its keys.
func (o Outbox) SMS(more string) string {
	return fmt.Sprintf("sms: {provider: command, command: [%q]%s}", o.program(), more)
}

// Texts are those that were sent, each as the program got it, the oldest first.
func (o Outbox) Texts() []string {
	o.t.Helper()
	entries, err := os.ReadDir(o.dir)
	must(o.t, err)
	type text struct {
		at      time.Time
		content string
	}
	var all []text
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(o.dir, e.Name()))
		must(o.t, err)
		about, err := e.Info()
		must(o.t, err)
		all = append(all, text{about.ModTime(), string(content)})
	}
	slices.SortFunc(all, func(a, b text) int { return a.at.Compare(b.at) })
	var texts []string
	for _, text := range all {
		texts = append(texts, text.content)
	}
	return texts
}

// EnrolPhone gives the user a device of sms, or of push with ntfy, beside those that he has.
func (h *Host) EnrolPhone(user string, uid uint32, method, number string) *enroll.Draft {
	h.t.Helper()
	return h.enrolPhone(user, uid, method, number, policy.ProviderNtfy)
}

// EnrolDuo gives the user a device of push with Duo, beside those that he has.
func (h *Host) EnrolDuo(user string, uid uint32) *enroll.Draft {
	h.t.Helper()
	return h.enrolPhone(user, uid, "push", "", policy.ProviderDuo)
}

func (h *Host) enrolPhone(user string, uid uint32, method, number, provider string) *enroll.Draft {
	h.t.Helper()
	enrolled, err := h.Users.Secrets.Enrolled(user)
	must(h.t, err)
	draft, err := h.Users.Draft(enroll.Account{Name: user, UID: uid}, enroll.Request{Device: "my " + method, Label: "someone@host", Issuer: "host",
		Params: factor.Params{Method: factor.Method(method)}, Phone: number, Provider: provider, Add: enrolled})
	must(h.t, err)
	if method == "push" {
		must(h.t, draft.ConfirmPush())
	}
	must(h.t, h.Users.Commit(draft))
	return draft
}

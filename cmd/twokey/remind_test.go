package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"twokey/internal/mail/mailtest"
	"twokey/internal/pamtest"
)

// mailHost is a host with a mail server. Alice, of wheel, is required at once, bob until 2099, carol is required and has a device,
// dave is optional, and ghost, who is required, has no account.
type mailHost struct {
	*testing.T
	dir     string
	machine *pamtest.Machine
	server  *mailtest.Server
	env     []string
}

func newMailHost(t *testing.T, is mailtest.Behaviour, settings string) *mailHost {
	t.Helper()
	dir := t.TempDir()
	var users []pamtest.User
	for i, name := range []string{"alice", "bob", "carol", "dave"} {
		users = append(users, pamtest.User{Name: name, UID: uint32(11001 + i)})
	}
	h := &mailHost{T: t, dir: dir, machine: pamtest.NewMachine(t, dir, users...), server: mailtest.New(t, is)}
	appendTo(t, filepath.Join(dir, "etc/group"), "wheel:x:11100:alice,root\nteam:x:11101:alice,dave\n")
	h.write("twokey.yaml", 0o644, fmt.Sprintf("version: 1\npaths:\n  data: %[1]s/data\n  audit: %[1]s/log/audit.jsonl\n  key: %[1]s/host.key\n"+
		"  credentials: %[1]s/credentials\nrequire:\n  - {groups: [wheel]}\n  - {users: [bob], by: 2099-12-31}\n  - {users: [carol, ghost]}\n"+
		"exempt:\n  - {users: [root]}\n"+settings, dir))
	h.run(exitDone, "init")
	h.run(exitDone, "enroll", "carol", "--qr", "none")
	return h
}

// usual are the settings of a mail server without a password.
func usual(address string) string {
	return "mail: {server: '" + address + "', from: twokey@example.org, to: '%USER%@example.org'}\n"
}

// write gives a file that is there already the mode too.
func (h *mailHost) write(name string, mode os.FileMode, text string) {
	h.Helper()
	path := filepath.Join(h.dir, name)
	if err := errors.Join(os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode)); err != nil {
		h.Fatal(err)
	}
}

// configure adds settings to the configuration.
func (h *mailHost) configure(text string) {
	h.Helper()
	appendTo(h.T, filepath.Join(h.dir, "twokey.yaml"), text)
}

// run runs twokey and demands an exit status.
func (h *mailHost) run(status int, arguments ...string) (out, complaint string) {
	h.Helper()
	program, err := exec.LookPath("twokey")
	if err != nil {
		h.Fatal(err)
	}
	words := slices.Concat([]string{"env"}, h.env, []string{program, "--config=" + h.dir + "/twokey.yaml"}, arguments)
	cmd := h.machine.Command(words...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	b, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != status {
		h.Fatalf("twokey %s: status %d, want %d: %s%s", strings.Join(arguments, " "), got, status, b, stderr.String())
	}
	return string(b), stderr.String()
}

func (h *mailHost) demand(what, text string, parts ...string) {
	h.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			h.Errorf("%s has no %q:\n%s", what, part, text)
		}
	}
}

// recipients are whom the server has mail for, in order.
func (h *mailHost) recipients() string {
	var all []string
	for _, m := range h.server.Taken() {
		all = append(all, strings.TrimSuffix(strings.TrimPrefix(m.To, "TO:<"), "@example.org>"))
	}
	return strings.Join(all, " ")
}

func TestWhoIsReminded(t *testing.T) {
	h := newMailHost(t, mailtest.Behaviour{}, "")
	_, complaint := h.run(exitFailed, "remind")
	h.demand("without a server the error", complaint, "twokey: error: no mail is configured\ntwokey: hint: add to ", "mail: {server: localhost:25, from:")
	h.configure(usual(h.server.Address) + "contact: the IT desk\nhelp_url: https://example.org/2fa\n")

	out, _ := h.run(exitDone, "remind", "--dry-run")
	h.demand("the dry run", out, "To: alice@example.org\nSubject: Your second factor for ", "needs a second factor and has none. Logins that ask for it are refused.",
		"To: bob@example.org\n", "31 December 2099 is the last day on which you can log in without one.",
		"Please ask the IT desk to set one up.\n\nMore about it: https://example.org/2fa\n", "\nWould send 2.\n")
	if strings.Contains(out, "carol") || strings.Contains(out, "dave") || strings.Contains(out, "root") || h.server.Commands() != "" {
		t.Errorf("the dry run: %s\nthe server heard %q", out, h.server.Commands())
	}

	out, complaint = h.run(exitDone, "remind")
	if out != "Mailed alice: alice@example.org\nMailed bob: bob@example.org\nsent 2, failed 0\n" || complaint != "" || h.recipients() != "alice bob" {
		t.Errorf("%s%s%s", out, complaint, h.recipients())
	}
	mail := h.server.Taken()[0]
	h.demand("the mail", mail.From+mail.Data, "FROM:<twokey@example.org>", "To: <alice@example.org>\n", "Subject: Your second factor for ", "the account alice on ")
	records, _ := h.run(exitDone, "audit", "tail", "--json")
	h.demand("the log", records, `"event.action": "remind"`, `"twokey.mails_sent": "2"`, `"twokey.mails_failed": "0"`)
	if strings.Count(records, `"event.action": "remind"`) != 1 {
		t.Errorf("more than what was done is recorded: %s", records)
	}

	for arguments, want := range map[string]string{
		"--group wheel": "alice", "--group team": "alice", "--optional --group team": "alice dave", "--group wheel --group bob": "alice bob",
		"--optional --group wheel --group dave": "alice dave", "--group carol": "",
	} {
		before := len(h.server.Taken())
		out, _ := h.run(exitDone, append([]string{"remind", "--json"}, strings.Fields(arguments)...)...)
		var list []reminder
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			t.Fatalf("%s: %v: %s", arguments, err, out)
		}
		var names []string
		for _, r := range list {
			if !r.Sent || r.Error != "" || r.To != r.User+"@example.org" {
				t.Errorf("%s: %+v", arguments, r)
			}
			names = append(names, r.User)
		}
		if got := strings.Join(names, " "); got != want || len(h.server.Taken())-before != len(names) {
			t.Errorf("%s: %q, want %q; %s", arguments, got, want, h.recipients())
		}
	}
	if records, _ := h.run(exitDone, "audit", "tail", "--json"); strings.Count(records, `"event.action": "remind"`) != 6 {
		t.Errorf("one run of seven had nobody to write to, and the others are to be recorded: %s", records)
	}
	_, complaint = h.run(exitFailed, "remind", "--group", "nogroup-here")
	h.demand("an unknown group", complaint, `there is no group "nogroup-here"`)
	h.run(exitDone, "enroll", "dave", "--qr", "none")
	h.run(exitDone, "reset", "dave", "--yes")
	out, _ = h.run(exitDone, "remind", "--dry-run")
	h.demand("whoever was reset", out, "To: dave@example.org")
	passwd, err := os.ReadFile(filepath.Join(h.dir, "etc/passwd"))
	if err != nil {
		t.Fatal(err)
	}
	h.write("etc/passwd", 0o644, strings.Replace(string(passwd), "dave:", "formerly-dave:", 1))
	if out, _ := h.run(exitDone, "remind", "--dry-run"); strings.Contains(out, "To: dave@") {
		t.Errorf("an account that is gone is written to: %s", out)
	}
	_, complaint = h.run(exitUsage, "remind", "alice")
	h.demand("an argument", complaint, "takes no argument")
}

func TestOneMailThatIsRefusedDoesNotKeepTheOthersBack(t *testing.T) {
	for name, is := range map[string]mailtest.Behaviour{"refused": {Refuse: "alice@"}, "dropped": {DropAt: "RCPT", Times: 1}} {
		h := newMailHost(t, is, "language: de\n")
		h.configure(usual(h.server.Address))
		out, complaint := h.run(exitFailed, "remind")
		h.demand(name, out, "Mailed bob: bob@example.org\nsent 1, failed 1\n")
		h.demand(name, complaint, "twokey: warning: alice: ", "twokey: error: of 2 mails 1 could not be sent\n")
		if h.recipients() != "bob" {
			t.Errorf("%s: %s", name, h.recipients())
		}
		h.demand("in German", h.server.Taken()[0].Data, "Subject: =?utf-8?q?Ihr_zweiter_Faktor_f=C3=BCr_", "31. Dezember 2099 anmelden.")
		tail, _ := h.run(exitDone, "audit", "tail", "-n", "1")
		h.demand("the last record", tail, " NO ", " sent 1, failed 1\n")
		records, _ := h.run(exitDone, "audit", "tail", "--json")
		h.demand("the log", records, "\"event.action\": \"remind\",\n    \"event.outcome\": \"failure\"", `"twokey.mails_sent": "1"`, `"twokey.mails_failed": "1"`)
	}
}

func TestAServerThatCannotBeUsedIsTriedOnce(t *testing.T) {
	h := newMailHost(t, mailtest.Behaviour{DropAt: "greeting"}, "")
	h.configure(usual(h.server.Address))
	out, complaint := h.run(exitFailed, "remind", "--json")
	h.demand("the first", out, `"error": "the mail server cannot be used: EOF"`)
	h.demand("the second", out, `"error": "not tried: the mail server cannot be used"`)
	h.demand("the end", complaint, "of 2 mails 2 could not be sent")
}

func TestAnAccountsNameThatIsNoAddressGetsNoMail(t *testing.T) {
	h := newMailHost(t, mailtest.Behaviour{}, "")
	h.configure(usual(h.server.Address))
	appendTo(t, filepath.Join(h.dir, "etc/passwd"), "eve> x,bob:x:11009:11009::/home/eve:/bin/bash\n")
	appendTo(t, filepath.Join(h.dir, "etc/group"), "eve:x:11009:\n")
	for _, arguments := range [][]string{{"remind", "--optional", "--group", "eve", "--group", "dave", "--dry-run"}, {"remind", "--optional", "--group", "eve", "--group", "dave"}} {
		out, complaint := h.run(exitFailed, arguments...)
		h.demand("the complaint", complaint, `warning: eve> x,bob: "eve> x,bob@example.org" is no plain mail address`)
		if strings.Contains(out, "eve") {
			t.Errorf("%s", out)
		}
	}
	if h.recipients() != "dave" || strings.Contains(h.server.Commands(), "eve") {
		t.Errorf("%s; %s", h.recipients(), h.server.Commands())
	}
}

func TestThePasswordOfTheMailServer(t *testing.T) {
	h := newMailHost(t, mailtest.Behaviour{STARTTLS: true, Auth: true}, "")
	h.configure("mail: {server: '" + h.server.Address + "', from: twokey@example.org, to: '%USER%@example.org', user: carol, password_file: mail}\n")
	_, complaint := h.run(exitFailed, "remind")
	h.demand("no file", complaint, "credentials/mail: no such file")
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"readable by others": {"right\n", 0o644, "permissions too wide"},
		"empty":              {"\n", 0o600, "is not one line with the password of carol"},
		"two lines":          {"right\nagain\n", 0o600, "is not one line with the password of carol"},
	} {
		h.write("credentials/mail", c.mode, c.text)
		_, complaint := h.run(exitFailed, "remind")
		h.demand(name, complaint, c.want)
	}
	h.write("credentials/mail", 0o600, "right\n")
	out, _ := h.run(exitFailed, "remind", "--json")
	h.demand("a certificate that nobody signed", out, "certificate signed by unknown authority")
	if strings.Contains(h.server.Commands(), "AUTH") {
		t.Error("the password was sent to whoever answered")
	}
	h.write("signer.pem", 0o644, string(h.server.PEM))
	h.env = []string{"SSL_CERT_FILE=" + h.dir + "/signer.pem"}
	out, complaint = h.run(exitDone, "remind")
	h.demand("the end", out, "sent 2, failed 0\n")
	if mail := h.server.Taken(); len(mail) != 2 || mail[0].Login != "\x00carol\x00right" || !mail[0].Encrypted {
		t.Errorf("%+v", mail)
	}
	if records, _ := h.run(exitDone, "audit", "tail", "--json"); strings.Contains(out+complaint+records, "right") {
		t.Error("the password is told")
	}
}

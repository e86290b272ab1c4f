package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/audit"
	"twokey/enroll"
	"twokey/pamhook/logintest/scratch"
)

// allowed is who may run a command without being root, for all commands that there are. What is not decided here is refused by the test,
// and what is not in the table is refused by the program.
var allowed = map[string][]role{
	"enroll": {bySelf}, "device list": {bySelf}, "device add": {bySelf}, "device remove": {bySelf}, "device rename": {bySelf}, "device edit": {bySelf},
	"recovery show": {bySelf}, "recovery new": {bySelf}, "show": {bySelf, byHelpdesk},

	"list": {byHelpdesk}, "unlock": {byHelpdesk}, "reset": {byHelpdesk},
	"bypass create": {byHelpdesk}, "bypass list": {byHelpdesk}, "bypass revoke": {byHelpdesk},

	"audit tail": {byAuditor}, "audit verify": {byAuditor},
}

// filesAndSettings are flags that name a file which root would read or write, or change what an administrator has decided. None of them
// may ever be given over the socket.
var filesAndSettings = []string{"config", "root", "secret-file", "sheet", "sheets", "key", "conf-dir", "f", "out", "recipient", "until", "digits",
	"period", "algorithm", "issuer", "label", "override", "add", "code", "remove-source", "all-homes", "service", "from"}

func TestTheTableSaysOfEveryCommandWhoMayRunIt(t *testing.T) {
	app := newApp(&ui{in: newInput(strings.NewReader(""))})
	all := paths(app.Commands)
	for name, permission := range permissions() {
		command := all[name]
		if command == nil {
			t.Errorf("%s is in the table, and there is no such command", name)
			continue
		}
		if !slices.Equal(permission.roles, allowed[name]) {
			t.Errorf("%s is for %v, want %v", name, permission.roles, allowed[name])
		}
		checkTableFlags(t, name, permission, command)
	}
	for name := range allowed {
		if len(permissions()[name].roles) == 0 {
			t.Errorf("%s is for nobody", name)
		}
	}
}

func checkTableFlags(t *testing.T, name string, p permission, command *cli.Command) {
	t.Helper()
	for _, flag := range p.flags {
		flag, _, _ = strings.Cut(flag, "=")
		known := slices.ContainsFunc(command.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), flag) })
		if !known {
			t.Errorf("%s has no flag --%s", name, flag)
		}
	}
	for _, flag := range filesAndSettings {
		if p.takes(flag) && !(flag == "key" && slices.Contains(p.flags, "key=-")) { // which is asked for, and no file
			t.Errorf("%s takes --%s over the socket", name, flag)
		}
	}
}

// Every command of the program, over the real socket, as somebody of each kind: what is for him asks for the password, and what is not
// is refused before that.
func TestMustRunNothingThatIsNotListedAsEveryRole(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "roles: {helpdesk: {users: [helen~]}, auditor: {users: [adam~]}}", "alice", "helen", "adam")
	for _, name := range []string{"alice", "helen", "adam"} {
		h.enrol(name)
	}
	roles := map[string][]role{"alice": {bySelf}, "helen": {bySelf, byHelpdesk}, "adam": {bySelf, byAuditor}}
	app := newApp(&ui{in: newInput(strings.NewReader(""))})
	commands := slices.Sorted(maps.Keys(paths(app.Commands)))
	if len(commands) < 35 {
		t.Fatalf("only %d commands were found", len(commands))
	}
	for _, who := range []string{"alice", "helen", "adam"} {
		for _, command := range append(commands, "", "help", "no-such-command", "--help-me") {
			may := slices.ContainsFunc(allowed[command], func(r role) bool { return slices.Contains(roles[who], r) })
			got := h.raw(who, h.request(strings.Fields(command)...)+`{"kind":"none","text":""}`+"\n")
			if asks := strings.Contains(got, `"kind":"hidden"`); asks != may {
				t.Errorf("twokey %s as %s: asked for the password: %v\n%s", command, who, asks, got)
			}
			if !may && !strings.Contains(got, `{"kind":"exit","text":"","status":4}`) && !strings.Contains(got, `{"kind":"exit","text":"","status":2}`) {
				t.Errorf("twokey %s as %s: %s", command, who, got)
			}
		}
	}
}

// What names a file, another user or a setting is refused before anybody is asked for anything, however it is spelled.
func TestMustRunNothingWithFlagsOrNamesThatAreNotHis(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "roles: {helpdesk: {users: [helen~]}}", "alice", "bob", "helen")
	h.enrol("alice")
	h.enrol("helen")
	mark := filepath.Join(h.dir, "mark")
	for _, argv := range [][]string{
		{"enroll", "bob~"}, {"enroll", "root"}, {"enroll", "--", "bob~"}, {"show", "bob~"}, {"device", "list", "bob~"}, {"recovery", "new", "bob~"},
		{"device", "rename", "bob~", "phone", "mine"}, {"device", "remove", "helen~", "phone"}, {"enroll", "alice~", "bob~"}, {"enroll", ""},
		{"enroll", "--secret-file", "/etc/shadow"}, {"enroll", "--secret-file=/etc/shadow"}, {"enroll", "-secret-file", "/etc/shadow"},
		{"--config", "/etc/shadow", "enroll"}, {"enroll", "--config=/etc/shadow"}, {"enroll", "--root", "/tmp"}, {"enroll", "--qr", mark + ".svg"},
		{"enroll", "--qr=" + mark + ".png"}, {"enroll", "--sheet", mark + ".html"}, {"enroll", "--qr", "none", "--qr", mark + ".svg"},
		// The word behind a flag is its value, also "--", behind which more flags stand then.
		{"enroll", "--device", "--", "--secret-file", "/etc/shadow"}, {"enroll", "--device", "--", "--config", "/etc/shadow"},
		{"enroll", "--recovery-codes", "--", "--root", "/tmp"}, {"enroll", "--qr", "--", "--sheet=" + mark + ".html"},
		{"enroll", "--method", "totp", "--device", "--", "--add"}, {"-y", "enroll", "-device", "--", "-digits", "4"},
		{"enroll", "--digits", "4"}, {"enroll", "--until", "2099-01-01"}, {"enroll", "--add"}, {"enroll", "--code", "bob~"},
		{"device", "edit", "phone", "--until", "never"}, {"audit", "tail"}, {"audit", "verify", "--key", "/etc/shadow"}, {"list"}, {"reset", "bob~"},
		{"bypass", "create", "alice~", "--reason", "x", "--requested-by", "root"}, {"policy", "check", "/etc/shadow"}, {"test", "login-transaction", "{}"},
		{"serve-self"}, {"init"}, {"config", "get", "issuer"}, {"apply", "-f", "/etc/shadow"}, {"version"},
	} {
		got := h.raw("alice", h.request(argv...)+`{"kind":"none","text":""}`+"\n")
		refused := strings.Contains(got, `"status":4}`) || strings.Contains(got, `"status":2}`)
		if strings.Contains(got, `"kind":"hidden"`) || strings.Contains(got, `"kind":"shown"`) || !refused {
			t.Errorf("twokey %s: %s", strings.Join(argv, " "), got)
		}
	}
	for _, argv := range [][]string{{"reset", "bob~", "--config", "/tmp/x"}, {"bypass", "create", "bob~", "--override"}, {"list", "--root", "/"},
		{"list", "--method", "--", "--config", "/tmp/x"}, {"reset", "bob~", "--for", "--", "--root", "/tmp"}} {
		if got := h.raw("helen", h.request(argv...)); strings.Contains(got, `"kind":"hidden"`) || !strings.Contains(got, `"status":4}`) {
			t.Errorf("twokey %s as the helpdesk: %s", strings.Join(argv, " "), got)
		}
	}
	if found, _ := filepath.Glob(mark + "*"); len(found) > 0 {
		t.Errorf("written: %v", found)
	}
	if h.has("bob") {
		t.Error("bob has a device")
	}
}

// helpdesk makes a host with a helpdesk, and people whom it may touch and may not.
func helpdesk(t *testing.T) *selfHost {
	t.Helper()
	h := newSelfHost(t, "roles: {helpdesk: {users: [helen~, hugo~]}, auditor: {users: [adam~]}, protected: {users: [paula~], groups: [staff~]}}\n"+
		"bypass: {requesters: {users: [bob~]}}", "helen", "hugo", "adam", "bob", "paula", "peter", "toor")
	h.group("staff", "peter~")
	for _, name := range []string{"helen", "adam", "bob", "paula", "peter"} {
		h.enrol(name)
	}
	return h
}

func TestTheHelpdeskHelps(t *testing.T) {
	t.Parallel()
	h := helpdesk(t)
	for _, c := range []struct {
		argv []string
		out  string
	}{
		{[]string{"list"}, h.people["bob"].Name},
		{[]string{"list", "--expired"}, ""},
		{[]string{"show", "bob~"}, "phone"},
		{[]string{"unlock", "bob~"}, "all attempts back"},
		{[]string{"bypass", "create", "bob~", "--reason", "phone at home", "--requested-by", "bob~"}, "-"},
		{[]string{"bypass", "list", "bob~"}, "phone at home"},
		{[]string{"bypass", "revoke", "bob~", "--yes"}, ""},
		{[]string{"reset", "bob~", "--yes"}, h.people["bob"].Name},
	} {
		h.enrol("helen")
		out, complaint, status := h.as("helen", h.proof("helen", 0), c.argv...)
		if status != exitDone || !strings.Contains(out, c.out) {
			t.Errorf("%v: status %d, %s, %s", c.argv, status, out, complaint)
		}
	}
	if h.has("bob") {
		t.Error("bob was not reset")
	}
	if r := h.lastOf("reset"); r.User != h.people["helen"].Name || r.Target != h.people["bob"].Name || detail(r, detailRole) != "helpdesk, by socket" {
		t.Errorf("recorded: %+v", r)
	}
	h.enrol("adam")
	if out, complaint, status := h.as("adam", h.proof("adam", 0), "audit", "tail", "--user", "bob~"); status != exitDone || !strings.Contains(out, "reset") {
		t.Errorf("the auditor: status %d, %s, %s", status, out, complaint)
	}
	h.enrol("adam")
	if out, complaint, status := h.as("adam", h.proof("adam", 0), "audit", "tail", "-n", "10001"); status != exitUsage || out != "" ||
		!strings.Contains(complaint, "at most 10000 without root") {
		t.Errorf("the auditor who wants all: status %d, %s, %s", status, out, complaint)
	}
}

// The key comes as an answer, which is hidden; root opens no file for it.
func TestTheAuditorChecksTheSeals(t *testing.T) {
	t.Parallel()
	h := helpdesk(t)
	logged, err := filepath.Glob(filepath.Dir(h.Log()) + "/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range logged {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	key, err := audit.Create(h.Log())
	if err != nil {
		t.Fatal(err)
	}
	for answer, sealed := range map[string]bool{key.Text(): true, strings.Replace(key.Text(), "KEY-1-", "KEY-1-AAAA", 1): false} {
		h.enrol("adam")
		out, complaint, status := h.as("adam", h.proof("adam", 0)+answer+"\n", "audit", "verify", "--key", "-")
		if (status == exitDone) != sealed || strings.Contains(out, "every seal is right") != sealed {
			t.Errorf("status %d, %s, %s", status, out, complaint)
		}
	}
	h.enrol("adam")
	if out, _, status := h.as("adam", h.proof("adam", 0), "audit", "verify"); status != exitDone || !strings.Contains(out, "can tell: twokey audit verify --key - asks for it") {
		t.Errorf("without the key: status %d, %s", status, out)
	}
	for _, argv := range [][]string{{"--key", "/etc/shadow"}, {"--key=-", "--key", "/etc/shadow"}, {"-key=/etc/shadow"}} {
		_, complaint, status := h.as("adam", "", append([]string{"audit", "verify"}, argv...)...)
		if status != exitNeedRoot || !strings.Contains(complaint, "error: --key /etc/shadow needs root\n") || !strings.HasSuffix(complaint, "; without root: --key -\n") {
			t.Errorf("%v: status %d, %s", argv, status, complaint)
		}
		if got := h.raw("adam", h.request(append([]string{"audit", "verify"}, argv...)...)); strings.Contains(got, `"kind":"hidden"`) || !strings.Contains(got, `"status":4}`) {
			t.Errorf("%v: %s", argv, got)
		}
	}
}

// Whoever was of the helpdesk when he was asked, or whom somebody protects meanwhile, has nothing by the answer.
func TestMustAskAgainBehindAQuestionWhetherTheHelpdeskMay(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "roles: {helpdesk: {users: [helen~]}}", "helen", "bob")
	h.enrol("bob")
	for settings, why := range map[string]string{
		"roles: {auditor: {users: [helen~]}}":                              "you are not of the helpdesk any more",
		"roles: {helpdesk: {users: [helen~]}, protected: {users: [bob~]}}": "roles.protected has the user",
	} {
		h.settings("roles: {helpdesk: {users: [helen~]}}")
		device := h.enrol("helen")
		x := h.atTerminal("helen", "reset", "bob~")
		x.Expect("Password: ")
		x.Type(h.Password + "\n")
		x.Expect("Verification code: ")
		x.Type(scratch.Code(t, device, 0) + "\n")
		x.Expect("[y/N]")
		h.settings(settings)
		x.Type("y\n")
		x.Expect("is for root")
		if status := x.Wait(); status != exitNeedRoot || !h.has("bob") || !strings.Contains(strings.Join(strings.Fields(x.Screen()), " "), why) {
			t.Errorf("%s: status %d\n%s", settings, status, x.Screen())
		}
	}
}

func TestMustLetTheHelpdeskTouchNeitherItselfNorRootNorWhoIsProtected(t *testing.T) {
	t.Parallel()
	h := helpdesk(t)
	for name, why := range map[string]string{
		"helen~": "the helpdesk does nothing for itself",
		"root":   "the helpdesk has nothing to do with root",
		"toor~":  "the helpdesk has nothing to do with root",
		"paula~": "roles.protected has the user",
		"peter~": "roles.protected has the user",
	} {
		for _, argv := range [][]string{{"reset", name, "--yes"}, {"unlock", name}, {"reset", "bob~", name, "--yes"}, {"show", name},
			{"bypass", "create", name, "--reason", "x", "--requested-by", "bob~"}, {"bypass", "revoke", name, "--yes"}} {
			if argv[0] == "show" && name == "helen~" {
				continue // that is for herself
			}
			h.enrol("helen")
			out, complaint, status := h.as("helen", h.proof("helen", 0), argv...)
			if status != exitNeedRoot || out != "" || !strings.Contains(complaint, why) {
				t.Errorf("%v: status %d, %s, %s", argv, status, out, complaint)
			}
			if r := h.lastOf(actionSelf); r.Outcome != audit.Failure || !strings.Contains(r.Reason, why) || r.User != h.people["helen"].Name {
				t.Errorf("%v: recorded %+v", argv, r)
			}
		}
	}
	h.enrol("helen")
	out, complaint, status := h.as("helen", h.proof("helen", 0), "reset", "--group", "staff~", "--yes")
	if status != exitNeedRoot || out != "" {
		t.Errorf("a group with somebody protected: status %d, %s, %s", status, out, complaint)
	}
	for _, name := range []string{"helen", "bob", "paula", "peter"} {
		if !h.has(name) {
			t.Errorf("%s was reset", name)
		}
	}
	// Nothing of them is listed either.
	for _, name := range []string{"helen", "bob", "paula", "peter"} {
		_, _, err := h.Users.NewBypass(h.people[name].Name, enroll.Bypass{Until: time.Now().Add(time.Hour), Uses: 1, Reason: "a reason", Requester: "carol", By: "root"})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, argv := range [][]string{{"bypass", "list"}, {"list"}} {
		h.enrol("helen")
		out, complaint, status := h.as("helen", h.proof("helen", 0), argv...)
		if status != exitDone || !strings.Contains(out, h.people["bob"].Name) {
			t.Errorf("%v: status %d, %s, %s", argv, status, out, complaint)
		}
		for _, name := range []string{"helen", "paula", "peter", "toor"} {
			if strings.Contains(out, h.people[name].Name) {
				t.Errorf("%v shows %s:\n%s", argv, name, out)
			}
		}
	}
	// hugo has no device: a password alone is no role.
	if out, complaint, status := h.as("hugo", h.Password+"\n", "reset", "bob~", "--yes"); status != exitFailed || !strings.Contains(complaint, "second factor of his own") {
		t.Errorf("without a device: status %d, %s, %s", status, out, complaint)
	}
}

package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"twokey/audit"
	"twokey/enroll"
	"twokey/factor"
	"twokey/internal/pamtest"
	"twokey/pamhook/logintest/scratch"
	"twokey/secrets"
)

// scanned reads the QR code off a terminal's screen, as a phone would: half blocks, light on dark.
func scanned(t *testing.T, screen string) string {
	t.Helper()
	var rows [][]rune
	for line := range strings.Lines(screen) {
		if strings.ContainsAny(line, "█▀▄") {
			line = regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(line, "")
			rows = append(rows, []rune(strings.TrimRight(line, "\r\n")))
		}
	}
	if len(rows) == 0 {
		t.Fatalf("no code on the screen:\n%s", screen)
	}
	const cell, border = 4, 20
	picture := image.NewGray(image.Rect(0, 0, len(rows[0])*cell+2*border, len(rows)*2*cell+2*border))
	for y, row := range rows {
		for x, r := range row {
			for dy := range 2 * cell {
				light := r == '█' || r == '▀' && dy < cell || r == '▄' && dy >= cell
				for dx := range cell {
					if light {
						picture.SetGray(border+x*cell+dx, border+y*2*cell+dy, color.Gray{Y: 255})
					}
				}
			}
		}
	}
	var b bytes.Buffer
	file := filepath.Join(t.TempDir(), "screen.png")
	if err := png.Encode(&b, picture); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("zbarimg", "--quiet", "--raw", "--nodbus", file).Output()
	if err != nil {
		t.Fatalf("zbarimg: %v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// appCode is what an app shows that has scanned an address.
func appCode(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" {
		t.Fatalf("scanned %q, %v", address, err)
	}
	out, err := exec.Command("oathtool", "--totp=sha1", "--base32", u.Query().Get("secret")).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// enrolsAtTerminal goes through an enrolment up to the question for the first code, and returns the address that the screen shows.
func (h *selfHost) enrolsAtTerminal(name string, argv ...string) (*pamtest.Terminal, string) {
	h.t.Helper()
	x := h.atTerminal(name, append([]string{"enroll"}, argv...)...)
	x.Expect("Password: ")
	x.Type(h.Password + "\n")
	x.Expect("The code that the app shows now: ")
	return x, scanned(h.t, x.Screen())
}

func TestAUserEnrolsHimselfAtATerminal(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "", "alice", "bob")
	x, address := h.enrolsAtTerminal("alice")
	if h.has("alice") {
		t.Error("enrolled before the first code was right")
	}
	x.Type(wrongFor(appCode(t, address)) + "\n")
	x.Expect("that is not the code")
	x.Expect("The code that the app shows now: ")
	x.Type(appCode(t, address) + "\n")
	x.Expect("Recovery codes of " + h.people["alice"].Name)
	if status := x.Wait(); status != exitDone || !h.has("alice") {
		t.Fatalf("status %d:\n%s", status, x.Screen())
	}
	if strings.Contains(x.Screen(), h.Password) {
		t.Error("the password was shown")
	}
	alice := h.people["alice"]
	st, err := h.Users.State.Read(alice.Name)
	if err != nil {
		t.Fatal(err)
	}
	if notices := st.TakeNotices(); len(notices) != 1 || notices[0].By != alice.Name {
		t.Errorf("the owner is told %+v", notices)
	}
	rec := h.lastOf("enroll")
	if rec.User != alice.Name || rec.Target != alice.Name || rec.Service != selfService || detail(rec, detailRole) != "self, by socket" {
		t.Errorf("recorded: %+v", rec)
	}
	if h.has("bob") {
		t.Error("somebody else has a device now")
	}
	h.Verified()
}

func wrongFor(code string) string {
	return strings.Map(func(r rune) rune { return '0' + (r-'0'+5)%10 }, code)
}

// lastOf is the newest record of an action.
func (h *selfHost) lastOf(action string) *audit.Record {
	h.t.Helper()
	entries := h.Last(50)
	for i := len(entries) - 1; i >= 0; i-- {
		if r := entries[i].Record; r != nil && r.Action == action {
			return r
		}
	}
	h.t.Fatalf("no record of %s", action)
	return nil
}

func detail(r *audit.Record, key string) string {
	for _, d := range r.Details {
		if d.Key == key {
			return d.Value
		}
	}
	return ""
}

// What a user does to his own devices, each time with his password and a new code.
func TestAUserDoesWhatIsHisWithoutRoot(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "", "alice")
	alice := h.people["alice"].Name
	for _, c := range []struct {
		argv  []string
		out   string
		holds func(*secrets.Record) bool
	}{
		{[]string{"show"}, "phone", nil},
		{[]string{"device", "list"}, "phone", nil},
		{[]string{"device", "rename", "phone", "old phone"}, `it is "old phone" now`, func(r *secrets.Record) bool { return r.Devices[0].Name == "old phone" }},
		{[]string{"recovery", "show", "alice~"}, "2 of 2 recovery codes left", nil},
		{[]string{"recovery", "new", "--yes"}, "Recovery codes of ", func(r *secrets.Record) bool { return len(r.Recovery.Hashes) == 10 }},
		{[]string{"recovery", "show", "--json"}, `"left": 2`, nil},
	} {
		h.enrol("alice") // a new device each time, none of whose codes is used up
		out, complaint, status := h.as("alice", h.proof("alice", 0), c.argv...)
		_, asked, _ := strings.Cut("\n"+complaint, "a bypass code does not do here") // which is said before a change
		if asked == "" {
			asked = "\n" + complaint
		}
		if status != exitDone || !strings.Contains(out, c.out) || asked != "\nPassword: \nVerification code: \n" {
			t.Errorf("%v: status %d, %s, %s", c.argv, status, out, complaint)
		}
		if r := h.lastOf(actionSelf); r.Outcome != audit.Success || r.Reason != nameOfArgv(c.argv) || r.User != alice {
			t.Errorf("%v is recorded as %+v", c.argv, r)
		}
		record, err := h.Users.Secrets.Load(alice)
		if err != nil || c.holds != nil && !c.holds(record) {
			t.Errorf("%v: %v, %v", c.argv, record, err)
		}
	}
}

// What is advised is what she can type herself, and not root's.
func TestAUserIsAdvisedWhatSheMayRun(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "contact: the IT desk\n", "gina")
	if _, complaint, _ := h.as("gina", h.Password+"\n", "device", "list"); !strings.Contains(complaint, "twokey: hint: twokey enroll\n") {
		t.Error(complaint)
	}
	h.enrol("gina")
	_, complaint, _ := h.as("gina", h.proof("gina", 0), "enroll")
	if !strings.Contains(complaint, "twokey: hint: twokey device add puts a new one beside it; twokey enroll --replace in its place\n") {
		t.Error(complaint)
	}
	h.enrol("gina")
	out, complaint, status := h.as("gina", h.proof("gina", 0), "show")
	if status != exitDone || !strings.Contains(out, "Known places") || strings.Contains(out, "forget") {
		t.Errorf("status %d, %s, %s", status, out, complaint)
	}
	h.settings("enabled: false\ncontact: the IT desk\n")
	h.enrol("gina")
	if _, complaint, _ := h.as("gina", h.proof("gina", 0), "show"); !strings.Contains(complaint, "is asked for a code\n") {
		t.Error(complaint)
	}
}

func nameOfArgv(argv []string) string {
	if argv[0] == "show" {
		return argv[0]
	}
	return strings.Join(argv[:2], " ")
}

func TestASecondDeviceIsAddedAtATerminal(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "", "alice")
	h.enrol("alice")
	x := h.atTerminal("alice", "device", "add", "--device", "tablet")
	x.Expect("Password: ")
	x.Type(h.Password + "\n")
	x.Expect("Verification code: ")
	x.Type(scratch.Code(t, h.devices["alice"], 0) + "\n")
	x.Expect("The code that the app shows now: ")
	x.Type(appCode(t, scanned(t, x.Screen())) + "\n")
	if status := x.Wait(); status != exitDone || !strings.Contains(x.Screen(), `Added the device "tablet"`) || strings.Contains(x.Screen(), "next login") {
		t.Errorf("status %d:\n%s", status, x.Screen())
	}
	record, err := h.Users.Secrets.Load(h.people["alice"].Name)
	if err != nil || len(record.Devices) != 2 || record.Devices[1].Name != "tablet" {
		t.Errorf("%v, %v", record, err)
	}
}

// A wrong proof changes nothing, is in the audit log, and the words do not tell what was wrong.
func TestMustDoNothingBeforePAMHasFoundThatItIsHe(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "", "alice", "carol")
	device := h.enrol("alice")
	spent := scratch.Code(t, device, 0)
	if _, complaint, status := h.as("alice", h.Password+"\n"+spent+"\n", "recovery", "show"); status != exitDone {
		t.Fatalf("status %d: %s", status, complaint)
	}
	for sentence, answers := range map[string]string{
		"a wrong password":        "wrong\n" + scratch.Code(t, device, 1) + "\n",
		"no password":             "\n" + scratch.Code(t, device, 1) + "\n",
		"a wrong code":            h.Password + "\n" + scratch.Wrong(t, device) + "\n",
		"a code that was used":    h.Password + "\n" + spent + "\n",
		"no code":                 h.Password + "\n\n",
		"the password as code":    h.Password + "\n" + h.Password + "\n",
		"no answers":              "",
		"an answer and then none": h.Password + "\n",
	} {
		before := h.lastSequence()
		out, complaint, status := h.as("alice", answers, "recovery", "new", "--yes")
		if status != exitNo || out != "" || !strings.Contains(complaint, "error: no proof that you are alice") {
			t.Errorf("%s: status %d, %s, %s", sentence, status, out, complaint)
		}
		if r := h.lastOf(actionSelf); r.Sequence <= before || r.Outcome != audit.Failure || !strings.HasPrefix(r.Reason, "recovery new: authenticate: ") {
			t.Errorf("%s: recorded %+v", sentence, r)
		}
	}
	if out, complaint, status := h.as("carol", "wrong\n", "enroll"); status != exitNo || out != "" || h.has("carol") {
		t.Errorf("enrolment with a wrong password: status %d, %s, %s", status, out, complaint)
	}
	record, err := h.Users.Secrets.Load(h.people["alice"].Name)
	if err != nil || len(record.Recovery.Hashes) != 2 {
		t.Errorf("changed all the same: %v, %v", record, err)
	}
}

func (h *selfHost) lastSequence() uint64 {
	h.t.Helper()
	entries := h.Last(1)
	if len(entries) == 0 {
		return 0
	}
	return entries[0].Record.Sequence
}

// A stack that lets the password through alone proves nothing for somebody who has a device, and one that is not there proves nothing at all.
func TestMustDoNothingByAStackThatDoesNotAsk(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "", "alice", "carol")
	h.enrol("alice")
	shipped, err := os.ReadFile(filepath.Join(h.dir, "etc/pam.d", selfService))
	if err != nil {
		t.Fatal(err)
	}
	h.Service(selfService, "auth required pam_unix.so", "account required pam_unix.so")
	_, complaint, status := h.as("alice", h.Password+"\n", "recovery", "new", "--yes")
	if status != exitNo || !strings.Contains(complaint, "no code was asked for: the stack in /etc/pam.d/twokey-self does not ask") {
		t.Errorf("without pam_twokey: status %d, %s", status, complaint)
	}
	if err := os.Remove(filepath.Join(h.dir, "etc/pam.d", selfService)); err != nil {
		t.Fatal(err)
	}
	h.Service("other", "auth required pam_permit.so", "account required pam_permit.so")
	for _, name := range []string{"alice", "carol"} {
		_, complaint, status := h.as(name, "\n\n", "recovery", "show")
		if status != exitFailed || !strings.Contains(complaint, "/etc/pam.d/twokey-self is not there") {
			t.Errorf("%s without the file: status %d, %s", name, status, complaint)
		}
	}
	h.Service(selfService, string(shipped))
	record, err := h.Users.Secrets.Load(h.people["alice"].Name)
	if err != nil || len(record.Recovery.Hashes) != 2 {
		t.Errorf("changed all the same: %v, %v", record, err)
	}
}

// The switch asks nobody anywhere, but here. Attack: with a stolen password, while twokey is off for two hours, add a device that stays.
func TestMustAskForACodeWhileTwokeyIsSwitchedOff(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "", "alice")
	h.enrol("alice")
	for i, off := range []string{"enabled: false", "off_until: " + time.Now().Add(2*time.Hour).UTC().Format(time.RFC3339)} {
		h.settings(off)
		for _, answers := range []string{h.Password + "\n", h.Password + "\n" + wrongFor(scratch.Code(t, h.devices["alice"], int64(i))) + "\n"} {
			_, complaint, status := h.as("alice", answers, "recovery", "new", "--yes")
			record, err := h.Users.Secrets.Load(h.people["alice"].Name)
			if status != exitNo || err != nil || len(record.Recovery.Hashes) != []int{2, 10}[i] {
				t.Errorf("%s, no right code: status %d, %s, %v", off, status, complaint, err)
			}
		}
		if _, complaint, status := h.as("alice", h.proof("alice", int64(i)), "recovery", "new", "--yes"); status != exitDone {
			t.Errorf("%s, a right code: status %d, %s", off, status, complaint)
		}
	}
}

// settings writes the configuration anew, also where the programs look for it.
func (h *selfHost) settings(lines string) {
	h.t.Helper()
	h.Configure(h.full(lines))
	config, err := os.ReadFile(h.Config)
	if err != nil {
		h.t.Fatal(err)
	}
	path := filepath.Join(h.dir, "etc/twokey/twokey.yaml")
	if err := os.WriteFile(path+".new", config, 0o644); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		h.t.Fatal(err)
	}
}

// Between a reset and the next enrolment a stolen password is not enough.
func TestMustLetNobodyWhoWasResetEnrolByThePasswordAlone(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "", "alice")
	alice := enroll.Account{Name: h.people["alice"].Name, UID: h.people["alice"].UID}
	h.enrol("alice")
	reset := func() string {
		if err := h.Users.Reset(alice.Name); err != nil {
			t.Fatal(err)
		}
		code, _, err := h.Users.NewCode(alice, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	code := reset()
	if err := h.Users.EndCode(alice.Name); err != nil {
		t.Fatal(err)
	}
	if _, complaint, status := h.as("alice", h.Password+"\n"+code+"\n", "enroll"); status != exitFailed || !strings.Contains(complaint, "ask your administrator for one") {
		t.Errorf("no code is open: status %d, %s", status, complaint)
	}
	code = reset()
	wrong, err := factor.NewRecoveryCodes(strings.NewReader(strings.Repeat("guess", 20)), 1)
	if err != nil {
		t.Fatal(err)
	}
	three := strings.Repeat("\n"+wrong[0], 3)
	for sentence, c := range map[string]struct {
		answers, complaint string
		status             int
	}{
		"no code":      {strings.Repeat("\n", 50), "wrong enrolment code", exitNo},
		"a wrong code": {three + "\n", "wrong enrolment code", exitNo},
		"empty lines between, and the right one too late": {"\n\n" + three + "\n" + code + "\n", "wrong enrolment code", exitNo},
	} {
		if out, complaint, status := h.as("alice", h.Password+c.answers, "enroll"); status != c.status || out != "" || !strings.Contains(complaint, c.complaint) {
			t.Errorf("%s: status %d, %s, %s", sentence, status, out, complaint)
		}
	}
	asked := func() *pamtest.Terminal {
		x := h.atTerminal("alice", "enroll")
		x.Expect("Password: ")
		x.Type(h.Password + "\n")
		x.Expect("Enrolment code: ")
		x.Type(code + "\n")
		x.Expect("The code that the app shows now: ")
		return x
	}
	x := asked() // and now the administrator hears that the code was stolen too
	address := scanned(t, x.Screen())
	late := code
	code = reset()
	x.Type(appCode(t, address) + "\n")
	if status := x.Wait(); status != exitFailed || h.has("alice") {
		t.Errorf("with the code %s of before: status %d\n%s", late, status, x.Screen())
	}
	x = asked()
	x.Type(appCode(t, scanned(t, x.Screen())) + "\n")
	if status := x.Wait(); status != exitDone || !h.has("alice") {
		t.Errorf("with the right code: status %d\n%s", status, x.Screen())
	}
	if _, open, err := h.Users.CodeOpen(alice.Name); open || err != nil {
		t.Errorf("the code is good still: %v", err)
	}
}

// Nor is it for somebody who is required to have a device already, whom a login would ask for his enrolment code.
func TestMustLetNobodyWhoIsRequiredEnrolByThePasswordAlone(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "require: [{users: [alice~]}, {users: [bob~], by: 2099-12-31}]", "alice", "bob")
	alice := enroll.Account{Name: h.people["alice"].Name, UID: h.people["alice"].UID}
	out, complaint, status := h.as("alice", h.Password+"\n\n", "enroll")
	if status != exitFailed || out != "" || !strings.Contains(complaint, "ask your administrator for one") {
		t.Errorf("no code is open: status %d, %s, %s", status, out, complaint)
	}
	code, _, err := h.Users.NewCode(alice, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if out, complaint, status := h.as("alice", h.Password+strings.Repeat("\n", 50), "enroll"); status != exitNo || out != "" || h.has("alice") {
		t.Errorf("no code: status %d, %s, %s", status, out, complaint)
	}
	for _, ends := range []bool{true, false} {
		x := h.atTerminal("alice", "enroll")
		x.Expect("Password: ")
		x.Type(h.Password + "\n")
		x.Expect("Enrolment code: ")
		x.Type(code + "\n")
		x.Expect("The code that the app shows now: ")
		want := exitDone
		if ends { // the administrator hears that the code was stolen too
			want = exitFailed
			if code, _, err = h.Users.NewCode(alice, time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		x.Type(appCode(t, scanned(t, x.Screen())) + "\n")
		if status := x.Wait(); status != want || h.has("alice") == ends {
			t.Errorf("the code ended %v: status %d\n%s", ends, status, x.Screen())
		}
	}
	// Who is let in by his password until a day may enrol by it until then.
	x, address := h.enrolsAtTerminal("bob")
	x.Type(appCode(t, address) + "\n")
	if status := x.Wait(); status != exitDone || !h.has("bob") {
		t.Errorf("in time: status %d\n%s", status, x.Screen())
	}
}

func TestWhereNobodyEnrolsByHimselfHeIsToldWhomToAsk(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "", "alice")
	for _, settings := range []string{`enroll: {at_login: "no"}`, "rules: [{name: by hand, users: [alice~], then: required, enroll: by-admin}]"} {
		h.settings(settings + "\ncontact: the IT desk")
		out, complaint, status := h.as("alice", h.Password+"\n", "enroll")
		if status != exitFailed || out != "" || !strings.Contains(complaint, "ask the IT desk") || strings.Contains(complaint, "Password") {
			t.Errorf("%s: status %d, %s, %s", settings, status, out, complaint)
		}
	}
}

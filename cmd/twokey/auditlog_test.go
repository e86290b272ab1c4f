package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"twokey/audit"
)

// shownEntries is what audit tail prints of records.
func shownEntries(t *testing.T, records ...audit.Record) string {
	t.Helper()
	var out strings.Builder
	u := &ui{out: &out}
	var entries []audit.Entry
	for _, r := range records {
		entries = append(entries, audit.Entry{Record: &r})
	}
	if err := u.entries(entries); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTailTellsWhoWhatAndWhy(t *testing.T) {
	at := time.Date(2026, 11, 21, 18, 24, 55, 0, time.Local)
	change := func(field, before, after string) []audit.Change {
		return []audit.Change{{Field: field, Old: before, New: after}}
	}
	for what, c := range map[string]struct {
		record audit.Record
		row    []string
	}{
		"a login": {audit.Record{Action: "login", Outcome: audit.Success, User: "alice", Service: "sshd", Source: "192.0.2.7", Reason: "right code", Method: "totp", Device: "phone"},
			[]string{"ok", "alice", "login", "sshd", "192.0.2.7", "right code (totp, phone)"}},
		"a refusal": {audit.Record{Action: "login", Outcome: audit.Failure, User: "alice", Service: "sudo", Source: "local:1000", Reason: "wrong code"},
			[]string{"NO", "alice", "login", "sudo", "local:1000", "wrong code"}},
		"an unknown user, whose name may be a password": {audit.Record{Action: "login", Outcome: audit.Failure, UserHash: "j41uNwDCt3DsT3VpF6V7fQ", UserLength: 7, Service: "sshd"},
			[]string{"NO", "(unknown, 7 bytes)", "login", "sshd", "-", "-"}},
		"an observed one": {audit.Record{Action: "login-observed", Outcome: audit.Unknown, User: "alice", Reason: "would have denied: wrong code"},
			[]string{"?", "alice", "login-observed", "-", "-", "would have denied: wrong code"}},
		"a session": {audit.Record{Action: "session-opened", Outcome: audit.Success, User: "alice", Service: "sshd", SecondFactor: "none", Reason: "key (default)"},
			[]string{"ok", "alice", "session-opened", "sshd", "-", "key (default) (none)"}},
		"an administrator": {audit.Record{Action: "enroll", Outcome: audit.Success, User: "root", SudoUser: "bob", Target: "alice", Changes: change("second factor", "none", "enrolled")},
			[]string{"ok", "root (bob)", "enroll alice", "-", "-", "second factor: none → enrolled"}},
		"something new":  {audit.Record{Action: "x", Outcome: audit.Success, User: "root", Changes: change("require", "", "users alice")}, []string{"ok", "root", "x", "-", "-", "require: users alice"}},
		"something gone": {audit.Record{Action: "x", Outcome: audit.Success, User: "root", Changes: change("exempt", "users bob", "")}, []string{"ok", "root", "x", "-", "-", "exempt: no longer users bob"}},
		"a bypass, for whom and why first": {audit.Record{Action: "bypass-create", Outcome: audit.Success, User: "root", Target: "alice", Changes: []audit.Change{
			{Field: "id", New: "12345678"}, {Field: "until", New: "2026-11-22"}, {Field: "uses", New: "1"}, {Field: "requested_by", New: "bob"}, {Field: "reason", New: "phone at home"}}},
			[]string{"ok", "root", "bypass-create alice", "-", "-", "requested_by: bob; reason: phone at home; id: 12345678; until: 2026-11-22; 1 more"}},
		"a name as it is":          {audit.Record{Action: "x", Outcome: audit.Success, User: `EXAMPLE\jörg`, Reason: `"ä"`}, []string{"ok", `EXAMPLE\jörg`, "x", "-", "-", `"ä"`}},
		"a name that hides itself": {audit.Record{Action: "x", Outcome: audit.Success, User: "bob\u202ecod\x1b"}, []string{"ok", `bob\u202ecod\u001b`, "x", "-", "-", "-"}},
		"a repaired log": {audit.Record{Action: "x", Outcome: audit.Success, User: "root", Reason: "r", Repair: audit.Repair{SkippedBytes: 5, MissingRecords: 3}},
			[]string{"ok", "root", "x", "-", "-", "r [behind 5 bytes that are no record] [behind 3 records that were missing]"}},
	} {
		c.record.Time = at
		row := recordRow(&c.record)
		if row[0] != "2026-11-21 18:24:55" || strings.Join(row[1:], "|") != strings.Join(c.row, "|") {
			t.Errorf("%s: %q, want %q", what, row, c.row)
		}
	}
}

// Who logs in chooses what stands in many fields.
func TestTailIsSafeAgainstWhatIsInARecord(t *testing.T) {
	for _, hostile := range []string{
		"\x1b[2J\x1b[H", "a\nb", "a\r2026-11-21 18:24:55  ok  root  login", "\x1b]0;title\a", "\u009b2J", "a\u202eb", "\u200b", "\x00", "\xff\xfe",
		"\u2028", "\x7f", "\t", strings.Repeat("x", 100000), "\U000e0041",
	} {
		r := audit.Record{Time: time.Now(), Action: "login", Outcome: audit.Failure, User: hostile, Reason: hostile, Service: hostile, Source: hostile,
			Target: hostile, Device: hostile, Method: hostile, SudoUser: hostile + "x", SecondFactor: hostile,
			Changes: []audit.Change{{Field: hostile, Old: hostile, New: hostile + "y"}}}
		shown := shownEntries(t, r)
		if lines := strings.Count(shown, "\n"); lines != 2 {
			t.Errorf("%.40q: %d lines", hostile, lines)
		}
		for _, c := range strings.ReplaceAll(shown, "\n", "") {
			if !unicode.IsPrint(c) {
				t.Errorf("%.40q: %U is printed", hostile, c)
			}
		}
		if len(shown) > 4096 {
			t.Errorf("%.40q: %d bytes", hostile, len(shown))
		}
	}
}

// An intruder who is root reads the key where it is typed: who is about to type it is told so, also in a session of another host.
func TestWhoIsAskedForTheVerificationKeyIsToldWhereNotToTypeIt(t *testing.T) {
	root, _ := newRoot(t)
	x := atTerminal(t, "80", root, "audit", "verify", "--key", "-")
	x.Expect("of a host that you suspect, check a copy of the log on another host.")
	x.Expect("Verification key: ")
	x.Type("TWOKEY-AUDIT-KEY-1-AAAQEAYE-AUDAOCAJ-BIFQYDIO-B4IBCEQT-CQKRMFYY-DENBWHA5-DYPQPJL7\n")
	x.Expect("status 3")
}

// As docs/security.md says.
func TestACopyOfTheLogIsCheckedOnAnotherHost(t *testing.T) {
	suspected, elsewhere := t.TempDir(), t.TempDir()
	key := verificationKeyIn.FindString(succeed(t, "--root="+suspected, "init"))
	succeed(t, "--root="+suspected, "enroll", "games", "--qr", "none")
	succeed(t, "--root="+elsewhere, "init")
	if err := os.RemoveAll(elsewhere + "/var/log/twokey"); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-a", suspected+"/var/log/twokey", elsewhere+"/var/log/twokey").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	verify := exec.Command("twokey", "--root="+elsewhere, "audit", "verify", "--key", "-")
	verify.Stdin = strings.NewReader(key + "\n")
	if out, err := verify.CombinedOutput(); err != nil || string(out) != "The log is as it was written: 2 records, every seal is right.\n" {
		t.Errorf("%v: %s", err, out)
	}
}

var verificationKeyIn = regexp.MustCompile(`TWOKEY-AUDIT-KEY-[-A-Z0-9]+`)

package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTheDevicesOfAUserFitIntoEightyColumns(t *testing.T) {
	made := time.Date(2026, 11, 22, 4, 0, 0, 0, time.Local)
	until := made.AddDate(1, 0, 0)
	devices := []viewDevice{
		{Name: "phone", Method: "totp", Digits: 6, Period: 30, Algorithm: "SHA1", Created: &made, LastUsed: &made, LastFrom: "192.168.100.200", Until: &until},
		{Name: "old-tablet", Method: "hotp", Digits: 6, Algorithm: "SHA1", Created: &made},
		{Name: "unknown", Method: "totp", Digits: 6, Period: 30, Algorithm: "SHA1"},
	}
	lines := tableLines(deviceRows(devices), 0)
	if len(lines) != 4 {
		t.Fatalf("%q", lines)
	}
	for _, line := range lines {
		if len(line) > screen {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

func TestTablesAreFoldedToTheTerminal(t *testing.T) {
	rows := [][]string{{"USER", "POLICY", "WHY"}, {"alice", "optional, vnc: deny", "the rule is about group wheel and not about her"},
		{"käthe", "-", "-"}, {}, {"bob", ""}}
	for columns, want := range map[int][]string{
		0: {"USER   POLICY               WHY", "alice  optional, vnc: deny  the rule is about group wheel and not about her", "käthe  -                    -", "", "bob"},
		58: {"USER   POLICY               WHY", "alice  optional, vnc: deny  the rule is about group wheel", "                            and not about her",
			"käthe  -                    -", "", "bob"},
		// Two columns are wide.
		35: {"USER   POLICY         WHY", "alice  optional,      the rule is", "       vnc: deny      about group", "                      wheel and not",
			"                      about her", "käthe  -              -", "", "bob"},
		// So narrow that folding does not help.
		15: {"USER   POLICY               WHY", "alice  optional, vnc: deny  the rule is about group wheel and not about her", "käthe  -                    -", "", "bob"},
	} {
		if got := tableLines(rows, columns); !slices.Equal(got, want) {
			t.Errorf("%d columns:\n%s\nwant\n%s", columns, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	long := strings.Repeat("x", 60)
	if got := fold("a "+long+" b", 20); !slices.Equal(got, []string{"a", long, "b"}) {
		t.Errorf("%q", got)
	}
}

func TestTablesShowNothingThatATerminalObeys(t *testing.T) {
	got := tableLines([][]string{{"a\x1b[2J", "b\n\u202ec"}}, 80)
	if want := []string{"a?[2J  b??c"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// The attack: a user calls himself =HYPERLINK("https://…") and waits until the list of users is opened in a spreadsheet.
func TestNoCellIsAFormula(t *testing.T) {
	var out strings.Builder
	u := &ui{out: &out}
	if err := u.csv(slices.Values([][]string{{"a", "x\t=1\r\n", `say "hi", =1`}})); err != nil || out.String() != "a,x?=1??,\"say \"\"hi\"\", =1\"\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestTheSignIsForUTF8Only(t *testing.T) {
	for _, c := range []struct {
		all, ctype, lang string
		want             bool
	}{
		{"", "", "en_GB.UTF-8", true}, {"", "", "de_DE.utf8", true}, {"", "", "C.UTF-8", true}, {"", "", "ca_ES.UTF-8@valencia", true},
		{"C", "", "en_GB.UTF-8", false}, {"", "C", "en_GB.UTF-8", false}, {"en_GB.UTF-8", "C", "C", true},
		{"", "", "", false}, {"", "", "C", false}, {"", "", "de_DE@euro", false}, {"", "", "en_GB.ISO-8859-1", false},
	} {
		t.Setenv("LC_ALL", c.all)
		t.Setenv("LC_CTYPE", c.ctype)
		t.Setenv("LANG", c.lang)
		if (&ui{in: newInput(strings.NewReader(""))}).utf8() != c.want {
			t.Errorf("%+v", c)
		}
	}
}

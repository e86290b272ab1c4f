package importer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// ownerTables are lists of owners, with what they say: line, serial number and user of each row, and what is wrong.
var ownerTables = map[string]struct{ text, want string }{
	"in this order":          {"serial,user\n1001,alice\n1002,bob\n", "2 1001 alice\n3 1002 bob\n"},
	"in the other":           {"user,serial\nalice,1\n", "2 1 alice\n"},
	"capitals":               {"Serial,USER\n1,Alice\n", "2 1 Alice\n"},
	"as spreadsheets write":  {"\ufeff\"serial\",\"user\"\r\n\"1\",\"alice\"\r\n", "2 1 alice\n"},
	"a comma in a cell":      {"serial,user\n\"1,5\",alice\n", "2 1,5 alice\n"},
	"blanks":                 {" serial , user \n 1 , \"alice\" \n\n2,\tbob\n", "2 1 alice\n4 2 bob\n"},
	"other names of columns": {"Login,Serial\nalice,1\n", "2 1 alice\n"},
	"a user of two":          {"serial,user\n1,alice\n2,alice\n", "2 1 alice\n3 2 alice\n"},

	"a field less":              {"serial,user\n1\n2,bob\n", "3 2 bob\nlist:2: 1 fields, the header has 2\n"},
	"a field more":              {"serial,user\n1,alice,x\n2,bob\n", "3 2 bob\nlist:2: 3 fields, the header has 2\n"},
	"no serial number":          {"serial,user\n,alice\n2,bob\n", "3 2 bob\nlist:2: alice: there is no serial number\n"},
	"no user":                   {"serial,user\n1,\n2,bob\n", "3 2 bob\nlist:2: it is not said whose it is\n"},
	"a path for a user":         {"serial,user\n1,../x\n2,bob\n", "3 2 bob\nlist:2: \"../x\" cannot be the name of a user\n"},
	"a quotation mark too many": {"serial,user\n1\",alice\n2,bob\n", "3 2 bob\nlist:2: bare \" in non-quoted-field\n"},
	"a line break in a cell":    {"serial,user\n\"1\n\",alice\n2,bob\n", "4 2 bob\nlist:2: extraneous or missing \" in quoted-field\nlist:3: extraneous or missing \" in quoted-field\n"},
	"a serial number twice":     {"serial,user\n1,alice\n2,bob\n1,carol\n", "3 2 bob\nlist:4: carol: the serial number \"1\" is that of line 2 too: neither counts\n"},
	"three times": {"serial,user\n1,alice\n1,bob\n1,carol\n", "list:3: bob: the serial number \"1\" is that of line 2 too: neither counts\n" +
		"list:4: carol: the serial number \"1\" is that of line 2 too: neither counts\n"},
}

// notOwners are tables of which nothing can be used.
var notOwners = map[string]struct{ text, want string }{
	"nothing":                {"", "list:1: there is no row"},
	"a header alone":         {"serial,user\n", "list:1: there is no row"},
	"no header":              {"1,alice\n2,bob\n", "list:1: there is no column serial"},
	"other columns":          {"token,person\n1,alice\n", "list:1: there is no column serial: want the header serial,user"},
	"no column for users":    {"serial\n1\n", "list:1: there is no column user"},
	"an unknown column":      {"serial,user,colour\n1,alice,red\n", "list:1: unknown column \"colour\", want serial and user"},
	"a column without name":  {"serial,user,\n1,alice,\n", "list:1: unknown column \"\""},
	"a column twice":         {"serial,user,login\n1,alice,bob\n", "list:1: a column is there twice"},
	"semicolons":             {"serial;user\n1;alice\n", "list:1: the columns are separated by semicolons, want commas"},
	"quotation marks":        {"serial\",user\n1,alice\n", "list:1: bare \""},
	"a table of secrets":     {rfcBase32 + ",alice\n", "list:1: there is no column serial"},
	"not UTF-8":              {"serial,user\n\xff,a\n", "not UTF-8"},
	"UTF-16":                 {"\xff\xfes\x00e\x00", "not UTF-8"},
	"an endless line":        {strings.Repeat("x", maxLine+1), "a line is longer than 64 KiB"},
	"an endless line behind": {"serial,user\n" + strings.Repeat("x", maxLine+1), "a line is longer than 64 KiB"},
}

func ownerSeeds() (all []string) {
	for _, name := range slices.Sorted(maps.Keys(ownerTables)) {
		all = append(all, ownerTables[name].text)
	}
	for _, name := range slices.Sorted(maps.Keys(notOwners)) {
		if text := notOwners[name].text; len(text) < maxLine {
			all = append(all, text)
		}
	}
	return all
}

// A row that is wrong stops no other.
func TestWhoHasWhichToken(t *testing.T) {
	for name, test := range ownerTables {
		owners, err := ReadOwners("list", strings.NewReader(test.text))
		must(t, err)
		got := ""
		for _, row := range owners.rows {
			if !row.twice {
				got += fmt.Sprintln(row.line, row.serial, row.user)
			}
		}
		for _, w := range owners.bad {
			got += w.Error() + "\n"
		}
		if got != test.want {
			t.Errorf("%s: got\n%swant\n%s", name, got, test.want)
		}
	}
}

func TestATableThatDoesNotSayWhoHasWhichToken(t *testing.T) {
	for name, test := range notOwners {
		owners, err := ReadOwners("list", strings.NewReader(test.text))
		if owners != nil || err == nil || !strings.HasPrefix(err.Error(), "list:") || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), rfcBase32) {
			t.Errorf("%s: %v, %v", name, owners, err)
		}
	}
}

func owners(t *testing.T, text string) *Owners {
	t.Helper()
	o, err := ReadOwners("list", strings.NewReader(text))
	must(t, err)
	return o
}

// What is wrong with a user stands where the list names him, what is wrong with a token where the token is.
func TestTokensAreAssignedByTheirSerialNumbers(t *testing.T) {
	second := strings.ReplaceAll(pkg("eve", "2", "totp", "", ""), "MTIz", "MTIy")
	content := container(pkg("eve", "1", "totp", "", "") + second + "\n" + pkg("eve", "3", "hotp", "", "") + pkg("eve", "4", "ocra", "", "") + pkg("eve", "5", "totp", "", ""))
	file := read(t, PSKC, content, Options{Owners: owners(t, "serial,user\n9,carol\n2, bob\n\n3,alice\n4,dave\n5,alice\n5,bob\nx\n8,bob\n8,carol\n")})
	want := "1 bob 2 GEZDENBVGY3TQOJQGEZDGNBVGY3TQOJQ totp 6 30 SHA1\n2 alice 3 " + rfcBase32 + " hotp 6 0 SHA1 counter 0\n" +
		`file:2: dave: token "4": its algorithm is "` + pskcSpace + `:ocra", neither hotp nor totp` + "\n" +
		"list:2: carol: no token in file has the serial number \"9\"\nlist:8: bob: the serial number \"5\" is that of line 7 too: neither counts\n" +
		"list:9: 1 fields, the header has 2\nlist:11: carol: the serial number \"8\" is that of line 10 too: neither counts\n"
	if got := text(file); got != want || file.Unassigned != 1 {
		t.Errorf("%d unassigned, got\n%swant\n%s", file.Unassigned, got, want)
	}
	for i, at := range []string{"list:3", "list:5"} {
		if u := file.Users[i]; fmt.Sprintf("%s:%d", u.File, u.Line) != at {
			t.Errorf("%s stands at %s:%d, want %s", u.Name, u.File, u.Line, at)
		}
	}
}

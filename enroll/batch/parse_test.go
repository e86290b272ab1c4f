package batch

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"twokey/factor"
)

const rfcSecret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // of RFC 4226 and RFC 6238

// parse reads a text that is right as a whole.
func parse(t *testing.T, name, text string) *File {
	t.Helper()
	f, err := Parse(name, strings.NewReader(text), Options{Location: time.UTC})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return f
}

// said are the errors of a file, of it as a whole or of its rows.
func said(t *testing.T, name, text string, o Options) (errs []string, good *File) {
	t.Helper()
	f, err := Parse(name, strings.NewReader(text), o)
	if err != nil {
		if f != nil {
			t.Error("a file together with an error")
		}
		return []string{err.Error()}, nil
	}
	for _, row := range f.Wrong {
		errs = append(errs, row.Error())
	}
	return errs, f
}

func TestEveryFieldOfYAMLAndCSVMeansTheSame(t *testing.T) {
	yaml := parse(t, "x.yaml", `# a comment
---
version: 1 # another
users:

  - user: "alice"   # the indentation is free
    phone: +442079460958
    recovery_codes: 0
    devices:
    - {name: token, secret: "gezd gnbv-gy3t qojq GEZD GNBV GY3T QOJQ======", method: hotp, digits: 8, algorithm: sha-256, counter: 7,
       issuer: "Example, Ltd", label: alice@web1, until: 2027-06-30}
    - name: phone
      period: 60
      until: never
  # between
  - user: 'on'
  - {user: 007, present: false}
`)
	csv := parse(t, "x.csv", "\ufeffuntil,user,device,secret,method,digits,algorithm,counter,issuer,label,phone,recovery_codes,period,present\r\n"+
		`2027-06-30,alice,token,gezd gnbv-gy3t qojq GEZD GNBV GY3T QOJQ======,hotp,8,sha-256,7,"Example, Ltd",alice@web1,+442079460958,0,,`+"\r\n"+
		"never,alice,phone,,,,,,,,,,60s,true\n"+
		"\n"+
		",on,,,,,,,,,,,,\n"+
		",007,,,,,,,,,,,,false")
	zero, counter, number := 0, uint64(7), "+442079460958"
	end, forever := time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC), time.Time{}
	secret, err := factor.DecodeSecret(rfcSecret)
	if err != nil {
		t.Fatal(err)
	}
	want := []User{
		{Name: "alice", Phone: &number, Recovery: &zero, Devices: []Device{
			{Name: "token", Secret: secret, Method: factor.HOTP, Digits: 8, Algorithm: factor.SHA256, Counter: &counter, Issuer: "Example, Ltd",
				Label: "alice@web1", Until: &end},
			{Name: "phone", Period: 60, Until: &forever}}},
		{Name: "on"},
		{Name: "007", Absent: true},
	}
	for _, f := range []*File{yaml, csv} {
		if len(f.Wrong) > 0 {
			t.Errorf("%s: %v", f.Name, f.Wrong)
		}
		for i := range f.Users {
			f.Users[i].Line = 0
			for k := range f.Users[i].Devices {
				f.Users[i].Devices[k].Line = 0
			}
		}
		if !reflect.DeepEqual(f.Users, want) {
			t.Errorf("%s: %#v", f.Name, f.Users)
		}
	}
}

func TestGroups(t *testing.T) {
	f := parse(t, "x.yaml", `version: 1
groups:
- group: staff
  require: {by: 2026-12-31, starts: 2026-12-01, until: 2027-12-31}
  device: {digits: 8}
- group: guests
  exempt: {}
- {group: former, present: false}
users: []
`)
	want := []Group{
		{Line: 3, Name: "staff", Require: &Dates{"2026-12-31", "2026-12-01", "2027-12-31"}, Device: &Device{Line: 5, Name: "phone", Digits: 8}},
		{Line: 6, Name: "guests", Exempt: &Dates{}},
		{Line: 8, Name: "former", Absent: true},
	}
	if len(f.Wrong) > 0 || !reflect.DeepEqual(f.Groups, want) {
		t.Errorf("%v, %#v", f.Wrong, f.Groups)
	}
}

// Each of these files is refused as a whole.
func TestWholeFilesThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"x.yaml|":                                               "x.yaml: not a list of users",
		"x.yaml|# only a comment\n":                             "x.yaml: not a list of users",
		"x.yaml|users:\n- user: a\n":                            "x.yaml: not a list of users",
		"x.yaml|version: 2\n":                                   "x.yaml:1: version \"2\", this program knows version 1",
		"x.yaml|version:\n":                                     "x.yaml:1: version \"\"",
		"x.yaml|version: 1\nversion: 1\n":                       "x.yaml:2: version is there twice, before in line 1",
		"x.yaml|version: 1\nusers:\nusers:\n":                   "x.yaml:3: users is there twice, before in line 2",
		"x.yaml|version: 1\npeople:\n- user: a\n":               "x.yaml:2: unknown key \"people\"",
		"x.yaml|version: 1\nusers: [{user: a}]\n":               "x.yaml:2: users: want each entry on lines of its own",
		"x.yaml|{\"version\": 1}\n":                             "x.yaml:1: want \"version: 1\"",
		"x.yaml|version: 1\n- user: a\n":                        "x.yaml:2: want \"version: 1\"",
		"x.yaml|version: 1\nusers:\n  user: a\n":                "x.yaml:3: want \"version: 1\"",
		"x.yaml|version: 1\nusers:\n - user: a\n- user: b\n":    "x.yaml:4: want \"version: 1\"",
		"x.yaml|version: 1\n---\nversion: 1\n":                  "x.yaml:2: a second document",
		"x.yaml|version: 1\n...\n":                              "x.yaml:2: a second document",
		"x.yaml|version: 1\nusers:\n- user: a\n\tphone: none\n": "x.yaml:4: want \"version: 1\"",
		"x.yaml|version: 1\nusers:\n- user: \xff\n":             "x.yaml:3: not UTF-8",
		"x.csv|user\nm\xfcller\n":                               "x.csv:2: not UTF-8",
		"x.csv|":                                                "x.csv:1: there is no column user",
		"x.csv|user;secret\n":                                   "x.csv:1: the columns are separated by semicolons",
		"x.csv|name,secret\n":                                   "x.csv:1: there is no column user",
		"x.csv|user,password\n":                                 "x.csv:1: unknown column \"password\", want some of user, ",
		"x.csv|user,secret,secret\n":                            "x.csv:1: the column secret is there twice",
		"x.csv|User\n":                                          "x.csv:1: there is no column user",
		"x.csv|user,\"secret\n":                                 "x.csv:1: extraneous or missing",
		"x.csv|user\n" + strings.Repeat("x", 70000):             "x.csv:2: a line is longer than 64 KiB",
		"list|user,secret\nalice,1\n":                           "list:2: alice: secret is not base32",
	} {
		name, content, _ := strings.Cut(text, "|")
		got, _ := said(t, name, content, Options{})
		if len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%.60q: %q, want %q", text, got, want)
		}
	}
}

// Of each of these rows of YAML nothing is taken, and of those around them everything.
func TestRowsThatAreRefused(t *testing.T) {
	for entry, want := range map[string]string{
		"user: ":                  "4: user: there is no value",
		"user: ~":                 "4: user: there is no value",
		"user: [a]":               "4: user: want one value",
		"user: &x a":              "4: user: want one value, without anchors",
		"user: !!str a":           "4: user: want one value, without anchors",
		"user: *x":                "4: not YAML: an alias of nothing",
		"user: a/b":               "4: user: \"a/b\" cannot be a name",
		"user: ..":                "4: user: \"..\" cannot be a name",
		`user: "a\nb"`:            "4: user: want 1 to 256 bytes of printable text",
		"phone: none":             "4: the entry has no user",
		"user: a\n  user: b":      "5: a: user is there twice",
		"user: a\n  uesr: b":      "5: a: unknown field \"uesr\" (did you mean \"user\"?)",
		"user: a\n  devcies: []":  "5: a: unknown field \"devcies\" (did you mean \"devices\"?)",
		"user: a\n  present: yes": "5: a: present: want true or false, not \"yes\"",
		"user: a\n  present: false\n  phone: none":                                                                      "4: a: present is false, so nothing else can be given",
		"user: a\n  phone: 02079460958":                                                                                 "5: a: phone: not a telephone number in the international form",
		"user: a\n  phone: +4402079460958":                                                                              "5: a: phone: not a telephone number",
		"user: a\n  recovery_codes: 21":                                                                                 "5: a: recovery_codes: want a number from 0 to 20, not \"21\"",
		"user: a\n  recovery_codes: 010":                                                                                "5: a: recovery_codes: want a number",
		"user: a\n  require: true":                                                                                      "5: a: want fields such as",
		"user: a\n  require: {by: tomorrow}":                                                                            "5: a: by: want a day such as 2026-12-31, not \"tomorrow\"",
		"user: a\n  exempt: {by: 2026-12-31}":                                                                           "5: a: unknown field \"by\"",
		"user: a\n  require: {}\n  exempt: {}":                                                                          "4: a: require and exempt are two different things",
		"user: a\n  require: {by: 2026-12-31, until: 2026-01-01}":                                                       "5: a: this ends (until 2026-01-01) before anybody must have a device (by 2026-12-31)",
		"user: a\n  require:\n    by: 2026-12-31\n    until: 2026-12-31":                                                "6: a: this ends (until 2026-12-31) before anybody",
		"user: a\n  require: {starts: 2026-12-31, until: 2026-12-30}":                                                   "5: a: this ends (until 2026-12-30) before it starts (2026-12-31)",
		"user: a\n  require: {starts: 2026-12-31, by: 2026-12-30}":                                                      "5: a: by 2026-12-30 is over before this starts (2026-12-31)",
		"user: a\n  require: {by: 1999-12-31}":                                                                          "5: a: by: want a day such as 2026-12-31, not \"1999-12-31\"",
		"user: a\n  devices: phone":                                                                                     "5: a: devices: want a list of devices",
		"user: a\n  devices: [phone]":                                                                                   "5: a: want fields such as",
		"user: a\n  devices:\n  - name: \"\"":                                                                           "6: a: name: there is no value",
		"user: a\n  devices:\n  - {}\n  - {}":                                                                           "7: a: the device \"phone\" is there twice, in the lines 6 and 7",
		"user: a\n  devices:\n  - name: an unusually long name of a device":                                             "6: a: name: want 1 to 32 bytes",
		"user: a\n  devices:\n  - secret: GEZDGNBVGY3TQOJQGEZDGNB1":                                                     "6: a: secret is not base32",
		"user: a\n  devices:\n  - secret: GEZDGNBVGY3TQOJQ":                                                             "6: a: secret is shorter than 128 bits: 10 bytes",
		"user: a\n  devices:\n  - secret: " + strings.Repeat("GEZDGNBV", 26):                                            "6: a: secret of 130 bytes, want at most 128",
		"user: a\n  devices:\n  - method: fax":                                                                          "6: a: method: want totp, hotp, sms or push, not \"fax\"",
		"user: a\n  devices:\n  - {method: push, provider: fax}":                                                        "6: a: provider: want ntfy or duo, not \"fax\"",
		"user: a\n  devices:\n  - {method: sms, provider: duo}":                                                         "6: a: device \"phone\": a provider belongs to method push",
		"user: a\n  devices:\n  - {method: push, digits: 6}":                                                            "6: a: device \"phone\": push makes no codes",
		"user: a\n  devices:\n  - {method: sms, secret: " + rfcSecret + "}":                                             "6: a: device \"phone\": sms makes no codes",
		"user: a\n  devices:\n  - {method: sms, period: 30}":                                                            "6: a: device \"phone\": sms makes no codes",
		"user: a\n  devices:\n  - {method: sms, algorithm: SHA1}":                                                       "6: a: device \"phone\": sms makes no codes",
		"user: a\n  devices:\n  - {method: sms, counter: 1}":                                                            "6: a: device \"phone\": sms makes no codes",
		"user: a\n  phone: none\n  devices:\n  - method: sms":                                                           "7: a: no telephone number to which texts could be sent: give phone",
		"user: a\n  devices:\n  - {name: p, method: push, provider: ntfy}\n  - {name: q, method: push, provider: ntfy}": "7: a: the user has a device of this method",
		"user: a\n  devices:\n  - digits: 3":                                                                            "6: a: digits: want a number from 4 to 12, not \"3\"",
		"user: a\n  devices:\n  - digits: 6.0":                                                                          "6: a: digits: want a number",
		"user: a\n  devices:\n  - period: 9":                                                                            "6: a: period: want a number from 10 to 300",
		"user: a\n  devices:\n  - {period: 30, method: hotp}":                                                           "6: a: device \"phone\": hotp has no period",
		"user: a\n  devices:\n  - counter: 1":                                                                           "6: a: device \"phone\": a counter belongs to method hotp",
		"user: a\n  devices:\n  - {counter: -1, method: hotp}":                                                          "6: a: counter: want a number from 0",
		"user: a\n  devices:\n  - algorithm: MD5":                                                                       "6: a: unknown algorithm",
		"user: a\n  devices:\n  - issuer: \"a:b\"":                                                                      "6: a: issuer: a colon",
		"user: a\n  devices:\n  - label: \"a\\tb\"":                                                                     "6: a: label: want 1 to 256 bytes of printable text",
		"user: a\n  devices:\n  - until: 2027-02-29":                                                                    "6: a: until: want a day such as",
		"user: a\n  devices:\n  - until: 2027-02-28T12:00:00.5Z":                                                        "6: a: until: want a day such as",
		"user: a\n  devices:\n  - {present: false, digits: 6}":                                                          "6: a: device \"phone\": present is false, so nothing else can be given",
	} {
		errs, f := said(t, "x.yaml", "version: 1\nusers:\n- user: before\n- "+entry+"\n- user: after\n", Options{})
		if len(errs) == 0 || !strings.Contains(strings.ReplaceAll(errs[0], "algorithm: unknown", "unknown"), strings.TrimPrefix(want, "x.yaml:")) ||
			!strings.HasPrefix(errs[0], "x.yaml:") {
			t.Errorf("%q: %q, want %q", entry, errs, want)
			continue
		}
		if len(f.Users) < 2 || f.Users[0].Name != "before" || f.Users[len(f.Users)-1].Name != "after" || len(f.Users) > 2 {
			t.Errorf("%q: %v", entry, f.Users)
		}
		for _, e := range errs {
			if strings.Contains(e, "GEZDGNBV") {
				t.Errorf("an error has the secret: %q", e)
			}
		}
	}
}

// In the middle of a text in quotation marks a line looks like another entry: the first half is then no YAML.
func TestAnEntryIsNotCutInSilence(t *testing.T) {
	errs, f := said(t, "x.yaml", "version: 1\nusers:\n- user: \"a\n- user: b\"\n- user: c\n", Options{})
	if len(errs) != 1 || !strings.HasPrefix(errs[0], "x.yaml:3: not YAML") || len(f.Users) != 2 || f.Users[1].Name != "c" {
		t.Errorf("%q, %v", errs, f.Users)
	}
}

func TestRowsOfGroupsThatAreRefused(t *testing.T) {
	for entry, want := range map[string]string{
		"require: {}": "x.yaml:3: the entry has no group",
		"group: a":    "x.yaml:3: a: want require, exempt, device, or present: false",
		"group: a\n  present: false\n  exempt: {}":                 "x.yaml:3: a: present is false",
		"group: a\n  require: {}\n  exempt: {}":                    "x.yaml:3: a: require and exempt",
		"group: a\n  device: {present: false}":                     "x.yaml:3: a: device: a group cannot take",
		"group: a\n  device: {secret: " + rfcSecret + "}":          "x.yaml:3: a: device: one secret for all members",
		"group: a\n  require: {by: 2026-12-31, until: 2026-01-01}": "x.yaml:4: a: this ends (until 2026-01-01) before anybody must have a device",
		"group: a\n  device: {period: 30, method: hotp}":           "x.yaml:4: a: device \"phone\": hotp has no period",
		"group: a\n  phone: none":                                  "x.yaml:4: a: unknown field \"phone\"",
	} {
		errs, f := said(t, "x.yaml", "version: 1\ngroups:\n- "+entry+"\n- group: after\n  require: {}\n", Options{})
		if len(errs) != 1 || !strings.HasPrefix(errs[0], want) || len(f.Groups) != 1 || f.Groups[0].Name != "after" {
			t.Errorf("%q: %q, want %q, %v", entry, errs, want, f.Groups)
		}
	}
}

func TestRowsOfCSVThatAreRefused(t *testing.T) {
	const header = "user,device,secret,phone,present,until\n"
	for row, want := range map[string][]string{
		"a,b":                       {"2: 2 fields, the header has 6"},
		"a,,,,,,":                   {"2: 7 fields, the header has 6"},
		",phone,,,,":                {"2: there is no user"},
		`a,"x,,,,`:                  {"2: extraneous or missing"},
		"a,,12345,,,":               {"2: a: secret is not base32"},
		"a,,,,no,":                  {"2: a: present: want true or false"},
		"a,,,,false,2027-01-01":     {"2: a: present is false, so nothing else can be given"},
		"a,,,,,\na,,,,,":            {"2: a: see line 3", "3: a: the user is there twice, before in line 2"},
		"a,x,,,,\na,x,,,,":          {"2: a: see line 3", "3: a: the device \"x\" is there twice, before in line 2"},
		"a,x,,,,\na,y,,none,,":      {"2: a: see line 3", "3: a: phone or recovery_codes are others than in line 2"},
		"a,x,,,,\na,y,,,,\na,,1,,,": {"4: a: secret is not base32"},
		"a,,1,,,\na,y,,,,":          {"2: a: secret is not base32", "3: a: another line of this user is wrong"},
	} {
		errs, f := said(t, "x.csv", header+row+"\nafter,,,,,\n", Options{})
		for i := range errs {
			if i >= len(want) || !strings.HasPrefix(errs[i], "x.csv:"+want[i]) {
				t.Errorf("%q: %q, want %q", row, errs, want)
				break
			}
		}
		if len(errs) != len(want) || len(f.Users) != 1 || f.Users[0].Name != "after" {
			t.Errorf("%q: %q, want %q, %v", row, errs, want, f.Users)
		}
	}
}

func TestOfAUserWhoIsThereTwiceNeitherRowCounts(t *testing.T) {
	errs, f := said(t, "x.yaml", "version: 1\nusers:\n- user: a\n- user: b\n- user: a\n  present: false\n- user: a\n", Options{})
	want := []string{"x.yaml:3: a: the user is there twice, again in line 5", "x.yaml:5: a: the user is there twice, before in line 3",
		"x.yaml:7: a: the user is there several times"}
	if !reflect.DeepEqual(errs, want) || len(f.Users) != 1 || f.Users[0].Name != "b" {
		t.Errorf("%q, %v", errs, f.Users)
	}
}

func TestOfAGroupThatIsThereTwiceNeitherRowCounts(t *testing.T) {
	errs, f := said(t, "x.yaml", "version: 1\ngroups:\n- group: a\n  require: {}\n- group: b\n  exempt: {}\n- group: a\n  exempt: {}\n"+
		"- group: a\n  present: false\n- group: c\n  phone: none\n- group: c\n  require: {}\n", Options{})
	want := []string{"x.yaml:3: a: the group is there twice, again in line 7", "x.yaml:7: a: the group is there twice, before in line 3",
		"x.yaml:9: a: the group is there several times", "x.yaml:12: c: unknown field \"phone\"", "x.yaml:13: c: the group is there several times"}
	if !reflect.DeepEqual(errs, want) || len(f.Groups) != 1 || f.Groups[0].Name != "b" {
		t.Errorf("%q, %v", errs, f.Groups)
	}
}

func TestWhatIsWrongWithAFurtherLineOfAUserIsToldAtThatLine(t *testing.T) {
	errs, f := said(t, "x.csv", "user,device,method,period\na,one,,\nb,one,,\na,two,hotp,30\na,three,,\n", Options{})
	if want := []string{"x.csv:4: a: device \"two\": hotp has no period"}; !reflect.DeepEqual(errs, want) || len(f.Users) != 1 {
		t.Errorf("%q, %v", errs, f.Users)
	}
}

// Each line is compared with those before it: of a quarter of a million lines of one user that would be for minutes.
func TestTheLinesOfOneUserAreCounted(t *testing.T) {
	lines := func(n int, rest string) string {
		var b strings.Builder
		b.WriteString("user,device,device_present\n")
		for i := range n {
			fmt.Fprintf(&b, "a,d%d,%s\n", i, rest)
		}
		return b.String()
	}
	for _, test := range []struct {
		n    int
		rest string
		want []string
	}{
		{MaxDevices, "", nil},
		{MaxDevices + 1, "", []string{"x.csv:2: a: see line 12", "x.csv:12: a: more than 10 devices"}},
		{MaxDevices + 2, "", []string{"x.csv:2: a: see line 12", "x.csv:12: a: more than 10 devices", "x.csv:13: a: another line of this user is wrong"}},
		{maxLines, "false", nil},
		{maxLines + 1, "false", []string{"x.csv:2: a: see line 102", "x.csv:102: a: more than 100 lines of one user"}},
	} {
		errs, f := said(t, "x.csv", lines(test.n, test.rest), Options{})
		if !reflect.DeepEqual(errs, test.want) || len(f.Users) != 1 != (len(test.want) > 0) {
			t.Errorf("%d lines: %q, want %q", test.n, errs, test.want)
		}
	}
}

func TestShortSecretsAreTakenWhenThatIsAskedFor(t *testing.T) {
	text := "user,secret\na,GEZDGNBVGY3TQOJQ\nb,GEZDGNBVGY3TQOI\n"
	errs, f := said(t, "x.csv", text, Options{AllowShort: true})
	if len(errs) != 1 || !strings.Contains(errs[0], "x.csv:3: b: secret of 9 bytes, want at least 16") || len(f.Users) != 1 {
		t.Errorf("%q, %v", errs, f.Users)
	}
	if errs, _ := said(t, "x.csv", text, Options{}); len(errs) != 2 {
		t.Errorf("%q", errs)
	}
	f = parse(t, "x.csv", text)
	if len(f.Wrong) != 2 || !errors.Is(f.Wrong[0], factor.ErrShortSecret) || errors.Is(f.Wrong[1], factor.ErrShortSecret) {
		t.Errorf("%v", f.Wrong)
	}
}

// endless is a file that never ends.
type endless struct{ line []byte }

func (e endless) Read(b []byte) (int, error) {
	n := 0
	for n+len(e.line) <= len(b) {
		n += copy(b[n:], e.line)
	}
	return n, nil
}

func TestAFileWithoutAnEndIsRefused(t *testing.T) {
	for line, want := range map[string]string{"#" + strings.Repeat("x", 1000): ErrSize.Error(), "a,": fmt.Sprintf("more than %d entries", maxRows)} {
		f, err := Parse("x.csv", io.MultiReader(strings.NewReader("user\n"), endless{[]byte(line + "\n")}), Options{})
		if f != nil || err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("of %.20q: %v", line, err)
		}
	}
	f, err := Parse("x.yaml", io.MultiReader(strings.NewReader("version: 1\nusers:\n- user: a\n"), endless{[]byte("  # more\n")}), Options{})
	if want := "x.yaml:3: an entry of more than 64 KiB"; f != nil || err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	f := parse(t, "x.csv", "user,secret\na,"+rfcSecret+"\n")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		text := fmt.Sprintf(verb+verb+verb, f.Users[0], f.Users[0].Devices[0], *f)
		if strings.Contains(text, "12345678901234567890") || strings.Contains(text, rfcSecret) || strings.Contains(text, "3132333435") || strings.Contains(text, "0x31, 0x32") {
			t.Errorf("%s: %s", verb, text)
		}
	}
}

// A table whose columns were shifted must not bring secrets into the log of whatever applies it.
func TestNoErrorRepeatsASecretInTheWrongPlace(t *testing.T) {
	for name, text := range map[string]string{
		"method.csv":      "user,method\na," + rfcSecret + "\n",
		"present.csv":     "user,device_present\na," + rfcSecret + "\n",
		"digits.csv":      "user,digits\na," + rfcSecret + "\n",
		"until.csv":       "user,until\na," + rfcSecret + "\n",
		"header.csv":      "user," + rfcSecret + "\n",
		"field.yaml":      "version: 1\nusers:\n- user: a\n  " + rfcSecret + ": x\n",
		"alias.yaml":      "version: 1\nusers:\n- user: a\n  devices:\n  - secret: *" + rfcSecret + "\n",
		"require_by.yaml": "version: 1\nusers:\n- user: a\n  require: {by: " + rfcSecret + "}\n",
	} {
		f, err := Parse(name, strings.NewReader(text), Options{})
		said := fmt.Sprint(err)
		if f != nil && len(f.Wrong) == 1 {
			said = f.Wrong[0].Error()
		}
		if !strings.HasPrefix(said, name+":") || strings.Contains(said, rfcSecret[:8]) {
			t.Errorf("%s", said)
		}
	}
}

package audit

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// example gives the two blocks of the package comment's example: the verification key and the log.
func example(t *testing.T) (key string, log []byte) {
	t.Helper()
	_, text, found := strings.Cut(string(read(t, "doc.go")), "# Example\n")
	if !found {
		t.Fatal("doc.go has no example")
	}
	var lines []string
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "//\t"); ok {
			lines = append(lines, strings.TrimSpace(rest))
		}
	}
	joined := strings.ReplaceAll(strings.Join(lines[1:], ""), "}{", "}\n{") + "\n"
	return lines[0], []byte(joined)
}

// exampleRecords are the events of the example.
func exampleRecords() []Record {
	return []Record{{
		Time: begin, Action: ActionLogin, Outcome: Failure, Reason: "no such user", UnknownUser: "hunter2", Source: "192.0.2.7",
		Service: "sshd", PID: 4711, Host: "web1", TTY: "ssh",
	}, {
		Time: begin.Add(100 * time.Second), Action: "policy-require", Outcome: Success, User: "root", UserID: "0", PID: 4712,
		Host: "web1", TTY: "pts/0", LoginUID: "1000", SudoUser: "bob", Changes: []Change{{"require", "", "group wheel\x1b[2J"}},
	}}
}

// exampleLog makes a log with the keys of the example.
func exampleLog(t testing.TB) (path string, key VerificationKey) {
	t.Helper()
	path, _ = newLog(t)
	h := head{position: position{keyed: true}}
	for i := range h.key {
		h.key[i], h.nameKey[i] = byte(i), byte(32+i)
	}
	putHead(t, path, h)
	return path, VerificationKey{h.key}
}

func TestTheExampleOfThePackageCommentIsWhatAppendWrites(t *testing.T) {
	keyText, want := example(t)
	path, key := exampleLog(t)
	if key.Text() != keyText {
		t.Errorf("key %s, the comment says %s", key.Text(), keyText)
	}
	mustAppend(t, path, exampleRecords()...)
	if got := read(t, path); !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nthe comment says\n%s", got, want)
	}
	mustBeWhole(t, path, key, 2, 0)
}

// everything is a record with all fields.
func everything() Record {
	return Record{
		Time: begin, Action: "a-1", Outcome: Unknown, Reason: "r", User: "u", UserID: "1", Target: "t", TargetID: "2",
		Source: "client.example.org", Service: "sshd", PID: 3, Host: "h", TTY: "tty1", Device: "d", Method: "m", SecondFactor: "none",
		LoginUID: "4", SudoUser: "s", Changes: []Change{{"f", "o", "n"}, {"g", "", ""}},
		Details: []Detail{{"twokey.a", "1"}, {"twokey.b_.c", ""}},
	}
}

func TestWhatIsAppendedIsWhatIsParsed(t *testing.T) {
	unknown := event(1)
	unknown.User, unknown.UnknownUser = "", "hunter2"
	for name, r := range map[string]Record{
		"every field":       everything(),
		"only what it must": {Time: begin, Action: "a", Outcome: Success},
		"unknown user":      unknown,
		"IPv6":              {Time: begin, Action: "a", Outcome: Success, Source: "2001:db8::1"},
		"IPv6 with a zone":  {Time: begin, Action: "a", Outcome: Success, Source: "fe80::1%eth0"},
		"IPv6 otherwise":    {Time: begin, Action: "a", Outcome: Success, Source: "2001:DB8::1"},
		"another zone":      {Time: begin.In(time.FixedZone("", 7200)), Action: "a", Outcome: Success},
		"no fraction":       {Time: time.Unix(0, 0), Action: "a", Outcome: Success},
	} {
		t.Run(name, func(t *testing.T) {
			path, _ := newLog(t)
			mustAppend(t, path, r)
			got := records(t, path)
			want := r
			want.Time, want.Sequence, want.UnknownUser = r.Time.UTC(), 1, ""
			if r.UnknownUser != "" {
				want.UserHash, want.UserLength = nameHash(currentHead(t, path).nameKey, r.UnknownUser), uint64(len(r.UnknownUser))
			}
			if len(got) != 1 || !reflect.DeepEqual(got[0], want) {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestARecordHasTheNamesOfECS(t *testing.T) {
	path, _ := newLog(t)
	mustAppend(t, path, everything())
	var fields map[string]any
	if err := json.Unmarshal(read(t, path), &fields); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"@timestamp": "2026-11-21T18:24:55.123456789Z", "event.sequence": 1.0, "event.action": "a-1", "event.outcome": "unknown",
		"event.reason": "r", "user.name": "u", "user.id": "1", "user.target.name": "t", "user.target.id": "2",
		"source.address": "client.example.org", "service.name": "sshd", "process.pid": 3.0, "host.name": "h",
	} {
		if fields[key] != want {
			t.Errorf("%s is %v, want %v", key, fields[key], want)
		}
	}
}

// keyLister is a codec that collects the names of the fields.
type keyLister struct{ keys []string }

func (l *keyLister) text(key string, _ *string)      { l.keys = append(l.keys, key) }
func (l *keyLister) number(key string, _ *uint64)    { l.keys = append(l.keys, key) }
func (l *keyLister) hash(key string, _ *Hash)        { l.keys = append(l.keys, key) }
func (l *keyLister) changes(key string, _ *[]Change) { l.keys = append(l.keys, key) }
func (l *keyLister) source(*string)                  { l.keys = append(l.keys, "source.ip", "source.address") }
func (l *keyLister) details(*[]Detail)               {}

func TestEveryFieldIsReservedAndInThePackageComment(t *testing.T) {
	comment := string(read(t, "doc.go"))
	l := &keyLister{keys: []string{"twokey.hash", "twokey.seal"}}
	new(Record).fields(l)
	if len(l.keys) < 25 {
		t.Fatalf("only %d fields", len(l.keys))
	}
	for _, key := range l.keys {
		if strings.HasPrefix(key, "twokey.") && !reserved(key) {
			t.Errorf("%s can be used for a detail", key)
		}
		if !strings.Contains(comment, key) {
			t.Errorf("%s is not in the package comment", key)
		}
	}
}

// hostile are texts that come in through user names, host names and answers.
var hostile = map[string]string{
	"newline and a record": "x\"}\n{\"@timestamp\":\"2026-01-01T00:00:00.000000000Z\",\"event.outcome\":\"success\"",
	"carriage return":      "bob\rroot",
	"escape sequence":      "\x1b[2J\x1b]0;owned\a",
	"C1 control":           "\u009b2J",
	"DEL":                  "a\x7f",
	"NUL":                  "a\x00b",
	"line separator":       "a\u2028b\u2029c",
	"next line":            "a\u0085b",
	"right to left":        "\u202etoor\u202c \u2066x\u2069",
	"invisible":            "ro\u200bot\u2060\ufeff\u00ad",
	"tag characters":       "\U000e0041\U000e007f",
	"invalid UTF-8":        "a\xff\xfe\xc3(\xed\xa0\x80",
	"quotes, backslashes":  `a"b\c\u0041\`,
	"10 kB":                strings.Repeat("ä", 5000),
	"10 kB of newlines":    strings.Repeat("\n", 10000),
	"10 kB, not UTF-8":     strings.Repeat("\xff", 10000),
	"just too long":        strings.Repeat("x", maxText+1),
	"as long as can be":    strings.Repeat("x", maxText),
	"umlauts and emoji":    "Jürgen 😀",
}

// hostileEverywhere puts a text into every field that takes any.
func hostileEverywhere(s string) Record {
	r := Record{
		Time: begin, Action: "a", Outcome: Success, Reason: s, User: s, UserID: s, Target: s, TargetID: s, Source: s, Service: s, Host: s,
		TTY: s, Device: s, Method: s, SecondFactor: s, LoginUID: s, SudoUser: s,
	}
	for i := range maxDetails {
		r.Details = append(r.Details, Detail{"twokey." + strings.Repeat("x", 40) + string(rune('a'+i)), s})
	}
	for range 40 {
		r.Changes = append(r.Changes, Change{s, s, s})
	}
	return r
}

// MUST NOT let any text begin a new line or reach a terminal as an escape sequence.
func TestNoTextBeginsANewLineOrAnEscapeSequence(t *testing.T) {
	for name, s := range hostile {
		t.Run(name, func(t *testing.T) {
			path, key := newLog(t)
			mustAppend(t, path, hostileEverywhere(s))
			b := read(t, path)
			if !utf8.Valid(b) || bytes.Count(b, []byte("\n")) != 1 || !json.Valid(b) {
				t.Fatalf("not one line of JSON: %q", b)
			}
			for _, r := range strings.TrimSuffix(string(b), "\n") {
				if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
					t.Fatalf("%U stands unescaped in %q", r, b)
				}
			}
			mustBeWhole(t, path, key, 1, 0)
			got := records(t, path)[0]
			if got.User != got.Details[3].Value || got.User != got.Changes[3].Old || got.User != limit(s) {
				t.Errorf("the fields differ: %+v", got)
			}
			if len(s) <= maxText && utf8.ValidString(s) && got.User != s {
				t.Errorf("%q became %q", s, got.User)
			}
			shown := Safe(got.User)
			if strings.ContainsFunc(shown, hidden) {
				t.Errorf("Safe gives %q", shown)
			}
			if shown != got.User && !bytes.Contains(b, []byte(`"user.name":"`+shown+`"`)) {
				t.Errorf("Safe gives %q, which is neither the name nor what the log has", shown)
			}
		})
	}
}

func TestSafeEscapesOnlyWhatCannotBeSeen(t *testing.T) {
	for s, want := range map[string]string{
		`EXAMPLE\jörg`:               `EXAMPLE\jörg`,
		`Łukasz "Luke" Nowak`:        `Łukasz "Luke" Nowak`,
		"алиса@example.org, 愛":       "алиса@example.org, 愛",
		`a\b` + "\x1b[2J":            `a\\b\u001b[2J`,
		"bob\u202ecod":               `bob\u202ecod`,
		"two\nlines, \u200bno width": `two\u000alines, \u200bno width`,
	} {
		if got := Safe(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func TestALongTextIsCutAndSaysSo(t *testing.T) {
	for s, end := range map[string]string{
		strings.Repeat("x", 257):    "x…[257 bytes]",
		strings.Repeat("ä", 5000):   "ä…[10000 bytes]",
		strings.Repeat("\xff", 300): "\ufffd…[300 bytes]",
	} {
		got := limit(s)
		if !strings.HasSuffix(got, end) || len(got) > maxText || len(got) < maxText-4 {
			t.Errorf("%q ends otherwise than %q", got, end)
		}
	}
	path, _ := newLog(t)
	mustAppend(t, path, Record{Time: begin, Action: "a", Outcome: Success, Changes: make([]Change, 17)})
	if c := records(t, path)[0].Changes; len(c) != maxChanges || c[maxChanges-1].Field != "…[17 changes]" {
		t.Errorf("changes: %+v", c)
	}
}

func TestTheLongestRecordIsALine(t *testing.T) {
	r := hostileEverywhere(strings.Repeat("\x1b", maxText))
	r.User, r.Sequence, r.PID, r.UserLength = "", maxNumber, maxNumber, maxNumber
	r.UserHash = strings.Repeat("x", 22)
	r.Repair = Repair{maxNumber, Hash{1}, maxNumber, Hash{1}}
	b := line(encode(&r), Hash{}, Hash{})
	if len(b)-1 > maxLine {
		t.Errorf("%d bytes, the limit is %d", len(b)-1, maxLine)
	}
	if _, err := Parse(b[:len(b)-1]); err != nil {
		t.Error(err)
	}
}

// MUST NOT record the name of an unknown user, which is often a password.
func TestTheNameOfAnUnknownUserIsNotRecorded(t *testing.T) {
	path, _ := newLog(t)
	r := event(1)
	r.User, r.UserID, r.UnknownUser = "", "", "correct horse battery"
	other := r
	other.UnknownUser = "correct horse batterz"
	mustAppend(t, path, r, r, other)
	if bytes.Contains(read(t, path), []byte("horse")) {
		t.Errorf("the name is in the log: %s", read(t, path))
	}
	got := records(t, path)
	if got[0].UserHash != got[1].UserHash || got[0].UserHash == got[2].UserHash || got[0].UserLength != 21 {
		t.Errorf("hashes %s, %s, %s, length %d", got[0].UserHash, got[1].UserHash, got[2].UserHash, got[0].UserLength)
	}
	elsewhere, _ := newLog(t)
	mustAppend(t, elsewhere, r)
	if records(t, elsewhere)[0].UserHash == got[0].UserHash {
		t.Error("the hash is the same on another host: it can be looked up in a table")
	}
}

func TestAppendRefusesWhatOnlyAMistakeCanBe(t *testing.T) {
	for name, change := range map[string]func(*Record){
		"no time":                    func(r *Record) { r.Time = time.Time{} },
		"year 10000":                 func(r *Record) { r.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"no action":                  func(r *Record) { r.Action = "" },
		"capital in the action":      func(r *Record) { r.Action = "Login" },
		"action begins with a digit": func(r *Record) { r.Action = "1a" },
		"quote in the action":        func(r *Record) { r.Action = `a"b` },
		"action too long":            func(r *Record) { r.Action = strings.Repeat("a", 65) },
		"the summary's action":       func(r *Record) { r.Action = ActionSummed },
		"the restart's action":       func(r *Record) { r.Action = ActionRestarted },
		"no outcome":                 func(r *Record) { r.Outcome = "" },
		"another outcome":            func(r *Record) { r.Outcome = "maybe" },
		"known and unknown":          func(r *Record) { r.UnknownUser = "x" },
		"17 details":                 func(r *Record) { r.Details = make([]Detail, 17) },
		"detail of another name":     func(r *Record) { r.Details = []Detail{{"user.name", "root"}} },
		"detail with no name":        func(r *Record) { r.Details = []Detail{{"twokey.", ""}} },
		"detail with a quote":        func(r *Record) { r.Details = []Detail{{`twokey.a"b`, ""}} },
		"detail with a digit":        func(r *Record) { r.Details = []Detail{{"twokey.a1", ""}} },
		"detail too long":            func(r *Record) { r.Details = []Detail{{"twokey." + strings.Repeat("a", 58), ""}} },
		"detail that is a field":     func(r *Record) { r.Details = []Detail{{"twokey.seal", ""}} },
		"detail twice":               func(r *Record) { r.Details = []Detail{{"twokey.a", ""}, {"twokey.b", ""}, {"twokey.a", ""}} },
	} {
		path, key := newLog(t)
		r := event(1)
		change(&r)
		if err := Append(path, r); err == nil {
			t.Errorf("%s: accepted", name)
		}
		mustBeWhole(t, path, key, 0, 0)
	}
}

func TestParseRefusesEverySecondSpelling(t *testing.T) {
	good := goodLine(t)
	if _, err := Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"space":                     {`,"event.sequence"`, `, "event.sequence"`},
		"leading zero":              {`"event.sequence":1,`, `"event.sequence":01,`},
		"sequence zero":             {`"event.sequence":1,`, `"event.sequence":0,`},
		"sequence with a sign":      {`"event.sequence":1,`, `"event.sequence":+1,`},
		"sequence with an exponent": {`"event.sequence":1,`, `"event.sequence":1e0,`},
		"sequence above 2^53":       {`"event.sequence":1,`, `"event.sequence":9007199254740992,`},
		"sequence above 2^64":       {`"event.sequence":1,`, `"event.sequence":18446744073709551617,`},
		"month 13":                  {"2026-11-21", "2026-13-21"},
		"31 November":               {"2026-11-21", "2026-11-31"},
		"hour 24":                   {"T18:", "T24:"},
		"leap second":               {":55.", ":60."},
		"comma in the time":         {":55.", ":55,"},
		"eight digits":              {".123456789Z", ".12345678Z"},
		"year 1969":                 {"2026-", "1969-"},
		"capital in the action":     {`"a-1"`, `"A-1"`},
		"another outcome":           {`"unknown"`, `"fine"`},
		"fields in another order":   {`"user.name":"u","user.id":"1"`, `"user.id":"1","user.name":"u"`},
		"a field twice":             {`"user.name":"u"`, `"user.name":"u","user.name":"u"`},
		"an empty field":            {`"user.name":"u"`, `"user.name":""`},
		"a number as a text":        {`"process.pid":3`, `"process.pid":"3"`},
		"a text as a number":        {`"user.id":"1"`, `"user.id":1`},
		"a host as an address":      {`"source.address"`, `"source.ip"`},
		"an address as a host":      {`client.example.org`, `192.0.2.1`},
		"an unknown field":          {`"host.name"`, `"host.nome"`},
		"a raw tab":                 {`"h"`, "\"\t\""},
		"short escape":              {`"h"`, `"\n"`},
		"capital escape":            {`"h"`, `"\u001B"`},
		"escape without need":       {`"h"`, `"\u0041"`},
		"escaped slash":             {`"h"`, `"\/"`},
		"half a surrogate":          {`"h"`, `"\udb40"`},
		"two halves in disorder":    {`"h"`, `"\udc41\udb40"`},
		"surrogates without need":   {`"h"`, `"\ud83d\ude00"`},
		"invalid UTF-8":             {`"h"`, "\"\xff\""},
		"raw right-to-left":         {`"h"`, "\"\u202e\""},
		"text too long":             {`"h"`, `"` + strings.Repeat("h", 257) + `"`},
		"text not ended":            {`"h"`, `"h`},
		"change without a field":    {`{"field":"f","old":"o","new":"n"},`, `{"old":"o","new":"n"},`},
		"empty list of changes":     {`[{"field":"f","old":"o","new":"n"},{"field":"g","old":"","new":""}]`, `[]`},
		"17 changes":                {`[{`, `[` + strings.Repeat(`{"field":"f","old":"o","new":"n"},`, 15) + `{`},
		"comma behind the changes":  {`"new":""}]`, `"new":""},]`},
		"reserved detail":           {`"twokey.a":"1"`, `"twokey.tty":"1"`},
		"detail twice":              {`"twokey.a":"1"`, `"twokey.a":"1","twokey.a":"1"`},
		"17 details":                {`,"twokey.a":"1"`, manyDetails(16)},
		"foreign detail":            {`"twokey.a"`, `"other.a"`},
		"padding in the hash":       {`A","twokey.seal"`, `=","twokey.seal"`},
		"second spelling of a hash": {`A","twokey.seal"`, `B","twokey.seal"`},
		"newline in the hash":       {`AAA","twokey.seal"`, "A\nA\",\"twokey.seal\""},
		"short seal":                {`A"}`, `"}`},
		"something behind":          {`A"}`, `A"} `},
		"something before":          {`{"@timestamp"`, ` {"@timestamp"`},
		"another key for the time":  {`{"@timestamp"`, `{"@timestamq"`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Errorf("%s: changes nothing", name)
		}
		if r, err := Parse([]byte(bad)); err == nil || !reflect.DeepEqual(r, Record{}) {
			t.Errorf("%s: accepted as %+v", name, r)
		}
	}
	for _, bad := range []string{"", "{}", good[:len(good)-1], strings.Repeat("x", maxLine+1), strings.Repeat("{", suffixSize)} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("accepted: %.40q", bad)
		}
	}
}

func goodLine(t testing.TB) string {
	t.Helper()
	r := everything()
	r.Sequence = 1
	return strings.TrimSuffix(string(line(encode(&r), Hash{}, Hash{})), "\n")
}

func manyDetails(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`,"twokey.z` + string(rune('a'+i)) + `":""`)
	}
	return b.String()
}

func TestAVerificationKeyIsReadAsWrittenAndNotOtherwise(t *testing.T) {
	_, key := newLog(t)
	text := key.Text()
	if got, err := ParseVerificationKey(text); err != nil || got != key {
		t.Fatalf("%v, %v", got, err)
	}
	if !regexp.MustCompile(`^TWOKEY-AUDIT-KEY-1(-[A-Z2-7]{8}){7}$`).MatchString(text) {
		t.Errorf("text %q", text)
	}
	for i := range len(text) {
		for _, c := range "A2-b" {
			bad := text[:i] + string(c) + text[i+1:]
			if k, err := ParseVerificationKey(bad); bad != text && (err == nil || k != VerificationKey{}) {
				t.Errorf("%q accepted", bad)
			}
		}
	}
	for _, bad := range []string{"", text + "A", text + "\n", " " + text, strings.ToLower(text), text[:len(text)-1]} {
		if _, err := ParseVerificationKey(bad); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
	if s := key.String(); strings.Contains(text, s) || len(s) > 40 {
		t.Errorf("String gives %q", s)
	}
}

package policy

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// sources are the seeds of every fuzz target: what is good, and what is wrong in
// all the ways of the tables.
func sources() []string {
	list := []string{site, house, everyKey, string(Default()), "version: 1\n", `{"version":1,"exempt":[{"users":["a","b"]}]}`,
		"version: 1\nrequire:\n- users: [a]\n  groups:\n  - g # x\n  # y\n  - h\n- {users: [b],}\n# end",
		"version: 1\nexempt: [\n  {users: ['a', \"b\",c],groups: [ d ]}, # x\n\n  {services: [sshd]}\n]\ndefault: 'deny'\n",
		rules("{weekdays: [mon, fri], hours: ['08:00-18:00', 22:00-06:00], zone: Asia/Tokyo, then: deny}", "{from: ['::ffff:192.0.2.0/120', a.b], then: exempt}"),
		exempts("{system_accounts: true}", "{from: [192.0.2.9], until: 2026-12-31}"), asking("never"),
		"version: 1\nenroll: {at_login: no}\nservices: {kiosk: {enroll: true}}\nroles:\n  helpdesk: {groups: [desk]} # x\nprovisioners:\n- " + aSigner + "\n",
		twilio + "  sender: Example # x\n  # y\n  valid_for: 90s\n", ntfy + "match_number: false}\nmethods:\n- totp # x\n",
		program + "message: '%CODE% %MINUTES%', per_hour: 7}\n", gateway + "to: '%USER%.%NUMBER%@example.org', user: a, password_file: b}\n",
		duoHost + "api-1a2b3c4d.duosecurity.com, url: 'http://[::1]:8080'}\nmethods_default: last\n"}
	for _, test := range allRefusals() {
		if len(test.src) < 4096 {
			list = append(list, test.src)
		}
	}
	return list
}

func TestTheFuzzTargetsHaveSeeds(t *testing.T) {
	good := 0
	for _, src := range sources() {
		if _, err := Parse([]byte(src)); err == nil {
			good++
		}
	}
	if bad := len(sources()) - good; good != 17 || bad < 480 {
		t.Errorf("%d good and %d bad seeds, want 17 and at least 480", good, bad)
	}
}

// checkError demands an error that a person can act on and a log can hold.
func checkError(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || e.Msg == "" {
		t.Fatalf("an error without a position: %#v", err)
	}
	if strings.ContainsFunc(e.Msg, unicode.IsControl) || len(e.Msg) > 2048 {
		t.Fatalf("an error that no log should hold: %q", e.Msg)
	}
}

func FuzzParse(f *testing.F) {
	for _, src := range sources() {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		c, err := Parse(src)
		if err != nil {
			if checkError(t, err); c != nil {
				t.Fatal("a configuration beside an error")
			}
			return
		}
		checkCompiled(t, c)
		digest := sha256.Sum256(src)
		compiled := c.Compile(digest)
		loaded, got, err := Load(compiled)
		if err != nil {
			t.Fatalf("%v\n%s", err, compiled)
		}
		if got != digest || !bytes.Equal(loaded.Compile(got), compiled) {
			t.Fatalf("another policy:\n%s%s", compiled, loaded.Compile(got))
		}
		if PathsIn(src) != c.Paths {
			t.Fatalf("paths %+v and %+v", PathsIn(src), c.Paths)
		}
	})
}

func FuzzLoad(f *testing.F) {
	for _, src := range sources() {
		if c, err := Parse([]byte(src)); err == nil {
			f.Add(c.Compile(sha256.Sum256([]byte(src))))
		}
		f.Add([]byte(firstLine + strings.Repeat("0", 64) + "\n" + src))
	}
	f.Fuzz(func(t *testing.T, compiled []byte) {
		c, digest, err := Load(compiled)
		if err != nil {
			if c != nil || digest != zeros {
				t.Fatal("a result beside an error")
			}
			return
		}
		if !bytes.Equal(c.Compile(digest), compiled) {
			t.Fatal("a second spelling of one policy")
		}
	})
}

// FuzzEdit makes every kind of change. A change that is made is whole, made again
// changes nothing, and adding keeps every line that was there.
func FuzzEdit(f *testing.F) {
	for i, src := range sources() {
		f.Add([]byte(src), byte(i), "alice", "sshd")
		f.Add([]byte(src), byte(i/2), "bob", "")
		f.Add([]byte(src), byte(2), "a", "")
	}
	f.Fuzz(func(t *testing.T, src []byte, kind byte, name, service string) {
		change := changeOf(kind, name, service)
		before, parseErr := Parse(src)
		edited, err := Edit(src, change)
		if err != nil {
			if edited != nil {
				t.Fatal("a result beside an error")
			}
			return
		}
		if parseErr != nil {
			t.Fatalf("edited what does not parse: %v", parseErr)
		}
		after, err := Parse(edited)
		if err != nil {
			t.Fatalf("%v\n%s", err, edited)
		}
		if again, err := Edit(edited, change); err != nil || !bytes.Equal(again, edited) {
			t.Fatalf("the same again: %v\n%s\n%s", err, edited, again)
		}
		checkChange(t, change, before, after)
		dated := func(e Entry) bool { return !e.Until.IsZero() } // and so perhaps replaced
		added, ok := change.(AddExempt)
		if ok && len(after.Require) == len(before.Require) && !dated(Entry(added)) && !slices.ContainsFunc(before.Exempt, dated) {
			keepsLines(t, src, edited)
		}
	})
}

func changeOf(kind byte, name, service string) Change {
	e := Entry{Users: []string{name}}
	if kind&8 != 0 {
		e = Entry{Groups: []string{name}}
	}
	if service != "" {
		e.Services = []string{service}
	}
	day := Date{2027, 3, 1 + int(kind>>4&1)}
	switch kind % 5 {
	case 0:
		if kind&32 != 0 {
			e.By = day
		}
		return AddRequire(e)
	case 1:
		if kind&32 != 0 {
			e.Until = day
		}
		if kind&64 != 0 {
			e.From = []string{"192.0.2.0/24"}
		}
		return AddExempt(e)
	case 2:
		return Unset(e)
	case 3:
		return SetEnabled(kind&8 != 0)
	}
	return SetDefault(Decision(kind & 3))
}

// checkChange compares what a change did with what it should do, said in another
// way than the code says it.
func checkChange(t *testing.T, change Change, before, after *Config) {
	t.Helper()
	about := func(list []Entry, s subject) bool {
		return slices.ContainsFunc(list, func(e Entry) bool { return slices.Contains(e.subjects(), s) })
	}
	want := before.clone()
	switch change := change.(type) {
	case SetEnabled:
		want.Off = !bool(change)
	case SetDefault:
		want.Default = Decision(change)
	case AddRequire:
		want.Require, want.Exempt = after.Require, after.Exempt
		for _, s := range Entry(change).subjects() {
			if !about(after.Require, s) || len(after.Exempt) > len(before.Exempt) {
				t.Fatalf("not required: %v", s)
			}
		}
	case AddExempt:
		want.Require, want.Exempt = after.Require, after.Exempt
		for _, s := range Entry(change).subjects() {
			if !about(after.Exempt, s) || len(after.Require) > len(before.Require) {
				t.Fatalf("not exempt: %v", s)
			}
		}
	case Unset:
		want.Require, want.Exempt = after.Require, after.Exempt
		for _, s := range Entry(change).names() {
			if about(after.Require, s) || about(after.Exempt, s) {
				t.Fatalf("still there: %v", s)
			}
		}
	}
	if !bytes.Equal(after.Compile(zeros), want.Compile(zeros)) {
		t.Fatalf("%T changed something else:\n%s%s", change, before.Compile(zeros), after.Compile(zeros))
	}
	for _, service := range []string{"sshd", "sudo", "cron"} {
		if _, unset := change.(Unset); unset && after.AsksNobody(Facts{Service: service}) && !before.AsksNobody(Facts{Service: service}) {
			t.Fatalf("%s became exempt for everybody", service)
		}
	}
}

// keepsLines demands that the new text is the old one with something put in.
func keepsLines(t *testing.T, old, new []byte) {
	t.Helper()
	for _, b := range old {
		i := bytes.IndexByte(new, b)
		if i < 0 {
			t.Fatalf("something is lost from\n%s", old)
		}
		new = new[i+1:]
	}
}

func FuzzPathsIn(f *testing.F) {
	for _, src := range sources() {
		f.Add([]byte(src))
		f.Add([]byte(src + "\npaths: {data: /srv/x}\n"))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		seen := map[string]bool{}
		for _, p := range PathsIn(src).all() {
			if wrong := checkPath(p); wrong != "" || seen[p] {
				t.Fatalf("%q: %s", p, wrong)
			}
			seen[p] = true
		}
	})
}

package batch

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
)

// seeds are files of both kinds, right and wrong.
func seeds() []string {
	return []string{
		"version: 1\nusers:\n- user: alice\n  phone: +442079460958\n  devices:\n  - {name: token, method: hotp, counter: 3, until: never}\n",
		"version: 1\nusers:\n- user: a\n- user: a\n", "version: 1\nusers:\n- {user: a, devices: []}\ngroups:\n- {group: g, require: {by: 2026-12-31}}\n",
		"version: 1\nusers:\n- user: \"a\n- user: b\"\n", "version: 1\nusers:\n- user: |\n    a\n- user: >-\n   b\n", "version: 1\nusers:\n- &x {user: a}\n- *x\n",
		"user,device,secret\nalice,phone," + rfcSecret + "\nalice,token,\n", "user,until\n\"a\",2027-06-30\n", "user;secret\n", "\ufeffuser\r\na\r\n",
		"user,present\na,false\n", "", "---\nversion: 1\n...\n",
	}
}

func TestTheSeedsOfTheFuzzerAreOfBothKinds(t *testing.T) {
	right := 0
	for _, text := range seeds() {
		if f, err := Parse("list", strings.NewReader(text), Options{}); err == nil && len(f.Wrong) == 0 {
			right++
		}
	}
	if n := len(seeds()); n != 13 || right < 5 || right > n-5 {
		t.Errorf("%d of %d seeds are right", right, n)
	}
}

// What is taken is written and read again as the same.
func FuzzParse(f *testing.F) {
	for _, text := range seeds() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o := Options{AllowShort: true, Location: time.Local}
		first, err := Parse("list", strings.NewReader(text), o)
		if err != nil {
			return
		}
		first.Wrong = nil
		var yaml bytes.Buffer
		if err := first.Write(&yaml); err != nil {
			t.Fatal(err)
		}
		again, err := Parse("x.yaml", &yaml, o)
		if err != nil || len(again.Wrong) > 0 {
			t.Fatalf("%q was written as what cannot be read: %v, %v", text, err, again)
		}
		if a, b := withoutLines(first), withoutLines(again); !reflect.DeepEqual(a, b) {
			t.Fatalf("%q: %#v became %#v", text, a, b)
		}
	})
}

// withoutLines is what a file says, wherever it stands.
func withoutLines(f *File) (all []string) {
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		return []string{err.Error()}
	}
	for line := range strings.Lines(b.String()) {
		all = append(all, line)
	}
	return all
}

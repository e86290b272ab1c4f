package audit

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Lines that begin the search; the good ones are counted, so that a fuzzer never runs from nothing.
func lineSeeds(t testing.TB) (good, bad []string) {
	t.Helper()
	maximal := hostileEverywhere(strings.Repeat("\u202e", 80))
	maximal.Sequence = maxNumber
	repaired := event(3)
	repaired.Sequence, repaired.Repair = 4, Repair{5, Hash{6}, 7, Hash{8}}
	for _, r := range append(exampleRecords(), maximal, repaired, hostileEverywhere("\U000e0041\"\\\x00"), event(1)) {
		if r.Sequence == 0 {
			r.Sequence = 1
		}
		good = append(good, string(bytes.TrimSuffix(line(encode(&r), Hash{1}, Hash{2}), []byte("\n"))))
	}
	good = append(good, goodLine(t))
	one := good[len(good)-1]
	bad = []string{"", "{}", one[1:], one + "\n", strings.Replace(one, ":1,", ":0,", 1), strings.Replace(one, "h", "\x1b", 1)}
	return good, bad
}

// What Parse accepts is written again as the same bytes, and means the same with and without keeping the texts.
func FuzzParse(f *testing.F) {
	good, bad := lineSeeds(f)
	for _, s := range append(good, bad...) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		var checked Record
		s, ok := decode(b, &checked, false)
		if ok != (err == nil) {
			t.Fatalf("Parse says %v, without texts it is %v", err, ok)
		}
		if err != nil {
			if !reflect.DeepEqual(r, Record{}) {
				t.Fatalf("%+v with an error", r)
			}
			return
		}
		if again := line(encode(&r), s.hash, s.seal); !bytes.Equal(again, append(bytes.Clone(b), '\n')) {
			t.Fatalf("read   %q\nwrites %q", b, again)
		}
		if checked.Sequence != r.Sequence || checked.Repair != r.Repair || !checked.Time.Equal(r.Time) {
			t.Fatalf("%+v\nis not\n%+v", checked, r)
		}
	})
}

// Whatever is in a text, the record is one line that is read back.
func FuzzText(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := Record{Time: time.Unix(1, 2), Sequence: 1, Action: "a", Outcome: Success, Source: s, User: s, Changes: []Change{{s, s, s}},
			Details: []Detail{{"twokey.x", s}}}
		b := line(encode(&r), Hash{}, Hash{})
		if bytes.IndexByte(b, '\n') != len(b)-1 || bytes.ContainsAny(b, "\x00\a\b\t\r\x1b\x7f\u009b\u202e\u2028") {
			t.Fatalf("%q", b)
		}
		got, err := Parse(b[:len(b)-1])
		if err != nil || got.User != limit(s) || got.Source != limit(s) || got.Details[0].Value != limit(s) {
			t.Fatalf("%v: %+v", err, got)
		}
	})
}

// What is accepted as a head is written again as the same bytes.
func FuzzHead(f *testing.F) {
	for _, s := range headSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decodeHead(b)
		if err == nil && !bytes.Equal(h.encode(), b) || err != nil && h != (head{}) {
			t.Fatalf("%x: %+v, %v", b, h, err)
		}
	})
}

func headSeeds() [][]byte {
	full := head{position{7, 3000, Hash{1}, true, sealingKey{2}}, [32]byte{3}, refusals{4, 100, 6, 7, 8}}
	empty := head{position: position{key: sealingKey{1}}}
	return [][]byte{full.encode(), empty.encode(), nil, full.encode()[1:], append(empty.encode(), 0), make([]byte, headSize)}
}

// What is accepted as a verification key is written again as the same text.
func FuzzVerificationKey(f *testing.F) {
	for _, s := range keySeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParseVerificationKey(s)
		if err == nil && k.Text() != s || err != nil && k != (VerificationKey{}) {
			t.Fatalf("%q: %v", s, err)
		}
	})
}

func keySeeds() []string {
	zero, other := VerificationKey{}.Text(), VerificationKey{sealingKey{0xff, 1}}.Text()
	return []string{zero, other, "", keyPrefix, zero[:len(zero)-1], strings.ToLower(other), strings.ReplaceAll(zero, "-", " ")}
}

func TestTheFuzzersHaveSeeds(t *testing.T) {
	good, bad := lineSeeds(t)
	for _, s := range good {
		if _, err := Parse([]byte(s)); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range bad {
		if _, err := Parse([]byte(s)); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
	heads, keys := 0, 0
	for _, s := range headSeeds() {
		if _, err := decodeHead(s); err == nil {
			heads++
		}
	}
	for _, s := range keySeeds() {
		if _, err := ParseVerificationKey(s); err == nil {
			keys++
		}
	}
	if len(good) != 7 || len(bad) != 6 || heads != 2 || len(headSeeds()) != 6 || keys != 2 || len(keySeeds()) != 7 || len(hostile) != 19 {
		t.Errorf("seeds: lines %d and %d, heads %d of %d, keys %d of %d, texts %d",
			len(good), len(bad), heads, len(headSeeds()), keys, len(keySeeds()), len(hostile))
	}
}

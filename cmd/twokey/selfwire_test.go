package main

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// The lines of the protocol's specification, and what they mean.
func TestTheLinesOfTheSpecification(t *testing.T) {
	both := func(line string, value, parsed any, err error) {
		if err != nil || !reflect.DeepEqual(value, parsed) {
			t.Errorf("%s: %+v, %v", line, parsed, err)
		}
	}
	line := `{"version":1,"argv":["enroll","--device","phone"],"columns":80,"person":true,"utf8":true}` + "\n"
	request, err := parseSelf[selfRequest]([]byte(line))
	both(line, &selfRequest{1, []string{"enroll", "--device", "phone"}, 80, true, true}, request, err)
	line = `{"kind":"out","text":"…","status":0}` + "\n"
	message, err := parseSelf[selfMessage]([]byte(line))
	both(line, &selfMessage{"out", "…", 0}, message, err)
	line = `{"kind":"answer","text":"…"}` + "\n"
	answer, err := parseSelf[selfAnswer]([]byte(line))
	both(line, &selfAnswer{"answer", "…"}, answer, err)
	line = `{"kind":"exit","text":"","status":0}` + "\n"
	message, err = parseSelf[selfMessage]([]byte(line))
	both(line, &selfMessage{"exit", "", 0}, message, err)
}

func TestALineThatTheProtocolDoesNotHaveIsRefused(t *testing.T) {
	request := func(line string) error {
		v, err := parseSelf[selfRequest]([]byte(line + "\n"))
		if (v == nil) != (err != nil) {
			t.Errorf("%.80q: %v, %v", line, v, err)
		}
		return err
	}
	for sentence, line := range map[string]string{
		"nothing":                  ``,
		"no JSON":                  `GET / HTTP/1.1`,
		"null":                     `null`,
		"a list":                   `[]`,
		"no fields":                `{}`,
		"another version":          `{"version":2,"argv":[],"columns":0,"person":false,"utf8":false}`,
		"a field more":             `{"version":1,"argv":[],"columns":0,"person":false,"utf8":false,"uid":0}`,
		"a field twice":            `{"version":1,"argv":["list"],"argv":[],"columns":0,"person":false,"utf8":false}`,
		"a field in capitals":      `{"version":1,"ARGV":[],"columns":0,"person":false,"utf8":false}`,
		"another order":            `{"argv":[],"version":1,"columns":0,"person":false,"utf8":false}`,
		"a blank":                  `{"version":1, "argv":[],"columns":0,"person":false,"utf8":false}`,
		"no arguments":             `{"version":1,"argv":null,"columns":0,"person":false,"utf8":false}`,
		"a NUL":                    `{"version":1,"argv":["a\u0000b"],"columns":0,"person":false,"utf8":false}`,
		"bytes that are no UTF-8":  `{"version":1,"argv":["` + "\xff" + `"],"columns":0,"person":false,"utf8":false}`,
		"half a surrogate pair":    `{"version":1,"argv":["\ud800"],"columns":0,"person":false,"utf8":false}`,
		"a width below zero":       `{"version":1,"argv":[],"columns":-1,"person":false,"utf8":false}`,
		"a width beyond all":       `{"version":1,"argv":[],"columns":10001,"person":false,"utf8":false}`,
		"a width in half":          `{"version":1,"argv":[],"columns":1.5,"person":false,"utf8":false}`,
		"a second value behind it": `{"version":1,"argv":[],"columns":0,"person":false,"utf8":false}{}`,
		"65 words":                 `{"version":1,"argv":[` + strings.Repeat(`"",`, 64) + `""],"columns":0,"person":false,"utf8":false}`,
		"more than 64 KiB":         `{"version":1,"argv":["` + strings.Repeat("a", selfMaxMessage) + `"],"columns":0,"person":false,"utf8":false}`,
	} {
		if err := request(line); !errors.Is(err, errSelf) {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	if err := request(`{"version":1,"argv":[` + strings.Repeat(`"",`, 63) + `""],"columns":10000,"person":false,"utf8":false}`); err != nil {
		t.Errorf("64 words: %v", err)
	}
	for _, line := range []string{`{"kind":"","text":"","status":0}`, `{"kind":"exec","text":"","status":0}`, `{"kind":"exit","text":"x","status":0}`,
		`{"kind":"out","text":"","status":1}`, `{"kind":"exit","text":"","status":256}`, `{"kind":"exit","text":"","status":-1}`,
		`{"kind":"out","text":"` + strings.Repeat("a", selfMaxText+1) + `","status":0}`} {
		if m, err := parseSelf[selfMessage]([]byte(line + "\n")); err == nil || m != nil {
			t.Errorf("%.80s was taken", line)
		}
	}
	for _, line := range []string{`{"kind":"","text":""}`, `{"kind":"none","text":"x"}`, `{"kind":"interrupted","text":"x"}`, `{"kind":"answer","text":"a\nb"}`,
		`{"kind":"answer","text":"` + strings.Repeat("a", maxAnswer+1) + `"}`, `{"kind":"answer","text":"a\u0000"}`} {
		if a, err := parseSelf[selfAnswer]([]byte(line + "\n")); err == nil || a != nil {
			t.Errorf("%.80s was taken", line)
		}
	}
}

func TestALineIsReadToItsEndAndNoFurther(t *testing.T) {
	from := selfReader(strings.NewReader(`{"kind":"answer","text":"a"}` + "\n" + `{"kind":"none","text":""}` + "\n" + `{"kind":`))
	for _, want := range []selfAnswer{{selfAnswered, "a"}, {selfNone, ""}} {
		if got, err := readSelf[selfAnswer](from); err != nil || *got != want {
			t.Errorf("%v, %v", got, err)
		}
	}
	if got, err := readSelf[selfAnswer](from); !errors.Is(err, io.EOF) || got != nil {
		t.Errorf("a line that is cut off: %v, %v", got, err)
	}
	endless := selfReader(io.MultiReader(strings.NewReader(strings.Repeat("a", 2*selfMaxMessage))))
	if got, err := readSelf[selfRequest](endless); !errors.Is(err, errSelf) || got != nil {
		t.Errorf("a line without an end: %v, %v", got, err)
	}
}

func TestLongTextComesInPartsThatFit(t *testing.T) {
	for _, text := range []string{"", "a", strings.Repeat("▀", 20000), strings.Repeat("\x1b", 3*selfMaxText), "a" + strings.Repeat("😀", 5000), "\xff" + strings.Repeat("\x00", 9000)} {
		joined := ""
		for _, part := range parts(text) {
			line, err := encodeSelf(selfMessage{Kind: selfOut, Text: part})
			if err != nil {
				t.Fatal(err)
			}
			got, err := parseSelf[selfMessage](line)
			if err != nil {
				t.Fatal(err)
			}
			joined += got.Text
		}
		if joined != strings.ToValidUTF8(text, "?") {
			t.Errorf("%d bytes came as %d", len(text), len(joined))
		}
	}
}

// seeds are lines of all kinds, good and bad.
var seeds = []string{
	`{"version":1,"argv":["enroll"],"columns":80,"person":true,"utf8":true}`, `{"version":1,"argv":[],"columns":0,"person":false,"utf8":false}`,
	`{"kind":"out","text":"a\u001b[2J","status":0}`, `{"kind":"exit","text":"","status":3}`, `{"kind":"hidden","text":"Password: ","status":0}`,
	`{"kind":"answer","text":"123456"}`, `{"kind":"none","text":""}`, `{"kind":"interrupted","text":""}`,
	`{"kind":"answer","text":"","text":"a"}`, `{"version":1e0,"argv":[],"columns":0,"person":false,"utf8":false}`, "", "{}", "null", "\xff",
}

// What is taken is one text only, within the limits, and comes back as the same bytes.
func FuzzParseSelf(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed + "\n"))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		request, err := parseSelf[selfRequest](line)
		again(t, line, request, err)
		message, err := parseSelf[selfMessage](line)
		again(t, line, message, err)
		answer, err := parseSelf[selfAnswer](line)
		again(t, line, answer, err)
	})
}

func again[V selfValue](t *testing.T, line []byte, v *V, err error) {
	if (v == nil) != (err != nil) {
		t.Fatalf("%v, %v", v, err)
	}
	if err != nil {
		return
	}
	if back, err := encodeSelf(*v); err != nil || !bytes.Equal(back, line) || len(line) > selfMaxMessage || !utf8.Valid(line) {
		t.Errorf("%q became %q, %v", line, back, err)
	}
}

func TestTheFuzzTargetHasItsSeeds(t *testing.T) {
	if len(seeds) < 14 {
		t.Errorf("%d seeds", len(seeds))
	}
}

package factor

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
)

// drawn returns the random bytes from which the given codes are drawn, one after the other.
func drawn(codes ...string) io.Reader {
	var b []byte
	for _, code := range codes {
		bits := uint64(0)
		for i := recoveryLength - 1; i >= 0; i-- {
			bits = bits*32 + uint64(strings.IndexByte(recoveryAlphabet, code[i]))
		}
		b = binary.BigEndian.AppendUint64(b, bits)
	}
	return bytes.NewReader(b)
}

func TestNewRecoveryCodes(t *testing.T) {
	codes, err := NewRecoveryCodes(rand.Reader, MaxRecoveryCodes)
	if err != nil || len(codes) != MaxRecoveryCodes {
		t.Fatalf("got %d codes and %v", len(codes), err)
	}
	shape := regexp.MustCompile(`^[0-9a-hjkmnp-tv-z]{4}-[0-9a-hjkmnp-tv-z]{4}-[0-9a-hjkmnp-tv-z]{4}$`)
	seen, characters := map[string]bool{}, map[rune]int{}
	for _, code := range codes {
		if seen[code] || !shape.MatchString(code) {
			t.Errorf("code %q came before or has another shape", code)
		}
		if answer := ParseAnswer(code); answer.Kind != Recovery || answer.Text != code {
			t.Errorf("code %q is read as %s %q", code, answer.Kind, answer.Text)
		}
		seen[code] = true
		for _, c := range code {
			characters[c]++
		}
	}
	// 1200 characters of 32: that one of them is missing has a probability below 10⁻¹⁴.
	if len(characters) != 33 {
		t.Errorf("%d different characters in %d codes, want 32 and the hyphen", len(characters), len(codes))
	}
}

func TestRecoveryCodesAreDrawnAgainWhenAllDigitsOrEqual(t *testing.T) {
	codes, err := NewRecoveryCodes(drawn("000000000000", "abcdefgh2345", "123456789012", "abcdefgh2345", "zzzzzzzzzzzz"), 2)
	if err != nil || strings.Join(codes, " ") != "abcd-efgh-2345 zzzz-zzzz-zzzz" {
		t.Errorf("got %q and %v", codes, err)
	}
}

func TestRecoveryCodesHave60BitsFromTheSource(t *testing.T) {
	for bit := range 60 {
		random := bytes.Repeat([]byte{0xff}, 16)
		random[7-bit/8] ^= 1 << (bit % 8)
		codes, err := NewRecoveryCodes(bytes.NewReader(random), 2)
		if err != nil || codes[0] == codes[1] || codes[1] != "zzzz-zzzz-zzzz" {
			t.Errorf("bit %d has no effect: %q, %v", bit, codes, err)
		}
	}
}

func TestNewRecoveryCodesFailsWithoutAnyCodes(t *testing.T) {
	dead := errors.New("no entropy")
	tests := map[string]struct {
		rand io.Reader
		n    int
		want error // wrapped; nil for any
	}{
		"none":                         {rand.Reader, 0, nil},
		"fewer than none":              {rand.Reader, -1, nil},
		"too many":                     {rand.Reader, MaxRecoveryCodes + 1, nil},
		"the source fails":             {iotest.ErrReader(dead), 10, dead},
		"the source fails later":       {io.MultiReader(drawn("abcdefgh2345"), iotest.ErrReader(dead)), 2, dead},
		"the source is empty":          {bytes.NewReader(nil), 1, io.EOF},
		"the source ends in a draw":    {bytes.NewReader(make([]byte, 7)), 1, io.ErrUnexpectedEOF},
		"the source gives zeros only":  {zeros{}, 1, nil},
		"the source repeats one value": {drawn(strings.Split(strings.Repeat("abcdefgh2345 ", 20), " ")[:20]...), 2, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			codes, err := NewRecoveryCodes(test.rand, test.n)
			if err == nil || codes != nil || (test.want != nil && !errors.Is(err, test.want)) {
				t.Errorf("got %q and %v, want only an error (%v)", codes, err, test.want)
			}
		})
	}
	slow, err := NewRecoveryCodes(iotest.OneByteReader(drawn("abcdefgh2345")), 1)
	if err != nil || slow[0] != "abcd-efgh-2345" {
		t.Errorf("a source that gives one byte at a time: got %q and %v", slow, err)
	}
}

// zeros is a random source that is broken.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// hashOf is HashRecovery of a code that is one.
func hashOf(t *testing.T, key [32]byte, code string) [16]byte {
	t.Helper()
	h, err := HashRecovery(key, code)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHashRecoveryIsTheSameForEverySpellingAndNoOtherCodeOrKey(t *testing.T) {
	key, other := [32]byte{1}, [32]byte{2}
	want := hashOf(t, key, "7k3f-9qxz-0m2t")
	for _, same := range []string{"7K3F9QXZ0M2T", " 7k3f 9qxz om2t ", "7k3f-9qxz-Om2t\n"} {
		if hashOf(t, key, same) != want {
			t.Errorf("%q has another hash", same)
		}
	}
	if hashOf(t, other, "7k3f-9qxz-0m2t") == want || hashOf(t, key, "7k3f-9qxz-0m2v") == want {
		t.Error("another key or another code has the same hash")
	}
	for _, bad := range []string{"", "287082", "7k3f-9qxz-0m2", "7k3f-9qxz-0m2u", "2870-8235-9152", strings.Repeat("a", 100)} {
		if h, err := HashRecovery(key, bad); err == nil || h != [16]byte{} || (bad != "" && strings.Contains(err.Error(), bad)) {
			t.Errorf("%q: got %x and %v, want an error without the code", bad, h, err)
		}
	}
}

func TestMatchRecovery(t *testing.T) {
	key := [32]byte{1}
	a, b := "abcd-efgh-2345", "zzzz-zzzz-zzzz"
	hashes := [][16]byte{hashOf(t, key, a), {}, hashOf(t, key, b), hashOf(t, key, a)}
	tests := map[string]struct {
		key    [32]byte
		hashes [][16]byte
		code   string
		want   int
	}{
		"the first":                              {key, hashes, a, 0},
		"the third":                              {key, hashes, b, 2},
		"in capitals without hyphens":            {key, hashes, "ABCDEFGH2345", 0},
		"the last":                               {key, hashes[1:3], b, 1},
		"the only one":                           {key, hashes[2:3], b, 0},
		"another code":                           {key, hashes, "abcd-efgh-2346", -1},
		"another key":                            {[32]byte{2}, hashes, a, -1},
		"no hashes":                              {key, nil, a, -1},
		"no code":                                {key, hashes, "", -1},
		"a code that is none, and an empty hash": {key, hashes, "287082", -1},
		"10 kB":                                  {key, hashes, strings.Repeat("a", 10_000), -1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := MatchRecovery(test.key, test.hashes, test.code)
			if got != test.want || ok != (test.want >= 0) {
				t.Errorf("got %d %v, want %d", got, ok, test.want)
			}
		})
	}
}

func TestHashesOfManyCodesAreThoseOfEach(t *testing.T) {
	key := [32]byte{31: 1}
	codes := []string{"7k3f-9qxz-0m2t", "8k3f-9qxz-0m2t", "7k3f-9qxz-0m2t"}
	hashes, err := HashRecoveries(key, codes)
	if err != nil || len(hashes) != len(codes) {
		t.Fatalf("%d hashes, %v", len(hashes), err)
	}
	for i, code := range codes {
		if hashes[i] != hashOf(t, key, code) {
			t.Errorf("number %d is %x, want %x", i, hashes[i], hashOf(t, key, code))
		}
	}
	if hashes, err := HashRecoveries(key, append(codes, "no code")); err == nil || hashes != nil {
		t.Errorf("%x, %v", hashes, err)
	}
}

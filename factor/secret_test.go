package factor

import (
	"bytes"
	"encoding/hex"
	"os/exec"
	"strings"
	"testing"
)

// pasted are secrets as people paste them, and the seeds of FuzzDecodeSecret.
var pasted = map[string]struct {
	text string
	want string // the raw secret; "" when the text must be refused
}{
	"canonical":                          {"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "12345678901234567890"},
	"in groups of four":                  {"GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ", "12345678901234567890"},
	"in lower case":                      {"gezdgnbvgy3tqojqgezdgnbvgy3tqojq", "12345678901234567890"},
	"with hyphens and a line end":        {" GEZD-GNBV-GY3T-QOJQ\r\n", "1234567890"},
	"with padding":                       {"GEZDGNBVGY3TQOJQGE======", "12345678901"},
	"with padding in groups":             {"GEZD GNBV GY3T QOJQ GE== ====", "12345678901"},
	"without padding":                    {"GEZDGNBVGY3TQOJQGE", "12345678901"},
	"two bytes over":                     {"GEZDGNBVGY3TQOJQGEZA", "123456789012"},
	"three bytes over":                   {"GEZDGNBVGY3TQOJQGEZDG", "1234567890123"},
	"four bytes over":                    {"GEZDGNBVGY3TQOJQGEZDGNA", "12345678901234"},
	"bits beyond the last byte":          {"GEZDGNBVGY3TQOJQGF", "12345678901"},
	"one byte":                           {"GE", "1"},
	"a space behind every character":     {"G E Z D G N B V G Y 3 T Q O J Q ", "1234567890"},
	"the longest text":                   {strings.Repeat("GE", 8) + strings.Repeat(" ", 512-16), "11"},
	"nothing":                            {"", ""},
	"spaces only":                        {"    ", ""},
	"padding only":                       {"========", ""},
	"one character":                      {"G", ""},
	"a character missing at the end":     {"GEZDGNBVGY3TQOJQGEZ", ""},
	"one character over":                 {"GEZDGNBVGY3TQOJQG", ""},
	"six characters over":                {"GEZDGNBVGY3TQOJQGEZDGN", ""},
	"padding inside":                     {"GE======GEZDGNBV", ""},
	"0 for O":                            {"GEZDGNBVGY3TQ0JQ", ""},
	"1 for I":                            {"GEZDGNBVGY3TQOJ1", ""},
	"8 and 9":                            {"GEZDGNBVGY3TQO89", ""},
	"hexadecimal":                        {"31323334353637383930", ""},
	"an address":                         {"otpauth://totp/a?secret=GEZDGNBV", ""},
	"a line break inside":                {"GEZDGNBV\nGY3TQOJQ", ""},
	"a line break for a character":       {"GEZDGNBV\nGY3TQOJ", ""},
	"a long s in whole bytes":            {"GEZDGNBVGY3TQOſ", ""},
	"a tab inside":                       {"GEZDGNBV\tGY3TQOJQ", ""},
	"a zero byte":                        {"GEZDGNBVGY3TQOJQ\x00", ""},
	"a no-break space":                   {"GEZDGNBV\u00a0GY3TQOJQ", ""},
	"full-width letters":                 {"ＧＥＺＤＧＮＢＶ", ""},
	"a long s, whose upper case is S":    {"GEZDGNBVGY3TQOJſ", ""},
	"a dotless i, whose upper case is I": {"GEZDGNBVGY3TQOJı", ""},
	"not UTF-8":                          {"GEZDGNBV\xff", ""},
	"too long":                           {strings.Repeat("GEZDGNBV", 65), ""},
}

func TestDecodeSecret(t *testing.T) {
	for name, test := range pasted {
		t.Run(name, func(t *testing.T) {
			got, err := DecodeSecret(test.text)
			if name == "the longest text" {
				test.want = string(got) // only that it is looked at
			}
			if string(got) != test.want || (err == nil) != (test.want != "") {
				t.Errorf("got %q and %v, want %q", got, err, test.want)
			}
			if err != nil && got != nil {
				t.Errorf("got a secret and an error: %x", got)
			}
			if err != nil && len(test.text) > 4 && strings.Contains(err.Error(), test.text[:4]) {
				t.Errorf("the error repeats the secret: %v", err)
			}
		})
	}
	if want := 38; len(pasted) < want {
		t.Errorf("%d texts, want at least %d", len(pasted), want)
	}
}

func FuzzDecodeSecret(f *testing.F) {
	for _, test := range pasted {
		f.Add(test.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		secret, err := DecodeSecret(text)
		if err != nil {
			if secret != nil {
				t.Errorf("%q: a secret and an error", text)
			}
			return
		}
		canonical := EncodeSecret(secret)
		again, err := DecodeSecret(canonical)
		if err != nil || !bytes.Equal(again, secret) || len(secret) == 0 {
			t.Errorf("%q: canonical %q gives %x and %v, want %x", text, canonical, again, err, secret)
		}
		// Everything that was typed is in the secret, but for the bits beyond the last whole byte.
		typed := strings.TrimRight(strings.ToUpper(withoutGaps(strings.Trim(text, asciiSpace))), "=")
		if len(typed) != len(canonical) || typed[:len(typed)-1] != canonical[:len(canonical)-1] {
			t.Errorf("%q is taken for %q", text, canonical)
		}
	})
}

func TestGroupSecret(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "",
		"GEZ":                 "GEZ",
		"GEZD":                "GEZD",
		"GEZDG":               "GEZD G",
		"GEZDGNBVGY3TQOJQGE":  "GEZD GNBV GY3T QOJQ GE",
		"GEZD GNBV GY3T QOJQ": "GEZD GNBV GY3T QOJQ",
	} {
		if got := GroupSecret(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	secret := rfcSecret(MaxSecret)
	got, err := DecodeSecret(GroupSecret(EncodeSecret(secret)))
	if err != nil || !bytes.Equal(got, secret) {
		t.Errorf("the longest secret in groups is not read back: %v", err)
	}
}

func TestSecretsAreReadAsOathtoolReadsThem(t *testing.T) {
	for _, text := range []string{"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "gezd gnbv gy3t qojq", "GEZDGNBVGY3TQOJQGE======", "GEZDGNBVGY3TQOJQGEZDGNBVGB"} {
		out, err := exec.Command("oathtool", "--base32", "--verbose", text).CombinedOutput()
		if err != nil {
			t.Fatalf("oathtool: %v\n%s", err, out)
		}
		secret, err := DecodeSecret(text)
		if want := "Hex secret: " + hex.EncodeToString(secret) + "\n"; err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: got %x and %v, oathtool says\n%s", text, secret, err, out)
		}
	}
}

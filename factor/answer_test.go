package factor

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// answers are what people and attackers type, and the seeds of FuzzParseAnswer.
var answers = map[string]struct {
	raw  string
	want Answer
}{
	"nothing":                              {"", Answer{Empty, ""}},
	"spaces only":                          {" \t\r\n\v\f ", Answer{Empty, ""}},
	"10 kB of spaces":                      {strings.Repeat(" ", 10_000), Answer{Empty, ""}},
	"a code of 6 digits":                   {"287082", Answer{Digits, "287082"}},
	"a code with its leading zeros":        {"000042", Answer{Digits, "000042"}},
	"a code with a line end":               {"287082\r\n", Answer{Digits, "287082"}},
	"a code in two groups":                 {" 287 082 ", Answer{Digits, "287082"}},
	"a code with hyphens":                  {"287-082", Answer{Digits, "287082"}},
	"4 digits":                             {"1234", Answer{Digits, "1234"}},
	"12 digits":                            {"287082359152", Answer{Digits, "287082359152"}},
	"12 digits as a recovery code":         {"2870-8235-9152", Answer{Digits, "287082359152"}},
	"two codes":                            {"287082 359152", Answer{Digits, "287082359152"}},
	"24 digits":                            {strings.Repeat("1", 24), Answer{Digits, strings.Repeat("1", 24)}},
	"24 digits, a space behind each":       {strings.Repeat("1 ", 24), Answer{Digits, strings.Repeat("1", 24)}},
	"64 bytes with few digits":             {"1" + strings.Repeat(" ", 60) + "234", Answer{Digits, "1234"}},
	"a recovery code":                      {"7k3f-9qxz-0m2t", Answer{Recovery, "7k3f-9qxz-0m2t"}},
	"a recovery code in capitals":          {"7K3F-9QXZ-0M2T", Answer{Recovery, "7k3f-9qxz-0m2t"}},
	"a recovery code without hyphens":      {"7k3f9qxz0m2t", Answer{Recovery, "7k3f-9qxz-0m2t"}},
	"a recovery code with spaces":          {" 7k3f 9qxz  0m2t\n", Answer{Recovery, "7k3f-9qxz-0m2t"}},
	"hyphens elsewhere":                    {"7-k3f9q-xz0m-2t-", Answer{Recovery, "7k3f-9qxz-0m2t"}},
	"o for 0, i and l for 1":               {"OoIi-Ll01-abcd", Answer{Recovery, "0011-1101-abcd"}},
	"a word in the recovery alphabet":      {"passwordpass", Answer{Recovery, "pass-w0rd-pass"}},
	"one letter among digits":              {"00000000000a", Answer{Recovery, "0000-0000-000a"}},
	"letters that all stand for digits":    {"oooo-iiii-llll", Answer{}},
	"a letter u, which is not drawn":       {"7k3f-9qxz-0m2u", Answer{}},
	"eleven characters":                    {"7k3f-9qxz-0m2", Answer{}},
	"thirteen characters":                  {"7k3f-9qxz-0m2tt", Answer{}},
	"hyphens only":                         {"---", Answer{}},
	"3 digits":                             {"123", Answer{}},
	"25 digits":                            {strings.Repeat("1", 25), Answer{}},
	"65 bytes":                             {"1" + strings.Repeat(" ", 61) + "234", Answer{}},
	"10 kB of digits":                      {strings.Repeat("1", 10_000), Answer{}},
	"a password":                           {"Tr0ub4dor&3", Answer{}},
	"a sign":                               {"+287082", Answer{}},
	"hexadecimal":                          {"0x28708", Answer{}},
	"a decimal point":                      {"2870.82", Answer{}},
	"an exponent":                          {"1e6", Answer{}},
	"a tab inside":                         {"287\t082", Answer{}},
	"a line break inside":                  {"287\n082", Answer{}},
	"a zero byte":                          {"287082\x00", Answer{}},
	"an escape sequence":                   {"\x1b[2J287082", Answer{}},
	"sshd's junk":                          {"\b\n\r\x7fINCORRECT", Answer{}},
	"Arabic digits":                        {"٢٨٧٠٨٢", Answer{}},
	"full-width digits":                    {"２８７０８２", Answer{}},
	"a no-break space":                     {"287\u00a0082", Answer{}},
	"a no-break space at the end":          {"287082\u00a0", Answer{}},
	"an en dash":                           {"287–082", Answer{}},
	"a Kelvin sign, whose lower case is k": {"7\u212a3f9qxz0m2t", Answer{}},
	"a Kelvin sign in twelve bytes":        {"7\u212a3f9qxz0m", Answer{}},
	"a dotted I":                           {"7k3f9qxz0m2İ", Answer{}},
	"not UTF-8":                            {"\xff\xfe287082", Answer{}},
	"12 bytes that are not UTF-8":          {"\xff7k3f9qxz0m2", Answer{}},
	"overlong UTF-8 of a digit":            {"28708\xc0\xb2", Answer{}},
}

func TestParseAnswer(t *testing.T) {
	for name, test := range answers {
		t.Run(name, func(t *testing.T) {
			if got := ParseAnswer(test.raw); got.Kind != test.want.Kind || got.Text != test.want.Text {
				t.Errorf("%.80q: got %s %q, want %s %q", test.raw, got.Kind, got.Text, test.want.Kind, test.want.Text)
			}
		})
	}
	if want := 50; len(answers) < want {
		t.Errorf("%d answers, want at least %d", len(answers), want)
	}
}

func FuzzParseAnswer(f *testing.F) {
	for _, test := range answers {
		f.Add(test.raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got := ParseAnswer(raw)
		if again := ParseAnswer(got.Text); got.Text != "" && (again.Kind != got.Kind || again.Text != got.Text) {
			t.Errorf("%q: the canonical %q is read as %s %q", raw, got.Text, again.Kind, again.Text)
		}
		trimmed := strings.Trim(raw, asciiSpace)
		switch got.Kind {
		case Rubbish, Empty:
			if got.Text != "" || (got.Kind == Empty) != (trimmed == "") {
				t.Errorf("%q: got %s %q", raw, got.Kind, got.Text)
			}
		case Digits:
			if len(got.Text) < 4 || len(got.Text) > 24 || strings.Trim(got.Text, "0123456789") != "" {
				t.Errorf("%q: digits %q", raw, got.Text)
			}
		case Recovery:
			if len(got.Text) != 14 || strings.Trim(got.Text, recoveryAlphabet+"-") != "" || strings.Trim(got.Text, "0123456789-") == "" {
				t.Errorf("%q: recovery code %q", raw, got.Text)
			}
		}
		if got.Kind != Rubbish && (len(trimmed) > maxAnswer || !utf8.ValidString(raw) || strings.ContainsFunc(raw, func(r rune) bool { return r > '~' })) {
			t.Errorf("%q must be rubbish, got %s", raw, got.Kind)
		}
	})
}

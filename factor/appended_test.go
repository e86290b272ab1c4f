package factor

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// appended are splits that are found: of each, what was typed, the lengths of the user's codes, and what is taken for the code.
var appended = map[string]struct {
	typed   string
	lengths []int
	answer  Answer
	cut     int
}{
	"six digits behind a password":                 {"secret123456", []int{6}, Answer{Digits, "123456"}, 6},
	"behind a password of one character":           {"x123456", []int{6}, Answer{Digits, "123456"}, 6},
	"behind a password of one digit":               {"7123456", []int{6}, Answer{Digits, "123456"}, 6},
	"behind a password that ends with digits":      {"born1999123456", []int{6}, Answer{Digits, "123456"}, 6},
	"behind a password of digits alone":            {"999999123456", []int{6}, Answer{Digits, "123456"}, 6},
	"a code that begins with zeros":                {"secret000001", []int{6}, Answer{Digits, "000001"}, 6},
	"a length that is given twice":                 {"secret123456", []int{6, 6}, Answer{Digits, "123456"}, 6},
	"eight digits, and seven before are no digits": {"secret12345678", []int{8}, Answer{Digits, "12345678"}, 8},
	"the shortest of two lengths":                  {"secret123456", []int{6, 8}, Answer{Digits, "123456"}, 6},
	"four digits":                                  {"secret1234", []int{4}, Answer{Digits, "1234"}, 4},
	"twelve digits":                                {"secret123456789012", []int{12}, Answer{Digits, "123456789012"}, 12},
	"a space at the end of the password":           {"two words 123456", []int{6}, Answer{Digits, "123456"}, 6},
	"a hyphen at the end of the password":          {"secret-123456", []int{6}, Answer{Digits, "123456"}, 6},
	"a password of UTF-8":                          {"pässwörd€123456", []int{6}, Answer{Digits, "123456"}, 6},
	"a password that is not UTF-8":                 {"p\xe4ss\xff123456", []int{6}, Answer{Digits, "123456"}, 6},
	"other digits than ours before the code":       {"１２３123456", []int{6}, Answer{Digits, "123456"}, 6},
	"1024 bytes":                                   {strings.Repeat("p", 1018) + "123456", []int{6}, Answer{Digits, "123456"}, 6},
	"a recovery code as it is printed":             {"secret7k3f-9qxz-0m2t", []int{6}, Answer{Recovery, "7k3f-9qxz-0m2t"}, 14},
	"a recovery code in capitals":                  {"secret7K3F-9QXZ-0M2T", []int{6}, Answer{Recovery, "7k3f-9qxz-0m2t"}, 14},
	"a recovery code with o for 0 and l for 1":     {"secret7k3f-9qxl-om2t", []int{6}, Answer{Recovery, "7k3f-9qx1-0m2t"}, 14},
	"a recovery code, and no device":               {"secret7k3f-9qxz-0m2t", nil, Answer{Recovery, "7k3f-9qxz-0m2t"}, 14},
	"a recovery code behind a hyphen":              {"secret-7k3f-9qxz-0m2t", []int{6}, Answer{Recovery, "7k3f-9qxz-0m2t"}, 14},
	"a recovery code that ends with four digits":   {"secret7k3f-9qxz-0123", []int{6}, Answer{Recovery, "7k3f-9qxz-0123"}, 14},
	"1024 bytes with a recovery code":              {strings.Repeat("é", 505) + "7k3f-9qxz-0m2t", []int{6}, Answer{Recovery, "7k3f-9qxz-0m2t"}, 14},
	"a password of twelve digits like a code's":    {"1234-5678-9012" + "345678", []int{6}, Answer{Digits, "345678"}, 6},
	"twelve digits in groups are no recovery code": {"secret1234-5678-9012", []int{4}, Answer{Digits, "9012"}, 4},
	"two codes in a row: the first is not taken":   {"secret123456654321", []int{6}, Answer{Digits, "654321"}, 6},
}

// notAppended are answers that are not split.
var notAppended = map[string]struct {
	typed   string
	lengths []int
}{
	"nothing":                                       {"", []int{6}},
	"a password alone":                              {"secret", []int{6}},
	"a code alone":                                  {"123456", []int{6}},
	"a recovery code alone":                         {"7k3f-9qxz-0m2t", []int{6}},
	"five digits":                                   {"secret12345", []int{6}},
	"a code before the password":                    {"123456secret", []int{6}},
	"a space inside the code":                       {"secret123 456", []int{6}},
	"a space behind the code":                       {"secret123456 ", []int{6}},
	"a newline behind the code":                     {"secret123456\n", []int{6}},
	"other digits than ours":                        {"secret１２３４５６", []int{6}},
	"a sign for a digit":                            {"secret+12345", []int{6}},
	"eight digits that could be six":                {"secret12345678", []int{6, 8}},
	"a password that ends with digits, two lengths": {"born1999123456", []int{6, 8}},
	"twelve digits that could be six":               {"secret123456654321", []int{6, 12}},
	"three lengths that all fit":                    {"secret123456789", []int{6, 7, 8}},
	"a recovery code that could be four digits":     {"secret7k3f-9qxz-0123", []int{4}},
	"no device, and no recovery code":               {"secret123456", nil},
	"a length that no code has: none":               {"secret123456", []int{0}},
	"a length that no code has: below none":         {"secret123456", []int{-6}},
	"a length that no code has: three":              {"secret123", []int{3}},
	"a length that no code has: thirteen":           {"secret1234567890123", []int{13}},
	"a recovery code without hyphens":               {"secret7k3f9qxz0m2t", []int{6}},
	"a recovery code with its hyphens elsewhere":    {"secret7k3-f9qxz-0m2t", []int{6}},
	"a recovery code with a hyphen too many":        {"secret7k3f-9q-z-0m2t", []int{6}},
	"a recovery code with spaces for hyphens":       {"secret7k3f 9qxz 0m2t", []int{6}},
	"a recovery code with a letter that is none":    {"secret7k3f-9qxz-0m2u", []int{6}},
	"a recovery code with a letter of two bytes":    {"secret7k3f-9qxz-0mé", []int{6}},
	"a recovery code with something behind it":      {"secret7k3f-9qxz-0m2t.", []int{6}},
	"1025 bytes":                                    {strings.Repeat("p", 1019) + "123456", []int{6}},
	"twice as many":                                 {strings.Repeat("p", 2042) + "123456", []int{6}},
}

func TestSplitAppendedFindsTheCode(t *testing.T) {
	for sentence, c := range appended {
		cut, answer, ok := SplitAppended([]byte(c.typed), c.lengths)
		if !ok || cut != c.cut || answer.Kind != c.answer.Kind || answer.Text != c.answer.Text {
			t.Errorf("%s: %d, %q, %v", sentence, cut, answer.Text, ok)
		}
	}
}

func TestSplitAppendedRefuses(t *testing.T) {
	for sentence, c := range notAppended {
		if cut, answer, ok := SplitAppended([]byte(c.typed), c.lengths); ok || cut != 0 || answer.Kind != Rubbish || answer.Text != "" {
			t.Errorf("%s: %d, %q, %v", sentence, cut, answer.Text, ok)
		}
	}
}

// Whatever the answer, there is at most one way to split it, and what was typed is password and code, nothing more.
func TestAnAppendedAnswerIsSplitInOneWayOrNone(t *testing.T) {
	for n := MinDigits; n <= MaxDigits; n++ {
		for m := MinDigits; m <= MaxDigits; m++ {
			digits := strings.Repeat("7", n)
			cut, answer, ok := SplitAppended([]byte("password"+digits), []int{n, m})
			if one := m >= n; ok != one || one && (cut != n || answer.Text != digits) {
				t.Errorf("%d digits, lengths %d and %d: %d, %q, %v", n, n, m, cut, answer.Text, ok)
			}
		}
	}
}

// appendedSeeds is how many answers the fuzzer starts from: a loop that finds none would go unnoticed.
const appendedSeeds = 57

func TestTheFuzzerOfAppendedAnswersHasItsSeeds(t *testing.T) {
	if n := len(appended) + len(notAppended); n != appendedSeeds {
		t.Errorf("%d seeds, want %d", n, appendedSeeds)
	}
}

// lengthsOf makes a list of lengths out of a byte: bit i stands for i+4 digits, and the last for a length that no code has.
func lengthsOf(bits byte) (lengths []int) {
	for i := range 7 {
		if bits&(1<<i) != 0 {
			lengths = append(lengths, i+MinDigits)
		}
	}
	if bits&0x80 != 0 {
		lengths = append(lengths, -1, MaxDigits+1, 1<<30)
	}
	return lengths
}

func bitsOf(lengths []int) (bits byte) {
	for _, n := range lengths {
		if n >= MinDigits && n < MinDigits+7 {
			bits |= 1 << (n - MinDigits)
		} else {
			bits |= 0x80
		}
	}
	return bits
}

func FuzzSplitAppended(f *testing.F) {
	for _, c := range appended {
		f.Add([]byte(c.typed), bitsOf(c.lengths))
	}
	for _, c := range notAppended {
		f.Add([]byte(c.typed), bitsOf(c.lengths))
	}
	f.Fuzz(func(t *testing.T, typed []byte, bits byte) {
		lengths, before := lengthsOf(bits), bytes.Clone(typed)
		cut, answer, ok := SplitAppended(typed, lengths)
		if !bytes.Equal(typed, before) {
			t.Fatal("what was typed was changed")
		}
		if !ok {
			if cut != 0 || answer != (Answer{}) {
				t.Fatalf("refused, with %d and %q", cut, answer.Text)
			}
			return
		}
		if cut <= 0 || cut >= len(typed) {
			t.Fatalf("cuts %d bytes off %d", cut, len(typed))
		}
		tail := typed[len(typed)-cut:]
		// The code is the tail and no more, as if it had been typed at a prompt of its own.
		if alone := ParseAnswer(string(tail)); alone != answer {
			t.Fatalf("%q is %q, and at a prompt %q", tail, answer.Text, alone.Text)
		}
		if utf8.Valid(typed) && !utf8.Valid(typed[:len(typed)-cut]) {
			t.Fatal("the password was cut inside a character")
		}
		// With that code at another password it is found again.
		again, same, ok := SplitAppended(append([]byte("password "), tail...), lengths)
		if !ok || again != cut || same != answer {
			t.Fatalf("behind another password: %d, %q, %v", again, same.Text, ok)
		}
	})
}

package factor

import (
	"slices"
	"strings"
)

// maxAppended is how many bytes a password and a code together may have. sshd takes passwords of at most 1024.
const maxAppended = 1024

// printedRecovery is the length of a recovery code as it is printed: xxxx-xxxx-xxxx.
const printedRecovery = recoveryLength + 2

// SplitAppended finds the code that was typed behind the password in one field. It is the last n digits, where n is one of the lengths,
// or a recovery code as it was printed, with its hyphens, in capitals or not. Lengths that no code has are not looked for.
//
// It is ok when there is exactly one way to split. Then the last cut bytes of what was typed are the code, and there is something before
// them: a code without a password is none. Where it could be split in two ways it is not ok, for the wrong one would hand a part of
// the password to the log and the throttle, or a part of the code to whatever checks the password. Two codes in a row are not looked
// for: the first would be taken for the end of the password.
func SplitAppended(typed []byte, lengths []int) (cut int, answer Answer, ok bool) {
	if len(typed) > maxAppended {
		return 0, Answer{}, false
	}
	ways := 0
	for n := MinDigits; n <= MaxDigits; n++ {
		if !slices.Contains(lengths, n) {
			continue
		}
		if code, found := lastDigits(typed, n); found {
			cut, answer, ways = n, Answer{Kind: Digits, Text: code}, ways+1
		}
	}
	if code, found := lastRecovery(typed); found {
		cut, answer, ways = printedRecovery, Answer{Kind: Recovery, Text: code}, ways+1
	}
	if ways != 1 {
		return 0, Answer{}, false
	}
	return cut, answer, true
}

// lastDigits gives the last n bytes when they are a code and there is something before it.
func lastDigits(typed []byte, n int) (code string, found bool) {
	if n >= len(typed) {
		return "", false
	}
	code = string(typed[len(typed)-n:])
	return code, isDigits(code)
}

// lastRecovery gives the recovery code at the end, brought to one spelling, when there is something before it.
func lastRecovery(typed []byte) (code string, found bool) {
	if len(typed) <= printedRecovery {
		return "", false
	}
	printed := string(typed[len(typed)-printedRecovery:])
	if printed[4] != '-' || printed[9] != '-' {
		return "", false
	}
	return canonicalRecovery(strings.ReplaceAll(printed, "-", ""))
}

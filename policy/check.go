package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText is the size cap of a name or a text, in bytes.
const maxText = 256

// A check returns what is wrong with a text, or "".

// checkText refuses what could hide or fake something on a terminal, at a prompt
// or in a log: control, formatting and other invisible characters.
func checkText(s string) string { return checkLine(s, maxText) }

// checkLine is checkText with another size cap, in bytes.
func checkLine(s string, most int) string {
	switch {
	case len(s) > most:
		return fmt.Sprintf("this text has %d bytes, the limit is %d", len(s), most)
	case !utf8.ValidString(s):
		return "this text is not UTF-8"
	case strings.TrimSpace(s) != s:
		return fmt.Sprintf("blanks around the text %q", s)
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return fmt.Sprintf("the character %U is not allowed in a text", r)
		}
	}
	return ""
}

// checkName refuses names that could match nobody: such a rule would be in the
// file, look right, and ask nobody (or exempt nobody).
func checkName(kind, s string) string {
	what := singular(kind)
	if wrong := checkText(s); wrong != "" {
		return wrong
	}
	switch {
	case s == "":
		return "a " + what + " without a name"
	case strings.ContainsAny(s[:1], "!-~"):
		return fmt.Sprintf("%q: there are no negations: list the %s that are meant", s, kind)
	case strings.ContainsAny(s[:1], "%@+"):
		return fmt.Sprintf("%q: write a group's name under groups, without a sign before it", s)
	case strings.ContainsAny(s, "*?"):
		return fmt.Sprintf("%q: there are no patterns: list the %s that are meant", s, kind)
	case strings.ContainsAny(s, ":,"):
		return fmt.Sprintf("%q: a %s has no colon or comma in its name", s, what)
	case kind == "services" && strings.ToLower(s) != s:
		return fmt.Sprintf("%q: PAM turns service names to lower case: write %q", s, strings.ToLower(s))
	case kind == "services" && strings.ContainsAny(s, "/ "):
		return fmt.Sprintf("%q: a service is the name of a file in /etc/pam.d", s)
	}
	return ""
}

// singular turns the key of a list into the word for one item.
func singular(kind string) string { return strings.TrimSuffix(kind, "s") }

// example is a name for an error text.
func example(kind string) string {
	switch kind {
	case "users":
		return "alice"
	case "groups":
		return "wheel"
	}
	return "sshd"
}

// checkIssuer refuses the colon, which in an otpauth address ends the issuer.
func checkIssuer(s string) string {
	if strings.Contains(s, ":") {
		return "the issuer must not have a colon in it: authenticator apps take it for the end of the issuer"
	}
	return checkText(s)
}

func checkContact(s string) string {
	if s == "" {
		return "contact is empty: leave it out for \"your administrator\""
	}
	return checkText(s)
}

func checkHelpURL(s string) string {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(s, "http://")
	}
	if s != "" && (!ok || rest == "" || strings.Contains(s, " ")) {
		return fmt.Sprintf("want an address that begins with https:// or http://, found %.80q", s)
	}
	return checkText(s)
}

func checkAlgorithm(s string) string {
	if s != "SHA1" && s != "SHA256" && s != "SHA512" {
		return fmt.Sprintf("want SHA1, SHA256 or SHA512, found %.80q", s)
	}
	return ""
}

// checkPath demands one spelling of a path, so that two that differ are two files.
func checkPath(s string) string {
	if !path.IsAbs(s) || path.Clean(s) != s || s == "/" {
		return fmt.Sprintf("want an absolute path without . or .. or a slash at its end, found %.80q", s)
	}
	return checkText(s)
}

// suggest adds the known key that a misspelt one probably means.
func suggest(key string, fields []field) string {
	var known []string
	for _, f := range fields {
		known = append(known, f.key)
	}
	if best := Nearest(key, known); best != "" {
		return fmt.Sprintf(" (did you mean %q?)", best)
	}
	return ""
}

// Nearest finds the known word that a misspelt one probably means: the first of those that differ by the fewest letters, two at most and
// not by all of them. "": there is none.
func Nearest(word string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := editDistance(word, k); d < distance && d < len(k) {
			best, distance = k, d
		}
	}
	return best
}

// editDistance counts the bytes to insert, drop or replace (Levenshtein 1965).
func editDistance(a, b string) int {
	if len(a) > maxText {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// elsewhere are the keys that stand in one place only, and where.
func elsewhere() map[string]string {
	return map[string]string{
		"ask": "services", "at_login": "enroll", "auditor": "roles", "by": "require", "from": "exempt and rules", "helpdesk": "roles", "hours": "rules",
		"longest": "bypass", "name": "rules", "notice": "enroll", "protected": "roles", "requesters": "bypass", "ssh_auth": "rules", "starts": "require", "system_accounts": "exempt", "then": "rules", "tty": "rules", "until": "require and exempt", "weekdays": "rules", "zone": "rules",

		"provider": "sms and push", "url": "sms and push",
		"account_sid": "sms", "api_key_secret_file": "sms", "api_key_sid": "sms", "auth_token_file": "sms", "command": "sms",
		"messaging_service_sid": "sms", "per_hour": "sms", "sender": "sms", "valid_for": "sms",
		"answer_token_file": "push", "api_host": "push", "integration_key": "push", "match_number": "push", "secret_key_file": "push", "token_file": "push", "wait": "push",
	}
}

// aboutKey says what may be meant by a key that is not known in a place.
func aboutKey(key string, fields []field) string {
	if slices.ContainsFunc(fields, func(f field) bool { return f.key == key+"_file" }) {
		return fmt.Sprintf(": everybody can read this file: put the secret into another one in paths.credentials, and its name into %s_file", key)
	}
	if place, found := elsewhere()[key]; found {
		return ": it belongs to " + place
	}
	return suggest(key, fields)
}

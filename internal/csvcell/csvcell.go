// Package csvcell keeps spreadsheets from running what users have chosen.
//
// A spreadsheet takes a cell for a formula that begins with =, +, - or @, or with one of their full-width forms, also behind blanks and
// quotation marks; and, where its language has the comma for fractions, behind a semicolon, which begins a new cell there. Escape puts
// an apostrophe before each such part, which Unescape takes away again:
//
//	=1+1        '=1+1
//	'=1+1       ''=1+1
//	alice;-2    alice;'-2
//	O'Hara      O'Hara
package csvcell

import (
	"strings"
	"unicode/utf8"
)

// signs begin a formula; the last four are their full-width forms, which some programs take for them.
const signs = "=+-@＝＋－＠"

// Escape is a cell that no spreadsheet runs.
//
// Attack: a user chooses his full name (chfn), or the name of his device, and whoever opens the list is an administrator.
func Escape(cell string) string {
	return eachPart(cell, func(part string) string { return "'" + part })
}

// Unescape is the cell of which Escape made this one. What Escape would leave alone stays as it is.
func Unescape(cell string) string {
	return eachPart(cell, func(part string) string { return strings.TrimPrefix(part, "'") })
}

// eachPart changes the parts of a cell that would be formulas, and those that were made safe.
func eachPart(cell string, change func(string) string) string {
	if !strings.ContainsAny(cell, signs) {
		return cell
	}
	parts := strings.Split(cell, ";")
	for i, part := range parts {
		if trimmed := strings.TrimLeft(part, " \"'"); trimmed != "" && strings.ContainsAny(firstRune(trimmed), signs) {
			parts[i] = change(part)
		}
	}
	return strings.Join(parts, ";")
}

func firstRune(text string) string {
	_, size := utf8.DecodeRuneInString(text)
	return text[:size]
}

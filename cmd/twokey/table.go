package main

import (
	"encoding/csv"
	"strings"
	"unicode/utf8"
)

// leastFold is the narrowest last column that a table is folded to; below it the terminal breaks the lines as it likes.
const leastFold = 20

// table prints rows in columns; with --json nothing. The cells may be anybody's text. On a terminal that is too narrow the last
// column is folded between words.
func (u *ui) table(rows [][]string) error {
	if u.json {
		return nil
	}
	columns, terminal := u.width()
	if !terminal {
		columns = 0
	}
	for _, line := range tableLines(rows, columns) {
		u.print(line + "\n")
	}
	return nil
}

// tableLines lays rows out in at most so many columns, 0 for any number.
func tableLines(rows [][]string, columns int) []string {
	var widths []int // of every column but a row's last
	for _, row := range rows {
		for i, cell := range row[:max(0, len(row)-1)] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var lines []string
	for _, row := range rows {
		head, indent := "", 0
		for i, cell := range row[:max(0, len(row)-1)] {
			cell = visible(cell)
			head += cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2)
			indent += widths[i] + 2
		}
		if len(row) == 0 {
			lines = append(lines, "")
			continue
		}
		for i, part := range fold(visible(row[len(row)-1]), columns-indent) {
			if i > 0 {
				head = strings.Repeat(" ", indent)
			}
			lines = append(lines, strings.TrimRight(head+part, " "))
		}
	}
	return lines
}

// fold breaks text between words into lines of at most width columns; a longer word stays whole.
func fold(text string, width int) []string {
	if width < leastFold || utf8.RuneCountInString(text) <= width {
		return []string{text}
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// csv prints rows as comma-separated values, RFC 4180 with plain line ends.
func (u *ui) csv(rows [][]string) error {
	var b strings.Builder
	w := csv.NewWriter(&b)
	for _, row := range rows {
		safe := make([]string, 0, len(row))
		for _, cell := range row {
			safe = append(safe, noFormula(visible(cell)))
		}
		if err := w.Write(safe); err != nil {
			return err
		}
	}
	w.Flush()
	u.print(b.String())
	return w.Error()
}

// formulaSigns begin a formula in a spreadsheet; the last four are their full-width forms, which some programs take for them.
const formulaSigns = "=+-@＝＋－＠"

// noFormula puts a ' before what a spreadsheet would run: users choose their own full names (chfn), and whoever opens the list is
// an administrator. A semicolon begins a new cell where the language of the spreadsheet has the comma for fractions.
func noFormula(cell string) string {
	parts := strings.Split(cell, ";")
	for i, part := range parts {
		if trimmed := strings.TrimLeft(part, " \"'"); trimmed != "" && strings.ContainsAny(firstRune(trimmed), formulaSigns) {
			parts[i] = "'" + part
		}
	}
	return strings.Join(parts, ";")
}

func firstRune(text string) string {
	_, size := utf8.DecodeRuneInString(text)
	return text[:size]
}

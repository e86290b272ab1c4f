package main

import (
	"encoding/csv"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"twokey/internal/csvcell"
)

// table prints rows in columns; with --json nothing. The cells may be anybody's text. On a terminal that is too narrow the widest
// columns are folded between words.
func (u *ui) table(rows [][]string) error {
	if u.json {
		return nil
	}
	columns, terminal := u.width()
	if !terminal {
		columns = 0
	}
	out := wholeLines{ui: u}
	for _, line := range tableLines(rows, columns) {
		out.text.WriteString(line + "\n")
		out.ended()
	}
	out.flush()
	return nil
}

// between are the blanks between two columns.
const between = 2

// tableLines lays rows out in at most so many columns of a terminal, 0 for any number.
func tableLines(rows [][]string, columns int) []string {
	widths := columnWidths(rows, columns)
	var lines []string
	for _, row := range rows {
		folded := make([][]string, len(row))
		height := 1
		for i, cell := range row {
			folded[i] = fold(visible(cell), widths[i])
			height = max(height, len(folded[i]))
		}
		for n := range height {
			line := ""
			for i, parts := range folded {
				part := ""
				if n < len(parts) {
					part = parts[n]
				}
				line += part + strings.Repeat(" ", max(0, widths[i]-utf8.RuneCountInString(part))+between)
			}
			lines = append(lines, strings.TrimRight(line, " "))
		}
	}
	return lines
}

// columnWidths makes the widest column narrower as long as the table is too wide, but none narrower than its longest word. A table that
// cannot be made to fit stays as wide as it is.
func columnWidths(rows [][]string, columns int) []int {
	var widths, least []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths, least = append(widths, 0), append(least, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
			for _, word := range strings.Fields(cell) {
				least[i] = max(least[i], utf8.RuneCountInString(word))
			}
		}
	}
	narrow, total := slices.Clone(widths), between*(len(widths)-1)
	for _, width := range widths {
		total += width
	}
	for columns > 0 && total > columns {
		widest := -1
		for i, width := range narrow {
			if width > least[i] && (widest < 0 || width >= narrow[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return widths
		}
		narrow[widest]--
		total--
	}
	return narrow
}

// fold breaks text between words into lines of at most width columns; a longer word stays whole.
func fold(text string, width int) []string {
	if utf8.RuneCountInString(text) <= width {
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
func (u *ui) csv(rows iter.Seq[[]string]) error {
	out := wholeLines{ui: u}
	w := csv.NewWriter(&out.text)
	var safe []string
	for row := range rows {
		safe = safe[:0]
		for _, cell := range row {
			safe = append(safe, csvcell.Escape(visible(cell)))
		}
		if err := w.Write(safe); err != nil {
			return err
		}
		w.Flush()
		out.ended()
	}
	out.flush()
	return w.Error()
}

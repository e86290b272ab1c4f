package main

import (
	"fmt"
	"io"
	"strings"

	"twokey/bench/site"
)

// aim is the range that a figure has to lie in.
type aim struct {
	least, most float64 // 0: no limit
	unit        string
}

func (a aim) none() bool { return a.least == 0 && a.most == 0 }

// String is the aim as it stands in the table.
func (a aim) String() string {
	unit := a.unit
	if unit != "" {
		unit = " " + unit
	}
	switch {
	case a.none():
		return none
	case a.least == 0:
		return "at most " + plain(a.most) + unit
	case a.most == 0:
		return "at least " + plain(a.least) + unit
	}
	return plain(a.least) + " to " + plain(a.most) + unit
}

// plain is a limit as it was set.
func plain(v float64) string {
	if v >= 1000 {
		return site.Count(int(v))
	}
	return fmt.Sprintf("%g", v)
}

// judge says whether a figure is where it should be. The figure itself is compared, not what is printed of it.
func (a aim) judge(v float64) string {
	switch {
	case a.none():
		return none
	case v != v:
		return "not measured"
	case v >= a.least && (a.most == 0 || v <= a.most):
		return "reached"
	}
	return "**missed**"
}

// none stands where there is nothing to show.
const none = "–"

// row is one line of the table.
type row struct {
	what, against string
	ours, theirs  string
	figure        float64 // a ratio, or what has the aim's unit
	aim           aim
}

// judged are the cells of rows that have an aim.
func judged(rows []row) [][]string {
	lines := [][]string{{"what", "against", "twokey", "the other", "ratio or figure", "aim", ""}}
	for _, r := range rows {
		if r.aim.none() {
			continue
		}
		lines = append(lines, []string{r.what, r.against, r.ours, r.theirs, site.Number(r.figure), r.aim.String(), r.aim.judge(r.figure)})
	}
	return lines
}

// others are the cells of rows without an aim.
func others(rows []row) [][]string {
	lines := [][]string{{"what", "against", "twokey", "the other", "ratio"}}
	for _, r := range rows {
		if r.aim.none() {
			lines = append(lines, []string{r.what, r.against, r.ours, r.theirs, site.Number(r.figure)})
		}
	}
	return lines
}

// writeTable writes lines, of which the first is the head, in Markdown, in columns that line up, so that it can be read as it is.
func writeTable(w io.Writer, lines [][]string) error {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var text strings.Builder
	for n, line := range lines {
		for i, cell := range line {
			fmt.Fprintf(&text, "| %s%s ", cell, strings.Repeat(" ", widths[i]-len([]rune(cell))))
		}
		text.WriteString("|\n")
		if n == 0 {
			for _, width := range widths {
				text.WriteString("|" + strings.Repeat("-", width+2))
			}
			text.WriteString("|\n")
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

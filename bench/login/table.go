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

func (a aim) String() string {
	unit := a.unit
	if unit != "" {
		unit = " " + unit
	}
	switch {
	case a.none():
		return "–"
	case a.least == 0:
		return "at most " + plain(a.most) + unit
	case a.most == 0:
		return "at least " + plain(a.least) + unit
	}
	return plain(a.least) + " to " + plain(a.most) + unit
}

func plain(v float64) string { return fmt.Sprintf("%g", v) }

// judge says whether a figure is where it should be. The figure itself is compared, not what is printed of it.
func (a aim) judge(v float64) string {
	switch {
	case a.none():
		return "–"
	case v != v:
		return "not measured"
	case v >= a.least && (a.most == 0 || v <= a.most):
		return "reached"
	}
	return "missed"
}

// row is one line of the table.
type row struct {
	what, ours, theirs string
	figure             float64 // a ratio, or what has the aim's unit
	aim                aim
}

func (r row) cells() []string {
	figure := site.Number(r.figure)
	if r.aim.unit != "" {
		figure += " " + r.aim.unit
	}
	return []string{r.what, r.ours, r.theirs, figure, r.aim.String(), r.aim.judge(r.figure)}
}

var heads = []string{"what", "twokey", "against", "ratio or figure", "aim", ""}

// writeTable writes rows in Markdown, in columns that line up, so that it can be read as it is.
func writeTable(w io.Writer, rows []row) error {
	lines := [][]string{heads}
	for _, r := range rows {
		lines = append(lines, r.cells())
	}
	widths := make([]int, len(heads))
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

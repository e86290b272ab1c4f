package main

import (
	"fmt"
	"slices"
	"strings"
)

// diffContext is how many unchanged lines stand round a change.
const diffContext = 3

// edit is one line of a difference: kept (' '), taken away ('-') or added ('+').
type edit struct {
	kind byte
	line string
}

// unifiedDiff gives the difference between two texts as diff(1) -u does: "" when there is none.
func unifiedDiff(name string, before, after []byte) string {
	edits := diffLines(textLines(before), textLines(after))
	var b strings.Builder
	for from := 0; from < len(edits); {
		first := slices.IndexFunc(edits[from:], func(e edit) bool { return e.kind != ' ' })
		if first < 0 {
			break
		}
		begin := max(from, from+first-diffContext)
		end := hunkEnd(edits, from+first)
		if b.Len() == 0 {
			fmt.Fprintf(&b, "--- %s\n+++ %s\n", name, name)
		}
		writeHunk(&b, edits, begin, end)
		from = end
	}
	return b.String()
}

// textLines splits a text into lines that keep their line feeds: a last line without one is another line than one with it.
func textLines(text []byte) []string { return slices.Collect(strings.Lines(string(text))) }

// hunkEnd is where the hunk with a change ends: behind the context of its last change that no other follows nearby.
func hunkEnd(edits []edit, change int) int {
	last := change
	for i := change; i < len(edits) && i <= last+2*diffContext+1; i++ {
		if edits[i].kind != ' ' {
			last = i
		}
	}
	return min(last+1+diffContext, len(edits))
}

func writeHunk(b *strings.Builder, edits []edit, begin, end int) {
	position := func(edits []edit, without byte) (lines int) {
		for _, e := range edits {
			if e.kind != without {
				lines++
			}
		}
		return lines
	}
	span := func(without byte) string {
		start, length := position(edits[:begin], without), position(edits[begin:end], without)
		switch length {
		case 0:
			return fmt.Sprintf("%d,0", start) // as diff(1) does: the line before
		case 1:
			return fmt.Sprint(start + 1)
		}
		return fmt.Sprintf("%d,%d", start+1, length)
	}
	fmt.Fprintf(b, "@@ -%s +%s @@\n", span('+'), span('-'))
	for _, e := range edits[begin:end] {
		b.WriteByte(e.kind)
		b.WriteString(e.line)
		if !strings.HasSuffix(e.line, "\n") {
			b.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// diffLines finds the shortest way from one list of lines to another (Myers, "An O(ND) Difference Algorithm and Its Variations",
// 1986, the greedy algorithm). reach[k] is how far into a one gets on the diagonal k with so many edits.
func diffLines(a, b []string) []edit {
	offset := len(a) + len(b) + 1
	reach := make([]int, 2*offset+1)
	var before [][]int // reach[offset-d:offset+d+1] as it was before the round d
	for d := 0; ; d++ {
		before = append(before, slices.Clone(reach[offset-d:offset+d+1]))
		for k := -d; k <= d; k += 2 {
			x := step(reach, offset, d, k)
			for x < len(a) && x-k < len(b) && a[x] == b[x-k] {
				x++
			}
			reach[offset+k] = x
			if x >= len(a) && x-k >= len(b) {
				return backtrack(a, b, before)
			}
		}
	}
}

// step gets onto the diagonal k from the neighbour from which one gets farther: down (a line is added) or right (one goes).
func step(reach []int, offset, d, k int) (x int) {
	switch {
	case d == 0:
		return 0
	case k == -d || k != d && reach[offset+k-1] < reach[offset+k+1]:
		return reach[offset+k+1]
	}
	return reach[offset+k-1] + 1
}

// backtrack walks the way back from the ends of both lists.
func backtrack(a, b []string, before [][]int) (edits []edit) {
	x, y := len(a), len(b)
	for d := len(before) - 1; d >= 0; d-- {
		k := x - y
		beginX := step(before[d], d, d, k)
		for x > beginX {
			x, y = x-1, y-1
			edits = append(edits, edit{' ', a[x]})
		}
		switch {
		case d == 0:
		case k == -d || k != d && before[d][d+k-1] < before[d][d+k+1]:
			y--
			edits = append(edits, edit{'+', b[y]})
		default:
			x--
			edits = append(edits, edit{'-', a[x]})
		}
	}
	slices.Reverse(edits)
	return edits
}

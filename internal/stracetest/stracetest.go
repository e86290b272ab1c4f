// Package stracetest helps tests that look at system calls to read what strace(1) has recorded.
package stracetest

import (
	"regexp"
	"strings"
)

var (
	begun   = regexp.MustCompile(`^(\d+) +(.*) <unfinished \.\.\.>$`)
	resumed = regexp.MustCompile(`^(\d+) +<\.\.\. [a-z0-9_]+ resumed>(.*)$`)
)

// Lines returns the lines of a record that strace -f has made, each call whole, in the order in which they began. strace breaks a
// call in two where another thread has done something meanwhile, which depends on how busy the machine is.
func Lines(record string) []string {
	var lines []string
	open := map[string]int{} // by thread, the line of its unfinished call
	for _, line := range strings.Split(strings.TrimRight(record, "\n"), "\n") {
		if m := begun.FindStringSubmatch(line); m != nil {
			open[m[1]] = len(lines)
			lines = append(lines, m[1]+" "+m[2])
			continue
		}
		m := resumed.FindStringSubmatch(line)
		if m == nil {
			lines = append(lines, line)
			continue
		}
		if i, found := open[m[1]]; found {
			lines[i] += m[2]
			delete(open, m[1])
		}
	}
	return lines
}

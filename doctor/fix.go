package doctor

import (
	"fmt"
	"strings"

	"twokey/internal/pamconf"
)

// The fixes: one form each, which package comment describes.

func write(at pamconf.Place, lines ...string) string  { return change(at, "write", lines...) }
func before(at pamconf.Place, lines ...string) string { return change(at, "put before it", lines...) }
func behind(at pamconf.Place, lines ...string) string { return change(at, "put behind it", lines...) }
func takeOut(at pamconf.Place) string                 { return change(at, "take it out") }

func change(at pamconf.Place, what string, lines ...string) string {
	var quoted []string
	for _, line := range lines {
		quoted = append(quoted, `"`+line+`"`)
	}
	return strings.TrimSpace(fmt.Sprintf("%s line %d: %s %s", at.File, at.Number, what, strings.Join(quoted, ", ")))
}

func command(format string, args ...any) string { return "run: " + fmt.Sprintf(format, args...) }

// both joins fixes that belong together.
func both(fixes ...string) string {
	var all []string
	for _, fix := range fixes {
		if fix != "" {
			all = append(all, fix)
		}
	}
	return strings.Join(all, "; ")
}

func at(p pamconf.Place) string { return fmt.Sprintf("%s line %d", p.File, p.Number) }

package qr

import "strings"

// wideQuiet is the quiet zone of Wide in modules: with more the usual address would not fit into 80 columns.
const wideQuiet = 1

// WideWidth returns how many columns Wide needs.
func (c *Code) WideWidth() int { return 2 * (c.size + 2*wideQuiet) }

// Wide draws the code with number signs and spaces, two columns and one line for each module, for terminals that cannot show half blocks:
// light modules are drawn, as Terminal does without inverse. The other way round it cannot be read (measured, zbarimg): signs leave too much
// of the ground in dark modules. Every line has WideWidth columns and a line end.
func (c *Code) Wide() string {
	var b strings.Builder
	for y := -wideQuiet; y < c.size+wideQuiet; y++ {
		for x := -wideQuiet; x < c.size+wideQuiet; x++ {
			if c.isDark(x, y) {
				b.WriteString("  ")
			} else {
				b.WriteString("##")
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
